//! How adopat speaks HTTP: one [`Http`] for every service, over the [wire](crate::world::Wire).
//!
//! It never follows a redirect, never reads more than a bounded body, obeys `Retry-After` within the run's
//! [deadline](crate::time::deadline), and repeats a request only if a repetition does no harm.

mod answer;
pub mod claims_challenge;
pub mod inspect;
mod names;
pub mod no_proxy;
pub mod proxy;
pub mod proxy_address;
pub mod renewals;
pub mod request;
pub mod reqwest_wire;
mod service_clock;
pub mod tls_words;
pub mod trust;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::header::{CACHE_CONTROL, HeaderValue, USER_AGENT};
use ::http::{Method, Request};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

pub use self::answer::{Answer, DEACTIVATED};
pub use self::claims_challenge::ClaimsChallenge;
use self::renewals::Renewals;
pub use self::service_clock::{CLOCK_OFF, ServiceClock};
use crate::failure::{Exit, Failure};
use crate::time::{Deadline, Ended, Grace};
use crate::world::{WireError, World};

/// How adopat names itself to services; it shows up in their audit logs.
pub const AGENT: &str = concat!("adopat/", env!("CARGO_PKG_VERSION"));

/// The longest wait for one answer.
const ONE_EXCHANGE: Duration = Duration::from_secs(60);
/// How long a request that must not be interrupted may go on after the run was cancelled, and one whose answer must
/// not be lost after the deadline.
pub const GRACE: Duration = Duration::from_secs(4);
/// How long after its answer was lost a request may still take effect: a service can be at work on it for 15 s, and
/// what it makes at the very end shows a moment later.
pub const LATE_EFFECT: Duration = Duration::from_millis(15_200);
/// How often an idempotent request is sent if nothing says how long to wait.
const ATTEMPTS: u32 = 4;
/// The same when cleaning up: a PAT that is not revoked lives on.
const ATTEMPTS_TO_CLEAN_UP: u32 = 6;
/// The first pause between two attempts; it doubles, and is jittered.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// The longest wait for a service that is only asked what time it is.
const TO_TELL_THE_TIME: Duration = Duration::from_secs(15);

/// What would happen if a request were sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The same as if it were sent once: it is retried.
    Idempotent,
    /// The same, but its answer must not be lost, since it holds a new refresh token, for example: it is retried,
    /// and when the run is cancelled or its time is over, it gets a moment to end by itself.
    Precious,
    /// Something else (a `POST` makes a PAT each time): it is sent once, and when the run is cancelled it gets a
    /// moment to end by itself.
    OnceOnly,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The deadline passed or the run was cancelled.
    Ended(Ended),
    /// The network failed, after all retries that were allowed.
    Wire(WireError),
    /// The service asks to wait longer than this run may.
    Throttled(Duration),
    /// A policy revoked the access token, and there is no other: the request was not acted on.
    NotSignedIn(Box<Failure>),
}

impl From<Ended> for NoAnswer {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

/// Whether the service may have acted on a request that came to this, or may still act on it.
pub fn may_have_acted(outcome: Result<&Answer, &NoAnswer>) -> bool {
    Doubt::about(outcome) > Doubt::None
}

/// Whether a service has acted on a request that did not succeed, as far as anyone can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// It has not, and will not.
    #[default]
    None,
    /// It may have: how things are now tells.
    Past,
    /// It may have, or may do so in a moment, since it can be at work behind a gateway that has given up.
    Lasting,
}

impl Doubt {
    /// The doubt that this outcome of a request leaves.
    pub fn about(outcome: Result<&Answer, &NoAnswer>) -> Self {
        match outcome {
            Ok(answer) if answer.is_refusal() => Self::None,
            Ok(answer) if matches!(answer.status.as_u16(), 408 | 502 | 503 | 504) => Self::Lasting,
            Err(silence) if !silence.may_have_acted() => Self::None,
            Err(NoAnswer::Wire(WireError::TooLarge)) | Ok(_) => Self::Past,
            Err(_) => Self::Lasting,
        }
    }
}

impl NoAnswer {
    /// Whether the request may have reached the service, and been acted on.
    pub fn may_have_acted(&self) -> bool {
        match self {
            Self::Ended(_) | Self::Wire(WireError::BrokenOff(_) | WireError::TooLarge) => true,
            Self::Wire(
                WireError::Unreachable(_) | WireError::Obstructed(_) | WireError::Untrusted { .. },
            )
            | Self::Throttled(_)
            | Self::NotSignedIn(_) => false,
        }
    }

    /// The failure that a person reads; `service` is the service that did not answer, like "Microsoft Entra
    /// (host)".
    pub fn into_failure(self, service: &str) -> Failure {
        match self {
            Self::Ended(Ended::Cancelled(signal)) => {
                Failure::new(Exit::Cancelled(signal), "The run was cancelled.", "")
            }
            Self::Ended(Ended::TimedOut) => Failure::new(
                Exit::Service,
                format!("{service} did not answer within the time this operation may take."),
                "Run it again; raise the input 'timeout' if the service is slow from here.",
            ),
            Self::NotSignedIn(failure) => *failure,
            Self::Throttled(wait) => Failure::new(
                Exit::Service,
                format!(
                    "{service} asks to wait {} s before the next request, longer than this operation may take.",
                    wait.as_secs()
                ),
                "Run it again later, run fewer jobs at once, or raise the input 'timeout'.",
            ),
            Self::Wire(WireError::Unreachable(why)) => Failure::new(
                Exit::Service,
                format!("{service} could not be reached: {why}."),
                "Check the name, the network, and the proxy settings (HTTPS_PROXY, NO_PROXY) of this machine.",
            ),
            Self::Wire(WireError::Obstructed(obstacle)) => Failure::new(
                Exit::Service,
                format!("{service} could not be reached: {}.", obstacle.why),
                obstacle.remedy,
            ),
            Self::Wire(WireError::Untrusted { why, remedy }) => Failure::new(
                Exit::Service,
                format!("The certificate of {service} does not hold: {why}."),
                remedy,
            ),
            Self::Wire(WireError::BrokenOff(why)) => Failure::new(
                Exit::Service,
                format!("{service} broke off its answer: {why}."),
                "Run it again; if it keeps failing, a proxy or firewall on the way may be closing connections.",
            ),
            Self::Wire(WireError::TooLarge) => Failure::new(
                Exit::Service,
                format!("{service} sent more than 1 MiB, which none of its answers should be."),
                "Check that no proxy answers in its place, and run it again.",
            ),
        }
    }
}

/// The way to every service. Cheap to clone; clones share what services asked to wait.
#[derive(Clone)]
pub struct Http {
    world: World,
    deadline: Deadline,
    /// Until when a host asked not to be called again.
    pauses: Arc<Mutex<HashMap<String, Instant>>>,
    clock: ServiceClock,
    renewals: Renewals,
}

impl fmt::Debug for Http {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Http").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Http {
    /// The way to every service, for as long as `deadline` lasts.
    pub fn new(world: World, deadline: Deadline) -> Self {
        let clock = ServiceClock::new(Arc::clone(&world.clock), &[]);
        Self { world, deadline, pauses: Arc::default(), clock, renewals: Renewals::default() }
    }

    /// The same way, reckoning by the clock of these services, the one that counts most first.
    pub fn reckoning_by(self, services: &[&Url]) -> Self {
        Self { clock: ServiceClock::new(Arc::clone(&self.world.clock), services), ..self }
    }

    /// The world behind it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What time it is at the services. If none of them has answered yet, the one that counts most is asked, once,
    /// by an anonymous `HEAD`; if that says nothing either, this machine's clock has to do.
    pub async fn now(&self) -> Timestamp {
        if let Some(address) = self.clock.to_ask() {
            self.clock.asked.get_or_init(|| self.ask_the_time(address)).await;
        }
        self.clock.now()
    }

    /// The services' clock, as far as it has been heard.
    pub fn clock(&self) -> &ServiceClock {
        &self.clock
    }

    /// Whether it comes to an answer or not: the clock hears every one.
    async fn ask_the_time(&self, address: &Url) {
        let builder = Request::builder()
            .method(Method::HEAD)
            .uri(address.as_str())
            .header(CACHE_CONTROL, "no-cache")
            .header("X-TFS-FedAuthRedirect", "Suppress");
        let request = request::build(builder, Bytes::new());
        let brief = self.with_deadline(self.deadline.at_most(TO_TELL_THE_TIME));
        let _ = brief.send(request, Effect::Idempotent).await;
    }

    /// The access tokens for which there can be a fresh one.
    pub fn renewals(&self) -> &Renewals {
        &self.renewals
    }

    /// How long its requests may go on.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// The same way, on which no access token is renewed: for who renews them.
    pub fn without_renewals(&self) -> Self {
        Self { renewals: Renewals::default(), ..self.clone() }
    }

    /// The same way under another deadline.
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Begins to open the connection to a service that is about to be called, beside what is done before: a
    /// handshake takes as long as two requests do.
    pub fn open_ahead(&self, address: &Url) {
        self.world.wire.open_ahead(address);
    }

    /// Sends the request and returns the service's answer, whatever its status; an idempotent one is
    /// repeated, with jittered backoff, after a wire error, a 429 or a 5xx. Any request is sent once more, with a fresh
    /// bearer, if a policy revoked the one it came with: such a request was not acted on.
    pub async fn send(&self, request: Request<Bytes>, effect: Effect) -> Result<Answer, NoAnswer> {
        self.send_in_doubt(request, effect, &mut Doubt::None).await
    }

    /// The same, for a request that changes something: `doubt` becomes that of every try but the one whose answer is
    /// returned.
    pub async fn send_in_doubt(
        &self,
        request: Request<Bytes>,
        effect: Effect,
        doubt: &mut Doubt,
    ) -> Result<Answer, NoAnswer> {
        if let Some(obstacle) = request::obstacle(&request) {
            return Err(NoAnswer::Wire(WireError::Obstructed(obstacle)));
        }
        let mut request = request;
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        let mut attempt = 1;
        let renewed = self.renewals.renew_before_its_end(&mut request, &self.deadline).await;
        renewed.map_err(|failure| NoAnswer::NotSignedIn(Box::new(failure)))?;
        self.renewals.freshen(&mut request);
        let mut is_renewed = false;
        loop {
            self.await_turn(&request).await?;
            // A request that is given a moment to end by itself is not begun any more.
            if let Some(signal) = self.deadline.cancelled() {
                return Err(Ended::Cancelled(signal).into());
            }
            let outcome = self.exchange(request.clone(), effect).await;
            let left = Doubt::about(outcome.as_ref()).max(*doubt);
            if let Ok(answer) = &outcome
                && let Some(wait) = self.pause_for_all(attempt, answer)
            {
                self.postpone(&request, wait);
            }
            if !is_renewed
                && let Ok(answer) = &outcome
                && let Some(why) = self.renewals.why_renew(&request, answer)
                && let Some(renewed) = self.renewals.renew(&mut request, why, &self.deadline).await
            {
                renewed.map_err(|failure| NoAnswer::NotSignedIn(Box::new(failure)))?;
                is_renewed = true;
                continue;
            }
            let pause = match effect {
                Effect::OnceOnly => None,
                Effect::Idempotent | Effect::Precious => self.pause_after(attempt, outcome.as_ref()),
            };
            if pause.is_some() || outcome.is_err() {
                *doubt = left;
            }
            let Some(pause) = pause else { return outcome };
            self.wait(pause).await?;
            attempt += 1;
        }
    }

    /// How long to wait before a request with this outcome is sent again; `None` if that would not help or there is
    /// no time for it. `attempt` counts from 1.
    pub fn pause_after(&self, attempt: u32, outcome: Result<&Answer, &NoAnswer>) -> Option<Duration> {
        let asked = match outcome {
            // One that asks for no time at all gets the pause that it would get without asking.
            Ok(answer) if answer.is_transient() => {
                answer.retry_after(self.clock.now()).filter(|wait| !wait.is_zero())
            }
            Err(NoAnswer::Wire(error)) if error.may_pass() => None,
            _ => return None,
        };
        let attempts = if self.deadline.is_cleaning_up() { ATTEMPTS_TO_CLEAN_UP } else { ATTEMPTS };
        let pause = asked.or_else(|| (attempt < attempts).then(|| self.backoff(attempt)))?;
        // What came of this attempt tells more than that there is no time for another.
        (pause <= self.deadline.left()).then_some(pause)
    }

    /// How long nobody calls the service after this answer: as long as it asks after a success, and after a 429 at
    /// least as long as before any other attempt.
    fn pause_for_all(&self, attempt: u32, answer: &Answer) -> Option<Duration> {
        let asked = answer.retry_after(self.clock.now());
        if answer.status.as_u16() == 429 {
            let wait = asked.filter(|wait| !wait.is_zero()).unwrap_or_else(|| self.backoff(attempt));
            // If there is no time for that, what follows is a last look at what became of it all.
            return (wait <= self.deadline.left()).then_some(wait);
        }
        asked.filter(|_| answer.status.is_success())
    }

    /// Waits as a service asked; one that asks for longer than the run may last fails at once.
    pub async fn wait(&self, wait: Duration) -> Result<(), NoAnswer> {
        match self.deadline.pause(wait).await {
            Err(Ended::TimedOut) => Err(NoAnswer::Throttled(wait)),
            Err(cancelled) => Err(cancelled.into()),
            Ok(()) => Ok(()),
        }
    }

    /// The pause after the given attempt (1 for the first): doubling, with up to half of it taken off at random.
    pub fn backoff(&self, attempt: u32) -> Duration {
        let full = FIRST_PAUSE * 2_u32.saturating_pow(attempt.saturating_sub(1)).min(64);
        full.mul_f64(1.0 - self.world.fraction() / 2.0)
    }

    async fn exchange(&self, request: Request<Bytes>, effect: Effect) -> Result<Answer, NoAnswer> {
        let grace = match effect {
            Effect::Idempotent => Grace::default(),
            Effect::Precious => Grace { when_cancelled: GRACE, when_late: GRACE },
            // What it may have made is looked for afterwards, and there is time of its own for that.
            Effect::OnceOnly => Grace { when_cancelled: GRACE, when_late: Duration::ZERO },
        };
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let begun = Instant::now();
        let ended = self
            .deadline
            .at_most(ONE_EXCHANGE)
            .bound_with_grace(grace, self.world.wire.exchange(request))
            .await;
        let outcome = match ended {
            Ok(Ok(response)) => {
                let answer = Answer::from(response);
                self.clock.hear(&uri, &answer);
                Ok(answer)
            }
            Ok(Err(error)) => Err(NoAnswer::Wire(error)),
            Err(Ended::TimedOut) if !self.deadline.left().is_zero() => {
                let seconds = ONE_EXCHANGE.as_secs();
                Err(NoAnswer::Wire(WireError::BrokenOff(format!("no answer within {seconds} s"))))
            }
            Err(ended) => Err(NoAnswer::Ended(ended)),
        };
        // Never the query: an authorization endpoint's may hold a code. Never headers or bodies.
        let place = format!("{}{}", uri.authority().map_or("", |host| host.as_str()), uri.path());
        let took = begun.elapsed().as_millis();
        match &outcome {
            Ok(answer) => tracing::debug!("{method} {place}: {} in {took} ms", answer.status.as_u16()),
            Err(error) => tracing::debug!("{method} {place}: {error:?} in {took} ms"),
        }
        outcome
    }

    /// Waits until the service that the request is for may be called again, if it asked for a pause with its last
    /// answer. [`Http::send`] does so by itself; code that takes the time of a request has to do it before.
    ///
    /// # Errors
    /// The run's time is over, it may not last so long, or it was cancelled meanwhile: nothing was sent.
    pub async fn await_turn(&self, request: &Request<Bytes>) -> Result<(), NoAnswer> {
        // Another request may have been asked for a longer pause meanwhile.
        while let Some(wait) = self.pause_of(&host(request)) {
            self.wait(wait).await?;
        }
        if self.deadline.left().is_zero() { Err(Ended::TimedOut.into()) } else { Ok(()) }
    }

    /// How long this host is still not to be called.
    fn pause_of(&self, host: &str) -> Option<Duration> {
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = pauses.get(host)?.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }

    fn postpone(&self, request: &Request<Bytes>, wait: Duration) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + wait;
        pauses.entry(host(request)).and_modify(|known| *known = until.max(*known)).or_insert(until);
    }
}

fn host(request: &Request<Bytes>) -> String {
    request.uri().authority().map(ToString::to_string).unwrap_or_default()
}
