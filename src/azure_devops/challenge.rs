//! Azure DevOps no longer takes an access token that has not expired yet (continuous access evaluation).
//!
//! Azure DevOps enforces it since 2026 (devblogs, "Real-Time Security with Continuous Access Evaluation comes to Azure
//! DevOps"), for tokens of clients that declare the capability `cp1`. adopat does not declare it; the Azure CLI does
//! (Azure/azure-cli, `core/auth/identity.py`), unless `AZURE_IDENTITY_DISABLE_CP1` is set.

use crate::failure::Exit;
use crate::http::claims_challenge::INSUFFICIENT_CLAIMS;
use crate::http::{Answer, ClaimsChallenge};
use crate::refusal_table::RefusalRow;

/// What has happened. Which of the three it was the service does not say.
pub const WHAT: &str = "A policy has revoked the access token before its end (continuous access evaluation): the user \
                        was disabled, changed the password, or is not where the policy wants them to be.";
/// What to do if adopat signs in with a refresh token.
pub const REMEDY: &str = "Sign in again with 'adopat login'; if the policy depends on the network, run this from one \
                          that it accepts.";
/// What to do about an access token that was pasted.
pub const PASTED: &str = "Get a fresh access token for Azure DevOps, from a network that the policy accepts; or give a \
                          refresh-token made by 'adopat login', with which adopat signs in again by itself.";
/// What to do about the Azure CLI's access token.
pub const OF_THE_CLI: &str = "Run 'az logout' and then 'az login', from a network that the policy accepts. If \
                              AZURE_IDENTITY_DISABLE_CP1=true is set where az runs, its tokens live for about an hour \
                              and are not revoked in this way.";

/// What the PAT service means by it.
pub const REVOKED: RefusalRow =
    RefusalRow::new(Exit::SignIn, WHAT, REMEDY).status(&[401..=401]).key(INSUFFICIENT_CLAIMS);
/// The same, for a store.
pub const REVOKED_FOR_A_STORE: RefusalRow = RefusalRow { exit: Exit::Store, ..REVOKED };

/// The error that an answer's challenge names, else what its body calls the error.
pub fn key_of(answer: &Answer, key: Option<String>) -> String {
    match ClaimsChallenge::of(answer) {
        Some(_) => INSUFFICIENT_CLAIMS.to_owned(),
        None => key.unwrap_or_default(),
    }
}
