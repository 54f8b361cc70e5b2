//! What has to hold at every request, and at every end.

use std::time::Duration;

use adopat_emulator::{Pat, PatStatus, RefreshTokenState, Service};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use tokio::time::Instant;
use uuid::Uuid;

use super::part::{NAME, Part, Place};
use super::stage::Play;
use super::words;

/// How much longer than its timeout a run may take to clean up.
const CLEAN_UP: Duration = Duration::from_secs(30);
/// Before a request of a run leaves.
pub fn at_a_request(play: &mut Play, number: usize, service: Service, request: &Request<Bytes>) {
    if service != Service::Pats {
        return;
    }
    the_rolled_token_is_stored(play, number);
    if matches!(*request.method(), Method::DELETE | Method::PUT) {
        nothing_is_retired_too_early(play, number, request);
    }
}

/// The rolled refresh token is stored before the PAT service is asked for anything.
fn the_rolled_token_is_stored(play: &mut Play, number: usize) {
    let Some(rolled) = play.cast[number].rolled.take() else { return };
    let stored = play.stored();
    let age = |token: &str| play.switchboard.services.issued_secrets().iter().position(|each| each == token);
    if age(&stored).is_none_or(|stored| Some(stored) < age(&rolled)) {
        play.broke(format!(
            "run {number} asked the PAT service before it had stored the rolled refresh token"
        ));
    }
}

/// A run that mints revokes or shortens a PAT only once its own is delivered; before that, only what it made
/// itself.
fn nothing_is_retired_too_early(play: &mut Play, number: usize, request: &Request<Bytes>) {
    let entry = &play.cast[number];
    if !entry.part.mints() {
        return;
    }
    let Some(id) = authorization_id(request) else {
        return play.broke(format!("run {number} changed a PAT without naming it"));
    };
    if play.makers.get(&id) == Some(&number) {
        return;
    }
    let delivered = entry.part.delivered_text(&play.switchboard.services);
    if own(play, number).iter().any(|pat| delivered.contains(&pat.value)) {
        return;
    }
    play.broke(format!("run {number} retires {id} before its own PAT is delivered"));
}

/// A run changes only what it made itself and what it was asked about; a job's last step, what its step made.
pub fn it_touches_only_its_own(play: &mut Play, number: usize, id: Uuid) {
    let entry = &play.cast[number];
    let maker = play.makers.get(&id);
    let its_own = maker == Some(&number) || maker.is_some() && maker == entry.part.errand.heir_of.as_ref();
    if !its_own && !entry.asked_about.contains(&id) {
        play.broke(format!("run {number} changed {id}, which it did not make and was not asked about"));
    }
}

fn authorization_id(request: &Request<Bytes>) -> Option<Uuid> {
    let query = request.uri().query().unwrap_or_default();
    let in_query = query.split('&').find_map(|pair| pair.strip_prefix("authorizationId="));
    let body: Option<serde_json::Value> = serde_json::from_slice(request.body()).ok();
    let in_body = body.as_ref().and_then(|body| body.get("authorizationId")?.as_str());
    Uuid::parse_str(in_query.or(in_body)?).ok()
}

/// The PATs that a run made.
pub fn own(play: &Play, number: usize) -> Vec<Pat> {
    let made = |pat: &Pat| play.makers.get(&pat.authorization_id) == Some(&number);
    play.pats().into_iter().filter(made).collect()
}

/// The PATs of the name that are alive.
pub fn alive(play: &Play) -> Vec<Pat> {
    let alive = |pat: &Pat| pat.status == PatStatus::Active && pat.display_name == NAME;
    play.pats().into_iter().filter(alive).collect()
}

/// What comes to be only after its run has ended is as bad as what was there before: each PAT of a run that ended by
/// itself is delivered, or named, or gone, and no store holds a dead one without a word.
pub fn nothing_came_later(play: &mut Play, number: usize) {
    if let Some(code) = play.cast[number].exit {
        let part = std::sync::Arc::clone(&play.cast[number].part);
        let words = part.words();
        what_lives_is_delivered_or_named(play, number, code, &part, &words);
        no_dead_pat_is_left_without_a_word(play, number, code, &part, &words);
        what_it_says_is_so(play, number, code, &part, &words);
    }
}

/// After a job's last step that was left alone nothing lives of what its step made, unless it is named; and where its
/// step left nothing, it has asked nobody for anything.
pub fn the_last_step_leaves_nothing(play: &mut Play, step: usize, last: usize, step_left_nothing: bool) {
    let words = [play.cast[step].part.words(), play.cast[last].part.words()].join("\n");
    for pat in own(play, step).iter().filter(|pat| pat.status == PatStatus::Active) {
        let id = pat.authorization_id;
        let shortened = play.shorteners.get(&id).is_some_and(|shortener| *shortener != step);
        if !shortened && !words.contains(&id.to_string()) {
            play.broke(format!(
                "run {last}, the last step of run {step}, left {id} alive and does not name it"
            ));
        }
    }
    if step_left_nothing && play.cast[last].exchanges > 0 {
        play.broke(format!("run {last} signed in, though its step {step} had left nothing"));
    }
    if play.cast[last].exit != Some(0) {
        play.broke(format!("run {last}, a last step, ended with {:?}", play.cast[last].exit));
    }
}

/// Whether a step ended by itself and in failure, with nothing alive that it made, and without a doubt.
pub fn left_nothing(play: &Play, number: usize) -> bool {
    let alive = own(play, number).iter().any(|pat| pat.status == PatStatus::Active);
    let words = play.cast[number].part.words();
    let in_doubt = ["could not tell whether", "may still be alive"].iter().any(|doubt| words.contains(doubt));
    play.cast[number].exit.is_some_and(|code| code != 0) && !alive && !in_doubt
}

/// A run has ended by itself.
pub fn at_an_end(play: &mut Play, number: usize, code: u8, begun: Instant) {
    play.ends(number, code);
    play.note(|| format!("run {number} ends with {code}"));
    let part = std::sync::Arc::clone(&play.cast[number].part);
    let words = part.words();
    play.note(|| format!("run {number} said:\n{words}"));
    the_exit_code_is_one_that_a_fault_allows(play, number, code);
    what_lives_is_delivered_or_named(play, number, code, &part, &words);
    it_ends_in_time(play, number, &part, begun);
    no_dead_pat_is_left_without_a_word(play, number, code, &part, &words);
}

/// What a run says is so: its log, its annotations, its summary, its outputs and its exit code.
fn what_it_says_is_so(play: &mut Play, number: usize, code: u8, part: &Part, words: &str) {
    for falsehood in words::falsehoods(play, number, code, part, words) {
        play.broke(format!("run {number} says what is not so: {falsehood}"));
    }
}

/// What a run that failed has left in its store is no PAT that is revoked, or it says so; and a store is called one that
/// holds it only if it does.
fn no_dead_pat_is_left_without_a_word(play: &mut Play, number: usize, code: u8, part: &Part, words: &str) {
    let in_a_store = matches!(
        part.errand.place,
        Place::DeliverTo
            | Place::Manifest
            | Place::KeyVault
            | Place::VariableGroup
            | Place::ServiceConnection
            | Place::GithubSecret
    );
    if !in_a_store || code == 0 {
        return;
    }
    let held = part.delivered_text(&play.switchboard.services);
    let dead = play.pats().iter().any(|pat| pat.value == held && pat.status == PatStatus::Revoked);
    if dead && !words.contains("hold a PAT that is being revoked") {
        play.broke(format!("run {number} failed and left a revoked PAT in its store without a word"));
    }
    let holds = play
        .pats()
        .iter()
        .any(|pat| pat.value == held && play.makers.get(&pat.authorization_id) == Some(&number));
    if !holds && words.contains("These hold a PAT that is being revoked") {
        play.broke(format!("run {number} says that its store holds its PAT, and it does not"));
    }
}

fn the_exit_code_is_one_that_a_fault_allows(play: &mut Play, number: usize, code: u8) {
    let signalled = play.cast[number].signalled.is_some();
    let allowed = match code {
        0 | 3 | 4 | 5 | 6 | 7 => true,
        130 | 143 => signalled,
        _ => false,
    };
    if !allowed {
        play.broke(format!("run {number} ended with {code}, for which there is no reason"));
    }
}

/// Each live PAT of the name that the run made has been delivered or is named in its output.
fn what_lives_is_delivered_or_named(play: &mut Play, number: usize, code: u8, part: &Part, words: &str) {
    let delivered = part.delivered_text(&play.switchboard.services);
    let own = own(play, number);
    for pat in own.iter().filter(|pat| pat.status == PatStatus::Active) {
        let id = pat.authorization_id;
        if play.shorteners.get(&id).is_some_and(|shortener| *shortener != number) {
            continue;
        }
        let in_doubt = words.contains("could not tell whether") && words.contains(NAME);
        let named = words.contains(&id.to_string()) || in_doubt;
        if matches!(code, 130 | 143) && !named {
            play.broke(format!("run {number} was cancelled ({code}) and left {id} alive"));
        }
        if words.contains(&format!("The new PAT {id} has been revoked")) {
            play.broke(format!("run {number} says that {id} has been revoked, and it lives"));
        }
        if code == 0 && !delivered.contains(&pat.value) && !named {
            play.broke(format!("run {number} succeeded, and {id} that it made lives undelivered"));
        }
        // Where nobody can tell whether a connection took it, it lives, and may well be there.
        let spared = words.contains("It could not be found out whether the service connection");
        if code != 0 && (!named || delivered.contains(&pat.value) && !spared) {
            play.broke(format!(
                "run {number} failed ({code}), and {id} that it made lives without being named"
            ));
        }
    }
    let revoked_by_itself = own.iter().find(|pat| {
        delivered.contains(&pat.value)
            && pat.status == PatStatus::Revoked
            && play.revokers.get(&pat.authorization_id) == Some(&number)
    });
    if let Some(pat) = revoked_by_itself
        && code == 0
    {
        play.broke(format!(
            "run {number} succeeded, and revoked {} that it had delivered",
            pat.authorization_id
        ));
    }
}

/// But for the time that a command or a person takes.
fn it_ends_in_time(play: &mut Play, number: usize, part: &Part, begun: Instant) {
    if matches!(part.errand.operation, "exec" | "login") {
        return;
    }
    let timeout = part.errand.inputs.iter().find(|(name, _)| *name == "timeout");
    let timeout = match timeout.map(|(_, value)| value.as_str()) {
        Some("30s") => 30,
        Some("70s") => 70,
        Some("3m") => 180,
        None if part.errand.operation == "apply" => 1800,
        _ => 300,
    };
    let took = begun.elapsed();
    if took > Duration::from_secs(timeout + 1) + CLEAN_UP {
        play.broke(format!("run {number} took {} s, with a timeout of {timeout} s", took.as_secs()));
    }
}

/// The credential store holds a refresh token that works.
pub fn the_store_is_whole(play: &mut Play) {
    let stored = play.stored();
    let now = play.now();
    let state = play.switchboard.services.refresh_token_state(&stored, now);
    if state != Some(RefreshTokenState::Valid) {
        play.broke(format!("the credential store holds no refresh token that works: {state:?}"));
    }
}

/// After a run that was left alone, exactly one PAT of the name is alive: the one it delivered.
pub fn one_is_left(play: &mut Play, number: usize) {
    let delivered = play.cast[number].part.delivered_text(&play.switchboard.services);
    let alive = alive(play);
    if alive.len() != 1 || !delivered.contains(&alive[0].value) {
        let ids: Vec<String> = alive.iter().map(|pat| pat.authorization_id.to_string()).collect();
        play.broke(format!("in the end these are alive, not the one delivered last: {}", ids.join(", ")));
    }
}

/// No run printed a secret, nor anything that a host or a terminal would take for a command.
pub fn nothing_leaked(play: &mut Play) {
    // The beginning of a secret is as bad as the whole of it, and quicker to look for. It is of a length that
    // base64 encodes without looking at what follows.
    let secrets = play.switchboard.services.issued_secrets();
    let mut needles: Vec<String> = Vec::with_capacity(3 * secrets.len());
    for secret in secrets.iter().filter(|secret| secret.len() >= 12) {
        let beginning = &secret[..secret.len().min(81) / 3 * 3];
        needles.push(STANDARD.encode(beginning));
        needles.push(STANDARD.encode(&format!(":{beginning}")[..beginning.len() / 3 * 3]));
        needles.push(beginning.to_owned());
    }
    needles.sort_unstable();
    needles.dedup();
    let all: Vec<String> = play.cast.iter().map(|entry| entry.part.words()).collect();
    for (number, words) in all.iter().enumerate() {
        if needles.iter().any(|needle| words.contains(needle)) {
            play.broke(format!("run {number} printed a secret:\n{words}"));
        }
        if HOSTILE.iter().any(|text| words.contains(text)) || words.lines().any(is_a_strange_command) {
            play.broke(format!("run {number} printed a command that is not its own:\n{words}"));
        }
    }
}

/// Of what the services can be made to say, what no line may hold anywhere; see [`is_a_strange_command`] for what
/// it may not begin with.
const HOSTILE: [&str; 5] =
    ["##vso[task.complete result=Succeeded;]", "##[", "\u{1b}", "\u{202e}", "\u{feff}"];

/// Whether a line holds what a host or a terminal would obey, other than what adopat itself has to say.
fn is_a_strange_command(line: &str) -> bool {
    const OURS: [&str; 9] = [
        "##vso[task.setvariable variable=",
        "##vso[task.settaskvariable variable=adopat_pending]",
        "##vso[task.logissue type=error]",
        "##vso[task.logissue type=warning]",
        "##vso[task.complete result=SucceededWithIssues]",
        "##vso[task.uploadsummary]",
        "::error::",
        "::warning::",
        "::notice::",
    ];
    let rest = OURS.iter().find_map(|ours| line.strip_prefix(ours)).unwrap_or(line);
    rest.contains("##") || rest.trim_start().starts_with("::") || rest.chars().any(char::is_control)
}
