//! What is known of Azure DevOps' service connections.

mod world;

use adopat_emulator::{ConnectionRole, NewServiceConnection, Service, cast};
use serde_json::{Value, json};
use uuid::Uuid;
use world::{Read, World, basic};

const CONNECTIONS: &str = "_apis/serviceendpoint/endpoints";

fn send(world: &mut World, method: &str, path: &str, version: &str, body: &Value) -> Read {
    let bearer = format!("Bearer {}", world.person_token());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mark = if path.contains('?') { '&' } else { '?' };
    let path = format!("/fabrikam/{path}{mark}api-version={version}");
    world.send(Service::DevOps, method, &path, &headers, body.to_string())
}

fn get(world: &mut World, path: &str) -> Value {
    send(world, "GET", path, "7.2-preview.4", &Value::Null).with_status(200).json()
}

fn put(world: &mut World, id: Uuid, body: &Value) -> Read {
    send(world, "PUT", &format!("{CONNECTIONS}/{id}"), "7.2-preview.4", body)
}

fn by_id(world: &mut World, id: Uuid) -> Value {
    get(world, &format!("website/{CONNECTIONS}/{id}"))
}

fn world() -> (World, Uuid) {
    let mut world = World::new();
    let connection = NewServiceConnection::named("website", "feed")
        .shared_with("shop", "its feed")
        .shared_with("backend", "feed")
        .parameter("apitoken", "old-pat");
    let id = world.services.add_service_connection(connection, world.now);
    (world, id)
}

#[test]
fn a_secret_is_absent_in_lists_and_null_by_id() {
    let (mut world, id) = world();
    let list = get(&mut world, &format!("website/{CONNECTIONS}?endpointNames=Feed"));
    assert_eq!(list["value"][0]["id"], id.to_string());
    assert_eq!(list["value"][0]["authorization"], json!({"parameters": {}, "scheme": "Token"}));
    let whole = by_id(&mut world, id);
    assert_eq!(whole["authorization"]["parameters"], json!({"apitoken": null}));
    assert_eq!(
        (&whole["isReady"], &whole["isShared"], &whole["isDisabled"]),
        (&json!(true), &json!(true), &json!(false))
    );
    // The name is the one that it has in the project of the address.
    assert_eq!(get(&mut world, &format!("shop/{CONNECTIONS}/{id}"))["name"], "its feed");
    assert_eq!(get(&mut world, &format!("website/{CONNECTIONS}?endpointNames=no,such"))["count"], 0);
    assert!(world.services.issued_secrets().iter().any(|secret| secret == "old-pat"));
}

#[test]
fn only_7_2_knows_of_disabled_ones_and_of_changes() {
    let (mut world, id) = world();
    let path = format!("website/{CONNECTIONS}/{id}");
    let older = send(&mut world, "GET", &path, "7.1", &Value::Null).with_status(200).json();
    assert!(older.get("isDisabled").is_none() && older.get("modificationDate").is_none());
    let before = by_id(&mut world, id);
    assert_eq!(before["modificationDate"], "2026-11-24T12:00:00.32Z");
    world.pass(jiff::SignedDuration::from_secs(1));
    let after = put(&mut world, id, &before).with_status(200).json();
    assert_eq!(after["modificationDate"], "2026-11-24T12:00:01.32Z");
    assert_eq!(after["modifiedBy"]["uniqueName"], cast::PERSON);
}

#[test]
fn an_update_replaces_all_but_the_references() {
    let (mut world, id) = world();
    let mut connection = by_id(&mut world, id);
    connection["authorization"]["parameters"]["apitoken"] = json!("new-pat");
    connection["serviceEndpointProjectReferences"].as_array_mut().unwrap().truncate(1);
    let answer = put(&mut world, id, &connection).with_status(200).json();
    assert_eq!(answer["authorization"]["parameters"], json!({"apitoken": null}));
    assert_eq!(answer["serviceEndpointProjectReferences"].as_array().unwrap().len(), 3);
    let stored = |world: &World| world.services.service_connections()[0].parameters.clone();
    assert_eq!(stored(&world)["apitoken"], "new-pat");
    // What comes back is `null`, and keeps it; an empty text erases it.
    put(&mut world, id, &answer).with_status(200);
    assert_eq!(stored(&world)["apitoken"], "new-pat");
    connection["authorization"]["parameters"]["apitoken"] = json!("");
    put(&mut world, id, &connection).with_status(200);
    assert_eq!(stored(&world)["apitoken"], "");
    connection["authorization"] = Value::Null;
    let refused = put(&mut world, id, &connection).with_status(400);
    assert_eq!(refused.json()["message"], "Service Connection Authorization cannot be null.");
}

#[test]
fn the_order_of_references_is_random() {
    let (mut world, id) = world();
    let orders: std::collections::HashSet<String> =
        (0..20).map(|_| by_id(&mut world, id)["serviceEndpointProjectReferences"].to_string()).collect();
    assert!(orders.len() > 1);
}

#[test]
fn a_role_decides_what_is_seen_and_done() {
    let (mut world, id) = world();
    let connection = by_id(&mut world, id);
    let list = format!("website/{CONNECTIONS}?endpointNames=feed");
    let mut role = |role: ConnectionRole| {
        world.services.set_connection_role(id, cast::PERSON, role);
        let (whole, list) = (by_id(&mut world, id), get(&mut world, &list));
        (whole, list, put(&mut world, id, &connection).status.as_u16())
    };
    let (whole, list, status) = role(ConnectionRole::Hidden);
    assert_eq!((whole, &list["count"], status), (Value::Null, &json!(0), 404));
    let (whole, list, status) = role(ConnectionRole::Reader);
    assert!(whole["id"].is_string() && whole.get("authorization").is_none() && whole.get("type").is_none());
    assert_eq!((&list["count"], status), (&json!(1), 403));
    let (whole, _, status) = role(ConnectionRole::User);
    assert_eq!((&whole["authorization"]["scheme"], status), (&json!("Token"), 403));
    assert_eq!(role(ConnectionRole::Administrator).2, 200);
}

#[test]
fn types_declare_what_is_confidential() {
    let mut world = World::new();
    let types = get(&mut world, "_apis/serviceendpoint/types?type=externalnugetfeed&scheme=None");
    assert_eq!(types["count"], 1);
    let scheme = &types["value"][0]["authenticationSchemes"][0];
    assert_eq!(scheme["scheme"], "None");
    assert_eq!(scheme["inputDescriptors"][0]["id"], "nugetkey");
    assert_eq!(scheme["inputDescriptors"][0]["isConfidential"], true);
    assert_eq!(get(&mut world, "_apis/serviceendpoint/types?type=removed-extension")["count"], 0);
}

#[test]
fn a_connection_of_a_type_that_is_gone_still_hides_its_secret() {
    let mut world = World::new();
    let connection = NewServiceConnection::named("website", "gone")
        .of("removed-extension", "Token")
        .secret_parameter("apiToken", "old-pat")
        .parameter("plain", "shown")
        .disabled()
        .failed();
    let id = world.services.add_service_connection(connection, world.now);
    let whole = by_id(&mut world, id);
    assert_eq!(whole["authorization"]["parameters"], json!({"apiToken": null, "plain": "shown"}));
    assert_eq!((&whole["isDisabled"], &whole["isReady"]), (&json!(true), &json!(false)));
    assert_eq!(whole["operationStatus"]["state"], "Failed");
    // A list leaves out what has failed, unless it is asked for.
    assert_eq!(get(&mut world, &format!("website/{CONNECTIONS}"))["count"], 0);
    assert_eq!(get(&mut world, &format!("website/{CONNECTIONS}?includeFailed=true"))["count"], 1);
}

#[test]
fn one_is_added_shared_and_deleted() {
    let (mut world, id) = world();
    let mut connection = by_id(&mut world, id);
    send(&mut world, "POST", CONNECTIONS, "7.1", &connection).with_status(500);
    let references = connection["serviceEndpointProjectReferences"].as_array_mut().unwrap();
    references.retain(|reference| reference["projectReference"]["name"] == "website");
    references[0]["name"] = json!("another");
    connection["authorization"]["parameters"]["apitoken"] = json!("third-pat");
    let added = send(&mut world, "POST", CONNECTIONS, "7.1", &connection).with_status(200).json();
    let address = format!("{CONNECTIONS}/{}", added["id"].as_str().unwrap());
    let refused = send(&mut world, "PATCH", &address, "7.1", &json!({})).with_status(400);
    assert!(refused.text().contains("Parameter name: endpointProjectReferences"));
    let shop = json!([{"projectReference": {"name": "shop"}, "name": "another"}]);
    send(&mut world, "PATCH", &address, "7.1", &shop).with_status(204);
    assert_eq!(world.services.service_connections()[1].projects, ["website", "shop"]);
    for project in ["website", "shop"] {
        send(&mut world, "DELETE", &format!("{address}?projectIds={project}"), "7.1", &Value::Null)
            .with_status(204);
    }
    assert_eq!(world.services.service_connections().len(), 1);
}

#[test]
fn a_pat_needs_the_scope() {
    let (mut world, _) = world();
    let (pat, _) = world.create("only code");
    let path = format!("/fabrikam/website/{CONNECTIONS}?api-version=7.1");
    world.send(Service::DevOps, "GET", &path, &[("authorization", &basic(&pat))], "").with_status(401);
}

#[test]
fn clients_find_areas_and_routes_in_the_location_service() {
    let mut world = World::new();
    let (pat, _) = world.create("any scope");
    let authorization = basic(&pat);
    let mut ask = |method: &str, path: &str| {
        world
            .send(Service::DevOps, method, path, &[("authorization", &authorization)], "")
            .with_status(200)
            .json()
    };
    let areas = ask("GET", "/fabrikam/_apis/ResourceAreas");
    let tasks = "a85b8835-c1a1-4aac-ae97-1c3d0ba72dbd";
    let area = areas["value"].as_array().unwrap().iter().find(|area| area["id"] == tasks).unwrap();
    assert_eq!(area["locationUrl"], "https://dev.azure.com/fabrikam/");
    assert_eq!(
        &ask("GET", &format!("/fabrikam/_apis/resourceAreas/{tasks}?api-version=7.1-preview.1")),
        area
    );
    let all = ask("OPTIONS", "/fabrikam/_apis");
    let some = ask("OPTIONS", "/fabrikam/_apis/serviceendpoint");
    assert_eq!((&all["count"], &some["count"]), (&json!(8), &json!(3)));
    assert_eq!(some["value"][0]["maxVersion"], "7.2");
    assert_eq!(ask("GET", "/fabrikam/_apis/connectionData")["instanceId"], cast::ORGANIZATION_ID.to_string());
    world
        .send(Service::DevOps, "OPTIONS", "/fabrikam/_apis", &[("authorization", "Basic OmRlYWQ=")], "")
        .with_status(401);
}
