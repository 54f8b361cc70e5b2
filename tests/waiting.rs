//! What is tried again, what is waited for, and for how long.

mod support;

use std::time::{Duration, Instant};

use adopat_emulator::{Emulator, Fault, NewPat, Organization, Recorded, RetryAfter, Service, cast};
use rstest::rstest;
use support::{Host, Machine};

fn rotating() -> Machine {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    machine.input("display-name", "nightly");
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine
}

fn count(machine: &Machine, service: Service, method: &str) -> usize {
    let requests = machine.emulator.requests_to(service);
    requests.iter().filter(|request: &&Recorded| request.method == method).count()
}

#[rstest]
fn what_can_be_repeated_is(
    #[values((Service::Entra, "POST"), (Service::Pats, "GET"), (Service::Pats, "DELETE"))] request: (
        Service,
        &str,
    ),
    #[values("reset", "500", "503", "cut")] how: &str,
) {
    let machine = rotating();
    let fault = Fault::on(request.0).method(request.1);
    machine.emulator.order(match how {
        "reset" => fault.reset(),
        "500" => fault.internal_error(),
        "503" => fault.unavailable(),
        _ if request.1 == "DELETE" => fault.lose_answer(),
        _ => fault.cut_after(10),
    });
    machine.run().expect(0);
    assert_eq!(count(&machine, request.0, request.1), 2, "it was asked again");
    assert_eq!(machine.active("nightly").len(), 1);
    assert_eq!(count(&machine, Service::Pats, "POST"), 1);
}

#[rstest]
#[case::a_failure(Fault::on(Service::Pats).method("POST").internal_error())]
#[case::a_reset(Fault::on(Service::Pats).method("POST").reset())]
fn a_post_is_repeated_only_after_a_look(#[case] fault: Fault) {
    let machine = rotating();
    machine.emulator.order(fault);
    machine.run().expect(0);
    let calls = machine.pat_calls();
    let first = calls.iter().position(|method| method == "POST").expect("a POST");
    assert_eq!(calls[first + 1], "GET", "{calls:?}");
    assert_eq!(count(&machine, Service::Pats, "POST"), 2);
    assert_eq!(machine.active("nightly").len(), 1);
}

#[test]
fn a_service_that_keeps_failing_is_given_up() {
    let machine = rotating();
    machine.emulator.order(Fault::on(Service::Pats).method("GET").unavailable().always());
    let begun = Instant::now();
    machine.run().expect(6).says("503");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(count(&machine, Service::Pats, "GET") > 2);
}

#[test]
fn a_success_with_retry_after_is_not_repeated_and_delays_the_next_call_only() {
    let machine = rotating();
    machine.emulator.order(Fault::on(Service::Pats).method("GET").retry_after(RetryAfter::Seconds(2)));
    let begun = Instant::now();
    machine.run().expect(0);
    let took = begun.elapsed();
    assert_eq!(machine.pat_calls(), ["GET", "POST", "DELETE"]);
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn the_timeout_is_the_whole_operations() {
    let mut machine = rotating();
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("GET").hold_before().always());
    let begun = Instant::now();
    machine.input("timeout", "2s").run().expect(6).says("timeout");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(5), "{took:?}");
    hold.release();
}

#[test]
fn cleaning_up_may_outlast_the_timeout() {
    let mut machine = rotating();
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    machine.input("timeout", "2s").run().expect(6);
    hold.release();
    assert_eq!(machine.active("nightly").len(), 1, "the orphan was found and revoked");
    assert_eq!(machine.emulator.pats().len(), 2, "there was one");
    assert_eq!(count(&machine, Service::Pats, "POST"), 1, "there was no time for another");
}

#[test]
fn an_orphan_is_told_from_a_pat_that_was_there_before() {
    let machine = rotating();
    machine.emulator.order(Fault::on(Service::Pats).method("POST").lose_answer());
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("DELETE").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let deleted =
        machine.emulator.requests_to(Service::Pats).into_iter().rev().find(|r| r.method == "DELETE");
    let orphan = machine.emulator.pats()[1].authorization_id.to_string();
    assert_eq!(deleted.expect("held").query("authorizationId"), Some(orphan.as_str()));
    hold.release();
    machine.wait(run).expect(0);
}

#[test]
fn a_redirect_is_never_followed() {
    let mut machine = rotating();
    let elsewhere = format!("{}/elsewhere", machine.emulator.devops_url());
    let moved = [("Location", elsewhere.as_str())];
    machine.emulator.order(Fault::on(Service::Pats).answer(307, &moved, "").always());
    machine.emulator.order(Fault::on(Service::Entra).nth(2).answer(307, &moved, "").always());
    assert_ne!(machine.run().code, Some(0));
    machine.run_as("list");
    assert_ne!(machine.run().code, Some(0));
    assert!(machine.emulator.requests_to(Service::DevOps).is_empty());
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    let machine = rotating();
    machine.emulator.order(Fault::on(Service::Pats).method("GET").oversize().always());
    machine.run().expect(6);
    assert_eq!(count(&machine, Service::Pats, "POST"), 0);
}

#[rstest]
#[case::a_stranger(cast::STRANGER, 4, "TF400813")]
#[case::a_service_principal(cast::SERVICE_PRINCIPAL, 4, "service principal")]
fn who_may_not_is_told_so(
    #[case] user: &str,
    #[case] code: i32,
    #[case] sentence: &str,
    #[values("create", "rotate", "list")] operation: &str,
) {
    let mut machine = Machine::new(Host::GitHub, operation);
    let token = machine.emulator.access_token(user);
    machine.without("credential-store").input("access-token", token);
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.run().expect(code).says(sentence).says("ActivityId");
}

#[rstest]
fn an_unknown_organization_is_told_so(#[values("create", "rotate")] operation: &str) {
    let mut machine = Machine::new(Host::GitHub, operation);
    machine.input("display-name", "nightly").input("scope", "vso.code").input("organization", "no-such-one");
    machine.run().expect(4).says("no-such-one");
}

#[test]
fn an_organization_of_another_tenant_is_told_so() {
    let other = Organization::named("tailspin").tenant(uuid::Uuid::from_u128(0x7a11));
    let emulator =
        Emulator::builder().organization(Organization::named(cast::ORGANIZATION)).organization(other);
    let mut machine = Machine::with(emulator.start(), Host::GitHub, "list");
    machine.input("organization", "tailspin").run().expect(4).says("tenant");
}

#[test]
fn a_service_that_is_not_there_is_exit_6() {
    let mut machine = rotating();
    machine.input("service-url", "http://127.0.0.1:9").run().expect(6).says("could not be reached");
}
