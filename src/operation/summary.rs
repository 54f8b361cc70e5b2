//! The Markdown a person finds beside the log. Never a secret; foreign text cannot become markup.

use super::listing::Outlook;
use super::timeline::{Bar, timeline};
use crate::azure_devops::Organization;
use crate::pats::Pat;
use crate::time::to_the_second;

/// The most rows of a table: a summary may not be larger than 1 MiB.
const MOST_ROWS: usize = 500;

/// After `list`: a timeline of what expires when, and the PATs.
pub(super) fn listed(pats: &[Pat], outlook: &Outlook, organization: &Organization) -> String {
    let good = pats.iter().filter(|pat| !outlook.is_over(pat));
    let bars = good.filter_map(|pat| {
        Some(Bar { end: pat.end()?, name: &pat.display_name, of: "", is_critical: outlook.is_expiring(pat) })
    });
    let chart = match timeline(bars.collect(), outlook.now) {
        chart if chart.is_empty() => chart,
        chart => chart + "\n",
    };
    let rows = pats.iter().map(|pat| (pat, outlook.state_in_words(pat), outlook.left(pat)));
    format!("### {} in {organization}\n\n{chart}{}", counted(pats.len()), table("left", rows))
}

/// So many PATs, in words.
pub(super) fn counted(count: usize) -> String {
    if count == 1 { "1 PAT".into() } else { format!("{count} PATs") }
}

/// PATs, a row each: its state in words, and beside it what stands in the column of this title. What a person looks for
/// comes first, and the ids last.
pub(super) fn table<'a>(beside: &str, rows: impl IntoIterator<Item = (&'a Pat, String, String)>) -> String {
    let mut text = format!("| PAT | state | {beside} | valid to | scope | authorization id |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    let mut rows = rows.into_iter();
    for (pat, state, beside) in rows.by_ref().take(MOST_ROWS) {
        let until = pat.valid_to.map_or("unknown".to_owned(), to_the_second);
        text.push_str(&format!(
            "| {} | {state} | {} | {until} | {} | `{}` |\n",
            cell(&pat.display_name),
            cell(&beside),
            cell(&pat.scope.to_string()),
            cell(&pat.authorization_id)
        ));
    }
    match rows.count() {
        0 => {}
        more => text.push_str(&format!("\n{} more: the log has all of them.\n", counted(more))),
    }
    text
}

/// Text that cannot leave its cell or become markup, a link or HTML.
pub(super) fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => cell.push_str("&amp;"),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '|' | '\\' | '`' | '*' | '[' | ']' | '!' | '~' | '@' | '#' | '$' => {
                cell.push_str(&format!("&#{};", u32::from(c)));
            }
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => cell.push(' '),
            c => cell.push(c),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_leave_its_cell() {
        let hostile = "a|b\n<img src=x>[x](http://evil.example)`*#";
        let cell = cell(hostile);
        assert!(!cell.contains(['|', '\n', '<', '>', '[', ']', '`', '*']), "{cell}");
    }
}
