//! Whatever the names and values, the hosts hear exactly what adopat means to say, and nothing else.

#[path = "hosts/azure_agent.rs"]
mod azure_agent;
#[path = "hosts/github_runner.rs"]
mod github_runner;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use adopat::azure_devops::Organization;
use adopat::host::HostSettings;
use adopat::host::streams::{Captured, Streams};
use adopat::host::{self, Host, Level, Remembered, sanitize};
use adopat::inputs::request::OutputFormat;
use adopat::output_file;
use adopat::outputs::Outputs;
use adopat::pats::{Pat, Scope};
use adopat::secret::{Register, Secret};
use adopat::world::{Exchange, SystemClock, SystemRandom, Wire, WireError, World};
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Debug)]
struct NoWire;

impl Wire for NoWire {
    fn exchange(&self, _: http::Request<bytes::Bytes>) -> Exchange<'_> {
        Box::pin(async { Err(WireError::Unreachable("a host needs no wire".into())) })
    }
}

fn world() -> World {
    World { wire: Arc::new(NoWire), clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
}

/// A host with all that it prints.
struct Opened {
    host: Box<dyn Host>,
    out: Captured,
    err: Captured,
}

fn open(
    settings: HostSettings,
    variable: Option<&str>,
    output_variable: Option<&str>,
    quiet: bool,
) -> Opened {
    let (streams, out, err) = Streams::captured(Register::default());
    Opened { host: host::open(&settings, variable, output_variable, &world(), streams, quiet), out, err }
}

fn azure(variable: Option<&str>, output_variable: Option<&str>) -> Opened {
    let settings = HostSettings::AzurePipelines { temp: None, decodes_percent: true };
    open(settings, variable, output_variable, false)
}

fn github(folder: &Path, variable: Option<&str>) -> Opened {
    let file = |name| Some(folder.join(name));
    let settings = HostSettings::GithubActions {
        output: file("output"),
        env: file("env"),
        state: file("state"),
        step_summary: file("summary"),
    };
    open(settings, variable, None, false)
}

fn generic() -> Opened {
    open(HostSettings::Generic { buildkite: false }, None, None, false)
}

/// A PAT's value: fake, of true shape.
fn pat_text() -> String {
    format!("FAKE{}AZDOFAKE", "a".repeat(72))
}

fn outputs(display_name: &str) -> Outputs {
    let subject = Pat {
        authorization_id: "00000000-0000-0000-0000-000000000001".into(),
        display_name: display_name.into(),
        scope: Scope::parse("vso.code vso.packaging"),
        valid_from: None,
        valid_to: "2026-02-01T00:00:00Z".parse().ok(),
        target_accounts: None,
    };
    Outputs {
        token: Some(Secret::new(pat_text())),
        subject: Some(subject),
        changed: true,
        pats: Some(vec![json!({ "display-name": display_name })]),
        ..Outputs::default()
    }
}

/// Text made of what is special to a host more often than not.
fn hostile() -> impl Strategy<Value = String> {
    let fragments = [
        "##vso[task.setvariable variable=PATH]/evil",
        "##vso[",
        "##[add-mask]",
        "##[error]",
        "::add-mask::",
        "::stop-commands::x",
        "::",
        ":",
        "#",
        "[",
        "]",
        ";",
        "=",
        "<<",
        "ghadelimiter_",
        "%",
        "%25",
        "%AZP25",
        "%3B",
        "%5D",
        "%0A",
        "%0D",
        "\n",
        "\r",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{200b}",
        "\u{ad}",
        "\u{feff}",
        "\u{202e}",
        "\u{1b}[2J",
        "\0",
        " ",
        "\t",
        "name",
    ];
    let part =
        prop_oneof![3 => prop::sample::select(fragments.to_vec()).prop_map(String::from), 1 => ".{0,3}"];
    prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

/// No character of it could move a terminal's cursor or hide what follows.
fn assert_harmless(printed: &str) {
    let hidden =
        printed.chars().find(|c| (c.is_control() && *c != '\n') || "\u{202e}\u{200b}\u{feff}".contains(*c));
    assert_eq!(hidden, None, "{printed:?}");
}

const LEVELS: [Level; 4] = [Level::Info, Level::Notice, Level::Warning, Level::Error];

proptest! {
    #[test]
    fn words_never_become_another_command(text in hostile()) {
        for level in LEVELS {
            let azure = azure(None, None);
            azure.host.say(level, &text);
            azure.host.print(&text);
            let printed = azure.out.text();
            assert_harmless(&printed);
            let heard = azure_agent::commands(&printed, true);
            let kind = match level { Level::Warning => Some("warning"), Level::Error => Some("error"), _ => None };
            prop_assert_eq!(heard.len(), usize::from(kind.is_some()), "{}", printed);
            if let (Some(command), Some(kind)) = (heard.first(), kind) {
                prop_assert_eq!(&command.name, "task.logissue");
                prop_assert_eq!(command.properties.get("type").map(String::as_str), Some(kind));
                prop_assert_eq!(&command.data, &sanitize::line(&text));
            }

            let folder = tempfile::tempdir().expect("a folder");
            let github = github(folder.path(), None);
            github.host.say(level, &text);
            github.host.print(&text);
            let printed = github.out.text();
            assert_harmless(&printed);
            let heard = github_runner::commands(&printed);
            let kind = match level {
                Level::Info => None,
                Level::Notice => Some("notice"),
                Level::Warning => Some("warning"),
                Level::Error => Some("error"),
            };
            prop_assert_eq!(heard.len(), usize::from(kind.is_some()), "{}", printed);
            if let (Some(command), Some(kind)) = (heard.first(), kind) {
                prop_assert_eq!((command.name.as_str(), command.properties.as_str()), (kind, ""));
                prop_assert_eq!(&command.data, &sanitize::line(&text));
            }

            let generic = generic();
            generic.host.say(level, &text);
            generic.host.print(&text);
            for printed in [generic.out.text(), generic.err.text()] {
                assert_harmless(&printed);
                prop_assert_eq!(azure_agent::commands(&printed, true), []);
                prop_assert_eq!(github_runner::commands(&printed), []);
            }
        }
    }

    #[test]
    fn azure_pipelines_hears_exactly_the_outputs(
        name in hostile(),
        variable in "[A-Za-z][A-Za-z0-9_.;%\\]=]{0,8}",
    ) {
        let opened = azure(Some(&variable), Some("token"));
        opened.host.deliver(&outputs(&name)).expect("delivered");
        prop_assert_eq!(opened.err.text(), "");
        let heard = azure_agent::commands(&opened.out.text(), true);
        let set: Vec<_> = heard
            .iter()
            .map(|each| {
                assert_eq!(each.name, "task.setvariable");
                let variable = each.properties.get("variable").cloned().unwrap_or_default();
                (variable, each.is("issecret"), each.is("isoutput"), each.data.clone())
            })
            .collect();
        let (list, plain) = set.split_last().expect("the list comes last");
        let text = String::from;
        let expected = [
            (variable, true, false, pat_text()),
            (text("token"), true, true, pat_text()),
            (text("authorizationId"), false, true, text("00000000-0000-0000-0000-000000000001")),
            (text("displayName"), false, true, sanitize::line(&name).into_owned()),
            (text("scope"), false, true, text("vso.code vso.packaging")),
            (text("validTo"), false, true, text("2026-02-01T00:00:00Z")),
            (text("changed"), false, true, text("true")),
        ];
        prop_assert_eq!(plain, &expected);
        prop_assert_eq!((list.0.as_str(), list.1, list.2), ("pats", false, true));
        let list: Value = serde_json::from_str(&list.3).expect("JSON");
        prop_assert_eq!(list, json!([{ "display-name": name }]));
    }

    #[test]
    fn github_reads_exactly_the_outputs(name in hostile(), state in hostile()) {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = github(folder.path(), Some("ADO_PAT"));
        opened.host.remember("state", Remembered::Plain(&state)).expect("saved");
        opened.host.deliver(&outputs(&name)).expect("delivered");
        prop_assert_eq!(opened.out.text() + &opened.err.text(), "");
        let read = |file| {
            let text = std::fs::read_to_string(folder.path().join(file)).expect("written");
            github_runner::pairs(&text).expect("a command file")
        };
        let pairs = read("output");
        let (list, plain) = pairs.split_last().expect("the list comes last");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            pair("token", &pat_text()),
            pair("authorization-id", "00000000-0000-0000-0000-000000000001"),
            pair("display-name", &name),
            pair("scope", "vso.code vso.packaging"),
            pair("valid-to", "2026-02-01T00:00:00Z"),
            pair("changed", "true"),
        ];
        prop_assert_eq!(plain, &expected);
        let value: Value = serde_json::from_str(&list.1).expect("JSON");
        prop_assert_eq!(value, json!([{ "display-name": name }]));
        prop_assert_eq!(read("env"), [pair("ADO_PAT", &pat_text())]);
        prop_assert_eq!(read("state"), [pair("state", &state)]);
    }

    #[test]
    fn a_secret_is_masked_in_every_form_before_its_words_are_printed(text in "[!-~]{6,20}", around in hostile()) {
        let secret = Secret::new(text.clone());
        let forms: Vec<String> = secret.forms().iter().map(|form| form.expose().to_owned()).collect();

        let azure = azure(None, None);
        azure.host.mask(&secret);
        let masked = azure_agent::commands(&azure.out.text(), true);
        prop_assert!(masked.iter().all(|each| each.name == "task.setsecret"));
        let mut heard: Vec<String> = masked.into_iter().map(|each| each.data).collect();
        heard.sort();
        let mut expected = forms.clone();
        expected.sort();
        expected.dedup();
        prop_assert_eq!(&heard, &expected);

        let folder = tempfile::tempdir().expect("a folder");
        let github = github(folder.path(), None);
        github.host.mask(&secret);
        let masked = github_runner::commands(&github.out.text());
        prop_assert!(masked.iter().all(|each| each.name == "add-mask"));
        let mut heard: Vec<String> = masked.into_iter().map(|each| each.data).collect();
        heard.sort();
        prop_assert_eq!(&heard, &expected);

        let generic = generic();
        generic.host.mask(&secret);
        generic.host.say(Level::Error, &format!("{around} {text} {around}"));
        generic.host.print(&format!("{around} {text} {around}"));
        let printed = generic.out.text() + &generic.err.text();
        // A secret made of what is made harmless, or that the words around it hold by chance, may stand there.
        if sanitize::line(&text) == text && !"adopat: error: ***".contains(&text) {
            prop_assert!(!printed.contains(&text), "{}", printed);
        }
    }
}

#[test]
fn under_exec_standard_output_is_left_to_the_command() {
    let settings = HostSettings::AzurePipelines { temp: None, decodes_percent: true };
    let opened = open(settings, None, None, true);
    opened.host.mask(&Secret::new(pat_text()));
    for level in LEVELS {
        opened.host.say(level, "words");
    }
    opened.host.succeeded_with_issues();
    assert_eq!(opened.out.text(), "");
    let heard = azure_agent::commands(&opened.err.text(), true);
    assert!(heard.iter().any(|each| each.name == "task.setsecret" && each.data == pat_text()));
}

#[test]
fn json_that_is_printed_keeps_its_value() {
    let value = json!([{ "display-name": "##vso[task.complete result=Failed]\u{202e}::x\u{7f}\n##[error]" }]);
    let opened = generic();
    opened.host.print(&sanitize::json(&serde_json::to_string_pretty(&value).expect("JSON")));
    let printed = opened.out.text();
    assert_harmless(&printed);
    assert_eq!(azure_agent::commands(&printed, true), []);
    assert_eq!(github_runner::commands(&printed), []);
    assert_eq!(serde_json::from_str::<Value>(&printed).expect("JSON"), value);
}

/// What is tried against the hosts' own libraries.
const AWKWARD: [&str; 8] = [
    "plain",
    "50% %25 %0A %AZP25 %3B %5D",
    "two\nlines",
    "carriage\r\nreturn",
    "##vso[task.x a=b;]c",
    "a=b<<c",
    "semi;colon]bracket",
    "Ünïcode 日本語",
];

/// Asks the hosts' own JavaScript libraries; `None` if they are not installed, which is said.
fn ask_the_oracle(name: &str, question: &Value) -> Option<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    if !folder.join("node_modules").exists() {
        println!("skipped: {name}: tests/oracle/node_modules is missing (npm ci --omit=dev in tests/oracle)");
        return None;
    }
    let child = Command::new("node")
        .arg(folder.join("speak.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: {name}: node could not be started ({error})");
            return None;
        }
    };
    child.stdin.take().expect("a pipe").write_all(question.to_string().as_bytes()).expect("node reads");
    let output = child.wait_with_output().expect("node ends");
    assert!(output.status.success(), "{}", output.status);
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn microsofts_task_library_hears_the_same_as_the_agent() {
    let opened = azure(Some("a;b]c=%d"), Some("token"));
    opened.host.mask(&Secret::new("50%;]secret".into()));
    for text in AWKWARD {
        opened.host.deliver(&outputs(text)).expect("delivered");
        opened.host.say(Level::Warning, text);
        opened.host.remember("a;b", Remembered::Plain(text)).expect("saved");
    }
    opened.host.succeeded_with_issues();
    let printed = opened.out.text();
    let question = json!({ "azure": printed.lines().collect::<Vec<_>>(), "github": [], "dotenv": "" });
    let Some(answer) = ask_the_oracle("microsofts_task_library_hears_the_same_as_the_agent", &question)
    else {
        return;
    };
    let heard: Vec<azure_agent::Command> = answer["azure"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|each| azure_agent::Command {
            name: each["command"].as_str().expect("a name").into(),
            properties: serde_json::from_value(each["properties"].clone()).expect("texts"),
            data: each["message"].as_str().expect("a text").into(),
        })
        .collect();
    assert_eq!(heard, azure_agent::commands(&printed, true));
    assert_eq!(heard.len(), printed.lines().count());
}

#[test]
fn githubs_own_toolkit_says_the_same() {
    let mut calls = Vec::new();
    let mut ours = Vec::new();
    for text in AWKWARD {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = github(folder.path(), None);
        for (call, level) in [("notice", Level::Notice), ("warning", Level::Warning), ("error", Level::Error)]
        {
            // Words are made harmless first, which the toolkit does not do: it is asked about the outcome.
            calls.push(json!({ "call": call, "args": [sanitize::line(text)] }));
            let before = opened.out.text().len();
            opened.host.say(level, text);
            ours.push((opened.out.text()[before..].to_owned(), String::new()));
        }
        calls.push(json!({ "call": "saveState", "args": ["name", text] }));
        opened.host.remember("name", Remembered::Plain(text)).expect("saved");
        let written = std::fs::read_to_string(folder.path().join("state")).expect("written");
        ours.push((String::new(), written));
    }
    calls.push(json!({ "call": "setSecret", "args": ["50%;]secret"] }));
    let folder = tempfile::tempdir().expect("a folder");
    let opened = github(folder.path(), None);
    opened.host.mask(&Secret::new("50%;]secret".into()));
    let first = opened.out.text().lines().next().map(|line| format!("{line}\n"));
    ours.push((first.expect("a line"), String::new()));

    let question = json!({ "azure": [], "github": calls, "dotenv": "" });
    let Some(answer) = ask_the_oracle("githubs_own_toolkit_says_the_same", &question) else { return };
    let delimiter = regex_lite::Regex::new("ghadelimiter_[0-9a-f-]{36}").expect("a pattern");
    let theirs: Vec<(String, String)> = answer["github"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|each| {
            let text = |name: &str| each[name].as_str().expect("a text").to_owned();
            (text("printed"), delimiter.replace_all(&text("written"), "DELIMITER").into_owned())
        })
        .collect();
    let ours: Vec<_> = ours
        .into_iter()
        .map(|(said, written)| (said, delimiter.replace_all(&written, "DELIMITER").into_owned()))
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn nodes_dotenv_reader_reads_every_output_back() {
    let organization = Organization::parse("fabrikam").expect("an organization");
    for name in ["plain", "contoso's ci", "a#b $HOME `id` \\n", "two\nlines", "\"quoted\" = x", " spaces "] {
        let file =
            output_file::render(&outputs(name), OutputFormat::Dotenv, &organization, None).expect("rendered");
        let text = String::from_utf8(file.to_vec()).expect("text");
        let question = json!({ "azure": [], "github": [], "dotenv": text });
        let Some(answer) = ask_the_oracle("nodes_dotenv_reader_reads_every_output_back", &question) else {
            return;
        };
        let read: BTreeMap<String, String> = serde_json::from_value(answer["dotenv"].clone()).expect("texts");
        // A line break would be the next variable to all that read by the line: it is written as `\n`.
        assert_eq!(read["DISPLAY_NAME"], name.replace('\n', "\\n"), "{text}");
        assert_eq!(read["TOKEN"], pat_text());
        let list: Value = serde_json::from_str(&read["PATS"]).expect("JSON");
        assert_eq!(list, json!([{ "display-name": name }]));
    }
}

#[test]
fn git_finds_the_pat_for_every_address_of_the_organization() {
    let organization = Organization::parse("fabrikam").expect("an organization");
    let rendered = output_file::render(&outputs("x"), OutputFormat::GitCredentials, &organization, None);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("credentials");
    output_file::write(&file, &rendered.expect("rendered")).expect("written");
    let asked = [
        "https://dev.azure.com/fabrikam/p/_git/r",
        "https://fabrikam@dev.azure.com/fabrikam/p/_git/r",
        "https://fabrikam.visualstudio.com/p/_git/r",
        "https://pkgs.dev.azure.com/fabrikam/_packaging/f",
    ];
    for address in asked {
        let child = Command::new("git")
            .args(["-c", "credential.helper=", "-c"])
            .arg(format!("credential.helper=store --file '{}'", file.display()))
            .args(["credential", "fill"])
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!(
                "skipped: git_finds_the_pat_for_every_address_of_the_organization: git could not be started"
            );
            return;
        };
        let asked = format!("url={address}\n\n");
        child.stdin.take().expect("a pipe").write_all(asked.as_bytes()).expect("git reads");
        let output = child.wait_with_output().expect("git ends");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("password={}\n", pat_text())), "{address}: {text}");
    }
}
