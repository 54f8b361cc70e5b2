//! The figures of every contender, and how they compare.

use std::fmt::Write as _;
use std::time::Duration;

use super::Cell;
use super::measure::Taken;
use super::stage::{LATENCY, Operation};

/// The figures that are compared, each as a number of which less is better.
type Figure = (&'static str, fn(&Taken) -> f64);
const FIGURES: [Figure; 3] = [
    ("time", |taken| taken.wall.as_secs_f64()),
    ("CPU time", |taken| taken.cpu.as_secs_f64()),
    ("peak memory", |taken| taken.peak as f64),
];
/// What is no further apart than this is level: another run might show it the other way round.
const LEVEL: f64 = 1.02;

/// The cell of a contender.
pub fn cell<'a>(cells: &'a [Cell], operation: Operation, latency: Duration, contender: &str) -> &'a Cell {
    let mut cells = cells.iter();
    let cell = cells
        .find(|cell| cell.operation == operation && cell.latency == latency && cell.contender == contender);
    cell.expect("every contender was asked everything")
}

/// One table for each latency: every figure, and in brackets how many times adopat's it is.
pub fn of_all(cells: &[Cell]) -> String {
    let mut text = String::new();
    for (title, latency) in [("Without latency", Duration::ZERO), ("At 50 ms a request", LATENCY)] {
        let _ = writeln!(
            text,
            "### {title}\n\n| operation | contender | time | CPU time | peak memory | requests |\n\
             | --- | --- | ---: | ---: | ---: | ---: |"
        );
        for here in cells.iter().filter(|cell| cell.latency == latency) {
            let ours = &cell(cells, here.operation, latency, "adopat").taken;
            let taken = &here.taken;
            let times = |figure: usize| {
                let ratio = FIGURES[figure].1(taken) / FIGURES[figure].1(ours);
                if here.contender == "adopat" { String::new() } else { format!(" ({})", times(ratio)) }
            };
            let _ = writeln!(
                text,
                "| {} | {} | {}{} | {}{} | {}{} | {} |",
                here.operation.title(),
                here.contender,
                milliseconds(taken.wall),
                times(0),
                milliseconds(taken.cpu),
                times(1),
                mebibytes(taken.peak),
                times(2),
                here.requests
            );
        }
        text.push('\n');
    }
    text
}

/// Every figure in which somebody is level with adopat or better.
pub fn where_it_is_behind(cells: &[Cell]) -> String {
    let mut text = String::from("### Where adopat is not ahead\n\n");
    let begun = text.len();
    for here in cells.iter().filter(|cell| cell.contender != "adopat") {
        let ours = &cell(cells, here.operation, here.latency, "adopat").taken;
        for (name, figure) in FIGURES {
            let ratio = figure(&here.taken) / figure(ours);
            if ratio < LEVEL {
                let how = if ratio * LEVEL < 1.0 { "is ahead" } else { "is level" };
                let (operation, latency) = (here.operation.title(), here.latency.as_millis());
                let _ = writeln!(
                    text,
                    "- {operation} at {latency} ms: {} {how} in {name} ({} of adopat's)",
                    here.contender,
                    times(ratio)
                );
            }
        }
    }
    if text.len() == begun {
        text.push_str("Nowhere in these tables.\n");
    }
    text
}

/// A ratio.
pub fn times(ratio: f64) -> String {
    match ratio {
        10.0.. => format!("{ratio:.0}×"),
        _ => format!("{ratio:.2}×"),
    }
}

/// A duration in milliseconds, with as many digits as mean something.
pub fn milliseconds(duration: Duration) -> String {
    match duration.as_secs_f64() * 1000.0 {
        few @ ..10.0 => format!("{few:.2} ms"),
        some @ ..100.0 => format!("{some:.1} ms"),
        many => format!("{many:.0} ms"),
    }
}

/// An amount of memory.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
