//! `--help`: made from the tables of operations, inputs and outputs, so that it cannot say anything else.

use std::fmt::Write as _;

use crate::inputs::table::{INPUTS, Input, Word};
use crate::outputs::OUTPUTS;

/// What each exit code means.
pub const EXIT_CODES: [(&str, &str); 12] = [
    ("0", "done, or nothing to do"),
    ("1", "unexpected: a defect in adopat"),
    ("2", "the inputs are wrong; nothing was sent"),
    ("3", "sign-in failed or is needed again, or the credential store cannot be read"),
    ("4", "refused by permission or policy"),
    ("5", "no such PAT, or the name is ambiguous"),
    ("6", "a service failed, could not be reached, or did not answer in time"),
    ("7", "a store or file could not take what it should; what was minted has been revoked"),
    ("8", "fail-if-expiring or fail-if-global: such a PAT was found"),
    ("126", "exec: the command is not executable"),
    ("127", "exec: the command was not found"),
    (
        "128+N",
        "cancelled by signal N (129, 130, 143), nothing left over; exec: the command ended by signal N",
    ),
];

/// The width of a terminal that nobody has widened.
const WIDTH: usize = 80;
/// Where the text beside a name begins.
const INDENT: usize = 26;

/// The whole help.
pub fn help() -> String {
    let mut text = String::from(
        "adopat manages the life of Azure DevOps personal access tokens (PATs) inside CI.\n\n\
         Usage:\n  \
         adopat                         everything from the environment\n  \
         adopat OPERATION               the operation as a word, which beats the input\n  \
         adopat exec -- COMMAND ARG...  run a command with a PAT of its own\n  \
         adopat --help | --version\n\n\
         No secret is ever read from the command line.\n\nOperations:\n",
    );
    for word in Word::ALL {
        row(&mut text, word.text(), word.help());
    }
    text.push_str(
        "\nInputs, each an environment variable: ADOPAT_DISPLAY_NAME for display-name.\n\
         The inputs of the GitHub action and the Azure Pipelines task (INPUT_...) come\n\
         first.\n",
    );
    for input in INPUTS {
        row(&mut text, input.name, &describe(input));
    }
    text.push_str("\nOutputs:\n");
    for output in &OUTPUTS {
        let secret = if output.secret { " (secret)" } else { "" };
        row(&mut text, output.name, &format!("{}{secret}", output.help));
    }
    text.push_str("\nExit codes:\n");
    for (code, meaning) in EXIT_CODES {
        row(&mut text, code, meaning);
    }
    text
}

/// An input's help with what the table knows besides: who uses it, its choices, its default.
fn describe(input: &Input) -> String {
    let mut text = input.help.to_owned();
    if input.operations.len() < Word::ALL.len() {
        let words: Vec<_> = input.operations.iter().map(|word| word.text()).collect();
        let _ = write!(text, "; for {}", words.join(", "));
    }
    if !input.choices.is_empty() {
        let _ = write!(text, "; {}", input.choices.join(" | "));
    }
    if let Some(default) = input.default {
        let _ = write!(text, "; default {default}");
    }
    if input.secret {
        text.push_str("; secret");
    }
    text
}

/// A name, and its text beside it, wrapped; below it where the name is long.
fn row(text: &mut String, name: &str, help: &str) {
    let mut line = format!("  {name:<width$}", width = INDENT - 3);
    if line.len() >= INDENT {
        text.push_str(&line);
        text.push('\n');
        line = " ".repeat(INDENT - 1);
    }
    for word in help.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(INDENT - 1);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_operation_input_output_and_exit_code() {
        let help = help();
        let names = Word::ALL.iter().map(|word| word.text());
        let names = names.chain(INPUTS.iter().map(|input| input.name));
        let names = names.chain(OUTPUTS.iter().map(|output| output.name));
        for name in names.chain(EXIT_CODES.iter().map(|(code, _)| *code)) {
            assert!(
                help.lines().any(|line| line.split_whitespace().next() == Some(name)),
                "{name} is missing"
            );
        }
        assert_eq!(help.lines().find(|line| line.chars().count() > WIDTH), None, "it fits a terminal");
    }
}
