//! `update`: sign in, find the PAT, change its name, scope or expiry. Its value stays as it is.

use jiff::Timestamp;

use super::find::find_one;
use super::outcome::{End, Outcome};
use super::plan::{Action, Plan, falls_short, plan_update};
use super::{Run, delivery, retire, sign_in};
use crate::failure::Failure;
use crate::inputs::request::Update;
use crate::outputs::Outputs;
use crate::pats::Pat;
use crate::time::to_the_second;

pub(super) async fn update(run: &Run<'_>, update: &Update) -> Result<(), Failure> {
    let session = sign_in::sign_in(run).await?;
    let old = find_one(run, &session.service, &update.subject).await?;
    let plan = plan_update(update, old.clone(), run.now().await)?;
    let steps = match &plan {
        Plan::Act { steps, .. } if !update.dry_run => steps,
        _ => {
            delivery::describe(run, &plan, false);
            return delivery::hand_over_plain(run, &Outputs { subject: Some(old), ..Outputs::default() });
        }
    };
    let fates = retire::carry_out(&session.service, steps).await;
    let issues = fates.iter().filter_map(|fate| match (&fate.step.action, &fate.end) {
        (Action::Change(change), End::Lives(new)) => shortened(&fate.step.pat, new, change.valid_to?),
        _ => None,
    });
    let issues = issues.collect();
    delivery::conclude(run, &Outcome { made: None, fates, issues })
}

/// A policy lets a PAT live for so long after its making, however often it is extended: once that is reached,
/// only a rotation helps.
fn shortened(old: &Pat, new: &Pat, asked: Timestamp) -> Option<String> {
    let granted = new.valid_to.filter(|granted| falls_short(*granted, asked))?;
    let (granted_at, asked_at) = (to_the_second(granted), to_the_second(asked));
    let extended = old.valid_to.is_some_and(|before| falls_short(before, granted));
    Some(if extended {
        format!(
            "The service extended the PAT to {granted_at} only, not to {asked_at} as asked: the tenant's policy \
             'Enforce maximum personal access token lifespan' counts from the PAT's making. Only a rotation gives \
             a PAT that lives longer."
        )
    } else {
        format!(
            "The PAT was not extended to {asked_at}: it ends at {granted_at}, since the tenant's policy 'Enforce \
             maximum personal access token lifespan' counts from the PAT's making. Only a rotation helps: use the \
             operation rotate."
        )
    })
}
