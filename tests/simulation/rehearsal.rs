//! A dry run, and then the run itself, with nothing in their way: the dry run names every change that the run makes, and
//! nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use adopat_emulator::{Emulator, NewPat, Pat, PatStatus, Switchboard, cast};
use jiff::{SignedDuration, Timestamp};
use tokio::task::LocalSet;
use uuid::Uuid;

use super::dice::Dice;
use super::fault::Trouble;
use super::part::{self, Credentials, Errand, NAME, Part, Place};
use super::stage::{Play, Stage, Treatment};

/// How far an end may be from the one that was named: the service rounds, and sentences tell whole seconds.
const ROUNDED: SignedDuration = SignedDuration::from_secs(2);
/// How much earlier a new PAT may end, for its fingerprint.
const FINGERPRINT: SignedDuration = SignedDuration::from_secs(12);

/// What is done in one run.
#[derive(Clone, Debug, Default)]
struct Deeds {
    /// The PATs that are made.
    made: Vec<Made>,
    /// What is done to those that are there; those that stay as they are, are not in it.
    changed: BTreeMap<Uuid, Change>,
}

#[derive(Clone, Debug, PartialEq)]
struct Made {
    name: String,
    scope: String,
    end: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Change {
    revoked: bool,
    narrowed: bool,
    name: Option<String>,
    scope: Option<String>,
    end: Option<Timestamp>,
}

/// What came of many rehearsals: how many runs changed something, by operation.
pub type Tally = BTreeMap<&'static str, usize>;

/// Rehearses what follows from each of these seeds.
///
/// # Errors
/// The first that does not go as it was rehearsed, with everything that was said.
pub fn all(seeds: std::ops::Range<u64>, folder: &Path) -> Result<Tally, String> {
    let mut tally = Tally::new();
    for seed in seeds {
        let folder = tempfile::tempdir_in(folder).expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let rehearsed = LocalSet::new().block_on(&runtime.expect("a runtime"), rehearse(seed, folder.path()));
        let (operation, has_changed) =
            rehearsed.map_err(|difference| format!("seed {seed}: {difference}"))?;
        *tally.entry(operation).or_default() += usize::from(has_changed);
    }
    Ok(tally)
}

/// Returns the operation, and whether the run changed anything.
async fn rehearse(seed: u64, folder: &Path) -> Result<(&'static str, bool), String> {
    let mut dice = Dice::new(seed);
    let services = Emulator::builder().seed(dice.roll()).services();
    let store = folder.join("refresh-token");
    let stage = Stage::new(Switchboard::new(services), store.clone(), false);
    let there = set(&mut stage.play(), &mut dice, &store);
    let errand = errand(&mut dice, &there);
    let mut rehearsal = errand.clone();
    rehearsal.inputs.push(("dry-run", "true".into()));

    let before = stage.play().pats();
    let (promise, dry) = run(&stage, rehearsal, folder.join("dry"), &mut dice).await;
    let untouched = stage.play().pats();
    let (done, real) = run(&stage, errand.clone(), folder.join("real"), &mut dice).await;
    let after = stage.play().pats();
    let broken = std::mem::take(&mut stage.play().broken);

    let told =
        format!("{errand:?}\n\nthe dry run ({promise}) said:\n{dry}\n\nthe run ({done}) said:\n{real}");
    let (promised, made) = (promised(&dry), made(&before, &after));
    if !broken.is_empty() {
        return Err(format!("{}\n{told}", broken.join("\n")));
    }
    if untouched != before {
        return Err(format!("the dry run changed something\n{told}"));
    }
    if promise != done {
        return Err(format!("they ended differently\n{told}"));
    }
    if !is_as_promised(&promised, &made) {
        return Err(format!("promised: {promised:?}\ndone: {made:?}\n{told}"));
    }
    Ok((errand.operation, !(made.made.is_empty() && made.changed.is_empty())))
}

/// Runs it with nothing in its way; returns its exit code and its words.
async fn run(stage: &Stage, errand: Errand, folder: std::path::PathBuf, dice: &mut Dice) -> (u8, String) {
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("pat"), part::FORMER).expect("a store");
    let treatment = Treatment { trouble: Trouble::None, strike: None, dice: dice.split(), quick: true };
    let (number, playing) = Part::play(errand, folder, stage, treatment, Duration::ZERO);
    let code = playing.await.expect("nothing kills it");
    stage.settle().await;
    let mut play = stage.play();
    super::rules::nothing_came_later(&mut play, number);
    (code, play.cast[number].part.words())
}

/// Puts PATs of every kind there, and a refresh token in the store; returns the ids of those of the name.
fn set(play: &mut Play, dice: &mut Dice, store: &Path) -> Vec<Uuid> {
    let now = play.now();
    let services = &mut play.switchboard.services;
    let mut there = Vec::new();
    for _ in 0..dice.below(4) {
        let ago = SignedDuration::from_hours(dice.pick(&[1, 20, 300, 2000]) as i64);
        let left = SignedDuration::from_hours(dice.pick(&[1, 2, 30, 400, 1500]) as i64);
        let scope = dice.pick(&["vso.code", "vso.code vso.packaging", "vso.build"]);
        let mut pat = NewPat::named(NAME).scope(scope).valid_from(now - ago).valid_to(now + left);
        if dice.percent(20) {
            pat = pat.valid_to(now - SignedDuration::from_mins(30)).status(PatStatus::Expired);
        } else if dice.percent(10) {
            pat = pat.status(PatStatus::Revoked);
        }
        if dice.percent(25) {
            pat = pat.global();
        }
        there.push(services.add_pat(pat, now).authorization_id);
    }
    services.add_pat(NewPat::named("weekly").scope("vso.code"), now);
    let token = services.refresh_token(cast::PERSON, cast::CLIENT_ID, now);
    std::fs::write(store, token).expect("a store");
    there
}

/// Any operation that knows a dry run, in all its variants.
fn errand(dice: &mut Dice, there: &[Uuid]) -> Errand {
    let mut inputs: Vec<(&'static str, String)> = Vec::new();
    let operation = dice.pick(&["create", "rotate", "rotate", "rotate", "revoke", "update"]);
    let by_id = operation != "create" && !there.is_empty() && dice.percent(25);
    match by_id {
        true => inputs.push(("authorization-id", dice.pick(there).to_string())),
        false => inputs.push(("display-name", NAME.into())),
    }
    let mut perhaps = |dice: &mut Dice, percent, name, values: &[&'static str]| {
        if dice.percent(percent) {
            inputs.push((name, dice.pick(values).to_owned()));
        }
    };
    let scopes = ["vso.code", "vso.packaging vso.code", "vso.build"];
    match operation {
        "create" => perhaps(dice, 100, "scope", &scopes),
        "rotate" => {
            perhaps(dice, 60, "duplicates", &["revoke"]);
            perhaps(
                dice,
                50,
                "if-missing",
                if by_id { &["ignore"] } else { &["create", "create", "ignore"] },
            );
            perhaps(dice, 40, "keep-previous-for", &["10m", "2h", "60d"]);
            perhaps(dice, 25, "renew-within", &["3h", "20d", "90d"]);
            perhaps(dice, 70, "allow-global-narrowing", &["true"]);
            perhaps(dice, 30, "scope", &scopes);
        }
        "revoke" => {
            perhaps(dice, 60, "duplicates", &["revoke"]);
            perhaps(dice, 40, "if-missing", &["fail", "ignore"]);
        }
        _ => {
            perhaps(dice, 70, "allow-global-narrowing", &["true"]);
            perhaps(dice, 50, "new-display-name", &[NAME, "monthly"]);
            perhaps(dice, 100, "scope", &scopes);
        }
    }
    if operation != "revoke" {
        perhaps(dice, 40, "lifetime", &["1h", "20d", "90d"]);
    }
    let place = dice.pick(&[Place::Azure, Place::GitHub, Place::OutputFile, Place::DeliverTo]);
    let has_a_last_step = matches!(place, Place::Azure | Place::GitHub);
    if has_a_last_step && matches!(operation, "create" | "rotate") {
        perhaps(dice, 20, "revoke-on-completion", &["true"]);
    }
    Errand {
        operation,
        command: &[],
        inputs,
        place,
        credentials: Credentials::File,
        clock_ahead: SignedDuration::ZERO,
        heir_of: None,
        saved: None,
    }
}

/// What the sentences of a dry run say would be done.
fn promised(words: &str) -> Deeds {
    let mut deeds = Deeds::default();
    for line in words.lines() {
        let Some((_, would)) = line.split_once("Would ") else { continue };
        let would = would.strip_prefix("then ").unwrap_or(would);
        if let Some(new) = would.strip_prefix("create a PAT named '") {
            let (name, rest) = new.split_once("' with scope ").expect("its scope");
            let (scope, end) = rest.split_once(", valid to ").expect("its end");
            deeds.made.push(Made { name: name.into(), scope: scope.into(), end: instant(end) });
        } else if !would.starts_with("deliver the new PAT to ") && !would.starts_with("leave ") {
            let (id, change) = change(would);
            let known = deeds.changed.insert(id, change);
            assert!(known.is_none(), "{id} is told of twice:\n{words}");
        }
    }
    deeds
}

/// What one sentence says would be done to a PAT: `VERB 'NAME' (ID, scope S, valid to T) ...`.
fn change(would: &str) -> (Uuid, Change) {
    let (verb, rest) = would.split_once(' ').expect("a verb");
    let (description, rest) = rest.split_once(')').expect("a description");
    let (_, description) = description.rsplit_once('(').expect("a description");
    let id = Uuid::parse_str(&description[..36]).expect("an id");
    let mut change = Change { revoked: verb == "revoke", narrowed: verb == "narrow", ..Change::default() };
    let rest = rest.trim_end_matches('.');
    change.narrowed |= rest.contains("narrow it to organization fabrikam");
    if let Some(end) = rest.strip_prefix(" expire at ") {
        change.end = Some(instant(end));
    }
    for part in rest.trim_start_matches(": ").split(", ") {
        if let Some(name) = part.strip_prefix("name it '") {
            change.name = Some(name.trim_end_matches('\'').into());
        } else if let Some(scope) = part.strip_prefix("give it scope ") {
            change.scope = Some(scope.into());
        } else if let Some(end) = part.strip_prefix("let it end at ") {
            change.end = Some(instant(end));
        }
    }
    (id, change)
}

/// The instant that a text begins with.
fn instant(text: &str) -> Timestamp {
    let end = text.find('Z').expect("an instant") + 1;
    text[..end].parse().expect("an instant")
}

/// What was done between two looks.
fn made(before: &[Pat], after: &[Pat]) -> Deeds {
    let mut deeds = Deeds::default();
    for now in after {
        let Some(old) = before.iter().find(|old| old.authorization_id == now.authorization_id) else {
            let (name, scope) = (now.display_name.clone(), now.scope.clone());
            deeds.made.push(Made { name, scope, end: now.valid_to });
            continue;
        };
        if old == now {
            continue;
        }
        let change = Change {
            revoked: old.status != now.status,
            narrowed: old.global && !now.global,
            name: (old.display_name != now.display_name).then(|| now.display_name.clone()),
            scope: (old.scope != now.scope).then(|| now.scope.clone()),
            end: (old.valid_to != now.valid_to).then_some(now.valid_to),
        };
        deeds.changed.insert(now.authorization_id, change);
    }
    deeds
}

fn is_as_promised(promised: &Deeds, done: &Deeds) -> bool {
    let is_near = |left: Option<Timestamp>, right: Option<Timestamp>| match (left, right) {
        (Some(left), Some(right)) => right.duration_since(left).abs() <= ROUNDED,
        (left, right) => left == right,
    };
    let is_made = |(promised, done): (&Made, &Made)| {
        let earlier = promised.end.duration_since(done.end);
        (&promised.name, &promised.scope) == (&done.name, &done.scope)
            && earlier <= FINGERPRINT
            && earlier >= -ROUNDED
    };
    let is_changed = |((id, promised), (same, done)): ((&Uuid, &Change), (&Uuid, &Change))| {
        let rest = |change: &Change| Change { end: None, ..change.clone() };
        id == same && rest(promised) == rest(done) && is_near(promised.end, done.end)
    };
    promised.made.len() == done.made.len()
        && promised.changed.len() == done.changed.len()
        && promised.made.iter().zip(&done.made).all(is_made)
        && promised.changed.iter().zip(&done.changed).all(is_changed)
}
