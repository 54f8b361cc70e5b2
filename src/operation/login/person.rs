//! Who has signed in, as far as Azure DevOps says so. The sign-in is stored by then, so nothing here is a failure.

use std::time::Duration;

use super::Run;
use crate::failure::Exit;
use crate::operation::doctor::identity;
use crate::secret::Secret;

/// The longest that a person waits to read their own name.
const LONGEST: Duration = Duration::from_secs(10);

/// Their name. If Azure DevOps does not let them in, that is warned about: no run could do better.
pub(super) async fn name(run: &Run<'_>, bearer: &Secret) -> Option<String> {
    run.request.organization.as_ref()?;
    let run = run.at_most(LONGEST);
    match identity::of_a_member(&run, bearer).await {
        Ok(identity) => identity.name(),
        Err(failure) => {
            if failure.exit == Exit::Refused {
                run.warn(failure.to_string());
            }
            None
        }
    }
}
