//! The PAT lifecycle service of Azure DevOps: its model, its five calls, and what its refusals mean.
//!
//! The service is `https://vssps.dev.azure.com/ORG/_apis/tokens/pats`, in preview for as long as it has
//! existed (MicrosoftDocs/vsts-rest-api-specs, `specification/tokens`). It serves the caller's own PATs, to a
//! user's bearer alone.

pub mod fingerprint;
pub mod minting;
pub mod model;
pub mod reconciling;
pub mod refusal;
pub mod scope;
pub mod scope_wording;
mod service;
pub mod terms;
pub mod undone;

pub use self::fingerprint::Fingerprint;
pub use self::model::{NewPat, Pat};
pub use self::scope::Scope;
pub use self::service::{Change, CreateError, Minted, Revocation, Service};
pub use self::undone::Undone;
