//! What is to be done to the PAT of an entry, and why: decided from what was read, in an order of precedence. Nothing
//! here asks or changes anything.

use std::time::Duration;

use jiff::Timestamp;

use super::super::plan::{Plan, counted, ends_within, global, new_pat};
use crate::failure::Failure;
use crate::inputs::request::Expiry;
use crate::manifest::Entry;
use crate::pats::Pat;
use crate::store::Holding;
use crate::time::{span, to_the_second};

/// What is to be done, and why: what was found, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A PAT is made.
    Create(String),
    /// A PAT is made, and takes the place of those that are there.
    Rotate(String),
    /// Nothing.
    Keep(String),
    /// Nothing can be done.
    Refuse(Failure),
}

/// What the run asks for besides the manifest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// `renew: all`.
    pub(super) renew_all: bool,
    /// What time it is.
    pub(super) now: Timestamp,
}

/// Decides by the list alone, `active` being the PATs of the entry's name, the newest first; none if the stores have to
/// be asked.
pub(super) fn by_the_list(entry: &Entry, active: &[Pat], now: Timestamp) -> Option<Verdict> {
    let Some(newest) = active.first() else {
        return Some(Verdict::Create("No active PAT had this name.".into()));
    };
    if let Some(pat) = active.iter().find(|pat| pat.is_global()) {
        return Some(match entry.allow_global_narrowing {
            true => Verdict::Rotate(format!("{} was a global PAT.", pat.authorization_id)),
            false => Verdict::Refuse(global(pat, now)),
        });
    }
    let several = counted(active, newest, kept_for(entry)).count();
    if several > 1 {
        return Some(Verdict::Rotate(format!("{several} active PATs had this name.")));
    }
    if newest.scope != entry.scope {
        return Some(Verdict::Rotate(format!("Its scope was {}, not {}.", newest.scope, entry.scope)));
    }
    None
}

/// Decides by what the stores hold, each by its address, and by the end of the PAT, if the list has decided nothing.
pub(super) fn by_stores_and_end(
    entry: &Entry,
    newest: &Pat,
    stores: &[(String, Holding)],
    asked: Asked,
) -> Verdict {
    let without_it = stores.iter().find_map(|(address, holding)| match holding {
        Holding::Not(why) => Some(format!("The store {address} {why}.")),
        Holding::Holds | Holding::CannotTell(_) => None,
    });
    if let Some(why) = without_it {
        return Verdict::Rotate(why);
    }
    let (within, _) = renew_within(entry, newest);
    let end = newest.end().map_or("an unknown time".into(), to_the_second);
    if ends_within(newest, within, asked.now) {
        return Verdict::Rotate(format!(
            "It would expire at {end}, within {}.",
            span::describe(rounded(within))
        ));
    }
    if asked.renew_all {
        return Verdict::Rotate("The run was asked to renew every entry.".into());
    }
    let silent: Vec<&str> = stores
        .iter()
        .filter(|(_, holding)| matches!(holding, Holding::CannotTell(_)))
        .map(|(address, _)| address.as_str())
        .collect();
    Verdict::Keep(match silent.as_slice() {
        [] => format!("It is up to date. It expires at {end}."),
        [one] => format!("It expires at {end}. {one} cannot tell whether it holds it."),
        several => {
            format!("It expires at {end}. {} cannot tell whether they hold it.", several.join(", "))
        }
    })
}

/// How long before its end the PAT is rotated: as the entry says, else a third of the span that it was granted. If a
/// policy granted a span that is no longer than the entry says, a third of that counts, and there is something to say:
/// it would be rotated at every run.
pub(super) fn renew_within(entry: &Entry, newest: &Pat) -> (Duration, Option<String>) {
    let granted = newest.lifetime().and_then(|span| Duration::try_from(span).ok());
    let granted = granted.unwrap_or(entry.lifetime);
    match entry.renew_within {
        None => (granted / 3, None),
        Some(within) if within < granted => (within, None),
        Some(within) => {
            let third = granted / 3;
            let warning = format!(
                "The PAT was granted only {}, which is no longer than its renew-within, {}. Every run would rotate it, so \
                 adopat rotates it in the last {} instead, a third of its life.",
                span::describe(rounded(granted)),
                span::describe(within),
                span::describe(rounded(third))
            );
            (third, Some(warning))
        }
    }
}

/// To whole minutes, for a person.
fn rounded(span: Duration) -> Duration {
    Duration::from_secs((span.as_secs() + 30) / 60 * 60).max(Duration::from_secs(60))
}

/// What is done if the verdict is carried out now.
pub(super) fn plan(entry: &Entry, verdict: &Verdict, active: &[Pat], now: Timestamp) -> Option<Plan> {
    let new = new_pat(&entry.display_name, &entry.scope, Expiry::After(entry.lifetime), now);
    match (verdict, active.first()) {
        (Verdict::Rotate(_), Some(newest)) => {
            Some(Plan::replace(new, active, newest, kept_for(entry), |_| false, now))
        }
        (Verdict::Create(_) | Verdict::Rotate(_), _) => Some(Plan::create(new)),
        (Verdict::Keep(_) | Verdict::Refuse(_), _) => None,
    }
}

/// How long a PAT that was replaced lives on; none at all is revoked at once.
fn kept_for(entry: &Entry) -> Option<Duration> {
    entry.keep_previous_for.filter(|span| !span.is_zero())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rstest::rstest;

    use super::*;
    use crate::azure_devops::Organization;
    use crate::failure::Exit;
    use crate::inputs::request::{Minting, OnShortenedLifetime};
    use crate::manifest::Position;
    use crate::operation::plan::Action;
    use crate::pats::Scope;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn now() -> Timestamp {
        "2026-11-28T10:00:00Z".parse().expect("an instant")
    }

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 24 * 60 * 60)
    }

    fn entry() -> Entry {
        Entry {
            organization: Organization::parse("fabrikam").expect("a name"),
            display_name: "ci".into(),
            scope: Scope::parse("vso.code vso.packaging"),
            deliver_to: Vec::new(),
            lifetime: days(30),
            renew_within: None,
            keep_previous_for: None,
            minting: Minting { on_shortened_lifetime: OnShortenedLifetime::Warn, verify: None },
            allow_global_narrowing: false,
            at: Position::START,
        }
    }

    /// A PAT that was made so many days ago and ends in so many.
    fn pat(id: &str, ago: i32, left: i32) -> Pat {
        Pat {
            authorization_id: id.into(),
            display_name: "ci".into(),
            scope: Scope::parse("vso.packaging,vso.code"),
            valid_from: Some(now() - DAY * ago),
            valid_to: Some(now() + DAY * left),
            target_accounts: Some(vec!["fabrikam".into()]),
        }
    }

    fn global_pat() -> Pat {
        Pat { target_accounts: None, ..pat("global", 20, 10) }
    }

    /// The whole table, whose stores all say this.
    fn decided(entry: &Entry, active: &[Pat], holding: Holding, renew_all: bool) -> Verdict {
        let stores = [("file:/other".to_owned(), Holding::Holds), ("file:/pat".to_owned(), holding)];
        let asked = Asked { renew_all, now: now() };
        by_the_list(entry, active, now())
            .unwrap_or_else(|| by_stores_and_end(entry, &active[0], &stores, asked))
    }

    fn kept(entry: &Entry, active: &[Pat]) -> bool {
        matches!(decided(entry, active, Holding::Holds, false), Verdict::Keep(_))
    }

    #[track_caller]
    fn rotated_since(verdict: Verdict, words: &str) {
        assert!(matches!(&verdict, Verdict::Rotate(why) if why.contains(words)), "{verdict:?}");
    }

    #[test]
    fn a_pat_that_is_not_there_is_created() {
        let verdict = decided(&entry(), &[], Holding::Holds, false);
        assert!(matches!(&verdict, Verdict::Create(why) if why.contains("No active PAT")), "{verdict:?}");
    }

    #[test]
    fn a_global_one_is_refused_unless_it_may_be_narrowed_whatever_else_is_the_matter() {
        let active = [pat("own", 1, 29), global_pat()];
        let verdict = decided(&entry(), &active, Holding::Not("was empty".into()), true);
        assert!(matches!(&verdict, Verdict::Refuse(why) if why.exit == Exit::Refused), "{verdict:?}");
        let narrowing = Entry { allow_global_narrowing: true, ..entry() };
        rotated_since(decided(&narrowing, &active, Holding::Holds, false), "global was a global PAT");
    }

    #[test]
    fn several_are_rotated_from_the_newest_before_their_scope_is_looked_at() {
        let other = Pat { scope: Scope::parse("vso.build"), ..pat("new", 1, 29) };
        let active = [other, pat("old", 2, 28)];
        rotated_since(decided(&entry(), &active, Holding::Holds, false), "2 active PATs");
    }

    #[rstest]
    #[case::no_later_than_it_would_have_been_let_live(Some(days(3)), 2, true)]
    #[case::later(Some(days(3)), 3, false)]
    #[case::nothing_is_kept(None, 2, false)]
    #[case::nothing_is_kept_for_no_time(Some(days(0)), -1, false)]
    fn a_predecessor_that_is_kept_for_a_while_is_not_counted(
        #[case] keep: Option<Duration>,
        #[case] left: i32,
        #[case] is_kept: bool,
    ) {
        let entry = Entry { keep_previous_for: keep, ..entry() };
        assert_eq!(kept(&entry, &[pat("new", 1, 29), pat("old", 20, left)]), is_kept);
    }

    #[test]
    fn another_scope_is_rotated_before_the_stores_are_asked_and_the_order_of_scopes_is_none() {
        let other = Pat { scope: Scope::parse("vso.code"), ..pat("one", 1, 29) };
        let verdict = by_the_list(&entry(), &[other], now()).expect("decided");
        rotated_since(verdict, "Its scope was vso.code, not vso.code vso.packaging.");
        assert!(kept(&entry(), &[pat("one", 1, 29)]));
    }

    #[test]
    fn a_store_that_does_not_hold_it_is_reason_enough_and_comes_before_its_end() {
        let verdict = decided(&entry(), &[pat("one", 29, 1)], Holding::Not("was empty".into()), true);
        rotated_since(verdict, "The store file:/pat was empty.");
    }

    #[rstest]
    #[case::a_third_by_default(None, 20, 10, false)]
    #[case::more_than_a_third(None, 19, 11, true)]
    #[case::as_the_entry_says(Some(days(5)), 14, 6, true)]
    #[case::within_that(Some(days(5)), 15, 5, false)]
    // Granted 7 days where 30 were asked for: a third of the 7 counts.
    #[case::longer_than_was_granted(Some(days(10)), 4, 3, true)]
    #[case::within_a_third_of_what_was_granted(Some(days(10)), 5, 2, false)]
    #[case::as_long_as_was_granted(Some(days(10)), 5, 5, true)]
    fn the_end_is_looked_at_last(
        #[case] renew_within: Option<Duration>,
        #[case] ago: i32,
        #[case] left: i32,
        #[case] is_kept: bool,
    ) {
        let entry = Entry { renew_within, ..entry() };
        let active = [pat("one", ago, left)];
        assert_eq!(kept(&entry, &active), is_kept);
        let (_, warning) = super::renew_within(&entry, &active[0]);
        let granted = days(u64::try_from(ago + left).expect("a span"));
        assert_eq!(warning.is_some(), renew_within.is_some_and(|within| within >= granted));
    }

    #[test]
    fn everything_is_renewed_if_that_is_asked_for() {
        let active = [pat("one", 1, 29)];
        rotated_since(
            decided(&entry(), &active, Holding::Holds, true),
            "The run was asked to renew every entry.",
        );
    }

    #[test]
    fn a_store_that_cannot_tell_leaves_it_to_the_end_and_is_named() {
        let cannot_tell = || Holding::CannotTell(None);
        let verdict = decided(&entry(), &[pat("one", 1, 29)], cannot_tell(), false);
        assert!(
            matches!(&verdict, Verdict::Keep(why) if why.contains("file:/pat cannot tell")),
            "{verdict:?}"
        );
        rotated_since(decided(&entry(), &[pat("one", 29, 1)], cannot_tell(), false), "would expire");
    }

    #[test]
    fn a_rotation_asks_for_what_the_manifest_says_and_retires_every_other() {
        let entry = Entry { keep_previous_for: Some(days(1)), ..entry() };
        let active = [pat("new", 1, 20), pat("old", 2, 28)];
        let verdict = by_the_list(&entry, &active, now()).expect("decided");
        let Some(Plan::Act { new: Some(new), steps }) = plan(&entry, &verdict, &active, now()) else {
            panic!("a plan")
        };
        assert_eq!((new.lifetime, &new.scope), (Some(days(30)), &entry.scope));
        let actions: Vec<_> = steps.iter().map(|step| &step.action).collect();
        assert_eq!(actions, [&Action::Shorten(now() + DAY), &Action::Revoke]);
        assert_eq!(plan(&entry, &Verdict::Keep(String::new()), &active, now()), None);
    }
}
