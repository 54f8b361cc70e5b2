//! Azure DevOps: what its hosts share (who is calling, how errors look, which headers everything carries) and
//! what `dev.azure.com` itself answers.

mod caller;
mod change;
mod claims_challenge;
mod connection_data;
mod error;
mod locations;
mod organization;
mod project_reference;
mod projects;
mod service_connections;
mod sign_in_page;
mod variable_groups;
mod version;

use jiff::Timestamp;

pub(crate) use self::caller::{By, Caller, signed_in};
pub(crate) use self::claims_challenge::claims_challenge;
pub(crate) use self::error::{VssError, not_authorized};
pub(crate) use self::projects::Projects;
pub(crate) use self::service_connections::Connections;
pub use self::service_connections::{ConnectionRole, NewServiceConnection, ServiceConnection};
pub(crate) use self::sign_in_page::{sign_in_page, sign_in_redirect};
pub(crate) use self::variable_groups::Groups;
pub use self::variable_groups::{GroupRole, NewVariableGroup, Variable, VariableGroup};
pub(crate) use self::version::{Version, preview_version};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::cast::Organization;
use crate::services::Services;

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    let lowered = call.lowered();
    let lowered: Vec<&str> = lowered.iter().map(String::as_str).collect();
    let Some(organization) = lowered.first().and_then(|name| services.cast.organization(name)).cloned()
    else {
        return organization::unknown();
    };
    // A project stands between the organization and `_apis`, where there is one.
    let (project, resource) = match &lowered[1..] {
        [] if matches!(call.method.as_str(), "HEAD" | "GET") => {
            return organization::front_page(services, call, &organization);
        }
        ["_apis", resource @ ..] => (None, resource),
        [_, "_apis", resource @ ..] => (Some(call.path[1].as_str()), resource),
        _ => return not_found(call),
    };
    let asked = Asked { call, organization: &organization, project, now };
    let answered = match (call.method.as_str(), resource) {
        ("OPTIONS", area) if project.is_none() => locations::options(services, &asked, area),
        ("GET", ["connectiondata"]) if project.is_none() => {
            return connection_data::answer(services, call, &organization, now);
        }
        ("GET", ["resourceareas", id @ ..]) if project.is_none() => {
            locations::resource_areas(services, &asked, id)
        }
        ("GET", ["projects", id @ ..]) if project.is_none() => projects::answer(services, &asked, id),
        (_, ["distributedtask", "variablegroups", id @ ..]) => variable_groups::answer(services, &asked, id),
        (_, ["serviceendpoint", resource @ ..]) => service_connections::answer(services, &asked, resource),
        _ => Err(not_found(call)),
    };
    match answered {
        Ok(answer) => version::served(call, answer),
        Err(refusal) => refusal,
    }
}

/// A call to a resource of an organization.
pub(crate) struct Asked<'a> {
    call: &'a Call,
    organization: &'a Organization,
    /// The project in the address, as it was sent: a name or an id.
    project: Option<&'a str>,
    now: Timestamp,
}

impl Asked<'_> {
    /// Who asks; with a bearer or a PAT that carries one of these permissions.
    fn caller_with(&self, services: &mut Services, wanted: &[&str]) -> Result<Caller, Answer> {
        let caller = signed_in(services, self.call, self.organization, self.now)?;
        if caller.has_one_of(wanted) { Ok(caller) } else { Err(not_authorized(&caller.user.name)) }
    }

    /// The name of the project in the address, if there is one; it must exist.
    fn known_project(&self, services: &Services) -> Result<Option<String>, Answer> {
        let Some(sent) = self.project else { return Ok(None) };
        let known = services.projects.find(&self.organization.name, sent);
        known.map(|project| Some(project.to_owned())).ok_or_else(|| error::no_such_project(sent))
    }
}

/// An address that leads nowhere.
pub(crate) fn not_found(call: &Call) -> Answer {
    error::no_such_route(&call.path.join("/"))
}

/// An organization that does not exist.
pub(crate) use self::organization::unknown as unknown_organization;
pub(crate) use self::organization::{deactivated, is_deactivated};

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
