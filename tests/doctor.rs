//! `doctor`: each check failing alone, with its exit code; never a change to a PAT, a secret, or a person's name.

mod support;

use adopat_emulator::{
    Aadsts, AppRegistration, Emulator, Fault, NewPat, Organization, PatStatus, RefusalShape, Service, cast,
};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::Value;
use support::{Ended, Host, Machine};

const CHECKS: [&str; 8] =
    ["inputs", "network", "organization", "sign-in", "credential store", "identity", "PATs", "delivery"];
/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A machine on which all is well, with a place for what was found.
fn machine(host: Host) -> Machine {
    on(Emulator::start(), host)
}

fn on(emulator: Emulator, host: Host) -> Machine {
    let mut machine = Machine::with(emulator, host, "doctor");
    machine.emulator.add_pat(NewPat::named("nightly"));
    let (checks, pat) = (machine.path("checks.json"), machine.path("pat"));
    machine.input("output-file", checks).input("deliver-to", format!("file:{}", pat.display()));
    machine
}

/// What was found, from the output file, in its order.
struct Found(Vec<Value>);

impl Found {
    /// Runs, and makes sure of what holds for every run.
    #[track_caller]
    fn by(machine: &Machine, code: i32) -> (Self, Ended) {
        let ended = machine.run();
        ended.expect(code);
        let outputs: Value = serde_json::from_str(&machine.read("checks.json")).expect("JSON");
        let found = outputs["checks"].as_array().expect("an array").clone();
        let names: Vec<_> = found.iter().map(|check| check["check"].as_str().expect("a name")).collect();
        assert_eq!(names, CHECKS);
        for request in machine.emulator.requests_to(Service::Pats) {
            assert!(["GET", "HEAD"].contains(&request.method.as_str()), "{}", request.line());
        }
        assert_eq!(machine.read("pat"), "", "nothing is written to a store of deliver-to");
        let written = ["checks.json", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"].map(|name| machine.read(name));
        for text in written.iter().chain([&ended.stdout, &ended.stderr]) {
            for person in [cast::PERSON, cast::STRANGER, cast::SERVICE_PRINCIPAL] {
                assert!(!text.contains(person), "{person} is named in:\n{text}");
            }
        }
        for secret in machine.emulator.issued_secrets() {
            assert!(
                !written.iter().any(|text| text.contains(&secret)),
                "a secret is in what was handed over"
            );
        }
        for request in machine.emulator.requests() {
            assert!(
                request.header("authorization").is_none_or(|it| it.starts_with("Bearer ")),
                "no PAT is used"
            );
        }
        (Self(found), ended)
    }

    fn check(&self, name: &str) -> &Value {
        self.0.iter().find(|check| check["check"] == name).expect("a check of that name")
    }

    #[track_caller]
    fn results(&self, expected: [&str; 8]) -> &Self {
        let results: Vec<_> =
            self.0.iter().map(|check| check["result"].as_str().expect("a result")).collect();
        assert_eq!(results, expected, "{:#?}", self.0);
        self
    }

    /// Fails unless detail and remedy of that check hold all these words.
    #[track_caller]
    fn says(&self, name: &str, words: &[&str]) -> &Self {
        let check = self.check(name);
        let text = format!("{} {}", check["detail"], check["remedy"]);
        for word in words {
            assert!(text.contains(word), "'{word}' is not in {check:#}");
        }
        self
    }
}

const WELL: [&str; 8] = ["ok"; 8];

#[rstest]
fn where_all_is_well_every_check_says_so(#[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host) {
    let machine = machine(host);
    let before = machine.read("refresh-token");
    let (found, ended) = Found::by(&machine, 0);
    found.results(WELL);
    for check in CHECKS {
        assert!(ended.stdout.lines().any(|line| line.contains(check) && line.starts_with("ok ")), "{check}");
    }
    assert!(!ended.stdout.contains('\u{1b}'), "no colours where there is no terminal");
    let columns: Vec<_> =
        ended.stdout.lines().filter(|line| line.starts_with("ok ")).map(|line| &line[25..28]).collect();
    assert!(columns.iter().all(|column| column.starts_with("  ") && !column.ends_with(' ')), "{columns:?}");
    let rolled = machine.read("refresh-token");
    assert_ne!(before, rolled, "the sign-in rolled the refresh token");
    assert!(machine.emulator.refresh_token_is_valid(rolled.trim()));
    if host == Host::GitHub {
        assert!(machine.read("GITHUB_OUTPUT").contains("checks<<"));
        assert!(machine.read("GITHUB_STEP_SUMMARY").contains("| sign-in | ok |"));
    }
}

#[test]
fn every_line_appears_as_its_check_ends() {
    use std::io::{BufRead as _, BufReader};
    let machine = machine(Host::Generic);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("GET").hold_before());
    let mut run = machine.spawn();
    let mut lines = BufReader::new(run.stdout.take().expect("a pipe")).lines();
    for check in &CHECKS[..6] {
        let line = lines.next().expect("a line").expect("text");
        assert!(line.contains(check), "{line}");
    }
    assert!(hold.wait_until_held(std::time::Duration::from_secs(20)), "PATs are still being read");
    hold.release();
    assert_eq!(lines.count(), 2);
    assert!(run.wait().expect("it ends").success());
}

#[test]
fn inputs_that_are_wrong_are_the_first_check_and_nothing_is_sent() {
    let mut machine = machine(Host::GitHub);
    machine.without("organization").input("timeout", "soon");
    let (found, _) = Found::by(&machine, 2);
    found.results(["failed", "skipped", "skipped", "skipped", "skipped", "skipped", "skipped", "skipped"]);
    found.says("inputs", &["'organization' is required", "'timeout'"]);
    assert!(machine.calls().is_empty());
    assert!(machine.read("GITHUB_OUTPUT").contains("checks<<"));
}

#[test]
fn a_pat_given_as_an_access_token_is_wrong_input() {
    let mut machine = machine(Host::Generic);
    let pat = machine.emulator.add_pat(NewPat::named("mistaken")).value;
    machine.without("credential-store").input("access-token", pat);
    Found::by(&machine, 2).0.says("inputs", &["access-token"]);
}

#[test]
fn a_host_that_is_not_reached_is_named_and_what_needs_it_is_skipped() {
    let mut machine = machine(Host::GitHub);
    machine.input("authority-host", NOWHERE);
    let (found, _) = Found::by(&machine, 6);
    found.results(["ok", "failed", "ok", "skipped", "ok", "skipped", "skipped", "ok"]);
    found.says("network", &["127.0.0.1:1", "HTTPS_PROXY"]).says("sign-in", &["127.0.0.1:1 is not reached"]);
    assert!(found.check("delivery")["detail"].as_str().expect("a text").contains("would take it"));
}

#[test]
fn an_issuer_that_is_not_trusted_is_named_with_the_setting_that_would_help() {
    let mut machine = on(Emulator::builder().tls(true).start(), Host::Generic);
    let (found, _) = Found::by(&machine, 6);
    found.says("network", &["adopat-emulator test CA", "SSL_CERT_FILE", "--sslcacert"]);
    let authorities = machine.emulator.ca_pem_path().to_owned();
    machine.set("SSL_CERT_FILE", authorities);
    let (found, _) = Found::by(&machine, 0);
    found.results(WELL).says("network", &["issued by 'adopat-emulator test CA'"]);
}

#[rstest]
#[case(SignedDuration::from_mins(3), "behind")]
#[case(SignedDuration::from_mins(-3), "ahead of")]
fn a_clock_that_is_wrong_is_a_warning(#[case] offset: SignedDuration, #[case] side: &str) {
    let machine = on(Emulator::builder().clock_offset(offset).start(), Host::Azure);
    let (found, ended) = Found::by(&machine, 0);
    assert_eq!(found.check("network")["result"], "warning");
    found.says("network", &[side, "minutes"]);
    assert!(ended.stdout.contains("##vso[task.complete result=SucceededWithIssues]"));
}

#[test]
fn an_organization_that_does_not_exist_is_found_alone() {
    let mut machine = machine(Host::GitHub);
    machine.input("organization", "northwind");
    let (found, _) = Found::by(&machine, 4);
    found.results(["ok", "ok", "failed", "ok", "ok", "skipped", "skipped", "ok"]);
    found.says("organization", &["northwind", "404"]);
}

#[test]
fn personal_accounts_behind_the_organization_are_said() {
    let organization = Organization::named(cast::ORGANIZATION).backed_by_personal_accounts();
    let mut machine = on(Emulator::builder().organization(organization).start(), Host::GitHub);
    machine.without("tenant-id");
    let (found, _) = Found::by(&machine, 4);
    found.results(["ok", "ok", "failed", "skipped", "ok", "skipped", "skipped", "ok"]);
    found.says("organization", &["personal Microsoft accounts"]);
}

#[test]
fn another_tenant_than_the_organizations_is_a_warning_that_names_both() {
    let mut machine = machine(Host::GitHub);
    machine.input("tenant-id", "00000000-0000-0000-0000-00000000e15e");
    let (found, _) = Found::by(&machine, 3);
    found.results(["ok", "ok", "warning", "failed", "ok", "skipped", "skipped", "ok"]);
    let tenant = cast::TENANT.to_string();
    found.says("organization", &[&tenant, "00000000-0000-0000-0000-00000000e15e"]);
    found.says("sign-in", &["AADSTS90002", &format!("Set tenant-id to {tenant}")]);
}

#[test]
fn a_sign_in_that_is_refused_is_explained() {
    let machine = machine(Host::GitHub);
    machine.emulator.revoke_refresh_token(machine.read("refresh-token").trim());
    let (found, ended) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "failed", "ok", "skipped", "skipped", "ok"]);
    found.says("sign-in", &["AADSTS50173", "adopat login", "correlation id"]);
    assert!(
        ended.stdout.lines().any(|line| line.starts_with("::error::failed   sign-in")),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_permission_that_was_not_granted_is_a_warning() {
    let app = AppRegistration::public(cast::CLIENT_ID).permissions(&["vso.pats"]);
    let machine = on(Emulator::builder().app(app).start(), Host::GitHub);
    let (found, _) = Found::by(&machine, 0);
    assert_eq!(found.check("sign-in")["result"], "warning");
    found.says("sign-in", &["vso.pats_manage", "API permissions"]);
    let app = AppRegistration::public(cast::CLIENT_ID).permissions(&["user_impersonation"]);
    let machine = on(Emulator::builder().app(app).start(), Host::GitHub);
    Found::by(&machine, 0).0.results(WELL);
}

#[test]
fn a_store_that_cannot_be_read_is_found_alone_and_left_untouched() {
    let mut machine = machine(Host::GitHub);
    let before = machine.read("refresh-token");
    machine.input("store-key", "a passphrase of contoso");
    let (found, _) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "skipped", "failed", "skipped", "skipped", "ok"]);
    found.says("credential store", &["store-key"]);
    assert_eq!(machine.read("refresh-token"), before);
}

#[test]
fn a_store_that_cannot_be_written_is_found_alone() {
    let mut machine = machine(Host::GitHub);
    let seed = machine.read("refresh-token");
    let store = machine.path("no/such/folder/token");
    machine.input("credential-store", format!("file:{}", store.display())).input("refresh-token", seed);
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "ok", "failed", "ok", "ok", "ok"]);
}

#[test]
fn without_a_store_the_day_is_named_on_which_the_chain_may_end() {
    let mut machine = machine(Host::GitHub);
    let seed = machine.read("refresh-token");
    machine.without("credential-store").input("refresh-token", seed);
    let (found, _) = Found::by(&machine, 0);
    found.results(["ok", "ok", "ok", "ok", "warning", "ok", "ok", "ok"]);
    found.says("credential store", &["90 days", "credential-store"]);
}

#[test]
fn nobody_is_no_person() {
    let machine = machine(Host::GitHub);
    let anonymous = r#"{"authenticatedUser":{"id":"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}}"#;
    machine
        .emulator
        .order(Fault::on(Service::DevOps).path("connectiondata").answer(200, &[], anonymous).always());
    let (found, _) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "ok", "ok", "failed", "skipped", "ok"]);
    found.says("identity", &["Anonymous"]);
}

#[rstest]
#[case::a_service_principal(cast::SERVICE_PRINCIPAL, "people only")]
#[case::a_stranger(cast::STRANGER, "TF400813")]
fn who_may_not_use_the_pat_service_is_refused_without_a_name(#[case] user: &str, #[case] word: &str) {
    let mut machine = machine(Host::GitHub);
    let token = machine.emulator.access_token(user);
    machine.without("credential-store").input("access-token", token);
    let (found, _) = Found::by(&machine, 4);
    found.results(["ok", "ok", "ok", "ok", "skipped", "failed", "skipped", "ok"]);
    found.says("identity", &[word]);
}

#[rstest]
#[case::failing(Fault::on(Service::Pats).method("GET").internal_error().always(), 6, "HTTP 500")]
#[case::sign_in_page(Fault::on(Service::Pats).method("GET").sign_in_page().always(), 3, "sign-in page")]
fn pats_that_cannot_be_read_are_found_alone(#[case] fault: Fault, #[case] code: i32, #[case] word: &str) {
    let machine = machine(Host::GitHub);
    machine.emulator.order(fault);
    let (found, _) = Found::by(&machine, code);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "failed", "ok"]).says("PATs", &[word]);
}

#[test]
fn a_service_that_does_not_answer_holds_up_no_check_for_more_than_15_s() {
    let machine = machine(Host::GitHub);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("GET").hold_before());
    let begun = std::time::Instant::now();
    let (found, _) = Found::by(&machine, 6);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "failed", "ok"]);
    assert!(begun.elapsed() < std::time::Duration::from_secs(25), "{:?}", begun.elapsed());
    hold.release();
}

#[test]
fn pats_are_counted_and_one_that_ends_within_14_days_is_a_warning() {
    let mut machine = machine(Host::GitHub);
    let soon = machine.emulator.now() + SignedDuration::from_hours(24 * 13);
    machine.emulator.add_pat(NewPat::named("other").valid_to(soon));
    machine.emulator.add_pat(NewPat::named("nightly").status(PatStatus::Expired));
    machine.emulator.add_pat(NewPat::named("nightly").status(PatStatus::Revoked));
    let (found, _) = Found::by(&machine, 0);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "warning", "ok"]);
    found.says("PATs", &["2 active (0 global)", "1 expired", "1 end within 14 days"]);
    machine.input("display-name", "nightly");
    let (found, _) = Found::by(&machine, 0);
    found.results(WELL).says("PATs", &["1 named 'nightly'"]);
}

#[test]
fn a_store_that_would_not_take_the_pat_is_found_alone() {
    let mut machine = machine(Host::GitHub);
    let nowhere = machine.path("no/such/folder/pat");
    machine.input("deliver-to", format!("file:{}", nowhere.display()));
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "failed"]);
}

#[test]
fn a_host_that_cannot_be_handed_a_secret_says_why() {
    let mut machine = machine(Host::GitHub);
    machine.set("GITHUB_OUTPUT", "");
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "failed"]).says("delivery", &["GITHUB_OUTPUT"]);
}

#[test]
fn with_a_credential_that_needs_a_person_what_depends_on_it_is_skipped() {
    let mut machine = machine(Host::GitHub);
    machine.input("credential", "device-code");
    let (found, _) = Found::by(&machine, 0);
    found.results(["ok", "ok", "ok", "skipped", "skipped", "skipped", "skipped", "ok"]);
    let requests = machine.emulator.requests_to(Service::Entra);
    assert!(requests.iter().all(|request| request.method == "HEAD"), "nobody is asked to sign in");
}

#[test]
fn a_cancelled_doctor_says_so_by_its_exit_code() {
    let machine = machine(Host::GitHub);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("GET").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(std::time::Duration::from_secs(20)));
    support::signal(&run, rustix::process::Signal::TERM);
    machine.wait(run).expect(143);
    hold.release();
}

/// What makes a sign-in or a permission fail.
fn refusals() -> Vec<(&'static str, Fault)> {
    let aadsts = |code| Fault::on(Service::Entra).path("/token").aadsts(Aadsts::code(code)).always();
    let on_pats = || Fault::on(Service::Pats).always();
    vec![
        ("multi-factor authentication", aadsts(50076)),
        ("conditional access", aadsts(53003)),
        ("consent", aadsts(65001)),
        ("an idle refresh token", aadsts(700_082)),
        ("an unknown code", aadsts(999_999)),
        ("a sign-in page", on_pats().sign_in_page()),
        ("a bare 401", on_pats().answer(401, &[], "")),
        ("a bare 403", on_pats().answer(403, &[], "")),
        ("a bare 404", on_pats().answer(404, &[], "")),
        ("a policy", on_pats().pat_token_error("disablePatCreationPolicyViolation", RefusalShape::Ok)),
    ]
}

#[test]
fn every_failure_of_sign_in_or_permission_names_doctor_as_the_next_step() {
    for (operation, inputs) in [
        ("list", &[][..]),
        ("create", &[("display-name", "nightly"), ("scope", "vso.code")]),
        ("rotate", &[("display-name", "nightly")]),
        ("revoke", &[("display-name", "nightly")]),
        ("get", &[("display-name", "nightly")]),
        ("update", &[("display-name", "nightly"), ("lifetime", "7d")]),
    ] {
        for (what, fault) in refusals() {
            let mut machine = Machine::new(Host::Azure, operation);
            inputs.iter().for_each(|(name, value)| _ = machine.input(name, value));
            machine.emulator.order(fault);
            let ended = machine.run();
            assert!(matches!(ended.code, Some(3 | 4)), "{operation}, {what}: {}", ended.words());
            assert!(ended.words().contains("'adopat doctor'"), "{operation}, {what}: {}", ended.words());
        }
    }
}
