//! The vaults among the stores of a run, and what opens them.

use super::super::{Run, destinations};
use super::stores;
use crate::store::Address;
use crate::store::bearer::bearer;
use crate::store::vault_identity::{self, VaultCredential};

/// What opens the vaults of this run, if it has any and nothing about them is half configured.
pub(super) fn credential(run: &Run<'_>) -> Option<VaultCredential> {
    let choose = || vault_identity::choose(&destinations::context(run, None, bearer().1).vault).ok();
    stores::all(run).into_iter().any(is_vault).then(choose).flatten()
}

/// Whether a vault is opened with a token that the CI system's own endpoint gives.
pub(super) fn are_opened_by_the_job(run: &Run<'_>) -> bool {
    matches!(credential(run), Some(VaultCredential::ServiceConnection(_) | VaultCredential::GithubJob(_)))
}

/// Whether the address is of a vault.
pub(super) fn is_vault(address: &Address) -> bool {
    matches!(address, Address::KeyVault { .. })
}
