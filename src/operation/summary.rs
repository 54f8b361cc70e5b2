//! The Markdown a person finds beside the log. Never a secret; foreign text cannot become markup.

use jiff::Timestamp;

use super::list::counted;
use super::listing::{GLOBAL_PATS_END, Outlook};
use super::plan::Retirement;
use crate::azure_devops::Organization;
use crate::outputs::to_the_second;
use crate::pats::Pat;

/// The most rows of a table: a summary may not be larger than 1 MiB.
const MOST_ROWS: usize = 500;
/// The most bars of a timeline that a person can still read.
const MOST_BARS: usize = 50;

/// After `create`.
pub(super) fn created(pat: &Pat, organization: &Organization) -> String {
    format!("### PAT created in {organization}\n\n{}", table(std::slice::from_ref(pat)))
}

/// After `rotate`: the new PAT, and what became of the old ones.
pub(super) fn rotated(
    pat: &Pat,
    retired: &[Retirement],
    alive: &[String],
    organization: &Organization,
) -> String {
    let mut text = format!("### PAT rotated in {organization}\n\n{}\n", table(std::slice::from_ref(pat)));
    for retirement in retired {
        let old = cell(&retirement.pat().authorization_id);
        text.push_str(&match retirement {
            Retirement::Revoke(_) => format!("- `{old}`: revoked\n"),
            Retirement::Shorten(_, to) => format!("- `{old}`: expires {}\n", to_the_second(*to)),
            Retirement::LetExpire(_) => format!("- `{old}`: left to expire\n"),
        });
    }
    for issue in alive {
        text.push_str(&format!("\n**Look at this:** {}\n", cell(issue)));
    }
    text
}

/// After `revoke`.
pub(super) fn revoked(pats: &[Pat], organization: &Organization) -> String {
    format!("### {} revoked in {organization}\n\n{}", counted(pats.len()), table(pats))
}

/// After `update`.
pub(super) fn updated(pat: &Pat, organization: &Organization) -> String {
    format!("### PAT updated in {organization}\n\n{}", table(std::slice::from_ref(pat)))
}

/// After `list`: the PATs, and a timeline of what expires when.
pub(super) fn listed(pats: &[Pat], outlook: &Outlook, organization: &Organization) -> String {
    let shown = &pats[..pats.len().min(MOST_ROWS)];
    let mut text = format!("### {} in {organization}\n\n{}", counted(pats.len()), table(shown));
    if shown.len() < pats.len() {
        text.push_str(&format!("\nThe output `pats` holds {} more.\n", pats.len() - shown.len()));
    }
    text.push_str(&timeline(pats, outlook));
    text
}

/// A Mermaid Gantt chart of the PATs that are still good, the first to expire on top: the form in which GitHub
/// and Azure Pipelines draw one.
fn timeline(pats: &[Pat], outlook: &Outlook) -> String {
    let now = outlook.now;
    let mut bars: Vec<(Timestamp, &Pat)> = pats
        .iter()
        .filter(|pat| !outlook.is_over(pat))
        .filter_map(|pat| {
            let end = pat.valid_to?;
            let last = GLOBAL_PATS_END.parse().unwrap_or(end);
            Some((if pat.is_global() { end.min(last) } else { end }, pat))
        })
        .filter(|(end, _)| *end > now)
        .collect();
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

fn table(pats: &[Pat]) -> String {
    let mut text = String::from("| PAT | authorization id | scope | valid to |\n| --- | --- | --- | --- |\n");
    for pat in pats {
        let until = pat.valid_to.map_or("unknown".to_owned(), to_the_second);
        text.push_str(&format!(
            "| {} | `{}` | {} | {until} |\n",
            cell(&pat.display_name),
            cell(&pat.authorization_id),
            cell(&pat.scope.to_string())
        ));
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
