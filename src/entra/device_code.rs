//! Signing in by device code (RFC 8628): a person enters a short code on any device, while this waits.
//!
//! oauth2's own loop is not used for the waiting: it forgets Entra's error codes, repeats what is no use
//! repeating, and knows no cancellation.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use oauth2::{AsyncHttpClient as _, RequestTokenError};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::form_urlencoded;

use super::Tokens;
use super::client::{self, Client, Refusal};
use super::client_authentication::Proven;
use super::refusal::{self, ErrorAnswer};
use super::token_answer::{DeviceAnswer, TokenAnswer};
use crate::failure::{Exit, Failure};
use crate::http::NoAnswer;
use crate::secret::Secret;

/// RFC 8628, section 3.4.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// By how much `slow_down` stretches the time between two questions (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// The least time between two questions, whatever Entra's answer says.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// The longest life of a code that is believed; Entra's live for 15 minutes.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);
/// How often the person is told how much time is left.
const TICK: Duration = Duration::from_secs(60);

/// What the person has to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The address to open.
    pub address: String,
    /// The code to enter there. Worth nothing to who reads the log later, and of no use unless a person who may
    /// sign in enters it.
    pub code: String,
    /// How long the code lives.
    pub expires_in: Duration,
    /// Entra's own words with both in them, in the language of the request.
    pub message: Option<String>,
}

impl Client {
    /// Signs a person in by device code. `show` is given the address and the code; `tick` is told once a minute
    /// how much of the code's life is left. The code's life comes on top of this client's deadline, so what
    /// follows should be given [`Prompt::expires_in`] more, too.
    ///
    /// # Errors
    /// Exit 3 if the person or Entra declines, or the code expires; 6 if Entra is not heard.
    pub async fn sign_in_by_device_code(
        &self,
        show: impl FnOnce(&Prompt),
        tick: impl Fn(Duration),
    ) -> Result<Tokens, Refusal> {
        let begun = self.begin_by_device_code().await?;
        let expires_in = begun.expires_in.min(LONGEST_LIFE);
        let expires = Instant::now() + expires_in;
        show(&Prompt {
            address: begun.address.to_string(),
            code: begun.user_code,
            expires_in,
            message: begun.message,
        });

        let waiting = self.with_deadline(self.http.deadline().extended(expires_in));
        let mut interval = begun.interval.clamp(SHORTEST_INTERVAL, LONGEST_LIFE);
        let mut next_tick = Instant::now() + TICK;
        loop {
            let left = expires.saturating_duration_since(Instant::now());
            let paused = waiting.http.deadline().pause(interval.min(left)).await;
            paused.map_err(|ended| NoAnswer::from(ended).into_failure(&self.service()))?;
            match waiting.poll(&begun.device_code).await {
                Ok(tokens) => return Ok(tokens),
                Err(refusal) => match refusal.error.as_deref() {
                    Some("authorization_pending") => {}
                    Some("slow_down") => interval += SLOWER,
                    _ => return Err(refusal),
                },
            }
            let left = expires.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let expired = ErrorAnswer { error: "expired_token".into(), ..ErrorAnswer::default() };
                return Err(refusal::of_error(&expired, self.app().asking_a_person()).into());
            }
            if Instant::now() >= next_tick {
                tick(left);
                next_tick += TICK;
            }
        }
    }

    async fn begin_by_device_code(&self) -> Result<DeviceAnswer, Refusal> {
        let scopes = client::scopes().map(|scope| scope.to_string()).join(" ");
        self.ask("devicecode", &[("scope", &scopes)], &Proven::default()).await
    }

    /// Asks once whether the person has signed in.
    async fn poll(&self, device_code: &Secret) -> Result<Tokens, Refusal> {
        let proven = self.prove().await?;
        let form = [("grant_type", GRANT), ("device_code", device_code.expose())];
        self.ask::<TokenAnswer>("token", &form, &proven).await.map(client::tokens)
    }

    /// One request of the flow, whose answer is read for what can be understood of it.
    async fn ask<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        parameters: &[(&str, &str)],
        proven: &Proven,
    ) -> Result<T, Refusal> {
        let courier = self.transport();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", self.app().client_id).extend_pairs(parameters);
        for (name, value) in &proven.parameters {
            form.append_pair(name, value.expose());
        }
        let request = http::Request::post(self.endpoint(endpoint).as_str())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish().into_bytes())
            .map_err(|_| {
                Failure::new(
                    Exit::Inputs,
                    "The address of the sign-in host is none.",
                    "Check authority-host.",
                )
            })?;
        let unreadable = |error: serde_json::Error| RequestTokenError::Other(error.to_string());
        let outcome = match courier.call(request).await {
            Ok(answer) if answer.status() == 200 => serde_json::from_slice(answer.body()).map_err(unreadable),
            Ok(answer) => Err(match serde_json::from_slice::<ErrorAnswer>(answer.body()) {
                Ok(error) => RequestTokenError::ServerResponse(error),
                Err(error) => unreadable(error),
            }),
            Err(failure) => Err(RequestTokenError::Request(failure)),
        };
        outcome.map_err(|error| self.refusal(error, &courier, proven, self.app().asking_a_person()))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::scripted::{self, CLIENT, Script};
    use super::*;
    use crate::failure::Signal;

    fn begun(expires_in: u64) -> Result<http::Response<bytes::Bytes>, crate::world::WireError> {
        let answer = json!({
            "device_code": "fake-device-code", "user_code": "FAKE12345", "expires_in": expires_in, "interval": 5,
            "verification_uri": "https://login.microsoft.com/device",
            "message": "To sign in, open https://login.microsoft.com/device and enter FAKE12345.",
        });
        scripted::json(200, answer)
    }

    fn error(name: &str) -> Result<http::Response<bytes::Bytes>, crate::world::WireError> {
        scripted::json(400, json!({ "error": name, "correlation_id": "c-id" }))
    }

    fn tokens() -> Result<http::Response<bytes::Bytes>, crate::world::WireError> {
        let answer =
            json!({ "token_type": "Bearer", "access_token": "eyJ0.fake", "refresh_token": "0.fake" });
        scripted::json(200, answer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_is_shown_the_code_and_waited_for() {
        let script = Script::of([begun(900), error("authorization_pending"), tokens()]);
        let shown = RefCell::new(None);
        let client = scripted::client(&script, None);
        let begun = Instant::now();
        let tokens =
            client.sign_in_by_device_code(|prompt| drop(shown.replace(Some(prompt.clone()))), |_| {}).await;
        assert_eq!(tokens.expect("tokens").refresh_token.as_ref().map(Secret::expose), Some("0.fake"));
        assert_eq!(begun.elapsed(), Duration::from_secs(10), "every 5 s, not sooner");
        let prompt = shown.into_inner().expect("shown");
        assert_eq!(
            (prompt.address.as_str(), prompt.code.as_str()),
            ("https://login.microsoft.com/device", "FAKE12345")
        );
        assert_eq!(prompt.expires_in, Duration::from_secs(900));
        assert!(prompt.message.is_some());
        let (first, second) = (script.form(0), script.form(1));
        assert_eq!(script.asked()[0].uri().path(), "/contoso.com/oauth2/v2.0/devicecode");
        assert_eq!(first["scope"], "499b84ac-1321-427f-aa17-267ca6975798/.default offline_access");
        assert_eq!(
            (second["grant_type"].as_str(), second["device_code"].as_str()),
            (GRANT, "fake-device-code")
        );
        assert_eq!(second["client_id"], CLIENT);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_down_is_obeyed() {
        let script = Script::of([begun(900), error("slow_down"), error("slow_down"), tokens()]);
        let begun = Instant::now();
        scripted::client(&script, None).sign_in_by_device_code(|_| {}, |_| {}).await.expect("tokens");
        assert_eq!(begun.elapsed(), Duration::from_secs(5 + 10 + 15));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_left_is_told_once_a_minute() {
        let pending = (0..30).map(|_| error("authorization_pending"));
        let script = Script::of([begun(900)].into_iter().chain(pending).chain([tokens()]));
        let told = RefCell::new(Vec::new());
        let tick = |left: Duration| told.borrow_mut().push(left.as_secs());
        scripted::client(&script, None).sign_in_by_device_code(|_| {}, tick).await.expect("tokens");
        assert_eq!(told.into_inner(), [840, 780]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_codes_own_life_bounds_the_wait_not_the_runs_patience() {
        let script =
            Script::of([begun(900)].into_iter().chain((0..400).map(|_| error("authorization_pending"))));
        let (http, _sender) = scripted::http(&script, 60);
        let begun = Instant::now();
        let refusal =
            scripted::client_over(http, None).sign_in_by_device_code(|_| {}, |_| {}).await.expect_err("none");
        assert_eq!(begun.elapsed(), Duration::from_secs(900));
        assert_eq!(refusal.failure.exit, Exit::SignIn);
        assert!(refusal.failure.cause.contains("expired"), "{}", refusal.failure);
    }

    #[rstest]
    #[case::by_entras_name(json!({ "error": "authorization_declined" }), "declined", "accept")]
    #[case::by_the_standards_name(json!({ "error": "access_denied" }), "declined", "accept")]
    #[case::expired(json!({ "error": "expired_token", "error_codes": [70020] }), "expired", "in time")]
    #[case::unknown(json!({ "error": "bad_verification_code" }), "does not know", "browser")]
    #[case::by_policy(json!({ "error": "invalid_grant", "error_codes": [53003] }), "Conditional Access", "browser")]
    #[case::confidential(json!({ "error": "invalid_client", "error_codes": [7_000_218] }), "confidential", "Allow public")]
    #[tokio::test(start_paused = true)]
    async fn a_refusal_ends_the_wait_with_its_remedy(
        #[case] answer: Value,
        #[case] cause: &str,
        #[case] remedy: &str,
    ) {
        let script = Script::of([begun(900), error("authorization_pending"), scripted::json(400, answer)]);
        let refusal = scripted::client(&script, None)
            .sign_in_by_device_code(|_| {}, |_| {})
            .await
            .expect_err("refused");
        let failure = refusal.failure;
        assert_eq!((failure.exit, script.asked().len()), (Exit::SignIn, 3));
        assert!(failure.cause.contains(cause) && failure.remedy.contains(remedy), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_ends_the_wait_at_once() {
        let script = Script::of([begun(900)]);
        let (http, sender) = scripted::http(&script, 300);
        let client = scripted::client_over(http, None);
        let shown = Cell::new(None);
        let show = |_: &Prompt| {
            sender.send(Some(Signal::Terminate)).expect("a receiver lives");
            shown.set(Some(Instant::now()));
        };
        let refusal = client.sign_in_by_device_code(show, |_| {}).await.expect_err("cancelled");
        assert_eq!(refusal.failure.exit, Exit::Cancelled(Signal::Terminate));
        assert_eq!(shown.get().expect("shown").elapsed(), Duration::ZERO);
    }
}
