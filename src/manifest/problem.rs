//! What is wrong with a manifest, and where.

use crate::token_shape::may_hold_a_secret;

/// The most problems that are told at once. Nobody reads more, and most of what follows so many follows from them.
const MOST_TOLD: usize = 100;
/// The most that is repeated of what a manifest says, in characters.
const LONGEST_QUOTE: usize = 80;

/// A line and a column, both counted from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// Where a manifest begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One thing wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub at: Position,
    /// What is wrong: a sentence without its full stop.
    pub what: String,
    /// What to do: the second half of that sentence; empty if the first says it.
    pub remedy: String,
}

impl Problem {
    /// A problem and its remedy.
    pub(super) fn new(at: Position, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { at, what: what.into(), remedy: remedy.into() }
    }
}

/// Each problem once, in the order in which they stand; of very many, the first.
pub(super) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.at);
    problems.dedup();
    let more = problems.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        problems.truncate(MOST_TOLD);
        let at = problems.last().map_or(Position::START, |last| last.at);
        problems.push(Problem::new(at, format!("{more} more problems follow"), "mend these first"));
    }
    problems
}

/// What a manifest says, as a message repeats it: on one line, not longer than a line, and not at all if it may hold a
/// secret.
pub(super) fn quoted(text: &str) -> String {
    if may_hold_a_secret(text) {
        return "'(withheld)'".into();
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("'{}...'", &line[..end]),
        None => format!("'{line}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_told_once_in_its_order_and_of_very_many_the_first() {
        let problem = |line| Problem::new(Position { line, column: 1 }, "It is wrong", "mend it");
        let told = in_order((1..=300).rev().flat_map(|line| [problem(line), problem(line)]).collect());
        assert_eq!(told.len(), MOST_TOLD + 1);
        assert_eq!(told[..2], [problem(1), problem(2)]);
        assert_eq!(told[MOST_TOLD].what, "200 more problems follow");
    }

    #[test]
    fn what_may_hold_a_secret_is_not_repeated() {
        assert_eq!(quoted("ci\n publish"), "'ci publish'");
        assert_eq!(quoted(&format!("FAKE{}AZDOFAKE", "a".repeat(72))), "'(withheld)'");
        assert_eq!(quoted(&"x ".repeat(100)).chars().count(), 80 + 5);
    }
}
