//! `action.yml`, `task.json` and the examples say of the inputs and outputs what the program's own tables say.

use std::collections::BTreeSet;
use std::path::Path;

use adopat::inputs::table::{INPUTS, Input, Word, camel_case};
use adopat::outputs::OUTPUTS;
use serde_json::Value;

fn read(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn task() -> Value {
    serde_json::from_str(&read("task.json")).expect("JSON")
}

/// The operations that a step of a job can have: the other two belong to a shell.
fn of_a_step() -> impl Iterator<Item = Word> {
    Word::ALL.into_iter().filter(|word| !matches!(word, Word::Exec | Word::Login))
}

/// A section of `action.yml`: the names in it, each with its description.
fn section(name: &str) -> Vec<(String, String)> {
    let action = read("action.yml");
    let lines = action.lines().skip_while(|line| *line != format!("{name}:")).skip(1);
    let mut found: Vec<(String, String)> = Vec::new();
    for line in lines.take_while(|line| line.starts_with(' ')) {
        match line.trim_start().split_once(':').expect("a key") {
            (key, "") if line.starts_with("  ") && !line.starts_with("   ") => {
                found.push((key.into(), String::new()));
            }
            ("description", text) => {
                found.last_mut().expect("an input before its description").1 =
                    serde_json::from_str(text.trim()).expect("a quoted text");
            }
            _ => {}
        }
    }
    found
}

/// Whether the manifest's sentence is the table's, however it begins.
fn explains(description: &str, help: &str) -> bool {
    description.to_lowercase().contains(&help.to_lowercase())
}

#[test]
fn the_action_declares_every_input_in_the_words_of_the_table() {
    let declared = section("inputs");
    assert_eq!(
        declared.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        INPUTS.iter().map(|input| input.name).collect::<Vec<_>>()
    );
    for (input, (name, description)) in INPUTS.iter().zip(&declared) {
        // A step's operation is never a word of the command line.
        let help = if *name == "operation" { "what to do" } else { input.help };
        assert!(explains(description, help), "{name}: '{description}' does not say '{help}'");
        assert_eq!(description.ends_with(" Secret."), input.secret, "{name}");
        if let Some(default) = input.default {
            assert!(description.contains(&format!("default {default})")), "{name}: {description}");
        }
    }
}

#[test]
fn the_action_declares_every_output_in_the_words_of_the_table() {
    let declared = section("outputs");
    assert_eq!(declared.len(), OUTPUTS.len());
    for (output, (name, description)) in OUTPUTS.iter().zip(&declared) {
        assert_eq!(name, output.name);
        assert!(explains(description, output.help), "{name}: {description}");
    }
}

#[test]
fn the_task_declares_every_input_in_camel_case_with_its_choices_and_operations() {
    let task = task();
    let declared = task["inputs"].as_array().expect("inputs");
    assert_eq!(
        declared.iter().map(|input| input["name"].as_str().expect("a name")).collect::<Vec<_>>(),
        INPUTS.iter().map(Input::camel_case).collect::<Vec<_>>()
    );
    let described = section("inputs");
    for ((input, declared), (_, description)) in INPUTS.iter().zip(declared).zip(&described) {
        assert_eq!(declared["helpMarkDown"], **description, "{}", input.name);
        assert_eq!(declared["type"] == "boolean", input.choices == ["true", "false"], "{}", input.name);
        if declared["type"] != "boolean" {
            let options = declared["options"].as_object().map(|options| options.keys().map(String::as_str));
            let options: BTreeSet<&str> = options.into_iter().flatten().collect();
            let for_a_shell = |choice: &&str| {
                matches!((input.name, *choice), ("operation", "exec" | "login") | ("credential", "browser"))
            };
            let choices: BTreeSet<&str> =
                input.choices.iter().copied().filter(|choice| !for_a_shell(choice)).collect();
            assert_eq!(options, choices, "{}", input.name);
        }
        let operations: Vec<Word> = of_a_step().filter(|word| input.is_for(*word)).collect();
        let rule: Vec<String> =
            operations.iter().map(|word| format!("operation = {}", word.text())).collect();
        let always = operations.len() == of_a_step().count();
        let expected = if always { Value::Null } else { Value::from(rule.join(" || ")) };
        assert_eq!(declared["visibleRule"], expected, "{}", input.name);
    }
}

#[test]
fn the_task_declares_every_output_but_the_secret() {
    let task = task();
    let declared: Vec<&str> = task["outputVariables"]
        .as_array()
        .expect("output variables")
        .iter()
        .map(|output| output["name"].as_str().expect("a name"))
        .collect();
    let plain: Vec<String> =
        OUTPUTS.iter().filter(|output| !output.secret).map(|output| camel_case(output.name)).collect();
    assert_eq!(declared, plain);
}

#[test]
fn the_examples_set_only_inputs_that_their_operation_uses() {
    let mut seen = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).expect("examples")
    {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        for name in variables(&text) {
            let input = INPUTS.iter().find(|input| input.variable() == name);
            assert!(input.is_some(), "{}: {name} is no input", path.display());
            seen += 1;
        }
        for block in steps(&text) {
            let named =
                |key: &str| INPUTS.iter().find(|input| input.name == key || input.camel_case() == key);
            let operation = block.iter().find(|(key, _)| key == "operation").expect("an operation");
            let operation = Word::parse(&operation.1).expect("a real operation");
            for (key, _) in &block {
                let input = named(key).unwrap_or_else(|| panic!("{}: {key} is no input", path.display()));
                assert!(input.is_for(operation), "{}: {key} is not for {operation:?}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 80, "the examples were read: {seen} inputs");
}

/// Every `ADOPAT_...` in a text.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).filter(|word| word.starts_with("ADOPAT_"))
}

/// The inputs of every step of a workflow that runs the action or the task: what is indented below `with:` or
/// `inputs:` after it.
fn steps(text: &str) -> Vec<Vec<(String, String)>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_ours = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ");
        line.starts_with("uses: adopat/adopat@") || line.starts_with("task: adopat@")
    };
    let mut steps = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| is_ours(line)) {
        let opens = |line: &&&str| matches!(line.trim(), "with:" | "inputs:");
        let depth = |line: &str| line.len() - line.trim_start().len();
        let mut below = lines[at..].iter().skip_while(|line| !opens(line));
        let outer = depth(below.next().expect("a step with inputs"));
        steps.push(
            below
                .take_while(|line| depth(line) > outer)
                .map(|line| {
                    let line = line.split(" #").next().unwrap_or_default();
                    let (key, value) = line.trim().split_once(": ").expect("an input on a line of its own");
                    (key.into(), value.trim().into())
                })
                .collect(),
        );
    }
    steps
}
