//! The man page, made from the tables of operations, inputs, outputs and exit codes.

use adopat::exit_codes::EXIT_CODES;
use adopat::inputs::table::{Group, INPUTS, Input, Value};
use adopat::operation_name::OperationName;
use adopat::outputs::OUTPUTS;
use roff::{Inline, Roff, bold, italic, line_break, roman};

/// The whole page, in roff.
pub fn page() -> String {
    let mut page = Roff::new();
    let version = concat!("adopat ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["ADOPAT", "1", "", version, "User Commands"]);
    section(&mut page, "NAME");
    page.text([roman("adopat - manage Azure DevOps personal access tokens inside CI")]);
    section(&mut page, "SYNOPSIS");
    page.text([
        bold("adopat"),
        roman(" "),
        italic("OPERATION"),
        roman(" [--"),
        italic("INPUT VALUE"),
        roman("]..."),
    ]);
    page.control("br", []);
    page.text([
        bold("adopat exec"),
        roman(" [--"),
        italic("INPUT VALUE"),
        roman("]... -- "),
        italic("COMMAND ARG"),
        roman("..."),
    ]);
    page.control("br", []);
    page.text([bold("adopat completions"), roman(" "), italic("SHELL")]);
    section(&mut page, "DESCRIPTION");
    page.text([roman(
        "adopat signs in to Microsoft Entra as a person, and makes, renews and revokes personal access tokens (PATs) \
         through the PAT API of Azure DevOps.",
    )]);
    page.control("PP", []);
    page.text([
        roman("Each input is a flag and an environment variable: "),
        bold("--display-name"),
        roman(" and "),
        bold("ADOPAT_DISPLAY_NAME"),
        roman(". The flag beats the variable, and an empty one ("),
        bold("--display-name="),
        roman(
            ") unsets it. A secret is an environment variable only: others on the machine can read a command line. A \
             boolean flag alone is true, and takes a value only behind an equals sign. In a terminal, list and get \
             print a table; into a pipe or a file, JSON.",
        ),
    ]);
    section(&mut page, "OPERATIONS");
    for word in OperationName::ALL {
        entry(&mut page, [bold(word.text())], word.about());
    }
    for group in Group::ALL {
        section(&mut page, &format!("INPUTS: {}", group.title().to_uppercase()));
        for input in INPUTS.iter().filter(|input| input.group == group && input.name != "operation") {
            entry(&mut page, head(input), &explained(input));
        }
    }
    section(&mut page, "OUTPUTS");
    for output in &OUTPUTS {
        let secret = if output.secret { "; secret" } else { "" };
        entry(&mut page, [bold(output.name)], &format!("{}{secret}.", output.help));
    }
    section(&mut page, "EXIT STATUS");
    for exit in &EXIT_CODES {
        entry(&mut page, [bold(exit.code)], &format!("{}.", exit.meaning));
    }
    section(&mut page, "EXAMPLES");
    for word in OperationName::ALL {
        page.control("PP", []);
        let lines = word.example().lines().flat_map(|line| [roman(line), line_break()]);
        page.control("nf", []);
        page.text(lines.collect::<Vec<_>>());
        page.control("fi", []);
    }
    section(&mut page, "SEE ALSO");
    page.text([roman(concat!(env!("CARGO_PKG_REPOSITORY"), "/tree/main/docs"))]);
    page.to_roff()
}

fn section(page: &mut Roff, title: &str) {
    page.control("SH", [title]);
}

fn entry(page: &mut Roff, head: impl Into<Vec<Inline>>, text: &str) {
    page.control("TP", []);
    page.text(head);
    page.text([roman(text)]);
}

/// A flag with what stands for its value, or a secret's variable.
fn head(input: &Input) -> Vec<Inline> {
    match (input.flag(), input.value) {
        (None, _) => vec![bold(input.variable())],
        (Some(flag), Value::Boolean) => vec![bold(flag)],
        (Some(flag), value) => vec![bold(flag), roman(" "), italic(value.placeholder())],
    }
}

/// What an input means, and to which operations.
fn explained(input: &Input) -> String {
    let mut text = input.help.to_owned();
    if input.operations.len() < OperationName::ALL.len() {
        let words: Vec<_> = input.operations.iter().map(|word| word.text()).collect();
        text.push_str(&format!("; for {}", words.join(", ")));
    }
    if input.value == Value::Choice {
        text.push_str(&format!("; {}", input.choices.join(" | ")));
    }
    if let Some(default) = input.default {
        text.push_str(&format!("; default {default}"));
    }
    if input.repeatable {
        text.push_str("; may be repeated");
    }
    text.push('.');
    text
}
