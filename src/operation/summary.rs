//! The Markdown a person finds beside the log. Never a secret; foreign text cannot become markup.

use jiff::Timestamp;

use super::listing::Outlook;
use crate::azure_devops::Organization;
use crate::pats::Pat;
use crate::time::to_the_second;

/// The most rows of a table: a summary may not be larger than 1 MiB.
const MOST_ROWS: usize = 500;
/// The most bars of a timeline that a person can still read.
const MOST_BARS: usize = 50;

/// After `list`: the PATs, and a timeline of what expires when.
pub(super) fn listed(pats: &[Pat], outlook: &Outlook, organization: &Organization) -> String {
    let rows = pats.iter().map(|pat| (pat, outlook.state_in_words(pat), outlook.left(pat)));
    let mut text = format!("### {} in {organization}\n\n{}", counted(pats.len()), table("left", rows));
    text.push_str(&timeline(pats, outlook));
    text
}

/// So many PATs, in words.
pub(super) fn counted(count: usize) -> String {
    if count == 1 { "1 PAT".into() } else { format!("{count} PATs") }
}

/// A Mermaid Gantt chart of the PATs that are still good, the first to expire on top: the form in which GitHub
/// and Azure Pipelines draw one.
fn timeline(pats: &[Pat], outlook: &Outlook) -> String {
    let now = outlook.now;
    let mut bars: Vec<(Timestamp, &Pat)> =
        pats.iter().filter(|pat| !outlook.is_over(pat)).filter_map(|pat| Some((pat.end()?, pat))).collect();
    if bars.is_empty() {
        return String::new();
    }
    bars.sort_by_key(|(end, pat)| (*end, &pat.display_name));
    let mut text = String::from(
        "\n```mermaid\ngantt\n    title What expires when\n    dateFormat YYYY-MM-DDTHH:mm:ss\n    \
         axisFormat %Y-%m-%d\n",
    );
    for (end, pat) in bars.into_iter().take(MOST_BARS) {
        let mark = if outlook.is_expiring(pat) { "crit, " } else { "" };
        let at = |instant: Timestamp| instant.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        text.push_str(&format!("    {} : {mark}{}, {}\n", label(&pat.display_name), at(now), at(end)));
    }
    text.push_str("```\n");
    text
}

/// A bar's label: Mermaid reads `:` and `;` and `#` as its own, and knows no escape for them.
fn label(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/');
    let label: String = name.chars().map(|c| if plain(c) { c } else { ' ' }).take(60).collect();
    let label = label.trim();
    if label.is_empty() { "PAT".into() } else { format!("PAT {label}") }
}

/// PATs, a row each: its state in words, and what stands in the last column, which has this title.
pub(super) fn table<'a>(last: &str, rows: impl IntoIterator<Item = (&'a Pat, String, String)>) -> String {
    let mut text = format!("| PAT | authorization id | scope | valid to | state | {last} |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    let mut rows = rows.into_iter();
    for (pat, state, last) in rows.by_ref().take(MOST_ROWS) {
        let until = pat.valid_to.map_or("unknown".to_owned(), to_the_second);
        text.push_str(&format!(
            "| {} | `{}` | {} | {until} | {state} | {} |\n",
            cell(&pat.display_name),
            cell(&pat.authorization_id),
            cell(&pat.scope.to_string()),
            cell(&last)
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
