//! How long a piece of work may go on: until its deadline, and until a person or a host cancels it.
//!
//! The whole operation runs under one [`Deadline`]. Cleaning up runs under [`Deadline::to_clean_up`], which
//! no signal ends and which may outlast the operation's own deadline by [`CLEAN_UP`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::Signal;

/// How long cleaning up (reconciling, revoking) may outlast the operation's deadline.
pub const CLEAN_UP: Duration = Duration::from_secs(30);

/// Why a piece of work was ended before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The deadline passed.
    TimedOut,
    /// The run was cancelled.
    Cancelled(Signal),
}

/// How much longer a piece of work that was to end may go on, to end by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// Once the run was cancelled, within the deadline and [`Self::when_late`].
    pub when_cancelled: Duration,
    /// Once the deadline has passed.
    pub when_late: Duration,
}

/// The first signal that cancelled the run, if one did. A second one changes nothing.
pub type Cancellation = watch::Receiver<Option<Signal>>;

/// The time by which a piece of work has to end and, unless it cleans up, the signal that ends it before.
#[derive(Clone, Debug)]
pub struct Deadline {
    at: Instant,
    /// What was [granted](Self::grant) on top, to this deadline and to all that came of it.
    granted: Arc<Mutex<Duration>>,
    cancellation: Option<Cancellation>,
    cleaning_up: bool,
}

impl Deadline {
    /// A deadline `timeout` from now, ended by `cancellation`.
    pub fn new(timeout: Duration, cancellation: Cancellation) -> Self {
        Self {
            at: Instant::now() + timeout,
            granted: Arc::default(),
            cancellation: Some(cancellation),
            cleaning_up: false,
        }
    }

    /// The same deadline and [`CLEAN_UP`] on top, and deaf to signals. All that is cleaned up shares that time.
    pub fn to_clean_up(&self) -> Self {
        Self { at: self.at() + CLEAN_UP, granted: Arc::default(), cancellation: None, cleaning_up: true }
    }

    /// The same deadline, deaf to signals: for what must not be torn apart, like a delivery.
    pub fn undisturbed(&self) -> Self {
        Self { cancellation: None, ..self.clone() }
    }

    /// The same, `more` later: for a wait that has a limit of its own, like a device code's life.
    pub fn extended(&self, more: Duration) -> Self {
        Self { at: self.at + more, ..self.clone() }
    }

    /// The same, but at most `limit` from now.
    pub fn at_most(&self, limit: Duration) -> Self {
        let at = self.at().min(Instant::now() + limit);
        Self { at, granted: Arc::default(), ..self.clone() }
    }

    /// Whether it is for cleaning up.
    pub fn is_cleaning_up(&self) -> bool {
        self.cleaning_up
    }

    /// Gives more time to this deadline and to all that came of it: the time that a person or a command took,
    /// which does not count.
    pub fn grant(&self, more: Duration) {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) += more;
    }

    fn at(&self) -> Instant {
        self.at + *self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time left; zero once the deadline has passed.
    pub fn left(&self) -> Duration {
        self.at().saturating_duration_since(Instant::now())
    }

    /// The signal that has cancelled the run, if one has and this deadline heeds it.
    pub fn cancelled(&self) -> Option<Signal> {
        self.cancellation.as_ref().and_then(|signal| *signal.borrow())
    }

    /// Runs the work to its end, unless the deadline or a cancellation comes first.
    pub async fn bound<T>(&self, work: impl Future<Output = T>) -> Result<T, Ended> {
        self.bound_with_grace(Grace::default(), work).await
    }

    /// The same, but work that was to end has some grace to end by itself.
    pub async fn bound_with_grace<T>(&self, grace: Grace, work: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::pin!(work);
        let ended = tokio::select! {
            biased;
            signal = self.cancellation() => Ended::Cancelled(signal),
            done = &mut work => return Ok(done),
            () = tokio::time::sleep_until(self.at()) => Ended::TimedOut,
        };
        let grace = match ended {
            Ended::Cancelled(_) => grace.when_cancelled.min(self.left() + grace.when_late),
            Ended::TimedOut => grace.when_late,
        };
        if grace.is_zero() {
            return Err(ended);
        }
        tokio::time::timeout(grace, work).await.map_err(|_| ended)
    }

    /// Waits for `time`, unless the deadline lies before its end (then it fails at once) or the run is
    /// cancelled meanwhile.
    pub async fn pause(&self, time: Duration) -> Result<(), Ended> {
        if time > self.left() {
            return Err(Ended::TimedOut);
        }
        self.bound(tokio::time::sleep(time)).await
    }

    async fn cancellation(&self) -> Signal {
        if let Some(mut cancellation) = self.cancellation.clone()
            && let Ok(signal) = cancellation.wait_for(Option::is_some).await
            && let Some(signal) = *signal
        {
            return signal;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline(seconds: u64) -> (watch::Sender<Option<Signal>>, Deadline) {
        let (sender, receiver) = watch::channel(None);
        (sender, Deadline::new(Duration::from_secs(seconds), receiver))
    }

    #[tokio::test(start_paused = true)]
    async fn work_past_the_deadline_is_ended() {
        let (_sender, deadline) = deadline(5);
        assert_eq!(deadline.bound(std::future::pending::<()>()).await, Err(Ended::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_beyond_the_deadline_fails_at_once() {
        let (_sender, deadline) = deadline(5);
        let begun = Instant::now();
        assert_eq!(deadline.pause(Duration::from_secs(6)).await, Err(Ended::TimedOut));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_granted_is_granted_to_all_that_came_of_it() {
        let (_sender, deadline) = deadline(5);
        let other = deadline.undisturbed();
        deadline.grant(Duration::from_secs(10));
        assert_eq!(other.left(), Duration::from_secs(15));
        assert_eq!(deadline.at_most(Duration::from_secs(7)).left(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_ends_work_but_not_cleaning_up() {
        let (sender, deadline) = deadline(60);
        sender.send(Some(Signal::Terminate)).expect("a receiver lives");
        let second = tokio::time::sleep(Duration::from_secs(1));
        assert_eq!(deadline.bound(second).await, Err(Ended::Cancelled(Signal::Terminate)));
        let second = tokio::time::sleep(Duration::from_secs(1));
        assert_eq!(deadline.to_clean_up().bound(second).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_request_has_its_grace() {
        let (sender, deadline) = deadline(60);
        sender.send(Some(Signal::Interrupt)).expect("a receiver lives");
        let grace = Grace { when_cancelled: Duration::from_secs(4), when_late: Duration::ZERO };
        let quick = tokio::time::sleep(Duration::from_secs(3));
        assert_eq!(deadline.bound_with_grace(grace, quick).await, Ok(()));
        let slow = tokio::time::sleep(Duration::from_secs(5));
        assert_eq!(deadline.bound_with_grace(grace, slow).await, Err(Ended::Cancelled(Signal::Interrupt)));
    }

    #[rstest::rstest]
    #[case::in_time(4, 5, Ok(()))]
    #[case::in_the_grace(4, 8, Ok(()))]
    #[case::after_it(4, 10, Err(Ended::TimedOut))]
    #[case::without_any(0, 6, Err(Ended::TimedOut))]
    #[tokio::test(start_paused = true)]
    async fn late_work_has_its_grace(
        #[case] grace: u64,
        #[case] takes: u64,
        #[case] expected: Result<(), Ended>,
        #[values(false, true)] cancelled: bool,
    ) {
        let (sender, deadline) = deadline(5);
        if cancelled {
            sender.send(Some(Signal::Terminate)).expect("a receiver lives");
        }
        let when_late = Duration::from_secs(grace);
        let grace = Grace { when_cancelled: Duration::from_secs(60), when_late };
        let work = tokio::time::sleep(Duration::from_secs(takes));
        let expected = match expected {
            Err(_) if cancelled => Err(Ended::Cancelled(Signal::Terminate)),
            expected => expected,
        };
        assert_eq!(deadline.bound_with_grace(grace, work).await, expected);
    }
}
