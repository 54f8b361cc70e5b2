//! What libraries read of a repository and of an environment before they get at its secrets.

use http::StatusCode;
use serde_json::json;

use super::{Vessel, access, not_found};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::cast::id_from;
use crate::services::{Service, Services};

pub(super) fn repository(
    services: &mut Services,
    call: &Call,
    owner: &str,
    name: &str,
) -> Result<Answer, Answer> {
    let vessel = Vessel::repository(owner, name);
    access::may_see(services, call)?;
    services.github.repositories.key(&vessel).ok_or_else(not_found)?;
    let github = services.address(Service::GitHub);
    let number = |name: &str| id_from(name).as_u128() as u32;
    let body = json!({
        "id": number(&format!("{owner}/{name}")),
        "name": name,
        "full_name": format!("{owner}/{name}"),
        "private": true,
        "owner": {
            "login": owner,
            "id": number(owner),
            "type": "Organization",
            "url": format!("{github}/users/{owner}"),
        },
        "url": format!("{github}/repos/{owner}/{name}"),
        "default_branch": "main",
    });
    Ok(answer::json(StatusCode::OK, &body))
}

pub(super) fn environment(
    services: &mut Services,
    call: &Call,
    owner: &str,
    repository: &str,
    name: &str,
) -> Result<Answer, Answer> {
    let vessel = Vessel::environment(owner, repository, name);
    access::may_see(services, call)?;
    services.github.repositories.key(&vessel).ok_or_else(not_found)?;
    let github = services.address(Service::GitHub);
    let body = json!({
        "id": id_from(name).as_u128() as u32,
        "name": name,
        "url": format!("{github}/repos/{owner}/{repository}/environments/{name}"),
        "protection_rules": [],
    });
    Ok(answer::json(StatusCode::OK, &body))
}
