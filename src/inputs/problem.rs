//! What is wrong with the inputs: collected, so that a person hears of everything at once.

use std::fmt;

use super::table::{Word, input};

/// One thing wrong with one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The input's name.
    pub input: &'static str,
    /// What is wrong, as the rest of a sentence that begins with the input's name.
    pub what: String,
    /// What to do, as the second half of it.
    pub remedy: String,
}

impl Problem {
    /// `valid-to` is over already.
    pub fn past_end() -> Self {
        Self { input: "valid-to", what: "lies in the past".into(), remedy: "give an instant to come".into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Input '{}' {}", self.input, self.what)?;
        if !self.remedy.is_empty() {
            write!(formatter, ": {}", self.remedy)?;
        }
        formatter.write_str(".")
    }
}

/// Everything wrong with the inputs.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes one more.
    pub fn add(&mut self, input: &'static str, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Problem { input, what: what.into(), remedy: remedy.into() });
    }

    /// Notes this one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Notes the error of a result, which is the rest of a sentence, and returns its value.
    pub fn check<T>(&mut self, input: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|what| self.add(input, what, "")).ok()
    }

    /// Forgets those of inputs that the operation does not use: it ignores them.
    pub fn retain_for(&mut self, operation: Word) {
        self.0.retain(|problem| input(problem.input).is_for(operation));
    }

    /// All of them, in the order in which they were found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}
