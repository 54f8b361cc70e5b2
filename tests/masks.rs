//! What a log shows of a PAT that a later command prints in base64, once the host has heard adopat's masks.

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};

use rstest::rstest;
use support::{Host, Machine, azure_agent, github_runner};

/// What the host masks after the run: what it was told, as it understands it.
fn masks(host: Host, printed: &str) -> Vec<String> {
    match host {
        Host::GitHub => github_runner::commands(printed)
            .into_iter()
            .filter(|command| command.name == "add-mask")
            .map(|command| command.data)
            .collect(),
        _ => azure_agent::commands(printed, true)
            .into_iter()
            .filter(|command| command.name == "task.setsecret")
            .map(|command| command.data)
            .collect(),
    }
}

/// The line as the host shows it: every mask is searched in the line as it came.
fn shown(line: &str, masks: &[String]) -> String {
    let mut hidden = vec![false; line.len()];
    for mask in masks {
        for (start, found) in line.match_indices(mask.as_str()) {
            hidden[start..start + found.len()].fill(true);
        }
    }
    line.char_indices().map(|(at, c)| if hidden[at] { '*' } else { c }).collect()
}

fn output_of(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    let Ok(mut child) = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        eprintln!("skipped: {program} is not on this machine");
        return None;
    };
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    Some(String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text"))
}

#[rstest]
#[case::gnu("base64", &[])]
#[case::gnu_unwrapped("base64", &["-w0"])]
#[case::openssl("openssl", &["base64"])]
fn a_later_command_cannot_show_the_pat_in_base64(
    #[case] tool: &str,
    #[case] arguments: &[&str],
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    let mut machine = Machine::new(host, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    let ended = machine.run();
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one PAT");
    let masks = masks(host, &ended.stdout);
    assert!(masks.contains(&pat.value));
    assert!(masks.iter().all(|mask| mask.len() >= 6), "{masks:?}");
    // The PAT, the access token, the refresh tokens, and their forms.
    assert!(masks.len() < 100, "{} masks", masks.len());
    for user in ["", ":", "fabrikam:", "x:", "build:", "alex.doe@contoso.example:", "{\"a\":\"", "\n\n\n\n"] {
        for end in ["", "\n", "@dev.azure.com\n"] {
            let text = format!("{user}{}{end}", pat.value);
            let Some(encoded) = output_of(tool, arguments, &text) else { return };
            let exact = ["", ":", "fabrikam:"].contains(&user) && end.len() < 2;
            for line in encoded.lines() {
                let shown = shown(line, &masks);
                let longest = shown.split('*').map(str::len).max().unwrap_or_default();
                // What comes before and after the PAT may be read.
                let others = if exact { 0 } else { 4 * (user.len() + end.len()) / 3 + 15 };
                assert!(longest <= others, "{longest} of {shown} after {user:?}");
            }
        }
    }
}
