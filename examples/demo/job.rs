//! A job of a CI system: its folder, the environment it gives a step, and what it takes from the step.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use adopat_emulator::{Emulator, Outcome, Recorded, Service, cast};
use tempfile::TempDir;

use super::log::{Log, github_runner, masked};
use super::page::Page;

/// In whose environment this is, this program is adopat.
pub const AS_ADOPAT: &str = "DEMO_RUNS_ADOPAT";

/// The CI systems of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    GitHubActions,
    AzurePipelines,
}

impl Host {
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHubActions => "GitHub Actions",
            Self::AzurePipelines => "Azure Pipelines",
        }
    }

    /// The variable in which the host hands an input to its action or task.
    fn variable(self, input: &str) -> String {
        match self {
            Self::GitHubActions => format!("INPUT_{}", input.to_uppercase()),
            Self::AzurePipelines => format!("INPUT_{}", input.to_uppercase().replace('-', "")),
        }
    }
}

/// A running job.
pub struct Job<'a> {
    host: Host,
    binary: Option<&'a Path>,
    emulator: &'a Emulator,
    folder: TempDir,
    masks: Vec<String>,
}

/// What a step left.
#[derive(Default)]
pub struct Step {
    /// The PAT it handed to the job, if any.
    pub token: Option<String>,
    title: String,
    inputs: Vec<String>,
    code: i32,
    log: Log,
    outputs: Vec<String>,
    requests: Vec<Recorded>,
}

impl<'a> Job<'a> {
    /// A job on the host, whose credential store is empty yet; of this program itself unless another is given.
    pub fn new(host: Host, binary: Option<&'a Path>, emulator: &'a Emulator) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the job");
        Self { host, binary, emulator, folder, masks: Vec::new() }
    }

    /// The host.
    pub fn host(&self) -> Host {
        self.host
    }

    /// What the credential store holds: the refresh token.
    pub fn stored(&self) -> String {
        self.read("refresh-token").trim().to_owned()
    }

    /// The services.
    pub fn emulator(&self) -> &'a Emulator {
        self.emulator
    }

    /// Where a PAT is of use.
    pub fn feed(&self) -> String {
        format!("{}/{}/_apis/connectionData", self.emulator.devops_url(), cast::ORGANIZATION)
    }

    /// Runs `adopat login`, as a person does it in a shell.
    pub fn login(&mut self) -> Step {
        let mut command = self.adopat();
        command.args(["login", "--credential-store", "file:refresh-token"]);
        let title = "$ adopat login --organization fabrikam --credential-store file:refresh-token";
        let (printed, code) = both_streams(command).expect("adopat runs");
        let shown = printed.lines().map(str::to_owned).collect();
        let log = Log { shown, ..Log::default() };
        Step { title: title.into(), code, log, ..Step::default() }
    }

    /// Runs a step: the action or the task, with these inputs.
    pub fn step(&mut self, operation: &str, inputs: &[(&str, &str)]) -> Step {
        let mut command = self.command();
        command.env(self.host.variable("operation"), operation);
        let title = match self.host {
            Host::GitHubActions => "Run adopat/adopat@v0".to_owned(),
            Host::AzurePipelines => format!("Starting: adopat {operation}"),
        };
        let operation = [("operation", operation)];
        self.run(command, title, operation.iter().chain(inputs))
    }

    /// Runs a step: a script that calls `adopat exec`.
    pub fn exec(&mut self, inputs: &[(&str, &str)]) -> Step {
        let mut command = self.command();
        let program = std::env::current_exe().expect("this program has a path");
        command.args(["exec", "--"]).arg(program).args(["download", &self.feed()]);
        let title = match self.host {
            Host::GitHubActions => "Run adopat exec -- download",
            Host::AzurePipelines => "Starting: adopat exec -- download",
        };
        self.run(command, title.to_owned(), inputs.iter())
    }

    /// adopat in the environment that every step of this job has.
    fn command(&self) -> Command {
        let mut command = self.adopat();
        match self.host {
            Host::GitHubActions => {
                command.env("GITHUB_ACTIONS", "true").env("GITHUB_REPOSITORY", "contoso/shop");
                command.env("GITHUB_RUN_ID", "42");
                for name in ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"] {
                    let file = self.folder.path().join(name);
                    std::fs::write(&file, "").expect("a command file");
                    command.env(name, file);
                }
            }
            Host::AzurePipelines => {
                command.env("TF_BUILD", "True").env("AGENT_TEMPDIRECTORY", self.folder.path());
                command.env("BUILD_REPOSITORY_NAME", "shop").env("BUILD_BUILDID", "42");
            }
        }
        command
    }

    /// adopat with what a team would set once for the whole pipeline; the addresses lead to the emulator.
    fn adopat(&self) -> Command {
        let itself = || std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(self.binary.map_or_else(itself, Path::to_owned));
        command.env_clear().current_dir(self.folder.path()).stdin(Stdio::null()).env(AS_ADOPAT, "1");
        // Without it Windows opens no socket.
        command.envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)));
        command
            .env("ADOPAT_ORGANIZATION", cast::ORGANIZATION)
            .env("ADOPAT_TENANT_ID", cast::TENANT.to_string())
            .env("ADOPAT_CLIENT_ID", cast::CLIENT_ID.to_string())
            .env("ADOPAT_CREDENTIAL_STORE", "file:refresh-token")
            .env("ADOPAT_AUTHORITY_HOST", self.emulator.entra_url())
            .env("ADOPAT_SERVICE_URL", self.emulator.service_url())
            .env("ADOPAT_DEVOPS_URL", self.emulator.devops_url());
        command
    }

    fn run<'i>(
        &mut self,
        mut command: Command,
        title: String,
        inputs: impl Iterator<Item = &'i (&'i str, &'i str)>,
    ) -> Step {
        let mut with = Vec::new();
        for (name, value) in inputs {
            command.env(self.host.variable(name), value);
            with.push(format!("{name}: {value}"));
        }
        self.emulator.clear_requests();
        let (printed, code) = both_streams(command).expect("adopat runs");
        let log = Log::read(self.host, &printed, &mut self.masks);
        let pairs = match self.host {
            Host::GitHubActions => github_runner::pairs(&self.read("GITHUB_OUTPUT")).expect("outputs"),
            Host::AzurePipelines => log.variables.clone(),
        };
        let token = pairs.iter().find(|(name, _)| name == "token" || name == "ADO_PAT");
        Step {
            token: token.map(|(_, value)| value.clone()),
            title,
            inputs: with,
            code,
            outputs: pairs
                .iter()
                .map(|(name, value)| format!("{name} = {}", masked(value, &self.masks)))
                .collect(),
            log,
            requests: self.emulator.requests(),
        }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Step {
    /// What was run, with which inputs, and the log of it.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let with =
            if self.inputs.is_empty() { String::new() } else { format!(" ({})", self.inputs.join(", ")) };
        let log = self.log.shown.iter().filter(|line| !line.is_empty()).cloned();
        [format!("{}{with}", self.title)].into_iter().chain(log)
    }

    /// Prints the log.
    pub fn show(&self, page: &mut Page) {
        page.quote("|", self.lines());
        if self.code != 0 {
            page.check(false, &format!("The step ended with exit code {}.", self.code));
        }
    }

    /// Prints what later steps can read.
    pub fn show_outputs(&self, page: &mut Page) {
        page.quote("=", self.outputs.iter().cloned());
    }

    /// Prints the requests, in their order.
    pub fn show_requests(&self, page: &mut Page) {
        page.quote("->", self.requests.iter().map(request));
    }

    /// Prints the log of a login, with what it has to paste for this host alone.
    pub fn show_the_step_of(&self, host: Host, page: &mut Page) {
        let mut shown = self.log.shown.split(|line| line.is_empty());
        let first = shown.next().unwrap_or_default();
        let words = first.iter().take_while(|line| !line.starts_with('#'));
        let mut parts = [first].into_iter().chain(shown).map(|part| {
            let start = part.iter().position(|line| line.starts_with('#')).unwrap_or_default();
            &part[start..]
        });
        let its_own = parts.find(|part| part.first().is_some_and(|line| line.contains(host.name())));
        page.quote("|", [self.title.clone()]);
        page.quote("|", words.chain(its_own.unwrap_or_default()).cloned());
        page.check(self.code == 0 && its_own.is_some(), "It ends in a step to paste.");
    }
}

/// Runs a command, and returns what it printed on either stream, in that order, and its exit code: both hosts read
/// both.
fn both_streams(mut command: Command) -> io::Result<(String, i32)> {
    let (mut reader, writer) = io::pipe()?;
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    drop(command); // with its ends of the pipe
    let mut printed = String::new();
    reader.read_to_string(&mut printed)?;
    Ok((printed, child.wait()?.code().unwrap_or(-1)))
}

fn request(recorded: &Recorded) -> String {
    let status = match recorded.outcome {
        Outcome::Answered(status) => status.as_u16().to_string(),
        Outcome::Pending | Outcome::Lost(_) => "no answer".to_owned(),
    };
    let service = match recorded.service {
        Service::Entra => "Microsoft Entra",
        Service::Pats => "PAT service",
        Service::DevOps => "Azure DevOps",
        other => &format!("{other:?}"),
    };
    format!("{service:<15}  {}: {status}", recorded.line())
}
