//! What `apply` did, told at its end: the table or the JSON that was asked for, the summary, and the output `results`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::delivery::{self, replace_output_file};
use super::summary::cell;
use super::text_table::{self, Column, Table};
use super::timeline::{Bar, timeline};
use super::{Run, listing};
use crate::failure::Failure;
use crate::host::{Piece, Verdict};
use crate::outputs::{ApplyAction, ApplyResult, MOST_OF_AN_OUTPUT, Outputs};
use crate::time::to_the_second;

/// The most bytes of the summary's table: a summary may not be larger than 1 MiB, and holds a timeline too.
const MOST_OF_A_TABLE: usize = 512 * 1024;

/// Hands over what became of each PAT, in the rows' order.
///
/// # Errors
/// What could not be written.
pub(super) fn hand_over(run: &Run<'_>, rows: &[ApplyResult], changed: bool) -> Result<(), Failure> {
    let now = run.http.clock().now();
    run.info(counted(rows));
    if !run.host.has_outputs() {
        run.show_alone(|width| in_columns(rows, width), json_parts(rows));
    }
    run.host.summarize(&to_markdown(rows, now));
    let all: Vec<Value> = rows.iter().map(|row| json!(row)).collect();
    let outputs = |results| Outputs { results: Some(results), changed, ..Outputs::default() };
    replace_output_file(run, &outputs(all))?;
    let (bounded, left_out) = within(rows, MOST_OF_AN_OUTPUT);
    if let Some(left_out) = left_out.filter(|_| run.host.has_outputs()) {
        run.warn(delivery::too_large(run, &left_out));
    }
    run.host.deliver(&outputs(bounded))
}

/// The rows as an output of at most so many bytes, and what was left out for that, as the beginning of a sentence: all
/// of them, else those that are not kept, else how many there are of each action.
fn within(rows: &[ApplyResult], most: usize) -> (Vec<Value>, Option<String>) {
    let fits = |values: &[Value]| listing::size_of_array(values) <= most;
    let values = |wanted: &dyn Fn(&&ApplyResult) -> bool| -> Vec<Value> {
        rows.iter().filter(wanted).map(|row| json!(row)).collect()
    };
    let all = values(&|_| true);
    if fits(&all) {
        return (all, None);
    }
    let others = values(&|row| row.action != ApplyAction::Kept);
    if fits(&others) {
        let left_out = format!(
            "The output results holds only {} of {} rows, those that are not kept,",
            others.len(),
            rows.len()
        );
        return (others, Some(left_out));
    }
    let counts = ApplyAction::ALL.into_iter().filter_map(|action| {
        let count = count_of(rows, action);
        (count > 0).then(|| json!({ "action": action, "count": count }))
    });
    let left_out = "The output results holds only the number of rows of each action,".to_owned();
    (counts.collect(), Some(left_out))
}

fn count_of(rows: &[ApplyResult], action: ApplyAction) -> usize {
    rows.iter().filter(|row| row.action == action).count()
}

/// How many PATs of each action, as a sentence.
fn counted(rows: &[ApplyResult]) -> String {
    let counts = ApplyAction::ALL.into_iter().filter_map(|action| {
        let count = count_of(rows, action);
        (count > 0).then(|| format!("{count} {}", in_words(action)))
    });
    let counts: Vec<String> = counts.collect();
    if counts.is_empty() { "No PAT.".into() } else { format!("PATs: {}.", counts.join(", ")) }
}

/// What was done, as a person reads it.
fn in_words(action: ApplyAction) -> &'static str {
    match action {
        ApplyAction::NotBegun => "not begun",
        ApplyAction::Unmanaged => "not in the manifest",
        ApplyAction::WouldCreate => "to be created",
        ApplyAction::WouldRotate => "to be rotated",
        ApplyAction::WouldRevoke => "to be revoked",
        other => other.word(),
    }
}

/// Why, and what kept it from being done.
fn reason(row: &ApplyResult) -> String {
    match &row.error {
        // What was not begun fails for the reason alone.
        Some(error) if error.cause != row.reason => format!("{} {error}", row.reason),
        Some(error) => error.to_string(),
        None => row.reason.clone(),
    }
}

/// The columns at a terminal.
const COLUMNS: [Column; 6] = [
    Column { title: "NAME", least: Some(16), goes: None },
    Column { title: "ORGANIZATION", least: Some(8), goes: None },
    Column { title: "ACTION", least: None, goes: None },
    Column { title: "VALID TO", least: None, goes: Some(2) },
    Column { title: "REASON", least: Some(20), goes: Some(3) },
    Column { title: "AUTHORIZATION ID", least: None, goes: Some(1) },
];

/// A table, one PAT a line; if a width is given, no wider than that.
fn in_columns(rows: &[ApplyResult], width: Option<usize>) -> Table {
    let lines = rows.iter().map(|row| {
        vec![
            listing::one_line(&row.display_name).into(),
            row.organization.clone().into(),
            Piece::of(verdict(row.action), in_words(row.action)),
            row.valid_to.map_or_else(String::new, to_the_second).into(),
            listing::one_line(&reason(row)).into(),
            listing::one_line(row.authorization_id.as_deref().unwrap_or_default()).into(),
        ]
    });
    text_table::table(&COLUMNS, lines.collect(), width)
}

/// In which colour a terminal shows it.
fn verdict(action: ApplyAction) -> Verdict {
    match action {
        ApplyAction::Created | ApplyAction::Rotated | ApplyAction::Revoked | ApplyAction::Kept => Verdict::Ok,
        ApplyAction::Failed | ApplyAction::NotBegun => Verdict::Failed,
        ApplyAction::Unmanaged
        | ApplyAction::WouldCreate
        | ApplyAction::WouldRotate
        | ApplyAction::WouldRevoke => Verdict::Warning,
    }
}

/// The rows for a program: the parts of a JSON array, with a line for each.
fn json_parts(rows: &[ApplyResult]) -> impl Iterator<Item = String> + '_ {
    let last = rows.len().saturating_sub(1);
    let line = move |(index, row): (usize, &ApplyResult)| {
        let begin = if index == 0 { "[" } else { "" };
        let end = if index == last { "]" } else { "," };
        format!("{begin}{}{end}", json!(row))
    };
    rows.iter().enumerate().map(line).chain(rows.is_empty().then(|| "[]".into()))
}

/// For the host's summary: what expires when, then each PAT.
fn to_markdown(rows: &[ApplyResult], now: Timestamp) -> String {
    let mut text = format!("### {}\n", counted(rows));
    let bars = rows.iter().filter_map(|row| {
        let is_over = row.action == ApplyAction::Revoked;
        let end = row.valid_to.filter(|end| *end > now && !is_over)?;
        let is_critical = row.action == ApplyAction::Failed;
        Some(Bar { end, name: &row.display_name, of: &row.organization, is_critical })
    });
    let chart = timeline(bars.collect(), now);
    if !chart.is_empty() {
        text.push_str(&format!("\n{chart}"));
    }
    text.push_str("\n| PAT | organization | action | reason | valid to | where |\n| --- | --- | --- | --- | --- | --- |\n");
    let begins = text.len();
    // If not all find room, what was done matters more than what was kept.
    let lines: Vec<(&ApplyResult, String)> = rows.iter().map(|row| (row, line(row))).collect();
    let whole: usize = lines.iter().map(|(_, line)| line.len()).sum();
    let (mut left_out, mut is_kept_left_out) = (0, false);
    for (row, line) in &lines {
        let unwanted = whole > MOST_OF_A_TABLE && row.action == ApplyAction::Kept;
        if unwanted || text.len() - begins + line.len() > MOST_OF_A_TABLE {
            left_out += 1;
            is_kept_left_out |= unwanted;
        } else {
            text.push_str(line);
        }
    }
    if left_out > 0 {
        let which = if is_kept_left_out { ", those that were kept first" } else { "" };
        text.push_str(&format!("\n{left_out} more{which}: the log has all of them.\n"));
    }
    text
}

fn line(row: &ApplyResult) -> String {
    let stores: Vec<String> = row.stores.iter().map(|store| cell(store)).collect();
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        cell(&row.display_name),
        cell(&row.organization),
        in_words(row.action),
        cell(&reason(row)),
        row.valid_to.map_or_else(String::new, to_the_second),
        stores.join("<br>"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Exit, Failure};
    use crate::outputs::ApplyError;

    fn row(number: usize, action: ApplyAction) -> ApplyResult {
        ApplyResult {
            organization: "fabrikam".into(),
            display_name: format!("ci-{number:04}"),
            action,
            reason: "It expires within 10d.".into(),
            authorization_id: Some(format!("00000000-0000-0000-0000-{number:012}")),
            previous_authorization_ids: Vec::new(),
            valid_to: "2026-02-01T00:00:00Z".parse().ok(),
            error: None,
            stores: vec!["file:pat".into()],
        }
    }

    fn rows(kept: usize, rotated: usize) -> Vec<ApplyResult> {
        let kept = (0..kept).map(|number| row(number, ApplyAction::Kept));
        kept.chain((0..rotated).map(|number| row(number, ApplyAction::Rotated))).collect()
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().expect("an instant")
    }

    #[test]
    fn an_output_holds_all_else_what_is_not_kept_else_counts() {
        let (all, left_out) = within(&rows(10, 10), MOST_OF_AN_OUTPUT);
        assert_eq!((all.len(), left_out), (20, None));
        let (others, left_out) = within(&rows(900, 10), MOST_OF_AN_OUTPUT);
        assert_eq!(others.len(), 10);
        let words = left_out.expect("words");
        assert_eq!(words, "The output results holds only 10 of 910 rows, those that are not kept,");
        let (counts, left_out) = within(&rows(100, 900), MOST_OF_AN_OUTPUT);
        let expected = [json!({"action": "rotated", "count": 900}), json!({"action": "kept", "count": 100})];
        assert_eq!(counts, expected);
        assert_eq!(
            left_out.expect("words"),
            "The output results holds only the number of rows of each action,"
        );
    }

    #[test]
    fn what_a_host_writes_is_never_larger_than_that() {
        for count in [150, 180, 200, 220, 250] {
            let mut rows = rows(0, count);
            rows.iter_mut().for_each(|row| row.display_name.push_str("##[\u{e9}\u{202e}"));
            let (values, _) = within(&rows, MOST_OF_AN_OUTPUT);
            let written = crate::host::sanitize::json(&json!(values).to_string()).len();
            assert!(written <= MOST_OF_AN_OUTPUT, "{count}: {written}");
        }
    }

    #[test]
    fn the_parts_for_a_program_are_one_array() {
        for count in [0, 1, 2, 50] {
            let text: String = json_parts(&rows(0, count)).collect();
            let array: Vec<Value> = serde_json::from_str(&text).expect("an array");
            assert_eq!(array.len(), count, "{text}");
        }
    }

    #[test]
    fn the_summary_shows_each_pat_once_and_what_failed_with_its_remedy() {
        let mut failed = row(7, ApplyAction::Failed);
        let failure = Failure::new(Exit::Store, "The vault | is closed.", "Open it.");
        failed.error = Some(ApplyError::from(&failure));
        let revoked = row(8, ApplyAction::Revoked);
        let text = to_markdown(&[row(1, ApplyAction::Kept), failed, revoked], now());
        assert!(text.starts_with("### PATs: 1 kept, 1 revoked, 1 failed.\n"), "{text}");
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("| ci-")).collect();
        let expected = "| ci-0007 | fabrikam | failed | It expires within 10d. The vault &#124; is closed. Open it. | \
                        2026-02-01T00:00:00Z | file:pat |";
        assert_eq!((lines.len(), lines[1]), (3, expected));
        let bars: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("2026-02-01T00:00:00") && line.starts_with(' '))
            .collect();
        assert_eq!(bars.len(), 2, "a revoked one has no end to come: {text}");
    }

    #[test]
    fn a_summary_of_very_many_shows_what_was_done_rather_than_what_was_kept() {
        let mut rows = rows(900, 100);
        rows.iter_mut().for_each(|row| row.stores = vec!["file:".to_owned() + &"x".repeat(600)]);
        let text = to_markdown(&rows, now());
        let lines = text.lines().filter(|line| line.starts_with("| ci-"));
        let (kept, rotated): (Vec<_>, Vec<_>) = lines.partition(|line| line.contains("| kept |"));
        assert_eq!((kept.len(), rotated.len()), (0, 100));
        assert!(text.ends_with("\n900 more, those that were kept first: the log has all of them.\n"));
        assert!(text.len() < 1 << 20);
    }

    #[test]
    fn eighty_columns_hold_name_organization_and_action() {
        let table = in_columns(&rows(1, 1), Some(80)).text();
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        for word in ["NAME", "ORGANIZATION", "ACTION", "rotated"] {
            assert!(table.contains(word), "{table}");
        }
    }
}
