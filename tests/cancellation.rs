//! A cancelled job: nothing is left over before delivery, nothing is undone after it.
#![cfg(unix)]

mod support;

use std::process::Child;
use std::time::{Duration, Instant};

use adopat_emulator::{Fault, Hold, NewPat, RetryAfter, Service};
use rstest::rstest;
use rustix::process::Signal;
use support::{Ended, Host, Machine};

/// Between two signals, so that both arrive.
const APART: Duration = Duration::from_millis(200);

fn creating() -> Machine {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine
}

fn rotating() -> Machine {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    machine.input("display-name", "nightly");
    machine
}

fn start_until_held(machine: &Machine, fault: Fault) -> (Child, Hold) {
    let hold = machine.emulator.order(fault);
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)), "the request came");
    (run, hold)
}

fn fault(service: Service, method: &str, acted_on: bool) -> Fault {
    let fault = Fault::on(service).method(method);
    if acted_on { fault.hold_after() } else { fault.hold_before() }
}

fn signal_and_wait(machine: &Machine, run: Child, hold: &Hold, signal: Signal) -> Ended {
    support::signal(&run, signal);
    std::thread::sleep(APART);
    hold.release();
    machine.wait(run)
}

fn code_of(signal: Signal) -> i32 {
    128 + signal.as_raw()
}

/// Nothing of the run is left: no PAT that was not there before, no output.
#[track_caller]
fn nothing_is_left(machine: &Machine, before: &[adopat_emulator::Pat]) {
    let left = machine.active("nightly");
    assert_eq!(left.len(), before.len(), "{:?}", machine.calls());
    for (left, before) in left.iter().zip(before) {
        assert_eq!((left.authorization_id, left.valid_to), (before.authorization_id, before.valid_to));
    }
    assert_eq!(machine.read("GITHUB_OUTPUT"), "", "a run that failed sets no output");
}

#[rstest]
fn a_create_that_is_cancelled_leaves_nothing(
    #[values((Service::Entra, "POST"), (Service::Pats, "POST"))] request: (Service, &str),
    #[values(false, true)] acted_on: bool,
    #[values(Signal::INT, Signal::TERM, Signal::HUP)] signal: Signal,
) {
    let machine = creating();
    let (run, hold) = start_until_held(&machine, fault(request.0, request.1, acted_on));
    signal_and_wait(&machine, run, &hold, signal).expect(code_of(signal));
    nothing_is_left(&machine, &[]);
}

#[rstest]
fn a_rotation_that_is_cancelled_before_delivery_leaves_the_old_one_as_it_was(
    #[values((Service::Entra, "POST"), (Service::Pats, "GET"), (Service::Pats, "POST"))] request: (
        Service,
        &str,
    ),
    #[values(false, true)] acted_on: bool,
    #[values(Signal::INT, Signal::TERM, Signal::HUP)] signal: Signal,
) {
    let machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let (run, hold) = start_until_held(&machine, fault(request.0, request.1, acted_on));
    signal_and_wait(&machine, run, &hold, signal).expect(code_of(signal));
    nothing_is_left(&machine, &[old]);
}

#[rstest]
fn a_rotation_that_is_cancelled_after_delivery_is_done(
    #[values(None, Some("1h"))] keep: Option<&str>,
    #[values(false, true)] acted_on: bool,
    #[values(Signal::INT, Signal::TERM)] signal: Signal,
) {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    if let Some(span) = keep {
        machine.input("keep-previous-for", span);
    }
    let method = if keep.is_some() { "PUT" } else { "DELETE" };
    let (run, hold) = start_until_held(&machine, fault(Service::Pats, method, acted_on));
    let ended = signal_and_wait(&machine, run, &hold, signal);
    ended.expect(0);
    let new = machine.active("nightly").into_iter().find(|pat| pat.authorization_id != old.authorization_id);
    assert_eq!(machine.outputs(&ended)["token"], new.expect("the new one").value);
    let retired = machine.emulator.pat(old.authorization_id).expect("it was there");
    assert!(retired.valid_to < old.valid_to || retired.status == adopat_emulator::PatStatus::Revoked);
}

#[test]
fn a_running_post_that_ends_within_four_seconds_is_waited_for() {
    let machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let (run, hold) = start_until_held(&machine, fault(Service::Pats, "POST", true));
    support::signal(&run, Signal::TERM);
    std::thread::sleep(Duration::from_secs(2));
    hold.release();
    machine.wait(run).expect(143);
    nothing_is_left(&machine, &[old]);
    assert_eq!(machine.pat_calls(), ["GET", "POST", "DELETE"], "there was no need to look for an orphan");
}

#[test]
fn a_running_post_that_never_ends_is_reconciled_after_four_seconds() {
    let machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let (run, hold) = start_until_held(&machine, fault(Service::Pats, "POST", true));
    let begun = Instant::now();
    support::signal(&run, Signal::TERM);
    machine.wait(run).expect(143);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(3_900) && took < Duration::from_secs(10), "{took:?}");
    hold.release();
    nothing_is_left(&machine, &[old]);
    assert_eq!(
        machine.pat_calls(),
        ["GET", "POST", "GET", "DELETE"],
        "what was found is not looked for again"
    );
}

#[test]
fn a_cancelled_run_says_what_may_come_to_be_and_waits_for_it() {
    let machine = creating();
    let now = machine.emulator.now();
    let theirs = machine.emulator.add_pat(NewPat::named("nightly").valid_from(now));
    let hold = machine.emulator.order(fault(Service::Pats, "POST", false));
    let run = machine.follow();
    assert!(hold.wait_until_held(Duration::from_secs(20)), "the request came");
    support::signal(&run.child, Signal::TERM);
    let line = run.line_with("may still come to be");
    let asked = machine.sent("POST")[0]["validTo"].as_str().expect("text").to_owned();
    for text in ["'nightly'", "vso.code", asked.as_str()] {
        assert!(line.contains(text), "{line}");
    }
    std::thread::sleep(Duration::from_secs(6));
    hold.release();
    machine.end(run).expect(143);
    nothing_is_left(&machine, &[theirs]);
}

#[test]
fn a_post_that_is_acted_on_only_after_the_cancellation_leaves_nothing() {
    let machine = creating();
    let (run, hold) = start_until_held(&machine, fault(Service::Pats, "POST", false));
    support::signal(&run, Signal::INT);
    std::thread::sleep(Duration::from_secs(1));
    hold.release();
    machine.wait(run).expect(130);
    nothing_is_left(&machine, &[]);
}

#[rstest]
#[case::signing_in(Service::Entra, "POST")]
#[case::reading(Service::Pats, "GET")]
#[case::asking(Service::Pats, "POST")]
fn a_run_that_merely_waits_ends_at_once(
    #[case] service: Service,
    #[case] method: &str,
    #[values(Signal::INT, Signal::TERM)] signal: Signal,
) {
    let machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let wait = RetryAfter::Seconds(120);
    let hold = machine.emulator.order(Fault::on(service).method(method).throttle(wait).always());
    let run = machine.spawn();
    assert!(hold.wait_until_struck(Duration::from_secs(20)));
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    support::signal(&run, signal);
    machine.wait(run).expect(code_of(signal));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    nothing_is_left(&machine, &[old]);
}

#[rstest]
#[case::reading(Service::Pats, "GET")]
#[case::signing_in(Service::Entra, "POST")]
fn a_run_that_waits_for_an_answer_ends_at_once(#[case] service: Service, #[case] method: &str) {
    let machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let (run, hold) = start_until_held(&machine, fault(service, method, false));
    let begun = Instant::now();
    support::signal(&run, Signal::TERM);
    machine.wait(run).expect(143);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    hold.release();
    nothing_is_left(&machine, &[old]);
}

#[test]
fn a_second_signal_changes_neither_the_code_nor_the_clean_up() {
    let machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let clean_up = machine.emulator.order(fault(Service::Pats, "DELETE", false));
    let (run, post) = start_until_held(&machine, fault(Service::Pats, "POST", true));
    support::signal(&run, Signal::INT);
    std::thread::sleep(APART);
    post.release();
    assert!(clean_up.wait_until_held(Duration::from_secs(20)), "it is revoking what was made");
    for signal in [Signal::TERM, Signal::INT] {
        support::signal(&run, signal);
        std::thread::sleep(APART);
    }
    clean_up.release();
    machine.wait(run).expect(130);
    nothing_is_left(&machine, &[old]);
}

#[test]
fn a_cancelled_run_whose_clean_up_fails_names_what_lives_and_is_not_called_cancelled() {
    let machine = creating();
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").internal_error().always());
    let (run, hold) = start_until_held(&machine, fault(Service::Pats, "POST", true));
    let ended = signal_and_wait(&machine, run, &hold, Signal::TERM);
    let [pat] = machine.active("nightly").try_into().expect("it lives");
    ended.expect(6).says("may still be alive").says(&pat.authorization_id.to_string());
}

#[test]
fn a_cancelled_run_that_cannot_look_for_what_it_made_says_what_to_look_for() {
    let machine = creating();
    machine.emulator.order(Fault::on(Service::Pats).method("GET").internal_error().always());
    let (run, hold) = start_until_held(&machine, fault(Service::Pats, "POST", true));
    support::signal(&run, Signal::TERM);
    let ended = machine.wait(run);
    hold.release();
    ended.expect(6).says("The run was cancelled.").says("could not tell whether 'nightly' (");
    ended.says("'adopat list'").says("duplicates set to revoke");
    let mut again = machine;
    again.emulator.clear_faults();
    again.run_as("rotate").input("duplicates", "revoke").input("if-missing", "create");
    again.run().expect(0);
    assert_eq!(again.active("nightly").len(), 1, "the orphan is gone");
}

#[rstest]
#[case("revoke", "DELETE")]
#[case("update", "PUT")]
#[case("list", "GET")]
fn the_other_operations_end_too(#[case] operation: &str, #[case] method: &str) {
    let mut machine = rotating();
    machine.run_as(operation).input("new-display-name", "weekly");
    machine.emulator.add_pat(NewPat::named("nightly"));
    let (run, hold) = start_until_held(&machine, fault(Service::Pats, method, false));
    let begun = Instant::now();
    support::signal(&run, Signal::TERM);
    machine.wait(run).expect(143);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    hold.release();
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_was_started_to_outlive_its_terminal_does() {
    let machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let hold = machine.emulator.order(fault(Service::Pats, "POST", true));
    let run = machine.spawn_ignoring("HUP");
    assert!(hold.wait_until_held(Duration::from_secs(20)), "the request came");
    let ended = signal_and_wait(&machine, run, &hold, Signal::HUP);
    ended.expect(0);
    let [new] = machine.active("nightly").try_into().expect("one is active");
    assert_ne!(new.authorization_id, old.authorization_id);
    assert_eq!(machine.outputs(&ended)["token"], new.value);
}

#[test]
fn a_run_whose_terminal_is_gone_cleans_up_though_nobody_reads_its_words() {
    let mut machine = creating();
    // On this host no secret goes to the terminal, so that it is gone is no reason to fail.
    machine.unset("GITHUB_ACTIONS").input("output-file", "pat");
    let hold = machine.emulator.order(fault(Service::Pats, "POST", true));
    let (ours, theirs) = support::terminal();
    let mut command = machine.command();
    command.stdout(theirs.try_clone().expect("a terminal")).stderr(theirs);
    let mut run = command.spawn().expect("the binary starts");
    drop(command);
    assert!(hold.wait_until_held(Duration::from_secs(20)), "the request came");
    drop(ours);
    support::signal(&run, Signal::HUP);
    std::thread::sleep(APART);
    hold.release();
    assert_eq!(run.wait().expect("it ends").code(), Some(129));
    nothing_is_left(&machine, &[]);
    assert!(!machine.path("pat").exists());
}
