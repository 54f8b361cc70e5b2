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
    let names = std::fs::read_dir(machine.path("")).expect("a folder").flatten();
    let mut names: Vec<_> = names.map(|entry| entry.file_name().into_string().expect("text")).collect();
    names.sort();
    assert_eq!(names, ["deliver-to", "outputs.json", "refresh-token"], "nothing that nobody asked for");
}

const IN_CLEAR: &str = "lies there in clear text";

#[rstest]
fn a_refresh_token_in_a_file_without_a_key_is_said_to_be_in_clear_text_once(
    #[values(Host::Generic, Host::GitHub, Host::Azure)] host: Host,
    #[values("create", "rotate", "get", "list", "update", "revoke", "exec", "doctor")] operation: &str,
) {
    let mut machine = Machine::new(host, operation);
    let output = machine.path("outputs.json");
    if operation == "exec" {
        machine.arguments(&["exec", "--", "true"]).set("PATH", "/usr/bin:/bin");
    } else {
        machine.input("output-file", output);
    }
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.input("display-name", "nightly").input("scope", "vso.code");
    let ended = machine.run();
    ended.expect(0);
    // doctor's output tells it to a program.
    let words = ended.words();
    let lines = words.lines().filter(|line| !line.contains("variable=checks")).collect::<Vec<_>>().join("\n");
    assert_eq!(lines.matches(IN_CLEAR).count(), 1, "{}", ended.words());
    assert!(!ended.stdout.contains("::warning::") && !ended.stdout.contains("type=warning"));
}

#[test]
fn nothing_is_said_of_clear_text_where_there_is_none() {
    let mut machine = Machine::new(Host::Generic, "list");
    let seed = machine.read("refresh-token");
    std::fs::remove_file(machine.store()).expect("removed");
    machine.input("refresh-token", &seed).input("store-key", "a passphrase of contoso");
    for _ in 0..2 {
        let ended = machine.run();
        assert!(!ended.expect(0).words().contains(IN_CLEAR), "{}", ended.words());
    }
    // An access token is stored nowhere, and the file is not even read.
    let token = machine.emulator.access_token(adopat_emulator::cast::PERSON);
    machine.without("store-key").without("refresh-token").input("access-token", token);
    machine.input("credential", "access-token");
    let ended = machine.run();
    assert!(!ended.expect(0).words().contains(IN_CLEAR), "{}", ended.words());
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

/// The inputs that name a file which is to hold a secret.
const FILES: [&str; 3] = ["credential-store", "deliver-to", "output-file"];

/// Has this input name this path; the others name files of the machine's own.
fn name_in(machine: &mut Machine, input: &str, path: &Path) {
    let seed = machine.read("refresh-token");
    machine.input("refresh-token", seed);
    let scheme = if input == "output-file" { "" } else { "file:" };
    machine.input(input, format!("{scheme}{}", path.display()));
}

/// The run is refused before anything is sent, and what was at the path is still there.
#[track_caller]
fn refused(machine: &Machine, input: &str, why: &str) {
    machine.run().expect(2).says(input).says(why);
    assert!(machine.calls().is_empty());
}

#[rstest]
fn a_link_of_ones_own_is_followed_and_stays(
    #[values("credential-store", "deliver-to", "output-file")] input: &str,
    #[values(true, false)] is_there: bool,
    #[values("link", "folder/file", "chain")] path: &str,
) {
    let mut machine = delivering();
    let folder = machine.path("here");
    std::fs::create_dir_all(folder.join("far")).expect("made");
    symlink("far/file", folder.join("link")).expect("linked");
    symlink("far", folder.join("folder")).expect("linked");
    symlink("folder/file", folder.join("chain")).expect("linked");
    if is_there {
        std::fs::write(folder.join("far/file"), "").expect("written");
    }
    let named = folder.join(path);
    name_in(&mut machine, input, &named);
    machine.run().expect(0);
    let file = folder.join("far/file");
    assert!(std::fs::symlink_metadata(&file).expect("there").is_file());
    assert_eq!(mode(&file), 0o600);
    assert!(!machine.read("here/far/file").is_empty());
    for link in ["link", "folder", "chain"] {
        assert!(folder.join(link).is_symlink(), "{link} stays");
    }
    assert!(folder.join("far").read_dir().expect("a folder").flatten().all(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name == "file"
    }));
}

#[rstest]
fn a_link_that_another_user_could_have_made_is_refused_and_what_it_leads_to_left_alone(
    #[values("credential-store", "deliver-to", "output-file")] input: &str,
    #[values("link", "folder/file", "through")] path: &str,
) {
    let mut machine = delivering();
    let folder = shared(&machine);
    std::fs::create_dir(machine.path("mine")).expect("made");
    std::fs::write(machine.path("mine/file"), "theirs").expect("written");
    symlink("../mine/file", folder.join("link")).expect("linked");
    symlink("../mine", folder.join("folder")).expect("linked");
    // A link of ones own that leads to one of anybody's.
    symlink("shared/link", machine.path("through")).expect("linked");
    let named = if path == "through" { machine.path(path) } else { folder.join(path) };
    name_in(&mut machine, input, &named);
    refused(&machine, input, "other users can write");
    assert_eq!(machine.read("mine/file"), "theirs");
}

#[rstest]
fn what_is_no_regular_file_is_refused_before_anything_is_sent(
    #[values("credential-store", "deliver-to", "output-file")] input: &str,
    #[values("fifo", "device", "full", "folder", "slash", "socket", "stdout", "linked fifo")] kind: &str,
) {
    let mut machine = delivering();
    let path = machine.path("place");
    let _socket = match kind {
        "fifo" | "linked fifo" => {
            assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
            symlink("place", machine.path("linked")).expect("linked");
            None
        }
        "folder" => {
            std::fs::create_dir(&path).expect("made");
            None
        }
        "socket" => Some(std::os::unix::net::UnixListener::bind(&path).expect("bound")),
        _ => None,
    };
    let named = match kind {
        "device" => "/dev/null".into(),
        "full" => "/dev/full".into(),
        "stdout" => "/dev/stdout".into(),
        "slash" => machine.path("none/"),
        "linked fifo" => machine.path("linked"),
        _ => path.clone(),
    };
    name_in(&mut machine, input, &named);
    let before = std::fs::symlink_metadata(&named).map(|about| about.file_type()).ok();
    refused(&machine, input, &named.display().to_string());
    let after = std::fs::symlink_metadata(&named).map(|about| about.file_type()).ok();
    assert_eq!(before, after);
}

#[rstest]
fn two_names_of_one_file_are_one_store(
    #[values((0, 1), (0, 2), (1, 2))] pair: (usize, usize),
    #[values("link", "hard", "folder/file", "./file", "far/../file", "mounted/file")] other: &str,
    #[values(true, false)] is_there: bool,
) {
    if other == "hard" && !is_there {
        return;
    }
    let mut machine = delivering();
    symlink("file", machine.path("link")).expect("linked");
    symlink(".", machine.path("folder")).expect("linked");
    std::fs::create_dir(machine.path("far")).expect("made");
    std::fs::create_dir(machine.path("mounted")).expect("made");
    if is_there {
        std::fs::write(machine.path("file"), "").expect("written");
        std::fs::hard_link(machine.path("file"), machine.path("hard")).expect("linked");
    }
    let (one, two) = (machine.path("file"), machine.path("").join(other));
    name_in(&mut machine, FILES[pair.0], &one);
    name_in(&mut machine, FILES[pair.1], &two);
    if other != "mounted/file" {
        machine.run().expect(2);
    } else {
        // A mount that only this run sees.
        let own = machine.command();
        let mut command = Command::new("unshare");
        let script =
            format!("mount --bind '{0}' '{0}/mounted' || exit 99; exec \"$@\"", machine.path("").display());
        command.args(["--mount", "/bin/sh", "-c", &script, "sh"]).arg(own.get_program()).args(own.get_args());
        command.env_clear().envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        let output = command.output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(99) || errors.starts_with("unshare:") {
            println!("skipped: nothing can be mounted here: {errors}");
            return;
        }
        assert_eq!(output.status.code(), Some(2), "{errors}");
    }
    assert!(machine.calls().is_empty());
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
