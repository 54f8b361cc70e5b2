//! A world for the tests of stores: a wire that answers from a function and keeps what it was asked.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::{ExitStatus, Output};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_identity::Executor;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use url::Url;

use super::Kind;
use super::vault_identity::{JobToken, VaultSettings};
use crate::failure::{Exit, Failure};
use crate::oidc::OidcSources;
use crate::secret::Secret;
use crate::store::vault_identity::VaultIdentity;
use crate::time::Deadline;
use crate::world::{Clock, Exchange, SystemRandom, Wire, WireError, World};

type Outcome = Result<Response<Bytes>, WireError>;

type Service = dyn Fn(&Request<Bytes>) -> Outcome + Send + Sync;

/// A wire that answers from a function.
pub struct FakeWire {
    answer: Box<Service>,
    asked: Mutex<Vec<Request<Bytes>>>,
}

impl fmt::Debug for FakeWire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FakeWire")
    }
}

impl Wire for FakeWire {
    fn exchange(&self, request: Request<Bytes>) -> Exchange<'_> {
        let outcome = (self.answer)(&request);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        Box::pin(async move {
            // As on a real network, others may go on meanwhile.
            tokio::task::yield_now().await;
            outcome
        })
    }
}

impl FakeWire {
    /// Every request so far, as `METHOD URL`.
    pub fn log(&self) -> Vec<String> {
        self.requests().iter().map(|request| format!("{} {}", request.method(), request.uri())).collect()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        "2026-11-24T12:00:00Z".parse().expect("an instant")
    }
}

/// A world whose wire answers from a function.
pub fn world(answer: impl Fn(&Request<Bytes>) -> Outcome + Send + Sync + 'static) -> (Arc<FakeWire>, World) {
    let wire = Arc::new(FakeWire { answer: Box::new(answer), asked: Mutex::default() });
    let world = World { wire: wire.clone(), clock: Arc::new(StillClock), random: Arc::new(SystemRandom) };
    (wire, world)
}

/// What a PAT is kept as.
pub fn pat() -> Kind {
    Kind::Pat {
        authorization_id: "00000000-0000-0000-0000-000000000001".into(),
        display_name: "nightly".into(),
        organization: "fabrikam".into(),
        scope: "vso.code vso.packaging".into(),
        valid_from: Some("2026-11-24T12:00:00Z".parse().expect("an instant")),
        valid_to: Some("2027-01-01T00:00:00.9Z".parse().expect("an instant")),
    }
}

/// A world in which nothing can be reached.
pub fn offline() -> World {
    world(|_| Err(WireError::Unreachable("the network is down".into()))).1
}

/// A job whose token is for one audience.
#[derive(Debug)]
struct Job;

#[async_trait]
impl JobToken for Job {
    async fn assertion(&self, audience: &str, _: &Deadline) -> Result<Secret, Failure> {
        match audience {
            "api://AzureADTokenExchange" => Ok(Secret::new("job.oidc.token".into())),
            _ => Err(Failure::new(Exit::SignIn, "The host gave no token.", "Ask for it.")),
        }
    }
}

/// An Azure CLI that prints this, or asks to sign in.
#[derive(Debug)]
pub struct Cli(pub Option<Value>);

#[async_trait]
impl Executor for Cli {
    async fn run(&self, _program: &OsStr, _args: &[&OsStr]) -> io::Result<Output> {
        let token = self.0.as_ref().ok_or_else(|| io::Error::other("Please run 'az login'."))?;
        let stdout = token.to_string().into_bytes();
        Ok(Output { status: ExitStatus::default(), stdout, stderr: Vec::new() })
    }
}

/// A job that has a token of its own, and no identity configured.
pub fn vault_settings() -> VaultSettings {
    VaultSettings {
        identity: VaultIdentity::default(),
        oidc: OidcSources::default(),
        service_connection: None,
        job_token: Arc::new(Job),
        azure_cli: Arc::new(Cli(None)),
        authority_host: Url::parse("https://login.microsoftonline.com").expect("an address"),
        mask: Arc::new(|_| ()),
    }
}

/// A JSON answer.
pub fn json(status: u16, body: &Value) -> Outcome {
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Bytes::from(body.to_string())).expect("an answer"))
}

/// A request's body, read as JSON.
pub fn body(request: &Request<Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap_or_default()
}

/// A deadline some seconds from now, which nobody cancels.
pub fn deadline(seconds: u64) -> Deadline {
    let (_, cancellation) = watch::channel(None);
    Deadline::new(std::time::Duration::from_secs(seconds), cancellation)
}
