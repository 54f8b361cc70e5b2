//! Where the refresh token rests between runs: read before the sign-in, rolled by it, and stored again before
//! the PAT service is asked for anything.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use adopat_emulator::{
    AppRegistration, Emulator, Expiry, Fault, GITHUB_ISSUER, GitHubRights, GroupRole, NewPat,
    NewVariableGroup, Service, TOKEN_EXCHANGE, VaultAccess, VaultPolicy, VaultRights, cast,
};
use rstest::rstest;
use support::{Host, Machine, VAULT_APP, VAULT_APP_SECRET};

const CONNECTION: &str = "00000000-0000-0000-0000-00000000c0de";
const KEY: &str = "FAKE correct horse battery staple";

fn prepared(mut machine: Machine) -> Machine {
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.input("display-name", "nightly");
    machine
}

fn rotating() -> Machine {
    prepared(Machine::new(Host::GitHub, "rotate"))
}

/// One whose refresh token rests in the vault; who opens that is not said yet.
fn with_a_token_in_the_vault(host: Host) -> Machine {
    let mut machine = prepared(Machine::with_vault(host, "rotate"));
    machine.emulator.add_vault_secret("refresh-token", &machine.emulator.refresh_token());
    std::fs::remove_file(machine.store()).expect("removed");
    let store = machine.vault_secret("refresh-token");
    machine.input("credential-store", store);
    machine
}

fn by_secret() -> Machine {
    let mut machine = with_a_token_in_the_vault(Host::GitHub);
    machine.opens_the_vault_by_secret();
    machine
}

/// The refresh tokens that were redeemed, in their order.
fn redeemed(machine: &Machine) -> Vec<String> {
    let requests = machine.emulator.requests_to(Service::Entra);
    requests.iter().filter_map(|request| request.form("refresh_token")).collect()
}

/// The bearers that a service was shown.
fn bearers(machine: &Machine, service: Service) -> BTreeSet<String> {
    let requests = machine.emulator.requests_to(service);
    requests.iter().filter_map(|request| request.header("authorization").map(str::to_owned)).collect()
}

#[track_caller]
fn nothing_was_minted(machine: &Machine) {
    assert!(machine.sent("POST").is_empty());
    assert_eq!(machine.active("nightly").len(), 1);
}

#[track_caller]
fn no_pat_call_was_made(machine: &Machine) {
    assert!(machine.pat_calls().is_empty(), "{:?}", machine.pat_calls());
}

// A file.

#[test]
fn the_rolled_token_takes_the_old_ones_place_in_a_plain_file_that_is_its_owners_alone() {
    let machine = rotating();
    let old = machine.read("refresh-token");
    machine.run().expect(0);
    let new = machine.read("refresh-token");
    assert_ne!(new, old);
    assert!(machine.emulator.refresh_token_is_valid(&new), "the bare value: {new}");
    #[cfg(unix)]
    assert_eq!(support::mode(&machine.store()), 0o600);
}

#[test]
fn the_newline_of_an_editor_is_no_part_of_the_token() {
    let machine = rotating();
    let token = machine.read("refresh-token");
    std::fs::write(machine.store(), format!("{token}\r\n")).expect("written");
    machine.run().expect(0);
    assert_eq!(redeemed(&machine), [token]);
}

#[test]
fn under_a_store_key_the_file_is_sealed_and_the_next_run_opens_it() {
    let mut machine = rotating();
    let seed = machine.read("refresh-token");
    std::fs::remove_file(machine.store()).expect("removed");
    machine.input("store-key", KEY).input("refresh-token", seed).run().expect(0);
    for _ in 0..2 {
        let sealed = std::fs::read(machine.store()).expect("stored");
        let shown = String::from_utf8_lossy(&sealed);
        let secrets = machine.emulator.issued_secrets();
        assert!(!secrets.iter().any(|secret| shown.contains(secret)), "it is sealed");
        #[cfg(unix)]
        assert_eq!(support::mode(&machine.store()), 0o600);
        machine.without("refresh-token").run().expect(0);
    }
    let redeemed = redeemed(&machine);
    assert_eq!(
        redeemed.iter().collect::<BTreeSet<_>>().len(),
        3,
        "each run redeems what the last one stored"
    );
}

#[rstest]
#[case::missing(None)]
#[case::empty(Some(""))]
#[case::an_editors_empty_file(Some("\n"))]
fn a_store_that_holds_nothing_yet_is_filled_from_the_seed(#[case] holds: Option<&str>) {
    let mut machine = rotating();
    let seed = machine.read("refresh-token");
    std::fs::remove_file(machine.store()).expect("removed");
    if let Some(text) = holds {
        std::fs::write(machine.store(), text).expect("written");
    }
    machine.run().expect(3).says("no refresh token in file:").says("adopat login");
    assert!(machine.calls().is_empty(), "{:?}", machine.calls());
    assert_eq!(machine.read("refresh-token"), holds.unwrap_or_default());
    machine.input("refresh-token", &seed).run().expect(0);
    assert_eq!(redeemed(&machine), [seed]);
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
}

#[rstest]
#[case::of_another_key("sealed", Some("another"), "cannot be decrypted")]
#[case::without_a_key("sealed", None, "no 'store-key'")]
#[case::cut_off("cut off", Some(KEY), "not whole")]
#[case::not_sealed("plain", Some(KEY), "not encrypted")]
#[case::foreign("foreign", None, "neither")]
fn a_file_that_cannot_be_opened_is_left_untouched(
    #[case] file: &str,
    #[case] key: Option<&str>,
    #[case] why: &str,
) {
    let mut machine = rotating();
    let seed = machine.read("refresh-token");
    if matches!(file, "sealed" | "cut off") {
        std::fs::remove_file(machine.store()).expect("removed");
        machine.input("refresh-token", &seed).input("store-key", KEY).run().expect(0);
    }
    let mut bytes = std::fs::read(machine.store()).expect("there");
    match file {
        "cut off" => bytes.truncate(bytes.len() - 3),
        "foreign" => bytes = vec![0xff, 0xfe, 0],
        _ => {}
    }
    std::fs::write(machine.store(), &bytes).expect("written");
    machine.emulator.clear_requests();
    machine.without("store-key");
    if let Some(key) = key {
        machine.input("store-key", key);
    }
    // Not even a good seed is a reason to overwrite what somebody else may still be able to open.
    machine.input("refresh-token", &seed).run().expect(3).says(why);
    assert_eq!(std::fs::read(machine.store()).expect("there"), bytes);
    assert!(machine.calls().is_empty(), "{:?}", machine.calls());
}

#[test]
fn a_folder_in_place_of_the_file_is_refused() {
    let mut machine = rotating();
    let store = machine.file("");
    machine.input("credential-store", store).run().expect(2).says("folder");
    assert!(machine.calls().is_empty(), "{:?}", machine.calls());
}

#[test]
fn a_rolled_token_that_no_folder_takes_ends_the_run_before_any_pat_call() {
    let mut machine = rotating();
    let seed = machine.read("refresh-token");
    let store = machine.file("no-such-folder/refresh-token");
    machine.input("credential-store", store).input("refresh-token", seed);
    machine.run().expect(7).says("could not be stored").says("Create its folder");
    no_pat_call_was_made(&machine);
}

#[test]
fn the_token_is_stored_before_the_pat_service_is_asked() {
    let machine = rotating();
    let before = machine.read("refresh-token");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("GET").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let stored = machine.read("refresh-token");
    assert!(stored != before && machine.emulator.refresh_token_is_valid(&stored));
    hold.release();
    machine.wait(run).expect(0);
}

#[cfg(unix)]
#[test]
fn a_signal_while_entra_rolls_the_token_does_not_lose_the_new_one() {
    // The hardest case: the old one is dead as soon as it has been redeemed.
    let emulator = Emulator::builder().one_time_refresh_tokens().start();
    let machine = prepared(Machine::with(emulator, Host::GitHub, "rotate"));
    let before = machine.read("refresh-token");
    let hold = machine.emulator.order(Fault::on(Service::Entra).method("POST").hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    support::signal(&run, rustix::process::Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    hold.release();
    machine.wait(run).expect(143);
    assert!(!machine.emulator.refresh_token_is_valid(&before));
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
    no_pat_call_was_made(&machine);
}

#[test]
fn an_answer_that_comes_a_little_late_does_not_lose_the_new_token() {
    let emulator = Emulator::builder().one_time_refresh_tokens().start();
    let mut machine = prepared(Machine::with(emulator, Host::GitHub, "rotate"));
    machine.input("timeout", "3s");
    let before = machine.read("refresh-token");
    let hold = machine.emulator.order(Fault::on(Service::Entra).method("POST").hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    std::thread::sleep(Duration::from_millis(3_500));
    hold.release();
    machine.wait(run).expect(6).says("timeout");
    assert!(!machine.emulator.refresh_token_is_valid(&before));
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
    assert!(machine.sent("POST").is_empty(), "nothing was minted when the time was over");
    machine.without("timeout").run().expect(0);
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for_much_longer_than_the_timeout() {
    let mut machine = rotating();
    machine.input("timeout", "2s");
    let hold = machine.emulator.order(Fault::on(Service::Entra).method("POST").hold_before());
    let begun = std::time::Instant::now();
    machine.run().expect(6).says("did not answer within the time");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    hold.release();
}

#[test]
fn a_token_that_another_run_redeemed_but_has_not_stored_yet_is_waited_for() {
    let mut machine = rotating();
    let (stored, rolled) = (machine.read("refresh-token"), machine.emulator.refresh_token());
    machine.emulator.revoke_refresh_token(&stored);
    let run = machine.input("timeout", "30s").spawn();
    while redeemed(&machine).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(200));
    std::fs::write(machine.store(), &rolled).expect("the other run stores its own");
    machine.wait(run).expect(0);
    assert_eq!(redeemed(&machine), [stored, rolled]);
}

// Which token is redeemed.

#[test]
fn the_store_beats_the_seed() {
    let mut machine = rotating();
    let stored = machine.read("refresh-token");
    let seed = machine.emulator.refresh_token();
    machine.input("refresh-token", seed).run().expect(0);
    assert_eq!(redeemed(&machine), [stored]);
}

#[test]
fn a_stored_token_that_entra_refuses_gives_way_to_the_seed() {
    let mut machine = rotating();
    let stored = machine.read("refresh-token");
    let seed = machine.emulator.refresh_token();
    machine.emulator.revoke_refresh_token(&stored);
    machine.input("refresh-token", &seed).run().expect(0);
    assert_eq!(redeemed(&machine), [stored, seed]);
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
}

#[test]
fn a_stored_token_that_another_run_has_rolled_meanwhile_is_read_once_more_before_the_seed() {
    let mut machine = rotating();
    let stored = machine.read("refresh-token");
    let (rolled, seed) = (machine.emulator.refresh_token(), machine.emulator.refresh_token());
    let hold = machine.emulator.order(Fault::on(Service::Entra).method("POST").path("/token").hold_before());
    machine.input("refresh-token", seed);
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    std::fs::write(machine.store(), &rolled).expect("another run stores its own");
    // No more calls to the emulator are answered while it is locked, so the token is dead in time.
    machine.emulator.revoke_refresh_token(&stored);
    hold.release();
    machine.wait(run).expect(0);
    assert_eq!(redeemed(&machine), [stored, rolled]);
}

#[test]
fn tokens_that_entra_refuses_all_leave_the_store_as_it_was() {
    let mut machine = rotating();
    let (stored, seed) = (machine.read("refresh-token"), machine.emulator.refresh_token());
    machine.emulator.revoke_refresh_token(&stored);
    machine.emulator.revoke_refresh_token(&seed);
    machine.input("refresh-token", seed).run().expect(3).says("AADSTS50173");
    assert_eq!(machine.read("refresh-token"), stored);
    no_pat_call_was_made(&machine);
}

#[test]
fn a_refusal_that_is_not_about_the_token_is_no_reason_to_try_the_seed() {
    let mut machine = rotating();
    let stored = machine.read("refresh-token");
    let seed = machine.emulator.refresh_token();
    machine.emulator.refuse_next_token_request(700_016);
    machine.input("refresh-token", seed).run().expect(3).says("AADSTS700016");
    assert_eq!(redeemed(&machine), [stored]);
}

// A vault.

/// Lets the vault's app be opened in one way, and gives the job what that way needs.
fn configure(machine: &mut Machine, way: &str) {
    let federated = |issuer: &str, subject: &str| {
        let app = AppRegistration::new(VAULT_APP).single_tenant(cast::TENANT);
        let app = app.federated(issuer, subject, TOKEN_EXCHANGE);
        machine.emulator.services().services.add_app(app);
    };
    let ids = [VAULT_APP.to_string(), cast::TENANT.to_string()];
    let mut variables = Vec::from([("AZURE_CLIENT_ID", ids[0].clone()), ("AZURE_TENANT_ID", ids[1].clone())]);
    match way {
        "a client secret" => variables.push(("AZURE_CLIENT_SECRET", VAULT_APP_SECRET.to_owned())),
        "a workload's token file" => {
            let (issuer, subject) = ("https://oidc.contoso.example", "system:serviceaccount:ci:runner");
            federated(issuer, subject);
            let token = machine.emulator.job_token(issuer, subject, TOKEN_EXCHANGE);
            std::fs::write(machine.path("workload-token"), format!("{token}\n")).expect("written");
            let file = machine.path("workload-token").display().to_string();
            variables.push(("AZURE_FEDERATED_TOKEN_FILE", file));
        }
        "a GitHub job's token" => {
            federated(GITHUB_ISSUER, "repo:contoso/fabrikam:ref:refs/heads/main");
            let (url, token) = machine.emulator.github_id_token_request();
            variables
                .extend([("ACTIONS_ID_TOKEN_REQUEST_URL", url), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)]);
        }
        "App Service" => {
            let (endpoint, header) = machine.emulator.app_service_endpoint();
            variables = Vec::from([("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", header)]);
        }
        connection => {
            let (issuer, subject) = {
                let switchboard = machine.emulator.services();
                let services = &switchboard.services;
                (services.service_connection_issuer(), services.service_connection_subject(CONNECTION))
            };
            federated(&issuer, &subject);
            let (url, token) = machine.emulator.pipelines_id_token_request();
            if connection == "a task's service connection" {
                // The agent hands a task the connections that its inputs name.
                variables.clear();
                for (name, id) in ["SERVICEPRINCIPALID", "TENANTID"].iter().zip(ids) {
                    machine.set(&format!("ENDPOINT_AUTH_PARAMETER_{CONNECTION}_{name}"), id);
                }
            }
            variables.extend([("SYSTEM_OIDCREQUESTURI", url), ("SYSTEM_ACCESSTOKEN", token)]);
            machine.input("azure-service-connection", CONNECTION);
        }
    }
    for (name, value) in variables {
        machine.set(name, value);
    }
}

#[rstest]
#[case(Host::Generic, "a client secret")]
#[case(Host::Generic, "a workload's token file")]
#[case(Host::GitHub, "a GitHub job's token")]
#[case(Host::Azure, "a task's service connection")]
#[case(Host::Azure, "a script's service connection")]
#[case(Host::Generic, "App Service")]
fn each_identity_opens_the_vault(#[case] host: Host, #[case] way: &str) {
    let mut machine = with_a_token_in_the_vault(host);
    configure(&mut machine, way);
    if host == Host::Generic {
        let pat = machine.file("pat");
        machine.deliver_to(&[pat]);
    }
    machine.run().expect(0);
    let secret = machine.emulator.vault_secret("refresh-token").expect("there");
    let [former, newest] = &secret.versions[..] else { panic!("one version more: {:?}", secret.versions) };
    assert!(!former.enabled, "the former token, which lives on for 90 days, can no longer be read");
    assert!(newest.enabled && machine.emulator.refresh_token_is_valid(&newest.value));
    assert_eq!(newest.content_type.as_deref(), Some("application/vnd.adopat.refresh-token"));
    assert_eq!((newest.expires, newest.tags.len()), (None, 0));

    let in_vault = bearers(&machine, Service::Vault);
    let in_azure_devops: BTreeSet<_> =
        bearers(&machine, Service::Pats).union(&bearers(&machine, Service::DevOps)).cloned().collect();
    assert_eq!(in_vault.len(), 1, "one vault token serves the whole run");
    assert!(!in_azure_devops.is_empty() && in_vault.is_disjoint(&in_azure_devops));
}

#[test]
fn the_users_own_app_never_opens_a_vault() {
    let mut machine = with_a_token_in_the_vault(Host::GitHub);
    machine.input("client-secret", VAULT_APP_SECRET);
    machine.run().expect(3).says("No identity was found");
    assert!(bearers(&machine, Service::Vault).is_empty());
    assert!(machine.emulator.requests_to(Service::Entra).is_empty());
}

#[test]
fn without_an_identity_that_is_said_and_nothing_is_sent() {
    let machine = with_a_token_in_the_vault(Host::GitHub);
    let ended = machine.run();
    ended.expect(3).says("No identity was found to open the vault").says("id-token: write");
    nothing_was_minted(&machine);
    no_pat_call_was_made(&machine);
    assert_eq!(machine.emulator.vault_secret("refresh-token").expect("there").versions.len(), 1);
}

#[rstest]
#[case(VaultAccess::Roles, VaultRights::NONE, "ForbiddenByRbac", "Key Vault Secrets User")]
#[case(VaultAccess::AccessPolicies, VaultRights::NONE, "ForbiddenByPolicy", "permission 'Get'")]
#[case(VaultAccess::Firewalled, VaultRights::ALL, "ForbiddenByFirewall", "address of this agent")]
#[case(VaultAccess::PrivateOnly, VaultRights::ALL, "ForbiddenByConnection", "private endpoint")]
fn a_vault_that_does_not_let_itself_be_read_says_which_gate_is_shut(
    #[case] access: VaultAccess,
    #[case] rights: VaultRights,
    #[case] name: &str,
    #[case] remedy: &str,
) {
    let mut machine = by_secret();
    machine.emulator.set_vault_rights(&VAULT_APP.to_string(), rights);
    let policy = VaultPolicy { access, ..VaultPolicy::default() };
    machine.emulator.services().services.set_vault_policy(policy);
    // Not even with a seed: what the store holds may be newer.
    let seed = machine.emulator.refresh_token();
    machine.input("refresh-token", seed).run().expect(3).says(name).says(remedy);
    no_pat_call_was_made(&machine);
    assert!(redeemed(&machine).is_empty());
}

#[test]
fn a_newest_version_that_is_disabled_is_said() {
    let machine = by_secret();
    let disabled = r#"{"error":{"code":"Forbidden","message":"Operation get is not allowed on a disabled secret.","innererror":{"code":"SecretDisabled"}}}"#;
    let get = |request: &http::Request<bytes::Bytes>| request.headers().contains_key("authorization");
    let fault = Fault::on(Service::Vault).method("GET").when(get);
    machine.emulator.order(fault.answer(403, &[("content-type", "application/json")], disabled).always());
    machine.run().expect(3).says("SecretDisabled").says("Enable it");
    no_pat_call_was_made(&machine);
}

#[test]
fn a_secret_that_is_not_there_is_an_empty_store() {
    let mut machine = by_secret();
    let store = machine.vault_secret("another");
    machine.input("credential-store", store).run().expect(3).says("no refresh token in keyvault:");
    let seed = machine.emulator.refresh_token();
    machine.input("refresh-token", &seed).run().expect(0);
    assert_eq!(redeemed(&machine), [seed]);
    let stored = machine.emulator.vault_secret("another").expect("made").newest().expect("stored").clone();
    assert!(machine.emulator.refresh_token_is_valid(&stored.value));
}

#[test]
fn a_vault_that_takes_no_token_ends_the_run_before_any_pat_call() {
    let machine = by_secret();
    let rights = VaultRights { get: true, ..VaultRights::NONE };
    machine.emulator.set_vault_rights(&VAULT_APP.to_string(), rights);
    machine.run().expect(7).says("could not be stored").says("Key Vault Secrets Officer");
    no_pat_call_was_made(&machine);
}

#[test]
fn a_secret_of_the_vaults_app_that_is_wrong_is_told_in_entras_words() {
    let mut machine = by_secret();
    machine.set("AZURE_CLIENT_SECRET", "FAKE~quite-another-secret-0123456789");
    machine.run().expect(3).says("AADSTS7000215").says("AZURE_CLIENT_SECRET");
    no_pat_call_was_made(&machine);
}

#[test]
fn in_a_vault_too_the_store_is_read_once_more_before_the_seed() {
    let mut machine = by_secret();
    let stored = machine.emulator.vault_secret("refresh-token").expect("there").versions[0].value.clone();
    let (rolled, seed) = (machine.emulator.refresh_token(), machine.emulator.refresh_token());
    machine.input("refresh-token", seed);
    let refreshes = |request: &http::Request<bytes::Bytes>| {
        String::from_utf8_lossy(request.body()).contains("grant_type=refresh_token")
    };
    let hold = machine.emulator.order(Fault::on(Service::Entra).when(refreshes).hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    machine.emulator.add_vault_secret("refresh-token", &rolled);
    machine.emulator.revoke_refresh_token(&stored);
    hold.release();
    machine.wait(run).expect(0);
    assert_eq!(redeemed(&machine), [stored, rolled]);
}

#[test]
fn a_former_version_that_cannot_be_disabled_is_no_failure() {
    let machine = by_secret();
    let body = r#"{"error":{"code":"Forbidden","innererror":{"code":"ForbiddenByPolicy"}}}"#;
    let json = &[("content-type", "application/json")];
    machine.emulator.order(Fault::on(Service::Vault).method("PATCH").answer(403, json, body).always());
    machine.run().expect(0);
    let secret = machine.emulator.vault_secret("refresh-token").expect("there");
    assert!(machine.emulator.refresh_token_is_valid(&secret.newest().expect("stored").value));
}

#[test]
fn a_vault_that_wants_an_end_of_every_secret_gets_that_of_an_unused_token() {
    let machine = by_secret();
    let policy = VaultPolicy { expiry: Expiry::Required, ..VaultPolicy::default() };
    machine.emulator.services().services.set_vault_policy(policy);
    let sets = || {
        let requests = machine.emulator.requests_to(Service::Vault);
        requests.iter().filter(|request| request.method == "PUT").count()
    };
    let in_90_days = machine.emulator.now().as_second() + 90 * 86_400;
    machine.run().expect(0);
    let secret = machine.emulator.vault_secret("refresh-token").expect("there");
    let newest = secret.newest().expect("stored");
    assert!(machine.emulator.refresh_token_is_valid(&newest.value));
    assert!(newest.expires.is_some_and(|end| (0..60).contains(&(end - in_90_days))), "{newest:?}");
    assert_eq!(sets(), 2, "first without an end, as where no policy wants one");
    machine.run().expect(0);
    assert_eq!(sets(), 3, "the next run knows");
}

#[rstest]
#[case::a_policy(VaultPolicy { expiry: Expiry::WithinDays(30), ..VaultPolicy::default() }, "A policy of Azure")]
#[case::a_role(VaultPolicy::default(), "No role lets")]
fn a_refresh_token_that_the_vault_refuses_ends_the_run(#[case] policy: VaultPolicy, #[case] why: &str) {
    let machine = by_secret();
    machine.emulator.services().services.set_vault_policy(policy);
    if policy == VaultPolicy::default() {
        let rights = VaultRights { set: false, ..VaultRights::ALL };
        machine.emulator.set_vault_rights(&VAULT_APP.to_string(), rights);
    }
    machine.run().expect(7).says(why);
    no_pat_call_was_made(&machine);
}

#[rstest]
#[case::the_first_is_taken_late(|fault: Fault| fault.acts_late(Duration::from_secs(2)), 1, 0)]
#[case::all_are_taken_late(|fault: Fault| fault.acts_late(Duration::from_secs(6)), 9, 0)]
#[case::none_is_taken(|fault: Fault| fault, 9, 7)]
fn a_rolled_token_whose_storing_is_in_doubt_is_not_lost(
    #[case] late: fn(Fault) -> Fault,
    #[case] times: usize,
    #[case] code: i32,
    #[values(408, 504)] status: u16,
) {
    let machine = by_secret();
    let page = &[("content-type", "text/html")];
    let fault = Fault::on(Service::Vault).method("PUT").answer(status, page, "<html>Gateway</html>");
    machine.emulator.order(late(fault).times(times));
    machine.run().expect(code);
    std::thread::sleep(Duration::from_secs(7));
    let secret = machine.emulator.vault_secret("refresh-token").expect("there");
    assert!(machine.emulator.refresh_token_is_valid(&secret.newest().expect("stored").value));
    if code != 0 {
        no_pat_call_was_made(&machine);
    }
}

#[test]
fn a_rolled_token_that_the_vault_took_without_an_answer_is_stored() {
    let machine = by_secret();
    machine.emulator.order(Fault::on(Service::Vault).method("PUT").lose_answer().always());
    machine.run().expect(0);
    let secret = machine.emulator.vault_secret("refresh-token").expect("there");
    let readable: Vec<_> = secret.versions.iter().filter(|version| version.enabled).collect();
    let [stored] = &readable[..] else { panic!("{:?}", secret.versions) };
    assert!(machine.emulator.refresh_token_is_valid(&stored.value));
}

#[test]
fn a_vault_that_cannot_be_reached_is_no_empty_store() {
    let mut machine = by_secret();
    let seed = machine.emulator.refresh_token();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    machine.input("credential-store", format!("keyvault:https://{address}/secrets/refresh-token"));
    machine.input("refresh-token", seed).input("timeout", "10s").run().expect(3).says("could not be reached");
    assert!(redeemed(&machine).is_empty());
}

#[cfg(unix)]
#[rstest]
fn a_signal_while_the_rolled_token_is_being_stored_does_not_keep_it_from_being_stored(
    #[values(false, true)] acted_on: bool,
) {
    let machine = by_secret();
    let fault = Fault::on(Service::Vault).method("PUT");
    let hold = machine.emulator.order(if acted_on { fault.hold_after() } else { fault.hold_before() });
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(30)));
    support::signal(&run, rustix::process::Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    hold.release();
    machine.wait(run).expect(143);
    no_pat_call_was_made(&machine);
    let secret = machine.emulator.vault_secret("refresh-token").expect("there");
    assert_eq!(secret.versions.len(), 2);
    assert!(machine.emulator.refresh_token_is_valid(&secret.newest().expect("stored").value));
}

// Stores that are only written.

fn write_only(kind: &str) -> Machine {
    let mut machine = rotating();
    std::fs::remove_file(machine.store()).expect("removed");
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "sign-in").variable("OTHER", "kept"));
    let token = machine.emulator.github_token();
    let store = match kind {
        "variable-group" => "variable-group:web/sign-in/REFRESH_TOKEN",
        "environment secret" => "github-secret:contoso/fabrikam/production/REFRESH_TOKEN",
        _ => "github-secret:contoso/fabrikam/REFRESH_TOKEN",
    };
    machine.input("credential-store", store).input("github-token", token);
    machine
}

fn written(machine: &Machine, kind: &str) -> Option<String> {
    if kind == "variable-group" {
        let group = machine.emulator.variable_groups().remove(0);
        assert_eq!(group.variables["OTHER"].value, "kept");
        let variable = group.variables.get("REFRESH_TOKEN")?;
        assert!(variable.is_secret);
        return Some(variable.value.clone());
    }
    let secrets = machine.emulator.github_secrets();
    secrets.into_iter().find(|secret| secret.name == "REFRESH_TOKEN").map(|secret| secret.value)
}

#[rstest]
fn a_store_that_never_shows_its_value_needs_the_refresh_token_beside_it(
    #[values("variable-group", "secret")] kind: &str,
) {
    let machine = write_only(kind);
    machine.run().expect(2).says("refresh-token");
    assert!(machine.calls().is_empty(), "{:?}", machine.calls());
}

#[rstest]
fn the_rolled_token_is_written_back_before_any_pat_call(
    #[values("variable-group", "secret", "environment secret")] kind: &str,
) {
    let mut machine = write_only(kind);
    let seed = machine.emulator.refresh_token();
    machine.input("refresh-token", &seed);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("GET").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let rolled = written(&machine, kind).expect("written back");
    hold.release();
    machine.wait(run).expect(0);
    assert!(rolled != seed && machine.emulator.refresh_token_is_valid(&rolled));
    assert_eq!(redeemed(&machine), [seed]);
}

#[rstest]
fn a_write_only_store_that_takes_nothing_ends_the_run_before_any_pat_call(
    #[values("variable-group", "secret")] kind: &str,
) {
    let mut machine = write_only(kind);
    machine.emulator.services().services.set_group_role(1, cast::PERSON, GroupRole::Reader);
    let (seed, workflow) =
        (machine.emulator.refresh_token(), machine.emulator.github_token_with(GitHubRights::Workflow));
    machine.input("refresh-token", seed).input("github-token", workflow);
    machine.run().expect(7).says("could not be stored");
    assert_eq!(written(&machine, kind), None);
    no_pat_call_was_made(&machine);
}

#[rstest]
fn a_person_signs_in_without_one(
    #[values("variable-group", "secret")] kind: &str,
    #[values("login", "rotate")] operation: &str,
) {
    let mut machine = write_only(kind);
    machine.run_as(operation).input("credential", "device-code");
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(Duration::from_secs(20)).expect("a code");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine.wait(run).expect(0);
    assert!(machine.emulator.refresh_token_is_valid(&written(&machine, kind).expect("stored")));
}
