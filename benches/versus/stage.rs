//! The services that every contender meets, and the operations it is asked to do there; what it leaves is checked,
//! so that nobody is measured for work that was not done.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use adopat_emulator::{Emulator, Fault, NewPat, Service, cast};
use serde_json::Value;
use tempfile::TempDir;

use super::contender::Contender;
use super::measure::{self, Taken};

/// What each request waits where there is latency.
pub const LATENCY: Duration = Duration::from_millis(50);
/// The name of the PAT that is made, rotated and revoked.
const NAME: &str = "nightly";
/// How many PATs a long list has, and how many there are otherwise: one page.
const MANY: usize = 10_000;
const FEW: usize = 20;

/// What is asked of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Signs in, makes a PAT, writes it to a file.
    Create,
    /// The same, and revokes the PAT of that name that was there before.
    Rotate,
    /// Signs in and revokes the PAT of that name.
    Revoke,
    /// Signs in and prints all 10,000 PATs as JSON.
    List,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Create, Self::Rotate, Self::Revoke, Self::List];

    /// The word for it on every contender's command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
            Self::List => "list",
        }
    }

    /// The same for a person.
    pub fn title(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Rotate => "rotate by name",
            Self::Revoke => "revoke by name",
            Self::List => "list of 10,000",
        }
    }
}

/// What a contender is told.
pub struct Settings {
    pub authority_host: String,
    pub service_url: String,
    pub certificate_authority: PathBuf,
    pub refresh_token: PathBuf,
    pub new_pat: PathBuf,
}

impl Settings {
    pub const ORGANIZATION: &str = cast::ORGANIZATION;
    pub const NAME: &str = NAME;
    pub const SCOPE: &str = "vso.code vso.packaging";

    pub fn tenant_id() -> String {
        cast::TENANT.to_string()
    }

    pub fn client_id() -> String {
        cast::CLIENT_ID.to_string()
    }
}

/// The services, and a folder for one contender at a time.
pub struct Stage {
    emulator: Emulator,
    folder: TempDir,
    pats: usize,
}

impl Stage {
    /// With as many PATs as the operation is about.
    pub fn for_operation(operation: Operation) -> Self {
        Self::with_pats(if operation == Operation::List { MANY } else { FEW })
    }

    /// With so many PATs.
    pub fn with_pats(pats: usize) -> Self {
        let emulator = Emulator::builder().tls(true).start();
        for number in 0..pats {
            emulator
                .add_pat(NewPat::named(&format!("pipeline {number:05}")).scope("vso.build vso.packaging"));
        }
        Self { emulator, folder: tempfile::tempdir().expect("a folder"), pats }
    }

    /// Every request waits so long before it is looked at.
    pub fn set_latency(&self, latency: Duration) {
        self.emulator.clear_faults();
        if !latency.is_zero() {
            for service in [Service::Entra, Service::Pats, Service::DevOps] {
                self.emulator.order(Fault::on(service).always().delay_before(latency));
            }
        }
    }

    /// One run; what it took, and how many requests it sent.
    ///
    /// # Errors
    /// It failed, or did not do what it was asked.
    pub fn run(&self, operation: Operation, contender: &Contender) -> Result<(Taken, usize), String> {
        let old = self.prepare(operation);
        self.emulator.clear_requests();
        let output = self.path("output");
        let arguments: Vec<_> =
            contender.arguments.iter().cloned().chain([operation.word().into()]).collect();
        let environment = contender.environment(&self.settings());
        let taken = measure::run(&contender.program, &arguments, &environment, &output)
            .map_err(|why| format!("{}, {}: {why}", contender.name, operation.word()))?;
        let requests = self.emulator.requests().len();
        if !self.is_done(operation, old.as_deref()) {
            return Err(format!("{} did not {}", contender.name, operation.word()));
        }
        Ok((taken, requests))
    }

    /// What adopat is told so that it keeps the refresh token sealed, in a file of its own; a first one to put there.
    pub fn sealing(&self) -> Vec<(OsString, OsString)> {
        let mut store = OsString::from("file:");
        store.push(self.path("sealed-refresh-token"));
        let told = [
            ("ADOPAT_CREDENTIAL_STORE", store),
            ("ADOPAT_STORE_KEY", "correct horse battery staple, contoso".into()),
            ("ADOPAT_REFRESH_TOKEN", self.emulator.refresh_token().into()),
        ];
        told.map(|(name, value)| (name.into(), value)).into()
    }

    fn settings(&self) -> Settings {
        Settings {
            authority_host: self.emulator.entra_url(),
            service_url: self.emulator.service_url(),
            certificate_authority: self.emulator.ca_pem_path().to_owned(),
            refresh_token: self.path("refresh-token"),
            new_pat: self.path("pat"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A fresh refresh token, no new PAT, and the old one where it is about one: its value.
    fn prepare(&self, operation: Operation) -> Option<String> {
        std::fs::write(self.path("refresh-token"), self.emulator.refresh_token()).expect("a store");
        let _ = std::fs::remove_file(self.path("pat"));
        for pat in self.emulator.active_pats().iter().filter(|pat| pat.display_name == NAME) {
            self.emulator.revoke_pat(pat.authorization_id);
        }
        let about_one = matches!(operation, Operation::Rotate | Operation::Revoke);
        about_one.then(|| self.emulator.add_pat(NewPat::named(NAME).scope("vso.code")).value)
    }

    fn is_done(&self, operation: Operation, old: Option<&str>) -> bool {
        let active = self.emulator.active_pats();
        let named: Vec<_> = active.iter().filter(|pat| pat.display_name == NAME).collect();
        let written = std::fs::read_to_string(self.path("pat")).unwrap_or_default();
        match operation {
            Operation::Create | Operation::Rotate => {
                matches!(named[..], [pat] if pat.value == written.trim_end() && Some(&*pat.value) != old)
            }
            Operation::Revoke => named.is_empty(),
            Operation::List => {
                let output = std::fs::read(self.path("output")).unwrap_or_default();
                serde_json::from_slice::<Vec<Value>>(&output).is_ok_and(|pats| pats.len() == self.pats)
            }
        }
    }
}
