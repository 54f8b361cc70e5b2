//! Any other CI system, or a person at a terminal: words on standard error, what was asked for on standard
//! output.
//!
//! Such a host has no way to take a secret and keep it out of its log, so it never gets one: `output-file`,
//! `deliver-to` and `exec` do. Buildkite alone can be told what to redact.

use std::sync::atomic::{AtomicBool, Ordering};

use super::buildkite::Redactor;
use super::streams::{Stream, Streams};
use super::{Host, Level, Piece, Remembered, Verdict};
use crate::failure::{Exit, Failure};
use crate::outputs::Outputs;
use crate::secret::Secret;

/// Any other host.
#[derive(Debug)]
pub struct Generic {
    /// Where words go.
    pub streams: Streams,
    /// Buildkite's way to redact.
    pub redactor: Option<Redactor>,
    /// Whether it was said that the redactor does not work; once is enough.
    pub warned: AtomicBool,
}

impl Host for Generic {
    fn hide(&self, forms: Vec<Secret>) {
        let forms = self.streams.register().add(forms);
        let Some(redactor) = self.redactor.as_ref().filter(|_| !forms.is_empty()) else { return };
        if let Err(why) = redactor.add(&forms)
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            let text = format!(
                "Buildkite could not be told to redact the secrets of this run: {why}. adopat prints none, but a \
                 later command of this job might."
            );
            self.say(Level::Warning, &text);
        }
    }

    fn say(&self, level: Level, text: &str) {
        self.streams.say(Stream::Err, &worded(level, text));
    }

    fn print(&self, text: &str) {
        self.streams.print(text);
    }

    fn print_line(&self, pieces: &[Piece]) {
        let coloured = pieces.iter().map(|piece| (piece.verdict.map(colour), piece.text.as_str()));
        self.streams.print_coloured(&coloured.collect::<Vec<_>>());
    }

    fn report(&self, verdict: Verdict, line: &str) {
        let (word, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
        self.print_line(&[Piece::of(verdict, word), rest.to_owned().into()]);
    }

    fn can_take_a_secret(&self, elsewhere: bool) -> Result<(), Failure> {
        if elsewhere {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Inputs,
            "A new PAT would have nowhere to go: this host cannot be handed a secret that stays out of its log.",
            "Give 'output-file' (a file only its owner can read) or 'deliver-to' (a store), or run the command that \
             needs the PAT with 'adopat exec -- COMMAND'.",
        ))
    }

    fn has_outputs(&self) -> bool {
        false
    }

    /// There is nothing to hand over to: the outputs are in `output-file`.
    fn deliver(&self, _outputs: &Outputs) -> Result<(), Failure> {
        Ok(())
    }

    /// There is no place for one.
    fn summarize(&self, _markdown: &str) {}

    fn remember(&self, _name: &str, _value: Remembered<'_>) -> Result<(), Failure> {
        Err(Failure::new(
            Exit::Inputs,
            "This host has no last step of a job that could revoke the PAT.",
            "Leave 'revoke-on-completion' out, or run the command that needs the PAT with 'adopat exec -- COMMAND', \
             which revokes it when the command ends.",
        ))
    }

    /// There is no such result here: the warnings are all there is.
    fn succeeded_with_issues(&self) {}
}

/// The parameters of a terminal's "select graphic rendition" (ECMA-48): green, yellow, red, dim.
fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "32",
        Verdict::Warning => "33",
        Verdict::Failed => "1;31",
        Verdict::Skipped => "2",
    }
}

/// The text, with who says it and how much it matters.
pub(super) fn worded(level: Level, text: &str) -> String {
    match level {
        Level::Info => format!("adopat: {text}"),
        Level::Notice => format!("adopat: notice: {text}"),
        Level::Warning => format!("adopat: warning: {text}"),
        Level::Error => format!("adopat: error: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::outputs;
    use crate::secret::Register;
    use rstest::rstest;

    #[rstest]
    #[case(Level::Info, "adopat: x\n")]
    #[case(Level::Notice, "adopat: notice: x\n")]
    #[case(Level::Warning, "adopat: warning: x\n")]
    #[case(Level::Error, "adopat: error: x\n")]
    fn words_go_to_standard_error(#[case] level: Level, #[case] line: &str) {
        let (streams, out, err) = Streams::captured(Register::default());
        Generic { streams, redactor: None, warned: AtomicBool::new(false) }.say(level, "x");
        assert_eq!((out.text().as_str(), err.text().as_str()), ("", line));
    }

    #[test]
    fn what_was_asked_for_goes_to_standard_output_line_by_line() {
        let (streams, out, err) = Streams::captured(Register::default());
        let host = Generic { streams, redactor: None, warned: AtomicBool::new(false) };
        host.print("[\n  {}\n]\n");
        host.print("::error::x\r\n##[y");
        assert_eq!((out.text().as_str(), err.text().as_str()), ("[\n  {}\n]\n: :error::x\n# #[y\n", ""));
    }

    #[test]
    fn a_verdict_is_coloured_only_where_that_is_wanted() {
        let (streams, out, _) = Streams::captured(Register::default());
        let host = |streams| Generic { streams, redactor: None, warned: AtomicBool::new(false) };
        host(streams.clone()).report(Verdict::Failed, "failed   network");
        host(streams.coloured(true)).report(Verdict::Failed, "failed   \u{1b}[2Jnetwork");
        assert_eq!(out.text(), "failed   network\n\u{1b}[1;31mfailed\u{1b}[0m   \\u{1b}[2Jnetwork\n");
    }

    #[test]
    fn a_secret_is_never_taken_and_never_printed() {
        let (streams, out, err) = Streams::captured(Register::default());
        let host = Generic { streams, redactor: None, warned: AtomicBool::new(false) };
        let failure = host.can_take_a_secret(false).expect_err("refused");
        assert_eq!(failure.exit, Exit::Inputs);
        for way in ["output-file", "deliver-to", "exec"] {
            assert!(failure.remedy.contains(way), "{way}");
        }
        host.can_take_a_secret(true).expect("a file or a store takes it");
        host.deliver(&outputs(true)).expect("nothing to do");
        host.remember("x", Remembered::Plain("y")).expect_err("no last step");
        assert_eq!((out.text(), err.text()), (String::new(), String::new()));
    }

    #[test]
    fn a_redactor_that_does_not_work_is_warned_about_once() {
        let (streams, _, err) = Streams::captured(Register::default());
        let redactor = Some(Redactor::new("/no/such/buildkite-agent"));
        let host = Generic { streams, redactor, warned: AtomicBool::new(false) };
        host.mask(&Secret::new("hunter2hunter2".into()));
        host.mask(&Secret::new("hunter3hunter3".into()));
        let text = err.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("adopat: warning: Buildkite could not"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}
