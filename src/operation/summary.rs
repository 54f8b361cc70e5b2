//! The Markdown a person finds beside the log. Never a secret; foreign text cannot become markup.

use super::plan::Retirement;
use crate::azure_devops::Organization;
use crate::outputs::to_the_second;
use crate::pats::Pat;

/// After `create`.
pub(super) fn created(pat: &Pat, organization: &Organization) -> String {
    format!("### PAT created in {organization}\n\n{}", table(std::slice::from_ref(pat)))
}

/// After `rotate`: the new PAT, and what became of the old ones.
pub(super) fn rotated(pat: &Pat, retired: &[Retirement], alive: &[String], organization: &Organization) -> String {
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
    format!("### PATs revoked in {organization}\n\n{}", table(pats))
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
