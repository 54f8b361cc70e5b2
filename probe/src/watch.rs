//! The wire that the probe looks through: it counts the requests, and keeps what the sign-in looked like.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use adopat::azure_devops::Endpoints;
use adopat::secret::Secret;
use adopat::world::{Exchange, Wire};
use bytes::Bytes;
use http::{Request, Response, Uri};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::seen::keys;

/// A wire that is watched.
pub struct Watched {
    wire: Arc<dyn Wire>,
    places: Endpoints,
    count: AtomicUsize,
    sign_in: Mutex<Option<SignIn>>,
}

/// The token request of the sign-in, as it may be sent once more, and what was answered.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Where it was sent.
    pub uri: Uri,
    /// Its body: it holds the refresh token, and a confidential client's proof.
    pub body: Secret,
    /// The names of the answer's fields.
    pub keys: String,
    /// The answer's `scope`.
    pub scope: Option<String>,
    /// The answer's `expires_in`, in seconds.
    pub expires_in: Option<u64>,
    /// Whether the refresh token in the answer is another than the one that was redeemed; `None` if none was
    /// redeemed, or none came back.
    pub rolled: Option<bool>,
}

impl Watched {
    pub(crate) fn new(wire: Arc<dyn Wire>, places: Endpoints) -> Self {
        Self { wire, places, count: AtomicUsize::new(0), sign_in: Mutex::new(None) }
    }

    /// How many requests were sent.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The token request that signed the user in, if there was one.
    pub fn sign_in(&self) -> Option<SignIn> {
        self.sign_in.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether an address is the sign-in host's.
    fn is_entra(&self, uri: &Uri) -> bool {
        Url::parse(&uri.to_string()).is_ok_and(|uri| uri.origin() == self.places.authority_host.origin())
    }

    async fn carry(&self, request: Request<Bytes>) -> Result<Response<Bytes>, adopat::world::WireError> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let asked = self.is_entra(request.uri()).then(|| request.clone());
        let answer = self.wire.exchange(request).await?;
        if let Some(asked) = asked {
            let mut first = self.sign_in.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_none() {
                *first = SignIn::of(&asked, &answer);
            }
        }
        Ok(answer)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watched").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Wire for Watched {
    fn exchange(&self, request: Request<Bytes>) -> Exchange<'_> {
        Box::pin(self.carry(request))
    }

    fn proxy(&self, address: &Url) -> Option<String> {
        self.wire.proxy(address)
    }

    fn private_issuer(&self, address: &Url) -> Option<String> {
        self.wire.private_issuer(address)
    }
}

impl SignIn {
    /// A token request that was answered with tokens.
    fn of(request: &Request<Bytes>, answer: &Response<Bytes>) -> Option<Self> {
        let is_one = request.uri().path().ends_with("/oauth2/v2.0/token") && !as_itself(request);
        if !is_one || answer.status() != 200 {
            return None;
        }
        let json: Value = serde_json::from_slice(answer.body()).ok()?;
        let redeemed = form_urlencoded::parse(request.body()).find(|(name, _)| name == "refresh_token");
        let rolled = redeemed.zip(json["refresh_token"].as_str()).map(|((_, old), new)| old != new);
        Some(Self {
            uri: request.uri().clone(),
            body: Secret::new(String::from_utf8(request.body().to_vec()).ok()?),
            keys: keys(&json),
            scope: json["scope"].as_str().map(str::to_owned),
            expires_in: json["expires_in"].as_u64(),
            rolled,
        })
    }
}

/// Whether a token request is an app's own, not a user's: an app that signs in as itself opens a store.
fn as_itself(request: &Request<Bytes>) -> bool {
    form_urlencoded::parse(request.body())
        .any(|(name, value)| name == "grant_type" && value == "client_credentials")
}
