//! The PAT lifecycle API of `vssps.dev.azure.com`: list, get, create, update and revoke the caller's own
//! personal access tokens of one organization.
//!
//! Its specification is MicrosoftDocs/vsts-rest-api-specs, `specification/tokens`; what that leaves open
//! follows what others have measured or, if nobody has, a guess that the README names.

mod create;
mod list;
mod pat;
mod refusal;
mod revoke;
mod scopes;
mod update;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::pat::{NewPat, Pat, PatStatus};
pub(crate) use self::pat::{Pats, Record};
pub use self::refusal::PAT_TOKEN_ERRORS;
pub(crate) use self::refusal::refused;
use crate::answer::{self, Answer};
use crate::azure_devops::{self, By, Caller, Version, VssError};
use crate::call::Call;
use crate::cast::{Organization, UserKind};
use crate::moment;
use crate::services::Services;

/// The most PATs that a page holds.
pub(crate) const LARGEST_PAGE: usize = 100;

const VERSIONS: [Version; 4] = [Version(6, 1), Version(7, 0), Version(7, 1), Version(7, 2)];
/// The first version whose answers hold `patTokenErrorMessage` (vsts-rest-api-specs ed36f85e, 2025-06-02).
const WITH_MESSAGE: Version = Version(7, 2);

/// A call that has passed the door: who asks, where, and in which version.
pub(crate) struct Asked<'a> {
    call: &'a Call,
    caller: Caller,
    organization: Organization,
    version: Version,
    now: Timestamp,
}

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    match route(services, call, now) {
        Ok(answer) | Err(answer) => answer,
    }
}

fn route(services: &mut Services, call: &Call, now: Timestamp) -> Result<Answer, Answer> {
    let path = call.lowered();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let organization = match path[..] {
        ["_apis", "tokens", "pats"] => {
            return Ok(refused("deploymentHostNotSupported", Default::default(), VERSIONS[2]));
        }
        [name, "_apis", "tokens", "pats"] => services.cast.organization(name).cloned(),
        _ => return Err(azure_devops::not_found(call)),
    };
    let organization = organization.ok_or_else(azure_devops::unknown_organization)?;
    let caller = azure_devops::signed_in(services, call, &organization, now)?;
    if matches!(caller.by, By::Pat(_)) {
        return Err(invalid_access("The requested operation is not allowed."));
    }
    if caller.user.kind == UserKind::ServicePrincipal {
        return Err(invalid_access("Service principals are not allowed to perform this action."));
    }
    // Since June 2025 (sprint 257) reading needs `vso.pats`; a token with `vso.pats_manage` alone was measured
    // to be refused, so that a change needs both.
    let needed: &[&str] =
        if call.method == http::Method::GET { &["vso.pats"] } else { &["vso.pats", "vso.pats_manage"] };
    if !caller.has_permissions(needed) {
        return Err(azure_devops::not_authorized(&caller.user.name));
    }
    let version = azure_devops::preview_version(call, &VERSIONS, 1)?;
    let asked = Asked { call, caller, organization, version, now };
    let answer = asked.answer(services).unwrap_or_else(|refusal| refusal);
    Ok(asked.caller.signed(answer))
}

impl Asked<'_> {
    fn answer(&self, services: &mut Services) -> Result<Answer, Answer> {
        match self.call.method.as_str() {
            // The presence of an id makes *get* of *list*, with another shape of answer; an empty one does not.
            "GET" => match self.call.query("authorizationId").filter(|id| !id.is_empty()) {
                Some(id) => Ok(get(services, self, id)),
                None => list::answer(services, self),
            },
            "POST" => create::answer(services, self),
            "PUT" => update::answer(services, self),
            "DELETE" => revoke::answer(services, self),
            method => Err(VssError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "Microsoft.VisualStudio.Services.WebApi.VssServiceException",
                format!("The requested resource does not support http method '{method}'."),
            )
            .render()),
        }
    }
}

fn invalid_access(message: &str) -> Answer {
    VssError::new(
        StatusCode::FORBIDDEN,
        "Microsoft.TeamFoundation.Framework.Server.InvalidAccessException",
        message,
    )
    .render()
}

fn get(services: &Services, asked: &Asked, id: &str) -> Answer {
    let Ok(id) = Uuid::parse_str(id) else { return asked.refuse("invalidAuthorizationId") };
    match services.pats.find(id, &asked.caller.user.name, &asked.organization.name) {
        Some(record) => asked.result(record, services, None),
        None => asked.refuse("authorizationNotFound"),
    }
}

impl Asked<'_> {
    /// A refusal by name, in the shape that this organization's service uses.
    fn refuse(&self, error: &str) -> Answer {
        refused(error, self.organization.policies.refusal_shape, self.version)
    }

    /// A `PatTokenResult`.
    fn result(&self, record: &Record, services: &Services, token: Option<&str>) -> Answer {
        let mut body = json!({"patToken": shown(record, services, token), "patTokenError": "none"});
        if self.version >= WITH_MESSAGE {
            body["patTokenErrorMessage"] = Value::Null;
        }
        answer::json(StatusCode::OK, &body)
    }

    /// The body, which must be a JSON object that says that it is JSON.
    fn body(&self, services: &mut Services) -> Result<serde_json::Map<String, Value>, Answer> {
        match self.call.json() {
            Some(Value::Object(fields)) if self.call.has_json_body() => Ok(fields),
            _ => Err(VssError::no_json(services)),
        }
    }
}

/// A `PatToken`. Its value is shown once, in the answer to its creation.
fn shown(record: &Record, services: &Services, token: Option<&str>) -> Value {
    let accounts = if record.global {
        Value::Null
    } else {
        let id = services.cast.organization(&record.organization).map(|organization| organization.id);
        json!([id])
    };
    json!({
        "displayName": record.display_name,
        "validTo": moment::dotnet(record.valid_to),
        "scope": record.scope,
        "targetAccounts": accounts,
        "validFrom": moment::dotnet(record.valid_from),
        "authorizationId": record.authorization_id,
        "token": token,
    })
}
