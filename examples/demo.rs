//! `cargo run --quiet --profile demo --example demo`: the life of a PAT, as a CI system would run it.
//!
//! Starts Microsoft Entra, the PAT service and Azure DevOps on loopback (the emulator), runs adopat as a child process
//! with the environment that the CI system gives its steps, and shows what that system's log would show. Nothing leaves
//! this machine. adopat is in this very program, so that one build is enough; as a child it is nothing else.
//!
//! `-- --host azure-pipelines` takes the other host, `-- --all` both, `-- --svg` writes the pictures of the README, and
//! `--binary PATH` after them runs another adopat: the one that ships.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use adopat_emulator::{DeviceCodePolicy, Emulator, cast};

#[path = "demo/feed.rs"]
mod feed;
#[path = "demo/job.rs"]
mod job;
#[path = "demo/log.rs"]
mod log;
#[path = "demo/page.rs"]
mod page;
#[path = "demo/picture.rs"]
mod picture;

use job::{AS_ADOPAT, Host, Job, Step};
use page::Page;

/// The name of the PAT in the story.
const NAME: &str = "nightly";
const USAGE: &str = "usage: cargo run --quiet --profile demo --example demo -- [--host github-actions|azure-pipelines] [--all] [--svg]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut binary = None;
    if let [.., "--binary", path] = arguments[..] {
        binary = Some(std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)));
        arguments.truncate(arguments.len() - 2);
    }
    let binary = binary.as_deref();
    let hosts = match arguments[..] {
        // What `adopat exec` runs in this story is this program again, and so is adopat itself.
        ["download", feed] => return feed::download(feed),
        _ if std::env::var_os(AS_ADOPAT).is_some() => return adopat::process::run(adopat::run),
        [] | ["--host", "github-actions"] => &[Host::GitHubActions][..],
        ["--host", "azure-pipelines"] => &[Host::AzurePipelines],
        ["--all"] => &[Host::GitHubActions, Host::AzurePipelines],
        ["--svg"] => return picture::draw_all(&told(Host::GitHubActions, binary, &mut Page::silent())),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut page = Page::default();
    for host in hosts {
        told(*host, binary, &mut page);
    }
    page.text("\nNext: README.md says how to start on your own host.");
    page.end()
}

/// The steps that a picture can be made of.
struct Story {
    doctor: Step,
    rotate: Step,
    exec: Step,
    /// The addresses of the emulator, with those of the services that it stands for.
    addresses: [(String, &'static str); 3],
}

impl Story {
    /// A line as it would be if the services were Microsoft's.
    fn as_of_the_services(&self, line: &str) -> String {
        self.addresses.iter().fold(line.to_owned(), |line, (here, there)| line.replace(here, there))
    }
}

/// Tells the whole story on one host.
fn told(host: Host, binary: Option<&Path>, page: &mut Page) -> Story {
    let emulator = Emulator::start();
    // Nobody here needs the five seconds that Entra gives a person between two questions.
    let interval = Duration::from_secs(1);
    emulator.set_device_code_policy(DeviceCodePolicy { interval, ..DeviceCodePolicy::default() });
    page.title(&format!("The life of a PAT on {}", host.name()));
    page.text(
        "Microsoft's services are emulated on this machine. What follows a bar is what a log shows: a secret that the\n\
         host was told of is ***. An arrow is a request that a service received.",
    );
    let mut job = Job::new(host, binary, &emulator);
    sign_in(page, &mut job);

    page.heading("doctor: is everything there that a run needs?");
    let doctor = job.step("doctor", &[]);
    doctor.show(page);

    page.heading("create: a PAT for this job");
    let before = job.stored();
    let made = job.step("create", &[("display-name", NAME), ("scope", "vso.packaging"), ("lifetime", "7d")]);
    made.show(page);
    made.show_outputs(page);
    page.check(before != job.stored(), "Signing in renewed the refresh token, which is stored.");
    let first = made.token.expect("a create hands out a PAT");
    try_out(page, &job, "A later step downloads from a feed with it", &first, true);

    page.heading("rotate: a successor, and only then the end of the old PAT");
    let rotate = job.step("rotate", &[("display-name", NAME)]);
    rotate.show(page);
    rotate.show_requests(page);
    let second = rotate.token.clone().expect("a rotation hands out a PAT");
    try_out(page, &job, "With the new PAT", &second, true);
    try_out(page, &job, "With the old PAT", &first, false);

    page.heading("rotate again: not due yet");
    let idle = job.step("rotate", &[("display-name", NAME), ("renew-within", "2d")]);
    idle.show(page);
    page.check(idle.token.is_none(), "No token is set, so the good one stays.");

    page.heading("revoke");
    job.step("revoke", &[("display-name", NAME)]).show(page);
    try_out(page, &job, "With the revoked PAT", &second, false);

    page.heading("exec: a command with a PAT of its own, revoked when it ends");
    let exec = job.exec(&[("scope", "vso.packaging")]);
    exec.show(page);

    page.heading("In the end");
    let secrets = emulator.issued_secrets();
    let shown = secrets.iter().filter(|secret| page.shows(secret)).count();
    page.check(shown == 0, &format!("{} secrets were issued; {shown} can be read above.", secrets.len()));
    page.check(emulator.active_pats().is_empty(), &format!("No PAT of {} is alive.", cast::PERSON));
    let at = |url: &str| url.trim_start_matches("http://").to_owned();
    let addresses = [
        (at(&emulator.entra_url()), "login.microsoftonline.com"),
        (at(&emulator.service_url()), "vssps.dev.azure.com"),
        (at(&emulator.devops_url()), "dev.azure.com"),
    ];
    Story { doctor, rotate, exec, addresses }
}

/// A person, once. Everything after it signs in by the refresh token that this leaves.
fn sign_in(page: &mut Page, job: &mut Job<'_>) {
    page.heading("login: a person signs in once, on their own machine");
    let emulator = job.emulator();
    let login = std::thread::scope(|scope| {
        scope.spawn(|| {
            let code = emulator.wait_for_device_code(Duration::from_secs(60)).expect("a code is shown");
            emulator.approve_device_code(&code, cast::PERSON);
        });
        job.login()
    });
    login.show_the_step_of(job.host(), page);
    page.check(
        emulator.refresh_token_is_valid(&job.stored()),
        "The refresh token is in a file that only its owner can read.",
    );
}

fn try_out(page: &mut Page, job: &Job<'_>, words: &str, token: &str, works: bool) {
    let answer = feed::ask(&job.feed(), token);
    let answer = answer.map_or_else(|error| error.to_string(), |status| format!("HTTP {status}"));
    page.check((answer == "HTTP 200") == works, &format!("{words}: {answer}."));
}
