//! The terms on which a new PAT is asked for, whichever operation asks.

use std::time::Duration;

use jiff::Timestamp;
use strum::{EnumString, VariantNames};
use url::Url;

use crate::azure_devops::Organization;

/// Until when a PAT is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// `lifetime`, counted from the moment of the request.
    After(Duration),
    /// `valid-to`.
    At(Timestamp),
}

impl Expiry {
    /// How long a PAT of `create` and of `apply` lives if nothing says how long.
    pub const CREATED_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
    /// How long a PAT of `exec` lives if nothing says how long.
    pub const EXECUTED_FOR: Duration = Duration::from_secs(60 * 60);
    /// The longest that a PAT lives, by Microsoft's documentation; a leap year is one too.
    pub const A_YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
}

/// What to do if the service grants over 60 s less than was asked.
#[derive(Clone, Copy, Debug, EnumString, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum OnShortenedLifetime {
    /// Warn.
    Warn,
    /// Revoke what was made and fail.
    Fail,
}

/// Whether a new PAT is tried before it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// `warn` is false, `require` is true.
    pub required: bool,
    /// `verify-url`, or the organization's connectionData.
    pub url: Url,
}

impl Verify {
    /// The address at which a PAT of this organization is tried if none is given.
    pub fn default_url(devops_url: &Url, organization: &Organization) -> Option<Url> {
        let base = devops_url.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}/{organization}/_apis/connectionData")).ok()
    }
}

/// What every operation that makes a PAT has in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minting {
    /// `on-shortened-lifetime`.
    pub on_shortened_lifetime: OnShortenedLifetime,
    /// `verify` and `verify-url`; none is `off`.
    pub verify: Option<Verify>,
}
