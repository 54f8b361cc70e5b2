//! The command line: an operation as a word, and exec's command. No input is accepted here, so that no
//! secret can be; what is not understood is never repeated, since it might be one.

use std::ffi::OsString;

use super::table::Word;

/// A command line that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The operation, where it was given as a word.
    pub operation: Option<Word>,
    /// Whether the launcher asks for the job's last step.
    pub complete: bool,
    /// exec's command and its arguments; empty where none was given.
    pub command: Vec<OsString>,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Run an operation.
    Run(Arguments),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// Not understood, in a sentence.
    Misused(String),
}

impl CommandLine {
    /// Reads the arguments, without the program's own name.
    pub fn parse(arguments: &[OsString]) -> Self {
        let words: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
        match words.as_slice() {
            [] => Self::Run(Arguments::default()),
            ["--help" | "-h" | "help", ..] | [_, "--help" | "-h"] => Self::Help,
            ["--version" | "-V"] => Self::Version,
            ["complete"] => Self::Run(Arguments { complete: true, ..Arguments::default() }),
            ["exec", "--", _, ..] => Self::Run(Arguments {
                operation: Some(Word::Exec),
                command: arguments[2..].to_vec(),
                ..Arguments::default()
            }),
            ["exec", ..] => Self::Misused(
                "exec needs its command after two hyphens: adopat exec -- COMMAND ARG...".into(),
            ),
            [word] => match Word::parse(word) {
                Some(operation) => {
                    Self::Run(Arguments { operation: Some(operation), ..Arguments::default() })
                }
                None => Self::Misused(unknown(word)),
            },
            [first, ..] if Word::parse(first).is_none() => Self::Misused(unknown(first)),
            _ => Self::Misused(
                "Nothing may follow the operation: every input is read from the environment, never from the \
                 command line"
                    .into(),
            ),
        }
    }
}

/// Names the nearest operation, but never the word itself.
fn unknown(word: &str) -> String {
    let scored = Word::ALL.map(|known| (strsim::jaro_winkler(known.text(), word), known.text()));
    let best = scored.into_iter().max_by(|left, right| left.0.total_cmp(&right.0));
    let advice = best.filter(|(score, _)| *score > 0.8).map(|(_, near)| format!(" (did you mean {near}?)"));
    let words = Word::ALL.map(Word::text).join(", ");
    format!("The first argument is no operation{}: there are {words}", advice.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> CommandLine {
        CommandLine::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn an_operation_is_one_word() {
        let expected = Arguments { operation: Some(Word::Rotate), ..Arguments::default() };
        assert_eq!(parse(&["rotate"]), CommandLine::Run(expected));
        assert_eq!(parse(&[]), CommandLine::Run(Arguments::default()));
    }

    #[test]
    fn a_command_stands_after_two_hyphens_and_is_kept_as_it_is() {
        let CommandLine::Run(arguments) = parse(&["exec", "--", "npm", "--help"]) else { panic!("a run") };
        assert_eq!(arguments.command, ["npm", "--help"]);
        assert!(matches!(parse(&["exec", "npm"]), CommandLine::Misused(_)));
        assert!(matches!(parse(&["exec", "--"]), CommandLine::Misused(_)));
    }

    #[test]
    fn what_is_not_understood_is_never_repeated() {
        for words in
            [&["--refresh-token=hunter2hunter2"][..], &["hunter2hunter2"], &["create", "hunter2hunter2"]]
        {
            let CommandLine::Misused(sentence) = parse(words) else { panic!("misused") };
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }

    #[test]
    fn a_misspelt_operation_is_answered_with_the_nearest() {
        let CommandLine::Misused(sentence) = parse(&["rotat"]) else { panic!("misused") };
        assert!(sentence.contains("did you mean rotate?"), "{sentence}");
    }
}
