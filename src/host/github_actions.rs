//! GitHub Actions: workflow commands on standard output, values in the step's command files.
//!
//! Never `::set-output`, the old way, which prints the value: if `GITHUB_OUTPUT` is not set there is
//! nothing to hand a token over with, and that is said before one is minted.

use std::path::{Path, PathBuf};

use serde_json::Value;
use zeroize::Zeroizing;

use super::command_file::{self, Append, record};
use super::sanitize;
use super::streams::{Stream, Streams};
use super::{Host, Level, Remembered};
use crate::failure::{Exit, Failure};
use crate::outputs::{Outputs, as_text};
use crate::secret::Secret;
use crate::world::World;

/// GitHub Actions.
#[derive(Debug)]
pub struct GithubActions {
    /// Where commands and words go.
    pub streams: Streams,
    /// For delimiters.
    pub world: World,
    /// `variable`: an environment variable for the later steps that holds the PAT.
    pub variable: Option<String>,
    /// `GITHUB_OUTPUT`.
    pub output: Option<PathBuf>,
    /// `GITHUB_ENV`.
    pub env: Option<PathBuf>,
    /// `GITHUB_STATE`.
    pub state: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub step_summary: Option<PathBuf>,
}

impl GithubActions {
    /// The step's outputs as one text for `GITHUB_OUTPUT`.
    fn output_records(&self, outputs: &Outputs) -> Result<Zeroizing<String>, Failure> {
        let mut all = Vec::new();
        if let Some(token) = &outputs.token {
            all.push(record("token", token.expose(), &self.world)?);
        }
        for (name, value) in outputs.plain() {
            all.push(record(name, &plain_text(&value), &self.world)?);
        }
        let mut text = Zeroizing::new(String::with_capacity(all.iter().map(|each| each.len()).sum()));
        all.iter().for_each(|each| text.push_str(each));
        Ok(text)
    }
}

impl Host for GithubActions {
    fn hide(&self, forms: Vec<Secret>) {
        self.streams.mask(forms, |form| command("add-mask", form));
    }

    fn say(&self, level: Level, text: &str) {
        let kind = match level {
            Level::Info => return self.streams.say(Stream::Out, text),
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let _ = self.streams.command(Stream::Out, &command(kind, &self.streams.shown(text)));
    }

    fn print(&self, text: &str) {
        self.streams.print(text);
    }

    fn can_take_a_secret(&self, _elsewhere: bool) -> Result<(), Failure> {
        self.streams.all_masked()?;
        can_append("GITHUB_OUTPUT", self.output.as_deref())?;
        let Some(name) = &self.variable else { return Ok(()) };
        if !command_file::is_name(name) {
            return Err(Failure::new(
                Exit::Inputs,
                format!("'{name}' cannot be the name of an environment variable."),
                "Give the input 'variable' a name of letters, digits and underscores.",
            ));
        }
        can_append("GITHUB_ENV", self.env.as_deref())
    }

    fn can_remember(&self) -> Result<(), Failure> {
        can_append("GITHUB_STATE", self.state.as_deref())
    }

    fn deliver(&self, outputs: &Outputs) -> Result<(), Failure> {
        if outputs.token.is_some() {
            self.can_take_a_secret(false).map_err(|failure| Failure { exit: Exit::Store, ..failure })?;
        }
        let Some(path) = self.output.as_deref() else {
            self.say(
                Level::Warning,
                "The outputs are not set: GITHUB_OUTPUT, which names their file, is not.",
            );
            return Ok(());
        };
        let text = self.output_records(outputs)?;
        let mut files = vec![Append { variable: "GITHUB_OUTPUT", path, text }];
        if let (Some(token), Some(name), Some(path)) = (&outputs.token, &self.variable, self.env.as_deref()) {
            let text = record(name, token.expose(), &self.world)?;
            files.push(Append { variable: "GITHUB_ENV", path, text });
        }
        command_file::append(&files)
    }

    fn summarize(&self, markdown: &str) {
        let Some(path) = self.step_summary.as_deref() else { return };
        let mut text =
            Zeroizing::new(self.streams.register().redact(&sanitize::visible(markdown)).into_owned());
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if let Err(failure) = command_file::append(&[Append { variable: "GITHUB_STEP_SUMMARY", path, text }])
        {
            self.say(Level::Warning, &format!("The summary could not be shown. {}", failure.cause));
        }
    }

    fn remember(&self, name: &str, value: Remembered<'_>) -> Result<(), Failure> {
        let Some(path) = self.state.as_deref() else { return Err(no_file("GITHUB_STATE")) };
        let text = match value {
            Remembered::Plain(text) => record(name, text, &self.world)?,
            Remembered::Secret(secret) => {
                // The runner shows saved state in its debug log, and masks nothing of it by itself.
                self.mask(secret);
                self.streams.all_masked()?;
                record(name, secret.expose(), &self.world)?
            }
        };
        command_file::append(&[Append { variable: "GITHUB_STATE", path, text }])
    }

    /// A step has no such result here: the warnings are all there is.
    fn succeeded_with_issues(&self) {}
}

/// A plain output as one text. JSON holds nothing that would be a command if a later step prints it.
fn plain_text(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => sanitize::json(&as_text(value)).into_owned(),
        _ => as_text(value),
    }
}

fn can_append(variable: &'static str, path: Option<&Path>) -> Result<(), Failure> {
    let path = path.ok_or_else(|| no_file(variable))?;
    command_file::can_append(path).map_err(|error| {
        Failure::new(
            Exit::Inputs,
            format!(
                "The file that {variable} names cannot be written ({error}), so nothing could be handed over."
            ),
            "Mount the runner's file into the container that adopat runs in, and let adopat's user write it.",
        )
    })
}

fn no_file(variable: &str) -> Failure {
    Failure::new(
        Exit::Inputs,
        format!("{variable} is not set, so nothing could be handed over."),
        format!(
            "Run adopat as a step of a workflow and pass {variable} on to it; outside of one, set the input 'host' \
             to generic and give 'output-file' or 'deliver-to'."
        ),
    )
}

/// One workflow command (actions/runner, `ActionCommand.cs`). None of ours has properties.
fn command(name: &str, data: &str) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(name.len() + 4 + 3 * data.len()));
    for part in ["::", name, "::"] {
        line.push_str(part);
    }
    for c in data.chars() {
        match c {
            '%' => line.push_str("%25"),
            '\r' => line.push_str("%0D"),
            '\n' => line.push_str("%0A"),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::streams::Captured;
    use crate::host::testing::{failing, opened_on, outputs, pat_text, still_world};
    use crate::secret::Register;
    use rstest::rstest;
    use tempfile::TempDir;

    fn host(variable: Option<&str>) -> (GithubActions, Captured, TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let (streams, out) = opened_on(Register::default());
        let host = GithubActions {
            streams,
            world: still_world(),
            variable: variable.map(String::from),
            output: Some(folder.path().join("output")),
            env: Some(folder.path().join("env")),
            state: Some(folder.path().join("state")),
            step_summary: Some(folder.path().join("summary")),
        };
        (host, out, folder)
    }

    fn read(folder: &TempDir, name: &str) -> String {
        std::fs::read_to_string(folder.path().join(name)).unwrap_or_default()
    }

    #[test]
    fn a_pat_is_an_output_and_on_request_an_environment_variable() {
        let (host, out, folder) = host(Some("ADO_PAT"));
        host.deliver(&outputs(true)).expect("delivered");
        let value = format!("<<ghadelimiter_00000000-0000-4000-8000-000000000000\n{}\n", pat_text());
        assert!(read(&folder, "output").starts_with(&format!("token{value}")));
        assert!(read(&folder, "env").starts_with(&format!("ADO_PAT{value}")));
        assert_eq!(out.text(), "", "nothing of it is printed");
    }

    #[test]
    fn a_run_that_minted_nothing_sets_no_token() {
        let (host, _, folder) = host(Some("ADO_PAT"));
        host.deliver(&outputs(false)).expect("delivered");
        assert!(!read(&folder, "output").contains("token<<"));
        assert!(read(&folder, "output").contains("changed<<"));
        assert_eq!(read(&folder, "env"), "");
    }

    #[test]
    fn without_its_file_a_token_is_refused_before_it_is_minted_and_never_printed() {
        let (mut host, out, _folder) = host(None);
        host.output = None;
        let failure = host.can_take_a_secret(true).expect_err("refused");
        assert_eq!(failure.exit, Exit::Inputs);
        assert_eq!(host.deliver(&outputs(true)).expect_err("refused").exit, Exit::Store);
        assert_eq!(out.text(), "");
        host.deliver(&outputs(false)).expect("plain outputs are no reason to fail");
        assert!(out.text().starts_with("::warning::"), "{}", out.text());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_found_before_anything_is_minted() {
        let (mut host, _, folder) = host(Some("ADO_PAT"));
        host.can_take_a_secret(false).expect("both can be written");
        host.env = Some(folder.path().to_owned());
        assert_eq!(host.can_take_a_secret(false).expect_err("a folder").exit, Exit::Inputs);
        host.variable = None;
        host.can_take_a_secret(false).expect("it is not needed");
    }

    #[test]
    fn a_token_that_could_not_be_masked_is_not_handed_over() {
        let (host, _, folder) = host(None);
        let streams = failing(std::io::ErrorKind::BrokenPipe);
        let host = GithubActions { streams, ..host };
        host.mask(&Secret::new(pat_text()));
        host.can_take_a_secret(false).expect_err("a mask has failed");
        assert_eq!(host.deliver(&outputs(true)).expect_err("refused").exit, Exit::Store);
        assert_eq!(read(&folder, "output"), "");
    }

    #[test]
    fn every_form_of_a_secret_is_masked_once() {
        let (host, out, _folder) = host(None);
        let secret = Secret::new("50%secret".into());
        host.mask(&secret);
        host.mask(&secret);
        let expected: String = secret
            .forms()
            .iter()
            .map(|form| format!("::add-mask::{}\n", form.expose().replace('%', "%25")))
            .collect();
        assert_eq!(out.text(), expected);
    }

    #[rstest]
    #[case(Level::Info, ": :error::100%  x\n")]
    #[case(Level::Notice, "::notice::: :error::100%25  x\n")]
    #[case(Level::Warning, "::warning::: :error::100%25  x\n")]
    #[case(Level::Error, "::error::: :error::100%25  x\n")]
    fn words_are_annotations_where_they_matter(#[case] level: Level, #[case] line: &str) {
        let (host, out, _folder) = host(None);
        host.say(level, "::error::100%\r\nx");
        assert_eq!(out.text(), line);
    }

    #[test]
    fn what_is_remembered_is_masked_first_if_it_is_secret() {
        let (host, out, folder) = host(None);
        host.remember("adopat-id", Remembered::Plain("42")).expect("saved");
        assert_eq!(out.text(), "");
        host.remember("adopat-token", Remembered::Secret(&Secret::new(pat_text()))).expect("saved");
        assert!(out.text().starts_with(&format!("::add-mask::{}\n", pat_text())));
        let state = read(&folder, "state");
        assert!(state.contains("\n42\n") && state.contains(&pat_text()), "{state}");
    }

    #[test]
    fn a_summary_is_appended_without_secrets() {
        let (host, _, folder) = host(None);
        host.mask(&Secret::new(pat_text()));
        host.summarize("## Done");
        host.summarize(&format!("{}\n", pat_text()));
        assert_eq!(read(&folder, "summary"), "## Done\n***\n");
    }
}
