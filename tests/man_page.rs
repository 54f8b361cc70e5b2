//! The man page, as a reader of man pages shows it.

#[path = "../examples/man/page.rs"]
mod page;

use std::io::Write as _;
use std::process::{Command, Stdio};

use adopat::exit_codes::EXIT_CODES;
use adopat::inputs::table::INPUTS;
use adopat::operation_name::OperationName;
use adopat::outputs::OUTPUTS;

/// The page through `mandoc`; `None` if there is no mandoc.
fn mandoc(arguments: &[&str]) -> Option<(bool, String)> {
    let mut command = Command::new("mandoc");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut reader) = command.spawn() else {
        println!("skipped: the man page: there is no mandoc on this machine");
        return None;
    };
    let mut input = reader.stdin.take().expect("a pipe");
    input.write_all(page::page().as_bytes()).expect("it is read");
    drop(input);
    let output = reader.wait_with_output().expect("it ends");
    Some((output.status.success(), String::from_utf8(output.stdout).expect("text")))
}

#[test]
fn the_page_is_well_formed() {
    let Some((well, complaints)) = mandoc(&["-T", "lint", "-W", "error"]) else { return };
    assert!(well, "{complaints}");
}

#[test]
fn the_page_names_everything_there_is() {
    let Some((_, shown)) = mandoc(&["-T", "ascii", "-O", "width=80"]) else { return };
    // Bold and underlined letters are printed over each other.
    let mut plain = String::new();
    for c in shown.chars() {
        if c == '\u{8}' {
            plain.pop();
        } else {
            plain.push(c);
        }
    }
    let names = INPUTS.iter().filter(|input| input.name != "operation");
    let names = names.map(|input| input.flag().unwrap_or_else(|| input.variable()));
    let names = names.chain(OperationName::ALL.map(|word| word.text().to_owned()));
    let names = names.chain(OUTPUTS.iter().map(|output| output.name.to_owned()));
    for name in names.chain(EXIT_CODES.iter().map(|exit| exit.code.to_owned())) {
        let entry =
            plain.lines().any(|line| line.trim_start().starts_with(&name) && line.starts_with("     "));
        assert!(entry, "{name} has no entry:\n{plain}");
    }
    for word in OperationName::ALL {
        let example = word.example().lines().next().expect("a line");
        assert!(plain.contains(example), "{example}:\n{plain}");
    }
    assert_eq!(plain.lines().find(|line| line.chars().count() > 80), None);
}
