//! The completion scripts, in the shells that they are for: Tab is pressed, and what the shell makes of the line is
//! what counts.
#![cfg(unix)]

mod support;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rstest::rstest;
use tempfile::TempDir;

/// What is typed before Tab, and the last word after it; `None` if nothing may be offered.
const LINES: [(&str, Option<&str>); 22] = [
    ("adopat rot", Some("rotate")),
    ("adopat comp", Some("completions")),
    ("adopat help rot", Some("rotate")),
    ("adopat completions pow", Some("powershell")),
    ("adopat list --fil", Some("--filter")),
    ("adopat list --filter exp", Some("expired")),
    ("adopat list --filter=exp", Some("--filter=expired")),
    ("adopat list --organization fabrikam --filter rev", Some("revoked")),
    ("adopat list --renew", None),
    ("adopat rotate --renew", Some("--renew-within")),
    ("adopat create --organization fabrikam --organ", None),
    ("adopat create --scope vso.code --sco", Some("--scope")),
    ("adopat create --dry", Some("--dry-run")),
    ("adopat create --dry-run --organ", Some("--organization")),
    ("adopat login --credential brow", Some("browser")),
    ("adopat list --credential brow", None),
    ("adopat list --refresh", None),
    ("adopat list --client-sec", None),
    ("adopat list --display-name fabri", None),
    ("adopat login --credential-store file:tok", Some("file:token")),
    ("adopat get --output-file tok", Some("token")),
    ("adopat exec --scope vso.code -- printen", Some("printenv")),
];

fn script(shell: &str, folder: &Path) {
    let made = Command::new(support::BINARY).args(["completions", shell]).env_clear().output();
    let made = made.expect("the binary starts");
    assert!(made.status.success());
    std::fs::write(folder.join("script"), made.stdout).expect("written");
    std::fs::write(folder.join("token"), "").expect("written");
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("TERM", "xterm");
    command.env("HOME", folder).current_dir(folder);
    command
}

fn is_here(shell: &str) -> bool {
    let started = Command::new(shell).arg("--version").stdout(Stdio::null()).status();
    if started.is_err() {
        println!("skipped: completions: there is no {shell} on this machine");
    }
    started.is_ok()
}

/// The shell at a terminal, where `adopat` prints the words that it is started with.
struct Session {
    keyboard: std::fs::File,
    screen: mpsc::Receiver<u8>,
    shell: std::process::Child,
}

impl Session {
    fn open(mut shell: Command, preparation: &str) -> Self {
        let (ours, theirs) = support::terminal();
        let stream = || Stdio::from(theirs.try_clone().expect("a terminal"));
        let shell =
            shell.stdin(stream()).stdout(stream()).stderr(stream()).spawn().expect("the shell starts");
        let (print, screen) = mpsc::channel();
        let reader = std::io::BufReader::new(ours.try_clone().expect("a terminal"));
        std::thread::spawn(move || {
            reader.bytes().map_while(Result::ok).try_for_each(|byte| print.send(byte))
        });
        let mut session = Self { keyboard: ours, screen, shell };
        session.type_in(&format!(
            "{preparation}\nadopat() {{ printf '<%s>' \"$@\"; echo '<''end>'; }}\nadopat\n"
        ));
        session.wait_for_end();
        session
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("typed");
    }

    /// What is printed up to the mark that every `adopat` prints.
    fn wait_for_end(&self) -> String {
        let mut shown = Vec::new();
        while !shown.ends_with(b"<end>") {
            match self.screen.recv_timeout(Duration::from_secs(60)) {
                Ok(byte) => shown.push(byte),
                Err(_) => panic!("the shell does not go on after:\n{}", String::from_utf8_lossy(&shown)),
            }
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// The last word of a line after Tab.
    fn complete(&mut self, line: &str) -> String {
        self.type_in(&format!("{line}\t\n"));
        let shown = self.wait_for_end();
        let words = shown.rsplit('\n').next().unwrap_or_default().trim_end_matches("<end>");
        words.trim_end_matches('>').rsplit('<').next().unwrap_or_default().to_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[rstest]
#[case::bash("bash", &["--norc", "--noprofile", "-i"], "bind 'set enable-bracketed-paste off'; source ./script")]
#[case::zsh("zsh", &["-f", "-i"], "unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source ./script")]
fn tab_completes_the_line(#[case] shell: &str, #[case] arguments: &[&str], #[case] preparation: &str) {
    if !is_here(shell) {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    script(shell, folder.path());
    let mut command = command(shell, folder.path());
    command.args(arguments);
    let mut session = Session::open(command, preparation);
    for (line, expected) in LINES {
        let typed = line.rsplit(' ').next().expect("a word");
        assert_eq!(session.complete(line), expected.unwrap_or(typed), "{line}");
    }
}

#[test]
fn fish_completes_the_line() {
    if !is_here("fish") {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    script("fish", folder.path());
    for (line, expected) in LINES {
        let mut command = command("fish", folder.path());
        let asked =
            command.args(["--no-config", "-c", "source ./script; complete -C $argv[1]", line]).output();
        let asked = asked.expect("fish starts");
        let offered = String::from_utf8(asked.stdout).expect("text");
        let offered: Vec<&str> =
            offered.lines().map(|line| line.split('\t').next().expect("a word")).collect();
        assert_eq!(
            offered,
            expected.into_iter().collect::<Vec<_>>(),
            "{line}\n{}",
            String::from_utf8_lossy(&asked.stderr)
        );
    }
}
