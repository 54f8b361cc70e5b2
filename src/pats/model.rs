//! A personal access token as the service describes it. Never its value: that is in the answer to a create
//! alone, as a [`Secret`](crate::secret::Secret).

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Scope;
use crate::inputs::span;

/// A PAT, without its value.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Pat {
    /// The GUID by which it is read, changed and revoked. Not a secret.
    pub authorization_id: String,
    /// Its name; several PATs may bear one.
    #[serde(default, deserialize_with = "null_is_default")]
    pub display_name: String,
    /// What it may do.
    #[serde(default, deserialize_with = "null_is_default")]
    pub scope: Scope,
    /// When it was made.
    #[serde(default, deserialize_with = "instant")]
    pub valid_from: Option<Timestamp>,
    /// When it expires.
    #[serde(default, deserialize_with = "instant")]
    pub valid_to: Option<Timestamp>,
    /// The ids of the organizations it is good for; none means every one its owner can reach: a global PAT.
    #[serde(default)]
    pub target_accounts: Option<Vec<String>>,
}

impl Pat {
    /// Whether it is a global PAT (`targetAccounts: null`).
    pub fn is_global(&self) -> bool {
        self.target_accounts.is_none()
    }

    /// Whether it has expired by then.
    pub fn expired_at(&self, now: Timestamp) -> bool {
        self.valid_to.is_some_and(|valid_to| valid_to <= now)
    }

    /// The time between its making and its end.
    pub fn lifetime(&self) -> Option<SignedDuration> {
        Some(self.valid_to?.duration_since(self.valid_from?))
    }
}

/// A PAT to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPat {
    /// Its name.
    pub display_name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it is to expire.
    pub valid_to: Timestamp,
    /// How long it is to live, where that is what was asked: counted from the request that makes it.
    pub lifetime: Option<Duration>,
}

impl NewPat {
    /// When it is to expire, if it is asked for at this moment.
    pub fn end_at(&self, now: Timestamp) -> Timestamp {
        self.lifetime.map_or(self.valid_to, |lifetime| span::after(now, lifetime))
    }
}

/// What `filter` and the service's `displayFilterOption` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Neither revoked nor expired.
    Active,
    /// Expired.
    Expired,
    /// Revoked.
    Revoked,
    /// All of them.
    All,
}

impl Filter {
    /// The word, the same for the input and for the service.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::All => "all",
        }
    }
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An instant; without an offset it is meant in UTC, as .NET writes one whose kind it does not know. What is none is
/// unknown, so that one odd PAT does not hide all others.
fn instant<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| {
        let in_utc = || Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
        text.parse().ok().or_else(in_utc)
    }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("2026-11-28T05:00:00.1234567Z", Some("2026-11-28T05:00:00.1234567Z"))]
    #[case("2026-11-28T05:00:00+02:00", Some("2026-11-28T03:00:00Z"))]
    #[case("2026-11-28T05:00:00", Some("2026-11-28T05:00:00Z"))]
    #[case("0001-01-01T00:00:00", Some("0001-01-01T00:00:00Z"))]
    #[case("9999-12-31T23:59:59.9999999Z", None)]
    #[case("soon", None)]
    fn an_odd_date_does_not_hide_the_pat(#[case] text: &str, #[case] expected: Option<&str>) {
        let pat = json!({"authorizationId": "00000000-0000-0000-0000-000000000001", "validTo": text});
        let pat: Pat = serde_json::from_value(pat).expect("a PAT");
        assert_eq!(pat.valid_to, expected.map(|text| text.parse().expect("an instant")));
    }
}
