//! What a person sees at a terminal: a table that fits it, in colours if they want them.
#![cfg(unix)]

mod support;

use std::io::Read as _;
use std::process::Stdio;

use adopat_emulator::{NewPat, PatStatus, cast};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use rustix::termios::{Winsize, tcsetwinsize};
use support::{Host, Machine};

/// A machine with a PAT in every state.
fn machine() -> Machine {
    let mut machine = Machine::new(Host::Generic, "list");
    let at = |hours: i64| Timestamp::now() + SignedDuration::from_mins(hours * 60 + 30);
    let pat =
        |name: &str, hours: i64| NewPat::named(name).scope("vso.packaging vso.build").valid_to(at(hours));
    for pat in [
        pat("ci-publish", 40 * 24),
        pat("ci-restore", 6 * 24),
        pat("a-nightly-job-with-a-name-that-is-long", 7),
        pat("deploy", 300 * 24).global(),
        pat("in-a-moment", 0),
        pat("old", -48).valid_from(at(-480)),
        pat("leaked", 48).status(PatStatus::Revoked),
    ] {
        machine.emulator.add_pat(pat);
    }
    machine.arguments(&[
        "list",
        "--organization",
        cast::ORGANIZATION,
        "--expiring-within",
        "14d",
        "--filter=all",
    ]);
    machine
}

/// What a run shows on a terminal of that many columns: standard output alone.
fn shown(machine: &Machine, columns: u16) -> Vec<String> {
    let (mut ours, theirs) = support::terminal();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size).expect("its size is set");
    let mut command = machine.command();
    command.stdout(Stdio::from(theirs));
    let run = command.spawn().expect("the binary starts");
    drop(command);
    let mut shown = String::new();
    // A terminal whose other side is closed ends in an error.
    let _ = ours.read_to_string(&mut shown);
    machine.wait(run).expect(0);
    shown.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

/// The line of a PAT.
fn row<'a>(lines: &'a [String], name: &str) -> &'a str {
    lines.iter().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {lines:#?}"))
}

#[rstest]
#[case(80)]
#[case(120)]
#[case(60)]
#[case(200)]
fn a_table_fits_the_terminal(#[case] columns: u16) {
    let mut machine = machine();
    machine.set("NO_COLOR", "1");
    let lines = shown(&machine, columns);
    assert_eq!(lines.len(), 8, "{lines:#?}");
    for line in &lines {
        assert!(line.chars().count() <= columns.into(), "{line}");
    }
    // The beginning of a name can be read however narrow it is.
    for (name, state) in [
        ("ci-publish", "active"),
        ("ci-restore", "expires in 6 d"),
        ("a-nightly-job-w", "expires in 7 h"),
        ("deploy", "global"),
        ("in-a-moment", "min"),
        ("old", "expired"),
        ("leaked", "revoked"),
    ] {
        assert!(row(&lines, name).contains(state), "{state}: {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains(" 0 ")), "{lines:#?}");
    assert_eq!(lines[0].contains("AUTHORIZATION ID"), columns > 100, "{lines:#?}");
    assert_eq!(lines[0].contains("VALID TO"), columns >= 80, "{lines:#?}");
}

#[test]
fn a_state_is_coloured_where_that_is_wanted() {
    let mut machine = machine();
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        machine.set(variable, value);
        assert!(!shown(&machine, 120).iter().any(|line| line.contains('\u{1b}')), "{variable}");
        machine.unset(variable);
    }
    let lines = shown(&machine, 120);
    for (name, colour) in
        [("ci-publish", "32"), ("ci-restore", "33"), ("deploy", "33"), ("old", "2"), ("leaked", "2")]
    {
        assert!(row(&lines, name).contains(&format!("\u{1b}[{colour}m")), "{name}: {lines:#?}");
    }
    let of_pipe = machine.run();
    assert!(!of_pipe.stdout.contains('\u{1b}'));
    let pats: serde_json::Value = serde_json::from_str(&of_pipe.stdout).expect("a pipe gets JSON");
    assert_eq!(pats.as_array().map(Vec::len), Some(7));
}

#[test]
fn what_has_no_room_is_named() {
    let machine = machine();
    let (_ours, theirs) = support::terminal();
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size).expect("its size is set");
    let mut command = machine.command();
    let run = command.stdout(Stdio::from(theirs)).spawn().expect("the binary starts");
    drop(command);
    machine.wait(run).expect(0).says("AUTHORIZATION ID").says("A pipe or a file gets all, as JSON.");
}
