//! The table in the emulator's README that says how true it is: made of the one list of expectations.

use std::fmt::Write as _;

use crate::expectation::{Area, Check, Expectation};
use crate::report::cell;

/// Where the table is, from the root of the repository.
pub const PAGE: &str = "emulator/README.md";

const BEGIN: &str = "<!-- Made by `cargo run -p adopat-probe --example fidelity`. Do not edit. -->\n";
const END: &str = "<!-- The end of what is made. -->\n";

/// The page with a table that is up to date in the place of the one it holds; `None` if it holds none.
pub fn page(before: &str, expectations: &[Expectation]) -> Option<String> {
    let (head, rest) = before.split_once(BEGIN)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n{}\n{END}{tail}", table(expectations)))
}

fn table(expectations: &[Expectation]) -> String {
    let mut table = String::from("| behaviour | source | sure | looked at |\n| --- | --- | --- | --- |\n");
    for area in Area::ALL {
        let _ = writeln!(table, "| **{}** | | | |", area.title());
        for row in expectations.iter().filter(|row| row.area == area) {
            let looked_at = match row.check {
                Check::Shows(..) => format!("`{}`", row.name),
                Check::NotProbed(Some(why)) => format!("no: {why}"),
                Check::NotProbed(None) => "no".into(),
            };
            let cells = [row.behaviour, &row.source(), row.sure.dots(), &looked_at].map(cell);
            let _ = writeln!(table, "| {} |", cells.join(" | "));
        }
    }
    table
}
