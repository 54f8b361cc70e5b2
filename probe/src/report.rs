//! The report: what was expected, what was seen, the same or different. Ready to be attached to an issue: nothing
//! secret or personal is in it, since [what is seen](crate::seen) is told in words that hold neither.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::expectation::{Area, Check, Expectation};

/// What was seen, expectation by expectation.
#[derive(Debug)]
pub struct Report {
    /// When it began.
    pub(crate) begun: Timestamp,
    /// Whether the services were Microsoft's own; otherwise they were on loopback.
    pub(crate) live: bool,
    /// Every expectation that was looked at, or could have been.
    pub(crate) rows: Vec<Row>,
    /// How many requests it took.
    pub(crate) requests: usize,
    /// Why not everything was looked at, if that is so.
    pub(crate) ended: Option<String>,
    /// How many PATs of the probe may still be alive.
    pub(crate) left_over: usize,
}

/// One line of the report.
#[derive(Debug)]
pub struct Row {
    /// What was expected.
    pub(crate) expectation: Expectation,
    /// What was seen, or why nothing was.
    pub(crate) seen: Result<String, String>,
}

/// What comes of comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As the emulator.
    Same,
    /// Otherwise.
    Different,
    /// Not seen.
    NotObserved,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::NotObserved => "not observed",
        }
    }
}

impl Row {
    /// What the emulator shows; nothing where the probe does not look.
    fn emulator(&self) -> &'static str {
        match self.expectation.check {
            Check::Shows(value, _) => value,
            Check::NotProbed(_) => "",
        }
    }

    /// What comes of comparing.
    pub fn verdict(&self) -> Verdict {
        match &self.seen {
            Ok(seen) if seen == self.emulator() => Verdict::Same,
            Ok(_) => Verdict::Different,
            Err(_) => Verdict::NotObserved,
        }
    }

    fn live(&self) -> &str {
        match &self.seen {
            Ok(seen) => seen,
            Err(why) => why,
        }
    }
}

impl Report {
    /// As a Markdown page.
    pub fn to_markdown(&self) -> String {
        let mut page = String::from("# Conformance of Microsoft Entra and the Azure DevOps PAT service\n\n");
        let count = |verdict| self.rows.iter().filter(|row| row.verdict() == verdict).count();
        let where_ = if self.live { "the live services" } else { "an emulator on loopback" };
        let day = self.begun.strftime("%Y-%m-%d");
        let _ = writeln!(
            page,
            "adopat-probe {}, {day}, against {where_}; {} requests, api-version 7.1-preview.1.\n",
            env!("CARGO_PKG_VERSION"),
            self.requests
        );
        let _ = writeln!(
            page,
            "**{} the same, {} different, {} not observed.**\n",
            count(Verdict::Same),
            count(Verdict::Different),
            count(Verdict::NotObserved)
        );
        if let Some(why) = &self.ended {
            let _ = writeln!(page, "Not everything was looked at: {why}\n");
        }
        match self.left_over {
            0 => page.push_str("Every PAT that was made has been revoked.\n"),
            1 => page.push_str("One PAT that was made may still be alive: it could not be revoked.\n"),
            more => {
                let _ = writeln!(
                    page,
                    "{more} PATs that were made may still be alive: they could not be revoked."
                );
            }
        }
        self.different(&mut page);
        self.questions(&mut page);
        for area in Area::ALL {
            self.table(&mut page, area);
        }
        page
    }

    fn different(&self, page: &mut String) {
        let rows = self.rows.iter().filter(|row| row.verdict() == Verdict::Different);
        let lines: String = rows
            .map(|row| {
                let (name, emulator, live) = (row.expectation.name, cell(row.emulator()), cell(row.live()));
                format!("- `{name}`: {emulator} was expected, {live} was seen\n")
            })
            .collect();
        if !lines.is_empty() {
            let _ = write!(page, "\n## Different\n\n{lines}");
        }
    }

    fn questions(&self, page: &mut String) {
        page.push_str("\n## Open questions\n\nNobody has published an answer to these.\n\n");
        for row in self.rows.iter().filter(|row| row.expectation.question) {
            let behaviour = cell(row.expectation.behaviour);
            let _ = match &row.seen {
                Ok(seen) => writeln!(page, "- {behaviour}? Seen: **{}**", cell(seen)),
                Err(why) => writeln!(page, "- {behaviour}? Not observed: {}", cell(why)),
            };
        }
    }

    fn table(&self, page: &mut String, area: Area) {
        let mut rows = self.rows.iter().filter(|row| row.expectation.area == area).peekable();
        if rows.peek().is_none() {
            return;
        }
        let _ = write!(
            page,
            "\n## {}\n\n| expectation | behaviour | source | sure | emulator | live | |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
            area.title()
        );
        for row in rows {
            let expected = &row.expectation;
            let name = format!("`{}`", expected.name);
            let cells = [
                &name,
                expected.behaviour,
                &expected.source(),
                expected.sure.dots(),
                row.emulator(),
                row.live(),
                row.verdict().word(),
            ];
            let _ = writeln!(page, "| {} |", cells.map(cell).join(" | "));
        }
    }
}

/// Text that ends no cell of a table and begins no markup.
pub(crate) fn cell(text: impl AsRef<str>) -> String {
    text.as_ref().replace('|', "\\|").replace('<', "&lt;")
}
