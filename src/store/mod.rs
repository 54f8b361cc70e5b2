//! A store keeps one secret under one address. The same stores keep the refresh token between runs
//! (`credential-store`) and receive a new PAT (`deliver-to`).

pub mod address;
pub mod all_stores;
mod azure_devops_call;
mod azure_transport;
pub mod bearer;
pub mod command;
#[cfg(test)]
mod fake;
pub mod file;
pub mod github_secret;
pub mod holding;
pub mod key_vault;
pub mod key_vault_refusal;
pub mod kubernetes_secret;
mod place;
pub mod sealed;
pub mod service_connection;
pub mod shell_words;
pub mod turns;
pub mod variable_group;
pub mod vault_identity;
mod written;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::address::{Address, Turn};
pub use self::all_stores::AllStores;
pub use self::bearer::Bearer;
pub use self::holding::{Expected, Holding};
pub use self::kubernetes_secret::Cluster;
pub use self::place::Place;
pub use self::turns::Turns;
pub use self::vault_identity::VaultSettings;
use crate::azure_devops::{Endpoints, Organization};

use crate::failure::{Exit, Failure};
use crate::http::Http;
use crate::secret::Secret;
use crate::time::Deadline;

/// What a stored secret is, for the stores that can say so beside it.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The refresh token of the user who signs in.
    RefreshToken,
    /// A PAT and what is known of it.
    Pat {
        /// The id by which it is revoked.
        authorization_id: String,
        /// Its name.
        display_name: String,
        /// The organization it is good for.
        organization: String,
        /// What it may do, in words between spaces.
        scope: String,
        /// When it was made.
        valid_from: Option<Timestamp>,
        /// When it expires.
        valid_to: Option<Timestamp>,
    },
}

impl Kind {
    /// How long Microsoft Entra keeps a refresh token that nobody uses (MicrosoftDocs/entra-docs, refresh-tokens).
    pub const REFRESH_TOKENS_IDLE_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
}

/// Whether a store was given back what it held before a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It holds again what [`Store::prepare`] found: a value, or none.
    Whole,
    /// What it held before is unknown or cannot be brought back: it holds what was last written.
    NotPossible,
    /// The answer to a write was lost and nobody could find out what became of the write: the store may hold what
    /// was last written.
    Doubtful,
}

/// A place that keeps one secret.
///
/// Every call takes the deadline that it has to keep. The exit code of a failure depends on the call: a value that
/// cannot be read means that a sign-in is needed again (3), one that cannot be written is a failure of the store
/// (7). A cancelled run stays one.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where it is, as the input named it.
    fn address(&self) -> &Address;

    /// When it is written in a delivery.
    fn turn(&self) -> Turn {
        self.address().turn()
    }

    /// Whether adopat can read a value back once it is written.
    fn is_readable(&self) -> bool {
        self.address().is_readable()
    }

    /// Finds out, before anything is minted, whether the secret could be written, and remembers for
    /// [`Store::restore`] what the store holds now. It writes nothing. It returns what is doubtful but no reason to
    /// stop, as a warning.
    async fn prepare(&self, deadline: &Deadline) -> Result<Option<Failure>, Failure>;

    /// What adopat would say of a PAT beside it, but finds no room for, to warn of; known once the store was
    /// [prepared](Store::prepare).
    async fn gives_way(&self) -> Option<Failure> {
        None
    }

    /// Whether it holds this PAT, as far as it tells; nothing is written.
    ///
    /// # Errors
    /// Why it could not be asked: exit 7, or a cancelled run.
    async fn holds(&self, expected: &Expected<'_>, deadline: &Deadline) -> Result<Holding, Failure>;

    /// The secret, or `None` if nothing has been stored yet, or the store never shows what it holds.
    async fn read(&self, deadline: &Deadline) -> Result<Option<Secret>, Failure>;

    /// Stores the secret in place of what was there, whole or not at all.
    async fn write(&self, secret: &Secret, kind: &Kind, deadline: &Deadline) -> Result<(), Failure>;

    /// Gives the store back what it held when it was [prepared](Store::prepare), as far as that is known.
    async fn restore(&self, deadline: &Deadline) -> Result<Restored, Failure>;
}

/// What it takes to open a store. Each kind uses what it needs.
#[derive(Clone)]
pub struct Context {
    /// The way to the services.
    pub http: Http,
    /// The addresses of the services.
    pub places: Endpoints,
    /// `organization`, for a variable group.
    pub organization: Option<Organization>,
    /// The bearer for Azure DevOps, once there is one; for a variable group.
    pub bearer: Bearer,
    /// `store-key`, for a file that holds a refresh token.
    pub store_key: Option<Secret>,
    /// `github-token`, for a GitHub secret.
    pub github_token: Option<Secret>,
    /// Who opens a vault.
    pub vault: VaultSettings,
    /// The cluster whose pod this is.
    pub cluster: Option<Cluster>,
    /// What the program of a command finds in its environment.
    pub environment: Arc<[(OsString, OsString)]>,
    /// Where what it prints goes.
    pub log: command::Log,
    /// By which those that write one variable group, or one service connection, take turns.
    pub turns: Turns,
}

/// The store at this address. It is not asked for anything yet: what is missing is said at its first use.
pub fn open(address: &Address, context: &Context) -> Box<dyn Store> {
    let Context { http, places, .. } = context.clone();
    match address.clone() {
        Address::File(path) => Box::new(file::FileStore::new(path, context.store_key.clone(), http)),
        Address::KeyVault { vault, name } => {
            Box::new(key_vault::KeyVaultStore::new(vault, name, context.vault.clone(), http))
        }
        Address::VariableGroup { project, group, variable } => {
            Box::new(variable_group::VariableGroupStore::new(
                [project, group, variable],
                context.organization.clone(),
                places.devops_url,
                context.bearer.clone(),
                http,
                context.turns.clone(),
            ))
        }
        Address::GithubSecret { owner, repository, environment, name } => {
            Box::new(github_secret::GithubSecretStore::new(
                [owner, repository, name],
                environment,
                &places.github_api_url,
                context.github_token.clone(),
                http,
            ))
        }
        Address::ServiceConnection { project, name, parameter } => {
            Box::new(service_connection::ServiceConnectionStore::new(
                [project, name],
                parameter,
                context.organization.clone(),
                places.devops_url,
                context.bearer.clone(),
                http,
                Arc::clone(&context.log),
                context.turns.clone(),
            ))
        }
        Address::KubernetesSecret { namespace, name, key } => {
            let key = [namespace, name, key];
            Box::new(kubernetes_secret::KubernetesSecretStore::new(key, context.cluster.clone(), http))
        }
        Address::Command { words, .. } => {
            let (environment, log) = (Arc::clone(&context.environment), Arc::clone(&context.log));
            Box::new(command::CommandStore::new(address.clone(), words, environment, log))
        }
    }
}

/// What a store was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Reading a credential.
    Reading,
    /// Writing, or finding out whether that would work.
    Writing,
}

impl Doing {
    fn exit(self) -> Exit {
        match self {
            Self::Reading => Exit::SignIn,
            Self::Writing => Exit::Store,
        }
    }

    /// The failure under this call's own exit code; a cancelled run stays one.
    fn failed(self, failure: Failure) -> Failure {
        match failure.exit {
            Exit::Cancelled(_) => failure,
            _ => Failure { exit: self.exit(), ..failure },
        }
    }
}
