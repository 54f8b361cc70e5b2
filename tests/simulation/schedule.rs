//! From a seed to a schedule: several runs on the same PAT and the same store, befallen by every fault and blow,
//! and then one rotation that is left alone.

use std::path::Path;
use std::time::Duration;

use adopat::failure::Signal;
use adopat_emulator::{Emulator, NewPat, PatStatus, Policies, Switchboard, cast};
use tokio::task::{JoinHandle, LocalSet};

use super::dice::Dice;
use super::fault::{Blow, Moment, Strike, Trouble};
use super::neighbour::Neighbour;
use super::part::{self, NAME, Part};
use super::rules;
use super::stage::{Stage, Treatment};

/// What a schedule came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many schedules this is of.
    pub schedules: usize,
    /// How many exchanges there were.
    pub exchanges: usize,
    /// How many of them a fault befell.
    pub faults: usize,
    /// How many runs were killed.
    pub kills: usize,
    /// How many runs were told to end.
    pub signals: usize,
    /// How many runs ended with each exit code.
    pub exits: std::collections::BTreeMap<u8, usize>,
    /// What happened, if it was written down.
    pub journal: Vec<String>,
}

impl Tally {
    /// This and that.
    pub fn add(&mut self, other: &Self) {
        self.schedules += other.schedules;
        self.exchanges += other.exchanges;
        self.faults += other.faults;
        self.kills += other.kills;
        self.signals += other.signals;
        for (code, count) in &other.exits {
            *self.exits.entry(*code).or_default() += count;
        }
    }
}

/// A schedule in which a rule was broken.
#[derive(Debug)]
pub struct Broken {
    /// The seed it followed from.
    pub seed: u64,
    /// The rules that were broken.
    pub rules: Vec<String>,
    /// What happened, if it was written down.
    pub journal: Vec<String>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, rules, journal } = self;
        writeln!(formatter, "seed {seed}:\n{}", rules.join("\n"))?;
        if !journal.is_empty() {
            writeln!(formatter, "\n{}", journal.join("\n"))?;
        }
        write!(formatter, "\nTo see it again: ADOPAT_SEED={seed} cargo test --test simulation")
    }
}

/// Plays the schedule of this seed, in a folder of its own within `folder`.
///
/// # Errors
/// The rules that were broken.
pub fn play(seed: u64, folder: &Path, journal: bool) -> Result<Tally, Box<Broken>> {
    let folder = folder.join(seed.to_string());
    std::fs::create_dir_all(&folder).expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let stage = LocalSet::new().block_on(&runtime, scenes(seed, &folder, journal));
    drop(runtime);
    std::fs::remove_dir_all(&folder).expect("removed");
    let mut play = stage.play();
    let broken = std::mem::take(&mut play.broken);
    if !broken.is_empty() {
        let journal = play.journal.take().unwrap_or_default();
        return Err(Box::new(Broken { seed, rules: broken, journal }));
    }
    let mut tally =
        Tally { schedules: 1, exchanges: play.exchanges, faults: play.faults, ..Tally::default() };
    tally.journal = play.journal.take().unwrap_or_default();
    for entry in &play.cast {
        tally.kills += usize::from(entry.killed);
        tally.signals += usize::from(entry.signalled.is_some());
        if let Some(code) = entry.exit {
            *tally.exits.entry(code).or_default() += 1;
        }
    }
    Ok(tally)
}

async fn scenes(seed: u64, folder: &Path, journal: bool) -> Stage {
    let mut dice = Dice::new(seed);
    let stage = set(folder, &mut dice, journal);
    let mut playing = Vec::new();
    let count = dice.pick(&[1, 2, 2, 3]);
    for number in 0..count {
        let folder = folder_of_its_own(folder, &number.to_string());
        let errand = part::errand(&mut dice);
        let delay = Duration::from_millis(dice.pick(&[0, 0, 3, 50, 500, 3000]));
        let treatment = treatment(&mut dice);
        let last_step = errand.has_a_last_step().then(|| dice.split());
        let (number, part) = Part::play(errand, folder.clone(), &stage, treatment, delay);
        playing.push(tokio::task::spawn_local(to_the_end_of_the_job(
            stage.clone(),
            number,
            part,
            folder,
            last_step,
        )));
    }
    let mut last_steps = Vec::new();
    for job in playing {
        last_steps.extend(job.await.expect("nothing kills it"));
    }
    stage.settle().await;
    {
        let mut play = stage.play();
        rules::the_store_is_whole(&mut play);
        let ended = play.cast.len();
        (0..ended).for_each(|number| rules::nothing_came_later(&mut play, number));
        play.neighbour = None;
        for LastStep { step, last, step_left_nothing } in last_steps {
            rules::the_last_step_leaves_nothing(&mut play, step, last, step_left_nothing);
        }
    }

    stage.play().note(|| "one rotation is left alone".into());
    let folder = folder_of_its_own(folder, &count.to_string());
    let treatment = Treatment { trouble: Trouble::None, strike: None, dice: dice.split(), quick: true };
    let errand = part::rotation_that_heals(&mut dice);
    let (number, last) = Part::play(errand, folder, &stage, treatment, Duration::ZERO);
    let code = last.await.unwrap_or(1);
    let mut play = stage.play();
    if code != 0 {
        play.broke(format!("the rotation that was left alone ended with {code}"));
    }
    rules::one_is_left(&mut play, number);
    rules::nothing_came_later(&mut play, number);
    rules::the_store_is_whole(&mut play);
    rules::nothing_leaked(&mut play);
    let others = play
        .pats()
        .iter()
        .filter(|pat| pat.display_name == "weekly")
        .all(|pat| pat.status == PatStatus::Active);
    if !others {
        play.broke("a PAT of another name was revoked");
    }
    drop(play);
    stage
}

/// The last step of a job: its number, and that of the step before it.
struct LastStep {
    step: usize,
    last: usize,
    step_left_nothing: bool,
}

/// Waits for a part; if its job has a last step, that comes at once, however the part ended, and is left alone.
async fn to_the_end_of_the_job(
    stage: Stage,
    step: usize,
    part: JoinHandle<u8>,
    folder: std::path::PathBuf,
    last_step: Option<Dice>,
) -> Option<LastStep> {
    let _ = part.await;
    let mut dice = last_step?;
    let (errand, step_left_nothing) = {
        let play = stage.play();
        (part::last_step(step, &play.cast[step].part), rules::left_nothing(&play, step))
    };
    let folder = folder_of_its_own(&folder, "last");
    let treatment = Treatment { trouble: Trouble::None, strike: None, dice: dice.split(), quick: true };
    let (last, playing) = Part::play(errand, folder, &stage, treatment, Duration::ZERO);
    let _ = playing.await;
    Some(LastStep { step, last, step_left_nothing })
}

/// The services with some PATs, and a credential store that holds a refresh token.
fn set(folder: &Path, dice: &mut Dice, journal: bool) -> Stage {
    let mut policies = Policies::default();
    if dice.percent(15) {
        policies.longest_lifespan = Some(Duration::from_secs(7 * 24 * 60 * 60));
    }
    let page = dice.pick(&[1, 2, 100]) as usize;
    let services = Emulator::builder().policies(policies).page_size(page).seed(dice.roll()).services();
    let store = folder.join("refresh-token");
    let stage = Stage::new(Switchboard::new(services), store.clone(), journal);
    let mut play = stage.play();
    let now = play.now();
    let services = &mut play.switchboard.services;
    for name in [NAME, NAME, NAME].into_iter().take(dice.pick(&[0, 1, 1, 1, 2, 3]) as usize) {
        services.add_pat(NewPat::named(name).scope(dice.pick(&["vso.code", "vso.code vso.packaging"])), now);
    }
    services.add_pat(NewPat::named("weekly").scope("vso.code vso.packaging"), now);
    let token = services.refresh_token(cast::PERSON, cast::CLIENT_ID, now);
    std::fs::write(store, token).expect("a store");
    if dice.percent(50) {
        let percent = dice.pick(&[15, 40]);
        play.neighbour = Some(Neighbour::new(dice.split(), percent));
    }
    drop(play);
    stage
}

fn folder_of_its_own(folder: &Path, name: &str) -> std::path::PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("pat"), part::FORMER).expect("a store");
    // Before any PAT was made, whatever day it is on this machine.
    let file = std::fs::File::options().write(true).open(folder.join("pat")).expect("there");
    file.set_modified(std::time::UNIX_EPOCH).expect("set");
    folder
}

fn treatment(dice: &mut Dice) -> Treatment {
    let trouble = match dice.below(10) {
        0 => Trouble::None,
        1..=4 => Trouble::Often(12),
        5..=7 => Trouble::Often(30),
        _ => Trouble::Often(60),
    };
    let strike = dice.percent(50).then(|| Strike {
        nth: dice.below(9) as usize,
        moment: dice.pick(&[Moment::Sent, Moment::Acted, Moment::Answered]),
        blow: dice.pick(&[
            Blow::Kill,
            Blow::Kill,
            Blow::Signal(Signal::Interrupt),
            Blow::Signal(Signal::Terminate),
        ]),
    });
    Treatment { trouble, strike, dice: dice.split(), quick: dice.percent(20) }
}
