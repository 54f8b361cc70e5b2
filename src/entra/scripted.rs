//! For tests: a network that gives its answers one after the other and keeps what it was asked, in a world whose clock
//! stands still.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use tokio::sync::watch;

use super::{Client, Proof};
use crate::failure::Signal;
use crate::http::Http;
use crate::time::Deadline;
use crate::world::{Clock, Exchange, Random, Wire, WireError, World};

/// The client registration of every test.
pub(crate) const CLIENT: &str = "00000000-0000-0000-0000-000000000001";
/// The instant at which the clock stands.
pub(crate) const NOW: &str = "2026-11-24T10:00:00Z";

/// Answers in their order; a request beyond the last one is refused.
#[derive(Debug, Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Result<Response<Bytes>, WireError>>>,
    asked: Mutex<Vec<Request<Bytes>>>,
}

impl Script {
    pub(crate) fn of(answers: impl IntoIterator<Item = Result<Response<Bytes>, WireError>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() })
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Request<Bytes>> {
        self.asked.lock().expect("no test panicked").clone()
    }

    /// The form of the request at this place, name by name.
    pub(crate) fn form(&self, place: usize) -> std::collections::BTreeMap<String, String> {
        url::form_urlencoded::parse(self.asked()[place].body()).into_owned().collect()
    }
}

impl Wire for Script {
    fn exchange(&self, request: Request<Bytes>) -> Exchange<'_> {
        self.asked.lock().expect("no test panicked").push(request);
        let answer = self.answers.lock().expect("no test panicked").pop_front();
        let answer = answer
            .unwrap_or_else(|| Err(WireError::Untrusted { why: "the script has ended".into(), remedy: "" }));
        Box::pin(std::future::ready(answer))
    }
}

/// An answer with this status and JSON.
#[allow(clippy::unnecessary_wraps, reason = "a script's line is a Result")]
pub(crate) fn json(status: u16, body: Value) -> Result<Response<Bytes>, WireError> {
    text(status, "application/json", body.to_string())
}

/// An answer with this status, type and body.
pub(crate) fn text(status: u16, kind: &str, body: impl Into<String>) -> Result<Response<Bytes>, WireError> {
    let response = Response::builder().status(status).header("Content-Type", kind);
    Ok(response.body(Bytes::from(body.into())).expect("an answer"))
}

/// The way to the scripted wire, for `seconds`, and what cancels it.
pub(crate) fn http(script: &Arc<Script>, seconds: u64) -> (Http, watch::Sender<Option<Signal>>) {
    let world = World { wire: script.clone(), clock: Arc::new(Still), random: Arc::new(Counting::default()) };
    let (sender, receiver) = watch::channel(None);
    (Http::new(world, Deadline::new(Duration::from_secs(seconds), receiver)), sender)
}

/// A client of tenant `contoso.com` over the scripted wire.
pub(crate) fn client(script: &Arc<Script>, proof: Option<Proof>) -> Client {
    let (http, _sender) = http(script, 300);
    client_over(http, proof)
}

/// The same over this way.
pub(crate) fn client_over(http: Http, proof: Option<Proof>) -> Client {
    let authority = "https://login.microsoftonline.com".parse().expect("an address");
    Client::new(http, authority, "contoso.com".into(), CLIENT.into(), proof)
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        NOW.parse().expect("an instant")
    }
}

/// Bytes that never repeat, and are the same in every run.
#[derive(Debug, Default)]
struct Counting(std::sync::atomic::AtomicU32);

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(4) {
            let next = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            chunk.copy_from_slice(&next.to_be_bytes()[..chunk.len()]);
        }
    }
}
