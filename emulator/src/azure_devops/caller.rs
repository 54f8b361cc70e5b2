//! Who is calling, by what they present.

use http::StatusCode;
use jiff::Timestamp;

use super::claims_challenge::claims_challenge;
use super::error::not_authorized;
use super::sign_in_page::without_credential;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::cast::{Organization, User, UserKind};
use crate::entra::Audience;
use crate::services::{Service, Services};

/// Somebody whom the organization knows.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) by: By,
}

/// How somebody has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// With an Entra access token that carries these permissions.
    Bearer(Vec<String>),
    /// With a PAT of this scope.
    Pat(String),
}

impl Caller {
    /// Puts on the header that proves that somebody has signed in.
    pub(crate) fn signed(&self, answer: Answer) -> Answer {
        answer::with_header(answer, "X-VSS-UserData", &format!("{}:{}", self.user.id, self.user.name))
    }

    /// Whether one of these permissions was delegated, or is in the PAT's scope.
    pub(crate) fn has_one_of(&self, wanted: &[&str]) -> bool {
        match &self.by {
            // A service principal has rights, not delegated permissions.
            By::Bearer(_) if self.user.kind == UserKind::ServicePrincipal => true,
            By::Bearer(_) => wanted.iter().any(|wanted| self.has_permissions(&[wanted])),
            By::Pat(scope) => scope.split(' ').any(|word| word == "app_token" || wanted.contains(&word)),
        }
    }

    /// Whether every one of these permissions was delegated. `user_impersonation` stands for all.
    pub(crate) fn has_permissions(&self, wanted: &[&str]) -> bool {
        match &self.by {
            By::Pat(_) => false,
            By::Bearer(permissions) => {
                let has = |wanted: &str| permissions.iter().any(|permission| permission == wanted);
                has("user_impersonation") || wanted.iter().all(|wanted| has(wanted))
            }
        }
    }
}

/// Who is calling; nobody, if no credential is sent at all. `Err` is the answer that sends them away.
pub(crate) fn caller(
    services: &mut Services,
    call: &Call,
    organization: &Organization,
    now: Timestamp,
) -> Result<Option<Caller>, Answer> {
    if call.header("authorization").is_none() {
        return Ok(None);
    }
    if let Some(value) = call.basic_password() {
        return match services.pats.working(&value, organization, now) {
            Some((owner, scope)) => {
                Ok(Some(Caller { user: services.user_named(&owner), by: By::Pat(scope) }))
            }
            None => Err(dead_pat(services)),
        };
    }
    let token = call.bearer().and_then(|value| services.entra.tokens.access(value, now)).cloned();
    let Some(token) = token.filter(|token| token.audience == Audience::AzureDevOps) else {
        return Err(without_credential(services, call));
    };
    if organization.policies.revoke_access_tokens && !token.meets_a_challenge {
        return Err(claims_challenge(services, now));
    }
    let known = services.cast.user(&token.user).cloned();
    match known.filter(|user| user.is_known_in(organization) && token.tenant == organization.tenant) {
        Some(user) => Ok(Some(Caller { user, by: By::Bearer(token.permissions) })),
        None => Err(not_authorized(&token.user)),
    }
}

/// Who is calling; it must be somebody.
pub(crate) fn signed_in(
    services: &mut Services,
    call: &Call,
    organization: &Organization,
    now: Timestamp,
) -> Result<Caller, Answer> {
    match caller(services, call, organization, now)? {
        Some(caller) => Ok(caller),
        None => Err(without_credential(services, call)),
    }
}

/// A PAT that is expired, revoked, unknown, or not yet known here: 401 with an empty body and no content type,
/// the same for all of them (measured by the Go project wardyn).
fn dead_pat(services: &Services) -> Answer {
    let realm = format!("Basic realm=\"{}/\"", services.address(Service::DevOps));
    answer::with_header(answer::empty(StatusCode::UNAUTHORIZED), "WWW-Authenticate", &realm)
}
