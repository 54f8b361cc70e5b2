//! What the job's own OIDC token says of itself, wherever it proves something: issuer, subject and audience, which
//! a person has to register letter by letter. No other claim is ever shown.
//!
//! The token is asked for once more, for this alone: the one that proves something goes to Entra unread.

use super::super::Run;
use super::ONE_CHECK;
use super::network::Network;
use super::report::Finding;
use super::vaults;
use crate::failure::Failure;
use crate::inputs::request::{ClientProof, Credential};
use crate::oidc::{self, JobTokens, OidcSources, TokenIdentity};
use crate::store::vault_identity::VaultCredential;

/// What the tokens say that this configuration proves something with; `None` if it needs none, or if none
/// can be had, which the code that needs it says.
pub(super) struct JobToken {
    /// Of the app that is signed in to (`federated`).
    pub(super) of_the_sign_in: Option<TokenIdentity>,
    /// Of the identity that opens the vaults.
    pub(super) of_the_vaults: Option<TokenIdentity>,
}

impl JobToken {
    /// Asks for the tokens.
    pub(super) async fn look(run: &Run<'_>, network: &Network) -> Self {
        let sign_in = &run.request.sign_in;
        let of_the_sign_in = match (&sign_in.proof, &sign_in.credential) {
            (Some(ClientProof::Federated), Credential::RefreshToken(_)) => {
                described(run, network, &sign_in.oidc).await
            }
            _ => None,
        };
        let of_the_vaults = match vaults::credential(run) {
            Some(VaultCredential::ServiceConnection(_) | VaultCredential::GithubJob(_)) => {
                described(run, network, &sign_in.oidc).await
            }
            Some(VaultCredential::TokenFile(_, file)) => {
                let alone = OidcSources { file: Some(file), ..OidcSources::default() };
                described(run, network, &alone).await
            }
            _ => None,
        };
        Self { of_the_sign_in, of_the_vaults }
    }
}

/// Adds what the token says to what was found with it: to the remedy where that asks to register it, and there
/// has been said already where Entra's refusal was about it.
pub(super) fn shown(
    found: Result<Finding, Failure>,
    identity: Option<&TokenIdentity>,
) -> Result<Finding, Failure> {
    let Some(identity) = identity else { return found };
    let sentence = format!("The job's token says {identity}.");
    match found {
        Ok(finding) if finding.is_skipped() => Ok(finding),
        Ok(finding) => Ok(finding.and(&sentence)),
        Err(failure) if failure.remedy.contains(&sentence) => Err(failure),
        Err(failure) if failure.remedy.contains("issuer, subject and audience") => {
            Err(Failure { remedy: format!("{} {sentence}", failure.remedy), ..failure })
        }
        Err(failure) => Err(failure.and(sentence)),
    }
}

async fn described(run: &Run<'_>, network: &Network, sources: &OidcSources) -> Option<TokenIdentity> {
    let endpoint = sources.github.as_ref().or(sources.azure_pipelines.as_ref());
    if endpoint.is_some_and(|(endpoint, _)| network.cannot_reach(endpoint).is_some()) {
        return None;
    }
    let run = run.at_most(ONE_CHECK);
    let sign_in = &run.request.sign_in;
    let connection = sign_in.azure_service_connection.clone();
    let tokens = JobTokens::new(run.http.clone(), sources.clone(), connection, run.mask());
    let token = tokens.token(oidc::audience(&run.request.places.authority_host)).await.ok()?;
    Some(oidc::describe(&token))
}
