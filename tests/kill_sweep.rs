//! SIGKILL at every file operation of a rotation; the same rotation again, with `duplicates: revoke`, ends with
//! exactly one active PAT: the one delivered last.
//!
//! `strace --inject` stops the real binary at the system call itself: nothing sleeps, and nothing in the product
//! knows of it. Where there is no strace these tests say so and pass.
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use adopat_emulator::NewPat;
use rstest::rstest;
use support::{Host, Machine};

/// The calls that make, fill, sync, rename and remove files.
const CALLS: &str = "openat,write,fsync,rename,renameat,renameat2,unlink,flock,ftruncate";

fn there_is_strace() -> bool {
    let there =
        Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there {
        eprintln!("skipped: there is no strace on this machine");
    }
    there
}

/// The machine's command under strace.
fn traced(machine: &Machine, options: &[&str]) -> Command {
    let own = machine.command();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(machine.path("strace.log")).args(options);
    command.arg(own.get_program()).args(own.get_args()).env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
        .current_dir(machine.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A machine with an old PAT, and every way to deliver at once.
fn machine(output: &str) -> Machine {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    let store = format!("file:{}", machine.path("deliver-to").display());
    machine.input("display-name", "nightly").input("deliver-to", store).input("variable", "FEED_PAT");
    let file = machine.path(output);
    machine.input("output-file", file).input("if-missing", "create").input("scope", "vso.code");
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine
}

/// Which of the calls of each name touch a file of the machine's folder, in a healthy run: `(name, nth)`.
fn file_operations() -> Vec<(String, usize)> {
    let machine = machine("outputs.json");
    let output = traced(&machine, &["-y", "-e", &format!("trace={CALLS}")]).output().expect("strace runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = machine.read("strace.log");
    let folder = machine.folder.path().to_str().expect("text").to_owned();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let mut operations = Vec::new();
    for line in log.lines() {
        // `PID name(arguments) = result`
        let Some((name, _)) = line.split_once(' ').and_then(|(_, call)| call.trim_start().split_once('('))
        else {
            continue;
        };
        let nth = counts.entry(name.to_owned()).or_default();
        *nth += 1;
        if line.contains(&folder) && CALLS.split(',').any(|call| call == name) {
            operations.push((name.to_owned(), *nth));
        }
    }
    operations
}

#[test]
fn a_kill_at_any_file_operation_is_healed_by_the_same_rotation() {
    if !there_is_strace() {
        return;
    }
    let operations = file_operations();
    let named = |name: &str| operations.iter().filter(|(call, _)| call.starts_with(name)).count();
    assert!(named("rename") >= 3 && named("write") >= 4 && named("fsync") >= 3, "{operations:?}");
    let mut killed = 0;
    for (call, nth) in &operations {
        let mut machine = machine("outputs.json");
        let inject = format!("inject={call}:signal=KILL:when={nth}");
        let status = traced(&machine, &["-e", &format!("trace={CALLS}"), "-e", &inject])
            .status()
            .expect("strace runs");
        killed += usize::from(!status.success());
        heals(&mut machine, &format!("killed at {call} {nth}"));
    }
    assert!(killed * 10 >= operations.len() * 9, "{killed} of {} were killed", operations.len());
}

/// The same rotation again, undisturbed and with `duplicates: revoke`.
fn heals(machine: &mut Machine, place: &str) {
    let stored = machine.read("refresh-token");
    assert!(machine.emulator.refresh_token_is_valid(&stored), "{place}: the store holds no good token");
    assert_whole(&machine.path("outputs.json"), place);
    for file in left_over(machine.folder.path()) {
        assert_eq!(support::mode(&file), 0o600, "{place}: what a kill leaves is its owner's alone");
        // The output file has no lock by which another run could know that nobody is still at work on this one.
        if std::fs::read_to_string(&file).is_ok_and(|text| text.is_empty() || text.starts_with('{')) {
            std::fs::remove_file(file).expect("removed");
        }
    }
    machine.input("duplicates", "revoke");
    machine.run().expect(0);
    assert!(left_over(machine.folder.path()).is_empty(), "{place}: a secret is left beside its file");
    let alive = machine.active("nightly");
    assert_eq!(alive.len(), 1, "{place}");
    let value = &alive[0].value;
    for file in ["GITHUB_OUTPUT", "GITHUB_ENV", "deliver-to", "outputs.json"] {
        assert!(machine.read(file).contains(value), "{place}: {file} does not hold the PAT that lives");
    }
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")), "{place}");
}

/// A file is whole or not there.
fn assert_whole(path: &Path, place: &str) {
    if let Ok(text) = std::fs::read_to_string(path) {
        let json: Result<serde_json::Value, _> = serde_json::from_str(&text);
        assert!(json.is_ok(), "{place}: {text}");
    }
}

/// The files that were going to be renamed.
fn left_over(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder").flatten();
    let of_ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".adopat-"));
    of_ours.map(|entry| entry.path()).collect()
}

#[rstest]
#[case::refresh_token("refresh-token")]
#[case::pat("deliver-to")]
fn a_file_that_cannot_be_synced_or_renamed_keeps_what_it_held(
    #[case] file: &str,
    #[values("fsync:error=EIO", "rename:error=EIO", "write:error=ENOSPC")] fault: &str,
) {
    if !there_is_strace() {
        return;
    }
    let machine = machine("outputs.json");
    std::fs::write(machine.path("deliver-to"), "former").expect("written");
    let former = machine.read(file);
    let operations = file_operations();
    let call = fault.split(':').next().expect("a call");
    // The first of its kind is the credential store's, the second that of the store which receives the PAT.
    let at: Vec<_> = operations.iter().filter(|(name, _)| name.starts_with(call)).collect();
    let (name, nth) = if file == "refresh-token" { at[0] } else { at[if call == "fsync" { 2 } else { 1 }] };
    let inject = format!("inject={name}:{}:when={nth}", fault.split_once(':').expect("an error").1);
    let output =
        traced(&machine, &["-e", &format!("trace={CALLS}"), "-e", &inject]).output().expect("strace runs");
    let words =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(7) {
        assert_eq!(machine.read(file), former, "{words}");
        assert_eq!(machine.active("nightly").len(), 1, "{words}");
        assert!(!machine.read("GITHUB_OUTPUT").contains("token<<"), "{words}");
    } else {
        assert_eq!(output.status.code(), Some(0), "{words}");
    }
    assert!(left_over(machine.folder.path()).is_empty(), "{words}");
}
