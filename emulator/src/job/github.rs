//! GitHub Actions: `GET $ACTIONS_ID_TOKEN_REQUEST_URL&audience=...` gives `{value}`.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use super::GITHUB_ISSUER;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::Services;

/// What GitHub takes if no audience is asked for: the address of the repository's owner, which Entra refuses.
const DEFAULT_AUDIENCE: &str = "https://github.com/contoso";

pub(super) fn token(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    if call.bearer() != Some(services.job.github_request_token.as_str()) {
        return answer::json(
            StatusCode::UNAUTHORIZED,
            &json!({"$id": "1", "message": "The token is not valid for this job.", "typeKey": "UnauthorizedRequestException"}),
        );
    }
    let audience = call.query("audience").filter(|audience| !audience.is_empty()).unwrap_or(DEFAULT_AUDIENCE);
    let subject = services.job.github_subject.clone();
    let value = services.job_token(GITHUB_ISSUER, &subject, audience, now);
    answer::json(StatusCode::OK, &json!({"count": value.len(), "value": value}))
}
