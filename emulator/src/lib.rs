//! What Azurite is to Azure Storage, this is to Microsoft Entra and the Azure DevOps PAT lifecycle API: the
//! services on loopback, stateful, with every refusal that the real ones are known for, and with faults to
//! order. For testing any program that manages personal access tokens.
//!
//! ```
//! use adopat_emulator::{Emulator, Fault, NewPat, Service};
//!
//! let emulator = Emulator::start();
//! emulator.add_pat(NewPat::named("nightly").scope("vso.build"));
//! emulator.order(Fault::on(Service::Pats).method("POST").lose_answer());
//! // ... run a program against emulator.entra_url() and emulator.service_url() ...
//! for request in emulator.requests() {
//!     println!("{} -> {:?}", request.line(), request.outcome);
//! }
//! ```
//!
//! # The house
//!
//! * [`Services`] answers requests: no socket, no clock, no thread; the same seed gives the same answers.
//!   [`cast`] says who there is.
//! * [`Switchboard`] puts [faults](Fault) and the [log](Recorded) around it, still without a socket.
//! * [`Emulator`] puts that on loopback, http or TLS, on a thread of its own.
//!
//! Nothing here is secret: every token, key and id is a fake, and says so where its shape allows.

#![forbid(unsafe_code)]
#![allow(clippy::result_large_err, reason = "a refusal is an answer, and answers are not in a hurry")]

mod answer;
mod azure_devops;
mod call;
pub mod cast;
mod chance;
mod emulator;
mod entra;
mod fault;
mod github;
mod hold;
mod job;
mod jwt;
mod kubernetes;
mod log;
mod managed_identity;
mod moment;
mod pats;
mod policy;
mod scenario;
mod server;
mod services;
mod switchboard;
mod vault;

pub use self::azure_devops::{
    ConnectionRole, GroupRole, NewServiceConnection, NewVariableGroup, ServiceConnection, Variable,
    VariableGroup,
};
pub use self::cast::{
    AppRegistration, Creation, FederatedCredential, Membership, Organization, Platform, Policies, Redirect,
    RefusalShape, TooLong, User, UserKind,
};
pub use self::emulator::{Builder, Emulator};
pub use self::entra::aadsts::Aadsts;
pub use self::entra::{
    AZURE_DEVOPS, Audience, ClientKind, DeviceCode, DeviceCodePolicy, DeviceCodeState, RefreshTokenState,
};
pub use self::fault::{
    Course, Delivery, Fault, HOSTILE_TEXTS, Instead, OVERSIZED, RetryAfter, Rewrite, Spoil, response,
};
pub use self::github::{GitHubLimit, GitHubRights, GitHubSecret};
pub use self::hold::Hold;
pub use self::job::{GITHUB_ISSUER, Job, TOKEN_EXCHANGE};
pub use self::kubernetes::KubernetesSecret;
pub use self::log::{Outcome, Recorded};
pub use self::pats::{NewPat, PAT_TOKEN_ERRORS, Pat, PatStatus};
pub use self::policy::POLICIES;
pub use self::scenario::Scenario;
pub use self::services::{Service, Services};
pub use self::switchboard::{Number, Switchboard};
pub use self::vault::{
    Challenge, Deletion, Expiry, VaultAccess, VaultPolicy, VaultRights, VaultSecret, VaultVersion,
};

/// Holds the README to what compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
