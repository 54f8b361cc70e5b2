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
    if newest.is_global() && !rotate.allow_global_narrowing {
        return Err(global(newest));
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

/// As long as the old PAT lived, if that is known and may be asked for. The service says when a PAT was made to
/// 1/300 s, and how long it lives is a whole number.
fn as_long_as(old: Option<&Pat>) -> Expiry {
    let lifetime = old.and_then(Pat::lifetime).and_then(|life| Duration::try_from(life).ok());
    let lifetime = lifetime.unwrap_or(Expiry::CREATED_FOR).min(LONGEST_LIFETIME);
    Expiry::After(Duration::from_secs_f64(lifetime.as_secs_f64().round()))
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
