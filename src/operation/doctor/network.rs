//! Whether each host that this configuration would talk to is reached: its name, the connection, and TLS,
//! through the proxy that would be used. And what time it is there.

use http::{Method, Request};
use jiff::SignedDuration;
use tokio::time::sleep;
use url::{Origin, Url};

use super::super::{Run, clock_off};
use super::report::{Finding, in_one};
use super::stores;
use super::vaults;
use crate::azure_devops::hosts;
use crate::failure::{Exit, Failure};
use crate::http::request;
use crate::http::{Answer, CLOCK_OFF, Effect, NoAnswer};
use crate::inputs::request::{ClientProof, Credential};
use crate::store::Address;
use crate::time::Ended;

/// The pause before a host is tried once more.
const ONCE_MORE: std::time::Duration = std::time::Duration::from_secs(1);

/// What was found of the network.
pub(super) struct Network {
    /// For the report.
    pub(super) found: Result<Finding, Failure>,
    down: Vec<Origin>,
}

impl Network {
    /// That the address' host is not reached, as a sentence, if it is not.
    pub(super) fn cannot_reach(&self, address: &Url) -> Option<String> {
        let is_down = self.down.contains(&address.origin());
        is_down.then(|| format!("{} is not reached.", place(address)))
    }
}

/// Looks at every host at once.
pub(super) async fn look(run: &Run<'_>) -> Network {
    let addresses = addresses(run);
    let answers = addresses.iter().map(|address| async move { (address, reach(run, address).await) });
    let answers = futures_util::future::join_all(answers).await;
    let down = answers.iter().filter(|(_, answer)| answer.is_err()).map(|(address, _)| address.origin());
    let down = down.collect();
    Network { found: judge(run, answers), down }
}

fn judge(run: &Run<'_>, answers: Vec<(&Url, Result<Answer, Failure>)>) -> Result<Finding, Failure> {
    let mut reached = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    let mut furthest: Option<(&Url, SignedDuration)> = None;
    for (address, answer) in answers {
        match answer {
            Err(failure) => failures.push(failure),
            Ok(answer) => {
                reached.push(described(run, address));
                let clock_skew = answer.date().map(|date| run.http.world().clock.now().duration_since(date));
                if let Some(clock_skew) = clock_skew
                    && furthest.is_none_or(|(_, known)| clock_skew.abs() > known.abs())
                {
                    furthest = Some((address, clock_skew));
                }
            }
        }
    }
    if let Some(failure) = in_one(failures) {
        return Err(failure);
    }
    let reached = format!("Reached: {}.", reached.join(", "));
    match furthest.filter(|(_, clock_skew)| clock_skew.abs() > CLOCK_OFF) {
        Some((address, clock_skew)) => Ok(Finding::warning(
            format!(
                "{reached} This machine's clock is {} that of {}.",
                clock_off(clock_skew),
                place(address)
            ),
            "Set the clock: certificates, the expiry of PATs and the proof of an app are judged by it.",
        )),
        None => Ok(Finding::ok(reached)),
    }
}

/// One anonymous request; any answer at all shows that the host is reached.
async fn reach(run: &Run<'_>, address: &Url) -> Result<Answer, Failure> {
    let mut root = address.clone();
    root.set_path("/");
    root.set_query(None);
    let ask = || async {
        let builder = Request::builder().method(Method::HEAD).uri(root.as_str());
        let request = request::build(builder, bytes::Bytes::new());
        let sent = run.deadline().bound(run.http.send(request, Effect::OnceOnly)).await;
        sent.map_err(NoAnswer::Ended).and_then(|outcome| outcome)
    };
    let mut outcome = ask().await;
    if let Err(NoAnswer::Wire(error)) = &outcome
        && error.may_pass()
    {
        sleep(ONCE_MORE).await;
        outcome = ask().await;
    }
    outcome.map_err(|error| match error {
        NoAnswer::Ended(Ended::TimedOut) => Failure::new(
            Exit::Service,
            format!("{} did not answer in time.", named(run, address)),
            "Check that a firewall lets this machine out, and the proxy settings (HTTPS_PROXY, NO_PROXY).",
        ),
        error => error.into_failure(&named(run, address)),
    })
}

/// Every host once.
fn addresses(run: &Run<'_>) -> Vec<Url> {
    let request = run.request;
    let (places, sign_in) = (&request.places, &request.sign_in);
    let stores = stores::all(run);
    let by_entra = !matches!(sign_in.credential, Credential::AccessToken(_) | Credential::AzureCli);
    let mut addresses = Vec::new();
    // A vault is opened with a token of Entra's too, though of another app.
    if by_entra || stores.iter().any(|store| matches!(store, Address::KeyVault { .. })) {
        addresses.push(places.authority_host.clone());
    }
    addresses.extend([places.service_url.clone(), places.devops_url.clone()]);
    if matches!(sign_in.proof, Some(ClientProof::Federated)) || vaults::are_opened_by_the_job(run) {
        let endpoints = [&sign_in.oidc.github, &sign_in.oidc.azure_pipelines];
        addresses.extend(endpoints.into_iter().flatten().map(|(endpoint, _)| endpoint.clone()));
    }
    for store in stores {
        match store {
            Address::KeyVault { vault, .. } => addresses.push(vault.clone()),
            Address::GithubSecret { .. } => addresses.push(places.github_api_url.clone()),
            Address::File(_)
            | Address::VariableGroup { .. }
            | Address::ServiceConnection { .. }
            | Address::KubernetesSecret { .. }
            | Address::Command { .. } => {}
        }
    }
    let mut seen = Vec::new();
    addresses.retain(|address| {
        let origin = address.origin();
        let is_new = !seen.contains(&origin);
        seen.push(origin);
        is_new
    });
    addresses
}

/// Host and port of an address.
fn place(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    address.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The same, with the proxy on the way.
fn named(run: &Run<'_>, address: &Url) -> String {
    match run.http.world().wire.proxy(address) {
        Some(proxy) => format!("{} (through the proxy {proxy})", place(address)),
        None => place(address),
    }
}

/// The same, and who issued the certificate, where that is no public authority.
fn described(run: &Run<'_>, address: &Url) -> String {
    let name = named(run, address);
    // The issuer is known by the host's name, which may speak without TLS on another port.
    let issuer = run.http.world().wire.private_issuer(address).filter(|_| address.scheme() == "https");
    match issuer {
        Some(issuer) if hosts::is_loopback(address) => format!("{name} (certificate issued by '{issuer}')"),
        Some(issuer) => format!(
            "{name} (certificate issued by '{issuer}', no public authority but trusted here: a proxy inspects TLS)"
        ),
        None => name,
    }
}
