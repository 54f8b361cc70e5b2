//! What a rotation is going to do, decided from what was read; nothing here asks or changes anything.

use std::time::Duration;

use jiff::Timestamp;

use super::find::{Found, describe};
use crate::failure::{Exit, Failure};
use crate::inputs::request::{Expiry, IfMissing, Rotate, Subject};
use crate::inputs::span;
use crate::outputs::to_the_second;
use crate::pats::{NewPat, Pat, Scope};

/// The longest life the service grants (MicrosoftDocs: "not to exceed one year").
const LONGEST_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The most that a PAT may be found to live more or less than was asked.
const A_MOMENT: Duration = Duration::from_secs(3);

/// What a rotation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing: the PAT that is meant, if there is one, stays; the sentence says why.
    Nothing(Option<Pat>, String),
    /// Mint a successor, deliver it, retire the old ones in this order.
    Rotate {
        /// What to mint.
        new: NewPat,
        /// What to retire, once the new one is delivered.
        retire: Vec<Retirement>,
    },
}

/// What becomes of an old PAT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Retirement {
    /// It is revoked.
    Revoke(Pat),
    /// Its expiry is brought forward.
    Shorten(Pat, Timestamp),
    /// It ends before that by itself.
    LetExpire(Pat),
}

impl Retirement {
    /// The PAT it is about.
    pub(super) fn pat(&self) -> &Pat {
        match self {
            Self::Revoke(pat) | Self::Shorten(pat, _) | Self::LetExpire(pat) => pat,
        }
    }
}

/// Decides what a rotation does with what was found.
///
/// # Errors
/// Where what was found does not allow it: exit 5 (missing, ambiguous), exit 4 (a global PAT).
///
/// `is_left` tells the PATs that an earlier attempt of the same step made: they are no duplicates.
pub(super) fn plan(
    rotate: &Rotate,
    found: &Found,
    is_left: impl Fn(&Pat) -> bool,
    missing: impl Fn() -> String,
    now: Timestamp,
) -> Result<Plan, Failure> {
    let Some(newest) = found.active.first() else {
        return plan_without_a_pat(rotate, found, missing(), now);
    };
    let left = found.active.iter().filter(|pat| is_left(pat)).count();
    if found.active.len() - left > 1 && !rotate.revoke_duplicates {
        return Err(found.ambiguous(&rotate.subject));
    }
    if found.active.len() == 1
        && left == 0
        && let Some(within) = rotate.renew_within
        && let Some(valid_to) = newest.valid_to
        && valid_to > span::after(now, within)
    {
        let why =
            format!("{} does not expire within {}: nothing to do.", describe(newest), span::describe(within));
        return Ok(Plan::Nothing(Some(newest.clone()), why));
    }
    if let Some(pat) = found.active.iter().find(|pat| pat.is_global())
        && !rotate.allow_global_narrowing
    {
        return Err(global(pat));
    }
    let scope = rotate.scope.as_ref().unwrap_or(&newest.scope);
    let expiry = rotate.expiry.unwrap_or_else(|| as_long_as(Some(newest)));
    let new = new_pat(&newest.display_name, scope, expiry, now);
    // What an earlier attempt left has never been relied on for long: the newest of the others is kept.
    let kept = found.active.iter().find(|pat| !is_left(pat)).or(found.active.first());
    let retire = found.active.iter().map(|old| match rotate.keep_previous_for {
        Some(keep) if kept == Some(old) => shorten(old, span::after(now, keep)),
        _ => Retirement::Revoke(old.clone()),
    });
    Ok(Plan::Rotate { new, retire: retire.collect() })
}

fn plan_without_a_pat(
    rotate: &Rotate,
    found: &Found,
    missing: String,
    now: Timestamp,
) -> Result<Plan, Failure> {
    let Subject::Name(name) = &rotate.subject else {
        return match rotate.if_missing {
            IfMissing::Ignore => Ok(Plan::Nothing(None, missing)),
            _ => Err(Failure::new(
                Exit::NotFound,
                missing,
                "Check authorization-id; 'adopat list' shows what there is.",
            )),
        };
    };
    match rotate.if_missing {
        IfMissing::Ignore => Ok(Plan::Nothing(None, missing)),
        IfMissing::Fail => Err(Failure::new(
            Exit::NotFound,
            missing,
            "Check display-name, or set if-missing to create with a scope; 'adopat list' shows what there is.",
        )),
        IfMissing::Create => {
            let expired = found.expired.first();
            let scope = rotate.scope.clone().or_else(|| expired.map(|old| old.scope.clone()));
            let Some(scope) = scope.filter(|scope| *scope != Scope::default()) else {
                return Err(Failure::new(
                    Exit::NotFound,
                    missing,
                    "To have it created, give the input scope: no expired PAT of that name says what it could do.",
                ));
            };
            let expiry = rotate.expiry.unwrap_or_else(|| as_long_as(expired));
            Ok(Plan::Rotate { new: new_pat(name, &scope, expiry, now), retire: Vec::new() })
        }
    }
}

/// The PAT that is asked for now.
pub(super) fn new_pat(display_name: &str, scope: &Scope, expiry: Expiry, now: Timestamp) -> NewPat {
    let lifetime = match expiry {
        Expiry::After(lifetime) => Some(lifetime),
        Expiry::At(_) => None,
    };
    let (display_name, scope) = (display_name.to_owned(), scope.clone());
    NewPat { display_name, scope, valid_to: end_of(expiry, now), lifetime }
}

/// When a PAT that is asked for now is to expire.
pub(super) fn end_of(expiry: Expiry, now: Timestamp) -> Timestamp {
    match expiry {
        Expiry::At(at) => at,
        Expiry::After(span) => span::after(now, span),
    }
}

/// As long as the old PAT lived, if that is known and may be asked for.
///
/// A PAT lives a moment less than was asked: its end is sent in whole seconds, it is made when the request gets
/// there, and the service tells both to 1/300 s. A chain of rotations would lose that moment every time, so a span
/// that is all but whole minutes is taken for those.
fn as_long_as(old: Option<&Pat>) -> Expiry {
    let lifetime = old.and_then(Pat::lifetime).and_then(|life| Duration::try_from(life).ok());
    let lifetime = lifetime.unwrap_or(Expiry::CREATED_FOR);
    let minutes = Duration::from_secs_f64((lifetime.as_secs_f64() / 60.0).round() * 60.0);
    let seconds = Duration::from_secs_f64(lifetime.as_secs_f64().round());
    let whole =
        if minutes > Duration::ZERO && lifetime.abs_diff(minutes) <= A_MOMENT { minutes } else { seconds };
    Expiry::After(whole.min(LONGEST_LIFETIME))
}

fn shorten(old: &Pat, to: Timestamp) -> Retirement {
    match old.valid_to {
        Some(valid_to) if valid_to <= to => Retirement::LetExpire(old.clone()),
        _ => Retirement::Shorten(old.clone(), to),
    }
}

pub(super) fn global(pat: &Pat) -> Failure {
    Failure::new(
        Exit::Refused,
        format!(
            "{} is a global PAT, good for every organization its owner can reach; all global PATs end on \
             2026-12-01, and what takes its place is good for this organization alone.",
            describe(pat)
        ),
        "Make one PAT for each organization that needs it, or set allow-global-narrowing to true.",
    )
}

impl Plan {
    /// The plan in sentences, as `dry-run` prints it.
    pub(super) fn describe(&self) -> Vec<String> {
        match self {
            Self::Nothing(_, why) => vec![why.clone()],
            Self::Rotate { new, retire } => {
                let mut lines = vec![describe_new(new)];
                lines.extend(retire.iter().map(|retirement| match retirement {
                    Retirement::Revoke(pat) => format!("Would then revoke {}.", describe(pat)),
                    Retirement::Shorten(pat, to) => {
                        format!("Would then let {} expire at {}.", describe(pat), to_the_second(*to))
                    }
                    Retirement::LetExpire(pat) => format!("Would then leave {} as it is.", describe(pat)),
                }));
                lines
            }
        }
    }
}

/// What would be minted, as `dry-run` prints it.
pub(super) fn describe_new(new: &NewPat) -> String {
    let until = to_the_second(new.valid_to);
    format!("Would create a PAT named '{}' with scope {}, valid to {until}.", new.display_name, new.scope)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rstest::rstest;

    use super::*;

    /// The PAT that the service makes of it: the end in whole seconds, `late` after it was asked for, both dates to
    /// 1/300 s.
    fn made(asked_at: Timestamp, lifetime: Duration, late: SignedDuration) -> Pat {
        let to_the_300th = |at: Timestamp| {
            let nanoseconds = (at.as_nanosecond() as f64 * 3e-7).round() / 3e-7;
            Timestamp::from_nanosecond(nanoseconds as i128).expect("within reach")
        };
        let valid_to =
            Timestamp::from_second(span::after(asked_at, lifetime).as_second()).expect("within reach");
        Pat {
            authorization_id: "00000000-0000-0000-0000-000000000001".into(),
            display_name: "ci".into(),
            scope: Scope::parse("vso.code"),
            valid_from: Some(to_the_300th(asked_at + late)),
            valid_to: Some(to_the_300th(valid_to)),
            target_accounts: Some(vec![]),
        }
    }

    #[rstest]
    fn a_chain_of_rotations_keeps_its_span(
        #[values("30d", "12h", "90m", "7d", "P365D", "1m")] lifetime: &str,
        #[values(-1_500, 0, 40, 900, 1_900)] milliseconds_late: i64,
    ) {
        let mut now: Timestamp = "2026-01-01T00:00:00.123Z".parse().expect("an instant");
        let lifetime = span::parse(lifetime).expect("a span");
        let late = SignedDuration::from_millis(milliseconds_late);
        let mut pat = made(now, lifetime, late);
        for rotation in 1..=50 {
            now += SignedDuration::from_millis(61_237);
            let Expiry::After(next) = as_long_as(Some(&pat)) else { panic!("a span") };
            assert_eq!(next, lifetime, "rotation {rotation}");
            pat = made(now, next, late);
        }
    }

    #[rstest]
    #[case::seconds(100, 100)]
    #[case::a_policy_of_odd_length(86_399 - 30, 86_399 - 30)]
    #[case::too_long(400 * 86_400, 365 * 86_400)]
    #[case::a_second(1, 1)]
    fn a_span_that_is_no_whole_minutes_is_kept_as_it_is(#[case] lived: u64, #[case] asked: u64) {
        let made = made(Timestamp::UNIX_EPOCH, Duration::from_secs(lived), SignedDuration::ZERO);
        assert_eq!(as_long_as(Some(&made)), Expiry::After(Duration::from_secs(asked)));
    }
}
