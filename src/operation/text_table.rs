//! A table as a person at a terminal reads it: aligned columns, as wide as the terminal and no wider.

use unicode_width::UnicodeWidthChar as _;

use crate::host::Piece;

/// The widest column: a longer cell, which a service may send, moves what follows it in its own row alone.
const WIDEST: usize = 256;
/// What stands between two columns.
const GAP: &str = "  ";

/// A column.
pub(super) struct Column {
    /// Its title.
    pub(super) title: &'static str,
    /// How narrow it may become if the terminal has no room for all of it; its cells are then cut.
    pub(super) least: Option<usize>,
    /// Its place among those that are left out where even that is not enough; the lowest goes first.
    pub(super) goes: Option<u8>,
}

/// A line, as the cells that it shows, each as wide as its column.
pub(super) type Line = Vec<Piece>;

/// A table that has been fitted to a width.
pub(super) struct Table {
    /// The titles, then a line for each row.
    pub(super) lines: Vec<Line>,
    /// The titles of the columns that there was no room for.
    pub(super) left_out: Vec<&'static str>,
}

impl Table {
    /// Lines that are no table.
    pub(super) fn of_lines(text: &str) -> Self {
        Self { lines: text.lines().map(|line| vec![line.to_owned().into()]).collect(), left_out: Vec::new() }
    }

    /// As text, without colours.
    pub(super) fn text(&self) -> String {
        let lines = self.lines.iter();
        let lines = lines.map(|line| line.iter().map(|piece| piece.text.as_str()).collect::<String>());
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Lays the rows out in columns; if there is a width, within it.
pub(super) fn table(columns: &[Column], mut rows: Vec<Vec<Piece>>, width: Option<usize>) -> Table {
    rows.insert(0, columns.iter().map(|column| column.title.to_owned().into()).collect());
    let natural =
        |column: usize| rows.iter().map(|row| wide(&row[column].text)).max().unwrap_or(0).min(WIDEST);
    let natural: Vec<usize> = (0..columns.len()).map(natural).collect();
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let widths = loop {
        match widths(columns, &natural, &shown, width) {
            Ok(widths) => break widths,
            Err(widths) => {
                let first = shown.iter().filter(|at| columns[**at].goes.is_some());
                match first.min_by_key(|at| columns[**at].goes).copied() {
                    Some(goes) => shown.retain(|at| *at != goes),
                    None => break widths,
                }
            }
        }
    };
    let lines = rows.into_iter().map(|mut row| {
        let cells = shown.iter().zip(&widths).enumerate().map(|(place, (at, column))| {
            let Piece { text, verdict } = std::mem::take(&mut row[*at]);
            let text = if width.is_some() { cut(text, *column) } else { text };
            let is_last = place + 1 == shown.len();
            let padding = if is_last { 0 } else { column.saturating_sub(wide(&text)) + GAP.len() };
            Piece { text: text + &" ".repeat(padding), verdict }
        });
        cells.collect()
    });
    let lines = lines.collect();
    let left_out = (0..columns.len()).filter(|at| !shown.contains(at)).map(|at| columns[at].title).collect();
    Table { lines, left_out }
}

/// The widths of these columns, the later ones narrowed first; as an error those that are still too wide together.
fn widths(
    columns: &[Column],
    natural: &[usize],
    shown: &[usize],
    width: Option<usize>,
) -> Result<Vec<usize>, Vec<usize>> {
    let mut widths: Vec<usize> = shown.iter().map(|at| natural[*at]).collect();
    let Some(width) = width else { return Ok(widths) };
    let gaps = GAP.len() * shown.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
    for (width, at) in widths.iter_mut().zip(shown).rev() {
        let spare = columns[*at].least.map_or(0, |least| width.saturating_sub(least));
        let narrowed = spare.min(excess);
        *width -= narrowed;
        excess -= narrowed;
    }
    if excess == 0 { Ok(widths) } else { Err(widths) }
}

/// How many columns of a terminal a text takes.
fn wide(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text, cut to a width; that it was cut can be seen.
fn cut(text: String, width: usize) -> String {
    if wide(&text) <= width {
        return text;
    }
    let mut room = width.saturating_sub(1);
    let fits = text.chars().take_while(|c| {
        let left = room.checked_sub(c.width().unwrap_or(0));
        room = left.unwrap_or(0);
        left.is_some()
    });
    let mut cut: String = fits.collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const COLUMNS: [Column; 4] = [
        Column { title: "NAME", least: Some(8), goes: None },
        Column { title: "STATE", least: None, goes: None },
        Column { title: "SCOPE", least: Some(6), goes: Some(2) },
        Column { title: "ID", least: None, goes: Some(1) },
    ];

    fn laid_out(row: [&str; 4], width: Option<usize>) -> (Vec<String>, Vec<&'static str>) {
        let row = row.map(|text| Piece::from(text.to_owned())).to_vec();
        let table = table(&COLUMNS, vec![row], width);
        (table.text().lines().map(str::to_owned).collect(), table.left_out)
    }

    #[rstest]
    #[case::unlimited(None, "a-long-name  active  vso.packaging  0000-0001", &[])]
    #[case::exact(Some(45), "a-long-name  active  vso.packaging  0000-0001", &[])]
    #[case::a_scope_is_cut_first(Some(44), "a-long-name  active  vso.packagi…  0000-0001", &[])]
    #[case::then_a_name(Some(36), "a-long-n…  active  vso.p…  0000-0001", &[])]
    #[case::then_the_id_goes(Some(34), "a-long-name  active  vso.packaging", &["ID"])]
    #[case::and_the_rest_is_cut(Some(26), "a-long-na…  active  vso.p…", &["ID"])]
    #[case::then_the_scope_goes(Some(23), "a-long-name  active", &["SCOPE", "ID"])]
    #[case::the_rest_stays(Some(3), "a-long-…  active", &["SCOPE", "ID"])]
    fn a_table_is_as_wide_as_the_terminal(
        #[case] width: Option<usize>,
        #[case] row: &str,
        #[case] left_out: &[&str],
    ) {
        let (lines, gone) = laid_out(["a-long-name", "active", "vso.packaging", "0000-0001"], width);
        assert_eq!((lines[1].as_str(), gone.as_slice()), (row, left_out));
    }

    #[test]
    fn a_cell_that_is_very_long_moves_its_own_row_alone() {
        let long = "x".repeat(100_000);
        let rows = [[long.as_str(), "active", "x", "y"], ["short", "active", "x", "y"]];
        let rows = rows.map(|row| row.map(|text| Piece::from(text.to_owned())).to_vec());
        let lines = table(&COLUMNS, rows.to_vec(), None).text();
        let lines: Vec<&str> = lines.lines().collect();
        assert!(lines[1].starts_with(&format!("{long}  active")) && lines[2].len() < 300, "{}", lines[2]);
    }

    #[test]
    fn wide_letters_take_two_columns() {
        let (lines, _) = laid_out(["発行", "active", "x", "y"], None);
        assert_eq!(lines, ["NAME  STATE   SCOPE  ID", "発行  active  x      y"]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            name in "\\PC{0,40}", scope in "[a-z. ]{0,40}", width in 17usize..120
        ) {
            let (lines, _) = laid_out([&name, "active", &scope, "0000-0001"], Some(width));
            for line in lines {
                prop_assert!(wide(&line) <= width, "{line}");
            }
        }
    }
}
