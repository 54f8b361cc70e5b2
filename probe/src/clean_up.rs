//! Whatever ends a run, no PAT of it is left alive.
//!
//! First what the ledger knows is revoked, then the service is asked what else bears this run's name: a PAT of which
//! no answer told, or one that was revoked in words alone. If there may be one, it is looked for more than once,
//! since the service may still be at work.

use std::collections::BTreeSet;
use std::time::Duration;

use adopat::failure::Failure;
use adopat::http::NoAnswer;
use adopat::pats::model::Filter;
use adopat::pats::{Pat, Service};

use crate::scene::Scene;

/// The pauses, in seconds, before each look. The first is the last if no answer was lost and nothing is found.
const LOOKS: [u64; 4] = [0, 1, 2, 4];

/// What is left.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The ids of PATs that may be alive.
    pub(crate) alive: BTreeSet<String>,
    /// Why the last of them is, where the service has said.
    pub(crate) why: Option<Failure>,
    /// Why it is not known whether others are, if that is so.
    pub(crate) unknown: Option<Failure>,
    /// The ids of those of which the service has said that they are revoked.
    said_revoked: BTreeSet<String>,
}

/// Revokes every PAT of this run. `before` are those that were there when it began.
pub(crate) async fn clean_up(scene: &Scene, before: &[Pat]) -> Left {
    let service = scene.service().with_deadline(scene.http.deadline().to_clean_up());
    let ledger = scene.ledger().clone();
    let in_doubt = ledger.in_doubt > 0;
    let mut left = Left::default();
    for id in ledger.alive {
        left.revoke(&service, id).await;
    }
    for pause in LOOKS {
        let looked = match service.http().deadline().pause(Duration::from_secs(pause)).await {
            Ok(()) => service.list(Filter::Active).await,
            Err(ended) => Err(NoAnswer::from(ended).into_failure("The PAT service")),
        };
        left.unknown = looked.as_ref().err().cloned();
        let Ok(pats) = looked else { continue };
        let strays = pats.into_iter().filter(|pat| is_ours(pat, &scene.name, before, in_doubt));
        let strays: BTreeSet<String> = strays.map(|pat| pat.authorization_id).collect();
        // What is not listed is not alive, whatever was said when it was to be revoked.
        left.alive.clone_from(&strays);
        if strays.is_empty() && !in_doubt {
            break;
        }
        for id in strays {
            left.revoke(&service, id).await;
        }
    }
    left
}

impl Left {
    /// Revokes a PAT. That the service says so counts once: one that is listed after that is alive.
    async fn revoke(&mut self, service: &Service, id: String) {
        match service.revoke(&id).await {
            Ok(_) => {
                if self.said_revoked.insert(id.clone()) {
                    self.alive.remove(&id);
                }
            }
            Err(undone) => {
                self.alive.insert(id);
                self.why = Some(undone.why);
            }
        }
    }
}

/// It bears this run's name; or none at all and is new, if it is not known what came of asking for such a one.
fn is_ours(pat: &Pat, name: &str, before: &[Pat], in_doubt: bool) -> bool {
    let is_new = || before.iter().all(|old| old.authorization_id != pat.authorization_id);
    pat.display_name.starts_with(name) || (in_doubt && pat.display_name.trim().is_empty() && is_new())
}
