//! How Azure DevOps words an error depends on where it arises: before any controller is asked, in one, or nowhere.

mod world;

use adopat_emulator::{Service, cast};
use world::{PATS, Read, World};

fn get(world: &mut World, user: &str, service: Service, path: &str) -> Read {
    let bearer = format!("Bearer {}", world.services.access_token(user, world.now));
    world.send(service, "GET", path, &[("authorization", &bearer)], "")
}

#[track_caller]
fn is_of_a_controller(refused: &Read) {
    assert!(!refused.has_byte_order_mark(), "{}", refused.text());
    assert_eq!(refused.header("x-tfs-serviceerror"), "");
    assert_eq!(refused.header("content-type"), "application/json; charset=utf-8");
    assert!(refused.json()["typeKey"].is_string());
}

#[track_caller]
fn is_from_before_the_controllers(refused: &Read) {
    assert!(refused.has_byte_order_mark(), "{}", refused.text());
    assert!(refused.header("x-tfs-serviceerror").starts_with("TF400813%3A"));
    assert_eq!(refused.json()["typeKey"].as_str().map(str::is_empty), Some(false));
}

#[test]
fn what_a_controller_refuses_is_plain_json() {
    let mut world = World::new();
    world.services.add_project("fabrikam", "Website");
    let groups = "_apis/distributedtask/variablegroups?api-version=7.1";
    for (service, path, status) in [
        (Service::Pats, "/fabrikam/_apis/tokens/pats", 400),
        (Service::Pats, "/fabrikam/_apis/tokens/pats?api-version=9.9-preview.1", 400),
        (Service::Pats, &format!("{PATS}&displayFilterOption=nonsense"), 400),
        (Service::DevOps, &format!("/fabrikam/Website/{groups}&queryOrder=nonsense"), 400),
        (Service::DevOps, &format!("/fabrikam/NoSuch Project/{groups}").replace(' ', "%20"), 404),
        (Service::DevOps, "/fabrikam/_apis/connectionData?api-version=7.1", 400),
    ] {
        is_of_a_controller(&get(&mut world, cast::PERSON, service, path).with_status(status));
    }
}

#[test]
fn a_project_that_is_missing_is_named_as_it_was_sent() {
    let mut world = World::new();
    let path = "/fabrikam/NoSuch%20Project/_apis/distributedtask/variablegroups?api-version=7.1";
    let refused = get(&mut world, cast::PERSON, Service::DevOps, path).with_status(404);
    assert!(refused.text().contains("TF200016: The following project does not exist: NoSuch Project. "));
}

#[test]
fn what_is_refused_before_the_controllers_has_a_mark_and_a_header() {
    let mut world = World::new();
    is_from_before_the_controllers(&get(&mut world, cast::STRANGER, Service::Pats, PATS).with_status(401));
    let suppressed = [("x-tfs-fedauthredirect", "Suppress")];
    let nobody = world.send(Service::Pats, "GET", PATS, &suppressed, "").with_status(401);
    is_from_before_the_controllers(&nobody);
}

#[test]
fn a_route_that_is_missing_is_plain_text() {
    let mut world = World::new();
    for (service, path) in [
        (Service::Pats, "/fabrikam/_apis/tokens/pats/more"),
        (Service::DevOps, "/fabrikam/_apis/nonsense"),
        (Service::DevOps, "/fabrikam/Website/nonsense"),
    ] {
        let missing = get(&mut world, cast::PERSON, service, path).with_status(404);
        assert_eq!(missing.header("content-type"), "text/plain; charset=utf-8");
        assert!(missing.text().starts_with("The controller for path '/fabrikam/"), "{}", missing.text());
        assert!(missing.header("x-tfs-serviceerror").starts_with("The%20controller%20for%20path"));
    }
}
