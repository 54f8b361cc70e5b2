//! Variable groups: named sets of variables, some of them secret, which pipelines read.
//!
//! An update replaces the whole set, and nothing tells two writers apart: the last one wins.

mod group;
mod update;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::group::{GroupRole, NewVariableGroup, Variable, VariableGroup};
pub(crate) use self::group::{Groups, Stored};
use super::caller::{By, Caller, signed_in};
use super::error::{VssError, not_authorized};
use super::version;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::cast::{Organization, UserKind};
use crate::services::Services;

const READ: [&str; 3] = ["vso.variablegroups_read", "vso.variablegroups_write", "vso.variablegroups_manage"];
const MANAGE: [&str; 1] = ["vso.variablegroups_manage"];
const LARGEST_PAGE: usize = 1000;

/// `rest` is the path behind `variablegroups`; `project` stands in front of `_apis` where there is one.
pub(super) fn answer(
    services: &mut Services,
    call: &Call,
    organization: &Organization,
    project: Option<&str>,
    id: Option<&str>,
    now: Timestamp,
) -> Answer {
    match route(services, call, organization, project, id, now) {
        Ok(answer) | Err(answer) => answer,
    }
}

fn route(
    services: &mut Services,
    call: &Call,
    organization: &Organization,
    project: Option<&str>,
    id: Option<&str>,
    now: Timestamp,
) -> Result<Answer, Answer> {
    let caller = signed_in(services, call, organization, now)?;
    let reading = call.method == http::Method::GET;
    if !may(&caller, if reading { &READ } else { &MANAGE }) {
        return Err(not_authorized(&caller.user.name));
    }
    let version = version::any_version(call)?;
    if let Some(project) = project
        && !services.groups.has_project(&organization.name, project)
    {
        return Err(VssError::new(
            StatusCode::NOT_FOUND,
            "Microsoft.TeamFoundation.Core.WebApi.ProjectDoesNotExistWithNameException",
            format!(
                "TF200016: The following project does not exist: {project}. Verify that the name of the project is \
                 correct and that the project exists on the specified Azure DevOps Server."
            ),
        )
        .render());
    }
    let id = id.map(|id| {
        id.parse::<u32>().map_err(|_| {
            VssError::argument(format!("The value '{id}' is not valid for parameter 'groupId'.")).render()
        })
    });
    match (call.method.as_str(), project, id.transpose()?) {
        ("GET", Some(project), None) => list(services, call, &caller, organization, project),
        ("GET", Some(project), Some(id)) => {
            let group = services.groups.find(id).filter(|group| group.is_in(&organization.name, project));
            // Of an id that there is none of, the service says nothing: 200 and `null`.
            Ok(answer::json(StatusCode::OK, &group.map_or(Value::Null, |group| group.shown(true))))
        }
        ("PUT", None, Some(id)) => update::answer(services, call, &caller, organization, id, true, now),
        // The older address, which needs no references, lives on for old versions.
        ("PUT", Some(_), Some(id)) if version < super::Version(6, 0) => {
            update::answer(services, call, &caller, organization, id, false, now)
        }
        _ => Err(super::not_found(call)),
    }
}

fn may(caller: &Caller, wanted: &[&str]) -> bool {
    match &caller.by {
        // A service principal has rights, not delegated permissions.
        By::Bearer(_) if caller.user.kind == UserKind::ServicePrincipal => true,
        By::Bearer(_) => wanted.iter().any(|wanted| caller.has_permissions(&[wanted])),
        By::Pat(scope) => scope.split(' ').any(|word| word == "app_token" || wanted.contains(&word)),
    }
}

fn list(
    services: &Services,
    call: &Call,
    caller: &Caller,
    organization: &Organization,
    project: &str,
) -> Result<Answer, Answer> {
    let wanted = call.query("groupName").filter(|name| !name.is_empty());
    // "It specifies the action which can be performed on the variable groups."
    let managed = call.query("actionFilter").is_some_and(|action| action.eq_ignore_ascii_case("manage"));
    let role = |group: &Stored| services.groups.role(group.id, &caller.user.name);
    let top =
        call.query("$top").and_then(|top| top.parse().ok()).unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE);
    let after = call.query("continuationToken").and_then(|token| token.parse::<u32>().ok());
    let mut found: Vec<&Stored> = services
        .groups
        .of(&organization.name, project)
        .filter(|group| wanted.is_none_or(|wanted| matches(wanted, &group.name)))
        .filter(|group| !managed || role(group) == GroupRole::Administrator)
        .filter(|group| after.is_none_or(|after| group.id >= after))
        .collect();
    let next = found.get(top).map(|group| group.id.to_string());
    found.truncate(top);
    let shown: Vec<Value> = found.iter().map(|group| group.shown(false)).collect();
    let answer = answer::json(StatusCode::OK, &json!({"count": shown.len(), "value": shown}));
    Ok(match next {
        Some(next) => answer::with_header(answer, "x-ms-continuationtoken", &next),
        None => answer,
    })
}

/// A `*` stands for anything, so that a name that holds one matches others too.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(place) => name = &name[place + part.len()..],
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_matches_anything() {
        assert!(matches("release", "Release"));
        assert!(!matches("release", "release 2"));
        assert!(matches("rel*", "release 2") && matches("*2", "release 2") && matches("r*e*2", "release 2"));
        assert!(!matches("r*x*2", "release 2") && !matches("ab*ba", "aba"));
    }
}
