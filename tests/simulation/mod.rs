//! adopat's own operations, not a model of them, over a simulated wire, clock and randomness in one process.
//!
//! - [`campaign`]: many schedules on every processor;
//! - [`dice`]: everything that is left to chance follows from one seed;
//! - [`fault`]: what can befall one exchange, and what can befall a run in the midst of it;
//! - [`stage`]: the services, the wire to them, and who made which PAT;
//! - [`neighbour`]: another actor, whose PATs are nobody else's business;
//! - [`part`]: one run of adopat on the stage, with an environment of its own;
//! - [`rehearsal`]: a dry run, and whether the run does what it said;
//! - [`rules`]: what has to hold at every request and at every end;
//! - [`kinds`]: the kinds of faults that were found once, and the tests that hold them;
//! - [`words`]: what a run said, held against what is so;
//! - [`matrix`]: every operation x every request x every fault;
//! - [`schedule`]: from a seed to several parts that get in each other's way, and then one that is left alone.
//!
//! Time is tokio's paused clock: a schedule in which minutes pass takes less than a millisecond.
#![allow(dead_code)]

pub mod campaign;
pub mod dice;
pub mod fault;
pub mod kinds;
pub mod matrix;
pub mod neighbour;
pub mod part;
pub mod rehearsal;
pub mod rules;
pub mod schedule;
pub mod stage;
pub mod words;

#[path = "../hosts/azure_agent.rs"]
mod azure_agent;
#[path = "../hosts/github_runner.rs"]
mod github_runner;
#[path = "../support/truth.rs"]
mod truth;
