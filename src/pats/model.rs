//! A personal access token as the service describes it. Never its value: that is in the answer to a create
//! alone, as a [`Secret`](crate::secret::Secret).

use std::time::Duration;

use jiff::civil::{Date, DateTime, date};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::Scope;
use crate::time::span;

/// From the beginning of this day on (UTC) no global PAT works (Azure DevOps release notes, sprint 270).
pub const GLOBAL_PATS_END: Date = date(2026, 12, 1);

/// Whether no global PAT works any more.
pub fn global_pats_have_ended(now: Timestamp) -> bool {
    global_pats_end() <= now
}

fn global_pats_end() -> Timestamp {
    Offset::UTC.to_timestamp(GLOBAL_PATS_END.at(0, 0, 0, 0)).expect("the day is within reach")
}

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

    /// Whether its `validTo` has passed at this time.
    pub fn expired_at(&self, now: Timestamp) -> bool {
        self.valid_to.is_some_and(|valid_to| valid_to <= now)
    }

    /// When it stops working, if it is not revoked before: at its `validTo`, or, if it is global, with all global
    /// PATs if that is sooner.
    pub fn end(&self) -> Option<Timestamp> {
        let last = self.is_global().then(global_pats_end);
        self.valid_to.into_iter().chain(last).min()
    }

    /// Whether it has stopped working at this time, even if nobody revoked it.
    pub fn is_over_at(&self, now: Timestamp) -> bool {
        self.end().is_some_and(|end| end <= now)
    }

    /// The time between its creation and its expiry.
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
    /// How long it is to live, if a lifetime was asked for: counted from the request that makes it.
    pub lifetime: Option<Duration>,
}

impl NewPat {
    /// When it is to expire, if it is asked for at this moment.
    pub fn end_at(&self, now: Timestamp) -> Timestamp {
        self.lifetime.map_or(self.valid_to, |lifetime| span::after(now, lifetime))
    }
}

/// What `filter` and the service's `displayFilterOption` may say.
#[derive(Clone, Copy, Debug, EnumString, IntoStaticStr, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
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
        self.into()
    }
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An instant. One without an offset is in UTC: .NET writes an instant of unknown kind that way. A text that is not
/// an instant counts as unknown, so that one odd PAT does not hide all others.
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
    #[case::global_and_long("2027-06-01T00:00:00Z", true, "2026-12-01T00:00:00Z")]
    #[case::global_and_short("2026-11-01T00:00:00Z", true, "2026-11-01T00:00:00Z")]
    #[case::of_one_organization("2027-06-01T00:00:00Z", false, "2027-06-01T00:00:00Z")]
    fn a_global_pat_ends_with_all_of_them(#[case] valid_to: &str, #[case] global: bool, #[case] end: &str) {
        let target_accounts = if global { json!(null) } else { json!([]) };
        let id = "00000000-0000-0000-0000-000000000001";
        let pat = json!({"authorizationId": id, "validTo": valid_to, "targetAccounts": target_accounts});
        let pat: Pat = serde_json::from_value(pat).expect("a PAT");
        let end: Timestamp = end.parse().expect("an instant");
        assert_eq!(pat.end(), Some(end));
        assert!(pat.is_over_at(end) && !pat.is_over_at(end - SignedDuration::from_nanos(1)));
    }

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
