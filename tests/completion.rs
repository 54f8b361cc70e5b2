//! `revoke-on-completion`: what a step saves for the job's last step, and what that step does with it.

mod support;

use std::time::Duration;

use adopat_emulator::{Emulator, Fault, NewPat, PatStatus, RefusalShape, RetryAfter, Service};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::Value;
use support::{Host, Machine, azure_agent, github_runner};

fn starting(host: Host, operation: &str) -> Machine {
    let mut machine = Machine::new(host, operation);
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.input("revoke-on-completion", "true").set("ADOPAT_LAUNCHER", "1");
    machine
}

fn post() -> Fault {
    Fault::on(Service::Pats).method("POST")
}

/// What was saved so far, the last on top.
fn saved(host: Host, machine: &Machine, stdout: &str) -> Vec<Value> {
    let texts: Vec<String> = match host {
        Host::GitHub => {
            let pairs = github_runner::pairs(&machine.read("GITHUB_STATE")).expect("pairs");
            pairs.into_iter().filter(|(name, _)| name == "adopat_pending").map(|(_, text)| text).collect()
        }
        _ => azure_agent::commands(stdout, true)
            .into_iter()
            .filter(|command| command.name == "task.settaskvariable")
            .map(|command| command.data)
            .collect(),
    };
    texts.iter().rev().map(|text| serde_json::from_str(text).expect("JSON")).collect()
}

/// As the host hands it to the last step.
fn hand_back(host: Host, machine: &mut Machine, saved: &Value) {
    let name = if host == Host::GitHub { "STATE_adopat_pending" } else { "VSTS_TASKVARIABLE_ADOPAT_PENDING" };
    machine.set(name, saved.to_string());
}

#[rstest]
fn the_last_step_revokes_what_the_step_minted(
    #[values(Host::GitHub, Host::Azure)] host: Host,
    #[values("create", "rotate")] operation: &str,
) {
    let mut machine = starting(host, operation);
    if operation == "rotate" {
        machine.emulator.add_pat(NewPat::named("nightly"));
    }
    let ended = machine.run();
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    let saved = saved(host, &machine, &ended.stdout);
    assert_eq!(saved.len(), 2, "before the POST, and once the id is known");
    assert_eq!(saved[1][0]["authorization-id"], Value::Null);
    assert_eq!(saved[1][0]["display-name"], "nightly");
    assert_eq!(saved[0][0]["authorization-id"], *pat.authorization_id.to_string());
    hand_back(host, &mut machine, &saved[0]);
    machine.run_as("complete").run().expect(0).says("Revoked the PAT 'nightly'");
    assert!(machine.active("nightly").is_empty());
}

#[rstest]
#[case::before_the_service_acts(false)]
#[case::after_it_acted(true)]
fn even_the_pat_of_a_run_that_was_killed_is_found(#[case] acted_on: bool) {
    let mut machine = starting(Host::GitHub, "create");
    let fault = Fault::on(Service::Pats).method("POST");
    let hold = machine.emulator.order(if acted_on { fault.hold_after() } else { fault.hold_before() });
    let mut run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let saved = saved(Host::GitHub, &machine, "");
    assert_eq!(saved.len(), 1, "it is saved before the POST");
    run.kill().expect("killed");
    machine.wait(run);
    hold.release();
    std::thread::sleep(Duration::from_millis(200));
    hand_back(Host::GitHub, &mut machine, &saved[0]);
    machine.run_as("complete").run().expect(0);
    assert!(machine.active("nightly").is_empty());
}

#[rstest]
#[case::nothing_was_saved(None)]
#[case::nothing_that_can_be_read(Some("{"))]
fn with_nothing_to_revoke_the_last_step_is_silent(#[case] saved: Option<&str>) {
    let mut machine = starting(Host::GitHub, "create");
    if let Some(text) = saved {
        machine.set("STATE_adopat_pending", text);
    }
    let ended = machine.run_as("complete").run();
    ended.expect(0);
    assert_eq!(ended.words(), "");
    assert!(machine.calls().is_empty());
}

#[test]
fn where_a_job_had_no_inputs_the_last_step_does_not_say_it_again() {
    let mut machine = starting(Host::GitHub, "create");
    machine.without("organization").without("credential-store");
    let ended = machine.run_as("complete").run();
    ended.expect(0);
    assert_eq!(ended.words(), "");
}

#[test]
fn a_pat_that_is_gone_already_is_nothing_to_say() {
    let mut machine = starting(Host::GitHub, "create");
    let gone = machine.emulator.add_pat(NewPat::named("nightly").status(PatStatus::Revoked));
    let saved = serde_json::json!([{
        "display-name": "nightly", "scope": "vso.code", "valid-to": gone.valid_to.to_string(),
        "authorization-id": gone.authorization_id,
    }]);
    hand_back(Host::GitHub, &mut machine, &saved);
    let ended = machine.run_as("complete").run();
    ended.expect(0);
    assert_eq!(ended.words(), "");
}

#[rstest]
#[case::the_service_fails("DELETE")]
#[case::nobody_can_sign_in("POST")]
#[case::the_inputs_are_wrong("inputs")]
fn a_last_step_that_cannot_revoke_warns_and_fails_no_job(#[case] what: &str) {
    let mut machine = starting(Host::Azure, "create");
    let ended = machine.run();
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    let saved = saved(Host::Azure, &machine, &ended.stdout);
    hand_back(Host::Azure, &mut machine, &saved[0]);
    match what {
        "DELETE" => drop(machine.emulator.order(Fault::on(Service::Pats).internal_error().always())),
        "POST" => drop(machine.emulator.order(Fault::on(Service::Entra).internal_error().always())),
        _ => drop(machine.without("client-id")),
    }
    let ended = machine.run_as("complete").run();
    ended.expect(0).says(&pat.authorization_id.to_string()).says("may still be alive");
    assert!(ended.stdout.contains("##vso[task.logissue type=warning]"));
    assert!(!ended.stdout.contains("type=error"));
}

#[test]
fn the_last_step_revokes_nothing_else_of_that_name() {
    let mut machine = starting(Host::GitHub, "create");
    let other = machine.emulator.add_pat(NewPat::named("nightly"));
    let ended = machine.run();
    ended.expect(0);
    let saved = saved(Host::GitHub, &machine, "");
    for text in [&saved[1], &saved[0]] {
        hand_back(Host::GitHub, &mut machine, text);
        machine.run_as("complete").run().expect(0);
        let left: Vec<_> = machine.active("nightly").iter().map(|pat| pat.authorization_id).collect();
        assert_eq!(left, [other.authorization_id]);
    }
}

/// What an earlier attempt of the step left, which the host hands back too.
fn left_by_an_earlier_attempt(machine: &mut Machine, host: Host) {
    let gone = |name: &str| {
        let gone = machine.emulator.add_pat(NewPat::named(name).status(PatStatus::Revoked));
        serde_json::json!({
            "display-name": name, "scope": "vso.code", "valid-to": gone.valid_to.to_string(),
            "authorization-id": gone.authorization_id,
        })
    };
    let left = serde_json::json!([gone("nightly"), gone("nightly")]);
    hand_back(host, machine, &left);
}

#[rstest]
#[case::forbidden(post().answer(403, &[], ""), 4)]
#[case::throttled_for_long(post().throttle(RetryAfter::Seconds(3600)), 6)]
#[case::by_policy(post().pat_token_error("disablePatCreationPolicyViolation", RefusalShape::Ok), 4)]
#[case::by_policy_as_400(post().pat_token_error("invalidScope", RefusalShape::BadRequest), 4)]
#[case::lost_and_found(post().lose_answer().times(4), 6)]
#[case::lost_and_never_there(post().reset().always(), 6)]
#[case::rolled_back(Fault::on(Service::DevOps).answer(401, &[], "").always(), 7)]
fn where_the_step_left_nothing_the_last_step_signs_in_nowhere_and_revokes_nothing(
    #[case] fault: Fault,
    #[case] code: i32,
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    let mut machine = starting(host, "create");
    // One request for a PAT, and no time for another.
    machine.input("timeout", "4s");
    if code == 7 {
        machine.input("verify", "require").input("timeout", "8s");
    }
    let theirs = machine.emulator.add_pat(NewPat::named("nightly").valid_from(machine.emulator.now()));
    machine.emulator.order(fault);
    let ended = machine.run();
    ended.expect(code);
    let saved = saved(host, &machine, &ended.stdout);
    assert_eq!(saved[0], serde_json::json!([]), "nothing is pending");
    assert_ne!(saved[1], serde_json::json!([]), "it was");
    let theirs_again = machine.emulator.add_pat(NewPat::named("nightly").valid_from(machine.emulator.now()));
    hand_back(host, &mut machine, &saved[0]);
    machine.emulator.clear_requests();
    let ended = machine.run_as("complete").run();
    ended.expect(0);
    assert_eq!(ended.words(), "");
    assert!(machine.calls().is_empty());
    assert_eq!(machine.active("nightly"), [theirs, theirs_again]);
}

#[rstest]
fn what_an_earlier_attempt_left_is_settled_with_a_success_and_kept_with_a_refusal(
    #[values(true, false)] refused: bool,
    #[values("create", "rotate")] operation: &str,
) {
    let host = Host::Azure;
    let mut machine = starting(host, operation);
    machine.input("if-missing", "create");
    left_by_an_earlier_attempt(&mut machine, host);
    if refused {
        machine.emulator.order(post().answer(403, &[], ""));
    }
    let ended = machine.run();
    ended.expect(if refused { 4 } else { 0 });
    let saved = saved(host, &machine, &ended.stdout);
    let pending = saved[0].as_array().expect("an array");
    if refused {
        assert_eq!(pending.len(), 2, "those of the attempt before");
        assert!(pending.iter().all(|each| each["authorization-id"].is_string()));
    } else {
        let [only] = machine.active("nightly").try_into().expect("one");
        assert_eq!(pending.len(), 1, "{pending:?}");
        assert_eq!(pending[0]["authorization-id"], *only.authorization_id.to_string());
    }
}

#[rstest]
fn the_last_step_of_a_killed_run_waits_for_a_pat_that_is_late_and_leaves_a_neighbours(
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    let mut machine = starting(host, "create");
    let hold = machine.emulator.order(post().hold_before());
    let mut run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    run.kill().expect("killed");
    let ended = machine.wait(run);
    let saved = saved(host, &machine, &ended.stdout);
    let asked = machine.sent("POST")[0]["validTo"].as_str().expect("text").to_owned();
    assert_eq!(saved[0][0]["valid-to"], asked, "its fingerprint is saved before the request is sent");
    assert_eq!(saved[0][0]["scope"], "vso.code");
    let theirs = machine.emulator.add_pat(NewPat::named("nightly").valid_from(machine.emulator.now()));
    hand_back(host, &mut machine, &saved[0]);
    machine.run_as("complete");
    let last = machine.spawn();
    std::thread::sleep(Duration::from_secs(4));
    hold.release();
    machine.wait(last).expect(0).says("the step that asked for it ended before the answer came.");
    assert_eq!(machine.active("nightly"), [theirs]);
}

/// The machine's clock is so far off for the step, and otherwise for the last step: it is the services' that is moved.
#[rstest]
#[case::set_right_between(20, 20)]
#[case::set_back_between(0, 30)]
fn a_machines_clock_that_is_changed_before_the_last_step_hides_no_pat(
    #[case] ahead: i64,
    #[case] back: i64,
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let emulator = Emulator::builder().clock_offset(days(-ahead)).start();
    let mut machine = Machine::with(emulator, host, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code").input("lifetime", "90d");
    machine.input("revoke-on-completion", "true").set("ADOPAT_LAUNCHER", "1");
    let hold = machine.emulator.order(post().hold_after());
    let mut run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    run.kill().expect("killed");
    let ended = machine.wait(run);
    hold.release();
    let saved = saved(host, &machine, &ended.stdout);
    assert_eq!(machine.active("nightly").len(), 1, "it was made, and its answer was lost");
    machine.emulator.advance(days(back));
    let theirs = machine.emulator.add_pat(NewPat::named("nightly").valid_from(machine.emulator.now()));
    hand_back(host, &mut machine, &saved[0]);
    machine.run_as("complete").run().expect(0).says("Revoked the PAT");
    assert_eq!(machine.active("nightly"), [theirs]);
}

#[rstest]
#[case::without_the_launcher(Host::GitHub, "ADOPAT_LAUNCHER")]
#[case::without_a_state_file(Host::GitHub, "GITHUB_STATE")]
#[case::on_a_host_without_a_last_step(Host::Generic, "")]
fn where_there_is_no_last_step_nothing_is_sent(
    #[case] host: Host,
    #[case] missing: &str,
    #[values("create", "rotate")] operation: &str,
) {
    let mut machine = starting(host, operation);
    let file = machine.path("pat.json");
    machine.unset(missing).input("output-file", file).run().expect(2).says("'revoke-on-completion' needs");
    assert!(machine.calls().is_empty());
}

#[test]
fn a_retried_attempt_retires_what_the_attempt_before_left() {
    let mut machine = starting(Host::Azure, "create");
    let ended = machine.run();
    let first = machine.active("nightly");
    let saved = saved(Host::Azure, &machine, &ended.stdout);
    hand_back(Host::Azure, &mut machine, &saved[0]);
    machine.run().expect(0);
    let [only] = machine.active("nightly").try_into().expect("one is left");
    assert_ne!(only.authorization_id, first[0].authorization_id);
}

#[rstest]
fn the_last_step_repeats_no_warning_and_is_handed_no_refresh_token_that_comes_back(
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    let mut machine = starting(host, "create");
    let seed = machine.emulator.refresh_token();
    machine.without("credential-store").input("refresh-token", &seed);
    machine.set("ADOPAT_TYPO", "x");
    let ended = machine.run();
    ended.expect(0).says("ADOPAT_TYPO").says("goes nowhere");
    assert!(
        !machine.read("GITHUB_STATE").contains("adopat_refresh_token"),
        "{}",
        machine.read("GITHUB_STATE")
    );
    assert!(!ended.stdout.contains("adopat_refresh_token"), "{}", ended.stdout);
    let saved = saved(host, &machine, &ended.stdout);
    hand_back(host, &mut machine, &saved[0]);
    let last = machine.run_as("complete").run();
    last.expect(0).says("Revoked the PAT 'nightly'");
    for word in ["ADOPAT_TYPO", "goes nowhere"] {
        assert!(!last.words().contains(word), "{word} is told again: {}", last.words());
    }
}
