//! The choices that an input gives, as types. What a word means further on is a type of the request.

use strum::{EnumString, VariantNames};

/// `credential`.
#[derive(Clone, Copy, Debug, EnumString, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum CredentialKind {
    /// A refresh token, given or stored.
    RefreshToken,
    /// A sign-in by a code that a person types in.
    DeviceCode,
    /// An access token, given.
    AccessToken,
    /// The account that the Azure CLI is signed in as.
    AzureCli,
    /// A sign-in in this machine's browser.
    Browser,
}

/// `duplicates`.
#[derive(Clone, Copy, Debug, EnumString, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Duplicates {
    /// Fail if several active PATs have the name.
    Fail,
    /// Revoke them.
    Revoke,
}

/// `verify`.
#[derive(Clone, Copy, Debug, EnumString, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum VerifyMode {
    /// Deliver the new PAT untried.
    Off,
    /// Try it, and warn if it does not work.
    Warn,
    /// Try it, and revoke it if it does not work.
    Require,
}

/// `renew`.
#[derive(Clone, Copy, Debug, EnumString, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Renew {
    /// Rotate what is due.
    Due,
    /// Rotate every PAT.
    All,
}

/// `host`.
#[derive(Clone, Copy, Debug, EnumString, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum HostKind {
    /// Azure Pipelines.
    AzurePipelines,
    /// GitHub Actions.
    GithubActions,
    /// Any other.
    Generic,
}
