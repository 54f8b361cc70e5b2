//! Deleting secrets: a deleted one keeps its name for 90 days, in which it can be recovered or purged.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::error;
use super::secret::{VaultSecret, not_found};
use crate::answer::{self, Answer};
use crate::services::{Service, Services};

/// How long a deleted secret can be recovered, in seconds.
const RETENTION: i64 = 90 * 24 * 60 * 60;

/// How far a deletion has come. The name stays taken either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It can be recovered: `ObjectIsDeletedButRecoverable`.
    Recoverable,
    /// It is under way: `ObjectIsBeingDeleted`.
    UnderWay,
}

/// A deleted secret; while its deletion is under way it is found in neither place.
pub(super) fn get(services: &Services, name: &str) -> Result<Answer, Answer> {
    let base = services.address(Service::Vault);
    let deleted = services.vault.secrets.get(name).and_then(VaultSecret::recoverable);
    let shown = deleted.and_then(|secret| shown(secret, base, true)).ok_or_else(|| not_found(name))?;
    Ok(answer::json(StatusCode::OK, &shown))
}

pub(super) fn delete(services: &mut Services, name: &str, now: Timestamp) -> Result<Answer, Answer> {
    let base = services.address(Service::Vault).to_owned();
    services.vault.secrets.living(name)?;
    let secret = services.vault.secrets.get_mut(name).ok_or_else(|| not_found(name))?;
    (secret.deletion, secret.deleted) = (Some(Deletion::Recoverable), Some(now.as_second()));
    let shown = shown(secret, &base, true).ok_or_else(|| not_found(name))?;
    Ok(answer::json(StatusCode::OK, &shown))
}

pub(super) fn recover(services: &mut Services, name: &str) -> Result<Answer, Answer> {
    let base = services.address(Service::Vault).to_owned();
    let secret = services.vault.secrets.get_mut(name).filter(|secret| secret.recoverable().is_some());
    let secret = secret.ok_or_else(|| not_found(name))?;
    (secret.deletion, secret.deleted) = (None, None);
    let newest = secret.newest().ok_or_else(|| not_found(name))?;
    Ok(answer::json(StatusCode::OK, &newest.shown(&base, name, false)))
}

pub(super) fn purge(services: &mut Services, name: &str) -> Result<Answer, Answer> {
    let deleted = services.vault.secrets.get(name).and_then(VaultSecret::recoverable);
    deleted.ok_or_else(|| not_found(name))?;
    services.vault.secrets.remove(name);
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// A `DeletedSecretBundle`, or without the version in its id a `DeletedSecretItem`; its value is in neither.
pub(super) fn shown(secret: &VaultSecret, base: &str, with_version: bool) -> Option<Value> {
    let newest = secret.newest()?;
    let mut shown =
        if with_version { newest.shown(base, &secret.name, false) } else { secret.listed(base)? };
    let deleted = secret.deleted.unwrap_or(newest.updated);
    shown["recoveryId"] = format!("{base}/deletedsecrets/{}", secret.name).into();
    shown["deletedDate"] = deleted.into();
    shown["scheduledPurgeDate"] = (deleted + RETENTION).into();
    Some(shown)
}

/// The name of a deleted secret stays taken.
pub(super) fn check_name_is_free(secret: &VaultSecret) -> Result<(), Answer> {
    let name = &secret.name;
    let (inner, message) = match secret.deletion {
        None => return Ok(()),
        Some(Deletion::Recoverable) => (
            "ObjectIsDeletedButRecoverable",
            format!(
                "Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in \
                 this state, the secret can only be recovered or purged."
            ),
        ),
        Some(Deletion::UnderWay) => {
            ("ObjectIsBeingDeleted", format!("Secret {name} is currently being deleted."))
        }
    };
    Err(error(StatusCode::CONFLICT, "Conflict", &message, Some(inner)))
}

impl Services {
    /// Deletes a secret of the vault, recovers it (`None`), or leaves it half deleted.
    ///
    /// # Panics
    /// When there is no such secret.
    pub fn set_vault_deletion(&mut self, name: &str, deletion: Option<Deletion>) {
        let secret = self.vault.secrets.get_mut(name);
        secret.expect("a secret of that name is in the vault").deletion = deletion;
    }
}
