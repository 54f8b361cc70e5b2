//! Continuous access evaluation: Azure DevOps no longer takes an access token, since a policy revoked it. A run that has a
//! refresh token signs in again, once, with the claims that are asked for; any other says what to do.
#![cfg(unix)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use adopat_emulator::{Aadsts, Emulator, Fault, NewPat, NewVariableGroup, Policies, Recorded, Service, cast};
use http::HeaderValue;
use rstest::rstest;
use support::{Ended, Host, Machine};

const WHAT: &str = "A policy has revoked the access token before its end";
/// What stands in the claims of the emulator's challenges alone.
const IN_THE_CLAIMS: &str = "xms_fake_nonce";

fn machine(operation: &str) -> Machine {
    ready(Machine::new(Host::GitHub, operation), operation)
}

/// A machine in whose organization every access token is revoked.
fn under_the_policy(operation: &str) -> Machine {
    let policies = Policies { revoke_access_tokens: true, ..Policies::default() };
    ready(Machine::with(Emulator::builder().policies(policies).start(), Host::GitHub, operation), operation)
}

fn ready(mut machine: Machine, operation: &str) -> Machine {
    machine.input("display-name", "nightly").input("lifetime", "1d").input("log", "trace");
    if !matches!(operation, "rotate" | "update") {
        machine.input("scope", "vso.code");
    }
    machine
}

fn with_claims(request: &http::Request<bytes::Bytes>) -> bool {
    String::from_utf8_lossy(request.body()).contains("claims=")
}

/// The requests for tokens, as the claims in each.
fn sign_ins(machine: &Machine) -> Vec<Option<String>> {
    let claims = |request: &Recorded| {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        form.into_iter().find(|(name, _)| name == "claims").map(|(_, claims)| claims)
    };
    let requests = machine.emulator.requests_to(Service::Entra);
    requests.iter().filter(|request| request.path.ends_with("/token")).map(claims).collect()
}

/// Signed in twice, the second time with what the challenge asked for; no claim is in the log.
#[track_caller]
fn is_answered_once(machine: &Machine, ended: &Ended) {
    let claims = sign_ins(machine);
    assert_eq!(claims.len(), 2, "{:?}", machine.calls());
    assert_eq!(claims[0], None);
    let claims = claims[1].as_ref().expect("the second has claims");
    assert!(serde_json::from_str::<serde_json::Value>(claims).expect("JSON")["access_token"].is_object());
    assert!(!ended.words().contains(IN_THE_CLAIMS), "{}", ended.words());
    assert_eq!(ended.words().matches(WHAT).count(), 1, "{}", ended.words());
    ended.says("Signed in again with the refresh token");
}

#[rstest]
#[case("list", &["GET", "GET"])]
#[case("create", &["POST", "POST"])]
#[case("rotate", &["GET", "GET", "POST", "DELETE"])]
#[case("revoke", &["GET", "GET", "DELETE"])]
#[case("update", &["GET", "GET", "PUT"])]
fn a_revoked_access_token_is_replaced_once(#[case] operation: &str, #[case] calls: &[&str]) {
    let mut machine = under_the_policy(operation);
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    if operation == "create" {
        machine.emulator.revoke_pat(old.authorization_id);
    }
    let before = machine.read("refresh-token");
    machine.input("if-missing", "fail");
    let ended = machine.run();
    is_answered_once(&machine, ended.expect(0));
    assert_eq!(machine.pat_calls(), calls, "what was challenged is sent once more, and all else once");
    assert_eq!(machine.active("nightly").len(), usize::from(operation != "revoke"));
    let after = machine.read("refresh-token");
    assert!(after != before && machine.emulator.refresh_token_is_valid(&after));
}

#[test]
fn the_refresh_token_is_stored_before_the_request_is_sent_again() {
    let mut machine =
        Machine::with(Emulator::builder().one_time_refresh_tokens().start(), Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.emulator.order(Fault::on(Service::Pats).method("POST").claims_challenge());
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").nth(2).hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let stored = machine.read("refresh-token");
    assert!(machine.emulator.refresh_token_is_valid(&stored), "the one that came last is stored");
    hold.release();
    machine.wait(run).expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

#[rstest]
#[case::the_first_request("GET")]
#[case::the_one_that_mints("POST")]
#[case::the_one_that_retires("DELETE")]
fn at_any_request_nothing_is_lost_or_left(#[case] method: &str) {
    let machine = machine("rotate");
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.order(Fault::on(Service::Pats).method(method).claims_challenge());
    let ended = machine.run();
    is_answered_once(&machine, ended.expect(0));
    let [new] = machine.active("nightly").try_into().expect("one PAT");
    assert_ne!(new.authorization_id, old.authorization_id);
    assert_eq!(machine.emulator.pats().len(), 2, "one was made");
    assert_eq!(machine.pat_calls().len(), 4, "nothing is looked for: {:?}", machine.pat_calls());
}

#[rstest]
fn a_challenge_to_the_fresh_token_is_not_answered(#[values("list", "create")] operation: &str) {
    let machine = machine(operation);
    machine.emulator.order(Fault::on(Service::Pats).always().claims_challenge());
    let ended = machine.run();
    ended.expect(3).says("insufficient_claims").says("Sign in again with 'adopat login'");
    assert_eq!(sign_ins(&machine).len(), 2);
    assert_eq!(machine.pat_calls().len(), 2, "{:?}", machine.pat_calls());
    assert!(!ended.words().contains("may still be alive"), "{}", ended.words());
}

#[rstest]
#[case::interaction_required(Aadsts::code(50076).error("interaction_required"))]
#[case::invalid_grant(Aadsts::code(50173))]
#[case::blocked(Aadsts::code(53003))]
fn where_entra_wants_a_person_nothing_was_made(
    #[case] refusal: Aadsts,
    #[values("GET", "POST")] method: &str,
) {
    let mut machine = machine("rotate");
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    machine.input("revoke-on-completion", "true").set("ADOPAT_LAUNCHER", "1");
    machine.emulator.order(Fault::on(Service::Pats).method(method).claims_challenge());
    machine.emulator.order(Fault::on(Service::Entra).when(with_claims).always().aadsts(refusal.clone()));
    let ended = machine.run();
    ended.expect(3).says(WHAT).says("adopat login").says(&format!("AADSTS{}", refusal.code));
    assert_eq!(machine.pat_calls().iter().filter(|call| *call == method).count(), 1);
    assert_eq!(machine.active("nightly"), [old]);
    assert!(!machine.pat_calls().contains(&"DELETE".to_owned()));
    // Nothing is pending: the last step signs in nowhere.
    let state = machine.read("GITHUB_STATE");
    let last = state.lines().rev().find(|line| line.starts_with('[')).unwrap_or("[]").to_owned();
    assert_eq!(last, "[]", "{state}");
}

#[test]
fn an_access_token_that_was_given_is_told_as_revoked() {
    let mut machine = under_the_policy("create");
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").input("access-token", token);
    let ended = machine.run();
    ended.expect(3).says(WHAT).says("Get a fresh access token for Azure DevOps").says("insufficient_claims");
    assert!(!ended.words().contains("TF400813"), "{}", ended.words());
    assert_eq!(machine.calls(), ["Pats HEAD", "Pats POST"], "it was refused before anything was done");
    assert!(machine.emulator.pats().is_empty());
}

#[test]
fn the_azure_clis_access_token_is_told_as_revoked() {
    let mut machine = under_the_policy("list");
    machine.without("credential-store").without("client-id").input("credential", "azure-cli");
    let folder = machine.path("bin");
    std::fs::create_dir(&folder).expect("a folder");
    let token = serde_json::json!({
        "accessToken": machine.emulator.access_token(cast::PERSON), "expiresOn": "2030-01-01 00:00:00.000000",
        "expires_on": 1_893_456_000, "subscription": "s", "tenant": cast::TENANT, "tokenType": "Bearer",
    });
    let script = format!(
        "#!/bin/sh\ncase \"$1 $2\" in\n'account show') echo '\"user\"';;\n'account get-access-token') \
         echo '{token}';;\nesac\n"
    );
    std::fs::write(folder.join("az"), script).expect("a script");
    std::fs::set_permissions(folder.join("az"), std::fs::Permissions::from_mode(0o755)).expect("a program");
    machine.set("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    machine
        .run()
        .expect(3)
        .says(WHAT)
        .says("Run 'az logout' and then 'az login'")
        .says("AZURE_IDENTITY_DISABLE_CP1");
}

#[test]
fn claims_that_cannot_be_read_are_told_and_not_repeated() {
    let machine = machine("list");
    machine.emulator.order(Fault::on(Service::Pats).rewrite(|mut answer| {
        *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
        let header =
            HeaderValue::from_static("Bearer error=\"insufficient_claims\", claims=\"!fake-claims!\"");
        answer.headers_mut().insert("WWW-Authenticate", header);
        answer
    }));
    let ended = machine.run();
    ended.expect(3).says(WHAT);
    assert!(!ended.words().contains("fake-claims"), "{}", ended.words());
    assert_eq!(sign_ins(&machine).len(), 1);
}

#[test]
fn a_variable_group_is_written_with_the_fresh_token() {
    let mut machine = under_the_policy("create");
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds").variable("ADO_PAT", "old"));
    machine.deliver_to(&["variable-group:web/feeds/ADO_PAT".to_owned()]);
    let ended = machine.run();
    is_answered_once(&machine, ended.expect(0));
    assert_eq!(machine.pat_calls(), ["POST"], "the group was challenged first");
}

#[test]
fn a_variable_group_that_wants_a_person_is_told_before_anything_is_minted() {
    let mut machine = under_the_policy("create");
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds").variable("ADO_PAT", "old"));
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").input("access-token", token);
    machine.deliver_to(&["variable-group:web/feeds/ADO_PAT".to_owned()]);
    machine
        .run()
        .expect(7)
        .says(WHAT)
        .says("Get a fresh access token for Azure DevOps")
        .says("No PAT was created");
    assert!(machine.emulator.pats().is_empty());
}

#[test]
fn doctor_tells_it() {
    let machine = under_the_policy("doctor");
    let ended = machine.run();
    is_answered_once(&machine, ended.expect(0));
    ended.says("Signed in as a user");

    let mut machine = under_the_policy("doctor");
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").input("access-token", token);
    machine.run().expect(3).says(WHAT).says("Get a fresh access token for Azure DevOps");
}

#[test]
fn a_command_s_pat_is_revoked_all_the_same() {
    let mut machine = machine("exec");
    machine.arguments(&["exec", "--", "/bin/true"]);
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").claims_challenge());
    let ended = machine.run();
    is_answered_once(&machine, ended.expect(0));
    assert!(machine.active("nightly").is_empty());
}
