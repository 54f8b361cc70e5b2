//! An organization's front page: what it tells a stranger is the Entra tenant behind it.

use http::StatusCode;

use super::error::VssError;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::cast::Organization;
use crate::services::{Service, Services};

/// Git Credential Manager asks this page anonymously with `HEAD` and reads the tenant from
/// `WWW-Authenticate` or `X-VSS-ResourceTenant` (its `AzureDevOpsRestApi.cs`).
pub(super) fn front_page(services: &mut Services, call: &Call, organization: &Organization) -> Answer {
    let suppressed = call.header("x-tfs-fedauthredirect").is_some();
    let answer = if suppressed {
        answer::empty(StatusCode::UNAUTHORIZED)
    } else {
        super::sign_in_redirect(services, call)
    };
    let entra = services.address(Service::Entra);
    let bearer = format!("Bearer authorization_uri={entra}/{}", organization.tenant);
    let basic = format!("Basic realm=\"{}/\"", services.address(Service::DevOps));
    [bearer, basic, "TFS-Federated".to_owned()]
        .iter()
        .fold(answer, |answer, challenge| answer::with_header(answer, "WWW-Authenticate", challenge))
}

/// Whether the call is for an organization that was deactivated.
pub(crate) fn is_deactivated(services: &Services, call: &Call) -> bool {
    let name = call.path.first().map(|name| name.to_lowercase()).unwrap_or_default();
    services.cast.organization(&name).is_some_and(|organization| organization.deactivated)
}

/// What every request to such an organization is answered with, to any caller: recorded as 503 with a byte order mark,
/// `X-TFS-ServiceError` and TF24668.
pub(crate) fn deactivated(call: &Call) -> Answer {
    let name = call.path.first().map(String::as_str).unwrap_or_default();
    let message = format!(
        "TF24668: The following team project collection is stopped: {name}. Start the collection and then try again."
    );
    VssError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Microsoft.TeamFoundation.Framework.Server.HostShutdownException",
        message,
    )
    .before_controllers()
    .render()
}

/// There is no such organization.
pub(crate) fn unknown() -> Answer {
    answer::html(
        StatusCode::NOT_FOUND,
        "<!DOCTYPE html>\r\n<html lang=\"en-US\">\r\n<head><title>Azure DevOps Services | 404 - Not \
         Found</title></head>\r\n<body><h1>404 - The resource cannot be found</h1></body>\r\n</html>\r\n"
            .to_owned(),
    )
}
