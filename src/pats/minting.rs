//! Makes a PAT, and never leaves one over.
//!
//! A `POST` whose outcome is unknown is never simply sent again: the PAT may exist, and nobody holds its value. So the
//! run [looks for it](super::reconciling) first, revokes it, and only then asks for another, with a fresh
//! [fingerprint](super::fingerprint).

use std::time::Duration;

use super::fingerprint::Fingerprint;
use super::model::NewPat;
use super::reconciling::Unanswered;
use super::service::{CreateError, Minted, Service, UnclearOutcome};
use crate::failure::Failure;
use crate::http::NoAnswer;
use crate::time::Ended;

/// How many times a PAT is asked for before the run gives up.
const ATTEMPTS: u32 = 4;

/// Who is told of the requests for a PAT.
pub trait Watch: Sync {
    /// A request is about to be sent; beside its PAT, those of the unanswered ones may come to be.
    ///
    /// # Errors
    /// What keeps it from being sent.
    fn is_about_to_ask(&self, request: &Fingerprint, unanswered: &Unanswered) -> Result<(), Failure>;

    /// The run was cancelled before the answer to this request arrived: its PAT may come to be.
    fn cancelled_before_the_answer(&self, request: &Fingerprint);
}

/// Makes a PAT, and returns what was asked for in the end. What became of each request whose answer was lost is in
/// `unanswered`, whatever this returns: [look once more](Unanswered::look_once_more) before the run ends.
///
/// # Errors
/// Why none was made; what the lost requests may have left is no part of it.
pub async fn mint(
    service: &Service,
    new: &NewPat,
    watch: &dyn Watch,
    unanswered: &mut Unanswered,
) -> Result<(Minted, Fingerprint), Failure> {
    let http = service.http();
    let cleaning_up = service.with_deadline(http.deadline().to_clean_up());
    let mut attempt = 1;
    loop {
        if let Some(signal) = http.deadline().cancelled() {
            return Err(NoAnswer::Ended(Ended::Cancelled(signal)).into_failure(""));
        }
        let taken = |end| unanswered.has_end(end);
        let asked = Fingerprint::new(new, http.now().await, http.world().fraction(), taken);
        // If no service says what time it is, the machine's clock must not tell what is ours.
        let asked = Fingerprint { asked_at: asked.asked_at.filter(|_| http.clock().is_set()), ..asked };
        unanswered.asks_again();
        watch.is_about_to_ask(&asked, unanswered)?;
        let (failure, wait) = match service.create(&asked).await {
            Ok(minted) => {
                unanswered.knows(&minted.pat);
                return Ok((minted, asked));
            }
            Err(CreateError::Refused(failure)) => return Err(failure),
            Err(CreateError::Later(answer, failure)) => (failure, answer.retry_after(http.clock().now())),
            Err(CreateError::Ambiguous(doubt)) => {
                if doubt.outcome == UnclearOutcome::Cancelled {
                    watch.cancelled_before_the_answer(&asked);
                }
                match doubt.authorization_id {
                    Some(id) => unanswered.revoke(&cleaning_up, asked, id).await,
                    None => unanswered.lose(asked),
                }
                // A service that asks to be left alone for a while is not asked what became of it before, either.
                let wait = doubt.answer.as_ref().and_then(|answer| answer.retry_after(http.clock().now()));
                let waited = match wait {
                    Some(wait) => http.wait(wait).await,
                    None => Ok(()),
                };
                match (wait, &waited) {
                    (Some(_), Ok(())) => unanswered.look_once(&cleaning_up).await,
                    _ => unanswered.look(&cleaning_up).await,
                }
                if let Err(ended) = waited {
                    return Err(given_up(ended, doubt.failure));
                }
                if !doubt.outcome.may_be_tried_again() || !unanswered.may_ask_again() {
                    return Err(doubt.failure);
                }
                (doubt.failure, wait.map(|_| Duration::ZERO))
            }
        };
        if attempt == ATTEMPTS {
            return Err(failure);
        }
        if let Err(ended) = http.wait(wait.unwrap_or_else(|| http.backoff(attempt))).await {
            return Err(given_up(ended, failure));
        }
        attempt += 1;
    }
}

/// Why there is no further attempt. If it would have been too late, that is what came of the last one.
fn given_up(ended: NoAnswer, failure: Failure) -> Failure {
    match ended {
        NoAnswer::Throttled(_) => failure,
        NoAnswer::Ended(_) | NoAnswer::Wire(_) | NoAnswer::NotSignedIn(_) => {
            ended.into_failure("The PAT service")
        }
    }
}
