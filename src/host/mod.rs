//! How a CI system is spoken to. Nothing but this module prints.
//!
//! Everything that an operation says, masks or hands over goes through [`Host`]; no operation knows which host it
//! runs on. Every line that a host prints has been sanitized, so that no foreign text can start a command there,
//! and searched for known secrets.

pub mod azure_pipelines;
mod buildkite;
mod command_file;
mod generic;
mod github_actions;
mod outlet;
pub mod sanitize;
mod settings;
pub mod streams;
#[cfg(test)]
mod testing;

use std::sync::atomic::AtomicBool;

use self::azure_pipelines::AzurePipelines;
use self::generic::Generic;
use self::github_actions::GithubActions;
pub use self::settings::{DEFAULT_VARIABLE, HostSettings, is_variable_name};
pub use self::streams::Streams;
use crate::failure::Failure;
use crate::outputs::Outputs;
use crate::secret::Secret;
use crate::world::World;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What a person may want to follow.
    Info,
    /// What a person has to see, like a sign-in code.
    Notice,
    /// What a person should look at; the run goes on.
    Warning,
    /// Why the run failed.
    Error,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Ok,
    /// A run would work, but a person should look at it.
    Warning,
    /// A run would fail.
    Failed,
    /// It could not be found out, or there is nothing to find out.
    Skipped,
}

impl Verdict {
    /// The word for it, as the output `checks` has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A piece of a line, with the verdict in whose colour a terminal shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// What it says.
    pub text: String,
    /// The verdict in whose colour it is shown, if any.
    pub verdict: Option<Verdict>,
}

impl Piece {
    /// A piece in the colour of a verdict.
    pub fn of(verdict: Verdict, text: impl Into<String>) -> Self {
        Self { text: text.into(), verdict: Some(verdict) }
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self { text, verdict: None }
    }
}

/// What the job's last step needs, saved before there is anything to revoke. See `revoke-on-completion`.
#[derive(Clone, Debug)]
pub enum Remembered<'a> {
    /// A plain text under a name.
    Plain(&'a str),
    /// A secret under a name: masked before it is saved.
    Secret(&'a Secret),
}

/// A CI system, or a person at a terminal.
pub trait Host: Send + Sync {
    /// Tells the host never to show this secret, in any of its forms. Must come before anything else that
    /// could print it.
    fn mask(&self, secret: &Secret) {
        self.hide(secret.forms());
    }

    /// The same for a PAT, which clients send together with the organization's name.
    fn mask_pat(&self, pat: &Secret, organization: &str) {
        self.hide(pat.forms_of_a_pat(organization));
    }

    /// Tells the host never to show any of these texts.
    fn hide(&self, forms: Vec<Secret>);

    /// Says a line to the person who reads the log.
    fn say(&self, level: Level, text: &str);

    /// Prints what was asked for (a table, JSON) on standard output, line by line, each made harmless. JSON
    /// keeps its value if it went through [`sanitize::json`] first.
    fn print(&self, text: &str);

    /// Prints a line of what was asked for, in pieces.
    fn print_line(&self, pieces: &[Piece]) {
        self.print(&pieces.iter().map(|piece| piece.text.as_str()).collect::<String>());
    }

    /// Says a line of doctor, which begins with the verdict: as this host's warning or error, or else
    /// [printed](Host::print). A warning does not say twice that it is one.
    fn report(&self, verdict: Verdict, line: &str) {
        match verdict {
            Verdict::Failed => self.say(Level::Error, line),
            Verdict::Warning => {
                let line = line.strip_prefix(verdict.word()).map_or(line, str::trim_start);
                self.say(Level::Warning, line);
            }
            Verdict::Ok | Verdict::Skipped => self.print(line),
        }
    }

    /// Whether this host can be handed a secret at all, and be trusted not to show it. Asked before anything
    /// is minted. `elsewhere` says that the secret also goes to a file or a store, which is enough for a host
    /// that has no way of its own.
    ///
    /// # Errors
    /// Why not, and what to give instead.
    fn can_take_a_secret(&self, elsewhere: bool) -> Result<(), Failure>;

    /// Whether later steps of the job can read outputs of this one.
    fn has_outputs(&self) -> bool {
        true
    }

    /// Whether something can be [saved](Host::remember) for the job's last step. Asked before anything is minted.
    ///
    /// # Errors
    /// Why not, and what to do.
    fn can_remember(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Hands over the outputs.
    ///
    /// # Errors
    /// What could not be written; nothing that was handed over may then be relied on.
    fn deliver(&self, outputs: &Outputs) -> Result<(), Failure>;

    /// Shows a Markdown summary, if the host has a place for one. Never holds a secret. A summary that
    /// cannot be shown is a warning, not a failure.
    fn summarize(&self, markdown: &str);

    /// Saves something for the job's last step.
    ///
    /// # Errors
    /// If it cannot be saved.
    fn remember(&self, name: &str, value: Remembered<'_>) -> Result<(), Failure>;

    /// Says that the run did its work, but that a person should look at something (succeeded with issues).
    fn succeeded_with_issues(&self);
}

/// The host that this run is on. Its secrets are registered by [`Host::mask`] alone: what the register already
/// knows is not masked again.
///
/// `own_words_to_stderr` keeps standard output free, commands of the host included (both hosts read them on
/// either stream): `exec` leaves it to its command.
pub fn open(
    settings: &HostSettings,
    variable: Option<&str>,
    output_variable: Option<&str>,
    world: &World,
    streams: Streams,
    own_words_to_stderr: bool,
) -> Box<dyn Host> {
    let streams = if own_words_to_stderr { streams.all_on_stderr() } else { streams };
    let world = world.clone();
    let variable = variable.map(str::to_owned);
    match settings.clone() {
        HostSettings::AzurePipelines { temp, decodes_percent } => {
            let variable = variable.unwrap_or_else(|| DEFAULT_VARIABLE.into());
            let output_variable = output_variable.map(str::to_owned);
            Box::new(AzurePipelines { streams, world, variable, output_variable, temp, decodes_percent })
        }
        HostSettings::GithubActions { output, env, state, step_summary } => {
            Box::new(GithubActions { streams, world, variable, output, env, state, step_summary })
        }
        HostSettings::Generic { buildkite } => {
            let redactor = buildkite.then(buildkite::Redactor::default);
            Box::new(Generic { streams, redactor, warned: AtomicBool::new(false) })
        }
    }
}
