//! `exec`: a command with a PAT of its own, and nothing left of it however the command ends.
#![cfg(unix)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adopat_emulator::{Emulator, Fault, Pat, PatStatus, Policies, RefusalShape, RetryAfter, Service, cast};
use jiff::SignedDuration;
use rstest::rstest;
use rustix::process::Signal;
use support::{Ended, Host, Machine};
use tempfile::TempDir;

/// Shell that waits until there is a file `go`, but not for ever, so that a test ends that fails.
const WAITING: &str = "n=0; while ! test -e go && test $n -lt 400; do sleep 0.05; n=$((n + 1)); done";

/// A machine on which a shell script is to run with a PAT of its own.
fn running(host: Host, script: &str) -> Machine {
    let mut machine = Machine::new(host, "exec");
    with_script(&mut machine, script);
    machine
}

fn with_script(machine: &mut Machine, script: &str) {
    machine.input("display-name", "nightly").input("scope", "vso.packaging").set("PATH", "/usr/bin:/bin");
    machine.arguments(&["exec", "--", "sh", "-c", script]);
}

/// The PAT was made, and it is gone.
#[track_caller]
fn made_and_revoked(machine: &Machine) {
    let pats = machine.emulator.pats();
    assert_eq!(pats.len(), 1, "one was made");
    assert_eq!(pats[0].status, PatStatus::Revoked, "and it is revoked");
}

/// Nothing was minted.
#[track_caller]
fn nothing_made(machine: &Machine) {
    assert!(machine.emulator.pats().is_empty());
}

/// Waits until the command has made this file.
fn wait_for(file: &Path) {
    let begun = Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the command never started");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// In whole hours.
fn lifetime(pat: &Pat) -> f64 {
    (pat.valid_to.duration_since(pat.valid_from).as_secs_f64() / 3600.0).round()
}

/// A folder outside of the machine's, for what the command writes of its PAT.
fn outside(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    (folder, file)
}

#[rstest]
fn the_command_has_the_pat_and_standard_output_is_its_own(
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let (_folder, seen) = outside("pat");
    let mut machine =
        running(host, &format!("printf %s \"$ADO_PAT\" > {}; echo '##vso[x.y]z'", seen.display()));
    // Nothing is handed out: none of these files is needed.
    machine.unset("GITHUB_OUTPUT").unset("GITHUB_ENV");
    let ended = machine.run();
    ended.expect(0);
    assert_eq!(ended.stdout, "##vso[x.y]z\n", "exactly the command's");
    assert!(ended.stderr.contains("Revoked"), "adopat's own words are on standard error");
    let [pat] = machine.emulator.pats().try_into().expect("one PAT");
    assert_eq!(std::fs::read_to_string(seen).expect("written"), pat.value);
    assert_eq!((pat.display_name.as_str(), pat.scope.as_str()), ("nightly", "vso.packaging"));
    assert_eq!(lifetime(&pat), 1.0, "for an hour");
    assert_eq!(machine.calls(), ["Entra POST", "Pats POST", "Pats DELETE"]);
    made_and_revoked(&machine);
    let mask = match host {
        Host::GitHub => format!("::add-mask::{}\n", pat.value),
        Host::Azure => format!("##vso[task.setsecret]{}\n", pat.value),
        Host::Generic => String::new(),
    };
    assert!(ended.stderr.contains(&mask), "it is masked all the same");
}

#[rstest]
#[case::a_variable("variable", "NUGET_PAT", "printf %s \"$NUGET_PAT$ADO_PAT\"")]
#[case::a_lifetime("lifetime", "2h", "printf %s \"$ADO_PAT\"")]
fn what_is_asked_for_beats_the_defaults(#[case] input: &str, #[case] value: &str, #[case] script: &str) {
    let (_folder, seen) = outside("pat");
    let mut machine = running(Host::GitHub, &format!("{script} > {}", seen.display()));
    machine.input(input, value).run().expect(0);
    let [pat] = machine.emulator.pats().try_into().expect("one PAT");
    assert_eq!(std::fs::read_to_string(seen).expect("written"), pat.value);
    assert_eq!(lifetime(&pat), if input == "lifetime" { 2.0 } else { 1.0 });
}

#[rstest]
#[case(Host::GitHub, "GITHUB_REPOSITORY", "contoso/ci", "GITHUB_RUN_ID", "42", "adopat contoso/ci 42")]
#[case(Host::Azure, "BUILD_REPOSITORY_NAME", "ci", "BUILD_BUILDID", "7", "adopat ci 7")]
fn by_default_the_name_is_the_runs(
    #[case] host: Host,
    #[case] repository: &str,
    #[case] its: &str,
    #[case] run: &str,
    #[case] number: &str,
    #[case] name: &str,
) {
    let mut machine = running(host, "true");
    machine.without("display-name").set(repository, its).set(run, number).run().expect(0);
    assert_eq!(machine.emulator.pats()[0].display_name, name);
}

#[test]
fn elsewhere_the_name_tells_host_and_time() {
    let mut machine = running(Host::Generic, "true");
    machine.without("display-name").set("HOSTNAME", "agent-3").run().expect(0);
    assert!(machine.emulator.pats()[0].display_name.starts_with("adopat agent-3 20"));
}

#[test]
fn the_command_gets_the_environment_but_no_secret_of_adopats() {
    let (_folder, seen) = outside("environment");
    let mut machine = running(Host::Generic, &format!("env > {}", seen.display()));
    let secrets = ["refresh-token", "store-key", "github-token", "id-token", "client-certificate-password"];
    let refresh_token = machine.emulator.refresh_token();
    for name in secrets {
        let value = if name == "refresh-token" { refresh_token.clone() } else { format!("hunter2-{name}") };
        machine.input(name, &value);
        machine.set(&format!("INPUT_{}", name.to_uppercase()), &value);
        machine.set(&format!("INPUT_{}", name.to_uppercase().replace('-', "")), &value);
    }
    machine.without("credential-store").set("AZURE_CLIENT_SECRET", "hunter2-azure").set("FEED", "contoso");
    machine.run().expect(0);
    let environment = std::fs::read_to_string(seen).expect("written");
    let names: Vec<&str> = environment.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    for name in ["FEED", "ADOPAT_SCOPE", "ADOPAT_ORGANIZATION", "ADO_PAT", "PATH"] {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
    assert!(!environment.contains("hunter2") && !environment.contains(&refresh_token), "{names:?}");
}

#[rstest]
#[case::empty("")]
#[case::words("a b")]
#[case::quotes("'\"$(date)\\")]
#[case::not_ours("--help")]
fn arguments_arrive_as_they_are(#[case] argument: &str) {
    let mut machine = running(Host::Generic, "");
    machine.arguments(&["exec", "--", "printf", "%s.", argument, "last"]);
    let ended = machine.run();
    ended.expect(0);
    assert_eq!(ended.stdout, format!("{argument}.last."));
}

#[test]
fn standard_input_is_the_commands() {
    use std::io::Write as _;
    let machine = running(Host::Generic, "cat");
    let mut command = machine.command();
    command.stdin(std::process::Stdio::piped());
    let mut run = command.spawn().expect("the binary starts");
    run.stdin.take().expect("a pipe").write_all(b"what was typed").expect("written");
    assert_eq!(machine.wait(run).expect(0).stdout, "what was typed");
}

// Which command.

#[rstest]
#[case::in_no_folder_of_path("no-such-command", 127)]
#[case::no_such_file("/no/such/command", 127)]
#[case::a_folder("/", 126)]
#[case::a_file_that_cannot_be_run("./notes.txt", 126)]
fn a_command_that_cannot_be_run_is_found_out_before_anything_is_sent(
    #[case] command: &str,
    #[case] code: i32,
) {
    let mut machine = running(Host::Generic, "");
    std::fs::write(machine.path("notes.txt"), "text").expect("written");
    let ended = machine.arguments(&["exec", "--", command]).run();
    ended.expect(code).says(command).says("No PAT was created");
    assert!(machine.calls().is_empty());
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_command_of_path_that_is_not_executable_is_126() {
    let mut machine = running(Host::Generic, "");
    std::fs::write(machine.path("notes"), "text").expect("written");
    let folder = machine.path("");
    machine.set("PATH", folder).arguments(&["exec", "--", "notes"]).run().expect(126);
    assert!(machine.calls().is_empty());
}

#[test]
fn a_command_is_found_beside_a_name_that_only_looks_like_path() {
    let mut machine = running(Host::Generic, "exit 4");
    machine.set("Path", "/nowhere").run().expect(4);
}

#[rstest]
#[case::without_an_interpreter("echo hello\n", 126, "#!/bin/sh")]
#[case::empty("", 126, "#!/bin/sh")]
#[case::with_a_missing_interpreter("#!/no/such/interpreter\n", 127, "/no/such/interpreter")]
#[case::with_the_line_ends_of_windows("#!/bin/sh\r\nexit 0\r\n", 127, "Windows")]
#[case::whose_interpreter_is_a_folder("#!/bin\n", 126, "not executable")]
#[case::whose_interpreter_is_a_broken_script("#!./inner\n", 127, "/no/such/interpreter")]
fn a_script_that_cannot_be_run_is_found_out_before_anything_is_sent(
    #[case] script: &str,
    #[case] code: i32,
    #[case] why: &str,
) {
    let mut machine = running(Host::Generic, "");
    for (name, text) in [("tool", script), ("inner", "#!/no/such/interpreter\n")] {
        std::fs::write(machine.path(name), text).expect("written");
        std::fs::set_permissions(machine.path(name), std::fs::Permissions::from_mode(0o755))
            .expect("executable");
    }
    let ended = machine.arguments(&["exec", "--", "./tool"]).run();
    ended.expect(code).says(why).says("./tool").says("No PAT was created");
    assert!(machine.calls().is_empty());
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_command_that_does_not_start_after_all_leaves_nothing() {
    let mut machine = running(Host::Generic, "");
    let tool = machine.path("tool");
    std::fs::write(&tool, "#!/bin/sh\n").expect("written");
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    machine.arguments(&["exec", "--", "./tool"]);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    std::fs::remove_file(&tool).expect("removed");
    hold.release();
    machine.wait(run).expect(127).says("could not be started");
    made_and_revoked(&machine);
}

// How it ends.

#[rstest]
#[case("exit 0", 0)]
#[case("exit 3", 3)]
#[case("exit 255", 255)]
#[case("kill -TERM $$", 143)]
#[case("kill -KILL $$", 137)]
#[case("kill -SEGV $$", 139)]
fn the_commands_code_is_kept_and_the_pat_revoked(#[case] script: &str, #[case] code: i32) {
    let machine = running(Host::GitHub, script);
    machine.run().expect(code);
    made_and_revoked(&machine);
}

#[rstest]
#[case(Signal::TERM, "TERM")]
#[case(Signal::INT, "INT")]
#[case(Signal::HUP, "HUP")]
#[case(Signal::USR1, "USR1")]
#[case(Signal::USR2, "USR2")]
#[case(Signal::QUIT, "QUIT")]
fn a_signal_is_passed_on(#[case] signal: Signal, #[case] name: &str) {
    let machine = running(
        Host::Generic,
        &format!("trap 'echo got {name}; exit 5' {name}; touch started; {WAITING}; exit 99"),
    );
    let run = machine.spawn();
    wait_for(&machine.path("started"));
    support::signal(&run, signal);
    let ended = machine.wait(run);
    ended.expect(5);
    assert_eq!(ended.stdout, format!("got {name}\n"));
    made_and_revoked(&machine);
}

/// The signals that adopat itself would listen for.
#[cfg(target_os = "linux")]
#[rstest]
#[case("HUP")]
#[case("INT")]
#[case("TERM")]
#[case("QUIT")]
#[case("USR1")]
#[case("USR2")]
fn a_signal_that_was_ignored_stays_ignored_for_adopat_and_for_the_command(#[case] name: &str) {
    let machine = running(Host::Generic, &format!("kill -{name} $$; kill -{name} $PPID; sleep 0.2; exit 7"));
    machine.wait(machine.spawn_ignoring(name)).expect(7);
    made_and_revoked(&machine);
}

#[cfg(target_os = "linux")]
#[rstest]
#[case("exit 3", 3)]
#[case("kill -KILL $$", 137)]
fn the_commands_code_is_kept_though_sigchld_was_ignored(#[case] script: &str, #[case] code: i32) {
    let machine = running(Host::Generic, script);
    machine.wait(machine.spawn_ignoring("CHLD")).expect(code);
    made_and_revoked(&machine);
}

/// Ctrl-C at a terminal reaches the command by itself, and `kill` reaches adopat alone: either way the command hears
/// it once.
#[cfg(target_os = "linux")]
#[rstest]
#[case::ctrl_c(Some(3), Signal::INT, "INT")]
#[case::ctrl_backslash(Some(28), Signal::QUIT, "QUIT")]
#[case::kill_int(None, Signal::INT, "INT")]
#[case::kill_quit(None, Signal::QUIT, "QUIT")]
fn at_a_terminal_a_signal_reaches_the_command_exactly_once(
    #[case] key: Option<u8>,
    #[case] signal: Signal,
    #[case] name: &str,
    #[values(true, false)] stdin_is_it: bool,
) {
    use std::io::Write as _;
    let script = format!(
        "trap 'echo got >> {name}' {name}; touch started; {WAITING}; n=0; while test $n -lt 10; do sleep 0.05; n=$((n + 1)); done; exit 5"
    );
    let machine = running(Host::Generic, &script);
    let (mut terminal, run) = machine.spawn_at_a_terminal(stdin_is_it);
    wait_for(&machine.path("started"));
    match key {
        Some(key) => terminal.write_all(&[key]).expect("typed"),
        // setsid, which gives the run its terminal, became it.
        None => support::signal(&run, signal),
    }
    wait_for(&machine.path(name));
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(machine.path("go"), "").expect("written");
    machine.wait(run).expect(5);
    assert_eq!(machine.read(name), "got\n");
    made_and_revoked(&machine);
}

#[test]
fn a_command_that_dies_of_a_signal_passed_on_is_128_and_the_signal() {
    let machine = running(Host::Generic, "touch started; exec sleep 30");
    let run = machine.spawn();
    wait_for(&machine.path("started"));
    support::signal(&run, Signal::TERM);
    machine.wait(run).expect(143);
    made_and_revoked(&machine);
}

#[test]
fn a_signal_while_the_pat_is_revoked_changes_nothing() {
    let machine = running(Host::Generic, "exit 9");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("DELETE").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    support::signal(&run, Signal::TERM);
    std::thread::sleep(Duration::from_millis(250));
    support::signal(&run, Signal::INT);
    std::thread::sleep(Duration::from_millis(250));
    hold.release();
    machine.wait(run).expect(9);
    made_and_revoked(&machine);
}

#[rstest]
#[case(Signal::TERM, 143)]
#[case(Signal::INT, 130)]
fn a_signal_before_the_command_starts_cancels(#[case] signal: Signal, #[case] code: i32) {
    let machine = running(Host::Generic, "touch started");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    support::signal(&run, signal);
    std::thread::sleep(Duration::from_millis(250));
    hold.release();
    machine.wait(run).expect(code);
    assert!(!machine.path("started").exists());
    made_and_revoked(&machine);
}

// Where minting fails.

#[rstest]
#[case::signing_in(Fault::on(Service::Entra).internal_error().always(), 6)]
#[case::asking(Fault::on(Service::Pats).sign_in_page().always(), 3)]
#[case::a_policy(Fault::on(Service::Pats).pat_token_error("disablePatCreationPolicyViolation", RefusalShape::Ok), 4)]
fn the_command_never_starts_where_minting_failed(#[case] fault: Fault, #[case] code: i32) {
    let machine = running(Host::Generic, "touch started");
    machine.emulator.order(fault);
    let ended = machine.run();
    ended.expect(code);
    assert_eq!(ended.stdout, "");
    assert!(!machine.path("started").exists());
    nothing_made(&machine);
}

fn under_a_policy_of_ten_minutes() -> Machine {
    let policies = Policies { longest_lifespan: Some(Duration::from_secs(600)), ..Policies::default() };
    let mut machine = Machine::with(Emulator::builder().policies(policies).start(), Host::Generic, "exec");
    with_script(&mut machine, "exit 3");
    machine
}

#[test]
fn a_shortened_lifetime_is_a_warning() {
    let machine = under_a_policy_of_ten_minutes();
    machine.run().expect(3).says("warning: The service granted the PAT until");
    made_and_revoked(&machine);
}

#[test]
fn a_shortened_lifetime_can_keep_the_command_from_starting() {
    let mut machine = under_a_policy_of_ten_minutes();
    machine.input("on-shortened-lifetime", "fail").run().expect(4).says("has been revoked");
    made_and_revoked(&machine);
}

// Time.

#[test]
fn the_timeout_does_not_bound_the_command() {
    let mut machine = running(Host::Generic, "sleep 3; exit 6");
    machine.input("timeout", "2s").run().expect(6);
    made_and_revoked(&machine);
}

#[test]
fn the_timeout_bounds_minting() {
    let mut machine = running(Host::Generic, "touch started");
    machine
        .emulator
        .order(Fault::on(Service::Pats).method("POST").throttle(RetryAfter::Seconds(60)).always());
    machine.input("timeout", "10s").run().expect(6).says("60 s");
    assert!(!machine.path("started").exists());
}

#[test]
fn an_access_token_that_died_meanwhile_is_renewed_to_revoke_the_pat() {
    let machine = running(Host::Generic, &format!("touch started; {WAITING}; exit 2"));
    let run = machine.spawn();
    wait_for(&machine.path("started"));
    machine.emulator.expire_access_tokens();
    let before = machine.read("refresh-token");
    std::fs::write(machine.path("go"), "").expect("written");
    let ended = machine.wait(run);
    ended.expect(2);
    made_and_revoked(&machine);
    let after = machine.read("refresh-token");
    assert!(after != before && machine.emulator.refresh_token_is_valid(after.trim()), "it is stored again");
}

#[test]
fn a_command_that_outlives_the_access_token_leaves_nothing() {
    let machine = running(Host::Generic, &format!("touch started; {WAITING}; exit 2"));
    let run = machine.spawn();
    wait_for(&machine.path("started"));
    machine.emulator.advance(SignedDuration::from_mins(50));
    machine.emulator.expire_access_tokens();
    std::fs::write(machine.path("go"), "").expect("written");
    let ended = machine.wait(run);
    ended.expect(2);
    made_and_revoked(&machine);
}

#[rstest]
#[case::the_service_fails(Fault::on(Service::Pats).method("DELETE").internal_error().always())]
#[case::nobody_is_let_in(Fault::on(Service::Pats).method("DELETE").sign_in_page().always())]
fn a_pat_that_cannot_be_revoked_is_named_and_the_commands_code_kept(#[case] fault: Fault) {
    let machine = running(Host::Azure, "exit 7");
    machine.emulator.order(fault);
    let ended: Ended = machine.run();
    let [pat] = machine.emulator.pats().try_into().expect("one PAT");
    ended.expect(7).says("may still be alive").says(&pat.authorization_id.to_string());
    assert!(!ended.words().contains("still lives"), "{}", ended.words());
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_person_whom_the_organization_does_not_know_starts_nothing() {
    let mut machine = running(Host::Generic, "touch started");
    let token = machine.emulator.access_token(cast::STRANGER);
    machine.without("credential-store").input("access-token", token).run().expect(4).says("TF400813");
    assert!(!machine.path("started").exists());
}

#[test]
fn an_empty_command_is_told_as_such_and_makes_no_pat() {
    let mut machine = Machine::new(Host::Generic, "exec");
    machine.input("scope", "vso.code").arguments(&["exec", "--", ""]);
    machine.run().expect(127).says("The command is an empty text. No PAT was created.");
    assert!(machine.calls().is_empty());
}
