//! What adopat is to reach, and whether this run shows that it does.

use std::fmt::Write as _;
use std::time::Duration;

use super::stage::{LATENCY, Operation};
use super::table::{cell, mebibytes, milliseconds};
use super::{Alone, Cell};

/// One target.
pub struct Target {
    what: String,
    measured: String,
    holds: bool,
}

/// All of them.
pub fn all(cells: &[Cell], alone: &Alone) -> Vec<Target> {
    let at = |operation, latency, contender| cell(cells, operation, latency, contender);
    let mut targets = Vec::new();
    for (contender, most) in [("Python", 20.0), ("Node", 10.0)] {
        for operation in Operation::ALL {
            let cpu = |name| at(operation, Duration::ZERO, name).taken.cpu.as_secs_f64();
            let part = cpu(contender) / cpu("adopat");
            targets.push(Target {
                what: format!("{}: CPU time at most 1/{most} of {contender}'s", operation.title()),
                measured: format!("1/{part:.1}"),
                holds: part >= most,
            });
        }
    }
    for operation in Operation::ALL {
        let walls = [Duration::ZERO, LATENCY].map(|latency| {
            let wall = |name| at(operation, latency, name).taken.wall.as_secs_f64();
            wall("adopat") / wall("curl + jq")
        });
        targets.push(Target {
            what: format!("{}: never behind curl + jq in time", operation.title()),
            measured: format!("{:.2} of it, {:.2} at 50 ms", walls[0], walls[1]),
            holds: walls.iter().all(|ratio| *ratio <= 1.0),
        });
    }
    for (operation, most) in [(Operation::Create, 2), (Operation::Rotate, 4)] {
        let cell = at(operation, LATENCY, "adopat");
        let ratio = in_latencies(cell, cell.requests);
        targets.push(Target {
            what: format!("{}: at most {most} requests", operation.title()),
            measured: cell.requests.to_string(),
            holds: cell.requests <= most,
        });
        targets.push(Target {
            what: format!("{} at 50 ms: within 1.05 × requests × latency", operation.title()),
            measured: format!("{ratio:.3} ×"),
            holds: ratio <= 1.05,
        });
    }
    let list = at(Operation::List, LATENCY, "adopat");
    // One request signs in.
    let pages = list.requests - 1;
    let ratio = in_latencies(list, pages);
    targets.push(Target {
        what: format!("list of 10,000 at 50 ms: within 10 % of pages × latency ({pages} pages)"),
        measured: format!("{ratio:.3} ×"),
        holds: ratio <= 1.10,
    });
    let more = list.taken.peak.saturating_sub(alone.short_list.peak);
    targets.push(Target {
        what: "list of 10,000: at most 10 MiB more memory than a list of 100".into(),
        measured: format!("{} more", mebibytes(more)),
        holds: more <= 10 << 20,
    });
    let rotation = at(Operation::Rotate, Duration::ZERO, "adopat").taken.peak;
    targets.push(Target {
        what: "peak memory of a rotation: under 10 MiB".into(),
        measured: mebibytes(rotation),
        holds: rotation < 10 << 20,
    });
    // RFC 9106's second recommended choice, which the sealed store takes: 64 MiB.
    targets.push(Target {
        what: "the same with `store-key`: under 10 MiB and the 64 MiB that the key derivation states".into(),
        measured: mebibytes(alone.sealed.peak),
        holds: alone.sealed.peak < 74 << 20,
    });
    targets.push(Target {
        what: format!("`--version`: under 2 ms (`true` takes {})", milliseconds(alone.nothing.wall)),
        measured: milliseconds(alone.version.wall),
        holds: alone.version.wall < Duration::from_millis(2),
    });
    targets.push(Target {
        what: "the static binary, with every feature: under 7 MB".into(),
        measured: format!("{:.2} MB", alone.binary_size as f64 / 1e6),
        holds: alone.binary_size < 7_000_000,
    });
    targets
}

/// How many times the latency of so many requests a run took.
fn in_latencies(cell: &Cell, requests: usize) -> f64 {
    cell.taken.wall.as_secs_f64() / (cell.latency.as_secs_f64() * requests as f64)
}

/// All of them for a person.
pub fn table(targets: &[Target]) -> String {
    let mut text = String::from("### Targets\n\n| target | measured | holds |\n| --- | ---: | --- |\n");
    for Target { what, measured, holds } in targets {
        let _ = writeln!(text, "| {what} | {measured} | {} |", if *holds { "yes" } else { "**no**" });
    }
    text
}
