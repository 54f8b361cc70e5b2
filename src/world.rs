//! The world outside the program, as one small type: the wire, the wall clock and randomness.
//!
//! Everything that adopat asks of the outside comes through a [`World`], so that a test can hold time and
//! randomness still, and whole operations can run against a simulated service within one process. Waiting
//! goes through tokio's timers, which a test can pause.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use url::Url;
use uuid::Uuid;

/// The wire, the wall clock and randomness. Cheap to clone.
#[derive(Clone, Debug)]
pub struct World {
    /// Carries one HTTP exchange.
    pub wire: Arc<dyn Wire>,
    /// Says what time it is.
    pub clock: Arc<dyn Clock>,
    /// Gives unpredictable bytes.
    pub random: Arc<dyn Random>,
}

/// The future of one exchange.
pub type Exchange<'a> = Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, WireError>> + Send + 'a>>;

/// Carries HTTP requests. One call is one request on the network: nothing is retried, no redirect followed.
pub trait Wire: fmt::Debug + Send + Sync {
    /// Sends the request and reads the whole answer, at most [`LARGEST_ANSWER`] bytes of it.
    fn exchange(&self, request: http::Request<Bytes>) -> Exchange<'_>;

    /// Begins to open a connection to this address, beside whatever else goes on, so that the next request there
    /// finds it open. Nothing is sent over it, and nobody hears if it fails: the request itself will tell.
    fn open_ahead(&self, _address: &Url) {}

    /// Host and port of the proxy through which this address is reached, for a person; `None` if it is reached
    /// directly.
    fn proxy(&self, _address: &Url) -> Option<String> {
        None
    }

    /// Who issued this address' certificate, if an exchange has shown that it is no public authority but one
    /// that is trusted here, like an inspecting proxy's.
    fn private_issuer(&self, _address: &Url) -> Option<String> {
        None
    }
}

/// The most bytes that are read of one answer: 1 MiB.
pub const LARGEST_ANSWER: usize = 1 << 20;

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The request never left: the name or the connection failed. The words say how.
    Unreachable(String),
    /// The request never left, and what stands in its way is known.
    Obstructed(Obstacle),
    /// The server's certificate does not hold. Not worth repeating.
    Untrusted {
        /// Why not: the rest of a sentence that begins with "the certificate does not hold:".
        why: String,
        /// What to do about it, one sentence with its full stop.
        remedy: &'static str,
    },
    /// The request may have been received, but the answer broke off.
    BrokenOff(String),
    /// The answer is larger than [`LARGEST_ANSWER`].
    TooLarge,
}

/// What stands between this machine and a service: a proxy, a setting, a server that speaks something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What it is: the rest of a sentence that begins with "the service could not be reached:".
    pub why: String,
    /// What to do about it, one sentence with its full stop.
    pub remedy: String,
    /// Whether it would stand in the way of a repetition too.
    pub lasts: bool,
}

impl WireError {
    /// Whether a repetition may fare better.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::BrokenOff(_) => true,
            Self::Obstructed(obstacle) => !obstacle.lasts,
            Self::Untrusted { .. } | Self::TooLarge => false,
        }
    }
}

/// The wall clock, in UTC.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// A source of unpredictable bytes, good enough for nonces and delimiters.
pub trait Random: fmt::Debug + Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

impl World {
    /// A random UUID (version 4).
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A random number in `0.0..1.0`, for jitter.
    pub fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The operating system's randomness.
#[derive(Debug)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }
}
