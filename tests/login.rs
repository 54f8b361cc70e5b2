//! `adopat login`: a person signs in once, and the refresh token rests in the credential store from then on.
#![cfg(unix)]

#[path = "login/pasted.rs"]
mod pasted;
mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use adopat_emulator::{
    AppRegistration, DeviceCodePolicy, Emulator, Fault, GITHUB_ISSUER, NewVariableGroup, Recorded, Service,
    TOKEN_EXCHANGE, cast,
};
use rstest::rstest;
use rustix::process::Signal;
use support::{Ended, Followed, Host, Machine};
use url::Url;

const LONG: Duration = Duration::from_secs(20);
const SECRET: &str = "fake~client-secret-0123456789abcdef";
const HOSTS: [Host; 3] = [Host::GitHub, Host::Azure, Host::Generic];

/// A machine on which nobody has signed in yet.
fn new_machine(host: Host, emulator: Emulator) -> Machine {
    let machine = Machine::with(emulator, host, "login");
    machine.emulator.set_device_code_policy(DeviceCodePolicy {
        interval: Duration::from_secs(1),
        ..DeviceCodePolicy::default()
    });
    std::fs::remove_file(machine.store()).expect("there was one");
    machine
}

fn by_browser(host: Host) -> Machine {
    let mut machine = new_machine(host, Emulator::start());
    machine.input("credential", "browser");
    machine
}

fn confidential(app: impl FnOnce(AppRegistration) -> AppRegistration) -> Machine {
    let app = app(AppRegistration::confidential(cast::CLIENT_ID));
    new_machine(Host::Generic, Emulator::builder().app(app).start())
}

fn token_requests(machine: &Machine) -> Vec<Recorded> {
    let requests = machine.emulator.requests_to(Service::Entra).into_iter();
    requests.filter(|request| request.path.ends_with("/token")).collect()
}

/// The store holds, for its owner alone, a token with which the next run signs in.
#[track_caller]
fn a_following_run_signs_in(machine: &mut Machine) {
    assert!(machine.emulator.refresh_token_is_valid(machine.read("refresh-token").trim()));
    assert_eq!(support::mode(&machine.store()), 0o600);
    machine.without("credential").run_as("list").run().expect(0);
}

// by device code

#[rstest]
fn login_shows_a_code_and_stores_the_token(#[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host) {
    let mut machine = new_machine(host, Emulator::start());
    let run = machine.follow();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    let notice = run.line_with(&code);
    assert!(notice.contains(&format!("{}/devicelogin", machine.emulator.entra_url())), "{notice}");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    let ended = machine.end(run);
    ended.expect(0);
    assert!(ended.stderr.contains(&notice), "adopat's own words go to stderr");
    assert!(machine.pat_calls().is_empty(), "nothing is minted");
    a_following_run_signs_in(&mut machine);
}

#[test]
fn login_says_who_signed_in_where_the_token_is_and_how_long_it_is_good_unused() {
    let machine = new_machine(Host::Generic, Emulator::start());
    let ended = signed_in_by_code(&machine);
    let store = machine.store().display().to_string();
    let day = (machine.emulator.now() + Duration::from_secs(90 * 86_400)).strftime("%Y-%m-%d").to_string();
    ended.expect(0).says(&format!(
        "Signed in as {}. The refresh token is in file:{store}. If no run uses it, it is good until {day}; each run \
         renews it.",
        cast::PERSON
    ));
    ended.says("Paste what follows into your pipeline:");
}

#[rstest]
#[case::no_answer(Fault::on(Service::DevOps).path("/connectionData").answer(500, &[], ""))]
#[case::no_identity(Fault::on(Service::DevOps).path("/connectionData").answer(200, &[], "{}"))]
#[case::no_name(Fault::on(Service::DevOps).path("/connectionData").answer(
    200,
    &[("content-type", "application/json")],
    r#"{"authenticatedUser": {"id": "00000000-0000-0000-0000-000000000009", "properties": {"Account": 1}}}"#,
))]
fn who_it_was_is_said_only_where_it_is_known(#[case] fault: Fault) {
    let machine = new_machine(Host::Generic, Emulator::start());
    machine.emulator.order(fault.always());
    let ended = signed_in_by_code(&machine);
    ended.expect(0).says("Signed in. The refresh token is in ");
    assert!(!ended.words().contains("warning"), "{}", ended.words());
}

#[test]
fn a_person_whom_the_organization_does_not_know_is_told_so() {
    let machine = new_machine(Host::Generic, Emulator::start());
    let refusal = r#"{"message": "TF400813: The user is not authorized to access this resource."}"#;
    let json = &[("content-type", "application/json")];
    machine
        .emulator
        .order(Fault::on(Service::DevOps).path("/connectionData").answer(401, json, refusal).always());
    let ended = signed_in_by_code(&machine);
    ended.expect(0).says("warning").says("does not let the signed-in user into the organization fabrikam");
    assert!(machine.emulator.refresh_token_is_valid(machine.read("refresh-token").trim()));
}

/// Runs to the end, and signs the person in meanwhile.
fn signed_in_by_code(machine: &Machine) -> Ended {
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine.wait(run)
}

/// What is said of clear text is done, word for word.
#[test]
fn login_says_that_the_token_lies_in_clear_text_and_the_way_out_leads_out() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    let policy = DeviceCodePolicy {
        interval: Duration::from_secs(1),
        approved_by: Some(cast::PERSON.into()),
        ..DeviceCodePolicy::default()
    };
    machine.emulator.set_device_code_policy(policy);
    let ended = machine.run();
    ended.expect(0).says("set store-key, delete the file and run 'adopat login' again");
    assert_eq!(ended.stderr.matches("lies there in clear text").count(), 1, "{}", ended.words());
    machine.input("store-key", "a passphrase of contoso");
    std::fs::remove_file(machine.store()).expect("removed");
    for operation in ["login", "list"] {
        let ended = machine.run_as(operation).run();
        assert!(!ended.expect(0).words().contains("clear text"), "{}", ended.words());
    }
}

#[test]
fn login_needs_no_organization() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    machine.without("organization").without("tenant-id");
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine.wait(run).expect(0).says("tenant-id: organizations");
}

#[test]
fn the_token_of_another_person_is_replaced() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    std::fs::write(machine.store(), "1.FAKE-of-somebody-else").expect("a store");
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine.wait(run).expect(0);
    a_following_run_signs_in(&mut machine);
}

#[rstest]
#[case::declined("declined", 65004)]
#[case::expired("expired", 70019)]
#[case::blocked("blocked", 53003)]
fn a_login_that_comes_to_nothing_stores_nothing(#[case] how: &str, #[case] code: u32) {
    let machine = new_machine(Host::Generic, Emulator::start());
    let run = machine.spawn();
    let user_code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    match how {
        "declined" => machine.emulator.decline_device_code(&user_code),
        "expired" => machine.emulator.expire_device_code(&user_code),
        _ => {
            machine.emulator.set_device_code_policy(DeviceCodePolicy {
                interval: Duration::from_secs(1),
                blocked: true,
                ..DeviceCodePolicy::default()
            });
            machine.emulator.approve_device_code(&user_code, cast::PERSON);
        }
    }
    let ended = machine.wait(run);
    ended.expect(3).says(&format!("AADSTS{code}"));
    assert_eq!(ended.stdout, "");
    assert!(!machine.store().exists());
}

// by browser

/// The page that a run asks to be opened.
#[track_caller]
fn page(run: &Followed) -> String {
    let line = run.line_with("/oauth2/v2.0/authorize?");
    // The runner undoes what a command escapes.
    let line = if line.starts_with("::notice::") { line.replace("%25", "%") } else { line };
    let start = line.find("http").expect("an address");
    line[start..].split_whitespace().next().expect("an address").to_owned()
}

fn asked(page: &str) -> BTreeMap<String, String> {
    Url::parse(page).expect("an address").query_pairs().into_owned().collect()
}

/// As a browser would: opens an address on this machine, and returns the status.
#[track_caller]
fn visit(address: &str) -> u16 {
    let url = Url::parse(address).expect("an address");
    let mut stream = TcpStream::connect(("127.0.0.1", url.port().expect("a port"))).expect("it listens");
    let target = &url[url::Position::BeforePath..];
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(!answer.contains("code="), "the page repeats nothing: {answer}");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[rstest]
fn a_browser_signs_in(#[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host) {
    let mut machine = by_browser(host);
    let run = machine.follow();
    let back = machine.emulator.sign_in_at(&page(&run), cast::PERSON);
    assert_eq!(visit(&back), 200);
    machine.end(run).expect(0);
    a_following_run_signs_in(&mut machine);
}

#[test]
fn the_request_is_protected_by_pkce_and_leads_back_to_this_machine() {
    let machine = by_browser(Host::Generic);
    let run = machine.follow();
    let page = page(&run);
    let sent = asked(&page);
    assert!(page.starts_with(&format!(
        "{}/{}/oauth2/v2.0/authorize?",
        machine.emulator.entra_url(),
        cast::TENANT
    )));
    assert_eq!((sent["response_type"].as_str(), sent["code_challenge_method"].as_str()), ("code", "S256"));
    assert_eq!(sent["code_challenge"].len(), 43);
    assert!(sent["state"].len() >= 43);
    assert_eq!(sent["scope"], format!("{}/.default offline_access", adopat_emulator::AZURE_DEVOPS));
    let port = Url::parse(&sent["redirect_uri"]).expect("an address").port().expect("a port");
    assert_eq!(sent["redirect_uri"], format!("http://localhost:{port}"), "and no path: Entra compares it");
    assert!(!sent.contains_key("client_secret"));
    visit(&machine.emulator.sign_in_at(&page, cast::PERSON));
    machine.end(run).expect(0);
    let redeemed = &token_requests(&machine)[0];
    assert_eq!(redeemed.form("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(redeemed.form("redirect_uri").as_deref(), Some(sent["redirect_uri"].as_str()));
    let verifier = redeemed.form("code_verifier").expect("PKCE");
    assert!(verifier.len() >= 43 && verifier != sent["code_challenge"]);
}

#[test]
fn two_logins_have_nothing_in_common() {
    let machine = by_browser(Host::Generic);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let run = machine.follow();
        let sent = asked(&page(&run));
        seen.extend([sent["state"].clone(), sent["code_challenge"].clone()]);
        support::signal(&run.child, Signal::INT);
        machine.end(run).expect(130);
    }
    assert_eq!(seen.len(), 4);
}

#[rstest]
#[case::another_state("state=another")]
#[case::no_state("")]
#[case::an_empty_state("state=")]
fn a_code_that_comes_with_another_state_is_never_redeemed_and_the_wait_goes_on(#[case] state: &str) {
    let mut machine = by_browser(Host::Generic);
    let run = machine.follow();
    let page = page(&run);
    let redirect = asked(&page)["redirect_uri"].clone();
    assert_eq!(visit(&format!("{redirect}/?code=1.FAKE-code-of-an-attacker&{state}")), 400);
    assert_eq!(visit(&format!("{redirect}/?error=access_denied&{state}")), 400);
    std::thread::sleep(Duration::from_millis(300));
    assert!(token_requests(&machine).is_empty(), "the code is not redeemed");
    assert_eq!(visit(&machine.emulator.sign_in_at(&page, cast::PERSON)), 200);
    machine.end(run).expect(0);
    let redeemed: Vec<_> =
        token_requests(&machine).iter().filter_map(|request| request.form("code")).collect();
    assert_eq!(redeemed.len(), 1);
    assert!(!redeemed[0].contains("attacker"));
    a_following_run_signs_in(&mut machine);
}

#[test]
fn idle_connections_and_other_paths_do_not_end_the_wait() {
    let machine = by_browser(Host::Generic);
    let run = machine.follow();
    let page = page(&run);
    let redirect = asked(&page)["redirect_uri"].clone();
    let port = Url::parse(&redirect).expect("an address").port().expect("a port");
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let idle: Vec<_> = (0..8).map(|_| connect()).collect();
    let mut half = connect();
    half.write_all(b"GET / HT").expect("sent");
    drop(connect());
    connect().write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").expect("sent");
    let mut post = connect();
    post.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    assert_eq!(visit(&format!("{redirect}/favicon.ico")), 404);
    assert_eq!(visit(&redirect), 400);
    assert_eq!(visit(&machine.emulator.sign_in_at(&page, cast::PERSON)), 200);
    machine.end(run).expect(0);
    drop((idle, half));
}

#[test]
fn where_nobody_comes_in_time_that_is_exit_6() {
    let mut machine = by_browser(Host::Generic);
    let begun = Instant::now();
    let ended = machine.input("timeout", "2s").run();
    ended.expect(6).says("Nobody signed in through the browser in time").says("timeout");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(6), "{took:?}");
    assert_eq!(ended.stdout, "");
    assert!(!machine.store().exists());
}

#[test]
fn a_person_who_declines_ends_it() {
    let machine = by_browser(Host::Generic);
    let run = machine.follow();
    assert_eq!(visit(&machine.emulator.decline_at(&page(&run))), 200);
    let ended = machine.end(run);
    ended.expect(3).says("AADSTS65004").says("declined").says("accept");
    assert_eq!(ended.stdout, "");
    assert!(!machine.store().exists() && token_requests(&machine).is_empty());
}

#[test]
fn a_code_that_entra_does_not_redeem_is_told_in_its_words() {
    let machine = by_browser(Host::Generic);
    machine.emulator.refuse_next_token_request(53003);
    let run = machine.follow();
    visit(&machine.emulator.sign_in_at(&page(&run), cast::PERSON));
    machine.end(run).expect(3).says("AADSTS53003").says("correlation id: ").says("administrator");
    assert!(!machine.store().exists());
}

// as a confidential client

#[rstest]
#[case::secret(&[("client-secret", SECRET)])]
#[case::certificate(&[("client-certificate", "@pkcs1.pem")])]
fn a_confidential_client_signs_in_by_browser_unless_told_otherwise(#[case] proof: &[(&str, &str)]) {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certificates");
    let certificate = std::fs::read_to_string(format!("{certificates}/pkcs1.pem")).expect("a certificate");
    let mut machine = confidential(|app| app.secret(SECRET).certificate_pem(&certificate));
    for (name, value) in proof {
        machine.input(name, value.replace('@', &format!("{certificates}/")));
    }
    let run = machine.follow();
    let page = page(&run);
    assert!(machine.emulator.device_codes().is_empty());
    visit(&machine.emulator.sign_in_at(&page, cast::PERSON));
    machine.end(run).expect(0);
    let redeemed = &token_requests(&machine)[0];
    let proven = redeemed.form("client_secret").or_else(|| redeemed.form("client_assertion"));
    assert!(proven.is_some() && redeemed.form("code_verifier").is_some());
    a_following_run_signs_in(&mut machine);
}

#[test]
fn afterwards_any_proof_of_the_app_will_do() {
    let mut machine = confidential(|app| {
        app.secret(SECRET).federated(
            GITHUB_ISSUER,
            "repo:contoso/fabrikam:ref:refs/heads/main",
            TOKEN_EXCHANGE,
        )
    });
    machine.input("client-secret", SECRET);
    let run = machine.follow();
    visit(&machine.emulator.sign_in_at(&page(&run), cast::PERSON));
    machine.end(run).expect(0);
    let (url, token) = machine.emulator.github_id_token_request();
    machine.set("ACTIONS_ID_TOKEN_REQUEST_URL", url).set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
    machine.without("client-secret").input("federated", "true").run_as("list").run().expect(0);
    assert_eq!(machine.emulator.requests_to(Service::Job).len(), 1);
}

#[test]
fn a_redirect_that_is_not_the_clients_kind_is_told_so() {
    let public = AppRegistration::public(cast::CLIENT_ID).secret(SECRET);
    let mut machine = new_machine(Host::Generic, Emulator::builder().app(public).start());
    machine.input("client-secret", SECRET);
    let run = machine.follow();
    visit(&machine.emulator.sign_in_at(&page(&run), cast::PERSON));
    machine.end(run).expect(3).says("AADSTS700025").says("platform 'Web'");
}

#[test]
fn a_confidential_client_without_its_proof_is_told_so() {
    let mut machine = confidential(|app| app.secret(SECRET));
    machine.input("credential", "browser");
    let run = machine.follow();
    visit(&machine.emulator.sign_in_at(&page(&run), cast::PERSON));
    machine.end(run).expect(3).says("AADSTS7000218").says("client-secret");
}

// where it rests

#[rstest]
fn login_needs_a_store(
    #[values("browser", "device-code")] credential: &str,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = new_machine(host, Emulator::start());
    machine.without("credential-store").input("credential", credential);
    let ended = machine.run();
    ended.expect(2).says("credential-store").says("where to store the refresh token");
    assert_eq!(ended.stdout, "");
    assert!(machine.calls().is_empty());
}

#[rstest]
fn login_takes_no_other_credential(#[values("refresh-token", "access-token", "azure-cli")] credential: &str) {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    machine.input("credential", credential).run().expect(2).says("device-code or browser");
    assert!(machine.calls().is_empty());
}

#[rstest]
#[case::no_folder("no/such/folder/token")]
#[case::a_folder("GITHUB_OUTPUT/token")]
fn a_store_that_cannot_be_written_is_exit_7_before_anybody_is_asked(#[case] place: &str) {
    let mut machine = new_machine(Host::GitHub, Emulator::start());
    let store = format!("file:{}", machine.path(place).display());
    let ended = machine.input("credential-store", store).input("timeout", "5s").run();
    ended.expect(7).says(place);
    assert_eq!(ended.stdout, "");
    assert!(machine.emulator.device_codes().is_empty(), "a person's time is not wasted");
}

#[test]
fn a_store_that_breaks_meanwhile_is_exit_7() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    let folder = machine.path("folder");
    std::fs::create_dir(&folder).expect("a folder");
    machine.input("credential-store", format!("file:{}", folder.join("token").display()));
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    std::fs::remove_dir_all(&folder).expect("removed");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    let ended = machine.wait(run);
    ended.expect(7).says("could not be stored");
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_store_key_seals_the_token() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    machine.input("store-key", "fake passphrase of the store");
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    let ended = machine.wait(run);
    ended.expect(0);
    assert!(!ended.words().contains("fake passphrase"));
    let sealed = String::from_utf8_lossy(&std::fs::read(machine.store()).expect("a store")).into_owned();
    for secret in machine.emulator.issued_secrets().iter().filter(|secret| secret.len() > 12) {
        assert!(!sealed.contains(secret), "it is encrypted");
    }
    assert_eq!(support::mode(&machine.store()), 0o600);
    machine.run_as("list").run().expect(0);
    machine.input("store-key", "another passphrase").run().expect(3);
    machine.without("store-key").run().expect(3);
    machine.input("store-key", "fake passphrase of the store").run().expect(0);
}

#[test]
fn a_store_that_never_shows_its_value_will_do() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    machine.emulator.add_variable_group(NewVariableGroup::named("contoso", "pats"));
    machine.input("credential-store", "variable-group:contoso/pats/RT");
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    machine.wait(run).expect(0).says("credentialStore: variable-group:contoso/pats/RT");
    let variable = machine.emulator.variable_groups()[0].variables["RT"].clone();
    assert!(variable.is_secret && machine.emulator.refresh_token_is_valid(&variable.value));
}

// cancelled

#[rstest]
fn a_login_that_is_cancelled_ends_at_once_and_stores_nothing(
    #[values("browser", "device-code")] credential: &str,
    #[values(Signal::INT, Signal::TERM)] signal: Signal,
) {
    for host in HOSTS {
        let mut machine = new_machine(host, Emulator::start());
        machine.input("credential", credential);
        let run = machine.follow();
        run.line_with("To sign in, open");
        let sent = Instant::now();
        support::signal(&run.child, signal);
        let ended = machine.end(run);
        ended.expect(128 + signal.as_raw());
        assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
        assert_eq!(ended.stdout, "");
        assert!(!machine.store().exists());
    }
}

#[rstest]
fn a_login_that_is_cancelled_while_its_code_is_redeemed_keeps_the_token(
    #[values("browser", "device-code")] credential: &str,
) {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    machine.input("credential", credential);
    let hold = machine.emulator.order(Fault::on(Service::Entra).path("/token").hold_after());
    let run = machine.follow();
    if credential == "browser" {
        visit(&machine.emulator.sign_in_at(&page(&run), cast::PERSON));
    } else {
        let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
        machine.emulator.approve_device_code(&code, cast::PERSON);
    }
    assert!(hold.wait_until_held(LONG));
    support::signal(&run.child, Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    hold.release();
    machine.end(run).expect(0);
    a_following_run_signs_in(&mut machine);
}
