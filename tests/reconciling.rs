//! A `POST` whose answer was lost: what it made is found by its fingerprint, now or in a moment, and revoked; what
//! somebody else made is not touched.

mod support;

use std::time::Duration;

use adopat_emulator::{Fault, NewPat, Pat, PatStatus, Policies, RetryAfter, Service, cast};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::Value;
use support::{Ended, Host, Machine};

fn creating() -> Machine {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine
}

fn post() -> Fault {
    Fault::on(Service::Pats).method("POST")
}

/// Another job's PAT of the same name and scope, made just now.
fn neighbours(machine: &Machine) -> Pat {
    let now = machine.emulator.now();
    let end = now + SignedDuration::from_hours(30 * 24);
    machine.emulator.add_pat(NewPat::named("nightly").valid_from(now).valid_to(end))
}

/// Exactly one PAT that the run made is alive, the delivered one; the neighbour's is as it was.
#[track_caller]
fn one_is_left_beside(machine: &Machine, theirs: &Pat, ended: &Ended) -> Pat {
    assert_eq!(machine.emulator.pat(theirs.authorization_id).as_ref(), Some(theirs), "{}", ended.words());
    let mut alive = machine.active("nightly");
    alive.retain(|pat| pat.authorization_id != theirs.authorization_id);
    let [ours] = alive.try_into().unwrap_or_else(|alive| panic!("{alive:?}:\n{}", ended.words()));
    assert_eq!(machine.outputs(ended)["token"], ours.value);
    ours
}

const PAGE: &[(&str, &str)] = &[("Content-Type", "text/html")];

#[rstest]
#[case::soon_after_502(post().answer(502, PAGE, "<html>"), 100)]
#[case::after_503(post().unavailable(), 3_000)]
#[case::after_503_that_asks_to_wait(post().answer(503, &[("Retry-After", "1")], ""), 9_000)]
#[case::at_the_very_end_after_504(post().answer(504, PAGE, "<html>"), 14_800)]
#[case::after_408(post().answer(408, PAGE, ""), 6_000)]
#[case::after_a_reset(post().reset(), 2_000)]
fn a_pat_that_comes_to_be_later_than_the_error_is_found_and_revoked(#[case] fault: Fault, #[case] late: u64) {
    let machine = creating();
    let theirs = neighbours(&machine);
    machine.emulator.order(fault.acts_late(Duration::from_millis(late)));
    let ended = machine.run();
    ended.expect(0).says("an earlier request of this run had made it");
    one_is_left_beside(&machine, &theirs, &ended);
    let revoked = machine.emulator.pats().iter().filter(|pat| pat.status == PatStatus::Revoked).count();
    assert_eq!(revoked, 1, "it came to be, and is gone");
}

#[test]
fn a_pat_that_the_list_shows_only_later_is_found_and_revoked() {
    let machine = creating();
    let lagging = Policies { listed_after: Duration::from_secs(5), ..Policies::default() };
    machine.emulator.set_policies(cast::ORGANIZATION, lagging);
    machine.emulator.order(post().lose_answer());
    let theirs = neighbours(&machine);
    let ended = machine.run();
    ended.expect(0);
    one_is_left_beside(&machine, &theirs, &ended);
    assert_eq!(machine.pat_calls().iter().filter(|method| *method == "POST").count(), 2);
}

#[rstest]
fn what_a_neighbour_made_a_moment_ago_is_not_touched(
    #[values(post().internal_error(), post().reset())] fault: Fault,
    #[values("create", "rotate")] operation: &str,
) {
    let mut machine = creating();
    machine.run_as(operation).input("if-missing", "create").input("duplicates", "revoke");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_before().nth(2));
    machine.emulator.order(fault);
    let run = machine.spawn();
    while machine.pat_calls().iter().all(|method| method != "POST") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let theirs = neighbours(&machine);
    hold.release();
    let ended = machine.wait(run);
    ended.expect(0).says(&theirs.authorization_id.to_string()).says("could not tell which");
    one_is_left_beside(&machine, &theirs, &ended);
}

#[test]
fn each_request_has_a_fingerprint_of_its_own_in_the_services_steps() {
    let mut machine = creating();
    machine.input("lifetime", "1h").input("timeout", "90s");
    machine.emulator.order(post().answer(503, &[("Retry-After", "1")], "").times(2));
    let before = machine.emulator.now();
    machine.run().expect(0);
    let ends: Vec<Timestamp> = machine
        .sent("POST")
        .iter()
        .map(|body| body["validTo"].as_str().expect("text").parse().expect("RFC 3339"))
        .collect();
    assert_eq!(ends.len(), 3);
    for (number, end) in ends.iter().enumerate() {
        let early = (before + SignedDuration::from_hours(1)).duration_since(*end);
        assert!(early > SignedDuration::from_secs(-10) && early < SignedDuration::from_secs(13), "{early}");
        assert!(matches!(end.as_millisecond() % 10, 0 | 3 | 7), "{end} is on a step of 1/300 s");
        assert!(!ends[..number].contains(end), "{ends:?}");
    }
}

#[test]
fn what_a_policy_gave_another_end_is_named_and_not_revoked() {
    let machine = creating();
    let day = Policies { longest_lifespan: Some(Duration::from_secs(86_400)), ..Policies::default() };
    machine.emulator.set_policies(cast::ORGANIZATION, day);
    machine.emulator.order(post().lose_answer());
    let ended = machine.run();
    let [first, second] = machine.active("nightly").try_into().expect("both live");
    ended.expect(0).says(&first.authorization_id.to_string()).says("'adopat revoke'");
    assert_eq!(machine.outputs(&ended)["token"], second.value);
}

#[test]
fn where_the_service_keeps_whole_seconds_a_pat_is_named_and_never_guessed() {
    let machine = creating();
    machine.emulator.order(post().lose_answer());
    let whole = regex_lite::Regex::new(r#"("validTo":"[^".Z]*)[^"]*""#).expect("a regular expression");
    let list = Fault::on(Service::Pats).method("GET").rewrite(move |answer| {
        answer.map(|body| {
            let text = String::from_utf8_lossy(&body).into_owned();
            whole.replace_all(&text, "${1}Z\"").into_owned().into()
        })
    });
    machine.emulator.order(list.always());
    let ended = machine.run();
    let [first, second] = machine.active("nightly").try_into().expect("both live");
    ended.expect(0).says(&first.authorization_id.to_string()).says("could not tell which");
    assert_eq!(machine.outputs(&ended)["token"], second.value);
}

#[test]
fn of_several_that_bear_the_fingerprint_none_is_revoked_and_each_is_named() {
    let machine = creating();
    let hold = machine.emulator.order(post().hold_after().lose_answer());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let [first] = machine.active("nightly").try_into().expect("it was made");
    let twin = NewPat::named("nightly").valid_from(machine.emulator.now()).valid_to(first.valid_to);
    let twin = machine.emulator.add_pat(twin);
    hold.release();
    let ended = machine.wait(run);
    ended.expect(0).says(&first.authorization_id.to_string()).says(&twin.authorization_id.to_string());
    assert_eq!(machine.active("nightly").len(), 3, "nothing is revoked");
}

#[test]
fn a_machine_whose_clock_is_years_off_knows_its_own_all_the_same() {
    let emulator =
        adopat_emulator::Emulator::builder().clock_offset(SignedDuration::from_hours(-9_000)).start();
    let mut machine = Machine::with(emulator, Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.emulator.order(post().lose_answer());
    let theirs = neighbours(&machine);
    let ended = machine.run();
    ended.expect(0);
    one_is_left_beside(&machine, &theirs, &ended);
}

#[test]
fn a_command_is_started_only_once_what_was_lost_is_revoked() {
    let mut machine = Machine::new(Host::Generic, "exec");
    machine.arguments(&["exec", "--", "/bin/sh", "-c", "exit 7"]);
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.emulator.order(post().lose_answer());
    machine.emulator.order(post().answer(504, PAGE, "").acts_late(Duration::from_secs(4)));
    let theirs = neighbours(&machine);
    machine.run().expect(7);
    let [only] = machine.active("nightly").try_into().expect("the neighbour's");
    assert_eq!(only.authorization_id, theirs.authorization_id);
    assert_eq!(machine.emulator.pats().len(), 4, "there were three of the run");
}

#[rstest]
#[case::the_answer_was_lost(post().lose_answer().always())]
#[case::it_never_got_there(post().unavailable().always())]
fn a_run_that_gives_up_leaves_nothing_and_touches_nothing(#[case] fault: Fault) {
    let mut machine = creating();
    machine.input("timeout", "5s");
    machine.emulator.order(fault);
    let theirs = neighbours(&machine);
    machine.run().expect(6);
    assert_eq!(machine.active("nightly"), [theirs]);
}

#[test]
fn a_service_that_refuses_by_name_has_refused_whatever_the_status() {
    let machine = creating();
    let body = serde_json::json!({"patToken": Value::Null, "patTokenError": "failedToReadTenantPolicy"});
    machine.emulator.order(post().answer(500, &[("Content-Type", "application/json")], body.to_string()));
    machine.run().says("failedToReadTenantPolicy");
    assert_eq!(machine.pat_calls(), ["POST"], "there is nothing to look for");
}

#[test]
fn a_retry_after_is_waited_for_before_the_look() {
    let machine = creating();
    machine
        .emulator
        .order(post().instead(adopat_emulator::Instead::Unavailable(Some(RetryAfter::Seconds(2)))));
    let begun = std::time::Instant::now();
    machine.run().expect(0);
    assert!(begun.elapsed() >= Duration::from_millis(1_900));
    assert_eq!(machine.pat_calls()[..3], ["POST", "GET", "POST"]);
}
