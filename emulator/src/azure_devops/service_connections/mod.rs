//! Service connections, which the API calls service endpoints: credentials that pipelines use for other services.
//!
//! No call returns a secret once it is stored. An update replaces the connection, and nothing tells two writers apart:
//! the last one wins.

mod change;
mod connection;
mod kinds;

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use self::connection::Connections;
pub use self::connection::{ConnectionRole, NewServiceConnection, ServiceConnection};
use self::connection::{Stored, View};
use super::{Asked, version};
use crate::answer::{self, Answer};
use crate::services::Services;

const READ: [&str; 3] = ["vso.serviceendpoint", "vso.serviceendpoint_query", "vso.serviceendpoint_manage"];
const MANAGE: [&str; 1] = ["vso.serviceendpoint_manage"];

/// `resource` is what stands behind `serviceendpoint` in the address.
pub(super) fn answer(services: &mut Services, asked: &Asked, resource: &[&str]) -> Result<Answer, Answer> {
    let reading = asked.call.method == http::Method::GET;
    let caller = asked.caller_with(services, if reading { &READ } else { &MANAGE })?;
    let version = version::any_version(asked.call)?;
    let project = asked.known_project(services)?;
    match (asked.call.method.as_str(), project, resource) {
        ("GET", None, ["types"]) => Ok(kinds::answer(asked.call)),
        ("GET", Some(project), ["endpoints"]) => {
            let view = View { user: &caller.user.name, project: Some(&project), version, listed: true };
            Ok(list(services, asked, &project, &view))
        }
        ("GET", Some(project), ["endpoints", id]) => {
            let view = View { user: &caller.user.name, project: Some(&project), version, listed: false };
            Ok(answer::json(StatusCode::OK, &by_id(services, asked, id, &view)))
        }
        ("POST", None, ["endpoints"]) => change::add(services, asked, &caller, version),
        ("PUT", project, ["endpoints", id]) => {
            change::update(services, asked, &caller, id, project.as_deref(), version)
        }
        ("PATCH", None, ["endpoints", id]) => change::share(services, asked, &caller, id),
        ("DELETE", None, ["endpoints", id]) => change::delete(services, asked, &caller, id),
        _ => Err(super::not_found(asked.call)),
    }
}

fn list(services: &mut Services, asked: &Asked, project: &str, view: &View) -> Answer {
    let call = asked.call;
    // A list separated by commas: what has a comma in its name cannot be found by it.
    let wanted = |parameter: &str| -> Option<Vec<String>> {
        let value = call.query(parameter).filter(|value| !value.is_empty())?;
        Some(value.split(',').map(|part| part.trim().to_lowercase()).collect())
    };
    let (names, ids, schemes) = (wanted("endpointNames"), wanted("endpointIds"), wanted("authSchemes"));
    let kind = call.query("type").filter(|kind| !kind.is_empty()).map(str::to_lowercase);
    let with_failed = call.query("includeFailed").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let fits = |wanted: &Option<Vec<String>>, value: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.contains(&value.to_lowercase()))
    };
    let organization = &asked.organization.name;
    let found: Vec<Stored> = services
        .connections
        .of(organization, project)
        .filter(|connection| services.connections.role(connection.id, view.user) > ConnectionRole::Hidden)
        .filter(|connection| fits(&names, connection.name_in(project)))
        .filter(|connection| fits(&ids, &connection.id.to_string()))
        .filter(|connection| fits(&schemes, &connection.scheme))
        .filter(|connection| kind.as_ref().is_none_or(|kind| connection.kind.to_lowercase() == *kind))
        .filter(|connection| with_failed || !connection.has_failed())
        .cloned()
        .collect();
    let shown: Vec<Value> =
        found.iter().map(|connection| services.shown_connection(connection, view)).collect();
    answer::json(StatusCode::OK, &json!({"count": shown.len(), "value": shown}))
}

/// One that is not there and one that the caller may not see look alike: 200 and `null`.
fn by_id(services: &mut Services, asked: &Asked, id: &str, view: &View) -> Value {
    let connections = &services.connections;
    let found = Uuid::parse_str(id).ok().and_then(|id| connections.find(id)).filter(|connection| {
        view.project.is_some_and(|project| connection.is_in(&asked.organization.name, project))
            && connections.role(connection.id, view.user) > ConnectionRole::Hidden
    });
    let manage = asked.call.query("actionFilter").is_some_and(|filter| filter.eq_ignore_ascii_case("manage"));
    match found.cloned() {
        Some(connection)
            if manage && connections.role(connection.id, view.user) < ConnectionRole::Administrator =>
        {
            Value::Null
        }
        Some(connection) => services.shown_connection(&connection, view),
        None => Value::Null,
    }
}
