//! Update: what is not sent stays as it is, and the value is never shown.

use serde_json::Value;
use uuid::Uuid;

use super::create::{check_end, check_name, check_reach, check_scope, within_lifespan};
use super::{Asked, PatStatus};
use crate::answer::Answer;
use crate::moment;
use crate::services::Services;

pub(super) fn answer(services: &mut Services, asked: &Asked) -> Result<Answer, Answer> {
    let fields = asked.body(services)?;
    let policies = &asked.organization.policies;
    let named = |error: &str| asked.refuse(error);
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());

    let id = given("authorizationId")
        .and_then(Value::as_str)
        .and_then(|id| Uuid::parse_str(id).ok())
        .ok_or_else(|| asked.refuse("invalidAuthorizationId"))?;
    let owner = &asked.caller.user.name;
    let organization = &asked.organization.name;
    let Some(before) = services.pats.find(id, owner, organization).cloned() else {
        return Err(asked.refuse("authorizationNotFound"));
    };
    match before.status(asked.now) {
        PatStatus::Active => {}
        PatStatus::Expired => return Err(asked.refuse("expiredPatCannotBeExtended")),
        PatStatus::Revoked => return Err(asked.refuse("authorizationNotFound")),
    }
    let mut after = before.clone();
    if let Some(name) = given("displayName") {
        after.display_name = name.as_str().unwrap_or_default().to_owned();
        check_name(&after.display_name).map_err(named)?;
    }
    if let Some(scope) = given("scope") {
        after.scope = scope.as_str().unwrap_or_default().to_owned();
    }
    // A PAT that policy no longer allows must be brought in line before it is renewed (sprint 188 notes).
    check_scope(&after.scope, policies).map_err(named)?;
    if let Some(global) = given("allOrgs").and_then(Value::as_bool) {
        if before.global && !global {
            after.organization = organization.clone();
        }
        after.global = global;
    }
    check_reach(after.global, policies, asked.now).map_err(named)?;
    if let Some(valid_to) = given("validTo") {
        let wanted = check_end(valid_to, asked.now).map_err(named)?;
        after.valid_to =
            moment::rounded_to_sql(within_lifespan(wanted, before.valid_from, policies).map_err(named)?);
    }
    if let Some(record) = services.pats.find_mut(id, owner, organization) {
        *record = after.clone();
    }
    Ok(asked.result(&after, services, None))
}
