//! `command:PROGRAM ARG...`: a program that takes the secret on its standard input, followed by nothing, and stores it
//! wherever it likes. That it ends with 0 means that it has stored it; nothing else does.
//!
//! Nobody but the program knows what is stored there. So it is written, never read, and cannot be given back what it
//! held.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use async_trait::async_trait;

use super::written::Written;
use super::{Address, Expected, Holding, Kind, Restored, Store};
use crate::executable;
use crate::failure::{Exit, Failure};
use crate::secret::Secret;
use crate::signals::Signals;
use crate::subprocess::Helper;
use crate::time::deadline::Deadline;
use crate::time::to_the_second;

/// Says a line in the log, masked and made harmless.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// A program as a store. It can be written, never read.
pub struct CommandStore {
    address: Address,
    words: Vec<String>,
    environment: Arc<[(OsString, OsString)]>,
    log: Log,
    written: Written,
}

impl CommandStore {
    /// The program that these words name and hand its arguments, in this environment; what it prints goes to `log`.
    pub fn new(
        address: Address,
        words: Vec<String>,
        environment: Arc<[(OsString, OsString)]>,
        log: Log,
    ) -> Self {
        Self { address, words, environment, log, written: Written::default() }
    }

    /// What a person calls the program: its name, without its folder.
    fn name(&self) -> &str {
        let name = self.words.first().map_or("", String::as_str);
        name.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(name)
    }

    /// What the program finds in its environment; what is known of no secret is not there either.
    fn environment_with(&self, facts: &[(&str, Option<String>)]) -> Vec<(OsString, OsString)> {
        let is_fact = |name: &OsString| facts.iter().any(|(fact, _)| name.eq_ignore_ascii_case(fact));
        let others = self.environment.iter().filter(|(name, _)| !is_fact(name)).cloned();
        let facts = facts.iter().filter_map(|(name, value)| Some((name.into(), value.as_ref()?.into())));
        others.chain(facts).collect()
    }

    /// The failure of a program that has ended otherwise than with 0.
    fn failed(&self, status: ExitStatus) -> Failure {
        let address = &self.address;
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        #[cfg(not(unix))]
        let signal: Option<i32> = None;
        let cause = match (signal, status.code()) {
            (Some(signal), _) => format!("{address} was ended by signal {signal}."),
            (None, code) => format!("{address} ended with exit code {}.", code.unwrap_or(1)),
        };
        let remedy =
            "What it printed is in the log above. Let it end with 0 once it has stored what it reads.";
        Failure::new(Exit::Store, cause, remedy)
    }
}

/// The file of the program that a command names, looked up as a shell does, with the `PATH` of this environment.
///
/// # Errors
/// That there is none, or that the system cannot run it.
pub fn look_up(
    address: &Address,
    words: &[String],
    environment: &[(OsString, OsString)],
) -> Result<PathBuf, Failure> {
    let program = words.first().map_or("", String::as_str);
    executable::find(program.as_ref(), executable::path_in(environment)).map_err(|error| {
        let remedy = match error.is_missing {
            true => "Install it on the machine that runs adopat, or give its whole path. No shell runs it.",
            false => "Let it be a program or a script that this user may execute.",
        };
        Failure::new(Exit::Store, format!("The program of {address} {}.", error.why), remedy)
    })
}

#[async_trait]
impl Store for CommandStore {
    fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare(&self, _deadline: &Deadline) -> Result<Option<Failure>, Failure> {
        look_up(&self.address, &self.words, &self.environment).map(|_| None)
    }

    /// What it keeps is its own affair.
    async fn holds(&self, _expected: &Expected<'_>, _deadline: &Deadline) -> Result<Holding, Failure> {
        Ok(Holding::CannotTell(None))
    }

    async fn read(&self, _deadline: &Deadline) -> Result<Option<Secret>, Failure> {
        Ok(None)
    }

    async fn write(&self, secret: &Secret, kind: &Kind, deadline: &Deadline) -> Result<(), Failure> {
        let program = look_up(&self.address, &self.words, &self.environment)?;
        let address = &self.address;
        let unstarted = |error: std::io::Error| {
            let remedy = "Run it by hand on this machine to see why.";
            Failure::new(Exit::Store, format!("{address} could not be run: {error}."), remedy)
        };
        let signals = Signals::that_cancel().map_err(unstarted)?;
        let helper = Helper::new(program)
            .called(self.words.first().map_or("", String::as_str))
            .arguments(self.words.iter().skip(1))
            .environment(self.environment_with(&facts(kind)))
            .input(secret.expose().as_bytes().to_vec().into());
        let say = |line: &str| (self.log)(&format!("{}: {line}", self.name()));
        match helper.run_aloud(deadline.left(), signals, &say).await {
            Ok(status) if status.success() => {
                self.written.taken();
                Ok(())
            }
            Ok(status) => {
                // What it had stored before it failed is there.
                self.written.lost();
                Err(self.failed(status))
            }
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                self.written.lost();
                Err(Failure::new(
                    Exit::Store,
                    format!(
                        "{address} did not end within the time this operation may take, and was ended with all that it \
                         started."
                    ),
                    "Let it end sooner, or raise the input 'timeout'.",
                ))
            }
            Err(error) => Err(unstarted(error)),
        }
    }

    async fn restore(&self, _deadline: &Deadline) -> Result<Restored, Failure> {
        Ok(self.written.is_left())
    }
}

/// What the program is told of the secret, beside the secret itself.
fn facts(kind: &Kind) -> Vec<(&'static str, Option<String>)> {
    let (word, pat) = match kind {
        Kind::RefreshToken => ("refresh-token", [const { None }; 5]),
        Kind::Pat { authorization_id, display_name, organization, scope, valid_to, .. } => {
            let valid_to = valid_to.map(|end| to_the_second(end).to_string());
            let told = [authorization_id, display_name, organization, scope].map(|text| Some(text.clone()));
            let [id, name, organization, scope] = told;
            ("pat", [id, name, organization, scope, valid_to])
        }
    };
    let names = ["PAT_AUTHORIZATION_ID", "PAT_DISPLAY_NAME", "PAT_ORGANIZATION", "PAT_SCOPE", "PAT_VALID_TO"];
    let kind = ("DELIVERY_KIND", Some(word.to_owned()));
    std::iter::once(kind).chain(names.into_iter().zip(pat)).collect()
}
