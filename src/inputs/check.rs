//! From texts to a [`Request`]: every rule an input has to obey, each with its remedy.
//!
//! The rules stand in three files: what is to be done, who signs in, and where the PAT goes. An input is passed by its name
//! alone; its row of the table and its value are looked up together.

mod delivery;
mod manifest;
mod own_files;
mod sign_in;
#[cfg(test)]
mod testing;
mod what;

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::Inputs;
use super::arguments::Arguments;
use super::environment::Environment;
use super::problem::{Problem, Problems};
use super::request::{Delivery, Doubt, Operation, Request};
use super::table::{Group, Input, input};
use super::values::{Given, Values};
use crate::azure_devops::Organization;
use crate::azure_devops::hosts::{self, Purpose};
use crate::host::HostSettings;
use crate::operation_name::OperationName;
use crate::secret::Secret;
use crate::time::span;

/// How long a run may take if nothing says how long.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The same of `apply`, which works on many PATs.
const TIMEOUT_OF_APPLY: Duration = Duration::from_secs(30 * 60);

/// Why a secret that a workflow passes is empty.
const EMPTY_SECRET: &str =
    "A secret is empty if its name is misspelled, or if the run comes from a fork's pull request.";

/// On Azure Pipelines a macro that named no variable reaches the task as it was written. Whether the value is one.
pub(super) fn is_macro(input: &Input, value: &Secret, problems: &mut Problems) -> bool {
    let text = value.expose();
    let inside = |start: usize| {
        let name = &text[start + 2..];
        let end = name.find(')')?;
        let name = &name[..end];
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ' ');
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    };
    let found = if input.secret {
        // Within a secret these characters mean nothing; only a secret that is nothing else is a macro.
        (text.starts_with("$(") && text.ends_with(')')).then(|| inside(0)).flatten()
    } else {
        text.match_indices("$(").find_map(|(start, _)| inside(start))
    };
    if let Some(name) = found {
        problems.unread(
            input.name,
            format!("holds $({name}), an Azure Pipelines macro that was left unexpanded"),
            "define that variable, or make it available to this job; a secret variable is missing from the build of a \
             fork's pull request",
        );
    }
    found.is_some()
}

/// Where a PAT goes: checked before all else, since the host is opened with it.
pub(super) fn delivery(
    values: &Values,
    environment: &Environment,
    host: HostSettings,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Delivery {
    Check::new(values, environment, problems, warnings).delivery(host)
}

pub(super) fn request(
    inputs: Inputs,
    arguments: &Arguments,
    environment: &Environment,
) -> (Vec<String>, Result<Request, Vec<Problem>>) {
    let given = inputs.operation(arguments);
    let Inputs { values, mut problems, mut delivery, mut warnings, .. } = inputs;
    let mut check = Check::new(&values, environment, &mut problems, &mut warnings);
    if given.is_none() && !arguments.post_step {
        check.operation_is_missing();
    }
    let name = given.unwrap_or(OperationName::Doctor);
    let organization = check.organization(name);
    let endpoints = check.endpoints();
    let manifest = check.manifest(name, organization.as_ref(), endpoints.as_ref(), &delivery);
    // Which tenant to sign in to, a manifest's first organization says; doctor looks at the one that is given.
    let of_the_manifest =
        manifest.as_ref().and_then(|manifest| Some(manifest.entries.first()?.organization.clone()));
    let organization =
        if name == OperationName::Apply { of_the_manifest } else { organization.or(of_the_manifest) };
    delivery.feed = organization.as_ref().and_then(|organization| check.feed(organization));
    check.settings_file(name, &delivery);
    let sign_in = check.sign_in(name, arguments.post_step, &delivery.host);
    let timeout = check.span("timeout").unwrap_or(limit_of(name));
    let timeout = if timeout.is_zero() {
        check.problems.add("timeout", "leaves no time at all", "give a duration like 5m");
        limit_of(name)
    } else {
        timeout
    };
    let operation = if arguments.post_step {
        Some(Operation::PostStep(environment.pending()))
    } else {
        check.operation(name, arguments, organization.as_ref(), endpoints.as_ref(), &delivery, manifest)
    };
    if !input("deliver-to").is_for(name) || arguments.post_step {
        delivery.deliver_to.clear();
    }
    if delivery.variable.is_none() {
        delivery.variable = delivery.host.default_variable().map(str::to_owned);
    }
    let manifest = operation.as_ref().and_then(Operation::manifest);
    check.github_token(&delivery, manifest, sign_in.as_ref());
    let valid_to = check.valid_to;
    let doubts = check.doubts.iter().map(|doubt| format!("{} {}", doubt.what, doubt.remedy));
    check.warnings.extend(doubts);
    if given.is_some() && name != OperationName::Doctor {
        problems.retain_for(name);
    }
    let mut problems = problems.into_vec();
    let mut operation = operation;
    // doctor says what is wrong with the inputs, and makes the checks that do not depend on it.
    if let (Some(Operation::Doctor(doctor)), Some(_), Some(_), Some(_)) =
        (&mut operation, &sign_in, &endpoints, given)
    {
        let is_wrong = |group| problems.iter().any(|problem| input(problem.input).group == group);
        doctor.is_sign_in_wrong = is_wrong(Group::Who);
        doctor.is_delivery_wrong = is_wrong(Group::Destination);
        if problems.iter().any(|problem| ["output-file", "output-format"].contains(&problem.input)) {
            delivery.output_file = None;
        }
        doctor.problems = problems.drain(..).map(|problem| problem.to_string()).collect();
    }
    let request = match (operation, sign_in, endpoints) {
        (Some(operation), Some(sign_in), Some(places)) if problems.is_empty() => {
            Ok(Request { operation, organization, sign_in, places, delivery, timeout, valid_to })
        }
        _ => Err(problems),
    };
    (warnings, request)
}

fn limit_of(operation: OperationName) -> Duration {
    if operation == OperationName::Apply { TIMEOUT_OF_APPLY } else { TIMEOUT }
}

/// The words as a choice: `a, b or c`.
pub(super) fn or(words: &[&str]) -> String {
    match words {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        _ => words.join(""),
    }
}

struct Check<'a> {
    values: &'a Values,
    environment: &'a Environment,
    problems: &'a mut Problems,
    warnings: &'a mut Vec<String>,
    /// What may be wrong, and only the service knows.
    doubts: Vec<Doubt>,
    /// `valid-to`, once it has been read.
    valid_to: Option<Timestamp>,
}

impl<'a> Check<'a> {
    fn new(
        values: &'a Values,
        environment: &'a Environment,
        problems: &'a mut Problems,
        warnings: &'a mut Vec<String>,
    ) -> Self {
        Self { values, environment, problems, warnings, doubts: Vec::new(), valid_to: None }
    }

    /// The text that was given for an input.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.values.given(name).text
    }

    fn is_given(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// Notes what is wrong with the value of an input, if it was given.
    fn wrong(&mut self, name: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let Given { input, text } = self.values.given(name);
        self.problems.wrong(input.name, text.unwrap_or_default(), what, remedy);
    }

    /// The value of an input as `read` understands it; its error is the rest of a sentence.
    fn read<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let Given { input, text } = self.values.given(name);
        self.problems.check(input.name, text?, read(text?))
    }

    fn span(&mut self, name: &str) -> Option<Duration> {
        self.read(name, span::parse)
    }

    /// The address of a service of Microsoft's, given or by default.
    fn trusted_url(&mut self, name: &str, purpose: Purpose) -> Option<Url> {
        let Given { input, text } = self.values.given(name);
        let text = text.or(input.default)?;
        self.problems.check(input.name, text, hosts::parse_trusted(text, purpose))
    }

    fn boolean(&mut self, name: &str) -> bool {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0" | "no") => false,
            Some("true" | "1" | "yes") => true,
            Some(_) => {
                self.wrong(name, "is neither true nor false", "use true or false");
                false
            }
        }
    }

    /// The choice that was made, whose words are those of the input's row; the problem names them.
    fn choice<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let Given { input, text } = self.values.given(name);
        let value = text?.parse().ok();
        if value.is_none() {
            self.wrong(name, "is not one of its choices", format!("use {}", or(input.choices)));
        }
        value
    }

    fn organization(&mut self, operation: OperationName) -> Option<Organization> {
        let given = self.text("organization");
        let jobs = ["SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"];
        let Some(text) = given.or_else(|| self.environment.first(&jobs)) else {
            let may_be_in_the_manifest = operation == OperationName::Doctor && self.is_given("manifest");
            if !matches!(operation, OperationName::Login | OperationName::Apply) && !may_be_in_the_manifest {
                self.problems.add("organization", "is required", "give the Azure DevOps organization's name");
            }
            return None;
        };
        let read = Organization::parse(text).map_err(|what| match given {
            Some(_) => what,
            None => format!("is the collection of this job's agent and {what}"),
        });
        self.problems.check("organization", text, read)
    }
}
