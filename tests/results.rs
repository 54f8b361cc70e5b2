//! What `apply` hands over: the output `results`, the file, the summary, the log; and what it says of a manifest that is
//! wrong, before anything is sent.

mod support;

use adopat_emulator::{NewPat, cast};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::Value;
use support::{Ended, Host, Machine};

/// A manifest of as many entries, each delivered to a file of its own.
fn manifest(count: usize) -> String {
    let entry = |number| {
        format!("- {{display-name: ci-{number:03}, scope: vso.code, deliver-to: file:ci-{number:03}.pat}}\n")
    };
    let entries: String = (0..count).map(entry).collect();
    format!("version: 1\norganization: {}\npats:\n{entries}", cast::ORGANIZATION)
}

fn applying(host: Host, count: usize) -> Machine {
    let mut machine = Machine::new(host, "apply");
    machine.input("manifest", manifest(count)).without("organization");
    machine
}

/// The PATs of the first entries are there already, and where they belong.
fn delivered(machine: &Machine, count: usize) {
    let now = Timestamp::now();
    for number in 0..count {
        let day = SignedDuration::from_hours(24);
        let new = NewPat::named(&format!("ci-{number:03}")).valid_from(now - day).valid_to(now + day * 29);
        let pat = machine.emulator.add_pat(new);
        std::fs::write(machine.path(&format!("ci-{number:03}.pat")), &pat.value).expect("written");
    }
}

#[track_caller]
fn rows(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn actions(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["action"].as_str().expect("a word")).collect()
}

#[test]
fn a_host_is_handed_the_rows_and_a_summary_and_no_token() {
    let machine = applying(Host::GitHub, 3);
    delivered(&machine, 1);
    let ended = machine.run();
    ended.expect(0).says("1 of 3").says("3 of 3").says("PATs: 2 created, 1 kept.");
    let outputs = machine.outputs(&ended);
    assert_eq!(outputs["changed"], "true");
    assert!(!outputs.contains_key("token"), "{outputs:?}");
    let results = rows(&outputs["results"]);
    assert_eq!(actions(&results), ["kept", "created", "created"]);
    assert_eq!(results[1]["display-name"], "ci-001");
    assert_eq!(results[1]["organization"], cast::ORGANIZATION);
    assert_eq!(results[1]["authorization-id"], machine.active("ci-001")[0].authorization_id.to_string());
    assert_eq!(
        (&results[1]["previous-authorization-ids"], &results[1]["error"]),
        (&Value::from([(); 0].to_vec()), &Value::Null)
    );
    let summary = machine.read("GITHUB_STEP_SUMMARY");
    assert!(summary.starts_with("### PATs: 2 created, 1 kept.\n\n```mermaid\n"), "{summary}");
    assert!(summary.contains("| PAT | organization | action | reason | valid to | where |"), "{summary}");
    assert!(
        summary.contains("| ci-001 | fabrikam | created |") && summary.contains("| file:ci-001.pat |"),
        "{summary}"
    );
}

#[test]
fn each_failure_is_one_annotation_and_a_row_with_its_remedy() {
    let mut machine = applying(Host::Azure, 2);
    machine.input("manifest", manifest(2).replace("file:ci-000.pat", "file:no/such/folder/ci-000"));
    let ended = machine.run();
    ended.expect(7);
    let errors: Vec<&str> = ended.stdout.lines().filter(|line| line.contains("type=error")).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("ci-000"), "{errors:?}");
    let outputs = machine.outputs(&ended);
    let results = rows(&outputs["results"]);
    assert_eq!(actions(&results), ["failed", "created"]);
    for key in ["cause", "remedy"] {
        assert!(results[0]["error"][key].as_str().is_some_and(|words| words.ends_with('.')), "{results:?}");
    }
}

#[test]
fn an_output_that_is_too_large_holds_what_was_not_kept_and_the_file_has_all() {
    let mut machine = applying(Host::GitHub, 260);
    delivered(&machine, 259);
    let file = machine.path("results.json");
    machine.input("dry-run", "true").input("output-file", file.clone());
    let ended = machine.run();
    ended
        .expect(0)
        .says("The output results holds only 1 of 260 rows, those that are not kept, because an output may be 64 KiB at most")
        .says(&format!("output-file, {}, has all of them.", file.display()));
    let results = machine.outputs(&ended)["results"].clone();
    assert_eq!(actions(&rows(&results)), ["would-create"]);
    let all: Value = serde_json::from_str(&machine.read("results.json")).expect("JSON");
    assert_eq!((all["results"].as_array().map(Vec::len), &all["changed"]), (Some(260), &Value::Bool(false)));
}

#[test]
fn else_it_holds_the_count_of_each_action() {
    let mut machine = applying(Host::GitHub, 420);
    let ended = machine.input("dry-run", "true").run();
    ended
        .expect(0)
        .says("The output results holds only the number of rows of each action, because an output may be 64 KiB at most")
        .says("set output-file to have all of them in a file.");
    assert_eq!(machine.outputs(&ended)["results"], r#"[{"action":"would-create","count":420}]"#);
    assert!(machine.active("ci-000").is_empty());
}

#[test]
fn elsewhere_the_rows_are_printed_and_an_output_file_holds_them_too() {
    let mut machine = applying(Host::Generic, 2);
    let file = machine.path("outputs.env");
    let ended = machine.input("output-file", file).run();
    ended.expect(0);
    assert_eq!(actions(&rows(&ended.stdout)), ["created", "created"]);
    assert_eq!(ended.stdout.lines().count(), 2, "a line for each: {}", ended.stdout);
    let file = machine.read("outputs.env");
    assert!(file.starts_with("CHANGED=true\nRESULTS='[{") && !file.contains("TOKEN"), "{file}");
}

#[rstest]
#[case::no_manifest(&[], &["Input 'manifest' is required: give the path of a manifest, or the manifest itself."])]
#[case::no_file(&[("manifest", "no/such/adopat.yml")], &["'no/such/adopat.yml' cannot be read"])]
#[case::everything_at_once(
    &[("manifest", "version: 1\npats:\n- display-name: 12\n  scpe: vso.code\n"), ("parallel", "many"), ("fail-if-drift", "true")],
    &[
        "line 3, column 17: 'display-name' is text, and '12' without quotes is a number; put it in quotes.",
        "line 4, column 3: 'scpe' is not a key of an entry; did you mean 'scope'?",
        "The entry has no 'deliver-to'; say which stores receive the PAT, here or in defaults.",
        "Input 'parallel': 'many' is not a number from 1 to 16; use 4.",
        "Input 'fail-if-drift' is for a dry run alone: set dry-run to true.",
    ]
)]
fn what_is_wrong_is_told_before_anything_is_sent(#[case] inputs: &[(&str, &str)], #[case] words: &[&str]) {
    let mut machine = Machine::new(Host::Generic, "apply");
    for (name, value) in inputs {
        machine.input(name, *value);
    }
    let ended = machine.run();
    ended.expect(2);
    for words in words {
        ended.says(words);
    }
    assert!(machine.calls().is_empty());
}

/// A flag gives the path, and what is wrong is told with the file's name, as an editor finds it.
#[test]
fn a_manifest_is_a_file_or_the_document_itself() {
    let mut machine = Machine::new(Host::Generic, "apply");
    std::fs::write(machine.path("adopat.yml"), manifest(1)).expect("written");
    machine.arguments(&["apply", "--manifest", "adopat.yml", "--dry-run", "--only", "ci-000"]);
    let ended = machine.run();
    ended.expect(0);
    assert_eq!(actions(&rows(&ended.stdout)), ["would-create"]);
    std::fs::write(machine.path("adopat.yml"), manifest(1).replace("scope", "scopes")).expect("written");
    machine
        .run()
        .expect(2)
        .says("Input 'manifest', adopat.yml:4:26: 'scopes' is not a key of an entry; did you mean 'scope'?");
    let json = r#"{"version": 1, "organization": "fabrikam", "pats": [{"display-name": "ci-000", "scope": ["vso.code"],
        "deliver-to": ["file:ci-000.pat"]}]}"#;
    machine.arguments(&["apply"]).input("manifest", json);
    assert_eq!(actions(&rows(&machine.run().expect(0).stdout)), ["created"]);
}

/// A secret in a manifest is told, never repeated, and nothing is sent.
#[test]
fn a_secret_in_a_manifest_is_refused_and_not_repeated() {
    let mut machine = Machine::new(Host::Generic, "apply");
    let secret = format!("FAKE{}AZDOFAKE", "a".repeat(72));
    machine.input("manifest", manifest(1) + "# was " + &secret + "\n");
    let ended: Ended = machine.run();
    ended
        .expect(2)
        .says("line 5, column 7: This looks like a personal access token; remove it from the manifest");
    assert!(!ended.words().contains(&secret));
    assert!(machine.calls().is_empty());
}
