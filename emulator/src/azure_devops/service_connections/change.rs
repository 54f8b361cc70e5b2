//! Changes of a service connection: it is added, replaced, shared, deleted.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::connection::{ConnectionRole, Kept, Stored, View};
use super::kinds;
use crate::answer::{self, Answer};
use crate::azure_devops::change::Change;
use crate::azure_devops::project_reference::Reference;
use crate::azure_devops::projects::is_project;
use crate::azure_devops::{Asked, Caller, Version, VssError};
use crate::services::Services;

type Fields = Map<String, Value>;

pub(super) fn add(
    services: &mut Services,
    asked: &Asked,
    caller: &Caller,
    version: Version,
) -> Result<Answer, Answer> {
    let fields = body(services, asked)?;
    let (scheme, parameters) = authorization(&fields)?;
    let kind = text(&fields, "type").ok_or_else(|| VssError::null_argument("type").render())?;
    let sent = fields.get("serviceEndpointProjectReferences").and_then(Value::as_array);
    let sent = sent.filter(|sent| !sent.is_empty()).ok_or_else(|| {
        refused("At least one project reference required for creating a service connection.")
    })?;
    let references = references(services, asked, sent)?;
    check_names_are_free(services, asked, &references, None)?;
    let made = Change::now(asked.now, &caller.user.name);
    let connection = Stored {
        id: services.chance.guid(),
        organization: asked.organization.name.clone(),
        references,
        parameters: replaced(&parameters, &BTreeMap::new(), |name| {
            kinds::is_confidential(&kind, &scheme, name).unwrap_or_default()
        }),
        data: replaced(&object(&fields, "data"), &BTreeMap::new(), |name| {
            kinds::is_confidential_data(&kind, name)
        }),
        kind,
        scheme,
        url: text(&fields, "url").unwrap_or_default(),
        disabled: false,
        failed: false,
        created: made.clone(),
        modified: made,
    };
    Ok(kept(services, caller, connection, None, version))
}

/// The body takes the connection's place. References are changed, but neither added nor taken away.
pub(super) fn update(
    services: &mut Services,
    asked: &Asked,
    caller: &Caller,
    id: &str,
    project: Option<&str>,
    version: Version,
) -> Result<Answer, Answer> {
    let fields = body(services, asked)?;
    let mut connection = administered(services, asked, caller, id)?;
    let (scheme, parameters) = authorization(&fields)?;
    if let Some(sent) = fields.get("serviceEndpointProjectReferences").and_then(Value::as_array) {
        for sent in references(services, asked, sent)? {
            let known = connection.references.iter_mut().find(|known| known.project == sent.project);
            if let Some(known) = known {
                *known = sent;
            }
        }
    }
    check_names_are_free(services, asked, &connection.references, Some(connection.id))?;
    connection.kind = text(&fields, "type").unwrap_or(connection.kind);
    connection.url = text(&fields, "url").unwrap_or_default();
    let kind = connection.kind.clone();
    connection.parameters = replaced(&parameters, &connection.parameters, |name| {
        kinds::is_confidential(&kind, &scheme, name).unwrap_or_default()
    });
    connection.data =
        replaced(&object(&fields, "data"), &connection.data, |name| kinds::is_confidential_data(&kind, name));
    connection.scheme = scheme;
    // Only 7.2 knows this member.
    if version >= Version(7, 2) {
        connection.disabled = fields.get("isDisabled").and_then(Value::as_bool).unwrap_or_default();
    }
    connection.modified = Change::now(asked.now, &caller.user.name);
    Ok(kept(services, caller, connection, project, version))
}

/// `PATCH` shares a connection with more projects; it changes nothing else (azure-cli-extensions#6453).
pub(super) fn share(
    services: &mut Services,
    asked: &Asked,
    caller: &Caller,
    id: &str,
) -> Result<Answer, Answer> {
    let Some(Value::Array(sent)) = asked.call.json().filter(|_| asked.call.has_json_body()) else {
        return Err(VssError::null_argument("endpointProjectReferences").render());
    };
    let mut connection = administered(services, asked, caller, id)?;
    let more = references(services, asked, &sent)?;
    check_names_are_free(services, asked, &more, Some(connection.id))?;
    for more in more {
        connection.references.retain(|known| known.project != more.project);
        connection.references.push(more);
    }
    services.connections.keep(connection);
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Takes the connection from these projects; with the last one it is gone.
pub(super) fn delete(
    services: &mut Services,
    asked: &Asked,
    caller: &Caller,
    id: &str,
) -> Result<Answer, Answer> {
    let projects = asked.call.query("projectIds").filter(|projects| !projects.is_empty());
    let projects = projects.ok_or_else(|| VssError::null_argument("projectIds").render())?;
    let mut connection = administered(services, asked, caller, id)?;
    connection
        .references
        .retain(|reference| !projects.split(',').any(|named| is_project(&reference.project, named.trim())));
    if connection.references.is_empty() {
        services.connections.remove(connection.id);
    } else {
        services.connections.keep(connection);
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn kept(
    services: &mut Services,
    caller: &Caller,
    connection: Stored,
    project: Option<&str>,
    version: Version,
) -> Answer {
    services.remember_connection_secrets(&connection);
    services.connections.keep(connection.clone());
    let view = View { user: &caller.user.name, project, version, listed: false };
    answer::json(StatusCode::OK, &services.shown_connection(&connection, &view))
}

fn body(services: &mut Services, asked: &Asked) -> Result<Fields, Answer> {
    match asked.call.json() {
        Some(Value::Object(fields)) if asked.call.has_json_body() => Ok(fields),
        _ => Err(VssError::no_json(services)),
    }
}

/// A connection of this organization whose credential the caller may change.
fn administered(services: &Services, asked: &Asked, caller: &Caller, id: &str) -> Result<Stored, Answer> {
    let found = Uuid::parse_str(id).ok().and_then(|id| services.connections.find(id));
    let role = |connection: &Stored| services.connections.role(connection.id, &caller.user.name);
    let found = found.filter(|connection| {
        connection.is_of(&asked.organization.name) && role(connection) > ConnectionRole::Hidden
    });
    let Some(connection) = found else {
        return Err(VssError::new(
            StatusCode::NOT_FOUND,
            "Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi.ServiceEndpointNotFoundException",
            format!("Service connection with ID {id} could not be found."),
        )
        .render());
    };
    if role(connection) == ConnectionRole::Administrator {
        return Ok(connection.clone());
    }
    Err(VssError::new(
        StatusCode::FORBIDDEN,
        "Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi.ServiceEndpointAccessDeniedException",
        "You need to be an organisation/collection level Administrator of the service endpoint to perform this \
         operation",
    )
    .render())
}

/// The scheme, and the parameters as they were sent.
fn authorization(fields: &Fields) -> Result<(String, Fields), Answer> {
    let sent = fields.get("authorization").and_then(Value::as_object);
    let sent = sent.ok_or_else(|| refused("Service Connection Authorization cannot be null."))?;
    let scheme =
        text(sent, "scheme").ok_or_else(|| VssError::null_argument("authorization.scheme").render())?;
    Ok((scheme, object(sent, "parameters")))
}

/// What is sent takes the place of what was there. `null` keeps a secret; an empty text erases it
/// (terraform-provider-azuredevops#550), and so does leaving it out.
fn replaced(
    sent: &Fields,
    before: &BTreeMap<String, Kept>,
    is_secret: impl Fn(&str) -> bool,
) -> BTreeMap<String, Kept> {
    let mut after = BTreeMap::new();
    for (name, value) in sent {
        let known = before.get(name);
        let is_secret = is_secret(name) || known.is_some_and(|known| known.is_secret);
        let value = match value {
            Value::Null => known.map(|known| known.value.clone()),
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        if let Some(value) = value {
            after.insert(name.clone(), Kept { value, is_secret });
        }
    }
    after
}

fn references(services: &Services, asked: &Asked, sent: &[Value]) -> Result<Vec<Reference>, Answer> {
    sent.iter()
        .map(|reference| {
            let project = &reference["projectReference"];
            let named = project["id"].as_str().or_else(|| project["name"].as_str()).unwrap_or_default();
            let project = services
                .projects
                .find(&asked.organization.name, named)
                .ok_or_else(|| refused("The project of a project reference does not exist."))?;
            let name = reference["name"].as_str().filter(|name| !name.trim().is_empty());
            Ok(Reference {
                project: project.to_owned(),
                name: name.ok_or_else(|| VssError::null_argument("name").render())?.to_owned(),
                description: reference["description"].as_str().unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

/// This was seen with status 500 (terraform-provider-azuredevops): a failure of the service it is not.
fn check_names_are_free(
    services: &Services,
    asked: &Asked,
    references: &[Reference],
    own: Option<Uuid>,
) -> Result<(), Answer> {
    let taken = references.iter().find(|reference| {
        services
            .connections
            .of(&asked.organization.name, &reference.project)
            .filter(|other| Some(other.id) != own)
            .any(|other| other.name_in(&reference.project).eq_ignore_ascii_case(&reference.name))
    });
    let Some(taken) = taken else { return Ok(()) };
    Err(VssError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi.DuplicateServiceConnectionException",
        format!(
            "Service connection with name {} already exists. Only a user having Administrator/User role permissions on \
             service connection {} can see it.",
            taken.name, taken.name
        ),
    )
    .render())
}

fn refused(message: &str) -> Answer {
    VssError::new(
        StatusCode::BAD_REQUEST,
        "Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi.ServiceEndpointException",
        message,
    )
    .render()
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn object(fields: &Fields, name: &str) -> Fields {
    fields.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}
