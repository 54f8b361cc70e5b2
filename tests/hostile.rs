//! Whatever a service, a name or an input says, the hosts hear adopat's own commands alone, and a terminal no
//! escape.

mod support;

use adopat_emulator::{Fault, HOSTILE_TEXTS, NewPat, Service};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Ended, Host, Machine, azure_agent, github_runner};

/// The commands that a host finds on either stream, each by its name and, where it sets a variable, which one.
fn commands(host: Host, ended: &Ended) -> Vec<String> {
    let mut found = Vec::new();
    for stream in [&ended.stdout, &ended.stderr] {
        if host != Host::GitHub {
            for command in azure_agent::commands(stream, true) {
                let property = |name| command.properties.get(name).map(String::as_str);
                let detail = property("variable").or(property("type")).or(property("result"));
                found.push(format!("{} {}", command.name, detail.unwrap_or_default()).trim().to_owned());
            }
        }
        if host != Host::Azure {
            found.extend(github_runner::commands(stream).into_iter().map(|command| command.name));
        }
    }
    found.retain(|name| !["add-mask", "task.setsecret"].contains(&name.as_str()));
    found.sort();
    found.dedup();
    found
}

/// Nothing that a terminal would obey or that turns a line around, on either stream.
#[track_caller]
fn no_raw_bytes(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        let raw = text.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        });
        assert_eq!(raw, None, "{text:?}");
    }
}

/// Runs, and hears exactly these commands besides the masks.
#[track_caller]
fn hears(host: Host, machine: &Machine, expected: &[&str]) -> Ended {
    let ended = machine.run();
    no_raw_bytes(&ended);
    assert_eq!(commands(host, &ended), expected, "{}", ended.words());
    ended
}

const PLAIN_OUTPUTS: [&str; 6] = [
    "task.setvariable authorizationId",
    "task.setvariable changed",
    "task.setvariable displayName",
    "task.setvariable scope",
    "task.setvariable validFrom",
    "task.setvariable validTo",
];

/// What each operation says to a host when all is well.
fn own_commands(host: Host, operation: &str) -> Vec<&'static str> {
    if host != Host::Azure {
        return Vec::new();
    }
    let mut commands = match operation {
        "list" => vec!["task.setvariable changed", "task.setvariable pats"],
        _ => PLAIN_OUTPUTS.to_vec(),
    };
    if operation == "rotate" {
        commands.extend(["task.setvariable ADO_PAT", "task.setvariable previousAuthorizationId"]);
    }
    if operation != "get" {
        commands.push("task.uploadsummary");
    }
    commands.sort_unstable();
    commands
}

#[rstest]
fn a_pats_name_is_a_name(
    #[values(0, 1, 2, 3, 4, 5, 6, 7)] text: usize,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
    #[values("list", "get", "revoke", "update", "rotate")] operation: &str,
) {
    let text = HOSTILE_TEXTS[text];
    let mut machine = Machine::new(host, operation);
    let pat = machine.emulator.add_pat(NewPat::named(text));
    let file = machine.path("outputs.json");
    machine.input("authorization-id", pat.authorization_id.to_string()).input("output-file", file);
    machine.input("lifetime", "60d").input("log", "trace");
    let ended = hears(host, &machine, &own_commands(host, operation));
    ended.expect(0);
    let written: Value = serde_json::from_str(&machine.read("outputs.json")).expect("JSON");
    let name =
        if operation == "list" { &written["pats"][0]["display-name"] } else { &written["display-name"] };
    assert_eq!(name, text, "the file has the name as it is");
    match host {
        Host::GitHub if operation != "list" => assert_eq!(machine.outputs(&ended)["display-name"], text),
        Host::Generic if operation == "list" => {
            let printed: Value = serde_json::from_str(&ended.stdout).expect("standard output is JSON alone");
            assert_eq!(printed[0]["display-name"], text);
        }
        _ => {}
    }
    if operation == "rotate" {
        assert_eq!(machine.active(text).len(), 1, "the successor has the very name");
    }
}

fn failing(host: Host) -> Machine {
    let mut machine = Machine::new(host, "create");
    let file = machine.path("pat.json");
    machine.input("display-name", "nightly").input("scope", "vso.code").input("output-file", file);
    machine.input("log", "trace");
    machine
}

fn an_error(host: Host) -> Vec<&'static str> {
    match host {
        Host::GitHub => vec!["error"],
        Host::Azure => vec!["task.logissue error"],
        Host::Generic => vec![],
    }
}

#[rstest]
fn a_services_words_are_words(
    #[values(0, 1, 2, 3, 4, 5, 6, 7)] text: usize,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
    #[values("message", "key", "patTokenError", "patTokenErrorMessage", "entra", "page")] place: &str,
) {
    let text = HOSTILE_TEXTS[text];
    let kind = [("Content-Type", "application/json")];
    let body = match place {
        "message" => json!({"message": text, "typeKey": "AnException"}).to_string(),
        "key" => json!({"message": "No.", "typeKey": text}).to_string(),
        "patTokenError" => json!({"patToken": null, "patTokenError": text}).to_string(),
        "patTokenErrorMessage" => {
            json!({"patToken": null, "patTokenError": "accessDenied", "patTokenErrorMessage": text})
                .to_string()
        }
        "entra" => json!({"error": "invalid_request", "error_description": format!("AADSTS90014: {text}"),
            "correlation_id": text, "suberror": text})
        .to_string(),
        _ => text.to_owned(),
    };
    let service = if place == "entra" { Service::Entra } else { Service::Pats };
    let machine = failing(host);
    machine.emulator.order(Fault::on(service).answer(400, &kind, body).always());
    let ended = hears(host, &machine, &an_error(host));
    assert!(matches!(ended.code, Some(3 | 4 | 6)), "{}", ended.words());
}

#[rstest]
fn a_services_headers_are_words(#[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host) {
    let machine = failing(host);
    let headers = [
        (
            "X-TFS-ServiceError",
            "%23%23vso%5Btask.complete%20result%3DSucceeded%5D%0A%3A%3Aset-output%20name%3Dx%3A%3Ay%1B%5B2J",
        ),
        ("ActivityId", "##vso[task.complete result=Succeeded]"),
        ("X-VSS-E2EID", "::set-output name=token::stolen"),
        ("Retry-After", "##[error]soon"),
        ("Date", "##vso[task.complete result=Succeeded]"),
    ];
    machine.emulator.order(Fault::on(Service::Pats).answer(403, &headers, "").always());
    hears(host, &machine, &an_error(host)).expect(4);
}

/// What a service calls a PAT goes into files, commands and headers: one that would write lines of its own there is
/// revoked.
#[rstest]
fn a_pat_that_is_none_is_not_handed_over(
    #[values(
        "two\nlines::set-output name=x::y",
        "a\r",
        "tab\tbed",
        "bell\u{7}bell",
        "nul\0nul",
        "next\u{85}next",
        "para\u{2029}para",
        "a b",
        "##vso[\u{ad}é"
    )]
    end: &str,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let machine = failing(host);
    let pat = machine.emulator.add_pat(NewPat::named("another"));
    let token = format!("{}{end}", pat.value);
    let body = json!({
        "patToken": {
            "displayName": "nightly", "scope": "vso.code", "targetAccounts": ["00000000-0000-0000-0000-000000000001"],
            "validFrom": "2026-11-28T00:00:00Z", "validTo": "2099-01-01T00:00:00Z",
            "authorizationId": pat.authorization_id, "token": token,
        },
        "patTokenError": "none",
    });
    let kind = [("Content-Type", "application/json")];
    let answer = Fault::on(Service::Pats).method("POST").answer(200, &kind, body.to_string());
    machine.answers_are_forged().emulator.order(answer);
    let ended = hears(host, &machine, &an_error(host));
    ended.expect(7).says("has been revoked").says("has a character that no PAT has");
    assert!(machine.active("another").is_empty(), "it is revoked");
    assert!(!machine.path("pat.json").exists());
    assert!(!ended.words().contains(&pat.value), "{}", ended.words());
}

#[rstest]
fn a_services_words_address_nobody(
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
    #[values("TF401444", "TF400813", "VS403283")] code: &str,
) {
    let machine = failing(host);
    let message = format!(
        "{code}: Please sign-in at least once as 00000000-0000-0000-0000-000000000001\\\\alex.doe@contoso.example in a web \
         browser; alex.doe_contoso.example#EXT#@fabrikam.onmicrosoft.com is none."
    );
    let body = json!({"message": message, "typeKey": "UnauthorizedRequestException"}).to_string();
    let kind = [("Content-Type", "application/json")];
    machine.emulator.order(Fault::on(Service::Pats).answer(403, &kind, body).always());
    let ended = hears(host, &machine, &an_error(host));
    assert!(matches!(ended.code, Some(3 | 4)), "{}", ended.words());
    ended.says("(withheld)");
    assert!(!ended.words().contains("alex") && !ended.words().contains("onmicrosoft"), "{}", ended.words());
}

/// Wherever an input is quoted back.
#[rstest]
fn an_input_is_words(
    #[values(0, 1, 2, 3, 4, 5, 6, 7)] text: usize,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
    #[values(
        "display-name",
        "organization",
        "scope",
        "deliver-to",
        "credential-store",
        "lifetime",
        "tenant-id",
        "client-id",
        "variable",
        "authority-host",
        "github-api-url",
        "operation",
        "log",
        "output-variable"
    )]
    input: &str,
) {
    let text = HOSTILE_TEXTS[text].replace('\0', "");
    let mut machine = failing(host);
    machine.arguments(&[]).input("operation", "create").input(input, &text);
    let ended = machine.run();
    no_raw_bytes(&ended);
    let allowed = [
        "error",
        "warning",
        "task.logissue error",
        "task.logissue warning",
        "task.uploadsummary",
        "task.setvariable ADO_PAT",
    ];
    let strange: Vec<_> = commands(host, &ended)
        .into_iter()
        .filter(|name| !allowed.contains(&name.as_str()) && !PLAIN_OUTPUTS.contains(&name.as_str()))
        .collect();
    assert!(strange.is_empty(), "{strange:?}: {}", ended.words());
    assert!(host != Host::Generic || commands(host, &ended).is_empty(), "{}", ended.words());
}

#[rstest]
fn the_name_of_a_variable_is_words(
    #[values(0, 1, 2, 3, 4, 5, 7)] text: usize,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = failing(host);
    let name = format!("ADOPAT_\n{}", HOSTILE_TEXTS[text].replace('=', ""));
    machine.set(&name, "x").set("AGENT_PROXYBYPASSLIST", format!("[\"({}\"]", HOSTILE_TEXTS[text]));
    let ended = machine.run();
    no_raw_bytes(&ended);
    ended.expect(0).says("is no input of adopat");
    let ours = own_commands(host, "rotate");
    let strange = commands(host, &ended).into_iter().filter(|name| {
        !["warning", "task.logissue warning"].contains(&name.as_str()) && !ours.contains(&name.as_str())
    });
    assert_eq!(strange.collect::<Vec<_>>(), Vec::<String>::new(), "{}", ended.words());
}

#[rstest]
fn the_name_of_execs_command_is_words(
    #[values(0, 1, 2, 3, 4, 5, 7)] text: usize,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = failing(host);
    machine.arguments(&["exec", "--", HOSTILE_TEXTS[text]]);
    hears(host, &machine, &an_error(host)).expect(127);
}

#[rstest]
fn the_path_of_the_file_is_words(
    #[values(0, 1, 2, 3, 4, 5, 7)] text: usize,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = failing(host);
    let path = machine.path(&format!("no-such-folder/{}", HOSTILE_TEXTS[text]));
    machine.input("output-file", path);
    hears(host, &machine, &an_error(host)).expect(7);
}
