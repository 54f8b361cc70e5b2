//! The services' clock: every instant is reckoned by the `Date` of their answers, never by this machine's own clock,
//! which may be days off without anybody knowing.
//!
//! Between two answers the machine's steady clock counts on, so that a machine whose clock is set while it runs
//! changes nothing.

use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use super::Answer;
use crate::world::Clock;

/// How far this machine's clock may be from the services' without a word.
pub const CLOCK_OFF: SignedDuration = SignedDuration::from_mins(2);

/// A `Date` counts in whole seconds, and is as old as its answer: one that is this much behind what has been counted
/// since an earlier one says the same.
const WHOLE_SECONDS: SignedDuration = SignedDuration::from_secs(2);

/// The services' clock. Clones are the same one.
#[derive(Clone, Debug)]
pub struct ServiceClock {
    machine: Arc<dyn Clock>,
    /// Whose answers tell the time, the one that counts most first.
    services: Arc<[Url]>,
    heard: Arc<Mutex<Option<Heard>>>,
    /// Set once the first of them has been asked for nothing but the time.
    pub(super) asked: Arc<OnceCell<()>>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    /// What time it was.
    date: Timestamp,
    /// And when that was, on the steady clock.
    at: Instant,
    /// Who said so: the place among the services.
    rank: usize,
}

impl ServiceClock {
    /// The clock of these services, the one that counts most first; until one of them has answered, the machine's.
    pub fn new(machine: Arc<dyn Clock>, services: &[&Url]) -> Self {
        let services = services.iter().copied().cloned().collect();
        Self { machine, services, heard: Arc::default(), asked: Arc::default() }
    }

    /// What time it is at the services; by this machine's clock if none of them has told yet.
    pub fn now(&self) -> Timestamp {
        self.heard().map_or_else(|| self.machine.now(), Heard::now)
    }

    /// Who is to be asked what time it is: the service that counts most, unless the clock is set.
    pub(super) fn to_ask(&self) -> Option<&Url> {
        self.services.first().filter(|_| !self.is_set())
    }

    /// Whether a service has told what time it is.
    pub fn is_set(&self) -> bool {
        self.heard().is_some()
    }

    /// How far this machine's clock is ahead of the services' (behind: negative), if one has told and it is more
    /// than [`CLOCK_OFF`].
    pub fn machine_is_off(&self) -> Option<SignedDuration> {
        let clock_skew = self.machine.now().duration_since(self.heard()?.now());
        (clock_skew.abs() > CLOCK_OFF).then_some(clock_skew)
    }

    /// Sets the clock by the answer to a request for `address`, unless that is none of the services, a gateway spoke in its place,
    /// or a service that counts more has told already.
    pub(super) fn hear(&self, address: &Uri, answer: &Answer) {
        let Ok(origin) = Url::parse(&address.to_string()).map(|address| address.origin()) else { return };
        let Some(rank) = self.services.iter().position(|service| service.origin() == origin) else { return };
        if matches!(answer.status.as_u16(), 407 | 502 | 504 | 511) {
            return;
        }
        let Some(date) = answer.date().and_then(|date| date.checked_add(answer.age()).ok()) else { return };
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let says_the_same = |known: Heard| {
            let behind = known.now().duration_since(date);
            !behind.is_negative() && behind < WHOLE_SECONDS
        };
        match *heard {
            Some(known) if rank > known.rank => {}
            // What was counted since is finer than whole seconds, and does not run backwards.
            Some(known) if rank == known.rank && says_the_same(known) => {}
            _ => *heard = Some(Heard { date, at: Instant::now(), rank }),
        }
    }

    fn heard(&self) -> Option<Heard> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn now(self) -> Timestamp {
        let since = SignedDuration::try_from(self.at.elapsed()).unwrap_or(SignedDuration::MAX);
        self.date.checked_add(since).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use rstest::rstest;

    use super::*;

    /// A machine that is off by years.
    #[derive(Debug)]
    struct Wrong;

    impl Clock for Wrong {
        fn now(&self) -> Timestamp {
            at("2031-01-01T00:00:00Z")
        }
    }

    const PATS: &str = "https://vssps.dev.azure.com/contoso/_apis/tokens/pats";
    const ENTRA: &str = "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn url(text: &str) -> Url {
        text.parse().expect("an address")
    }

    fn clock() -> ServiceClock {
        ServiceClock::new(Arc::new(Wrong), &[&url(PATS), &url(ENTRA)])
    }

    fn hear(clock: &ServiceClock, from: &str, status: u16, headers: &[(&str, &str)]) {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let answer = response.body(Bytes::new()).expect("an answer").into();
        clock.hear(&from.parse().expect("an address"), &answer);
    }

    #[rstest]
    #[case::imf_fixdate("Sun, 06 Nov 1994 08:49:37 GMT")]
    #[case::rfc_850("Sunday, 06-Nov-94 08:49:37 GMT")]
    #[case::asctime("Sun Nov  6 08:49:37 1994")]
    #[tokio::test(start_paused = true)]
    async fn every_form_of_a_date_sets_the_clock_and_the_steady_clock_counts_on(#[case] date: &str) {
        let clock = clock();
        assert_eq!((clock.is_set(), clock.now()), (false, at("2031-01-01T00:00:00Z")));
        assert_eq!(clock.machine_is_off(), None);
        hear(&clock, PATS, 401, &[("Date", date)]);
        tokio::time::advance(Duration::from_millis(90_500)).await;
        assert_eq!((clock.is_set(), clock.now()), (true, at("1994-11-06T08:51:07.5Z")));
        assert!(clock.machine_is_off().is_some_and(|clock_skew| clock_skew.is_positive()));
    }

    #[rstest]
    #[case::no_service("https://api.github.com/", 200, &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])]
    #[case::another_port("https://vssps.dev.azure.com:8443/", 200, &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])]
    #[case::a_gateway(PATS, 502, &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])]
    #[case::another_gateway(PATS, 504, &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])]
    #[case::a_proxy(PATS, 407, &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])]
    #[case::a_captive_portal(PATS, 511, &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])]
    #[case::no_date(PATS, 200, &[])]
    #[case::nonsense(PATS, 200, &[("Date", "today")])]
    #[tokio::test(start_paused = true)]
    async fn what_is_not_the_services_own_date_sets_nothing(
        #[case] from: &str,
        #[case] status: u16,
        #[case] headers: &[(&str, &str)],
    ) {
        let clock = clock();
        hear(&clock, from, status, headers);
        assert!(!clock.is_set());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_out_of_a_cache_is_as_much_older_as_it_says() {
        let clock = clock();
        hear(&clock, PATS, 200, &[("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Age", "86400")]);
        assert_eq!(clock.now(), at("1994-11-07T08:49:37Z"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_that_counts_most_has_the_last_word() {
        let clock = clock();
        hear(&clock, ENTRA, 200, &[("Date", "Sun, 06 Nov 1994 08:00:00 GMT")]);
        assert_eq!(clock.now(), at("1994-11-06T08:00:00Z"));
        hear(&clock, PATS, 200, &[("Date", "Sun, 06 Nov 1994 09:00:00 GMT")]);
        assert_eq!(clock.now(), at("1994-11-06T09:00:00Z"));
        hear(&clock, ENTRA, 200, &[("Date", "Sun, 06 Nov 1994 08:00:01 GMT")]);
        assert_eq!(clock.now(), at("1994-11-06T09:00:00Z"));
        hear(&clock, PATS, 200, &[("Date", "Sun, 06 Nov 1994 07:00:00 GMT")]);
        assert_eq!(clock.now(), at("1994-11-06T07:00:00Z"), "a service whose clock was set");
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_run_backwards_within_the_seconds_that_a_date_counts_in() {
        let clock = clock();
        hear(&clock, PATS, 200, &[("Date", "Sun, 06 Nov 1994 08:00:00 GMT")]);
        tokio::time::advance(Duration::from_millis(900)).await;
        hear(&clock, PATS, 200, &[("Date", "Sun, 06 Nov 1994 08:00:00 GMT")]);
        assert_eq!(clock.now(), at("1994-11-06T08:00:00.9Z"));
        tokio::time::advance(Duration::from_millis(50)).await;
        hear(&clock, PATS, 200, &[("Date", "Sun, 06 Nov 1994 08:00:01 GMT")]);
        assert_eq!(clock.now(), at("1994-11-06T08:00:01Z"), "a later one is nearer");
    }
}
