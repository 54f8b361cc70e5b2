//! The container image is the binary and nothing else. What `Dockerfile` lays out is laid out here, and run in
//! a chroot: no shell, no libc, no CA files, no resolv.conf, as a user without a name.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use support::BINARY;

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
fn the_program_runs_where_there_is_nothing_else() {
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
