//! What a command line asks for, once it is understood. `cli` reads it.

use std::ffi::{OsStr, OsString};

use super::table::Input;
use crate::operation_name::OperationName;

/// A command line that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The operation, if it was given as a word.
    pub operation: Option<OperationName>,
    /// The inputs that were given as flags.
    pub flags: Flags,
    /// Whether the launcher asks for the job's last step.
    pub post_step: bool,
    /// exec's command and its arguments; empty if none was given.
    pub command: Vec<OsString>,
}

/// The inputs that were given as flags, each with its value: it beats every variable, and an empty one unsets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(Vec<(&'static str, OsString)>);

impl Flags {
    /// Notes the value of one more flag. Of a repeatable input the values become the lines of one; of any other the
    /// first value stays, and the answer is false.
    pub fn add(&mut self, input: &Input, value: OsString) -> bool {
        match self.0.iter_mut().find(|(name, _)| *name == input.name) {
            Some((_, values)) if input.repeatable => {
                values.push("\n");
                values.push(value);
            }
            Some(_) => return false,
            None => self.0.push((input.name, value)),
        }
        true
    }

    /// The value that was given for this input.
    pub fn value(&self, input: &Input) -> Option<&OsStr> {
        self.0.iter().find(|(name, _)| *name == input.name).map(|(_, value)| value.as_os_str())
    }
}
