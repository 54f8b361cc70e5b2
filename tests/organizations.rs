//! What is said of an organization is never taken for what is said of a PAT: one that is not known, or was deactivated,
//! has not revoked anything.

mod support;

use adopat_emulator::{
    Emulator, Fault, Instead, NewPat, NewVariableGroup, Organization, PatStatus, Service, cast,
};
use http::StatusCode;
use rstest::rstest;
use support::{Ended, Host, Machine};

fn machine(operation: &str) -> Machine {
    let mut machine = Machine::new(Host::GitHub, operation);
    machine.input("display-name", "nightly");
    machine
}

/// A 404 of the DELETE that names this exception, with the service's byte order mark or without.
fn refuse_to_delete(machine: &Machine, exception: &str, status: u16) {
    let instead = Instead::VssError {
        status: StatusCode::from_u16(status).expect("a status"),
        exception: exception.to_owned(),
        message: "It was not found.".to_owned(),
    };
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").always().instead(instead));
}

#[rstest]
#[case("Microsoft.VisualStudio.Services.DelegatedAuthorization.SessionTokenNotFoundException")]
#[case("Microsoft.VisualStudio.Services.DelegatedAuthorization.AuthorizationNotFoundException")]
#[case("Microsoft.VisualStudio.Services.DelegatedAuthorization.AuthorizationIdNotFoundException")]
#[case("Microsoft.VisualStudio.Services.DelegatedAuthorization.HostAuthorizationNotFoundException")]
fn a_pat_is_gone_that_the_service_does_not_find(#[case] exception: &str, #[values(400, 404)] status: u16) {
    let machine = machine("revoke");
    machine.answers_are_forged().emulator.add_pat(NewPat::named("nightly"));
    refuse_to_delete(&machine, exception, status);
    machine.run().expect(0);
    assert_eq!(machine.outputs(&machine.run())["changed"], "false");
}

#[rstest]
#[case::organization("Microsoft.TeamFoundation.Framework.Server.HostNotFoundException", Some(4))]
#[case::user("Microsoft.VisualStudio.Services.Identity.IdentityNotFoundException", None)]
#[case::another_user("Microsoft.VisualStudio.Services.Users.UserNotFoundException", None)]
#[case::page("Microsoft.AspNet.Mvc.PageNotFoundException", None)]
#[case::resource("Microsoft.VisualStudio.Services.WebApi.VssResourceNotFoundException", None)]
#[case::project("Microsoft.TeamFoundation.Core.WebApi.ProjectNotFoundException", None)]
fn whatever_else_is_not_found_leaves_the_pat_alive(
    #[case] exception: &str,
    #[case] code: Option<i32>,
    #[values(400, 404)] status: u16,
) {
    let mut machine = machine("revoke");
    let pat = machine.emulator.add_pat(NewPat::named("nightly"));
    refuse_to_delete(&machine, exception, status);
    let ended = machine.run();
    assert_ne!(ended.code, Some(0), "{}", ended.words());
    if code.is_some() {
        assert_eq!(ended.code, code, "{}", ended.words());
    }
    assert_eq!(machine.emulator.pat(pat.authorization_id).expect("there").status, PatStatus::Active);

    // A rotation delivers the new one, and names the old.
    machine.run_as("rotate").input("variable", "PAT");
    let ended = machine.run();
    ended.expect(0).says(&pat.authorization_id.to_string()).says("still lives");
    assert_eq!(machine.active("nightly").len(), 2);
}

#[rstest]
#[case::with_a_page("text/html", "<html>Not Found</html>")]
#[case::with_text("text/plain", "Not Found")]
#[case::with_nothing("text/plain", "")]
#[case::with_json("application/json", "{}")]
fn a_404_that_names_nothing_leaves_the_pat_alive(#[case] kind: &str, #[case] body: &'static str) {
    let machine = machine("revoke");
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").always().answer(
        404,
        &[("Content-Type", kind)],
        body,
    ));
    machine.run().expect(4);
    assert_eq!(machine.active("nightly").len(), 1);
}

/// A machine whose organization has been deactivated.
fn deactivated(operation: &str) -> Machine {
    let organization = Organization::named(cast::ORGANIZATION).deactivated();
    let mut machine =
        Machine::with(Emulator::builder().organization(organization).start(), Host::GitHub, operation);
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine
}

/// Refused, in words that promise nothing.
#[track_caller]
fn is_refused(ended: &Ended) {
    ended.expect(4).says("has been deactivated").says("TF24668");
    for false_word in ["may still be alive", "could not be found out", "Run it again", "was made"] {
        assert!(!ended.words().contains(false_word), "'{false_word}' is in:\n{}", ended.words());
    }
}

#[rstest]
#[case("create", "POST")]
#[case("rotate", "GET")]
#[case("revoke", "GET")]
#[case("update", "GET")]
#[case("get", "GET")]
#[case("list", "GET")]
fn a_deactivated_organization_is_no_outage(#[case] operation: &str, #[case] method: &str) {
    let mut machine = deactivated(operation);
    machine.input("lifetime", "1d").input("variable", "PAT");
    is_refused(&machine.run());
    assert_eq!(machine.pat_calls(), [method], "it is asked once");
}

#[test]
fn it_is_known_by_its_header_alone_where_the_tenant_is_asked_for() {
    let mut machine = deactivated("create");
    machine.without("tenant-id");
    is_refused(&machine.run());
    assert_eq!(machine.calls(), ["DevOps HEAD"], "nobody signs in");
}

#[test]
fn doctor_finds_it_at_the_organization() {
    let mut machine = deactivated("doctor");
    let ended = machine.run();
    ended.expect(4).says("has been deactivated").says("TF24668");
    machine.without("tenant-id").run().expect(4);
}

#[test]
fn a_variable_group_of_it_is_refused_before_anything_is_minted() {
    let mut machine = deactivated("create");
    machine.emulator.add_variable_group(NewVariableGroup::named("fabrikam", "ci").variable("PAT", "x"));
    machine.deliver_to(&["variable-group:fabrikam/ci/PAT".to_owned()]);
    is_refused(&machine.run());
    assert!(machine.pat_calls().is_empty());
    assert_eq!(machine.emulator.requests_to(Service::DevOps).len(), 1, "it is asked once");
}

#[rstest]
#[case::a_body("", "TF24668: The following team project collection is stopped: fabrikam.")]
#[case::a_header("TF24668%3A%20The%20following%20collection%20is%20stopped", "")]
fn a_new_pat_is_not_tried_again_and_again_there(
    #[case] header: &'static str,
    #[case] message: &'static str,
    #[values("warn", "require")] verify: &str,
) {
    let mut machine = machine("create");
    machine.input("scope", "vso.code").input("verify", verify);
    let body = format!("\u{feff}{}", serde_json::json!({"message": message}));
    let headers: &[(&str, &str)] = if header.is_empty() { &[] } else { &[("X-TFS-ServiceError", header)] };
    let stopped = Fault::on(Service::DevOps).path("/_apis/connectiondata").always();
    machine.emulator.order(stopped.answer(503, headers, body));
    let ended = machine.run();
    ended
        .expect(if verify == "require" { 7 } else { 0 })
        .says("the organization has been deactivated (TF24668)");
    assert_eq!(machine.emulator.requests_to(Service::DevOps).len(), 1, "it is tried once");
    assert_eq!(machine.active("nightly").len(), usize::from(verify == "warn"));
    assert!(!ended.words().contains("verify-url"), "{}", ended.words());
}

#[test]
fn doctor_says_so_where_it_asks_who_is_signed_in() {
    let machine = machine("doctor");
    let stopped = Fault::on(Service::DevOps).path("/_apis/connectiondata").always();
    machine.emulator.order(stopped.answer(503, &[], r#"{"message": "TF24668: It is stopped."}"#));
    machine.run().expect(4).says("has been deactivated").says("TF24668");
}

#[test]
fn a_503_that_names_nothing_is_still_an_outage() {
    let machine = machine("list");
    machine.emulator.order(Fault::on(Service::Pats).unavailable());
    machine.run().expect(0);
    assert_eq!(machine.pat_calls(), ["GET", "GET"]);
}
