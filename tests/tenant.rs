//! Which tenant a run signs in to: the one that is given, else the one behind the organization.

mod support;

use adopat_emulator::{Emulator, Fault, Organization, Service, Spoil, cast, response};
use rstest::rstest;
use support::{Host, Machine};

const ELSEWHERE: &str = "00000000-0000-0000-0000-00000000e15e";

fn listing(host: Host) -> Machine {
    Machine::new(host, "list")
}

/// The tenant of each token request.
fn tenants(machine: &Machine) -> Vec<String> {
    let requests = machine.emulator.requests_to(Service::Entra);
    requests.iter().map(|request| request.path.split('/').nth(1).unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_run_without_a_tenant_id_asks_once_and_one_with_it_does_not() {
    let mut machine = listing(Host::Azure);
    machine.run().expect(0);
    assert_eq!(machine.calls(), ["Entra POST", "Pats GET"]);
    machine.emulator.clear_requests();
    machine.without("tenant-id").run().expect(0);
    assert_eq!(machine.calls(), ["DevOps HEAD", "Entra POST", "Pats GET"]);
    let asked = &machine.emulator.requests()[0];
    assert_eq!(asked.path, "/fabrikam");
    assert_eq!(asked.header("authorization"), None, "it is asked anonymously");
    assert_eq!(tenants(&machine), [cast::TENANT.to_string()]);
}

#[test]
fn an_access_token_needs_no_tenant() {
    let mut machine = listing(Host::Azure);
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("tenant-id").without("credential-store").input("access-token", token).run().expect(0);
    assert_eq!(machine.calls(), ["Pats GET"]);
}

#[test]
fn nobody_is_asked_where_there_is_no_token_to_redeem() {
    let mut machine = listing(Host::Azure);
    std::fs::remove_file(machine.store()).expect("removed");
    machine.without("tenant-id").run().expect(3);
    assert!(machine.calls().is_empty());
}

#[rstest]
#[case::silent(&[], "organizations")]
#[case::no_guid(&[("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/../common")], "organizations")]
#[case::another_host(&[("WWW-Authenticate", "Bearer authorization_uri=https://evil.example/00000000-0000-0000-0000-0000c0470500")], "00000000-0000-0000-0000-0000c0470500")]
fn what_is_said_chooses_a_tenant_and_never_a_host(#[case] headers: &[(&str, &str)], #[case] tenant: &str) {
    let mut machine = listing(Host::Azure);
    let said = response(401, headers, "");
    machine.emulator.order(Fault::on(Service::DevOps).spoil(Spoil::Replace(said)));
    machine.without("tenant-id").run();
    assert_eq!(tenants(&machine)[0], tenant);
}

#[test]
fn an_organization_that_cannot_be_asked_is_a_service_that_failed() {
    let mut machine = listing(Host::Azure);
    machine.without("tenant-id").input("devops-url", "http://127.0.0.1:1").run().expect(6).says("127.0.0.1");
    assert!(machine.calls().is_empty(), "no token was used up");
    let mut machine = listing(Host::Azure);
    machine.emulator.order(
        Fault::on(Service::DevOps).unavailable().spoil(Spoil::Replace(response(503, &[], ""))).always(),
    );
    machine.without("tenant-id").run().expect(6).says("when asked for the tenant behind");
}

#[test]
fn personal_accounts_behind_the_organization_are_said() {
    let emulator = Emulator::builder()
        .organization(Organization::named(cast::ORGANIZATION).backed_by_personal_accounts())
        .start();
    let mut machine = Machine::with(emulator, Host::Azure, "list");
    machine.without("tenant-id").run().expect(4).says("personal Microsoft accounts").says("adopat doctor");
    assert_eq!(machine.calls(), ["DevOps HEAD"], "no token was used up");
}

#[test]
fn a_refusal_that_a_wrong_tenant_explains_names_the_right_one() {
    let mut machine = listing(Host::Azure);
    machine.input("tenant-id", ELSEWHERE).run().expect(3).says(&format!("Set tenant-id to {}", cast::TENANT));
    assert_eq!(machine.calls(), ["Entra POST", "DevOps HEAD"]);
}

#[test]
fn the_words_of_a_refusal_do_not_depend_on_azure_devops() {
    let mut machine = listing(Host::Azure);
    machine.input("tenant-id", ELSEWHERE).input("devops-url", "http://127.0.0.1:1");
    machine.run().expect(3).says("AADSTS90002");
}

#[rstest]
#[case::entra(700_016, true)]
#[case::entra_of_another_cause(700_082, false)]
fn only_such_a_refusal_makes_it_ask(#[case] code: u32, #[case] asks: bool) {
    let mut machine = listing(Host::Azure);
    machine.emulator.refuse_next_token_request(code);
    let seed = machine.emulator.refresh_token();
    std::fs::remove_file(machine.store()).expect("removed");
    machine.input("refresh-token", seed).run().expect(3).says("adopat doctor");
    assert_eq!(machine.calls().contains(&"DevOps HEAD".to_owned()), asks);
}
