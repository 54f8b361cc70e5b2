//! How a CI system is spoken to. Nothing but this module prints.
//!
//! Whatever an operation wants said, masked or handed over goes through [`Host`]; no operation knows which
//! one it runs on. Every line that a host prints has been neutralised (no foreign text can start a command
//! there) and searched for known secrets.

use crate::failure::Failure;
use crate::outputs::Outputs;
use crate::secret::Secret;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What a person may want to follow.
    Info,
    /// What a person has to see, such as a sign-in code.
    Notice,
    /// What a person should look at; the run goes on.
    Warning,
    /// Why the run failed.
    Error,
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
    fn mask(&self, secret: &Secret);

    /// Says a line to the person who reads the log.
    fn say(&self, level: Level, text: &str);

    /// Prints what was asked for, byte for byte (a table, JSON, a child's words go there too): standard output.
    fn print(&self, text: &str);

    /// Whether this host can be handed a secret at all, and be trusted not to show it. Asked before anything
    /// is minted. `elsewhere` says that the secret also goes to a file or a store, which is enough for a host
    /// that has no way of its own.
    ///
    /// # Errors
    /// Why not, and what to give instead.
    fn can_take_a_secret(&self, elsewhere: bool) -> Result<(), Failure>;

    /// Hands over the outputs.
    ///
    /// # Errors
    /// What could not be written; nothing that was handed over may then be relied on.
    fn deliver(&self, outputs: &Outputs) -> Result<(), Failure>;

    /// Shows a Markdown summary, where the host has a place for one. Never holds a secret. A summary that
    /// cannot be shown is a warning, not a failure.
    fn summarize(&self, markdown: &str);

    /// Saves something for the job's last step.
    ///
    /// # Errors
    /// Where it cannot be saved.
    fn remember(&self, name: &str, value: Remembered<'_>) -> Result<(), Failure>;

    /// Says that the run did its work, but that something was left to look at (succeeded with issues).
    fn succeeded_with_issues(&self);
}
