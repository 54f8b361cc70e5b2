//! Signing in by device code.

mod world;

use std::time::Duration;

use adopat_emulator::{
    AZURE_DEVOPS, AppRegistration, DeviceCodePolicy, DeviceCodeState, Emulator, Service, cast,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Read, TOKEN, World};

const BEGIN: &str = "/organizations/oauth2/v2.0/devicecode";

fn begin(world: &mut World) -> Value {
    let (client, scope) = (cast::CLIENT_ID.to_string(), format!("{AZURE_DEVOPS}/.default offline_access"));
    world.form(BEGIN, &[("client_id", &client), ("scope", &scope)]).with_status(200).json()
}

fn poll(world: &mut World, begun: &Value) -> Read {
    let client = cast::CLIENT_ID.to_string();
    world.form(
        TOKEN,
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", &client),
            ("device_code", begun["device_code"].as_str().unwrap()),
        ],
    )
}

fn error(answer: &Read) -> String {
    answer.json()["error"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn a_code_is_approved_and_redeemed_once() {
    let mut world = World::new();
    let begun = begin(&mut world);
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(900), &json!(5)));
    assert_eq!(begun["verification_uri"], "https://login.microsoftonline.com/devicelogin");
    let user_code = begun["user_code"].as_str().unwrap();
    assert!(begun["message"].as_str().unwrap().contains(user_code));
    assert_eq!(error(&poll(&mut world, &begun).with_status(400)), "authorization_pending");
    world.services.approve_device_code(user_code, cast::PERSON);
    world.pass(SignedDuration::from_secs(5));
    let tokens = poll(&mut world, &begun).with_status(200).json();
    assert!(tokens["refresh_token"].is_string() && tokens["access_token"].is_string());
    assert_eq!(world.services.device_codes()[0].state, DeviceCodeState::Redeemed);
    world.pass(SignedDuration::from_secs(5));
    assert_eq!(error(&poll(&mut world, &begun).with_status(400)), "invalid_grant");
    assert!(
        world.services.issued_secrets().iter().any(|secret| secret == begun["device_code"].as_str().unwrap())
    );
}

#[test]
fn a_client_that_asks_too_often_is_slowed_down() {
    let mut world = World::new();
    let begun = begin(&mut world);
    assert_eq!(error(&poll(&mut world, &begun)), "authorization_pending");
    world.pass(SignedDuration::from_secs(2));
    assert_eq!(error(&poll(&mut world, &begun)), "slow_down");
    world.pass(SignedDuration::from_secs(6));
    assert_eq!(error(&poll(&mut world, &begun)), "slow_down");
    world.pass(SignedDuration::from_secs(15));
    assert_eq!(error(&poll(&mut world, &begun)), "authorization_pending");
}

#[test]
fn a_code_is_declined_expired_unknown_or_blocked() {
    let mut world = World::new();
    let begun = begin(&mut world);
    world.services.decline_device_code(begun["user_code"].as_str().unwrap());
    assert_eq!(error(&poll(&mut world, &begun).with_status(400)), "authorization_declined");
    let begun = begin(&mut world);
    world.pass(SignedDuration::from_secs(900));
    assert_eq!(error(&poll(&mut world, &begun).with_status(400)), "expired_token");
    assert_eq!(
        error(&poll(&mut world, &json!({"device_code": "nonsense"})).with_status(400)),
        "bad_verification_code"
    );

    world.services.set_device_code_policy(DeviceCodePolicy {
        approved_by: Some(cast::PERSON.to_owned()),
        ..DeviceCodePolicy::default()
    });
    let begun = begin(&mut world);
    let tokens = poll(&mut world, &begun).with_status(200).json();
    world.services.set_device_code_policy(DeviceCodePolicy {
        approved_by: Some(cast::PERSON.to_owned()),
        blocked: true,
        ..DeviceCodePolicy::default()
    });
    let begun = begin(&mut world);
    assert_eq!(poll(&mut world, &begun).with_status(400).json()["error_codes"], json!([53003]));
    // What the flow has given is blocked with it.
    let client = cast::CLIENT_ID.to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", client.as_str()),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(world.form(TOKEN, &fields).with_status(400).json()["error_codes"], json!([53003]));
}

#[test]
fn a_single_tenant_app_and_a_confidential_one_are_refused() {
    let single = AppRegistration::public(cast::CLIENT_ID).single_tenant(cast::TENANT);
    let confidential = AppRegistration::confidential(Uuid::from_u128(7)).secret("fake-client-secret");
    let mut world = World::of(Emulator::builder().app(single).app(confidential));
    let scope = format!("{AZURE_DEVOPS}/.default");
    let client = cast::CLIENT_ID.to_string();
    let refused = world.form(BEGIN, &[("client_id", &client), ("scope", &scope)]).with_status(400);
    assert_eq!(refused.json()["error_codes"], json!([50059]));
    let common = BEGIN.replace("organizations", "common");
    let refused = world.form(&common, &[("client_id", &client), ("scope", &scope)]).with_status(400);
    assert_eq!(refused.json()["error_codes"], json!([50194]));
    let client = Uuid::from_u128(7).to_string();
    let begun = world.form(BEGIN, &[("client_id", &client), ("scope", &scope)]).with_status(200).json();
    let device_code = begun["device_code"].as_str().unwrap();
    let fields =
        [("grant_type", "device_code"), ("client_id", client.as_str()), ("device_code", device_code)];
    assert_eq!(world.form(TOKEN, &fields).with_status(401).json()["error_codes"], json!([7000218]));
}

#[test]
fn a_person_clicks_through_the_pages() {
    let mut world = World::new();
    world.services.set_device_code_policy(DeviceCodePolicy {
        interval: Duration::from_secs(1),
        ..DeviceCodePolicy::default()
    });
    let begun = begin(&mut world);
    let code = begun["user_code"].as_str().unwrap().to_owned();
    let page = world.send(Service::Entra, "GET", "/devicelogin", &[], "").with_status(200).text();
    assert!(page.contains("<html lang=\"en\">") && page.contains("<label for=\"code\">"));
    let mut submit = |fields: &[(&str, &str)]| world.form("/devicelogin", fields).with_status(200).text();
    assert!(submit(&[("otc", "nonsense")]).contains("role=\"alert\""));
    assert!(submit(&[("otc", &code)]).contains(cast::PERSON));
    let account = [("otc", code.as_str()), ("account", cast::PERSON)];
    let with = |more: &[(&'static str, &'static str)]| [&account[..], more].concat();
    assert!(submit(&with(&[("step", "account")])).contains("type=\"password\""));
    assert!(submit(&with(&[("step", "password")])).contains("any word will do"));
    assert!(submit(&with(&[("step", "password"), ("password", "x")])).contains("Authenticator"));
    assert!(submit(&with(&[("step", "second-factor")])).contains("value=\"accept\""));
    assert!(submit(&with(&[("step", "consent"), ("decision", "accept")])).contains("You have signed in"));
    assert_eq!(world.services.device_codes()[0].state, DeviceCodeState::Approved(cast::PERSON.to_owned()));
    poll(&mut world, &begun).with_status(200);
}
