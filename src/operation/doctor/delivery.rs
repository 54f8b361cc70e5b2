//! Whether a new PAT would find its way: each `deliver-to` store is asked whether it would take it, without a
//! word being written, and the host whether it can be handed a secret.

use futures_util::stream::{self, StreamExt as _};

use super::super::{Run, destinations};
use super::network::Network;
use super::report::{Finding, in_one, told};
use super::stores::{self, Receiver};
use crate::failure::Failure;
use crate::inputs::request::OutputFile;
use crate::output_file;
use crate::secret::Secret;
use crate::store::bearer::bearer;
use crate::store::{self, Address};

/// How many stores are asked at once.
const AT_ONCE: usize = 16;

/// What was found of one way.
enum Way {
    Open(String),
    /// It may work; with a remedy.
    Doubtful(String, String),
    Untried(String),
}

pub(super) async fn check(
    run: &Run<'_>,
    network: &Network,
    token: Option<&Secret>,
) -> Result<Finding, Failure> {
    let receivers = stores::receivers(run);
    let stores = stream::iter(&receivers).map(|receiver| ask(run, network, receiver, token));
    // A manifest may name a thousand.
    let mut ways: Vec<Result<Way, Failure>> = stores.buffered(AT_ONCE).collect().await;
    ways.extend(file(run));
    ways.push(host(run));
    let (mut open, mut untried, mut doubtful, mut failed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut remedies = Vec::new();
    for way in ways {
        match way {
            Ok(Way::Open(words)) => open.push(words),
            Ok(Way::Untried(words)) => untried.push(words),
            Ok(Way::Doubtful(words, remedy)) => {
                doubtful.push(words);
                remedies.push(remedy);
            }
            Err(failure) => failed.push(failure),
        }
    }
    if let Some(failure) = in_one(failed) {
        return Err(doubtful.iter().zip(&remedies).fold(failure, |all, (words, remedy)| {
            let remedy = format!("{} {remedy}", all.remedy);
            Failure { remedy, ..all }.and(words)
        }));
    }
    let is_tried = untried.is_empty();
    let words = [open, untried, doubtful].concat().join(" ");
    Ok(match (remedies.is_empty(), is_tried) {
        (false, _) => Finding::warning(words, remedies.join(" ")),
        (true, false) => Finding::skipped(words),
        (true, true) => Finding::ok(words),
    })
}

async fn ask(
    run: &Run<'_>,
    network: &Network,
    receiver: &Receiver<'_>,
    token: Option<&Secret>,
) -> Result<Way, Failure> {
    let Receiver { organization, address } = *receiver;
    let name = match address {
        Address::VariableGroup { .. } | Address::ServiceConnection { .. }
            if organization != run.organization() =>
        {
            format!("{address} of {organization}")
        }
        _ => address.to_string(),
    };
    let places = &run.request.places;
    let down = match address {
        Address::File(_) | Address::KubernetesSecret { .. } | Address::Command { .. } => None,
        Address::KeyVault { vault, .. } => network.cannot_reach(vault),
        Address::VariableGroup { .. } | Address::ServiceConnection { .. } => {
            network.cannot_reach(&places.devops_url)
        }
        Address::GithubSecret { .. } => network.cannot_reach(&places.github_api_url),
    };
    if let Some(down) = down {
        return Ok(Way::Untried(format!("{name} was not tried: {down}")));
    }
    let (slot, bearer) = bearer();
    if run.request.organization.is_none()
        && matches!(address, Address::VariableGroup { .. } | Address::ServiceConnection { .. })
    {
        return Ok(Way::Untried(format!("{address} was not tried: the input organization is wrong.")));
    }
    match token {
        Some(token) => slot.put(token.clone()),
        None if matches!(address, Address::VariableGroup { .. } | Address::ServiceConnection { .. }) => {
            return Ok(Way::Untried(format!("{name} was not tried: nobody is signed in.")));
        }
        None => {}
    }
    let store = store::open(address, &destinations::context(run, Some(organization), bearer));
    let prepared = store.prepare(run.deadline()).await?;
    Ok(match prepared {
        None => match store.gives_way().await {
            None if matches!(address, Address::Command { .. }) => Way::Open(format!(
                "The program of {name} is there; whether it takes the PAT shows only when it runs."
            )),
            None => Way::Open(format!("{name} would take it.")),
            Some(doubt) => Way::Doubtful(format!("{name}: {}", told(&doubt)), doubt.remedy),
        },
        Some(doubt) => Way::Doubtful(format!("{name}: {}", told(&doubt)), doubt.remedy),
    })
}

fn file(run: &Run<'_>) -> Option<Result<Way, Failure>> {
    let OutputFile { path, format } = run.request.delivery.output_file.as_ref()?;
    let prepared = output_file::prepare(path);
    let not_here =
        if format.is_for_outputs() { "" } else { " doctor writes nothing to it, which is for a PAT." };
    Some(prepared.map(|_| Way::Open(format!("The output file {} can be written.{not_here}", path.display()))))
}

fn host(run: &Run<'_>) -> Result<Way, Failure> {
    let delivery = &run.request.delivery;
    let elsewhere = delivery.output_file.is_some() || !stores::receivers(run).is_empty();
    match run.host.can_take_a_secret(elsewhere) {
        Ok(()) if !run.host.has_outputs() => Ok(Way::Open("The host itself is not handed the PAT.".into())),
        Ok(()) => Ok(Way::Open("This host masks secrets.".into())),
        Err(failure) => Err(failure),
    }
}
