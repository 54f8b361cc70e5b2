//! `--help`: made from the tables of operations, inputs, outputs and exit codes.

use std::fmt::Write as _;

use super::arguments::Topic;
use super::completions::Shell;
use crate::exit_codes::EXIT_CODES;
use crate::inputs::table::{Group, INPUTS, Input, Value};
use crate::operation_name::OperationName;
use crate::outputs::OUTPUTS;

/// The width of a terminal that nobody has widened.
const WIDTH: usize = 80;
/// Where the text beside a name begins.
const INDENT: usize = 28;

/// What a person at a bare terminal is told.
pub fn usage() -> String {
    let mut text = String::from(
        "adopat manages Azure DevOps personal access tokens (PATs) inside CI.\n\n\
         Usage:\n  \
         adopat OPERATION [--INPUT VALUE]...\n  \
         adopat exec [--INPUT VALUE]... -- COMMAND ARG...\n  \
         adopat OPERATION --help\n\n",
    );
    let words = OperationName::ALL.map(OperationName::text).join(", ");
    paragraph(&mut text, &format!("Operations: {words}."));
    paragraph(&mut text, "'adopat --help' says what each does.");
    text
}

/// The help on one topic.
pub fn about(topic: Topic) -> String {
    match topic {
        Topic::Everything => everything(),
        Topic::Operation(word) => operation(word),
        Topic::Completions => completions(),
    }
}

fn everything() -> String {
    let mut text = String::from(
        "adopat manages the life of Azure DevOps personal access tokens (PATs) inside CI.\n\n\
         Usage:\n  \
         adopat                      everything from the environment\n  \
         adopat OPERATION [--INPUT VALUE]...\n  \
         adopat exec [--INPUT VALUE]... -- COMMAND ARG...\n  \
         adopat OPERATION --help     what it does, its inputs, an example\n  \
         adopat completions SHELL    a completion script: bash, zsh, fish, powershell\n  \
         adopat --help | --version\n\nOperations:\n",
    );
    for word in OperationName::ALL {
        let _ = writeln!(text, "  {:<8}{}", word.text(), word.help());
    }
    text.push_str("\nInputs:\n");
    for sentence in [
        "Each input is a flag and an environment variable: --display-name and ADOPAT_DISPLAY_NAME. A flag beats the \
         variable. The inputs of the GitHub action and the Azure Pipelines task (INPUT_...) beat ADOPAT_.",
        "A secret is an environment variable only, never a flag.",
    ] {
        indented(&mut text, sentence);
    }
    text.push_str("\nOutput:\n");
    indented(
        &mut text,
        "list and get print a table in a terminal, and JSON into a pipe or a file. NO_COLOR turns colours off.",
    );
    text.push_str("\nExit codes:\n");
    for exit in &EXIT_CODES {
        row(&mut text, exit.code, exit.meaning);
    }
    text.push_str(concat!("\nThe rest: ", env!("CARGO_PKG_REPOSITORY"), "/tree/main/docs\n"));
    text
}

fn operation(word: OperationName) -> String {
    let mut text = String::new();
    paragraph(&mut text, &format!("adopat {}: {}", word.text(), word.help()));
    text.push('\n');
    paragraph(&mut text, word.about());
    let command = if word == OperationName::Exec { " -- COMMAND ARG..." } else { "" };
    let _ = writeln!(text, "\nUsage: adopat {} [--INPUT VALUE]...{command}", word.text());
    for group in Group::ALL {
        let _ = writeln!(text, "\n{}:", group.title());
        let inputs = INPUTS.iter().filter(|input| input.group == group && input.is_for(word));
        for input in inputs.filter(|input| input.name != "operation") {
            row(&mut text, &as_typed(input), &describe(input, word));
        }
    }
    text.push('\n');
    paragraph(
        &mut text,
        "Each flag is also an environment variable: ADOPAT_ORGANIZATION for --organization. The flag beats it, and \
         --organization= unsets it. A secret is an environment variable only. A boolean flag needs no value.",
    );
    let mut outputs = OUTPUTS.iter().filter(|output| output.operations.contains(&word)).peekable();
    if outputs.peek().is_some() {
        text.push_str("\nOutputs:\n");
    }
    for output in outputs {
        let secret = if output.secret { "; secret" } else { "" };
        row(&mut text, output.name, &format!("{}{secret}", output.help));
    }
    text.push_str("\nExit codes:\n");
    for exit in EXIT_CODES.iter().filter(|exit| exit.operations.contains(&word)) {
        row(&mut text, exit.code, exit.meaning);
    }
    text.push_str("\nExample:\n");
    for line in word.example().lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn completions() -> String {
    let mut text = String::from(
        "adopat completions: print a script that completes adopat's command line\n\n\
         Usage: adopat completions SHELL\n\nTo install it:\n",
    );
    for shell in Shell::ALL {
        let _ = writeln!(text, "  {:<12}{}", shell.text(), shell.installation());
    }
    text
}

/// An input as a person writes it: a flag with what stands for its value, or a secret's variable.
pub fn as_typed(input: &Input) -> String {
    match (input.flag(), input.value) {
        (None, _) => input.variable(),
        (Some(flag), Value::Boolean) => flag,
        (Some(flag), value) => format!("{flag} {}", value.placeholder()),
    }
}

/// What an input means to an operation, with its choices and its default.
pub fn describe(input: &Input, word: OperationName) -> String {
    let mut text = input.help.to_owned();
    let choices: Vec<_> = input.choices_for(word).collect();
    if !choices.is_empty() && input.value != Value::Boolean {
        let _ = write!(text, "; {}", choices.join(" | "));
    }
    if let Some(default) = input.default.filter(|_| input.value != Value::Boolean) {
        let _ = write!(text, "; default {default}");
    }
    if input.repeatable {
        text.push_str("; may be repeated");
    }
    if input.secret && input.flag().is_none() {
        text.push_str("; secret");
    }
    text
}

/// A name, and its text beside it, wrapped; below it if the name is long.
fn row(text: &mut String, name: &str, help: &str) {
    let mut line = format!("  {name:<width$}", width = INDENT - 3);
    if line.len() >= INDENT {
        text.push_str(&line);
        text.push('\n');
        line = " ".repeat(INDENT - 1);
    }
    wrap(text, line, INDENT, help);
}

fn paragraph(text: &mut String, words: &str) {
    wrap(text, String::new(), 0, words);
}

fn indented(text: &mut String, words: &str) {
    wrap(text, " ".into(), 2, words);
}

/// Words after what a line begins with, the next lines indented.
fn wrap(text: &mut String, mut line: String, indent: usize, words: &str) {
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(indent.saturating_sub(1));
        }
        if !line.is_empty() || indent > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn first_words(help: &str) -> Vec<&str> {
        let rows =
            help.lines().filter_map(|line| line.strip_prefix("  ").filter(|row| !row.starts_with(' ')));
        rows.filter_map(|row| row.split_whitespace().next()).collect()
    }

    fn topics() -> impl Iterator<Item = Topic> {
        let operations = OperationName::ALL.into_iter().map(Topic::Operation);
        operations.chain([Topic::Everything, Topic::Completions])
    }

    #[test]
    fn the_whole_help_names_every_operation_and_exit_code() {
        let help = about(Topic::Everything);
        let names = OperationName::ALL.into_iter().map(OperationName::text);
        for name in names.chain(EXIT_CODES.iter().map(|exit| exit.code)) {
            assert!(help.lines().any(|line| line.starts_with(&format!("  {name}  "))), "{name} is missing");
        }
    }

    #[test]
    fn the_help_on_an_operation_names_its_inputs_outputs_and_exit_codes_and_no_others() {
        for word in OperationName::ALL {
            let help = about(Topic::Operation(word));
            let names = first_words(&help);
            for input in INPUTS.iter().filter(|input| input.name != "operation") {
                let name = input.flag().unwrap_or_else(|| input.variable());
                assert_eq!(names.contains(&name.as_str()), input.is_for(word), "{} {name}", word.text());
            }
            for output in &OUTPUTS {
                let named = names.contains(&output.name);
                assert_eq!(named, output.operations.contains(&word), "{} {}", word.text(), output.name);
            }
            for exit in &EXIT_CODES {
                let named = help.lines().any(|line| line.starts_with(&format!("  {}  ", exit.code)));
                assert_eq!(named, exit.operations.contains(&word), "{} {}", word.text(), exit.code);
            }
            for heading in ["What to do:", "Who signs in:", "Where it goes:", "Example:"] {
                assert!(help.lines().any(|line| line == heading), "{heading}");
            }
            assert!(help.contains(word.example().lines().next().expect("a line")));
        }
    }

    #[test]
    fn the_help_fits_a_terminal() {
        for help in topics().map(about).chain([usage()]) {
            let too_long = help.lines().find(|line| line.chars().count() > WIDTH);
            assert_eq!(too_long, None);
            assert!(!help.lines().any(|line| line.ends_with(' ')), "{help}");
        }
    }

    #[rstest]
    #[case(OperationName::List, "JSON")]
    #[case(OperationName::Get, "JSON")]
    fn the_help_says_what_a_pipe_gets(#[case] word: OperationName, #[case] what: &str) {
        assert!(about(Topic::Operation(word)).contains(what));
        assert!(about(Topic::Everything).contains(what));
    }
}
