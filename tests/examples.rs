//! The example workflows set only inputs that exist, and only those that their operation uses.

use std::path::{Path, PathBuf};

use adopat::inputs::table::{INPUTS, Input};
use adopat::operation_name::OperationName;
use rstest::rstest;
use serde_json::Value;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(folder).expect("examples").map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.is_file() && path.extension().is_none_or(|extension| extension != "rs"))
        .collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("text")
}

/// The inputs of every step of a workflow that runs the action or the task.
fn steps(workflow: &Value) -> Vec<&serde_json::Map<String, Value>> {
    let below: Vec<&Value> = match workflow {
        Value::Object(entries) => entries.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => return Vec::new(),
    };
    let runs = |key: &str, start: &str| workflow[key].as_str().is_some_and(|what| what.starts_with(start));
    let inputs = match () {
        () if runs("uses", "adopat/adopat@") => workflow["with"].as_object(),
        () if runs("task", "adopat@") => workflow["inputs"].as_object(),
        () => None,
    };
    inputs.into_iter().chain(below.into_iter().flat_map(steps)).collect()
}

#[rstest]
#[case("github.yml", 1)]
#[case("github-fleet.yml", 2)]
#[case("azure-pipelines.yml", 1)]
fn a_step_sets_only_inputs_that_its_operation_uses(#[case] name: &str, #[case] count: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let workflow: Value = serde_yaml_ng::from_str(&read(&path)).expect("YAML");
    let steps = steps(&workflow);
    assert_eq!(steps.len(), count);
    let azure = name.starts_with("azure");
    let spelling = |input: &Input| if azure { input.camel_case() } else { input.name.to_owned() };
    for step in steps {
        let operation = step["operation"].as_str().and_then(OperationName::parse).expect("an operation");
        for (key, value) in step {
            let input = INPUTS.iter().find(|input| spelling(input) == *key);
            let input = input.unwrap_or_else(|| panic!("{key} is no input"));
            assert!(input.is_for(operation), "{key} is not for {}", operation.text());
            let chosen = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert!(input.choices.is_empty() || input.choices.contains(&&*chosen), "{key}: {chosen}");
        }
    }
}

#[test]
fn every_variable_is_that_of_an_input() {
    let mut seen = 0;
    for path in examples() {
        let text = read(&path);
        let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        for name in words.filter(|word| word.starts_with("ADOPAT_")) {
            let known = INPUTS.iter().any(|input| input.variable() == name);
            assert!(known, "{}: {name} is no input", path.display());
            seen += 1;
        }
    }
    assert!(seen > 40, "the examples were read: {seen}");
}
