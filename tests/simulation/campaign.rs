//! Many schedules, on every processor.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::schedule::{Broken, Tally, play};

/// What a campaign came to.
#[derive(Debug)]
pub struct Report {
    /// The sum of its schedules.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
}

impl std::fmt::Display for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { schedules, exchanges, faults, kills, signals, exits, .. } = &self.tally;
        let exits: Vec<String> = exits.iter().map(|(code, count)| format!("{code}: {count}")).collect();
        let seconds = self.took.as_secs_f64();
        write!(
            formatter,
            "{schedules} schedules in {seconds:.1} s ({:.0} a second): {exchanges} exchanges, {faults} of them faulty; \
             {kills} runs killed, {signals} signalled; runs by exit code: {}",
            *schedules as f64 / seconds,
            exits.join(", ")
        )
    }
}

/// Plays the schedules of all these seeds; ends with the first that breaks a rule, played once more with its
/// journal.
///
/// # Errors
/// That one.
pub fn play_all(seeds: Range<u64>) -> Result<Report, Box<Broken>> {
    let begun = Instant::now();
    let folder = folder();
    let next = AtomicU64::new(seeds.start);
    let (tally, broken) = (Mutex::new(Tally::default()), Mutex::new(None::<u64>));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match play(seed, folder.path(), false) {
                        Ok(one) => own.add(&one),
                        Err(found) => {
                            // Those that were begun are ended, so that the first of them is always the same.
                            next.store(seeds.end, Ordering::Relaxed);
                            let mut broken = broken.lock().expect("no thread panics");
                            *broken = Some(broken.map_or(found.seed, |known| known.min(found.seed)));
                        }
                    }
                }
                tally.lock().expect("no thread panics").add(&own);
            });
        }
    });
    if let Some(seed) = broken.into_inner().expect("no thread panics") {
        return match play(seed, folder.path(), true) {
            Err(broken) => Err(broken),
            Ok(_) => Err(Box::new(Broken {
                seed,
                rules: vec!["a rule was broken, but not when it was played again".into()],
                journal: Vec::new(),
            })),
        };
    }
    Ok(Report { tally: tally.into_inner().expect("no thread panics"), took: begun.elapsed() })
}

/// Plays one schedule again, and tells it step by step.
///
/// # Errors
/// The rules that it broke, step by step too.
pub fn replay(seed: u64) -> Result<String, Box<Broken>> {
    let folder = folder();
    play(seed, folder.path(), true).map(|tally| tally.journal.join("\n"))
}

/// A folder in memory, where there is a file system in it.
pub fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("adopat-simulation-").tempdir_in(place).expect("a folder")
}
