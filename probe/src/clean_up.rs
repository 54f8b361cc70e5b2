//! Whatever ends a run, no PAT of it is left alive.
//!
//! First what the ledger knows is revoked, then the service is asked what else bears this run's name: a PAT of which
//! no answer told. Where there may be one, it is looked for more than once, since the service may still be at work.

use std::time::Duration;

use adopat::failure::Failure;
use adopat::http::NoAnswer;
use adopat::pats::model::Filter;
use adopat::pats::{Pat, Service};

use crate::scene::Scene;

/// The pauses, in seconds, before each look.
const LOOKS: [u64; 1] = [0];
/// The same where an answer was lost.
const LOOKS_IN_DOUBT: [u64; 4] = [0, 1, 2, 4];

/// What is left.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The ids of PATs that may be alive.
    pub(crate) alive: Vec<String>,
    /// Why the last of them is.
    pub(crate) why: Option<Failure>,
    /// Why it is not known whether others are, where that is so.
    pub(crate) unknown: Option<Failure>,
}

/// Revokes every PAT of this run. `before` are those that were there when it began.
pub(crate) async fn clean_up(scene: &Scene, before: &[Pat]) -> Left {
    let service = scene.service().with_patience(scene.http.patience().to_clean_up());
    let ledger = scene.ledger().clone();
    let mut left = Left::default();
    revoke_all(&service, ledger.alive, &mut left).await;
    let looks = if ledger.in_doubt > 0 { &LOOKS_IN_DOUBT[..] } else { &LOOKS };
    for pause in looks {
        if let Err(ended) = service.http().patience().pause(Duration::from_secs(*pause)).await {
            left.unknown = Some(NoAnswer::from(ended).into_failure("The PAT service"));
            break;
        }
        match service.list(Filter::Active).await {
            Ok(pats) => {
                left.unknown = None;
                let strays = pats.iter().filter(|pat| is_ours(pat, &scene.name, before));
                revoke_all(&service, strays.map(|pat| pat.authorization_id.clone()).collect(), &mut left)
                    .await;
            }
            Err(failure) => left.unknown = Some(failure),
        }
    }
    left
}

/// It bears this run's name; or none at all, which the service should not have let through, and is new.
fn is_ours(pat: &Pat, name: &str, before: &[Pat]) -> bool {
    let is_new = || before.iter().all(|old| old.authorization_id != pat.authorization_id);
    pat.display_name.starts_with(name) || (pat.display_name.trim().is_empty() && is_new())
}

async fn revoke_all(service: &Service, ids: Vec<String>, left: &mut Left) {
    for id in ids {
        match service.revoke(&id).await {
            Ok(_) => left.alive.retain(|alive| *alive != id),
            Err(failure) => {
                if !left.alive.contains(&id) {
                    left.alive.push(id);
                }
                left.why = Some(failure);
            }
        }
    }
}
