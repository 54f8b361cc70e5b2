//! Entra's token endpoint, as one app registration of one tenant: what every flow has in common, and the flow
//! that needs no person, a refresh token redeemed for an access token.
//!
//! Nothing here retries on an AADSTS number, and nothing ever looks into a token.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, ClientId, DeviceAuthorizationUrl, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenResponse,
    TokenUrl,
};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use super::client_authentication::{Proof, Proven};
use super::refusal::{self, App, ErrorAnswer};
use super::token_answer::{TokenAnswer, token};
use super::{AZURE_DEVOPS, Tokens};
use crate::failure::{Exit, Failure};
use crate::http::{Answer, Effect, Http};
use crate::secret::Secret;
use crate::time::Deadline;

/// How often a request is sent that Entra answers with "temporarily unavailable" under a status that does not
/// say so.
const ATTEMPTS: u32 = 4;

/// The protocol's client, with Entra's own error answer and all its endpoints known.
pub(super) type Protocol = oauth2::Client<
    ErrorAnswer,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// One app registration of one tenant, at one of Microsoft's sign-in hosts.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) http: Http,
    authority: Url,
    tenant: String,
    client_id: String,
    proof: Option<Proof>,
}

/// Why Entra gave no tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What a person reads.
    pub failure: Failure,
    /// Entra said `invalid_grant`: another refresh token may do better.
    pub invalid_grant: bool,
    /// The protocol's name of the error; `None` if Entra did not answer.
    pub error: Option<String>,
    /// A new refresh token that came without an access token: the only copy there is.
    pub rolled: Option<Secret>,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, invalid_grant: false, error: None, rolled: None }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.failure
    }
}

impl Client {
    /// The app registration `client_id` of `tenant` (GUID, domain or `organizations`) at `authority`; `proof` is
    /// a confidential client's.
    pub fn new(http: Http, authority: Url, tenant: String, client_id: String, proof: Option<Proof>) -> Self {
        Self { http, authority, tenant, client_id, proof }
    }

    /// The same client under another deadline, like that of cleaning up.
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        let proof = self.proof.as_ref().map(|proof| proof.with_deadline(&deadline));
        Self { http: self.http.with_deadline(deadline), proof, ..self.clone() }
    }

    /// Redeems a refresh token for an access token to Azure DevOps. The answer nearly always holds a new
    /// refresh token, which has to be stored in place of the old one before anything else is done. `claims`, in JSON,
    /// are what a service that no longer takes the last access token wants in this one.
    ///
    /// # Errors
    /// Exit 3 if Entra refuses, 6 if it fails or is not heard. A new refresh token may have come all the same.
    pub async fn redeem(&self, refresh_token: &Secret, claims: Option<&str>) -> Result<Tokens, Refusal> {
        let transport = self.transport();
        let protocol = self.protocol();
        let refresh_token = RefreshToken::new(refresh_token.expose().to_owned());
        let mut request = protocol.exchange_refresh_token(&refresh_token).add_scopes(scopes());
        if let Some(claims) = claims {
            request = request.add_extra_param("claims", claims);
        }
        let proven = self.prove().await?;
        for (name, value) in &proven.parameters {
            request = request.add_extra_param(*name, value.expose());
        }
        let answer = request.request_async(&transport).await;
        answer.map(tokens).map_err(|error| self.refusal(error, &transport, &proven, self.app()))
    }

    /// Where a sign-in begins, at which host and for whom: for the words of a failure.
    pub(super) fn app(&self) -> App<'_> {
        let (tenant, client_id) = (&self.tenant, &self.client_id);
        App { authority: &self.authority, tenant, client_id, asked_a_person: false }
    }

    /// Who answers, for the words of a failure.
    pub(super) fn service(&self) -> String {
        format!("Microsoft Entra ({})", self.authority.host_str().unwrap_or_default())
    }

    /// The protocol's client for this app registration. Secrets come in request by request.
    pub(super) fn protocol(&self) -> Protocol {
        oauth2::Client::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(self.endpoint("authorize")))
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(self.endpoint("devicecode")))
            .set_token_uri(TokenUrl::from_url(self.endpoint("token")))
    }

    /// Carries one request of the protocol, under an id of its own.
    pub(super) fn transport(&self) -> OAuthTransport {
        let (http, request_id) = (self.http.clone(), self.http.world().uuid());
        OAuthTransport { http, service: self.service(), request_id, rolled: Mutex::default() }
    }

    /// What a confidential client adds to a token request; nothing for a public one.
    pub(super) async fn prove(&self) -> Result<Proven, Failure> {
        match &self.proof {
            None => Ok(Proven::default()),
            Some(proof) => proof.prove(&self.http, &self.client_id, &self.endpoint("token")).await,
        }
    }

    /// What a request that brought no tokens comes to.
    pub(super) fn refusal(
        &self,
        error: RequestTokenError<Failure, ErrorAnswer>,
        transport: &OAuthTransport,
        proven: &Proven,
        app: App<'_>,
    ) -> Refusal {
        let refusal = match error {
            RequestTokenError::ServerResponse(error) => {
                let failure = refusal::of_error(&error, app);
                Refusal {
                    failure: match &proven.job {
                        Some(job) if error.code().is_some_and(refusal::is_about_federation) => {
                            let remedy = format!("{} The job's token says {job}.", failure.remedy);
                            Failure { remedy, ..failure }
                        }
                        _ => failure,
                    },
                    invalid_grant: error.error == "invalid_grant",
                    error: Some(error.error),
                    rolled: None,
                }
            }
            RequestTokenError::Request(failure) => failure.into(),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Failure::new(
                Exit::Service,
                format!("The answer of {} lacks what the protocol promises.", self.service()),
                "Check authority-host, and that no proxy changes its answers; if it keeps failing, run it again later.",
            )
            .into(),
        };
        let id = ("client-request-id", transport.request_id.to_string());
        let rolled = transport.rolled.lock().unwrap_or_else(PoisonError::into_inner).take();
        Refusal { failure: refusal.failure.with_support_ids([id]), rolled, ..refusal }
    }

    /// An endpoint of the tenant: `authorize`, `devicecode` or `token`.
    pub(super) fn endpoint(&self, name: &str) -> Url {
        let mut url = self.authority.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([self.tenant.as_str(), "oauth2", "v2.0", name]);
        }
        url
    }
}

/// All the permissions for Azure DevOps that were consented to, and a refresh token.
pub(super) fn scopes() -> [Scope; 2] {
    [Scope::new(format!("{AZURE_DEVOPS}/.default")), Scope::new("offline_access".into())]
}

/// The tokens in an answer.
pub(super) fn tokens(answer: TokenAnswer) -> Tokens {
    let permission = |scope: &Scope| scope.rsplit('/').next().unwrap_or_default().to_owned();
    Tokens {
        access_token: Secret::new(answer.access_token().secret().clone()),
        expires: answer.expires_in().and_then(|lifetime: Duration| Instant::now().checked_add(lifetime)),
        refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret().clone())),
        granted: answer.scopes().map(|scopes| scopes.iter().map(permission).collect()),
    }
}

/// Carries one request of the protocol over our [`Http`], with the id that support can find it by. What comes
/// back is a token or an error of the protocol; all else is a failure.
#[derive(Debug)]
pub(super) struct OAuthTransport {
    http: Http,
    service: String,
    pub(super) request_id: Uuid,
    /// The refresh token in the answer, which must not be lost if the rest of it is useless.
    rolled: Mutex<Option<Secret>>,
}

impl<'c> AsyncHttpClient<'c> for OAuthTransport {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.carry(request.map(Bytes::from)))
    }
}

impl OAuthTransport {
    async fn carry(&self, mut request: http::Request<Bytes>) -> Result<HttpResponse, Failure> {
        let id = HeaderValue::try_from(self.request_id.to_string()).expect("a GUID is plain ASCII");
        request.headers_mut().insert("client-request-id", id);
        let no_answer = |error: crate::http::NoAnswer| error.into_failure(&self.service);
        let mut attempt = 1;
        let answer = loop {
            let answer = self.http.send(request.clone(), Effect::Precious).await.map_err(no_answer)?;
            let later = !is_busy(&answer) && error_in(&answer).is_some_and(|error| error.is_transient());
            if !later || attempt >= ATTEMPTS {
                break answer;
            }
            let now = self.http.clock().now();
            let wait = answer.retry_after(now).unwrap_or_else(|| self.http.backoff(attempt));
            self.http.wait(wait).await.map_err(no_answer)?;
            attempt += 1;
        };
        if is_busy(&answer) {
            return Err(refusal::of_busy_service(&answer, &self.service));
        }
        let is_protocol = if answer.status == 200 {
            answer.json::<serde_json::Map<String, serde_json::Value>>().is_ok_and(|answer| {
                let rolled = answer.get("refresh_token").and_then(token);
                *self.rolled.lock().unwrap_or_else(PoisonError::into_inner) =
                    rolled.map(|rolled| Secret::new(rolled.to_owned()));
                answer.get("access_token").is_none_or(|value| token(value).is_some())
            })
        } else {
            answer.status.is_client_error() && error_in(&answer).is_some()
        };
        if !is_protocol {
            return Err(refusal::of_strange_answer(&answer, &self.service));
        }
        // Only status and body go on: a proxy's odd Content-Type is no reason to refuse a good token.
        let mut response = HttpResponse::new(answer.text().as_bytes().to_vec());
        *response.status_mut() = answer.status;
        Ok(response)
    }
}

fn error_in(answer: &Answer) -> Option<ErrorAnswer> {
    answer.json().ok()
}

/// Statuses by which a service says that it is busy or failing, whatever its words.
fn is_busy(answer: &Answer) -> bool {
    answer.status.is_server_error() || matches!(answer.status.as_u16(), 408 | 429)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::scripted::{self, CLIENT, Script};
    use super::*;
    use crate::world::WireError;

    fn refresh_token() -> Secret {
        Secret::new("0.AXoA-fake-old".into())
    }

    fn good() -> Value {
        json!({
            "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599,
            "scope": "499b84ac-1321-427f-aa17-267ca6975798/vso.pats 499b84ac-1321-427f-aa17-267ca6975798/vso.pats_manage",
            "access_token": "eyJ0.fake.access", "refresh_token": "0.AXoA-fake-new",
        })
    }

    async fn refused(answer: Result<http::Response<Bytes>, WireError>) -> Refusal {
        let script = Script::of([answer]);
        scripted::client(&script, None).redeem(&refresh_token(), None).await.expect_err("no tokens")
    }

    #[tokio::test(start_paused = true)]
    async fn a_refresh_token_is_redeemed_and_rolled() {
        let script = Script::of([scripted::json(200, good())]);
        let tokens = scripted::client(&script, None).redeem(&refresh_token(), None).await.expect("tokens");
        assert_eq!(tokens.access_token.expose(), "eyJ0.fake.access");
        assert_eq!(tokens.refresh_token.as_ref().map(Secret::expose), Some("0.AXoA-fake-new"));
        assert_eq!(tokens.granted, Some(vec!["vso.pats".into(), "vso.pats_manage".into()]));
        assert!(tokens.good_for(Duration::from_secs(3598)) && !tokens.good_for(Duration::from_secs(3600)));
        let asked = &script.asked()[0];
        assert_eq!(asked.uri(), "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token");
        let form = script.form(0);
        assert_eq!(form["grant_type"], "refresh_token");
        assert_eq!(form["refresh_token"], "0.AXoA-fake-old");
        assert_eq!(form["client_id"], CLIENT);
        assert_eq!(form["scope"], "499b84ac-1321-427f-aa17-267ca6975798/.default offline_access");
        assert_eq!(form.len(), 4, "a public client proves nothing");
        assert!(!asked.headers().contains_key("authorization"));
    }

    #[tokio::test(start_paused = true)]
    async fn every_request_has_an_id_of_its_own() {
        let script = Script::of([scripted::json(200, good()), scripted::json(200, good())]);
        let client = scripted::client(&script, Some(Proof::Secret(Secret::new("fake~secret".into()))));
        for _ in 0..2 {
            client.redeem(&refresh_token(), None).await.expect("tokens");
        }
        let asked = script.asked();
        assert_ne!(asked[0].headers()["client-request-id"], asked[1].headers()["client-request-id"]);
        assert_eq!(script.form(0)["client_secret"], "fake~secret");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_a_refresh_token_or_scope_is_good() {
        let answer = json!({ "token_type": "Bearer", "access_token": "eyJ0.fake.access" });
        let script = Script::of([scripted::json(200, answer)]);
        let tokens = scripted::client(&script, None).redeem(&refresh_token(), None).await.expect("tokens");
        assert_eq!((tokens.refresh_token, tokens.granted, tokens.expires), (None, None, None));
    }

    #[rstest]
    #[tokio::test(start_paused = true)]
    async fn a_refresh_token_that_can_be_none_is_none(#[values("", " ", "a\nb")] blank: &str) {
        let mut answer = good();
        answer["refresh_token"] = blank.into();
        let script = Script::of([scripted::json(200, answer)]);
        let tokens = scripted::client(&script, None).redeem(&refresh_token(), None).await.expect("tokens");
        assert!(tokens.refresh_token.is_none());
    }

    #[rstest]
    #[tokio::test(start_paused = true)]
    async fn an_access_token_that_can_be_none_is_no_answer(#[values("", " ")] blank: &str) {
        let mut answer = good();
        answer["access_token"] = blank.into();
        let refusal = refused(scripted::json(200, answer)).await;
        assert_eq!(refusal.failure.exit, Exit::Service);
        assert!(refusal.failure.cause.contains("no token"), "{}", refusal.failure);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_names_its_code_and_every_id_that_support_asks_for() {
        let refusal = refused(scripted::json(
            400,
            json!({
                "error": "invalid_grant", "error_codes": [700_082], "suberror": "bad_token",
                "error_description": "AADSTS700082: The refresh token has expired due to inactivity.",
                "correlation_id": "c-id", "trace_id": "t-id", "timestamp": "2026-11-24 10:00:00Z",
            }),
        ))
        .await;
        assert!(refusal.invalid_grant);
        assert_eq!(refusal.failure.exit, Exit::SignIn);
        assert_eq!(refusal.failure.name.as_deref(), Some("AADSTS700082"));
        let names: Vec<_> = refusal.failure.support_ids.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["correlation id", "trace id", "timestamp", "client-request-id"]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_invalid_grant_sends_the_caller_back_to_its_store() {
        let refusal =
            refused(scripted::json(401, json!({ "error": "invalid_client", "error_codes": [7_000_218] })));
        assert!(!refusal.await.invalid_grant);
    }

    #[rstest]
    #[case::sign_in_page(200, "text/html", "<html>Sign in to your account</html>", Exit::SignIn)]
    #[case::captive_portal(200, "text/html", "<html>Welcome to the hotel</html>", Exit::Service)]
    #[case::non_authoritative(203, "text/html", "<html></html>", Exit::SignIn)]
    #[case::redirect(302, "text/html", "", Exit::SignIn)]
    #[case::blocked_by_a_proxy(403, "text/html", "<html>Blocked</html>", Exit::Service)]
    #[case::nothing(200, "application/json", "", Exit::Service)]
    #[case::another_protocol(404, "application/json", r#"{"message":"no"}"#, Exit::Service)]
    #[case::no_token(200, "application/json", r#"{"token_type":"Bearer"}"#, Exit::Service)]
    #[case::a_list(200, "application/json", "[]", Exit::Service)]
    #[case::broken(200, "application/json", r#"{"access_token":"#, Exit::Service)]
    #[tokio::test(start_paused = true)]
    async fn what_is_no_token_is_told_as_what_it_is(
        #[case] status: u16,
        #[case] kind: &str,
        #[case] body: &str,
        #[case] exit: Exit,
    ) {
        let refusal = refused(scripted::text(status, kind, body)).await;
        assert_eq!(refusal.failure.exit, exit, "{}", refusal.failure);
        assert!(refusal.failure.cause.contains("login.microsoftonline.com"), "{}", refusal.failure);
        assert!(!refusal.invalid_grant);
    }

    #[tokio::test(start_paused = true)]
    async fn where_a_redirect_leads_is_named_and_not_followed() {
        let answer =
            http::Response::builder().status(302).header("Location", "https://portal.example/?token=secret");
        let script = Script::of([Ok(answer.body(Bytes::new()).expect("an answer"))]);
        let failure =
            scripted::client(&script, None).redeem(&refresh_token(), None).await.expect_err("none").failure;
        assert_eq!((failure.exit, script.asked().len()), (Exit::SignIn, 1));
        assert!(failure.cause.contains("redirect to portal.example (HTTP 302)"), "{failure}");
        assert!(!failure.to_string().contains("token=secret"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_before_the_json_and_an_odd_type_do_no_harm() {
        let script = Script::of([scripted::text(200, "text/plain", format!("\u{feff}{}", good()))]);
        scripted::client(&script, None).redeem(&refresh_token(), None).await.expect("tokens");
    }

    #[rstest]
    #[case::status(503, json!({ "error": "temporarily_unavailable", "error_codes": [90033], "correlation_id": "c-id" }))]
    #[case::words(400, json!({ "error": "temporarily_unavailable", "error_codes": [90033], "correlation_id": "c-id" }))]
    #[tokio::test(start_paused = true)]
    async fn a_passing_fault_is_repeated_and_then_told(#[case] status: u16, #[case] busy: Value) {
        let answers: Vec<_> = (0..3).map(|_| scripted::json(status, busy.clone())).collect();
        let script = Script::of(answers.into_iter().chain([scripted::json(200, good())]));
        scripted::client(&script, None).redeem(&refresh_token(), None).await.expect("tokens at last");

        let script = Script::of((0..4).map(|_| scripted::json(status, busy.clone())));
        let failure =
            scripted::client(&script, None).redeem(&refresh_token(), None).await.expect_err("none").failure;
        assert_eq!((failure.exit, script.asked().len()), (Exit::Service, 4));
        assert_eq!(failure.name.as_deref(), Some("AADSTS90033"));
        assert!(failure.support_ids.contains(&("correlation id", "c-id".into())), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_cannot_be_reached_is_named() {
        let failure =
            refused(Err(WireError::Untrusted { why: "it has expired".into(), remedy: "Renew it." }))
                .await
                .failure;
        assert_eq!(failure.exit, Exit::Service);
        assert!(failure.cause.contains("Microsoft Entra (login.microsoftonline.com)"), "{failure}");
        assert!(failure.support_ids.iter().any(|(name, _)| *name == "client-request-id"));
    }
}
