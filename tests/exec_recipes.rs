//! The documentation's commands for tools that read a PAT from a variable, each run with a stand-in of the tool that
//! writes down what it was given.
#![cfg(unix)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use adopat::store::shell_words;
use adopat_emulator::PatStatus;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use support::{Host, Machine};

/// The tools and their commands, as the page has them. What stands for any command is none.
fn recipes() -> Vec<(String, String)> {
    let page = include_str!("../docs/package-clients.md");
    let (_, table) = page.split_once("## Tools that read a PAT from a variable").expect("the section");
    let rows =
        table.lines().take_while(|line| !line.starts_with("## ")).filter_map(|line| line.strip_prefix("| "));
    let rows = rows.filter_map(|row| row.split_once(" | "));
    let commands = rows.filter_map(|(tool, rest)| {
        let (_, rest) = rest.split_once("`adopat ")?;
        let (command, _) = rest.split_once('`')?;
        Some((tool.to_owned(), command.replace("\\|", "|")))
    });
    commands.filter(|(_, command)| !command.ends_with("COMMAND")).collect()
}

/// A program that writes down its environment and what it reads.
fn stand_in(folder: &Path, file: &Path) {
    let script = format!("#!/bin/sh\nenv > '{0}/environment'\ncat > '{0}/input'\n", folder.display());
    std::fs::write(file, script).expect("written");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).expect("a program");
}

#[test]
fn each_tool_is_given_a_pat_that_is_gone_when_it_ends() {
    let recipes = recipes();
    let tools = ["az", "terraform", "config.sh", "npx", "renovate", "vsce", "curl"];
    assert_eq!(recipes.len(), tools.len(), "{recipes:?}");
    for (tool, command) in recipes {
        let mut machine = Machine::new(Host::Generic, "exec");
        let programs = machine.path("programs");
        std::fs::create_dir(&programs).expect("a folder");
        for name in tools {
            let folder = if name == "config.sh" { machine.path("") } else { programs.clone() };
            stand_in(&programs, &folder.join(name));
        }
        machine.set("PATH", format!("{}:/usr/bin:/bin", programs.display()));
        let words = shell_words::split(&command).expect("a command");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        machine.arguments(&words).run().expect(0);
        let [pat] = machine.emulator.pats().try_into().expect("one PAT");
        assert_eq!(pat.status, PatStatus::Revoked, "{tool}");
        let read = |name: &str| std::fs::read_to_string(programs.join(name)).expect("it ran");
        let (environment, input) = (read("environment"), read("input"));
        let has = |line: String| environment.lines().any(|other| other == line);
        let variable = words.iter().position(|word| *word == "--variable").map(|at| words[at + 1]);
        let with_its_user = format!("fabrikam:{}", pat.value);
        let is_given = match variable {
            Some(variable) => has(format!("{variable}={}", pat.value)),
            None if tool.contains("MCP") => {
                has(format!("PERSONAL_ACCESS_TOKEN={}", STANDARD.encode(with_its_user)))
            }
            None => input.contains(&format!("user = \"{with_its_user}\"")),
        };
        assert!(is_given, "{tool} is not given the PAT");
    }
}
