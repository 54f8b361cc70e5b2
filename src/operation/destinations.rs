//! The `deliver-to` stores of a run.

use super::Run;
use crate::failure::Failure;
use crate::outputs::Outputs;
use crate::secret::Secret;

/// The stores that wait for the PAT, each found able to take it.
pub(super) struct Destinations {}

/// What was written to the stores, so that it can be given back.
pub(super) struct Written {}

impl Destinations {
    pub(super) async fn prepare(_run: &Run<'_>, _bearer: &Secret) -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(super) async fn write(&self, _run: &Run<'_>, _outputs: &Outputs) -> Result<Written, Failure> {
        Ok(Written {})
    }
}

impl Written {
    pub(super) async fn give_back(self, _run: &Run<'_>, failure: Failure) -> Failure {
        failure
    }
}
