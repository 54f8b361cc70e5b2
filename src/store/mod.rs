//! A store keeps one secret under one address. The same stores keep the refresh token between runs
//! (`credential-store`) and receive a new PAT (`deliver-to`).

pub mod address;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::address::Address;
use crate::failure::Failure;
use crate::patience::Patience;
use crate::secret::Secret;

/// What a stored secret is, for the places that can say so beside it.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The refresh token of the user who signs in.
    RefreshToken,
    /// A PAT and what is known of it.
    Pat {
        /// By which it is revoked.
        authorization_id: String,
        /// Its name.
        display_name: String,
        /// The organization it is good for.
        organization: String,
        /// When it expires.
        valid_to: Option<Timestamp>,
    },
}

/// A place that keeps one secret.
///
/// Every call takes the patience it may use; a failure's exit code is the caller's business where it says
/// so, since "cannot be read" means something else for a credential than for a delivery.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where it is, as the input named it.
    fn address(&self) -> &Address;

    /// Whether a value, once written, can be read back by us.
    fn is_readable(&self) -> bool;

    /// Finds out whether the secret could be written, without writing it: asked before anything is minted.
    /// What is doubtful, but no reason to stop, comes back as a sentence to warn with.
    async fn prepare(&self, patience: &Patience) -> Result<Option<String>, Failure>;

    /// The secret, or none where nothing has been stored yet. Only where [`Store::is_readable`].
    async fn read(&self, patience: &Patience) -> Result<Option<Secret>, Failure>;

    /// Stores the secret in place of what was there, whole or not at all.
    async fn write(&self, secret: &Secret, kind: &Kind, patience: &Patience) -> Result<(), Failure>;

    /// Gives a readable store back what it held before [`Store::write`] (none: it held nothing).
    async fn restore(&self, previous: Option<&Secret>, patience: &Patience) -> Result<(), Failure>;
}
