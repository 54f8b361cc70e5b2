//! What is known of a store's writes. The answer to one can be lost: a gateway gives up, the connection breaks. The
//! store has taken such a write, or takes it in a moment, or never does.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::Restored;
use crate::http::LATE_EFFECT;
use crate::time::Deadline;

/// What is known of the writes of one store in this run.
#[derive(Debug, Default)]
pub struct Written(Mutex<Known>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    taken: bool,
    until: Option<Instant>,
}

impl Written {
    /// The store has said that it took a write.
    pub fn taken(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).taken = true;
    }

    /// The answer to a write was lost just now.
    pub fn lost(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).until = Some(Instant::now() + LATE_EFFECT);
    }

    /// Until when a write whose answer was lost may still come to be, if there is such a write.
    pub fn until(&self) -> Option<Instant> {
        self.known().until
    }

    /// Waits until nothing of what was lost can come to be any more and take the place of what is written next, as far
    /// as there is time for that.
    pub async fn settle(&self, deadline: &Deadline) {
        if let Some(until) = self.until() {
            // If there is no time left, or the run is cancelled, the next write is all that can be done.
            let _ = deadline.pause(until.saturating_duration_since(Instant::now())).await;
        }
    }

    /// What it means for a store that cannot be given anything back.
    pub fn is_left(&self) -> Restored {
        match self.known() {
            Known { taken: true, .. } => Restored::NotPossible,
            Known { until: Some(_), .. } => Restored::Doubtful,
            Known { .. } => Restored::Whole,
        }
    }

    fn known(&self) -> Known {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
