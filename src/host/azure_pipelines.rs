//! Azure Pipelines: logging commands on standard output.
//!
//! The agent's grammar (microsoft/azure-pipelines-agent, `Command.cs` and `CommandStringConvertor.cs`) is
//! unforgiving: `##vso[area.event name=value;name=value]data`, in which nothing is trimmed. A space after a `;`
//! makes ` issecret` another name than `issecret`, and the variable is then stored in clear. Never
//! `task.complete result=Failed`: the agent would keep it over a retry that succeeds. A run fails by its
//! exit code.

use std::io;
use std::path::PathBuf;

use serde_json::Value;
use zeroize::Zeroizing;

use super::generic::worded;
use super::sanitize;
use super::streams::{Stream, Streams};
use super::{Host, Level, Remembered};
use crate::failure::{Exit, Failure};
use crate::outputs::{Outputs, as_text};
use crate::secret::Secret;
use crate::world::World;

/// Azure Pipelines.
#[derive(Debug)]
pub struct AzurePipelines {
    /// Where commands and words go.
    pub streams: Streams,
    /// For the name of the summary's file.
    pub world: World,
    /// `variable`: the job variable that holds the PAT.
    pub variable: String,
    /// `output-variable`: an output variable that holds it too.
    pub output_variable: Option<String>,
    /// `AGENT_TEMPDIRECTORY`.
    pub temp: Option<PathBuf>,
    /// Whether the agent decodes `%AZP25`.
    pub decodes_percent: bool,
}

impl AzurePipelines {
    fn command(&self, event: &str, properties: &[(&str, &str)], data: &str) -> io::Result<()> {
        self.streams.command(Stream::Out, &command(event, properties, data, self.decodes_percent))
    }

    fn set_variable(&self, name: &str, flags: &[(&str, &str)], value: &str) -> Result<(), Failure> {
        let properties: Vec<_> = std::iter::once(("variable", name)).chain(flags.iter().copied()).collect();
        self.command("task.setvariable", &properties, value).map_err(|error| {
            Failure::new(
                Exit::Store,
                format!("The variable '{name}' could not be set: writing to the agent failed ({error})."),
                "Run it again; if it recurs, look at the agent's own log for why it stopped reading.",
            )
        })
    }

    fn set_token(&self, token: &Secret) -> Result<(), Failure> {
        single_line(token)?;
        self.set_variable(&self.variable, &[("issecret", "true")], token.expose())?;
        // An output variable alone could not be read as $(NAME) in the same job, hence both.
        if let Some(name) = &self.output_variable {
            self.set_variable(name, &[("issecret", "true"), ("isoutput", "true")], token.expose())?;
        }
        Ok(())
    }

    fn write_summary(&self, markdown: &str) -> Result<(), String> {
        let temp = self.temp.as_ref().ok_or("AGENT_TEMPDIRECTORY is not set")?;
        // The agent takes the file's name for the attachment's, so two steps must not share one. It reads the
        // file later, and cleans the folder itself.
        let path = temp.join(format!("adopat-{}.md", self.world.uuid()));
        let path = std::path::absolute(path).map_err(|error| error.to_string())?;
        let name = path.to_str().ok_or("its path is no text")?;
        // The agent uploads it as it is, unmasked.
        let markdown = sanitize::visible(markdown);
        let markdown = self.streams.register().redact(&markdown);
        std::fs::write(&path, &*markdown).map_err(|error| error.to_string())?;
        self.command("task.uploadsummary", &[], name).map_err(|error| error.to_string())
    }
}

impl Host for AzurePipelines {
    fn hide(&self, forms: Vec<Secret>) {
        self.streams.mask(forms, |form| command("task.setsecret", &[], form, self.decodes_percent));
    }

    fn say(&self, level: Level, text: &str) {
        let kind = match level {
            Level::Info => return self.streams.say(Stream::Out, text),
            Level::Notice => return self.streams.say(Stream::Out, &worded(level, text)),
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let _ = self.command("task.logissue", &[("type", kind)], &self.streams.shown(text));
    }

    fn print(&self, text: &str) {
        self.streams.print(text);
    }

    fn can_take_a_secret(&self, _elsewhere: bool) -> Result<(), Failure> {
        self.streams.all_masked()
    }

    fn deliver(&self, outputs: &Outputs) -> Result<(), Failure> {
        if let Some(token) = &outputs.token {
            self.streams.all_masked()?;
            self.set_token(token)?;
        }
        for (name, value) in outputs.plain() {
            let value = plain_text(&value);
            let value = self.streams.register().redact(&value);
            self.set_variable(&camel_case(name), &[("isoutput", "true")], &value)?;
        }
        Ok(())
    }

    fn summarize(&self, markdown: &str) {
        if let Err(why) = self.write_summary(markdown) {
            self.say(Level::Warning, &format!("The summary could not be shown: {why}."));
        }
    }

    fn remember(&self, name: &str, value: Remembered<'_>) -> Result<(), Failure> {
        let written = match value {
            Remembered::Plain(text) => self.command("task.settaskvariable", &[("variable", name)], text),
            Remembered::Secret(secret) => {
                self.mask(secret);
                self.streams.all_masked()?;
                single_line(secret)?;
                let properties = [("variable", name), ("issecret", "true")];
                self.command("task.settaskvariable", &properties, secret.expose())
            }
        };
        written.map_err(|error| {
            Failure::new(
                Exit::Store,
                format!("What the job's last step needs could not be saved: writing to the agent failed ({error})."),
                "Run it again; if it recurs, look at the agent's own log for why it stopped reading.",
            )
        })
    }

    fn succeeded_with_issues(&self) {
        let _ = self.command("task.complete", &[("result", "SucceededWithIssues")], "");
    }
}

/// A plain output as one text. It passes through the log, so it holds no terminal escape, and JSON holds
/// nothing that would be a command if a later step prints it.
fn plain_text(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => sanitize::json(&as_text(value)).into_owned(),
        _ => sanitize::line(&as_text(value)).into_owned(),
    }
}

/// The agent refuses a secret of several lines, or on Windows takes it and masks the whole alone.
fn single_line(secret: &Secret) -> Result<(), Failure> {
    if secret.expose().contains(['\r', '\n']) {
        return Err(Failure::new(
            Exit::Store,
            "The secret has several lines, which the agent could not mask.",
            "This is not a PAT as Azure DevOps makes them: report it with the support ids of the run.",
        ));
    }
    Ok(())
}

/// One logging command.
fn command(event: &str, properties: &[(&str, &str)], data: &str, decodes_percent: bool) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(64 + event.len() + 6 * data.len()));
    line.push_str("##vso[");
    line.push_str(event);
    for (index, (name, value)) in properties.iter().enumerate() {
        line.push(if index == 0 { ' ' } else { ';' });
        line.push_str(name);
        line.push('=');
        escape(&mut line, value, decodes_percent, true);
    }
    line.push(']');
    escape(&mut line, data, decodes_percent, false);
    line
}

/// Appends the value so that the agent reads it back. In data, too, it decodes `%3B` and `%5D`, so a `%` is
/// always escaped; if `DECODE_PERCENTS` is false there is no escape for it, and such a sequence in a value
/// cannot be kept from being decoded.
fn escape(line: &mut String, value: &str, decodes_percent: bool, in_property: bool) {
    for c in value.chars() {
        match c {
            '%' if decodes_percent => line.push_str("%AZP25"),
            '\r' => line.push_str("%0D"),
            '\n' => line.push_str("%0A"),
            ']' if in_property => line.push_str("%5D"),
            ';' if in_property => line.push_str("%3B"),
            c => line.push(c),
        }
    }
}

/// `authorization-id` as `authorizationId`: Azure Pipelines' names have no hyphens.
fn camel_case(kebab: &str) -> String {
    let mut words = kebab.split('-');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::streams::Captured;
    use crate::host::testing::{failing, opened_on, outputs, pat_text, still_world};
    use crate::secret::Register;
    use rstest::rstest;

    fn host(temp: Option<PathBuf>, output_variable: Option<&str>) -> (AzurePipelines, Captured, Register) {
        let register = Register::default();
        let (streams, out) = opened_on(register.clone());
        let host = AzurePipelines {
            streams,
            world: still_world(),
            variable: crate::host::DEFAULT_VARIABLE.into(),
            output_variable: output_variable.map(String::from),
            temp,
            decodes_percent: true,
        };
        (host, out, register)
    }

    #[test]
    fn a_pat_is_a_plain_secret_variable_and_on_request_an_output_variable_too() {
        let (host, out, _) = host(None, Some("token"));
        host.deliver(&outputs(true)).expect("delivered");
        let text = out.text();
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some(format!("##vso[task.setvariable variable=ADO_PAT;issecret=true]{}", pat_text()).as_str())
        );
        assert_eq!(
            lines.next(),
            Some(
                format!("##vso[task.setvariable variable=token;issecret=true;isoutput=true]{}", pat_text())
                    .as_str()
            )
        );
        assert_eq!(
            lines.next(),
            Some(
                "##vso[task.setvariable variable=authorizationId;isoutput=true]00000000-0000-0000-0000-000000000001"
            )
        );
        assert!(text.contains("##vso[task.setvariable variable=changed;isoutput=true]true\n"), "{text}");
    }

    #[test]
    fn a_run_that_minted_nothing_sets_no_token() {
        let (host, out, _) = host(None, Some("token"));
        host.deliver(&outputs(false)).expect("delivered");
        assert!(!out.text().contains("issecret"), "{}", out.text());
    }

    #[test]
    fn nothing_counts_as_delivered_where_the_agent_does_not_read() {
        let (host, ..) = host(None, None);
        let streams = failing(std::io::ErrorKind::BrokenPipe);
        let host = AzurePipelines { streams, ..host };
        assert_eq!(host.deliver(&outputs(false)).expect_err("not read").exit, Exit::Store);
        host.remember("adopatId", Remembered::Plain("42")).expect_err("not read");
        host.can_take_a_secret(false).expect("no mask has failed yet");
        host.mask(&Secret::new(pat_text()));
        host.can_take_a_secret(false).expect_err("a mask has failed");
    }

    #[test]
    fn every_form_of_a_secret_is_masked_once() {
        let (host, out, _) = host(None, None);
        let secret = Secret::new("50%;]secret".into());
        host.mask(&secret);
        host.mask(&secret);
        let expected: String = secret
            .forms()
            .iter()
            .map(|form| format!("##vso[task.setsecret]{}\n", form.expose().replace('%', "%AZP25")))
            .collect();
        assert_eq!(out.text(), expected);
    }

    #[rstest]
    #[case(Level::Info, "a # #vso[x.y]b\n")]
    #[case(Level::Notice, "adopat: notice: a # #vso[x.y]b\n")]
    #[case(Level::Warning, "##vso[task.logissue type=warning]a # #vso[x.y]b\n")]
    #[case(Level::Error, "##vso[task.logissue type=error]a # #vso[x.y]b\n")]
    fn words_are_issues_where_the_agent_has_a_kind_for_them(#[case] level: Level, #[case] line: &str) {
        let (host, out, _) = host(None, None);
        host.say(level, "a\n##vso[x.y]b");
        assert_eq!(out.text(), line);
    }

    #[rstest]
    #[case("a%0Ab;c]d\r\n", true, true, "a%AZP250Ab%3Bc%5Dd%0D%0A")]
    #[case("a%0Ab;c]d\r\n", true, false, "a%AZP250Ab;c]d%0D%0A")]
    #[case("50%", false, false, "50%")]
    fn a_value_is_escaped_as_the_agent_decodes_it(
        #[case] value: &str,
        #[case] decodes_percent: bool,
        #[case] in_property: bool,
        #[case] expected: &str,
    ) {
        let mut line = String::new();
        escape(&mut line, value, decodes_percent, in_property);
        assert_eq!(line, expected);
    }

    #[rstest]
    #[case("changed", "changed")]
    #[case("authorization-id", "authorizationId")]
    #[case("previous-authorization-id", "previousAuthorizationId")]
    fn outputs_are_named_in_camel_case(#[case] kebab: &str, #[case] camel: &str) {
        assert_eq!(camel_case(kebab), camel);
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_by_line_and_never_set() {
        let (host, out, _) = host(None, None);
        let secret = Secret::new("first-line\nsecond-line".into());
        host.mask(&secret);
        assert_eq!(out.text(), "##vso[task.setsecret]first-line\n##vso[task.setsecret]second-line\n");
        let failure =
            host.deliver(&Outputs { token: Some(secret), ..Outputs::default() }).expect_err("refused");
        assert_eq!(failure.exit, Exit::Store);
        assert!(!out.text().contains("setvariable"));
    }

    #[test]
    fn what_is_remembered_is_masked_first_if_it_is_secret() {
        let (host, out, _) = host(None, None);
        host.remember("adopatId", Remembered::Plain("42")).expect("saved");
        host.remember("adopatToken", Remembered::Secret(&Secret::new(pat_text()))).expect("saved");
        let text = out.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "##vso[task.settaskvariable variable=adopatId]42");
        assert_eq!(lines[1], format!("##vso[task.setsecret]{}", pat_text()));
        assert_eq!(
            lines.last().copied(),
            Some(
                format!("##vso[task.settaskvariable variable=adopatToken;issecret=true]{}", pat_text())
                    .as_str()
            )
        );
    }

    #[test]
    fn a_summary_is_a_file_without_secrets_that_the_agent_is_told_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let (host, out, register) = host(Some(folder.path().to_owned()), None);
        register.add(Secret::new(pat_text()).forms());
        host.summarize(&format!("## Done\n\n| id | {} |\n", pat_text()));
        let text = out.text();
        let path = text.strip_prefix("##vso[task.uploadsummary]").expect("a command").trim_end();
        assert!(std::path::Path::new(path).is_absolute());
        assert_eq!(std::fs::read_to_string(path).expect("a file"), "## Done\n\n| id | *** |\n");
    }

    #[test]
    fn a_summary_that_cannot_be_shown_is_a_warning() {
        let (host, out, _) = host(None, None);
        host.summarize("x");
        assert_eq!(
            out.text(),
            "##vso[task.logissue type=warning]The summary could not be shown: AGENT_TEMPDIRECTORY is not set.\n"
        );
    }

    #[test]
    fn partial_success_is_told_and_never_failure() {
        let (host, out, _) = host(None, None);
        host.succeeded_with_issues();
        assert_eq!(out.text(), "##vso[task.complete result=SucceededWithIssues]\n");
    }
}
