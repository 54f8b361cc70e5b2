//! The tokens that Entra has handed out, and what they are good for.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::Uuid;

use crate::cast;
use crate::chance::Chance;
use crate::entra::AZURE_DEVOPS;
use crate::services::Services;

/// The service that an access token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Azure DevOps.
    AzureDevOps,
    /// Azure Key Vault.
    KeyVault,
    /// Microsoft Graph: a wrong audience for everything here.
    Graph,
}

impl Audience {
    pub(crate) fn of_resource(resource: &str) -> Option<Self> {
        // `https://app.vssps.visualstudio.com` is the older name of the same resource.
        match resource.trim_end_matches('/') {
            resource if resource.eq_ignore_ascii_case(AZURE_DEVOPS) => Some(Self::AzureDevOps),
            "https://app.vssps.visualstudio.com" => Some(Self::AzureDevOps),
            "https://vault.azure.net" => Some(Self::KeyVault),
            "https://graph.microsoft.com" => Some(Self::Graph),
            _ => None,
        }
    }
}

/// The kind of client that got a refresh token; it stays with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Got by device code or through a native redirect: a client proof sent with it is refused (700025).
    Public,
    /// Got with a client proof: it is refused without one (7000218).
    Confidential,
    /// Got through a single-page redirect: 24 hours, and not a minute more.
    SinglePage,
}

/// How a refresh token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokenState {
    /// It can be redeemed.
    Valid,
    /// It was not redeemed for 90 days (24 hours for a single-page app).
    Expired,
    /// It was revoked; the number is the AADSTS code that a redemption draws.
    Revoked(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    pub(crate) user: String,
    pub(crate) client_id: Uuid,
    pub(crate) kind: ClientKind,
    pub(crate) audience: Audience,
    pub(crate) issued: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) revoked: Option<u32>,
    pub(crate) by_device_code: bool,
}

/// An access token, as the services that take it see it.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    pub(crate) user: String,
    pub(crate) tenant: Uuid,
    pub(crate) audience: Audience,
    pub(crate) permissions: Vec<String>,
    pub(crate) end: Timestamp,
    /// Whether it was issued with the claims of a challenge.
    pub(crate) meets_a_challenge: bool,
}

/// Every token that was handed out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) refresh: HashMap<String, RefreshToken>,
    pub(crate) access: HashMap<String, AccessToken>,
    /// The claims of every challenge that was sent, as JSON.
    pub(crate) challenges: HashSet<String>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a refresh token lives without being used.
const INACTIVITY: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl Tokens {
    /// The access token behind these characters, while it lives.
    pub(crate) fn access(&self, value: &str, now: Timestamp) -> Option<&AccessToken> {
        self.access.get(value).filter(|token| now < token.end)
    }
}

impl RefreshToken {
    pub(crate) fn state(&self, now: Timestamp) -> RefreshTokenState {
        match self.revoked {
            Some(code) => RefreshTokenState::Revoked(code),
            None if now >= self.end => RefreshTokenState::Expired,
            None => RefreshTokenState::Valid,
        }
    }
}

impl Services {
    pub(crate) fn issue_refresh_token(&mut self, token: NewRefreshToken, now: Timestamp) -> String {
        let value = refresh_token_value(&mut self.chance);
        let life = if token.kind == ClientKind::SinglePage { DAY } else { INACTIVITY };
        let NewRefreshToken { user, client_id, kind, audience, by_device_code } = token;
        let token = RefreshToken {
            user,
            client_id,
            kind,
            audience,
            issued: now,
            end: now + life,
            revoked: None,
            by_device_code,
        };
        self.entra.tokens.refresh.insert(value.clone(), token);
        self.remember_secret(&value);
        value
    }

    pub(crate) fn issue_access_token(&mut self, token: AccessToken) -> String {
        let value = access_token_value(&mut self.chance);
        self.entra.tokens.access.insert(value.clone(), token);
        self.remember_secret(&value);
        value
    }

    /// A fresh refresh token of a user for a client, of the kind that the client would get.
    ///
    /// # Panics
    /// When there is no such user or app registration.
    pub fn refresh_token(&mut self, user: &str, client_id: Uuid, now: Timestamp) -> String {
        let app = self.cast.app(client_id).unwrap_or_else(|| panic!("no app has the client id {client_id}"));
        let kind = if app.public { ClientKind::Public } else { ClientKind::Confidential };
        self.refresh_token_of_kind(user, client_id, kind, now)
    }

    /// A fresh refresh token that was got by this kind of client.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn refresh_token_of_kind(
        &mut self,
        user: &str,
        client_id: Uuid,
        kind: ClientKind,
        now: Timestamp,
    ) -> String {
        let user = self.user_named(user).name;
        let audience = Audience::AzureDevOps;
        self.issue_refresh_token(
            NewRefreshToken { user, client_id, kind, audience, by_device_code: false },
            now,
        )
    }

    /// A fresh access token of a user for Azure DevOps, with the permissions that [`cast::CLIENT_ID`] has, good
    /// for an hour.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn access_token(&mut self, user: &str, now: Timestamp) -> String {
        let permissions = cast::AppRegistration::new(cast::CLIENT_ID).permissions;
        self.access_token_for(user, Audience::AzureDevOps, &permissions, now + Duration::from_secs(3600))
    }

    /// A fresh access token of a user for this audience, with these delegated permissions, until then.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn access_token_for(
        &mut self,
        user: &str,
        audience: Audience,
        permissions: &[String],
        end: Timestamp,
    ) -> String {
        let user = self.user_named(user);
        self.issue_access_token(AccessToken {
            user: user.name,
            tenant: user.tenant,
            audience,
            permissions: permissions.to_vec(),
            end,
            meets_a_challenge: false,
        })
    }

    /// How a refresh token stands; `None` if it never was one.
    pub fn refresh_token_state(&self, token: &str, now: Timestamp) -> Option<RefreshTokenState> {
        Some(self.entra.tokens.refresh.get(token)?.state(now))
    }

    /// Revokes a refresh token; a client that redeems it gets this AADSTS code.
    ///
    /// # Panics
    /// When it never was one.
    pub fn revoke_refresh_token(&mut self, token: &str, code: u32) {
        self.known_refresh_token(token).revoked = Some(code);
    }

    /// Lets a refresh token expire at this instant.
    ///
    /// # Panics
    /// When it never was one.
    pub fn expire_refresh_token(&mut self, token: &str, end: Timestamp) {
        self.known_refresh_token(token).end = end;
    }

    fn known_refresh_token(&mut self, token: &str) -> &mut RefreshToken {
        self.entra.tokens.refresh.get_mut(token).expect("it is a refresh token that was issued here")
    }

    /// Lets every access token expire at this instant.
    pub fn expire_access_tokens(&mut self, end: Timestamp) {
        for token in self.entra.tokens.access.values_mut() {
            token.end = token.end.min(end);
        }
    }

    /// Whether a used refresh token is dead from now on; Entra's documentation says that it lives, at least one
    /// runbook says that it can die (70000).
    pub fn set_one_time_refresh_tokens(&mut self, one_time: bool) {
        self.entra.one_time_refresh_tokens = one_time;
    }
}

pub(crate) struct NewRefreshToken {
    pub(crate) user: String,
    pub(crate) client_id: Uuid,
    pub(crate) kind: ClientKind,
    pub(crate) audience: Audience,
    pub(crate) by_device_code: bool,
}

/// Entra's refresh tokens begin `1.A` and are over a thousand characters long; this one says that it is a fake.
fn refresh_token_value(chance: &mut Chance) -> String {
    format!("1.AXXX-fake-{}.{}", chance.url_safe(90), chance.url_safe(1000))
}

/// Whether the value has the shape of a refresh token, from any issuer.
pub(crate) fn is_like_a_refresh_token(value: &str) -> bool {
    let url_safe = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let parts = value.strip_prefix("1.AXXX-fake-").and_then(|rest| rest.split_once('.'));
    parts.is_some_and(|(first, second)| url_safe(first, 90) && url_safe(second, 1000))
}

/// An access token looks like a JWT, and its middle is no claims: clients must not look into it, and those
/// that do find out here.
fn access_token_value(chance: &mut Chance) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"RS256","kid":"fake-access-token"}"#);
    format!("{header}.FAKE{}.FAKE{}", chance.url_safe(1400), chance.url_safe(338))
}
