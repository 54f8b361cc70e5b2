//! Who may write secrets, by the kind of token they show, and how often.

use std::collections::HashMap;

use http::StatusCode;
use jiff::Timestamp;

use super::{Vessel, error, not_found};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::Services;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitHubRights {
    /// A fine-grained personal access token (`github_pat_`) with these repository permissions.
    FineGrained {
        /// "Secrets": write.
        secrets: bool,
        /// "Environments": write, the only permission that covers an environment's secrets.
        environments: bool,
    },
    /// A classic personal access token (`ghp_`), with the scope `repo` or without.
    Classic {
        /// The scope `repo`.
        repo: bool,
    },
    /// A workflow's `GITHUB_TOKEN` (`ghs_`): it can never touch secrets.
    Workflow,
    /// A token that does not cover the repository, which is private and then looks as if it did not exist.
    Elsewhere,
}

/// A limit that has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitHubLimit {
    /// The hourly one: 403 with `X-RateLimit-Remaining: 0`; it ends in so many seconds.
    Primary(u64),
    /// One of those against bursts: 403 with `Retry-After`, in seconds.
    Secondary(u64),
    /// The same as 429.
    TooMany(u64),
}

/// Which tokens there are.
#[derive(Debug, Default)]
pub(crate) struct Access {
    tokens: HashMap<String, GitHubRights>,
    limit: Option<GitHubLimit>,
}

pub(super) fn check_limits(services: &Services, now: Timestamp) -> Result<(), Answer> {
    let Some(limit) = services.github.access.limit else { return Ok(()) };
    let secondary = |status: StatusCode, seconds: u64| {
        let message =
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        answer::with_header(error(status, message), "Retry-After", &seconds.to_string())
    };
    Err(match limit {
        GitHubLimit::Secondary(seconds) => secondary(StatusCode::FORBIDDEN, seconds),
        GitHubLimit::TooMany(seconds) => secondary(StatusCode::TOO_MANY_REQUESTS, seconds),
        GitHubLimit::Primary(seconds) => {
            let reset = (now + std::time::Duration::from_secs(seconds)).as_second().to_string();
            let answer = error(StatusCode::FORBIDDEN, "API rate limit exceeded for user ID 1.");
            let answer = answer::with_header(answer, "X-RateLimit-Remaining", "0");
            answer::with_header(answer, "X-RateLimit-Reset", &reset)
        }
    })
}

/// Whether the bearer may see that the repository is there.
pub(super) fn may_see(services: &mut Services, call: &Call) -> Result<(), Answer> {
    match rights(services, call)? {
        GitHubRights::Classic { repo: false } | GitHubRights::Elsewhere => Err(not_found()),
        _ => Ok(()),
    }
}

/// What the token in the request may do.
fn rights(services: &Services, call: &Call) -> Result<GitHubRights, Answer> {
    let shown = call.bearer().or_else(|| call.header("authorization")?.strip_prefix("token "));
    let Some(shown) = shown else { return Err(error(StatusCode::UNAUTHORIZED, "Requires authentication")) };
    let rights = services.github.access.tokens.get(shown).copied();
    rights.ok_or_else(|| error(StatusCode::UNAUTHORIZED, "Bad credentials"))
}

/// Whether the bearer may read the key, or write a secret.
pub(super) fn allow(
    services: &mut Services,
    call: &Call,
    vessel: &Vessel,
    write: bool,
) -> Result<(), Answer> {
    let rights = rights(services, call)?;
    let (permission, has) = match (&vessel.environment, rights) {
        (None, GitHubRights::FineGrained { secrets, .. }) => ("secrets", secrets),
        (Some(_), GitHubRights::FineGrained { environments, .. }) => ("environments", environments),
        (_, GitHubRights::Classic { repo: true }) => return Ok(()),
        (_, GitHubRights::Classic { repo: false } | GitHubRights::Elsewhere) => {
            return Err(not_found());
        }
        (_, GitHubRights::Workflow) => {
            return Err(error(StatusCode::FORBIDDEN, "Resource not accessible by integration"));
        }
    };
    if has {
        return Ok(());
    }
    let wanted = format!("{permission}={}", if write { "write" } else { "read" });
    let answer = error(StatusCode::FORBIDDEN, "Resource not accessible by personal access token");
    Err(answer::with_header(answer, "X-Accepted-GitHub-Permissions", &wanted))
}

impl Services {
    /// A fresh token with these rights.
    pub fn github_token(&mut self, rights: GitHubRights) -> String {
        let prefix = match rights {
            GitHubRights::FineGrained { .. } | GitHubRights::Elsewhere => "github_pat_FAKE",
            GitHubRights::Classic { .. } => "ghp_FAKE",
            GitHubRights::Workflow => "ghs_FAKE",
        };
        let token = format!("{prefix}{}", self.chance.alphanumeric(36));
        self.github.access.tokens.insert(token.clone(), rights);
        self.remember_secret(&token);
        token
    }

    /// From now on this limit has been reached, or none.
    pub fn set_github_limit(&mut self, limit: Option<GitHubLimit>) {
        self.github.access.limit = limit;
    }
}
