//! Writes `docs/reliability.md`: `cargo run --example reliability`.

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use std::process::ExitCode;

use simulation::{campaign, kinds, matrix};

fn main() -> ExitCode {
    let matrix = matrix::run(campaign::folder().path());
    if let Some(broken) = matrix.broken.first() {
        eprintln!("{} broken, such as:\n{broken}", matrix.broken.len());
        return ExitCode::FAILURE;
    }
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    std::fs::write(&page, matrix::page(&matrix) + &kinds::section()).expect("the page can be written");
    println!("{} is written.", page.display());
    ExitCode::SUCCESS
}
