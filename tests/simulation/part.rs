//! One run of adopat on the stage: what it was asked to do, where its PAT goes, and what it said.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adopat::host::Streams;
use adopat::host::streams::Captured;
use adopat::inputs::Environment;
use adopat::secret::Register;
use adopat::world::World;
use adopat_emulator::{Service, Services, cast};
use jiff::SignedDuration;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::dice::{Dice, SeededRandom};
use super::github_runner;
use super::rules;
use super::stage::{Stage, Treatment, read};
use super::truth;

/// The name of the PATs that the parts are about.
pub const NAME: &str = "nightly";
/// What a part's own `deliver-to` file holds before it.
pub const FORMER: &str = "former-value";

/// The app registration whose identity opens the vault.
pub const VAULT_APP: Uuid = Uuid::from_u128(0x7a17_0a99);
/// Its client secret.
pub const VAULT_APP_SECRET: &str = "FAKE~vault-app-secret-0123456789abcdef";

/// Where a part's PAT goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Azure Pipelines' secret variable.
    Azure,
    /// GitHub's step output.
    GitHub,
    /// `output-file`, on a host that is none in particular.
    OutputFile,
    /// `deliver-to` a file, on a host that is none in particular.
    DeliverTo,
    /// The same file, named by the one entry of a manifest.
    Manifest,
    /// `deliver-to` a secret of a Key Vault, likewise.
    KeyVault,
    /// `deliver-to` a variable of a variable group, likewise.
    VariableGroup,
    /// `deliver-to` the secret of a service connection, likewise.
    ServiceConnection,
    /// `deliver-to` a secret of a GitHub repository, likewise.
    GithubSecret,
    /// To nobody outside the run, on a host that is none in particular.
    Nowhere,
}

/// Where the refresh token rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// In the stage's file.
    File,
    /// In the vault.
    KeyVault,
}

/// What a part is asked to do.
#[derive(Clone, Debug)]
pub struct Errand {
    /// The operation.
    pub operation: &'static str,
    /// What follows it on the command line.
    pub command: &'static [&'static str],
    /// Further inputs.
    pub inputs: Vec<(&'static str, String)>,
    /// Where its PAT goes.
    pub place: Place,
    /// Where the refresh token rests.
    pub credentials: Credentials,
    /// How far its machine's clock is ahead of the services'.
    pub clock_ahead: SignedDuration,
    /// Whose last step it is.
    pub heir_of: Option<usize>,
    /// What that one has saved for it.
    pub saved: Option<String>,
}

/// One run of adopat.
pub struct Part {
    /// What it was asked to do.
    pub errand: Errand,
    /// A folder of its own.
    pub folder: PathBuf,
    out: Captured,
    err: Captured,
}

impl Part {
    /// Sends a part onto the stage, after a delay; it plays until it ends or is killed. Returns its number, and
    /// how it ends: with an exit code, or `None` if it was killed.
    pub fn play(
        errand: Errand,
        folder: PathBuf,
        stage: &Stage,
        mut treatment: Treatment,
        delay: std::time::Duration,
    ) -> (usize, JoinHandle<u8>) {
        let (streams, out, err) = Streams::captured(Register::default());
        let part = Arc::new(Self { errand, folder, out, err });
        let store = stage.play().store.clone();
        let environment = part.environment(&store);
        let arguments: Vec<OsString> =
            [part.errand.operation].iter().chain(part.errand.command).map(OsString::from).collect();
        let random = Arc::new(SeededRandom::new(treatment.dice.split()));
        let clock = stage.clock(part.errand.clock_ahead);
        let (number, wire, cancellation) = stage.enter(part, treatment);
        let world = World { wire: Arc::new(wire), clock, random };
        let playing = tokio::task::spawn_local({
            let stage = stage.clone();
            async move {
                tokio::time::sleep(delay).await;
                let begun = tokio::time::Instant::now();
                stage.play().begins(number);
                let code = adopat::run(&arguments, &environment, streams, |_| world, cancellation).await;
                rules::at_an_end(&mut stage.play(), number, code, begun);
                code
            }
        });
        stage.set_abort(number, playing.abort_handle());
        (number, playing)
    }

    fn environment(&self, store: &Path) -> Environment {
        let mut variables: Vec<(String, OsString)> = Vec::new();
        let mut input = |name: &str, value: OsString| {
            variables.push((format!("ADOPAT_{}", name.to_uppercase().replace('-', "_")), value));
        };
        let file = |path: PathBuf| OsString::from(format!("file:{}", path.display()));
        input("organization", cast::ORGANIZATION.into());
        input("tenant-id", cast::TENANT.to_string().into());
        input("client-id", cast::CLIENT_ID.to_string().into());
        let in_vault = |name: &str| format!("keyvault:{}/secrets/{name}", Service::Vault.real_address());
        match self.errand.credentials {
            Credentials::File => input("credential-store", file(store.to_owned())),
            Credentials::KeyVault => input("credential-store", in_vault("refresh-token").into()),
        }
        for (name, value) in &self.errand.inputs {
            input(name, value.into());
        }
        match self.errand.place {
            Place::Azure => {
                variables.push(("TF_BUILD".into(), "True".into()));
                variables.push(("ADOPAT_LAUNCHER".into(), "1".into()));
                let saved = self.errand.saved.iter();
                variables.extend(saved.map(|text| ("VSTS_TASKVARIABLE_ADOPAT_PENDING".into(), text.into())));
                variables.push(("AGENT_TEMPDIRECTORY".into(), self.folder.clone().into()));
            }
            Place::GitHub => {
                variables.push(("GITHUB_ACTIONS".into(), "true".into()));
                variables.push(("ADOPAT_LAUNCHER".into(), "1".into()));
                let saved = self.errand.saved.iter();
                variables.extend(saved.map(|text| ("STATE_adopat_pending".into(), text.into())));
                for name in ["GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"] {
                    variables.push((name.into(), self.folder.join(name).into()));
                }
            }
            Place::OutputFile => input("output-file", self.folder.join("outputs.json").into()),
            Place::DeliverTo => input("deliver-to", file(self.folder.join("pat"))),
            Place::Manifest => {
                let scope = self.errand.inputs.iter().find(|(name, _)| *name == "scope");
                let scope = scope.map_or("vso.code", |(_, scope)| scope);
                let pat = self.folder.join("pat");
                let entry =
                    format!("display-name: {NAME}, scope: {scope}, deliver-to: 'file:{}'", pat.display());
                input("manifest", format!("version: 1\npats: [{{ {entry} }}]\n").into());
            }
            Place::KeyVault => input("deliver-to", in_vault("pat").into()),
            Place::ServiceConnection => input("deliver-to", "service-connection:web/feed".into()),
            Place::VariableGroup => input("deliver-to", "variable-group:web/feeds/ADO_PAT".into()),
            Place::GithubSecret => {
                let repository = format!("{}/{}", cast::GITHUB_OWNER, cast::GITHUB_REPOSITORY);
                input("deliver-to", format!("github-secret:{repository}/ADO_PAT").into());
            }
            Place::Nowhere => {}
        }
        if self.errand.asks_a_vault() {
            let app = [
                ("AZURE_CLIENT_ID", VAULT_APP.to_string()),
                ("AZURE_TENANT_ID", cast::TENANT.to_string()),
                ("AZURE_CLIENT_SECRET", VAULT_APP_SECRET.to_owned()),
            ];
            variables.extend(app.map(|(name, value)| (name.to_owned(), value.into())));
        }
        variables.into_iter().map(|(name, value)| (name.into(), value)).collect()
    }

    /// Whether it can mint, and retires what it replaces only after that.
    pub fn mints(&self) -> bool {
        matches!(self.errand.operation, "create" | "rotate" | "apply")
    }

    /// Whether it was asked about the PATs of the name that are there; a create, a command or a job's last step is not.
    pub fn is_asked_about_what_is_there(&self) -> bool {
        matches!(self.errand.operation, "rotate" | "apply" | "revoke" | "update")
    }

    /// What is in the place where its PAT goes.
    pub fn delivered_text(&self, services: &Services) -> String {
        match self.errand.place {
            Place::Azure => {
                let sets =
                    |line: &&str| line.starts_with("##vso[task.setvariable variable=ADO_PAT;issecret=true]");
                self.out.text().lines().filter(sets).collect::<Vec<_>>().join("\n")
            }
            Place::GitHub => read(&self.folder.join("GITHUB_OUTPUT")),
            Place::OutputFile => read(&self.folder.join("outputs.json")),
            Place::DeliverTo | Place::Manifest => read(&self.folder.join("pat")),
            Place::KeyVault => in_the_vault(services, "pat"),
            Place::ServiceConnection => {
                let connections = services.service_connections();
                connections
                    .first()
                    .map_or(String::new(), |connection| connection.parameters["apitoken"].clone())
            }
            Place::VariableGroup => {
                let groups = services.variable_groups();
                let variable = groups.first().and_then(|group| group.variables.get("ADO_PAT"));
                variable.map_or(String::new(), |variable| variable.value.clone())
            }
            Place::GithubSecret => {
                services.github_secrets().first().map_or(String::new(), |secret| secret.value.clone())
            }
            Place::Nowhere => String::new(),
        }
    }

    /// The outputs that it set, by their kebab-case names; empty where its host has none.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        match self.errand.place {
            Place::Azure => truth::azure_outputs(&self.out.text()),
            Place::GitHub => {
                let pairs = github_runner::pairs(&read(&self.folder.join("GITHUB_OUTPUT")));
                pairs.expect("the runner can read them").into_iter().collect()
            }
            _ => BTreeMap::new(),
        }
    }

    /// Its Markdown summary; empty where its host has none.
    pub fn summary(&self) -> String {
        match self.errand.place {
            Place::Azure => {
                let out = self.out.text();
                let file = out.lines().find_map(|line| line.strip_prefix("##vso[task.uploadsummary]"));
                file.map_or(String::new(), |file| read(Path::new(file)))
            }
            Place::GitHub => read(&self.folder.join("GITHUB_STEP_SUMMARY")),
            _ => String::new(),
        }
    }

    /// What it has saved for the job's last step, the last of it.
    pub fn saved(&self) -> Option<String> {
        const COMMAND: &str = "##vso[task.settaskvariable variable=adopat_pending]";
        match self.errand.place {
            Place::Azure => {
                let out = self.out.text();
                out.lines().rev().find_map(|line| line.strip_prefix(COMMAND)).map(str::to_owned)
            }
            Place::GitHub => {
                let state = read(&self.folder.join("GITHUB_STATE"));
                let records = state.lines().zip(state.lines().skip(1));
                let saved = records.filter(|(name, _)| name.starts_with("adopat_pending<<"));
                saved.last().map(|(_, text)| text.to_owned())
            }
            _ => None,
        }
    }

    /// Everything it printed, without the host's commands that mask or set a secret.
    pub fn words(&self) -> String {
        let (out, err) = (self.out.text(), self.err.text());
        let is_word = |line: &&str| {
            let masks = line.starts_with("::add-mask::") || line.starts_with("##vso[task.setsecret]");
            let sets = ["##vso[task.setvariable ", "##vso[task.settaskvariable "];
            let sets =
                sets.iter().any(|command| line.starts_with(command)) && line.contains(";issecret=true");
            !(masks || sets)
        };
        out.lines().chain(err.lines()).filter(is_word).collect::<Vec<_>>().join("\n")
    }
}

impl Errand {
    /// Whether it is to change nothing.
    pub fn is_dry_run(&self) -> bool {
        self.inputs.iter().any(|(name, value)| *name == "dry-run" && value == "true")
    }

    /// Whether the job's last step revokes what it makes.
    pub fn has_a_last_step(&self) -> bool {
        self.inputs.iter().any(|(name, _)| *name == "revoke-on-completion")
    }

    /// Whether a Key Vault takes part in it.
    pub fn asks_a_vault(&self) -> bool {
        self.place == Place::KeyVault || self.credentials == Credentials::KeyVault
    }
}

/// The value that a secret of the vault has now; empty where there is none.
pub fn in_the_vault(services: &Services, name: &str) -> String {
    let newest = services.vault_secret(name).and_then(|secret| secret.newest());
    newest.map_or(String::new(), |version| version.value.clone())
}

/// What a part is asked in most schedules, by chance.
pub fn errand(dice: &mut Dice) -> Errand {
    let place = dice.pick(&[Place::Azure, Place::Azure, Place::GitHub, Place::OutputFile, Place::DeliverTo]);
    let clock_ahead = match dice.below(10) {
        0 => SignedDuration::from_secs(dice.below(600) as i64 - 300),
        1 => SignedDuration::from_millis(dice.below(4000) as i64 - 2000),
        2 => SignedDuration::from_hours(dice.below(1440) as i64 - 720),
        _ => SignedDuration::ZERO,
    };
    let mut inputs = vec![("display-name", NAME.to_owned())];
    if dice.percent(20) {
        inputs.push(("timeout", dice.pick(&["30s", "70s", "3m"]).to_owned()));
    }
    let scope = ("scope", "vso.code vso.packaging".to_owned());
    let operation =
        dice.pick(&["rotate", "rotate", "rotate", "rotate", "create", "create", "revoke", "apply", "apply"]);
    match operation {
        "create" => inputs.push(scope),
        "apply" => {
            inputs.push(scope);
            if dice.percent(50) {
                inputs.push(("renew", "all".into()));
            }
        }
        "rotate" => {
            if dice.percent(60) {
                inputs.push(("duplicates", "revoke".into()));
            }
            if dice.percent(50) {
                inputs.extend([("if-missing", "create".into()), scope]);
            }
            if dice.percent(10) {
                inputs.push(("keep-previous-for", "2h".into()));
            }
            if dice.percent(10) {
                inputs.push(("renew-within", "60d".into()));
            }
        }
        _ => {
            if dice.percent(50) {
                inputs.push(("duplicates", "revoke".into()));
            }
        }
    }
    let place = if operation == "apply" { Place::Manifest } else { place };
    if matches!(operation, "create" | "rotate") {
        if dice.percent(30) {
            inputs.push(("lifetime", dice.pick(&["1h", "20d", "30d"]).to_owned()));
        }
        if dice.percent(15) {
            inputs.push(("on-shortened-lifetime", "fail".into()));
        }
        if dice.percent(15) {
            inputs.push(("verify", dice.pick(&["warn", "require"]).to_owned()));
        }
    }
    let has_a_last_step = matches!(place, Place::Azure | Place::GitHub);
    if has_a_last_step && matches!(operation, "create" | "rotate") && dice.percent(40) {
        inputs.push(("revoke-on-completion", "true".into()));
    }
    Errand {
        operation,
        command: &[],
        inputs,
        place,
        credentials: Credentials::File,
        clock_ahead,
        heir_of: None,
        saved: None,
    }
}

/// The last step of the job of this part.
pub fn last_step(number: usize, part: &Part) -> Errand {
    Errand {
        operation: "complete",
        command: &[],
        heir_of: Some(number),
        saved: part.saved(),
        ..part.errand.clone()
    }
}

/// The rotation that puts everything in order, whatever was before.
pub fn rotation_that_heals(dice: &mut Dice) -> Errand {
    let inputs = [
        ("display-name", NAME),
        ("duplicates", "revoke"),
        ("if-missing", "create"),
        ("scope", "vso.code vso.packaging"),
    ];
    Errand {
        operation: "rotate",
        command: &[],
        inputs: inputs.map(|(name, value)| (name, value.to_owned())).to_vec(),
        place: dice.pick(&[Place::Azure, Place::GitHub, Place::OutputFile, Place::DeliverTo]),
        credentials: Credentials::File,
        clock_ahead: SignedDuration::ZERO,
        heir_of: None,
        saved: None,
    }
}
