//! Faults to order: *which request*, and what becomes of it.
//!
//! A [`Fault`] is plain data between the wire and the services. The code that carries the requests, the
//! [server](crate::Emulator) or a simulation with a wire of its own, asks the
//! [switchboard](crate::Switchboard) for the [`Course`] of each one and follows it, step by step.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::azure_devops::{self, VssError};
use crate::call::Call;
use crate::cast::RefusalShape;
use crate::entra::aadsts::Aadsts;
use crate::hold::Hold;
use crate::services::{Service, Services};
use crate::{entra, kubernetes, moment, pats};

/// What a service's name, or a hostile person's, can hold, to be put where a careless client prints it.
pub const HOSTILE_TEXTS: [&str; 8] = [
    "##vso[task.setvariable variable=PATH]/tmp/evil",
    "text ##vso[task.complete result=Succeeded;]done",
    "##[error]not an error",
    "::set-output name=token::stolen",
    "first line\r\n::add-mask::e\r\n::warning::last line",
    "\u{1b}[2J\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}",
    "a\0b\u{8}\u{8}c\u{feff}d",
    "\u{202e}txet desrever\u{202c} \u{2066}isolated\u{2069}",
];

/// More bytes than any answer of these services should have: a little over 1 MiB.
pub const OVERSIZED: usize = (1 << 20) + 1;

/// How long to wait, as `Retry-After` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// As a number of seconds.
    Seconds(u64),
    /// As an HTTP date, so many seconds from the service's now.
    DateIn(u64),
}

impl RetryAfter {
    fn written(self, now: Timestamp) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::DateIn(seconds) => moment::http_date(now + Duration::from_secs(seconds)),
        }
    }
}

/// An answer that is given *instead* of acting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Instead {
    /// This one.
    Response(Response<Bytes>),
    /// 429 with `Retry-After`, as the service words it: `TF400733` and the rate headers from Azure DevOps.
    Throttled(RetryAfter),
    /// 503, with `Retry-After` or without.
    Unavailable(Option<RetryAfter>),
    /// 500, as the service words it.
    InternalError,
    /// 203 and the sign-in page.
    SignInPage,
    /// 401 with a claims challenge: a policy has revoked the access token.
    ClaimsChallenge,
    /// 302 to `_signin`.
    SignInRedirect,
    /// A `patTokenError` by name.
    PatTokenError {
        /// One of [`PAT_TOKEN_ERRORS`](crate::PAT_TOKEN_ERRORS), or one that is not known yet.
        error: String,
        /// In which shape.
        shape: RefusalShape,
    },
    /// Azure DevOps' generic error as it is sent before any controller is asked, BOM and all.
    VssError {
        /// The HTTP status.
        status: StatusCode,
        /// The exception's full .NET name; the part after the last dot is its `typeKey`.
        exception: String,
        /// The message.
        message: String,
    },
    /// A refusal of Entra.
    Aadsts(Box<Aadsts>),
}

impl Instead {
    pub(crate) fn render(
        &self,
        services: &mut Services,
        service: Service,
        call: &Call,
        now: Timestamp,
    ) -> Answer {
        match self {
            Self::Response(response) => response.clone(),
            Self::Throttled(wait) => {
                let answer = throttled(services, service, call, now);
                answer::with_header(answer, "Retry-After", &wait.written(now))
            }
            Self::Unavailable(wait) => {
                let page =
                    "<html><body><h1>Service Unavailable</h1><p>HTTP Error 503.</p></body></html>".to_owned();
                let answer = answer::html(StatusCode::SERVICE_UNAVAILABLE, page);
                match wait {
                    Some(wait) => answer::with_header(answer, "Retry-After", &wait.written(now)),
                    None => answer,
                }
            }
            Self::InternalError => internal_error(services, service, call, now),
            Self::SignInPage => azure_devops::sign_in_page(),
            Self::ClaimsChallenge => azure_devops::claims_challenge(services, now),
            Self::SignInRedirect => azure_devops::sign_in_redirect(services, call),
            Self::PatTokenError { error, shape } => pats::refused(error, *shape, azure_devops::Version(7, 1)),
            Self::VssError { status, exception, message } => {
                VssError::new(*status, exception, message.as_str()).before_controllers().render()
            }
            Self::Aadsts(refusal) => entra::render(services, call, refusal, now),
        }
    }
}

/// 429, as each service words it.
fn throttled(services: &mut Services, service: Service, call: &Call, now: Timestamp) -> Answer {
    const STATUS: StatusCode = StatusCode::TOO_MANY_REQUESTS;
    match service {
        Service::Entra => entra::render(services, call, &Aadsts::code(90055).status(STATUS), now),
        Service::Vault => answer::json(
            STATUS,
            &json!({"error": {"code": "Throttled", "message": "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"}}),
        ),
        Service::GitHub => answer::json(
            STATUS,
            &json!({"message": "You have exceeded a secondary rate limit.", "status": "429"}),
        ),
        Service::Kubernetes => {
            kubernetes::status(STATUS, "TooManyRequests", "Too many requests, please try again later.")
        }
        Service::Job | Service::ManagedIdentity => {
            answer::json(STATUS, &json!({"error": "Too many requests"}))
        }
        Service::Pats | Service::DevOps => {
            let answer = VssError::new(
                STATUS,
                "Microsoft.TeamFoundation.Framework.Server.ResourceUtilizationException",
                "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource \
                 'Concurrency' in namespace 'User'.",
            )
            .before_controllers()
            .render();
            let reset = (now + Duration::from_secs(300)).as_second().to_string();
            [
                ("X-RateLimit-Resource", "fabrikam/Concurrency"),
                ("X-RateLimit-Limit", "200"),
                ("X-RateLimit-Remaining", "0"),
                ("X-RateLimit-Reset", reset.as_str()),
            ]
            .iter()
            .fold(answer, |answer, (name, value)| answer::with_header(answer, name, value))
        }
    }
}

/// 500, as each service words it.
fn internal_error(services: &mut Services, service: Service, call: &Call, now: Timestamp) -> Answer {
    const STATUS: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
    match service {
        Service::Entra => entra::render(services, call, &Aadsts::code(90033).status(STATUS), now),
        Service::Vault => answer::json(
            STATUS,
            &json!({"error": {"code": "InternalServerError", "message": "An internal error has occurred."}}),
        ),
        Service::GitHub => answer::json(STATUS, &json!({"message": "Server Error", "status": "500"})),
        Service::Kubernetes => kubernetes::status(STATUS, "InternalError", "Internal error occurred"),
        Service::Job | Service::ManagedIdentity => answer::empty(STATUS),
        Service::Pats | Service::DevOps => {
            let activity = services.chance.guid();
            let message = format!("TF400898: An Internal Error Occurred. Activity Id: {activity}.");
            VssError::new(STATUS, "System.InvalidOperationException", message).before_controllers().render()
        }
    }
}

/// What is done to a true answer before it is sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Spoil {
    /// Another answer in its place; the request was acted on all the same.
    Replace(Response<Bytes>),
    /// Half its body, with a `Content-Length` that fits: JSON that ends too early.
    Truncate,
    /// White space behind the body, up to so many bytes.
    Inflate(usize),
    /// Another content type.
    ContentType(String),
    /// Another body, whatever its bytes; the content type stays.
    Body(Bytes),
    /// A UTF-8 byte order mark in front of the body.
    ByteOrderMark,
    /// One more header.
    Header(String, String),
    /// `Retry-After` on an answer that is otherwise as it was, a success perhaps.
    RetryAfter(RetryAfter),
    /// Whatever else can be made of the answer.
    Rewrite(Rewrite),
}

/// What is made of an answer.
#[derive(Clone)]
pub struct Rewrite(Arc<dyn Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync>);

impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rewrite")
    }
}

impl Spoil {
    /// The spoiled answer.
    pub fn apply(&self, mut answer: Response<Bytes>, now: Timestamp) -> Response<Bytes> {
        match self {
            Self::Replace(response) => return response.clone(),
            Self::Truncate => {
                let half = answer.body().len() / 2;
                answer.body_mut().truncate(half);
            }
            Self::Inflate(length) => {
                let mut body = BytesMut::from(&answer.body()[..]);
                body.put_bytes(b' ', length.saturating_sub(body.len()));
                *answer.body_mut() = body.freeze();
            }
            Self::ContentType(kind) => {
                if let Ok(kind) = HeaderValue::try_from(kind) {
                    answer.headers_mut().insert(CONTENT_TYPE, kind);
                }
            }
            Self::Body(body) => *answer.body_mut() = body.clone(),
            Self::ByteOrderMark => {
                let body = [b"\xef\xbb\xbf", &answer.body()[..]].concat();
                *answer.body_mut() = Bytes::from(body);
            }
            Self::Header(name, value) => return answer::with_header(answer, name, value),
            Self::RetryAfter(wait) => {
                if let Ok(value) = HeaderValue::try_from(wait.written(now)) {
                    answer.headers_mut().insert(RETRY_AFTER, value);
                }
            }
            Self::Rewrite(Rewrite(rewrite)) => answer = rewrite(answer),
        }
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer
    }
}

/// How the answer travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// As it is.
    #[default]
    Whole,
    /// Not at all: the connection is reset (TCP RST).
    Reset,
    /// Not at all: the connection is closed.
    Closed,
    /// So many bytes of the body, then the connection is closed.
    CutAfter(usize),
}

/// What becomes of one request: the steps are followed in the order of the fields.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// It is held until the test lets go.
    pub hold_before: Option<Hold>,
    /// It is slow.
    pub delay_before: Duration,
    /// It is not acted on, and this is the answer. Without it, the services act.
    pub instead: Option<Instead>,
    /// It is not acted on, and there is no answer: see [`Course::delivery`].
    pub unheard: bool,
    /// The services act after all, so long after the answer (or the end of the connection): as where a gateway has
    /// given up on a service that is still at work. Alone, there is no answer.
    pub late: Option<Duration>,
    /// What is done to the answer.
    pub spoils: Vec<Spoil>,
    /// The answer is slow.
    pub delay_after: Duration,
    /// The answer is held until the test lets go.
    pub hold_after: Option<Hold>,
    /// How the answer travels.
    pub delivery: Delivery,
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Left(usize),
    Always,
}

type Predicate = Arc<dyn Fn(&http::Request<Bytes>) -> bool + Send + Sync>;

/// One fault: which request, and what becomes of it. Of several faults that fit a request the one that was
/// ordered first strikes.
///
/// ```
/// use adopat_emulator::{Fault, Service};
///
/// // The second POST to the PAT API is carried out, but its answer never arrives.
/// Fault::on(Service::Pats).method("POST").nth(2).lose_answer();
/// ```
#[derive(Clone)]
pub struct Fault {
    service: Service,
    method: Option<Method>,
    path: Option<String>,
    query: Option<String>,
    predicate: Option<Predicate>,
    skip: usize,
    times: Times,
    course: Course,
    struck: Hold,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("service", &self.service)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("skip", &self.skip)
            .field("times", &self.times)
            .field("course", &self.course)
            .finish_non_exhaustive()
    }
}

// Which request.
impl Fault {
    /// On the next request to this service, once.
    pub fn on(service: Service) -> Self {
        Self {
            service,
            method: None,
            path: None,
            query: None,
            predicate: None,
            skip: 0,
            times: Times::Left(1),
            course: Course::default(),
            struck: Hold::default(),
        }
    }

    /// With this method only.
    ///
    /// # Panics
    /// When it is no method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.parse().expect("a method"));
        self
    }

    /// Whose path contains this, in any case.
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_lowercase());
        self
    }

    /// Whose query, as it is written in the address, contains this, in any case.
    pub fn query(mut self, part: &str) -> Self {
        self.query = Some(part.to_lowercase());
        self
    }

    /// For which this holds.
    pub fn when(mut self, predicate: impl Fn(&http::Request<Bytes>) -> bool + Send + Sync + 'static) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    /// Beginning with the nth one that fits; the first is 1.
    pub fn nth(mut self, n: usize) -> Self {
        self.skip = n.saturating_sub(1);
        self
    }

    /// So many times in a row. Without it, once.
    pub fn times(mut self, times: usize) -> Self {
        self.times = Times::Left(times);
        self
    }

    /// Every time.
    pub fn always(mut self) -> Self {
        self.times = Times::Always;
        self
    }
}

// What becomes of it.
impl Fault {
    /// Not acted on: this answer instead.
    pub fn instead(mut self, instead: Instead) -> Self {
        self.course.instead = Some(instead);
        self
    }

    /// Not acted on: an answer with this status, these headers, this body.
    ///
    /// # Panics
    /// When that makes no response.
    pub fn answer(self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        self.instead(Instead::Response(response(status, headers, body)))
    }

    /// Not acted on: 429 with `Retry-After`.
    pub fn throttle(self, wait: RetryAfter) -> Self {
        self.instead(Instead::Throttled(wait))
    }

    /// Not acted on: 503.
    pub fn unavailable(self) -> Self {
        self.instead(Instead::Unavailable(None))
    }

    /// Not acted on: 500.
    pub fn internal_error(self) -> Self {
        self.instead(Instead::InternalError)
    }

    /// Not acted on: 203 and the sign-in page.
    pub fn sign_in_page(self) -> Self {
        self.instead(Instead::SignInPage)
    }

    /// Not acted on: 401 with a claims challenge, as for an access token that a policy has revoked.
    pub fn claims_challenge(self) -> Self {
        self.instead(Instead::ClaimsChallenge)
    }

    /// Not acted on: 302 to `_signin`.
    pub fn sign_in_redirect(self) -> Self {
        self.instead(Instead::SignInRedirect)
    }

    /// Not acted on: this `patTokenError`.
    pub fn pat_token_error(self, error: &str, shape: RefusalShape) -> Self {
        self.instead(Instead::PatTokenError { error: error.to_owned(), shape })
    }

    /// Not acted on: this refusal of Entra.
    pub fn aadsts(self, refusal: Aadsts) -> Self {
        self.instead(Instead::Aadsts(Box::new(refusal)))
    }

    /// Not acted on: the connection is reset.
    pub fn reset(mut self) -> Self {
        self.course.unheard = true;
        self.course.delivery = Delivery::Reset;
        self
    }

    /// Acted on, but the connection is reset before a byte of the answer arrives.
    pub fn lose_answer(mut self) -> Self {
        self.course.delivery = Delivery::Reset;
        self
    }

    /// Acted on, but the connection is closed before a byte of the answer arrives.
    pub fn close_without_answer(mut self) -> Self {
        self.course.delivery = Delivery::Closed;
        self
    }

    /// The connection is closed after so many bytes of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.course.delivery = Delivery::CutAfter(bytes);
        self
    }

    /// Slow, before acting.
    pub fn delay_before(mut self, delay: Duration) -> Self {
        self.course.delay_before = delay;
        self
    }

    /// Slow, after acting and before answering.
    pub fn delay_after(mut self, delay: Duration) -> Self {
        self.course.delay_after = delay;
        self
    }

    /// Acted on after all, so long after what the client sees: combined with an [answer](Self::answer) or a
    /// [reset](Self::reset), as where a gateway gives up on a service that is still at work.
    pub fn acts_late(mut self, late: Duration) -> Self {
        self.course.late = Some(late);
        self
    }

    /// Held before acting, until the test lets go through what [ordering](crate::Emulator::order) returned.
    pub fn hold_before(mut self) -> Self {
        self.course.hold_before = Some(self.struck.clone());
        self
    }

    /// Acted on, and the answer held, until the test lets go through what
    /// [ordering](crate::Emulator::order) returned.
    pub fn hold_after(mut self) -> Self {
        self.course.hold_after = Some(self.struck.clone());
        self
    }

    /// The answer is spoiled; several spoil it one after the other.
    pub fn spoil(mut self, spoil: Spoil) -> Self {
        self.course.spoils.push(spoil);
        self
    }

    /// Acted on; half the body arrives, as if it were whole.
    pub fn truncate(self) -> Self {
        self.spoil(Spoil::Truncate)
    }

    /// Acted on; the body is larger than 1 MiB.
    pub fn oversize(self) -> Self {
        self.spoil(Spoil::Inflate(OVERSIZED))
    }

    /// Acted on; the body is said to be something else.
    pub fn content_type(self, kind: &str) -> Self {
        self.spoil(Spoil::ContentType(kind.to_owned()))
    }

    /// Acted on; these bytes are the body.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.spoil(Spoil::Body(body.into()))
    }

    /// Acted on; the answer is what this makes of it: for a service that is said to behave otherwise.
    pub fn rewrite(
        self,
        rewrite: impl Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.spoil(Spoil::Rewrite(Rewrite(Arc::new(rewrite))))
    }

    /// Acted on, answered as usual, and `Retry-After` besides.
    pub fn retry_after(self, wait: RetryAfter) -> Self {
        self.spoil(Spoil::RetryAfter(wait))
    }
}

/// A response, for [`Instead::Response`] and [`Spoil::Replace`].
///
/// # Panics
/// When the parts make no response.
pub fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).expect("status and headers that HTTP allows")
}

/// The faults that were ordered.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn order(&mut self, fault: Fault) -> Hold {
        let handle = fault.struck.clone();
        self.0.push(fault);
        handle
    }

    pub(crate) fn clear(&mut self) {
        for fault in self.0.drain(..) {
            fault.struck.release();
        }
    }

    /// The course of this request. Every fault that fits counts it; the first one that is due strikes.
    pub(crate) fn course(&mut self, service: Service, request: &http::Request<Bytes>) -> Course {
        let mut course = None;
        for fault in self.0.iter_mut().filter(|fault| fault.fits(service, request)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if course.is_none() && fault.strike() {
                course = Some(fault.course.clone());
            }
        }
        course.unwrap_or_default()
    }
}

impl Fault {
    fn fits(&self, service: Service, request: &http::Request<Bytes>) -> bool {
        let contains = |whole: &str, part: &Option<String>| {
            part.as_ref().is_none_or(|part| whole.to_lowercase().contains(part.as_str()))
        };
        self.service == service
            && self.method.as_ref().is_none_or(|method| method == request.method())
            && contains(request.uri().path(), &self.path)
            && contains(request.uri().query().unwrap_or_default(), &self.query)
            && self.predicate.as_ref().is_none_or(|predicate| predicate(request))
    }

    fn strike(&mut self) -> bool {
        match &mut self.times {
            Times::Left(0) => return false,
            Times::Left(left) => *left -= 1,
            Times::Always => {}
        }
        self.struck.count();
        true
    }
}
