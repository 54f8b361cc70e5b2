//! Revoke: 204 and no body, whatever the specification's 200 says (its own example shows 204).

use http::StatusCode;
use uuid::Uuid;

use super::Asked;
use crate::answer::{self, Answer};
use crate::azure_devops::VssError;
use crate::services::Services;

pub(super) fn answer(services: &mut Services, asked: &Asked) -> Result<Answer, Answer> {
    let id = asked.call.query("authorizationId").unwrap_or_default();
    let Ok(id) = Uuid::parse_str(id) else {
        return Err(VssError::argument(format!(
            "The value '{id}' is not valid for parameter 'authorizationId'."
        ))
        .render());
    };
    let owner = &asked.caller.user.name;
    let record = services.pats.find_mut(id, owner, &asked.organization.name);
    match record.filter(|record| record.revoked.is_none()) {
        Some(record) => {
            record.revoked = Some(asked.now);
            Ok(answer::empty(StatusCode::NO_CONTENT))
        }
        // Microsoft's own rotation tool catches this exception when it revokes (azure-sdk-tools,
        // ServiceAccountPersonalAccessTokenStore.cs); the status is a guess.
        None => Err(VssError::new(
            StatusCode::NOT_FOUND,
            "Microsoft.VisualStudio.Services.DelegatedAuthorization.SessionTokenNotFoundException",
            format!("Session token with authorization id {id} was not found."),
        )
        .render()),
    }
}
