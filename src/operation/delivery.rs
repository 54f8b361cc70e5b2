//! Delivers a PAT and the outputs: to the stores first, then to the output file, to the host last. If one of them
//! fails, the others get back what they held before.

use std::path::Path;

use super::listing::{self, Outlook};
use super::outcome::Outcome;
use super::plan::Plan;
use super::sign_in::Session;
use super::{Run, destinations};

use crate::failure::Failure;
use crate::inputs::request::{OnCompletion, Operation, OutputFile};
use crate::output_file;
use crate::outputs::{MOST_OF_AN_OUTPUT, Outputs};
use crate::pats::{Minted, Pat};

/// Refuses an operation that would mint where nobody could take the PAT, or where the job's last step could not be told
/// of it. Nothing has been sent yet. A dry run fails as the run would.
pub(super) fn require_a_way_out(run: &Run<'_>, on_completion: Option<&OnCompletion>) -> Result<(), Failure> {
    let delivery = &run.request.delivery;
    let elsewhere = delivery.output_file.is_some() || !delivery.deliver_to.is_empty();
    run.host.can_take_a_secret(elsewhere)?;
    on_completion.map_or(Ok(()), |_| run.host.can_remember())
}

/// Refuses a run whose outputs could not be written to the output file, before anything is sent.
pub(super) fn require_a_writable_output_file(run: &Run<'_>) -> Result<(), Failure> {
    let Some(file) = &run.request.delivery.output_file else { return Ok(()) };
    let is_written = match &run.request.operation {
        Operation::Create(_) | Operation::Rotate(_) | Operation::Exec(_) => true,
        Operation::Apply(_)
        | Operation::Revoke(_)
        | Operation::Update(_)
        | Operation::Get(_)
        | Operation::List(_) => is_for_outputs(file),
        Operation::Login | Operation::PostStep(_) | Operation::Doctor(_) => false,
    };
    match is_written.then(|| output_file::prepare(&file.path)) {
        Some(Err(failure)) => Err(failure.and("Nothing was done.")),
        _ => Ok(()),
    }
}

/// Whether the file holds all outputs, not a PAT alone.
fn is_for_outputs(file: &OutputFile) -> bool {
    file.format.is_for_outputs()
}

/// Delivers a new PAT to its stores and then, with the other outputs, to the output file and the host. After a failure
/// everything that can be read back holds what it held before, and the failure names the rest.
pub(super) async fn deliver(
    run: &Run<'_>,
    session: &Session,
    minted: &Minted,
    to_the_job: Option<&Outputs>,
) -> Result<(), Failure> {
    destinations::write(run, &session.stores, session.service.organization(), minted).await?;
    let Some(outputs) = to_the_job else { return Ok(()) };
    let file = match replace_output_file(run, outputs) {
        Ok(file) => file,
        Err(failure) => return Err(destinations::roll_back(run, &session.stores, failure).await),
    };
    match run.host.deliver(outputs) {
        Ok(()) => Ok(()),
        Err(failure) => {
            let failure = match file.map(|(path, previous)| output_file::restore(path, &previous)) {
                Some(Err(why)) => failure.and(format!("It still holds the revoked PAT: {why}")),
                _ => failure,
            };
            Err(destinations::roll_back(run, &session.stores, failure).await)
        }
    }
}

/// Hands over the outputs of a run that minted nothing though it could have: the output file stays as it is.
pub(super) fn hand_over_unchanged(run: &Run<'_>, outputs: &Outputs) -> Result<(), Failure> {
    run.host.deliver(outputs)
}

/// Says what a plan would do: every sentence of a dry run, or why there is nothing to do.
pub(super) fn describe(run: &Run<'_>, plan: &Plan, revoke_on_completion: bool) {
    let mut sentences = plan.describe(run.organization());
    if matches!(plan, Plan::Act { new: Some(_), .. }) {
        // The new PAT is made, then delivered, and only then are the old ones retired.
        sentences.splice(1..1, delivery_of(run));
        if revoke_on_completion {
            sentences.push("The last step of this job would revoke the new PAT.".into());
        }
    }
    sentences.iter().for_each(|sentence| run.info(sentence));
}

/// Where a new PAT would be delivered, in a sentence; none if nowhere.
fn delivery_of(run: &Run<'_>) -> Option<String> {
    let delivery = &run.request.delivery;
    let stores = delivery.deliver_to.iter().map(ToString::to_string);
    let file = delivery.output_file.iter().map(|file| file.path.display().to_string());
    let host = run.host.has_outputs().then(|| "the outputs and variables of this job".to_owned());
    let places: Vec<String> = stores.chain(file).chain(host).collect();
    (!places.is_empty()).then(|| format!("Would deliver the new PAT to {}.", places.join(", ")))
}

/// Ends an operation that never mints: says what became of it and hands over the outputs. What could not be done is
/// the run's failure, but what was done is told all the same.
pub(super) fn conclude(run: &Run<'_>, outcome: &Outcome) -> Result<(), Failure> {
    let failure = outcome.failure();
    let handed_over = match &failure {
        Some(_) if !outcome.changed() => return failure.map_or(Ok(()), Err),
        _ => {
            outcome.tell(run, run.organization());
            let (subject, changed) = (outcome.subject().cloned(), outcome.changed());
            hand_over_plain(run, &Outputs { subject, changed, ..Outputs::default() })
        }
    };
    failure.map_or(handed_over, Err)
}

/// Hands over the outputs of an operation that never mints.
pub(super) fn hand_over_plain(run: &Run<'_>, outputs: &Outputs) -> Result<(), Failure> {
    replace_output_file(run, outputs)?;
    run.host.deliver(outputs)
}

/// Hands over a list of PATs: all of them to the output file, and to the host those that its output has room for.
pub(super) fn hand_over_list(run: &Run<'_>, pats: &[Pat], outlook: &Outlook) -> Result<(), Failure> {
    let file = run.request.delivery.output_file.as_ref().filter(|file| is_for_outputs(file));
    if file.is_some() {
        let all = pats.iter().map(|pat| outlook.for_a_program(pat).to_json()).collect();
        replace_output_file(run, &Outputs { pats: Some(all), ..Outputs::default() })?;
    }
    if !run.host.has_outputs() {
        return Ok(());
    }
    let soonest = listing::soonest_within(pats, outlook, MOST_OF_AN_OUTPUT);
    if soonest.len() < pats.len() {
        let (some, all) = (soonest.len(), pats.len());
        let left_out = format!("The output pats holds only {some} of {all} PATs, those that expire soonest,");
        run.warn(too_large(run, &left_out));
    }
    run.host.deliver(&Outputs { pats: Some(soonest), ..Outputs::default() })
}

/// What an output holds instead of all, as a whole sentence: why, and where all of it is.
pub(super) fn too_large(run: &Run<'_>, left_out: &str) -> String {
    let all = match run.request.delivery.output_file.as_ref().filter(|file| is_for_outputs(file)) {
        Some(file) => format!("output-file, {}, has all of them", file.path.display()),
        None => "set output-file to have all of them in a file".to_owned(),
    };
    format!("{left_out} because an output may be 64 KiB at most: {all}.")
}

/// Writes the output file, if there is to be one; returns where, and what it held before.
pub(super) fn replace_output_file<'a>(
    run: &Run<'a>,
    outputs: &Outputs,
) -> Result<Option<(&'a Path, output_file::Previous)>, Failure> {
    let delivery = &run.request.delivery;
    let Some(OutputFile { path, format }) = &delivery.output_file else { return Ok(None) };
    // A run without an organization has no PAT.
    let text = match &run.request.organization {
        Some(organization) => output_file::render(outputs, *format, organization, delivery.feed.as_ref()),
        None => output_file::render_plain(outputs, *format),
    };
    let Some(text) = text else { return Ok(None) };
    let previous = output_file::prepare(path)?;
    output_file::write(path, &text)?;
    Ok(Some((path, previous)))
}
