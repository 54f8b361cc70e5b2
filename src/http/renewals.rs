//! Replaces access tokens that a policy revokes while the run goes on and, in a long run that asks for it, those that
//! expire.
//!
//! A request whose token draws a [claims challenge](super::claims_challenge) asks for a new token and is sent again,
//! once. The run itself signs in and answers such requests; this module brings the two together and keeps track of
//! which token replaces which.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Answer, ClaimsChallenge, request};
use crate::failure::Failure;
use crate::secret::Secret;
use crate::time::Deadline;

/// How long before its end an access token is renewed.
const AHEAD: Duration = Duration::from_secs(60);

/// Who can be given another access token, and by whom. Clones share it.
#[derive(Clone, Default)]
pub struct Renewals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    attendant: Mutex<Option<mpsc::UnboundedSender<Ask>>>,
    bearers: Mutex<Vec<Bearer>>,
    /// Two requests that are challenged at once need one sign-in.
    turn: tokio::sync::Mutex<()>,
    /// Whether those that end are renewed too.
    keeps_fresh: AtomicBool,
    /// Whether there was no other to be had.
    failed: AtomicBool,
}

/// A bearer of a user who signed in with a refresh token.
struct Bearer {
    header: HeaderValue,
    refresh_token: Option<Secret>,
    /// From when on it is renewed before it is used.
    due: Option<Instant>,
    /// Whether a service has taken it.
    accepted: bool,
    /// What takes its place.
    fresh: Option<HeaderValue>,
}

/// Why there is to be a fresh access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A policy revoked it: what the challenge wants in the next one, as JSON.
    Challenged(String),
    /// It has ended, or is about to.
    Over,
}

/// A request for a fresh access token.
pub struct Ask {
    /// Why.
    pub why: Why,
    /// The refresh token that came with the one before.
    pub refresh_token: Option<Secret>,
    /// How long there is.
    pub deadline: Deadline,
    /// Where the fresh access token goes.
    pub reply: oneshot::Sender<Result<Secret, Failure>>,
}

impl Renewals {
    /// Everything that is asked for from now on.
    pub fn attend(&self) -> mpsc::UnboundedReceiver<Ask> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.0.attendant.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// From now on those that end are renewed as well.
    pub fn keep_fresh(&self) {
        self.0.keeps_fresh.store(true, Ordering::Relaxed);
    }

    /// Whether a fresh access token was asked for and there was none: no other request will fare better.
    pub fn have_failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Remembers an access token for which there can be a fresh one, and when it ends, where that is known.
    pub fn remember(&self, access_token: &Secret, refresh_token: Option<&Secret>, ends: Option<Instant>) {
        let Some(header) = request::bearer(access_token) else { return };
        let now = Instant::now();
        // Of a short life not all is left unused.
        let due = ends.map(|ends| ends - AHEAD.min(ends.saturating_duration_since(now) / 10));
        let refresh_token = refresh_token.cloned();
        let mut bearers = self.0.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        bearers.push(Bearer { header, refresh_token, due, accepted: false, fresh: None });
    }

    /// Puts the fresh bearer in the place of one that is known to be over.
    pub(super) fn freshen(&self, request: &mut Request<Bytes>) -> bool {
        let mut is_fresh = false;
        while let Some(fresh) = self.of(request, |bearer| bearer.fresh.clone()).flatten() {
            request.headers_mut().insert(AUTHORIZATION, fresh);
            is_fresh = true;
        }
        is_fresh
    }

    /// Gets a fresh bearer for a request whose own is about to end.
    pub(super) async fn renew_before_its_end(
        &self,
        request: &mut Request<Bytes>,
        deadline: &Deadline,
    ) -> Result<(), Failure> {
        if !self.0.keeps_fresh.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.freshen(request);
        let is_due = |bearer: &mut Bearer| bearer.due.is_some_and(|due| due <= Instant::now());
        if self.of(request, is_due) != Some(true) {
            return Ok(());
        }
        self.renew(request, Why::Over, deadline).await.unwrap_or(Ok(()))
    }

    /// Why a request that was answered so needs a fresh bearer, if it does.
    pub(super) fn why_renew(&self, request: &Request<Bytes>, answer: &Answer) -> Option<Why> {
        if let Some(challenge) = ClaimsChallenge::of(answer) {
            return challenge.claims.map(Why::Challenged);
        }
        let is_taken = answer.status.is_success() && answer.status.as_u16() != 203;
        let was_accepted = self.of(request, |bearer| {
            bearer.accepted |= is_taken;
            bearer.accepted
        })?;
        let may_be_over = was_accepted && self.0.keeps_fresh.load(Ordering::Relaxed);
        (may_be_over && is_of_no_credential(answer)).then_some(Why::Over)
    }

    /// Gets a fresh bearer for a request; `None` if its bearer is not one that can be renewed.
    pub(super) async fn renew(
        &self,
        request: &mut Request<Bytes>,
        why: Why,
        deadline: &Deadline,
    ) -> Option<Result<(), Failure>> {
        let _turn = self.0.turn.lock().await;
        if self.freshen(request) {
            return Some(Ok(()));
        }
        let refresh_token = self.of(request, |bearer| bearer.refresh_token.clone())?;
        let attendant = self.0.attendant.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (reply, answer) = oneshot::channel();
        attendant.send(Ask { why, refresh_token, deadline: deadline.clone(), reply }).ok()?;
        match answer.await.ok()? {
            Ok(fresh) => {
                let fresh = request::bearer(&fresh)?;
                // One that is not another is none: it would be put in its own place for ever.
                self.of(request, |bearer| bearer.fresh = (bearer.header != fresh).then_some(fresh));
                self.freshen(request).then_some(Ok(()))
            }
            Err(failure) => {
                self.0.failed.store(true, Ordering::Relaxed);
                Some(Err(failure))
            }
        }
    }

    /// What is known of the request's bearer.
    fn of<T>(&self, request: &Request<Bytes>, look: impl FnOnce(&mut Bearer) -> T) -> Option<T> {
        let sent = request.headers().get(AUTHORIZATION)?;
        let mut bearers = self.0.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        bearers.iter_mut().find(|bearer| bearer.header == sent).map(look)
    }
}

/// Whether a service answers so to who comes without a credential that works: not to one whom it knows and does not let
/// in, whom it names.
fn is_of_no_credential(answer: &Answer) -> bool {
    if answer.status.as_u16() != 401 {
        return false;
    }
    let header = answer.header("X-TFS-ServiceError").unwrap_or_default().replace("%3A", ":");
    let words = format!("{header} {}", answer.text());
    !words.contains("TF400813") || words.contains("anonymous access")
}
