//! Variable groups: named sets of variables, some of them secret, which pipelines read.
//!
//! An update replaces the whole set, and nothing tells two writers apart: the last one wins.

mod change;
mod group;

use http::StatusCode;
use serde_json::{Value, json};

use self::group::View;
pub use self::group::{GroupRole, NewVariableGroup, Variable, VariableGroup};
pub(crate) use self::group::{Groups, Stored};
use super::error::VssError;
use super::{Asked, Caller, Version, version};
use crate::answer::{self, Answer};
use crate::services::Services;

const READ: [&str; 3] = ["vso.variablegroups_read", "vso.variablegroups_write", "vso.variablegroups_manage"];
const MANAGE: [&str; 1] = ["vso.variablegroups_manage"];
const LARGEST_PAGE: usize = 1000;

/// `id` is what stands behind `variablegroups` in the address.
pub(super) fn answer(services: &mut Services, asked: &Asked, id: &[&str]) -> Result<Answer, Answer> {
    let reading = asked.call.method == http::Method::GET;
    let caller = asked.caller_with(services, if reading { &READ } else { &MANAGE })?;
    let version = version::any_version(asked.call)?;
    let project = asked.known_project(services)?;
    let id = match id {
        [] => None,
        [id] => Some(number(id)?),
        _ => return Err(super::not_found(asked.call)),
    };
    match (asked.call.method.as_str(), project, id) {
        ("GET", Some(project), None) => list(services, asked, &caller, &project),
        ("GET", Some(project), Some(id)) => {
            let organization = &asked.organization.name;
            let group = services.groups.find(id).filter(|group| group.is_in(organization, &project));
            // Of an id that there is none of, the service says nothing: 200 and `null`.
            let shown = group.map_or(Value::Null, |group| group.shown(View::Whole));
            Ok(answer::json(StatusCode::OK, &shown))
        }
        ("POST", None, None) => change::add(services, asked, &caller),
        ("PUT", None, Some(id)) => change::update(services, asked, &caller, id, true),
        // The older address, which needs no references, lives on for old versions.
        ("PUT", Some(_), Some(id)) if version < Version(6, 0) => {
            change::update(services, asked, &caller, id, false)
        }
        ("DELETE", None, Some(id)) => change::delete(services, asked, &caller, id),
        _ => Err(super::not_found(asked.call)),
    }
}

fn number(id: &str) -> Result<u32, Answer> {
    id.parse().map_err(|_| {
        VssError::argument(format!("The value '{id}' is not valid for parameter 'groupId'.")).render()
    })
}

fn list(services: &Services, asked: &Asked, caller: &Caller, project: &str) -> Result<Answer, Answer> {
    let call = asked.call;
    let wanted = call.query("groupName").filter(|name| !name.is_empty());
    let ids: Option<Vec<u32>> = match call.query("groupIds").filter(|ids| !ids.is_empty()) {
        Some(ids) => Some(ids.split(',').map(|id| number(id.trim())).collect::<Result<_, _>>()?),
        None => None,
    };
    // "It specifies the action which can be performed on the variable groups."
    let managed = call.query("actionFilter").is_some_and(|action| action.eq_ignore_ascii_case("manage"));
    let ascending = match call.query("queryOrder").map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "iddescending" | "1") => false,
        Some("idascending" | "0") => true,
        Some(other) => {
            let message = format!("The value '{other}' is not valid for parameter 'queryOrder'.");
            return Err(VssError::argument(message).render());
        }
    };
    let role = |group: &Stored| services.groups.role(group.id, &caller.user.name);
    let top =
        call.query("$top").and_then(|top| top.parse().ok()).unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE);
    let after = call.query("continuationToken").and_then(|token| token.parse::<u32>().ok());
    let mut found: Vec<&Stored> = services
        .groups
        .of(&asked.organization.name, project)
        .filter(|group| wanted.is_none_or(|wanted| matches(wanted, &group.name)))
        .filter(|group| ids.as_ref().is_none_or(|ids| ids.contains(&group.id)))
        .filter(|group| !managed || role(group) == GroupRole::Administrator)
        .filter(|group| {
            after.is_none_or(|after| if ascending { group.id >= after } else { group.id <= after })
        })
        .collect();
    if !ascending {
        found.reverse();
    }
    let next = found.get(top).map(|group| group.id.to_string());
    found.truncate(top);
    let shown: Vec<Value> = found.iter().map(|group| group.shown(View::Listed)).collect();
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
