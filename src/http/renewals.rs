//! Replaces access tokens that a policy revokes while the run goes on.
//!
//! A request whose token draws a [claims challenge](super::claims_challenge) asks for a new token and is sent again,
//! once. The run itself signs in and answers such requests; this module brings the two together and keeps track of
//! which token replaces which.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use tokio::sync::{mpsc, oneshot};

use super::request;
use crate::failure::Failure;
use crate::secret::Secret;
use crate::time::Deadline;

/// Who can be given another access token, and by whom. Clones share it.
#[derive(Clone, Default)]
pub struct Renewals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    attendant: Mutex<Option<mpsc::UnboundedSender<Ask>>>,
    bearers: Mutex<Vec<Bearer>>,
    /// Two requests that are challenged at once need one sign-in.
    turn: tokio::sync::Mutex<()>,
}

/// A bearer of a user who signed in with a refresh token.
struct Bearer {
    header: HeaderValue,
    refresh_token: Option<Secret>,
    /// What takes its place.
    fresh: Option<HeaderValue>,
}

/// A request for a fresh access token.
pub struct Ask {
    /// What the challenge wants in it, as JSON.
    pub claims: String,
    /// The refresh token that came with the revoked one.
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

    /// Remembers an access token for which there can be a fresh one.
    pub fn remember(&self, access_token: &Secret, refresh_token: Option<&Secret>) {
        let Some(header) = request::bearer(access_token) else { return };
        let mut bearers = self.0.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        bearers.push(Bearer { header, refresh_token: refresh_token.cloned(), fresh: None });
    }

    /// Puts the fresh bearer in the place of one that is known to be revoked.
    pub(super) fn freshen(&self, request: &mut Request<Bytes>) -> bool {
        let fresh = self.of(request, |bearer| bearer.fresh.clone()).flatten();
        let Some(fresh) = fresh else { return false };
        request.headers_mut().insert(AUTHORIZATION, fresh);
        true
    }

    /// Gets a fresh bearer for a request that was challenged; `None` if its bearer is not one that there is another
    /// for.
    pub(super) async fn renew(
        &self,
        request: &mut Request<Bytes>,
        claims: String,
        deadline: &Deadline,
    ) -> Option<Result<(), Failure>> {
        let _turn = self.0.turn.lock().await;
        if self.freshen(request) {
            return Some(Ok(()));
        }
        let refresh_token = self.of(request, |bearer| bearer.refresh_token.clone())?;
        let attendant = self.0.attendant.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (reply, answer) = oneshot::channel();
        attendant.send(Ask { claims, refresh_token, deadline: deadline.clone(), reply }).ok()?;
        match answer.await.ok()? {
            Ok(fresh) => {
                let fresh = request::bearer(&fresh)?;
                self.of(request, |bearer| bearer.fresh = Some(fresh));
                self.freshen(request).then_some(Ok(()))
            }
            Err(failure) => Some(Err(failure)),
        }
    }

    /// What is known of the request's bearer.
    fn of<T>(&self, request: &Request<Bytes>, look: impl FnOnce(&mut Bearer) -> T) -> Option<T> {
        let sent = request.headers().get(AUTHORIZATION)?;
        let mut bearers = self.0.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        bearers.iter_mut().find(|bearer| bearer.header == sent).map(look)
    }
}
