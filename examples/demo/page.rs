//! What is printed: the story, and what was checked on the way.

use std::io::Write as _;
use std::process::ExitCode;

/// Everything printed so far.
#[derive(Default)]
pub struct Page {
    text: String,
    failed: bool,
    silent: bool,
}

impl Page {
    /// A page that nobody is shown.
    pub fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    /// A story.
    pub fn title(&mut self, title: &str) {
        self.line(&format!("\n{title}\n{}", "=".repeat(title.len())));
    }

    /// A chapter.
    pub fn heading(&mut self, heading: &str) {
        self.line(&format!("\n{heading}"));
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.line(text);
    }

    /// Lines of another's, behind a mark.
    pub fn quote(&mut self, mark: &str, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.line(format!("  {mark} {line}").trim_end());
        }
    }

    /// Something that has to hold.
    pub fn check(&mut self, holds: bool, words: &str) {
        self.failed |= !holds;
        self.line(&format!("{} {words}", if holds { "  ok" } else { "  NOT SO" }));
    }

    /// Whether a text can be read anywhere above.
    pub fn shows(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// The exit code: a failure where anything did not hold.
    pub fn end(&self) -> ExitCode {
        if self.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn line(&mut self, line: &str) {
        // Somebody who reads no further is told no more.
        self.silent = self.silent || writeln!(std::io::stdout(), "{line}").is_err();
        self.text.push_str(line);
        self.text.push('\n');
    }
}
