//! Azure DevOps' generic error, with the exception's name as `typeKey`. How it is sent depends on where it arises,
//! as recordings show: what a controller refuses is plain JSON; what is refused before any controller is asked begins
//! with a byte order mark, and says its message in `X-TFS-ServiceError` too.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::answer::{self, Answer};
use crate::services::Services;

/// The exceptions that say "you may not" carry this event id.
const EVENT: u32 = 3000;

/// 401 with these challenges. vscode-pull-request-azdo#81 shows the text and the exception.
pub(super) fn unauthorized(challenges: [String; 3]) -> Answer {
    let answer = VssError::new(
        StatusCode::UNAUTHORIZED,
        "Microsoft.TeamFoundation.Framework.Server.UnauthorizedRequestException",
        "TF400813: Resource not available for anonymous access. Client authentication required.",
    )
    .before_controllers()
    .render();
    challenges
        .iter()
        .fold(answer, |answer, challenge| answer::with_header(answer, "WWW-Authenticate", challenge))
}

/// One generic error.
#[derive(Clone, Debug)]
pub(crate) struct VssError {
    status: StatusCode,
    exception: String,
    message: String,
    by: By,
}

/// Who refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The controller that the address leads to.
    Controller,
    /// The pipeline in front of the controllers.
    Pipeline,
}

impl VssError {
    /// What a controller refuses. `exception` is the .NET type's full name.
    pub(crate) fn new(status: StatusCode, exception: &str, message: impl Into<String>) -> Self {
        let (exception, message) = (exception.to_owned(), message.into());
        Self { status, exception, message, by: By::Controller }
    }

    /// The same, refused before any controller is asked.
    pub(crate) fn before_controllers(self) -> Self {
        Self { by: By::Pipeline, ..self }
    }

    /// A parameter is wrong.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "System.ArgumentException", message)
    }

    /// A parameter is missing.
    pub(crate) fn null_argument(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "System.ArgumentNullException",
            format!("Value cannot be null.\r\nParameter name: {name}"),
        )
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
        match self.by {
            By::Controller => answer::json(self.status, &body),
            By::Pipeline => {
                let text = format!("\u{feff}{body}");
                let answer = answer::bytes(self.status, "application/json; charset=utf-8", text.into_bytes());
                with_service_error(answer, &self.message)
            }
        }
    }
}

/// An address that leads nowhere: a plain text, and the same in the header.
pub(crate) fn no_such_route(path: &str) -> Answer {
    let message =
        format!("The controller for path '/{path}' was not found or does not implement IController.");
    let answer =
        answer::bytes(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", message.clone().into_bytes());
    with_service_error(answer, &message)
}

/// The message in the header, URL-encoded.
fn with_service_error(answer: Answer, message: &str) -> Answer {
    let url_encoded = utf8_percent_encode(message, NON_ALPHANUMERIC).to_string();
    answer::with_header(answer, "X-TFS-ServiceError", &url_encoded)
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
    .before_controllers()
    .render();
    answer::with_header(answer, "WWW-Authenticate", "Bearer")
}

/// The project, by name or id, is not there; the message repeats it as it was sent.
pub(super) fn no_such_project(project: &str) -> Answer {
    VssError::new(
        StatusCode::NOT_FOUND,
        "Microsoft.TeamFoundation.Core.WebApi.ProjectDoesNotExistWithNameException",
        format!(
            "TF200016: The following project does not exist: {project}. Verify that the name of the project is \
             correct and that the project exists on the specified Azure DevOps Server."
        ),
    )
    .render()
}
