//! Every command block of every page runs as it stands there: copied from the page into a shell, on a machine where
//! the services are the emulator's. Programs that are not adopat's are stand-ins which say that they were called.
#![cfg(unix)]

mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use adopat_emulator::{AppRegistration, DeviceCodePolicy, NewPat, cast};
use support::{BINARY, Host, Machine};
use uuid::Uuid;

/// The app of every example.
const APP: Uuid = Uuid::from_u128(1);

/// Blocks that are not run here, by words of them, with the reason.
const EXCUSED: &[(&str, &str)] = &[
    ("cargo run --quiet --profile demo --example demo", "the demo and the tests themselves, which CI runs"),
    ("cargo bench --bench versus", "takes ten minutes, and needs a quiet machine"),
    ("releases/download/v0.1.0", "the release has to be there; the names of its files are checked below"),
    ("docker run --rm --detach --name adopat-emulator", "needs the image of a release"),
    ("cargo run --quiet -p adopat-emulator -- --background", "builds; the emulator's own tests run it"),
    ("cargo run --release -p adopat-probe", "builds; the probe's own tests run it"),
];

/// What the examples call besides adopat. `az` answers what the Azure CLI answers to the one block that uses it.
const STAND_INS: [(&str, &str); 7] = [
    ("npm", "exit 0"),
    ("npx", "exit 0"),
    ("mvn", "test -s \"$2\""),
    ("my-mcp-server", "test -n \"$AZURE_DEVOPS_PAT\""),
    ("gh", "cat > /dev/null"),
    (
        "az",
        "case \"$*\" in *' --query appId '*) echo 00000000-0000-0000-0000-000000000001;; \
         *oauth2PermissionScopes*) printf '%s\\n' 1=Scope 2=Scope;; *) test $# -gt 3;; esac",
    ),
    ("restore.sh", "test -n \"$ADO_PAT\""),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page that a reader is led to.
fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).expect("docs").flatten().map(|entry| entry.path());
    let others = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "emulator/README.md", "probe/README.md"];
    let others = others.map(|name| root().join(name));
    let mut pages: Vec<_> =
        docs.filter(|path| path.extension().is_some_and(|kind| kind == "md")).chain(others).collect();
    pages.sort();
    pages
}

/// The blocks of a page that are for a shell, each without the indentation that it has in a list.
fn command_blocks(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).expect("a page");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indentation = line.len() - line.trim_start().len();
        if !matches!(line.trim(), "```sh" | "```bash" | "```shell") {
            continue;
        }
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        blocks.push(
            block.map(|line| line.get(indentation..).unwrap_or_default()).collect::<Vec<_>>().join("\n"),
        );
    }
    blocks
}

/// A machine of somebody who follows the pages: signed in, with the app, the PATs and the stores that they name.
fn machine() -> Machine {
    let mut machine = Machine::with_vault(Host::Generic, "list");
    machine.emulator.services().services.add_app(AppRegistration::public(APP));
    machine.emulator.set_device_code_policy(DeviceCodePolicy {
        interval: std::time::Duration::from_secs(1),
        approved_by: Some(cast::PERSON.into()),
        ..DeviceCodePolicy::default()
    });
    let pat = machine.emulator.add_pat(NewPat::named("feed").scope("vso.packaging"));
    let programs = machine.path("programs");
    std::fs::create_dir(&programs).expect("a folder");
    std::os::unix::fs::symlink(BINARY, programs.join("adopat")).expect("a link");
    for (name, does) in STAND_INS {
        let file = if name.ends_with(".sh") { machine.path(name) } else { programs.join(name) };
        std::fs::write(&file, format!("#!/bin/sh\n{does}\n")).expect("a program");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("it can run");
    }
    machine.opens_the_vault_by_secret();
    machine.set("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display()));
    machine.set("HOME", machine.path(""));
    machine.set("LEAKED_PAT", pat.value);
    machine
}

/// Runs a block with the addresses of the emulator in place of Microsoft's, and a folder of its own in place of `/tmp`.
fn run(machine: &Machine, block: &str) -> Output {
    let block = block
        .replace("https://fabrikam-ci.vault.azure.net", machine.emulator.vault_url().trim_end_matches('/'))
        .replace("https://dev.azure.com", machine.emulator.devops_url().trim_end_matches('/'))
        .replace(" /tmp/", &format!(" {}/", machine.folder.path().display()));
    let in_environment = machine.command();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &block]).env_clear().current_dir(machine.folder.path());
    shell.envs(in_environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdin(Stdio::null()).output().expect("a shell")
}

#[test]
fn every_command_block_of_every_page_runs() {
    let mut excuses: BTreeSet<&str> = EXCUSED.iter().map(|(words, _)| *words).collect();
    let (mut ran, mut failed) = (0, Vec::new());
    for page in pages() {
        for block in command_blocks(&page) {
            if let Some((words, _)) = EXCUSED.iter().find(|(words, _)| block.contains(words)) {
                excuses.remove(words);
                continue;
            }
            ran += 1;
            let machine = machine();
            let output = run(&machine, &block);
            let said = String::from_utf8_lossy(&output.stderr);
            // A warning of a command that a page recommends is a fault of the page.
            let warned = said.lines().any(|line| line.contains("warning:") && !line.contains("store-key"));
            if !output.status.success() || warned {
                failed.push(format!("{}: {}\n$ {block}\n{said}", page.display(), output.status));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(ran >= 12, "the pages were read: {ran}");
    assert!(excuses.is_empty(), "excused, and on no page: {excuses:?}");
}

/// `adopat` commands stand in the text and in tables, too: each is understood, flag by flag.
#[test]
fn every_adopat_command_within_a_line_is_understood() {
    let mut seen = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        for command in text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("adopat ")) {
            let own = command.split(" -- ").next().expect("a part");
            let mut words = own.split_whitespace().skip(1);
            let operation = words.next().unwrap_or_default();
            if !operation.chars().all(|c| c.is_ascii_lowercase()) || command.contains("$(") {
                continue;
            }
            let help = Command::new(BINARY).args([operation, "--help"]).output().expect("adopat runs");
            let help = String::from_utf8_lossy(&help.stdout).into_owned();
            for flag in words.filter_map(|word| word.split('=').next()).filter(|word| word.starts_with("--"))
            {
                let is_known = help.split_whitespace().any(|word| word == flag) || flag == "--help";
                assert!(is_known, "{}: {flag} in `{command}`", page.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "the pages were read: {seen}");
}

#[test]
fn the_files_that_the_readme_downloads_are_those_of_a_release() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a page");
    let release = std::fs::read_to_string(root().join(".github/workflows/release.yml")).expect("a workflow");
    let names = readme.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let names: BTreeSet<&str> = names.filter_map(|name| name.strip_prefix("adopat-")).collect();
    let names: Vec<_> = names
        .into_iter()
        .filter(|name| name.contains("-unknown-") || name.contains("-apple-") || name.contains("-pc-"))
        .collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let target = name.trim_end_matches(".exe");
        assert!(release.contains(&format!("target: {target},")), "{name} is not released");
    }
}
