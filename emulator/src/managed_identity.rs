//! Managed identities: the endpoint that App Service and Container Apps give their apps, and IMDS, which virtual
//! machines have at `169.254.169.254`. Both hand out tokens to every process on the machine.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::cast;
use crate::entra::{AccessToken, Audience};
use crate::services::{Service, Services};

/// `IDENTITY_HEADER`: proves that the caller has this app's environment.
const IDENTITY_HEADER: &str = "FAKE-identity-header-0123456789abcdef";
/// A managed identity's token lives a day.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["msi", "token"]) => app_service(services, call, now),
        ("GET", ["metadata", "identity", "oauth2", "token"]) => imds(services, call, now),
        _ => answer::empty(StatusCode::NOT_FOUND),
    }
}

fn app_service(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    if call.header("x-identity-header") != Some(IDENTITY_HEADER) {
        let body = json!({"statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong."});
        return answer::json(StatusCode::UNAUTHORIZED, &body);
    }
    match token(services, call, now) {
        Ok(issued) => answer::json(
            StatusCode::OK,
            &json!({
                "access_token": issued.token,
                // A string of seconds, not a number.
                "expires_on": issued.end.as_second().to_string(),
                "resource": issued.resource,
                "token_type": "Bearer",
                "client_id": issued.client_id,
            }),
        ),
        Err(why) => answer::json(StatusCode::BAD_REQUEST, &json!({"statusCode": 400, "message": why})),
    }
}

fn imds(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    let refuse = |description: &str| {
        answer::json(
            StatusCode::BAD_REQUEST,
            &json!({"error": "invalid_request", "error_description": description}),
        )
    };
    if !call.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return refuse("Required metadata header not specified");
    }
    match token(services, call, now) {
        Ok(issued) => answer::json(
            StatusCode::OK,
            &json!({
                "access_token": issued.token,
                "client_id": issued.client_id,
                "expires_in": LIFE.as_secs().to_string(),
                "expires_on": issued.end.as_second().to_string(),
                "ext_expires_in": LIFE.as_secs().to_string(),
                "not_before": now.as_second().to_string(),
                "resource": issued.resource,
                "token_type": "Bearer",
            }),
        ),
        Err(why) => refuse(&why),
    }
}

struct Issued {
    token: String,
    client_id: Uuid,
    resource: String,
    end: Timestamp,
}

fn token(services: &mut Services, call: &Call, now: Timestamp) -> Result<Issued, String> {
    if call.query("api-version").is_none() {
        return Err("Required query parameter 'api-version' not specified".to_owned());
    }
    let resource =
        call.query("resource").ok_or("Required query parameter 'resource' not specified")?.to_owned();
    let audience = Audience::of_resource(&resource).ok_or_else(|| {
        format!(
            "AADSTS500011: The resource principal named {resource} was not found in the tenant named Contoso."
        )
    })?;
    let client_id = match call.query("client_id") {
        None => services.managed_identities.first().copied(),
        Some(id) => Uuid::parse_str(id).ok().filter(|id| services.managed_identities.contains(id)),
    };
    let client_id = client_id.ok_or("Identity not found")?;
    let end = now + LIFE;
    let token = services.issue_access_token(AccessToken {
        user: client_id.to_string(),
        tenant: cast::TENANT,
        audience,
        permissions: Vec::new(),
        end,
        meets_a_challenge: false,
    });
    Ok(Issued { token, client_id, resource, end })
}

impl Services {
    /// The managed identities of this machine, by client id; the first one is the system-assigned one. With none
    /// there is an endpoint that knows nobody.
    pub fn set_managed_identities(&mut self, client_ids: &[Uuid]) {
        self.managed_identities = client_ids.to_vec();
    }

    /// `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
    pub fn app_service_endpoint(&mut self) -> (String, String) {
        self.remember_secret(IDENTITY_HEADER);
        (format!("{}/msi/token", self.address(Service::ManagedIdentity)), IDENTITY_HEADER.to_owned())
    }
}
