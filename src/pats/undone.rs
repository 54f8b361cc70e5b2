//! A change of a PAT that did not succeed as far as its answers tell, and what a look at the list tells beyond them.
//!
//! A request that changes a PAT is repeated, and each try may have taken effect though its answer was lost. So a later
//! try that is refused, or that finds no such PAT, says nothing about the first.

use super::model::{Filter, Pat};
use super::service::{Revocation, Service};
use crate::failure::Failure;
use crate::http::{Doubt, GRACE};

/// Why a PAT was not changed or revoked, and whether it may have been all the same.
#[derive(Clone, Debug)]
pub struct Undone {
    /// What came of the last try.
    pub why: Failure,
    /// Whether any of the tries may have been acted on, or may still be.
    pub doubt: Doubt,
}

impl Undone {
    /// Whether it is not known that the PAT is as it was.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt > Doubt::None
    }

    /// A look has shown the PAT as it was before: only what a service may still be at work on is in doubt then.
    pub fn seen_as_it_was(self) -> Self {
        let doubt = if self.doubt == Doubt::Lasting { Doubt::Lasting } else { Doubt::None };
        Self { doubt, ..self }
    }
}

impl From<Undone> for Failure {
    fn from(undone: Undone) -> Self {
        undone.why
    }
}

impl Service {
    /// Revokes a PAT. That there is none is not a failure. What the answers leave in doubt is settled by one look at the
    /// list, if that can tell.
    ///
    /// # Errors
    /// What the service refused or failed at.
    pub async fn revoke(&self, id: &str) -> Result<Revocation, Undone> {
        let undone = match self.try_to_revoke(id).await {
            Err(undone) if undone.is_in_doubt() => undone,
            certain => return certain,
        };
        match self.look_at_the_active().await {
            Some(active) if among(&active, id).is_none() => Ok(Revocation::Done),
            Some(_) => Err(undone.seen_as_it_was()),
            None => Err(undone),
        }
    }

    /// One look at the PATs that are active now, for what is in doubt; none if that fails, too. A run that was cancelled
    /// or is late has a moment for it.
    pub async fn look_at_the_active(&self) -> Option<Vec<Pat>> {
        let deadline = self.http().deadline();
        let is_over = deadline.cancelled().is_some() || deadline.left().is_zero();
        let service = match is_over && !deadline.is_cleaning_up() {
            true => self.with_deadline(deadline.to_clean_up().at_most(GRACE)),
            false => self.clone(),
        };
        service.list(Filter::Active).await.ok()
    }
}

/// The PAT of this authorization id, if it is one of these.
pub fn among<'a>(pats: &'a [Pat], id: &str) -> Option<&'a Pat> {
    pats.iter().find(|pat| pat.authorization_id.eq_ignore_ascii_case(id))
}
