//! `service-connection:` in `deliver-to`: what is refused before a PAT is created, what is written, and what becomes of
//! both PATs where nobody can tell whether it was.

mod support;

use std::time::Duration;

use adopat_emulator::{
    AppRegistration, ConnectionRole, Emulator, Fault, NewPat, NewServiceConnection, NewVariableGroup, Pat,
    PatStatus, Service, ServiceConnection, cast,
};
use rstest::rstest;
use serde_json::Value;
use support::{Ended, Host, Machine};
use uuid::Uuid;

const FEED: &str = "service-connection:web/feed";
const FORMER: &str = "FAKE-former-pat-of-the-connection";

fn rotating(emulator: Emulator) -> Machine {
    let mut machine = Machine::with(emulator, Host::GitHub, "rotate");
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.input("display-name", "nightly").input("deliver-to", FEED);
    machine
}

fn feed() -> NewServiceConnection {
    NewServiceConnection::named("web", "feed").parameter("apitoken", FORMER)
}

/// A rotation into this connection.
fn into(connection: NewServiceConnection) -> (Machine, Uuid) {
    let machine = rotating(Emulator::start());
    let id = machine.emulator.add_service_connection(connection);
    (machine, id)
}

fn connection(machine: &Machine, id: Uuid) -> ServiceConnection {
    machine.emulator.service_connections().into_iter().find(|connection| connection.id == id).expect("there")
}

#[track_caller]
fn the_one(machine: &Machine) -> Pat {
    let [one] = machine.active("nightly").try_into().expect("exactly one PAT of that name");
    one
}

/// The updates of connections that were sent.
fn updates(machine: &Machine) -> Vec<Value> {
    let requests = machine.emulator.requests_to(Service::DevOps);
    requests.iter().filter(|request| request.method == "PUT").map(|request| request.json()).collect()
}

#[track_caller]
fn mints_nothing(machine: &Machine) -> Ended {
    let (old, before) = (the_one(machine), machine.emulator.service_connections());
    let ended = machine.run();
    ended.expect(7);
    assert!(machine.sent("POST").is_empty(), "{:?}", machine.pat_calls());
    assert_eq!(the_one(machine), old);
    assert_eq!(machine.emulator.service_connections(), before);
    ended
}

#[track_caller]
fn takes_the_new_one_back(machine: &Machine, ended: &Ended, old: &Pat) {
    ended.expect(7).says("has been revoked");
    assert_eq!(the_one(machine).authorization_id, old.authorization_id);
    assert!(!machine.outputs(ended).contains_key("token"));
}

/// The same answer, of a connection that leads elsewhere.
fn with_another_url(answer: http::Response<bytes::Bytes>) -> http::Response<bytes::Bytes> {
    let (mut parts, body) = answer.into_parts();
    let mut connection: Value = serde_json::from_slice(&body).expect("JSON");
    connection["url"] = "https://pkgs.contoso.example/other".into();
    parts.headers.remove("content-length");
    http::Response::from_parts(parts, connection.to_string().into())
}

// What is written.

#[test]
fn one_value_is_set_and_everything_else_stays() {
    let (machine, id) = into(
        feed()
            .description("What builds read")
            .shared_with("mobile", "feed of the web")
            .shared_with("shop", "feed")
            .data("note", "kept as it is"),
    );
    let before = connection(&machine, id);
    let ended = machine.run();
    ended.expect(0).says("is shared: what is written to it changes it in mobile, shop too.");
    let mut after = connection(&machine, id);
    assert_eq!(after.parameters.insert("apitoken".into(), FORMER.into()), Some(the_one(&machine).value));
    assert!(after.modified > before.modified);
    assert_eq!(ServiceConnection { modified: before.modified, ..after }, before);
    let [update] = updates(&machine).try_into().expect("one update");
    assert_eq!(update["serviceEndpointProjectReferences"].as_array().map(Vec::len), Some(3));
    assert!(update["isDisabled"].is_boolean(), "members of the newer version are sent back too");
}

#[rstest]
#[case("externaltfs", "Token", &[("apitoken", FORMER)], "apitoken")]
#[case("externalnugetfeed", "None", &[("nugetkey", FORMER)], "nugetkey")]
#[case("externalnpmregistry", "UsernamePassword", &[("username", "ci"), ("password", FORMER)], "password")]
#[case("generic", "UsernamePassword", &[("password", FORMER)], "password")]
#[case("github", "Token", &[("AccessToken", FORMER), ("apitoken", "no secret")], "AccessToken")]
fn the_only_secret_is_found_by_what_its_type_declares(
    #[case] kind: &str,
    #[case] scheme: &str,
    #[case] parameters: &[(&str, &str)],
    #[case] secret: &str,
) {
    let new = NewServiceConnection::named("web", "feed").of(kind, scheme);
    let (machine, id) = into(parameters.iter().fold(new, |new, (name, value)| new.parameter(name, value)));
    machine.run().expect(0);
    let after = connection(&machine, id).parameters;
    assert_eq!(after.len(), parameters.len());
    for (name, value) in parameters {
        let expected = if *name == secret { the_one(&machine).value } else { (*value).to_owned() };
        assert_eq!(after[*name], expected, "{name}");
    }
}

#[test]
fn a_connection_is_known_by_its_name_in_any_case_in_its_own_project_or_by_its_id() {
    let (mut machine, id) = into(feed().shared_with("Fabrikam Fiber", "a feed/of 100%"));
    machine
        .emulator
        .add_service_connection(NewServiceConnection::named("shop", "feed").parameter("apitoken", "FAKE-x"));
    let addresses = [
        "service-connection:WEB/Feed".to_owned(),
        "service-connection:Fabrikam Fiber/a feed%2Fof 100%25/apitoken".to_owned(),
        format!("service-connection:web/{}", id.to_string().to_uppercase()),
    ];
    for address in addresses {
        machine.input("deliver-to", address).run().expect(0);
        assert_eq!(connection(&machine, id).parameters["apitoken"], the_one(&machine).value);
    }
}

#[test]
fn the_parameter_of_a_type_that_nobody_knows_any_more_has_to_be_named() {
    let gone = NewServiceConnection::named("web", "feed")
        .of("azdoapi", "Token")
        .secret_parameter("apitoken", FORMER);
    let (mut machine, id) = into(gone);
    mints_nothing(&machine)
        .says("is its secret is not known")
        .says("service-connection:PROJECT/NAME/PARAMETER");
    machine.input("deliver-to", "service-connection:web/feed/apitoken").run().expect(0);
    assert_eq!(connection(&machine, id).parameters["apitoken"], the_one(&machine).value);
}

// What is refused before a PAT is created.

#[rstest]
#[case::missing("service-connection:web/nothing", feed(), "or it is not shown to the user who signed in.")]
#[case::no_such_project("service-connection:nowhere/feed", feed(), "ProjectDoesNotExist")]
#[case::an_id_that_nobody_has(
    "service-connection:web/00000000-0000-0000-0000-0000000000ff",
    feed(),
    "There is no service connection"
)]
#[case::disabled(FEED, feed().disabled(), "is disabled, so that no pipeline can use it.")]
#[case::failed(FEED, feed().failed(), "has failed, or is not ready.")]
#[case::another_scheme(
    FEED,
    NewServiceConnection::named("web", "feed").of("dockerregistry", "ServicePrincipal"),
    "which has no place for a PAT."
)]
#[case::a_second_secret(
    FEED,
    NewServiceConnection::named("web", "feed")
        .of("ssh", "UsernamePassword")
        .parameter("password", FORMER)
        .data("PrivateKey", "FAKE-key-of-the-connection"),
    "holds a second secret (PrivateKey)"
)]
#[case::two_of_them(
    FEED,
    NewServiceConnection::named("web", "feed")
        .of("kubernetes", "Token")
        .parameter("apitoken", FORMER)
        .parameter("serviceAccountCertificate", "FAKE-certificate-0123"),
    "has several secrets:"
)]
#[case::one_of_two(
    "service-connection:web/feed/apitoken",
    NewServiceConnection::named("web", "feed")
        .of("kubernetes", "Token")
        .parameter("apitoken", FORMER)
        .parameter("serviceAccountCertificate", "FAKE-certificate-0123"),
    "holds a second secret (serviceAccountCertificate)"
)]
#[case::a_user_name_that_is_a_secret_too(
    FEED,
    NewServiceConnection::named("web", "feed")
        .of("sonarqube", "UsernamePassword")
        .secret_parameter("username", "FAKE-user-of-sonarqube"),
    "is its secret is not known"
)]
#[case::no_such_parameter(
    "service-connection:web/feed/apiToken",
    feed(),
    "Its secret parameters are: apitoken."
)]
#[case::declared_as_no_secret(
    "service-connection:web/feed/password",
    NewServiceConnection::named("web", "feed").of("chef", "UsernamePassword").secret_parameter("password", FORMER),
    "holds no secret in a parameter 'password'."
)]
#[case::never_set(
    "service-connection:web/feed/password",
    NewServiceConnection::named("web", "feed").of("generic", "UsernamePassword").parameter("username", "ci"),
    "Save a secret in it once in the project's settings"
)]
fn a_connection_that_cannot_be_used(
    #[case] address: &str,
    #[case] connection: NewServiceConnection,
    #[case] why: &str,
) {
    let (mut machine, _) = into(connection);
    machine.input("deliver-to", address);
    mints_nothing(&machine).says(why);
}

#[rstest]
#[case::hidden(ConnectionRole::Hidden, "or it is not shown to the user who signed in.")]
#[case::reader(ConnectionRole::Reader, "without its credential: the user may only read it.")]
#[case::user(ConnectionRole::User, "may not change the service connection 'feed' of project 'web'.")]
fn a_user_who_may_not_change_it(
    #[case] role: ConnectionRole,
    #[case] why: &str,
    #[values("rotate", "doctor")] operation: &str,
) {
    let (mut machine, id) = into(feed());
    machine.emulator.services().services.set_connection_role(id, cast::PERSON, role);
    machine.run_as(operation);
    mints_nothing(&machine).says(why).says("Organization tab");
}

#[rstest]
fn an_app_without_the_permission(#[values("rotate", "doctor")] operation: &str) {
    let app = AppRegistration::public(cast::CLIENT_ID).permissions(&["vso.pats", "vso.pats_manage"]);
    let mut machine = rotating(Emulator::builder().app(app).start());
    machine.emulator.add_service_connection(feed());
    machine.run_as(operation);
    mints_nothing(&machine).says("vso.serviceendpoint_manage");
}

#[test]
fn it_is_no_place_for_a_refresh_token() {
    let (mut machine, _) = into(feed());
    let seed = machine.read("refresh-token");
    machine.input("credential-store", "service-connection:web/other").input("refresh-token", seed);
    machine.run().expect(2).says("is a place for a PAT alone");
    for (address, why) in [
        ("service-connection:web", "does not have two or three parts"),
        ("service-connection:web/a,b", "has a comma in the connection's name"),
    ] {
        machine.input("deliver-to", address).run().expect(2).says(why);
    }
    assert!(machine.calls().is_empty());
}

#[test]
fn doctor_finds_that_it_would_take_the_pat() {
    let (mut machine, _) = into(feed());
    machine.run_as("doctor").input("scope", "vso.code");
    machine.run().expect(0).says("service-connection:web/feed would take it.");
    assert!(updates(&machine).is_empty());
}

// When the update fails, or its answer is lost.

#[test]
fn a_refused_update_takes_the_new_pat_back() {
    let (mut machine, id) = into(feed());
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds").variable("A", "a"));
    std::fs::write(machine.path("pat"), "FAKE-former").expect("written");
    let file = machine.file("pat");
    machine.deliver_to(&[FEED.into(), "variable-group:web/feeds/ADO_PAT".into(), file]);
    let old = the_one(&machine);
    let body = r#"{"message":"You need to be an organisation/collection level Administrator","typeKey":"ServiceEndpointAccessDeniedException"}"#;
    let json = [("content-type", "application/json")];
    machine
        .emulator
        .order(Fault::on(Service::DevOps).method("PUT").path("/endpoints/").answer(403, &json, body));
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended
        .says("may not change the service connection 'feed'")
        .says("These hold a PAT that is being revoked: variable-group:web/feeds/ADO_PAT.");
    assert_eq!(connection(&machine, id).parameters["apitoken"], FORMER);
    assert_eq!(machine.read("pat"), "FAKE-former");
}

#[rstest]
#[case::lost(Fault::on(Service::DevOps).method("PUT").lose_answer())]
#[case::a_bad_moment(Fault::on(Service::DevOps).method("PUT").internal_error())]
#[case::late(Fault::on(Service::DevOps).method("PUT").answer(504, &[], "").acts_late(Duration::from_secs(2)))]
#[case::late_for_every_attempt(
    Fault::on(Service::DevOps).method("PUT").answer(504, &[], "").acts_late(Duration::from_secs(6)).always()
)]
fn what_became_of_a_lost_answer_is_found_out(#[case] fault: Fault) {
    let (machine, id) = into(feed());
    machine.emulator.order(fault);
    machine.run().expect(0);
    assert_eq!(connection(&machine, id).parameters["apitoken"], the_one(&machine).value);
}

#[test]
fn an_update_that_never_came_to_be_takes_the_new_pat_back() {
    let (mut machine, id) = into(feed());
    let old = the_one(&machine);
    let hold = machine.emulator.order(Fault::on(Service::DevOps).method("PUT").hold_before().always());
    let ended = machine.input("timeout", "4s").run();
    takes_the_new_one_back(&machine, &ended, &old);
    assert!(!ended.words().contains("hold"), "{}", ended.words());
    assert_eq!(connection(&machine, id).parameters["apitoken"], FORMER);
    hold.release();
}

#[test]
fn where_nobody_can_tell_neither_pat_is_revoked_and_both_are_named() {
    let (mut machine, id) = into(feed());
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds").variable("A", "a"));
    std::fs::write(machine.path("pat"), "FAKE-former").expect("written");
    let file = machine.file("pat");
    machine.deliver_to(&[file, "variable-group:web/feeds/ADO_PAT".into(), FEED.into()]);
    machine.set("ADOPAT_LAUNCHER", "1").input("revoke-on-completion", "true").input("timeout", "6s");
    let old = the_one(&machine);
    // The update comes to be, its answer is lost, and from then on the connection cannot be read.
    machine
        .emulator
        .order(Fault::on(Service::DevOps).method("PUT").path("/endpoints/").lose_answer().always());
    let read = Fault::on(Service::DevOps).method("GET").path("/endpoints/");
    machine.emulator.order(read.nth(4).internal_error().always());
    let ended = machine.run();
    ended.expect(7);
    let active = machine.active("nightly");
    let new = active.iter().find(|pat| pat.authorization_id != old.authorization_id).expect("it lives");
    assert_eq!(active.len(), 2);
    ended
        .says("It could not be found out whether the service connection 'feed' of project 'web' took the new PAT")
        .says(&format!("The new PAT, 'nightly' ({}", new.authorization_id))
        .says(&format!("The old PAT, 'nightly' ({}", old.authorization_id))
        .says("These hold the new PAT: variable-group:web/feeds/ADO_PAT.")
        .says("These may hold the new PAT: service-connection:web/feed.")
        .says("duplicates set to revoke");
    assert!(!ended.words().contains("being revoked"), "{}", ended.words());
    assert!(!machine.outputs(&ended).contains_key("token"));
    assert_eq!(machine.read("pat"), "FAKE-former", "what can be given back is");
    assert_eq!(connection(&machine, id).parameters["apitoken"], new.value);
    // Nor does the last step.
    let state = machine.read("GITHUB_STATE");
    let saved: Vec<&str> = state
        .lines()
        .zip(state.lines().skip(1))
        .filter(|(name, _)| name.starts_with("adopat_pending"))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(saved.last(), Some(&"[]"), "{state}");
}

#[test]
fn what_the_failure_advises_leads_out() {
    let (mut machine, id) = into(feed());
    machine.input("timeout", "6s");
    machine.emulator.order(Fault::on(Service::DevOps).method("PUT").path("/endpoints/").lose_answer());
    let read = Fault::on(Service::DevOps).method("GET").path("/endpoints/");
    let hold = machine.emulator.order(read.nth(4).hold_before().always());
    machine.run().expect(7);
    assert_eq!(machine.active("nightly").len(), 2);
    hold.release();
    machine.emulator.clear_faults();
    machine.input("duplicates", "revoke").run().expect(0);
    assert_eq!(connection(&machine, id).parameters["apitoken"], the_one(&machine).value);
    assert_eq!(machine.emulator.pats().iter().filter(|pat| pat.status == PatStatus::Active).count(), 1);
}

#[test]
fn an_update_that_somebody_else_overtook_is_in_doubt() {
    let (mut machine, id) = into(feed());
    machine.input("timeout", "8s");
    let hold =
        machine.emulator.order(Fault::on(Service::DevOps).method("PUT").path("/endpoints/").hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(30)));
    machine.emulator.order(
        Fault::on(Service::DevOps).method("GET").path("/endpoints/").rewrite(with_another_url).always(),
    );
    let ended = machine.wait(run);
    hold.release();
    ended.expect(7).says("It could not be found out whether").says("lives on.");
    assert_eq!(machine.active("nightly").len(), 2);
    assert_ne!(connection(&machine, id).parameters["apitoken"], FORMER);
}

#[test]
fn an_answer_that_shows_another_connection_is_told() {
    let (machine, _) = into(feed());
    let old = the_one(&machine);
    machine
        .emulator
        .order(Fault::on(Service::DevOps).method("PUT").path("/endpoints/").rewrite(with_another_url));
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended
        .says("came back with another 'url' than was sent.")
        .says("These hold a PAT that is being revoked: service-connection:web/feed.");
}

#[test]
fn an_answer_that_is_no_connection_is_told() {
    let (machine, _) = into(feed());
    machine
        .emulator
        .order(Fault::on(Service::DevOps).path("/serviceendpoint/").answer(200, &[], "no json").always());
    mints_nothing(&machine).says("with something else than a connection");
}

#[test]
fn a_connection_that_is_not_shown_whole_is_not_written() {
    let (machine, _) = into(feed());
    let read = Fault::on(Service::DevOps).method("GET").path("/endpoints/");
    machine.emulator.order(
        read.rewrite(|answer| {
            let (mut parts, body) = answer.into_parts();
            let mut connection: Value = serde_json::from_slice(&body).expect("JSON");
            connection["serviceEndpointProjectReferences"] = Value::Null;
            parts.headers.remove("content-length");
            http::Response::from_parts(parts, connection.to_string().into())
        })
        .always(),
    );
    mints_nothing(&machine)
        .says("Azure DevOps did not say which projects share the service connection 'feed'");
}

// The order.

#[test]
fn one_rotation_delivers_to_every_kind_and_to_connections_last() {
    let mut machine = Machine::with_vault(Host::GitHub, "rotate");
    machine.opens_the_vault_by_secret();
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds").variable("A", "a"));
    let [one, two] = ["feed", "other"].map(|name| {
        machine
            .emulator
            .add_service_connection(NewServiceConnection::named("web", name).parameter("apitoken", FORMER))
    });
    let (vault, token) = (machine.vault_secret("ado-pat"), machine.emulator.github_token());
    machine.input("display-name", "nightly").input("github-token", token);
    machine.deliver_to(&[
        "service-connection:web/other".into(),
        FEED.into(),
        "variable-group:web/feeds/ADO_PAT".into(),
        "github-secret:contoso/fabrikam/ADO_PAT".into(),
        vault,
    ]);
    machine.run().expect(0);
    let new = the_one(&machine).value;
    assert!([one, two].iter().all(|id| connection(&machine, *id).parameters["apitoken"] == new));
    let writes: Vec<&str> = machine
        .emulator
        .requests()
        .iter()
        .filter(|request| request.method == "PUT")
        .filter(|request| request.status() != Some(401))
        .map(|request| match request.service {
            Service::Vault => "vault",
            Service::GitHub => "later",
            Service::DevOps if request.path.contains("variablegroups") => "later",
            Service::DevOps => "last",
            _ => "other",
        })
        .collect();
    assert_eq!(writes, ["vault", "later", "later", "last", "last"]);
}
