//! What package clients and git read, so that they sign in with a PAT: settings files (`output-format`) and
//! environment variables (`clients` of `exec`). One file a client; nothing here reads or writes anything.
//!
//! Every client gets the organization's name as user name: Azure DevOps does not look at it, but several clients send
//! nothing for an empty one, and some compare it with the one in an address (`https://ORG@dev.azure.com/...`).

pub mod address;
pub mod cargo;
pub mod git;
pub mod logins;
pub mod maven;
pub mod npm;
pub mod nuget;
pub mod pip;
pub mod tools;
pub mod twine;
pub mod uv;
pub mod yarn;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub use address::Feed;

use crate::azure_devops::Organization;
use crate::secret::Secret;

/// The words by which adopat knows a settings file of its own, in the comment that each begins with.
pub const MARK: &str = "Written by adopat";

/// The settings files that can be written for a feed, as `output-format` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `.npmrc`, for npm and pnpm.
    Npmrc,
    /// `.yarnrc.yml`, for yarn 4.
    Yarnrc,
    /// `pip.conf`.
    Pip,
    /// `.pypirc`, for twine.
    Pypirc,
    /// `nuget.config`.
    Nuget,
    /// Maven's `settings.xml`.
    Maven,
    /// cargo's `config.toml`.
    Cargo,
}

impl Settings {
    /// The file, whole.
    pub fn file(self, feed: &Feed, token: &Secret) -> File {
        let file = match self {
            Self::Npmrc => npm::file,
            Self::Yarnrc => yarn::file,
            Self::Pip => pip::file,
            Self::Pypirc => twine::file,
            Self::Nuget => nuget::file,
            Self::Maven => maven::file,
            Self::Cargo => cargo::file,
        };
        file(feed, token)
    }

    /// Why this client cannot use the feed: the rest of a sentence that begins with the input's name.
    pub fn unfit(self, feed: &Feed) -> Option<&'static str> {
        match self {
            Self::Pypirc if feed.view.is_some() => Some("names a view, and nobody can publish to one"),
            Self::Cargo if !cargo::can_name(feed) => Some("has a name that cargo cannot give a registry"),
            _ => None,
        }
    }
}

/// Whether a settings file is one that adopat wrote: anybody else's settings stay.
pub fn is_own(text: &[u8]) -> bool {
    let comments = ["# ", "<!-- "];
    comments.iter().any(|comment| {
        text.strip_prefix(comment.as_bytes()).is_some_and(|rest| rest.starts_with(MARK.as_bytes()))
    })
}

/// The clients that `exec` can sign in through the environment of its command, as `clients` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageClient {
    /// git.
    Git,
    /// npm and pnpm.
    Npm,
    /// NuGet, with Microsoft's credential provider.
    Nuget,
    /// The Azure CLI's extension for Azure DevOps.
    Az,
    /// Terraform's provider.
    Terraform,
    /// yarn 4.
    Yarn,
    /// pip.
    Pip,
    /// uv.
    Uv,
    /// twine.
    Twine,
    /// cargo.
    Cargo,
}

impl PackageClient {
    /// Every client.
    pub const ALL: [Self; 10] = [
        Self::Git,
        Self::Npm,
        Self::Nuget,
        Self::Az,
        Self::Terraform,
        Self::Yarn,
        Self::Pip,
        Self::Uv,
        Self::Twine,
        Self::Cargo,
    ];

    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Npm => "npm",
            Self::Nuget => "nuget",
            Self::Az => "az",
            Self::Terraform => "terraform",
            Self::Yarn => "yarn",
            Self::Pip => "pip",
            Self::Uv => "uv",
            Self::Twine => "twine",
            Self::Cargo => "cargo",
        }
    }

    /// Whether it is signed in to one feed, rather than to the whole organization.
    pub const fn needs_a_feed(self) -> bool {
        matches!(self, Self::Yarn | Self::Pip | Self::Uv | Self::Twine | Self::Cargo)
    }

    /// Why this client cannot use the feed: the rest of a sentence that begins with the input's name.
    pub fn unfit(self, feed: &Feed) -> Option<&'static str> {
        match self {
            Self::Twine => Settings::Pypirc.unfit(feed),
            Self::Cargo => Settings::Cargo.unfit(feed),
            _ => None,
        }
    }

    /// Variables that, if they are set, are read before those that are set here, or do not go with them.
    pub const fn beaten_by(self) -> &'static [&'static str] {
        match self {
            Self::Nuget => nuget::NEWER_NAMES,
            Self::Uv => uv::OTHER_SIGN_IN,
            _ => &[],
        }
    }

    /// What the environment of a command needs so that the client signs in. Of a client that needs a feed and has
    /// none, nothing.
    pub fn variables(self, sign_in: &ClientLogin<'_>) -> Variables {
        let ClientLogin { organization, feed, token, variable, git_entries } = *sign_in;
        match (self, feed) {
            (Self::Git, _) => git::variables(organization, variable, git_entries),
            (Self::Npm, feed) => npm::variables(organization, feed, token),
            (Self::Nuget, _) => nuget::variables(organization, token),
            (Self::Az, _) => tools::az(token),
            (Self::Terraform, _) => tools::terraform(organization, token),
            (Self::Yarn, Some(feed)) => yarn::variables(feed, token),
            (Self::Pip, Some(feed)) => pip::variables(feed, token),
            (Self::Uv, Some(feed)) => uv::variables(feed, token),
            (Self::Twine, Some(feed)) => twine::variables(feed, token),
            (Self::Cargo, Some(feed)) => cargo::variables(feed, token),
            (Self::Yarn | Self::Pip | Self::Uv | Self::Twine | Self::Cargo, None) => Variables::new(),
        }
    }
}

/// What clients sign in with, and to what.
#[derive(Clone, Copy, Debug)]
pub struct ClientLogin<'a> {
    /// The organization.
    pub organization: &'a Organization,
    /// The feed, for the clients that need one.
    pub feed: Option<&'a Feed>,
    /// The PAT.
    pub token: &'a Secret,
    /// The variable that holds the PAT, by which git's helper finds it.
    pub variable: &'a str,
    /// How many entries git's numbered configuration has already.
    pub git_entries: u16,
}

/// A settings file: it holds the PAT, and is wiped when dropped.
pub type File = Zeroizing<String>;

/// Environment variables that hold the PAT, or lead to it.
pub type Variables = Vec<(String, Secret)>;

/// The hosts under which an organization's feeds are reached. Lock files may name the older one.
fn package_hosts(organization: &Organization) -> [String; 2] {
    ["pkgs.dev.azure.com".to_owned(), format!("{}.pkgs.visualstudio.com", lower(organization))]
}

/// Host names are written in lower case: several clients compare them as text.
fn lower(organization: &Organization) -> String {
    organization.name().to_ascii_lowercase()
}

/// `ORG:PAT`, as several clients want it.
fn pair(organization: &Organization, token: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!("{organization}:{}", token.expose()))
}

/// The same in base64, as the header `Authorization: Basic` has it.
fn basic(organization: &Organization, token: &Secret) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(pair(organization, token).as_bytes()))
}

/// Text as a quoted string of YAML and TOML, both of which read JSON's.
fn quoted(text: &str) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(text).expect("text is JSON"))
}

/// Text within XML.
fn xml(text: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(text.len() + 16));
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
