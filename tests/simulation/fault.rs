//! What can befall one exchange, and what can befall a run in the midst of it.

use std::time::Duration;

use adopat::failure::Signal;
use adopat::world::WireError;
use adopat_emulator::{Course, Delivery, HOSTILE_TEXTS, Instead, RetryAfter, Service, Spoil, response};
use http::StatusCode;

use super::dice::Dice;

/// What befalls one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// No connection comes about.
    Unreachable,
    /// The certificate does not hold.
    Untrusted,
    /// The connection is reset before the service has the request.
    Reset,
    /// The service acts; the connection is reset before a byte of the answer arrives.
    AnswerLost,
    /// The connection is reset, and the service acts up to 15 s later.
    ActsAfterReset,
    /// 408, and the service acts up to 15 s later.
    ActsAfterTimeout,
    /// 502, and the service acts up to 15 s later.
    ActsAfterBadGateway,
    /// 503, and the service acts up to 15 s later.
    ActsAfterUnavailable,
    /// 503 with `Retry-After`, and the service acts up to 15 s later.
    ActsAfterUnavailableForSeconds,
    /// 504, and the service acts up to 15 s later.
    ActsAfterGatewayTimeout,
    /// The service acts; the connection breaks in the midst of the answer.
    CutShort,
    /// The service acts; the answer takes longer than anyone waits.
    Slow,
    /// The service takes two seconds before it acts.
    SlowToAct,
    /// 429 with `Retry-After` in seconds.
    ThrottledForSeconds,
    /// 429 with `Retry-After` as a date.
    ThrottledUntilDate,
    /// 429 with a `Retry-After` beyond any timeout.
    ThrottledForLong,
    /// 503.
    Unavailable,
    /// 503 with `Retry-After`.
    UnavailableForSeconds,
    /// 500, not acted on.
    InternalError,
    /// The service acts, and answers 500.
    FailsAfterActing,
    /// 203 and the sign-in page, not acted on.
    SignInPage,
    /// The service acts; a proxy answers 203 and a page.
    PageAfterActing,
    /// The service acts; half of its answer arrives, as if it were whole.
    Truncated,
    /// The service acts; its answer is larger than 1 MiB.
    Oversized,
    /// The service acts; its answer calls itself a page.
    WrongType,
    /// The service acts; the answer is empty.
    Empty,
    /// The service acts; the answer is an empty JSON object.
    EmptyObject,
    /// The service acts; the answer is JSON of another kind.
    OtherJson,
    /// The service acts; the answer is made of bytes that are commands and escapes elsewhere.
    HostileBytes,
    /// 400 with a message that is a command elsewhere, not acted on.
    HostileRefusal,
    /// The service acts and answers, and wants to be left alone for a while.
    Overdrawn,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 31] = [
        Self::Unreachable,
        Self::Untrusted,
        Self::Reset,
        Self::AnswerLost,
        Self::ActsAfterReset,
        Self::ActsAfterTimeout,
        Self::ActsAfterBadGateway,
        Self::ActsAfterUnavailable,
        Self::ActsAfterUnavailableForSeconds,
        Self::ActsAfterGatewayTimeout,
        Self::CutShort,
        Self::Slow,
        Self::SlowToAct,
        Self::ThrottledForSeconds,
        Self::ThrottledUntilDate,
        Self::ThrottledForLong,
        Self::Unavailable,
        Self::UnavailableForSeconds,
        Self::InternalError,
        Self::FailsAfterActing,
        Self::SignInPage,
        Self::PageAfterActing,
        Self::Truncated,
        Self::Oversized,
        Self::WrongType,
        Self::Empty,
        Self::EmptyObject,
        Self::OtherJson,
        Self::HostileBytes,
        Self::HostileRefusal,
        Self::Overdrawn,
    ];

    /// The course that the services follow.
    pub fn course(self, service: Service, dice: &mut Dice) -> Course {
        let mut course = Course::default();
        let body = |body: &'static str| vec![Spoil::Body(body.into())];
        match self {
            Self::Unreachable | Self::Untrusted | Self::Reset => course.unheard = true,
            Self::AnswerLost | Self::CutShort => course.delivery = Delivery::Reset,
            Self::ActsAfterReset => course.unheard = true,
            Self::ActsAfterTimeout => course.instead = gateway(408),
            Self::ActsAfterBadGateway => course.instead = gateway(502),
            Self::ActsAfterUnavailable => course.instead = gateway(503),
            Self::ActsAfterUnavailableForSeconds => {
                course.instead = Some(Instead::Unavailable(Some(RetryAfter::Seconds(2))));
            }
            Self::ActsAfterGatewayTimeout => course.instead = gateway(504),
            Self::Slow => course.delay_after = Duration::from_secs(1000),
            Self::SlowToAct => course.delay_before = Duration::from_secs(2),
            Self::ThrottledForSeconds => course.instead = Some(Instead::Throttled(RetryAfter::Seconds(2))),
            Self::ThrottledUntilDate => course.instead = Some(Instead::Throttled(RetryAfter::DateIn(3))),
            Self::ThrottledForLong => course.instead = Some(Instead::Throttled(RetryAfter::Seconds(3600))),
            Self::Unavailable => course.instead = Some(Instead::Unavailable(None)),
            Self::UnavailableForSeconds => {
                course.instead = Some(Instead::Unavailable(Some(RetryAfter::Seconds(2))));
            }
            Self::InternalError => course.instead = Some(Instead::InternalError),
            Self::FailsAfterActing => course.spoils = vec![Spoil::Replace(response(500, &[], "oops"))],
            Self::SignInPage => course.instead = Some(Instead::SignInPage),
            Self::PageAfterActing => {
                course.spoils = vec![Spoil::Replace(response(203, &[], "<html>Sign In</html>"))];
            }
            Self::Truncated => course.spoils = vec![Spoil::Truncate],
            // The wire reads no more than that: see `wire_error`.
            Self::Oversized => {}
            Self::WrongType => course.spoils = vec![Spoil::ContentType("text/html".into())],
            Self::Empty => course.spoils = body(""),
            Self::EmptyObject => course.spoils = body("{}"),
            Self::OtherJson => course.spoils = body("[null, 1, \"x\"]"),
            Self::HostileBytes => course.spoils = body(dice.pick(&HOSTILE_TEXTS)),
            Self::HostileRefusal => course.instead = Some(hostile_refusal(service, dice)),
            Self::Overdrawn => course.spoils = vec![Spoil::RetryAfter(RetryAfter::Seconds(3))],
        }
        course.late = self.acts_late().then(|| {
            let milliseconds = [100, 300, 1_000, 3_000, 6_000, 10_000, 14_000, 14_900];
            Duration::from_millis(dice.pick(&milliseconds))
        });
        course
    }

    /// The error that the wire ends in, where it is one.
    pub fn wire_error(self) -> Option<WireError> {
        match self {
            Self::Unreachable => Some(WireError::Unreachable("connection refused".into())),
            Self::Untrusted => Some(WireError::Untrusted { why: "it has expired".into(), remedy: "" }),
            Self::Reset | Self::AnswerLost | Self::ActsAfterReset => {
                Some(WireError::BrokenOff("connection reset".into()))
            }
            Self::CutShort => Some(WireError::BrokenOff("the body ended too early".into())),
            Self::Oversized => Some(WireError::TooLarge),
            _ => None,
        }
    }

    /// The fault in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "no connection comes about",
            Self::Untrusted => "the certificate does not hold",
            Self::Reset => "the connection is reset before the service has the request",
            Self::AnswerLost => {
                "the service acts; the connection is reset before a byte of the answer arrives"
            }
            Self::ActsAfterReset => "the connection is reset, and the service acts up to 15 s later",
            Self::ActsAfterTimeout => "408, and the service acts up to 15 s later",
            Self::ActsAfterBadGateway => "502, and the service acts up to 15 s later",
            Self::ActsAfterUnavailable => "503, and the service acts up to 15 s later",
            Self::ActsAfterUnavailableForSeconds => {
                "503 with `Retry-After`, and the service acts up to 15 s later"
            }
            Self::ActsAfterGatewayTimeout => "504, and the service acts up to 15 s later",
            Self::CutShort => "the service acts; the connection breaks in the midst of the answer",
            Self::Slow => "the service acts; the answer takes longer than anyone waits",
            Self::SlowToAct => "the service takes two seconds before it acts",
            Self::ThrottledForSeconds => "429 with `Retry-After` in seconds",
            Self::ThrottledUntilDate => "429 with `Retry-After` as a date",
            Self::ThrottledForLong => "429 with a `Retry-After` beyond any timeout",
            Self::Unavailable => "503",
            Self::UnavailableForSeconds => "503 with `Retry-After`",
            Self::InternalError => "500, not acted on",
            Self::FailsAfterActing => "the service acts, and answers 500",
            Self::SignInPage => "203 and the sign-in page, not acted on",
            Self::PageAfterActing => "the service acts; a proxy answers 203 and a page",
            Self::Truncated => "the service acts; half of its answer arrives, as if it were whole",
            Self::Oversized => "the service acts; its answer is larger than 1 MiB",
            Self::WrongType => "the service acts; its answer calls itself a page",
            Self::Empty => "the service acts; the answer is empty",
            Self::EmptyObject => "the service acts; the answer is an empty JSON object",
            Self::OtherJson => "the service acts; the answer is JSON of another kind",
            Self::HostileBytes => {
                "the service acts; the answer is made of bytes that are commands and escapes elsewhere"
            }
            Self::HostileRefusal => "400 with a message that is a command elsewhere, not acted on",
            Self::Overdrawn => "the service acts and answers, and wants to be left alone for a while",
        }
    }

    /// Whether the service has acted on the request when it is answered, or the wire fails.
    pub fn has_acted(self) -> bool {
        matches!(
            self,
            Self::AnswerLost
                | Self::CutShort
                | Self::Slow
                | Self::SlowToAct
                | Self::FailsAfterActing
                | Self::PageAfterActing
                | Self::Truncated
                | Self::Oversized
                | Self::WrongType
                | Self::Empty
                | Self::EmptyObject
                | Self::OtherJson
                | Self::HostileBytes
                | Self::Overdrawn
        )
    }

    /// Whether the service acts on the request only after it was answered, or the wire has failed.
    fn acts_late(self) -> bool {
        matches!(
            self,
            Self::ActsAfterReset
                | Self::ActsAfterTimeout
                | Self::ActsAfterBadGateway
                | Self::ActsAfterUnavailable
                | Self::ActsAfterUnavailableForSeconds
                | Self::ActsAfterGatewayTimeout
        )
    }
}

/// What a gateway says that has given up on the service behind it.
fn gateway(status: u16) -> Option<Instead> {
    Some(Instead::Response(response(status, &[("Content-Type", "text/html")], "<html>Gateway</html>")))
}

fn hostile_refusal(service: Service, dice: &mut Dice) -> Instead {
    let message = dice.pick(&HOSTILE_TEXTS);
    if service == Service::Entra {
        let error = serde_json::json!({ "error": "invalid_request", "error_description": message });
        return Instead::Response(response(400, &[], error.to_string()));
    }
    Instead::VssError {
        status: StatusCode::BAD_REQUEST,
        exception: "System.ArgumentException".into(),
        message: message.into(),
    }
}

/// When, during an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request is under way, and the service has not acted yet.
    Sent,
    /// The service has acted, and the answer is under way.
    Acted,
    /// The answer is there.
    Answered,
}

/// What befalls a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// It is gone, as after SIGKILL.
    Kill,
    /// It is told to end.
    Signal(Signal),
}

/// When what befalls a run does.
#[derive(Clone, Copy, Debug)]
pub struct Strike {
    /// At which of its exchanges; the first is 0.
    pub nth: usize,
    /// When in it.
    pub moment: Moment,
    /// What.
    pub blow: Blow,
}

/// Which of a run's exchanges are befallen by what.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// None.
    None,
    /// So many in a hundred, each by any fault; one in eight of them lasts for the rest of the run.
    Often(u64),
    /// This one (the first is 0) by the first fault, and the next one, which is its repetition, by the second.
    Twice {
        /// The first.
        nth: usize,
        /// By these.
        faults: [Fault; 2],
    },
    /// This one (the first is 0) and, from there, so many in a row.
    At {
        /// The first.
        nth: usize,
        /// How many.
        times: usize,
        /// By this.
        fault: Fault,
    },
}
