//! After `kill -9` at any moment, the same rotation run again ends with exactly one active PAT of that name: the
//! one delivered last.
#![cfg(unix)]

mod support;

use std::time::{Duration, Instant};

use adopat_emulator::{Fault, NewPat, Outcome, Service};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use rustix::process::Signal;
use support::{Host, Machine, github_runner};

/// Runs until the nth request to this service with this method is held, before or after it is acted on, and
/// kills the run there.
fn kill_at(machine: &Machine, service: Service, method: &str, nth: usize, acted_on: bool) {
    let fault = Fault::on(service).method(method).nth(nth);
    let hold = machine.emulator.order(if acted_on { fault.hold_after() } else { fault.hold_before() });
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)), "the request came");
    support::signal(&run, Signal::KILL);
    assert_eq!(machine.wait(run).code, None, "it was killed");
    // What has reached the service is acted on, though nobody waits for the answer any more.
    hold.release();
    let begun = Instant::now();
    while machine.emulator.requests().iter().any(|request| request.outcome == Outcome::Pending) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the service is done with it");
        std::thread::sleep(Duration::from_millis(10));
    }
    machine.emulator.clear_faults();
}

/// Exactly one PAT of that name is active, and it is the one that the host was handed last.
#[track_caller]
fn one_is_left_the_delivered_one(machine: &Machine) {
    let [only] = machine.active("nightly").try_into().expect("exactly one active PAT of that name");
    let outputs = github_runner::pairs(&machine.read("GITHUB_OUTPUT")).expect("pairs");
    let token = outputs.iter().rev().find(|(name, _)| name == "token").expect("one was delivered");
    assert_eq!(token.1, only.value);
}

#[rstest]
fn a_rotation_that_was_killed_is_put_right_by_the_next(
    #[values(
        (Service::Entra, "POST", 1),
        (Service::Pats, "GET", 1),
        (Service::Pats, "POST", 1),
        (Service::Pats, "DELETE", 1)
    )]
    request: (Service, &str, usize),
    #[values(false, true)] acted_on: bool,
    #[values(None, Some("20d"))] renew_within: Option<&str>,
) {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    machine.input("display-name", "nightly").input("lifetime", "90d");
    let end = Timestamp::now() + SignedDuration::from_hours(10 * 24);
    machine.emulator.add_pat(NewPat::named("nightly").valid_to(end));
    if let Some(span) = renew_within {
        machine.input("renew-within", span);
    }
    kill_at(&machine, request.0, request.1, request.2, acted_on);
    machine.input("duplicates", "revoke").run().expect(0);
    one_is_left_the_delivered_one(&machine);
}

#[rstest]
fn a_rotation_of_duplicates_that_was_killed_is_put_right_by_the_next(
    #[values(("POST", 1), ("DELETE", 1), ("DELETE", 2), ("DELETE", 3))] request: (&str, usize),
    #[values(false, true)] acted_on: bool,
) {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    machine.input("display-name", "nightly").input("duplicates", "revoke");
    (0..3).for_each(|_| drop(machine.emulator.add_pat(NewPat::named("nightly"))));
    kill_at(&machine, Service::Pats, request.0, request.1, acted_on);
    machine.run().expect(0);
    one_is_left_the_delivered_one(&machine);
}

#[rstest]
fn a_create_that_was_killed_is_put_right_by_a_rotation_of_its_name(
    #[values((Service::Entra, "POST"), (Service::Pats, "POST"))] request: (Service, &str),
    #[values(false, true)] acted_on: bool,
) {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    kill_at(&machine, request.0, request.1, 1, acted_on);
    machine.run_as("rotate").input("duplicates", "revoke").input("if-missing", "create").run().expect(0);
    one_is_left_the_delivered_one(&machine);
}

#[rstest]
fn a_rotation_that_was_killed_twice_is_put_right_all_the_same(#[values("POST", "DELETE")] method: &str) {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    machine.input("display-name", "nightly").input("duplicates", "revoke");
    machine.emulator.add_pat(NewPat::named("nightly"));
    kill_at(&machine, Service::Pats, "POST", 1, true);
    kill_at(&machine, Service::Pats, method, 1, true);
    machine.run().expect(0);
    one_is_left_the_delivered_one(&machine);
}
