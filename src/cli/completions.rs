//! Completion scripts, one file a shell. Each offers the operations, the flags of the operation that is typed, and
//! what a flag's value may be: its choices, a file, or the kinds of store. A secret has no flag to be offered.

mod bash;
mod fish;
mod powershell;
mod zsh;

use crate::inputs::table::{INPUTS, Input};
use crate::operation_name::OperationName;

/// A shell that can complete adopat's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU Bash 4 and later.
    Bash,
    /// Z shell.
    Zsh,
    /// fish 3 and later.
    Fish,
    /// PowerShell, on every system.
    Powershell,
}

impl Shell {
    /// Every shell.
    pub const ALL: [Self; 4] = [Self::Bash, Self::Zsh, Self::Fish, Self::Powershell];

    /// Its name.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shell| shell.text() == text)
    }

    /// What to type, or to write into the shell's own start file, so that it completes.
    pub const fn installation(self) -> &'static str {
        match self {
            Self::Bash => "source <(adopat completions bash)    in ~/.bashrc",
            Self::Zsh => "source <(adopat completions zsh)     in ~/.zshrc, after compinit",
            Self::Fish => "adopat completions fish > ~/.config/fish/completions/adopat.fish",
            Self::Powershell => "adopat completions powershell | Out-String | Invoke-Expression",
        }
    }
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash::script(),
        Shell::Zsh => zsh::script(),
        Shell::Fish => fish::script(),
        Shell::Powershell => powershell::script(),
    }
}

/// What can stand first: the operations, and what explains and completes them, each with what it does.
fn first_words() -> impl Iterator<Item = (&'static str, &'static str)> {
    let operations = OperationName::ALL.into_iter().map(|word| (word.text(), word.help()));
    operations.chain([("help", "explain an operation"), ("completions", "print a completion script")])
}

/// The inputs that are flags of an operation, with their flags.
fn flags_of(word: OperationName) -> impl Iterator<Item = (&'static Input, String)> {
    let inputs = INPUTS.iter().filter(move |input| input.is_for(word));
    inputs.filter_map(|input| Some((input, input.flag()?)))
}

/// What an input means, as far as it fits beside its flag.
fn summary(input: &Input) -> &'static str {
    input.help.split(';').next().unwrap_or_default()
}

fn operations() -> String {
    OperationName::ALL.map(OperationName::text).join(" ")
}

fn shells() -> String {
    Shell::ALL.map(Shell::text).join(" ")
}

/// What the addresses of stores begin with.
const STORES: &str =
    "file: keyvault: variable-group: github-secret: service-connection: kubernetes-secret: command:";

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    fn a_script_knows_every_flag_and_no_secret(
        #[values(Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Powershell)] shell: Shell,
    ) {
        let script = script(shell);
        let words: Vec<&str> = script.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
        for input in INPUTS.iter().filter(|input| input.name != "operation") {
            let spelt = words.iter().any(|word| word.trim_start_matches('-') == input.name);
            let is_choice = INPUTS.iter().any(|other| other.choices.contains(&input.name));
            assert!(spelt == input.flag().is_some() || is_choice, "{}", input.name);
        }
        for (word, _) in first_words() {
            assert!(words.contains(&word), "{word}");
        }
    }
}
