//! Azure DevOps: what its hosts share (who is calling, how errors look, which headers everything carries) and
//! what `dev.azure.com` itself answers.

mod caller;
mod connection_data;
mod error;
mod organization;
mod sign_in_page;
mod variable_groups;
mod version;

use http::StatusCode;
use jiff::Timestamp;

pub(crate) use self::caller::{By, Caller, signed_in};
pub(crate) use self::error::{VssError, not_authorized};
pub(crate) use self::sign_in_page::{sign_in_page, sign_in_redirect};
pub(crate) use self::variable_groups::Groups;
pub use self::variable_groups::{GroupRole, NewVariableGroup, Variable, VariableGroup};
pub(crate) use self::version::{Version, preview_version};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::Services;

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    let path = call.lowered();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let Some(organization) = path.first().and_then(|name| services.cast.organization(name)).cloned() else {
        return organization::unknown();
    };
    match (call.method.as_str(), &path[1..]) {
        ("HEAD" | "GET", []) => organization::front_page(services, call, &organization),
        ("GET", ["_apis", "connectiondata"]) => connection_data::answer(services, call, &organization, now),
        (_, ["_apis", "distributedtask", "variablegroups", id]) => {
            variable_groups::answer(services, call, &organization, None, Some(id), now)
        }
        (_, [project, "_apis", "distributedtask", "variablegroups"]) => {
            variable_groups::answer(services, call, &organization, Some(project), None, now)
        }
        (_, [project, "_apis", "distributedtask", "variablegroups", id]) => {
            variable_groups::answer(services, call, &organization, Some(project), Some(id), now)
        }
        _ => not_found(call),
    }
}

/// An address that leads nowhere.
pub(crate) fn not_found(call: &Call) -> Answer {
    let path = call.path.join("/");
    VssError::new(
        StatusCode::NOT_FOUND,
        "Microsoft.AspNet.Mvc.PageNotFoundException",
        format!("The controller for path '/{path}' was not found or does not implement IController."),
    )
    .render()
}

/// An organization that does not exist.
pub(crate) use self::organization::unknown as unknown_organization;

/// Puts on what every answer of Azure DevOps carries.
pub(crate) fn dressed(services: &mut Services, call: &Call, mut answer: Answer) -> Answer {
    let activity = services.chance.guid().to_string();
    let session =
        call.header("x-tfs-session").map_or_else(|| services.chance.guid().to_string(), str::to_owned);
    let tenant = call
        .path
        .first()
        .and_then(|name| services.cast.organization(name))
        .map(|organization| organization.tenant.to_string());
    for (name, value) in [
        ("ActivityId", activity.as_str()),
        ("X-VSS-E2EID", activity.as_str()),
        ("X-TFS-ProcessId", "fa4e0000-0000-4000-8000-000000000001"),
        ("X-TFS-Session", session.as_str()),
        ("Cache-Control", "no-cache"),
        ("Pragma", "no-cache"),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        answer = answer::with_header(answer, name, value);
    }
    match tenant {
        Some(tenant) => answer::with_header(answer, "X-VSS-ResourceTenant", &tenant),
        None => answer,
    }
}
