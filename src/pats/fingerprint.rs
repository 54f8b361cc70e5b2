//! The fingerprint of a request for a PAT, and the rule 'this PAT is mine'.
//!
//! When the answer to a `POST` is lost, its PAT can only be recognised by what was asked for. So each request asks for
//! an end of its own: a little earlier than wanted, at random, on one of the service's own steps of 1/300 s. The service
//! keeps these steps: what was sent as `...23.319Z` comes back as `...23.32Z` (vsts-rest-api-specs,
//! tokens/7.2/httpExamples/Pats/CreatePat.json). The machine's clock has no part in the rule.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use super::{NewPat, Pat, Scope};

/// The steps in which the service keeps time, as SQL Server's `datetime` does.
const STEPS_A_SECOND: i128 = 300;
const NANOSECONDS: i128 = 1_000_000_000;
/// How many steps earlier than wanted a PAT of a given lifetime may be asked to end: less than ten seconds.
const ROOM_OF_A_LIFETIME: i128 = 10 * STEPS_A_SECOND;
/// The same for a PAT whose very end was given: less than a second.
const ROOM_OF_AN_END: i128 = STEPS_A_SECOND;
/// How far apart the services' clocks may be: the one that `Date` shows, in whole seconds, and the one that `validFrom`
/// is read from.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// What one request asks for: a name, a scope, and an end that no other request asks for.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fingerprint {
    /// The PAT's name.
    pub display_name: String,
    /// Its scope.
    pub scope: Scope,
    /// When it is to expire: in whole milliseconds, the nearest to a step of 1/300 s.
    #[serde(serialize_with = "in_milliseconds")]
    pub valid_to: Timestamp,
    /// When it was asked for, by the services' clock.
    #[serde(default)]
    pub asked_at: Option<Timestamp>,
}

/// Which PATs a request may have made.
#[derive(Debug, PartialEq, Eq)]
pub enum Trace<'a> {
    /// None.
    None,
    /// This one: only it has the fingerprint.
    Own(&'a Pat),
    /// Perhaps one of these, which were made since: none of them has the fingerprint, for example because a policy
    /// gave the PAT another expiry, or several have it. They may be anyone's.
    Unsure(Vec<&'a Pat>),
}

impl Fingerprint {
    /// A fresh one for a PAT that is asked for at `now`, by the services' clock. `chance` is a random number in
    /// `0.0..1.0`; an end that `is_taken` is passed over.
    pub fn new(wanted: &NewPat, now: Timestamp, chance: f64, is_taken: impl Fn(Timestamp) -> bool) -> Self {
        let end = wanted.end_at(now);
        let steps_to_live = (end.as_nanosecond() - now.as_nanosecond()) * STEPS_A_SECOND / NANOSECONDS;
        let most = if wanted.lifetime.is_some() { ROOM_OF_A_LIFETIME } else { ROOM_OF_AN_END };
        // What is lost by going down to a whole step counts too.
        let room = most.min(steps_to_live / 100) - 1;
        let last = (end.as_nanosecond() * STEPS_A_SECOND).div_euclid(NANOSECONDS);
        let valid_to = if room < 1 {
            on_step(last)
        } else {
            let first = (chance * room as f64) as i128;
            let mut ends = (0..room).map(|turn| on_step(last - 1 - (first + turn) % room));
            ends.find(|end| !is_taken(*end)).unwrap_or_else(|| on_step(last - 1 - first))
        };
        Self {
            display_name: wanted.display_name.clone(),
            scope: wanted.scope.clone(),
            valid_to,
            asked_at: Some(now),
        }
    }

    /// The end, as it is sent and shown: RFC 3339 with milliseconds.
    pub fn end(&self) -> String {
        format!("{:.3}", self.valid_to)
    }

    /// The rule. `active` are the PATs that there are now; `is_known` tells those of which it is known that this request
    /// did not make them.
    pub fn trace<'a>(&self, active: &'a [Pat], is_known: impl Fn(&Pat) -> bool) -> Trace<'a> {
        let alike: Vec<&Pat> =
            active.iter().filter(|pat| self.is_of_that_name_and_scope(pat) && !is_known(pat)).collect();
        let mut bearing = alike.iter().filter(|pat| self.is_borne_by(pat));
        if let (Some(only), None) = (bearing.next(), bearing.next())
            && self.may_have_made(only)
        {
            return Trace::Own(only);
        }
        let since: Vec<&Pat> = alike.into_iter().filter(|pat| self.may_have_made(pat)).collect();
        if since.is_empty() { Trace::None } else { Trace::Unsure(since) }
    }

    fn is_of_that_name_and_scope(&self, pat: &Pat) -> bool {
        pat.display_name == self.display_name && pat.scope == self.scope
    }

    fn is_borne_by(&self, pat: &Pat) -> bool {
        pat.valid_to.is_some_and(|end| is_the_same_end(end, self.valid_to))
    }

    /// Whether the PAT is no older than the request, both by the services' clock.
    fn may_have_made(&self, pat: &Pat) -> bool {
        let (Some(made), Some(asked)) = (pat.valid_from, self.asked_at) else { return true };
        asked.duration_since(made) <= SLACK
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "'{}' (scope {}, valid to {})", self.display_name, self.scope, self.end())
    }
}

fn in_milliseconds<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{instant:.3}"))
}

/// Whether two instants are one for the service, which rounds to 1/300 s.
pub(super) fn is_the_same_end(one: Timestamp, other: Timestamp) -> bool {
    step_of(one) == step_of(other)
}

/// The step that is nearest to an instant.
fn step_of(instant: Timestamp) -> i128 {
    (instant.as_nanosecond() * STEPS_A_SECOND + NANOSECONDS / 2).div_euclid(NANOSECONDS)
}

/// The millisecond that is nearest to a step, which is nearer to it than to any other.
fn on_step(step: i128) -> Timestamp {
    let milliseconds = (step * 1000 + STEPS_A_SECOND / 2).div_euclid(STEPS_A_SECOND);
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const ASKED: &str = "2026-01-01T00:00:10Z";
    const END: &str = "2026-02-01T00:00:00.003Z";

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

    fn fingerprint() -> Fingerprint {
        Fingerprint {
            display_name: "ci".into(),
            scope: Scope::parse("vso.code"),
            valid_to: instant(END),
            asked_at: Some(instant(ASKED)),
        }
    }

    fn ids(trace: &Trace<'_>) -> (bool, Vec<String>) {
        match trace {
            Trace::None => (false, Vec::new()),
            Trace::Own(pat) => (true, vec![pat.authorization_id.clone()]),
            Trace::Unsure(pats) => (false, pats.iter().map(|pat| pat.authorization_id.clone()).collect()),
        }
    }

    const LATER: &str = "2026-01-01T00:00:10.5Z";

    #[rstest]
    #[case::ours("ci", "vso.code", LATER, END, (true, true))]
    #[case::as_the_service_writes_it("ci", "vso.code", LATER, "2026-02-01T00:00:00.0033333Z", (true, true))]
    #[case::made_while_the_clocks_differ("ci", "vso.code", "2026-01-01T00:00:08.5Z", END, (true, true))]
    #[case::a_step_earlier("ci", "vso.code", LATER, "2026-02-01T00:00:00Z", (false, true))]
    #[case::a_step_later("ci", "vso.code", LATER, "2026-02-01T00:00:00.0066667Z", (false, true))]
    #[case::in_whole_seconds("ci", "vso.code", LATER, "2026-02-01T00:00:00Z", (false, true))]
    #[case::shortened_by_policy("ci", "vso.code", LATER, "2026-01-08T00:00:11Z", (false, true))]
    #[case::made_before("ci", "vso.code", "2026-01-01T00:00:07Z", END, (false, false))]
    #[case::of_another_name("cd", "vso.code", LATER, END, (false, false))]
    #[case::of_another_scope("ci", "vso.build", LATER, END, (false, false))]
    fn a_pat_is_ours_if_name_scope_and_end_are_and_else_perhaps_if_it_was_made_since(
        #[case] name: &str,
        #[case] scope: &str,
        #[case] from: &str,
        #[case] to: &str,
        #[case] (own, named): (bool, bool),
    ) {
        let active = [pat("a", name, scope, from, to)];
        let (is_own, ids) = ids(&fingerprint().trace(&active, |_| false));
        assert_eq!((is_own, !ids.is_empty()), (own, named));
        assert_eq!(fingerprint().trace(&active, |_| true), Trace::None, "what is known is not ours");
    }

    #[test]
    fn a_neighbours_pat_beside_ours_is_neither_touched_nor_named() {
        let active = [
            pat("theirs", "ci", "vso.code", LATER, "2026-02-01T00:00:00.0066667Z"),
            pat("ours", "ci", "vso.code", LATER, END),
        ];
        assert_eq!(ids(&fingerprint().trace(&active, |_| false)), (true, vec!["ours".into()]));
    }

    #[test]
    fn of_several_that_bear_it_none_is_taken_and_each_that_was_made_since_is_named() {
        let active = [
            pat("a", "ci", "vso.code", LATER, END),
            pat("b", "ci", "vso.code", LATER, END),
            pat("c", "ci", "vso.code", LATER, "2026-01-08T00:00:00Z"),
            pat("old", "ci", "vso.code", "2025-12-01T00:00:00Z", END),
        ];
        let expected = (false, vec!["a".into(), "b".into(), "c".into()]);
        assert_eq!(ids(&fingerprint().trace(&active, |_| false)), expected);
        assert_eq!(ids(&fingerprint().trace(&active[2..], |_| false)), (false, vec!["c".into()]));
    }

    fn wanted(now: Timestamp, life: Duration, is_a_span: bool) -> NewPat {
        NewPat {
            display_name: "ci".into(),
            scope: Scope::parse("vso.code"),
            valid_to: now + life,
            lifetime: is_a_span.then_some(life),
        }
    }

    proptest! {
        #[test]
        fn an_end_is_a_little_earlier_than_wanted_and_survives_the_services_rounding(
            now in 1_700_000_000_000_000_000_i128..2_000_000_000_000_000_000,
            seconds in 1_u64..366 * 86_400,
            chance in 0.0..1.0_f64,
            is_a_span: bool,
        ) {
            let now = Timestamp::from_nanosecond(now).expect("an instant");
            let life = Duration::from_secs(seconds);
            let end = Fingerprint::new(&wanted(now, life, is_a_span), now, chance, |_| false).valid_to;
            let earlier = (now + life).duration_since(end).as_secs_f64();
            // Half a millisecond is what writing it in milliseconds may add or take.
            let most = if is_a_span { 10.0 } else { 1.0 };
            prop_assert!(earlier > -0.0005 && earlier < f64::min(most, seconds as f64 / 100.0) + 0.0005, "{earlier}");
            prop_assert_eq!(on_step(step_of(end)), end);
            let kept = Timestamp::from_nanosecond((step_of(end) * 10_000_000 + 150).div_euclid(300) * 100);
            prop_assert!(is_the_same_end(kept.expect("an instant"), end));
            prop_assert!(!is_the_same_end(on_step(step_of(end) + 1), end));
        }

        #[test]
        fn an_end_that_is_taken_is_not_asked_for(chance in 0.0..1.0_f64, seconds in 10_u64..100_000, is_a_span: bool) {
            let now = instant("2026-01-01T00:00:10.1234Z");
            let wanted = wanted(now, Duration::from_secs(seconds), is_a_span);
            let mut taken: Vec<Timestamp> = Vec::new();
            for _ in 0..20 {
                let fresh = Fingerprint::new(&wanted, now, chance, |end| taken.contains(&end)).valid_to;
                prop_assert!(!taken.contains(&fresh));
                taken.push(fresh);
            }
        }
    }
}
