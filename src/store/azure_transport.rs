//! The Azure SDK's requests, sent over our own wire: the same proxy, the same trusted authorities, no redirect,
//! the same deadline.
//!
//! The SDK's own retries are switched off, since [`Http`] and the store retry already and obey `Retry-After` within
//! the run's deadline. (For virtual machines azure_identity insists on its own; every call is bounded from
//! outside.) What was last refused is kept as it came: the SDK reads error texts as borrowed strings, so that
//! an escape in one loses the whole answer.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::cloud::CustomConfiguration;
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, ClientOptions, HttpClient, RetryOptions, Transport};
use azure_core::http::{Request as SdkRequest, UserAgentOptions};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use url::Url;

use crate::http::{Answer, Effect, Http, NoAnswer};
use crate::time::Deadline;

/// A request that came to nothing.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Where it went.
    pub url: Url,
    /// What came of it: an answer whose status is no success, or none.
    pub outcome: Result<Answer, NoAnswer>,
}

/// Carries the Azure SDK's requests. One belongs to one store, which makes one call at a time.
#[derive(Debug)]
pub struct AzureTransport {
    http: Mutex<Http>,
    refused: Mutex<Option<Refused>>,
}

impl AzureTransport {
    /// A transport over this HTTP.
    pub fn new(http: Http) -> Arc<Self> {
        Arc::new(Self { http: Mutex::new(http), refused: Mutex::default() })
    }

    /// Begins a call that may take so much deadline, and forgets what the last one was refused.
    pub fn begin(&self, deadline: &Deadline) {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        *http = http.with_deadline(deadline.clone());
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The HTTP of the present call.
    pub fn http(&self) -> Http {
        self.http.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was refused last in the present call.
    pub fn refused(&self) -> Option<Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The options by which an SDK client, or a credential of azure_identity, uses this transport and no
    /// authority but this one (else azure_identity would ask the environment).
    pub fn options(self: &Arc<Self>, authority_host: &Url) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = authority_host.to_string();
        ClientOptions {
            transport: Some(Transport::new(self.clone())),
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(cloud.into())),
            user_agent: UserAgentOptions { application_id: Some("adopat".into()) },
            ..ClientOptions::default()
        }
    }

    fn keep(&self, url: &Url, outcome: &Result<Answer, NoAnswer>) {
        let refused = Refused { url: url.clone(), outcome: outcome.clone() };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
    }
}

#[async_trait]
impl HttpClient for AzureTransport {
    async fn execute_request(&self, request: &SdkRequest) -> azure_core::Result<AsyncRawResponse> {
        let converted = to_http(request)?;
        let draws_challenge =
            converted.method() != Method::POST && !converted.headers().contains_key(AUTHORIZATION);
        // A second sending of a write makes another version: the store looks first what became of the first one.
        let is_write = converted.method() == Method::PUT && !draws_challenge;
        let effect = if is_write { Effect::OnceOnly } else { Effect::Idempotent };
        let outcome = self.http().send(converted, effect).await;
        let expected = outcome.as_ref().is_ok_and(|answer| {
            let is_challenge =
                answer.status == StatusCode::UNAUTHORIZED && answer.headers.contains_key(WWW_AUTHENTICATE);
            answer.status.is_success() || (draws_challenge && is_challenge)
        });
        if !expected {
            self.keep(request.url(), &outcome);
        }
        outcome.map(to_sdk).map_err(|_| azure_core::Error::with_message(ErrorKind::Io, "no answer came"))
    }
}

fn to_http(request: &SdkRequest) -> azure_core::Result<Request<Bytes>> {
    let Body::Bytes(body) = request.body() else {
        return Err(azure_core::Error::with_message(ErrorKind::Other, "a secret is never streamed"));
    };
    let mut converted = Request::builder()
        .method(request.method().as_ref())
        .uri(request.url().as_str())
        .body(body.clone())
        .map_err(|error| azure_core::Error::new(ErrorKind::DataConversion, error))?;
    for (name, value) in request.headers().iter() {
        let name = HeaderName::try_from(name.as_str())
            .map_err(|error| azure_core::Error::new(ErrorKind::DataConversion, error))?;
        let mut value = HeaderValue::try_from(value.as_str())
            .map_err(|error| azure_core::Error::new(ErrorKind::DataConversion, error))?;
        value.set_sensitive(name == AUTHORIZATION);
        converted.headers_mut().insert(name, value);
    }
    Ok(converted)
}

fn to_sdk(answer: Answer) -> AsyncRawResponse {
    let mut headers = Headers::new();
    for (name, value) in &answer.headers {
        if let Ok(value) = value.to_str() {
            headers.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    AsyncRawResponse::from_bytes(answer.status.as_u16().into(), headers, answer.body)
}
