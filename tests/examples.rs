//! The example workflows set only inputs that exist, and only those that their operation uses.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use adopat::inputs::table::{INPUTS, Input};
use adopat::manifest::{self, Context};
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
#[case("github-apply.yml", 1)]
#[case("github-fleet.yml", 2)]
#[case("azure-pipelines.yml", 1)]
#[case("azure-pipelines-apply.yml", 1)]
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
            let is_chosen_later = chosen.starts_with("${{");
            let is_a_choice = input.choices.is_empty() || input.choices.contains(&&*chosen);
            assert!(is_a_choice || is_chosen_later, "{key}: {chosen}");
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

/// Every manifest of an example or a page, with where it stands.
fn manifests() -> Vec<(PathBuf, String)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let pages = std::fs::read_dir(docs).expect("docs").map(|entry| entry.expect("an entry").path());
    let pages = pages.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    let mut found = Vec::new();
    for path in examples().into_iter().chain(pages) {
        let text = read(&path);
        let is_page = path.extension().is_some_and(|kind| kind == "md");
        let blocks: Vec<&str> = match is_page {
            true => text
                .split("```yaml\n")
                .skip(1)
                .map(|rest| rest.split("```").next().expect("an end"))
                .collect(),
            false => text.split("\n---\n").collect(),
        };
        for block in blocks {
            // Other documents that are YAML, such as a Jenkinsfile, need not be.
            let Ok(value) = serde_yaml_ng::from_str::<Value>(block) else { continue };
            if value.get("version").is_some() && value.get("pats").is_some() {
                found.push((path.clone(), block.to_owned()));
            }
            if let Some(manifest) = value["data"]["adopat.yml"].as_str() {
                found.push((path.clone(), manifest.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_manifest_is_one() {
    let devops_url = "https://dev.azure.com".parse().expect("an address");
    let context = Context {
        organization: None,
        credential_store: None,
        output_file: None,
        manifest_file: None,
        devops_url: &devops_url,
    };
    let found = manifests();
    for (path, text) in &found {
        let manifest = manifest::read(text, context);
        let manifest = manifest.unwrap_or_else(|problems| panic!("{}: {problems:#?}", path.display()));
        assert_eq!(manifest.warnings, [], "{}", path.display());
    }
    let names: Vec<_> = found.iter().map(|(path, _)| path.file_name().expect("a name").to_owned()).collect();
    for name in ["adopat.yml", "kubernetes-apply.yaml", "fleet.md", "global-pats.md", "manifest.md"] {
        assert!(names.iter().any(|known| known == name), "{name} holds a manifest");
    }
}

/// What a schema can say it says as the program does: by the validator of Python, which nobody here wrote.
#[test]
fn the_schema_takes_what_the_program_takes_and_refuses_what_it_refuses() {
    let good = manifests().into_iter().map(|(path, text)| (path.display().to_string(), text));
    let bad = [
        "organization: contoso",
        "version: 2\npats: [{display-name: a, scope: vso.code, deliver-to: file:a}]",
        "version: 1\npats: []",
        "version: 1\npats: {}",
        "version: 1\npats: [{scope: vso.code, deliver-to: file:a}]",
        "version: 1\npats: [{display-name: 12}]",
        "version: 1\npats: [{display-name: ' '}]",
        "version: 1\npats: [{display-name: a, lifetme: 30d}]",
        "version: 1\npats: [{display-name: a, lifetime: 30}]",
        "version: 1\npats: [{display-name: a, lifetime: 30y}]",
        "version: 1\npats: [{display-name: a, verify: always}]",
        "version: 1\npats: [{display-name: a, allow-full-access: 'true'}]",
        "version: 1\npats: [{display-name: a, scope: []}]",
        "version: 1\npats: [{display-name: a, organizations: contoso}]",
        "version: 1\npats: [{display-name: a, organizations: [], scope: vso.code}]",
        "version: 1\npats: [{display-name: a, organization: a, organizations: [b]}]",
        "version: 1\ndefaults: {display-name: a}\npats: [{display-name: a}]",
        "version: 1\npats: [{display-name: a}]\nprune: {}",
        "version: 1\npats: [{display-name: a}]\nprune: {name-prefix: ci}",
    ];
    let bad = bad.map(|text| (String::new(), text.to_owned()));
    let mut examples = Vec::new();
    for (is_good, (name, text)) in good.map(|one| (true, one)).chain(bad.map(|one| (false, one))) {
        let value: Value = serde_yaml_ng::from_str(&text).expect("YAML");
        examples.push(serde_json::json!([is_good, format!("{name}: {text}"), value]));
    }
    let script = "import json, sys\nimport jsonschema\n\
                  validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))\n\
                  validator.check_schema(validator.schema)\n\
                  for good, name, manifest in json.load(sys.stdin):\n    \
                      assert validator.is_valid(manifest) == good, (name, good)\n";
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adopat.schema.json");
    let mut python = Command::new("python3");
    python.args(["-c", script]).arg(schema).stdin(Stdio::piped()).stderr(Stdio::piped());
    if !Command::new("python3")
        .args(["-c", "import jsonschema"])
        .output()
        .is_ok_and(|asked| asked.status.success())
    {
        println!("skipped: the_schema_takes_what_the_program_takes: there is no python3 with jsonschema");
        return;
    }
    let mut child = python.spawn().expect("python starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(Value::from(examples).to_string().as_bytes()).expect("written");
    drop(stdin);
    let ended = child.wait_with_output().expect("python ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
