//! One transaction: a PAT is made and delivered, and the PATs that it takes the place of are retired. `rotate` is the case
//! of one; `create` retires none; `apply` carries out one for each PAT that is not as it should be.

use super::lifecycle::{MintRequest, mint_and_deliver};
use super::outcome::Outcome;
use super::plan::Step;
use super::sign_in::Session;
use super::{Run, retire};
use crate::failure::Failure;
use crate::pats::Pat;
use crate::pending::Pending;

/// The order of these steps is the promise: a new PAT is in everybody's hands before an old one is retired. After a
/// failure no PAT is retired, and nothing that was made is left, or the failure names what is.
pub(super) async fn carry_out(
    run: &Run<'_>,
    session: &Session,
    mint_request: &MintRequest<'_>,
    steps: &[Step],
) -> Result<Outcome, Failure> {
    let mut delivered = mint_and_deliver(run, session, mint_request).await?;
    let service = session.service.with_deadline(run.deadline().to_clean_up());
    let fates = retire::carry_out(&service, steps).await;
    // What an earlier attempt of this step left and was found is retired with the old ones.
    let retired: Vec<Pat> = steps.iter().map(|step| step.pat.clone()).collect();
    let left = mint_request.on_completion.iter().flat_map(|on_completion| &on_completion.left);
    let left: Vec<Pending> = left.filter(|pending| pending.among(&retired).is_none()).cloned().collect();
    let issues = delivered.settle(&left).await;
    Ok(Outcome { made: Some(delivered.pat), fates, issues })
}
