//! A recording is answered from, in its order.

mod world;

use adopat_emulator::{Emulator, Exchange, Recording, Service};
use jiff::SignedDuration;
use serde_json::{Value, json};
use world::World;

fn exchange(request: Value, answer: Value) -> Exchange {
    let json = json!({"service": "pats", "at": "2026-01-01T00:00:00Z", "request": request, "answer": answer});
    Exchange::from_json(&json).expect("an exchange")
}

fn create(name: &str, status: u16) -> Exchange {
    exchange(
        json!({"method": "POST", "path": "/{{organization-1}}/_apis/tokens/pats", "query": {}, "authorization": "Bearer",
            "body": {"displayName": name, "validTo": "2026-01-01T01:00:00.319Z"}}),
        json!({"status": status, "headers": {"www-authenticate": ["one", "two"]}, "body": {"patToken": {
            "displayName": name, "validTo": "2026-01-01T01:00:00.32Z", "authorizationId": "{{id-1}}",
            "token": "{{pat-1}}"}}}),
    )
}

fn revoke(status: u16) -> Exchange {
    exchange(
        json!({"method": "DELETE", "path": "/{{organization-1}}/_apis/tokens/pats",
            "query": {"authorizationId": "{{id-1}}"}, "authorization": "Bearer", "body": null}),
        json!({"status": status, "headers": {}, "body": null, "byteOrderMark": status == 404}),
    )
}

fn world(exchanges: Vec<Exchange>) -> World {
    World::of(Emulator::builder().replay(Recording(exchanges)))
}

const BEARER: [(&str, &str); 2] = [("authorization", "Bearer x"), ("content-type", "application/json")];

fn post(world: &mut World) -> world::Read {
    let body = json!({"displayName": "nightly", "validTo": "2027-01-01T00:00:00Z"}).to_string();
    world.send(Service::Pats, "POST", "/fabrikam/_apis/tokens/pats", &BEARER, body)
}

fn delete(world: &mut World, id: &str) -> world::Read {
    let path = format!("/fabrikam/_apis/tokens/pats?authorizationId={id}");
    world.send(Service::Pats, "DELETE", &path, &BEARER, "")
}

#[test]
fn what_was_recorded_is_answered_with_the_callers_own_names_and_made_up_secrets() {
    let mut world = world(vec![create("{{name-1}}", 201)]);
    let read = post(&mut world).with_status(201);
    assert_eq!(read.all("www-authenticate"), ["one", "two"]);
    let json = read.json();
    let pat = &json["patToken"];
    assert_eq!(pat["displayName"], "nightly");
    let value = pat["token"].as_str().expect("a value");
    assert_eq!((value.len(), &value[76..80]), (84, "AZDO"));
    assert!(world.services.issued_secrets().iter().any(|secret| secret == value));
    let end: jiff::Timestamp =
        pat["validTo"].as_str().and_then(|text| text.parse().ok()).expect("an instant");
    assert!(end.duration_since(world.now) > SignedDuration::from_mins(59), "moved to the present");
    assert!(pat["validTo"].as_str().expect("a text").ends_with(".32Z"), "but for its fraction");
}

#[test]
fn the_same_request_gets_the_answers_in_their_order_and_the_last_one_ever_after() {
    let mut world = world(vec![create("{{name-1}}", 200), revoke(204), revoke(404)]);
    let id = post(&mut world).json()["patToken"]["authorizationId"].as_str().expect("an id").to_owned();
    delete(&mut world, &id).with_status(204);
    assert!(delete(&mut world, &id).with_status(404).has_byte_order_mark());
    delete(&mut world, &id).with_status(404);
}

#[test]
fn what_was_not_recorded_is_not_made_up() {
    let mut world = world(vec![create("{{name-1}}", 200), revoke(204)]);
    post(&mut world).with_status(200);
    delete(&mut world, "00000000-0000-0000-0000-00000000dead").with_status(501);
    world.send(Service::Pats, "GET", "/fabrikam/_apis/tokens/pats", &BEARER, "").with_status(501);
}

#[test]
fn an_exchange_is_read_as_it_was_written() {
    for exchange in [create("{{name-1}}", 200), revoke(404)] {
        assert_eq!(Exchange::from_json(&exchange.to_json()), Some(exchange));
    }
}
