//! Redeeming a refresh token at Entra.

mod world;

use adopat_emulator::{AZURE_DEVOPS, Aadsts, AppRegistration, ClientKind, Emulator, RefreshTokenState, cast};
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Read, TOKEN, World};

const CONFIDENTIAL: Uuid = Uuid::from_u128(0xc0f1);

fn default_scope() -> String {
    format!("{AZURE_DEVOPS}/.default offline_access")
}

fn redeem(world: &mut World, client: Uuid, token: &str, more: &[(&str, &str)]) -> Read {
    let (client, scope) = (client.to_string(), default_scope());
    let mut fields = vec![("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", token)];
    fields.extend(more);
    if !more.iter().any(|(name, _)| *name == "scope") {
        fields.push(("scope", &scope));
    }
    world.form(TOKEN, &fields)
}

fn code(answer: &Read) -> Value {
    answer.json()["error_codes"][0].clone()
}

fn confidential() -> World {
    World::of(
        Emulator::builder().app(AppRegistration::public(cast::CLIENT_ID)).app(
            AppRegistration::confidential(CONFIDENTIAL)
                .secret("fake-client-secret")
                .secret_until("fake-old-secret", "2026-01-01T00:00:00Z".parse().unwrap()),
        ),
    )
}

#[test]
fn a_refresh_token_is_rolled_and_the_old_one_lives_on() {
    let mut world = World::new();
    let first = world.services.refresh_token(cast::PERSON, cast::CLIENT_ID, world.now);
    assert!(first.starts_with("1.AXXX-fake-") && first.len() > 1000);
    let answer = redeem(&mut world, cast::CLIENT_ID, &first, &[]).with_status(200);
    assert_eq!(answer.header("cache-control"), "no-store, no-cache");
    let answer = answer.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert!((3600..=5400).contains(&answer["expires_in"].as_u64().unwrap()));
    assert!(answer["scope"].as_str().unwrap().contains(&format!("{AZURE_DEVOPS}/vso.pats")));
    let second = answer["refresh_token"].as_str().unwrap();
    assert_ne!(first, second);
    redeem(&mut world, cast::CLIENT_ID, &first, &[]).with_status(200);
    redeem(&mut world, cast::CLIENT_ID, second, &[]).with_status(200);
    let issued = world.services.issued_secrets();
    assert!(issued.iter().any(|secret| secret == second));
    assert!(issued.iter().any(|secret| secret == answer["access_token"].as_str().unwrap()));
}

#[test]
fn where_refresh_tokens_serve_once_the_used_one_is_dead() {
    let mut world = World::of(Emulator::builder().one_time_refresh_tokens());
    let first = world.services.refresh_token(cast::PERSON, cast::CLIENT_ID, world.now);
    redeem(&mut world, cast::CLIENT_ID, &first, &[]).with_status(200);
    assert_eq!(code(&redeem(&mut world, cast::CLIENT_ID, &first, &[]).with_status(400)), 70000);
}

#[test]
fn a_dead_refresh_token_is_an_invalid_grant() {
    let mut world = World::new();
    let unknown = redeem(&mut world, cast::CLIENT_ID, "1.AXXX-fake-unknown", &[]).with_status(400);
    assert_eq!(unknown.json()["error"], "invalid_grant");

    let token = world.services.refresh_token(cast::PERSON, cast::CLIENT_ID, world.now);
    world.services.revoke_refresh_token(&token, 50173);
    let revoked = redeem(&mut world, cast::CLIENT_ID, &token, &[]).with_status(400);
    assert_eq!((&revoked.json()["error"], code(&revoked)), (&json!("invalid_grant"), json!(50173)));

    let token = world.services.refresh_token(cast::PERSON, cast::CLIENT_ID, world.now);
    world.pass(SignedDuration::from_hours(24 * 90));
    assert_eq!(world.services.refresh_token_state(&token, world.now), Some(RefreshTokenState::Expired));
    assert_eq!(code(&redeem(&mut world, cast::CLIENT_ID, &token, &[]).with_status(400)), 700082);

    let kind = ClientKind::SinglePage;
    let token = world.services.refresh_token_of_kind(cast::PERSON, cast::CLIENT_ID, kind, world.now);
    world.pass(SignedDuration::from_hours(24));
    assert_eq!(code(&redeem(&mut world, cast::CLIENT_ID, &token, &[]).with_status(400)), 700084);
}

#[test]
fn an_error_says_what_support_asks_for() {
    let mut world = World::new();
    let id = "00000000-0000-0000-0000-00000000c1d0";
    let body = "grant_type=refresh_token&refresh_token=x&client_id=00000000-0000-0000-0000-0000c11e4700";
    let headers = [("client-request-id", id)];
    let refused = world.send(adopat_emulator::Service::Entra, "POST", TOKEN, &headers, body).with_status(400);
    assert_eq!(refused.header("client-request-id"), id);
    let json = refused.json();
    assert_eq!(json["error"], "invalid_grant", "what is no refresh token is not a bad request");
    assert_eq!(json["correlation_id"], id);
    assert_eq!(json["timestamp"], "2026-11-24 12:00:00Z");
    assert_eq!(json["error_uri"], "https://login.microsoftonline.com/error?code=9002313");
    let trace = json["trace_id"].as_str().unwrap();
    assert_eq!(
        json["error_description"],
        format!(
            "AADSTS9002313: Invalid request. Request is malformed or invalid. Trace ID: {trace} Correlation ID: {id} \
             Timestamp: 2026-11-24 12:00:00Z"
        )
    );
}

#[test]
fn the_kind_of_client_stays_with_the_token() {
    let mut world = confidential();
    let secret = [("client_secret", "fake-client-secret")];
    let token = world.services.refresh_token(cast::PERSON, CONFIDENTIAL, world.now);
    redeem(&mut world, CONFIDENTIAL, &token, &secret).with_status(200);
    let unproven = redeem(&mut world, CONFIDENTIAL, &token, &[]).with_status(401);
    assert_eq!((&unproven.json()["error"], code(&unproven)), (&json!("invalid_client"), json!(7000218)));
    let wrong = redeem(&mut world, CONFIDENTIAL, &token, &[("client_secret", "nonsense")]).with_status(401);
    assert_eq!(code(&wrong), 7000215);
    let old =
        redeem(&mut world, CONFIDENTIAL, &token, &[("client_secret", "fake-old-secret")]).with_status(401);
    assert_eq!(code(&old), 7000222);

    let kind = ClientKind::Public;
    let by_device_code = world.services.refresh_token_of_kind(cast::PERSON, CONFIDENTIAL, kind, world.now);
    assert_eq!(code(&redeem(&mut world, CONFIDENTIAL, &by_device_code, &secret).with_status(401)), 700025);
    let token = world.services.refresh_token(cast::PERSON, cast::CLIENT_ID, world.now);
    assert_eq!(code(&redeem(&mut world, cast::CLIENT_ID, &token, &secret).with_status(401)), 700025);
    assert_eq!(code(&redeem(&mut world, CONFIDENTIAL, &token, &secret).with_status(400)), 700007);
}

#[test]
fn tenant_client_and_scope_must_be_known() {
    let mut world = World::new();
    let token = world.services.refresh_token(cast::PERSON, cast::CLIENT_ID, world.now);
    let unknown = redeem(&mut world, Uuid::from_u128(5), &token, &[]).with_status(400);
    assert_eq!((&unknown.json()["error"], code(&unknown)), (&json!("unauthorized_client"), json!(700016)));
    for (scope, expected) in [
        ("https://nowhere.example/.default", 500011),
        ("nonsense", 70011),
        ("499b84ac-1321-427f-aa17-267ca6975798/.default https://vault.azure.net/.default", 28000),
        ("499b84ac-1321-427f-aa17-267ca6975798/vso.code_full", 65001),
    ] {
        assert_eq!(
            code(&redeem(&mut world, cast::CLIENT_ID, &token, &[("scope", scope)])),
            expected,
            "{scope}"
        );
    }
    let granular = format!("{AZURE_DEVOPS}/vso.pats {AZURE_DEVOPS}/vso.pats_manage offline_access");
    redeem(&mut world, cast::CLIENT_ID, &token, &[("scope", &granular)]).with_status(200);

    let client = cast::CLIENT_ID.to_string();
    let fields =
        [("grant_type", "refresh_token"), ("client_id", client.as_str()), ("refresh_token", token.as_str())];
    let mut at = |tenant: &str| world.form(&format!("/{tenant}/oauth2/v2.0/token"), &fields);
    at("organizations").with_status(200);
    at(cast::TENANT_DOMAIN).with_status(200);
    assert_eq!(code(&at("00000000-0000-0000-0000-000000000077").with_status(400)), 90002);
    assert_eq!(code(&at("nonsense").with_status(400)), 900023);
}

#[test]
fn every_known_code_has_an_oauth_error() {
    for number in Aadsts::known_codes() {
        let refusal = Aadsts::code(number);
        assert!(
            !refusal.error.is_empty() && !refusal.text.is_empty() && !refusal.status.is_success(),
            "{number}"
        );
    }
    // Those of Microsoft's list that a person who runs a pipeline meets.
    for number in [50076, 53003, 65001, 700082, 7000218, 700016, 90002, 50034, 500011, 650057, 50196, 90033] {
        assert!(Aadsts::known_codes().any(|known| known == number), "{number}");
    }
}
