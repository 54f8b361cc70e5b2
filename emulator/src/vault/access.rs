//! Who may do what with a vault, and how it says no.

use std::collections::HashMap;

use http::StatusCode;
use jiff::Timestamp;

use super::error;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::cast::id_from;
use crate::entra::{AccessToken, Audience};
use crate::services::{Service, Services};

/// How a vault decides and how it challenges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VaultPolicy {
    /// How it decides.
    pub access: VaultAccess,
    /// How it challenges a client without a token.
    pub challenge: Challenge,
    /// Which end Azure Policy wants its secrets to have.
    pub expiry: Expiry,
}

/// Which end Azure Policy wants the secrets of a vault to have: 'Key Vault secrets should have an expiration date' and
/// 'Secrets should have the specified maximum validity period'. Their refusal was seen as a 403; its words were not found
/// in public, so these are the emulator's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// Any, or none.
    #[default]
    Free,
    /// Some end.
    Required,
    /// An end within so many days.
    WithinDays(u32),
}

impl Expiry {
    /// Refuses a secret whose end, in whole seconds, is not as it should be.
    pub(super) fn check(self, expires: Option<i64>, now: Timestamp) -> Result<(), Answer> {
        let wrong = match (self, expires) {
            (Self::Free, _) | (Self::Required, Some(_)) => return Ok(()),
            (Self::WithinDays(days), Some(end)) if end <= now.as_second() + i64::from(days) * 86_400 => {
                return Ok(());
            }
            (Self::WithinDays(_), Some(_)) => "Secrets should have the specified maximum validity period",
            (_, None) => "Key Vault secrets should have an expiration date",
        };
        let message = format!("The operation is disallowed by Azure Policy: '{wrong}'.");
        Err(error(StatusCode::FORBIDDEN, "Forbidden", &message, None))
    }
}

/// How a vault decides who may do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VaultAccess {
    /// By roles: it refuses with `ForbiddenByRbac`.
    #[default]
    Roles,
    /// By the older access policies: it refuses with `ForbiddenByPolicy`.
    AccessPolicies,
    /// Its firewall lets nobody in: `ForbiddenByFirewall`.
    Firewalled,
    /// Its public address is off: `ForbiddenByConnection`.
    PrivateOnly,
}

/// What a challenge names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// `resource="https://vault.azure.net"`.
    #[default]
    Resource,
    /// `scope="https://vault.azure.net/.default"`, as newer vaults may.
    Scope,
}

/// What an identity may do with secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultRights {
    /// Read values.
    pub get: bool,
    /// Write values, and change attributes and tags.
    pub set: bool,
    /// List secrets and versions with their attributes and tags.
    pub list: bool,
    /// Delete secrets; they can be recovered for 90 days.
    pub delete: bool,
    /// Bring deleted secrets back.
    pub recover: bool,
    /// Delete deleted secrets for good.
    pub purge: bool,
}

impl VaultRights {
    /// Everything: the rights of an identity that none were set for.
    pub const ALL: Self = Self { get: true, set: true, list: true, delete: true, recover: true, purge: true };
    /// Nothing.
    pub const NONE: Self =
        Self { get: false, set: false, list: false, delete: false, recover: false, purge: false };
    /// Writing alone: a legitimate identity for who only delivers.
    pub const SET: Self = Self { set: true, ..Self::NONE };
}

/// One right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Get,
    Set,
    List,
    Delete,
    Recover,
    Purge,
}

impl Right {
    fn is_in(self, rights: VaultRights) -> bool {
        match self {
            Self::Get => rights.get,
            Self::Set => rights.set,
            Self::List => rights.list,
            Self::Delete => rights.delete,
            Self::Recover => rights.recover,
            Self::Purge => rights.purge,
        }
    }

    /// As roles say it.
    fn action(self) -> &'static str {
        match self {
            Self::Get => "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            Self::Set => "Microsoft.KeyVault/vaults/secrets/setSecret/action",
            Self::List => "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            Self::Delete => "Microsoft.KeyVault/vaults/secrets/delete",
            Self::Recover => "Microsoft.KeyVault/vaults/secrets/recover/action",
            Self::Purge => "Microsoft.KeyVault/vaults/secrets/purge/action",
        }
    }

    /// As access policies say it.
    fn permission(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Recover => "recover",
            Self::Purge => "purge",
        }
    }
}

/// The rights of those who have some of their own.
#[derive(Debug, Default)]
pub(crate) struct Access {
    policy: VaultPolicy,
    rights: HashMap<String, VaultRights>,
}

/// The bearer, who must have a token for this vault.
pub(super) fn caller(services: &Services, call: &Call, now: Timestamp) -> Result<AccessToken, Answer> {
    let Some(bearer) = call.bearer() else {
        return Err(challenge(services, "AKV10000: Request is missing a Bearer or PoP token."));
    };
    let Some(token) = services.entra.tokens.access(bearer, now) else {
        return Err(challenge(
            services,
            "AKV10046: Unable to resolve the key used for signature validation.",
        ));
    };
    if token.audience != Audience::KeyVault {
        return Err(challenge(
            services,
            "AKV10022: Invalid audience. Expected https://vault.azure.net, found: another one.",
        ));
    }
    let home = home(services);
    if token.tenant != home {
        // The tenant of the identity is wrong, not its rights.
        return Err(challenge(
            services,
            &format!(
                "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{home}/, found \
                 https://sts.windows.net/{}/.",
                token.tenant
            ),
        ));
    }
    Ok(token.clone())
}

fn challenge(services: &Services, message: &str) -> Answer {
    let authority = format!("{}/{}", services.address(Service::Entra), home(services));
    let asked = match services.vault.access.policy.challenge {
        Challenge::Resource => "resource=\"https://vault.azure.net\"",
        Challenge::Scope => "scope=\"https://vault.azure.net/.default\"",
    };
    let answer = error(StatusCode::UNAUTHORIZED, "Unauthorized", message, None);
    answer::with_header(answer, "WWW-Authenticate", &format!("Bearer authorization=\"{authority}\", {asked}"))
}

/// The tenant that the vault belongs to: that of the first organization.
fn home(services: &Services) -> uuid::Uuid {
    services.cast.organizations[0].tenant
}

/// Whether the caller may do that.
pub(super) fn allow(
    services: &Services,
    caller: &AccessToken,
    right: Right,
    name: &str,
) -> Result<(), Answer> {
    let access = &services.vault.access;
    let closed = matches!(access.policy.access, VaultAccess::Firewalled | VaultAccess::PrivateOnly);
    let rights = access.rights.get(&caller.user).copied().unwrap_or(VaultRights::ALL);
    if !closed && right.is_in(rights) { Ok(()) } else { Err(forbidden(services, caller, right, name)) }
}

/// The line breaks are the service's own: they end up in what careless clients print.
fn forbidden(services: &Services, caller: &AccessToken, right: Right, name: &str) -> Answer {
    let who = format!(
        "appid={};oid={};iss=https://sts.windows.net/{}/",
        caller.user,
        id_from(&caller.user),
        caller.tenant
    );
    let (inner, message) = match services.vault.access.policy.access {
        VaultAccess::Roles => (
            "ForbiddenByRbac",
            format!(
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or \
                 role definitions were changed recently, please observe propagation time.\r\nCaller: \
                 {who}\r\nAction: '{}'\r\nResource: '/subscriptions/00000000-0000-0000-0000-000000000000/\
                 resourcegroups/contoso/providers/microsoft.keyvault/vaults/fabrikam/secrets/{name}'\r\nAssignment: \
                 (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: \
                 fabrikam;location=westeurope\r\n",
                right.action()
            ),
        ),
        VaultAccess::AccessPolicies => (
            "ForbiddenByPolicy",
            format!(
                "The user, group or application '{who}' does not have secrets {} permission on key vault \
                 'fabrikam;location=westeurope'. For help resolving this issue, please see \
                 https://go.microsoft.com/fwlink/?linkid=2125287",
                right.permission()
            ),
        ),
        VaultAccess::Firewalled => (
            "ForbiddenByFirewall",
            format!(
                "Client address is not authorized and caller is not a trusted service.\r\nClient address: \
                 127.0.0.1\r\nCaller: {who}\r\nVault: fabrikam;location=westeurope"
            ),
        ),
        VaultAccess::PrivateOnly => (
            "ForbiddenByConnection",
            format!(
                "Public network access is disabled and request is not from a trusted service nor via an approved \
                 private link.\r\nCaller: {who}\r\nVault: fabrikam;location=westeurope"
            ),
        ),
    };
    error(StatusCode::FORBIDDEN, "Forbidden", &message, Some(inner))
}

pub(super) fn expiry(services: &Services) -> Expiry {
    services.vault.access.policy.expiry
}

impl Services {
    /// How the vault decides and challenges from now on.
    pub fn set_vault_policy(&mut self, policy: VaultPolicy) {
        self.vault.access.policy = policy;
    }

    /// What an identity may do: a user by name, an app or a managed identity by its client id.
    pub fn set_vault_rights(&mut self, identity: &str, rights: VaultRights) {
        self.vault.access.rights.insert(identity.to_owned(), rights);
    }
}
