//! Decides what is to be done to the PAT that was asked about and to others of the same name, from what was read.
//! Nothing here sends or changes anything.
//!
//! One plan is one transaction: at most one PAT is made, and then, in order, each step is taken. A dry run prints the
//! plan; a run carries it out, and what became of each part of it is an [outcome](super::outcome).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::find::{Found, describe};
use crate::azure_devops::Organization;
use crate::failure::{Exit, Failure};
use crate::inputs::request::{Expiry, IfMissing, Revoke, Rotate, Subject, Update};
use crate::pats::model::{GLOBAL_PATS_END, global_pats_have_ended};
use crate::pats::{Change, NewPat, Pat, Scope};
use crate::time::{span, to_the_second};

/// The longest life the service grants (MicrosoftDocs: "not to exceed one year").
const LONGEST_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many seconds longer than was asked a PAT may be found to live, by the difference of the services' clocks.
const LONGER_THAN_ASKED: f64 = 2.0;
/// How many seconds shorter, beside what its fingerprint takes off: the way there, and the part of a second that `Date`
/// does not tell.
const SHORTER_THAN_ASKED: f64 = 3.0;

/// How far the expiry that the service grants may be from the one that was asked for before adopat says so.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// What is done in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing. The sentence says why.
    Nothing(Option<Pat>, String),
    /// A PAT is made and delivered, if there is one to make, and then each step is taken.
    Act {
        /// What to make.
        new: Option<NewPat>,
        /// What is done to the PATs that are there, in this order.
        steps: Vec<Step>,
    },
}

/// What is done to one PAT that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The PAT, as it was read.
    pub(super) pat: Pat,
    /// What is done to it.
    pub(super) action: Action,
    /// Whether an earlier rotation replaced it, and kept it for a while.
    pub(super) replaced_before: bool,
}

/// What can be done to a PAT that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It is revoked.
    Revoke,
    /// Its end is brought forward. A global PAT is narrowed to this organization by the same request.
    Shorten(Timestamp),
    /// It ends early enough by itself, but is global: it is narrowed to this organization.
    Narrow,
    /// It ends early enough by itself: nothing is done to it.
    LetExpire,
    /// It is changed. A global PAT is narrowed to this organization by the same request.
    Change(Change),
}

/// Decides what a rotation does with what was found.
///
/// `is_left` tells the PATs that an earlier attempt of the same step made: they are no duplicates. Nor is one that an
/// earlier rotation kept for a while and that has not ended yet.
///
/// # Errors
/// If what was found does not allow it: exit 5 (missing, ambiguous), exit 4 (a global PAT).
pub(super) fn plan_rotation(
    rotate: &Rotate,
    found: &Found,
    is_left: impl Fn(&Pat) -> bool,
    missing: impl Fn() -> String,
    now: Timestamp,
) -> Result<Plan, Failure> {
    // What an earlier attempt left has never been relied on for long: the newest of the others is the one.
    let Some(newest) = found.active.iter().find(|pat| !is_left(pat)).or(found.active.first()) else {
        return plan_without_a_pat(rotate, found, missing(), now);
    };
    let counted: Vec<&Pat> =
        counted(&found.active, newest, rotate.keep_previous_for).filter(|pat| !is_left(pat)).collect();
    if counted.len() > 1 && !rotate.revoke_duplicates {
        return Err(Found::ambiguous(&counted, &rotate.subject));
    }
    let stands_alone = counted.len() == 1 && !found.active.iter().any(&is_left);
    if stands_alone
        && let Some(within) = rotate.renew_within
        && !ends_within(newest, within, now)
    {
        let why =
            format!("{} does not expire within {}: nothing to do.", describe(newest), span::describe(within));
        return Ok(Plan::Nothing(Some(newest.clone()), why));
    }
    if let Some(pat) = found.active.iter().find(|pat| pat.is_global())
        && !rotate.allow_global_narrowing
    {
        return Err(global(pat, now));
    }
    let scope = rotate.scope.as_ref().unwrap_or(&newest.scope);
    let expiry = rotate.expiry.unwrap_or_else(|| as_long_as(Some(newest)));
    let new = new_pat(&newest.display_name, scope, expiry, now);
    Ok(Plan::replace(new, &found.active, newest, rotate.keep_previous_for, is_left, now))
}

/// The PATs of one name that count: the newest, and each other that no earlier rotation kept for a while beside it.
pub(super) fn counted<'a>(
    active: &'a [Pat],
    newest: &'a Pat,
    keep: Option<Duration>,
) -> impl Iterator<Item = &'a Pat> {
    active.iter().filter(move |pat| *pat == newest || !was_kept(pat, newest, keep))
}

/// Whether a PAT ends within this span; one whose end is not known does.
pub(super) fn ends_within(pat: &Pat, within: Duration, now: Timestamp) -> bool {
    pat.end().is_none_or(|end| end <= span::after(now, within))
}

/// Whether an earlier rotation kept this PAT for a while beside the one that is the newest now: it ends no later
/// than that would have let it.
fn was_kept(pat: &Pat, newest: &Pat, keep: Option<Duration>) -> bool {
    let (Some(keep), Some(made), Some(end)) = (keep, newest.valid_from, pat.valid_to) else { return false };
    end <= span::after(made, keep)
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
            Ok(Plan::create(new_pat(name, &scope, expiry, now)))
        }
    }
}

/// Decides what a revocation does with what was found.
///
/// # Errors
/// If what was found does not allow it: exit 5 (missing, ambiguous).
pub(super) fn plan_revocation(
    revoke: &Revoke,
    found: &Found,
    missing: impl Fn() -> String,
) -> Result<Plan, Failure> {
    if found.active.is_empty() {
        if revoke.if_missing == IfMissing::Fail {
            let remedy = match found.expired.first() {
                Some(_) => "It no longer works, so there is nothing to revoke: set if-missing to ignore.",
                None => {
                    "Check the name or id, or set if-missing to ignore; 'adopat list' shows what there is."
                }
            };
            return Err(Failure::new(Exit::NotFound, missing(), remedy));
        }
        return Ok(Plan::Nothing(None, format!("{} Nothing to do.", missing())));
    }
    if found.active.len() > 1 && !revoke.revoke_duplicates {
        return Err(Found::ambiguous(&found.active.iter().collect::<Vec<_>>(), &revoke.subject));
    }
    let steps = found.active.iter().map(|pat| Step::new(pat.clone(), Action::Revoke));
    Ok(Plan::Act { new: None, steps: steps.collect() })
}

/// Decides what an update does to the PAT.
///
/// # Errors
/// Exit 4 for a global PAT, unless it may be narrowed.
pub(super) fn plan_update(update: &Update, pat: Pat, now: Timestamp) -> Result<Plan, Failure> {
    if pat.is_global() && !update.allow_global_narrowing {
        return Err(global(&pat, now));
    }
    let change = Change {
        display_name: update.new_display_name.clone(),
        scope: update.scope.clone(),
        valid_to: update.expiry.map(|expiry| end_of(expiry, now)),
    };
    Ok(Plan::Act { new: None, steps: vec![Step::new(pat, Action::Change(change))] })
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

/// The lifetime that was asked for the old PAT, if it is known and may be asked for again.
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

/// What is done to a PAT so that it ends by then: its end is brought forward, never put off.
fn end_by(old: &Pat, to: Timestamp) -> Action {
    match old.valid_to {
        Some(valid_to) if valid_to <= to => let_expire(old),
        _ => Action::Shorten(to),
    }
}

fn let_expire(old: &Pat) -> Action {
    if old.is_global() { Action::Narrow } else { Action::LetExpire }
}

/// Whether the service grants noticeably less than was asked.
pub(super) fn falls_short(granted: Timestamp, asked: Timestamp) -> bool {
    asked.duration_since(granted) > TOLERANCE
}

/// The refusal to narrow a global PAT unless the inputs allow it.
pub(super) fn global(pat: &Pat, now: Timestamp) -> Failure {
    let verb = if global_pats_have_ended(now) { "stopped" } else { "stop" };
    Failure::new(
        Exit::Refused,
        format!(
            "{} is a global PAT, made for every organization its owner can reach. All global PATs {verb} working on \
             {GLOBAL_PATS_END}, and what takes its place is good for this organization alone.",
            describe(pat)
        ),
        "Make one PAT for each organization that needs it, or set allow-global-narrowing to true.",
    )
}

impl Plan {
    /// A PAT is made, and nothing is done to any other.
    pub(super) fn create(new: NewPat) -> Self {
        Self::Act { new: Some(new), steps: Vec::new() }
    }

    /// A PAT takes the place of the newest of those of its name that are there. That one may live on for a while, as may
    /// those that it took the place of itself; every other is revoked. `is_left` tells those that an earlier attempt
    /// made.
    pub(super) fn replace(
        new: NewPat,
        active: &[Pat],
        newest: &Pat,
        keep: Option<Duration>,
        is_left: impl Fn(&Pat) -> bool,
        now: Timestamp,
    ) -> Self {
        let steps = active.iter().map(|old| {
            let replaced_before = old != newest && was_kept(old, newest, keep) && !is_left(old);
            let action = match keep {
                Some(keep) if old == newest => end_by(old, span::after(now, keep)),
                _ if replaced_before => let_expire(old),
                _ => Action::Revoke,
            };
            Step { pat: old.clone(), action, replaced_before }
        });
        Self::Act { new: Some(new), steps: steps.collect() }
    }

    /// The plan in sentences, as `dry-run` prints it: everything that would be done, and nothing else.
    pub(super) fn describe(&self, organization: &Organization) -> Vec<String> {
        match self {
            Self::Nothing(_, why) => vec![why.clone()],
            Self::Act { new, steps } => {
                let would = if new.is_some() { "Would then" } else { "Would" };
                let new = new.iter().map(|new| {
                    let (name, scope) = (&new.display_name, &new.scope);
                    let until = to_the_second(new.valid_to);
                    format!("Would create a PAT named '{name}' with scope {scope}, valid to {until}.")
                });
                new.chain(steps.iter().map(|step| step.describe(would, organization))).collect()
            }
        }
    }
}

impl Step {
    pub(super) fn new(pat: Pat, action: Action) -> Self {
        Self { pat, action, replaced_before: false }
    }

    pub(super) fn describe(&self, would: &str, organization: &Organization) -> String {
        let pat = describe(&self.pat);
        let narrowing = format!("narrow it to organization {organization}");
        match &self.action {
            Action::Revoke => format!("{would} revoke {pat}."),
            Action::Shorten(to) if self.pat.is_global() => {
                format!("{would} let {pat} expire at {} and {narrowing}.", to_the_second(*to))
            }
            Action::Shorten(to) => format!("{would} let {pat} expire at {}.", to_the_second(*to)),
            Action::Narrow => {
                format!("{would} narrow {pat} to organization {organization}; it expires by itself.")
            }
            Action::LetExpire => format!("{would} leave {pat} as it is; it expires by itself."),
            Action::Change(change) => {
                let mut changes = change.describe_against(&self.pat);
                if self.pat.is_global() {
                    changes.push(narrowing);
                }
                match changes.is_empty() {
                    true => format!("{would} leave {pat} as it is: it is so already."),
                    false => format!("{would} change {pat}: {}.", changes.join(", ")),
                }
            }
        }
    }
}

impl Change {
    /// What of it is not so already, each as what would be done.
    fn describe_against(&self, pat: &Pat) -> Vec<String> {
        let name = self.display_name.as_ref().filter(|name| **name != pat.display_name);
        let scope = self.scope.as_ref().filter(|scope| **scope != pat.scope);
        let end = self.valid_to.filter(|to| pat.valid_to.is_none_or(|end| moved(end, *to)));
        let name = name.map(|name| format!("name it '{name}'"));
        let scope = scope.map(|scope| format!("give it scope {scope}"));
        let end = end.map(|to| format!("let it end at {}", to_the_second(to)));
        [name, scope, end].into_iter().flatten().collect()
    }
}

/// Whether an end is another one: the service rounds dates to 1/300 s.
pub(super) fn moved(from: Timestamp, to: Timestamp) -> bool {
    to.duration_since(from).abs() > SignedDuration::from_secs(1)
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
