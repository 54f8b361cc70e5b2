//! The job's own OIDC token: what a CI system says of the job that runs, signed, so that Microsoft Entra can
//! trust it in place of a stored client secret.
//!
//! The token is asked for anew whenever it is needed, since it lives for minutes. Of what it says, only issuer,
//! subject and audience are ever shown, and nothing is decided by them.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH};
use http::{Method, Request};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::azure_devops::error_body::{ErrorBody, support_ids};
use crate::failure::{Exit, Failure, without_people};
use crate::http::{Answer, Effect, Http, request};
use crate::private_file;
use crate::secret::{Mask, Secret};
use crate::time::Deadline;

/// Where the job's own OIDC token can come from, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub struct OidcSources {
    /// GitHub: `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub github: Option<(Url, Secret)>,
    /// Azure Pipelines: `SYSTEM_OIDCREQUESTURI` and the job's access token.
    pub azure_pipelines: Option<(Url, Secret)>,
    /// `AZURE_FEDERATED_TOKEN_FILE`.
    pub file: Option<PathBuf>,
    /// `id-token`.
    pub id_token: Option<Secret>,
    /// Whether the run is on GitHub Actions, where a missing endpoint means a missing permission.
    pub on_github: bool,
}

/// Where the job's own OIDC token comes from.
#[derive(Clone)]
pub struct JobTokens {
    http: Http,
    sources: OidcSources,
    service_connection: Option<String>,
    mask: Mask,
}

impl fmt::Debug for JobTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JobTokens").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl JobTokens {
    /// The job's tokens from these sources; on Azure Pipelines of this service connection, by its id, if one is
    /// given. `mask` hides each token from the readers of the log.
    pub fn new(http: Http, sources: OidcSources, service_connection: Option<String>, mask: Mask) -> Self {
        Self { http, sources, service_connection, mask }
    }

    /// The same, asked for within another deadline.
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        Self { http: self.http.with_deadline(deadline), ..self.clone() }
    }

    /// A fresh token for `audience`: asked of GitHub's or Azure Pipelines' endpoint; else the file that
    /// `AZURE_FEDERATED_TOKEN_FILE` names; else the input id-token. Azure Pipelines and the last two have fixed
    /// their audience already.
    ///
    /// # Errors
    /// Exit 3 if there is none or it is refused, 6 if the endpoint fails or is not heard.
    pub async fn token(&self, audience: &str) -> Result<Secret, Failure> {
        let token = if let Some((url, bearer)) = &self.sources.github {
            self.of_github(url.clone(), bearer, audience).await?
        } else if let Some((url, bearer)) = &self.sources.azure_pipelines {
            self.of_azure_pipelines(url.clone(), bearer).await?
        } else if let Some(file) = &self.sources.file {
            of_file(file)?
        } else if let Some(token) = &self.sources.id_token {
            token.clone()
        } else {
            return Err(none_there(self.sources.on_github));
        };
        (self.mask)(&token);
        Ok(token)
    }

    /// docs.github.com, "OpenID Connect reference": the address has a query already.
    async fn of_github(&self, mut url: Url, bearer: &Secret, audience: &str) -> Result<Secret, Failure> {
        #[derive(Deserialize)]
        struct Answered {
            value: Secret,
        }
        let service = format!("GitHub's OIDC token endpoint ({})", url.host_str().unwrap_or_default());
        url.query_pairs_mut().append_pair("audience", audience);
        let answer = self.ask(Method::GET, &url, bearer, &service).await?;
        match answer.json::<Answered>() {
            Ok(answered) if answer.status == 200 && !answered.value.is_empty() => Ok(answered.value),
            _ => Err(refused(&answer, &service, "Check that the job has 'permissions: id-token: write'.")),
        }
    }

    /// learn.microsoft.com, "Oidctoken - Create" of the service distributedtask.
    async fn of_azure_pipelines(&self, mut url: Url, bearer: &Secret) -> Result<Secret, Failure> {
        #[derive(Deserialize)]
        struct Answered {
            #[serde(rename = "oidcToken")]
            token: Secret,
        }
        let service =
            format!("Azure Pipelines' OIDC token endpoint ({})", url.host_str().unwrap_or_default());
        url.query_pairs_mut().append_pair("api-version", "7.1");
        if let Some(id) = &self.service_connection {
            url.query_pairs_mut().append_pair("serviceConnectionId", id);
        }
        let answer = self.ask(Method::POST, &url, bearer, &service).await?;
        match answer.json::<Answered>() {
            Ok(answered) if answer.status == 200 && !answered.token.is_empty() => Ok(answered.token),
            _ => Err(refused(
                &answer,
                &service,
                "Check azure-service-connection, that this pipeline may use it, and that the step is given the job's \
                 access token (SYSTEM_ACCESSTOKEN: $(System.AccessToken)).",
            )),
        }
    }

    async fn ask(
        &self,
        method: Method,
        url: &Url,
        bearer: &Secret,
        service: &str,
    ) -> Result<Answer, Failure> {
        let authorization = request::bearer(bearer).ok_or_else(|| {
            Failure::new(
                Exit::SignIn,
                "The job's token for asking an OIDC token holds characters that no token has.",
                "Hand it to the step unchanged.",
            )
        })?;
        let request = Request::builder()
            .method(&method)
            .uri(url.as_str())
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .header("X-TFS-FedAuthRedirect", "Suppress");
        let request = if method == Method::POST { request.header(CONTENT_LENGTH, 0) } else { request };
        let request = request.body(Bytes::new()).map_err(|_| {
            Failure::new(
                Exit::SignIn,
                format!("The address of {service} is none."),
                "Run it in a job of that system.",
            )
        })?;
        let answer = self.http.send(request, Effect::Idempotent).await;
        answer.map_err(|error| error.into_failure(service))
    }
}

/// The audience of a federated credential in the cloud of this sign-in host (entra-docs, "Workload identity
/// federation").
pub fn audience(authority: &Url) -> &'static str {
    match authority.host_str() {
        Some("login.microsoftonline.us") => "api://AzureADTokenExchangeUSGov",
        Some("login.partner.microsoftonline.cn") => "api://AzureADTokenExchangeChina",
        _ => "api://AzureADTokenExchange",
    }
}

fn of_file(file: &Path) -> Result<Secret, Failure> {
    let why = match private_file::read(file) {
        Ok(Some(bytes)) => match private_file::into_secret(bytes.trim_ascii()) {
            Ok(token) if !token.is_empty() => return Ok(token),
            Ok(_) => "it is empty".to_owned(),
            Err(_) => "it holds no text".to_owned(),
        },
        Ok(None) => "there is no such file".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::new(
        Exit::SignIn,
        format!("The job's OIDC token in {} cannot be used: {why}.", file.display()),
        "Check AZURE_FEDERATED_TOKEN_FILE and that the file is mounted for this user.",
    ))
}

fn none_there(on_github: bool) -> Failure {
    let cause = "This job has no OIDC token, which federated asks for.";
    let remedy = if on_github {
        "Give the job 'permissions: id-token: write'."
    } else {
        "Give id-token (on GitLab ADOPAT_ID_TOKEN under id_tokens:), or name a file in AZURE_FEDERATED_TOKEN_FILE; on \
         Azure Pipelines give the step SYSTEM_ACCESSTOKEN: $(System.AccessToken)."
    };
    Failure::new(Exit::SignIn, cause, remedy)
}

/// The failure behind an answer that holds no token. A bad job token is answered by Azure DevOps with a redirect
/// to its sign-in page, not with 401.
fn refused(answer: &Answer, service: &str, remedy: &str) -> Failure {
    let status = answer.status.as_u16();
    let words = ErrorBody::of(answer).message.filter(|_| !answer.is_page());
    let failure = match status {
        203 | 300..=399 | 401 => Failure::new(
            Exit::SignIn,
            format!("{service} did not accept the job's own token (HTTP {status})."),
            remedy,
        ),
        400..=499 if status != 429 && status != 408 => Failure::new(
            Exit::SignIn,
            format!("{service} gave no token for this job (HTTP {status})."),
            remedy,
        ),
        _ => Failure::new(
            Exit::Service,
            format!("{service} failed to give a token (HTTP {status})."),
            "Run it again in some minutes.",
        ),
    };
    let failure = failure.and(answer.asks_to_wait()).with_support_ids(support_ids(answer));
    match words {
        Some(words) => failure.named(without_people(&words).chars().take(300).collect::<String>()),
        None => failure,
    }
}

/// What a job's OIDC token says of itself, for a person who has to register it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenIdentity {
    /// `iss`.
    pub issuer: Option<String>,
    /// `sub`.
    pub subject: Option<String>,
    /// `aud`; several are separated by spaces.
    pub audience: Option<String>,
}

impl fmt::Display for TokenIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No claim is longer than an address; what is, is no use to a person.
        let cut =
            |claim: &String| claim.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let or_none =
            |claim: &Option<String>| -> String { claim.as_ref().map_or_else(|| "(none)".into(), cut) };
        let (issuer, subject, audience) =
            (or_none(&self.issuer), or_none(&self.subject), or_none(&self.audience));
        write!(formatter, "issuer {issuer}, subject {subject}, audience {audience}")
    }
}

const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Issuer, subject and audience of the job's own token; what cannot be read is none.
pub fn describe(jwt: &Secret) -> TokenIdentity {
    let claims = jwt.expose().split('.').nth(1).and_then(|claims| BASE64_URL.decode(claims).ok());
    let claims: Value = claims.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let several = |name: &str| {
        let all: Vec<&str> = claims.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect();
        (!all.is_empty()).then(|| all.join(" "))
    };
    TokenIdentity {
        issuer: text("iss"),
        subject: text("sub"),
        audience: text("aud").or_else(|| several("aud")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::entra::scripted::{self, Script};

    const AUDIENCE: &str = "api://AzureADTokenExchange";

    fn github() -> OidcSources {
        let url = "https://run-actions-1-azure.actions.githubusercontent.com/1//idtoken/2?api-version=2.0";
        OidcSources {
            github: Some((url.parse().expect("an address"), Secret::new("fake-request-token".into()))),
            on_github: true,
            ..OidcSources::default()
        }
    }

    fn azure_pipelines() -> OidcSources {
        let url = "https://dev.azure.com/contoso/_apis/distributedtask/hubs/build/plans/1/jobs/2/oidctoken";
        OidcSources {
            azure_pipelines: Some((url.parse().expect("an address"), Secret::new("fake-job-token".into()))),
            ..OidcSources::default()
        }
    }

    async fn token(script: &Arc<Script>, sources: OidcSources) -> Result<Secret, Failure> {
        let (http, _sender) = scripted::http(script, 60);
        let masked = Arc::new(Mutex::new(None));
        let mask: Mask = {
            let masked = Arc::clone(&masked);
            Arc::new(move |token: &Secret| *masked.lock().expect("alone") = Some(token.clone()))
        };
        let connection = Some("00000000-0000-0000-0000-00000000000c".into());
        let token = JobTokens::new(http, sources, connection, mask).token(AUDIENCE).await;
        assert_eq!(masked.lock().expect("alone").as_ref(), token.as_ref().ok(), "whatever is had is masked");
        token
    }

    #[tokio::test(start_paused = true)]
    async fn github_is_asked_for_the_audience_with_the_jobs_bearer() {
        let script = Script::of([scripted::json(200, json!({ "count": 1, "value": "eyJ.fake.jwt" }))]);
        assert_eq!(token(&script, github()).await.expect("a token").expose(), "eyJ.fake.jwt");
        let asked = &script.asked()[0];
        assert_eq!(asked.method(), Method::GET);
        assert_eq!(
            asked.uri().query(),
            Some("api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange"),
            "the query that was there stays"
        );
        assert_eq!(asked.headers()[AUTHORIZATION], "Bearer fake-request-token");
    }

    #[tokio::test(start_paused = true)]
    async fn azure_pipelines_is_asked_for_the_service_connections_token() {
        let script = Script::of([scripted::json(200, json!({ "oidcToken": "eyJ.fake.jwt" }))]);
        assert_eq!(token(&script, azure_pipelines()).await.expect("a token").expose(), "eyJ.fake.jwt");
        let asked = &script.asked()[0];
        assert_eq!(asked.method(), Method::POST);
        assert_eq!(
            asked.uri().query(),
            Some("api-version=7.1&serviceConnectionId=00000000-0000-0000-0000-00000000000c")
        );
        assert_eq!(asked.headers()[AUTHORIZATION], "Bearer fake-job-token");
        assert_eq!(asked.headers()["X-TFS-FedAuthRedirect"], "Suppress");
    }

    #[rstest]
    #[case::redirect(
        azure_pipelines(),
        302,
        "did not accept the job's own token",
        "System.AccessToken",
        Exit::SignIn
    )]
    #[case::unauthorized(azure_pipelines(), 401, "did not accept", "System.AccessToken", Exit::SignIn)]
    #[case::no_such_connection(
        azure_pipelines(),
        404,
        "gave no token",
        "azure-service-connection",
        Exit::SignIn
    )]
    #[case::no_permission(github(), 403, "gave no token", "id-token: write", Exit::SignIn)]
    #[case::no_token(github(), 200, "failed to give a token", "again", Exit::Service)]
    #[tokio::test(start_paused = true)]
    async fn a_refusal_says_what_the_job_lacks(
        #[case] sources: OidcSources,
        #[case] status: u16,
        #[case] cause: &str,
        #[case] remedy: &str,
        #[case] exit: Exit,
    ) {
        let script = Script::of([scripted::text(status, "text/html", "<html>Sign in</html>")]);
        let failure = token(&script, sources).await.expect_err("no token");
        assert_eq!(failure.exit, exit);
        assert!(failure.cause.contains(cause) && failure.remedy.contains(remedy), "{failure}");
    }

    #[rstest]
    #[case(true, "permissions: id-token: write")]
    #[case(false, "id-token")]
    #[tokio::test]
    async fn no_source_at_all_is_said_with_what_to_give(#[case] on_github: bool, #[case] remedy: &str) {
        let sources = OidcSources { on_github, ..OidcSources::default() };
        let failure = token(&Script::of([]), sources).await.expect_err("no token");
        assert_eq!(failure.exit, Exit::SignIn);
        assert!(failure.remedy.contains(remedy), "{failure}");
    }

    #[tokio::test]
    async fn the_endpoint_comes_first_then_the_file_then_the_input() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        std::fs::write(&file, "eyJ.of.file\n").expect("written");
        let id_token = Some(Secret::new("eyJ.of.input".into()));
        let both = OidcSources { file: Some(file), id_token: id_token.clone(), ..OidcSources::default() };
        let script = Script::of([scripted::json(200, json!({ "value": "eyJ.of.github" }))]);
        let all = OidcSources { github: github().github, ..both.clone() };
        assert_eq!(token(&script, all).await.expect("a token").expose(), "eyJ.of.github");
        assert_eq!(token(&script, both).await.expect("a token").expose(), "eyJ.of.file");
        let input = OidcSources { id_token, ..OidcSources::default() };
        assert_eq!(token(&script, input).await.expect("a token").expose(), "eyJ.of.input");
    }

    #[tokio::test]
    async fn a_token_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (missing, empty) = (folder.path().join("missing"), folder.path().join("empty"));
        std::fs::write(&empty, " \n").expect("written");
        for file in [missing, empty] {
            let name = file.display().to_string();
            let sources = OidcSources { file: Some(file), ..OidcSources::default() };
            let failure = token(&Script::of([]), sources).await.expect_err("no token");
            assert!(failure.cause.contains(&name) && failure.remedy.contains("AZURE_FEDERATED_TOKEN_FILE"));
        }
    }

    #[rstest]
    #[case("https://login.microsoftonline.com", AUDIENCE)]
    #[case("https://login.microsoftonline.us", "api://AzureADTokenExchangeUSGov")]
    #[case("https://login.partner.microsoftonline.cn", "api://AzureADTokenExchangeChina")]
    #[case("http://127.0.0.1:8080", AUDIENCE)]
    fn each_cloud_has_its_audience(#[case] authority: &str, #[case] expected: &str) {
        assert_eq!(audience(&authority.parse().expect("an address")), expected);
    }

    #[test]
    fn a_token_is_described_by_issuer_subject_and_audience_alone() {
        let claims = json!({
            "iss": "https://token.actions.githubusercontent.com", "sub": "repo:contoso/app:ref:refs/heads/main",
            "aud": ["api://AzureADTokenExchange"], "actor": "a person", "jti": "0000",
        });
        let jwt = format!("eyJ.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()));
        assert_eq!(
            describe(&Secret::new(jwt)).to_string(),
            "issuer https://token.actions.githubusercontent.com, subject repo:contoso/app:ref:refs/heads/main, \
             audience api://AzureADTokenExchange"
        );
    }

    proptest! {
        #[test]
        fn describing_never_panics(text in ".*", claims in proptest::collection::vec(any::<u8>(), 0..64)) {
            describe(&Secret::new(text));
            let jwt = format!("a.{}.b", URL_SAFE_NO_PAD.encode(claims));
            prop_assert_eq!(describe(&Secret::new(jwt)).subject, None);
        }
    }
}
