//! SIGKILL at every file operation of a run; the same rotation again, with `duplicates: revoke`, ends with exactly
//! one active PAT: the one delivered last. With `revoke-on-completion` the job's last step alone leaves none. SIGINT
//! and SIGTERM at the same places leave nothing over at all.
//!
//! `strace --inject` stops the real binary at the system call itself: nothing sleeps, and nothing in the product
//! knows of it. Where there is no strace these tests say so and pass.
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};

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

/// What runs while a signal comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Job {
    /// A rotation of the one PAT of that name.
    Rotation,
    /// A rotation of the newest of three, which retires them all.
    RotationOfDuplicates,
    /// There is no PAT of that name yet.
    Creation,
}

impl Job {
    /// A machine on which it is about to run, with every way to deliver at once.
    fn machine(self, output: &str) -> Machine {
        let mut machine = Machine::new(Host::GitHub, if self == Job::Creation { "create" } else { "rotate" });
        let store = machine.file("deliver-to");
        machine.input("display-name", "nightly").input("deliver-to", store).input("variable", "FEED_PAT");
        let file = machine.path(output);
        machine.input("output-file", file).input("if-missing", "create").input("scope", "vso.code");
        let there = match self {
            Job::Creation => 0,
            Job::Rotation => 1,
            Job::RotationOfDuplicates => 3,
        };
        (0..there).for_each(|_| drop(machine.emulator.add_pat(NewPat::named("nightly"))));
        if self == Job::RotationOfDuplicates {
            machine.input("duplicates", "revoke");
        }
        machine
    }

    /// The [file operations](file_operations) of a healthy run.
    fn file_operations(self) -> Vec<(String, usize)> {
        let operations = file_operations(&self.machine("outputs.json"));
        let named = |name: &str| operations.iter().filter(|(call, _)| call.starts_with(name)).count();
        assert!(named("rename") >= 3 && named("write") >= 4 && named("fsync") >= 3, "{operations:?}");
        operations
    }
}

/// Which of the calls of each name touch a file of the machine's folder, in a healthy run: `(name, nth)`.
fn file_operations(machine: &Machine) -> Vec<(String, usize)> {
    let output = traced(machine, &["-y", "-e", &format!("trace={CALLS}")]).output().expect("strace runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = machine.read("strace.log");
    let folder = machine.folder.path().to_str().expect("text").to_owned();
    let here = format!("AT_FDCWD<{folder}>");
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
        // With `-y` every call names the folder that the run is in.
        if line.replace(&here, "").contains(&folder) && CALLS.split(',').any(|call| call == name) {
            operations.push((name.to_owned(), *nth));
        }
    }
    operations
}

/// Runs with this signal at the nth call of that name. Whether strace got to send it shows in the exit status.
fn run_with_signal_at(machine: &Machine, signal: &str, (call, nth): &(String, usize)) -> Output {
    let inject = format!("inject={call}:signal={signal}:when={nth}");
    traced(machine, &["-e", &format!("trace={CALLS}"), "-e", &inject]).output().expect("strace runs")
}

#[rstest]
fn a_kill_at_any_file_operation_is_healed_by_the_same_rotation(
    #[values(Job::Rotation, Job::RotationOfDuplicates, Job::Creation)] job: Job,
) {
    if !there_is_strace() {
        return;
    }
    let operations = job.file_operations();
    let mut killed = 0;
    for operation in &operations {
        let mut machine = job.machine("outputs.json");
        killed += usize::from(!run_with_signal_at(&machine, "KILL", operation).status.success());
        machine.run_as("rotate");
        heals(&mut machine, &format!("{job:?} killed at {operation:?}"));
    }
    assert!(killed * 10 >= operations.len() * 9, "{killed} of {} were killed", operations.len());
}

/// A machine that applies a manifest of three: a PAT that is missing, one that is due, and one that is as it should be.
fn applying() -> Machine {
    let mut machine = Machine::new(Host::Generic, "apply");
    let now = machine.emulator.now();
    machine.emulator.add_pat(NewPat::named("due").valid_to(now + std::time::Duration::from_secs(3600)));
    let fine = machine.emulator.add_pat(NewPat::named("fine"));
    std::fs::write(machine.path("fine.pat"), fine.value).expect("written");
    let entry = |name: &str| {
        format!("  - {{ display-name: {name}, scope: vso.code, deliver-to: 'file:{name}.pat' }}\n")
    };
    let entries: String = ["missing", "due", "fine"].map(entry).concat();
    machine.input("manifest", format!("version: 1\npats:\n{entries}")).input("parallel", "1");
    machine
}

#[test]
fn a_kill_at_any_file_operation_of_apply_is_healed_by_running_it_again() {
    if !there_is_strace() {
        return;
    }
    let operations = file_operations(&applying());
    let mut killed = 0;
    for operation in &operations {
        let machine = applying();
        killed += usize::from(!run_with_signal_at(&machine, "KILL", operation).status.success());
        let place = format!("killed at {operation:?}");
        assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")), "{place}");
        machine.run().expect(0);
        assert!(left_over(machine.folder.path()).is_empty(), "{place}: a secret is left beside its file");
        for name in ["missing", "due", "fine"] {
            let [only] = <[_; 1]>::try_from(machine.active(name)).expect("one PAT of each name");
            assert_eq!(machine.read(&format!("{name}.pat")), only.value, "{place}: {name}");
        }
    }
    assert!(killed * 10 >= operations.len() * 9, "{killed} of {} were killed", operations.len());
}

#[rstest]
fn after_a_kill_at_any_file_operation_the_last_step_alone_leaves_nothing(
    #[values(Job::Rotation, Job::Creation)] job: Job,
) {
    if !there_is_strace() {
        return;
    }
    let completing = || {
        let mut machine = job.machine("outputs.json");
        machine.input("revoke-on-completion", "true").set("ADOPAT_LAUNCHER", "1");
        machine
    };
    for operation in &job.file_operations() {
        let mut machine = completing();
        let before = machine.active("nightly");
        run_with_signal_at(&machine, "KILL", operation);
        // What a kill leaves of the files is the concern of the test above.
        left_over(machine.folder.path()).iter().for_each(|file| std::fs::remove_file(file).expect("removed"));
        let states = support::github_runner::pairs(&machine.read("GITHUB_STATE")).expect("pairs");
        for (name, value) in states {
            machine.set(&format!("STATE_{name}"), value);
        }
        machine.run_as("complete").run().expect(0);
        let left = machine.active("nightly");
        let new =
            left.iter().any(|pat| before.iter().all(|old| old.authorization_id != pat.authorization_id));
        assert!(!new, "killed at {operation:?}, and the last step has left a PAT alive: {left:?}");
    }
}

#[rstest]
fn a_cancellation_at_any_file_operation_leaves_nothing_over(
    #[values(Job::Rotation, Job::RotationOfDuplicates, Job::Creation)] job: Job,
    #[values(("INT", 130), ("TERM", 143))] signal: (&str, i32),
) {
    if !there_is_strace() {
        return;
    }
    let mut cancelled = 0;
    for operation in &job.file_operations() {
        let machine = job.machine("outputs.json");
        let before: Vec<_> = machine.active("nightly").iter().map(|pat| pat.authorization_id).collect();
        let output = run_with_signal_at(&machine, signal.0, operation);
        let place = format!("{job:?}, SIG{} at {operation:?}", signal.0);
        let active = machine.active("nightly");
        let stored = machine.read("refresh-token");
        assert!(machine.emulator.refresh_token_is_valid(&stored), "{place}: the store holds no good token");
        assert!(left_over(machine.folder.path()).is_empty(), "{place}: a file is left over");
        if output.status.success() {
            let [only] = active.as_slice() else { panic!("{place}: {active:?}") };
            assert!(!before.contains(&only.authorization_id), "{place}: the new one lives");
            for file in ["GITHUB_OUTPUT", "GITHUB_ENV", "deliver-to", "outputs.json"] {
                assert!(machine.read(file).contains(&only.value), "{place}: {file} does not hold it");
            }
        } else {
            cancelled += 1;
            assert_eq!(output.status.code(), Some(signal.1), "{place}");
            let active: Vec<_> = active.iter().map(|pat| pat.authorization_id).collect();
            assert_eq!(active, before, "{place}: the old ones, and none beside them");
            for file in ["GITHUB_OUTPUT", "GITHUB_ENV", "deliver-to", "outputs.json"] {
                assert_eq!(machine.read(file), "", "{place}: {file} holds something");
            }
        }
    }
    assert!(cancelled > 0, "no run was cancelled");
}

/// The same rotation again, undisturbed and with `duplicates: revoke`.
fn heals(machine: &mut Machine, place: &str) {
    let stored = machine.read("refresh-token");
    assert!(machine.emulator.refresh_token_is_valid(&stored), "{place}: the store holds no good token");
    assert_whole(&machine.path("outputs.json"), place);
    for file in left_over(machine.folder.path()) {
        assert_eq!(support::mode(&file), 0o600, "{place}: what a kill leaves is its owner's alone");
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
    let machine = Job::Rotation.machine("outputs.json");
    std::fs::write(machine.path("deliver-to"), "former").expect("written");
    let former = machine.read(file);
    let operations = Job::Rotation.file_operations();
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
