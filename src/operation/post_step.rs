//! The job's last step: revoke what this step's runs minted. Silent if nothing is left, and never a reason
//! for a job to fail.

use super::{Run, destinations, sign_in};
use crate::failure::Failure;
use crate::pats::reconciling::Unanswered;
use crate::pats::{Revocation, Service};
use crate::pending::Pending;

pub(super) async fn revoke_what_is_left(run: &Run<'_>, pending: &[Pending]) {
    if pending.is_empty() {
        return;
    }
    // The PATs of a job that was cancelled are revoked all the same, in the time that cleaning up has.
    let run = &run.cleaning_up();
    let session = match destinations::look_up_programs(run) {
        Ok(()) => sign_in::sign_in(run).await,
        Err(failure) => Err(failure),
    };
    match session {
        Ok(session) => revoke_all(run, &session.service, pending).await,
        Err(failure) => pending.iter().for_each(|each| run.warn(may_live(each, &failure))),
    }
}

async fn revoke_all(run: &Run<'_>, service: &Service, pending: &[Pending]) {
    let mut unanswered = Unanswered::default();
    for each in pending {
        match &each.authorization_id {
            None => unanswered.lose(each.fingerprint.clone()),
            Some(id) => match service.revoke(id).await {
                Ok(Revocation::Done) => {
                    let name = &each.fingerprint.display_name;
                    run.info(format!("Revoked the PAT '{name}' ({id}), as asked for on completion."));
                }
                Ok(Revocation::Missing) => {}
                Err(undone) => run.warn(may_live(each, &undone.why)),
            },
        }
    }
    unanswered.look(service).await;
    for id in unanswered.revoked() {
        run.info(format!("Revoked the PAT {id}: the step that asked for it ended before the answer came."));
    }
    unanswered.issues().iter().for_each(|issue| run.warn(issue));
}

/// The sentence that a PAT may live on.
pub(super) fn may_live(pending: &Pending, failure: &Failure) -> String {
    let id = pending.authorization_id.as_deref();
    let id = id
        .map_or_else(|| "whose authorization id is not known".into(), |id| format!("authorization id {id}"));
    format!(
        "The PAT '{}' ({id}) may still be alive, for it could not be revoked: {} If 'adopat list' still shows it, revoke it \
         with 'adopat revoke'.",
        pending.fingerprint.display_name,
        failure.without_remedy()
    )
}
