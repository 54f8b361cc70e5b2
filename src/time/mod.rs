//! Time: deadlines, spans as people write them, and instants to the second.

pub mod deadline;
pub mod span;

use jiff::Timestamp;

pub use self::deadline::{CLEAN_UP, Cancellation, Deadline, Ended, Grace};

/// The instant in UTC, as RFC 3339 with whole seconds, rounded down: a PAT is never said to live longer than
/// it does.
pub fn to_the_second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
