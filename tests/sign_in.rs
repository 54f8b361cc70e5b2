//! Who signs in: every credential, every proof of a confidential client, and what a person reads where Microsoft
//! Entra refuses.
#![cfg(unix)]

mod support;

use std::process::Child;
use std::time::{Duration, Instant};

use adopat::entra::refusal::MEANINGS;
use adopat_emulator::{
    Aadsts, AppRegistration, Builder, ClientKind, DeviceCodePolicy, Emulator, Fault, GITHUB_ISSUER, Hold,
    Instead, NewPat, Recorded, RetryAfter, Service, Spoil, TOKEN_EXCHANGE, cast,
};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Ended, Host, Machine};

const LONG: Duration = Duration::from_secs(20);
const SECRET: &str = "fake~client-secret-0123456789abcdef";
const CONNECTION: &str = "00000000-0000-0000-0000-00000000000c";
const GITHUB_SUBJECT: &str = "repo:contoso/fabrikam:ref:refs/heads/main";

/// The requests to Entra's endpoint of this name.
fn to_entra(machine: &Machine, endpoint: &str) -> Vec<Recorded> {
    let requests = machine.emulator.requests_to(Service::Entra).into_iter();
    requests.filter(|request| request.path.ends_with(endpoint)).collect()
}

/// The one token request of a run.
#[track_caller]
fn token_request(machine: &Machine) -> Recorded {
    let mut requests = to_entra(machine, "/token");
    assert_eq!(requests.len(), 1, "{:?}", machine.calls());
    requests.remove(0)
}

/// Nothing was minted, nothing handed over, and the store is as it was.
#[track_caller]
fn nothing_came_of_it(machine: &Machine, store_before: &str) {
    assert!(
        machine.emulator.pats().is_empty() && machine.pat_calls().iter().all(|method| method == "HEAD"),
        "{:?}",
        machine.calls()
    );
    assert_eq!(machine.read("GITHUB_OUTPUT"), "");
    assert_eq!(machine.read("refresh-token"), store_before);
}

/// What every refusal of Entra is told with.
#[track_caller]
fn is_told(ended: &Ended, code: u32) {
    ended.expect(3).says(&format!("AADSTS{code}")).says("correlation id: ");
    ended.says("correlation id: ").says("trace id: ");
    let line = ended.words().lines().find(|line| line.contains("correlation id: ")).map(str::to_owned);
    let line = line.expect("a line with the id");
    let (_, id) = line.split_once("correlation id: ").expect("an id");
    let id = id.split([';', ']']).next().expect("an end");
    assert_eq!(line.matches(id).count(), 1, "one id is told once: {line}");
    let words = ended.words();
    assert!(words.contains("'adopat login'") || words.contains("'adopat doctor'"), "no next step:\n{words}");
}

// device code

/// Entra asks its clients to wait five seconds between two questions: too long for a test.
fn impatient() -> DeviceCodePolicy {
    DeviceCodePolicy { interval: Duration::from_secs(1), ..DeviceCodePolicy::default() }
}

fn creating_by_device_code(host: Host) -> Machine {
    let mut machine = Machine::new(host, "create");
    machine.emulator.set_device_code_policy(impatient());
    machine.input("display-name", "nightly").input("scope", "vso.code").input("credential", "device-code");
    if host == Host::Generic {
        let file = machine.path("pat");
        machine.input("output-file", file).input("output-format", "token");
    }
    machine
}

/// A run that waits for a person, and the code they are to enter.
fn start_until_a_code_is_there(machine: &Machine) -> (Child, String) {
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    (run, code)
}

#[rstest]
fn a_person_enters_the_code_that_is_shown_and_the_pat_is_delivered(
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = creating_by_device_code(host);
    let before = machine.read("refresh-token");
    let run = machine.follow();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    let notice = run.line_with(&code);
    assert!(notice.contains(&format!("{}/devicelogin", machine.emulator.entra_url())), "{notice}");
    let mark = if host == Host::GitHub { "::notice::" } else { "adopat: notice: " };
    assert!(notice.starts_with(mark), "{notice}");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    let ended = machine.end(run);
    ended.expect(0);

    let active = machine.active("nightly");
    assert_eq!(active.len(), 1);
    let delivered = match host {
        Host::GitHub => machine.outputs(&ended)["token"].clone(),
        Host::Azure => {
            let commands = support::azure_agent::commands(&ended.stdout, true).into_iter();
            let mut set =
                commands.filter(|command| command.name == "task.setvariable" && command.is("issecret"));
            set.next().expect("a secret variable").data
        }
        Host::Generic => machine.read("pat"),
    };
    assert_eq!(delivered.trim_end(), active[0].value);
    let stored = machine.read("refresh-token");
    assert!(stored != before && machine.emulator.refresh_token_is_valid(&stored));
    machine.without("credential").without("output-format").run_as("list").run().expect(0);
    assert_eq!(machine.emulator.device_codes().len(), 1, "nobody is asked again");
}

#[test]
fn the_code_is_asked_for_with_what_a_refresh_token_needs() {
    let machine = creating_by_device_code(Host::GitHub);
    machine
        .emulator
        .set_device_code_policy(DeviceCodePolicy { approved_by: Some(cast::PERSON.into()), ..impatient() });
    machine.run().expect(0);
    let asked = &to_entra(&machine, "/devicecode")[0];
    assert_eq!(asked.path, format!("/{}/oauth2/v2.0/devicecode", cast::TENANT));
    assert_eq!(asked.form("client_id"), Some(cast::CLIENT_ID.to_string()));
    let scope = asked.form("scope").expect("a scope");
    assert_eq!(scope, format!("{}/.default offline_access", adopat_emulator::AZURE_DEVOPS));
}

#[test]
fn a_device_code_needs_no_store() {
    let mut machine = creating_by_device_code(Host::GitHub);
    machine.without("credential-store");
    let before = machine.read("refresh-token");
    let (run, code) = start_until_a_code_is_there(&machine);
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine.wait(run).expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
    assert_eq!(machine.read("refresh-token"), before);
}

#[rstest]
#[case::declined("declined", 65004, "accept")]
#[case::expired("expired", 70019, "credential browser")]
#[case::blocked("blocked", 53003, "credential browser")]
fn a_device_code_that_comes_to_nothing_mints_nothing(
    #[case] how: &str,
    #[case] code: u32,
    #[case] remedy: &str,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let machine = creating_by_device_code(host);
    let before = machine.read("refresh-token");
    let (run, user_code) = start_until_a_code_is_there(&machine);
    match how {
        "declined" => machine.emulator.decline_device_code(&user_code),
        "expired" => machine.emulator.expire_device_code(&user_code),
        _ => {
            machine.emulator.set_device_code_policy(DeviceCodePolicy { blocked: true, ..impatient() });
            machine.emulator.approve_device_code(&user_code, cast::PERSON);
        }
    }
    let ended = machine.wait(run);
    is_told(&ended, code);
    ended.says(remedy);
    nothing_came_of_it(&machine, &before);
}

#[rstest]
fn a_wait_for_a_person_that_is_cancelled_ends_at_once_and_leaves_nothing(
    #[values(Signal::INT, Signal::TERM)] signal: Signal,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let machine = creating_by_device_code(host);
    let before = machine.read("refresh-token");
    let (run, code) = start_until_a_code_is_there(&machine);
    let sent = Instant::now();
    support::signal(&run, signal);
    machine.wait(run).expect(128 + signal.as_raw());
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    machine.emulator.approve_device_code(&code, cast::PERSON);
    nothing_came_of_it(&machine, &before);
}

#[test]
fn a_code_that_is_entered_while_the_run_is_cancelled_leaves_no_pat_and_a_store_that_works() {
    let machine = creating_by_device_code(Host::GitHub);
    let hold = machine.emulator.order(Fault::on(Service::Entra).path("/token").hold_after());
    let (run, code) = start_until_a_code_is_there(&machine);
    machine.emulator.approve_device_code(&code, cast::PERSON);
    assert!(hold.wait_until_held(LONG));
    support::signal(&run, Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    hold.release();
    machine.wait(run).expect(143);
    assert!(machine.active("nightly").is_empty());
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
}

#[test]
fn slow_down_is_obeyed() {
    let machine = creating_by_device_code(Host::GitHub);
    let policy = DeviceCodePolicy { approved_by: Some(cast::PERSON.into()), ..impatient() };
    machine.emulator.set_device_code_policy(policy);
    let slower = Aadsts::code(70016).error("slow_down");
    machine.emulator.order(Fault::on(Service::Entra).path("/token").aadsts(slower));
    machine.run().expect(0);
    let polls = to_entra(&machine, "/token");
    assert_eq!(polls.len(), 2);
    let apart = polls[1].at.duration_since(polls[0].at);
    assert!(apart >= SignedDuration::from_millis(5_900), "five seconds more than before: {apart}");
}

#[test]
fn the_time_that_a_person_takes_is_not_the_runs() {
    let mut machine = creating_by_device_code(Host::GitHub);
    machine.input("timeout", "3s");
    let (run, code) = start_until_a_code_is_there(&machine);
    std::thread::sleep(Duration::from_secs(5));
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine.wait(run).expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

#[rstest]
fn nobody_is_asked_for_a_device_code_unless_it_is_wanted(
    #[values("create", "rotate", "list")] operation: &str,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = Machine::new(host, operation);
    machine.without("credential-store").input("display-name", "nightly").input("scope", "vso.code");
    machine.run().expect(2).says("credential").says("device-code");
    assert!(machine.calls().is_empty());
}

#[test]
fn a_store_that_never_shows_its_value_takes_the_token_of_a_device_code() {
    use adopat_emulator::NewVariableGroup;
    let mut machine = creating_by_device_code(Host::GitHub);
    machine
        .emulator
        .set_device_code_policy(DeviceCodePolicy { approved_by: Some(cast::PERSON.into()), ..impatient() });
    machine.emulator.add_variable_group(NewVariableGroup::named("contoso", "pats").variable("OTHER", "x"));
    machine.input("credential-store", "variable-group:contoso/pats/RT").run().expect(0);
    let group = machine.emulator.variable_groups().remove(0);
    assert!(group.variables["RT"].is_secret);
    assert!(machine.emulator.refresh_token_is_valid(&group.variables["RT"].value));
    assert_eq!(group.variables["OTHER"].value, "x");
}

// confidential clients

fn pem(name: &str) -> String {
    format!("{}/tests/fixtures/certificates/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn registered() -> String {
    std::fs::read_to_string(pem("pkcs1.pem")).expect("a certificate")
}

/// A machine that lists PATs as this app, with a refresh token of the kind that the app gets.
fn listing_as(host: Host, app: AppRegistration) -> Machine {
    listing(host, Emulator::builder().app(app))
}

fn listing(host: Host, emulator: Builder) -> Machine {
    let mut machine = Machine::with(emulator.start(), host, "list");
    // Where secrets may lie in plain sight.
    std::fs::create_dir(machine.path("run")).expect("a folder");
    machine.input("timeout", "60s");
    machine
}

fn confidential() -> AppRegistration {
    AppRegistration::confidential(cast::CLIENT_ID)
}

#[test]
fn a_client_secret_proves_the_client_at_every_sign_in() {
    let mut machine = listing_as(Host::GitHub, confidential().secret(SECRET));
    machine.input("client-secret", SECRET);
    for _ in 0..2 {
        let before = machine.read("refresh-token");
        machine.emulator.clear_requests();
        machine.run().expect(0);
        assert_eq!(token_request(&machine).form("client_secret").as_deref(), Some(SECRET));
        assert_eq!(token_request(&machine).form("client_assertion"), None);
        assert_ne!(machine.read("refresh-token"), before, "it was rolled");
    }
}

#[rstest]
#[case::pem_file("pkcs1.pem", None)]
#[case::chain("pkcs8-after-another-certificate.pem", None)]
#[case::encrypted_key("encrypted-aes256.pem", Some("fake-password"))]
#[case::pkcs12("pbes2-aes256.p12", Some("fake-password"))]
#[case::pkcs12_of_windows("3des-rc2.p12", Some("fake-password"))]
#[case::pkcs12_without_password("3des-without-password.p12", None)]
fn a_certificate_proves_the_client(#[case] file: &str, #[case] password: Option<&str>) {
    let mut machine = listing_as(Host::GitHub, confidential().certificate_pem(&registered()));
    machine.input("client-certificate", pem(file));
    if let Some(password) = password {
        machine.input("client-certificate-password", password);
    }
    machine.run().expect(0);
    let request = token_request(&machine);
    assert_eq!(request.form("client_secret"), None);
    let kind = request.form("client_assertion_type").expect("an assertion");
    assert_eq!(kind, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
}

#[rstest]
fn a_certificate_signs_by_the_services_clock(#[values(-20, 30)] days: i64) {
    let offset = SignedDuration::from_hours(24 * days);
    let app = confidential().certificate_pem(&registered());
    let mut machine = listing(Host::GitHub, Emulator::builder().app(app).clock_offset(offset));
    machine.input("client-certificate", registered()).run().expect(0);
    assert_eq!(machine.calls(), ["Pats HEAD", "Entra POST", "Pats GET"]);
}

#[rstest]
#[case::as_it_is(registered())]
#[case::in_one_line(registered().trim_end().replace('\n', "\\n"))]
#[case::with_spaces(registered().trim_end().replace('\n', " "))]
fn a_certificate_may_stand_in_the_input_itself(#[case] text: String) {
    let mut machine = listing_as(Host::GitHub, confidential().certificate_pem(&registered()));
    machine.input("client-certificate", &text);
    let ended = machine.run();
    ended.expect(0);
    let key = registered().lines().nth(5).expect("a line of the key").to_owned();
    assert!(!ended.words().contains(&key));
}

#[rstest]
#[case::wrong_password("pbes2-aes256.p12", Some("another"), "password")]
#[case::no_password("pbes2-aes256.p12", None, "password")]
#[case::wrong_password_of_a_pem("encrypted-aes256.pem", Some("another"), "password")]
#[case::no_password_of_a_pem("encrypted-aes256.pem", None, "password")]
#[case::no_key("certificate-alone.pem", None, "private key")]
#[case::another_key("strangers.pem", None, "certificate of its private key")]
#[case::no_rsa("elliptic.pem", None, "RSA")]
#[case::no_certificate("README.md", None, "neither a PEM nor a PKCS#12")]
#[case::no_file("no-such-file.pem", None, "cannot be read")]
fn a_certificate_that_cannot_be_used_is_wrong_input(
    #[case] file: &str,
    #[case] password: Option<&str>,
    #[case] sentence: &str,
    #[values("list", "login")] operation: &str,
) {
    let mut machine = listing_as(Host::GitHub, confidential().certificate_pem(&registered()));
    machine.run_as(operation).input("client-certificate", pem(file));
    if let Some(password) = password {
        machine.input("client-certificate-password", password);
    }
    machine.run().expect(2).says("client-certificate").says(sentence);
    assert!(machine.calls().is_empty(), "nothing was sent");
}

#[rstest]
#[case::secret_and_certificate(&[("client-secret", SECRET), ("client-certificate", "@pkcs1.pem")])]
#[case::secret_and_federated(&[("client-secret", SECRET), ("federated", "true")])]
#[case::certificate_and_federated(&[("client-certificate", "@pkcs1.pem"), ("federated", "true")])]
fn one_proof_is_enough(#[case] proofs: &[(&str, &str)]) {
    let mut machine = listing_as(Host::GitHub, confidential().secret(SECRET));
    for (name, value) in proofs {
        machine.input(name, value.strip_prefix('@').map_or_else(|| (*value).to_owned(), pem));
    }
    machine.run().expect(2).says("give one of client-secret, client-certificate and federated");
    assert!(machine.calls().is_empty());
}

// federated

fn trusting_github() -> AppRegistration {
    confidential().federated(GITHUB_ISSUER, GITHUB_SUBJECT, TOKEN_EXCHANGE)
}

fn federated(host: Host, app: AppRegistration) -> Machine {
    let mut machine = listing_as(host, app);
    machine.input("federated", "true");
    machine
}

/// As GitHub does it for a job with `permissions: id-token: write`.
fn with_github_id_token(machine: &mut Machine) {
    let (url, token) = machine.emulator.github_id_token_request();
    machine.set("ACTIONS_ID_TOKEN_REQUEST_URL", url).set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
}

fn with_pipelines_id_token(machine: &mut Machine) {
    let (url, token) = machine.emulator.pipelines_id_token_request();
    machine.set("SYSTEM_OIDCREQUESTURI", url).set("SYSTEM_ACCESSTOKEN", token);
}

fn with_token_file(machine: &mut Machine, token: &str) {
    let file = machine.path("run/token");
    std::fs::write(&file, format!("{token}\n")).expect("a token file");
    machine.set("AZURE_FEDERATED_TOKEN_FILE", file);
}

#[test]
fn githubs_token_of_the_job_proves_the_client() {
    let mut machine = federated(Host::GitHub, trusting_github());
    with_github_id_token(&mut machine);
    machine.run().expect(0);
    let asked = machine.emulator.requests_to(Service::Job);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].query("audience"), Some(TOKEN_EXCHANGE));
    assert_eq!(machine.calls(), ["Job GET", "Entra POST", "Pats GET"]);
    assert!(token_request(&machine).form("client_assertion").is_some());
}

#[rstest]
#[case::of_the_service_connection(Some(CONNECTION))]
#[case::of_the_pipeline(None)]
fn azure_pipelines_token_of_the_job_proves_the_client(#[case] connection: Option<&str>) {
    let services = Emulator::builder().services();
    let app = match connection {
        Some(id) => confidential().federated(
            &services.service_connection_issuer(),
            &services.service_connection_subject(id),
            TOKEN_EXCHANGE,
        ),
        None => confidential().federated(
            &format!("https://vstoken.dev.azure.com/{}", cast::ORGANIZATION_ID),
            "p://fabrikam/contoso/nightly",
            TOKEN_EXCHANGE,
        ),
    };
    let mut machine = federated(Host::Azure, app);
    with_pipelines_id_token(&mut machine);
    if let Some(id) = connection {
        machine.input("azure-service-connection", id);
    }
    machine.run().expect(0);
    let asked = machine.emulator.requests_to(Service::Job);
    assert_eq!(asked[0].query("serviceConnectionId"), connection);
}

#[test]
fn the_token_of_the_job_is_the_endpoints_else_the_files_else_the_inputs() {
    let mut machine = federated(Host::GitHub, trusting_github());
    let token = |of: &str| machine.emulator.job_token(GITHUB_ISSUER, GITHUB_SUBJECT, of);
    let (of_file, of_input) = (token(TOKEN_EXCHANGE), token(TOKEN_EXCHANGE));
    machine.input("id-token", &of_input);
    with_token_file(&mut machine, &of_file);
    with_github_id_token(&mut machine);
    let used = |machine: &Machine| {
        machine.emulator.clear_requests();
        machine.run().expect(0);
        token_request(machine).form("client_assertion").expect("an assertion")
    };
    let of_endpoint = used(&machine);
    assert!(of_endpoint != of_file && of_endpoint != of_input);
    machine.unset("ACTIONS_ID_TOKEN_REQUEST_URL").unset("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    assert_eq!(used(&machine), of_file);
    machine.unset("AZURE_FEDERATED_TOKEN_FILE");
    assert_eq!(used(&machine), of_input);
}

#[rstest]
#[case::on_github(Host::GitHub, "permissions: id-token: write")]
#[case::on_azure(Host::Azure, "SYSTEM_ACCESSTOKEN: $(System.AccessToken)")]
#[case::elsewhere(Host::Generic, "ADOPAT_ID_TOKEN")]
fn a_job_without_a_token_is_told_what_it_lacks(#[case] host: Host, #[case] remedy: &str) {
    let machine = federated(host, trusting_github());
    let before = machine.read("refresh-token");
    let ended = machine.run();
    ended.expect(3).says("no OIDC token").says(remedy);
    assert!(machine.calls().is_empty());
    nothing_came_of_it(&machine, &before);
}

#[rstest]
#[case(Host::Azure, "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN", "https://evil.example/oidctoken")]
#[case(Host::Azure, "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN", "http://dev.azure.com/fabrikam/oidctoken")]
#[case(
    Host::GitHub,
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "https://evil.example/x?y=z"
)]
fn the_jobs_own_token_goes_to_its_hosts_service_alone(
    #[case] host: Host,
    #[case] address: &str,
    #[case] token: &str,
    #[case] stranger: &str,
) {
    let mut machine = federated(host, trusting_github());
    machine.set(address, stranger).set(token, "FAKE-token-of-this-job");
    let ended = machine.run();
    ended
        .expect(3)
        .says(&format!("{address} is ignored: it is not "))
        .says("no OIDC token")
        .says("no OIDC token");
    assert!(machine.calls().is_empty());
    assert!(!ended.words().contains("FAKE-token-of-this-job"));
}

#[rstest]
#[case::on_github(Host::GitHub, "permissions: id-token: write")]
#[case::on_azure(Host::Azure, "SYSTEM_ACCESSTOKEN: $(System.AccessToken)")]
fn a_job_whose_own_token_is_refused_is_told_what_it_lacks(#[case] host: Host, #[case] remedy: &str) {
    let mut machine = federated(host, trusting_github());
    with_github_id_token(&mut machine);
    if host == Host::Azure {
        machine.unset("ACTIONS_ID_TOKEN_REQUEST_URL").unset("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
        with_pipelines_id_token(&mut machine);
        machine.set("SYSTEM_ACCESSTOKEN", "FAKE-token-of-another-job");
    } else {
        machine.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "FAKE-token-of-another-job");
    }
    let ended = machine.run();
    ended.expect(3).says("did not accept the job's own token").says(remedy);
    assert!(!ended.words().contains("FAKE-token-of-another-job"));
    assert!(to_entra(&machine, "/token").is_empty());
}

#[rstest]
#[case::missing(None, "there is no such file")]
#[case::empty(Some(" \n"), "it is empty")]
fn a_token_file_that_cannot_be_used_is_named(#[case] text: Option<&str>, #[case] why: &str) {
    let mut machine = federated(Host::Generic, trusting_github());
    if let Some(text) = text {
        std::fs::write(machine.path("run/token"), text).expect("a token file");
    }
    let file = machine.path("run/token");
    machine.set("AZURE_FEDERATED_TOKEN_FILE", file);
    machine
        .run()
        .expect(3)
        .says("run/token")
        .says(why)
        .says("Check AZURE_FEDERATED_TOKEN_FILE and that the file is mounted");
    assert!(machine.calls().is_empty());
}

#[rstest]
#[case::issuer(700_211, "https://issuer.example", GITHUB_SUBJECT, TOKEN_EXCHANGE)]
#[case::audience(700_212, GITHUB_ISSUER, GITHUB_SUBJECT, "https://github.com/contoso")]
#[case::subject(700_213, GITHUB_ISSUER, "repo:contoso/fabrikam:pull_request", TOKEN_EXCHANGE)]
fn what_the_jobs_token_says_is_shown_where_entra_does_not_take_it(
    #[case] code: u32,
    #[case] issuer: &str,
    #[case] subject: &str,
    #[case] audience: &str,
) {
    let mut machine = federated(Host::Generic, trusting_github());
    let before = machine.read("refresh-token");
    let token = machine.emulator.job_token(issuer, subject, audience);
    machine.input("id-token", token);
    let ended = machine.run();
    is_told(&ended, code);
    ended.says(&format!("issuer {issuer}, subject {subject}, audience {audience}"));
    ended.says("Federated credentials").says(&cast::CLIENT_ID.to_string());
    nothing_came_of_it(&machine, &before);
}

#[rstest]
#[case(70021)]
#[case(70025)]
fn so_it_is_where_the_app_trusts_nobody(#[case] code: u32) {
    let mut machine = federated(Host::GitHub, trusting_github());
    with_github_id_token(&mut machine);
    machine.emulator.refuse_next_token_request(code);
    let ended = machine.run();
    is_told(&ended, code);
    ended.says(&format!("issuer {GITHUB_ISSUER}, subject {GITHUB_SUBJECT}, audience {TOKEN_EXCHANGE}"));
}

// what an answer may look like

/// Makes something else of a field of Entra's answers; nothing takes it away.
fn rewrite_answers(machine: &Machine, path: &'static str, field: &'static str, value: Option<Value>) {
    machine.emulator.order(Fault::on(Service::Entra).path(path).always().rewrite(move |answer| {
        answer.map(|body| {
            let mut body: Value = serde_json::from_slice(&body).expect("JSON");
            let fields = body.as_object_mut().expect("an object");
            match &value {
                Some(value) => fields.insert(field.into(), value.clone()),
                None => fields.remove(field),
            };
            body.to_string().into()
        })
    }));
}

#[rstest]
#[case::lifetime_as_text("expires_in", Some(json!("3599")))]
#[case::lifetime_as_fraction("expires_in", Some(json!(3599.5)))]
#[case::lifetime_of_words("expires_in", Some(json!("an hour")))]
#[case::lifetime_null("expires_in", Some(json!(null)))]
#[case::no_lifetime("expires_in", None)]
#[case::scope_as_list("scope", Some(json!(["499b84ac-1321-427f-aa17-267ca6975798/vso.pats"])))]
#[case::scope_null("scope", Some(json!(null)))]
#[case::scope_of_nothing("scope", Some(json!("")))]
#[case::scope_as_number("scope", Some(json!(7)))]
#[case::no_scope("scope", None)]
#[case::no_type("token_type", None)]
#[case::type_null("token_type", Some(json!(null)))]
#[case::type_unknown("token_type", Some(json!("pop")))]
#[case::type_as_number("token_type", Some(json!(7)))]
#[case::more("client_info", Some(json!({"uid": [1, null]})))]
fn no_odd_field_costs_the_rolled_token(#[case] field: &'static str, #[case] value: Option<Value>) {
    let mut machine = Machine::new(Host::GitHub, "list");
    let before = machine.read("refresh-token");
    rewrite_answers(&machine, "/token", field, value);
    machine.input("timeout", "60s").run().expect(0);
    let rolled = machine.read("refresh-token");
    assert_ne!(rolled, before);
    assert!(machine.emulator.refresh_token_is_valid(&rolled));
}

#[rstest]
#[case::life_as_text("expires_in", Some(json!("900")))]
#[case::life_as_fraction("expires_in", Some(json!(899.5)))]
#[case::no_life("expires_in", None)]
#[case::interval_as_text("interval", Some(json!("1")))]
#[case::interval_as_fraction("interval", Some(json!(1.5)))]
#[case::message_null("message", Some(json!(null)))]
fn no_odd_field_keeps_a_person_from_signing_in(#[case] field: &'static str, #[case] value: Option<Value>) {
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.input("credential", "device-code");
    rewrite_answers(&machine, "/devicecode", field, value);
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(Duration::from_secs(60)).expect("a code");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine.wait(run).expect(0);
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
}

// what Entra refuses

/// A way to sign in that Entra does not take.
struct Refused {
    name: &'static str,
    code: u32,
    emulator: Builder,
    inputs: Vec<(&'static str, String)>,
    before: fn(&Machine),
    sentence: &'static str,
}

fn refused(name: &'static str, code: u32, app: AppRegistration, sentence: &'static str) -> Refused {
    let emulator = Emulator::builder().app(app);
    Refused { name, code, emulator, inputs: Vec::new(), before: |_| {}, sentence }
}

impl Refused {
    fn with(mut self, input: &'static str, value: impl Into<String>) -> Self {
        self.inputs.push((input, value.into()));
        self
    }

    fn after(self, before: fn(&Machine)) -> Self {
        Self { before, ..self }
    }
}

fn put_token(machine: &Machine, kind: ClientKind) {
    let now = machine.emulator.now();
    let token =
        machine.emulator.services().services.refresh_token_of_kind(cast::PERSON, cast::CLIENT_ID, kind, now);
    std::fs::write(machine.store(), token).expect("a store");
}

fn what_entra_refuses() -> Vec<Refused> {
    let public = || AppRegistration::public(cast::CLIENT_ID);
    let an_hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    vec![
        refused("no proof", 7_000_218, confidential().secret(SECRET), "Allow public client flows"),
        refused("a secret for a public client", 700_025, public(), "credential browser")
            .with("client-secret", SECRET),
        refused("a public client's token", 700_025, confidential().secret(SECRET), "platform 'Web'")
            .with("client-secret", SECRET)
            .after(|machine| put_token(machine, ClientKind::Public)),
        refused("a wrong secret", 7_000_215, confidential().secret("fake~another"), "the secret's id")
            .with("client-secret", SECRET),
        refused(
            "an expired secret",
            7_000_222,
            confidential().secret_until(SECRET, an_hour_ago),
            "Make a new client secret",
        )
        .with("client-secret", SECRET),
        refused("an unknown certificate", 700_027, confidential().secret(SECRET), "Certificates & secrets")
            .with("client-certificate", registered()),
        refused("a wrong clock", 700_024, confidential().certificate_pem(&registered()), "clock")
            .with("client-certificate", registered())
            .after(|machine| {
                let long_ago = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT")];
                machine.emulator.order(Fault::on(Service::Pats).method("HEAD").answer(401, &long_ago, ""));
            }),
        refused("an unknown app", 700_016, public(), "not the object id")
            .with("client-id", "00000000-0000-0000-0000-00000000dead"),
        refused("an unknown tenant", 90002, public(), "tenant-id")
            .with("tenant-id", "00000000-0000-0000-0000-00000000dead"),
        refused("another app's token", 700_007, public(), "client-id").after(|machine| {
            let other = uuid::Uuid::from_u128(0xdead);
            let mut switchboard = machine.emulator.services();
            let now = Timestamp::now();
            let token =
                switchboard.services.refresh_token_of_kind(cast::PERSON, other, ClientKind::Public, now);
            drop(switchboard);
            std::fs::write(machine.store(), token).expect("a store");
        }),
        refused("no token of anybody", 70000, public(), "client-id and tenant-id").after(|machine| {
            let token = format!("1.AXXX-fake-{}.{}", "x".repeat(90), "x".repeat(1000));
            std::fs::write(machine.store(), token).expect("a store")
        }),
        refused("a token that was cut off", 9_002_313, public(), "damaged").after(|machine| {
            let token = machine.read("refresh-token");
            std::fs::write(machine.store(), &token[..token.len() / 2]).expect("a store")
        }),
        refused("an idle token", 700_082, public(), "90 days").after(|machine| {
            machine.emulator.expire_refresh_token(&machine.read("refresh-token"));
        }),
        refused("a revoked token", 50173, public(), "password").after(|machine| {
            machine.emulator.revoke_refresh_token(&machine.read("refresh-token"));
        }),
        refused("a single-page app's token", 700_084, public(), "Mobile and desktop").after(|machine| {
            put_token(machine, ClientKind::SinglePage);
            machine.emulator.expire_refresh_token(&machine.read("refresh-token"));
        }),
        refused(
            "an app that nobody consented to",
            65001,
            public().permissions(&[]),
            "adminconsent?client_id=",
        ),
    ]
}

#[test]
fn every_combination_that_entra_refuses_has_its_sentence() {
    for refused in what_entra_refuses() {
        let mut machine = listing(Host::GitHub, refused.emulator);
        (refused.before)(&machine);
        for (name, value) in &refused.inputs {
            machine.input(name, value);
        }
        let before = machine.read("refresh-token");
        let ended = machine.run();
        assert_eq!(ended.code, Some(3), "{}: {}", refused.name, ended.words());
        is_told(&ended, refused.code);
        ended.says(refused.sentence);
        nothing_came_of_it(&machine, &before);
    }
}

/// Every code that the page of sign-in errors names.
const DOCUMENTED: &[u32] = &[
    50076, 50079, 50078, 50072, 53003, 53000, 53001, 530_003, 530_002, 65001, 90094, 700_082, 70008, 70043,
    700_084, 70000, 50173, 50132, 50133, 7_000_218, 700_025, 7_000_215, 7_000_222, 700_027, 700_024, 70021,
    700_211, 700_212, 700_213, 700_016, 90002, 900_023, 50059, 50194, 50034, 50020, 50105, 50057, 50055,
    500_011, 70001, 7_000_112, 70011, 9_002_313, 90014, 900_144, 65002, 65004, 650_052, 650_057, 50011,
    500_113, 54005, 50097, 50158, 50053, 70025, 70052, 700_223, 700_238, 7_002_381, 50196, 90033, 50033,
    90006, 90012, 90024, 90090, 50087, 90055, 9_002_327, 500_021, 500_022, 90072, 500_571, 5_000_225,
];

/// The words, for the app and the tenant of a machine.
fn filled(words: &str, machine: &Machine) -> String {
    let consent = format!(
        "{}/{}/adminconsent?client_id={}",
        machine.emulator.entra_url(),
        cast::TENANT,
        cast::CLIENT_ID
    );
    let words = words.replace("{consent}", &consent).replace("{client_id}", &cast::CLIENT_ID.to_string());
    words.replace("{tenant}", &cast::TENANT.to_string())
}

#[test]
fn every_known_code_ends_in_its_cause_its_remedy_and_its_exit_code() {
    let codes: Vec<u32> = MEANINGS.iter().flat_map(|meaning| meaning.codes).copied().collect();
    for code in DOCUMENTED {
        assert!(codes.contains(code), "{code} has no words");
    }
    let one = |code: u32| {
        let meaning = adopat::entra::refusal::meaning_of(code).expect("known");
        let machine = Machine::new(Host::Generic, "list");
        let before = machine.read("refresh-token");
        machine.emulator.order(Fault::on(Service::Entra).path("/token").aadsts(Aadsts::code(code)).always());
        let ended = machine.run();
        let passing = Aadsts::code(code).error == "temporarily_unavailable";
        ended.expect(if passing { 6 } else { 3 }).says(&format!("AADSTS{code}")).says("correlation id: ");
        if passing {
            assert!(to_entra(&machine, "/token").len() > 1, "{code} is tried again");
        } else {
            ended.says(&filled(meaning.cause, &machine)).says(&filled(meaning.remedy, &machine));
            ended.says("'adopat doctor'");
            assert_eq!(to_entra(&machine, "/token").len(), 1, "{code} is not tried again");
        }
        nothing_came_of_it(&machine, &before);
    };
    let one = &one;
    std::thread::scope(|scope| {
        for lane in codes.chunks(codes.len().div_ceil(12)) {
            scope.spawn(move || lane.iter().for_each(|code| one(*code)));
        }
    });
}

#[test]
fn a_passing_fault_is_told_in_the_words_of_its_code_too() {
    let machine = Machine::new(Host::Generic, "list");
    let busy = Aadsts::code(90033).status(http::StatusCode::BAD_REQUEST);
    machine.emulator.order(Fault::on(Service::Entra).path("/token").aadsts(busy).always());
    machine.run().expect(6).says("busy or has a passing fault").says("AADSTS90033").says("some minutes");
    assert!(to_entra(&machine, "/token").len() > 1);
}

#[rstest]
#[case::empty(json!(""))]
#[case::blank(json!(" "))]
#[case::null(Value::Null)]
#[case::a_number(json!(7))]
#[case::missing(json!("missing"))]
fn a_new_refresh_token_is_kept_though_no_access_token_came_with_it(#[case] access_token: Value) {
    let machine = Machine::with(Emulator::builder().one_time_refresh_tokens().start(), Host::GitHub, "list");
    let before = machine.read("refresh-token");
    machine.emulator.order(Fault::on(Service::Entra).path("/token").rewrite(move |answer| {
        answer.map(|body| {
            let mut tokens: Value = serde_json::from_slice(&body).expect("JSON");
            tokens["access_token"] = access_token.clone();
            if access_token == "missing" {
                tokens.as_object_mut().expect("an object").remove("access_token");
            }
            tokens.to_string().into()
        })
    }));
    machine.run().expect(6).says("The new refresh token in that answer is stored");
    let after = machine.read("refresh-token");
    assert!(after != before && machine.emulator.refresh_token_is_valid(&after), "the only copy is kept");
    assert!(machine.pat_calls().is_empty());
    machine.run().expect(0);
}

#[test]
fn a_damaged_refresh_token_is_told_as_one_and_nobody_is_said_to_have_declined() {
    let machine = Machine::new(Host::GitHub, "list");
    let before = machine.read("refresh-token");
    let damaged = Aadsts::code(9_002_313).error("invalid_grant");
    machine.emulator.order(Fault::on(Service::Entra).path("/token").aadsts(damaged).always());
    let ended = machine.run();
    is_told(&ended, 9_002_313);
    ended.says("The refresh token is damaged: it was cut off, wrapped, put in quotation marks");
    ended.says("exactly as 'adopat login' wrote it");
    for untrue in ["declined", "should never have sent", "Check authority-host"] {
        assert!(!ended.words().contains(untrue), "{}", ended.words());
    }
    nothing_came_of_it(&machine, &before);
}

#[rstest]
fn signing_in_again_is_not_the_remedy_for_what_a_network_or_an_administrator_forbids(
    #[values(500_021, 500_022, 5_000_225)] code: u32,
) {
    let machine = Machine::new(Host::Generic, "list");
    machine.emulator.order(Fault::on(Service::Entra).path("/token").aadsts(Aadsts::code(code)).always());
    let ended = machine.run();
    ended.expect(3).says("signing in again does not help");
    assert!(!ended.words().contains("The command:"), "{}", ended.words());
}

#[rstest]
#[case::a_path("/run/secrets/refresh-token", "is a path or an address, not a token")]
#[case::an_address(
    "keyvault:https://contoso.vault.azure.net/secrets/x",
    "is a path or an address, not a token"
)]
#[case::in_quotation_marks("\"1.FAKE-refresh-token\"", "stands in quotation marks")]
#[case::wrapped("1.FAKE-refresh\n-token", "holds a space or a line break, which no token does")]
#[case::an_id("00000000-0000-0000-0000-000000000001", "is a GUID, which is an id and not a token")]
#[case::of_github("ghp_fake0000000000000000000000000000000", "is a GitHub token by its shape")]
#[case::json(r#"{"refresh_token":"1.FAKE"}"#, "is a JSON document, not a token")]
#[case::a_pat("0000000000000000000000000000000000000000fake", "")]
fn what_is_stored_and_is_no_refresh_token_is_recognised_and_never_sent(
    #[case] stored: &str,
    #[case] sentence: &str,
) {
    let mut machine = Machine::new(Host::Generic, "list");
    let (stored, sentence) = match sentence {
        "" => {
            let pat = machine.emulator.add_pat(NewPat::named("nightly"));
            (pat.value, "is a personal access token by its shape, not a refresh token")
        }
        sentence => (stored.to_owned(), sentence),
    };
    std::fs::write(machine.store(), &stored).expect("a store");
    let ended = machine.run();
    ended.expect(3).says(sentence).says("which stores a refresh token there.");
    ended.says("The command: `adopat login --organization");
    assert!(!ended.words().contains(&stored), "{}", ended.words());
    assert!(to_entra(&machine, "/token").is_empty(), "{:?}", machine.calls());
    assert_eq!(machine.read("refresh-token"), stored);
    let good = machine.emulator.refresh_token();
    machine.input("refresh-token", &good).run().expect(0);
}

/// What a person pastes from a remedy.
fn the_command(ended: &Ended) -> String {
    let words = ended.words();
    let (_, rest) = words.split_once("The command: `").unwrap_or_else(|| panic!("no command in:\n{words}"));
    rest.split('`').next().expect("an end").to_owned()
}

#[rstest]
#[case::plain("kept-here")]
#[case::to_be_quoted("it's the $HOME token")]
fn the_command_that_signs_in_again_does_so_as_it_is_pasted(#[case] name: &str) {
    let mut machine = Machine::new(Host::Generic, "list");
    let store = machine.path(name).join("token");
    std::fs::create_dir(machine.path(name)).expect("a folder");
    std::fs::rename(machine.store(), &store).expect("renamed");
    machine.input("credential-store", format!("file:{}", store.display()));
    let idle = std::fs::read_to_string(&store).expect("a token");
    machine.emulator.expire_refresh_token(&idle);
    let refused = machine.run();
    is_told(&refused, 700_082);
    let command = the_command(&refused);
    assert!(!command.contains("ADOPAT_") && command.starts_with("adopat login --organization "), "{command}");

    machine
        .emulator
        .set_device_code_policy(DeviceCodePolicy { approved_by: Some(cast::PERSON.into()), ..impatient() });
    let folder = std::path::Path::new(support::BINARY).parent().expect("a folder").to_owned();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &command]).env_clear().env("PATH", folder).current_dir(machine.folder.path());
    let output = shell.output().expect("a shell");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("The refresh token is in"), "{said}");
    let stored = std::fs::read_to_string(&store).expect("a token");
    assert!(stored != idle && machine.emulator.refresh_token_is_valid(stored.trim()));
    machine.run().expect(0);
}

#[test]
fn a_claims_challenge_needs_a_person() {
    let machine = Machine::new(Host::GitHub, "list");
    let challenge =
        Aadsts::code(50076).claims(r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#);
    machine.emulator.order(Fault::on(Service::Entra).path("/token").aadsts(challenge));
    let ended = machine.run();
    is_told(&ended, 50076);
    ended.says("a person has to sign in");
}

// access tokens and the Azure CLI

#[test]
fn a_service_principals_access_token_is_refused_and_told_why() {
    let mut machine = Machine::new(Host::GitHub, "create");
    let token = machine.emulator.access_token(cast::SERVICE_PRINCIPAL);
    machine.without("credential-store").without("client-id").without("tenant-id");
    machine.input("access-token", token).input("display-name", "nightly").input("scope", "vso.code");
    machine.run().expect(4).says("service principal").says("adopat login").says("ActivityId");
    assert!(machine.emulator.pats().is_empty());
}

#[test]
fn both_tokens_are_one_too_many() {
    let mut machine = Machine::new(Host::GitHub, "list");
    let (access, refresh) = (machine.emulator.access_token(cast::PERSON), machine.emulator.refresh_token());
    machine.input("access-token", access).input("refresh-token", refresh);
    machine.run().expect(2).says("both refresh-token and access-token are given");
    assert!(machine.calls().is_empty());
}

/// A machine on which the Azure CLI answers like this.
fn with_azure_cli(account: &str, token: &str) -> Machine {
    use std::os::unix::fs::PermissionsExt as _;
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.without("credential-store").without("client-id").input("credential", "azure-cli");
    let folder = machine.path("programs");
    std::fs::create_dir(&folder).expect("a folder");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\ncase \"$1 $2\" in\n'account show') {account};;\n\
         'account get-access-token') {token};;\nesac\n",
        folder.join("asked").display()
    );
    std::fs::write(folder.join("az"), script).expect("a script");
    std::fs::set_permissions(folder.join("az"), std::fs::Permissions::from_mode(0o755)).expect("a program");
    machine.set("PATH", folder);
    machine
}

fn cli_token(token: &str) -> String {
    format!(
        "echo '{{\"accessToken\": \"{token}\", \"expiresOn\": \"2030-01-01 00:00:00.000000\", \
         \"expires_on\": 1893456000, \"subscription\": \"s\", \"tenant\": \"t\", \"tokenType\": \"Bearer\"}}'"
    )
}

#[test]
fn the_person_whom_the_azure_cli_knows_signs_in() {
    let mut machine = with_azure_cli("echo '\"user\"'", "exit 9");
    let token = machine.emulator.access_token(cast::PERSON);
    let script = machine.path("programs/az");
    let text = std::fs::read_to_string(&script).expect("a script").replace("exit 9", &cli_token(&token));
    std::fs::write(&script, text).expect("a script");
    machine.run().expect(0);
    assert_eq!(machine.calls(), ["Pats GET"], "Entra is not asked by us");
    let asked = machine.read("programs/asked");
    assert!(asked.contains(adopat_emulator::AZURE_DEVOPS), "{asked}");
    assert!(asked.contains(&format!("--tenant {}", cast::TENANT)), "{asked}");
    machine.without("tenant-id").run().expect(0);
}

#[rstest]
#[case::a_service_principal("echo '\"servicePrincipal\"'", "exit 9", 4, "serves people only")]
#[case::not_logged_in(
    "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1",
    "exit 9",
    3,
    "az login"
)]
#[case::ended(
    "echo '\"user\"'",
    "echo 'ERROR: AADSTS700082: The refresh token has expired due to inactivity. Trace ID: t Correlation ID: c-id \
     Timestamp: 2026-11-24 10:00:00Z' >&2; exit 1",
    3,
    "AADSTS700082"
)]
#[case::not_authorized(
    "echo '\"user\"'",
    "echo 'ERROR: AADSTS65002: Consent between first party application and first party resource must be configured. \
     Trace ID: t Correlation ID: c-id Timestamp: 2026-11-24 10:00:00Z' >&2; exit 1",
    3,
    "app registration of your own"
)]
fn an_azure_cli_that_is_no_person_says_why(
    #[case] account: &str,
    #[case] token: &str,
    #[case] code: i32,
    #[case] sentence: &str,
) {
    let machine = with_azure_cli(account, token);
    machine.run().expect(code).says(sentence).says("'adopat doctor'");
    assert!(machine.calls().is_empty());
}

#[test]
fn where_there_is_no_azure_cli_that_is_said() {
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.without("credential-store").without("client-id").input("credential", "azure-cli");
    machine.set("PATH", "/nonexistent");
    machine.run().expect(3).says("no Azure CLI").says("Install the Azure CLI and sign in with");
    assert!(machine.calls().is_empty());
}

// where sign-in goes

#[rstest]
fn a_tenant_that_lets_personal_accounts_in_is_wrong_input(
    #[values("common", "consumers", "Common", "CONSUMERS")] tenant: &str,
    #[values("list", "login")] operation: &str,
) {
    let mut machine = Machine::new(Host::GitHub, operation);
    machine.input("tenant-id", tenant).run().expect(2).says("tenant-id").says("personal accounts");
    assert!(machine.calls().is_empty());
}

#[rstest]
fn a_client_id_is_required_to_sign_in_to_an_app(#[values("refresh-token", "device-code")] credential: &str) {
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.without("client-id").input("credential", credential);
    machine.run().expect(2).says("client-id");
    assert!(machine.calls().is_empty());
}

#[rstest]
#[case::another_host("https://login.contoso.example")]
#[case::a_suffix("https://login.microsoftonline.com.contoso.example")]
#[case::a_prefix("https://evil-login.microsoftonline.com")]
#[case::in_the_clear("http://login.microsoftonline.com")]
#[case::a_user("https://login.microsoftonline.com@contoso.example")]
#[case::a_service("https://dev.azure.com")]
fn a_token_goes_to_microsofts_own_sign_in_hosts_only(
    #[case] address: &str,
    #[values("list", "login")] operation: &str,
) {
    let mut machine = Machine::new(Host::GitHub, operation);
    let before = machine.read("refresh-token");
    machine.input("authority-host", address).run().expect(2).says("authority-host");
    nothing_came_of_it(&machine, &before);
}

#[test]
fn another_programs_authority_host_is_not_ours() {
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.set("AZURE_AUTHORITY_HOST", "https://login.contoso.example").run().expect(0);
    assert_eq!(to_entra(&machine, "/token").len(), 1);
}

// what the token endpoint answers

const HTML: &[(&str, &str)] = &[("Content-Type", "text/html")];

#[rstest]
#[case::another_answer(203, HTML, "<html>Sign in</html>", 3, "sign-in page")]
#[case::a_sign_in_page(200, HTML, "<html><title>Sign in to your account</title></html>", 3, "sign-in page")]
#[case::a_page(200, HTML, "<html>Welcome to the hotel</html>", 6, "web page")]
#[case::a_redirect(302, &[("Location", "https://portal.contoso.example/?from=1")], "", 3, "portal.contoso.example")]
#[case::blocked(403, HTML, "<html>Blocked by the proxy</html>", 6, "web page")]
#[case::nothing(200, &[], "", 6, "no token")]
#[case::another_json(200, &[], "{\"token_type\":\"Bearer\"}", 6, "protocol")]
fn an_answer_that_is_no_token_is_told_as_what_it_is(
    #[case] status: u16,
    #[case] headers: &[(&str, &str)],
    #[case] body: &'static str,
    #[case] code: i32,
    #[case] sentence: &str,
) {
    let machine = Machine::new(Host::GitHub, "list");
    let before = machine.read("refresh-token");
    machine.emulator.order(Fault::on(Service::Entra).path("/token").answer(status, headers, body).always());
    let ended = machine.run();
    ended.expect(code).says(sentence).says("authority-host").says("client-request-id");
    assert_eq!(to_entra(&machine, "/token").len(), 1, "neither repeated nor followed");
    nothing_came_of_it(&machine, &before);
}

#[test]
fn a_sign_in_that_takes_all_the_time_is_named() {
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.input("timeout", "1s");
    let late = Duration::from_secs(2);
    machine.emulator.order(Fault::on(Service::Entra).path("/token").delay_after(late));
    let before = machine.read("refresh-token");
    machine.run().expect(6).says("The sign-in took all the time");
    assert_ne!(machine.read("refresh-token"), before, "the rolled token is kept");
}

#[rstest]
#[case::truncated(Fault::on(Service::Entra).path("/token").truncate().always(), 6, "no token")]
#[case::oversized(Fault::on(Service::Entra).path("/token").oversize().always(), 6, "Microsoft Entra")]
#[case::unavailable(Fault::on(Service::Entra).path("/token").unavailable().always(), 6, "503")]
#[case::failing(Fault::on(Service::Entra).path("/token").internal_error().always(), 6, "500")]
#[case::too_late(
    Fault::on(Service::Entra).path("/token").throttle(RetryAfter::Seconds(3600)).always(), 6, "wait"
)]
#[case::reset(Fault::on(Service::Entra).path("/token").reset().always(), 6, "Microsoft Entra")]
fn a_token_endpoint_that_fails_for_good_is_exit_6(
    #[case] fault: Fault,
    #[case] code: i32,
    #[case] sentence: &str,
) {
    let machine = Machine::new(Host::GitHub, "list");
    let before = machine.read("refresh-token");
    machine.emulator.order(fault);
    machine.run().expect(code).says(sentence);
    nothing_came_of_it(&machine, &before);
}

#[rstest]
#[case::in_seconds(Fault::on(Service::Entra).path("/token").throttle(RetryAfter::Seconds(2)))]
#[case::busy(
    Fault::on(Service::Entra).path("/token").instead(Instead::Unavailable(Some(RetryAfter::Seconds(2))))
)]
fn a_token_request_waits_as_long_as_it_is_told(#[case] fault: Fault) {
    let machine = Machine::new(Host::GitHub, "list");
    machine.emulator.order(fault);
    machine.run().expect(0);
    let requests = to_entra(&machine, "/token");
    assert_eq!(requests.len(), 2);
    let apart = requests[1].at.duration_since(requests[0].at);
    assert!(apart >= SignedDuration::from_millis(1_900), "{apart}");
}

#[test]
fn a_success_with_a_mark_or_an_odd_type_is_one() {
    let machine = Machine::new(Host::GitHub, "list");
    let fault =
        Fault::on(Service::Entra).path("/token").spoil(Spoil::ByteOrderMark).content_type("text/plain");
    machine.emulator.order(fault);
    machine.run().expect(0);
}

// a refresh token is never lost

/// A machine whose Entra takes each refresh token once, and a run of it whose token request is held.
fn held_at_the_token(machine: &Machine, acted_on: bool) -> (Child, Hold) {
    let fault = Fault::on(Service::Entra).path("/token");
    let hold = machine.emulator.order(if acted_on { fault.hold_after() } else { fault.hold_before() });
    let run = machine.spawn();
    assert!(hold.wait_until_held(LONG), "the token was asked for");
    (run, hold)
}

fn one_time(operation: &str) -> Machine {
    let emulator = Emulator::builder().one_time_refresh_tokens().start();
    let mut machine = Machine::with(emulator, Host::GitHub, operation);
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine
}

#[rstest]
fn a_signal_while_a_token_is_asked_for_never_loses_it(
    #[values(Signal::INT, Signal::TERM)] signal: Signal,
    #[values(false, true)] acted_on: bool,
    #[values("create", "rotate", "exec", "list", "doctor")] operation: &str,
) {
    let mut machine = one_time(operation);
    if operation == "exec" {
        machine.arguments(&["exec", "--", "/bin/true"]);
    }
    let (run, hold) = held_at_the_token(&machine, acted_on);
    support::signal(&run, signal);
    std::thread::sleep(Duration::from_millis(500));
    hold.release();
    machine.wait(run).expect(128 + signal.as_raw());
    assert!(machine.emulator.pats().is_empty());
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
    machine.run_as("list").run().expect(0);
}

#[test]
fn a_store_that_cannot_take_the_pat_does_not_lose_the_refresh_token() {
    let mut machine = one_time("create");
    let nowhere = format!("file:{}", machine.path("no/such/folder/pat").display());
    machine.input("deliver-to", nowhere);
    let (run, hold) = held_at_the_token(&machine, true);
    std::thread::sleep(Duration::from_millis(500));
    hold.release();
    machine.wait(run).expect(7);
    assert!(machine.pat_calls().is_empty());
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
}

#[test]
fn a_refresh_token_that_another_run_rolled_is_read_again() {
    let machine = one_time("list");
    let used = machine.read("refresh-token");
    let hold = machine.emulator.order(Fault::on(Service::Entra).path("/token").hold_before());
    let slow = machine.spawn();
    assert!(hold.wait_until_held(LONG));
    machine.run().expect(0);
    assert!(!machine.emulator.refresh_token_is_valid(&used), "the other run has used it up");
    hold.release();
    machine.wait(slow).expect(0);
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
}
