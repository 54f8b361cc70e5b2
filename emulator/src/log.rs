//! The log of requests: what a test asserts order and count with.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;

use crate::call::query_pairs;
use crate::services::Service;

/// One request as it arrived, and what became of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Which service it went to.
    pub service: Service,
    /// Its method.
    pub method: Method,
    /// Its path, as it was written.
    pub path: String,
    /// Its query, decoded.
    pub query: Vec<(String, String)>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it arrived, by the services' clock.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is still under way, or held.
    Pending,
    /// This status was answered.
    Answered(StatusCode),
    /// No answer, or not all of it, arrived. The status is what the service would have answered; `None` if it
    /// did not act.
    Lost(Option<StatusCode>),
}

impl Recorded {
    pub(crate) fn new(service: Service, request: &http::Request<Bytes>, at: Timestamp) -> Self {
        Self {
            service,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: query_pairs(request.uri()),
            headers: request.headers().clone(),
            body: request.body().clone(),
            at,
            outcome: Outcome::Pending,
        }
    }

    /// The first parameter of this name in the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A field of the form in the body.
    pub fn form(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(&self.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The status that was answered, if an answer arrived.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Answered(status) => Some(status.as_u16()),
            Outcome::Pending | Outcome::Lost(_) => None,
        }
    }

    /// Method and path in one line, like `POST /fabrikam/_apis/tokens/pats`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}
