//! The command line: arguments and flags, help, completions. All of them are made from the one table of inputs, so
//! they cannot contradict each other; a new input needs only its row there.

mod arguments;
pub mod completions;
pub mod help;

pub use self::arguments::{CommandLine, Misuse, Topic};
pub use self::completions::Shell;
