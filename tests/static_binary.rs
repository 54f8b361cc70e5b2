//! One static binary: it needs no other file of the system it runs on, and keeps its memory to itself.
#![cfg(target_os = "linux")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use adopat_emulator::{Emulator, Fault, Service};
use support::{BINARY, Host, Machine};

/// The kinds of program header of an ELF file that matter here (`elf.h`).
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

/// The kinds of a 64-bit little-endian ELF file's program headers.
fn program_headers(elf: &[u8]) -> Vec<u32> {
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "a 64-bit little-endian ELF file");
    let number = |at: usize, width: usize| {
        let bytes = elf[at..at + width].iter().rev();
        bytes.fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    // e_phoff, e_phentsize, e_phnum
    let (start, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    let kinds = (0..count).map(|index| number(start + index * size, 4));
    kinds.map(|kind| u32::try_from(kind).expect("four bytes")).collect()
}

#[test]
fn it_is_linked_statically() {
    let kinds = program_headers(&fs::read(BINARY).expect("the binary"));
    assert!(kinds.contains(&1), "it is loaded: {kinds:?}");
    assert!(!kinds.contains(&PT_INTERP), "it asks for no dynamic linker: {kinds:?}");
    assert!(kinds.contains(&PT_DYNAMIC), "and can be placed anywhere (static-pie): {kinds:?}");
    // The reader does find one where there is one.
    if let Ok(dynamic) = fs::read("/bin/sh") {
        assert!(program_headers(&dynamic).contains(&PT_INTERP));
    }
}

/// Another program in the environment that the machine gives.
fn like_the_machines(machine: &Machine, program: impl AsRef<OsStr>) -> Command {
    let own = machine.command();
    let environment = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut command = Command::new(program);
    command.env_clear().envs(environment).current_dir(machine.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Puts the binary into the machine's folder.
fn copy_binary(machine: &Machine) {
    fs::copy(BINARY, machine.path("adopat")).expect("copied");
    fs::set_permissions(machine.path("adopat"), fs::Permissions::from_mode(0o755)).expect("ours");
}

/// A machine whose root folder holds the binary, a folder for its files, and nothing else.
struct Empty {
    machine: Machine,
}

impl Empty {
    /// `None` if this process may not change its root folder.
    fn with(emulator: Emulator, test: &str) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            println!("skipped: {test}: only root may change the root folder");
            return None;
        }
        let mut machine = Machine::with(emulator, Host::Generic, "create");
        copy_binary(&machine);
        machine
            .input("credential-store", "file:/refresh-token")
            .input("display-name", "nightly")
            .input("scope", "vso.packaging")
            .input("output-file", "/pat")
            .input("output-format", "token");
        Some(Self { machine })
    }

    /// Runs the binary with that folder as its root.
    fn run(&self) -> support::Ended {
        for absent in ["etc", "bin", "lib", "lib64", "usr", "proc", "dev", "tmp"] {
            assert!(!self.machine.path(absent).exists(), "there is no /{absent}");
        }
        let mut command = like_the_machines(&self.machine, "/usr/sbin/chroot");
        command.arg(self.machine.path("")).args(["/adopat", "create"]);
        self.machine.wait(command.spawn().expect("it starts"))
    }

    /// The one PAT there is was delivered.
    fn has_delivered(&self) {
        let [pat] = self.machine.active("nightly").try_into().expect("one PAT");
        assert_eq!(self.machine.read("pat").trim_end(), pat.value);
    }
}

#[test]
fn it_works_where_there_is_no_other_file() {
    let Some(empty) = Empty::with(Emulator::start(), "it_works_where_there_is_no_other_file") else { return };
    empty.run().expect(0);
    empty.has_delivered();
}

#[test]
fn it_trusts_the_authority_it_is_given_where_the_system_has_none() {
    let emulator = Emulator::builder().tls(true).start();
    let test = "it_trusts_the_authority_it_is_given_where_the_system_has_none";
    let Some(mut empty) = Empty::with(emulator, test) else { return };
    fs::write(empty.machine.path("ca.pem"), empty.machine.emulator.ca_pem()).expect("an authority");
    empty.machine.set("SSL_CERT_FILE", "/ca.pem");
    empty.run().expect(0);
    empty.has_delivered();
}

#[test]
fn without_that_authority_its_own_roots_are_loaded_and_say_no() {
    let emulator = Emulator::builder().tls(true).start();
    let test = "without_that_authority_its_own_roots_are_loaded_and_say_no";
    let Some(empty) = Empty::with(emulator, test) else { return };
    empty.run().expect(6).says("certificate").says("SSL_CERT_FILE");
    assert!(empty.machine.emulator.requests().is_empty(), "nothing was asked of a stranger");
}

/// A file of this name in the folders of programs.
fn program(name: &str) -> Option<std::path::PathBuf> {
    let folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].into_iter();
    folders.map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

#[test]
fn a_name_is_asked_of_this_machine_alone_where_no_name_server_is_configured() {
    let test = "a_name_is_asked_of_this_machine_alone_where_no_name_server_is_configured";
    let (Some(strace), Some(unshare)) = (program("strace"), program("unshare")) else {
        println!("skipped: {test}: it needs strace and unshare");
        return;
    };
    let Some(mut empty) = Empty::with(Emulator::start(), test) else { return };
    empty.machine.set("ADOPAT_AUTHORITY_HOST", "https://login.microsoftonline.com");
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    // In a network of its own, which nothing leaves.
    let mut command = like_the_machines(&empty.machine, unshare);
    command.arg("--net").arg(strace);
    command.args(["-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"]).arg(&trace);
    command.arg("/usr/sbin/chroot").arg(empty.machine.path("")).args(["/adopat", "create"]);
    let ended = empty.machine.wait(command.spawn().expect("it starts"));
    let sent = fs::read_to_string(trace).unwrap_or_default();
    if sent.is_empty() {
        println!("skipped: {test}: this process may trace no other, or has no network of its own");
        return;
    }
    ended.expect(6).says("login.microsoftonline.com").says("there is no /etc/resolv.conf");
    let places = ["inet_addr(\"", "inet_pton(AF_INET6, \""].into_iter();
    let places = places.flat_map(|before| sent.split(before).skip(1));
    let places: Vec<std::net::IpAddr> =
        places.map(|rest| rest.split('"').next().expect("a part").parse().expect("an address")).collect();
    assert!(sent.contains("htons(53)"), "it does ask:\n{sent}");
    assert!(places.iter().all(std::net::IpAddr::is_loopback), "{places:?}");
}

#[test]
fn its_memory_is_nobody_elses() {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.packaging");
    let hold = machine.emulator.order(Fault::on(Service::Pats).hold_before());
    let mut command = machine.command();
    if rustix::process::getuid().is_root() {
        // Root may look into anything: the question is what another user's process shows.
        command = as_another(&machine);
    }
    let run = command.spawn().expect("the binary starts");
    assert!(hold.wait_until_held(Duration::from_secs(30)), "it is under way");
    let proc = format!("/proc/{}", run.id());
    let (limits, status) =
        (fs::read_to_string(format!("{proc}/limits")), fs::read_to_string(format!("{proc}/status")));
    let environment = fs::metadata(format!("{proc}/environ"));
    hold.release();
    machine.wait(run).expect(0);

    let limits = limits.expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "no core dump: {core}");
    let status = status.expect("a status");
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next());
    assert_ne!(user, Some("0"), "it does not run as root");
    // The kernel gives these files to root where a process may not be dumped (proc(5)).
    assert_eq!(environment.expect("an environment").uid(), 0, "not even its own user may look into it");
}

/// The run, as a user who has no name and owns what the job has.
fn as_another(machine: &Machine) -> Command {
    const NOBODY: u32 = 65_534;
    copy_binary(machine);
    chown(machine.path(""), Some(NOBODY), None).expect("root may");
    for entry in fs::read_dir(machine.path("")).expect("the folder").flatten() {
        chown(entry.path(), Some(NOBODY), None).expect("root may");
    }
    let mut command = like_the_machines(machine, machine.path("adopat"));
    command.arg("create").uid(NOBODY);
    command
}

/// What stands after an instruction of the Dockerfile.
fn instruction(name: &str) -> String {
    let file =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).expect("Dockerfile");
    let found: Vec<&str> =
        file.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).collect();
    assert_eq!(found.len(), 1, "one {name} in the Dockerfile");
    found[0].to_owned()
}

#[test]
fn the_image_holds_it_alone_and_runs_it_as_nobody() {
    assert_eq!(instruction("FROM"), "scratch");
    let copy = instruction("COPY");
    let target = copy.rsplit(' ').next().expect("a target");
    assert!(copy.starts_with("--chmod=0755 "));
    let [entry]: [String; 1] = serde_json::from_str(&instruction("ENTRYPOINT")).expect("one word");
    assert_eq!(entry, target, "the entry point is the one file");
    let user = instruction("USER");
    assert!(!user.starts_with('0'), "not root");

    let root = tempfile::tempdir().expect("a folder");
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    let program = root.path().join(target.trim_start_matches('/'));
    fs::copy(BINARY, &program).expect("copied");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("ours");
    assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 1, "nothing else is there");

    // Only root may change the root folder; elsewhere a user namespace lends the right.
    let mut command = if rustix::process::getuid().is_root() {
        let mut command = Command::new("chroot");
        command.arg(format!("--userspec={user}"));
        command
    } else {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "chroot"]);
        command
    };
    command.arg(root.path()).arg(&entry).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = command.arg("--version").output().expect("chroot starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(env!("CARGO_PKG_VERSION")), "{said}");
}
