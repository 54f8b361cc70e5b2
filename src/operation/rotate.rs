//! `rotate`: sign in, read the old PAT, mint the new one, deliver it, then retire the old.

use super::find::find;
use super::lifecycle::MintRequest;
use super::plan::{Plan, Step, plan_rotation};
use super::sign_in::Session;
use super::transaction;
use super::{Run, delivery, sign_in};
use crate::failure::Failure;
use crate::inputs::request::Rotate;
use crate::outputs::Outputs;
use crate::pats::{NewPat, Pat};
use crate::pending::Pending;

pub(super) async fn rotate(run: &Run<'_>, rotate: &Rotate) -> Result<(), Failure> {
    delivery::require_a_way_out(run, rotate.revoke_on_completion.as_ref())?;
    let session = sign_in::sign_in(run).await?;
    let found = find(&session.service, &rotate.subject).await?;
    // A PAT that an earlier attempt of this step left has the name too, and is retired with the old one.
    let left = rotate.revoke_on_completion.as_ref().map_or(&[][..], |on_completion| &on_completion.left);
    let found_again = |pending: &Pending| pending.among(&found.active).map(|pat| &pat.authorization_id);
    let ids: Vec<&String> = left.iter().filter_map(found_again).collect();
    let is_left = |pat: &Pat| ids.contains(&&pat.authorization_id);
    let now = run.now().await;
    let plan = plan_rotation(rotate, &found, is_left, || found.missing(run, &rotate.subject), now)?;
    match &plan {
        Plan::Act { new: Some(new), steps } if !rotate.dry_run => {
            apply(run, rotate, &session, new, steps).await
        }
        _ => {
            delivery::describe(run, &plan, rotate.revoke_on_completion.is_some());
            let subject = found.active.into_iter().next();
            delivery::hand_over_unchanged(run, &Outputs { subject, ..Outputs::default() })
        }
    }
}

async fn apply(
    run: &Run<'_>,
    rotate: &Rotate,
    session: &Session,
    new: &NewPat,
    steps: &[Step],
) -> Result<(), Failure> {
    let before: Vec<_> = steps.iter().map(|step| step.pat.clone()).collect();
    let replaced = steps.iter().filter(|step| !step.replaced_before);
    let previous: Vec<_> = replaced.map(|step| step.pat.authorization_id.clone()).collect();
    let mint_request = MintRequest {
        new,
        before: Some(&before),
        minting: &rotate.minting,
        exact_scope: false,
        to_the_job: Some((!previous.is_empty()).then_some(previous)),
        on_completion: rotate.revoke_on_completion.as_ref(),
    };
    transaction::carry_out(run, session, &mint_request, steps).await?.tell(run, run.organization());
    Ok(())
}
