//! Opening stores: the one that keeps the refresh token, and those that receive the PAT.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::Run;
use crate::azure_devops::Organization;
use crate::failure::Failure;
use crate::host::Level;
use crate::inputs::request::Credential;
use crate::oidc::JobTokens;
use crate::pats::Minted;
use crate::secret::Secret;
use crate::store::vault_identity::JobToken;
use crate::store::{self, Address, AllStores, Bearer, Context, Kind, Store, Turns, VaultSettings};
use crate::subprocess;
use crate::time::Deadline;

/// What a run opens its stores with; a variable group is one of the `organization`.
pub(super) fn context(run: &Run<'_>, organization: Option<&Organization>, bearer: Bearer) -> Context {
    let request = run.request;
    let sign_in = &request.sign_in;
    Context {
        http: run.http.clone(),
        places: request.places.clone(),
        organization: organization.cloned(),
        bearer,
        store_key: sign_in.store_key.clone(),
        github_token: request.delivery.github_token.clone(),
        vault: VaultSettings {
            identity: sign_in.vault_identity.clone(),
            oidc: sign_in.oidc.clone(),
            service_connection: sign_in.azure_service_connection.clone(),
            job_token: Arc::new(TokenOfThisJob(run.job_tokens())),
            azure_cli: subprocess::azure_cli(store::vault_identity::AZURE_CLI),
            authority_host: request.places.authority_host.clone(),
            mask: run.mask(),
        },
        cluster: request.delivery.cluster.clone(),
        environment: Arc::clone(&request.delivery.command_environment),
        log: {
            let host = Arc::clone(&run.host);
            Arc::new(move |line| host.say(Level::Info, line))
        },
        turns: Turns::default(),
    }
}

/// Looks up the programs of the `command:` stores that the run may need: before anything is sent.
pub(super) fn look_up_programs(run: &Run<'_>) -> Result<(), Failure> {
    let sign_in = &run.request.sign_in;
    let rolls = !matches!(sign_in.credential, Credential::AccessToken(_) | Credential::AzureCli);
    let keeper = sign_in.credential_store.as_ref().filter(|_| rolls);
    for address in run.request.delivery.deliver_to.iter().chain(keeper) {
        if let Address::Command { words, .. } = address {
            store::command::look_up(address, words, &run.request.delivery.command_environment)
                .map_err(|failure| failure.and("Nothing was sent."))?;
        }
    }
    Ok(())
}

/// Opens one store.
pub(super) fn open(run: &Run<'_>, address: &Address, bearer: Bearer) -> Box<dyn Store> {
    store::open(address, &context(run, run.request.organization.as_ref(), bearer))
}

/// Opens the stores that are to receive the PAT.
pub(super) fn open_all(run: &Run<'_>, bearer: Bearer) -> AllStores {
    let organization = run.request.organization.as_ref();
    open_these(run, &run.request.delivery.deliver_to, organization, bearer, Turns::default())
}

/// Opens the stores at these addresses; those that others open too take turns by `turns`.
pub(super) fn open_these(
    run: &Run<'_>,
    addresses: &[Address],
    organization: Option<&Organization>,
    bearer: Bearer,
    turns: Turns,
) -> AllStores {
    let context = Context { turns, ..context(run, organization, bearer) };
    AllStores::new(addresses.iter().map(|address| store::open(address, &context)).collect())
}

/// Writes the new PAT to every store, or to none.
pub(super) async fn write(
    run: &Run<'_>,
    stores: &AllStores,
    organization: &Organization,
    minted: &Minted,
) -> Result<(), Failure> {
    let Minted { pat, token } = minted;
    let kind = Kind::Pat {
        authorization_id: pat.authorization_id.clone(),
        display_name: pat.display_name.clone(),
        organization: organization.name().to_owned(),
        scope: pat.scope.to_string(),
        valid_from: pat.valid_from,
        valid_to: pat.valid_to,
    };
    stores.write_all(token, &kind, &run.deadline().undisturbed()).await
}

/// Gives the stores back what they held; the failure then names those that could not be.
pub(super) async fn roll_back(run: &Run<'_>, stores: &AllStores, failure: Failure) -> Failure {
    stores.roll_back(run.deadline()).await.told_in(failure)
}

/// The job's own OIDC token, for a vault.
struct TokenOfThisJob(JobTokens);

impl fmt::Debug for TokenOfThisJob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenOfThisJob")
    }
}

#[async_trait]
impl JobToken for TokenOfThisJob {
    async fn assertion(&self, audience: &str, deadline: &Deadline) -> Result<Secret, Failure> {
        self.0.with_deadline(deadline.clone()).token(audience).await
    }
}
