//! The program explains itself, and its documentation is what the list of expectations says.

mod support;

use std::collections::HashSet;
use std::path::Path;

use adopat_probe::{expectations, fidelity};
use support::Machine;

#[test]
fn help_goes_to_standard_output() {
    let mut machine = Machine::new();
    let ended = machine.arguments(&["--help"]).run();
    ended.expect(0);
    assert!(ended.report.contains("--revoke-older") && ended.report.contains("Exit codes"));
    let ended = machine.arguments(&["--version"]).run();
    assert_eq!(ended.report, concat!("adopat-probe ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn what_is_not_understood_is_refused_before_anything_is_sent() {
    let mut machine = Machine::new();
    machine.arguments(&["hunter2hunter2"]).run().expect(2).says("--help");
    machine.arguments(&[]).without("ORGANIZATION").run().expect(2).says("organization");
    assert!(machine.emulator.requests().is_empty());
}

#[test]
fn a_sign_in_that_is_refused_is_told_as_adopat_tells_it() {
    let mut machine = Machine::new();
    machine.without("CREDENTIAL_STORE").input("REFRESH_TOKEN", "no-refresh-token");
    machine.run().expect(3).says("AADSTS9002313");
    assert_eq!(machine.posts(), 0);
}

#[test]
fn the_emulators_table_is_made_of_the_expectations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(fidelity::PAGE);
    let page = std::fs::read_to_string(path).expect("the page");
    let made = fidelity::page(&page, &expectations::all()).expect("a place for the table");
    assert!(
        made == page,
        "{} is not what they say: run `cargo run -p adopat-probe --example fidelity`",
        fidelity::PAGE
    );
}

#[test]
fn every_expectation_has_a_name_of_its_own_and_a_source() {
    let mut names = HashSet::new();
    for row in expectations::all() {
        assert!(names.insert(row.name), "{} is there twice", row.name);
        assert!(!row.sources.is_empty(), "{} has no source", row.name);
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        assert!(row.name.chars().all(kebab), "{}", row.name);
    }
}
