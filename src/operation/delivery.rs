//! Where a PAT and the outputs go: stores, then the output file, the host last; and giving back what was
//! there before, where one of them fails.

use super::Run;
use super::sign_in::Session;
use crate::failure::{Exit, Failure};
use crate::inputs::request::OutputFile;
use crate::output_file;
use crate::outputs::Outputs;
use crate::private_file;

/// Refuses an operation that would mint where nobody could take the PAT. Nothing has been sent yet.
pub(super) fn require_a_way_out(run: &Run<'_>, dry_run: bool) -> Result<(), Failure> {
    let delivery = &run.request.delivery;
    let elsewhere = delivery.output_file.is_some() || !delivery.deliver_to.is_empty();
    if dry_run { Ok(()) } else { run.host.can_take_a_secret(elsewhere) }
}

/// Delivers a new PAT everywhere it was asked to be, the host last. After a failure everything that can be
/// read back holds what it held before, and the failure names the rest.
pub(super) async fn deliver(run: &Run<'_>, session: &Session, outputs: &Outputs) -> Result<(), Failure> {
    let stores = session.destinations.write(run, outputs).await?;
    let file = match &run.request.delivery.output_file {
        Some(file) => match replace(run, file, outputs) {
            Ok(previous) => Some((file, previous)),
            Err(failure) => return Err(stores.give_back(run, failure).await),
        },
        None => None,
    };
    match run.host.deliver(outputs) {
        Ok(()) => Ok(()),
        Err(failure) => {
            let failure = match file {
                Some((file, previous)) => give_back(file, previous.as_deref().map(Vec::as_slice), failure),
                None => failure,
            };
            Err(stores.give_back(run, failure).await)
        }
    }
}

/// Hands over the outputs of a run that minted nothing though it could have: the output file stays as it is.
pub(super) fn hand_over_unchanged(run: &Run<'_>, outputs: &Outputs) -> Result<(), Failure> {
    run.host.deliver(outputs)
}

/// Hands over the outputs of an operation that never mints.
pub(super) fn hand_over_plain(run: &Run<'_>, outputs: &Outputs) -> Result<(), Failure> {
    if let Some(file) = &run.request.delivery.output_file {
        replace(run, file, outputs)?;
    }
    run.host.deliver(outputs)
}

type Previous = Option<zeroize::Zeroizing<Vec<u8>>>;

fn replace(run: &Run<'_>, file: &OutputFile, outputs: &Outputs) -> Result<Previous, Failure> {
    let Some(text) = output_file::render(outputs, file.format, run.organization()) else { return Ok(None) };
    let previous = private_file::read(&file.path);
    previous.and_then(|previous| private_file::replace(&file.path, &text).map(|()| previous)).map_err(|error| {
        Failure::new(
            Exit::Store,
            format!("The output file {} could not be written: {error}.", file.path.display()),
            "Give output-file a path in a folder that this job may write to.",
        )
    })
}

fn give_back(file: &OutputFile, previous: Option<&[u8]>, failure: Failure) -> Failure {
    match private_file::restore(&file.path, previous) {
        Ok(()) => failure,
        Err(error) => {
            let path = file.path.display();
            failure.and(format!("{path} still holds the revoked PAT: it could not be given back ({error})."))
        }
    }
}
