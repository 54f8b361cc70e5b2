//! Turns: several deliveries of one run that write one place, such as a variable group, do so one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::time::{Deadline, Ended};

/// The turns of one run. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Mutex<HashMap<String, Place>>>);

type Place = Arc<tokio::sync::Mutex<()>>;

/// The turn at one place, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _guard: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for the turn at this place, as long as deadline lasts.
    ///
    /// # Errors
    /// The time was up, or the run was cancelled.
    pub async fn take(&self, place: &str, deadline: &Deadline) -> Result<Turn, Ended> {
        let place = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(places.entry(place.to_owned()).or_default())
        };
        deadline.bound(place.lock_owned()).await.map(|guard| Turn { _guard: guard })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::fake::deadline;

    #[tokio::test(start_paused = true)]
    async fn one_place_is_written_by_one_at_a_time_and_others_do_not_wait() {
        let turns = Turns::default();
        let first = turns.take("group 1", &deadline(5)).await.expect("a turn");
        turns.take("group 2", &deadline(5)).await.expect("another place");
        let short = deadline(5).at_most(Duration::from_secs(1));
        assert!(matches!(turns.clone().take("group 1", &short).await, Err(Ended::TimedOut)));
        drop(first);
        turns.take("group 1", &deadline(5)).await.expect("its turn has come");
    }
}
