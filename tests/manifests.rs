//! What the GitHub action and the Azure Pipelines task declare is what adopat's own tables say.

use std::collections::BTreeMap;
use std::path::Path;

use adopat::inputs::table::{INPUTS, Input, camel_case};
use adopat::operation_name::OperationName;
use adopat::outputs::OUTPUTS;
use serde_json::Value;

fn root(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn action() -> Value {
    serde_yaml_ng::from_str(&root("action.yml")).expect("YAML")
}

fn task() -> Value {
    serde_json::from_str(&root("task.json")).expect("JSON")
}

/// The helps begin with a capital and end with a full stop there.
fn says(text: &str, help: &str) -> bool {
    let text = text.to_lowercase();
    text.contains(&help.to_lowercase())
}

#[test]
fn the_action_declares_every_input_with_its_help_and_without_a_default() {
    let action = action();
    let declared = action["inputs"].as_object().expect("inputs");
    let names: Vec<&str> = declared.keys().map(String::as_str).collect();
    let mut wanted: Vec<&str> = INPUTS.iter().map(|input| input.name).collect();
    wanted.sort_unstable();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, wanted);
    for input in INPUTS.iter().filter(|input| input.name != "operation") {
        let entry = &declared[input.name];
        let description = entry["description"].as_str().expect("a description");
        assert!(says(description, input.help), "{}: {description}", input.name);
        assert_eq!(description.ends_with(" Secret."), input.secret, "{}", input.name);
        if let Some(default) = input.default {
            assert!(description.contains(&format!("default {default})")), "{}: {description}", input.name);
        }
        assert_eq!(entry["default"], Value::Null, "{} has a default, which would beat ADOPAT_", input.name);
    }
}

#[test]
fn the_action_declares_every_output_with_its_help() {
    let action = action();
    let declared = action["outputs"].as_object().expect("outputs");
    assert_eq!(declared.len(), OUTPUTS.len());
    for output in &OUTPUTS {
        let description = declared[output.name]["description"].as_str().expect("a description");
        assert!(says(description, output.help), "{}: {description}", output.name);
    }
}

#[test]
fn the_task_declares_every_input_in_camel_case_with_its_help_and_choices() {
    let task = task();
    let declared = task["inputs"].as_array().expect("inputs");
    let declared: BTreeMap<&str, &Value> =
        declared.iter().map(|entry| (entry["name"].as_str().expect("a name"), entry)).collect();
    assert_eq!(declared.len(), INPUTS.len());
    for input in INPUTS {
        let name = input.camel_case();
        let entry = declared.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not declared"));
        let help = entry["helpMarkDown"].as_str().unwrap_or_default();
        assert!(input.name == "operation" || says(help, input.help), "{name}: {help}");
        assert_eq!(entry["type"] == "boolean", input.choices == ["true", "false"], "{name}");
        assert_eq!(entry["visibleRule"], visible_for(input), "{name}");
        if let Some(options) = entry["options"].as_object().filter(|_| input.name != "operation") {
            let mut options: Vec<&str> =
                options.keys().map(String::as_str).filter(|key| !key.is_empty()).collect();
            let mut choices = input.choices.to_vec();
            options.sort_unstable();
            choices.sort_unstable();
            // The task has no person at a browser.
            choices.retain(|choice| options.contains(choice) || *choice != "browser");
            assert_eq!(options, choices, "{name}");
        }
    }
}

/// The rule by which the editor shows an input for the operations that use it; `None` if all do.
fn visible_for(input: &Input) -> Value {
    let steps = || {
        OperationName::ALL
            .into_iter()
            .filter(|word| !matches!(word, OperationName::Exec | OperationName::Login))
    };
    let terms: Vec<String> = steps()
        .filter(|word| input.is_for(*word))
        .map(|word| format!("operation = {}", word.text()))
        .collect();
    match terms.len() {
        // It is declared as every input is, and never shown.
        0 => "operation = exec".into(),
        all if all == steps().count() => Value::Null,
        _ => terms.join(" || ").into(),
    }
}

#[test]
fn the_task_offers_the_operations_that_a_step_can_do() {
    let task = task();
    let operation =
        task["inputs"].as_array().expect("inputs").iter().find(|entry| entry["name"] == "operation");
    let options = operation.expect("operation")["options"].as_object().expect("options");
    for word in OperationName::ALL {
        // A step has no command to hand to exec, and nobody to sign in.
        let offered = !matches!(word, OperationName::Exec | OperationName::Login);
        assert_eq!(options.contains_key(word.text()), offered, "{}", word.text());
    }
}

#[test]
fn the_tasks_output_variables_are_the_plain_outputs_and_never_the_token() {
    let task = task();
    let names = task["outputVariables"].as_array().expect("output variables").iter();
    let mut names: Vec<&str> = names.map(|entry| entry["name"].as_str().expect("a name")).collect();
    names.sort_unstable();
    let mut plain: Vec<String> =
        OUTPUTS.iter().filter(|output| !output.secret).map(|output| camel_case(output.name)).collect();
    plain.sort();
    assert_eq!(names, plain);
}
