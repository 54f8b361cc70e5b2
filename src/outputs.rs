//! The one table of outputs, and the values that a run hands to its host.

mod results;

use serde_json::{Value, json};

use crate::operation_name::OperationName::{self, Apply, Create, Doctor, Get, List, Revoke, Rotate, Update};
use crate::pats::Pat;
use crate::secret::Secret;
use crate::time::to_the_second;

pub use self::results::{ApplyAction, ApplyError, ApplyResult};

/// One output of adopat.
#[derive(Debug)]
pub struct Output {
    /// Its name in kebab-case, as GitHub shows it; Azure Pipelines reads it in camelCase.
    pub name: &'static str,
    /// Whether it is a secret.
    pub secret: bool,
    /// The operations that set it.
    pub operations: &'static [OperationName],
    /// When it is set and what it holds.
    pub help: &'static str,
}

const fn output(name: &'static str, operations: &'static [OperationName], help: &'static str) -> Output {
    Output { name, secret: false, operations, help }
}

/// The operations that one PAT is the subject of.
const OF_ONE_PAT: &[OperationName] = &[Create, Rotate, Revoke, Update, Get];

/// Every output there is, in the order in which it is written.
pub const OUTPUTS: [Output; 11] = [
    Output {
        secret: true,
        ..output("token", &[Create, Rotate], "the new PAT; only if create or rotate made one")
    },
    output("authorization-id", OF_ONE_PAT, "the PAT's authorization id, by which it is revoked"),
    output("display-name", OF_ONE_PAT, "the PAT's name"),
    output("scope", OF_ONE_PAT, "the PAT's scopes, separated by spaces"),
    output("valid-to", OF_ONE_PAT, "when the PAT expires (RFC 3339, UTC)"),
    output("valid-from", OF_ONE_PAT, "when the PAT was made (RFC 3339, UTC)"),
    output(
        "changed",
        &[Create, Rotate, Apply, Revoke, Update, Get, List, Doctor],
        "true if the run changed a PAT, else false",
    ),
    output(
        "previous-authorization-id",
        &[Rotate],
        "rotate: the authorization ids it replaced, separated by spaces",
    ),
    output(
        "pats",
        &[List],
        "list: the PATs as a JSON array, without tokens; of more than 64 KiB, those that expire soonest, and \
         output-file has all",
    ),
    output("checks", &[Doctor], "doctor: what was checked, as a JSON array"),
    output(
        "results",
        &[Apply],
        "apply: what became of each PAT, as a JSON array; of more than 64 KiB, what was not kept, else the count of \
         each action, and output-file has all",
    ),
];

/// The most bytes that one output may hold on a host, which makes environment variables of them: a process cannot be
/// started with one of 128 KiB on Linux.
pub const MOST_OF_AN_OUTPUT: usize = 64 * 1024;

/// The values of a run's outputs.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// The PAT's value, if one was minted.
    pub token: Option<Secret>,
    /// The one PAT that is the run's subject.
    pub subject: Option<Pat>,
    /// Whether anything was changed.
    pub changed: bool,
    /// rotate: the authorization ids that were replaced.
    pub previous: Option<Vec<String>>,
    /// list: a JSON array of the PATs found.
    pub pats: Option<Vec<Value>>,
    /// doctor: a JSON array of the checks made.
    pub checks: Option<Vec<Value>>,
    /// apply: a JSON array of what became of each entry.
    pub results: Option<Vec<Value>>,
}

impl Outputs {
    /// Every output but the token, in the order of [`OUTPUTS`], by its kebab-case name; a boolean, a string, or
    /// an array.
    pub fn plain(&self) -> Vec<(&'static str, Value)> {
        let mut plain = Vec::new();
        if let Some(pat) = &self.subject {
            plain.push(("authorization-id", json!(pat.authorization_id)));
            plain.push(("display-name", json!(pat.display_name)));
            plain.push(("scope", json!(pat.scope.to_string())));
            plain.extend(pat.valid_to.map(|at| ("valid-to", json!(to_the_second(at)))));
            plain.extend(pat.valid_from.map(|at| ("valid-from", json!(to_the_second(at)))));
        }
        plain.push(("changed", json!(self.changed)));
        plain.extend(self.previous.as_ref().map(|ids| ("previous-authorization-id", json!(ids))));
        plain.extend(self.pats.as_ref().map(|pats| ("pats", json!(pats))));
        plain.extend(self.checks.as_ref().map(|checks| ("checks", json!(checks))));
        plain.extend(self.results.as_ref().map(|results| ("results", json!(results))));
        plain
    }
}

/// An output's value as one text: an array of ids is joined by spaces, an array of objects is JSON.
pub fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
