//! Signing in with a browser.

mod world;

use adopat_emulator::{AZURE_DEVOPS, AppRegistration, Emulator, Platform, Service, cast};
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Read, TOKEN, World};

const CONFIDENTIAL: Uuid = Uuid::from_u128(0xc0f1);
const SINGLE_PAGE: Uuid = Uuid::from_u128(0x59a);
/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn world() -> World {
    World::of(
        Emulator::builder()
            .app(AppRegistration::public(cast::CLIENT_ID))
            .app(AppRegistration::confidential(CONFIDENTIAL).secret("fake-client-secret"))
            .app(AppRegistration::new(SINGLE_PAGE).redirect(Platform::SinglePage, "http://localhost/spa")),
    )
}

fn address(client: Uuid, redirect: &str, more: &[(&str, &str)]) -> String {
    let (client, scope) = (client.to_string(), format!("{AZURE_DEVOPS}/.default offline_access openid"));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("client_id", client.as_str()),
            ("response_type", "code"),
            ("redirect_uri", redirect),
            ("scope", &scope),
            ("state", "state & more"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
        .extend_pairs(more)
        .finish();
    format!("/organizations/oauth2/v2.0/authorize?{query}")
}

fn returned(location: &str, name: &str) -> Option<String> {
    let (_, query) = location.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn sign_in(world: &mut World, client: Uuid, redirect: &str) -> String {
    let location = world.services.sign_in_at(&address(client, redirect, &[]), cast::PERSON, world.now);
    assert!(location.starts_with(redirect), "{location}");
    assert_eq!(returned(&location, "state").as_deref(), Some("state & more"));
    returned(&location, "code").unwrap()
}

fn redeem(world: &mut World, client: Uuid, code: &str, redirect: &str, more: &[(&str, &str)]) -> Read {
    let client = client.to_string();
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("client_id", &client),
        ("code", code),
        ("redirect_uri", redirect),
    ];
    fields.extend(more);
    world.form(TOKEN, &fields)
}

fn code_of(answer: &Read) -> Value {
    answer.json()["error_codes"][0].clone()
}

#[test]
fn a_public_client_gets_its_tokens_once() {
    let mut world = world();
    let redirect = "http://localhost:43210/";
    let code = sign_in(&mut world, cast::CLIENT_ID, redirect);
    let verifier = [("code_verifier", VERIFIER)];
    let wrong = redeem(&mut world, cast::CLIENT_ID, &code, redirect, &[("code_verifier", "nonsense")]);
    assert_eq!(code_of(&wrong.with_status(400)), 501481);
    assert_eq!(code_of(&redeem(&mut world, cast::CLIENT_ID, &code, redirect, &[])), 501481);
    let other = redeem(&mut world, cast::CLIENT_ID, &code, "http://localhost:1/", &verifier);
    assert_eq!(code_of(&other.with_status(400)), 500112);
    let proof = [verifier[0], ("client_secret", "nonsense")];
    assert_eq!(
        code_of(&redeem(&mut world, cast::CLIENT_ID, &code, redirect, &proof).with_status(401)),
        700025
    );

    let tokens = redeem(&mut world, cast::CLIENT_ID, &code, redirect, &verifier).with_status(200).json();
    assert!(tokens["refresh_token"].is_string() && tokens["id_token"].is_string());
    let again = redeem(&mut world, cast::CLIENT_ID, &code, redirect, &verifier).with_status(400);
    assert_eq!(code_of(&again), 54005);
    assert!(world.services.issued_secrets().contains(&code));

    let code = sign_in(&mut world, cast::CLIENT_ID, redirect);
    world.pass(SignedDuration::from_secs(600));
    assert_eq!(code_of(&redeem(&mut world, cast::CLIENT_ID, &code, redirect, &verifier)), 70008);
}

#[test]
fn a_web_redirect_wants_a_proof_and_gives_a_confidential_token() {
    let mut world = world();
    let redirect = "http://localhost:5/";
    let code = sign_in(&mut world, CONFIDENTIAL, redirect);
    let verifier = ("code_verifier", VERIFIER);
    assert_eq!(
        code_of(&redeem(&mut world, CONFIDENTIAL, &code, redirect, &[verifier]).with_status(401)),
        7000218
    );
    let proof = [verifier, ("client_secret", "fake-client-secret")];
    let tokens = redeem(&mut world, CONFIDENTIAL, &code, redirect, &proof).with_status(200).json();
    let (client, token) = (CONFIDENTIAL.to_string(), tokens["refresh_token"].as_str().unwrap());
    let mut fields =
        vec![("grant_type", "refresh_token"), ("client_id", client.as_str()), ("refresh_token", token)];
    assert_eq!(code_of(&world.form(TOKEN, &fields).with_status(401)), 7000218);
    fields.push(proof[1]);
    world.form(TOKEN, &fields).with_status(200);
}

#[test]
fn a_single_page_redirect_wants_a_cross_origin_request() {
    let mut world = world();
    let redirect = "http://localhost:5/spa";
    let code = sign_in(&mut world, SINGLE_PAGE, redirect);
    let refused =
        redeem(&mut world, SINGLE_PAGE, &code, redirect, &[("code_verifier", VERIFIER)]).with_status(400);
    assert_eq!(code_of(&refused), 9002327);
}

#[test]
fn only_a_registered_redirect_is_sent_to() {
    let mut world = world();
    for redirect in [
        "http://localhost:5/other",
        "https://localhost:5/",
        "http://evil.example/",
        "http://localhost.evil.example/",
    ] {
        let page = world
            .send(Service::Entra, "GET", &address(cast::CLIENT_ID, redirect, &[]), &[], "")
            .with_status(400);
        assert!(page.text().contains("AADSTS50011") && page.headers.get("location").is_none(), "{redirect}");
    }
    let page =
        world.send(Service::Entra, "GET", &address(Uuid::from_u128(9), "http://localhost/", &[]), &[], "");
    assert!(page.with_status(400).text().contains("AADSTS700016"));
}

#[test]
fn a_person_who_declines_sends_an_error_back() {
    let mut world = world();
    let asked = address(cast::CLIENT_ID, "http://localhost:5/", &[]);
    let location = world.services.decline_at(&asked, world.now);
    assert_eq!(returned(&location, "error").as_deref(), Some("access_denied"));
    assert!(returned(&location, "error_description").unwrap().starts_with("AADSTS65004"));
    assert_eq!(returned(&location, "state").as_deref(), Some("state & more"));
    assert_eq!(returned(&location, "code"), None);
}

#[test]
fn the_pages_lead_to_the_redirect() {
    let mut world = world();
    let asked = address(cast::CLIENT_ID, "http://localhost:5/", &[("login_hint", cast::STRANGER)]);
    let page = world.send(Service::Entra, "GET", &asked, &[], "").with_status(200).text();
    assert!(page.contains(&format!("value=\"{}\" checked", cast::STRANGER)), "{page}");
    let fields = [("step", "consent"), ("decision", "accept"), ("account", cast::STRANGER)];
    let moved = world.form(&asked, &fields).with_status(302);
    assert!(moved.header("location").starts_with("http://localhost:5/?code=1.FAKE-code-"));
    let posted = address(cast::CLIENT_ID, "http://localhost:5/", &[("response_mode", "form_post")]);
    let page = world.form(&posted, &fields).with_status(200).text();
    assert!(
        page.contains("<form method=\"post\" action=\"http://localhost:5/\">")
            && page.contains("state &amp; more")
    );
    let silent = address(cast::CLIENT_ID, "http://localhost:5/", &[("prompt", "none")]);
    let moved = world.send(Service::Entra, "GET", &silent, &[], "").with_status(302);
    assert_eq!(returned(moved.header("location"), "error").as_deref(), Some("login_required"));
}

#[test]
fn a_library_finds_its_way() {
    let mut world = world();
    let path = format!("/{}/v2.0/.well-known/openid-configuration", cast::TENANT);
    let configuration = world.send(Service::Entra, "GET", &path, &[], "").with_status(200).json();
    let base = format!("https://login.microsoftonline.com/{}", cast::TENANT);
    assert_eq!(configuration["issuer"], format!("{base}/v2.0"));
    assert_eq!(configuration["token_endpoint"], format!("{base}/oauth2/v2.0/token"));
    assert_eq!(configuration["device_authorization_endpoint"], format!("{base}/oauth2/v2.0/devicecode"));
    let keys =
        world.send(Service::Entra, "GET", "/common/discovery/v2.0/keys", &[], "").with_status(200).json();
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    let path =
        "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://x/organizations/oauth2";
    let instance = world.send(Service::Entra, "GET", path, &[], "").with_status(200).json();
    assert_eq!(
        instance["metadata"],
        json!([{"preferred_network": "login.microsoftonline.com",
        "preferred_cache": "login.microsoftonline.com", "aliases": ["login.microsoftonline.com"]}])
    );
}
