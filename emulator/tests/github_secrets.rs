//! What is known of GitHub's Actions secrets.

mod world;

use adopat_emulator::{GitHubLimit, GitHubRights, Service};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::rand_core::{CryptoRng, Error, RngCore};
use serde_json::{Value, json};
use world::{Read, World};

const SECRETS: &str = "/repos/contoso/fabrikam/actions/secrets";
const ENVIRONMENT: &str = "/repos/Contoso/Fabrikam/environments/production/secrets";
const ALL: GitHubRights = GitHubRights::FineGrained { secrets: true, environments: true };

/// Always the same numbers: nothing here is secret.
struct Counting(u8);

impl RngCore for Counting {
    fn next_u32(&mut self) -> u32 {
        four_bytes(self)
    }
    fn next_u64(&mut self) -> u64 {
        u64::from(four_bytes(self))
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Counting {}

fn four_bytes(random: &mut Counting) -> u32 {
    let mut bytes = [0; 4];
    random.fill_bytes(&mut bytes);
    u32::from_le_bytes(bytes)
}

fn send(world: &mut World, token: &str, method: &str, path: &str, body: &Value) -> Read {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("user-agent", "tests"),
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
    ];
    world.send(Service::GitHub, method, path, &headers, body.to_string())
}

/// Seals a value for the key at this address.
fn sealed(world: &mut World, token: &str, secrets: &str, value: &str) -> Value {
    let key =
        send(world, token, "GET", &format!("{secrets}/public-key"), &Value::Null).with_status(200).json();
    let bytes: [u8; 32] = STANDARD.decode(key["key"].as_str().unwrap()).unwrap().try_into().unwrap();
    let sealed = crypto_box::PublicKey::from(bytes).seal(&mut Counting(7), value.as_bytes()).unwrap();
    json!({"encrypted_value": STANDARD.encode(sealed), "key_id": key["key_id"]})
}

#[test]
fn a_sealed_secret_is_opened_created_and_updated() {
    let mut world = World::new();
    let token = world.services.github_token(ALL);
    let body = sealed(&mut world, &token, SECRETS, "first-value");
    let created = send(&mut world, &token, "PUT", &format!("{SECRETS}/ado_pat"), &body).with_status(201);
    assert_eq!(created.json(), json!({}));
    let body = sealed(&mut world, &token, SECRETS, "second-value");
    assert!(
        send(&mut world, &token, "PUT", &format!("{SECRETS}/ADO_PAT"), &body)
            .with_status(204)
            .bytes
            .is_empty()
    );
    let secrets = world.services.github_secrets();
    assert_eq!(secrets.len(), 1);
    assert_eq!(
        (secrets[0].name.as_str(), secrets[0].value.as_str(), secrets[0].written),
        ("ADO_PAT", "second-value", 2)
    );
    assert!(world.services.issued_secrets().iter().any(|secret| secret == "second-value"));
}

#[test]
fn an_environment_has_a_key_of_its_own() {
    let mut world = World::new();
    world.services.add_github_environment("contoso", "fabrikam", "pre/prod stage");
    let token = world.services.github_token(ALL);
    let of_repository = sealed(&mut world, &token, SECRETS, "value");
    let address = format!("{ENVIRONMENT}/PAT");
    send(&mut world, &token, "PUT", &address, &of_repository).with_status(422);
    let of_environment = sealed(&mut world, &token, ENVIRONMENT, "value");
    send(&mut world, &token, "PUT", &address, &of_environment).with_status(201);
    assert_eq!(world.services.github_secrets()[0].environment.as_deref(), Some("production"));
    let path = "/repos/contoso/fabrikam/environments/pre%2Fprod%20stage/secrets/public-key";
    send(&mut world, &token, "GET", path, &Value::Null).with_status(200);
    send(&mut world, &token, "GET", &format!("/api/v3{SECRETS}/public-key"), &Value::Null).with_status(200);
}

#[test]
fn rights_decide() {
    let mut world = World::new();
    let mut of = |rights: GitHubRights, secrets: &str| {
        let token = world.services.github_token(rights);
        send(&mut world, &token, "GET", &format!("{secrets}/public-key"), &Value::Null)
    };
    let only_secrets = GitHubRights::FineGrained { secrets: true, environments: false };
    of(only_secrets, SECRETS).with_status(200);
    let refused = of(only_secrets, ENVIRONMENT).with_status(403);
    assert_eq!(refused.json()["message"], "Resource not accessible by personal access token");
    assert_eq!(refused.header("x-accepted-github-permissions"), "environments=read");
    let refused = of(GitHubRights::Workflow, SECRETS).with_status(403);
    assert_eq!(refused.json()["message"], "Resource not accessible by integration");
    of(GitHubRights::Classic { repo: true }, ENVIRONMENT).with_status(200);
    assert_eq!(
        of(GitHubRights::Classic { repo: false }, SECRETS).with_status(404).json()["message"],
        "Not Found"
    );
    of(GitHubRights::Elsewhere, SECRETS).with_status(404);
    of(ALL, "/repos/contoso/unknown/actions/secrets").with_status(404);
    of(ALL, "/repos/contoso/fabrikam/environments/unknown/secrets").with_status(404);
    let refused =
        send(&mut world, "nonsense", "GET", &format!("{SECRETS}/public-key"), &Value::Null).with_status(401);
    assert_eq!(refused.json()["message"], "Bad credentials");
}

#[test]
fn wrong_requests_are_refused() {
    let mut world = World::new();
    let token = world.services.github_token(ALL);
    let body = sealed(&mut world, &token, SECRETS, "value");
    for name in ["GITHUB_X", "1ST", "with-dash", "with%20space"] {
        send(&mut world, &token, "PUT", &format!("{SECRETS}/{name}"), &body).with_status(422);
    }
    let mut changed = body.clone();
    changed["encrypted_value"] = json!("AAAA");
    send(&mut world, &token, "PUT", &format!("{SECRETS}/PAT"), &changed).with_status(422);
    changed["encrypted_value"] = json!("no base64!");
    send(&mut world, &token, "PUT", &format!("{SECRETS}/PAT"), &changed).with_status(422);
    changed = body;
    changed["key_id"] = json!("1");
    send(&mut world, &token, "PUT", &format!("{SECRETS}/PAT"), &changed).with_status(422);
    let too_large = sealed(&mut world, &token, SECRETS, &"x".repeat(48 * 1024 + 1));
    send(&mut world, &token, "PUT", &format!("{SECRETS}/PAT"), &too_large).with_status(422);

    let bearer = format!("Bearer {token}");
    let path = format!("{SECRETS}/public-key");
    let page = world.send(Service::GitHub, "GET", &path, &[("authorization", &bearer)], "").with_status(403);
    assert!(page.header("content-type").starts_with("text/html") && page.text().contains("User-Agent"));
    let headers =
        [("authorization", bearer.as_str()), ("user-agent", "x"), ("x-github-api-version", "2020-01-01")];
    world.send(Service::GitHub, "GET", &path, &headers, "").with_status(400);
}

#[test]
fn limits_are_told_apart_from_permissions() {
    let mut world = World::new();
    let token = world.services.github_token(ALL);
    let mut under = |limit: GitHubLimit| {
        world.services.set_github_limit(Some(limit));
        send(&mut world, &token, "GET", &format!("{SECRETS}/public-key"), &Value::Null)
    };
    let primary = under(GitHubLimit::Primary(60)).with_status(403);
    assert_eq!(primary.all("x-ratelimit-remaining"), ["0"]);
    assert_eq!(primary.header("x-ratelimit-reset"), "1795521660");
    assert_eq!(under(GitHubLimit::Secondary(9)).with_status(403).header("retry-after"), "9");
    assert_eq!(under(GitHubLimit::TooMany(9)).with_status(429).header("retry-after"), "9");
}

#[test]
fn secrets_are_listed_got_and_deleted_without_their_values() {
    let mut world = World::new();
    let token = world.services.github_token(ALL);
    for name in ["FIRST", "SECOND", "THIRD"] {
        let body = sealed(&mut world, &token, SECRETS, "some-value");
        send(&mut world, &token, "PUT", &format!("{SECRETS}/{name}"), &body).with_status(201);
    }
    world.pass(jiff::SignedDuration::from_secs(60));
    let body = sealed(&mut world, &token, SECRETS, "other-value");
    send(&mut world, &token, "PUT", &format!("{SECRETS}/second"), &body).with_status(204);
    let one = send(&mut world, &token, "GET", &format!("{SECRETS}/Second"), &Value::Null).with_status(200);
    assert_eq!(
        one.json(),
        json!({"name": "SECOND", "created_at": "2026-11-24T12:00:00Z", "updated_at": "2026-11-24T12:01:00Z"})
    );
    let page =
        send(&mut world, &token, "GET", &format!("{SECRETS}?per_page=2"), &Value::Null).with_status(200);
    let names = |page: &Read| -> Vec<String> {
        page.json()["secrets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (names(&page), &page.json()["total_count"]),
        (vec!["FIRST".to_owned(), "SECOND".to_owned()], &json!(3))
    );
    assert_eq!(
        page.header("link"),
        format!("<https://api.github.com{SECRETS}?per_page=2&page=2>; rel=\"next\"")
    );
    let rest = send(&mut world, &token, "GET", &format!("{SECRETS}?per_page=2&page=2"), &Value::Null);
    assert_eq!((names(&rest), rest.header("link")), (vec!["THIRD".to_owned()], ""));
    send(&mut world, &token, "DELETE", &format!("{SECRETS}/FIRST"), &Value::Null).with_status(204);
    for method in ["DELETE", "GET"] {
        send(&mut world, &token, method, &format!("{SECRETS}/FIRST"), &Value::Null).with_status(404);
    }
    let reader =
        world.services.github_token(GitHubRights::FineGrained { secrets: false, environments: true });
    send(&mut world, &reader, "GET", SECRETS, &Value::Null).with_status(403);
    send(&mut world, &reader, "GET", ENVIRONMENT, &Value::Null).with_status(200);
    send(&mut world, &reader, "GET", "/repos/contoso/fabrikam", &Value::Null).with_status(200);
    let elsewhere = world.services.github_token(GitHubRights::Elsewhere);
    send(&mut world, &elsewhere, "GET", "/repos/contoso/fabrikam", &Value::Null).with_status(404);
}
