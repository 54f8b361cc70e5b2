//! The access token for Azure DevOps, which some stores need and only the sign-in can give.
//!
//! Stores are prepared while the sign-in is under way: a store that needs the token waits here until there is one.
//! After another sign-in the newer token is used.

use std::fmt;

use tokio::sync::watch;

use crate::failure::{Exit, Failure};
use crate::http::NoAnswer;
use crate::secret::Secret;
use crate::time::Deadline;

/// Waits for the bearer. Clones wait for the same one.
#[derive(Clone)]
pub struct Bearer(watch::Receiver<Option<Secret>>);

/// Where the sign-in puts the bearer. Dropped without one, it tells the waiting that there will be none.
#[derive(Debug)]
pub struct BearerSlot(watch::Sender<Option<Secret>>);

/// A place for the bearer, and the tasks that wait for it.
pub fn bearer() -> (BearerSlot, Bearer) {
    let (sender, receiver) = watch::channel(None);
    (BearerSlot(sender), Bearer(receiver))
}

impl BearerSlot {
    /// Hands the bearer to all who wait, and to those who will ask.
    pub fn put(&self, bearer: Secret) {
        self.0.send_replace(Some(bearer));
    }
}

impl Bearer {
    /// The bearer, waited for as long as deadline lasts.
    ///
    /// # Errors
    /// The time was up, the run was cancelled, or the sign-in ended without one.
    pub async fn get(&self, deadline: &Deadline) -> Result<Secret, Failure> {
        let mut receiver = self.0.clone();
        let waiting =
            async { receiver.wait_for(Option::is_some).await.ok().and_then(|bearer| bearer.clone()) };
        match deadline.bound(waiting).await {
            Ok(Some(bearer)) => Ok(bearer),
            Ok(None) => Err(Failure::new(
                Exit::SignIn,
                "There is no sign-in to Azure DevOps.",
                "Use a credential that signs in to it.",
            )),
            Err(ended) => Err(NoAnswer::from(ended).into_failure("The sign-in")),
        }
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Bearer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake::deadline;

    #[tokio::test]
    async fn who_waits_gets_the_bearer_and_later_the_newer_one() {
        let (slot, bearer) = bearer();
        let waiting = tokio::spawn({
            let bearer = bearer.clone();
            async move { bearer.get(&deadline(5)).await }
        });
        tokio::task::yield_now().await;
        slot.put(Secret::new("first".into()));
        assert_eq!(waiting.await.expect("ended"), Ok(Secret::new("first".into())));
        slot.put(Secret::new("second".into()));
        drop(slot);
        assert_eq!(bearer.get(&deadline(5)).await, Ok(Secret::new("second".into())));
    }

    #[tokio::test]
    async fn a_sign_in_that_failed_is_not_waited_for() {
        let (slot, bearer) = bearer();
        drop(slot);
        assert_eq!(bearer.get(&deadline(5)).await.expect_err("none").exit, Exit::SignIn);
    }
}
