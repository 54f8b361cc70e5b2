//! [`Switchboard`]: the services with their faults and their log, still without a socket or a clock.
//!
//! The code that carries requests does this with each one: [arrive](Switchboard::arrive), follow the
//! [course](Course), [act](Switchboard::act) at the right moment, and say in the end what
//! [became of it](Switchboard::settle).
//!
//! ```
//! use adopat_emulator::{Delivery, Emulator, Fault, Outcome, Service, Switchboard};
//! use bytes::Bytes;
//!
//! let mut switchboard = Switchboard::new(Emulator::builder().seed(7).services());
//! switchboard.order(Fault::on(Service::DevOps).lose_answer());
//! let now = "2026-11-24T12:00:00Z".parse().unwrap();
//!
//! // What a simulated wire does with one request; it lets simulated time pass for the delays of the course.
//! let request = http::Request::head("/fabrikam").body(Bytes::new()).unwrap();
//! let (number, course) = switchboard.arrive(Service::DevOps, &request, now);
//! let answer = switchboard.act(Service::DevOps, request, &course, now + course.delay_before);
//! let status = answer.map(|answer| answer.status());
//! let outcome = match course.delivery {
//!     Delivery::Whole => status.map_or(Outcome::Lost(None), Outcome::Answered),
//!     Delivery::Reset | Delivery::Closed | Delivery::CutAfter(_) => Outcome::Lost(status),
//! };
//! switchboard.settle(number, outcome);
//! assert_eq!(switchboard.requests()[0].status(), None);
//! ```

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;

use crate::fault::{Course, Fault, Faults};
use crate::hold::Hold;
use crate::log::{Outcome, Recorded};
use crate::services::{Service, Services};

/// The services with their faults and their log.
#[derive(Debug)]
pub struct Switchboard {
    /// The services themselves.
    pub services: Services,
    faults: Faults,
    log: Vec<Recorded>,
    forgotten: Number,
}

/// A request's number in the log.
pub type Number = usize;

impl Switchboard {
    /// With no fault ordered.
    pub fn new(services: Services) -> Self {
        Self { services, faults: Faults::default(), log: Vec::new(), forgotten: 0 }
    }

    /// Orders a fault.
    pub fn order(&mut self, fault: Fault) -> Hold {
        self.faults.order(fault)
    }

    /// Takes back every fault, and lets go of what they hold.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// A request arrives: it is written into the log, and its course is decided.
    pub fn arrive(&mut self, service: Service, request: &Request<Bytes>, now: Timestamp) -> (Number, Course) {
        self.log.push(Recorded::new(service, request, now));
        (self.forgotten + self.log.len() - 1, self.faults.course(service, request))
    }

    /// The services act, unless the course says otherwise; the answer is spoiled as it says. It is `None` if
    /// the request goes [unheard](Course::unheard).
    pub fn act(
        &mut self,
        service: Service,
        request: Request<Bytes>,
        course: &Course,
        now: Timestamp,
    ) -> Option<Response<Bytes>> {
        if course.unheard || (course.late.is_some() && course.instead.is_none()) {
            return None;
        }
        let answer = match &course.instead {
            Some(instead) => self.services.handle_instead(service, request, instead, now),
            None => self.services.handle(service, request, now),
        };
        Some(course.spoils.iter().fold(answer, |answer, spoil| spoil.apply(answer, now)))
    }

    /// The services act on a request that was [answered without them](Course::late); nobody hears the answer.
    pub fn act_late(&mut self, service: Service, request: Request<Bytes>, now: Timestamp) {
        let _ = self.services.handle(service, request, now);
    }

    /// Says what became of a request.
    pub fn settle(&mut self, number: Number, outcome: Outcome) {
        let recorded = number.checked_sub(self.forgotten).and_then(|index| self.log.get_mut(index));
        if let Some(recorded) = recorded {
            recorded.outcome = outcome;
        }
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> &[Recorded] {
        &self.log
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&mut self) {
        self.forgotten += self.log.len();
        self.log.clear();
    }
}
