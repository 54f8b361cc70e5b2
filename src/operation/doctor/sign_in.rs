//! Whether the sign-in works, what it was granted, and whether the credential store takes the refresh token that
//! it rolls: a real sign-in, stored as in any run.

use super::super::{Run, destinations, sign_in as signing_in, tenant};
use super::ONE_CHECK;
use super::network::Network;
use super::report::{Finding, told};
use super::stores;
use crate::entra::Tokens;
use crate::failure::Failure;
use crate::http::GRACE;
use crate::inputs::request::Credential;
use crate::secret::Secret;
use crate::store::bearer::bearer;
use crate::store::{Address, Kind, Store};

/// What came of the sign-in, and of the store that keeps its refresh token.
pub(super) struct SignedIn {
    pub(super) sign_in: Result<Finding, Failure>,
    pub(super) store: Result<Finding, Failure>,
    /// The bearer for Azure DevOps, where there is one.
    pub(super) bearer: Option<Secret>,
}

/// Nobody signs in, for this reason.
pub(super) fn skipped(why: &str) -> SignedIn {
    SignedIn { sign_in: Ok(Finding::skipped(why)), store: Ok(Finding::skipped(why)), bearer: None }
}

/// Signs in as a run would. `exists`: whether the organization is known to exist.
pub(super) async fn sign_in(run: &Run<'_>, network: &Network, exists: bool) -> SignedIn {
    let sign_in = &run.request.sign_in;
    match &sign_in.credential {
        Credential::DeviceCode | Credential::Browser => {
            skipped("This credential needs a person, whom doctor does not ask.")
        }
        Credential::AccessToken(token) => SignedIn {
            sign_in: Ok(Finding::ok("The given access-token is used as it is; identity and PATs try it.")),
            store: Ok(Finding::skipped("An access-token needs none.")),
            bearer: Some(token.clone()),
        },
        Credential::AzureCli => {
            let run = &run.at_most(ONE_CHECK);
            let outcome = signing_in::tokens(run).await;
            let bearer = outcome.as_ref().ok().map(|tokens| tokens.access_token.clone());
            SignedIn {
                sign_in: judged(run, outcome.as_ref().map_err(Clone::clone)).await,
                store: Ok(Finding::skipped("The Azure CLI keeps its own.")),
                bearer,
            }
        }
        Credential::RefreshToken(seed) => {
            let store = signing_in::readable_store(run).map(|address| open(run, address, None));
            if let Some(Err(unreadable)) = read(run, store.as_deref()).await {
                let skipped = Finding::skipped("The refresh token in the credential store cannot be read.");
                return SignedIn { sign_in: Ok(skipped), store: Err(unreadable), bearer: None };
            }
            let unreached = network.cannot_reach(&run.request.places.authority_host);
            let no_tenant = sign_in.tenant_id.is_none() && !exists;
            let skipped = unreached.or_else(|| {
                no_tenant.then(|| "The tenant to sign in to depends on the organization.".to_owned())
            });
            if let Some(why) = skipped {
                let store = untried(run, store.as_deref()).await;
                return SignedIn { sign_in: Ok(Finding::skipped(why)), store, bearer: None };
            }
            // The answer that brings the new refresh token may come a little late, still within this check.
            let limited = run.at_most(ONE_CHECK - GRACE);
            let outcome = signing_in::redeem(&limited, store.as_deref(), seed.as_ref(), None).await;
            let kept = match &outcome {
                Ok(tokens) => keep(run, store, tokens).await,
                Err(_) => untried(run, store.as_deref()).await,
            };
            let bearer = outcome.as_ref().ok().map(|tokens| tokens.access_token.clone());
            SignedIn {
                sign_in: judged(&limited, outcome.as_ref().map_err(Clone::clone)).await,
                store: kept,
                bearer,
            }
        }
    }
}

async fn judged(run: &Run<'_>, outcome: Result<&Tokens, Failure>) -> Result<Finding, Failure> {
    let tokens = match outcome {
        Ok(tokens) => tokens,
        Err(failure) => return Err(tenant::explain(run, run.request.organization.as_ref(), failure).await),
    };
    let Some(granted) = &tokens.granted else {
        return Ok(Finding::ok("Signed in; which permissions were granted the answer does not say."));
    };
    let granted = |wanted: &str| granted.iter().any(|permission| permission.eq_ignore_ascii_case(wanted));
    if granted("user_impersonation") {
        return Ok(Finding::ok("Signed in; granted: user_impersonation."));
    }
    let wanted = wanted(run);
    let missing: Vec<&str> = wanted.iter().copied().filter(|wanted| !granted(wanted)).collect();
    if missing.is_empty() {
        return Ok(Finding::ok(format!("Signed in; granted: {}.", wanted.join(", "))));
    }
    Ok(Finding::warning(
        format!("Signed in, but these permissions were not granted: {}.", missing.join(", ")),
        "Add them to the app registration ('API permissions', 'Azure DevOps', delegated), and consent to them.",
    ))
}

/// The delegated permissions that this configuration needs.
fn wanted(run: &Run<'_>) -> Vec<&'static str> {
    let stores = stores::all(run);
    let any = |of_that_kind: fn(&Address) -> bool| stores.iter().any(|store| of_that_kind(store));
    let mut wanted = vec!["vso.pats", "vso.pats_manage"];
    if any(|store| matches!(store, Address::VariableGroup { .. })) {
        wanted.extend(["vso.variablegroups_read", "vso.variablegroups_manage"]);
    }
    if any(|store| matches!(store, Address::ServiceConnection { .. })) {
        wanted.extend(["vso.serviceendpoint", "vso.serviceendpoint_manage"]);
    }
    wanted
}

fn open(run: &Run<'_>, address: &Address, token: Option<&Secret>) -> Box<dyn Store> {
    let (slot, bearer) = bearer();
    if let Some(token) = token {
        slot.put(token.clone());
    }
    destinations::open(run, address, bearer)
}

/// Reads the store; `None` if there is no store that can be read.
async fn read(run: &Run<'_>, store: Option<&dyn Store>) -> Option<Result<(), Failure>> {
    let deadline = run.deadline().at_most(ONE_CHECK);
    Some(store?.read(&deadline).await.map(drop))
}

/// A store that has been read, where there was no sign-in that could have rolled its token.
async fn untried(run: &Run<'_>, store: Option<&dyn Store>) -> Result<Finding, Failure> {
    let Some(store) = store else {
        return Ok(Finding::skipped("Without a sign-in there is no refresh token to store."));
    };
    let deadline = run.deadline().at_most(ONE_CHECK);
    let address = store.address();
    Ok(match store.prepare(&deadline).await? {
        None => Finding::ok(format!("{address} can be read, and looks as if it could be written.")),
        Some(doubt) => Finding::warning(format!("{address} can be read. {}", told(&doubt)), doubt.remedy),
    })
}

/// Stores the rolled refresh token, which no signal may keep from being stored.
async fn keep(run: &Run<'_>, store: Option<Box<dyn Store>>, tokens: &Tokens) -> Result<Finding, Failure> {
    let Some(rolled) = &tokens.refresh_token else {
        return Ok(Finding::ok("Microsoft Entra sent no new refresh token: the one in use stays."));
    };
    let store = match (store, &run.request.sign_in.credential_store) {
        (Some(store), _) => store,
        (None, Some(address)) => open(run, address, Some(&tokens.access_token)),
        (None, None) => {
            let remedy = "Give credential-store, a place that keeps it from run to run.";
            return Ok(Finding::warning(signing_in::goes_nowhere(run), remedy));
        }
    };
    let deadline = signing_in::deadline_to_store(run).at_most(ONE_CHECK);
    store.write(rolled, &Kind::RefreshToken, &deadline).await?;
    let address = store.address();
    let found = Finding::ok(match store.is_readable() {
        true => format!("{address} can be read, and took the new refresh token."),
        false => format!("{address} took the new refresh token."),
    });
    Ok(match signing_in::in_clear_text(run) {
        Some(sentence) => found.and(&sentence),
        None => found,
    })
}
