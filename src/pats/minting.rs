//! Making a PAT so that none is ever left over.
//!
//! A `POST` whose outcome is unknown is never simply sent again: the PAT may exist, and nobody holds its
//! value. So the service is asked first, the orphan is revoked, and only then a second one is requested.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::model::{Filter, Pat};
use super::service::{Ambiguity, CreateError, Minted, NewPat, Outcome, Service};
use crate::failure::{Exit, Failure};
use crate::http::{Answer, NoAnswer};

/// How often a PAT is asked for before the run gives up.
const ATTEMPTS: u32 = 4;
/// How far the service's clock, which tells whole seconds, may be from when it says a PAT was made.
const SLACK: SignedDuration = SignedDuration::from_secs(2);
/// How far the end of a PAT may be from what was asked: the service rounds to 1/300 s.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// Makes a PAT, and returns what was asked for in the end. `before` are the active PATs that were there already,
/// where they have been read; `about_to` hears of every request before it is sent.
///
/// # Errors
/// Nothing was made then, or it has been revoked again; where even that failed, the failure says what may
/// still be alive.
pub async fn mint(
    service: &Service,
    new: &NewPat,
    before: Option<&[Pat]>,
    about_to: &(dyn Fn(&NewPat) -> Result<(), Failure> + Sync),
) -> Result<(Minted, NewPat), Failure> {
    let http = service.http();
    let mut new = new.clone();
    let mut attempt = 1;
    loop {
        new = new.asked_at(http.now().await);
        if let Some(signal) = http.patience().cancelled() {
            return Err(NoAnswer::Ended(crate::patience::Ended::Cancelled(signal)).into_failure(""));
        }
        about_to(&new)?;
        let (answer, failure) = match service.create(&new).await {
            Ok(minted) => return Ok((minted, new)),
            Err(CreateError::Refused(failure)) => return Err(failure),
            Err(CreateError::Later(answer, failure)) => (Some(answer), failure),
            Err(CreateError::Ambiguous(doubt)) => {
                // A service that asks to be left alone for a while is not asked what became of it before, either.
                let asked = doubt.answer.as_ref().and_then(|answer| answer.retry_after(http.clock().now()));
                let waited = match asked {
                    Some(wait) => http.wait(wait).await,
                    None => Ok(()),
                };
                let failure = reconcile(service, &new, before, &doubt).await?;
                if let Err(ended) = waited {
                    return Err(given_up(ended, failure));
                }
                if !doubt.outcome.may_be_tried_again() {
                    return Err(failure);
                }
                if asked.is_some() && attempt < ATTEMPTS {
                    attempt += 1;
                    continue;
                }
                (None, failure)
            }
        };
        if attempt == ATTEMPTS {
            return Err(failure);
        }
        let asked = answer.as_ref().and_then(|answer: &Answer| answer.retry_after(http.clock().now()));
        if let Err(ended) = http.wait(asked.unwrap_or_else(|| http.backoff(attempt))).await {
            return Err(given_up(ended, failure));
        }
        attempt += 1;
    }
}

/// Why there is no further attempt. Where it would have been too late, that is what came of the last one.
fn given_up(ended: NoAnswer, failure: Failure) -> Failure {
    match ended {
        NoAnswer::Throttled(_) => failure,
        NoAnswer::Ended(_) | NoAnswer::Wire(_) => ended.into_failure("The PAT service"),
    }
}

/// Looks whether the doubtful request made a PAT, and revokes it. Returns the failure that caused the doubt,
/// which now leaves nothing behind.
///
/// It looks more than once where the service may still be at work on the request, also after it has found a PAT:
/// that one may be of a run beside this one, and looks just like it.
async fn reconcile(
    service: &Service,
    new: &NewPat,
    before: Option<&[Pat]>,
    doubt: &Ambiguity,
) -> Result<Failure, Failure> {
    let service = service.with_patience(service.http().patience().to_clean_up());
    // Those that could not be revoked, and why the last of them could not.
    let (mut alive, mut why) = (BTreeSet::new(), None);
    if let Some(id) = &doubt.authorization_id {
        why = revoke_orphans(&service, vec![id.clone()], &mut alive).await;
    }
    let looks = if doubt.authorization_id.is_some() { &[] } else { doubt.outcome.looks() };
    for pause in looks {
        let looked = match service.http().patience().pause(Duration::from_secs(*pause)).await {
            Ok(()) => service.list_with_date(Filter::Active).await,
            Err(ended) => Err(NoAnswer::from(ended).into_failure("The PAT service")),
        };
        let (pats, date) = match looked {
            Ok(listed) => listed,
            // The credential is refused for reading too, so most likely nothing was made.
            Err(refused)
                if doubt.outcome == Outcome::SignInPage
                    && matches!(refused.exit, Exit::SignIn | Exit::Refused) =>
            {
                return Err(unknown_until_signed_in(new, doubt));
            }
            Err(failure) => {
                let failure = unknown(new, doubt, &failure);
                return Err(if alive.is_empty() {
                    failure
                } else {
                    failure.and(format!("Alive: {}.", list(&alive, ", ")))
                });
            }
        };
        let now = date.unwrap_or_else(|| service.http().clock().now());
        let sent = sent_on_the_services_clock(doubt.sent, now);
        why = revoke_orphans(&service, orphans_among(&pats, new, before, sent), &mut alive).await.or(why);
    }
    match why.filter(|_| !alive.is_empty()) {
        Some(failure) => Err(still_alive(&alive, doubt, &failure)),
        None => Ok(match &doubt.authorization_id {
            Some(id) => doubt.failure.clone().and(format!("That PAT ({id}) has been revoked.")),
            None => doubt.failure.clone(),
        }),
    }
}

/// Revokes them all; one that cannot be revoked keeps none of the others alive. Returns why the last one could
/// not.
async fn revoke_orphans(
    service: &Service,
    orphans: Vec<String>,
    alive: &mut BTreeSet<String>,
) -> Option<Failure> {
    let mut why = None;
    for id in orphans {
        tracing::debug!("revoking {id}, a PAT whose value was lost on the way");
        match service.revoke(&id).await {
            Ok(_) => {
                alive.remove(&id);
            }
            Err(failure) => {
                alive.insert(id);
                why = Some(failure);
            }
        }
    }
    why
}

fn list(ids: &BTreeSet<String>, between: &str) -> String {
    ids.iter().map(String::as_str).collect::<Vec<_>>().join(between)
}

fn sent_on_the_services_clock(sent: Instant, now: Timestamp) -> Timestamp {
    let since = SignedDuration::try_from(sent.elapsed()).unwrap_or(SignedDuration::MAX);
    now.checked_sub(since).unwrap_or(Timestamp::MIN)
}

/// Of that name and scope, not there before, not made before the request, not living longer than asked. A PAT
/// that ends exactly when asked is ours rather than one of a run beside this one.
fn orphans_among(pats: &[Pat], new: &NewPat, before: Option<&[Pat]>, sent: Timestamp) -> Vec<String> {
    let known = |pat: &Pat| {
        before.is_some_and(|before| before.iter().any(|old| old.authorization_id == pat.authorization_id))
    };
    let earliest = sent.checked_sub(SLACK).unwrap_or(Timestamp::MIN);
    let latest = new.valid_to.checked_add(ROUNDING).unwrap_or(Timestamp::MAX);
    let candidates: Vec<&Pat> = pats
        .iter()
        .filter(|pat| pat.display_name == new.display_name && pat.scope == new.scope && !known(pat))
        .filter(|pat| pat.valid_from.is_some_and(|from| from >= earliest))
        .filter(|pat| pat.valid_to.is_some_and(|to| to <= latest))
        .collect();
    let exact =
        |pat: &&&Pat| pat.valid_to.is_some_and(|to| to.duration_since(new.valid_to).abs() <= ROUNDING);
    let exactly: Vec<&&Pat> = candidates.iter().filter(exact).collect();
    let chosen = if exactly.is_empty() { candidates.iter().collect() } else { exactly };
    chosen.into_iter().map(|pat| pat.authorization_id.clone()).collect()
}

fn unknown(new: &NewPat, doubt: &Ambiguity, failure: &Failure) -> Failure {
    Failure {
        cause: format!(
            "{} Whether a PAT named '{}' was made could not be found out: {}",
            doubt.failure.cause, new.display_name, failure.cause
        ),
        remedy: "Look with 'adopat list', and revoke the one made by this run: nobody holds its value. A rotation of \
                 that name with duplicates set to revoke does so, too."
            .into(),
        exit: exit_with_something_left(doubt),
        ..failure.clone()
    }
}

/// What has to be done first is to sign in again.
fn unknown_until_signed_in(new: &NewPat, doubt: &Ambiguity) -> Failure {
    let name = &new.display_name;
    let failure = doubt.failure.clone();
    let remedy = format!(
        "{} Then look with 'adopat list': revoke what this run made, if it made one; a rotation of that name with \
         duplicates set to revoke does so, too.",
        failure.remedy
    );
    let failure = failure.and(format!("Whether a PAT named '{name}' was made could not be found out."));
    Failure { remedy, ..failure }
}

fn still_alive(ids: &BTreeSet<String>, doubt: &Ambiguity, failure: &Failure) -> Failure {
    let what = if ids.len() == 1 {
        format!("The PAT {}, whose value nobody holds, was made and is still alive", list(ids, ""))
    } else {
        let ids = list(ids, ", ");
        format!("One of these PATs was made, its value is held by nobody, and they are still alive: {ids}")
    };
    Failure {
        cause: format!("{} {what}: {}", doubt.failure.cause, failure.cause),
        remedy: format!("Revoke it: 'adopat revoke' with authorization-id {}.", list(ids, " or ")),
        exit: exit_with_something_left(doubt),
        // Why the PAT was refused, or its answer got lost, is what a person looks for.
        name: doubt.failure.name.clone().or_else(|| failure.name.clone()),
        support_ids: doubt.failure.support_ids.iter().chain(&failure.support_ids).cloned().collect(),
        quote: None,
    }
}

/// "Cancelled" promises that nothing is left over.
fn exit_with_something_left(doubt: &Ambiguity) -> Exit {
    match doubt.failure.exit {
        Exit::Cancelled(_) => Exit::Service,
        exit => exit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pats::Scope;
    use rstest::rstest;

    fn instant(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn pat(id: &str, name: &str, scope: &str, from: &str, to: &str) -> Pat {
        Pat {
            authorization_id: id.into(),
            display_name: name.into(),
            scope: Scope::parse(scope),
            valid_from: Some(instant(from)),
            valid_to: Some(instant(to)),
            target_accounts: Some(vec![]),
        }
    }

    const SENT: &str = "2026-01-01T00:00:10Z";
    const ASKED: &str = "2026-02-01T00:00:00Z";

    #[rstest]
    #[case::ours("ci", "vso.code", "2026-01-01T00:00:10.5Z", ASKED, true)]
    #[case::within_the_slack("ci", "vso.code", "2026-01-01T00:00:08Z", ASKED, true)]
    #[case::shortened_by_policy("ci", "vso.code", "2026-01-01T00:00:11Z", "2026-01-08T00:00:11Z", true)]
    #[case::rounded("ci", "vso.code", "2026-01-01T00:00:11Z", "2026-02-01T00:00:00.003Z", true)]
    #[case::of_another_name("cd", "vso.code", "2026-01-01T00:00:11Z", ASKED, false)]
    #[case::of_another_scope("ci", "vso.build", "2026-01-01T00:00:11Z", ASKED, false)]
    #[case::made_before("ci", "vso.code", "2026-01-01T00:00:07Z", ASKED, false)]
    #[case::living_longer("ci", "vso.code", "2026-01-01T00:00:11Z", "2026-02-01T00:00:02Z", false)]
    fn an_orphan_is_what_only_this_request_can_have_made(
        #[case] name: &str,
        #[case] scope: &str,
        #[case] from: &str,
        #[case] to: &str,
        #[case] orphan: bool,
    ) {
        let new = NewPat {
            display_name: "ci".into(),
            scope: Scope::parse("vso.code"),
            valid_to: instant(ASKED),
            lifetime: None,
        };
        let found = orphans_among(&[pat("a", name, scope, from, to)], &new, None, instant(SENT));
        assert_eq!(!found.is_empty(), orphan);
    }

    #[test]
    fn a_pat_that_was_there_before_is_never_an_orphan() {
        let new = NewPat {
            display_name: "ci".into(),
            scope: Scope::parse("vso.code"),
            valid_to: instant(ASKED),
            lifetime: None,
        };
        let old = [pat("a", "ci", "vso.code", SENT, ASKED)];
        assert!(orphans_among(&old, &new, Some(&old), instant(SENT)).is_empty());
    }

    #[test]
    fn a_pat_of_a_run_beside_this_one_is_told_apart_by_its_end() {
        let new = NewPat {
            display_name: "ci".into(),
            scope: Scope::parse("vso.code"),
            valid_to: instant(ASKED),
            lifetime: None,
        };
        let theirs = pat("theirs", "ci", "vso.code", SENT, "2026-01-31T23:59:57Z");
        let ours = pat("ours", "ci", "vso.code", SENT, ASKED);
        assert_eq!(orphans_among(&[theirs, ours], &new, None, instant(SENT)), ["ours"]);
    }
}
