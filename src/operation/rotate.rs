//! `rotate`: sign in, read the old PAT, mint the new one, deliver it, then retire the old.

use jiff::SignedDuration;

use super::find::{describe, find};
use super::minting::{Ticket, mint_and_deliver};
use super::plan::{Plan, Retirement, plan};
use super::sign_in::Session;
use super::{Run, delivery, sign_in, summary};
use crate::failure::{Exit, Failure, sentence_of};
use crate::inputs::request::Rotate;
use crate::outputs::{Outputs, to_the_second};
use crate::pats::{Change, Pat, Service};
use crate::pending::Pending;

/// How much longer than asked an old PAT may live on without a word.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

pub(super) async fn rotate(run: &Run<'_>, rotate: &Rotate) -> Result<(), Failure> {
    delivery::require_a_way_out(run, rotate.dry_run)?;
    let session = sign_in::sign_in(run).await?;
    let found = find(&session.service, &rotate.subject).await?;
    // What an earlier attempt of this step left bears the name too, and is retired with the old PAT.
    let left = rotate.revoke_on_completion.as_ref().map_or(&[][..], |on_completion| &on_completion.left);
    let found_again = |pending: &Pending| pending.among(&found.active).map(|pat| &pat.authorization_id);
    let ids: Vec<&String> = left.iter().filter_map(found_again).collect();
    let is_left = |pat: &Pat| ids.contains(&&pat.authorization_id);
    let now = run.now().await;
    let plan = plan(rotate, &found, is_left, || found.missing(run, &rotate.subject), now)?;
    if rotate.dry_run || matches!(plan, Plan::Nothing(..)) {
        for line in plan.describe() {
            run.info(line);
        }
        let subject = found.active.into_iter().next();
        return delivery::hand_over_unchanged(run, &Outputs { subject, ..Outputs::default() });
    }
    apply(run, rotate, &session, &plan).await
}

/// The order of these steps is the promise: a new PAT is in everybody's hands before an old one is retired.
async fn apply(run: &Run<'_>, rotate: &Rotate, session: &Session, plan: &Plan) -> Result<(), Failure> {
    let Plan::Rotate { new, retire } = plan else { return Ok(()) };
    let before: Vec<_> = retire.iter().map(|retirement| retirement.pat().clone()).collect();
    let previous = before.iter().map(|old| old.authorization_id.clone()).collect();
    let ticket = Ticket {
        new,
        before: Some(&before),
        minting: &rotate.minting,
        previous: Some(previous),
        on_completion: rotate.revoke_on_completion.as_ref(),
    };
    let mut delivered = mint_and_deliver(run, session, &ticket).await?;
    let service = session.service.with_patience(run.patience().to_clean_up());
    let mut alive = Vec::new();
    for retirement in retire {
        if let Err(failure) = retire_one(&service, retirement).await {
            alive.push(still_alive(retirement, &failure));
        }
    }
    // What an earlier attempt of this step left and was found is retired with the old ones.
    let left = rotate.revoke_on_completion.iter().flat_map(|on_completion| &on_completion.left);
    let left: Vec<Pending> = left.filter(|pending| pending.among(&before).is_none()).cloned().collect();
    alive.extend(delivered.settle(&left).await);
    run.host.summarize(&summary::rotated(&delivered.pat, retire, &alive, run.organization()));
    delivered.finish(run, alive);
    Ok(())
}

async fn retire_one(service: &Service, retirement: &Retirement) -> Result<(), Failure> {
    match retirement {
        Retirement::Revoke(old) => service.revoke(&old.authorization_id).await.map(drop),
        Retirement::Shorten(old, to) => {
            let change = Change { valid_to: Some(*to), ..Change::default() };
            let new = service.update(&old.authorization_id, &change).await?;
            match new.valid_to {
                Some(end) if end.duration_since(*to) > TOLERANCE => Err(not_done(&format!(
                    "The service accepted the new end of the old PAT, and left it at {}.",
                    to_the_second(end)
                ))),
                _ => Ok(()),
            }
        }
        // An update that changes nothing else narrows it to this organization, like the one that shortens.
        Retirement::LetExpire(old) if old.is_global() => {
            match service.update(&old.authorization_id, &Change::default()).await? {
                new if new.is_global() => {
                    Err(not_done("The service accepted the change of the old PAT, and left it global."))
                }
                _ => Ok(()),
            }
        }
        Retirement::LetExpire(_) => Ok(()),
    }
}

fn not_done(cause: &str) -> Failure {
    Failure::new(Exit::Service, cause, "")
}

fn still_alive(retirement: &Retirement, failure: &Failure) -> String {
    let old = retirement.pat();
    let wanted = match retirement {
        Retirement::Shorten(_, to) => format!("could not be made to expire at {}", to_the_second(*to)),
        Retirement::LetExpire(_) => "could not be narrowed to this organization".to_owned(),
        Retirement::Revoke(_) => "could not be revoked".to_owned(),
    };
    let id = &old.authorization_id;
    format!(
        "The new PAT is delivered, but the old one {wanted} and still lives: {}. {} Revoke it: 'adopat \
         revoke' with authorization-id {id}.",
        describe(old),
        sentence_of(&failure.without_remedy().to_string())
    )
}
