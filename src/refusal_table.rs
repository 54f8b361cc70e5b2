//! Tables of what a service's refusals mean: each row says how a refusal is recognised, and what it means to a person.
//! The program looks refusals up here, and the documentation is made from the same rows.

use std::ops::RangeInclusive;

use crate::failure::{Exit, Failure};

/// What one refusal means. All that is given has to fit; of several rows that fit, the first holds.
#[derive(Debug)]
pub struct RefusalRow {
    /// The HTTP statuses it comes with; none is any.
    pub statuses: &'static [RangeInclusive<u16>],
    /// The service's name of the error; empty is any.
    pub key: &'static str,
    /// What the service's words hold, all of it, in whatever case.
    pub says: &'static [&'static str],
    /// The exit code.
    pub exit: Exit,
    /// One sentence of cause. What stands in braces is the run's own.
    pub cause: &'static str,
    /// One sentence of remedy. What stands in braces is the run's own.
    pub remedy: &'static str,
}

impl RefusalRow {
    /// What any refusal means that ends in this exit code.
    pub const fn new(exit: Exit, cause: &'static str, remedy: &'static str) -> Self {
        Self { statuses: &[], key: "", says: &[], exit, cause, remedy }
    }

    /// Of refusals of these statuses alone.
    pub const fn status(self, statuses: &'static [RangeInclusive<u16>]) -> Self {
        Self { statuses, ..self }
    }

    /// Of refusals that the service calls so alone.
    pub const fn key(self, key: &'static str) -> Self {
        Self { key, ..self }
    }

    /// Of refusals in whose words all of this stands alone.
    pub const fn says(self, says: &'static [&'static str]) -> Self {
        Self { says, ..self }
    }

    /// By what a refusal of this row is known, for a person who searches for it.
    pub fn known_by(&self) -> String {
        let statuses: Vec<String> = self
            .statuses
            .iter()
            .map(|range| match (range.start(), range.end()) {
                (from, to) if from == to => from.to_string(),
                (from, 999) => format!("{from} and above"),
                (from, to) => format!("{from}-{to}"),
            })
            .collect();
        let status =
            if statuses.is_empty() { String::new() } else { format!("HTTP {}", statuses.join(", ")) };
        let says = self.says.iter().map(|words| format!("\"{words}\""));
        let known = std::iter::once(self.key.to_owned()).chain(says).chain([status]);
        let known: Vec<String> = known.filter(|part| !part.is_empty()).collect();
        if known.is_empty() { "any other".into() } else { known.join(", ") }
    }

    /// The failure it means; `own` are the run's own words for what stands in braces.
    pub fn failure(&self, own: &[(&str, &str)]) -> Failure {
        Failure::new(self.exit, fill(self.cause, own), fill(self.remedy, own))
    }

    fn fits(&self, status: u16, key: &str, words: &str) -> bool {
        let words = words.to_ascii_lowercase();
        (self.statuses.is_empty() || self.statuses.iter().any(|range| range.contains(&status)))
            && (self.key.is_empty() || self.key == key)
            && self.says.iter().all(|said| words.contains(&said.to_ascii_lowercase()))
    }
}

/// The meaning of a refusal: the first row that fits.
pub fn find<'a>(table: &'a [RefusalRow], status: u16, key: &str, words: &str) -> Option<&'a RefusalRow> {
    table.iter().find(|meaning| meaning.fits(status, key, words))
}

/// The text with the run's own words for what stands in braces. What they hold themselves is left as it is.
fn fill(text: &str, own: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_brace(rest) {
        filled.push_str(before);
        filled.push_str(own.iter().find(|(known, _)| *known == name).map_or(name, |(_, word)| word));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// What stands before the next braces, in them, and after them.
fn next_brace(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TABLE: [RefusalRow; 4] = [
        RefusalRow::new(Exit::Refused, "{who} may not {what}.", "Ask.")
            .status(&[401..=401])
            .says(&["TF400813"]),
        RefusalRow::new(Exit::Refused, "a key", "").key("AnException"),
        RefusalRow::new(Exit::SignIn, "a status", "").status(&[203..=203, 300..=399]),
        RefusalRow::new(Exit::Service, "any", ""),
    ];

    #[rstest]
    #[case(401, "", "tf400813: no", 0, "\"TF400813\", HTTP 401")]
    #[case(403, "AnException", "TF400813", 1, "AnException")]
    #[case(302, "", "", 2, "HTTP 203, 300-399")]
    #[case(401, "", "", 3, "any other")]
    fn the_first_row_that_fits_holds(
        #[case] status: u16,
        #[case] key: &str,
        #[case] words: &str,
        #[case] row: usize,
        #[case] known_by: &str,
    ) {
        let found = find(&TABLE, status, key, words).expect("a row");
        assert_eq!(found.cause, TABLE[row].cause);
        assert_eq!(found.known_by(), known_by);
    }

    #[test]
    fn the_runs_own_words_stand_as_they_are() {
        let failure = TABLE[0].failure(&[("who", "{what}"), ("what", "write")]);
        assert_eq!(failure.cause, "{what} may not write.");
    }
}
