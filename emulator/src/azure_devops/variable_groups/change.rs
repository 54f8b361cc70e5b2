//! Changes of a group: it is added, its whole set of variables is replaced, it is deleted.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value};

use super::group::{GroupRole, Stored, Variable, View};
use crate::answer::{self, Answer};
use crate::azure_devops::change::Change;
use crate::azure_devops::project_reference::Reference;
use crate::azure_devops::projects::is_project;
use crate::azure_devops::{Asked, Caller, VssError, not_authorized};
use crate::services::Services;

pub(super) fn add(services: &mut Services, asked: &Asked, caller: &Caller) -> Result<Answer, Answer> {
    let fields = body(services, asked)?;
    let references = references(services, asked, caller, &fields)?;
    let made = Change::now(asked.now, &caller.user.name);
    let mut group = Stored {
        id: 0,
        name: name(&fields)?,
        description: description(&fields),
        organization: asked.organization.name.clone(),
        references,
        variables: variables(&fields, &BTreeMap::new())?,
        vault: None,
        created: made.clone(),
        modified: made,
    };
    check_name_is_free(services, &group)?;
    group.id = services.groups.next_id();
    remember_secrets(services, &group);
    let shown = group.shown(View::Changed);
    services.groups.add(group);
    Ok(answer::json(StatusCode::OK, &shown))
}

/// `for_organization`: the newer address, at which the group is told its projects too.
pub(super) fn update(
    services: &mut Services,
    asked: &Asked,
    caller: &Caller,
    id: u32,
    for_organization: bool,
) -> Result<Answer, Answer> {
    let fields = body(services, asked)?;
    let mut group = administered(services, asked, caller, id)?;
    if for_organization {
        group.references = references(services, asked, caller, &fields)?;
    }
    group.name = name(&fields)?;
    group.description = description(&fields);
    check_name_is_free(services, &group)?;
    group.variables = variables(&fields, &group.variables)?;
    group.modified = Change::now(asked.now, &caller.user.name);
    remember_secrets(services, &group);
    let shown = group.shown(View::Changed);
    if let Some(stored) = services.groups.find_mut(id) {
        *stored = group;
    }
    Ok(answer::json(StatusCode::OK, &shown))
}

/// Takes the group from these projects; with the last one it is gone.
pub(super) fn delete(
    services: &mut Services,
    asked: &Asked,
    caller: &Caller,
    id: u32,
) -> Result<Answer, Answer> {
    let projects = asked.call.query("projectIds").filter(|projects| !projects.is_empty());
    let projects = projects.ok_or_else(|| null_argument("projectIds"))?;
    let mut group = administered(services, asked, caller, id)?;
    group
        .references
        .retain(|reference| !projects.split(',').any(|named| is_project(&reference.project, named.trim())));
    match services.groups.find_mut(id) {
        Some(stored) if !group.references.is_empty() => *stored = group,
        _ => services.groups.remove(id),
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn body(services: &mut Services, asked: &Asked) -> Result<Map<String, Value>, Answer> {
    match asked.call.json() {
        Some(Value::Object(fields)) if asked.call.has_json_body() => Ok(fields),
        _ => Err(VssError::no_json(services)),
    }
}

/// A group of this organization that the caller may change.
fn administered(services: &Services, asked: &Asked, caller: &Caller, id: u32) -> Result<Stored, Answer> {
    let organization = &asked.organization.name;
    let group =
        services.groups.find(id).filter(|group| group.organization.eq_ignore_ascii_case(organization));
    let group = group.ok_or_else(|| {
        VssError::new(
            StatusCode::NOT_FOUND,
            "Microsoft.TeamFoundation.DistributedTask.WebApi.VariableGroupNotFoundException",
            format!("Variable group with ID {id} could not be found."),
        )
        .render()
    })?;
    if services.groups.role(id, &caller.user.name) == GroupRole::Administrator {
        return Ok(group.clone());
    }
    Err(VssError::new(
        StatusCode::FORBIDDEN,
        "Microsoft.TeamFoundation.DistributedTask.WebApi.AccessDeniedException",
        "You do not have permissions to perform this operation on the variable group. A variable group \
         administrator should add you to the administrator role.",
    )
    .render())
}

fn name(fields: &Map<String, Value>) -> Result<String, Answer> {
    let name = fields.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    name.map(str::to_owned).ok_or_else(|| null_argument("name"))
}

fn description(fields: &Map<String, Value>) -> String {
    fields.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn remember_secrets(services: &mut Services, group: &Stored) {
    for variable in group.variables.values().filter(|variable| variable.is_secret) {
        services.remember_secret(&variable.value);
    }
}

fn null_argument(name: &str) -> Answer {
    VssError::null_argument(name).render()
}

/// At the organization's level the projects are those that the body names, each with id *and* name
/// (azure-devops-node-api#424, #572). Who names none may do nothing with any of them: 401
/// (vsts-rest-api-specs#525, #531).
fn references(
    services: &Services,
    asked: &Asked,
    caller: &Caller,
    fields: &Map<String, Value>,
) -> Result<Vec<Reference>, Answer> {
    let sent = fields.get("variableGroupProjectReferences").and_then(Value::as_array);
    let sent = sent.filter(|sent| !sent.is_empty()).ok_or_else(|| not_authorized(&caller.user.name))?;
    let mut references = Vec::new();
    for reference in sent {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let project = text(&reference["projectReference"]["name"])
            .and_then(|name| services.projects.find(&asked.organization.name, &name))
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
