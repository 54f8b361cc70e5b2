//! What a step of a job saves for the job's last step, so that even a run that was killed leaves no PAT: the
//! name, scope and expiry of what it is about to make, when, and as soon as it is known the authorization id.
//!
//! Hosts hand it back as a variable: GitHub to the last step, Azure Pipelines also to a retried attempt of the
//! same step, which has to deal with what the attempt before left.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::pats::{Pat, Scope};

/// The name under which it is saved. The launcher looks for it before it looks for the binary.
pub const STATE: &str = "adopat_pending";
/// The name under which the refresh token is saved, where the last step could not sign in otherwise.
pub const REFRESH_TOKEN_STATE: &str = "adopat_refresh_token";

/// How far the service's clock, which tells whole seconds, may be from when it says a PAT was made.
const SLACK: SignedDuration = SignedDuration::from_secs(2);
/// How far the end of a PAT may be from what was asked: the service rounds to 1/300 s.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// A PAT that was, or was going to be, made.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pending {
    /// Its name.
    pub display_name: String,
    /// Its scopes, separated by spaces.
    pub scope: String,
    /// When it was asked to expire.
    pub valid_to: Timestamp,
    /// When it was asked for, on the services' clock.
    pub asked_at: Timestamp,
    /// By which it is revoked, once that is known.
    pub authorization_id: Option<String>,
}

impl Pending {
    /// Reads what was saved; what cannot be read is nothing.
    pub fn parse(text: &str) -> Vec<Self> {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is saved.
    pub fn to_text(all: &[Self]) -> String {
        serde_json::to_string(all).unwrap_or_default()
    }

    /// Whether this is the PAT: by its id; where that never became known, by what only it can have.
    pub fn is(&self, pat: &Pat) -> bool {
        if let Some(id) = &self.authorization_id {
            return pat.authorization_id.eq_ignore_ascii_case(id);
        }
        let (Some(from), Some(to)) = (pat.valid_from, pat.valid_to) else { return false };
        let asked_for = pat.display_name == self.display_name && pat.scope == Scope::parse(&self.scope);
        let early = self.asked_at.duration_since(from);
        asked_for && early <= SLACK && to.duration_since(self.valid_to) <= ROUNDING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const ASKED_AT: &str = "2026-01-01T00:00:10Z";
    const VALID_TO: &str = "2026-02-01T00:00:00Z";

    #[rstest]
    #[case::the_one("vso.code", "2026-01-01T00:00:11Z", VALID_TO, true)]
    #[case::within_the_slack("vso.code", "2026-01-01T00:00:08Z", VALID_TO, true)]
    #[case::older("vso.code", "2026-01-01T00:00:07Z", VALID_TO, false)]
    #[case::shortened("vso.code", "2026-01-01T00:00:11Z", "2026-01-08T00:00:00Z", true)]
    #[case::older_and_shorter("vso.code", "2025-12-31T23:55:00Z", "2026-01-08T00:00:00Z", false)]
    #[case::living_longer("vso.code", "2026-01-01T00:00:11Z", "2026-03-01T00:00:00Z", false)]
    #[case::of_another_scope("vso.build", "2026-01-01T00:00:11Z", VALID_TO, false)]
    fn without_an_id_it_is_known_by_what_only_it_can_have(
        #[case] scope: &str,
        #[case] from: &str,
        #[case] to: &str,
        #[case] is: bool,
    ) {
        let pending = Pending {
            display_name: "ci".into(),
            scope: "vso.code".into(),
            valid_to: VALID_TO.parse().expect("an instant"),
            asked_at: ASKED_AT.parse().expect("an instant"),
            authorization_id: None,
        };
        let pat = Pat {
            authorization_id: "00000000-0000-0000-0000-000000000001".into(),
            display_name: "ci".into(),
            scope: Scope::parse(scope),
            valid_from: from.parse().ok(),
            valid_to: to.parse().ok(),
            target_accounts: Some(vec![]),
        };
        assert_eq!(pending.is(&pat), is);
        let known = Pending { authorization_id: Some(pat.authorization_id.clone()), ..pending.clone() };
        assert!(known.is(&pat));
        assert_eq!(Pending::parse(&Pending::to_text(&[pending.clone(), known.clone()])), [pending, known]);
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        assert_eq!(Pending::parse("{"), []);
        assert_eq!(Pending::parse(""), []);
    }
}
