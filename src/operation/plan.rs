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

/// How many seconds longer than was asked a PAT may be found to live, by the difference of the services' clocks.
const LONGER_THAN_ASKED: f64 = 2.0;
/// How many seconds shorter, beside what its fingerprint takes off: the way there, and the part of a second that `Date`
/// does not tell.
const SHORTER_THAN_ASKED: f64 = 3.0;

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
                match found.expired.first() {
                    Some(_) => {
                        "Give its display-name in place of authorization-id, and set if-missing to create: the new PAT \
                         takes its scope and lifetime."
                    }
                    None => "Check authorization-id; 'adopat list' shows what there is.",
                },
            )),
        };
    };
    match rotate.if_missing {
        IfMissing::Ignore => Ok(Plan::Nothing(None, missing)),
        IfMissing::Fail => Err(Failure::new(
            Exit::NotFound,
            missing,
            match found.expired.first() {
                Some(_) => {
                    "Set if-missing to create: the new PAT takes the scope and lifetime of the expired one."
                }
                None => {
                    "Check display-name, or set if-missing to create with a scope; 'adopat list' shows what there is."
                }
            },
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

/// As long as was asked for the old PAT, if its life is known and may be asked for again.
///
/// A PAT lives less than was asked: its end was brought forward for its [fingerprint](crate::pats::fingerprint), it was
/// made when the request got there, and `Date`, by which the end was reckoned, tells whole seconds. A chain of rotations
/// would lose that every time. So the roundest span is taken that may have been asked for: whole minutes, or else the
/// coarsest step of seconds; each multiple of 15 s is found again as it was.
fn as_long_as(old: Option<&Pat>) -> Expiry {
    let lifetime = old.and_then(Pat::lifetime).and_then(|life| Duration::try_from(life).ok());
    let lifetime = lifetime.unwrap_or(Expiry::CREATED_FOR).as_secs_f64();
    let share = (lifetime / 20.0).min(1.0);
    let least = lifetime - share * LONGER_THAN_ASKED;
    let most = lifetime + (lifetime / 100.0).min(10.0) + share * SHORTER_THAN_ASKED;
    let multiples = [60.0, 30.0, 15.0, 5.0, 1.0].map(|step| (least / step).ceil() * step);
    let asked = multiples.into_iter().find(|span| *span > 0.0 && *span <= most).unwrap_or(lifetime.ceil());
    Expiry::After(Duration::from_secs_f64(asked).min(LONGEST_LIFETIME))
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
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::pats::Fingerprint;

    fn to_the_300th(at: Timestamp) -> Timestamp {
        let steps = (at.as_nanosecond() * 300 + 500_000_000).div_euclid(1_000_000_000);
        Timestamp::from_nanosecond((steps * 10_000_000 + 150).div_euclid(300) * 100).expect("within reach")
    }

    /// The PAT that the service makes of a request, which gets there `late`; with `chance` of the fingerprint's room.
    fn made(asked_at: Timestamp, lifetime: Duration, chance: f64, late: SignedDuration) -> Pat {
        let wanted = new_pat("ci", &Scope::parse("vso.code"), Expiry::After(lifetime), asked_at);
        let request = Fingerprint::new(&wanted, asked_at, chance, |_| false);
        Pat {
            authorization_id: "00000000-0000-0000-0000-000000000001".into(),
            display_name: request.display_name,
            scope: request.scope,
            valid_from: Some(to_the_300th(asked_at + late)),
            valid_to: Some(to_the_300th(request.valid_to)),
            target_accounts: Some(vec![]),
        }
    }

    fn span_of(expiry: Expiry) -> Duration {
        let Expiry::After(span) = expiry else { panic!("a span") };
        span
    }

    proptest! {
        #[test]
        fn a_chain_of_rotations_keeps_its_span(
            quarters in 4_u64..365 * 24 * 240,
            rotations in prop::collection::vec((0.0..1.0_f64, -1_000_i64..2_500, 0_i64..90_000_000), 1..100),
        ) {
            let lifetime = Duration::from_secs(15 * quarters);
            let mut now: Timestamp = "2026-01-01T00:00:00.123Z".parse().expect("an instant");
            let mut span = lifetime;
            for (chance, late, pause) in rotations {
                let pat = made(now, span, chance, SignedDuration::from_millis(late));
                span = span_of(as_long_as(Some(&pat)));
                prop_assert_eq!(span, lifetime, "{:?}", pat);
                now += SignedDuration::from_millis(pause);
            }
        }

        /// Spans that nobody writes: the first rotation may round them, and then they stay.
        #[test]
        fn a_chain_of_odd_spans_never_wears_away(
            seconds in 1_u64..365 * 86_400,
            chances in prop::collection::vec((0.0..1.0_f64, 0_i64..500), 200),
        ) {
            let mut span = Duration::from_secs(seconds);
            for (chance, late) in chances {
                let pat = made(Timestamp::UNIX_EPOCH, span, chance, SignedDuration::from_millis(late));
                span = span_of(as_long_as(Some(&pat)));
                prop_assert!(span.abs_diff(Duration::from_secs(seconds)) < Duration::from_secs(16), "{span:?}");
            }
        }
    }

    #[rstest]
    #[case::a_day_as_a_policy_grants_it(86_400.0, 86_400)]
    #[case::the_web_pages(30.0 * 86_400.0 - 40_000.4, 30 * 86_400 - 39_990)]
    #[case::too_long(400.0 * 86_400.0, 365 * 86_400)]
    #[case::a_minute(60.0, 60)]
    #[case::a_second(1.0, 1)]
    #[case::less(0.4, 1)]
    fn a_life_that_was_not_asked_for_here_is_kept_as_far_as_it_is_known(
        #[case] lived: f64,
        #[case] asked: u64,
    ) {
        let from = Timestamp::UNIX_EPOCH;
        let pat = Pat {
            valid_from: Some(from),
            valid_to: Some(from + SignedDuration::from_secs_f64(lived)),
            ..made(from, Duration::from_secs(60), 0.0, SignedDuration::ZERO)
        };
        assert_eq!(as_long_as(Some(&pat)), Expiry::After(Duration::from_secs(asked)));
    }
}
