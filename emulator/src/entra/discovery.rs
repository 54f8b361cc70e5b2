//! The documents by which sign-in libraries find everything else.

use http::StatusCode;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::services::{Service, Services};

/// The tenant's OpenID configuration.
pub(super) fn configuration(services: &Services, tenant: &str) -> Answer {
    let entra = services.address(Service::Entra);
    let named =
        services.cast.tenant(tenant).map_or_else(|| "{tenantid}".to_owned(), |tenant| tenant.to_string());
    let base = format!("{entra}/{tenant}");
    answer::json(
        StatusCode::OK,
        &json!({
            "issuer": format!("{entra}/{named}/v2.0"),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }),
    )
}

/// Which hosts belong together: only this one.
pub(super) fn instance(services: &Services, asked: Option<&str>) -> Answer {
    let entra = services.address(Service::Entra);
    let host = entra.split_once("://").map_or(entra, |(_, host)| host);
    let tenant = asked
        .and_then(|endpoint| endpoint.split_once("://"))
        .and_then(|(_, rest)| rest.split('/').nth(1))
        .unwrap_or("common");
    answer::json(
        StatusCode::OK,
        &json!({
            "tenant_discovery_endpoint": format!("{entra}/{tenant}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }),
    )
}
