//! Every operation x every request it sends x every fault: what has to hold after each.
//!
//! The requests come from a healthy run of the operation, not from a list. What has to hold is stated here, from
//! what adopat promises; no outcome is recorded and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use adopat_emulator::{
    AppRegistration, Emulator, GitHubRights, NewPat, NewServiceConnection, NewVariableGroup, Pat, PatStatus,
    Service, Switchboard, cast,
};
use http::Method;
use jiff::SignedDuration;
use tokio::task::LocalSet;

use super::dice::Dice;
use super::fault::{Fault, Trouble};
use super::neighbour::Neighbour;
use super::part::{self, Credentials, Errand, NAME, Part, Place, VAULT_APP, VAULT_APP_SECRET};
use super::rules;
use super::stage::{Stage, Treatment};

/// One operation, as the matrix runs it.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What the table calls it.
    pub title: &'static str,
    /// The word.
    pub word: &'static str,
    /// Further inputs.
    pub inputs: &'static [(&'static str, &'static str)],
    /// What follows `--`.
    pub command: &'static [&'static str],
    /// Where its PAT or its outputs go.
    pub place: Place,
    /// Where the refresh token rests.
    pub credentials: Credentials,
    /// How many PATs of the name there are before it.
    pub before: usize,
}

const SCOPE: (&str, &str) = ("scope", "vso.code");
const NAMED: (&str, &str) = ("display-name", NAME);
/// The time that the other operations have.
const AS_LONG: (&str, &str) = ("timeout", "5m");

/// Every operation that asks the services for anything.
pub const OPERATIONS: [Operation; 24] = [
    operation("create", "create", &[NAMED, SCOPE], Place::Azure, 0),
    operation("create, verified", "create", &[NAMED, SCOPE, ("verify", "require")], Place::DeliverTo, 0),
    operation("rotate", "rotate", &[NAMED], Place::GitHub, 1),
    operation(
        "rotate, duplicates: revoke",
        "rotate",
        &[NAMED, ("duplicates", "revoke")],
        Place::OutputFile,
        2,
    ),
    operation(
        "rotate, if-missing: create",
        "rotate",
        &[NAMED, SCOPE, ("if-missing", "create")],
        Place::DeliverTo,
        0,
    ),
    operation("rotate, into a Key Vault", "rotate", &[NAMED], Place::KeyVault, 1),
    operation("rotate, into a variable group", "rotate", &[NAMED], Place::VariableGroup, 1),
    operation("rotate, into a service connection", "rotate", &[NAMED], Place::ServiceConnection, 1),
    operation("create, into a GitHub secret", "create", &[NAMED, SCOPE], Place::GithubSecret, 0),
    Operation {
        credentials: Credentials::KeyVault,
        ..operation("rotate, signed in from a Key Vault", "rotate", &[NAMED], Place::Azure, 1)
    },
    operation("rotate, keep-previous-for", "rotate", &[NAMED, ("keep-previous-for", "2h")], Place::Azure, 1),
    operation(
        "create, revoke-on-completion",
        "create",
        &[NAMED, SCOPE, ("revoke-on-completion", "true")],
        Place::GitHub,
        0,
    ),
    operation(
        "rotate, revoke-on-completion",
        "rotate",
        &[NAMED, ("revoke-on-completion", "true")],
        Place::Azure,
        1,
    ),
    operation("apply, a PAT that is missing", "apply", &[AS_LONG], Place::Manifest, 0),
    operation("apply, a PAT that is due", "apply", &[AS_LONG, ("renew", "all")], Place::Manifest, 1),
    operation("apply, two PATs of one name", "apply", &[AS_LONG], Place::Manifest, 2),
    operation("revoke", "revoke", &[NAMED], Place::Azure, 1),
    operation("revoke, duplicates: revoke", "revoke", &[NAMED, ("duplicates", "revoke")], Place::GitHub, 2),
    operation("update", "update", &[NAMED, ("lifetime", "60d")], Place::Azure, 1),
    operation("get", "get", &[NAMED], Place::GitHub, 1),
    operation("list", "list", &[], Place::Azure, 2),
    Operation {
        command: &["--", "/bin/true"],
        ..operation("exec", "exec", &[NAMED, SCOPE], Place::Nowhere, 0)
    },
    operation("login", "login", &[], Place::Nowhere, 0),
    operation("doctor", "doctor", &[NAMED], Place::GitHub, 1),
];

const fn operation(
    title: &'static str,
    word: &'static str,
    inputs: &'static [(&'static str, &'static str)],
    place: Place,
    before: usize,
) -> Operation {
    Operation { title, word, inputs, command: &[], place, credentials: Credentials::File, before }
}

impl Operation {
    /// Whether it asks a store elsewhere, beside Microsoft Entra and the PAT service.
    fn asks_a_store(&self) -> bool {
        matches!(
            self.place,
            Place::KeyVault | Place::VariableGroup | Place::ServiceConnection | Place::GithubSecret
        ) || self.credentials == Credentials::KeyVault
    }
}

/// How a fault befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// That one alone.
    Once,
    /// That one, and all that follow.
    ForGood,
    /// The repetition of it, after this fault befell it.
    After(Fault),
}

impl How {
    /// Each for any request; and for one that changes a PAT, what may have become of it before it is repeated.
    fn all(service: Service, method: &Method) -> impl Iterator<Item = Self> {
        let changes = service == Service::Pats && matches!(*method, Method::PUT | Method::DELETE);
        let before = [Fault::FailsAfterActing, Fault::ActsAfterGatewayTimeout].map(Self::After);
        [Self::Once, Self::ForGood].into_iter().chain(before.into_iter().filter(move |_| changes))
    }

    fn trouble(self, nth: usize, fault: Fault) -> Trouble {
        match self {
            Self::Once => Trouble::At { nth, times: 1, fault },
            Self::ForGood => Trouble::At { nth, times: usize::MAX, fault },
            Self::After(first) => Trouble::Twice { nth, faults: [first, fault] },
        }
    }
}

/// What came of one operation's cells.
#[derive(Clone, Debug)]
pub struct Row {
    /// The operation.
    pub operation: Operation,
    /// The requests of its healthy run.
    pub requests: Vec<(Service, Method)>,
    /// How many runs there were: each request x each fault x each [`How`] that it can befall the request.
    pub runs: usize,
    /// How many runs ended with each exit code.
    pub exits: BTreeMap<u8, usize>,
}

/// What came of one fault, over all operations.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// How many runs it befell.
    pub runs: usize,
    /// How many of them did all the same what they were asked.
    pub succeeded: usize,
}

/// What came of all of them.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// Operation by operation.
    pub rows: Vec<Row>,
    /// Fault by fault.
    pub columns: BTreeMap<Fault, Column>,
    /// What did not hold.
    pub broken: Vec<String>,
}

/// Runs the whole matrix, in folders within `folder`.
pub fn run(folder: &Path) -> Matrix {
    let mut matrix = Matrix::default();
    for operation in OPERATIONS {
        let healthy = cell(operation, Trouble::None, false, folder);
        assert_eq!(healthy.code, 0, "a healthy run of {}:\n{}", operation.title, healthy.journal.join("\n"));
        let mut row = Row { operation, requests: healthy.requests, runs: 0, exits: BTreeMap::new() };
        for nth in 0..row.requests.len() {
            for fault in Fault::ALL {
                let (service, method) = &row.requests[nth];
                for how in How::all(*service, method) {
                    let trouble = how.trouble(nth, fault);
                    let ended = cell(operation, trouble, false, folder);
                    let mut broken = ended.broken.clone();
                    broken.extend(what_does_not_hold(operation, &row.requests, nth, fault, how, &ended));
                    // Once more with every trace there is: no secret may be in it.
                    broken.extend(cell(operation, trouble, true, folder).broken);
                    let place =
                        format!("{}, {fault:?} {how:?} at {service:?} {method} ({nth})", operation.title);
                    matrix.broken.extend(
                        broken
                            .into_iter()
                            .map(|rule| format!("{place}: {rule}\n{}\n", ended.journal.join("\n"))),
                    );
                    row.runs += 1;
                    *row.exits.entry(ended.code).or_default() += 1;
                    let column = matrix.columns.entry(fault).or_default();
                    column.runs += 1;
                    column.succeeded += usize::from(ended.code == 0);
                }
            }
        }
        matrix.rows.push(row);
    }
    matrix
}

/// How one run ended.
struct Ended {
    code: u8,
    requests: Vec<(Service, Method)>,
    broken: Vec<String>,
    journal: Vec<String>,
    /// The ids of the PATs that are alive in the end, each with whether it was there before and whether it was
    /// delivered.
    alive: Vec<Living>,
    words: String,
    store_changed: bool,
}

struct Living {
    id: String,
    was_there: bool,
    delivered: bool,
}

fn cell(operation: Operation, trouble: Trouble, traced: bool, folder: &Path) -> Ended {
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    LocalSet::new().block_on(&runtime, scene(operation, trouble, traced, folder.path()))
}

async fn scene(operation: Operation, trouble: Trouble, traced: bool, folder: &Path) -> Ended {
    let app = AppRegistration::new(VAULT_APP).single_tenant(cast::TENANT).secret(VAULT_APP_SECRET);
    let services = Emulator::builder().services();
    let store = folder.join("refresh-token");
    let stage = Stage::new(Switchboard::new(services), store.clone(), !traced);
    let token = {
        let mut play = stage.play();
        let now = play.now();
        let services = &mut play.switchboard.services;
        for _ in 0..operation.before {
            services.add_pat(NewPat::named(NAME), now);
        }
        services.add_pat(NewPat::named("weekly"), now);
        services.add_app(app);
        services
            .add_variable_group(NewVariableGroup::named("web", "feeds").secret("ADO_PAT", part::FORMER), now);
        services.add_service_connection(
            NewServiceConnection::named("web", "feed").parameter("apitoken", part::FORMER),
            now - SignedDuration::from_hours(1),
        );
        services.add_vault_secret("pat", part::FORMER, now);
        let token = services.refresh_token(cast::PERSON, cast::CLIENT_ID, now);
        services.add_vault_secret("refresh-token", &token, now);
        play.neighbour = Some(Neighbour::new(Dice::new(7), 100).once_a_run_changes_something());
        token
    };
    std::fs::write(&store, &token).expect("a store");
    std::fs::write(folder.join("pat"), part::FORMER).expect("a store");

    let mut inputs: Vec<_> =
        operation.inputs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    if operation.place == Place::GithubSecret {
        let rights = GitHubRights::FineGrained { secrets: true, environments: false };
        inputs.push(("github-token", stage.play().switchboard.services.github_token(rights)));
    }
    if traced {
        inputs.push(("log", "trace".into()));
    }
    let errand = Errand {
        operation: operation.word,
        command: operation.command,
        inputs,
        place: operation.place,
        credentials: operation.credentials,
        clock_ahead: SignedDuration::ZERO,
        heir_of: None,
        saved: None,
    };
    let treatment = Treatment { trouble, strike: None, dice: Dice::new(7), quick: true };
    let (number, playing) = Part::play(errand, folder.to_owned(), &stage, treatment, Duration::ZERO);
    let code = playing.await.expect("nothing kills it");
    let step_left_nothing = rules::left_nothing(&stage.play(), number);
    stage.settle().await;
    let (alive, requests) = found(&stage, number);
    let part = std::sync::Arc::clone(&stage.play().cast[number].part);
    if part.errand.has_a_last_step() {
        let folder = folder.join("last");
        std::fs::create_dir(&folder).expect("a folder");
        let treatment = Treatment { trouble: Trouble::None, strike: None, dice: Dice::new(7), quick: true };
        let (last, playing) =
            Part::play(part::last_step(number, &part), folder, &stage, treatment, Duration::ZERO);
        playing.await.expect("nothing kills it");
        let mut play = stage.play();
        rules::nothing_came_later(&mut play, last);
        rules::the_last_step_leaves_nothing(&mut play, number, last, step_left_nothing);
    }
    let mut play = stage.play();
    rules::nothing_leaked(&mut play);
    Ended {
        code,
        requests,
        broken: std::mem::take(&mut play.broken),
        journal: play.journal.take().unwrap_or_default(),
        alive,
        words: part.words(),
        store_changed: play.stored() != token,
    }
}

/// What lives when a run has ended, and the requests that it sent; and whatever does not hold then.
fn found(stage: &Stage, number: usize) -> (Vec<Living>, Vec<(Service, Method)>) {
    let mut play = stage.play();
    rules::the_store_is_whole(&mut play);
    rules::nothing_came_later(&mut play, number);
    let delivered = play.cast[number].part.delivered_text(&play.switchboard.services);
    let neighbours = |pat: &Pat| play.neighbour.as_ref().is_some_and(|them| them.made(pat.authorization_id));
    let alive = rules::alive(&play).into_iter().filter(|pat| !neighbours(pat)).map(|pat| Living {
        id: pat.authorization_id.to_string(),
        was_there: !play.makers.contains_key(&pat.authorization_id),
        delivered: delivered.contains(&pat.value),
    });
    let alive = alive.collect();
    if play.pats().iter().any(|pat| pat.display_name == "weekly" && pat.status != PatStatus::Active) {
        play.broke("a PAT of another name was revoked");
    }
    let log = play.switchboard.requests().iter();
    (alive, log.map(|request| (request.service, request.method.clone())).collect())
}

/// What was promised, and does not hold.
fn what_does_not_hold(
    operation: Operation,
    requests: &[(Service, Method)],
    nth: usize,
    fault: Fault,
    how: How,
    ended: &Ended,
) -> Vec<String> {
    let mut broken = Vec::new();
    let mut allowed = exits_allowed(operation, requests, nth, fault, how);
    // Where a store is asked beside the sign-in, whichever fails first decides.
    if how == How::ForGood && operation.asks_a_store() {
        (nth + 1..requests.len())
            .for_each(|nth| allowed.extend(exits_allowed(operation, requests, nth, fault, how)));
    }
    if !allowed.contains(&ended.code) {
        broken.push(format!("it ended with {}, not with one of {allowed:?}", ended.code));
    }
    let there_before = ended.alive.iter().filter(|pat| pat.was_there).count();
    let made = ended.alive.iter().filter(|pat| !pat.was_there).collect::<Vec<_>>();
    let named = |pat: &&Living| ended.words.contains(&pat.id);
    let in_doubt = ended.words.contains("could not tell whether");
    // Where nobody can tell whether a connection took it, it lives, and may well be there.
    let spared = ended.words.contains("It could not be found out whether the service connection");
    match (operation.word, ended.code) {
        ("create" | "rotate" | "apply", 0) => {
            if made.len() != 1 || !made[0].delivered {
                broken.push("it succeeded, and not exactly one new PAT lives, delivered".into());
            }
            let lives_on = ended.alive.iter().filter(|pat| pat.was_there && !named(pat)).count();
            if lives_on > 0 {
                broken.push(format!("it succeeded, and {lives_on} old PATs live on without being named"));
            }
        }
        ("create" | "rotate" | "apply", _) => {
            if there_before != operation.before {
                broken.push("it failed, and an old PAT is gone".into());
            }
            if made.iter().any(|pat| (pat.delivered && !spared) || !(named(pat) || in_doubt)) {
                broken
                    .push("it failed, and a PAT that it made lives, delivered or without being named".into());
            }
        }
        ("exec", _) if made.iter().any(|pat| !(named(pat) || in_doubt)) => {
            broken.push("what the command was given lives on without being named".into());
        }
        ("revoke", 0) if !ended.alive.is_empty() => broken.push("it succeeded, and a PAT lives".into()),
        ("update" | "get" | "list" | "doctor", _) if there_before != operation.before || !made.is_empty() => {
            broken.push("there are other PATs than before".into());
        }
        ("login", 0) if !ended.store_changed => broken.push("it succeeded, and stored nothing".into()),
        _ => {}
    }
    broken
}

/// The exit codes that are right where this fault befalls this request once, or it and all that follow.
fn exits_allowed(
    operation: Operation,
    requests: &[(Service, Method)],
    nth: usize,
    fault: Fault,
    how: How,
) -> BTreeSet<u8> {
    let (service, method) = &requests[nth];
    let for_good = how == How::ForGood;
    let is_post = *service == Service::Pats && *method == Method::POST;
    // What is retired after the delivery, and what a command leaves: a failure then is a warning.
    let post =
        requests.iter().position(|(service, method)| *service == Service::Pats && *method == Method::POST);
    let is_afterwards = post.is_some_and(|post| nth > post) && *service == Service::Pats;
    if is_afterwards {
        return BTreeSet::from([0]);
    }
    match how {
        // What the first try did is seen in the list, whatever the second is told.
        How::After(first) if first.has_acted() => return BTreeSet::from([0]),
        How::After(_) => return BTreeSet::from([0, 3, 4, 6]),
        How::Once | How::ForGood => {}
    }
    let of_a_store = [Place::VariableGroup, Place::ServiceConnection].contains(&operation.place);
    let is_verifying = *service == Service::DevOps && !of_a_store;
    let mut allowed = BTreeSet::new();
    match fault {
        // Nothing is wrong with these.
        Fault::WrongType | Fault::Overdrawn | Fault::SlowToAct => allowed.extend([0]),
        // Once is repeated until it works; for good is a service's failure.
        Fault::Reset
        | Fault::AnswerLost
        | Fault::ActsAfterReset
        | Fault::ActsAfterTimeout
        | Fault::ActsAfterBadGateway
        | Fault::ActsAfterUnavailable
        | Fault::ActsAfterUnavailableForSeconds
        | Fault::ActsAfterGatewayTimeout
        | Fault::CutShort
        | Fault::Slow
        | Fault::ThrottledForSeconds
        | Fault::ThrottledUntilDate
        | Fault::Unavailable
        | Fault::UnavailableForSeconds
        | Fault::InternalError
        | Fault::FailsAfterActing => allowed.extend([if for_good { 6 } else { 0 }]),
        // Never left: a `POST` need not be, but may be sent again.
        Fault::Unreachable if is_post && !for_good => allowed.extend([0, 6]),
        Fault::Unreachable => allowed.extend([if for_good { 6 } else { 0 }]),
        // Not repeated: it will not get better while anyone waits.
        Fault::Untrusted | Fault::ThrottledForLong => allowed.extend([6]),
        // The credential was not accepted, or so it looks.
        Fault::SignInPage | Fault::PageAfterActing => allowed.extend([3]),
        // An answer that is none: looked after and asked again where a PAT may have been made, not otherwise.
        Fault::Truncated
        | Fault::Oversized
        | Fault::Empty
        | Fault::EmptyObject
        | Fault::OtherJson
        | Fault::HostileBytes => {
            allowed.extend([if is_post && !for_good { 0 } else { 6 }]);
            // Nobody reads what is in the answer to a revocation.
            if *method == Method::DELETE && fault != Fault::Oversized {
                allowed = BTreeSet::from([0]);
            }
        }
        Fault::HostileRefusal => allowed.extend([if *service == Service::Entra { 3 } else { 4 }]),
    }
    // A device code is good for one answer: where that is lost, the person has to sign in again.
    if operation.word == "login" && nth > 0 {
        allowed.extend([3]);
    }
    // The first check that failed: the network, the organization, the sign-in, the PATs. Clocks and tenants that
    // could not be had are warnings.
    if operation.word == "doctor" {
        return BTreeSet::from([0, 3, 4, 6]);
    }
    let is_a_vaults_sign_in = *service == Service::Entra
        && (operation.credentials == Credentials::KeyVault || nth > 0)
        && requests.iter().any(|(service, _)| *service == Service::Vault);
    let is_a_stores = matches!(service, Service::Vault | Service::GitHub)
        || is_a_vaults_sign_in
        || *service == Service::DevOps && of_a_store;
    if is_a_stores {
        // Whatever it is that keeps a store from taking the PAT, or from being read for the refresh token.
        let sign_in: &[u8] = if operation.credentials == Credentials::KeyVault { &[3, 6] } else { &[] };
        return [0, 7].iter().chain(sign_in).copied().collect();
    }
    if is_verifying {
        // Whatever it is that does not confirm the PAT.
        allowed = BTreeSet::from([0, 7]);
    }
    // What the service did is seen in the list, whatever became of the answer.
    if *service == Service::Pats
        && matches!(*method, Method::PUT | Method::DELETE)
        && !for_good
        && fault.has_acted()
    {
        return BTreeSet::from([0]);
    }
    allowed
}

/// The page that tells of it.
pub fn page(matrix: &Matrix) -> String {
    let runs: usize = matrix.rows.iter().map(|row| row.runs).sum();
    let held = if matrix.broken.is_empty() { runs } else { 0 };
    let mut text = format!(
        "# Reliability\n\n\
         Made by `cargo run --example reliability`; `tests/fault_matrix.rs` checks that it is up to date.\n\n\
         Each operation runs against the emulated services, healthily, and its requests are written down. Then it runs \
         again for each of these requests and each of {} faults: once with the fault at that request alone, once with \
         it at that request and all that follow. A request that changes a PAT is also answered with a 500 after it was acted on, or \
         with a 504 before that, and the fault is at its repetition. Where a job's last step is to revoke what was made, it \
         follows, and is left alone. After every run this has to hold:\n\n\
         - each live PAT of the name was there before, or has been delivered, or is named in what the run printed;\n\
         - what the run did not make and was not asked about is as it was: another actor makes, renames and revokes PATs of \
         the same name and scope as soon as the run asks for one, and between its requests from then on;\n\
         - no store of a run that failed holds a PAT that is revoked, also after a service has acted late, unless the run \
         names it; and it is called one that holds it only if it does;\n\
         - no old PAT is retired before the new one is delivered; a run that failed has left the old ones as they were;\n\
         - the credential store holds a refresh token that works, and held the rolled one before the PAT service was \
         asked for anything;\n\
         - the exit code is one that the fault allows, and the run ends within its timeout and 30 seconds;\n\
         - what it says is so: log, annotations, summary, outputs and exit code are read, sentence by sentence and row by row, and \
         held against what the service knows. What is called revoked is revoked, what still lives lives until when it is \
         said to, and nothing that the run made or changed goes unnamed;\n\
         - no secret stands in anything that was printed, with `log: trace` too, and no text from the service is a \
         command there.\n\n\
         {runs} runs, of which {held} held all of it.\n\n\
         ## By operation\n\n\
         | operation | requests of a healthy run | runs | ended in success | ended in failure | everything held |\n\
         | --- | --- | ---: | ---: | ---: | ---: |\n",
        Fault::ALL.len()
    );
    for row in &matrix.rows {
        let requests = row.requests.iter().map(|(service, method)| format!("{service:?} {method}"));
        let requests = requests.collect::<Vec<_>>().join(", ");
        let succeeded = row.exits.get(&0).copied().unwrap_or_default();
        let failed = row.runs - succeeded;
        let title = row.operation.title;
        let held = row.runs;
        text.push_str(&format!(
            "| {title} | {requests} | {} | {succeeded} | {failed} | {held} |\n",
            row.runs
        ));
    }
    text.push_str("\n## By fault\n\n| fault | runs | ended in success | ended in failure |\n| --- | ---: | ---: | ---: |\n");
    for (fault, column) in &matrix.columns {
        let Column { runs, succeeded } = column;
        text.push_str(&format!("| {} | {runs} | {succeeded} | {} |\n", fault.words(), runs - succeeded));
    }
    text.push_str(
        "\nA failure is not a broken promise: a service that stays away for good cannot be talked to, and the run says \
         so, and leaves nothing behind that it does not name.\n\n\
         ## Several runs at once, killed and cancelled\n\n\
         `tests/simulation.rs` plays 20,000 schedules of one to three runs over the same PAT and the same credential \
         store, with these faults at every exchange, and with a signal or a kill before, during and after any of them; \
         with another actor who makes, renames and revokes PATs of the \
         same name and scope at any moment, and whose PATs no run may touch that was not asked about them; with the last step of \
         jobs that revoke on completion; then a rotation is left alone, after which exactly one PAT of the name is alive. What each \
         run says is held against the state in which it left the PATs, with what its late requests did after it; only of a PAT \
         that another changed in the meantime either may be told. The same test plays 3,000 dry runs of `create`, `rotate`, \
         `revoke` and `update`, in all their variants, over PATs of every kind, each followed by the run itself: the \
         sentences of the dry run name every change that the run makes, and nothing else. `cargo run --release --example \
         simulate -- 1000000` plays a million. A schedule that breaks a rule is printed with its seed.\n",
    );
    text
}
