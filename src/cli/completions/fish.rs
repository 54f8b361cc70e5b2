//! Completion for fish: one line for each operation or flag.

use std::fmt::Write as _;

use super::{STORES, first_words, operations, shells, summary};
use crate::inputs::table::{INPUTS, Input, Value};
use crate::operation_name::OperationName;

pub(super) fn script() -> String {
    let mut script = String::from(HEAD);
    for (word, help) in first_words() {
        let _ = writeln!(script, "complete -c adopat -n __adopat_bare -a {word} -d {}", quoted(help));
    }
    script.push_str("complete -c adopat -n __adopat_bare -l help -d 'list the operations'\n");
    script.push_str("complete -c adopat -n __adopat_bare -l version -d 'print the version'\n");
    let _ = writeln!(script, "complete -c adopat -n '__adopat_in help' -a '{} completions'", operations());
    let _ = writeln!(script, "complete -c adopat -n '__adopat_in completions' -a '{}'", shells());
    let all = OperationName::ALL.map(OperationName::text).join(" ");
    let _ =
        writeln!(script, "complete -c adopat -n '__adopat_in {all}' -l help -s h -d 'explain the operation'");
    for (input, flag) in INPUTS.iter().filter_map(|input| Some((input, input.flag()?))) {
        // Operations that take the same choices are one line.
        for (operations, value) in by_value(input) {
            let once = match input.value {
                _ if input.repeatable => String::new(),
                Value::Boolean => format!("; and __adopat_lacks {flag} (__adopat_words)"),
                // Its own value is typed if it is the last word.
                _ => format!("; and __adopat_lacks {flag} (__adopat_words)[1..-2]"),
            };
            let help = quoted(summary(input));
            let name = input.name;
            let _ = writeln!(
                script,
                "complete -c adopat -n '__adopat_in {}{once}' -l {name}{value} -d {help}",
                operations.join(" ")
            );
        }
    }
    script
}

fn by_value(input: &Input) -> Vec<(Vec<&'static str>, String)> {
    let mut groups: Vec<(Vec<&str>, String)> = Vec::new();
    for word in OperationName::ALL.into_iter().filter(|word| input.is_for(*word)) {
        let value = match input.value {
            Value::Boolean => String::new(),
            Value::Choice => format!(" -x -a '{}'", input.choices_for(word).collect::<Vec<_>>().join(" ")),
            Value::Path | Value::Document => " -r -F".into(),
            Value::Store => format!(" -x -a '(__adopat_stores {STORES})'"),
            Value::Text(_) => " -x".into(),
        };
        match groups.iter_mut().find(|(_, other)| *other == value) {
            Some((operations, _)) => operations.push(word.text()),
            None => groups.push((vec![word.text()], value)),
        }
    }
    groups
}

/// In single quotes, between which fish knows two escapes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

const HEAD: &str = r#"# Completes adopat's command line in fish. Made by 'adopat completions fish'.

# The words that are whole, without the program's own name.
function __adopat_words
    set -l words (commandline -opc)
    test (count $words) -gt 1; and printf '%s\n' $words[2..-1]
end

function __adopat_bare
    test (count (__adopat_words)) -eq 0
end

# Whether one of these operations is typed, and not yet the command of exec.
function __adopat_in
    set -l words (__adopat_words)
    contains -- "$words[1]" $argv; and not contains -- -- $words
end

# Whether a flag is not yet among these words.
function __adopat_lacks
    not string match -q -- "$argv[1]" (string replace -r -- '=.*' '' $argv[2..-1])
end

# The kinds of store, or the files behind 'file:'.
function __adopat_stores
    set -l typed (string replace -r -- '^--[a-z-]+=' '' (commandline -ct))
    if string match -q 'file:*' -- $typed
        printf 'file:%s\n' (__fish_complete_path (string replace 'file:' '' -- $typed) | string replace -r '\t.*' '')
    else
        printf '%s\n' $argv
    end
end

# What follows the two hyphens of exec is completed as a command line of its own.
function __adopat_command
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words); or return
    set -l typed (string escape -- $words[(math $at + 1)..-1]) (commandline -ct)
    complete -C (string join ' ' -- $typed)
end

complete -c adopat -f
complete -c adopat -n 'test (__adopat_words)[1] = exec 2>/dev/null; and contains -- -- (__adopat_words)' -a '(__adopat_command)'
"#;
