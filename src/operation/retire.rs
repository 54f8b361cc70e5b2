//! Carrying out what is planned for the PATs that are there, and finding out what became of them where the service's
//! answer does not tell.

use super::outcome::{End, Fate};
use super::plan::{Action, Step, falls_short};
use crate::failure::{Exit, Failure};
use crate::outputs::to_the_second;
use crate::pats::model::Filter;
use crate::pats::{Change, Pat, Revocation, Service};

/// Takes each step; one that fails keeps none of the others from being taken.
pub(super) async fn carry_out(service: &Service, steps: &[Step]) -> Vec<Fate> {
    let mut fates = Vec::new();
    for step in steps {
        fates.push(Fate { step: step.clone(), end: take(service, step).await });
    }
    if fates.iter().any(is_in_doubt)
        && let Ok(active) = service.list(Filter::Active).await
    {
        fates.iter_mut().filter(|fate| is_in_doubt(fate)).for_each(|fate| settle(fate, &active));
    }
    fates
}

async fn take(service: &Service, step: &Step) -> End {
    let id = &step.pat.authorization_id;
    let change = match &step.action {
        Action::Revoke => {
            return match service.revoke(id).await {
                Ok(Revocation::Done) => End::Revoked,
                Ok(Revocation::Missing) => End::Gone,
                Err(why) => undone(why),
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
            Some(cause) => End::Undone { why: Failure::new(Exit::Service, cause, ""), known: true },
            None => End::Lives(now),
        },
        Err(why) => undone(why),
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

/// A service that failed, or whose answer was lost, may have done it all the same; one that refused has not.
fn undone(why: Failure) -> End {
    let known = !matches!(why.exit, Exit::Service | Exit::Cancelled(_));
    End::Undone { why, known }
}

/// Whether the list can tell what became of it. A change that was asked for is not looked for: the run fails, and says
/// so.
fn is_in_doubt(fate: &Fate) -> bool {
    let in_doubt = matches!(fate.end, End::Undone { known: false, .. });
    in_doubt && !matches!(fate.step.action, Action::Change(_))
}

/// What became of it is seen among the PATs that are active now.
fn settle(fate: &mut Fate, active: &[Pat]) {
    let step = &fate.step;
    let is_it = |pat: &&Pat| pat.authorization_id.eq_ignore_ascii_case(&step.pat.authorization_id);
    let Some(now) = active.iter().find(is_it) else {
        fate.end = if step.action == Action::Revoke { End::Revoked } else { End::Gone };
        return;
    };
    let narrowed = !step.pat.is_global() || !now.is_global();
    let done = match &step.action {
        Action::Revoke | Action::LetExpire | Action::Change(_) => false,
        Action::Shorten(to) => narrowed && now.valid_to.is_some_and(|end| !falls_short(*to, end)),
        Action::Narrow => narrowed,
    };
    if done {
        fate.end = End::Lives(now.clone());
    } else if let End::Undone { known, .. } = &mut fate.end {
        *known = true;
    }
}
