//! The job's last step: revoke what this step's runs minted. Silent where nothing is left, and never a reason
//! for a job to fail.

use super::find::describe;
use super::sign_in::Session;
use super::{Run, sign_in};
use crate::failure::Failure;
use crate::pats::model::Filter;
use crate::pats::{Pat, Revocation, Service};
use crate::pending::Pending;

pub(super) async fn complete(run: &Run<'_>, pending: &[Pending]) {
    if pending.is_empty() {
        return;
    }
    // The PATs of a job that was cancelled are revoked all the same, in the time that cleaning up has.
    let run = &run.cleaning_up();
    match sign_in::sign_in(run).await {
        Ok(session) => {
            for each in pending {
                if let Err(failure) = revoke(run, &session.service, each, None).await {
                    run.warn(may_live(each, &failure));
                }
            }
        }
        Err(failure) => pending.iter().for_each(|each| run.warn(may_live(each, &failure))),
    }
}

/// What an earlier attempt of this step left is revoked once this one's PAT is delivered, which looks much the
/// same; what lives on is told.
pub(super) async fn retire_what_was_left(
    run: &Run<'_>,
    session: &Session,
    left: &[Pending],
    delivered: &Pat,
) -> Vec<String> {
    let service = session.service.with_patience(run.patience().to_clean_up());
    let mut alive = Vec::new();
    for each in left {
        if let Err(failure) = revoke(run, &service, each, Some(delivered)).await {
            alive.push(may_live(each, &failure));
        }
    }
    alive
}

async fn revoke(
    run: &Run<'_>,
    service: &Service,
    pending: &Pending,
    except: Option<&Pat>,
) -> Result<(), Failure> {
    if let Some(id) = &pending.authorization_id {
        if service.revoke(id).await? == Revocation::Done {
            run.info(format!(
                "Revoked the PAT '{}' ({id}), as asked for on completion.",
                pending.display_name
            ));
        }
        return Ok(());
    }
    let active = service.list(Filter::Active).await?;
    let delivered =
        |pat: &Pat| except.is_some_and(|delivered| delivered.authorization_id == pat.authorization_id);
    for orphan in active.iter().filter(|pat| pending.is(pat) && !delivered(pat)) {
        if service.revoke(&orphan.authorization_id).await? == Revocation::Done {
            run.info(format!("Revoked {}, which a run made that was killed.", describe(orphan)));
        }
    }
    Ok(())
}

/// The sentence that a PAT may live on.
pub(super) fn may_live(pending: &Pending, failure: &Failure) -> String {
    let id = pending.authorization_id.as_deref();
    let id = id
        .map_or_else(|| "whose authorization id is not known".into(), |id| format!("authorization id {id}"));
    format!(
        "The PAT '{}' ({id}) may still be alive, for it could not be revoked: {failure}",
        pending.display_name
    )
}
