//! The state of a PAT, in the words that every list and summary uses.

use jiff::Timestamp;

use crate::pats::Pat;
use crate::pats::model::GLOBAL_PATS_END;

/// How a PAT stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It works.
    Active,
    /// Its `validTo` has passed.
    Expired,
    /// It was revoked.
    Revoked,
    /// It is global, and stopped working with all global PATs.
    Stopped,
}

impl State {
    /// How a PAT that was not revoked stands at this moment.
    pub(super) fn of(pat: &Pat, now: Timestamp) -> Self {
        match pat {
            _ if pat.expired_at(now) => Self::Expired,
            _ if pat.is_over_at(now) => Self::Stopped,
            _ => Self::Active,
        }
    }

    /// Whether a PAT in this state works.
    pub(super) fn works(self) -> bool {
        self == Self::Active
    }

    /// The state of this PAT, and whether it is global.
    pub(super) fn words(self, pat: &Pat) -> String {
        let state = match self {
            Self::Active => "active".to_owned(),
            Self::Expired => "expired".to_owned(),
            Self::Revoked => "revoked".to_owned(),
            Self::Stopped => format!("stopped working on {GLOBAL_PATS_END}"),
        };
        if pat.is_global() { format!("{state}, global") } else { state }
    }
}
