//! The errors of Microsoft Entra: an OAuth error, and a number with which people look it up.
//!
//! Sources: Microsoft's list (entra-docs, `reference-error-codes`), and answers that were published in issue
//! trackers. The texts are Microsoft's where known, shortened where long.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::chance::Chance;
use crate::moment;

/// One refusal of the token or device code endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aadsts {
    /// The number after `AADSTS`.
    pub code: u32,
    /// `error`.
    pub error: String,
    /// The HTTP status.
    pub status: StatusCode,
    /// `suberror`, if there is one.
    pub suberror: Option<String>,
    /// The text after `AADSTSnnnnn: `, before the trace id.
    pub text: String,
    /// `claims`, if only an interactive sign-in can meet them.
    pub claims: Option<String>,
}

impl Aadsts {
    /// The refusal with this number, as Entra words it. An unknown number gives `invalid_grant`.
    pub fn code(code: u32) -> Self {
        let (error, suberror, text) = KNOWN
            .iter()
            .find(|known| known.0 == code)
            .map_or(("invalid_grant", "", "The request was refused."), |known| (known.1, known.2, known.3));
        let status = match error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            code,
            error: error.to_owned(),
            status,
            suberror: (!suberror.is_empty()).then(|| suberror.to_owned()),
            text: text.to_owned(),
            claims: None,
        }
    }

    /// Every number that is known here.
    pub fn known_codes() -> impl Iterator<Item = u32> {
        KNOWN.iter().map(|known| known.0)
    }

    /// With this text.
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// With this OAuth error.
    pub fn error(mut self, error: &str) -> Self {
        self.error = error.to_owned();
        self
    }

    /// With this status.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With this `suberror`.
    pub fn suberror(mut self, suberror: &str) -> Self {
        self.suberror = Some(suberror.to_owned());
        self
    }

    /// With a claims challenge.
    pub fn claims(mut self, claims: &str) -> Self {
        self.claims = Some(claims.to_owned());
        self
    }

    pub(crate) fn render(&self, call: &Call, chance: &mut Chance, entra: &str, now: Timestamp) -> Answer {
        let trace = chance.guid().to_string();
        let correlation = match call.header("client-request-id") {
            Some(id) if uuid::Uuid::parse_str(id).is_ok() => id.to_owned(),
            _ => chance.guid().to_string(),
        };
        let timestamp = moment::entra(now);
        let mut body = json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
                self.code, self.text
            ),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("{entra}/error?code={}", self.code),
        });
        if let Some(suberror) = &self.suberror {
            body["suberror"] = Value::from(suberror.as_str());
        }
        if let Some(claims) = &self.claims {
            body["claims"] = Value::from(claims.as_str());
        }
        let answer = answer::json(self.status, &body);
        answer::with_header(answer, "x-ms-request-id", &trace)
    }
}

/// Number, `error`, `suberror` or nothing, text.
const KNOWN: &[(u32, &str, &str, &str)] = &[
    (
        16000,
        "interaction_required",
        "",
        "Either multiple user identities are available for the current request or selected account is not supported for the scenario.",
    ),
    (
        28000,
        "invalid_request",
        "",
        "Provided value for the input parameter scope is not valid because it contains more than one resource.",
    ),
    (
        50011,
        "invalid_request",
        "",
        "The redirect URI specified in the request does not match the redirect URIs configured for the application.",
    ),
    (
        50020,
        "invalid_grant",
        "",
        "User account from identity provider does not exist in tenant and cannot access the application in that tenant. The account needs to be added as an external user in the tenant first.",
    ),
    (50027, "invalid_client", "", "JWT token is invalid or malformed."),
    (50033, "temporarily_unavailable", "", "A transient error has occurred. Please try again."),
    (
        50034,
        "invalid_grant",
        "",
        "The user account does not exist in the directory. To sign into this application, the account must be added to the directory.",
    ),
    (
        50053,
        "invalid_grant",
        "",
        "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
    ),
    (50055, "invalid_grant", "user_password_expired", "The password is expired."),
    (50057, "invalid_grant", "", "The user account is disabled."),
    (50058, "login_required", "", "A silent sign-in request was sent but no user is signed in."),
    (
        50059,
        "invalid_request",
        "",
        "No tenant-identifying information found in either the request or implied by any provided credentials.",
    ),
    (
        50072,
        "interaction_required",
        "basic_action",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '499b84ac-1321-427f-aa17-267ca6975798'.",
    ),
    (
        50076,
        "interaction_required",
        "basic_action",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '499b84ac-1321-427f-aa17-267ca6975798'.",
    ),
    (
        50078,
        "interaction_required",
        "basic_action",
        "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '499b84ac-1321-427f-aa17-267ca6975798'.",
    ),
    (
        50079,
        "interaction_required",
        "basic_action",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '499b84ac-1321-427f-aa17-267ca6975798'.",
    ),
    (
        50087,
        "temporarily_unavailable",
        "",
        "A transient error has occurred during signout. Please try again.",
    ),
    (50097, "interaction_required", "basic_action", "Device authentication is required."),
    (
        50105,
        "invalid_grant",
        "",
        "Your administrator has configured the application to block users unless they are specifically granted ('assigned') access to the application.",
    ),
    (50126, "invalid_grant", "", "Error validating credentials due to invalid username or password."),
    (
        50132,
        "invalid_grant",
        "",
        "The session is not valid due to password expiration or recent password change.",
    ),
    (50133, "invalid_grant", "", "Session is invalid due to expiration or recent password change."),
    (
        50158,
        "interaction_required",
        "basic_action",
        "External security challenge not satisfied. User will be redirected to another page or authentication provider to satisfy additional authentication challenges.",
    ),
    (
        50173,
        "invalid_grant",
        "bad_token",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
    ),
    (
        50194,
        "invalid_request",
        "",
        "Application is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
    ),
    (
        50196,
        "invalid_grant",
        "",
        "The server terminated an operation because it encountered a client request loop. Please contact your app vendor.",
    ),
    (
        53000,
        "interaction_required",
        "additional_action",
        "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant.",
    ),
    (
        53001,
        "interaction_required",
        "additional_action",
        "Device is not in required device state: domain_joined. Conditional Access policy requires a domain joined device, and the device is not domain joined.",
    ),
    (
        53003,
        "invalid_grant",
        "message_only",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    (
        54005,
        "invalid_grant",
        "",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
    ),
    (
        65001,
        "invalid_grant",
        "consent_required",
        "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.",
    ),
    (
        65002,
        "invalid_grant",
        "",
        "Consent between first party application and first party resource must be configured via preauthorization - applications owned and operated by Microsoft must get approval from the API owner before requesting tokens for that API.",
    ),
    (65004, "access_denied", "", "User declined to consent to access the app."),
    (70000, "invalid_grant", "bad_token", "Provided grant is invalid or malformed."),
    (70001, "unauthorized_client", "", "The application is disabled."),
    (70003, "unsupported_grant_type", "", "The app returned an unsupported grant type."),
    (
        70008,
        "invalid_grant",
        "token_expired",
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
    ),
    (
        70011,
        "invalid_scope",
        "",
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid.",
    ),
    (
        70016,
        "authorization_pending",
        "",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    (
        70018,
        "bad_verification_code",
        "",
        "Invalid verification code. The device code is not known, or belongs to another client.",
    ),
    (70019, "expired_token", "", "Verification code expired. Have the user retry the sign-in."),
    (70021, "invalid_request", "", "No matching federated identity record found for presented assertion."),
    (70025, "invalid_client", "", "The client has no configured federated identity credentials."),
    (
        70043,
        "invalid_grant",
        "bad_token",
        "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
    ),
    (
        70044,
        "invalid_grant",
        "bad_token",
        "The session has expired or is invalid due to sign-in frequency checks by conditional access.",
    ),
    (
        70052,
        "invalid_client",
        "",
        "The identity must be a managed identity, single tenant app, or service account.",
    ),
    (
        90002,
        "invalid_request",
        "",
        "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
    ),
    (90006, "temporarily_unavailable", "", "The service is temporarily unavailable. Please retry later."),
    (90012, "temporarily_unavailable", "", "The request has timed out. Please retry later."),
    (
        90014,
        "invalid_request",
        "",
        "The required field is missing from the credential. Ensure that you have all the necessary parameters for the login request.",
    ),
    (
        90024,
        "temporarily_unavailable",
        "",
        "The request budget was exceeded or a transient fault occurred. Please retry later.",
    ),
    (90033, "temporarily_unavailable", "", "A transient error has occurred. Please try again."),
    (
        90055,
        "temporarily_unavailable",
        "",
        "The server terminated an operation because the request was throttled: too many requests in the last minute.",
    ),
    (90090, "temporarily_unavailable", "", "The service failed to generate a response. Please retry later."),
    (
        90094,
        "invalid_grant",
        "consent_required",
        "Admin consent is required for the permissions requested by this application.",
    ),
    (
        500011,
        "invalid_resource",
        "",
        "The resource principal was not found in the tenant. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
    ),
    (
        500112,
        "invalid_grant",
        "",
        "The reply address does not match the reply address provided when requesting Authorization code.",
    ),
    (500113, "invalid_request", "", "No reply address is registered for the application."),
    (
        501481,
        "invalid_grant",
        "",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    (501491, "invalid_request", "", "Invalid size of Code_Challenge parameter."),
    (
        530002,
        "interaction_required",
        "additional_action",
        "Your device is required to be compliant to access this resource.",
    ),
    (
        530003,
        "interaction_required",
        "additional_action",
        "Your device is required to be managed to access this resource.",
    ),
    (
        650052,
        "invalid_client",
        "",
        "The app is trying to access a service that your organization lacks a service principal for. Contact your IT Admin to review the configuration of your service subscriptions or consent to the application in order to create the required service principal.",
    ),
    (
        650057,
        "invalid_resource",
        "",
        "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration.",
    ),
    (700007, "invalid_grant", "client_mismatch", "The presented grant was issued to another client."),
    (
        700016,
        "unauthorized_client",
        "",
        "Application was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    (
        700021,
        "invalid_client",
        "",
        "Client assertion application identifier doesn't match 'client_id' parameter.",
    ),
    (700023, "invalid_client", "", "Client assertion audience claim does not match Realm issuer."),
    (700024, "invalid_client", "", "Client assertion is not within its valid time range."),
    (
        700025,
        "invalid_client",
        "",
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    ),
    (
        700027,
        "invalid_client",
        "",
        "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]",
    ),
    (700051, "unsupported_response_type", "", "The response_type is not enabled for the application."),
    (700082, "invalid_grant", "bad_token", "The refresh token has expired due to inactivity."),
    (
        700084,
        "invalid_grant",
        "",
        "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which can't be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page.",
    ),
    (
        700211,
        "invalid_client",
        "",
        "No matching federated identity record found for presented assertion issuer.",
    ),
    (
        700212,
        "invalid_client",
        "",
        "No matching federated identity record found for presented assertion audience.",
    ),
    (
        700213,
        "invalid_client",
        "",
        "No matching federated identity record found for presented assertion subject.",
    ),
    (700223, "invalid_client", "", "Federated identity credentials are restricted by the tenant."),
    (
        700238,
        "invalid_client",
        "",
        "The federated identity credential's issuer is restricted by a policy of the tenant.",
    ),
    (
        900023,
        "invalid_request",
        "",
        "Specified tenant identifier is neither a valid DNS name, nor a valid external domain.",
    ),
    (900144, "invalid_request", "", "The request body must contain the following parameter."),
    (
        1002012,
        "invalid_scope",
        "",
        "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).",
    ),
    (7000112, "unauthorized_client", "", "Application is disabled."),
    (
        7000215,
        "invalid_client",
        "",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app.",
    ),
    (
        7000216,
        "invalid_client",
        "",
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    ),
    (
        7000218,
        "invalid_client",
        "",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    (
        7000222,
        "invalid_client",
        "",
        "The provided client secret keys for app are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security.",
    ),
    (
        7002381,
        "invalid_client",
        "",
        "The federated identity credential is restricted by an enterprise claim of the issuer.",
    ),
    (9002313, "invalid_request", "", "Invalid request. Request is malformed or invalid."),
    (
        9002325,
        "invalid_request",
        "",
        "Proof Key for Code Exchange is required for cross-origin authorization code redemption.",
    ),
    (
        9002327,
        "invalid_request",
        "",
        "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
    ),
];
