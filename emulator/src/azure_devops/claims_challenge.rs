//! Continuous access evaluation: how an access token is refused that a policy has revoked before its end.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;

use super::error::unauthorized;
use crate::answer::Answer;
use crate::services::{Service, Services};

/// 401 before anything is done, with the claims that the next access token has to be asked for with (Microsoft's
/// identity platform documentation, `claims-challenge`). What else stands in Azure DevOps' answer is not known: here
/// the challenge stands among those that it sends to anybody.
pub(crate) fn claims_challenge(services: &mut Services, now: Timestamp) -> Answer {
    let nonce = services.chance.url_safe(32);
    let claims = json!({"access_token": {
        "nbf": {"essential": true, "value": now.as_second().to_string()},
        "xms_fake_nonce": {"value": nonce},
    }});
    let encoded = STANDARD.encode(claims.to_string());
    services.entra.tokens.challenges.insert(claims.to_string());
    services.remember_secret(&encoded);
    let (entra, devops) =
        (services.address(Service::Entra).to_owned(), services.address(Service::DevOps).to_owned());
    let bearer = format!(
        "Bearer realm=\"\", authorization_uri=\"{entra}/common/oauth2/authorize\", error=\"insufficient_claims\", \
         claims=\"{encoded}\""
    );
    unauthorized([format!("Basic realm=\"{devops}/\""), bearer, "TFS-Federated".to_owned()])
}
