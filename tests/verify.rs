//! `verify`: a new PAT is tried before it is delivered, and before an old one is retired.

mod support;

use std::time::{Duration, Instant};

use adopat_emulator::{Emulator, Fault, NewPat, Pat, PatStatus, Policies, Service};
use rstest::rstest;
use support::{Host, Machine};

const ANONYMOUS: &str = r#"{"authenticatedUser":{"id":"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}}"#;

/// A machine on which PATs work so long after they are made.
fn machine(host: Host, operation: &str, usable_after: Duration) -> Machine {
    let policies = Policies { usable_after, ..Policies::default() };
    let mut machine = Machine::with(Emulator::builder().policies(policies).start(), host, operation);
    machine.input("display-name", "nightly").input("verify", "require");
    if operation != "rotate" {
        machine.input("scope", "vso.code");
    }
    machine
}

fn rotating(usable_after: Duration) -> (Machine, Pat) {
    let machine = machine(Host::GitHub, "rotate", usable_after);
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    (machine, old)
}

/// How often the PAT was tried.
fn tries(machine: &Machine) -> usize {
    machine.emulator.requests_to(Service::DevOps).len()
}

fn on_connection_data() -> Fault {
    Fault::on(Service::DevOps).path("/_apis/connectiondata")
}

#[test]
fn a_pat_that_becomes_usable_after_3_s_is_waited_for() {
    let (machine, old) = rotating(Duration::from_secs(3));
    let begun = Instant::now();
    machine.run().expect(0);
    assert!(begun.elapsed() >= Duration::from_secs(2), "it waited");
    let [new] = machine.active("nightly").try_into().expect("one PAT");
    assert_ne!(new.authorization_id, old.authorization_id);
    assert!(machine.read("GITHUB_OUTPUT").contains(&new.value));
    assert!(tries(&machine) > 1);
}

#[test]
fn a_pat_is_tried_before_the_old_one_is_retired_and_shown_to_nobody_else() {
    let (machine, _) = rotating(Duration::ZERO);
    machine.run().expect(0);
    assert_eq!(machine.calls(), ["Entra POST", "Pats GET", "Pats POST", "DevOps GET", "Pats DELETE"]);
    for request in machine.emulator.requests() {
        let has_pat = request.header("authorization").is_some_and(|value| value.starts_with("Basic "));
        assert_eq!(has_pat, request.service == Service::DevOps, "{}", request.line());
    }
    let tried = &machine.emulator.requests_to(Service::DevOps)[0];
    assert_eq!(tried.line(), "GET /fabrikam/_apis/connectionData");
    assert_eq!(tried.header("x-tfs-fedauthredirect"), Some("Suppress"));
}

#[test]
fn one_that_never_becomes_usable_is_revoked_after_30_s_and_the_old_one_stays() {
    let (machine, old) = rotating(Duration::from_secs(3600));
    let begun = Instant::now();
    machine.run().expect(7).says("could not be confirmed").says("401").says("has been revoked");
    assert!(begun.elapsed() > Duration::from_secs(20) && begun.elapsed() < Duration::from_secs(45));
    let [only] = machine.active("nightly").try_into().expect("one PAT");
    assert_eq!(only.authorization_id, old.authorization_id);
    assert!(!machine.read("GITHUB_OUTPUT").contains("token<<"));
}

#[test]
fn with_warn_it_is_delivered_with_a_warning() {
    let mut machine = machine(Host::Azure, "create", Duration::from_secs(3600));
    let ended = machine.input("verify", "warn").input("timeout", "8s").run();
    ended.expect(0).says("could not be confirmed");
    let [pat] = machine.active("nightly").try_into().expect("one PAT");
    assert!(ended.stdout.contains(&format!("variable=ADO_PAT;issecret=true]{}", pat.value)));
    assert!(ended.stdout.contains("##vso[task.complete result=SucceededWithIssues]"));
}

#[rstest]
#[case::anonymous(on_connection_data().answer(200, &[("Content-Type", "application/json")], ANONYMOUS), "Anonymous")]
#[case::sign_in_page(on_connection_data().sign_in_page(), "203")]
#[case::redirect(on_connection_data().sign_in_redirect(), "redirect")]
#[case::failing(on_connection_data().unavailable(), "503")]
#[case::reset(on_connection_data().reset(), "broke off")]
fn what_is_no_confirmation_is_waited_out_and_at_last_refused(#[case] fault: Fault, #[case] word: &str) {
    let machine = machine(Host::GitHub, "create", Duration::ZERO);
    machine.emulator.order(fault.clone().times(2));
    machine.run().expect(0);
    assert_eq!(tries(&machine), 3, "the third try confirms it");

    let mut machine = self::machine(Host::GitHub, "create", Duration::ZERO);
    machine.emulator.order(fault.always());
    machine.input("timeout", "6s").run().expect(7).says(word);
    assert!(machine.active("nightly").is_empty());
    let tried = machine.emulator.requests_to(Service::DevOps);
    assert!(tried.iter().all(|request| request.path.ends_with("connectionData")), "no redirect is followed");
}

#[test]
fn a_signal_while_it_waits_revokes_the_pat() {
    let (machine, old) = rotating(Duration::from_secs(3600));
    let hold = machine.emulator.order(on_connection_data().nth(2));
    let run = machine.spawn();
    let deadline = Instant::now() + Duration::from_secs(20);
    while hold.struck() == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = Instant::now();
    support::signal(&run, rustix::process::Signal::TERM);
    machine.wait(run).expect(143);
    assert!(sent.elapsed() < Duration::from_secs(5));
    let [only] = machine.active("nightly").try_into().expect("one PAT");
    assert_eq!(only.authorization_id, old.authorization_id);
    assert!(machine.emulator.pats().iter().any(|pat| pat.status == PatStatus::Revoked), "one was made");
}

#[test]
fn a_signal_while_no_answer_comes_ends_within_5_s_too() {
    let machine = machine(Host::GitHub, "create", Duration::ZERO);
    let hold = machine.emulator.order(on_connection_data().hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let sent = Instant::now();
    support::signal(&run, rustix::process::Signal::INT);
    machine.wait(run).expect(130);
    assert!(sent.elapsed() < Duration::from_secs(5));
    assert!(machine.active("nightly").is_empty());
    hold.release();
}

#[test]
fn a_verify_url_of_ones_own_is_the_one_that_is_tried() {
    let mut machine = machine(Host::GitHub, "create", Duration::ZERO);
    let url = format!("{}/fabrikam/_apis/projects", machine.emulator.devops_url());
    machine.emulator.order(Fault::on(Service::DevOps).path("/_apis/projects").answer(200, &[], "{}"));
    machine.input("verify-url", url).run().expect(0);
    assert_eq!(machine.emulator.requests_to(Service::DevOps)[0].line(), "GET /fabrikam/_apis/projects");
}

#[test]
fn the_command_of_exec_starts_only_once_its_pat_works() {
    let mut machine = machine(Host::Generic, "exec", Duration::from_secs(1));
    machine.set("PATH", "/usr/bin:/bin");
    machine.arguments(&["exec", "--", "sh", "-c", "test -n \"$ADO_PAT\" && exit 42"]);
    machine.run().expect(42);
    assert!(tries(&machine) > 1);

    let mut machine = self::machine(Host::Generic, "exec", Duration::from_secs(3600));
    machine.set("PATH", "/usr/bin:/bin").input("timeout", "5s");
    machine.arguments(&["exec", "--", "sh", "-c", "exit 42"]);
    machine.run().expect(7);
    assert!(machine.active("nightly").is_empty());
}
