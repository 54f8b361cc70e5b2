//! Every command block of every page runs as it stands there, copied from the page into a shell; and every whole step of a
//! page or an example, put into a job as its host would do it. The services are the emulator's. Programs that are not
//! adopat's are stand-ins.
#![cfg(unix)]

mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use adopat_emulator::{AppRegistration, DeviceCodePolicy, Emulator, NewPat, Organization, Scenario, cast};
use serde_yaml_ng::Value;
use support::{BINARY, Host, Machine, VAULT_APP, VAULT_APP_SECRET};
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
         *oauth2PermissionScopes*) printf '%s\\n' 1=Scope 2=Scope;; *'permission add'*) test \"$*\" != \"${*#*=Scope 2=Scope}\";; \
         *) test $# -gt 3;; esac",
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
    let organizations = [cast::ORGANIZATION, "contoso"].map(Organization::named);
    let emulator = organizations
        .into_iter()
        .fold(Emulator::builder().tls(true), |builder, one| builder.organization(one));
    let mut machine = Machine::with(emulator.start(), Host::Generic, "list");
    machine.set("SSL_CERT_FILE", machine.emulator.ca_pem_path().to_owned());
    let app = AppRegistration::new(VAULT_APP).single_tenant(cast::TENANT).secret(VAULT_APP_SECRET);
    machine.emulator.services().services.add_app(app);
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

/// What a page calls adopat.yml is there, as it stands on the page; else the example.
fn write_the_manifest(machine: &Machine, page: &Path) {
    let own = yaml(page).into_iter().find(|text| text.starts_with("# adopat.yml\n"));
    let text =
        own.unwrap_or_else(|| std::fs::read_to_string(root().join("examples/adopat.yml")).expect("text"));
    let vault = machine.emulator.vault_url();
    let text = text.replace("https://fabrikam-ci.vault.azure.net", vault.trim_end_matches('/'));
    std::fs::write(machine.path("adopat.yml"), text).expect("written");
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
            write_the_manifest(&machine, &page);
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

/// The blocks of a page that are YAML; of an example, all of it.
fn yaml(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("text");
    if path.extension().is_some_and(|kind| kind == "yml") {
        return vec![text];
    }
    text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().expect("an end").to_owned()).collect()
}

/// Every step below that runs the action or the task, with its host and its inputs.
fn steps(workflow: &Value) -> Vec<(Host, &serde_yaml_ng::Mapping)> {
    let below: Vec<&Value> = match workflow {
        Value::Mapping(entries) => entries.values().collect(),
        Value::Sequence(items) => items.iter().collect(),
        _ => return Vec::new(),
    };
    let runs =
        |key: &str| workflow.get(key).and_then(Value::as_str).is_some_and(|what| what.contains("adopat@"));
    let of = |key: &str| workflow.get(key).and_then(Value::as_mapping);
    let own = match () {
        () if runs("uses") => of("with").map(|inputs| (Host::GitHub, inputs)),
        () if runs("task") => of("inputs").map(|inputs| (Host::Azure, inputs)),
        () => None,
    };
    own.into_iter().chain(below.into_iter().flat_map(steps)).collect()
}

/// A job of this host in the world that the pages speak of.
fn job(host: Host) -> Machine {
    let organizations = [cast::ORGANIZATION.to_owned(), "contoso".to_owned()];
    let scenario = Scenario::fabrikam().with_organizations(&organizations);
    let mut machine = Machine::with(Emulator::builder().scenario(scenario).tls(true).start(), host, "list");
    machine.set("SSL_CERT_FILE", machine.emulator.ca_pem_path().to_owned());
    let app = AppRegistration::new(VAULT_APP).single_tenant(cast::TENANT).secret(VAULT_APP_SECRET);
    machine.emulator.services().services.add_app(app);
    machine.emulator.add_vault_secret("adopat-refresh-token", &machine.emulator.refresh_token());
    let addresses = [
        ("AUTHORITY_HOST", machine.emulator.entra_url()),
        ("SERVICE_URL", machine.emulator.service_url()),
        ("DEVOPS_URL", machine.emulator.devops_url()),
        ("GITHUB_API_URL", machine.emulator.github_url()),
        // On Azure Pipelines it is the one that the job runs in.
        ("ORGANIZATION", cast::ORGANIZATION.into()),
    ];
    machine.becomes(host).set("ADOPAT_LAUNCHER", "1").opens_the_vault_by_secret();
    for (name, address) in addresses {
        machine.set(&format!("ADOPAT_{name}"), address);
    }
    machine
}

/// A value as the host hands it over: with what it keeps under each name, and with the emulator's addresses.
fn handed_over(value: &Value, machine: &Machine) -> String {
    let text =
        value.as_str().map_or_else(|| serde_yaml_ng::to_string(value).expect("a scalar"), str::to_owned);
    let kept = [
        ("${{ secrets.ADOPAT_REFRESH_TOKEN }}", machine.emulator.refresh_token()),
        ("${{ secrets.ADOPAT_GITHUB_TOKEN }}", machine.emulator.github_token()),
        ("$(ADOPAT_REFRESH_TOKEN)", machine.emulator.refresh_token()),
        ("$(ADOPAT_CLIENT_ID)", cast::CLIENT_ID.to_string()),
        ("${{ matrix.organization }}", cast::ORGANIZATION.into()),
        ("pats/${{ matrix.team }}.yml", "adopat.yml".into()),
        ("adopat-${{ matrix.team }}", "adopat-refresh-token".into()),
        ("${{ github.event_name == 'pull_request' }}", "false".into()),
        ("${{ inputs.renew || 'due' }}", "due".into()),
        ("${{ parameters.renew }}", "due".into()),
        ("${{ github.run_id }}", "42".into()),
        ("$(Build.BuildId)", "42".into()),
        ("00000000-0000-0000-0000-000000000001", cast::CLIENT_ID.to_string()),
        ("00000000-0000-0000-0000-000000000002", cast::TENANT.to_string()),
        ("https://fabrikam-ci.vault.azure.net", machine.emulator.vault_url()),
    ];
    let text =
        kept.into_iter().fold(text.trim().to_owned(), |text, (name, value)| text.replace(name, &value));
    assert!(!text.contains("${{") && !text.contains("$("), "{text} is not known here");
    text
}

#[test]
fn every_whole_step_of_every_page_and_example_runs() {
    let examples = [
        "examples/github.yml",
        "examples/github-apply.yml",
        "examples/github-fleet.yml",
        "examples/azure-pipelines.yml",
        "examples/azure-pipelines-apply.yml",
    ];
    let others = examples.into_iter().chain(["packaging/overview.md"]).map(|name| root().join(name));
    let mut ran = 0;
    for page in pages().into_iter().chain(others) {
        for text in yaml(&page) {
            // A part of a step shows one thing alone.
            let Ok(workflow) = serde_yaml_ng::from_str::<Value>(&text) else { continue };
            let is_whole = |inputs: &serde_yaml_ng::Mapping| {
                let has = |name: &str| inputs.contains_key(name);
                has("operation") && (has("client-id") || has("clientId"))
            };
            for (host, inputs) in steps(&workflow).into_iter().filter(|(_, inputs)| is_whole(inputs)) {
                run_step(&page, host, inputs);
                ran += 1;
            }
        }
    }
    assert!(ran >= 10, "the steps were found: {ran}");
}

fn run_step(page: &Path, host: Host, inputs: &serde_yaml_ng::Mapping) {
    let mut machine = job(host);
    write_the_manifest(&machine, page);
    for (name, value) in inputs {
        let name = name.as_str().expect("a name");
        // Here an app's secret opens the vault, as the environment says.
        if name != "azureServiceConnection" {
            let value = handed_over(value, &machine);
            machine.set(&format!("INPUT_{}", name.to_uppercase()), value);
        }
    }
    let ended = machine.run();
    assert_eq!(ended.code, Some(0), "{}: {inputs:?}\n{}", page.display(), ended.words());
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
