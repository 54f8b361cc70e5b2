//! What became of all of it: the rows of `results`, and the exit code.

use super::super::outcome::{End, Fate, Outcome};
use super::super::plan::{Plan, Step};
use super::super::{Run, results};
use super::decision::Verdict;
use super::prune::Stray;
use super::{Ended, Item};
use crate::failure::{Exit, Failure, Signal};
use crate::inputs::request::Apply;
use crate::outputs::{ApplyAction, ApplyError, ApplyResult};
use crate::pats::Pat;

/// What a run did.
pub(super) struct Report<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) apply: &'a Apply,
    pub(super) items: &'a [Item<'a>],
    /// What became of each item.
    pub(super) ended: &'a [Ended],
    pub(super) strays: &'a [Stray],
}

impl Report<'_> {
    /// Hands the results over, and ends with the exit code.
    pub(super) fn conclude(&self) -> Result<u8, Failure> {
        let code = self.exit_code(self.run.deadline().cancelled());
        let has_issues = self.ended.iter().any(|ended| match ended {
            Ended::Made(outcome) => !outcome.all_issues().is_empty(),
            _ => false,
        });
        results::hand_over(self.run, &self.rows(), self.changed())?;
        if code == 0 && has_issues {
            self.run.host.succeeded_with_issues();
        }
        Ok(code)
    }

    fn changed(&self) -> bool {
        let made = self.ended.iter().any(|ended| matches!(ended, Ended::Made(_)));
        let revoked = |stray: &Stray| matches!(&stray.fate, Some(Fate { end: End::Revoked, .. }));
        made || self.strays.iter().any(revoked)
    }

    /// The rows of the entries, in the manifest's order, then those of what no entry names.
    fn rows(&self) -> Vec<ApplyResult> {
        let entries = self.items.iter().zip(self.ended).map(|(item, ended)| row(item, ended));
        let mut strays: Vec<ApplyResult> = self.strays.iter().map(|stray| self.row_of(stray)).collect();
        strays.sort_by_key(|row| row.action == ApplyAction::Unmanaged);
        entries.chain(strays).collect()
    }

    fn row_of(&self, stray: &Stray) -> ApplyResult {
        let Stray { organization, pat, spared, fate, would_be_revoked } = stray;
        let prefix = self.apply.manifest.prune.as_deref().unwrap_or_default();
        let covered = format!("No entry names it, and its name begins with {prefix}");
        let mut error = None;
        let (action, reason) = match fate.as_ref().map(|fate| &fate.end) {
            Some(End::Revoked | End::Gone) => (ApplyAction::Revoked, format!("{covered}.")),
            Some(End::Undone(undone)) => {
                error = Some(ApplyError::from(&undone.why));
                (ApplyAction::Failed, format!("{covered}."))
            }
            _ if *would_be_revoked => (ApplyAction::WouldRevoke, format!("{covered}.")),
            _ => {
                let left = match spared {
                    _ if !self.apply.prune => "prune was not asked for",
                    Some(why) => why,
                    None => "nothing is pruned unless every entry goes well",
                };
                (ApplyAction::Unmanaged, format!("{covered}; {left}."))
            }
        };
        ApplyResult {
            organization: organization.name().to_owned(),
            display_name: pat.display_name.clone(),
            action,
            reason,
            authorization_id: Some(pat.authorization_id.clone()),
            previous_authorization_ids: Vec::new(),
            valid_to: pat.valid_to,
            error,
            stores: Vec::new(),
        }
    }

    /// The first that applies: a signal that left anything undone, the first entry that failed, a prune that did, a
    /// difference if that is to fail.
    fn exit_code(&self, signal: Option<Signal>) -> u8 {
        let left_undone = self.ended.iter().any(|ended| match ended {
            Ended::NotBegun(_) => true,
            Ended::Failed(failure) => matches!(failure.exit, Exit::Cancelled(_)),
            Ended::Kept | Ended::Made(_) | Ended::Would(_) => false,
        });
        let is_well = self.ended.iter().all(Ended::is_well);
        let unpruned = |stray: &Stray| stray.spared.is_none() && stray.fate.is_none();
        let left_unpruned =
            self.apply.prune && !self.apply.dry_run && is_well && self.strays.iter().any(unpruned);
        if let Some(signal) = signal
            && (left_undone || left_unpruned)
        {
            return Exit::Cancelled(signal).code();
        }
        let failed = self.ended.iter().find_map(|ended| match ended {
            Ended::Failed(failure) | Ended::NotBegun(failure) => Some(failure),
            Ended::Kept | Ended::Made(_) | Ended::Would(_) => None,
        });
        let unrevoked = self.strays.iter().find_map(|stray| match &stray.fate.as_ref()?.end {
            End::Undone(undone) => Some(&undone.why),
            _ => None,
        });
        if let Some(failure) = failed.or(unrevoked) {
            return failure.exit.code();
        }
        let differs = self.ended.iter().any(|ended| matches!(ended, Ended::Would(_)))
            || self.strays.iter().any(|stray| stray.would_be_revoked);
        if self.apply.fail_if_drift && differs { Exit::Expiring.code() } else { 0 }
    }
}

/// What became of an entry.
fn row(item: &Item<'_>, ended: &Ended) -> ApplyResult {
    let Item { entry, active, verdict, .. } = item;
    let why = match verdict {
        Verdict::Create(why) | Verdict::Rotate(why) | Verdict::Keep(why) => why.clone(),
        Verdict::Refuse(failure) => failure.account(),
    };
    let there = active.first();
    let empty = ApplyResult {
        organization: entry.organization.name().to_owned(),
        display_name: entry.display_name.clone(),
        action: ApplyAction::Kept,
        reason: why,
        authorization_id: there.map(|pat| pat.authorization_id.clone()),
        previous_authorization_ids: Vec::new(),
        valid_to: there.and_then(|pat| pat.valid_to),
        error: None,
        stores: entry.deliver_to.iter().map(ToString::to_string).collect(),
    };
    let is_new = matches!(verdict, Verdict::Create(_));
    match ended {
        Ended::Kept => empty,
        Ended::Made(Outcome { made, fates, .. }) => ApplyResult {
            action: if is_new { ApplyAction::Created } else { ApplyAction::Rotated },
            authorization_id: made.as_ref().map(|pat| pat.authorization_id.clone()),
            previous_authorization_ids: previous(active, fates.iter().map(|fate| &fate.step)),
            valid_to: made.as_ref().and_then(|pat| pat.valid_to),
            ..empty
        },
        Ended::Would(plan) => {
            let steps = match plan {
                Plan::Act { steps, .. } => steps.as_slice(),
                Plan::Nothing(..) => &[],
            };
            ApplyResult {
                action: if is_new { ApplyAction::WouldCreate } else { ApplyAction::WouldRotate },
                previous_authorization_ids: previous(active, steps.iter()),
                ..empty
            }
        }
        Ended::Failed(failure) => {
            let error = Some(ApplyError::from(failure));
            ApplyResult { action: ApplyAction::Failed, error, ..empty }
        }
        Ended::NotBegun(failure) => ApplyResult {
            action: ApplyAction::NotBegun,
            reason: failure.cause.clone(),
            error: Some(ApplyError::from(failure)),
            ..empty
        },
    }
}

/// The ids of those whose place is taken: what an earlier rotation kept for a while is not among them, a global PAT is
/// among those of every organization.
fn previous<'s>(active: &[Pat], steps: impl Iterator<Item = &'s Step>) -> Vec<String> {
    let replaced = steps.filter(|step| !step.replaced_before).map(|step| &step.pat);
    let mut ids: Vec<String> = Vec::new();
    for pat in replaced.chain(active.iter().filter(|pat| pat.is_global())) {
        if !ids.contains(&pat.authorization_id) {
            ids.push(pat.authorization_id.clone());
        }
    }
    ids
}
