//! `doctor`: whether everything that a run needs is in place, check by check.
//!
//! It changes nothing but the stored refresh token, which every sign-in rolls. A check that fails does not stop
//! those that do not depend on it. No secret and no personal data is told.

mod delivery;
pub(in crate::operation) mod identity;
mod job_token;
mod network;
mod organization;
mod pats;
mod report;
mod sign_in;
mod stores;
mod vaults;

use std::time::Duration;

use self::job_token::{JobToken, shown};
use self::report::{Check, Finding, Report};
use super::summary::counted;
use super::{Run, delivery as outputs, sign_in_again};
use crate::failure::{Exit, Failure};
use crate::host::Host;
use crate::inputs::Problem;
use crate::inputs::request::{self, Credential, Delivery};
use crate::output_file;
use crate::outputs::Outputs;

/// Why a check is not made that depends on what the first has found.
const WRONG_INPUTS: &str = "The inputs are wrong that it depends on.";

/// The longest that one check may take.
const ONE_CHECK: Duration = Duration::from_secs(15);

/// Makes every check; the exit code is that of the first that failed.
///
/// # Errors
/// The run was cancelled, or the outputs could not be handed over.
pub(super) async fn doctor(run: &Run<'_>, asked: &request::Doctor) -> Result<u8, Failure> {
    let mut report = Report::new(run.host.as_ref());
    let with_the_command = |found: Result<Finding, Failure>| {
        found.map_err(|failure| sign_in_again::with_the_command(run.request, failure))
    };
    let wrong = &asked.problems;
    report.add(Check::Inputs, if wrong.is_empty() { inputs(run).await } else { Err(in_words(wrong)) })?;

    let network = network::look(&run.at_most(ONE_CHECK)).await;
    report.add(Check::Network, network.found.clone())?;

    let found = match network.cannot_reach(&run.request.places.devops_url) {
        Some(why) => Ok(Finding::skipped(why)),
        None if run.request.organization.is_none() => Ok(Finding::skipped(WRONG_INPUTS)),
        None => organization::check(&run.at_most(ONE_CHECK)).await,
    };
    let is_skipped = found.as_ref().is_ok_and(Finding::is_skipped);
    let exists = report.add(Check::Organization, found)? && !is_skipped;

    let signed_in = if asked.is_sign_in_wrong {
        sign_in::skipped(WRONG_INPUTS)
    } else {
        sign_in::sign_in(run, &network, exists).await
    };
    let job = JobToken::look(run, &network).await;
    let of_the_vaults = |uses_a_vault: bool| job.of_the_vaults.as_ref().filter(|_| uses_a_vault);
    let found = with_the_command(signed_in.sign_in);
    report.add(Check::SignIn, shown(found, job.of_the_sign_in.as_ref()))?;
    let in_vault = run.request.sign_in.credential_store.as_ref().is_some_and(vaults::is_vault);
    report.add(Check::CredentialStore, shown(with_the_command(signed_in.store), of_the_vaults(in_vault)))?;
    let bearer = signed_in.bearer;

    let found = match &bearer {
        _ if !exists => Ok(Finding::skipped("The organization is not known to exist.")),
        None => Ok(Finding::skipped("Nobody is signed in.")),
        Some(bearer) => identity::check(&run.at_most(ONE_CHECK), bearer).await,
    };
    // Whom the service does not take for a person it will not list PATs for; that it failed says nothing.
    let refused = found.as_ref().is_err_and(|failure| failure.exit != Exit::Service);
    report.add(Check::Identity, with_the_command(found))?;

    let found = match (&bearer, network.cannot_reach(&run.request.places.service_url)) {
        (_, Some(why)) => Ok(Finding::skipped(why)),
        _ if !exists => Ok(Finding::skipped("The organization is not known to exist.")),
        (None, _) => Ok(Finding::skipped("Nobody is signed in.")),
        _ if refused => Ok(Finding::skipped("The user who is signed in has no PATs here.")),
        (Some(bearer), None) => pats::check(&run.at_most(ONE_CHECK), bearer, asked).await,
    };
    let mut doubts = asked.doubts.clone();
    doubts.extend(run.at_most(ONE_CHECK).doubt_of_the_end().await);
    report.add(Check::Pats, with_the_command(found).map(|found| found.doubting(&doubts)))?;

    let found = match asked.is_delivery_wrong {
        true => Ok(Finding::skipped(WRONG_INPUTS)),
        false => delivery::check(&run.at_most(ONE_CHECK), &network, bearer.as_ref()).await,
    };
    let to_vault = stores::receivers(run).iter().any(|receiver| vaults::is_vault(receiver.address));
    report.add(Check::Delivery, shown(found, of_the_vaults(to_vault)))?;
    hand_over(run, &report)
}

/// All that is wrong with the inputs.
fn in_words(problems: &[String]) -> Failure {
    let remedy = "'adopat help OPERATION' lists the inputs of an operation.";
    Failure::new(Exit::Inputs, problems.join("\n"), remedy)
}

/// Where the services are is wrong, on which all other checks depend.
pub(crate) fn of_broken_inputs(host: &dyn Host, delivery: &Delivery, problems: &[Problem]) -> u8 {
    let mut report = Report::new(host);
    // No check fails by being cancelled here.
    let _ = report
        .add(Check::Inputs, Err(in_words(&problems.iter().map(ToString::to_string).collect::<Vec<_>>())));
    for check in &Check::ALL[1..] {
        let _ = report.add(*check, Ok(Finding::skipped(WRONG_INPUTS)));
    }
    host.summarize(&report.to_markdown());
    let outputs = Outputs { checks: Some(report.to_json()), ..Outputs::default() };
    let written = delivery.output_file.as_ref().map_or(Ok(()), |file| {
        output_file::render_plain(&outputs, file.format)
            .map_or(Ok(()), |text| output_file::write(&file.path, &text))
    });
    if let Err(failure) = written.and_then(|()| host.deliver(&outputs)) {
        host.say(crate::host::Level::Warning, &failure.to_string());
    }
    report.exit_code()
}

fn hand_over(run: &Run<'_>, report: &Report<'_>) -> Result<u8, Failure> {
    run.host.summarize(&report.to_markdown());
    let outputs = Outputs { checks: Some(report.to_json()), ..Outputs::default() };
    let handed_over = outputs::hand_over_plain(run, &outputs);
    let code = report.exit_code();
    match handed_over {
        Err(failure) if code == 0 => return Err(failure),
        Err(failure) => run.warn(failure.to_string()),
        Ok(()) => {}
    }
    if code == 0 && report.has_warnings() {
        run.host.succeeded_with_issues();
    }
    Ok(code)
}

async fn inputs(run: &Run<'_>) -> Result<Finding, Failure> {
    run.at_most(ONE_CHECK).refuse_an_end_in_the_past().await?;
    let sign_in = &run.request.sign_in;
    let credential = match &sign_in.credential {
        Credential::RefreshToken(_) => "refresh-token",
        Credential::AccessToken(_) => "access-token",
        Credential::DeviceCode => "device-code",
        Credential::Browser => "browser",
        Credential::AzureCli => "azure-cli",
    };
    let found = Finding::ok(format!(
        "Every input is well formed; credential {credential} ({}).",
        sign_in.inferred_from
    ));
    let Some(manifest) = run.request.operation.manifest() else { return Ok(found) };
    let mut organizations: Vec<&str> =
        manifest.entries.iter().map(|entry| entry.organization.name()).collect();
    organizations.sort_unstable();
    organizations.dedup();
    Ok(found.and(&format!(
        "The manifest describes {} of {}.",
        counted(manifest.entries.len()),
        organizations.join(", ")
    )))
}
