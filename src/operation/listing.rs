//! PATs as a person reads them, in aligned columns with the days that are left, and as a program does.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::state::State;
use super::text_table::{self, Column, Table};
use crate::host::sanitize::json as sanitized_json;
use crate::host::{Piece, Verdict};
use crate::pats::Pat;
use crate::pats::model::{GLOBAL_PATS_END, global_pats_have_ended};
use crate::time::{span, to_the_second};

/// How many PATs are printed at once.
const AT_ONCE: usize = 100;

/// What a list is looked at with. The service tells which PATs are revoked by its filters alone, not in the PATs.
pub(super) struct Outlook {
    /// What time it is.
    pub(super) now: Timestamp,
    /// How soon is soon, if that was asked for.
    pub(super) expiring_within: Option<Duration>,
    /// The authorization ids of those that are revoked.
    pub(super) revoked: HashSet<String>,
}

impl Outlook {
    /// How it stands.
    pub(super) fn state(&self, pat: &Pat) -> State {
        let is_revoked = self.revoked.contains(&pat.authorization_id);
        if is_revoked { State::Revoked } else { State::of(pat, self.now) }
    }

    /// The same in words, with every mark.
    pub(super) fn state_in_words(&self, pat: &Pat) -> String {
        let words = self.state(pat).words(pat);
        if self.is_expiring(pat) { format!("{words}, expires soon") } else { words }
    }

    /// Whether it works no more.
    pub(super) fn is_over(&self, pat: &Pat) -> bool {
        !self.state(pat).works()
    }

    /// Whether it still works and ends within the time that was given; a global one always does.
    pub(super) fn is_expiring(&self, pat: &Pat) -> bool {
        let Some(within) = self.expiring_within else { return false };
        let soon = pat.end().is_some_and(|end| end <= span::after(self.now, within));
        !self.is_over(pat) && (soon || pat.is_global())
    }

    /// How long it still works; nothing if it does not.
    pub(super) fn left(&self, pat: &Pat) -> String {
        if self.is_over(pat) { String::new() } else { left(pat, self.now) }
    }

    /// One PAT of the list for a program.
    pub(super) fn for_a_program<'a>(&self, pat: &'a Pat) -> Described<'a> {
        let expiring = self.expiring_within.is_some().then(|| self.is_expiring(pat));
        let state = match self.state(pat) {
            State::Active => "active",
            State::Expired | State::Stopped => "expired",
            State::Revoked => "revoked",
        };
        Described { expiring, state: Some(state), ..Described::from(pat) }
    }
}

/// One PAT for a program: the keys of the output file. Never its value.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Described<'a> {
    authorization_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiring: Option<bool>,
    global: bool,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    valid_from: Option<String>,
    valid_to: Option<String>,
}

impl<'a> From<&'a Pat> for Described<'a> {
    fn from(pat: &'a Pat) -> Self {
        Self {
            authorization_id: &pat.authorization_id,
            changed: None,
            display_name: &pat.display_name,
            expiring: None,
            global: pat.is_global(),
            scope: pat.scope.as_str(),
            state: None,
            valid_from: pat.valid_from.map(to_the_second),
            valid_to: pat.valid_to.map(to_the_second),
        }
    }
}

impl Described<'_> {
    /// What is described was not changed.
    pub(super) fn unchanged(self) -> Self {
        Self { changed: Some(false), ..self }
    }

    /// As a value.
    pub(super) fn to_json(&self) -> Value {
        json!(self)
    }
}

/// The list for a program: the parts of a JSON array, with a line for each PAT. Of a long list no copy is held that
/// is as long.
pub(super) fn json_parts<'a>(pats: &'a [Pat], outlook: &'a Outlook) -> impl Iterator<Item = String> + 'a {
    let count = pats.len().div_ceil(AT_ONCE);
    let part = move |(number, pats): (usize, &[Pat])| {
        let mut part = Vec::new();
        for (index, pat) in pats.iter().enumerate() {
            part.extend_from_slice(if index > 0 || number > 0 { b"" } else { b"[" });
            serde_json::to_writer(&mut part, &outlook.for_a_program(pat)).expect("a PAT is JSON");
            let is_last = index + 1 == pats.len() && number + 1 == count;
            part.extend_from_slice(if is_last { b"]\n" } else { b",\n" });
        }
        String::from_utf8(part).expect("JSON is text")
    };
    let parts = pats.chunks(AT_ONCE).enumerate().map(part);
    parts.chain(pats.is_empty().then(|| "[]".into()))
}

/// The list as a JSON array of at most so many bytes. If not all of them fit, those that expire soonest, soonest first;
/// what has ended already comes last.
pub(super) fn soonest_within(pats: &[Pat], outlook: &Outlook, most: usize) -> Vec<Value> {
    let mut described: Vec<(&Pat, Value)> =
        pats.iter().map(|pat| (pat, outlook.for_a_program(pat).to_json())).collect();
    let whole: usize = described.iter().map(|(_, value)| size_in_array(value)).sum();
    if whole + "[]".len() > most {
        described.sort_by_key(|(pat, _)| (outlook.is_over(pat), pat.end().is_none(), pat.end()));
        let mut room = most - "[]".len();
        // One that no output has room for does not keep the others out.
        described.retain(|(_, value)| size_in_array(value) <= room);
        let fit = described.iter().take_while(|(_, value)| {
            let left = room.checked_sub(size_in_array(value));
            room = left.unwrap_or(0);
            left.is_some()
        });
        let fit = fit.count();
        described.truncate(fit);
    }
    described.into_iter().map(|(_, value)| value).collect()
}

/// How many bytes a host writes for these as a JSON array, at most.
pub(super) fn size_of_array(values: &[Value]) -> usize {
    values.iter().map(size_in_array).sum::<usize>() + "[]".len()
}

/// How many for one of them, with the comma.
fn size_in_array(value: &Value) -> usize {
    sanitized_json(&value.to_string()).len() + ",".len()
}

/// The columns of a list. In a narrow terminal the ids are what a person misses least: a name says which PAT is meant.
const COLUMNS: [Column; 6] = [
    Column { title: "NAME", least: Some(16), goes: None },
    Column { title: "STATE", least: None, goes: None },
    Column { title: "LEFT", least: None, goes: Some(4) },
    Column { title: "VALID TO", least: None, goes: Some(3) },
    Column { title: "SCOPE", least: Some(13), goes: Some(2) },
    Column { title: "AUTHORIZATION ID", least: None, goes: Some(1) },
];

/// A table, one PAT a line; if a width is given, no wider than that.
pub(super) fn table(pats: &[Pat], outlook: &Outlook, width: Option<usize>) -> Table {
    let rows = pats.iter().map(|pat| {
        vec![
            one_line(&pat.display_name).into(),
            state(pat, outlook),
            outlook.left(pat).into(),
            pat.valid_to.map_or_else(|| "unknown".into(), to_the_second).into(),
            one_line(&pat.scope.to_string()).into(),
            one_line(&pat.authorization_id).into(),
        ]
    });
    text_table::table(&COLUMNS, rows.collect(), width)
}

/// How a PAT stands, in the one word that matters most.
fn state(pat: &Pat, outlook: &Outlook) -> Piece {
    match outlook.state(pat) {
        State::Revoked => Piece::of(Verdict::Skipped, "revoked"),
        State::Expired => Piece::of(Verdict::Skipped, "expired"),
        State::Stopped => Piece::of(Verdict::Failed, "global, stopped"),
        State::Active if pat.is_global() => Piece::of(Verdict::Warning, "global"),
        State::Active if outlook.is_expiring(pat) => {
            Piece::of(Verdict::Warning, format!("expires in {}", outlook.left(pat)))
        }
        State::Active => Piece::of(Verdict::Ok, "active"),
    }
}

/// One PAT, one property a line.
pub(super) fn one(pat: &Pat, now: Timestamp) -> String {
    let valid_to = pat.valid_to.map_or_else(|| "unknown".into(), to_the_second);
    let valid_from = pat.valid_from.map_or_else(|| "unknown".into(), to_the_second);
    let left = match pat.valid_to {
        Some(valid_to) if valid_to <= now => " (over)".into(),
        Some(valid_to) => format!(" (in {})", span_until(valid_to, now)),
        None => String::new(),
    };
    let verb = if global_pats_have_ended(now) { "stopped" } else { "stops" };
    let reach = match pat.is_global() {
        true => format!("every organization (global; {verb} working on {GLOBAL_PATS_END})"),
        false => "one organization".into(),
    };
    [
        ("name", one_line(&pat.display_name)),
        ("authorization id", pat.authorization_id.clone()),
        ("scope", pat.scope.to_string()),
        ("valid from", valid_from),
        ("valid to", format!("{valid_to}{left}")),
        ("good for", reach),
    ]
    .map(|(name, value)| format!("{name:18}{value}"))
    .join("\n")
}

/// How long a PAT that works still does.
fn left(pat: &Pat, now: Timestamp) -> String {
    pat.end().map_or_else(String::new, |end| span_until(end, now))
}

/// The time until then, in the one unit that says most.
pub(super) fn span_until(end: Timestamp, now: Timestamp) -> String {
    let left = end.duration_since(now);
    match left.as_hours() {
        ..1 if left.as_mins() < 1 => "under 1 min".into(),
        ..1 => format!("{} min", left.as_mins()),
        hours @ 1..48 => format!("{hours} h"),
        hours => format!("{} d", hours / 24),
    }
}

/// A name cannot start a row of its own.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pats::Scope;
    use rstest::rstest;

    fn pat(name: &str, valid_to: &str, global: bool) -> Pat {
        Pat {
            authorization_id: "00000000-0000-0000-0000-000000000001".into(),
            display_name: name.into(),
            scope: Scope::parse("vso.code"),
            valid_from: None,
            valid_to: Some(valid_to.parse().expect("an instant")),
            target_accounts: (!global).then(Vec::new),
        }
    }

    #[test]
    fn the_parts_for_a_program_are_one_array() {
        let now = "2026-01-01T00:00:00Z".parse().expect("an instant");
        let outlook = Outlook { now, expiring_within: None, revoked: HashSet::new() };
        for count in [0, 1, 2, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE] {
            let pats = vec![pat("a", "2026-01-02T00:00:00Z", false); count];
            let text: String = json_parts(&pats, &outlook).collect();
            let array: Vec<Value> = serde_json::from_str(&text).expect("an array");
            assert_eq!(array.len(), count, "{text}");
            assert!(array.iter().all(|pat| pat["valid-to"] == "2026-01-02T00:00:00Z"), "{text}");
        }
    }

    fn shown(pats: &[Pat], width: Option<usize>) -> String {
        let now = "2026-01-01T00:00:00Z".parse().expect("an instant");
        let expiring_within = Some(Duration::from_secs(7 * 86_400));
        let revoked = pats.iter().filter(|pat| pat.display_name == "gone");
        let revoked = revoked.map(|pat| pat.authorization_id.clone()).collect();
        table(pats, &Outlook { now, expiring_within, revoked }, width).text()
    }

    #[test]
    fn columns_are_aligned_and_a_name_stays_in_its_row() {
        let pats =
            [pat("a", "2026-01-02T00:00:00Z", false), pat("longer\nname", "2026-03-01T00:00:00Z", true)];
        let table = shown(&pats, None);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        let column = lines[0].find("AUTHORIZATION").expect("a column");
        assert!(lines[1..].iter().all(|line| line[column..].starts_with("00000000")), "{table}");
    }

    #[rstest]
    #[case::later("2026-03-01T00:00:00Z", false, "active           59 d")]
    #[case::soon("2026-01-07T00:00:00Z", false, "expires in 6 d   6 d")]
    #[case::in_two_days("2026-01-03T00:00:00Z", false, "expires in 2 d   2 d")]
    #[case::within_two_days("2026-01-02T00:00:00Z", false, "expires in 24 h  24 h")]
    #[case::within_an_hour("2026-01-01T00:59:00Z", false, "expires in 59 min  59 min")]
    #[case::at_once("2026-01-01T00:00:59Z", false, "expires in under 1 min  under 1 min")]
    #[case::over("2026-01-01T00:00:00Z", false, "expired")]
    #[case::global("2026-03-01T00:00:00Z", true, "global           59 d")]
    fn a_state_is_one_word_with_the_time_that_is_left(
        #[case] valid_to: &str,
        #[case] global: bool,
        #[case] expected: &str,
    ) {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let table = shown(&[pat("a", valid_to, global)], None);
        let row = words(table.lines().nth(1).expect("a row"));
        assert_eq!(
            row[1..].join(" ").split(" 20").next(),
            Some(words(expected).join(" ").as_str()),
            "{table}"
        );
        assert!(!table.contains(" 0 h"), "{table}");
    }

    #[test]
    fn a_revoked_one_has_no_time_left() {
        let table = shown(&[pat("gone", "2026-03-01T00:00:00Z", false)], None);
        assert!(table.contains("revoked") && !table.contains("59 d"), "{table}");
    }

    #[test]
    fn eighty_columns_hold_all_but_the_ids() {
        let pats = [
            pat("a-name-that-goes-on-and-on-and-on-and-on", "2026-01-07T00:00:00Z", false),
            pat("b", "2027-01-07T00:00:00Z", true),
        ];
        let table = shown(&pats, Some(80));
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        for title in ["NAME", "STATE", "LEFT", "VALID TO", "SCOPE"] {
            assert!(table.contains(title), "{table}");
        }
        assert!(shown(&pats, Some(120)).contains("00000000-0000-0000-0000-000000000001"));
    }
}
