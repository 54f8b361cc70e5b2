//! Plays so many schedules of the simulation: `cargo run --release --example simulate -- 1000000 [FIRST-SEED]`.

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.replace('_', "").parse::<u64>());
    let (count, first) = match (numbers.next(), numbers.next()) {
        (None, _) => (1_000_000, 0),
        (Some(Ok(count)), None) => (count, 0),
        (Some(Ok(count)), Some(Ok(first))) => (count, first),
        _ => {
            eprintln!("usage: simulate [SCHEDULES [FIRST-SEED]]");
            return ExitCode::from(2);
        }
    };
    match simulation::campaign::play_all(first..first + count) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(broken) => {
            eprintln!("{broken}");
            ExitCode::FAILURE
        }
    }
}
