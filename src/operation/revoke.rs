//! `revoke`: sign in, find the PAT, revoke it.

use super::find::find;
use super::outcome::Outcome;
use super::plan::{Plan, plan_revocation};
use super::{Run, delivery, retire, sign_in};
use crate::failure::Failure;
use crate::inputs::request::Revoke;
use crate::outputs::Outputs;

pub(super) async fn revoke(run: &Run<'_>, revoke: &Revoke) -> Result<(), Failure> {
    let session = sign_in::sign_in(run).await?;
    let found = find(&session.service, &revoke.subject).await?;
    let plan = plan_revocation(revoke, &found, || found.missing(run, &revoke.subject))?;
    let Plan::Act { steps, .. } = &plan else {
        delivery::describe(run, &plan, false);
        return delivery::hand_over_plain(run, &Outputs::default());
    };
    if revoke.dry_run {
        delivery::describe(run, &plan, false);
        let subject = if let [step] = steps.as_slice() { Some(step.pat.clone()) } else { None };
        return delivery::hand_over_plain(run, &Outputs { subject, ..Outputs::default() });
    }
    let fates = retire::carry_out(&session.service, steps).await;
    delivery::conclude(run, &Outcome { fates, ..Outcome::default() })
}
