//! Carries out what is planned for existing PATs, and finds out what became of them if the service's answer does not
//! tell.

use super::outcome::{End, Fate, differs};
use super::plan::{Action, Step, falls_short, moved};
use crate::failure::{Exit, Failure};
use crate::http::Doubt;
use crate::pats::undone::{Undone, among};
use crate::pats::{Change, Pat, Revocation, Service};
use crate::time::to_the_second;

/// Takes each step; one that fails keeps none of the others from being taken. What is in doubt then is settled by one
/// look at the list.
pub(super) async fn carry_out(service: &Service, steps: &[Step]) -> Vec<Fate> {
    let mut fates = Vec::new();
    for step in steps {
        fates.push(Fate { step: step.clone(), end: take(service, step).await });
    }
    let is_in_doubt = |fate: &Fate| matches!(&fate.end, End::Undone(undone) if undone.is_in_doubt());
    if fates.iter().any(is_in_doubt)
        && let Some(active) = service.look_at_the_active().await
    {
        fates = fates
            .into_iter()
            .map(|fate| if is_in_doubt(&fate) { settle(fate, &active) } else { fate })
            .collect();
    }
    fates
}

async fn take(service: &Service, step: &Step) -> End {
    let id = &step.pat.authorization_id;
    let change = match &step.action {
        Action::Revoke => {
            return match service.try_to_revoke(id).await {
                Ok(Revocation::Done) => End::Revoked,
                Ok(Revocation::Missing) => End::Gone,
                Err(undone) => End::Undone(undone),
            };
        }
        Action::LetExpire => return End::Lives(step.pat.clone()),
        Action::Shorten(to) => Change { valid_to: Some(*to), ..Change::default() },
        // An update that changes nothing else narrows it to this organization.
        Action::Narrow => Change::default(),
        Action::Change(change) => change.clone(),
    };
    match service.update(id, &change).await {
        Ok(now) => match left_undone(step, &now) {
            Some(cause) => {
                End::Undone(Undone { why: Failure::new(Exit::Service, cause, ""), doubt: Doubt::None })
            }
            None => End::Lives(now),
        },
        Err(undone) => End::Undone(undone),
    }
}

/// What the service did not do though it said so.
fn left_undone(step: &Step, now: &Pat) -> Option<String> {
    if let (Action::Shorten(to), Some(end)) = (&step.action, now.valid_to)
        && falls_short(*to, end)
    {
        let end = to_the_second(end);
        return Some(format!("The service accepted the new end of the old PAT, and left it at {end}."));
    }
    let narrowed = matches!(step.action, Action::Shorten(_) | Action::Narrow);
    (narrowed && step.pat.is_global() && now.is_global())
        .then(|| "The service accepted the change of the old PAT, and left it global.".to_owned())
}

/// What became of it is seen among the PATs that are active now.
fn settle(fate: Fate, active: &[Pat]) -> Fate {
    let Fate { step, end } = fate;
    let End::Undone(undone) = end else { return Fate { step, end } };
    let end = match among(active, &step.pat.authorization_id) {
        None if step.action == Action::Revoke => End::Revoked,
        // The change that was asked for is not there to be seen.
        None if matches!(step.action, Action::Change(_)) => End::Undone(undone),
        None => End::Gone,
        Some(now) if is_done(&step, now) => End::Lives(now.clone()),
        Some(now) if !differs(&step.pat, now) => End::Undone(undone.seen_as_it_was()),
        Some(_) => End::Undone(undone),
    };
    Fate { step, end }
}

/// Whether a PAT that is active is what the step makes of it.
fn is_done(step: &Step, now: &Pat) -> bool {
    let narrowed = !step.pat.is_global() || !now.is_global();
    match &step.action {
        Action::Revoke | Action::LetExpire => false,
        Action::Shorten(to) => narrowed && now.valid_to.is_some_and(|end| !falls_short(*to, end)),
        Action::Narrow => narrowed,
        Action::Change(change) => {
            // A policy may have granted another end than was asked.
            let has_end = |asked| {
                now.valid_to.is_some_and(|end| {
                    !moved(end, asked) || step.pat.valid_to.is_none_or(|before| moved(before, end))
                })
            };
            narrowed
                && change.display_name.as_ref().is_none_or(|name| *name == now.display_name)
                && change.scope.as_ref().is_none_or(|scope| *scope == now.scope)
                && change.valid_to.is_none_or(has_end)
        }
    }
}
