//! Carries out the part of a plan that makes a PAT: mint, mask, verify, deliver. If any of it fails, the new PAT is
//! revoked. On the way, what the job's last step would have to revoke is saved for it.

use std::sync::{Mutex, PoisonError};

use super::find::describe;
use super::plan::falls_short;
use super::sign_in::Session;
use super::{Run, delivery, post_step, verify};
use crate::failure::{Exit, Failure, sentence_of};
use crate::host::Remembered;
use crate::inputs::request::{Minting, OnCompletion, OnShortenedLifetime};
use crate::outputs::Outputs;
use crate::pats::reconciling::Unanswered;
use crate::pats::{Fingerprint, Minted, NewPat, Pat, Revocation, Scope, Service, Undone, minting};
use crate::pending::{self, Pending};
use crate::secret::Secret;
use crate::subprocess::child_environment::REFRESH_TOKEN_STATE;
use crate::time::to_the_second;

/// What is to be minted, and how.
pub(super) struct MintRequest<'a> {
    /// What to mint.
    pub(super) new: &'a NewPat,
    /// The active PATs of that name, if they have been read.
    pub(super) before: Option<&'a [Pat]>,
    /// How.
    pub(super) minting: &'a Minting,
    /// Whether the service has to grant the very scope that was asked for.
    pub(super) exact_scope: bool,
    /// If the job itself is given the PAT, besides the stores: rotate's ids that are being replaced.
    pub(super) to_the_job: Option<Replaced>,
    /// What the job's last step is to be told of, if it is to revoke the PAT.
    pub(super) on_completion: Option<&'a OnCompletion>,
}

/// The ids of the PATs that a new one takes the place of, where it takes any's.
pub(super) type Replaced = Option<Vec<String>>;

/// A PAT that was minted, and masked.
pub(super) struct Made<'a> {
    /// The PAT with its value.
    pub(super) minted: Minted,
    /// What a person should look at all the same.
    issues: Vec<String>,
    request: Fingerprint,
    unanswered: Unanswered,
    ledger: Ledger<'a>,
}

/// A PAT that has been delivered.
pub(super) struct Delivered<'a> {
    /// The PAT.
    pub(super) pat: Pat,
    made: Made<'a>,
}

/// Mints and delivers. After a failure nothing that was minted is left, or the failure names what is. After a success
/// the run has to [settle](Delivered::settle) what else it may have made.
pub(super) async fn mint_and_deliver<'a>(
    run: &'a Run<'a>,
    session: &'a Session,
    mint_request: &MintRequest<'a>,
) -> Result<Delivered<'a>, Failure> {
    let made = mint(run, session, mint_request).await?;
    let outputs = mint_request.to_the_job.as_ref().map(|previous| Outputs {
        token: Some(made.minted.token.clone()),
        subject: Some(made.minted.pat.clone()),
        changed: true,
        previous: previous.clone(),
        ..Outputs::default()
    });
    match delivery::deliver(run, session, &made.minted, outputs.as_ref()).await {
        Ok(()) => Ok(Delivered { pat: made.minted.pat.clone(), made }),
        Err(failure) if failure.spares_the_new => {
            Err(made.spare(mint_request.before.unwrap_or_default(), failure).await)
        }
        Err(failure) => Err(made.roll_back(session, failure).await),
    }
}

/// Mints, masks, and makes sure that the PAT is what was asked for.
pub(super) async fn mint<'a>(
    run: &'a Run<'a>,
    session: &'a Session,
    mint_request: &MintRequest<'a>,
) -> Result<Made<'a>, Failure> {
    let ledger = Ledger::new(run, session, mint_request.on_completion);
    let mut unanswered = Unanswered::new(mint_request.before.unwrap_or_default());
    let minted = minting::mint(&session.service, mint_request.new, &ledger, &mut unanswered).await;
    let (minted, request) = match minted {
        Ok(made) => made,
        Err(failure) => return Err(give_up(&ledger, unanswered, None, failure).await),
    };
    run.host.mask_pat(&minted.token, session.service.organization().name());
    let mut made = Made { minted, issues: Vec::new(), request, unanswered, ledger };
    let inspected = match made.ledger.save(&[], &made.unanswered, Some(made.pending())) {
        Ok(()) => inspect(run, mint_request, &made.request, &made.minted).await,
        Err(failure) => Err(failure),
    };
    match inspected {
        Ok(issues) => {
            made.issues = issues;
            Ok(made)
        }
        Err(failure) => Err(made.roll_back(session, failure).await),
    }
}

/// Whether the PAT is what was asked for and, if that is asked, whether it works.
async fn inspect(
    run: &Run<'_>,
    mint_request: &MintRequest<'_>,
    asked: &Fingerprint,
    minted: &Minted,
) -> Result<Vec<String>, Failure> {
    run.cancelled()?;
    can_be_handed_over(&minted.token)?;
    if mint_request.exact_scope {
        is_of_the_scope(&asked.scope, &minted.pat)?;
    }
    let mut issues: Vec<String> = shortened(mint_request, asked, &minted.pat)?.into_iter().collect();
    if let Some(verify) = &mint_request.minting.verify {
        issues.extend(verify::verify(run, verify, &minted.token).await?);
    }
    run.cancelled()?;
    Ok(issues)
}

/// Refuses a PAT with a line break or a control character: it would write lines of its own into files and commands,
/// and it fits neither a mask nor a header.
fn can_be_handed_over(token: &Secret) -> Result<(), Failure> {
    if token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Store,
        "The PAT in the service's answer has a character that no PAT has, like a line break, and is not handed over.",
        "Check that no proxy on the way changes answers, and run it again.",
    ))
}

/// A service that grants another scope than was asked would be asked anew every time: the scope that is found is not the
/// one that is wanted.
fn is_of_the_scope(asked: &Scope, pat: &Pat) -> Result<(), Failure> {
    // An answer that does not say does not differ.
    if pat.scope == *asked || pat.scope.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        format!("The service granted the scope {}, not {asked} as asked.", pat.scope),
        format!("Write 'scope: {}' in the manifest.", pat.scope),
    ))
}

/// A policy shortens lifetimes silently: a success does not mean that the date was granted.
fn shortened(
    mint_request: &MintRequest<'_>,
    asked: &Fingerprint,
    pat: &Pat,
) -> Result<Option<String>, Failure> {
    let Some(granted) = pat.valid_to else { return Ok(None) };
    let asked = asked.valid_to;
    if !falls_short(granted, asked) {
        return Ok(None);
    }
    let cause = format!(
        "The service granted the PAT until {} only, not until {} as asked: the tenant's policy 'Enforce maximum \
         personal access token lifespan' shortens it.",
        to_the_second(granted),
        to_the_second(asked)
    );
    match mint_request.minting.on_shortened_lifetime {
        OnShortenedLifetime::Warn => Ok(Some(cause)),
        OnShortenedLifetime::Fail => Err(Failure::new(
            Exit::Refused,
            cause,
            "Ask for a shorter lifetime, or set on-shortened-lifetime to warn.",
        )),
    }
}

/// Ends a run that holds no PAT: looks once more for those whose answer was lost. `alive` is one that it made and could
/// not revoke.
async fn give_up(
    ledger: &Ledger<'_>,
    mut unanswered: Unanswered,
    alive: Option<Pending>,
    failure: Failure,
) -> Failure {
    unanswered.look_once_more(&ledger.cleaning_up()).await;
    ledger.save_for_the_end(&[], &unanswered, alive);
    unanswered.account_in(failure)
}

/// What is said of a PAT that this run made and could not revoke. The answer to the request may have been lost, so
/// nobody knows for certain that it lives.
pub(super) fn may_be_alive(pat: &Pat, why: &Failure) -> String {
    format!(
        "The new PAT could not be revoked and may still be alive: {}. {} Revoke it: 'adopat revoke' with \
         authorization-id {}.",
        describe(pat),
        sentence_of(&why.without_remedy().to_string()),
        pat.authorization_id
    )
}

impl Made<'_> {
    /// What the job's last step is told of it.
    fn pending(&self) -> Pending {
        let authorization_id = Some(self.minted.pat.authorization_id.clone());
        Pending { fingerprint: self.request.clone(), authorization_id }
    }

    /// Revokes what was minted, since it did not get to where it should; says so, or says what may still be alive.
    pub(super) async fn roll_back(self, session: &Session, failure: Failure) -> Failure {
        let pat = &self.minted.pat;
        let service = session.service.with_deadline(self.ledger.run.deadline().to_clean_up());
        let (failure, alive) = match service.revoke(&pat.authorization_id).await {
            Ok(revocation) => {
                let what = match revocation {
                    Revocation::Done => "has been revoked",
                    Revocation::Missing => "was gone already",
                };
                (failure.and(format!("The new PAT {} {what}.", pat.authorization_id)), None)
            }
            Err(Undone { why, .. }) => {
                let exit = match failure.exit {
                    // "Cancelled" promises that nothing is left over.
                    Exit::Cancelled(_) => why.exit,
                    exit => exit,
                };
                let failure = failure.and(may_be_alive(pat, &why));
                (Failure { exit, ..failure }, Some(self.pending()))
            }
        };
        give_up(&self.ledger, self.unanswered, alive, failure).await
    }

    /// Revokes nothing, now or in the last step, since nobody can tell which PAT a store holds: names what lives.
    async fn spare(self, before: &[Pat], failure: Failure) -> Failure {
        let new = format!("The new PAT, {}, lives on.", describe(&self.minted.pat));
        let old = before.iter().map(|pat| format!("The old PAT, {}, lives on.", describe(pat)));
        let failure = std::iter::once(new).chain(old).fold(failure, Failure::and);
        give_up(&self.ledger, self.unanswered, None, failure).await
    }

    /// What a person should look at though the PAT was made; it is said once.
    pub(super) fn take_issues(&mut self) -> Vec<String> {
        std::mem::take(&mut self.issues)
    }

    /// Looks once more for the PATs whose answer was lost, as this user; returns what a person should look at.
    pub(super) async fn look_once_more(&mut self, service: &Service) -> Vec<String> {
        self.unanswered.look_once_more(service).await;
        for id in self.unanswered.revoked() {
            self.ledger.run.info(format!(
                "Revoked the PAT {id}: an earlier request of this run had made it, and its answer was lost."
            ));
        }
        self.unanswered.issues()
    }
}

impl Delivered<'_> {
    /// Settles what else the run, or an earlier attempt of this step, may have made: `left` is revoked now that there is
    /// a new PAT, and what came of a lost answer is looked for once more. Returns what a person should look at, in sentences.
    pub(super) async fn settle(&mut self, left: &[Pending]) -> Vec<String> {
        let made = &mut self.made;
        let service = made.ledger.cleaning_up();
        let (mut alive, mut issues) = (Vec::new(), made.take_issues());
        for pending in left {
            match &pending.authorization_id {
                None => made.unanswered.lose(pending.fingerprint.clone()),
                Some(id) => match service.revoke(id).await {
                    Ok(Revocation::Done) => made.ledger.run.info(format!(
                        "Revoked the PAT '{}' ({id}), which an earlier attempt of this step left.",
                        pending.fingerprint.display_name
                    )),
                    Ok(Revocation::Missing) => {}
                    Err(undone) => {
                        issues.push(post_step::may_live(pending, &undone.why));
                        alive.push(pending.clone());
                    }
                },
            }
        }
        issues.extend(made.look_once_more(&service).await);
        alive.push(made.pending());
        made.ledger.save_for_the_end(left, &made.unanswered, alive);
        issues
    }
}

/// What the job's last step would have to revoke, saved at every change; beside what an earlier attempt of this step
/// left, for as long as that is not settled.
struct Ledger<'a> {
    run: &'a Run<'a>,
    session: &'a Session,
    on_completion: Option<&'a OnCompletion>,
    /// What is saved already.
    saved: Mutex<String>,
}

impl<'a> Ledger<'a> {
    fn new(run: &'a Run<'a>, session: &'a Session, on_completion: Option<&'a OnCompletion>) -> Self {
        let left = on_completion.map_or(&[][..], |on_completion| &on_completion.left);
        Self { run, session, on_completion, saved: Mutex::new(Pending::to_text(left)) }
    }

    fn save(
        &self,
        settled: &[Pending],
        unanswered: &Unanswered,
        own: impl IntoIterator<Item = Pending>,
    ) -> Result<(), Failure> {
        let Some(on_completion) = self.on_completion else { return Ok(()) };
        let left = on_completion.left.iter().filter(|pending| !settled.contains(pending)).cloned();
        let lost = unanswered.pending().map(|(fingerprint, id)| Pending {
            fingerprint: fingerprint.clone(),
            authorization_id: id.map(str::to_owned),
        });
        let all: Vec<Pending> = left.chain(lost).chain(own).collect();
        let text = Pending::to_text(&all);
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if *saved == text {
            return Ok(());
        }
        // A device code cannot be asked for again in the last step, when nobody looks.
        if !all.is_empty()
            && let Some(token) = self.session.refresh_token_for_the_last_step(self.run)
        {
            self.run.host.remember(REFRESH_TOKEN_STATE, Remembered::Secret(token))?;
        }
        self.run.host.remember(pending::STATE, Remembered::Plain(&text))?;
        *saved = text;
        Ok(())
    }

    /// The same if all is done: that it cannot be saved is said, and changes nothing.
    fn save_for_the_end(
        &self,
        settled: &[Pending],
        unanswered: &Unanswered,
        own: impl IntoIterator<Item = Pending>,
    ) {
        if let Err(failure) = self.save(settled, unanswered, own) {
            self.run.warn(failure.to_string());
        }
    }

    fn cleaning_up(&self) -> Service {
        self.session.service.with_deadline(self.run.deadline().to_clean_up())
    }
}

impl minting::Watch for Ledger<'_> {
    fn is_about_to_ask(&self, request: &Fingerprint, unanswered: &Unanswered) -> Result<(), Failure> {
        self.save(&[], unanswered, Some(Pending { fingerprint: request.clone(), authorization_id: None }))
    }

    fn cancelled_before_the_answer(&self, request: &Fingerprint) {
        self.run.warn(format!(
            "The run was cancelled while the service was asked for a PAT, which may still come to be: {request}. adopat \
             looks for it for up to 15 s, and revokes it."
        ));
    }
}
