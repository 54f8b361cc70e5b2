//! Create: the only call that shows a PAT's value.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::Value;

use super::pat::{Record, pat_value};
use super::{Asked, scopes};
use crate::answer::Answer;
use crate::cast::{Creation, Policies, TooLong};
use crate::moment;
use crate::services::Services;

/// What the service gives if no `validTo` is sent: unpublished; the web page's default is 30 days.
const DEFAULT_LIFESPAN: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A clock that is a little ahead does not make one year too long.
const SLACK: Duration = Duration::from_secs(300);
const LONGEST_NAME: usize = 256;

pub(super) fn answer(services: &mut Services, asked: &Asked) -> Result<Answer, Answer> {
    let fields = asked.body(services)?;
    let policies = &asked.organization.policies;
    let named = |error: &str| asked.refuse(error);

    let display_name = fields.get("displayName").and_then(Value::as_str).unwrap_or_default();
    check_name(display_name).map_err(named)?;
    let scope = match fields.get("scope") {
        None | Some(Value::Null) => scopes::FULL,
        Some(scope) => scope.as_str().unwrap_or_default(),
    };
    check_scope(scope, policies).map_err(named)?;
    match policies.creation {
        Creation::Allowed => {}
        Creation::PackagingOnly if scopes::are_packaging(scope) => {}
        Creation::PackagingOnly | Creation::Disabled => {
            return Err(asked.refuse("disablePatCreationPolicyViolation"));
        }
    }
    let global = fields.get("allOrgs").and_then(Value::as_bool).unwrap_or_default();
    check_reach(global, policies, asked.now).map_err(named)?;
    let wanted = match fields.get("validTo") {
        None | Some(Value::Null) => asked.now + DEFAULT_LIFESPAN,
        Some(instant) => check_end(instant, asked.now).map_err(named)?,
    };
    let valid_to = within_lifespan(wanted, asked.now, policies).map_err(named)?;

    let record = Record {
        authorization_id: services.chance.guid(),
        value: pat_value(&mut services.chance),
        owner: asked.caller.user.name.clone(),
        organization: asked.organization.name.clone(),
        global,
        display_name: display_name.to_owned(),
        scope: scope.to_owned(),
        valid_from: moment::rounded_to_sql(asked.now),
        valid_to: moment::rounded_to_sql(valid_to),
        revoked: None,
    };
    let record = services.mint(record).clone();
    Ok(asked.result(&record, services, Some(&record.value)))
}

/// Names need not be unique; their rules are unpublished.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        name if name.trim().is_empty() => Err("displayNameRequired"),
        name if name.chars().count() > LONGEST_NAME => Err("invalidDisplayName"),
        _ => Ok(()),
    }
}

pub(super) fn check_scope(scope: &str, policies: &Policies) -> Result<(), &'static str> {
    match scope {
        scope if !scopes::are_known(scope) => Err("invalidScope"),
        scope if policies.restrict_full_scope && scopes::are_full(scope) => {
            Err("fullScopePatPolicyViolation")
        }
        _ => Ok(()),
    }
}

pub(super) fn check_reach(global: bool, policies: &Policies, now: Timestamp) -> Result<(), &'static str> {
    match global {
        true if policies.global_pats_end.is_some_and(|end| end <= now) => Err("globalPATCreationBlocked"),
        true if policies.restrict_global => Err("globalPatPolicyViolation"),
        _ => Ok(()),
    }
}

/// An instant in the future, at most a year away.
pub(super) fn check_end(valid_to: &Value, now: Timestamp) -> Result<Timestamp, &'static str> {
    let valid_to: Timestamp = valid_to.as_str().and_then(|text| text.parse().ok()).ok_or("invalidValidTo")?;
    let in_a_year = now.to_zoned_datetime(TimeZone::UTC).saturating_add(1.year()).timestamp() + SLACK;
    if valid_to <= now || valid_to > in_a_year { Err("invalidValidTo") } else { Ok(valid_to) }
}

/// What the lifespan policy leaves of the wish, counted from `start`.
pub(super) fn within_lifespan(
    wanted: Timestamp,
    start: Timestamp,
    policies: &Policies,
) -> Result<Timestamp, &'static str> {
    let Some(end) = policies.longest_lifespan.map(|longest| start + longest) else { return Ok(wanted) };
    match policies.too_long {
        TooLong::Refuse if wanted > end => Err("patLifespanPolicyViolation"),
        TooLong::Clamp | TooLong::Refuse => Ok(wanted.min(end)),
    }
}
