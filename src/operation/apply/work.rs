//! Working on one PAT: judging it by what is there, then carrying the verdict out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;

use super::super::find::{Found, describe};
use super::super::lifecycle::MintRequest;
use super::super::outcome::Outcome;
use super::super::plan::{Plan, Step};
use super::super::sign_in::{Session, SignedIn};
use super::super::{Run, transaction};
use super::decision::{self, Asked, Verdict};
use super::lists::{Lists, is_same};
use super::{Item, out_of_time};
use crate::azure_devops::Organization;
use crate::failure::{Exit, Failure};
use crate::inputs::request::{Credential, Subject};
use crate::manifest::Entry;
use crate::pats::refusal;
use crate::store::{AllStores, Expected, Holding};

/// What became of one PAT.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nothing was to be done.
    Kept,
    /// It was made, or a dry run would make it.
    Made(Outcome),
    /// A dry run would do this.
    Would(Plan),
    /// It could not be done, and what was made is taken back.
    Failed(Failure),
    /// The run ended before its turn.
    NotBegun(Failure),
}

impl Ended {
    /// Whether the PAT is as it should be, or would be.
    pub(super) fn is_well(&self) -> bool {
        match self {
            Self::Kept | Self::Made(_) | Self::Would(_) => true,
            Self::Failed(_) | Self::NotBegun(_) => false,
        }
    }
}

/// Decides what is to be done to an entry's PAT. Its stores are asked only if the list decides nothing.
pub(super) async fn judge<'a>(
    run: &Run<'_>,
    signed_in: &SignedIn,
    lists: &Lists<'_>,
    entry: &'a Entry,
    asked: Asked,
) -> Item<'a> {
    let active = match lists.of(&entry.organization) {
        Ok(all) => Found::among(all, &Subject::Name(entry.display_name.clone())),
        Err(failure) => {
            let verdict = Verdict::Refuse(failure.clone());
            return Item { entry, active: Vec::new(), verdict, stores: Mutex::default() };
        }
    };
    let opened = Mutex::default();
    let verdict = match (decision::by_the_list(entry, &active, asked.now), active.first()) {
        (None, Some(newest)) => {
            let stores = signed_in.stores(run, &entry.organization, &entry.deliver_to);
            let expected =
                Expected { authorization_id: &newest.authorization_id, valid_from: newest.valid_from };
            match ask(run, &stores, &expected).await {
                Ok(held) => {
                    let unread = held.iter().filter_map(|(_, holding)| match holding {
                        Holding::CannotTell(why) => why.clone(),
                        _ => None,
                    });
                    let (_, short_lived) = decision::renew_within(entry, newest);
                    let (name, organization) = (&entry.display_name, &entry.organization);
                    for warning in unread.chain(short_lived) {
                        run.warn(format!("'{name}' in {organization}: {warning}"));
                    }
                    let verdict = decision::by_stores_and_end(entry, newest, &held, asked);
                    let is_written = matches!(verdict, Verdict::Rotate(_));
                    *opened.lock().unwrap_or_else(PoisonError::into_inner) = is_written.then_some(stores);
                    verdict
                }
                Err(failure) => Verdict::Refuse(failure),
            }
        }
        (verdict, _) => verdict.expect("the list decides if there is no PAT"),
    };
    Item { entry, active, verdict, stores: opened }
}

/// Asks every store of an entry at once whether it holds the PAT.
async fn ask(
    run: &Run<'_>,
    stores: &AllStores,
    expected: &Expected<'_>,
) -> Result<Vec<(String, Holding)>, Failure> {
    let asked = stores.stores().map(|store| store.holds(expected, run.deadline()));
    let answers = join_all(asked).await;
    let addresses = stores.stores().map(|store| store.address().to_string());
    addresses.zip(answers).map(|(address, answer)| Ok((address, answer?))).collect()
}

/// Counts the PATs, and begins no other one once that makes no sense any more.
pub(super) struct Foreman<'a> {
    run: &'a Run<'a>,
    signed_in: &'a SignedIn,
    count: usize,
    done: AtomicUsize,
    /// Why nothing else is begun.
    stopped: Mutex<Option<Failure>>,
    /// The organizations that make no PAT for this user, whatever is asked for.
    closed: Mutex<Vec<(Organization, Failure)>>,
}

impl<'a> Foreman<'a> {
    pub(super) fn new(run: &'a Run<'a>, signed_in: &'a SignedIn, count: usize) -> Self {
        let (done, stopped, closed) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
        Self { run, signed_in, count, done, stopped, closed }
    }

    /// Does what is to be done, or only finds out whether it could be done, and tells what became of it.
    pub(super) async fn carry_out(&self, item: &Item<'_>, dry_run: bool) -> Ended {
        let ended = match &item.verdict {
            Verdict::Keep(_) => Ended::Kept,
            Verdict::Refuse(failure) if matches!(failure.exit, Exit::Cancelled(_)) => {
                Ended::NotBegun(failure.clone())
            }
            Verdict::Refuse(failure) => Ended::Failed(failure.clone()),
            Verdict::Create(_) | Verdict::Rotate(_) => match self.why_not(&item.entry.organization) {
                Some(ended) => ended,
                None if dry_run => self.rehearse(item).await,
                None => self.transact(item).await,
            },
        };
        let number = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        tell(self.run, item, &ended, &format!("{number} of {}", self.count));
        ended
    }

    /// Why a PAT is not begun, or cannot succeed.
    fn why_not(&self, organization: &Organization) -> Option<Ended> {
        if let Err(cancelled) = self.run.cancelled() {
            return Some(Ended::NotBegun(cancelled));
        }
        if let Some(failure) = self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Some(Ended::NotBegun(failure));
        }
        if self.run.deadline().left().is_zero() {
            return Some(Ended::NotBegun(out_of_time()));
        }
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, failure) = closed.iter().find(|(closed, _)| is_same(closed, organization))?;
        Some(Ended::Failed(failure.clone()))
    }

    /// One PAT, from the look at its stores to the retirement of what it replaces.
    async fn transact(&self, item: &Item<'_>) -> Ended {
        let Item { entry, active, .. } = item;
        let run = self.run;
        let session = match self.session(item).await {
            Ok(session) => session,
            Err(ended) => return ended,
        };
        let Some(Plan::Act { new: Some(new), steps }) =
            decision::plan(entry, &item.verdict, active, run.now().await)
        else {
            unreachable!("only what makes a PAT is carried out")
        };
        // A global PAT is every organization's: it is retired when each has its own.
        let steps: Vec<Step> = steps.into_iter().filter(|step| !step.pat.is_global()).collect();
        let mint_request = MintRequest {
            new: &new,
            before: Some(active),
            minting: &entry.minting,
            exact_scope: true,
            to_the_job: None,
            on_completion: None,
        };
        match transaction::carry_out(run, &session, &mint_request, &steps).await {
            Ok(outcome) => Ended::Made(outcome),
            Err(failure) => self.failed(item, failure).await,
        }
    }

    /// What a dry run finds out: whether every store would take the PAT.
    async fn rehearse(&self, item: &Item<'_>) -> Ended {
        match self.session(item).await {
            Ok(_) => {
                let now = self.run.now().await;
                let plan = decision::plan(item.entry, &item.verdict, &item.active, now);
                plan.map_or(Ended::Kept, Ended::Would)
            }
            Err(ended) => ended,
        }
    }

    /// Finds every store of an entry able to take the PAT.
    async fn session(&self, item: &Item<'_>) -> Result<Session, Ended> {
        let stores = item.stores(self.run, self.signed_in);
        match self.signed_in.session(self.run, &item.entry.organization, stores).await {
            Ok((session, warnings)) => {
                let named = item.named();
                warnings.iter().for_each(|warning| self.run.warn(format!("{named}: {warning}")));
                Ok(session)
            }
            Err(failure) if matches!(failure.exit, Exit::Cancelled(_)) => Err(Ended::NotBegun(failure)),
            Err(failure) => Err(self.failed(item, failure).await),
        }
    }

    /// A PAT that failed, with what follows for the others.
    async fn failed(&self, item: &Item<'_>, failure: Failure) -> Ended {
        let organization = &item.entry.organization;
        let name = failure.name.as_deref().unwrap_or_default();
        if refusal::is_for_everybody(name) {
            let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
            // What became of this PAT is not the others' failure.
            let first = Failure { cause: first_sentence(&failure.cause), ..failure.clone() };
            closed.push((organization.clone(), first));
        }
        let is_pasted = matches!(self.run.request.sign_in.credential, Credential::AccessToken(_));
        if failure.exit == Exit::SignIn && (is_pasted || self.run.http.renewals().have_failed()) {
            let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            let first = Failure { cause: first_sentence(&failure.cause), ..failure.clone() };
            stopped.get_or_insert(first);
        }
        Ended::Failed(self.run.explained_of(Some(organization), failure).await)
    }
}

/// The refusal itself, without what became of what was made.
fn first_sentence(cause: &str) -> String {
    cause.find(". ").map_or(cause, |end| &cause[..=end]).to_owned()
}

/// A line about a PAT, as it ends.
fn tell(run: &Run<'_>, item: &Item<'_>, ended: &Ended, counter: &str) {
    let organization = &item.entry.organization;
    let head = format!("{counter}, {organization}");
    let why = match &item.verdict {
        Verdict::Create(why) | Verdict::Rotate(why) | Verdict::Keep(why) => why.as_str(),
        Verdict::Refuse(_) => "",
    };
    match ended {
        Ended::Kept => {
            let kept = item.active.first().map_or_else(|| item.named(), describe);
            run.info(format!("{head}: Kept {kept}. {why}"));
        }
        Ended::Made(outcome) => {
            for sentence in outcome.sentences(organization) {
                run.info(format!("{head}: {sentence} {why}"));
            }
            for issue in outcome.all_issues() {
                run.warn(format!("{}: {issue}", item.named()));
            }
        }
        Ended::Would(plan) => {
            run.info(format!("{head}: '{}': {why}", item.entry.display_name));
            let mut sentences = match plan {
                Plan::Act { new, steps } => {
                    let own = steps.iter().filter(|step| !step.pat.is_global()).cloned().collect();
                    Plan::Act { new: new.clone(), steps: own }.describe(organization)
                }
                Plan::Nothing(..) => plan.describe(organization),
            };
            let stores: Vec<String> = item.entry.deliver_to.iter().map(ToString::to_string).collect();
            sentences.insert(1, format!("Would deliver the new PAT to {}.", stores.join(", ")));
            sentences.iter().for_each(|sentence| run.info(sentence));
        }
        Ended::Failed(failure) => {
            run.error(format!("{head}: '{}' failed: {failure}", item.entry.display_name));
        }
        Ended::NotBegun(failure) => {
            run.info(format!("{head}: '{}' was not begun. {}", item.entry.display_name, failure.cause));
        }
    }
}
