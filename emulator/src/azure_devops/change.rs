//! When something was made or changed, and by whom.

use jiff::Timestamp;

use crate::moment;

/// One change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) at: Timestamp,
    pub(super) by: String,
}

impl Change {
    /// The service keeps instants in steps of 1/300 s, as recordings show.
    pub(super) fn now(now: Timestamp, by: &str) -> Self {
        Self { at: moment::rounded_to_sql(now), by: by.to_owned() }
    }
}
