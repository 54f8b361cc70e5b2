//! `doctor`: each check failing alone, with its exit code; never a change to a PAT, a secret, or a person's name.

mod support;

use adopat_emulator::{
    Aadsts, AppRegistration, DeviceCodePolicy, Emulator, Fault, GITHUB_ISSUER, GitHubRights, GroupRole,
    NewPat, NewVariableGroup, Organization, PatStatus, RefusalShape, Service, TOKEN_EXCHANGE, User,
    VaultAccess, VaultPolicy, VaultRights, cast,
};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::Value;
use support::{Ended, Host, Machine, VAULT_APP};

const CHECKS: [&str; 8] =
    ["inputs", "network", "organization", "sign-in", "credential store", "identity", "PATs", "delivery"];
/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
/// A person whose name is not an address.
const ALEX: &str = "Alex Wilber";
const GITHUB_SUBJECT: &str = "repo:contoso/fabrikam:ref:refs/heads/main";
const CONNECTION: &str = "00000000-0000-0000-0000-00000000000c";
const GROUP: &str = "variable-group:web/feeds/ADO_PAT";
const SECRET: &str = "github-secret:contoso/fabrikam/ADO_PAT";

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
        for check in found.iter().filter(|check| check["result"] == "warning" || check["result"] == "failed")
        {
            let remedy = check["remedy"].as_str().unwrap_or_default();
            assert!(remedy.ends_with(['.', '?']), "no remedy: {check:#}");
        }
        for request in machine.emulator.requests_to(Service::Pats) {
            assert!(["GET", "HEAD"].contains(&request.method.as_str()), "{}", request.line());
        }
        assert_eq!(machine.read("pat"), "", "nothing is written to a store of deliver-to");
        let written = ["checks.json", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"].map(|name| machine.read(name));
        for text in written.iter().chain([&ended.stdout, &ended.stderr]) {
            for person in [cast::PERSON, cast::STRANGER, cast::SERVICE_PRINCIPAL, ALEX] {
                assert!(!text.contains(person), "{person} is named in:\n{text}");
            }
        }
        assert!(!written.iter().any(|text| text.contains("oid=")), "whose id opened the vault");
        for secret in machine.emulator.issued_secrets() {
            assert!(
                !written.iter().any(|text| text.contains(&secret)),
                "a secret is in what was handed over"
            );
        }
        for request in machine.emulator.requests() {
            let reads = ["GET", "HEAD"].contains(&request.method.as_str());
            let gives_tokens = matches!(request.service, Service::Entra | Service::Job);
            // By these names tests know the credential store in a vault and in a variable group.
            let keeps = || {
                request.path.contains("/secrets/refresh-token")
                    || request.json()["variables"].get("RT").is_some()
            };
            assert!(reads || gives_tokens || keeps(), "{}", request.line());
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
fn inputs_that_are_wrong_are_the_first_check_and_stop_what_depends_on_them_alone() {
    let mut machine = machine(Host::GitHub);
    machine.without("organization").input("timeout", "soon");
    let (found, _) = Found::by(&machine, 2);
    found.results(["failed", "ok", "skipped", "ok", "ok", "skipped", "skipped", "ok"]);
    found.says("inputs", &["'organization' is required", "'timeout'"]);
    assert!(machine.read("GITHUB_OUTPUT").contains("checks<<"));
}

#[rstest]
#[case::of_the_pat(&[("lifetime", "soon"), ("verify", "maybe"), ("scope", "app_token")],
    ["failed", "ok", "ok", "ok", "ok", "ok", "ok", "ok"])]
#[case::of_the_sign_in(&[("tenant-id", "common")],
    ["failed", "ok", "ok", "skipped", "skipped", "skipped", "skipped", "ok"])]
#[case::of_the_credential(&[("credential", "password")],
    ["failed", "ok", "ok", "skipped", "skipped", "skipped", "skipped", "ok"])]
#[case::of_the_delivery(&[("variable", "PATH")],
    ["failed", "ok", "ok", "ok", "ok", "ok", "ok", "skipped"])]
#[case::of_a_service(&[("devops-url", "https://contoso.example")],
    ["failed", "skipped", "skipped", "skipped", "skipped", "skipped", "skipped", "skipped"])]
fn a_wrong_input_stops_no_check_that_does_not_depend_on_it(
    #[case] inputs: &[(&str, &str)],
    #[case] results: [&str; 8],
) {
    let mut machine = machine(Host::GitHub);
    inputs.iter().for_each(|(name, value)| _ = machine.input(name, *value));
    let (found, ended) = Found::by(&machine, 2);
    found.results(results);
    for (name, _) in inputs {
        ended.says(&format!("Input '{name}'"));
    }
    if results.contains(&"skipped") {
        ended.says("The inputs are wrong that it depends on.");
    }
}

#[test]
fn an_output_file_that_is_a_channel_of_the_host_is_wrong_and_not_written_by_doctor_either() {
    let mut machine = machine(Host::GitHub);
    let channel = machine.path("GITHUB_ENV");
    std::fs::write(&channel, "KEPT=1\n").expect("written");
    machine.input("output-file", channel);
    machine.run().expect(2).says("is the file that GITHUB_ENV names, which the run needs itself");
    assert_eq!(machine.read("GITHUB_ENV"), "KEPT=1\n");
}

#[test]
fn a_browser_is_a_credential_that_doctor_skips() {
    let mut machine = machine(Host::GitHub);
    machine.input("credential", "browser");
    let (found, _) = Found::by(&machine, 0);
    found.results(["ok", "ok", "ok", "skipped", "skipped", "skipped", "skipped", "ok"]);
    found.says("sign-in", &["needs a person"]);
}

#[test]
fn a_scope_and_a_lifetime_are_flags_of_doctor() {
    let mut machine = machine(Host::GitHub);
    let words = ["doctor", "--scope", "vso.packging", "--lifetime", "800d", "--allow-full-access"];
    machine.arguments(&words);
    let (found, _) = Found::by(&machine, 0);
    found.says("PATs", &["vso.packging is not a known one", "'800d' is more than a year"]);
    machine.arguments(&["doctor", "--lifetime", "2y"]).run().expect(2).says("Input 'lifetime': '2y'");
}

#[test]
fn a_file_for_a_pat_is_looked_at_and_not_written() {
    let mut machine = machine(Host::GitHub);
    let file = machine.path("netrc");
    machine.input("output-file", file).input("output-format", "netrc");
    machine.run().expect(0).says("can be written. doctor writes nothing to it, which is for a PAT.");
    assert!(!machine.path("netrc").exists());
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

/// The holder of a token that is worth nothing may well be a member.
#[rstest]
#[case::expired(|machine: &mut Machine| {
    let token = machine.emulator.access_token(cast::PERSON);
    machine.emulator.expire_access_tokens();
    machine.input("access-token", token);
}, "does not take the access token")]
#[case::made_up(|machine: &mut Machine| {
    machine.input("access-token", "eyJ0eXAiOiJKV1QifQ.eyJmYWtlIjoidG9rZW4ifQ.ZmFrZS1zaWduYXR1cmU");
}, "does not take the access token")]
#[case::taken_for_nobodys(|machine: &mut Machine| {
    let token = machine.emulator.access_token(cast::PERSON);
    machine.input("access-token", token);
    let body = "{\"message\":\"TF400813: The user 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa' is not authorized.\"}";
    machine.emulator.order(Fault::on(Service::DevOps).path("connectiondata").answer(401, &[], body).always());
}, "does not take the access token")]
#[case::an_empty_answer(|machine: &mut Machine| {
    let token = machine.emulator.access_token(cast::PERSON);
    machine.input("access-token", token);
    machine.emulator.order(Fault::on(Service::DevOps).path("connectiondata").answer(401, &[], "").always());
}, "did not accept the access token")]
fn a_worthless_access_token_is_told_as_what_it_is(#[case] spoil: fn(&mut Machine), #[case] words: &str) {
    let mut machine = machine(Host::GitHub);
    machine.without("credential-store");
    spoil(&mut machine);
    let (found, ended) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "ok", "skipped", "failed", "skipped", "ok"]);
    found.says("identity", &[words, "a token given as access-token must be a fresh one"]);
    assert!(!ended.words().contains("member"), "{}", ended.words());
}

#[test]
fn an_issuer_is_told_of_hosts_that_speak_tls_alone() {
    let mut machine = Machine::with_vault(Host::Generic, "doctor");
    let plain = Emulator::start();
    machine.input("github-api-url", plain.github_url()).input("github-token", plain.github_token());
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.input("deliver-to", SECRET);
    let ended = machine.run();
    ended.expect(0).says("(certificate issued by");
    let line = ended.stdout.lines().find(|line| line.contains(" network ")).expect("a line").to_owned();
    let port = plain.github_url().rsplit(':').next().expect("a port").trim_end_matches('/').to_owned();
    let place = line.split(", ").find(|place| place.contains(&port)).expect("the plain host");
    assert!(!place.contains("certificate"), "{line}");
}

#[rstest]
#[case::a_service_principal(cast::SERVICE_PRINCIPAL, "people only")]
#[case::a_stranger(cast::STRANGER, "TF400813")]
#[case::a_stranger_by_name(ALEX, "TF400813")]
fn who_may_not_use_the_pat_service_is_refused_without_a_name(#[case] user: &str, #[case] word: &str) {
    let mut machine = on(Emulator::builder().user(User::person(ALEX)).start(), Host::GitHub);
    let token = machine.emulator.access_token(user);
    machine.without("credential-store").input("access-token", token);
    let (found, _) = Found::by(&machine, 4);
    found.results(["ok", "ok", "ok", "ok", "skipped", "failed", "skipped", "ok"]);
    found.says("identity", &[word]);
}

#[rstest]
#[case::failing(Fault::on(Service::Pats).method("GET").internal_error().always(), 6, "HTTP 500")]
#[case::sign_in_page(Fault::on(Service::Pats).method("GET").sign_in_page().always(), 3, "sign-in page")]
#[case::refused(Fault::on(Service::Pats).method("GET").answer(403, &[], "").always(), 4, "HTTP 403")]
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
    found.says("PATs", &["2 active (0 global)", "1 expired", "1 ends within 14 days"]);
    machine.input("display-name", "nightly");
    let (found, _) = Found::by(&machine, 0);
    found.results(WELL).says("PATs", &["1 named 'nightly'"]);
}

#[rstest]
#[case::a_misspelt_scope(&[("scope", "vso.packging")], &["The scope vso.packging is not a known one", "Did you mean vso.packaging?"])]
#[case::the_web_pages_words(&[("scope", "Packaging (Read & write)")], &["The scope Packaging (Read & write) is not", "Did you mean vso.packaging_write?", "scopes.md"])]
#[case::a_scope_like_none(&[("scope", "zzzz")], &["The scope zzzz is not a known one", "oauth#scopes"])]
#[case::a_long_lifetime(&[("lifetime", "730d")], &["'730d' is more than a year", "365d or less"])]
#[case::a_late_end(&[("valid-to", "2099-01-01T00:00:00Z")], &["'2099-01-01T00:00:00Z' is more than a year", "365d"])]
#[case::both(&[("scope", "vso.packging"), ("lifetime", "P2Y")], &["vso.packging", "'P2Y' is more than a year"])]
fn what_the_service_may_refuse_is_a_warning_before_it_does(
    #[case] inputs: &[(&str, &str)],
    #[case] words: &[&str],
) {
    let mut machine = machine(Host::GitHub);
    inputs.iter().for_each(|(name, value)| _ = machine.input(name, *value));
    let (found, ended) = Found::by(&machine, 0);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "warning", "ok"]).says("PATs", words);
    assert_eq!(ended.words().matches(words[0]).count(), 1, "it is told once: {}", ended.words());
}

/// What `create` refuses before it mints, doctor does not call a doubt.
#[test]
fn a_pat_that_would_have_nowhere_to_go_is_a_failure_as_it_is_for_create() {
    let mut machine = Machine::new(Host::Generic, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    let created = machine.run();
    created.expect(2).says("nowhere to go");
    let doctored = machine.run_as("doctor").run();
    doctored.expect(7).says("nowhere to go").says("Give 'output-file'");
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

#[test]
fn the_exit_code_is_that_of_the_first_failure() {
    let mut machine = machine(Host::GitHub);
    let nowhere = machine.path("no/such/folder/pat");
    machine.input("organization", "northwind").input("deliver-to", format!("file:{}", nowhere.display()));
    let (found, _) = Found::by(&machine, 4);
    found.results(["ok", "ok", "failed", "ok", "ok", "skipped", "skipped", "failed"]);
    machine.input("authority-host", NOWHERE);
    let (found, _) = Found::by(&machine, 6);
    found.results(["ok", "failed", "failed", "skipped", "ok", "skipped", "skipped", "failed"]);
}

// What the job's own token says.

/// A machine whose client proves itself by the job's own token, as this issuer and subject.
fn federated(host: Host, issuer: &str, subject: &str) -> Machine {
    let app = AppRegistration::confidential(cast::CLIENT_ID).federated(issuer, subject, TOKEN_EXCHANGE);
    let mut machine = on(Emulator::builder().app(app).start(), host);
    machine.input("federated", "true");
    machine
}

/// Gives the job its token as this CI system does; what the token says.
fn with_job_token(machine: &mut Machine, of: &str) -> [String; 3] {
    let (issuer, subject) = claims_of(of);
    match of {
        "GitHub" => {
            let (url, token) = machine.emulator.github_id_token_request();
            machine.set("ACTIONS_ID_TOKEN_REQUEST_URL", url).set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
        }
        "Azure Pipelines" => {
            let (url, token) = machine.emulator.pipelines_id_token_request();
            machine.set("SYSTEM_OIDCREQUESTURI", url).set("SYSTEM_ACCESSTOKEN", token);
            machine.input("azure-service-connection", CONNECTION);
        }
        "a file" => {
            let token = machine.emulator.job_token(&issuer, &subject, TOKEN_EXCHANGE);
            let file = machine.path("workload-token");
            std::fs::write(&file, format!("{token}\n")).expect("written");
            machine.set("AZURE_FEDERATED_TOKEN_FILE", file);
        }
        _ => {
            let token = machine.emulator.job_token(&issuer, &subject, TOKEN_EXCHANGE);
            machine.input("id-token", token);
        }
    }
    [format!("issuer {issuer}"), format!("subject {subject}"), format!("audience {TOKEN_EXCHANGE}")]
}

fn claims_of(of: &str) -> (String, String) {
    match of {
        "GitHub" => (GITHUB_ISSUER.into(), GITHUB_SUBJECT.into()),
        "Azure Pipelines" => {
            let services = Emulator::builder().services();
            (services.service_connection_issuer(), services.service_connection_subject(CONNECTION))
        }
        _ => ("https://oidc.contoso.example".into(), "system:serviceaccount:ci:runner".into()),
    }
}

fn all_of(says: &[String; 3]) -> [&str; 3] {
    says.each_ref().map(String::as_str)
}

#[rstest]
#[case(Host::GitHub, "GitHub")]
#[case(Host::Azure, "Azure Pipelines")]
#[case(Host::Generic, "a file")]
#[case(Host::Generic, "an input")]
fn where_the_jobs_token_proves_the_client_it_is_shown_what_it_says(#[case] host: Host, #[case] of: &str) {
    let (issuer, subject) = claims_of(of);
    let mut machine = federated(host, &issuer, &subject);
    let says = with_job_token(&mut machine, of);
    let (found, ended) = Found::by(&machine, 0);
    found.results(WELL).says("sign-in", &all_of(&says)).says("sign-in", &["Signed in"]);
    assert!(!found.check("delivery").to_string().contains(&issuer), "no vault is opened with it");
    let text = format!("{}{}", ended.stdout, machine.read("checks.json"));
    for claim in ["jti", "iat", "nbf", "exp "] {
        assert!(!text.contains(claim), "'{claim}' is told in:\n{text}");
    }
    if ["GitHub", "Azure Pipelines"].contains(&of) {
        let endpoint = machine.emulator.url(Service::Job).replace("http://", "");
        found.says("network", &[&endpoint]);
    }
}

#[rstest]
#[case::issuer(700_211, "https://issuer.example", GITHUB_SUBJECT, TOKEN_EXCHANGE)]
#[case::audience(700_212, GITHUB_ISSUER, GITHUB_SUBJECT, "https://github.com/contoso")]
#[case::subject(700_213, GITHUB_ISSUER, "repo:contoso/fabrikam:pull_request", TOKEN_EXCHANGE)]
fn where_the_jobs_token_is_refused_the_remedy_says_what_to_register(
    #[case] code: u32,
    #[case] issuer: &str,
    #[case] subject: &str,
    #[case] audience: &str,
) {
    let mut machine = federated(Host::Generic, GITHUB_ISSUER, GITHUB_SUBJECT);
    let token = machine.emulator.job_token(issuer, subject, audience);
    machine.input("id-token", token);
    let (found, ended) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "failed", "ok", "skipped", "skipped", "ok"]);
    let remedy = found.check("sign-in")["remedy"].as_str().expect("a text");
    let says = format!("The job's token says issuer {issuer}, subject {subject}, audience {audience}.");
    assert!(remedy.contains("Federated credentials") && remedy.contains(&says), "{remedy}");
    found.says("sign-in", &[&format!("AADSTS{code}"), &cast::CLIENT_ID.to_string()]);
    assert_eq!(ended.stdout.matches(&says).count(), 1, "once: {}", ended.stdout);
}

#[test]
fn where_another_thing_is_refused_the_detail_says_what_the_jobs_token_says() {
    let mut machine = federated(Host::GitHub, GITHUB_ISSUER, GITHUB_SUBJECT);
    let says = with_job_token(&mut machine, "GitHub");
    machine.emulator.revoke_refresh_token(machine.read("refresh-token").trim());
    let (found, _) = Found::by(&machine, 3);
    found.says("sign-in", &["AADSTS50173", "adopat login"]).says("sign-in", &all_of(&says));
}

#[test]
fn a_job_without_a_token_is_told_what_it_lacks() {
    let machine = federated(Host::GitHub, GITHUB_ISSUER, GITHUB_SUBJECT);
    let (found, _) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "failed", "ok", "skipped", "skipped", "ok"]);
    found.says("sign-in", &["permissions: id-token: write"]);
}

#[rstest]
fn what_a_token_says_is_made_harmless(#[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host) {
    let mut machine = federated(host, GITHUB_ISSUER, GITHUB_SUBJECT);
    let hostile = "repo:x\n::error::boo\n##vso[task.complete result=Failed]\n##[error]boo\u{1b}[2Jmegan@contoso.example";
    let token = machine.emulator.job_token(GITHUB_ISSUER, hostile, TOKEN_EXCHANGE);
    machine.input("id-token", token);
    let (found, ended) = Found::by(&machine, 3);
    found.says("sign-in", &["AADSTS700213", "subject repo:x"]);
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.lines().any(|line| line.starts_with("::error::boo")), "{text}");
        assert!(!text.contains("##vso[task.complete") && !text.contains("##[error]boo"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

// A vault.

/// A machine with a vault in place of its files: it keeps the refresh token and receives the PAT.
fn with_vault(host: Host) -> Machine {
    let mut machine = Machine::with_vault(host, "doctor");
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.add_vault_secret("refresh-token", &machine.emulator.refresh_token());
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-value");
    std::fs::remove_file(machine.store()).expect("there was one");
    let (store, pat, checks) =
        (machine.vault_secret("refresh-token"), machine.vault_secret("ado-pat"), machine.path("checks.json"));
    machine.input("credential-store", store).deliver_to(&[pat]).input("output-file", checks);
    machine
}

/// The PAT's secret is as it was.
#[track_caller]
fn nothing_was_delivered(machine: &Machine) {
    let secret = machine.emulator.vault_secret("ado-pat").expect("there");
    assert_eq!(secret.versions.len(), 1);
    assert_eq!(secret.versions[0].value, "FAKE-former-value");
}

#[test]
fn a_vault_keeps_the_refresh_token_and_would_take_the_pat() {
    let mut machine = with_vault(Host::GitHub);
    machine.opens_the_vault_by_secret();
    let (found, _) = Found::by(&machine, 0);
    found.results(WELL).says("credential store", &["keyvault:", "took the new refresh token"]);
    found.says("delivery", &["keyvault:", "would take it"]).says("network", &["127.0.0.1"]);
    let kept = machine.emulator.vault_secret("refresh-token").expect("there");
    assert!(machine.emulator.refresh_token_is_valid(&kept.newest().expect("one").value));
    assert_eq!(kept.versions.len(), 2);
    nothing_was_delivered(&machine);
}

#[rstest]
#[case(Host::GitHub, "GitHub")]
#[case(Host::Azure, "Azure Pipelines")]
#[case(Host::Generic, "a file")]
fn where_the_jobs_token_opens_the_vault_it_is_shown_what_it_says(#[case] host: Host, #[case] of: &str) {
    let mut machine = with_vault(host);
    let (issuer, subject) = claims_of(of);
    let trust = |machine: &Machine, subject: &str| {
        let app = AppRegistration::new(VAULT_APP).single_tenant(cast::TENANT);
        let app = app.federated(&issuer, subject, TOKEN_EXCHANGE);
        machine.emulator.services().services.add_app(app);
    };
    trust(&machine, &subject);
    let says = with_job_token(&mut machine, of);
    machine.set("AZURE_CLIENT_ID", VAULT_APP.to_string()).set("AZURE_TENANT_ID", cast::TENANT.to_string());
    let (found, _) = Found::by(&machine, 0);
    for check in ["credential store", "delivery"] {
        assert!(["ok", "warning"].contains(&found.check(check)["result"].as_str().expect("a word")));
        found.says(check, &all_of(&says));
    }
    assert!(!found.check("sign-in").to_string().contains(&issuer), "the app is a public one");
    nothing_was_delivered(&machine);

    trust(&machine, "somebody else");
    let (found, _) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "skipped", "failed", "skipped", "skipped", "failed"]);
    for check in ["credential store", "delivery"] {
        let remedy = found.check(check)["remedy"].as_str().expect("a text");
        assert!(says.iter().all(|claim| remedy.contains(claim)), "{remedy}");
        found.says(check, &["AADSTS700213", "federated credential"]);
    }
}

#[test]
fn a_vault_that_may_be_written_but_not_read_is_a_warning() {
    let mut machine = with_vault(Host::GitHub);
    let (seed, file) = (machine.emulator.refresh_token(), machine.file("refresh-token"));
    std::fs::write(machine.store(), seed).expect("a store");
    machine.opens_the_vault_by_secret().input("credential-store", file);
    machine.emulator.set_vault_rights(&VAULT_APP.to_string(), VaultRights::SET);
    let (found, _) = Found::by(&machine, 0);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "warning"]);
    found.says("delivery", &["cannot be read by this identity"]);
    nothing_was_delivered(&machine);
}

#[test]
fn a_vault_that_refuses_is_found_for_both_its_uses() {
    let mut machine = with_vault(Host::GitHub);
    machine.opens_the_vault_by_secret();
    let policy = VaultPolicy { access: VaultAccess::Firewalled, ..VaultPolicy::default() };
    machine.emulator.services().services.set_vault_policy(policy);
    let (found, _) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "skipped", "failed", "skipped", "skipped", "failed"]);
    for check in ["credential store", "delivery"] {
        found.says(check, &["ForbiddenByFirewall", "address of this agent"]);
    }
    let (seed, file) = (machine.emulator.refresh_token(), machine.file("refresh-token"));
    std::fs::write(machine.store(), seed).expect("a store");
    machine.input("credential-store", file);
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "failed"]);
}

#[test]
fn a_vault_that_may_be_read_but_not_written_cannot_keep_the_refresh_token() {
    let mut machine = with_vault(Host::GitHub);
    machine.opens_the_vault_by_secret().without("deliver-to");
    machine.emulator.set_vault_rights(&VAULT_APP.to_string(), VaultRights { set: false, ..VaultRights::ALL });
    let (found, _) = Found::by(&machine, 7);
    assert_eq!(found.check("credential store")["result"], "failed");
    found.says("credential store", &["ForbiddenByRbac", "Key Vault Secrets Officer"]);
    assert_eq!(found.check("PATs")["result"], "ok", "it stops none of the others");
}

#[test]
fn a_vault_that_nobody_opens_is_found() {
    let mut machine = with_vault(Host::GitHub);
    let (seed, file) = (machine.emulator.refresh_token(), machine.file("refresh-token"));
    std::fs::write(machine.store(), seed).expect("a store");
    machine.input("credential-store", file);
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "failed"]);
    found.says("delivery", &["No identity was found to open the vault"]);
}

// A variable group, a GitHub secret.

fn with_groups(host: Host) -> Machine {
    let mut machine = machine(host);
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds").secret("A", "FAKE-a-secret"));
    let linked = NewVariableGroup::named("web", "linked").linked_to_vault("contoso").secret("B", "FAKE-b");
    machine.emulator.add_variable_group(linked);
    machine.input("deliver-to", GROUP);
    machine
}

#[test]
fn a_variable_group_would_take_the_pat() {
    let machine = with_groups(Host::Azure);
    let (found, _) = Found::by(&machine, 0);
    found.results(WELL).says("delivery", &[GROUP, "would take it"]);
    found.says("sign-in", &["vso.variablegroups_read", "vso.variablegroups_manage"]);
    assert!(!machine.emulator.variable_groups()[0].variables.contains_key("ADO_PAT"));
}

#[test]
fn a_variable_group_takes_the_rolled_refresh_token() {
    let mut machine = with_groups(Host::Azure);
    let seed = machine.read("refresh-token");
    let pat = machine.file("pat");
    machine.input("credential-store", "variable-group:web/feeds/RT").input("refresh-token", seed);
    machine.input("deliver-to", pat);
    let (found, _) = Found::by(&machine, 0);
    found.results(WELL).says("credential store", &["variable-group:web/feeds/RT", "took the new"]);
    let kept = machine.emulator.variable_groups()[0].variables["RT"].clone();
    assert!(kept.is_secret && machine.emulator.refresh_token_is_valid(&kept.value));
}

#[test]
fn a_variable_group_that_the_user_may_only_read_is_found() {
    let machine = with_groups(Host::Azure);
    machine.emulator.services().services.set_group_role(1, cast::PERSON, GroupRole::Reader);
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "failed"]);
    found.says("delivery", &["may not change", "Administrator"]);
}

#[test]
fn a_variable_group_that_is_linked_to_a_vault_is_found() {
    let mut machine = with_groups(Host::Azure);
    machine.input("deliver-to", "variable-group:web/linked/ADO_PAT");
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "failed"]);
    found.says("delivery", &["linked to a Key Vault"]);
}

#[test]
fn the_permissions_for_a_variable_group_are_missed_where_one_is_configured() {
    let app = AppRegistration::public(cast::CLIENT_ID).permissions(&["vso.pats", "vso.pats_manage"]);
    let mut machine = on(Emulator::builder().app(app).start(), Host::Azure);
    Found::by(&machine, 0).0.results(WELL);
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds"));
    machine.input("deliver-to", GROUP);
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "warning", "ok", "ok", "ok", "failed"]);
    found.says("sign-in", &["vso.variablegroups_read", "vso.variablegroups_manage", "API permissions"]);
}

#[test]
fn a_github_secret_would_be_taken() {
    let mut machine = machine(Host::GitHub);
    let token = machine.emulator.github_token();
    machine.input("deliver-to", SECRET).input("github-token", token);
    let (found, _) = Found::by(&machine, 0);
    found.results(WELL).says("delivery", &[SECRET, "would take it"]);
    found.says("network", &[&machine.emulator.github_url().replace("http://", "")]);
    assert!(machine.emulator.github_secrets().is_empty());
}

#[test]
fn githubs_own_token_of_the_job_cannot_write_a_secret() {
    let mut machine = machine(Host::GitHub);
    let token = machine.emulator.github_token_with(GitHubRights::Workflow);
    machine.input("deliver-to", SECRET).input("github-token", token);
    let (found, _) = Found::by(&machine, 7);
    found.results(["ok", "ok", "ok", "ok", "ok", "ok", "ok", "failed"]);
    found.says("delivery", &["GITHUB_TOKEN never may"]);
}

#[test]
fn every_store_that_would_not_take_the_pat_is_named() {
    let mut machine = with_groups(Host::Azure);
    let nowhere = machine.file("no/such/folder/pat");
    machine.deliver_to(&["variable-group:web/nothing/A".into(), nowhere, GROUP.into()]);
    let (found, _) = Found::by(&machine, 7);
    found.says(
        "delivery",
        &["'nothing'", "Create the group", "no/such/folder/pat", "Create its folder first"],
    );
}

// The Azure CLI.

/// A machine on which the Azure CLI answers like this to `account show` and `account get-access-token`.
#[cfg(unix)]
fn with_azure_cli(account: &str, token: &str) -> Machine {
    use std::os::unix::fs::PermissionsExt as _;
    let mut machine = machine(Host::Generic);
    machine.without("credential-store").without("client-id").input("credential", "azure-cli");
    let folder = machine.path("programs");
    std::fs::create_dir(&folder).expect("a folder");
    let script = format!(
        "#!/bin/sh\ncase \"$1 $2\" in\n'account show') {account};;\n'account get-access-token') {token};;\nesac\n"
    );
    std::fs::write(folder.join("az"), script).expect("a script");
    std::fs::set_permissions(folder.join("az"), std::fs::Permissions::from_mode(0o755)).expect("a program");
    machine.set("PATH", folder);
    machine
}

#[cfg(unix)]
#[test]
fn the_azure_cli_signs_a_person_in_and_keeps_its_own_tokens() {
    let machine = with_azure_cli("echo '\"user\"'", "cat token.json");
    let token = serde_json::json!({
        "accessToken": machine.emulator.access_token(cast::PERSON), "expiresOn": "2030-01-01 00:00:00.000000",
        "expires_on": 1_893_456_000, "subscription": "s", "tenant": "t", "tokenType": "Bearer",
    });
    let script = std::fs::read_to_string(machine.path("programs/az")).expect("a script");
    let script = script.replace("cat token.json", &format!("echo '{token}'"));
    std::fs::write(machine.path("programs/az"), script).expect("a script");
    let (found, _) = Found::by(&machine, 0);
    found.results(["ok", "ok", "ok", "ok", "skipped", "ok", "ok", "ok"]);
    found.says("inputs", &["azure-cli"]).says("credential store", &["The Azure CLI keeps its own."]);
    assert!(machine.emulator.requests_to(Service::Entra).is_empty(), "it would not be talked to");
}

#[cfg(unix)]
#[rstest]
#[case::a_service_principal("echo '\"servicePrincipal\"'", "people only")]
#[case::not_logged_in("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", "az login")]
fn an_azure_cli_that_signs_no_person_in_says_why(#[case] account: &str, #[case] why: &str) {
    let machine = with_azure_cli(account, "exit 9");
    let (found, _) = Found::by(&machine, 3);
    found.results(["ok", "ok", "ok", "failed", "skipped", "skipped", "skipped", "ok"]);
    found.says("sign-in", &[why]);
}

// At a terminal.

/// What a person at a terminal is shown.
#[cfg(unix)]
fn shown_at_a_terminal(machine: &Machine) -> String {
    use std::io::Read as _;
    let (mut ours, theirs) = support::terminal();
    let mut command = machine.command();
    command.stdout(std::process::Stdio::from(theirs));
    let mut run = command.spawn().expect("the binary starts");
    drop(command);
    let mut shown = String::new();
    // A terminal whose other side is closed ends in an error.
    let _ = ours.read_to_string(&mut shown);
    assert!(run.wait().expect("it ends").success());
    shown
}

#[cfg(unix)]
#[test]
fn at_a_terminal_the_verdicts_are_coloured_and_aligned() {
    let mut machine = machine(Host::Generic);
    // So that some checks are skipped.
    machine.input("credential", "device-code");
    let plain = |line: &str| {
        let mut plain = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').expect("a colour").1;
        }
        plain + rest
    };
    let shown = shown_at_a_terminal(&machine);
    for (line, check) in shown.lines().zip(CHECKS) {
        let verdict = if line.contains("skipped") { "skipped" } else { "ok" };
        let colour = if verdict == "ok" { "32" } else { "2" };
        assert!(line.starts_with(&format!("\u{1b}[{colour}m{verdict}\u{1b}[0m")), "{line:?}");
        let line = plain(line);
        assert_eq!((line[..9].trim_end(), line[9..27].trim_end()), (verdict, check), "{line:?}");
        assert!(!line[27..].starts_with(' '), "{line:?}");
    }
    assert_eq!(shown.lines().count(), CHECKS.len());
}

#[cfg(unix)]
#[rstest]
#[case::not_wanted("NO_COLOR", "1")]
#[case::not_known("TERM", "dumb")]
fn a_terminal_without_colours_is_shown_none(#[case] name: &str, #[case] value: &str) {
    let mut machine = machine(Host::Generic);
    machine.set(name, value);
    let shown = shown_at_a_terminal(&machine);
    assert_eq!(shown.lines().count(), CHECKS.len());
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
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
        ("a permission", on_pats().pat_token_error("accessDenied", RefusalShape::Ok)),
    ]
}

/// A person who is quick.
fn approved() -> DeviceCodePolicy {
    let interval = std::time::Duration::from_secs(1);
    DeviceCodePolicy { interval, approved_by: Some(cast::PERSON.into()), ..DeviceCodePolicy::default() }
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
        ("exec", &[("scope", "vso.code")]),
        ("login", &[]),
    ] {
        for (what, fault) in refusals() {
            let mut machine = Machine::new(Host::Azure, operation);
            match operation {
                "exec" => _ = machine.arguments(&["exec", "--", "/bin/sh", "-c", ":"]),
                // It asks Entra alone.
                "login" if ["page", "bare", "a permission"].iter().any(|word| what.contains(word)) => {
                    continue;
                }
                "login" => machine.emulator.set_device_code_policy(approved()),
                _ => {}
            }
            inputs.iter().for_each(|(name, value)| _ = machine.input(name, value));
            machine.emulator.order(fault);
            let ended = machine.run();
            assert!(matches!(ended.code, Some(3 | 4)), "{operation}, {what}: {}", ended.words());
            assert!(ended.words().contains("'adopat doctor'"), "{operation}, {what}: {}", ended.words());
        }
    }
}

#[rstest]
#[case::a_vault("a vault", "ForbiddenByFirewall")]
#[case::the_vaults_sign_in("its sign-in", "AADSTS7000215")]
#[case::a_variable_group("a variable group", "may not change")]
#[case::a_permission_for_groups("a permission", "vso.variablegroups_manage")]
#[case::a_github_secret("a GitHub secret", "GITHUB_TOKEN never may")]
fn so_does_a_store_that_refuses(#[case] what: &str, #[case] why: &str) {
    let mut machine = match what {
        "a vault" | "its sign-in" => with_vault(Host::GitHub),
        "a permission" => {
            let app = AppRegistration::public(cast::CLIENT_ID);
            let permissions = ["vso.pats", "vso.pats_manage", "vso.variablegroups_read"];
            on(Emulator::builder().app(app.permissions(&permissions)).start(), Host::GitHub)
        }
        _ => machine(Host::GitHub),
    };
    let (seed, file) = (machine.emulator.refresh_token(), machine.file("refresh-token"));
    std::fs::write(machine.store(), seed).expect("a store");
    machine.input("credential-store", file).input("display-name", "nightly").run_as("rotate");
    machine.without("output-file");
    match what {
        "a vault" => {
            machine.opens_the_vault_by_secret();
            let policy = VaultPolicy { access: VaultAccess::Firewalled, ..VaultPolicy::default() };
            machine.emulator.services().services.set_vault_policy(policy);
        }
        "its sign-in" => {
            machine.opens_the_vault_by_secret().set("AZURE_CLIENT_SECRET", "FAKE~not-the-secret-0123456789");
        }
        "a GitHub secret" => {
            let token = machine.emulator.github_token_with(GitHubRights::Workflow);
            machine.input("deliver-to", SECRET).input("github-token", token);
        }
        _ => {
            machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds"));
            if what == "a variable group" {
                machine.emulator.services().services.set_group_role(1, cast::PERSON, GroupRole::Reader);
            }
            machine.input("deliver-to", GROUP);
        }
    }
    machine.run().expect(7).says(why).says("'adopat doctor'");
}

/// A manifest of one PAT that goes to a file and one that goes to a group of another organization.
const MANIFEST: &str = "version: 1\npats:\n\
    - {display-name: a, organization: fabrikam, scope: vso.code, deliver-to: file:a.pat}\n\
    - {display-name: b, organization: contoso, scope: vso.code, deliver-to: 'variable-group:web/feeds/B'}\n";

#[test]
fn a_manifest_is_checked_with_each_of_its_stores() {
    let organizations = [cast::ORGANIZATION, "contoso"].map(Organization::named);
    let emulator =
        organizations.into_iter().fold(Emulator::builder(), |builder, one| builder.organization(one));
    let mut machine = on(emulator.start(), Host::Generic);
    machine.without("deliver-to").without("organization").input("manifest", MANIFEST);
    let (found, ended) = Found::by(&machine, 7);
    found.says("inputs", &["The manifest describes", "2 PATs of contoso, fabrikam."]);
    ended.says("knows no project 'web'");
    let group = NewVariableGroup::named("web", "feeds").organization("contoso");
    machine.emulator.add_variable_group(group);
    let (found, _) = Found::by(&machine, 0);
    found.says(
        "delivery",
        &["file:a.pat would take it.", "variable-group:web/feeds/B of contoso would take it."],
    );
}

#[test]
fn what_is_wrong_with_a_manifest_is_found_by_the_first_check() {
    let mut machine = machine(Host::Generic);
    machine.input("manifest", MANIFEST.replace("scope", "scopes"));
    let (found, _) = Found::by(&machine, 2);
    found.says("inputs", &["'scopes' is not a key of an entry; did you mean 'scope'?"]);
}
