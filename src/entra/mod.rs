//! Signing in to Microsoft Entra, as a user.

pub mod azure_cli;
pub mod browser;
mod certificate;
mod client;
mod client_authentication;
pub mod device_code;
mod pkcs12_without_password;
pub mod refusal;
#[cfg(test)]
pub(crate) mod scripted;
mod token_answer;

use std::time::Duration;

use tokio::time::Instant;

pub use self::certificate::Certificate;
pub use self::client::{Client, Refusal};
pub use self::client_authentication::Proof;
use crate::secret::Secret;

/// The resource every token is for: Azure DevOps (MicrosoftDocs/azure-devops-docs).
pub const AZURE_DEVOPS: &str = "499b84ac-1321-427f-aa17-267ca6975798";

/// What a sign-in yields.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The bearer for Azure DevOps. Opaque: it is never looked into.
    pub access_token: Secret,
    /// When it ends, measured from the answer.
    pub expires: Option<Instant>,
    /// The refresh token that takes the place of the one redeemed, if Entra sent one.
    pub refresh_token: Option<Secret>,
    /// The permissions Entra says it granted (optional in the protocol), without their resource.
    pub granted: Option<Vec<String>>,
}

impl Tokens {
    /// Whether the access token is good for at least `margin` more, as far as is known.
    pub fn good_for(&self, margin: Duration) -> bool {
        self.expires.is_none_or(|expires| expires.saturating_duration_since(Instant::now()) > margin)
    }
}
