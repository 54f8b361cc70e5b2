//! The command line: every input but a secret is a flag, and a flag is the same as the variable that it beats.

mod support;

use std::ffi::OsString;

use adopat::cli::CommandLine;
use adopat::inputs::table::{INPUTS, Input, Value};
use adopat::inputs::{Environment, Inputs};
use adopat::operation_name::OperationName;
use adopat_emulator::{NewPat, cast};
use rstest::rstest;
use support::{Host, Machine};

const MADE_UP: &str = "fake-refresh-token-0123456789";

/// Values of an input that say something, right and wrong.
fn values(input: &Input) -> Vec<String> {
    let words: Vec<&str> = match input.value {
        Value::Boolean => vec!["true", "false", "YES", "0", "perhaps"],
        Value::Choice => input.choices.iter().copied().chain(["none-of-them"]).collect(),
        Value::Path | Value::Document => vec!["pat.json", "pat.env"],
        Value::Store => {
            vec!["file:pat", "keyvault:https://fabrikam-ci.vault.azure.net/secrets/pat", "vault:x"]
        }
        Value::Text("SPAN") => vec!["2d", "P3D", "30"],
        Value::Text("INSTANT") => vec!["2026-03-01T00:00:00Z", "tomorrow"],
        Value::Text("GUID") => vec!["00000000-0000-0000-0000-000000000001", "1 2"],
        Value::Text("URL") => vec!["https://dev.azure.com", "http://127.0.0.1:1", "https://example.com"],
        Value::Text(_) => vec!["contoso", "vso.code vso.packaging", "-x", "--x", "$(macro)"],
    };
    words.into_iter().map(str::to_owned).collect()
}

/// What a run would do, in words: the request, or what is wrong.
fn understood(arguments: &[String], variables: &[(String, String)]) -> String {
    let mut words: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    if arguments[0] == OperationName::Exec.text() {
        words.extend(["--".into(), "true".into()]);
    }
    let arguments = match CommandLine::parse(&words) {
        CommandLine::Run(arguments) => arguments,
        other => panic!("{arguments:?}: {other:?}"),
    };
    let environment: Environment =
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let inputs = Inputs::read(&environment, &arguments.flags);
    let beginning = format!("{inputs:?}");
    // The environment of exec's command is that of adopat, which has no flags.
    let rest = format!("{:?}", inputs.into_request(&arguments, &environment));
    let child = rest.find("environment: [").map_or(rest.len(), |at| at);
    beginning + &rest[..child]
}

/// The operation with what it needs, but for one input.
fn needed(operation: OperationName, but_for: &Input) -> Vec<(String, String)> {
    let needed = [
        ("organization", "fabrikam"),
        ("client-id", "00000000-0000-0000-0000-000000000000"),
        ("refresh-token", MADE_UP),
        ("display-name", "ci"),
        ("scope", "vso.code"),
        ("credential-store", "file:token"),
    ];
    let mut variables: Vec<(String, String)> = vec![("ADOPAT_OPERATION".into(), operation.text().into())];
    variables.extend(
        needed
            .into_iter()
            .filter(|(name, _)| *name != but_for.name)
            .map(|(name, value)| (adopat::inputs::table::input(name).variable(), value.to_owned())),
    );
    variables
}

#[test]
fn every_flag_is_its_variable() {
    let mut compared = 0;
    for (input, operation) in INPUTS.iter().flat_map(|input| OperationName::ALL.map(|word| (input, word))) {
        let Some(flag) = input.flag().filter(|_| input.is_for(operation)) else { continue };
        for value in values(input) {
            let variables = needed(operation, input);
            let given = [(input.variable(), value.clone())];
            let by_variable =
                understood(&[operation.text().into()], &[variables.clone(), given.to_vec()].concat());
            let words = vec![operation.text().to_owned(), format!("{flag}={value}")];
            assert_eq!(understood(&words, &variables), by_variable, "{words:?}");
            // And it beats both spellings of another value.
            let others = [
                (input.variable(), "other".into()),
                (format!("INPUT_{}", input.name.to_uppercase()), "other".into()),
            ];
            assert_eq!(understood(&words, &[variables, others.to_vec()].concat()), by_variable, "{words:?}");
            compared += 1;
        }
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn an_empty_flag_unsets_every_spelling() {
    for (input, operation) in INPUTS.iter().flat_map(|input| OperationName::ALL.map(|word| (input, word))) {
        let Some(flag) = input.flag().filter(|_| input.is_for(operation)) else { continue };
        let variables = needed(operation, input);
        let mut words = vec![operation.text().to_owned()];
        let without = understood(&words, &variables);
        words.push(format!("{flag}="));
        let others = [
            (input.variable(), "other".into()),
            (format!("INPUT_{}", input.name.to_uppercase()), "other".into()),
        ];
        assert_eq!(understood(&words, &[variables, others.to_vec()].concat()), without, "{words:?}");
    }
}

// with the program itself

#[test]
fn a_person_types_flags_and_nothing_else() {
    let mut machine = Machine::new(Host::Generic, "list");
    machine.emulator.add_pat(NewPat::named("nightly"));
    let store = format!("file:{}", machine.store().display());
    for name in ["organization", "tenant-id", "client-id", "credential-store"] {
        machine.without(name);
    }
    let (client, tenant) = (cast::CLIENT_ID.to_string(), cast::TENANT.to_string());
    let line =
        ["list", "--organization", cast::ORGANIZATION, "--client-id", &client, "--credential-store", &store];
    machine.arguments(
        &[&line[..], &["--tenant-id", &tenant, "--filter=active", "--expiring-within", "14d"]].concat(),
    );
    let ended = machine.run();
    ended.expect(0);
    let pats: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON into a pipe");
    assert_eq!(pats[0]["display-name"], "nightly");
    assert_eq!(pats[0]["expiring"], false);
}

#[test]
fn flags_replace_the_list_of_the_variable() {
    let mut machine = Machine::new(Host::Generic, "create");
    let file = |name: &str| format!("file:{}", machine.path(name).display());
    let (old, one, two) = (file("old"), file("one"), file("two"));
    let line = ["create", "--display-name", "ci", "--scope", "vso.code", "--scope=vso.packaging"];
    machine.arguments(&[&line[..], &["--deliver-to", &one, "--deliver-to", &two]].concat());
    machine.input("scope", "vso.build").input("deliver-to", old);
    // What is delivered is a secret, and may be read where it was delivered.
    let child = machine.spawn();
    let ended = child.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(machine.path("one").exists() && machine.path("two").exists() && !machine.path("old").exists());
    assert_eq!(machine.sent("POST")[0]["scope"], "vso.code vso.packaging");
}

#[test]
fn what_is_wrong_with_a_flag_is_told_as_of_a_variable() {
    let mut machine = Machine::new(Host::Generic, "list");
    machine.arguments(&["list", "--filter=none", "--expiring-within", "30"]);
    let by_flags = machine.run();
    by_flags.expect(2).says("Input 'filter'").says("Input 'expiring-within'");
    machine.run_as("list").input("filter", "none").input("expiring-within", "30");
    assert_eq!(machine.run().words(), by_flags.words());
    assert!(machine.calls().is_empty());
}

#[rstest]
fn a_secret_is_refused_and_never_repeated(
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
    #[values("list --NAME=VALUE", "list --NAME VALUE", "create --scope x --NAME VALUE", "--NAME=VALUE list")]
    line: &str,
) {
    for input in INPUTS.iter().filter(|input| input.secret && input.flag().is_none()) {
        let mut machine = Machine::new(host, "list");
        let line = line.replace("NAME", input.name).replace("VALUE", "hunter2hunter2");
        let ended = machine.arguments(&line.split(' ').collect::<Vec<_>>()).run();
        ended.expect(2).says(&input.variable());
        assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"), "{}", ended.words());
        assert!(machine.calls().is_empty());
    }
}

#[test]
fn help_needs_nothing_and_sends_nothing() {
    for word in OperationName::ALL {
        for line in [vec![word.text(), "--help"], vec!["help", word.text()], vec![word.text(), "-h"]] {
            let mut machine = Machine::new(Host::Generic, "list");
            let ended = machine.arguments(&line).input("organization", "not/one").run();
            ended.expect(0);
            assert!(ended.stdout.starts_with(&format!("adopat {}: ", word.text())), "{}", ended.stdout);
            assert!(ended.stderr.is_empty() && machine.calls().is_empty());
        }
    }
}

#[test]
fn the_version_is_printed() {
    for flag in ["--version", "-V"] {
        let mut machine = Machine::new(Host::Generic, "list");
        let ended = machine.arguments(&[flag]).run();
        assert_eq!(ended.stdout, concat!("adopat ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn the_command_that_signs_in_again_is_one_that_can_be_typed() {
    let mut machine = Machine::new(Host::Generic, "list");
    machine.set("ADOPAT_CREDENTIAL_STORE", "").input("refresh-token", MADE_UP);
    let ended = machine.run();
    let command = ended.expect(3).stderr.split('`').nth(1).expect("a command").to_owned();
    let words: Vec<OsString> = command.split(' ').skip(1).map(OsString::from).collect();
    let CommandLine::Run(arguments) = CommandLine::parse(&words) else { panic!("{command}") };
    assert_eq!(arguments.operation, Some(OperationName::Login));
    let value =
        |name: &str| arguments.flags.value(adopat::inputs::table::input(name)).map(|value| value.to_owned());
    assert_eq!(value("organization"), Some(cast::ORGANIZATION.into()));
    assert_eq!(value("client-id"), Some(cast::CLIENT_ID.to_string().into()));
    assert_eq!(value("credential-store"), Some("file:refresh-token".into()));
}

#[cfg(unix)]
mod at_a_terminal {
    use super::*;
    use adopat_emulator::{AppRegistration, DeviceCodePolicy};
    use std::process::{Command, Stdio};
    use std::time::Duration;
    use uuid::Uuid;

    /// A run whose standard input is a terminal.
    fn run(machine: &Machine) -> support::Ended {
        let (_ours, theirs) = support::terminal();
        let mut command = machine.command();
        let child = command.stdin(Stdio::from(theirs)).spawn().expect("the binary starts");
        machine.wait(child)
    }

    #[test]
    fn without_an_operation_the_usage_is_shown() {
        let mut machine = Machine::new(Host::Generic, "list");
        machine.arguments(&[]);
        let ended = run(&machine);
        ended.expect(2).says("Usage:").says("adopat OPERATION").says("--help");
        assert!(ended.stdout.is_empty() && ended.stderr.lines().count() < 15, "{}", ended.words());
        assert!(machine.calls().is_empty());
    }

    #[test]
    fn without_a_terminal_the_operation_is_missing() {
        let mut machine = Machine::new(Host::Generic, "list");
        let ended = machine.arguments(&[]).run();
        ended.expect(2).says("Input 'operation'");
        assert!(!ended.words().contains("Usage"));
    }

    #[test]
    fn the_environment_says_what_to_do_there_too() {
        let mut machine = Machine::new(Host::Generic, "list");
        machine.arguments(&[]).input("operation", "list");
        run(&machine).expect(0);
    }

    /// The example of an operation, as its help prints it.
    fn example(machine: &mut Machine, word: OperationName) -> String {
        let help = machine.arguments(&["help", word.text()]).run().stdout;
        let example = help.split("\nExample:\n").nth(1).expect("an example").to_owned();
        assert!(example.starts_with(&format!("  adopat {} ", word.text())), "{example}");
        example
    }

    #[rstest]
    fn the_example_in_the_help_works(
        #[values("create", "rotate", "revoke", "update", "get", "list", "exec", "login", "doctor")]
        name: &str,
    ) {
        let word = OperationName::parse(name).expect("an operation");
        let mut machine = Machine::new(Host::Generic, name);
        let example = example(&mut machine, word);
        machine.emulator.services().services.add_app(AppRegistration::public(Uuid::nil()));
        if word != OperationName::Create {
            let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(5 * 24);
            machine.emulator.add_pat(NewPat::named("ci").valid_to(soon));
        }
        if word == OperationName::Login {
            machine.emulator.set_device_code_policy(DeviceCodePolicy {
                interval: Duration::from_secs(1),
                approved_by: Some(cast::PERSON.into()),
                ..DeviceCodePolicy::default()
            });
        }
        std::fs::write(machine.path("restore.sh"), "#!/bin/sh\n[ \"$ADO_PAT\" ] && echo restored\n")
            .expect("written");
        let programs = machine.path("bin");
        std::fs::create_dir(&programs).expect("a folder");
        std::os::unix::fs::symlink(support::BINARY, programs.join("adopat")).expect("linked");
        Command::new("chmod").arg("+x").arg(machine.path("restore.sh")).status().expect("chmod");
        machine.without("organization");
        let path = format!("{}:/usr/bin:/bin", programs.display());
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-e", "-c", &example])
            .env_clear()
            .envs(machine.command().get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env("PATH", path).current_dir(machine.folder.path());
        let ended = shell.stdin(Stdio::null()).output().expect("a shell starts");
        let words =
            String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{words}");
        let of_that_name = machine.active("ci").len();
        match word {
            OperationName::Create => assert!(of_that_name == 1 && machine.path("pat.env").exists()),
            OperationName::Rotate => assert!(of_that_name == 1 && machine.path("pat").exists()),
            OperationName::Apply => assert!(words.contains("would-rotate"), "{words}"),
            OperationName::Revoke => assert_eq!(of_that_name, 0),
            OperationName::Exec => assert!(words.contains("restored"), "{words}"),
            OperationName::Login => assert!(machine.path("token").exists()),
            OperationName::Update => assert_eq!(machine.sent("PUT").len(), 1),
            OperationName::Doctor => assert!(words.contains("ok       delivery"), "{words}"),
            OperationName::Get | OperationName::List => {
                assert!(words.contains("\"ci\"") || words.contains("'ci'"), "{words}")
            }
        }
    }
}

#[test]
fn what_is_missing_is_named_as_it_is_typed() {
    let mut machine = Machine::new(Host::Generic, "create");
    let file = machine.path("pat");
    machine.without("client-id").input("output-file", file).arguments(&["create", "--lifetime", "soon"]);
    let ended = machine.run();
    ended.expect(2).says("Set by a flag or an environment variable: ");
    ended
        .says("scope (--scope or ADOPAT_SCOPE)")
        .says("display-name (--display-name or ADOPAT_DISPLAY_NAME)");
    ended
        .says("client-id (--client-id or ADOPAT_CLIENT_ID)")
        .says("lifetime (--lifetime or ADOPAT_LIFETIME)");
}
