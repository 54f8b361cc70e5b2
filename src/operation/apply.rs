//! `apply`: makes the PATs of a manifest be as it says.
//!
//! One sign-in, one list of each organization, then each PAT by itself. What is to be done to it, and why, is
//! [decided](decision) from what was read; it is done as the same [transaction](super::transaction) as a rotation. One that
//! fails leaves the others alone. Global PATs are [retired](globals) and strays [pruned](prune) at the end, and all that
//! became of it is one [report].
//!
//! There is no state but the services' own: a run that was killed is finished by running it again.

mod decision;
mod globals;
mod lists;
mod prune;
mod report;
mod side_by_side;
mod work;

use std::sync::{Mutex, PoisonError};

use self::decision::{Asked, Verdict};
use self::lists::Lists;
use self::report::Report;
use self::side_by_side::side_by_side;
use self::work::{Ended, Foreman};
use super::Run;
use super::sign_in::SignedIn;
use crate::failure::{Exit, Failure};
use crate::inputs::request::Apply;
use crate::manifest::Entry;
use crate::pats::Pat;
use crate::store::AllStores;

/// One PAT that there shall be, what there is of it, and what is to be done.
struct Item<'a> {
    entry: &'a Entry,
    /// The active PATs of its name, the newest first.
    active: Vec<Pat>,
    verdict: Verdict,
    /// Its stores, if they were asked and are to be written: they are open already.
    stores: Mutex<Option<AllStores>>,
}

pub(super) async fn apply(run: &Run<'_>, apply: &Apply) -> Result<u8, Failure> {
    let signed_in = SignedIn::to_many(run).await?;
    let entries: Vec<&Entry> = apply.entries().collect();
    let lists = Lists::read(run, &signed_in, &entries, apply.parallel).await?;
    let asked = Asked { renew_all: apply.renew_all, now: run.now().await };
    let judged =
        side_by_side(apply.parallel, &entries, |entry| work::judge(run, &signed_in, &lists, entry, asked));
    let items = judged.await;
    let strays = prune::strays(&apply.manifest, &lists, asked.now);
    // Under `only` nothing is said of what the other entries would name.
    let strays = if apply.only.is_empty() { strays } else { Vec::new() };

    let foreman = Foreman::new(run, &signed_in, items.len());
    let mut ended = side_by_side(apply.parallel, &items, |item| foreman.carry_out(item, apply.dry_run)).await;
    globals::retire(run, &signed_in, &items, &mut ended).await;
    let is_well = ended.iter().all(Ended::is_well);
    let strays = prune::carry_out(run, &signed_in, apply, strays, is_well).await;
    Report { run, apply, items: &items, ended: &ended, strays: &strays }.conclude()
}

impl Item<'_> {
    /// Its stores, open: those that were asked already, or others.
    fn stores(&self, run: &Run<'_>, signed_in: &SignedIn) -> AllStores {
        let asked = self.stores.lock().unwrap_or_else(PoisonError::into_inner).take();
        asked.unwrap_or_else(|| signed_in.stores(run, &self.entry.organization, &self.entry.deliver_to))
    }

    /// The name of its PAT and the organization, as every word about it begins.
    fn named(&self) -> String {
        format!("'{}' in {}", self.entry.display_name, self.entry.organization)
    }
}

/// Why a PAT was not begun that the run had no time for any more.
fn out_of_time() -> Failure {
    Failure::new(
        Exit::Service,
        "The run had no time left for it.",
        "Run it again: it continues with what is left. If that happens every time, raise the input 'timeout' or 'parallel'.",
    )
}
