//! Secrets at rest: who can read the files, what children are given, and what others can do to the paths.
#![cfg(target_os = "linux")]

mod support;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use adopat_emulator::NewPat;
use rstest::rstest;
use support::{Host, Machine, mode};

fn delivering() -> Machine {
    let mut machine = Machine::new(Host::Generic, "create");
    let store = format!("file:{}", machine.path("deliver-to").display());
    machine.input("display-name", "nightly").input("scope", "vso.code").input("deliver-to", store);
    let file = machine.path("outputs.json");
    machine.input("output-file", file);
    machine
}

#[rstest]
fn files_with_a_secret_are_their_owners_alone_under_any_umask(
    #[values("000", "022", "077", "177", "777")] umask: &str,
) {
    let machine = delivering();
    let own = machine.command();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
        .arg(own.get_program())
        .args(own.get_args());
    command.env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for file in ["refresh-token", "deliver-to", "outputs.json"] {
        assert_eq!(mode(&machine.path(file)), 0o600, "{file} under umask {umask}");
    }
    assert_eq!(mode(&machine.path("refresh-token.lock")) & 0o077, 0);
}

/// Everything that could be a secret of the machine.
fn secrets(machine: &Machine) -> Vec<String> {
    let mut secrets = machine.emulator.issued_secrets();
    secrets.extend(["a passphrase of contoso".to_owned(), "fake-github-token".to_owned()]);
    secrets
}

fn output_of(machine: &Machine) -> Output {
    machine.command().output().expect("it runs")
}

#[test]
fn exec_gives_its_command_the_pat_and_no_other_secret() {
    let mut machine = Machine::new(Host::Generic, "exec");
    let seed = machine.emulator.refresh_token();
    machine.input("display-name", "nightly").input("scope", "vso.code").input("refresh-token", seed);
    machine.input("github-token", "fake-github-token").set("AZURE_CLIENT_SECRET", "a passphrase of contoso");
    let script =
        "tr '\\0' '\\n' < /proc/self/environ; echo \"PARENT: $(tr '\\0' ' ' < /proc/$PPID/cmdline)\"";
    machine.arguments(&["exec", "--", "/bin/sh", "-c", script]);
    let output = output_of(&machine);
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let pat = machine.emulator.pats().pop().expect("a PAT was made");
    assert!(seen.contains(&format!("ADO_PAT={}\n", pat.value)), "{seen}");
    let parent = seen.lines().find(|line| line.starts_with("PARENT: ")).expect("its command line");
    assert!(parent.contains("adopat") && !parent.contains(&pat.value), "{parent}");
    for secret in secrets(&machine).iter().filter(|secret| **secret != pat.value) {
        assert!(!seen.contains(secret.as_str()), "a secret is in the environment of the command");
    }
}

/// A folder that everyone may write to, as `/tmp` is.
fn shared(machine: &Machine) -> std::path::PathBuf {
    let folder = machine.path("shared");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o1777)).expect("for everyone");
    folder
}

fn store_in(machine: &mut Machine, folder: &Path) -> std::path::PathBuf {
    let store = folder.join("refresh-token");
    let token = machine.read("refresh-token");
    machine.input("credential-store", format!("file:{}", store.display())).input("refresh-token", token);
    store
}

#[test]
fn a_link_in_place_of_a_file_is_replaced_and_what_it_leads_to_is_left_alone() {
    let mut machine = delivering();
    let folder = shared(&machine);
    let store = store_in(&mut machine, &folder);
    let (file, deliver) = (folder.join("outputs.json"), folder.join("pat"));
    machine.input("output-file", &file).input("deliver-to", format!("file:{}", deliver.display()));
    let victims: Vec<_> = ["a", "b"].map(|name| machine.path(name)).to_vec();
    for (victim, link) in victims.iter().zip([&file, &deliver]) {
        std::fs::write(victim, "theirs").expect("written");
        symlink(victim, link).expect("linked");
    }
    let ended = machine.command().output().expect("it runs");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    for victim in &victims {
        assert_eq!(std::fs::read_to_string(victim).expect("there"), "theirs");
    }
    for path in [&file, &deliver, &store] {
        assert!(std::fs::symlink_metadata(path).expect("there").is_file());
        assert_eq!(mode(path), 0o600);
    }
}

#[test]
fn a_hard_link_keeps_what_the_file_held_and_never_shows_what_it_holds_now() {
    let mut machine = delivering();
    let folder = shared(&machine);
    let file = folder.join("outputs.json");
    machine.input("output-file", &file);
    std::fs::write(&file, "old").expect("written");
    std::fs::hard_link(&file, folder.join("another-name")).expect("linked");
    std::fs::hard_link(machine.store(), folder.join("another-token")).expect("linked");
    let before = machine.read("refresh-token");
    assert_eq!(output_of(&machine).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(folder.join("another-name")).expect("there"), "old");
    assert_eq!(std::fs::read_to_string(folder.join("another-token")).expect("there"), before);
    assert_ne!(machine.read("refresh-token"), before);
}

#[test]
fn a_lock_that_is_a_link_makes_no_file_elsewhere() {
    let mut machine = delivering();
    let folder = shared(&machine);
    let store = store_in(&mut machine, &folder);
    let victim = machine.path("victim");
    symlink(&victim, folder.join("refresh-token.lock")).expect("linked");
    let output = output_of(&machine);
    assert!(!victim.exists(), "a file was made where the link leads to");
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!store.exists() && machine.active("nightly").is_empty());
}

#[test]
fn a_pipe_in_place_of_a_store_does_not_hold_up_the_run() {
    let mut machine = delivering();
    let folder = shared(&machine);
    let store = store_in(&mut machine, &folder);
    assert!(Command::new("mkfifo").arg(&store).status().expect("mkfifo runs").success());
    let own = machine.command();
    let mut command = Command::new("timeout");
    command.arg("20").arg(own.get_program()).args(own.get_args()).env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(machine.emulator.pats().is_empty());
}

#[rstest]
#[case::cut_short(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1), "not whole")]
#[case::with_more_behind(|bytes: &mut Vec<u8>| bytes.push(b'\n'), "not whole")]
#[case::changed(|bytes: &mut Vec<u8>| *bytes.last_mut().expect("bytes") ^= 1, "was changed")]
#[case::with_a_costly_header(|bytes: &mut Vec<u8>| bytes[7] = 0xff, "memory")]
#[case::of_a_later_version(|bytes: &mut Vec<u8>| bytes[0] = 9, "later adopat")]
#[case::unencrypted(|bytes: &mut Vec<u8>| *bytes = b"1.AXXX-fake".to_vec(), "not encrypted")]
fn a_store_that_was_tampered_with_is_told_apart_and_left_untouched(
    #[case] tamper: fn(&mut Vec<u8>),
    #[case] sentence: &str,
) {
    let mut machine = delivering();
    let seed = machine.read("refresh-token");
    std::fs::remove_file(machine.store()).expect("removed");
    machine.input("refresh-token", seed).input("store-key", "a passphrase of contoso");
    machine.run().expect(0);
    machine.without("refresh-token");
    let mut bytes = std::fs::read(machine.store()).expect("stored");
    tamper(&mut bytes);
    std::fs::write(machine.store(), &bytes).expect("written");
    let before = machine.emulator.pats().len();
    machine.run().expect(3).says(sentence);
    assert_eq!(std::fs::read(machine.store()).expect("there"), bytes);
    assert_eq!(machine.emulator.pats().len(), before, "nothing was minted");
}

#[test]
fn what_an_output_file_held_is_given_back_as_it_was() {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    let file = machine.path("outputs.json");
    machine.input("display-name", "nightly").input("output-file", file);
    machine.emulator.add_pat(NewPat::named("nightly"));
    std::fs::write(machine.path("outputs.json"), "former").expect("written");
    // The host comes last, and its file takes nothing.
    machine.set("GITHUB_OUTPUT", "/dev/full");
    let output = output_of(&machine);
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(machine.read("outputs.json"), "former");
    assert_eq!(machine.active("nightly").len(), 1);
}
