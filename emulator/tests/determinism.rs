//! The same seed, the same requests at the same instants: the same answers.

mod world;

use adopat_emulator::{Emulator, Service};
use world::{PATS, World, basic};

fn life(seed: u64) -> Vec<String> {
    let mut world = World::of(Emulator::builder().seed(seed));
    let (value, id) = world.create("ci");
    let credential = basic(&value);
    let answers = [
        world.send(
            Service::DevOps,
            "GET",
            "/fabrikam/_apis/connectionData",
            &[("authorization", &credential)],
            "",
        ),
        world.pats("GET", "&displayFilterOption=all", ""),
        world.pats("DELETE", &format!("&authorizationId={id}"), ""),
        world.send(Service::Pats, "GET", PATS, &[], ""),
        world.form("/organizations/oauth2/v2.0/devicecode", &[("scope", "openid")]),
    ];
    answers.iter().map(|answer| format!("{} {:?} {}", answer.status, answer.headers, answer.text())).collect()
}

#[test]
fn everything_follows_from_the_seed() {
    assert_eq!(life(5), life(5));
    assert_ne!(life(5), life(6));
}
