//! From a plan to a delivered PAT: mint, mask, deliver; and whatever fails on the way, revoke what was minted.

use jiff::SignedDuration;

use super::find::describe;
use super::sign_in::Session;
use super::{Run, delivery, verify};
use crate::failure::{Exit, Failure};
use crate::host::Remembered;
use crate::inputs::request::{Minting, OnCompletion, OnShortenedLifetime};
use crate::outputs::{Outputs, to_the_second};
use crate::pats::{Minted, NewPat, Pat, minting};
use crate::pending::{self, Pending};
use crate::secret::Secret;

/// How much less than asked the service may grant without a word.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// What is to be minted, and how.
pub(super) struct Ticket<'a> {
    /// What to mint.
    pub(super) new: &'a NewPat,
    /// The active PATs that may be of that name, where they have been read.
    pub(super) before: Option<&'a [Pat]>,
    /// How.
    pub(super) minting: &'a Minting,
    /// rotate: the ids that are being replaced.
    pub(super) previous: Option<Vec<String>>,
    /// What the job's last step is to be told of, where it is to revoke the PAT.
    pub(super) on_completion: Option<&'a OnCompletion>,
}

/// A PAT that is where it was asked to be.
pub(super) struct Delivered {
    /// The PAT.
    pub(super) pat: Pat,
    /// What a person should look at all the same.
    issues: Vec<String>,
}

/// Mints and delivers. After a failure nothing that was minted is left, or the failure names what is.
pub(super) async fn mint_and_deliver(
    run: &Run<'_>,
    session: &Session,
    ticket: &Ticket<'_>,
) -> Result<Delivered, Failure> {
    let (minted, issues) = mint(run, session, ticket).await?;
    let outputs = Outputs {
        token: Some(minted.token.clone()),
        subject: Some(minted.pat.clone()),
        changed: true,
        previous: ticket.previous.clone(),
        ..Outputs::default()
    };
    match delivery::deliver(run, session, &outputs).await {
        Ok(()) => Ok(Delivered { pat: minted.pat, issues }),
        Err(failure) => Err(take_back(run, session, &minted.pat, failure).await),
    }
}

/// Mints a PAT that only a command of this run will see.
pub(super) async fn mint_for_a_command(
    run: &Run<'_>,
    session: &Session,
    ticket: &Ticket<'_>,
) -> Result<Minted, Failure> {
    let (minted, issues) = mint(run, session, ticket).await?;
    for issue in issues {
        run.warn(issue);
    }
    Ok(minted)
}

/// Mints, masks, and makes sure that the PAT is what was asked for; returns what a person should look at.
async fn mint(
    run: &Run<'_>,
    session: &Session,
    ticket: &Ticket<'_>,
) -> Result<(Minted, Vec<String>), Failure> {
    let about_to = |new: &NewPat| remember(run, session, ticket, new, None);
    let (minted, asked) = minting::mint(&session.service, ticket.new, ticket.before, &about_to).await?;
    run.host.mask_pat(&minted.token, run.organization().name());
    let inspected = match remember(run, session, ticket, &asked, Some(&minted.pat.authorization_id)) {
        Ok(()) => inspect(run, ticket, &asked, &minted).await,
        Err(failure) => Err(failure),
    };
    match inspected {
        Ok(issues) => Ok((minted, issues)),
        Err(failure) => Err(take_back(run, session, &minted.pat, failure).await),
    }
}

/// Saves for the job's last step what is about to be made, and once it is made, by which id it is revoked;
/// beside what an earlier attempt left.
fn remember(
    run: &Run<'_>,
    session: &Session,
    ticket: &Ticket<'_>,
    new: &NewPat,
    authorization_id: Option<&str>,
) -> Result<(), Failure> {
    let Some(on_completion) = ticket.on_completion else { return Ok(()) };
    let mut all = on_completion.left.clone();
    all.push(Pending {
        display_name: new.display_name.clone(),
        scope: new.scope.to_string(),
        valid_to: new.valid_to,
        asked_at: run.http.clock().now(),
        authorization_id: authorization_id.map(str::to_owned),
    });
    // A device code cannot be asked for again in the last step, where nobody looks; and the refresh token that
    // was given may have been rolled for the last time.
    if let Some(token) = session.refresh_token_for_the_last_step(run) {
        run.host.remember(pending::REFRESH_TOKEN_STATE, Remembered::Secret(token))?;
    }
    run.host.remember(pending::STATE, Remembered::Plain(&Pending::to_text(&all)))
}

/// Whether the PAT is what was asked for and, where that is asked, whether it works.
async fn inspect(
    run: &Run<'_>,
    ticket: &Ticket<'_>,
    asked: &NewPat,
    minted: &Minted,
) -> Result<Vec<String>, Failure> {
    run.cancelled()?;
    can_be_handed_over(&minted.token)?;
    let mut issues: Vec<String> = shortened(ticket, asked, &minted.pat)?.into_iter().collect();
    if let Some(verify) = &ticket.minting.verify {
        issues.extend(verify::verify(run, verify, &minted.token).await?);
    }
    run.cancelled()?;
    Ok(issues)
}

/// A line break or a control character in what a service calls a PAT would write lines of its own into files and
/// commands; no mask and no header takes it either.
fn can_be_handed_over(token: &Secret) -> Result<(), Failure> {
    if token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Store,
        "The PAT in the service's answer has a character that no PAT has, such as a line break, and is not handed over.",
        "Check that no proxy on the way changes answers, and run it again.",
    ))
}

/// A policy shortens lifetimes silently: a success does not mean that the date was granted.
fn shortened(ticket: &Ticket<'_>, asked: &NewPat, pat: &Pat) -> Result<Option<String>, Failure> {
    let Some(granted) = pat.valid_to else { return Ok(None) };
    let asked = asked.valid_to;
    if asked.duration_since(granted) <= TOLERANCE {
        return Ok(None);
    }
    let cause = format!(
        "The service granted the PAT until {} only, not until {} as asked: the tenant's policy 'Enforce maximum \
         personal access token lifespan' shortens it.",
        to_the_second(granted),
        to_the_second(asked)
    );
    match ticket.minting.on_shortened_lifetime {
        OnShortenedLifetime::Warn => Ok(Some(cause)),
        OnShortenedLifetime::Fail => Err(Failure::new(
            Exit::Refused,
            cause,
            "Ask for a shorter lifetime, or set on-shortened-lifetime to warn.",
        )),
    }
}

/// Revokes what was minted, since it did not get to where it should; says so, or says what still lives.
async fn take_back(run: &Run<'_>, session: &Session, pat: &Pat, failure: Failure) -> Failure {
    let service = session.service.with_patience(run.patience().to_clean_up());
    match service.revoke(&pat.authorization_id).await {
        Ok(_) => failure.and(format!("The new PAT {} has been revoked.", pat.authorization_id)),
        Err(why) => {
            let exit = match failure.exit {
                // "Cancelled" promises that nothing is left over.
                Exit::Cancelled(_) => why.exit,
                exit => exit,
            };
            let failure = failure
                .and(format!("The new PAT could not be revoked and still lives: {}. {why}", describe(pat)));
            Failure { exit, ..failure }
        }
    }
}

impl Delivered {
    /// Says what was done; with anything to look at, ends as succeeded with issues.
    pub(super) fn finish(self, run: &Run<'_>, further: Vec<String>) {
        run.info(format!("Created {}.", describe(&self.pat)));
        let mut issues = self.issues;
        issues.extend(further);
        for issue in &issues {
            run.warn(issue);
        }
        if !issues.is_empty() {
            run.host.succeeded_with_issues();
        }
    }
}
