//! An update: the whole set of variables is replaced.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::group::{GroupRole, Reference, Stored, Variable};
use crate::answer::{self, Answer};
use crate::azure_devops::{Caller, VssError};
use crate::call::Call;
use crate::cast::Organization;
use crate::services::Services;

pub(super) fn answer(
    services: &mut Services,
    call: &Call,
    caller: &Caller,
    organization: &Organization,
    id: u32,
    for_organization: bool,
    now: Timestamp,
) -> Result<Answer, Answer> {
    let Some(Value::Object(fields)) = call.json().filter(|_| call.has_json_body()) else {
        return Err(VssError::no_json(services));
    };
    let group = services
        .groups
        .find(id)
        .cloned()
        .filter(|group| group.organization.eq_ignore_ascii_case(&organization.name));
    let Some(mut group) = group else {
        return Err(VssError::new(
            StatusCode::NOT_FOUND,
            "Microsoft.TeamFoundation.DistributedTask.WebApi.VariableGroupNotFoundException",
            format!("Variable group with ID {id} could not be found."),
        )
        .render());
    };
    if services.groups.role(id, &caller.user.name) != GroupRole::Administrator {
        return Err(VssError::new(
            StatusCode::FORBIDDEN,
            "Microsoft.TeamFoundation.DistributedTask.WebApi.AccessDeniedException",
            "You do not have permissions to perform this operation on the variable group. A variable group \
             administrator should add you to the administrator role.",
        )
        .render());
    }
    let name = fields.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    group.name = name.ok_or_else(|| null_argument("name"))?.to_owned();
    group.description = fields.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    if for_organization {
        group.references = references(services, organization, &fields)?;
    }
    check_name_is_free(services, &group)?;
    group.variables = variables(&fields, &group.variables)?;
    group.modified = (now, caller.user.name.clone());
    for variable in group.variables.values().filter(|variable| variable.is_secret) {
        services.remember_secret(&variable.value);
    }
    let shown = group.shown(true);
    if let Some(stored) = services.groups.find_mut(id) {
        *stored = group;
    }
    Ok(answer::json(StatusCode::OK, &shown))
}

fn null_argument(name: &str) -> Answer {
    VssError::new(
        StatusCode::BAD_REQUEST,
        "System.ArgumentNullException",
        format!("Value cannot be null.\r\nParameter name: {name}"),
    )
    .render()
}

/// At the organization's level the projects are those that the update names, each with id *and* name
/// (azure-devops-node-api#424, #572).
fn references(
    services: &Services,
    organization: &Organization,
    fields: &Map<String, Value>,
) -> Result<Vec<Reference>, Answer> {
    let sent = fields.get("variableGroupProjectReferences").and_then(Value::as_array);
    let sent = sent
        .filter(|sent| !sent.is_empty())
        .ok_or_else(|| null_argument("variableGroupProjectReferences"))?;
    let mut references = Vec::new();
    for reference in sent {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let project = text(&reference["projectReference"]["name"])
            .and_then(|name| services.groups.project(&organization.name, &name))
            .ok_or_else(|| {
                VssError::argument("Project information name is not valid for variable group.").render()
            })?;
        if text(&reference["projectReference"]["id"]).is_none() {
            return Err(
                VssError::argument("Project information id is not valid for variable group.").render()
            );
        }
        references.push(Reference {
            project: project.to_owned(),
            name: text(&reference["name"])
                .ok_or_else(|| null_argument("variableGroupProjectReference.name"))?,
            description: text(&reference["description"]).unwrap_or_default(),
        });
    }
    Ok(references)
}

fn check_name_is_free(services: &Services, group: &Stored) -> Result<(), Answer> {
    let taken = group.references.iter().any(|reference| {
        services
            .groups
            .of(&group.organization, &reference.project)
            .any(|other| other.id != group.id && other.name.eq_ignore_ascii_case(&group.name))
    });
    if !taken {
        return Ok(());
    }
    Err(VssError::new(
        StatusCode::CONFLICT,
        "Microsoft.TeamFoundation.DistributedTask.WebApi.VariableGroupExistsException",
        format!("Variable group with name '{}' already exists.", group.name),
    )
    .render())
}

/// The new set. A variable that is not sent is gone (vsts-rest-api-specs#235); a secret that is sent without a
/// value keeps the one it has (terraform-provider-azuredevops#1433); an empty text is a value.
fn variables(
    fields: &Map<String, Value>,
    before: &BTreeMap<String, Variable>,
) -> Result<BTreeMap<String, Variable>, Answer> {
    let sent = fields.get("variables").and_then(Value::as_object).filter(|sent| !sent.is_empty());
    let sent = sent.ok_or_else(|| null_argument("variables"))?;
    let mut after = BTreeMap::new();
    for (name, variable) in sent {
        let flag = |field: &str| variable[field].as_bool().unwrap_or_default();
        let is_secret = flag("isSecret");
        let known = before.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, known)| known);
        let kept = known.filter(|known| known.is_secret && is_secret).map(|known| known.value.clone());
        let value = variable["value"].as_str().map(str::to_owned).or(kept).unwrap_or_default();
        after.insert(name.clone(), Variable { value, is_secret, is_read_only: flag("isReadOnly") });
    }
    Ok(after)
}
