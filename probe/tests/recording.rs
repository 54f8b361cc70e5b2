//! What was recorded holds nothing secret or personal, and can be replayed.

mod support;

use adopat_emulator::{Emulator, NewVariableGroup, Recording};
use support::{FIVE, Machine, different_services};

/// Records a run into a folder.
fn recorded(mut machine: Machine) -> Machine {
    machine.arguments(&["--record", "recording"]).run().expect(0);
    machine
}

fn replaying(machine: &Machine) -> Machine {
    let recording = Recording::read(machine.path("recording")).expect("a recording");
    Machine::with(Emulator::builder().replay(recording).start())
}

#[test]
fn a_recording_holds_every_exchange_and_nothing_secret_or_personal() {
    let machine = recorded(Machine::new().with_pats(3));
    let files = machine.recorded(&machine.path("recording"));
    assert_eq!(files.len(), machine.emulator.requests().len());
    let whole: String = files.iter().map(|(_, exchange)| exchange.to_string()).collect();
    for placeholder in ["{{organization-1}}", "{{id-1}}", "{{name-1}}", "{{pat-1}}", "{{secret-1}}"] {
        assert!(whole.contains(placeholder), "{placeholder} is missing");
    }
    #[cfg(unix)]
    for (path, mode) in
        files.iter().map(|(path, _)| (path.clone(), 0o600)).chain([(machine.path("recording"), 0o700)])
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
}

#[test]
fn a_replay_shows_what_was_seen() {
    let machine = recorded(Machine::new().with_pats(3));
    let replay = replaying(&machine);
    let ended = replay.run();
    ended.expect(0);
    assert_eq!(ended.different(), [""; 0], "{}", ended.report);
    let same = ended.rows().iter().filter(|row| row.verdict == "same").count();
    assert!(same > 65, "{same}");
    // No PAT was made there: all of it was played.
    assert!(replay.emulator.pats().is_empty());
}

#[test]
fn a_difference_that_was_recorded_once_is_found_in_every_replay() {
    let machine = recorded(Machine::with(different_services()).with_pats(250));
    let ended = replaying(&machine).run();
    ended.expect(0);
    let mut different = ended.different();
    different.sort();
    assert_eq!(different, FIVE, "{}", ended.report);
}

#[test]
fn a_folder_that_holds_something_is_refused_before_anything_is_sent() {
    let mut machine = Machine::new();
    let ended = machine.arguments(&["--record", "."]).run();
    ended.expect(2).says("Nothing can be recorded");
    assert!(machine.emulator.requests().is_empty());
}

#[test]
fn what_keeps_the_refresh_token_elsewhere_is_not_recorded() {
    let mut machine = Machine::new();
    machine
        .emulator
        .add_variable_group(NewVariableGroup::named("secret-project", "sign-in").secret("TOKEN", "seed"));
    let token = machine.emulator.refresh_token();
    machine
        .input("CREDENTIAL_STORE", "variable-group:secret-project/sign-in/TOKEN")
        .input("REFRESH_TOKEN", &token);
    let machine = recorded(machine);
    let files = machine.recorded(&machine.path("recording"));
    assert!(files.len() < machine.emulator.requests().len());
    for (path, exchange) in files {
        assert!(!exchange.to_string().contains("secret-project"), "{}", path.display());
    }
}
