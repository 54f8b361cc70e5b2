//! Whether a new PAT would find its way: each `deliver-to` store is asked whether it would take it, without a
//! word being written, and the host whether it can be handed a secret.

use super::super::{Run, destinations};
use super::network::Network;
use super::report::{Finding, told};
use crate::failure::{Exit, Failure};
use crate::inputs::request::HostSettings;
use crate::output_file;
use crate::secret::Secret;
use crate::store::Address;
use crate::store::bearer::bearer;

/// What was found of one way.
enum Way {
    Open(String),
    Doubtful(String),
    Untried(String),
}

pub(super) async fn check(
    run: &Run<'_>,
    network: &Network,
    token: Option<&Secret>,
) -> Result<Finding, Failure> {
    let stores = run.request.delivery.deliver_to.iter().map(|address| store(run, network, address, token));
    let mut ways: Vec<Result<Way, Failure>> = futures_util::future::join_all(stores).await;
    ways.extend(file(run));
    ways.push(host(run));
    let (mut open, mut doubtful, mut untried, mut failed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for way in ways {
        match way {
            Ok(Way::Open(words)) => open.push(words),
            Ok(Way::Doubtful(words)) => doubtful.push(words),
            Ok(Way::Untried(words)) => untried.push(words),
            Err(failure) => failed.push(failure),
        }
    }
    if let Some(first) = failed.first().cloned() {
        return Err(failed[1..].iter().fold(first, |all, failure| all.and(&failure.cause)));
    }
    let words: Vec<String> =
        open.into_iter().chain(untried.iter().cloned()).chain(doubtful.iter().cloned()).collect();
    let words = words.join(" ");
    Ok(match (doubtful.is_empty(), untried.is_empty()) {
        (false, _) => Finding::warning(words, ""),
        (true, false) => Finding::skipped(words),
        (true, true) => Finding::ok(words),
    })
}

async fn store(
    run: &Run<'_>,
    network: &Network,
    address: &Address,
    token: Option<&Secret>,
) -> Result<Way, Failure> {
    let places = &run.request.places;
    let down = match address {
        Address::File(_) => None,
        Address::KeyVault { vault, .. } => network.cannot_reach(vault),
        Address::VariableGroup { .. } => network.cannot_reach(&places.devops_url),
        Address::GithubSecret { .. } => network.cannot_reach(&places.github_api_url),
    };
    if let Some(down) = down {
        return Ok(Way::Untried(format!("{address} was not tried: {down}")));
    }
    let (slot, bearer) = bearer();
    match token {
        Some(token) => slot.put(token.clone()),
        None if matches!(address, Address::VariableGroup { .. }) => {
            return Ok(Way::Untried(format!("{address} was not tried: nobody is signed in.")));
        }
        None => {}
    }
    let prepared = destinations::open(run, address, bearer).prepare(run.patience()).await?;
    Ok(match prepared {
        None => Way::Open(format!("{address} would take it.")),
        Some(doubt) => Way::Doubtful(format!("{address}: {}", told(&doubt))),
    })
}

fn file(run: &Run<'_>) -> Option<Result<Way, Failure>> {
    let path = &run.request.delivery.output_file.as_ref()?.path;
    let prepared = output_file::prepare(path);
    Some(prepared.map(|_| Way::Open(format!("The output file {} can be written.", path.display()))))
}

fn host(run: &Run<'_>) -> Result<Way, Failure> {
    let delivery = &run.request.delivery;
    let elsewhere = delivery.output_file.is_some() || !delivery.deliver_to.is_empty();
    let is_generic = matches!(delivery.host, HostSettings::Generic { .. });
    match run.host.can_take_a_secret(elsewhere) {
        Ok(()) if is_generic => Ok(Way::Open("The host itself is not handed the PAT.".into())),
        Ok(()) => Ok(Way::Open("The host can be handed a secret.".into())),
        // Here `exec` works all the same.
        Err(failure) if is_generic && failure.exit == Exit::Inputs => {
            Ok(Way::Doubtful(format!("{} {}", failure.cause, failure.remedy)))
        }
        Err(failure) => Err(failure),
    }
}
