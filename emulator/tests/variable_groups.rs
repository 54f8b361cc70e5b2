//! What is known of Azure DevOps' variable groups.

mod world;

use adopat_emulator::{GroupRole, NewVariableGroup, Service, Variable, cast};
use serde_json::{Value, json};
use world::{Read, World};

const GROUPS: &str = "_apis/distributedtask/variablegroups";

fn send(world: &mut World, method: &str, path: &str, body: &Value) -> Read {
    let bearer = format!("Bearer {}", world.person_token());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mark = if path.contains('?') { '&' } else { '?' };
    let path = format!("/fabrikam/{path}{mark}api-version=7.1");
    world.send(Service::DevOps, method, &path, &headers, body.to_string())
}

fn world() -> (World, u32) {
    let mut world = World::new();
    let read_only = Variable { value: "fixed".to_owned(), is_secret: false, is_read_only: true };
    let group = NewVariableGroup::named("Contoso", "release")
        .shared_with("Fabrikam Fiber")
        .variable("PLAIN", "value")
        .secret("PAT", "old-pat-value")
        .secret("OTHER", "other-secret")
        .with("FIXED", read_only);
    let id = world.services.add_variable_group(group, world.now);
    (world, id)
}

fn by_id(world: &mut World, id: u32) -> Value {
    send(world, "GET", &format!("Contoso/{GROUPS}/{id}"), &Value::Null).with_status(200).json()
}

#[test]
fn a_list_finds_by_name_and_hides_secrets_and_references() {
    let (mut world, _) = world();
    world
        .services
        .add_variable_group(NewVariableGroup::named("Contoso", "release 2").variable("A", "b"), world.now);
    let mut found = |query: &str| {
        let path = format!("Contoso/{GROUPS}{query}");
        send(&mut world, "GET", &path, &Value::Null).with_status(200).json()
    };
    let exact = found("?groupName=Release");
    assert_eq!(exact["count"], 1);
    let group = &exact["value"][0];
    assert_eq!(group["variables"]["PLAIN"], json!({"value": "value"}));
    assert_eq!(group["variables"]["PAT"], json!({"value": null, "isSecret": true}));
    assert_eq!(group["variables"]["FIXED"], json!({"value": "fixed", "isReadOnly": true}));
    assert_eq!(group["variableGroupProjectReferences"], Value::Null);
    assert_eq!((&group["type"], &group["isShared"]), (&json!("Vsts"), &json!(true)));
    assert_eq!(found("?groupName=rel*")["count"], 2);
    assert_eq!(found("")["count"], 2);
    let missing = send(&mut world, "GET", &format!("Nowhere/{GROUPS}"), &Value::Null).with_status(404);
    assert_eq!(missing.json()["typeKey"], "ProjectDoesNotExistWithNameException");
    assert!(missing.text().contains("TF200016: The following project does not exist: Nowhere. "));
}

#[test]
fn lists_come_in_pages() {
    let (mut world, _) = world();
    for number in 0..3 {
        let group = NewVariableGroup::named("Contoso", &format!("group {number}")).variable("A", "b");
        world.services.add_variable_group(group, world.now);
    }
    let first = send(&mut world, "GET", &format!("Contoso/{GROUPS}?$top=3"), &Value::Null).with_status(200);
    assert_eq!(first.json()["count"], 3);
    let path =
        format!("Contoso/{GROUPS}?$top=3&continuationToken={}", first.header("x-ms-continuationtoken"));
    let second = send(&mut world, "GET", &path, &Value::Null).with_status(200);
    assert_eq!((second.json()["count"].as_u64(), second.header("x-ms-continuationtoken")), (Some(1), ""));
}

#[test]
fn an_id_gives_the_references_and_an_unknown_one_null() {
    let (mut world, id) = world();
    let group = by_id(&mut world, id);
    let references = group["variableGroupProjectReferences"].as_array().unwrap();
    assert_eq!(references.len(), 2);
    assert_eq!(references[0]["projectReference"]["name"], "Contoso");
    assert!(references[0]["projectReference"]["id"].is_string());
    assert_eq!(by_id(&mut world, 99), Value::Null);
}

#[test]
fn an_update_replaces_the_set_and_keeps_secrets_that_come_without_a_value() {
    let (mut world, id) = world();
    let mut group = by_id(&mut world, id);
    group["variables"] = json!({
        "PAT": {"value": "new-pat-value", "isSecret": true},
        "OTHER": {"isSecret": true},
        "FIXED": {"value": "fixed", "isReadOnly": true},
    });
    let updated = send(&mut world, "PUT", &format!("{GROUPS}/{id}"), &group).with_status(200).json();
    assert_eq!(updated["variables"]["PAT"], json!({"value": null, "isSecret": true}));
    let stored = &world.services.variable_groups()[0];
    assert_eq!(stored.variables["PAT"].value, "new-pat-value");
    assert_eq!(stored.variables["OTHER"].value, "other-secret");
    assert!(stored.variables["FIXED"].is_read_only);
    assert!(!stored.variables.contains_key("PLAIN"));
    assert_eq!(stored.projects, ["Contoso", "Fabrikam Fiber"]);
    assert!(world.services.issued_secrets().iter().any(|secret| secret == "new-pat-value"));

    group["variables"]["OTHER"]["value"] = json!("");
    send(&mut world, "PUT", &format!("{GROUPS}/{id}"), &group).with_status(200);
    assert_eq!(world.services.variable_groups()[0].variables["OTHER"].value, "");
}

#[test]
fn an_update_needs_its_references_with_their_names() {
    let (mut world, id) = world();
    let whole = by_id(&mut world, id);
    let path = format!("{GROUPS}/{id}");
    let mut group = whole.clone();
    group["variableGroupProjectReferences"][0]["projectReference"]["name"] = Value::Null;
    let refused = send(&mut world, "PUT", &path, &group).with_status(400);
    assert_eq!(refused.json()["message"], "Project information name is not valid for variable group.");
    // Fewer un-share the group.
    let mut group = whole.clone();
    group["variableGroupProjectReferences"].as_array_mut().unwrap().truncate(1);
    send(&mut world, "PUT", &path, &group).with_status(200);
    assert_eq!(world.services.variable_groups()[0].projects, ["Contoso"]);
    let unknown = send(&mut world, "PUT", &format!("{GROUPS}/99"), &whole).with_status(404);
    assert_eq!(unknown.json()["typeKey"], "VariableGroupNotFoundException");
}

#[test]
fn the_older_address_needs_no_references() {
    let (mut world, id) = world();
    let bearer = format!("Bearer {}", world.person_token());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({"name": "release", "type": "Vsts", "variables": {"A": {"value": "b"}}}).to_string();
    let path = format!("/fabrikam/Contoso/{GROUPS}/{id}?api-version=5.0-preview.1");
    world.send(Service::DevOps, "PUT", &path, &headers, body.clone()).with_status(200);
    assert_eq!(world.services.variable_groups()[0].projects.len(), 2);
    let path = path.replace("5.0-preview.1", "7.1");
    world.send(Service::DevOps, "PUT", &path, &headers, body).with_status(404);
}

#[test]
fn a_group_of_a_vault_shows_names_only() {
    let mut world = World::new();
    let group = NewVariableGroup::named("Contoso", "linked")
        .secret("PAT", "in-the-vault")
        .linked_to_vault("fabrikam");
    let id = world.services.add_variable_group(group, world.now);
    let group = by_id(&mut world, id);
    assert_eq!(
        (&group["type"], &group["providerData"]["vault"]),
        (&json!("AzureKeyVault"), &json!("fabrikam"))
    );
    assert_eq!(group["variables"]["PAT"]["enabled"], true);
    assert_eq!(group["variables"]["PAT"]["value"], Value::Null);
}

#[test]
fn permission_and_role_are_both_needed() {
    let (mut world, id) = world();
    let group = by_id(&mut world, id);
    let end = world.now + jiff::SignedDuration::from_hours(1);
    let audience = adopat_emulator::Audience::AzureDevOps;
    let mut status = |permission: &str, method: &str| {
        let token = world.services.access_token_for(cast::PERSON, audience, &[permission.to_owned()], end);
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let project = if method == "GET" { "/Contoso" } else { "" };
        let path = format!("/fabrikam{project}/{GROUPS}/{id}?api-version=7.1-preview.2");
        world.send(Service::DevOps, method, &path, &headers, group.to_string())
    };
    let refused = status("vso.pats", "GET").with_status(401);
    assert!(refused.json()["message"].as_str().unwrap().starts_with("TF400813"));
    status("vso.variablegroups_read", "GET").with_status(200);
    status("vso.variablegroups_read", "PUT").with_status(401);
    status("vso.variablegroups_manage", "PUT").with_status(200);
    world.services.set_group_role(id, cast::PERSON, GroupRole::Reader);
    let refused = send(&mut world, "PUT", &format!("{GROUPS}/{id}"), &group).with_status(403);
    assert_eq!(refused.json()["typeKey"], "AccessDeniedException");
    by_id(&mut world, id);
}

#[test]
fn a_list_has_the_newest_first_unless_another_order_is_asked() {
    let (mut world, first) = world();
    for name in ["second", "third"] {
        let group = NewVariableGroup::named("Contoso", name).variable("A", "b");
        world.services.add_variable_group(group, world.now);
    }
    let mut ids = |query: &str| -> Vec<u64> {
        let path = format!("Contoso/{GROUPS}?{query}");
        let list = send(&mut world, "GET", &path, &Value::Null).with_status(200).json();
        list["value"].as_array().unwrap().iter().map(|group| group["id"].as_u64().unwrap()).collect()
    };
    let first = u64::from(first);
    let ascending = [first, first + 1, first + 2];
    assert_eq!(ids("queryOrder=IdAscending"), ascending);
    assert_eq!(ids("queryOrder=0"), ascending);
    assert_eq!(ids(""), [first + 2, first + 1, first]);
    assert_eq!(ids(&format!("groupIds={first},{}", first + 2)), [first + 2, first]);
    assert_eq!(ids(&format!("$top=1&continuationToken={}", first + 1)), [first + 1]);
}

#[test]
fn an_answer_names_its_version_and_keeps_instants_in_steps() {
    let (mut world, id) = world();
    let shown = send(&mut world, "GET", &format!("Contoso/{GROUPS}/{id}"), &Value::Null).with_status(200);
    assert_eq!(shown.header("content-type"), "application/json; charset=utf-8; api-version=7.1");
    // The world's clock says .319.
    assert_eq!(shown.json()["createdOn"], "2026-11-24T12:00:00.32Z");
    assert_eq!(shown.json()["createdBy"]["displayName"], cast::PERSON);
    let changed = send(&mut world, "PUT", &format!("{GROUPS}/{id}"), &shown.json()).with_status(200).json();
    assert_eq!(
        (&changed["createdBy"]["displayName"], &changed["modifiedBy"]["displayName"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn who_names_no_project_may_do_nothing() {
    let (mut world, id) = world();
    let mut group = by_id(&mut world, id);
    for references in [Value::Null, json!([])] {
        group["variableGroupProjectReferences"] = references;
        let refused = send(&mut world, "PUT", &format!("{GROUPS}/{id}"), &group).with_status(401);
        assert!(refused.text().contains("TF400813"));
        send(&mut world, "POST", GROUPS, &group).with_status(401);
    }
}

#[test]
fn a_group_is_added_and_deleted_project_by_project() {
    let (mut world, id) = world();
    let mut group = by_id(&mut world, id);
    send(&mut world, "POST", GROUPS, &group).with_status(409);
    group["name"] = json!("another");
    for reference in group["variableGroupProjectReferences"].as_array_mut().unwrap() {
        reference["name"] = json!("another");
    }
    let added = send(&mut world, "POST", GROUPS, &group).with_status(200).json();
    assert_ne!(added["id"], id);
    let address = format!("{GROUPS}/{}", added["id"]);
    let mut delete = |of: usize| {
        let project = added["variableGroupProjectReferences"][of]["projectReference"]["id"].as_str().unwrap();
        send(&mut world, "DELETE", &format!("{address}?projectIds={project}"), &Value::Null).with_status(204);
        world.services.variable_groups().iter().map(|group| group.projects.len()).collect::<Vec<_>>()
    };
    assert_eq!(delete(0), [2, 1]);
    assert_eq!(delete(1), [2]);
}
