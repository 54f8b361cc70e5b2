//! Azure Pipelines: `POST $SYSTEM_OIDCREQUESTURI?api-version=7.1&serviceConnectionId=...` gives `{oidcToken}`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::TOKEN_EXCHANGE;
use crate::answer::{self, Answer};
use crate::azure_devops::{VssError, sign_in_redirect};
use crate::call::Call;
use crate::services::Services;

pub(super) fn token(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    // A wrong bearer is sent to the sign-in page, and not told 401.
    if call.bearer() != Some(services.job.pipelines_access_token.as_str()) {
        return sign_in_redirect(services, call);
    }
    if call.query("api-version").is_none() {
        return VssError::new(
            StatusCode::BAD_REQUEST,
            "Microsoft.VisualStudio.Services.WebApi.VssVersionNotSpecifiedException",
            "No api-version was supplied for the \"POST\" request.",
        )
        .render();
    }
    let organization = &services.cast.organizations[0];
    let (issuer, subject) =
        match call.query("serviceConnectionId").filter(|connection| !connection.is_empty()) {
            // The default since 2025-11: Entra itself issues the token.
            Some(connection) => {
                (issuer(organization.tenant), subject(organization.tenant, organization.id, connection))
            }
            None => (
                format!("https://vstoken.dev.azure.com/{}", organization.id),
                format!("p://{}/contoso/nightly", organization.name),
            ),
        };
    let token = services.job_token(&issuer, &subject, TOKEN_EXCHANGE, now);
    answer::json(StatusCode::OK, &json!({"oidcToken": token}))
}

pub(super) fn issuer(tenant: Uuid) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// `/eid1/c/pub/t/TENANT/a/APP/sc/ORGANIZATION/CONNECTION`, tenant and the app of Azure DevOps in base64.
pub(super) fn subject(tenant: Uuid, organization: Uuid, connection: &str) -> String {
    let app = Uuid::parse_str(crate::AZURE_DEVOPS).expect("the resource id is a GUID");
    let short = |id: Uuid| URL_SAFE_NO_PAD.encode(id.to_bytes_le());
    format!("/eid1/c/pub/t/{}/a/{}/sc/{organization}/{connection}", short(tenant), short(app))
}
