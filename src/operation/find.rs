//! Finding the PAT that is meant, among the active ones.

use jiff::Timestamp;

use super::Run;
use crate::failure::{Exit, Failure};
use crate::inputs::request::Subject;
use crate::pats::model::Filter;
use crate::pats::{Pat, Service};

/// What was found.
pub(super) struct Found {
    /// The active PATs that were meant, the newest first; several if they have the same name.
    pub(super) active: Vec<Pat>,
    /// The expired ones, the newest first, if none is active.
    pub(super) expired: Vec<Pat>,
}

impl Found {
    /// The PATs among these that are meant, the newest first.
    pub(super) fn among(pats: &[Pat], subject: &Subject) -> Vec<Pat> {
        meant(pats.iter().filter(|pat| is_meant(pat, subject)).cloned().collect(), subject)
    }
}

/// Looks among the active PATs, and if none is meant, among the expired ones.
pub(super) async fn find(service: &Service, subject: &Subject) -> Result<Found, Failure> {
    let active = meant(service.list(Filter::Active).await?, subject);
    let expired =
        if active.is_empty() { meant(service.list(Filter::Expired).await?, subject) } else { Vec::new() };
    Ok(Found { active, expired })
}

fn meant(pats: Vec<Pat>, subject: &Subject) -> Vec<Pat> {
    let mut meant: Vec<Pat> = pats.into_iter().filter(|pat| is_meant(pat, subject)).collect();
    meant.sort_by(|left, right| newest_first(left).cmp(&newest_first(right)).reverse());
    meant
}

fn newest_first(pat: &Pat) -> (Option<Timestamp>, Option<Timestamp>, &str) {
    (pat.valid_from, pat.valid_to, &pat.authorization_id)
}

fn is_meant(pat: &Pat, subject: &Subject) -> bool {
    match subject {
        Subject::Id(id) => pat.authorization_id.eq_ignore_ascii_case(id),
        Subject::Name(name) => pat.display_name == *name,
    }
}

impl Found {
    /// The failure that several PATs have the name.
    pub(super) fn ambiguous(pats: &[&Pat], subject: &Subject) -> Failure {
        let lines: Vec<String> = pats.iter().map(|pat| describe(pat)).collect();
        Failure::new(
            Exit::NotFound,
            format!("{} active PATs are {}: {}.", pats.len(), name_of(subject), lines.join("; ")),
            "Name one by authorization-id, or set duplicates to revoke.",
        )
    }

    /// The sentence that there is no such active PAT.
    pub(super) fn missing(&self, run: &Run<'_>, subject: &Subject) -> String {
        let missing = format!("No active PAT is {} in organization {}", name_of(subject), run.organization());
        match self.expired.first() {
            Some(expired) => format!("{missing}; one expired: {}.", describe(expired)),
            None => format!("{missing}."),
        }
    }
}

/// How the input names the PAT.
fn name_of(subject: &Subject) -> String {
    match subject {
        Subject::Id(id) => id.clone(),
        Subject::Name(name) => format!("named '{name}'"),
    }
}

/// A PAT for a person: name, id, scope and expiry.
pub(super) fn describe(pat: &Pat) -> String {
    let until = pat.valid_to.map_or("unknown".to_owned(), crate::time::to_the_second);
    format!("'{}' ({}, scope {}, valid to {until})", pat.display_name, pat.authorization_id, pat.scope)
}

/// The one active PAT that is meant.
pub(super) async fn find_one(run: &Run<'_>, service: &Service, subject: &Subject) -> Result<Pat, Failure> {
    let found = find(service, subject).await?;
    match found.active.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new(
            Exit::NotFound,
            found.missing(run, subject),
            match found.expired.first() {
                Some(_) => {
                    "An expired PAT cannot be used or changed again: replace it by the operation rotate, with its \
                     display-name and if-missing set to create."
                }
                None => "Check the name or id; 'adopat list' shows what there is.",
            },
        )),
        several => {
            let several: Vec<&Pat> = several.iter().collect();
            let failure = Found::ambiguous(&several, subject);
            Err(Failure { remedy: "Name one by authorization-id.".into(), ..failure })
        }
    }
}
