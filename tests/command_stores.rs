//! `command:` as a store: what the program is given, when it counts as stored, and what becomes of a run where it does
//! not.
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use adopat_emulator::{Fault, NewPat, NewVariableGroup, Pat, PatStatus, Service, cast};
use rstest::rstest;
use rustix::process::Signal;
use support::{Ended, Host, Machine, signal};

/// Stores what it reads, and writes down how it was called.
const KEEPS: &str = "env > environment\nfor word; do printf '%s\\n' \"$word\"; done > arguments\ncat > held";

/// A rotation of `nightly` on a machine with a program called `keeper`, whose shell does this in a folder of its own.
fn rotating(host: Host, script: &str) -> Machine {
    let mut machine = Machine::new(host, "rotate");
    machine.emulator.add_pat(NewPat::named("nightly").scope("vso.code vso.packaging"));
    machine.input("display-name", "nightly");
    program(&mut machine, "keeper", script);
    machine.input("deliver-to", "command:keeper 'the secret' # of $HOME");
    machine
}

/// A program on the machine's PATH.
fn program(machine: &mut Machine, name: &str, script: &str) {
    let folder = machine.path("programs");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(name);
    std::fs::write(&file, format!("#!/bin/sh\ncd '{}'\n{script}\n", folder.display())).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a program");
    machine.set("PATH", format!("{}:/usr/bin:/bin", folder.display()));
}

/// What a program left in a file of its folder; `None` if there is no such file.
fn left(machine: &Machine, name: &str) -> Option<String> {
    std::fs::read_to_string(machine.path("programs").join(name)).ok()
}

fn variables(machine: &Machine) -> BTreeMap<String, String> {
    let text = left(machine, "environment").expect("it ran");
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[track_caller]
fn the_one(machine: &Machine) -> Pat {
    let [one] = machine.active("nightly").try_into().expect("exactly one PAT of that name");
    one
}

/// A run whose delivery failed: the old PAT is as it was, the new one revoked, and nothing is handed on.
#[track_caller]
fn takes_the_new_one_back(machine: &Machine, ended: &Ended, old: &Pat) {
    ended.expect(7).says("has been revoked");
    let one = the_one(machine);
    assert_eq!((one.authorization_id, one.valid_to), (old.authorization_id, old.valid_to));
    assert_eq!(machine.sent("POST").len(), 1);
    assert!(!machine.outputs(ended).contains_key("token"));
}

fn wait_for(machine: &Machine, name: &str) {
    let begun = Instant::now();
    while left(machine, name).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "there is no {name}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_program_is_given_the_pat_and_nothing_else() {
    let mut machine = rotating(Host::GitHub, KEEPS);
    let group = "variable-group:web/feeds/ADO_PAT";
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds").variable("A", "a"));
    machine.input("deliver-to", format!("command:keeper 'the secret' # of $HOME \"a  b\" >x\n{group}"));
    for (name, value) in [
        ("INPUT_LIFETIME", "30d"),
        ("INPUT_REFRESH-TOKEN", "FAKE-an-input"),
        ("input_store_key", "FAKE-an-input"),
        ("Adopat_Github-Token", "FAKE-an-input"),
        ("INPUT_DISPLAYNAME", "nightly"),
        ("AZURE_CLIENT_SECRET", "FAKE-an-apps"),
        ("SECRET_FEED", "FAKE-an-agents"),
        ("ENDPOINT_AUTH_SYSTEMVSSCONNECTION", "FAKE-an-agents"),
        ("PAT_SCOPE", "of somebody else"),
        ("DELIVERY_KIND", "of somebody else"),
        ("VAULT_TOKEN", "FAKE-of-the-user"),
        ("GH_TOKEN", "FAKE-of-the-user"),
        ("INPUT_OTHER", "of another action"),
    ] {
        machine.set(name, value);
    }
    machine.run().expect(0);
    let new = the_one(&machine);
    assert_eq!(left(&machine, "held").as_ref(), Some(&new.value), "the PAT, and no line break");
    assert_eq!(left(&machine, "arguments").as_deref(), Some("the secret\n#\nof\n$HOME\na  b\n>x\n"));
    let variables = variables(&machine);
    let is = |name: &str| variables.get(name).map(String::as_str);
    assert_eq!(is("DELIVERY_KIND"), Some("pat"));
    assert_eq!(is("PAT_AUTHORIZATION_ID"), Some(&*new.authorization_id.to_string()));
    assert_eq!(is("PAT_DISPLAY_NAME"), Some("nightly"));
    assert_eq!(is("PAT_ORGANIZATION"), Some(cast::ORGANIZATION));
    assert_eq!(is("PAT_SCOPE"), Some("vso.code vso.packaging"));
    let end = jiff::Timestamp::from_second(new.valid_to.as_second()).expect("an instant");
    assert_eq!(is("PAT_VALID_TO"), Some(&*end.to_string()));
    assert_eq!((is("VAULT_TOKEN"), is("GH_TOKEN")), (Some("FAKE-of-the-user"), Some("FAKE-of-the-user")));
    assert_eq!(is("INPUT_OTHER"), Some("of another action"));
    for (name, value) in &variables {
        let upper = name.to_uppercase();
        let ours = upper.starts_with("ADOPAT_") || (upper.starts_with("INPUT_") && upper != "INPUT_OTHER");
        assert!(!ours, "{name} is an input");
        assert!(!value.starts_with("FAKE-a"), "{name} is a secret that is not the program's");
        assert!(!value.contains(&new.value), "{name} holds the PAT");
    }
}

#[test]
fn it_is_run_once_before_the_old_pat_is_retired_and_not_by_a_dry_run() {
    let mut machine = rotating(Host::GitHub, "echo ran >> ran; cat > held");
    machine.input("dry-run", "true").run().expect(0).says("Would deliver the new PAT to command:keeper");
    assert_eq!(left(&machine, "ran"), None);
    machine.input("dry-run", "false");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("DELETE").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(30)));
    let held = left(&machine, "held").expect("it ran");
    assert!(machine.active("nightly").iter().any(|pat| pat.value == held));
    hold.release();
    machine.wait(run).expect(0);
    assert_eq!(left(&machine, "ran").as_deref(), Some("ran\n"));
}

#[rstest]
#[case::by_its_exit_code("cat > held; exit 3", "ended with exit code 3.")]
#[case::by_a_signal("cat > held; kill -9 $$", "was ended by signal 9.")]
fn a_program_that_fails_has_not_stored_it_for_all_that_is_known(#[case] script: &str, #[case] why: &str) {
    let mut machine = rotating(Host::GitHub, script);
    let (old, token) = (the_one(&machine), machine.emulator.github_token());
    std::fs::write(machine.path("pat"), "FAKE-former").expect("written");
    let secret = "github-secret:contoso/fabrikam/ADO_PAT";
    let addresses = [secret.to_owned(), "command:keeper".to_owned(), machine.file("pat")];
    machine.deliver_to(&addresses).input("github-token", token);
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says(why).says("These may hold a PAT that is being revoked: command:keeper.");
    assert_eq!(machine.read("pat"), "FAKE-former", "it was written before, and is given back what it held");
    assert!(machine.emulator.github_secrets().is_empty(), "it would have been written after");
}

#[test]
fn what_fails_after_it_is_told_with_it() {
    let mut machine = rotating(Host::GitHub, KEEPS);
    let (old, token) = (the_one(&machine), machine.emulator.github_token());
    machine.emulator.order(Fault::on(Service::GitHub).method("PUT").answer(
        403,
        &[("content-type", "application/json")],
        r#"{"message":"no"}"#,
    ));
    machine
        .input("deliver-to", "github-secret:contoso/fabrikam/ADO_PAT\ncommand:keeper")
        .input("github-token", token);
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says("These hold a PAT that is being revoked: command:keeper.");
}

#[test]
fn commands_run_one_after_the_other_in_their_order_when_files_are_written() {
    let mut machine = rotating(Host::GitHub, "");
    let pat = machine.path("pat");
    let sees = |name: &str| {
        format!("sleep 0.2; cat '{}' > {name}-sees; echo {name} >> order; cat > /dev/null", pat.display())
    };
    program(&mut machine, "first", &sees("first"));
    program(&mut machine, "second", &sees("second"));
    let file = machine.file("pat");
    machine.deliver_to(&["command:first".into(), file, "command:second".into()]);
    machine.run().expect(0);
    assert_eq!(left(&machine, "order").as_deref(), Some("first\nsecond\n"));
    for name in ["first-sees", "second-sees"] {
        assert_eq!(left(&machine, name).as_ref(), Some(&the_one(&machine).value));
    }
}

#[test]
fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
    let mut machine =
        rotating(Host::GitHub, "cat > held; (sleep 8; touch survived) & touch started; sleep 60");
    let old = the_one(&machine);
    let ended = machine.input("timeout", "4s").run();
    assert!(left(&machine, "started").is_some());
    takes_the_new_one_back(&machine, &ended, &old);
    ended
        .says("did not end within the time this operation may take, and was ended with all that it started.")
        .says("These may hold a PAT that is being revoked: command:keeper");
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(left(&machine, "survived"), None);
}

#[test]
fn a_daemon_that_it_leaves_is_let_be_and_not_waited_for() {
    let machine = rotating(Host::GitHub, "cat > held; (sleep 4; touch survived) & printf 'no line end'");
    machine.run().expect(0).says("keeper: no line end");
    assert_eq!(left(&machine, "survived"), None, "nobody waited for it");
    wait_for(&machine, "survived");
}

#[rstest]
#[case(Signal::INT, "INT")]
#[case(Signal::TERM, "TERM")]
#[case(Signal::HUP, "HUP")]
fn a_signal_is_passed_on_and_changes_no_exit_code(#[case] sent: Signal, #[case] name: &str) {
    let script = format!(
        "cat > held; trap 'touch heard; exit 0' {name}; touch ready; sleep 30 & while wait; do :; done"
    );
    let machine = rotating(Host::GitHub, &script);
    let run = machine.spawn();
    wait_for(&machine, "ready");
    signal(&run, sent);
    machine.wait(run).expect(0);
    assert!(left(&machine, "heard").is_some());
    assert_eq!(left(&machine, "held"), Some(the_one(&machine).value));
}

#[test]
fn one_that_a_signal_ends_has_not_stored_it() {
    let machine = rotating(Host::GitHub, "touch ready; exec sleep 30");
    let old = the_one(&machine);
    let run = machine.spawn();
    wait_for(&machine, "ready");
    signal(&run, Signal::TERM);
    let ended = machine.wait(run);
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says("was ended by signal 15.");
}

#[rstest]
#[case::missing("deliver-to", "command:no-such-program x", "was not found")]
#[case::by_a_path("deliver-to", "command:./no-such-program", "was not found")]
#[case::not_executable("deliver-to", "command:./plain-file", "is not executable")]
#[case::without_an_interpreter("deliver-to", "command:lost", "needs the interpreter /no/such/interpreter")]
#[case::of_the_refresh_token("credential-store", "command:no-such-program", "was not found")]
fn a_program_that_cannot_run_is_told_before_anything_is_sent(
    #[values("rotate", "doctor", "list")] operation: &str,
    #[case] input: &str,
    #[case] address: &str,
    #[case] why: &str,
) {
    let mut machine = rotating(Host::GitHub, KEEPS);
    let seed = machine.read("refresh-token");
    std::fs::write(machine.path("plain-file"), "#!/bin/sh\n").expect("written");
    std::fs::write(machine.path("programs/lost"), "#!/no/such/interpreter\n").expect("written");
    std::fs::set_permissions(machine.path("programs/lost"), std::fs::Permissions::from_mode(0o755))
        .expect("a program");
    machine.run_as(operation).input("refresh-token", seed).input(input, address);
    let ended = machine.run();
    if operation == "list" && input == "deliver-to" {
        ended.expect(0);
        return;
    }
    ended.expect(7).says(why);
    if operation != "doctor" {
        assert_eq!(machine.calls(), Vec::<String>::new());
        ended.says("The program of command:").says("Nothing was sent.");
    }
}

#[test]
fn doctor_says_what_can_be_known() {
    let mut machine = rotating(Host::GitHub, KEEPS);
    machine.run_as("doctor").input("scope", "vso.code");
    machine.run().expect(0).says("is there; whether it takes the PAT shows only when it runs.");
    assert_eq!(left(&machine, "held"), None, "doctor runs no such program");
}

#[rstest]
fn what_it_prints_goes_to_the_log_masked_and_harmless(
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let script = r#"
pat=$(cat)
echo "it is $pat"
printf '%s' "$pat" | base64 -w 0
echo
echo "to standard error: $pat" >&2
echo '::error::forged'
echo '##vso[task.setvariable variable=x]forged'
printf 'an escape \033[2Jhere\r\n'
head -c 70000 /dev/zero | tr '\0' x
echo "$pat"
printf 'the end: %s' "$pat""#;
    let machine = rotating(host, script);
    // The machine's own sweep looks for every secret in what was printed.
    let ended = machine.run();
    ended.expect(0);
    for line in [
        "keeper: it is ***",
        "keeper: to standard error: ***",
        "keeper: (a line of more than 65536 bytes is left out)",
        "keeper: the end: ***",
    ] {
        ended.says(line);
    }
    assert!(!ended.words().contains('\u{1b}'));
    assert!(!ended.words().lines().any(|line| line.starts_with("::error") || line.starts_with("##vso[task.setvariable variable=x]")));
}

#[test]
fn a_flood_of_words_is_cut_off_and_ends_well() {
    let machine = rotating(Host::GitHub, "yes 'the same again' | head -n 200000; cat > held");
    let ended = machine.run();
    ended.expect(0).says("keeper: (what it prints after 1048576 bytes is left out)");
    assert!(ended.words().len() < 4_000_000);
    assert_eq!(left(&machine, "held"), Some(the_one(&machine).value));
}

#[test]
fn the_refresh_token_can_be_kept_by_a_program() {
    let mut machine = rotating(Host::GitHub, KEEPS);
    let seed = machine.read("refresh-token");
    machine.without("deliver-to").input("credential-store", "command:keeper --of adopat");
    machine
        .run()
        .expect(2)
        .says("refresh-token")
        .says("adopat cannot read it from command:keeper --of adopat");
    assert!(machine.calls().is_empty());
    machine.input("refresh-token", seed.clone()).set("PAT_SCOPE", "of somebody else");
    machine.run().expect(0);
    let rolled = left(&machine, "held").expect("it ran");
    assert_ne!(rolled, seed);
    assert!(machine.emulator.refresh_token_is_valid(&rolled));
    let variables = variables(&machine);
    assert_eq!(variables["DELIVERY_KIND"], "refresh-token");
    assert!(!variables.keys().any(|name| name.starts_with("PAT_")), "{variables:?}");
}

#[test]
fn login_hands_the_refresh_token_to_a_program_and_says_what_a_run_needs() {
    let mut machine = rotating(Host::Generic, KEEPS);
    machine.run_as("login").without("deliver-to").without("display-name");
    machine.input("credential-store", "command:keeper 'the token'");
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(Duration::from_secs(30)).expect("a device code");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine
        .wait(run)
        .expect(0)
        .says("The machine needs keeper. ADOPAT_REFRESH_TOKEN is what it stored: no run can read it there.")
        .says("credentialStore: \"command:keeper 'the token'\"")
        .says("refreshToken: $(ADOPAT_REFRESH_TOKEN)");
    assert!(machine.emulator.refresh_token_is_valid(&left(&machine, "held").expect("it ran")));
}

#[test]
fn a_refresh_token_that_no_program_takes_ends_the_run_before_the_pat_api_is_called() {
    let mut machine = rotating(Host::GitHub, "cat > /dev/null; exit 9");
    let seed = machine.read("refresh-token");
    machine.without("deliver-to").input("credential-store", "command:keeper").input("refresh-token", seed);
    machine
        .run()
        .expect(7)
        .says("ended with exit code 9.")
        .says("The new refresh token could not be stored")
        .says("Let it end with 0 once it has stored what it reads.");
    assert!(machine.pat_calls().is_empty());
}

#[test]
fn one_program_may_take_both() {
    let mut machine = rotating(Host::GitHub, "cat > \"held-$DELIVERY_KIND\"");
    let seed = machine.read("refresh-token");
    machine.input("deliver-to", "command:keeper").input("credential-store", "command:keeper");
    machine.input("refresh-token", seed).run().expect(0);
    assert_eq!(left(&machine, "held-pat"), Some(the_one(&machine).value));
    assert!(machine.emulator.refresh_token_is_valid(&left(&machine, "held-refresh-token").expect("it ran")));
}

#[test]
fn a_line_that_is_no_command_is_a_mistake_in_the_inputs() {
    let mut machine = rotating(Host::GitHub, KEEPS);
    for (address, why) in [
        ("command:", "names no program; use command:PROGRAM ARG..."),
        ("command:'' x", "names no program"),
        ("command:keeper 'x", "has a quote that is not closed"),
        ("command:keeper \\", "ends in a backslash"),
    ] {
        machine.input("deliver-to", address).run().expect(2).says(why);
    }
    assert!(machine.calls().is_empty());
}

// The recipes of the documentation, each with a stand-in of its program that reads the secret where the real one does.

/// The recipes of the documentation, by what they are for.
fn recipes() -> Vec<(String, String)> {
    let page = include_str!("../docs/stores.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.filter_map(|row| row.split_once(" | `command:"));
    let recipes = rows.filter_map(|(what, rest)| {
        let line = rest.strip_suffix('`')?.replace("\\|", "|");
        (what.starts_with(|c: char| c != '`')).then(|| (what.to_owned(), format!("command:{line}")))
    });
    recipes.collect()
}

/// A stand-in that stops at whatever it is not called with in the documentation of the real program.
fn stand_in(name: &str) -> &'static str {
    match name {
        "vault" => {
            "test \"$1 $2\" = 'kv put' || exit 1\n\
             for word; do case $word in *=-) cat > held; exit;; esac; done; exit 1"
        }
        "aws" => {
            "test \"$1 $2\" = 'secretsmanager put-secret-value' || exit 1\n\
             while test \"$1\" != --secret-string; do shift || exit 1; done\n\
             cat \"${2#file://}\" > held"
        }
        "glab" => "test \"$1 $2\" = 'variable update' && test -n \"$3\" || exit 1\ncat > held",
        "gh" => "test \"$1 $2\" = 'secret set' && test -n \"$3\" || exit 1\ncat > held",
        "systemctl" => "test \"$1\" = restart && test -n \"$2\" || exit 1\necho restarted > held",
        "kubectl" => {
            "case \"$1\" in\n\
             create) for word; do case $word in --from-file=token=*) cat \"${word#--from-file=token=}\"; exit;; esac; done; exit 1;;\n\
             apply) test \"$2\" = --filename=- && cat > held;;\n\
             *) exit 1;; esac"
        }
        other => panic!("there is no stand-in of {other}"),
    }
}

#[test]
fn each_recipe_of_the_documentation_stores_the_pat() {
    let recipes = recipes();
    assert_eq!(recipes.len(), 6, "{recipes:?}");
    for (what, address) in recipes {
        let mut machine = rotating(Host::GitHub, "");
        let line = address.trim_start_matches("command:");
        let name = match line.split_whitespace().next().expect("a program") {
            "sh" => "kubectl",
            name => name,
        };
        program(&mut machine, name, stand_in(name));
        machine.input("deliver-to", &*address);
        machine.run().expect(0);
        let held = left(&machine, "held").unwrap_or_else(|| panic!("{what}: nothing is held"));
        let expected = if name == "systemctl" { "restarted\n".to_owned() } else { the_one(&machine).value };
        assert_eq!(held, expected, "{what}");
    }
}

#[test]
fn the_revoked_pat_of_a_failed_delivery_is_the_one_the_program_was_given() {
    let machine = rotating(Host::Generic, "cat > held; exit 1");
    let ended = machine.run();
    ended.expect(7);
    let held = left(&machine, "held").expect("it ran");
    let revoked = machine.emulator.pats().into_iter().find(|pat| pat.value == held).expect("it was minted");
    assert_eq!(revoked.status, PatStatus::Revoked);
}
