//! What comes from outside may be of any length: no run dies of it, and none goes on without an end.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adopat_emulator::{Fault, NewPat, Service, cast};
use rstest::rstest;
use support::{Ended, Host, Machine};

/// More than an address may have, and more than a column may be wide.
const LONG: usize = 70_000;

/// The run ended by itself, and blames nothing on a defect.
#[track_caller]
fn told(ended: &Ended, code: i32) {
    ended.expect(code);
    assert!(!ended.words().contains("defect"), "{}", ended.words());
}

/// A machine whose list of PATs is at this address.
fn listing(host: Host, service: &str) -> Machine {
    let mut machine = Machine::new(host, "list");
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").input("access-token", token).input("service-url", service);
    machine
}

#[rstest]
fn an_address_that_is_too_long_is_wrong_input(
    #[values("verify-url", "devops-url", "service-url", "authority-host", "github-api-url")] input: &str,
) {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code").input("verify", "require");
    machine.input(input, format!("https://dev.azure.com/{}", "x".repeat(LONG)));
    told(machine.run().says(input), 2);
    assert!(machine.calls().is_empty());
}

#[rstest]
#[case::a_group(format!("variable-group:web/{}/ADO_PAT", "x".repeat(LONG)))]
#[case::a_project(format!("variable-group:{}/feeds/ADO_PAT", "x".repeat(LONG)))]
#[case::a_repository(format!("github-secret:contoso/{}/ADO_PAT", "x".repeat(LONG)))]
#[case::an_environment(format!("github-secret:contoso/web/{}/ADO_PAT", "x".repeat(LONG)))]
#[case::a_secret(format!("github-secret:contoso/web/{}", "X".repeat(LONG)))]
fn a_store_whose_name_is_too_long_takes_nothing(#[case] address: String) {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine
        .input("display-name", "nightly")
        .input("scope", "vso.code")
        .input("github-token", "fake-github-token");
    machine.input("deliver-to", address);
    told(&machine.run(), 7);
    assert!(machine.emulator.pats().is_empty(), "nothing was minted");
}

#[rstest]
fn a_name_of_any_length_is_listed(
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
    #[values(65_535, 65_536, LONG)] length: usize,
    #[values("list", "get", "rotate")] operation: &str,
) {
    let mut machine = Machine::new(host, operation);
    let name = "x".repeat(length);
    machine.emulator.add_pat(NewPat::named(&name));
    if operation != "list" {
        machine.input("display-name", name).input("output-file", "outputs.json");
    }
    let ended = machine.run();
    assert!(ended.code.is_some_and(|code| code != 1), "{}", ended.words());
    assert!(!ended.words().contains("defect"));
}

#[rstest]
#[case(LONG)]
#[case(1_000_000)]
fn a_continuation_token_that_is_too_long_ends_the_list(#[case] length: usize) {
    let machine = Machine::new(Host::GitHub, "list");
    let page = format!(r#"{{"continuationToken":"{}","patTokens":[]}}"#, "x".repeat(length));
    let json = [("Content-Type", "application/json")];
    machine.emulator.order(Fault::on(Service::Pats).answer(200, &json, page).always());
    told(machine.run().says("continuation token"), 6);
    assert_eq!(machine.pat_calls().len(), 1);
}

/// A service that sends page after page, each with a continuation token of its own.
fn endless(
    page: impl Fn(usize) -> String + Send + Sync + 'static,
) -> (mockito::ServerGuard, Arc<AtomicUsize>) {
    let mut server = mockito::Server::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    server
        .mock("GET", mockito::Matcher::Any)
        .with_header("Content-Type", "application/json")
        .with_body_from_request(move |_| page(count.fetch_add(1, Ordering::SeqCst)).into_bytes())
        .create();
    (server, asked)
}

#[rstest]
#[case::many(|page| format!(r#"{{"continuationToken":"{page}","patTokens":[]}}"#), 500)]
#[case::large(|page| format!(r#"{{"continuationToken":"{page}","patTokens":[],"more":"{}"}}"#, "x".repeat(1_000_000)), 80)]
fn a_list_without_an_end_ends(#[case] page: fn(usize) -> String, #[case] most: usize) {
    let (server, asked) = endless(page);
    let machine = listing(Host::GitHub, &server.url());
    told(machine.run().says("without an end"), 6);
    assert!(asked.load(Ordering::SeqCst) <= most, "{}", asked.load(Ordering::SeqCst));
}
