//! The main job: an environment in, a masked secret out.

mod support;

use adopat_emulator::{Fault, NewPat, PatStatus, RefusalShape, RetryAfter, Service};
use rstest::rstest;
use support::{Host, Machine};

fn creating(host: Host) -> Machine {
    let mut machine = Machine::new(host, "create");
    machine.input("display-name", "nightly").input("scope", "vso.packaging vso.code");
    machine
}

fn rotating(host: Host) -> Machine {
    let mut machine = Machine::new(host, "rotate");
    machine.input("display-name", "nightly");
    machine
}

#[test]
fn create_on_github_masks_the_pat_first_and_hands_it_over_as_a_step_output() {
    let mut machine = creating(Host::GitHub);
    let ended = machine.input("variable", "FEED_PAT").run();
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one PAT");
    assert_eq!(pat.scope, "vso.code vso.packaging");
    let mask = format!("::add-mask::{}", pat.value);
    assert!(ended.stdout.lines().any(|line| line == mask));
    let outputs = machine.read("GITHUB_OUTPUT");
    assert!(outputs.contains(&format!("\n{}\n", pat.value)), "the token is an output");
    assert!(outputs.contains("changed<<") && outputs.contains("\ntrue\n"));
    assert!(machine.read("GITHUB_ENV").starts_with("FEED_PAT<<"));
    assert!(machine.read("GITHUB_STEP_SUMMARY").contains("nightly"));
    assert_eq!(machine.calls(), ["Entra POST", "Pats POST"], "a create is two requests");
}

#[test]
fn create_on_azure_pipelines_sets_a_secret_variable_and_on_request_an_output_variable() {
    let mut machine = creating(Host::Azure);
    let ended = machine.input("output-variable", "token").run();
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one PAT");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let at =
        |wanted: String| lines.iter().position(|line| *line == wanted).unwrap_or_else(|| panic!("{wanted}"));
    let mask = at(format!("##vso[task.setsecret]{}", pat.value));
    let plain = at(format!("##vso[task.setvariable variable=ADO_PAT;issecret=true]{}", pat.value));
    let output =
        at(format!("##vso[task.setvariable variable=token;issecret=true;isoutput=true]{}", pat.value));
    let id =
        at(format!("##vso[task.setvariable variable=authorizationId;isoutput=true]{}", pat.authorization_id));
    assert!(mask < plain && plain < output && output < id);
}

#[test]
fn rotate_creates_the_new_pat_before_it_revokes_the_old_one() {
    let machine = rotating(Host::GitHub);
    let old = machine.emulator.add_pat(NewPat::named("nightly").scope("vso.build"));
    machine.run().expect(0);
    assert_eq!(
        machine.calls(),
        ["Entra POST", "Pats GET", "Pats POST", "Pats DELETE"],
        "a rotation by name is four requests"
    );
    let [new] = machine.active("nightly").try_into().expect("one PAT");
    assert_ne!(new.authorization_id, old.authorization_id);
    assert_eq!(new.scope, "vso.build");
    assert!(machine.read("GITHUB_OUTPUT").contains(&new.value));
    assert!(machine.read("GITHUB_OUTPUT").contains(&format!("\n{}\n", old.authorization_id)));
}

#[test]
fn the_rolled_refresh_token_is_stored_before_the_pat_service_is_asked() {
    let machine = creating(Host::GitHub);
    let before = machine.read("refresh-token");
    let hold = machine.emulator.order(Fault::on(Service::Pats).hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(std::time::Duration::from_secs(20)));
    let rolled = machine.read("refresh-token");
    assert_ne!(rolled, before);
    assert!(machine.emulator.refresh_token_is_valid(rolled.trim()));
    hold.release();
    machine.wait(run).expect(0);
    #[cfg(unix)]
    assert_eq!(support::mode(&machine.store()), 0o600);
}

#[test]
fn a_store_under_a_key_is_never_readable_and_serves_the_next_run() {
    let mut machine = creating(Host::GitHub);
    let seed = machine.read("refresh-token");
    std::fs::remove_file(machine.store()).expect("removed");
    machine.input("refresh-token", seed).input("store-key", "a passphrase of contoso");
    machine.run().expect(0);
    let sealed = std::fs::read(machine.store()).expect("stored");
    let text = String::from_utf8_lossy(&sealed);
    assert!(machine.emulator.issued_secrets().iter().all(|secret| !text.contains(secret.as_str())));
    machine.without("refresh-token");
    machine.run().expect(0);
    machine.input("store-key", "another passphrase").run().expect(3).says("store-key");
    assert_eq!(std::fs::read(machine.store()).expect("stored").len(), sealed.len(), "it is left untouched");
}

#[test]
fn without_a_store_the_run_names_the_day_on_which_the_chain_may_end() {
    let mut machine = creating(Host::Azure);
    let seed = machine.read("refresh-token");
    machine.without("credential-store").input("refresh-token", seed);
    machine.run().expect(0).says("90 days from now");
}

#[test]
fn an_unwritable_output_file_leaves_the_old_pat_and_revokes_the_new_one() {
    let mut machine = rotating(Host::GitHub);
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let ended = machine.run_whose_output_file_fails_after_minting();
    ended.expect(7).says("has been revoked");
    let [only] = machine.active("nightly").try_into().expect("one PAT");
    assert_eq!(only.authorization_id, old.authorization_id);
    assert_eq!(only.valid_to, old.valid_to);
    assert!(!machine.read("GITHUB_OUTPUT").contains("token"), "a run that failed sets no token");
}

#[rstest]
#[case::the_answer_is_lost(Fault::on(Service::Pats).method("POST").lose_answer())]
#[case::the_answer_is_cut_short(Fault::on(Service::Pats).method("POST").cut_after(20))]
#[case::the_answer_is_not_whole(Fault::on(Service::Pats).method("POST").truncate())]
#[case::the_answer_is_too_large(Fault::on(Service::Pats).method("POST").oversize())]
#[case::the_answer_is_something_else(Fault::on(Service::Pats).method("POST").body("not json"))]
fn a_post_whose_answer_is_lost_leaves_exactly_one_pat_the_delivered_one(
    #[case] fault: Fault,
    #[values("create", "rotate")] operation: &str,
) {
    let machine = if operation == "create" { creating(Host::GitHub) } else { rotating(Host::GitHub) };
    if operation == "rotate" {
        machine.emulator.add_pat(NewPat::named("nightly"));
    }
    machine.emulator.order(fault);
    machine.run().expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one PAT");
    assert!(machine.read("GITHUB_OUTPUT").contains(&pat.value));
    let posts = machine.pat_calls().iter().filter(|method| *method == "POST").count();
    assert_eq!(posts, 2);
}

#[rstest]
#[case(RetryAfter::Seconds(1))]
#[case(RetryAfter::DateIn(2))]
fn a_429_is_waited_for(#[case] wait: RetryAfter, #[values("GET", "POST", "DELETE")] method: &str) {
    let machine = rotating(Host::Azure);
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.order(Fault::on(Service::Pats).method(method).throttle(wait));
    let begun = std::time::Instant::now();
    machine.run().expect(0);
    assert!(begun.elapsed() >= std::time::Duration::from_millis(900), "it waited");
    assert_eq!(machine.active("nightly").len(), 1);
}

#[rstest]
fn a_retry_after_beyond_the_timeout_fails_at_once(#[values("create", "rotate")] operation: &str) {
    let mut machine = if operation == "create" { creating(Host::Azure) } else { rotating(Host::Azure) };
    machine.input("timeout", "30s");
    machine.emulator.order(Fault::on(Service::Pats).throttle(RetryAfter::Seconds(3600)).always());
    let begun = std::time::Instant::now();
    let run = machine.run();
    run.expect(6).says("It asks to wait 3600 s").says("TF400733").says("'timeout'").says("ActivityId");
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "it did not wait for the timeout");
}

#[rstest]
#[case::sign_in_page(Fault::on(Service::Pats).sign_in_page().always(), 3, "sign-in page")]
#[case::sign_in_redirect(Fault::on(Service::Pats).sign_in_redirect().always(), 3, "sign-in page")]
#[case::internal_error(Fault::on(Service::Pats).internal_error().always(), 6, "failed (HTTP 500)")]
fn a_service_that_does_not_serve_is_explained(
    #[case] fault: Fault,
    #[case] code: i32,
    #[case] sentence: &str,
    #[values("create", "rotate")] operation: &str,
) {
    let machine = if operation == "create" { creating(Host::GitHub) } else { rotating(Host::GitHub) };
    machine.emulator.order(fault);
    machine.run().expect(code).says(sentence);
}

#[rstest]
#[case("globalPatPolicyViolation", 4, "Restrict global personal access token creation")]
#[case("fullScopePatPolicyViolation", 4, "app_token")]
#[case("patLifespanPolicyViolation", 4, "Enforce maximum")]
#[case("disablePatCreationPolicyViolation", 4, "Restrict personal access token creation")]
#[case("globalPATCreationBlocked", 4, "2026-12-01")]
#[case("invalidScope", 4, "Check the input scope")]
#[case("failedToReadTenantPolicy", 6, "later")]
#[case("authorizationNotFound", 5, "no such PAT")]
#[case("aRefusalThatNobodyKnowsYet", 4, "aRefusalThatNobodyKnowsYet")]
fn each_refusal_of_a_policy_has_its_sentence(
    #[case] error: &str,
    #[case] code: i32,
    #[case] sentence: &str,
    #[values(RefusalShape::Ok, RefusalShape::BadRequest, RefusalShape::Generic)] shape: RefusalShape,
) {
    let machine = creating(Host::GitHub);
    machine.emulator.refuse_next_pat_call("POST", error, shape);
    machine.run().expect(code).says(sentence).says(error).says("ActivityId");
    assert!(machine.active("nightly").is_empty());
}

#[test]
fn a_signal_before_delivery_revokes_what_was_minted() {
    let machine = rotating(Host::GitHub);
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(std::time::Duration::from_secs(20)));
    support::signal(&run, rustix::process::Signal::TERM);
    std::thread::sleep(std::time::Duration::from_millis(300));
    support::signal(&run, rustix::process::Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(300));
    hold.release();
    machine.wait(run).expect(143);
    let [only] = machine.active("nightly").try_into().expect("one PAT");
    assert_eq!(only.authorization_id, old.authorization_id);
    assert!(
        machine.emulator.pats().iter().any(|pat| pat.status == PatStatus::Revoked),
        "the new one was made"
    );
}

#[test]
fn a_signal_while_the_answer_never_comes_reconciles() {
    let machine = creating(Host::Azure);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(std::time::Duration::from_secs(20)));
    support::signal(&run, rustix::process::Signal::INT);
    machine.wait(run).expect(130);
    assert!(machine.active("nightly").is_empty());
    hold.release();
}

#[test]
fn a_retirement_that_fails_is_a_success_with_issues_that_names_the_pat() {
    let machine = rotating(Host::Azure);
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").internal_error().always());
    let ended = machine.run();
    ended.expect(0).says(&old.authorization_id.to_string()).says("still lives");
    assert!(ended.stdout.contains("##vso[task.complete result=SucceededWithIssues]"));
    assert_eq!(machine.active("nightly").len(), 2);
}

#[test]
fn every_trace_of_every_crate_shows_no_secret() {
    let mut machine = rotating(Host::Azure);
    machine.emulator.add_pat(NewPat::named("nightly"));
    let ended = machine.input("log", "trace").run();
    ended.expect(0);
    assert!(ended.stderr.contains("Pats") || ended.stderr.contains("/_apis/tokens/pats"), "it does trace");
}
