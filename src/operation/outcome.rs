//! What became of everything in a [plan](super::plan). Log, summary, outputs and exit code of a run are made from
//! it, so that they cannot contradict each other.

use jiff::Timestamp;

use super::Run;
use super::find::describe;
use super::plan::{Action, Step, moved};
use super::state::State;
use super::summary::{cell, counted, table};
use crate::azure_devops::Organization;
use crate::failure::{Failure, sentence_of};
use crate::pats::{Pat, Undone};
use crate::time::to_the_second;

/// What became of one plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// The PAT that was made and delivered.
    pub(super) made: Option<Pat>,
    /// What became of each PAT that something was to be done to, in the plan's order.
    pub(super) fates: Vec<Fate>,
    /// What a person should look at besides.
    pub(super) issues: Vec<String>,
}

/// What became of one step.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    /// What was to be done, with the PAT as it was.
    pub(super) step: Step,
    /// What became of it.
    pub(super) end: End,
}

/// How a step ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The PAT is revoked.
    Revoked,
    /// There was no such PAT any more.
    Gone,
    /// The PAT lives on as was meant, and is this now.
    Lives(Pat),
    /// It could not be done, or nobody can tell whether it was.
    Undone(Undone),
}

impl Outcome {
    /// Says what became of it: in the log, in the summary, and as warnings.
    pub(super) fn tell(&self, run: &Run<'_>, organization: &Organization) {
        self.sentences(organization).iter().for_each(|sentence| run.info(sentence));
        run.host.summarize(&self.to_markdown(organization, run.http.clock().now()));
        let issues = self.all_issues();
        issues.iter().for_each(|issue| run.warn(issue));
        if !issues.is_empty() {
            run.host.succeeded_with_issues();
        }
    }

    /// Whether the run changed anything.
    pub(super) fn changed(&self) -> bool {
        self.made.is_some() || self.fates.iter().any(Fate::changed)
    }

    /// The one PAT that it is about, as it is now.
    pub(super) fn subject(&self) -> Option<&Pat> {
        match (&self.made, self.fates.as_slice()) {
            (Some(made), _) => Some(made),
            (None, [fate]) => Some(fate.pat()),
            _ => None,
        }
    }

    /// Why the run fails: something could not be done, and nothing was made that is more important.
    pub(super) fn failure(&self) -> Option<Failure> {
        if self.made.is_some() {
            return None;
        }
        let why = |fate: &Fate| match &fate.end {
            End::Undone(undone) => Some(undone.why.clone()),
            _ => None,
        };
        let failure = self.fates.iter().find_map(why)?;
        let listed = |title: &str, wanted: &dyn Fn(&Fate) -> bool| {
            let pats: Vec<String> =
                self.fates.iter().filter(|fate| wanted(fate)).map(|fate| describe(&fate.step.pat)).collect();
            if pats.is_empty() { String::new() } else { format!("{title}: {}.", pats.join("; ")) }
        };
        let is = |fate: &Fate, in_doubt: bool| matches!(&fate.end, End::Undone(undone) if undone.is_in_doubt() == in_doubt);
        let revoking = self.fates.iter().all(|fate| fate.step.action == Action::Revoke);
        let (alive, maybe) = match revoking {
            true => ("Still alive", "May still be alive"),
            false => ("As it was", "May have been changed, which 'adopat get' shows"),
        };
        let failure = failure
            .and(listed(alive, &|fate| is(fate, false)))
            .and(listed(maybe, &|fate| is(fate, true)))
            .and(listed("Revoked", &|fate| matches!(fate.end, End::Revoked)));
        Some(failure)
    }

    /// What a person should look at, each with what to do about it.
    pub(super) fn all_issues(&self) -> Vec<String> {
        let undone = self.fates.iter().filter(|_| self.made.is_some()).filter_map(Fate::issue);
        self.issues.iter().cloned().chain(undone).collect()
    }

    /// What was done, in sentences.
    pub(super) fn sentences(&self, organization: &Organization) -> Vec<String> {
        let Some(made) = &self.made else {
            return self.fates.iter().filter_map(|fate| fate.sentence(organization)).collect();
        };
        if self.fates.is_empty() {
            return vec![format!("Created {}.", describe(made))];
        }
        let is_revoked = |fate: &&Fate| matches!(fate.end, End::Revoked);
        let revoked: Vec<&str> = self.fates.iter().filter(is_revoked).map(Fate::id).collect();
        let new = format!(
            "new {} (scope {}, valid to {})",
            made.authorization_id,
            made.scope,
            until(made.valid_to)
        );
        let mut clauses = vec![new];
        if !revoked.is_empty() {
            clauses.push(format!("revoked {}", revoked.join(", ")));
        }
        let others = self.fates.iter().filter(|fate| !is_revoked(fate));
        clauses.extend(others.map(|fate| format!("{} {}", fate.id(), fate.predicate(organization))));
        vec![format!("Rotated '{}': {}.", made.display_name, clauses.join("; "))]
    }

    /// For the host's summary.
    fn to_markdown(&self, organization: &Organization, now: Timestamp) -> String {
        let revoked = self.fates.iter().filter(|fate| matches!(fate.end, End::Revoked)).count();
        let updating = self.fates.iter().any(|fate| matches!(fate.step.action, Action::Change(_)));
        let title = match &self.made {
            Some(_) if self.fates.is_empty() => "PAT created".to_owned(),
            Some(_) => "PAT rotated".to_owned(),
            None if updating && self.changed() => "PAT updated".to_owned(),
            None if updating => "PAT not changed".to_owned(),
            None if revoked == 0 => "No PAT revoked".to_owned(),
            None => format!("{} revoked", counted(revoked)),
        };
        let made = self.made.iter().map(|pat| (pat, State::of(pat, now).words(pat), "created".to_owned()));
        let fates = self.fates.iter().map(|fate| (fate.pat(), fate.state(now), fate.done(organization)));
        let mut text =
            format!("### {title} in {organization}\n\n{}", table("what was done", made.chain(fates)));
        for issue in self.all_issues() {
            text.push_str(&format!("\n**Look at this:** {}\n", cell(&issue)));
        }
        text
    }
}

impl Fate {
    /// The PAT as it is now, as far as that is known.
    fn pat(&self) -> &Pat {
        match &self.end {
            End::Lives(pat) => pat,
            End::Revoked | End::Gone | End::Undone(_) => &self.step.pat,
        }
    }

    fn id(&self) -> &str {
        &self.step.pat.authorization_id
    }

    fn changed(&self) -> bool {
        match &self.end {
            End::Revoked => true,
            End::Lives(now) => differs(&self.step.pat, now),
            End::Gone | End::Undone(_) => false,
        }
    }

    /// How the PAT stands now, in one or two words.
    fn state(&self, now: Timestamp) -> String {
        match &self.end {
            End::Revoked => State::Revoked.words(&self.step.pat),
            End::Gone => "gone".into(),
            End::Undone(undone) if undone.is_in_doubt() => "not known".into(),
            End::Lives(_) | End::Undone(_) => State::of(self.pat(), now).words(self.pat()),
        }
    }

    /// What was done, for a column of a table.
    fn done(&self, organization: &Organization) -> String {
        match (&self.end, &self.step.action) {
            (End::Revoked, _) => "revoked".into(),
            (End::Lives(_), Action::Change(_)) if self.changed() => "changed".into(),
            (End::Lives(_), Action::Change(_)) => "nothing".into(),
            _ => self.predicate(organization),
        }
    }

    /// What became of an old PAT, as the rest of a sentence that begins with it.
    fn predicate(&self, organization: &Organization) -> String {
        match &self.end {
            End::Revoked => "is revoked".into(),
            End::Gone => "was gone already".into(),
            End::Lives(pat) if self.step.pat.is_global() && !pat.is_global() => {
                format!("stays valid until {}, for organization {organization} alone", until(pat.valid_to))
            }
            End::Lives(pat) => format!("stays valid until {}", until(pat.valid_to)),
            End::Undone(undone) => format!("{} and {}", self.not_done(), lives(undone)),
        }
    }

    /// What could not be done to it, as the rest of a sentence.
    fn not_done(&self) -> String {
        match &self.step.action {
            Action::Revoke => "could not be revoked".into(),
            Action::Shorten(to) => format!("could not be made to expire at {}", to_the_second(*to)),
            Action::Narrow | Action::LetExpire => "could not be narrowed to this organization".into(),
            Action::Change(_) => "could not be changed".into(),
        }
    }

    /// What was done, as a sentence of its own; nothing of what could not be done, which is the run's failure.
    pub(super) fn sentence(&self, organization: &Organization) -> Option<String> {
        match &self.end {
            End::Revoked => Some(format!("Revoked {}.", describe(&self.step.pat))),
            End::Gone => Some(format!("{} was gone already.", describe(&self.step.pat))),
            End::Lives(now) if !self.changed() => Some(format!("{} is as it was.", describe(now))),
            End::Lives(now) if self.step.pat.is_global() && !now.is_global() => {
                Some(format!("Updated {}; it is good for organization {organization} alone.", describe(now)))
            }
            End::Lives(now) => Some(format!("Updated {}.", describe(now))),
            End::Undone(_) => None,
        }
    }

    /// What a person should do about an old PAT that could not be retired.
    pub(super) fn issue(&self) -> Option<String> {
        let End::Undone(undone) = &self.end else { return None };
        let id = self.id();
        let when = match &self.step.action {
            Action::Revoke if undone.is_in_doubt() => "Revoke it, in case it does",
            Action::Revoke => "Revoke it",
            _ => "Revoke it once nothing uses it any more",
        };
        let cause = undone.why.without_remedy().to_string();
        Some(format!(
            "The new PAT is delivered, but the old one {} and {}: {}. {} {when}: 'adopat revoke' with \
             authorization-id {id}.",
            self.not_done(),
            lives(undone),
            describe(&self.step.pat),
            sentence_of(&cause)
        ))
    }
}

/// The sentence that it is still alive, as far as anyone knows.
fn lives(undone: &Undone) -> &'static str {
    if undone.is_in_doubt() { "may still live" } else { "still lives" }
}

fn until(end: Option<Timestamp>) -> String {
    end.map_or("unknown".to_owned(), to_the_second)
}

/// Whether anything about a PAT has changed.
pub(super) fn differs(old: &Pat, new: &Pat) -> bool {
    let has_moved = match (old.valid_to, new.valid_to) {
        (Some(old), Some(new)) => moved(old, new),
        (old, new) => old != new,
    };
    has_moved
        || old.display_name != new.display_name
        || old.scope != new.scope
        || old.is_global() != new.is_global()
}
