//! What a run was asked to do: the inputs, checked and typed. Every field is named for the input it comes from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use strum::{EnumString, VariantNames};

use crate::azure_devops::{Endpoints, Organization};
use crate::entra::Certificate;
use crate::feed::{Feed, PackageClient, Settings};
use crate::host::HostSettings;
use crate::http::proxy::ProxySettings;
use crate::http::trust::AuthorityFile;
use crate::manifest::{Entry, Manifest};
use crate::oidc::OidcSources;
use crate::pats::Scope;
use crate::pats::model::Filter;
pub use crate::pats::terms::{Expiry, Minting, OnShortenedLifetime, Verify};
use crate::pending::Pending;
use crate::secret::Secret;
use crate::store::vault_identity::VaultIdentity;
use crate::store::{Address, Cluster};

/// A whole run.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub operation: Operation,
    /// `organization`. `login` alone may do without.
    pub organization: Option<Organization>,
    /// Who signs in, and how.
    pub sign_in: SignIn,
    /// Where the services are.
    pub places: Endpoints,
    /// Where a new PAT goes.
    pub delivery: Delivery,
    /// `timeout`: the whole operation's limit.
    pub timeout: Duration,
    /// `valid-to`, which may lie in the past: the services' clock has to say.
    pub valid_to: Option<Timestamp>,
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Mint a PAT.
    Create(Create),
    /// Replace a PAT by a new one.
    Rotate(Rotate),
    /// Make the PATs of a manifest be as it says.
    Apply(Apply),
    /// Revoke a PAT.
    Revoke(Revoke),
    /// Change a PAT's name, scope or expiry.
    Update(Update),
    /// Describe a PAT.
    Get(Subject),
    /// List PATs.
    List(List),
    /// Run a command with a PAT that lives no longer than it.
    Exec(Exec),
    /// Sign in once, as a person.
    Login,
    /// Check every precondition of a run.
    Doctor(Doctor),
    /// The job's last step: revoke what this step minted (`revoke-on-completion`).
    PostStep(Vec<Pending>),
}

impl Operation {
    /// The manifest that it is about, if it is about one.
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Apply(apply) => Some(&apply.manifest),
            Self::Doctor(doctor) => doctor.manifest.as_ref(),
            _ => None,
        }
    }
}

/// What doctor is asked about, beside what every run has.
#[derive(Clone, Debug)]
pub struct Doctor {
    /// `display-name`, if given.
    pub display_name: Option<String>,
    /// What may be wrong with what a PAT is asked for.
    pub doubts: Vec<Doubt>,
    /// `manifest`, read and checked, if given.
    pub manifest: Option<Manifest>,
    /// What is wrong with the inputs: checks that depend on none of these are made all the same.
    pub problems: Vec<String>,
    /// Whether one of these is about who signs in.
    pub is_sign_in_wrong: bool,
    /// Whether one of these is about where the PAT goes.
    pub is_delivery_wrong: bool,
}

/// Something about a PAT that is asked for that the service may refuse.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// What it is, as a sentence.
    pub what: String,
    /// What to do, as a sentence.
    pub remedy: String,
}

impl Doubt {
    /// A PAT is asked for that lives longer than the documentation says any does.
    pub fn beyond_a_year(asked: &str) -> Self {
        Self {
            what: format!(
                "'{asked}' is more than a year, the longest that Azure DevOps documents; the service may refuse or \
                 shorten it."
            ),
            remedy: "Use 365d or less.".into(),
        }
    }
}

/// Which PAT is meant: `authorization-id` wins over `display-name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `authorization-id`: a GUID, in lower case.
    Id(String),
    /// `display-name`.
    Name(String),
}

/// `create`.
#[derive(Clone, Debug)]
pub struct Create {
    /// `display-name`.
    pub display_name: String,
    /// `scope`.
    pub scope: Scope,
    /// `lifetime` or `valid-to`.
    pub expiry: Expiry,
    /// How it is made.
    pub minting: Minting,
    /// `dry-run`.
    pub dry_run: bool,
    /// `revoke-on-completion`, if asked for.
    pub revoke_on_completion: Option<OnCompletion>,
}

/// `revoke-on-completion`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnCompletion {
    /// What an earlier attempt of this step left, if the host hands that to a retried one.
    pub left: Vec<Pending>,
}

/// `rotate`.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// Which PAT.
    pub subject: Subject,
    /// `scope`, if it is to differ from the old PAT's.
    pub scope: Option<Scope>,
    /// `lifetime` or `valid-to`; none is the old PAT's own span.
    pub expiry: Option<Expiry>,
    /// `renew-within`.
    pub renew_within: Option<Duration>,
    /// `if-missing`.
    pub if_missing: IfMissing,
    /// `duplicates`: `revoke`, not `fail`.
    pub revoke_duplicates: bool,
    /// `keep-previous-for`.
    pub keep_previous_for: Option<Duration>,
    /// `allow-global-narrowing`.
    pub allow_global_narrowing: bool,
    /// How it is made.
    pub minting: Minting,
    /// `dry-run`.
    pub dry_run: bool,
    /// `revoke-on-completion`, if asked for.
    pub revoke_on_completion: Option<OnCompletion>,
}

/// `apply`.
#[derive(Clone, Debug)]
pub struct Apply {
    /// `manifest`, read and checked.
    pub manifest: Manifest,
    /// `only`: the display names of the entries that are applied; empty, all are. Each names an entry.
    pub only: Vec<String>,
    /// `renew`: `all`, not `due`.
    pub renew_all: bool,
    /// `prune`. The manifest says what it covers.
    pub prune: bool,
    /// `fail-if-drift`, which comes with `dry_run` alone.
    pub fail_if_drift: bool,
    /// `dry-run`.
    pub dry_run: bool,
    /// `parallel`: how many PATs are worked on at once, 1 to 16.
    pub parallel: usize,
}

impl Apply {
    /// The entries that are applied, in the manifest's order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let all = self.manifest.entries.iter();
        all.filter(|entry| self.only.is_empty() || self.only.contains(&entry.display_name))
    }
}

/// What to do if no active PAT is the one that was meant.
#[derive(Clone, Copy, Debug, EnumString, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum IfMissing {
    /// Fail with exit code 5.
    Fail,
    /// Do nothing.
    Ignore,
    /// Create it (rotate only, by name).
    Create,
}

/// `revoke`.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// Which PAT.
    pub subject: Subject,
    /// `if-missing`, never [`IfMissing::Create`].
    pub if_missing: IfMissing,
    /// `duplicates`: `revoke`, not `fail`.
    pub revoke_duplicates: bool,
    /// `dry-run`.
    pub dry_run: bool,
}

/// `update`. At least one of the three changes is there.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which PAT.
    pub subject: Subject,
    /// `new-display-name`.
    pub new_display_name: Option<String>,
    /// `scope`.
    pub scope: Option<Scope>,
    /// `lifetime` (from now) or `valid-to`.
    pub expiry: Option<Expiry>,
    /// `allow-global-narrowing`.
    pub allow_global_narrowing: bool,
    /// `dry-run`.
    pub dry_run: bool,
}

/// `list`.
#[derive(Clone, Debug)]
pub struct List {
    /// `filter`.
    pub filter: Filter,
    /// `expiring-within`.
    pub expiring_within: Option<Duration>,
    /// `fail-if-expiring`.
    pub fail_if_expiring: bool,
    /// `fail-if-global`.
    pub fail_if_global: bool,
}

/// `exec`.
#[derive(Clone, Debug)]
pub struct Exec {
    /// `display-name`, or one that names the run.
    pub display_name: String,
    /// Whether the time has to be added to that name.
    pub is_dated: bool,
    /// `scope`.
    pub scope: Scope,
    /// `lifetime` or `valid-to`.
    pub expiry: Expiry,
    /// How it is made.
    pub minting: Minting,
    /// `variable`: the child's environment variable that holds the PAT.
    pub variable: String,
    /// `clients`.
    pub clients: Vec<PackageClient>,
    /// How many entries git's numbered configuration has in that environment.
    pub git_entries: u16,
    /// The command and its arguments, as given.
    pub command: Vec<std::ffi::OsString>,
    /// The environment of the command: adopat's own without adopat's secret inputs.
    pub environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
}

/// Who signs in, and how.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// `credential`, given or inferred.
    pub credential: Credential,
    /// Why this credential, as a sentence for doctor: "given", or what it was inferred from.
    pub inferred_from: String,
    /// `tenant-id`, if given.
    pub tenant_id: Option<String>,
    /// `client-id`; empty for `access-token` and `azure-cli`.
    pub client_id: String,
    /// How the client proves itself; none for a public client.
    pub proof: Option<ClientProof>,
    /// `credential-store`.
    pub credential_store: Option<Address>,
    /// `store-key`.
    pub store_key: Option<Secret>,
    /// `azure-service-connection`: an Azure Pipelines service connection's id.
    pub azure_service_connection: Option<String>,
    /// The job's own OIDC token, if one can be had.
    pub oidc: OidcSources,
    /// Which identities the environment offers for opening a vault.
    pub vault_identity: VaultIdentity,
}

/// The user's credential.
#[derive(Clone, Debug)]
pub enum Credential {
    /// `refresh-token`: the seed, if given; the store's token comes first.
    RefreshToken(Option<Secret>),
    /// `access-token`.
    AccessToken(Secret),
    /// `device-code`.
    DeviceCode,
    /// `browser`.
    Browser,
    /// `azure-cli`.
    AzureCli,
}

/// How a confidential client proves itself.
#[derive(Clone, Debug)]
pub enum ClientProof {
    /// `client-secret`.
    Secret(Secret),
    /// `client-certificate`.
    Certificate {
        /// The certificate, read with its private key.
        certificate: Certificate,
        /// The file that it was read from, if a path was given.
        file: Option<PathBuf>,
        /// Whether there is a `client-certificate-password`.
        has_password: bool,
    },
    /// `federated`: the job's own OIDC token.
    Federated,
}

/// Where a new PAT goes, and where the outputs go.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `host`, given or detected, with what the environment says of it.
    pub host: HostSettings,
    /// `variable`.
    pub variable: Option<String>,
    /// `output-variable`.
    pub output_variable: Option<String>,
    /// `deliver-to`.
    pub deliver_to: Vec<Address>,
    /// `github-token`.
    pub github_token: Option<Secret>,
    /// `feed`.
    pub feed: Option<Feed>,
    /// `output-file` with `output-format`.
    pub output_file: Option<OutputFile>,
    /// The Kubernetes cluster whose pod this is.
    pub cluster: Option<Cluster>,
    /// What the program of a `command:` store finds in its environment.
    pub command_environment: Arc<[(std::ffi::OsString, std::ffi::OsString)]>,
}

/// `output-file` with its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The path.
    pub path: PathBuf,
    /// `output-format`, given or by the file's ending.
    pub format: OutputFormat,
}

/// `output-format`.
#[derive(Clone, Copy, Debug, EnumString, PartialEq, Eq, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum OutputFormat {
    /// A JSON object with kebab-case keys.
    Json,
    /// `KEY=value` lines with SCREAMING_SNAKE keys.
    Dotenv,
    /// The PAT alone.
    Token,
    /// git's credential store.
    GitCredentials,
    /// netrc.
    Netrc,
    /// npm's and pnpm's settings for `feed`.
    Npmrc,
    /// yarn's.
    Yarnrc,
    /// pip's.
    Pip,
    /// twine's.
    Pypirc,
    /// NuGet's.
    Nuget,
    /// Maven's.
    Maven,
    /// cargo's.
    Cargo,
}

impl OutputFormat {
    /// Whether the file holds all outputs of a run, rather than a new PAT alone.
    pub const fn is_for_outputs(self) -> bool {
        matches!(self, Self::Json | Self::Dotenv)
    }

    /// Which client's settings for `feed` the file holds, if it holds any.
    pub const fn settings(self) -> Option<Settings> {
        Some(match self {
            Self::Json | Self::Dotenv | Self::Token | Self::GitCredentials | Self::Netrc => return None,
            Self::Npmrc => Settings::Npmrc,
            Self::Yarnrc => Settings::Yarnrc,
            Self::Pip => Settings::Pip,
            Self::Pypirc => Settings::Pypirc,
            Self::Nuget => Settings::Nuget,
            Self::Maven => Settings::Maven,
            Self::Cargo => Settings::Cargo,
        })
    }
}

/// What holds for every run before there is a request: how to log, how to reach the network.
#[derive(Clone, Debug, Default)]
pub struct EarlySettings {
    /// The tracing filter: `log`, else `debug` if the host asks for it.
    pub log: Option<String>,
    /// The proxies.
    pub proxy: ProxySettings,
    /// `SSL_CERT_FILE` and the agent's CA file.
    pub authorities: Vec<AuthorityFile>,
    /// Whether a terminal may be shown colours: `NO_COLOR` (no-color.org) is not set, and the terminal is not
    /// `dumb`.
    pub colours: bool,
}
