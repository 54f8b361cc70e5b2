//! `revoke`: sign in, find the PAT, revoke it.

use super::find::{describe, find};
use super::{Run, delivery, sign_in, summary};
use crate::failure::{Exit, Failure};
use crate::inputs::request::{IfMissing, Revoke};
use crate::outputs::Outputs;
use crate::pats::{Pat, Revocation};

pub(super) async fn revoke(run: &Run<'_>, revoke: &Revoke) -> Result<(), Failure> {
    let session = sign_in::sign_in(run).await?;
    let found = find(&session.service, &revoke.subject).await?;
    if found.active.is_empty() {
        let missing = found.missing(run, &revoke.subject);
        if revoke.if_missing == IfMissing::Fail {
            let remedy = match found.expired.first() {
                Some(_) => "It no longer works, so there is nothing to revoke: set if-missing to ignore.",
                None => {
                    "Check the name or id, or set if-missing to ignore; 'adopat list' shows what there is."
                }
            };
            return Err(Failure::new(Exit::NotFound, missing, remedy));
        }
        run.info(format!("{missing} Nothing to do."));
        return delivery::hand_over_plain(run, &Outputs::default());
    }
    if found.active.len() > 1 && !revoke.revoke_duplicates {
        return Err(found.ambiguous(&revoke.subject));
    }
    let subject = if let [one] = found.active.as_slice() { Some(one.clone()) } else { None };
    if revoke.dry_run {
        for pat in &found.active {
            run.info(format!("Would revoke {}.", describe(pat)));
        }
        return delivery::hand_over_plain(run, &Outputs { subject, ..Outputs::default() });
    }
    let (mut revoked, mut alive, mut first) = (Vec::new(), Vec::new(), None);
    for pat in &found.active {
        match session.service.revoke(&pat.authorization_id).await {
            Ok(Revocation::Done) => {
                run.info(format!("Revoked {}.", describe(pat)));
                revoked.push(pat);
            }
            Ok(Revocation::Missing) => run.info(format!("{} was gone already.", describe(pat))),
            Err(failure) => {
                alive.push(pat);
                first.get_or_insert(failure);
            }
        }
    }
    if let Some(failure) = first {
        return Err(tell_what_lives(failure, &alive, &revoked));
    }
    let changed = !revoked.is_empty();
    run.host.summarize(&summary::revoked(&found.active, run.organization()));
    delivery::hand_over_plain(run, &Outputs { subject, changed, ..Outputs::default() })
}

fn tell_what_lives(failure: Failure, alive: &[&Pat], revoked: &[&Pat]) -> Failure {
    let list = |pats: &[&Pat]| pats.iter().map(|pat| describe(pat)).collect::<Vec<_>>().join("; ");
    let failure = failure.and(format!("Still alive, as far as is known: {}.", list(alive)));
    if revoked.is_empty() { failure } else { failure.and(format!("Revoked: {}.", list(revoked))) }
}
