//! How a confidential client proves to be the app, and what an app may sign in to as itself.

mod world;

use adopat_emulator::{AppRegistration, Emulator, GITHUB_ISSUER, Job, Service, TOKEN_EXCHANGE, cast};
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Read, TOKEN, World};

const APP: Uuid = Uuid::from_u128(0xa00);
const SUBJECT: &str = "repo:contoso/fabrikam:ref:refs/heads/main";
const VAULT: &str = "https://vault.azure.net/.default";
/// A key that is published with this crate, and worth nothing.
const KEY: &[u8] = include_bytes!("../src/issuer.der");

fn certificate() -> Vec<u8> {
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(KEY);
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_RSA_SHA256).unwrap();
    CertificateParams::default().self_signed(&key).unwrap().der().to_vec()
}

fn assertion(header: &Value, claims: &Value, padding: &'static dyn RsaEncoding) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let key = ring::rsa::KeyPair::from_pkcs8(KEY).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn thumbprint() -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, &certificate()).as_ref().to_vec()
}

fn world() -> World {
    World::of(
        Emulator::builder().app(
            AppRegistration::confidential(APP)
                .secret("fake-client-secret")
                .certificate_der(certificate())
                .federated(GITHUB_ISSUER, SUBJECT, TOKEN_EXCHANGE),
        ),
    )
}

fn sign_in(world: &mut World, proof: &[(&str, &str)]) -> Read {
    let app = APP.to_string();
    let mut fields =
        vec![("grant_type", "client_credentials"), ("client_id", app.as_str()), ("scope", VAULT)];
    fields.extend(proof);
    world.form(TOKEN, &fields)
}

fn with_assertion(world: &mut World, assertion: &str) -> Read {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    sign_in(world, &[("client_assertion_type", kind), ("client_assertion", assertion)])
}

fn code(answer: &Read) -> Value {
    answer.json()["error_codes"][0].clone()
}

#[test]
fn a_certificate_proves_with_either_signature() {
    let mut world = world();
    let now = world.now.as_second();
    let app = APP.to_string();
    let claims = json!({"aud": format!("https://login.microsoftonline.com{TOKEN}"), "iss": app, "sub": app,
                        "jti": "1", "nbf": now, "exp": now + 600});
    let header = |algorithm: &str| json!({"alg": algorithm, "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(thumbprint())});
    let pss = assertion(&header("PS256"), &claims, &RSA_PSS_SHA256);
    with_assertion(&mut world, &pss).with_status(200);
    with_assertion(&mut world, &pss).with_status(200);
    let padded = json!({"alg": "RS256", "x5t#S256": URL_SAFE.encode(thumbprint())});
    with_assertion(&mut world, &assertion(&padded, &claims, &RSA_PKCS1_SHA256)).with_status(200);
    assert!(world.services.issued_secrets().contains(&pss));

    let wrong_padding = assertion(&header("PS256"), &claims, &RSA_PKCS1_SHA256);
    assert_eq!(code(&with_assertion(&mut world, &wrong_padding).with_status(401)), 700027);
    let unknown = assertion(&json!({"alg": "RS256", "x5t#S256": "AAAA"}), &claims, &RSA_PKCS1_SHA256);
    assert_eq!(code(&with_assertion(&mut world, &unknown).with_status(401)), 700027);
    let mut changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        code(
            &with_assertion(&mut world, &assertion(&header("RS256"), &claims, &RSA_PKCS1_SHA256))
                .with_status(401),
        )
    };
    assert_eq!(changed("sub", json!("somebody else")), 700021);
    assert_eq!(changed("aud", json!("https://evil.example/token")), 700023);
    assert_eq!(changed("exp", json!(now)), 700024);
    assert_eq!(changed("nbf", json!(now + 301)), 700024);
    assert_eq!(changed("nbf", json!(now as f64 + 301.5)), 700024);
}

#[test]
fn an_assertions_instants_may_be_fractions_and_its_life_is_not_limited() {
    let mut world = world();
    let (now, app) = (world.now.as_second(), APP.to_string());
    let header = json!({"alg": "PS256", "x5t#S256": URL_SAFE_NO_PAD.encode(thumbprint())});
    let mut lives = |iat: Value, exp: Value| {
        let claims = json!({"aud": format!("https://login.microsoftonline.com{TOKEN}"), "iss": app, "sub": app,
                            "jti": "1", "iat": iat, "nbf": iat, "exp": exp});
        with_assertion(&mut world, &assertion(&header, &claims, &RSA_PSS_SHA256)).status.as_u16()
    };
    assert_eq!(lives(json!(now as f64 + 0.319_27), json!(now as f64 + 600.319_27)), 200);
    assert_eq!(lives(json!(now), json!(now + 601)), 200);
    assert_eq!(lives(json!(now), json!(now + 365 * 24 * 3600)), 200);
    assert_eq!(lives(json!(now - 600), json!(now as f64 - 0.5)), 401);
}

#[test]
fn a_secret_may_come_by_basic_authentication() {
    let mut world = world();
    let mut status = |id: &str, secret: &str| {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", &format!("Basic {basic}")),
        ];
        let body = format!("grant_type=client_credentials&scope={VAULT}");
        let answer = world.send(Service::Entra, "POST", TOKEN, &headers, body);
        (answer.status.as_u16(), answer.json()["error_codes"][0].as_u64())
    };
    let app = APP.to_string();
    assert_eq!(status(&app, "fake-client-secret"), (200, None));
    assert_eq!(status(&app, "fake%2Dclient%2dsecret"), (200, None));
    assert_eq!(status(&app, "another-secret"), (401, Some(7000215)));
    assert_eq!(status(&app, ""), (401, Some(7000216)));
}

#[test]
fn a_jobs_token_proves_where_it_is_registered() {
    let mut world = world();
    let now = world.now;
    let mut of = |issuer: &str, subject: &str, audience: &str| {
        let token = world.services.job_token(issuer, subject, audience, now);
        with_assertion(&mut world, &token)
    };
    of(GITHUB_ISSUER, SUBJECT, TOKEN_EXCHANGE).with_status(200);
    assert_eq!(code(&of("https://gitlab.example", SUBJECT, TOKEN_EXCHANGE).with_status(401)), 700211);
    assert_eq!(code(&of(GITHUB_ISSUER, SUBJECT, "https://github.com/contoso").with_status(401)), 700212);
    let other_case =
        of(GITHUB_ISSUER, &SUBJECT.replace("contoso", "Contoso"), TOKEN_EXCHANGE).with_status(401);
    assert_eq!(code(&other_case), 700213);
    assert!(other_case.json()["error_description"].as_str().unwrap().contains("repo:Contoso/fabrikam"));

    let token = world.services.job_token(GITHUB_ISSUER, SUBJECT, TOKEN_EXCHANGE, now);
    let with_line_break = format!("{token}\n");
    assert_eq!(code(&with_assertion(&mut world, &with_line_break)), 50027);
    assert_eq!(code(&with_assertion(&mut world, "nonsense")), 50027);
    world.pass(SignedDuration::from_secs(301));
    assert_eq!(code(&with_assertion(&mut world, &token).with_status(401)), 700024);
}

#[test]
fn an_app_without_that_kind_of_proof_says_so() {
    let mut world =
        World::of(Emulator::builder().app(AppRegistration::confidential(APP).secret("fake-client-secret")));
    let token = world.services.job_token(GITHUB_ISSUER, SUBJECT, TOKEN_EXCHANGE, world.now);
    assert_eq!(code(&with_assertion(&mut world, &token).with_status(401)), 70025);
    assert_eq!(code(&sign_in(&mut world, &[]).with_status(401)), 7000216);
    sign_in(&mut world, &[("client_secret", "fake-client-secret")]).with_status(200);
}

#[test]
fn an_apps_own_token_is_no_person() {
    let mut world = world();
    let app = APP.to_string();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", app.as_str()),
        ("client_secret", "fake-client-secret"),
        ("scope", "499b84ac-1321-427f-aa17-267ca6975798/.default"),
    ];
    let token = world.form(TOKEN, &fields).with_status(200).json();
    assert!(token.get("refresh_token").is_none());
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    world.send(Service::Pats, "GET", world::PATS, &headers, "").with_status(401);
    world.services.add_user(adopat_emulator::User::service_principal(&app).member_of("fabrikam"));
    let refused = world.send(Service::Pats, "GET", world::PATS, &headers, "").with_status(403);
    assert_eq!(refused.json()["typeKey"], "InvalidAccessException");
    let narrow =
        [fields[0], fields[1], fields[2], ("scope", "499b84ac-1321-427f-aa17-267ca6975798/vso.pats")];
    assert_eq!(code(&world.form(TOKEN, &narrow).with_status(400)), 1002012);
}

#[test]
fn github_hands_its_job_a_token() {
    let mut world = world();
    let path = "/github/idtoken?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange";
    world.send(Service::Job, "GET", path, &[], "").with_status(401);
    let bearer = format!("Bearer {}", world.services.job().github_request_token);
    let given =
        world.send(Service::Job, "GET", path, &[("authorization", &bearer)], "").with_status(200).json();
    with_assertion(&mut world, given["value"].as_str().unwrap()).with_status(200);
    let default =
        world.send(Service::Job, "GET", "/github/idtoken", &[("authorization", &bearer)], "").json();
    assert_eq!(code(&with_assertion(&mut world, default["value"].as_str().unwrap())), 700212);
    world.services.set_job(Job {
        github_subject: "repo:contoso@1/fabrikam@2:environment:x".to_owned(),
        ..Job::default()
    });
    let other = world.send(Service::Job, "GET", path, &[("authorization", &bearer)], "").json();
    assert_eq!(code(&with_assertion(&mut world, other["value"].as_str().unwrap())), 700213);
}

#[test]
fn azure_pipelines_hands_its_job_a_token() {
    let mut world = World::new();
    let (issuer, subject) =
        (world.services.service_connection_issuer(), world.services.service_connection_subject("connection"));
    let app = AppRegistration::confidential(APP).federated(&issuer, &subject, TOKEN_EXCHANGE);
    world.services.add_app(app);
    let path = "/fabrikam/oidctoken?api-version=7.1&serviceConnectionId=connection";
    let moved =
        world.send(Service::Job, "POST", path, &[("authorization", "Bearer nonsense")], "").with_status(302);
    assert!(moved.header("location").contains("_signin"));
    let bearer = format!("Bearer {}", world.services.job().pipelines_access_token);
    let given =
        world.send(Service::Job, "POST", path, &[("authorization", &bearer)], "").with_status(200).json();
    with_assertion(&mut world, given["oidcToken"].as_str().unwrap()).with_status(200);
}

#[test]
fn a_managed_identity_gets_tokens_from_either_endpoint() {
    let mut world = World::new();
    let (endpoint, header) = world.services.app_service_endpoint();
    assert_eq!(endpoint, "http://169.254.169.254/msi/token");
    let query = "?api-version=2019-08-01&resource=https://vault.azure.net";
    let path = format!("/msi/token{query}");
    world.send(Service::ManagedIdentity, "GET", &path, &[("metadata", "true")], "").with_status(401);
    let headers = [("metadata", "true"), ("x-identity-header", header.as_str())];
    let given = world.send(Service::ManagedIdentity, "GET", &path, &headers, "").with_status(200).json();
    assert!(given["expires_on"].is_string());
    assert_eq!(given["client_id"], cast::MANAGED_IDENTITY.to_string());

    let path = format!("/metadata/identity/oauth2/token{query}");
    world.send(Service::ManagedIdentity, "GET", &path, &[], "").with_status(400);
    world.send(Service::ManagedIdentity, "GET", &path, &[("metadata", "true")], "").with_status(200);
    let unknown = format!("{path}&client_id={}", Uuid::from_u128(4));
    let refused =
        world.send(Service::ManagedIdentity, "GET", &unknown, &[("metadata", "true")], "").with_status(400);
    assert_eq!(refused.json()["error_description"], "Identity not found");
}
