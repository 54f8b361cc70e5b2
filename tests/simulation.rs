//! Thousands of schedules of several runs that get in each other's way, with every fault and a kill at every
//! step: nothing is lost, nothing is left over, nothing leaks, and what the runs say is so.
//!
//! A schedule that breaks a rule is printed with its seed; `ADOPAT_SEED=N cargo test --test simulation` plays it
//! again, step by step. `ADOPAT_SCHEDULES=N` plays more of them, and `cargo run --release --example simulate`
//! a million.

#[path = "simulation/mod.rs"]
mod simulation;

use simulation::{campaign, rehearsal};

#[test]
fn nothing_is_lost_left_over_leaked_or_false_in_any_schedule() {
    if let Some(seed) = number("ADOPAT_SEED") {
        match campaign::replay(seed) {
            Ok(journal) => return println!("{journal}"),
            Err(broken) => panic!("{broken}"),
        }
    }
    let count = number("ADOPAT_SCHEDULES").unwrap_or(20_000);
    match campaign::play_all(0..count) {
        Ok(tally) => println!("{tally}"),
        Err(broken) => panic!("{broken}"),
    }
}

#[test]
fn a_dry_run_names_every_change_that_the_run_makes_and_nothing_else() {
    match rehearsal::all(0..3_000, campaign::folder().path()) {
        Ok(tally) => {
            println!("{tally:?}");
            let operations: Vec<&str> = tally.keys().copied().collect();
            assert_eq!(
                operations,
                ["create", "revoke", "rotate", "update"],
                "each of them changed something"
            );
        }
        Err(difference) => panic!("{difference}"),
    }
}

#[test]
fn a_seed_always_plays_the_same_schedule() {
    for seed in [3, 17, 4242] {
        // Only the folder that the files of a replay are in has another name each time.
        let folder = regex_lite::Regex::new(r"adopat-simulation-\w+").expect("a regular expression");
        let journal = |played: Result<String, _>| {
            let journal = match played {
                Ok(journal) => journal,
                Err(broken) => format!("{}", broken as Box<simulation::schedule::Broken>),
            };
            folder.replace_all(&journal, "adopat-simulation").into_owned()
        };
        let first = journal(campaign::replay(seed));
        assert_eq!(first, journal(campaign::replay(seed)));
        assert!(first.contains("run 0, exchange 0"), "{first}");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
