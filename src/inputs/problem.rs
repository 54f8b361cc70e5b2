//! What is wrong with the inputs: collected, so that a person hears of everything at once.

use std::fmt;

use super::table::input;
use crate::manifest::{self, Position};
use crate::operation_name::OperationName;
use crate::token_shape::may_hold_a_secret;

/// The most that is repeated of a value, in characters.
const LONGEST_VALUE: usize = 120;

/// One thing wrong with one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The input's name.
    pub input: &'static str,
    /// Where in the input, if it is a document: `adopat.yml:7:13`.
    pub place: Option<String>,
    /// The value that is wrong, if it may be repeated and says more than the input's name.
    pub value: Option<String>,
    /// What is wrong, as the rest of a sentence that begins with the value, or with the input's name.
    pub what: String,
    /// What to do, as the second half of it.
    pub remedy: String,
}

impl Problem {
    /// `valid-to` is over already.
    pub fn past_end(value: &str) -> Self {
        Self {
            input: "valid-to",
            place: None,
            value: Some(value.to_owned()),
            what: "lies in the past".into(),
            remedy: "use a time to come".into(),
        }
    }

    /// Something is wrong within a document, which is a file of this name, or the input's own value.
    pub fn in_a_document(input: &'static str, file: Option<&str>, problem: manifest::Problem) -> Self {
        let manifest::Problem { at: Position { line, column }, what, remedy } = problem;
        let place = match file {
            Some(file) => format!("{file}:{line}:{column}"),
            None => format!("line {line}, column {column}"),
        };
        Self { input, place: Some(place), value: None, what, remedy }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = match (&self.place, &self.value) {
            (Some(place), _) => {
                write!(formatter, "Input '{}', {place}: {}", self.input, self.what)?;
                ';'
            }
            (None, Some(value)) => {
                write!(formatter, "Input '{}': '{value}' {}", self.input, self.what)?;
                ';'
            }
            (None, None) => {
                write!(formatter, "Input '{}' {}", self.input, self.what)?;
                ':'
            }
        };
        if !self.remedy.is_empty() {
            write!(formatter, "{half} {}", self.remedy.trim_end_matches('.'))?;
        }
        formatter.write_str(if self.remedy.ends_with('?') { "" } else { "." })
    }
}

/// Everything wrong with the inputs.
#[derive(Debug, Default)]
pub struct Problems {
    all: Vec<Problem>,
    /// The inputs whose values cannot be read at all.
    unread: Vec<&'static str>,
}

impl Problems {
    /// Notes one more: something is missing, or does not go with something else.
    pub fn add(&mut self, input: &'static str, what: impl Into<String>, remedy: impl Into<String>) {
        self.push(Problem { input, place: None, value: None, what: what.into(), remedy: remedy.into() });
    }

    /// Notes this one.
    pub fn push(&mut self, problem: Problem) {
        if !self.unread.contains(&problem.input) {
            self.all.push(problem);
        }
    }

    /// Notes that this input's value cannot be read, and nothing else about it: the rest would only follow from that.
    pub fn unread(&mut self, input: &'static str, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(input, what, remedy);
        self.unread.push(input);
    }

    /// Notes one more: this value is wrong. It is repeated, unless it is a secret or may hold one.
    pub fn wrong(
        &mut self,
        input: &'static str,
        value: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let value = shown(input, value);
        self.push(Problem { input, place: None, value, what: what.into(), remedy: remedy.into() });
    }

    /// Notes the error of reading this value, which is the rest of a sentence, and returns what was read.
    pub fn check<T>(&mut self, input: &'static str, value: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|what| self.wrong(input, value, what, "")).ok()
    }

    /// Forgets those of inputs that the operation does not use: it ignores them.
    pub fn retain_for(&mut self, operation: OperationName) {
        self.all.retain(|problem| input(problem.input).is_for(operation));
    }

    /// All of them, in the order in which they were found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.all
    }
}

/// How the inputs of these problems are set if no host hands them over, as a sentence.
pub fn how_they_are_set(problems: &[Problem]) -> String {
    let mut ways: Vec<String> = Vec::new();
    for problem in problems {
        let input = input(problem.input);
        let way = match input.flag() {
            Some(flag) => format!("{} ({flag} or {})", input.name, input.variable()),
            None => format!("{} ({})", input.name, input.variable()),
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    format!("Set by a flag or an environment variable: {}.", ways.join(", "))
}

/// The value as a message repeats it, on one line.
fn shown(name: &str, value: &str) -> Option<String> {
    if input(name).holds_a_secret(value) || may_hold_a_secret(value) {
        return None;
    }
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(match line.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("duplicates", "keep", "Input 'duplicates': 'keep' is wrong; give fail.")]
    #[case("deliver-to", "a\nb", "Input 'deliver-to': 'a b' is wrong; give fail.")]
    #[case("refresh-token", "short", "Input 'refresh-token' is wrong: give fail.")]
    #[case("client-id", "eyJ0.fake.fake", "Input 'client-id' is wrong: give fail.")]
    #[case("service-url", "https://user:pw@x", "Input 'service-url' is wrong: give fail.")]
    fn a_value_is_repeated_unless_it_is_or_may_hold_a_secret(
        #[case] name: &'static str,
        #[case] value: &str,
        #[case] sentence: &str,
    ) {
        let mut problems = Problems::default();
        problems.wrong(name, value, "is wrong", "give fail");
        assert_eq!(problems.into_vec()[0].to_string(), sentence);
    }

    #[rstest]
    #[case(Some("adopat.yml"), "keep one", "Input 'manifest', adopat.yml:7:3: It is there twice; keep one.")]
    #[case(None, "is it?", "Input 'manifest', line 7, column 3: It is there twice; is it?")]
    fn what_is_wrong_in_a_document_is_told_with_its_place(
        #[case] file: Option<&str>,
        #[case] remedy: &str,
        #[case] sentence: &str,
    ) {
        let at = Position { line: 7, column: 3 };
        let problem = manifest::Problem { at, what: "It is there twice".into(), remedy: remedy.into() };
        assert_eq!(Problem::in_a_document("manifest", file, problem).to_string(), sentence);
    }

    #[test]
    fn each_input_is_named_once_as_it_is_set() {
        let mut problems = Problems::default();
        problems.add("scope", "is required", "");
        problems.wrong("scope", "x", "is wrong", "");
        problems.add("refresh-token", "is empty", "");
        let sentence = how_they_are_set(&problems.into_vec());
        let expected = "Set by a flag or an environment variable: scope (--scope or ADOPAT_SCOPE), refresh-token (ADOPAT_REFRESH_TOKEN).";
        assert_eq!(sentence, expected);
    }

    #[test]
    fn a_long_value_is_cut() {
        let mut problems = Problems::default();
        problems.wrong("scope", &"\u{e9} ".repeat(500), "is wrong", "");
        let sentence = problems.into_vec()[0].to_string();
        assert!(sentence.chars().count() < 160 && sentence.contains("...'"), "{sentence}");
    }
}
