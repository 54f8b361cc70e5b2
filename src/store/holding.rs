//! Whether a store holds the PAT that it should: the PAT that is *delivered*, compared with the PAT that *is*.
//!
//! No store is asked for the value if what stands beside it tells enough: a tag, an end, the time of its last
//! change.

use jiff::Timestamp;

use crate::time::to_the_second;

/// The PAT that a store should hold.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// By which it is revoked.
    pub authorization_id: &'a str,
    /// When it was made, by the services' clock.
    pub valid_from: Option<Timestamp>,
}

/// What a store tells about the PAT that it should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Nothing says that it holds anything else.
    Holds,
    /// It does not hold it: what was found, as the rest of a sentence that begins with the store's address.
    Not(String),
    /// It cannot tell; why, if a person can do something about it, as a whole sentence or two.
    CannotTell(Option<String>),
}

impl Expected<'_> {
    /// What follows from the store's last change at `changed`: whatever it holds was put there before the PAT was made,
    /// or it may be the PAT. A stamp in whole seconds is compared with the PAT's own second.
    pub fn since(&self, changed: Timestamp) -> Holding {
        let Some(made) = self.valid_from else { return Holding::Holds };
        let made = if changed.subsec_nanosecond() == 0 { whole_second(made) } else { made };
        if changed >= made {
            return Holding::Holds;
        }
        Holding::Not(format!(
            "was last changed at {}, before the PAT was made at {}",
            to_the_second(changed),
            to_the_second(made)
        ))
    }
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::after("2026-11-28T10:00:00.9Z", true)]
    #[case::at_that_moment("2026-11-28T10:00:00.52Z", true)]
    #[case::a_moment_before("2026-11-28T10:00:00.519Z", false)]
    #[case::the_same_second("2026-11-28T10:00:00Z", true)]
    #[case::the_second_before("2026-11-28T09:59:59Z", false)]
    fn a_stamp_is_compared_as_finely_as_it_is_written(#[case] changed: &str, #[case] holds: bool) {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let valid_from = Some(at("2026-11-28T10:00:00.52Z"));
        let expected = Expected { authorization_id: "", valid_from };
        assert_eq!(expected.since(at(changed)) == Holding::Holds, holds);
        let unknown = Expected { valid_from: None, ..expected };
        assert_eq!(unknown.since(at(changed)), Holding::Holds);
    }
}
