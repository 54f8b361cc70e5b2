//! Azure DevOps' generic error: JSON behind a byte order mark, with the exception's name as `typeKey`.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::services::Services;

/// The exceptions that say "you may not" carry this event id.
const EVENT: u32 = 3000;

/// One generic error.
#[derive(Clone, Debug)]
pub(crate) struct VssError {
    status: StatusCode,
    exception: String,
    message: String,
}

impl VssError {
    /// `exception` is the .NET type's full name.
    pub(crate) fn new(status: StatusCode, exception: &str, message: impl Into<String>) -> Self {
        Self { status, exception: exception.to_owned(), message: message.into() }
    }

    /// A parameter is wrong.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "System.ArgumentException", message)
    }

    /// The body is no JSON, or is not said to be (vsts-rest-api-specs#636).
    pub(crate) fn no_json(services: &mut Services) -> Answer {
        let activity = services.chance.guid();
        Self::new(
            StatusCode::BAD_REQUEST,
            "Newtonsoft.Json.JsonReaderException",
            format!("TF400898: An Internal Error Occurred. Activity Id: {activity}."),
        )
        .render()
    }

    pub(crate) fn render(&self) -> Answer {
        let (namespace, key) = self.exception.rsplit_once('.').unwrap_or(("", &self.exception));
        let body = json!({
            "$id": "1",
            "innerException": null,
            "message": self.message,
            "typeName": format!("{}, {namespace}", self.exception),
            "typeKey": key,
            "errorCode": 0,
            "eventId": EVENT,
        });
        let text = format!("\u{feff}{body}");
        let answer = answer::bytes(self.status, "application/json; charset=utf-8", text.into_bytes());
        let url_encoded = utf8_percent_encode(&self.message, NON_ALPHANUMERIC).to_string();
        answer::with_header(answer, "X-TFS-ServiceError", &url_encoded)
    }
}

/// An Entra bearer that this organization does not let in: a stranger, another tenant, or a permission that was
/// not delegated; the three look alike.
pub(crate) fn not_authorized(user: &str) -> Answer {
    let message = format!("TF400813: The user '{user}' is not authorized to access this resource.");
    let answer = VssError::new(
        StatusCode::UNAUTHORIZED,
        "Microsoft.VisualStudio.Services.Identity.InvalidIdentityException",
        message,
    )
    .render();
    answer::with_header(answer, "WWW-Authenticate", "Bearer")
}
