//! `cargo run --example man > adopat.1`: writes the man page.

#[path = "man/page.rs"]
mod page;

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(page::page().as_bytes())
}
