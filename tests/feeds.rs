//! `feed`, the settings files for it, and `clients` of `exec`: what is refused before anything is sent, and the file
//! that lives as long as the command.
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use adopat_emulator::{Fault, PatStatus, Service};
use rstest::rstest;
use rustix::process::Signal;
use support::{Host, Machine, mode};

fn machine(operation: &str) -> Machine {
    let mut machine = Machine::new(Host::Generic, operation);
    machine.input("display-name", "packages").input("scope", "vso.packaging").set("PATH", "/usr/bin:/bin");
    machine
}

fn creating(format: &str, feed: &str) -> Machine {
    let mut machine = machine("create");
    let file = machine.path("settings").display().to_string();
    machine.input("output-format", format).input("output-file", file).input("feed", feed);
    machine
}

fn executing(script: &str) -> Machine {
    let mut machine = machine("exec");
    machine.arguments(&["exec", "--", "sh", "-c", script]);
    machine
}

#[track_caller]
fn refused(machine: &Machine, words: &[&str]) {
    let ended = machine.run();
    ended.expect(2);
    for word in words {
        ended.says(word);
    }
    assert!(machine.calls().is_empty(), "nothing was sent: {:?}", machine.calls());
    assert!(machine.emulator.pats().is_empty());
}

#[rstest]
#[case::of_the_organization("packages", "fabrikam/_packaging/packages")]
#[case::of_a_project("website/packages", "fabrikam/website/_packaging/packages")]
#[case::a_view("website/packages@Release", "fabrikam/website/_packaging/packages@Release")]
#[case::encoded("My%20Web/My%20Feed", "fabrikam/My%20Web/_packaging/My%20Feed")]
#[case::not_encoded("My Web/My Feed", "fabrikam/My%20Web/_packaging/My%20Feed")]
#[case::encoded_once("100%2525", "fabrikam/_packaging/100%2525")]
#[case::an_address(
    "https://pkgs.dev.azure.com/fabrikam/website/_packaging/packages@Local/nuget/v3/index.json",
    "fabrikam/website/_packaging/packages@Local"
)]
#[case::an_address_of_old(
    "https://Fabrikam.pkgs.visualstudio.com/_packaging/packages/npm/registry/",
    "fabrikam/_packaging/packages"
)]
fn every_spelling_of_a_feed_is_understood(#[case] feed: &str, #[case] address: &str) {
    let machine = creating("npmrc", feed);
    machine.run().expect(0);
    let registry = format!("\nregistry=https://pkgs.dev.azure.com/{address}/npm/registry/\n");
    assert!(machine.read("settings").contains(&registry), "{registry} is not in the file");
}

#[rstest]
#[case::of_another_organization(
    "npmrc",
    "https://pkgs.dev.azure.com/contoso/_packaging/packages/npm/registry/",
    "contoso"
)]
#[case::of_another_organization_of_old(
    "pip",
    "https://contoso.pkgs.visualstudio.com/_packaging/packages/",
    "contoso"
)]
#[case::of_no_azure("npmrc", "https://npm.contoso.example/_packaging/packages/", "PROJECT/FEED")]
#[case::with_too_many_parts("npmrc", "fabrikam/website/packages", "PROJECT/FEED")]
#[case::to_publish_to_a_view("pypirc", "packages@Local", "view")]
#[case::a_dot_for_cargo("cargo", "my.feed", "cargo")]
#[case::a_space_for_cargo("cargo", "website/my feed", "cargo")]
#[case::a_digit_first_for_cargo("cargo", "9feed", "cargo")]
fn a_feed_that_its_client_cannot_use_is_refused(
    #[case] format: &str,
    #[case] feed: &str,
    #[case] word: &str,
) {
    refused(&creating(format, feed), &["feed", word]);
}

#[rstest]
fn a_settings_file_needs_a_feed(
    #[values("npmrc", "yarnrc", "pip", "pypirc", "nuget", "maven", "cargo")] format: &str,
    #[values("create", "rotate", "exec")] operation: &str,
) {
    let mut machine = creating(format, "packages");
    match operation {
        "exec" => machine.arguments(&["exec", "--", "true"]),
        _ => machine.run_as(operation),
    };
    refused(machine.without("feed"), &["feed", "website/packages"]);
}

#[rstest]
fn settings_that_adopat_did_not_write_are_refused_and_its_own_replaced(
    #[values("npmrc", "yarnrc", "pip", "pypirc", "nuget", "maven", "cargo")] format: &str,
) {
    let machine = creating(format, "packages");
    let file = machine.path("settings");
    std::fs::write(&file, "# somebody else's\nsetting = 1\n").expect("written");
    refused(&machine, &["output-file", "did not write"]);
    assert_eq!(machine.read("settings"), "# somebody else's\nsetting = 1\n");
    std::fs::remove_file(&file).expect("removed");
    machine.run().expect(0);
    let first = machine.read("settings");
    assert!(
        first.lines().next().is_some_and(|line| line.contains("Written by adopat")),
        "it says whose it is"
    );
    machine.run().expect(0);
    let second = machine.read("settings");
    assert!(!second.is_empty() && second != first, "the second PAT took the first one's place");
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_feed_is_ignored_if_the_operation_has_no_use_for_one() {
    let mut machine = machine("list");
    machine.input("feed", "a/b/c").input("clients", "nobody").run().expect(0);
}

// clients

#[rstest]
#[case::unknown("git,maven", None, &["maven", "git, npm, nuget, az, terraform, yarn, pip, uv, twine, cargo"])]
#[case::yarn_without_a_feed("yarn", None, &["feed", "yarn"])]
#[case::pip_without_a_feed("git,pip", None, &["feed", "pip"])]
#[case::uv_without_a_feed("uv", None, &["feed", "uv"])]
#[case::twine_without_a_feed("twine", None, &["feed", "twine"])]
#[case::cargo_without_a_feed("cargo", None, &["feed", "cargo"])]
#[case::twine_with_a_view("twine", Some("packages@Local"), &["feed", "view"])]
#[case::cargo_with_a_dot("cargo", Some("my.feed"), &["feed", "cargo"])]
fn clients_that_cannot_be_signed_in_are_refused(
    #[case] clients: &str,
    #[case] feed: Option<&str>,
    #[case] words: &[&str],
) {
    refused(&executing_with(clients, feed), words);
}

#[rstest]
#[case("git", "GIT_CONFIG_KEY_0")]
#[case("git", "GIT_CONFIG_VALUE_3")]
#[case("npm", "npm_config_//pkgs.dev.azure.com/fabrikam/:_auth")]
#[case("nuget", "VSS_NUGET_ACCESSTOKEN")]
#[case("nuget", "ARTIFACTS_CREDENTIALPROVIDER_URI_PREFIXES")]
#[case("az", "AZURE_DEVOPS_EXT_PAT")]
#[case("terraform", "AZDO_ORG_SERVICE_URL")]
#[case("yarn", "YARN_NPM_REGISTRY_SERVER")]
#[case("pip", "PIP_INDEX_URL")]
#[case("uv", "UV_DEFAULT_INDEX")]
#[case("uv", "UV_PUBLISH_TOKEN")]
#[case("twine", "TWINE_USERNAME")]
#[case("cargo", "CARGO_REGISTRIES_PACKAGES_TOKEN")]
fn a_variable_that_is_set_already_is_never_overwritten(#[case] client: &str, #[case] variable: &str) {
    let mut machine = executing("true");
    machine.input("clients", client).input("feed", "packages").set(variable, "somebody-else's");
    refused(&machine, &[client, variable]);
    // Nobody asked for that client: the command has it as it was.
    let line = format!("{variable}=somebody-else's");
    machine.without("clients").arguments(&["exec", "--", "grep", "-qzxF", &line, "/proc/self/environ"]);
    machine.run().expect(0);
}

#[rstest]
#[case("terraform", "AZDO_ORG_SERVICE_URL", "https://dev.azure.com/fabrikam")]
#[case("uv", "UV_PUBLISH_USERNAME", "fabrikam")]
#[case("cargo", "CARGO_REGISTRIES_PACKAGES_CREDENTIAL_PROVIDER", "cargo:token")]
#[case("pip", "PIP_INDEX_URL", "")]
fn a_variable_that_says_the_same_or_nothing_is_no_obstacle(
    #[case] client: &str,
    #[case] variable: &str,
    #[case] value: &str,
) {
    let mut machine = executing("true");
    machine.input("clients", client).input("feed", "packages").set(variable, value).run().expect(0);
}

#[rstest]
#[case::not_a_number("many")]
#[case::too_many("99999999999999999999")]
#[case::negative("-1")]
fn a_count_of_gits_that_git_does_not_understand_is_refused(#[case] count: &str) {
    let mut machine = executing("true");
    machine.input("clients", "git").set("GIT_CONFIG_COUNT", count);
    refused(&machine, &["GIT_CONFIG_COUNT"]);
}

#[test]
fn a_variable_of_a_clients_other_settings_cannot_hold_the_pat() {
    let mut machine = executing("true");
    machine.input("clients", "pip").input("feed", "packages").input("variable", "PIP_INDEX_URL");
    refused(&machine, &["PIP_INDEX_URL", "variable"]);
    let mut machine = executing("true");
    machine.input("clients", "git").input("variable", "GIT_CONFIG_COUNT");
    refused(&machine, &["GIT_CONFIG_COUNT", "variable"]);
    let mut machine = executing("test -n \"$AZURE_DEVOPS_EXT_PAT\"");
    machine.input("clients", "az").input("variable", "AZURE_DEVOPS_EXT_PAT").run().expect(0);
}

/// An `exec` for one client and one feed.
fn executing_with(client: &str, feed: Option<&str>) -> Machine {
    let mut machine = executing("true");
    machine.input("clients", client);
    if let Some(feed) = feed {
        machine.input("feed", feed);
    }
    machine
}

#[test]
fn each_refusal_says_what_leads_out() {
    refused(&creating("pypirc", "packages@Local"), &["choose another feed or output-format"]);
    refused(&executing_with("twine", Some("packages@Local")), &["choose another feed or client"]);
    refused(&executing_with("pip", None), &["name the Azure Artifacts feed, like website/packages"]);
    for (client, variable) in [("az", "AZURE_DEVOPS_EXT_PAT"), ("git", "GIT_CONFIG_COUNT")] {
        let mut machine = executing_with(client, None);
        machine.set(variable, "somebody-else's");
        refused(&machine, &["unset the variable, or leave the client out"]);
    }
}

// The file that lives as long as the command.

/// Shell that shows the file and its mode, and then ends as told.
fn looking(file: &Path, end: &str) -> String {
    format!("stat -c %a {0} > seen; cat {0} >> seen.pat; {end}", file.display())
}

#[rstest]
#[case::in_order("true", 0)]
#[case::badly("exit 3", 3)]
#[case::by_a_signal("kill -9 $$", 137)]
#[case::without_the_file("rm \"$FILE\"", 0)]
fn the_file_of_exec_is_there_while_the_command_runs(
    #[case] end: &str,
    #[case] code: i32,
    #[values("npmrc", "token", "netrc", "json")] format: &str,
) {
    let outside = tempfile::tempdir().expect("a folder");
    let file = outside.path().join("file");
    let mut machine = executing(&format!("cd {}; {}", outside.path().display(), looking(&file, end)));
    machine.input("output-file", &file).input("output-format", format).input("feed", "packages");
    machine.set("FILE", &file).run().expect(code);
    assert_eq!(std::fs::read_to_string(outside.path().join("seen")).expect("written"), "600\n");
    let held = std::fs::read_to_string(outside.path().join("seen.pat")).expect("written");
    let [pat] = machine.emulator.pats().try_into().expect("one PAT");
    let forms = [pat.value.clone(), base64(&format!("fabrikam:{}", pat.value))];
    assert!(forms.iter().any(|form| held.contains(form)), "{held}");
    assert!(!file.exists(), "and it is gone afterwards");
    assert_eq!(pat.status, PatStatus::Revoked);
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn the_file_of_exec_is_gone_after_a_signal_too() {
    let mut machine = executing("touch started; exec sleep 60");
    let file = machine.path("file");
    machine.input("output-file", &file).input("output-format", "npmrc").input("feed", "packages");
    let child = machine.spawn();
    let begun = Instant::now();
    while !machine.path("started").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the command never started");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(file.exists());
    support::signal(&child, Signal::TERM);
    machine.wait(child).expect(143);
    assert!(!file.exists());
    assert!(machine.emulator.active_pats().is_empty());
}

#[rstest]
fn a_file_that_is_there_already_is_refused_under_exec(#[values("npmrc", "token", "dotenv")] format: &str) {
    let mut machine = executing("true");
    let file = machine.path("file");
    std::fs::write(&file, "# Written by adopat: but that does not matter here\n").expect("written");
    machine.input("output-file", &file).input("output-format", format).input("feed", "packages");
    refused(&machine, &["output-file", "already"]);
    assert!(file.exists());
}

#[test]
fn a_file_of_exec_that_cannot_be_written_is_found_before_anything_is_minted() {
    let mut machine = executing("touch started");
    let file = machine.path("no-such-folder/file");
    machine
        .input("output-file", &file)
        .input("output-format", "token")
        .run()
        .expect(7)
        .says("no-such-folder");
    assert!(machine.emulator.pats().is_empty() && !machine.path("started").exists());
}

#[test]
fn a_file_of_exec_that_can_no_longer_be_written_revokes_the_pat() {
    let outside = tempfile::tempdir().expect("a folder");
    let folder = outside.path().join("folder");
    std::fs::create_dir(&folder).expect("a folder");
    let mut machine = executing("touch started");
    machine.input("output-file", folder.join("file")).input("output-format", "token");
    // The folder goes while the PAT is on its way.
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let child = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    std::fs::remove_dir_all(&folder).expect("removed");
    hold.release();
    machine.wait(child).expect(7).says("output file").says("revoked");
    assert!(machine.emulator.active_pats().is_empty() && !machine.path("started").exists());
}

#[rstest]
#[case("yarn", true)]
#[case("npm", false)]
fn that_yarn_sends_the_pat_to_other_registries_is_warned_about(#[case] client: &str, #[case] warned: bool) {
    let mut machine = executing("true");
    machine.input("clients", client).input("feed", "packages");
    let ended = machine.run();
    let told = ended
        .expect(0)
        .words()
        .matches("yarn sends the PAT to every registry that the project names")
        .count();
    assert_eq!(told, usize::from(warned), "{}", ended.words());
}
