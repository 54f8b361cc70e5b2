//! `cargo run -p adopat-probe --example fidelity`: writes the table in the emulator's README that says how true it
//! is.

use std::io;
use std::path::Path;

use adopat_probe::{expectations, fidelity};

fn main() -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(fidelity::PAGE);
    let page = fidelity::page(&std::fs::read_to_string(&path)?, &expectations::all());
    let page = page.ok_or_else(|| io::Error::other("the page has no place for the table"))?;
    std::fs::write(path, page)?;
    println!("{}", fidelity::PAGE);
    Ok(())
}
