//! Runs the real program, as a child process with a clean environment, against the emulator; and sweeps its report
//! for secrets and for whatever is personal.
#![allow(dead_code, reason = "every test file takes what it needs")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use adopat_emulator::{Emulator, NewPat, Pat, PatStatus, Service, cast};
use adopat_probe::scene::PREFIX;
use base64::Engine as _;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_adopat-probe");

/// How long a test waits for something to happen.
pub const SOON: Duration = Duration::from_secs(60);

/// The services, a folder, and the environment of a person who runs the probe.
pub struct Machine {
    pub emulator: Emulator,
    pub folder: TempDir,
    environment: BTreeMap<OsString, OsString>,
    arguments: Vec<OsString>,
}

/// What a run left.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub report: String,
    pub words: String,
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub emulator: String,
    pub live: String,
    pub verdict: String,
}

impl Machine {
    pub fn new() -> Self {
        Self::with(Emulator::start())
    }

    pub fn with(emulator: Emulator) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("refresh-token");
        std::fs::write(&store, emulator.refresh_token()).expect("a store");
        let mut machine = Self { emulator, folder, environment: BTreeMap::new(), arguments: Vec::new() };
        let inputs = [
            ("AUTHORITY_HOST", machine.emulator.entra_url()),
            ("SERVICE_URL", machine.emulator.service_url()),
            ("DEVOPS_URL", machine.emulator.devops_url()),
            ("ORGANIZATION", cast::ORGANIZATION.to_owned()),
            ("TENANT_ID", cast::TENANT.to_string()),
            ("CLIENT_ID", cast::CLIENT_ID.to_string()),
            ("CREDENTIAL_STORE", format!("file:{}", store.display())),
        ];
        for (name, value) in inputs {
            machine.environment.insert(format!("ADOPAT_{name}").into(), value.into());
        }
        machine
    }

    /// With so many PATs of the user's own.
    pub fn with_pats(self, count: usize) -> Self {
        for number in 0..count {
            self.emulator.add_pat(NewPat::named(&format!("megans-laptop-{number:03}")));
        }
        self
    }

    pub fn input(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(format!("ADOPAT_{name}").into(), value.into());
        self
    }

    pub fn without(&mut self, name: &str) -> &mut Self {
        self.environment.remove(&OsString::from(format!("ADOPAT_{name}")));
        self
    }

    pub fn arguments(&mut self, arguments: &[&str]) -> &mut Self {
        self.arguments = arguments.iter().map(OsString::from).collect();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn spawn(&self) -> Child {
        let mut command = Command::new(PROGRAM);
        command.args(&self.arguments).env_clear().envs(&self.environment).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    pub fn run(&self) -> Ended {
        self.wait(self.spawn())
    }

    pub fn wait(&self, child: Child) -> Ended {
        let output = child.wait_with_output().expect("the program ends");
        let ended = Ended {
            code: output.status.code(),
            report: String::from_utf8(output.stdout).expect("text"),
            words: String::from_utf8(output.stderr).expect("text"),
        };
        self.sweep("the report", &ended.report);
        self.sweep_for_secrets("standard error", &ended.words);
        ended
    }

    /// The PATs that the probe has made, whatever has become of them.
    pub fn made(&self) -> Vec<Pat> {
        let pats = self.emulator.pats().into_iter();
        pats.filter(|pat| pat.display_name.starts_with(PREFIX)).collect()
    }

    /// None of the probe's PATs is alive, and all others are.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        for pat in self.emulator.pats() {
            let probes = pat.display_name.starts_with(PREFIX) || pat.display_name.is_empty();
            let alive = pat.status == PatStatus::Active;
            assert_ne!(probes, alive, "{} is {:?}", pat.display_name, pat.status);
        }
    }

    /// How many requests for a PAT there were.
    pub fn posts(&self) -> usize {
        self.emulator.requests_to(Service::Pats).iter().filter(|request| request.method == "POST").count()
    }

    /// No secret, and nothing that tells who or where.
    #[track_caller]
    fn sweep(&self, place: &str, text: &str) {
        self.sweep_for_secrets(place, text);
        let mut personal: Vec<String> =
            ["megan", "contoso", cast::ORGANIZATION, "127.0.0.1"].map(str::to_owned).to_vec();
        personal.extend([cast::TENANT, cast::CLIENT_ID, cast::ORGANIZATION_ID].map(|id| id.to_string()));
        personal.extend(self.emulator.pats().iter().map(|pat| pat.authorization_id.to_string()));
        for word in personal {
            assert!(!text.to_lowercase().contains(&word), "{word} can be read in {place}:\n{text}");
        }
    }

    #[track_caller]
    fn sweep_for_secrets(&self, place: &str, text: &str) {
        for secret in self.emulator.issued_secrets() {
            let base64 = base64::engine::general_purpose::STANDARD.encode(format!(":{secret}"));
            for form in [secret.as_str(), base64.trim_end_matches('=')] {
                assert!(!text.contains(form), "a secret can be read in {place}:\n{text}");
            }
        }
    }
}

impl Ended {
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.words, self.report);
        self
    }

    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.words.contains(text), "'{text}' is not in:\n{}", self.words);
        self
    }

    pub fn rows(&self) -> Vec<Row> {
        let lines = self.report.lines().filter_map(|line| line.strip_prefix("| `"));
        lines
            .map(|line| {
                let cells: Vec<&str> = line.trim_end_matches(" |").split(" | ").collect();
                let [name, _, _, _, emulator, live, verdict] = cells[..] else {
                    panic!("seven cells: {line}")
                };
                let [name, emulator, live, verdict] =
                    [name.trim_end_matches('`'), emulator, live, verdict].map(|cell| cell.trim().to_owned());
                Row { name, emulator, live, verdict }
            })
            .collect()
    }

    /// The rows that differ, by name.
    pub fn different(&self) -> Vec<String> {
        self.rows().into_iter().filter(|row| row.verdict == "different").map(|row| row.name).collect()
    }
}

/// The rows by which [`different_services`] differ from the emulator.
pub const OTHERWISE: [&str; 6] = [
    "create-error-none",
    "create-status",
    "create-valid-to-kept",
    "create-valid-to-rounding",
    "list-page-size",
    "revoke-status",
];

/// An emulator that is otherwise in five places.
pub fn different_services() -> Emulator {
    let emulator = Emulator::builder().page_size(50).start();
    emulator.order(adopat_emulator::Fault::on(Service::Pats).method("POST").always().rewrite(
        |mut answer| {
            if otherwise(&mut answer) {
                *answer.status_mut() = StatusCode::CREATED;
            }
            answer
        },
    ));
    emulator.order(adopat_emulator::Fault::on(Service::Pats).method("DELETE").always().rewrite(
        |mut answer| {
            if answer.status() == StatusCode::NO_CONTENT {
                *answer.status_mut() = StatusCode::OK;
                *answer.body_mut() = Bytes::from_static(b"{}");
            }
            answer
        },
    ));
    emulator.order(adopat_emulator::Fault::on(Service::Pats).always().rewrite(|mut answer| {
        otherwise(&mut answer);
        answer
    }));
    emulator
}

/// `patTokenError: null` for success, and every `validTo` cut to whole seconds. Whether it is a success with a PAT.
fn otherwise(answer: &mut Response<Bytes>) -> bool {
    let Ok(mut json) = serde_json::from_slice::<Value>(answer.body()) else { return false };
    if let Some(pats) = json.get_mut("patTokens").and_then(Value::as_array_mut) {
        pats.iter_mut().for_each(cut);
    }
    let success = match json.get_mut("patToken").filter(|pat| pat.is_object()) {
        Some(pat) => {
            cut(pat);
            json["patTokenError"] = Value::Null;
            true
        }
        None => false,
    };
    *answer.body_mut() = Bytes::from(json.to_string());
    success
}

fn cut(pat: &mut Value) {
    if let Some((whole, _)) = pat["validTo"].as_str().and_then(|text| text.split_once('.')) {
        pat["validTo"] = json!(format!("{whole}Z"));
    }
}

/// Sends a signal to a run.
#[cfg(unix)]
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("an id")).expect("an id");
    rustix::process::kill_process(id, signal).expect("the run is alive");
}
