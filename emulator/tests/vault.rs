//! What is known of Azure Key Vault's secrets.

mod world;

use adopat_emulator::{
    Audience, Challenge, Deletion, Emulator, Service, User, VaultAccess, VaultPolicy, VaultRights, cast,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Read, World};

const VERSION: &str = "api-version=2025-07-01";

fn token(world: &mut World, user: &str) -> String {
    let end = world.now + SignedDuration::from_hours(1);
    world.services.access_token_for(user, Audience::KeyVault, &[], end)
}

fn send(world: &mut World, method: &str, path: &str, body: &str) -> Read {
    let bearer = format!("Bearer {}", token(world, cast::SERVICE_PRINCIPAL));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mark = if path.contains('?') { '&' } else { '?' };
    world.send(Service::Vault, method, &format!("{path}{mark}{VERSION}"), &headers, body.to_owned())
}

fn inner(answer: &Read) -> String {
    answer.json()["error"]["innererror"]["code"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn a_client_without_a_token_is_challenged_first() {
    let mut world = World::new();
    let refused = world.send(Service::Vault, "PUT", "/secrets/pat", &[], "").with_status(401);
    assert_eq!(
        refused.header("www-authenticate"),
        format!(
            "Bearer authorization=\"https://login.microsoftonline.com/{}\", resource=\"https://vault.azure.net\"",
            cast::TENANT
        )
    );
    assert_eq!(refused.json()["error"]["code"], "Unauthorized");
    assert!(refused.text().contains("AKV10000"));
    world.services.set_vault_policy(VaultPolicy { challenge: Challenge::Scope, ..VaultPolicy::default() });
    let refused = world.send(Service::Vault, "GET", "/secrets/pat", &[], "").with_status(401);
    assert!(refused.header("www-authenticate").contains("scope=\"https://vault.azure.net/.default\""));
}

#[test]
fn a_token_of_another_audience_or_tenant_is_refused() {
    let mut world =
        World::of(Emulator::builder().user(User::service_principal("foreign").tenant(Uuid::from_u128(0xf0))));
    let foreign = token(&mut world, "foreign");
    let devops = world.services.access_token(cast::SERVICE_PRINCIPAL, world.now);
    for (token, expected) in
        [(foreign, "AKV10032"), (devops, "AKV10022"), ("nonsense".to_owned(), "AKV10046")]
    {
        let bearer = format!("Bearer {token}");
        let path = format!("/secrets/pat?{VERSION}");
        let refused =
            world.send(Service::Vault, "GET", &path, &[("authorization", &bearer)], "").with_status(401);
        assert!(refused.text().contains(expected), "{}", refused.text());
    }
}

#[test]
fn every_set_makes_a_version() {
    let mut world = World::new();
    let body = json!({"value": "first-value", "contentType": "application/vnd.adopat.pat",
                      "attributes": {"exp": 1_800_000_000}, "tags": {"authorization-id": "x"}});
    let first = send(&mut world, "PUT", "/secrets/My-Pat", &body.to_string()).with_status(200).json();
    let id = first["id"].as_str().unwrap();
    let version = id.strip_prefix("https://fabrikam.vault.azure.net/secrets/My-Pat/").unwrap().to_owned();
    assert!(version.len() == 32 && version.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!(first["attributes"]["exp"], 1_800_000_000);
    assert_eq!(first["attributes"]["created"], world.now.as_second());
    send(&mut world, "PUT", "/secrets/my-pat", r#"{"value":"second-value"}"#).with_status(200);

    let newest = send(&mut world, "GET", "/secrets/MY-PAT/", "").with_status(200).json();
    assert_eq!(newest["value"], "second-value");
    let old = send(&mut world, "GET", &format!("/secrets/my-pat/{version}"), "").with_status(200).json();
    assert_eq!((&old["value"], &old["tags"]["authorization-id"]), (&json!("first-value"), &json!("x")));
    assert_eq!(world.services.vault_secret("my-pat").unwrap().versions.len(), 2);
    assert!(world.services.issued_secrets().iter().any(|secret| secret == "second-value"));
}

#[test]
fn versions_come_in_pages_without_values() {
    let mut world = World::new();
    for number in 0..5 {
        world.services.add_vault_secret("pat", &format!("value-{number}"), world.now);
    }
    let mut path = "/secrets/pat/versions?maxresults=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = send(&mut world, "GET", &path, "").with_status(200).json();
        for version in page["value"].as_array().unwrap() {
            assert!(version.get("value").is_none());
            seen.push(version["id"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["nextLink"].as_str() else { break };
        path = next
            .strip_prefix("https://fabrikam.vault.azure.net")
            .unwrap()
            .replace(&format!("{VERSION}&"), "");
    }
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[test]
fn a_version_can_be_disabled() {
    let mut world = World::new();
    world.services.add_vault_secret("pat", "some-value", world.now);
    let version = world.services.vault_secret("pat").unwrap().newest().unwrap().id.clone();
    let path = format!("/secrets/pat/{version}");
    world.pass(SignedDuration::from_secs(60));
    let changed =
        send(&mut world, "PATCH", &path, r#"{"attributes":{"enabled":false}}"#).with_status(200).json();
    assert_eq!(changed["attributes"]["enabled"], false);
    assert_eq!(changed["attributes"]["updated"], world.now.as_second());
    assert!(changed.get("value").is_none());
    assert_eq!(inner(&send(&mut world, "GET", "/secrets/pat", "").with_status(403)), "SecretDisabled");
}

#[test]
fn rights_are_given_one_by_one() {
    let mut world = World::new();
    world.services.add_vault_secret("pat", "some-value", world.now);
    let statuses = |world: &mut World| {
        [
            ("GET", "/secrets/pat"),
            ("PUT", "/secrets/pat"),
            ("GET", "/secrets/pat/versions"),
            ("DELETE", "/secrets/pat"),
        ]
        .map(|(method, path)| send(world, method, path, r#"{"value":"new-value"}"#).status.as_u16())
    };
    let all = statuses(&mut world);
    assert_eq!(all, [200, 200, 200, 200]);
    world.services.set_vault_deletion("pat", None);
    let mut with = |rights: VaultRights| {
        world.services.set_vault_rights(cast::SERVICE_PRINCIPAL, rights);
        statuses(&mut world)
    };
    assert_eq!(with(VaultRights::SET), [403, 200, 403, 403]);
    assert_eq!(with(VaultRights { get: true, ..VaultRights::NONE }), [200, 403, 403, 403]);
    assert_eq!(with(VaultRights { list: true, ..VaultRights::NONE }), [403, 403, 200, 403]);
}

#[test]
fn a_refusal_says_which_gate_is_shut() {
    let mut world = World::new();
    world.services.set_vault_rights(cast::SERVICE_PRINCIPAL, VaultRights::NONE);
    for (access, expected, text) in [
        (
            VaultAccess::Roles,
            "ForbiddenByRbac",
            "Action: 'Microsoft.KeyVault/vaults/secrets/setSecret/action'\r\n",
        ),
        (
            VaultAccess::AccessPolicies,
            "ForbiddenByPolicy",
            "does not have secrets set permission on key vault",
        ),
        (VaultAccess::Firewalled, "ForbiddenByFirewall", "caller is not a trusted service.\r\n"),
        (VaultAccess::PrivateOnly, "ForbiddenByConnection", "Public network access is disabled"),
    ] {
        world.services.set_vault_policy(VaultPolicy { access, ..VaultPolicy::default() });
        let refused = send(&mut world, "PUT", "/secrets/pat", r#"{"value":"x"}"#).with_status(403);
        assert_eq!(
            (inner(&refused).as_str(), &refused.json()["error"]["code"]),
            (expected, &json!("Forbidden"))
        );
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains(text));
    }
}

#[test]
fn a_deleted_name_stays_taken() {
    let mut world = World::new();
    let missing = send(&mut world, "GET", "/secrets/pat", "").with_status(404);
    assert_eq!(missing.json()["error"]["code"], "SecretNotFound");
    world.services.add_vault_secret("pat", "some-value", world.now);
    for (deletion, expected) in [
        (Deletion::Recoverable, "ObjectIsDeletedButRecoverable"),
        (Deletion::UnderWay, "ObjectIsBeingDeleted"),
    ] {
        world.services.set_vault_deletion("pat", Some(deletion));
        send(&mut world, "GET", "/secrets/pat", "").with_status(404);
        let shown = send(&mut world, "GET", "/deletedsecrets/pat", "").status == 200;
        assert_eq!(shown, deletion == Deletion::Recoverable);
        let refused = send(&mut world, "PUT", "/secrets/pat", r#"{"value":"x"}"#).with_status(409);
        assert_eq!(
            (inner(&refused).as_str(), &refused.json()["error"]["code"]),
            (expected, &json!("Conflict"))
        );
    }
    world.services.set_vault_deletion("pat", None);
    send(&mut world, "GET", "/secrets/pat", "").with_status(200);
    send(&mut world, "GET", "/deletedsecrets/pat", "").with_status(404);
}

#[test]
fn wrong_requests_are_refused() {
    let mut world = World::new();
    let bearer = format!("Bearer {}", token(&mut world, cast::SERVICE_PRINCIPAL));
    world.send(Service::Vault, "GET", "/secrets/pat", &[("authorization", &bearer)], "").with_status(400);
    send(&mut world, "GET", "/secrets/with_underscore", "").with_status(400);
    let mut set = |body: Value| send(&mut world, "PUT", "/secrets/pat", &body.to_string()).with_status(400);
    set(json!({}));
    set(json!({"value": "x".repeat(25 * 1024 + 1)}));
    set(json!({"value": "x", "attributes": {"exp": 1.5}}));
    set(json!({"value": "x", "contentType": "x".repeat(256)}));
    let tags: serde_json::Map<String, Value> =
        (0..16).map(|number| (number.to_string(), json!("x"))).collect();
    set(json!({"value": "x", "tags": tags}));
    set(json!({"value": "x", "tags": {"x": "y".repeat(257)}}));
    assert!(world.services.vault_secrets().is_empty());
}

#[test]
fn the_newest_version_is_changed_where_none_is_named() {
    let mut world = World::new();
    for value in ["first-value", "second-value"] {
        world.services.add_vault_secret("pat", value, world.now);
    }
    let changed = send(&mut world, "PATCH", "/secrets/pat/", r#"{"tags":{"a":"b"}}"#).with_status(200).json();
    assert_eq!(changed["tags"], json!({"a": "b"}));
    let versions = &world.services.vault_secret("pat").unwrap().versions;
    assert!(versions[0].tags.is_empty() && versions[1].tags["a"] == "b");
    send(&mut world, "PATCH", "/secrets/no-such", "{}").with_status(404);
}

#[test]
fn an_answer_leaves_out_tags_where_there_are_none() {
    let mut world = World::new();
    let set = send(&mut world, "PUT", "/secrets/pat", r#"{"value":"x-value"}"#).with_status(200).json();
    assert!(set.get("tags").is_none(), "{set}");
}

#[test]
fn versions_of_what_is_not_there_are_none() {
    let mut world = World::new();
    let none = send(&mut world, "GET", "/secrets/no-such/versions", "").with_status(200).json();
    assert_eq!(none, json!({"value": [], "nextLink": null}));
}

#[test]
fn secrets_are_listed_deleted_recovered_and_purged() {
    let mut world = World::new();
    for name in ["One", "two"] {
        world.services.add_vault_secret(name, "some-value", world.now);
    }
    let ids = |world: &mut World, path: &str| -> Vec<String> {
        let list = send(world, "GET", path, "").with_status(200).json();
        let items = list["value"].as_array().unwrap();
        assert!(items.iter().all(|item| item.get("value").is_none()));
        items.iter().map(|item| item["id"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned()).collect()
    };
    assert_eq!(ids(&mut world, "/secrets"), ["One", "two"]);
    assert_eq!(ids(&mut world, "/secrets?maxresults=1"), ["One"]);
    send(&mut world, "DELETE", "/deletedsecrets/one", "").with_status(404);
    let deleted = send(&mut world, "DELETE", "/secrets/one", "").with_status(200).json();
    assert_eq!(deleted["recoveryId"], "https://fabrikam.vault.azure.net/deletedsecrets/One");
    assert_eq!(deleted["deletedDate"], world.now.as_second());
    assert_eq!(deleted["scheduledPurgeDate"], world.now.as_second() + 90 * 24 * 3600);
    assert_eq!(
        (ids(&mut world, "/secrets"), ids(&mut world, "/deletedsecrets")),
        (vec!["two".to_owned()], vec!["One".to_owned()])
    );
    send(&mut world, "DELETE", "/secrets/one", "").with_status(404);
    send(&mut world, "POST", "/deletedsecrets/one/recover", "").with_status(200);
    send(&mut world, "GET", "/secrets/one", "").with_status(200);
    send(&mut world, "POST", "/deletedsecrets/one/recover", "").with_status(404);
    send(&mut world, "DELETE", "/secrets/one", "").with_status(200);
    send(&mut world, "DELETE", "/deletedsecrets/one", "").with_status(204);
    assert!(world.services.vault_secret("one").is_none());
    send(&mut world, "PUT", "/secrets/one", r#"{"value":"x-value"}"#).with_status(200);
}

#[test]
fn deleting_recovering_and_purging_are_rights_of_their_own() {
    let mut world = World::new();
    for (method, path, missing) in [
        ("DELETE", "/secrets/pat", "secrets/delete'"),
        ("POST", "/deletedsecrets/pat/recover", "secrets/recover/action'"),
        ("DELETE", "/deletedsecrets/pat", "secrets/purge/action'"),
    ] {
        let rights = VaultRights { delete: false, recover: false, purge: false, ..VaultRights::ALL };
        world.services.set_vault_rights(cast::SERVICE_PRINCIPAL, rights);
        let refused = send(&mut world, method, path, "").with_status(403);
        assert!(refused.text().contains(missing), "{}", refused.text());
        world.services.set_vault_rights(cast::SERVICE_PRINCIPAL, VaultRights::ALL);
        send(&mut world, method, path, "").with_status(404);
    }
}
