//! How a confidential client proves itself with each token request: by its secret, by an assertion that its
//! certificate signs, or by the job's own OIDC token, which Entra takes for such an assertion (workload identity
//! federation).
//!
//! A proof is made anew for every request: an assertion and a job's token live for minutes.

use url::Url;

use super::certificate::Certificate;
use crate::failure::Failure;
use crate::http::Http;
use crate::oidc::{self, JobTokens};
use crate::secret::Secret;
use crate::time::Deadline;

/// What proves a confidential client.
#[derive(Clone, Debug)]
pub enum Proof {
    /// `client-secret`.
    Secret(Secret),
    /// `client-certificate`.
    Certificate(Certificate),
    /// `federated`: the job's own OIDC token.
    Federated(Box<JobTokens>),
}

/// A proof as it goes into one token request.
#[derive(Debug, Default)]
pub(super) struct Proven {
    /// What is added to the request's form. Secret.
    pub(super) parameters: Vec<(&'static str, Secret)>,
    /// What the job's token said of itself, if that was the proof.
    pub(super) job: Option<oidc::TokenIdentity>,
}

/// RFC 7523, section 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Proof {
    /// The same proof, had within another deadline.
    pub(super) fn with_deadline(&self, deadline: &Deadline) -> Self {
        match self {
            Self::Federated(tokens) => Self::Federated(Box::new(tokens.with_deadline(deadline.clone()))),
            other => other.clone(),
        }
    }

    /// The proof of `client_id` for one request to `token_endpoint`.
    ///
    /// # Errors
    /// If the job's token cannot be had.
    pub(super) async fn prove(
        &self,
        http: &Http,
        client_id: &str,
        token_endpoint: &Url,
    ) -> Result<Proven, Failure> {
        match self {
            Self::Secret(secret) => {
                Ok(Proven { parameters: vec![("client_secret", secret.clone())], job: None })
            }
            Self::Certificate(certificate) => {
                let (id, now) = (http.world().uuid(), http.now().await);
                let assertion = certificate.assertion(client_id, token_endpoint, id, now)?;
                Ok(Proven { parameters: by_assertion(Secret::new(assertion)), job: None })
            }
            Self::Federated(tokens) => {
                let token = tokens.token(oidc::audience(token_endpoint)).await?;
                Ok(Proven { job: Some(oidc::describe(&token)), parameters: by_assertion(token) })
            }
        }
    }
}

fn by_assertion(assertion: Secret) -> Vec<(&'static str, Secret)> {
    vec![("client_assertion_type", Secret::new(JWT_BEARER.into())), ("client_assertion", assertion)]
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::super::scripted::{self, Script};
    use super::*;
    use crate::oidc::OidcSources;

    fn federated(script: &std::sync::Arc<Script>) -> Proof {
        let sources = OidcSources {
            github: Some((
                "https://actions.example/token?v=1".parse().expect("an address"),
                Secret::new("fake-bearer".into()),
            )),
            ..OidcSources::default()
        };
        Proof::Federated(Box::new(JobTokens::new(
            scripted::http(script, 60).0,
            sources,
            None,
            std::sync::Arc::new(|_| {}),
        )))
    }

    fn job_token() -> String {
        let claims = json!({ "iss": "https://issuer.example", "sub": "repo:contoso/app", "aud": "api://it", "actor": "p" });
        format!("eyJ.{}.fake", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificates_assertion_is_made_afresh_for_each_request() {
        let pem = include_bytes!("../../tests/fixtures/certificates/pkcs1.pem");
        let certificate = Certificate::read(pem, None).expect("readable");
        let tokens = || scripted::json(200, json!({ "token_type": "Bearer", "access_token": "eyJ0.fake" }));
        let script = Script::of([tokens(), tokens()]);
        let client = scripted::client(&script, Some(Proof::Certificate(certificate)));
        for _ in 0..2 {
            client.redeem(&Secret::new("0.fake".into()), None).await.expect("tokens");
        }
        let (first, second) = (script.form(0), script.form(1));
        assert_eq!(first["client_assertion_type"], JWT_BEARER);
        assert_ne!(first["client_assertion"], second["client_assertion"]);
        let claims = first["client_assertion"].split('.').nth(1).expect("a JWT");
        let claims: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON");
        assert_eq!(claims["aud"], script.asked()[0].uri().to_string().as_str());
    }

    #[tokio::test(start_paused = true)]
    async fn the_jobs_token_is_asked_for_before_each_request_and_is_the_assertion() {
        let job = || scripted::json(200, json!({ "value": job_token() }));
        let tokens = || scripted::json(200, json!({ "token_type": "Bearer", "access_token": "eyJ0.fake" }));
        let script = Script::of([job(), tokens(), job(), tokens()]);
        let client = scripted::client(&script, Some(federated(&script)));
        for _ in 0..2 {
            client.redeem(&Secret::new("0.fake".into()), None).await.expect("tokens");
        }
        assert_eq!(script.form(1)["client_assertion"], job_token());
        assert_eq!(script.asked()[2].uri().host(), Some("actions.example"));
        assert_eq!(script.asked()[2].uri().query(), Some("v=1&audience=api%3A%2F%2FAzureADTokenExchange"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_mismatch_shows_what_the_jobs_token_says_and_nothing_more_of_it() {
        let mismatch = json!({ "error": "invalid_client", "error_codes": [700_213] });
        let script =
            Script::of([scripted::json(200, json!({ "value": job_token() })), scripted::json(401, mismatch)]);
        let client = scripted::client(&script, Some(federated(&script)));
        let failure = client.redeem(&Secret::new("0.fake".into()), None).await.expect_err("refused").failure;
        let told = failure.to_string();
        assert!(
            told.contains("issuer https://issuer.example, subject repo:contoso/app, audience api://it"),
            "{told}"
        );
        assert!(!told.contains("actor") && !told.contains("eyJ"), "{told}");
    }
}
