//! Where a PAT and the outputs go: stores, then the output file, the host last; and giving back what was
//! there before, where one of them fails.

use std::path::Path;

use super::sign_in::Session;
use super::{Run, destinations};

use crate::failure::Failure;
use crate::inputs::request::{HostSettings, Operation, OutputFile, OutputFormat};
use crate::output_file;
use crate::outputs::Outputs;

/// Refuses an operation that would mint where nobody could take the PAT. Nothing has been sent yet.
pub(super) fn require_a_way_out(run: &Run<'_>, dry_run: bool) -> Result<(), Failure> {
    let delivery = &run.request.delivery;
    let elsewhere = delivery.output_file.is_some() || !delivery.deliver_to.is_empty();
    if dry_run { Ok(()) } else { run.host.can_take_a_secret(elsewhere) }
}

/// Refuses a run whose outputs could not be written to the output file, before anything is sent.
pub(super) fn require_a_writable_output_file(run: &Run<'_>) -> Result<(), Failure> {
    let Some(file) = &run.request.delivery.output_file else { return Ok(()) };
    let is_written = match &run.request.operation {
        Operation::Create(_) | Operation::Rotate(_) => true,
        Operation::Revoke(_) | Operation::Update(_) | Operation::Get(_) | Operation::List(_) => {
            is_for_outputs(file)
        }
        Operation::Exec(_) | Operation::Login | Operation::Complete(_) | Operation::Doctor(_) => false,
    };
    match is_written.then(|| output_file::prepare(&file.path)) {
        Some(Err(failure)) => Err(failure.and("Nothing was done.")),
        _ => Ok(()),
    }
}

/// Whether the file holds all outputs, not a PAT alone.
fn is_for_outputs(file: &OutputFile) -> bool {
    matches!(file.format, OutputFormat::Json | OutputFormat::Dotenv)
}

/// Delivers a new PAT everywhere it was asked to be, the host last. After a failure everything that can be
/// read back holds what it held before, and the failure names the rest.
pub(super) async fn deliver(run: &Run<'_>, session: &Session, outputs: &Outputs) -> Result<(), Failure> {
    destinations::write(run, &session.stores, outputs).await?;
    let file = match replace_output_file(run, outputs) {
        Ok(file) => file,
        Err(failure) => return Err(destinations::take_back(run, &session.stores, failure).await),
    };
    match run.host.deliver(outputs) {
        Ok(()) => Ok(()),
        Err(failure) => {
            let failure = match file.map(|(path, previous)| output_file::restore(path, &previous)) {
                Some(Err(why)) => failure.and(format!("It still holds the revoked PAT: {why}")),
                _ => failure,
            };
            Err(destinations::take_back(run, &session.stores, failure).await)
        }
    }
}

/// Hands over the outputs of a run that minted nothing though it could have: the output file stays as it is.
pub(super) fn hand_over_unchanged(run: &Run<'_>, outputs: &Outputs) -> Result<(), Failure> {
    run.host.deliver(outputs)
}

/// Whether the outputs of an operation that never mints go anywhere: not on a host that has none, where no file is
/// to hold them.
pub(super) fn takes_outputs(run: &Run<'_>) -> bool {
    let delivery = &run.request.delivery;
    delivery.output_file.as_ref().is_some_and(is_for_outputs)
        || !matches!(delivery.host, HostSettings::Generic { .. })
}

/// Hands over the outputs of an operation that never mints.
pub(super) fn hand_over_plain(run: &Run<'_>, outputs: &Outputs) -> Result<(), Failure> {
    replace_output_file(run, outputs)?;
    run.host.deliver(outputs)
}

/// Writes the output file, if there is to be one; returns where, and what it held before.
fn replace_output_file<'a>(
    run: &Run<'a>,
    outputs: &Outputs,
) -> Result<Option<(&'a Path, output_file::Previous)>, Failure> {
    let Some(OutputFile { path, format }) = &run.request.delivery.output_file else { return Ok(None) };
    let Some(text) = output_file::render(outputs, *format, run.organization()) else { return Ok(None) };
    let previous = output_file::prepare(path)?;
    output_file::write(path, &text)?;
    Ok(Some((path, previous)))
}
