//! The output `results` of `apply`: what became of each entry of the manifest.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::to_the_second;
use crate::failure::{Failure, sentence_of};

/// What became of one PAT, or would: a row of `results`. Every key is there in every row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApplyResult {
    /// The PAT's organization.
    pub organization: String,
    /// The PAT's name.
    pub display_name: String,
    /// What was done, or would be.
    pub action: ApplyAction,
    /// Why: a sentence.
    pub reason: String,
    /// The id of the PAT that is there now: the new one, or the one that was kept or revoked.
    pub authorization_id: Option<String>,
    /// The ids of those that it takes the place of.
    pub previous_authorization_ids: Vec<String>,
    /// Until when it is good.
    #[serde(serialize_with = "whole_seconds")]
    pub valid_to: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<ApplyError>,
    /// The addresses of the stores that receive it, for the summary.
    #[serde(skip)]
    pub stores: Vec<String>,
}

/// What was done to a PAT, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyAction {
    /// There was none, and one was made and delivered.
    Created,
    /// A new one was made and delivered in place of the old.
    Rotated,
    /// Nothing was to be done.
    Kept,
    /// It was in no entry, and was revoked.
    Revoked,
    /// What was to be done could not be.
    Failed,
    /// The run ended before it was its turn.
    NotBegun,
    /// It is in no entry, and nothing was done.
    Unmanaged,
    /// A dry run: it would be created.
    WouldCreate,
    /// A dry run: it would be rotated.
    WouldRotate,
    /// A dry run: it would be revoked.
    WouldRevoke,
}

impl ApplyAction {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Rotated,
        Self::Kept,
        Self::Revoked,
        Self::Failed,
        Self::NotBegun,
        Self::Unmanaged,
        Self::WouldCreate,
        Self::WouldRotate,
        Self::WouldRevoke,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Rotated => "rotated",
            Self::Kept => "kept",
            Self::Revoked => "revoked",
            Self::Failed => "failed",
            Self::NotBegun => "not-begun",
            Self::Unmanaged => "unmanaged",
            Self::WouldCreate => "would-create",
            Self::WouldRotate => "would-rotate",
            Self::WouldRevoke => "would-revoke",
        }
    }

    /// Whether a PAT was made or revoked.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Created | Self::Rotated | Self::Revoked)
    }
}

/// Why an entry failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApplyError {
    /// What happened.
    pub cause: String,
    /// What to do about it; empty if there is nothing to do.
    pub remedy: String,
    /// The service's own name of the error.
    pub name: Option<String>,
    /// The ids that support asks for, each as `name: id`.
    pub ids: Vec<String>,
}

impl From<&Failure> for ApplyError {
    fn from(failure: &Failure) -> Self {
        Self {
            cause: failure.account(),
            remedy: failure.remedy.clone(),
            name: failure.name.clone(),
            ids: failure.support_ids.iter().map(|(name, id)| format!("{name}: {id}")).collect(),
        }
    }
}

/// As a failure is told.
impl fmt::Display for ApplyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.cause)?;
        if !self.remedy.is_empty() {
            write!(formatter, " {}", sentence_of(&self.remedy))?;
        }
        let details: Vec<&str> = self.name.iter().chain(&self.ids).map(String::as_str).collect();
        if !details.is_empty() {
            write!(formatter, " [{}]", details.join("; "))?;
        }
        Ok(())
    }
}

/// RFC 3339, in whole seconds.
fn whole_seconds<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(to_the_second).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;
    use serde_json::{Value, json};

    #[test]
    fn a_row_has_every_key_and_no_store() {
        let failure = Failure::new(Exit::Refused, "It was refused", "Ask.").named("globalPatPolicyViolation");
        let failure = failure.with_support_ids([("ActivityId", "a1".to_owned())]);
        let row = ApplyResult {
            organization: "fabrikam".into(),
            display_name: "ci".into(),
            action: ApplyAction::NotBegun,
            reason: "The run was cancelled.".into(),
            authorization_id: None,
            previous_authorization_ids: Vec::new(),
            valid_to: "2026-01-01T00:00:00.9Z".parse().ok(),
            error: Some(ApplyError::from(&failure)),
            stores: vec!["file:pat".into()],
        };
        let error = json!({
            "cause": "It was refused.", "remedy": "Ask.", "name": "globalPatPolicyViolation", "ids": ["ActivityId: a1"]
        });
        let expected = json!({
            "organization": "fabrikam",
            "display-name": "ci",
            "action": "not-begun",
            "reason": "The run was cancelled.",
            "authorization-id": null,
            "previous-authorization-ids": [],
            "valid-to": "2026-01-01T00:00:00Z",
            "error": error,
        });
        assert_eq!(json!(row), expected);
    }

    #[test]
    fn an_actions_word_is_what_the_output_holds() {
        for action in ApplyAction::ALL {
            assert_eq!(json!(action), Value::from(action.word()));
        }
    }
}
