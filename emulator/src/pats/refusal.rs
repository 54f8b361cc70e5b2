//! `patTokenError`: the refusals that this API has names for.

use http::StatusCode;
use serde_json::{Value, json};

use super::WITH_MESSAGE;
use crate::answer::{self, Answer};
use crate::azure_devops::{Version, VssError};
use crate::cast::RefusalShape;

/// Every value of `patTokenError` (vsts-rest-api-specs, tokens/7.2, `SessionTokenError`); `none` is success.
pub const PAT_TOKEN_ERRORS: [&str; 37] = [
    "none",
    "displayNameRequired",
    "invalidDisplayName",
    "invalidValidTo",
    "invalidScope",
    "userIdRequired",
    "invalidUserId",
    "invalidUserType",
    "accessDenied",
    "failedToIssueAccessToken",
    "invalidClient",
    "invalidClientType",
    "invalidClientId",
    "invalidTargetAccounts",
    "hostAuthorizationNotFound",
    "authorizationNotFound",
    "failedToUpdateAccessToken",
    "sourceNotSupported",
    "invalidSourceIP",
    "invalidSource",
    "duplicateHash",
    "sshPolicyDisabled",
    "invalidToken",
    "tokenNotFound",
    "invalidAuthorizationId",
    "failedToReadTenantPolicy",
    "globalPatPolicyViolation",
    "fullScopePatPolicyViolation",
    "patLifespanPolicyViolation",
    "invalidTokenType",
    "invalidAudience",
    "invalidSubject",
    "deploymentHostNotSupported",
    "disablePatCreationPolicyViolation",
    "failedToReadOrgPolicy",
    "globalPATCreationBlocked",
    "expiredPatCannotBeExtended",
];

/// The answer that refuses with this name.
pub(crate) fn refused(error: &str, shape: RefusalShape, version: Version) -> Answer {
    let status = match shape {
        RefusalShape::Ok => StatusCode::OK,
        RefusalShape::BadRequest => StatusCode::BAD_REQUEST,
        RefusalShape::Generic => return generic(error),
    };
    let mut body = json!({"patToken": null, "patTokenError": error});
    if version >= WITH_MESSAGE {
        body["patTokenErrorMessage"] = Value::from(format!("The request was refused: {error}."));
    }
    answer::json(status, &body)
}

/// The sibling API `sessiontokens` answers so; Git Credential Manager then prints the message, which is the
/// bare name (git-credential-manager#355).
fn generic(error: &str) -> Answer {
    let mut name = error.to_owned();
    name[..1].make_ascii_uppercase();
    VssError::new(
        StatusCode::BAD_REQUEST,
        "Microsoft.VisualStudio.Services.DelegatedAuthorization.SessionTokenCreateException",
        name,
    )
    .render()
}
