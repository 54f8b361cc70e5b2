//! Runs the real binary, as a child process with a clean environment, against the emulator; and sweeps
//! everything it printed or wrote for every secret the emulator ever issued.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use adopat_emulator::{AppRegistration, Emulator, Fault, Pat, PatStatus, Recorded, Service, cast};
use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use uuid::Uuid;

#[path = "../hosts/azure_agent.rs"]
pub mod azure_agent;
#[path = "../hosts/github_runner.rs"]
pub mod github_runner;
#[path = "truth.rs"]
pub mod truth;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_adopat");

/// The app registration whose identity opens the vault. It signs nobody in.
pub const VAULT_APP: Uuid = Uuid::from_u128(0x7a17_0a99);
/// Its client secret.
pub const VAULT_APP_SECRET: &str = "FAKE~vault-app-secret-0123456789abcdef";

/// A machine: the emulator's services, a folder, and the environment that a job would have on it.
pub struct Machine {
    /// The services.
    pub emulator: Emulator,
    /// A folder of its own.
    pub folder: TempDir,
    host: Host,
    environment: BTreeMap<OsString, OsString>,
    arguments: Vec<OsString>,
    begun: Mutex<Vec<Begun>>,
    /// Whether runs may have been started that are not in `begun`.
    others: AtomicBool,
    forged: AtomicBool,
}

/// What was so when a run began.
struct Begun {
    child: u32,
    pats: Vec<Pat>,
    requests: usize,
    outputs: usize,
    summary: usize,
    alone: bool,
}

/// What a run left.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A run whose words can be read while it goes on.
pub struct Followed {
    /// The run.
    pub child: Child,
    printed: [Printed; 2],
}

/// What a stream has brought so far, and the thread that reads it.
type Printed = (Arc<Mutex<String>>, JoinHandle<()>);

/// Which CI system the machine is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// GitHub Actions.
    GitHub,
    /// Azure Pipelines.
    Azure,
    /// None that is known.
    Generic,
}

impl Machine {
    /// A machine of `host`, on which `operation` is to run, signed in by a cached refresh token.
    pub fn new(host: Host, operation: &str) -> Self {
        Self::with(Emulator::start(), host, operation)
    }

    /// The same with every service behind TLS, and the vault's app: Azure's SDK asks no other sign-in.
    pub fn with_vault(host: Host, operation: &str) -> Self {
        let mut machine = Self::with(Emulator::builder().tls(true).start(), host, operation);
        let authority = machine.emulator.ca_pem_path().to_owned();
        machine.set("SSL_CERT_FILE", authority);
        let app = AppRegistration::new(VAULT_APP).single_tenant(cast::TENANT).secret(VAULT_APP_SECRET);
        machine.emulator.services().services.add_app(app);
        machine
    }

    /// The same against an emulator that was built otherwise.
    pub fn with(emulator: Emulator, host: Host, operation: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (environment, arguments) = (BTreeMap::new(), Vec::new());
        let (begun, others, forged) = (Mutex::default(), AtomicBool::default(), AtomicBool::default());
        let mut machine = Self { emulator, folder, host, environment, arguments, begun, others, forged };
        let addresses = [
            ("AUTHORITY_HOST", machine.emulator.entra_url()),
            ("SERVICE_URL", machine.emulator.service_url()),
            ("DEVOPS_URL", machine.emulator.devops_url()),
            ("GITHUB_API_URL", machine.emulator.github_url()),
        ];
        for (name, address) in addresses {
            machine.set(&format!("ADOPAT_{name}"), address);
        }
        machine.speaks_as_the_host();
        let token = machine.emulator.refresh_token();
        std::fs::write(machine.store(), token).expect("a store");
        let store = format!("file:{}", machine.store().display());
        machine
            .input("organization", cast::ORGANIZATION)
            .input("tenant-id", cast::TENANT.to_string())
            .input("client-id", cast::CLIENT_ID.to_string())
            .input("credential-store", store)
            .run_as(operation);
        machine
    }

    fn speaks_as_the_host(&mut self) {
        match self.host {
            Host::GitHub => {
                self.set("GITHUB_ACTIONS", "true");
                for name in ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"] {
                    let file = self.path(name);
                    std::fs::write(&file, "").expect("a command file");
                    self.set(name, file);
                }
            }
            Host::Azure => {
                self.set("TF_BUILD", "True");
                self.set("AGENT_TEMPDIRECTORY", self.path(""));
            }
            Host::Generic => {}
        }
    }

    /// From now on a job of this host, with nothing in its environment but what the host puts there, and the CA that
    /// the services on loopback have.
    pub fn becomes(&mut self, host: Host) -> &mut Self {
        self.host = host;
        self.environment.retain(|name, _| name == "SSL_CERT_FILE");
        self.arguments.clear();
        self.speaks_as_the_host();
        self
    }

    /// The operation, as a word.
    pub fn run_as(&mut self, operation: &str) -> &mut Self {
        self.arguments = vec![operation.into()];
        self
    }

    /// The whole command line.
    pub fn arguments(&mut self, arguments: &[&str]) -> &mut Self {
        self.arguments = arguments.iter().map(OsString::from).collect();
        self
    }

    /// Sets an input.
    pub fn input(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.set(&format!("ADOPAT_{}", name.to_uppercase().replace('-', "_")), value)
    }

    /// Takes an input back.
    pub fn without(&mut self, name: &str) -> &mut Self {
        self.environment.remove(&OsString::from(format!("ADOPAT_{}", name.to_uppercase().replace('-', "_"))));
        self
    }

    /// The vault's app, with its secret, opens the vault.
    pub fn opens_the_vault_by_secret(&mut self) -> &mut Self {
        self.set("AZURE_CLIENT_ID", VAULT_APP.to_string())
            .set("AZURE_TENANT_ID", cast::TENANT.to_string())
            .set("AZURE_CLIENT_SECRET", VAULT_APP_SECRET)
    }

    /// The address of a secret of the vault.
    pub fn vault_secret(&self, name: &str) -> String {
        format!("keyvault:{}/secrets/{name}", self.emulator.vault_url())
    }

    /// The address of a file of the folder.
    pub fn file(&self, name: &str) -> String {
        format!("file:{}", self.path(name).display())
    }

    /// Where the PAT is to be delivered.
    pub fn deliver_to(&mut self, addresses: &[String]) -> &mut Self {
        self.input("deliver-to", addresses.join("\n"))
    }

    /// Sets an environment variable.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Takes an environment variable back.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.environment.remove(&OsString::from(name));
        self
    }

    /// A path in the machine's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The credential store's file.
    pub fn store(&self) -> PathBuf {
        self.path("refresh-token")
    }

    /// What a file of the folder holds; empty where there is none.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The command, ready to be spawned.
    pub fn command(&self) -> Command {
        self.others.store(true, Ordering::Relaxed);
        self.a_run()
    }

    fn a_run(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.args(&self.arguments).env_clear().envs(&self.environment).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a run.
    pub fn spawn(&self) -> Child {
        self.begin(self.a_run())
    }

    /// Starts a run, and remembers what was so before it.
    fn begin(&self, mut command: Command) -> Child {
        let pats = self.emulator.pats();
        let requests = self.emulator.requests().len();
        let (outputs, summary) = (self.read("GITHUB_OUTPUT").len(), self.read("GITHUB_STEP_SUMMARY").len());
        let child = command.spawn().expect("the binary starts");
        let mut begun = self.begun.lock().expect("no run panics");
        begun.iter_mut().for_each(|other| other.alone = false);
        let alone = begun.is_empty();
        begun.push(Begun { child: child.id(), pats, requests, outputs, summary, alone });
        child
    }

    /// Starts a run with this signal ignored, as `nohup` does it with HUP.
    pub fn spawn_ignoring(&self, signal: &str) -> Child {
        self.begin(self.a_run_in_a_shell(&format!("trap '' {signal}")))
    }

    /// The command, ready to be spawned by a shell that does something first, such as setting a limit.
    pub fn in_a_shell(&self, first: &str) -> Command {
        self.others.store(true, Ordering::Relaxed);
        self.a_run_in_a_shell(first)
    }

    /// Starts a run as the last argument of another program, which does something first.
    pub fn spawn_in(&self, around: &[&str]) -> Child {
        let own = self.a_run();
        let mut command = Command::new(around[0]);
        command.args(&around[1..]).arg(BINARY).args(own.get_args()).env_clear().envs(&self.environment);
        command.current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.begin(command)
    }

    /// The same, to its end; sweeps what it left.
    pub fn run_in(&self, around: &[&str]) -> Ended {
        self.wait(self.spawn_in(around))
    }

    fn a_run_in_a_shell(&self, first: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{first}; exec \"$0\" \"$@\""), BINARY]).args(&self.arguments);
        shell.env_clear().envs(&self.environment).current_dir(self.folder.path());
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    }

    /// Starts a run in the foreground of a terminal, on which can be typed; with that terminal as its standard input,
    /// or with none.
    #[cfg(target_os = "linux")]
    pub fn spawn_at_a_terminal(&self, stdin_is_it: bool) -> (std::fs::File, Child) {
        let (ours, theirs) = terminal();
        let redirect = if stdin_is_it { "" } else { " < /dev/null" };
        let mut run = Command::new("setsid");
        run.args(["--ctty", "/bin/sh", "-c", &format!("exec \"$0\" \"$@\"{redirect}"), BINARY])
            .args(&self.arguments);
        run.env_clear().envs(&self.environment).current_dir(self.folder.path());
        run.stdin(theirs).stdout(Stdio::piped()).stderr(Stdio::piped());
        (ours, self.begin(run))
    }

    /// Starts a run as the launcher would, without the launcher: a test that kills it kills adopat itself.
    pub fn spawn_binary_with_launcher(&self) -> Child {
        let mut command = self.a_run();
        command.env("ADOPAT_LAUNCHER", "1");
        self.begin(command)
    }

    /// Runs to the end, and sweeps what it left.
    pub fn run(&self) -> Ended {
        self.wait(self.spawn())
    }

    /// Runs with an output file that could be written until the PAT was made.
    pub fn run_whose_output_file_fails_after_minting(&mut self) -> Ended {
        let folder = self.path("taken-away");
        std::fs::create_dir(&folder).expect("made");
        self.input("output-file", folder.join("pat.json"));
        let hold = self.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
        let run = self.spawn();
        assert!(hold.wait_until_held(Duration::from_secs(20)), "a PAT is asked for");
        std::fs::remove_dir_all(&folder).expect("removed");
        hold.release();
        self.wait(run)
    }

    /// Waits for a run to end, and sweeps what it left.
    pub fn wait(&self, child: Child) -> Ended {
        let id = child.id();
        let output = child.wait_with_output().expect("the binary ends");
        let ended = Ended {
            code: code(output.status),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        };
        self.hold(&ended, id);
        ended
    }

    /// Starts a run, and reads what it prints while it goes on.
    pub fn follow(&self) -> Followed {
        let mut child = self.spawn();
        let out = read_along(child.stdout.take().expect("a pipe"));
        let err = read_along(child.stderr.take().expect("a pipe"));
        Followed { child, printed: [out, err] }
    }

    /// Waits for a run that was followed to end, and sweeps what it left.
    pub fn end(&self, followed: Followed) -> Ended {
        let Followed { mut child, printed } = followed;
        let id = child.id();
        let status = child.wait().expect("the binary ends");
        let [stdout, stderr] = printed.map(|(printed, reader)| {
            reader.join().expect("text");
            printed.lock().expect("read to its end").clone()
        });
        let ended = Ended { code: code(status), stdout, stderr };
        self.hold(&ended, id);
        ended
    }

    /// From now on the service says of PATs what the emulator knows to be otherwise: no run is held against that.
    pub fn answers_are_forged(&self) -> &Self {
        self.forged.store(true, Ordering::Relaxed);
        self
    }

    /// Holds a run against what has to be so of every run: it leaks nothing, and what it says is true.
    #[track_caller]
    fn hold(&self, ended: &Ended, child: u32) {
        self.sweep(ended);
        let begun = {
            let mut begun = self.begun.lock().expect("no run panics");
            let found = begun.iter().position(|run| run.child == child);
            found.map(|found| begun.swap_remove(found))
        };
        let others = self.others.load(Ordering::Relaxed);
        if let Some(mut begun) = begun {
            begun.alone &= !others;
            let falsehoods = self.falsehoods(ended, &begun);
            assert!(falsehoods.is_empty(), "{}\n\n{}", falsehoods.join("\n"), ended.words());
        }
    }

    /// What a run said that is not so.
    fn falsehoods(&self, ended: &Ended, begun: &Begun) -> Vec<String> {
        if self.forged.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut requests = self.emulator.requests();
        requests.drain(..begun.requests.min(requests.len()));
        let pats = requests.iter().filter(|request| request.service == Service::Pats);
        let asked_for: Vec<_> =
            pats.clone().filter(|request| request.method == "POST").map(Recorded::json).collect();
        let touched: BTreeSet<Uuid> = pats
            .filter(|request| request.method == "PUT" || request.method == "DELETE")
            .filter(|request| !request.status().is_some_and(|status| (400..500).contains(&status)))
            .filter_map(|request| {
                let in_query = request.query("authorizationId").map(str::to_owned);
                in_query.or_else(|| Some(request.json()["authorizationId"].as_str()?.to_owned()))
            })
            .filter_map(|id| Uuid::parse_str(&id).ok())
            .collect();
        let after = self.emulator.pats();
        let (made, changed) = what_a_run_did(&begun.pats, &after, &asked_for, &touched);
        let sent: Vec<&[u8]> = requests.iter().map(|request| request.body.as_ref()).collect();
        let in_github = self.emulator.github_secrets();
        let delivered = |value: &str| {
            let files = std::fs::read_dir(self.folder.path()).expect("the folder").flatten();
            let holds = |bytes: &[u8]| bytes.windows(value.len()).any(|part| part == value.as_bytes());
            ended.stdout.contains(value)
                || sent.iter().any(|body| holds(body))
                || in_github.iter().any(|secret| secret.value == value)
                || files
                    .filter(|file| file.path().is_file())
                    .any(|file| std::fs::read(file.path()).is_ok_and(|bytes| holds(&bytes)))
        };
        let word = |name: &str| {
            let value = self.environment.get(&OsString::from(name));
            value.map_or_else(String::new, |value| value.to_string_lossy().into_owned())
        };
        let given = self.arguments.first().map(|word| word.to_string_lossy().into_owned());
        let outputs = match self.host {
            Host::GitHub => {
                let written = self.read("GITHUB_OUTPUT");
                let written = written.get(begun.outputs..).unwrap_or_default();
                github_runner::pairs(written).unwrap_or_default().into_iter().collect()
            }
            Host::Generic if given.as_deref() == Some("apply") => {
                [("results".to_owned(), ended.stdout.clone())].into()
            }
            _ => self.outputs(ended),
        };
        let summary = match self.host {
            Host::GitHub => {
                self.read("GITHUB_STEP_SUMMARY").get(begun.summary..).unwrap_or_default().to_owned()
            }
            _ => {
                let file =
                    ended.stdout.lines().find_map(|line| line.strip_prefix("##vso[task.uploadsummary]"));
                file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default()
            }
        };
        truth::falsehoods(&truth::Told {
            operation: &given.unwrap_or_else(|| word("ADOPAT_OPERATION")),
            dry_run: word("ADOPAT_DRY_RUN") == "true",
            by_id: !word("ADOPAT_AUTHORIZATION_ID").is_empty(),
            code: ended.code,
            log: &ended.words_without_secrets(),
            summary: &summary,
            outputs: &outputs,
            before: &begun.pats,
            after: &after,
            made: &made,
            changed: &changed,
            asked: !(asked_for.is_empty() && touched.is_empty()),
            delivered: &delivered,
            alone: begun.alone,
            certain: begun.alone,
        })
    }

    /// The PATs of that name that are active.
    pub fn active(&self, name: &str) -> Vec<Pat> {
        self.emulator.active_pats().into_iter().filter(|pat| pat.display_name == name).collect()
    }

    /// The requests to the PAT service, as `METHOD`s in their order.
    pub fn pat_calls(&self) -> Vec<String> {
        self.emulator.requests_to(Service::Pats).iter().map(|request| request.method.to_string()).collect()
    }

    /// All requests, as `SERVICE METHOD`.
    pub fn calls(&self) -> Vec<String> {
        let line = |request: &Recorded| format!("{:?} {}", request.service, request.method);
        self.emulator.requests().iter().map(line).collect()
    }

    /// The bodies of the requests to the PAT service with this method, in their order.
    pub fn sent(&self, method: &str) -> Vec<serde_json::Value> {
        let requests = self.emulator.requests_to(Service::Pats);
        requests.iter().filter(|request| request.method == method).map(Recorded::json).collect()
    }

    /// The outputs of a run by their kebab-case names, as the host's own strict reader understands them.
    pub fn outputs(&self, ended: &Ended) -> BTreeMap<String, String> {
        match self.host {
            Host::GitHub => {
                github_runner::pairs(&self.read("GITHUB_OUTPUT")).expect("pairs").into_iter().collect()
            }
            Host::Azure => truth::azure_outputs(&ended.stdout),
            Host::Generic => BTreeMap::new(),
        }
    }

    /// No secret may be read anywhere but where it is meant to be: in the host's own commands that mask or set
    /// one, in the files that were asked for, and in the credential store.
    fn sweep(&self, ended: &Ended) {
        let shown = |line: &&str| {
            let masks = line.starts_with("::add-mask::") || line.starts_with("##vso[task.setsecret]");
            let mut commands = ["##vso[task.setvariable ", "##vso[task.settaskvariable "].into_iter();
            let sets = commands.any(|command| line.starts_with(command)) && line.contains(";issecret=true");
            !masks && !sets
        };
        let mut seen: Vec<(String, String)> = vec![
            ("standard output".into(), ended.stdout.lines().filter(shown).collect::<Vec<_>>().join("\n")),
            ("standard error".into(), ended.stderr.lines().filter(shown).collect::<Vec<_>>().join("\n")),
        ];
        let meant = ["refresh-token", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STATE"];
        for entry in std::fs::read_dir(self.folder.path()).expect("the folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(!name.starts_with(".adopat-"), "{name} was left over");
            let asked_for = self.environment.iter().any(|(variable, value)| {
                let names = [
                    "ADOPAT_OUTPUT_FILE",
                    "ADOPAT_DELIVER_TO",
                    "ADOPAT_MANIFEST",
                    "AZURE_FEDERATED_TOKEN_FILE",
                ];
                let of_any_organization =
                    |value: &str| value.contains("{organization}") && name.ends_with(".pat");
                let value = value.to_string_lossy();
                names.iter().any(|name| variable == name)
                    && (value.contains(&*name) || of_any_organization(&value))
            });
            if !meant.contains(&&*name) && !asked_for && entry.path().is_file() {
                seen.push((
                    name,
                    String::from_utf8_lossy(&std::fs::read(entry.path()).expect("read")).into_owned(),
                ));
            }
        }
        for secret in self.emulator.issued_secrets().iter().filter(|secret| secret.len() >= 12) {
            let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
            // Without the last characters, whose encoding depends on what follows.
            let forms = [secret.clone(), base64(format!(":{secret}")), base64(secret.clone())];
            for (place, text) in &seen {
                for form in &forms {
                    assert!(
                        !text.contains(form.trim_end_matches('=')),
                        "a secret can be read in {place}:\n{text}"
                    );
                }
            }
        }
    }
}

impl Followed {
    /// Waits for a line, on either stream, that holds this text.
    #[track_caller]
    pub fn line_with(&self, text: &str) -> String {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            for (printed, _) in &self.printed {
                let printed = printed.lock().expect("the reader lives");
                let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
                if let Some(line) = whole.lines().find(|line| line.contains(text)) {
                    return line.to_owned();
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no line holds '{text}'");
    }
}

fn read_along(mut stream: impl std::io::Read + Send + 'static) -> Printed {
    let printed = Arc::new(Mutex::new(String::new()));
    let so_far = Arc::clone(&printed);
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            so_far.lock().expect("the test lives").push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
    (printed, reader)
}

impl Ended {
    /// Both streams, without the commands that mask.
    pub fn words(&self) -> String {
        let lines = self.stdout.lines().chain(self.stderr.lines());
        let words = lines
            .filter(|line| !line.starts_with("::add-mask::") && !line.starts_with("##vso[task.setsecret]"));
        words.collect::<Vec<_>>().join("\n")
    }

    /// The same, without the commands that set a secret.
    fn words_without_secrets(&self) -> String {
        let words = self.words();
        let lines =
            words.lines().filter(|line| !(line.starts_with("##vso[") && line.contains(";issecret=true")));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Fails with everything that was printed unless the exit code is this one.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.words());
        self
    }

    /// Fails with everything that was printed unless the text, in whatever case, is in it.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        let words = self.words();
        assert!(words.to_lowercase().contains(&text.to_lowercase()), "'{text}' is not in:\n{words}");
        self
    }
}

/// The PATs that a run made, which are new and what it asked for; and those that it changed.
fn what_a_run_did(
    before: &[Pat],
    after: &[Pat],
    asked_for: &[serde_json::Value],
    touched: &BTreeSet<Uuid>,
) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
    let was = |pat: &Pat| before.iter().find(|old| old.authorization_id == pat.authorization_id);
    let is_asked_for = |pat: &Pat| {
        asked_for.iter().any(|body| {
            let end = body["validTo"].as_str().and_then(|end| end.parse::<Timestamp>().ok());
            let no_later = |end: Timestamp| pat.valid_to.duration_since(end) <= SignedDuration::from_secs(1);
            body["displayName"] == *pat.display_name && end.is_some_and(no_later)
        })
    };
    // That a PAT expired meanwhile is nobody's doing.
    let has_changed = |old: &Pat, now: &Pat| {
        let moved = now.valid_to.duration_since(old.valid_to).abs() > SignedDuration::from_secs(1);
        let other =
            (&now.display_name, &now.scope, now.global) != (&old.display_name, &old.scope, old.global);
        moved || other || (now.status != old.status && now.status != PatStatus::Expired)
    };
    let made = after.iter().filter(|pat| was(pat).is_none() && is_asked_for(pat));
    let changed = after.iter().filter(|pat| touched.contains(&pat.authorization_id));
    let changed = changed.filter(|pat| was(pat).is_some_and(|old| has_changed(old, pat)));
    (made.map(|pat| pat.authorization_id).collect(), changed.map(|pat| pat.authorization_id).collect())
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}

/// Sends a signal to a run.
#[cfg(unix)]
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("an id")).expect("an id");
    rustix::process::kill_process(id, signal).expect("the run is alive");
}

/// A terminal: the side that a person looks at, and the side that a program writes to.
#[cfg(unix)]
pub fn terminal() -> (std::fs::File, std::fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it may be opened");
    let name = ptsname(&ours, Vec::new()).expect("it has a name");
    let name = name.into_string().expect("text");
    let theirs = std::fs::OpenOptions::new().read(true).write(true).open(name).expect("it opens");
    (ours.into(), theirs)
}

/// The file's permission bits.
#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}
