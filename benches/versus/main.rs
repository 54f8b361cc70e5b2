//! adopat beside what one would use in its place, all in one run on one machine, against the emulator over TLS:
//! `cargo bench --bench versus`.
//!
//! It builds the binary that ships, fetches what the others need into `target/versus`, runs every operation with
//! every contender in turn, without latency and with 50 ms a request, and writes what came out into
//! `docs/performance.md` and `docs/performance.svg`. With `-- --quick` it takes fewer runs and writes nothing.

mod chart;
mod contender;
mod machine;
mod measure;
mod page;
mod stage;
mod table;
mod target;

mod binary;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use contender::Contender;
use measure::{Taken, median};
use stage::{Operation, Stage};

/// What one operation took of one contender at one latency: the medians of several runs.
struct Cell {
    operation: Operation,
    latency: Duration,
    contender: &'static str,
    taken: Taken,
    requests: usize,
}

/// What adopat alone is asked, beside the operations.
struct Alone {
    /// `adopat --version`, and a program that does nothing.
    version: Taken,
    nothing: Taken,
    /// A list of a hundred PATs, beside which one of 10,000 should not need much more memory.
    short_list: Taken,
    /// A rotation whose refresh token is sealed with a `store-key`.
    sealed: Taken,
    binary_size: u64,
}

/// How many runs are measured, after one that warms up.
struct Repetitions {
    of_an_operation: usize,
    of_a_long_list: usize,
    of_a_start: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = measure::as_the_shim(&arguments) {
        return code;
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    match run(quick) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(quick: bool) -> Result<(), String> {
    let repetitions = match quick {
        true => Repetitions { of_an_operation: 3, of_a_long_list: 1, of_a_start: 20 },
        false => Repetitions { of_an_operation: 15, of_a_long_list: 3, of_a_start: 200 },
    };
    let adopat = binary::build()?;
    let contenders = contender::all(&adopat)?;
    let cells = versus(&contenders, &repetitions)?;
    let alone = alone(&adopat, &contenders[0], &repetitions)?;

    let targets = target::all(&cells, &alone);
    let generated = [
        machine::describe(&contenders),
        table::of_all(&cells),
        target::table(&targets),
        table::where_it_is_behind(&cells),
    ]
    .join("\n");
    println!("\n{generated}");
    if quick {
        return Ok(());
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    page::replace(&docs.join("performance.md"), "versus", &generated)?;
    page::write(&docs.join("performance.svg"), &chart::draw(&cells))
}

/// Every operation, by every contender in turn, so that what else the machine does meanwhile befalls all of them.
fn versus(contenders: &[Contender], repetitions: &Repetitions) -> Result<Vec<Cell>, String> {
    let mut cells = Vec::new();
    for operation in Operation::ALL {
        let stage = Stage::for_operation(operation);
        for latency in [Duration::ZERO, stage::LATENCY] {
            let count = match operation {
                Operation::List => repetitions.of_a_long_list,
                _ => repetitions.of_an_operation,
            };
            println!("{} at {} ms a request, {count} runs of each", operation.word(), latency.as_millis());
            stage.set_latency(latency);
            let mut runs: Vec<(Vec<Taken>, usize)> = contenders.iter().map(|_| (Vec::new(), 0)).collect();
            for run in 0..=count {
                for (contender, (taken, requests)) in contenders.iter().zip(&mut runs) {
                    let (took, sent) = stage.run(operation, contender)?;
                    *requests = sent;
                    // The first run finds files that are not in memory yet, and sources that are not compiled.
                    if run > 0 {
                        taken.push(took);
                    }
                }
            }
            cells.extend(contenders.iter().zip(runs).map(|(contender, (taken, requests))| {
                let (contender, taken) = (contender.name, median(&taken));
                Cell { operation, latency, contender, taken, requests }
            }));
        }
    }
    Ok(cells)
}

fn alone(adopat: &Path, contender: &Contender, repetitions: &Repetitions) -> Result<Alone, String> {
    let short = Stage::with_pats(100);
    let stage = Stage::for_operation(Operation::Rotate);
    let sealed = contender.with(stage.sealing());
    let runs_of = |stage: &Stage, operation, contender: &Contender| -> Result<Taken, String> {
        let runs = (0..repetitions.of_an_operation).map(|_| Ok(stage.run(operation, contender)?.0));
        Ok(median(&runs.collect::<Result<Vec<_>, String>>()?))
    };
    Ok(Alone {
        version: measure::start(adopat, &["--version"], repetitions.of_a_start)?,
        nothing: measure::start(Path::new("/bin/true"), &[], repetitions.of_a_start)?,
        short_list: runs_of(&short, Operation::List, contender)?,
        sealed: runs_of(&stage, Operation::Rotate, &sealed)?,
        binary_size: std::fs::metadata(adopat).map_err(|why| why.to_string())?.len(),
    })
}
