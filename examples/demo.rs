//! `cargo run --release --example demo`: the life of a PAT, as GitHub Actions and Azure Pipelines would run it.
//!
//! Builds the real binary, starts Microsoft Entra and the PAT service on loopback (the emulator), runs the binary
//! step by step with the environment that each host gives its steps, and shows what the host's log would show.
//! Nothing leaves this machine.

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use adopat_emulator::{DeviceCodePolicy, Emulator, cast};

#[path = "demo/binary.rs"]
mod binary;
#[path = "demo/feed.rs"]
mod feed;
#[path = "demo/job.rs"]
mod job;
#[path = "demo/log.rs"]
mod log;
#[path = "demo/page.rs"]
mod page;

use job::{Host, Job};
use page::Page;

/// The name of the PAT in the story.
const NAME: &str = "nightly";

fn main() -> ExitCode {
    // The command that `adopat exec` runs in this story is this program again.
    let mut arguments = std::env::args().skip(1);
    if let (Some("download"), Some(feed)) = (arguments.next().as_deref(), arguments.next()) {
        return feed::download(&feed);
    }
    let binary = match binary::build() {
        Ok(binary) => binary,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let emulator = Emulator::start();
    // Nobody here needs the five seconds that Entra gives a person between two questions.
    let interval = Duration::from_secs(1);
    emulator.set_device_code_policy(DeviceCodePolicy { interval, ..DeviceCodePolicy::default() });
    let mut page = Page::default();
    introduce(&mut page, &binary, &emulator);
    for host in [Host::GitHubActions, Host::AzurePipelines] {
        page.title(host.name());
        let mut job = Job::new(host, &binary, &emulator);
        sign_in(&mut page, &mut job);
        live(&mut page, &mut job);
    }
    close(&mut page, &emulator)
}

fn introduce(page: &mut Page, binary: &std::path::Path, emulator: &Emulator) {
    page.title("What this is");
    page.text(&format!(
        "The binary: {}\n{}\
         Microsoft Entra and the PAT service are emulated on this machine, at {} and {}.",
        binary.display(),
        version(binary),
        emulator.entra_url(),
        emulator.service_url(),
    ));
    page.text(
        "Lines with a bar are what the host's own log would show: commands to the host are not shown, and every secret \
         it was told of is ***. A line with an arrow is a request that the services received.",
    );
}

fn version(binary: &std::path::Path) -> String {
    let size = std::fs::metadata(binary).map_or(0, |file| file.len());
    let said = Command::new(binary).arg("--version").stdin(Stdio::null()).output();
    let said =
        said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!("It says '{said}', is {:.1} MB, and is the only file there is.\n", size as f64 / 1e6)
}

/// A person, once. Everything after it signs in by the refresh token that this leaves.
fn sign_in(page: &mut Page, job: &mut Job<'_>) {
    page.heading("Signed in once, by a person");
    page.text(
        "No refresh token is stored yet. With 'credential: device-code' the log says where to sign in and the run waits; \
         here somebody does so at once. ('adopat login' on your own machine does the same, before any job runs.)",
    );
    let emulator = job.emulator();
    let listed = std::thread::scope(|scope| {
        scope.spawn(|| {
            let code = emulator.wait_for_device_code(Duration::from_secs(60)).expect("the log shows a code");
            emulator.approve_device_code(&code, cast::PERSON);
        });
        job.step("list", &[("credential", "device-code")])
    });
    listed.show(page);
    page.check(
        emulator.refresh_token_is_valid(&job.stored()),
        "The refresh token rests in a file that only its owner can read.",
    );
    page.text(
        "\nEvery step below signs in with it. Each time Entra answers with a new one, which is stored before anything \
         else is done.",
    );
}

/// create, rotate, revoke, exec.
fn live(page: &mut Page, job: &mut Job<'_>) {
    page.heading("create: a PAT for this job");
    let before = job.stored();
    let lifetime = ("lifetime", "7d");
    let made = job.step("create", &[("display-name", NAME), ("scope", "vso.packaging"), lifetime]);
    made.show(page);
    page.check(before != job.stored(), "The refresh token in the store is a new one.");
    let first = made.token.expect("a create hands out a PAT");
    try_out(page, job, "A later step of the job reads the secret and downloads from a feed", &first, true);

    page.heading("rotate: its successor, and then the end of the old one");
    let rotated = job.step("rotate", &[("display-name", NAME)]);
    rotated.show(page);
    let second = rotated.token.expect("a rotation hands out a PAT");
    try_out(page, job, "With the new PAT", &second, true);
    try_out(page, job, "With the old PAT", &first, false);

    page.heading("rotate again: not yet");
    let idle = job.step("rotate", &[("display-name", NAME), ("renew-within", "2d")]);
    idle.show(page);
    page.check(idle.token.is_none(), "No token is set, so the good one of before stays.");

    page.heading("revoke");
    job.step("revoke", &[("display-name", NAME)]).show(page);
    try_out(page, job, "With the revoked PAT", &second, false);

    page.heading("exec: a command with a PAT of its own");
    page.text(
        "Nothing is handed out and nothing is left: the PAT is in the environment of one command, and is revoked however \
         that command ends. This works on every host.",
    );
    job.exec(&[("scope", "vso.packaging")]).show(page);
    page.check(job.emulator().active_pats().is_empty(), "No PAT is alive.");
}

fn try_out(page: &mut Page, job: &Job<'_>, words: &str, token: &str, works: bool) {
    let answer = feed::ask(&job.feed(), token);
    let answer = answer.map_or_else(|error| error.to_string(), |status| format!("HTTP {status}"));
    page.check((answer == "HTTP 200") == works, &format!("{words}: {answer}."));
}

/// What must hold at the end, whatever was shown.
fn close(page: &mut Page, emulator: &Emulator) -> ExitCode {
    page.title("In the end");
    let secrets = emulator.issued_secrets();
    let shown = secrets.iter().filter(|secret| page.shows(secret)).count();
    page.check(
        shown == 0,
        &format!("{} secrets were issued, and {shown} of them can be read above.", secrets.len()),
    );
    page.check(emulator.active_pats().is_empty(), &format!("No PAT of {} is alive.", cast::PERSON));
    page.gap();
    page.text("Next: README.md says how to start on your own host.");
    page.end()
}
