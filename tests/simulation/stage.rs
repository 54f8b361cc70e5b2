//! The services, the wire to them, and who made which PAT.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adopat::time::Cancellation;
use adopat::world::{Clock, Exchange, Wire, WireError};
use adopat_emulator::{Course, DeviceCodeState, Pat, Service, Switchboard, cast};
use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;
use uuid::Uuid;

use super::dice::Dice;
use super::fault::{Blow, Fault, Moment, Strike, Trouble};
use super::neighbour::Neighbour;
use super::part::{self, Credentials, Part};
use super::rules;

/// When every schedule begins, on the services' clock.
const EPOCH: i64 = 1_780_000_000;

/// The stage. Clones are the same one.
#[derive(Clone)]
pub struct Stage(Arc<Mutex<Play>>);

/// What is on it.
pub struct Play {
    /// The services.
    pub switchboard: Switchboard,
    /// The credential store's file, which every part shares.
    pub store: PathBuf,
    /// Who is on it, in the order of their entry.
    pub cast: Vec<Entry>,
    /// Which part made each PAT; those that were there before are not in it.
    pub makers: HashMap<Uuid, usize>,
    /// Which part made each PAT end earlier: one that is kept for a while is that part's own concern.
    pub shorteners: HashMap<Uuid, usize>,
    /// Which part made or changed which PAT, in the order of the deeds.
    pub deeds: Vec<(usize, Uuid)>,
    /// Which part revoked each PAT.
    pub revokers: HashMap<Uuid, usize>,
    /// Who makes, renames and revokes PATs of the same names and scopes, if anyone does.
    pub neighbour: Option<Neighbour>,
    /// The rules that were broken.
    pub broken: Vec<String>,
    /// What happened, where it is wanted.
    pub journal: Option<Vec<String>>,
    /// How many exchanges there were.
    pub exchanges: usize,
    /// How many of them a fault befell.
    pub faults: usize,
    begun: Instant,
    carriers: Vec<JoinHandle<()>>,
}

/// A part, and what is known of it while it plays.
pub struct Entry {
    /// The part.
    pub part: Arc<Part>,
    /// How many exchanges it has begun.
    pub exchanges: usize,
    /// Whether it has asked for a PAT, or for a change of one, yet.
    pub has_asked: bool,
    /// What it was asked about: the PATs of the name that were there when it read them, before it changed anything.
    pub asked_about: HashSet<Uuid>,
    /// Every PAT as the run found it: when it began, and whenever it read them before it changed any.
    pub found: Vec<Pat>,
    /// Every PAT as the run left it: when it ended, and what a late request of it did after that.
    pub left: Vec<Pat>,
    /// The deeds of all parts from when it began to when it ended.
    pub meanwhile: Range<usize>,
    /// The refresh token of the last answer that reached it.
    pub rolled: Option<String>,
    /// Whether the signal of its strike has reached it.
    pub signalled: Option<Instant>,
    /// Whether it was killed.
    pub killed: bool,
    /// How it ended, where it did so by itself.
    pub exit: Option<u8>,
    trouble: Trouble,
    lasting: Option<Fault>,
    strike: Option<Strike>,
    dice: Dice,
    quick: bool,
    cancel: watch::Sender<Option<adopat::failure::Signal>>,
    abort: Option<AbortHandle>,
}

/// How a part is treated.
#[derive(Clone, Debug)]
pub struct Treatment {
    /// What befalls its exchanges.
    pub trouble: Trouble,
    /// What befalls it.
    pub strike: Option<Strike>,
    /// What is left to chance.
    pub dice: Dice,
    /// Whether every exchange takes no time at all.
    pub quick: bool,
}

impl Stage {
    /// A stage with these services and this credential store.
    pub fn new(switchboard: Switchboard, store: PathBuf, journal: bool) -> Self {
        Self(Arc::new(Mutex::new(Play {
            switchboard,
            store,
            cast: Vec::new(),
            makers: HashMap::new(),
            shorteners: HashMap::new(),
            deeds: Vec::new(),
            revokers: HashMap::new(),
            neighbour: None,
            broken: Vec::new(),
            journal: journal.then(Vec::new),
            exchanges: 0,
            faults: 0,
            begun: Instant::now(),
            carriers: Vec::new(),
        })))
    }

    /// Everything on it.
    pub fn play(&self) -> MutexGuard<'_, Play> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part enters; returns its number, its wire, and what cancels it.
    pub fn enter(&self, part: Arc<Part>, treatment: Treatment) -> (usize, PartsWire, Cancellation) {
        let (cancel, cancellation) = watch::channel(None);
        let mut play = self.play();
        play.cast.push(Entry {
            part,
            exchanges: 0,
            has_asked: false,
            asked_about: HashSet::new(),
            found: Vec::new(),
            left: Vec::new(),
            meanwhile: 0..0,
            rolled: None,
            signalled: None,
            killed: false,
            exit: None,
            trouble: treatment.trouble,
            lasting: None,
            strike: treatment.strike,
            dice: treatment.dice,
            quick: treatment.quick,
            cancel,
            abort: None,
        });
        let number = play.cast.len() - 1;
        (number, PartsWire { stage: self.clone(), number }, cancellation)
    }

    /// By which a part can be killed.
    pub fn set_abort(&self, number: usize, abort: AbortHandle) {
        self.play().cast[number].abort = Some(abort);
    }

    /// Waits until the services are done with every request, even if nobody waits for the answer.
    pub async fn settle(&self) {
        loop {
            let carriers = std::mem::take(&mut self.play().carriers);
            if carriers.is_empty() {
                return;
            }
            for carrier in carriers {
                let _ = carrier.await;
            }
        }
    }

    /// A clock that is so far ahead of the services'.
    pub fn clock(&self, ahead: SignedDuration) -> Arc<dyn Clock> {
        Arc::new(StageClock { begun: self.play().begun, ahead })
    }
}

impl Play {
    /// The refresh token that the credential store holds.
    pub fn stored(&self) -> String {
        if self.cast.iter().any(|entry| entry.part.errand.credentials == Credentials::KeyVault) {
            part::in_the_vault(&self.switchboard.services, "refresh-token")
        } else {
            read(&self.store)
        }
    }

    /// The services' now.
    pub fn now(&self) -> Timestamp {
        instant(self.begun)
    }

    /// Every PAT as it stands.
    pub fn pats(&self) -> Vec<Pat> {
        self.switchboard.services.pats(self.now())
    }

    /// Writes down what happened, if anyone wants to read it.
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        let at = self.begun.elapsed();
        if let Some(journal) = &mut self.journal {
            journal.push(format!("{:>9.3} s  {}", at.as_secs_f64(), what()));
        }
    }

    /// Says that a rule was broken.
    pub fn broke(&mut self, rule: impl Into<String>) {
        let rule = rule.into();
        self.note(|| format!("BROKEN: {rule}"));
        self.broken.push(rule);
    }

    /// A part begins an exchange: what befalls it?
    fn begin(&mut self, number: usize, service: Service, request: &Request<Bytes>) -> Course0 {
        rules::at_a_request(self, number, service, request);
        let now = self.now();
        self.neighbours_turn(service, request);
        let entry = &mut self.cast[number];
        entry.has_asked |= service == Service::Pats && request.method() != Method::GET;
        let nth = entry.exchanges;
        entry.exchanges += 1;
        let fault = entry.fault(nth);
        let mut course = fault.map_or_else(Course::default, |fault| fault.course(service, &mut entry.dice));
        if !entry.quick {
            course.delay_before += entry.latency();
            course.delay_after += entry.latency();
        }
        let strike = entry.strike.filter(|strike| strike.nth == nth);
        self.exchanges += 1;
        self.faults += usize::from(fault.is_some());
        self.switchboard.arrive(service, request, now);
        self.note(|| {
            let befallen = fault.map_or(String::new(), |fault| format!("  <- {fault:?}"));
            format!("run {number}, exchange {nth}: {} {}{befallen}", request.method(), request.uri())
        });
        Course0 { course, fault, strike }
    }

    /// Before a request is carried any further: the neighbour may do something.
    fn neighbours_turn(&mut self, service: Service, request: &Request<Bytes>) {
        let now = self.now();
        let Some(mut neighbour) = self.neighbour.take() else { return };
        let asks = (service == Service::Pats).then_some(request);
        if let Some(deed) = neighbour.turn(&mut self.switchboard.services, asks, now) {
            self.note(|| deed);
        }
        self.neighbour = Some(neighbour);
    }

    fn act(&mut self, number: usize, service: Service, request: Request<Bytes>, course: &Course) -> Acted {
        let heard = !course.unheard && course.late.is_none() && course.instead.is_none();
        let issued = self.switchboard.services.issued_secrets().len();
        let now = self.now();
        if heard
            && service == Service::Pats
            && request.method() == Method::GET
            && !self.cast[number].has_asked
        {
            if self.cast[number].part.is_asked_about_what_is_there() {
                let there: Vec<Uuid> = rules::alive(self).iter().map(|pat| pat.authorization_id).collect();
                self.cast[number].asked_about.extend(there);
            }
            self.finds(number);
        }
        let changes = heard && service == Service::Pats && request.method() != Method::GET;
        let before = if changes { self.pats() } else { Vec::new() };
        let answer = self.switchboard.act(service, request, course, now);
        if changes {
            self.write_down(number, &before);
        }
        self.answer_device_codes();
        let issued = self.switchboard.services.issued_secrets()[issued..].to_vec();
        let rolled = issued.into_iter().find(|secret| secret.starts_with("1."));
        Acted { answer, rolled }
    }

    /// The services act on a request that was answered without them.
    fn act_late(&mut self, number: usize, service: Service, request: Request<Bytes>) {
        let (before, now) = (self.pats(), self.now());
        self.switchboard.act_late(service, request, now);
        self.write_down(number, &before);
    }

    /// A part begins.
    pub fn begins(&mut self, number: usize) {
        self.cast[number].meanwhile.start = self.deeds.len();
        self.finds(number);
    }

    /// A part has ended by itself.
    pub fn ends(&mut self, number: usize, code: u8) {
        self.cast[number].exit = Some(code);
        self.cast[number].left = self.pats();
        self.cast[number].meanwhile.end = self.deeds.len();
    }

    /// A part sees the PATs as they are, before it changes any.
    fn finds(&mut self, number: usize) {
        let since = self.cast[number].meanwhile.start;
        if self.deeds[since..].iter().all(|(actor, _)| *actor != number) {
            self.cast[number].found = self.pats();
        }
    }

    /// Writes down what a part has changed, and holds it against what it may change.
    fn write_down(&mut self, number: usize, before: &[Pat]) {
        for pat in self.pats() {
            let id = pat.authorization_id;
            if !before.contains(&pat) && self.cast[number].exit.is_some() {
                let left = &mut self.cast[number].left;
                left.retain(|old| old.authorization_id != id);
                left.push(pat.clone());
            }
            match before.iter().find(|old| old.authorization_id == id) {
                None => {
                    self.makers.insert(id, number);
                    self.deeds.push((number, id));
                    self.note(|| format!("run {number} made {id}"));
                }
                Some(old) if *old == pat => {}
                Some(old) => {
                    self.deeds.push((number, id));
                    if old.status != pat.status {
                        self.revokers.insert(id, number);
                        self.note(|| format!("run {number} revoked {id}"));
                    } else if old.valid_to != pat.valid_to {
                        self.shorteners.insert(id, number);
                        self.note(|| format!("run {number} shortened {id}"));
                    }
                    rules::it_touches_only_its_own(self, number, id);
                }
            }
        }
    }

    /// A person is at hand who signs in with every code that is shown.
    fn answer_device_codes(&mut self) {
        let services = &mut self.switchboard.services;
        for code in services.device_codes() {
            if code.state == DeviceCodeState::Pending {
                services.approve_device_code(&code.user_code, cast::PERSON);
            }
        }
    }

    /// What befalls a run at this moment of an exchange.
    fn strike(&mut self, number: usize, strike: Option<Strike>, moment: Moment) {
        let Some(strike) = strike.filter(|strike| strike.moment == moment) else { return };
        self.note(|| format!("run {number}: {:?}", strike.blow));
        let entry = &mut self.cast[number];
        match strike.blow {
            Blow::Kill => {
                entry.killed = true;
                if let Some(abort) = &entry.abort {
                    abort.abort();
                }
            }
            Blow::Signal(signal) => {
                entry.signalled.get_or_insert(Instant::now());
                entry.cancel.send_replace(Some(signal));
            }
        }
    }
}

/// What is to become of an exchange.
struct Course0 {
    course: Course,
    fault: Option<Fault>,
    strike: Option<Strike>,
}

struct Acted {
    answer: Option<Response<Bytes>>,
    rolled: Option<String>,
}

impl Entry {
    fn fault(&mut self, nth: usize) -> Option<Fault> {
        match self.trouble {
            Trouble::None => None,
            Trouble::At { nth: first, times, fault } => {
                (nth >= first && nth - first < times).then_some(fault)
            }
            Trouble::Twice { nth: first, faults } => faults.get(nth.checked_sub(first)?).copied(),
            Trouble::Often(percent) => {
                if self.lasting.is_some() {
                    return self.lasting;
                }
                if !self.dice.percent(percent) {
                    return None;
                }
                let fault = self.dice.pick(&Fault::ALL);
                if self.dice.below(8) == 0 {
                    self.lasting = Some(fault);
                }
                Some(fault)
            }
        }
    }

    fn latency(&mut self) -> Duration {
        Duration::from_millis(self.dice.pick(&[0, 0, 1, 2, 5, 15, 40, 120, 400, 1200]))
    }
}

/// A part's wire to the services.
pub struct PartsWire {
    stage: Stage,
    number: usize,
}

impl fmt::Debug for PartsWire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the wire of run {}", self.number)
    }
}

impl Wire for PartsWire {
    fn exchange(&self, request: Request<Bytes>) -> Exchange<'_> {
        let (stage, number) = (self.stage.clone(), self.number);
        Box::pin(async move {
            let Some(service) = service_of(&request) else {
                let host = request.uri().host().unwrap_or_default().to_owned();
                stage.play().broke(format!("run {number} spoke to {host}, where none of the services is"));
                return Err(WireError::Unreachable("there is no such host".into()));
            };
            let course = stage.play().begin(number, service, &request);
            let strike = course.strike;
            let (answering, answer) = oneshot::channel();
            let carrier = tokio::spawn(carry(stage.clone(), number, service, request, course, answering));
            stage.play().carriers.push(carrier);
            let (answer, rolled) = answer.await.expect("a request is carried to its end");
            let killed = {
                let mut play = stage.play();
                if answer.is_ok() && rolled.is_some() {
                    play.cast[number].rolled = rolled;
                }
                play.strike(number, strike, Moment::Answered);
                play.cast[number].killed
            };
            // A run that was killed does not read the answer.
            if killed {
                std::future::pending::<()>().await;
            }
            answer
        })
    }
}

type Answering = oneshot::Sender<(Result<Response<Bytes>, WireError>, Option<String>)>;

/// Carries a request to the services and its answer back; goes on with it if the client has hung up.
async fn carry(
    stage: Stage,
    number: usize,
    service: Service,
    request: Request<Bytes>,
    Course0 { course, fault, strike }: Course0,
    answering: Answering,
) {
    stage.play().strike(number, strike, Moment::Sent);
    tokio::time::sleep(course.delay_before).await;
    let late = course.late.map(|late| (late, request.clone()));
    let acted = {
        let mut play = stage.play();
        let acted = play.act(number, service, request, &course);
        play.strike(number, strike, Moment::Acted);
        acted
    };
    // Nobody has to wait for an answer that nobody waits for any more.
    tokio::time::sleep(course.delay_after.min(Duration::from_secs(400))).await;
    let answer = match (fault.and_then(Fault::wire_error), acted.answer) {
        (Some(error), _) => Err(error),
        (None, Some(answer)) => Ok(answer),
        (None, None) => Err(WireError::BrokenOff("connection reset".into())),
    };
    let rolled = acted.rolled.filter(|rolled| {
        answer.as_ref().is_ok_and(|answer| String::from_utf8_lossy(answer.body()).contains(rolled.as_str()))
    });
    let _ = answering.send((answer, rolled));
    if let Some((late, request)) = late {
        tokio::time::sleep(late).await;
        stage.play().act_late(number, service, request);
    }
}

fn service_of(request: &Request<Bytes>) -> Option<Service> {
    let host = request.uri().host()?;
    Service::ALL.into_iter().find(|service| service.real_address().rsplit('/').next() == Some(host))
}

#[derive(Debug)]
struct StageClock {
    begun: Instant,
    ahead: SignedDuration,
}

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        instant(self.begun) + self.ahead
    }
}

fn instant(begun: Instant) -> Timestamp {
    Timestamp::from_second(EPOCH).expect("an instant") + begun.elapsed()
}

/// What a file holds; empty where there is none.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
