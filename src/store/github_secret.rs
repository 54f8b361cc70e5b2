//! `github-secret:OWNER/REPO[/ENVIRONMENT]/NAME`: a GitHub Actions secret of a repository or of one of its
//! environments.
//!
//! GitHub takes a secret sealed for a public key (libsodium's sealed box): the repository's, or the environment's
//! own. It shows none again. The job's own `GITHUB_TOKEN` never may; an installation token of a GitHub App may,
//! and begins alike (`ghs_`), so it is GitHub that tells them apart, when it is asked for the key.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crypto_box::PublicKey;
use crypto_box::aead::rand_core::{CryptoRng, Error, RngCore};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::written::Written;
use super::{Address, Doing, Expected, Holding, Kind, Restored, Store};
use crate::failure::{Exit, Failure};
use crate::http::{Answer, Effect, Http, NoAnswer, may_have_acted, request};
use crate::refusal_table::{self, RefusalRow};
use crate::secret::Secret;
use crate::time::Deadline;
use crate::world::Random;

/// The version of GitHub's REST API that every Enterprise Server knows too.
const API_VERSION: &str = "2022-11-28";
/// What needs no encoding in a path segment (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// How often a request is sent that GitHub puts off.
const ATTEMPTS: u32 = 3;

/// How an answer is known that puts a request off, whatever its status.
const LIMIT: &str = "a rate limit";

/// How an answer is known that says at which address a token is authorized for the organization.
const SINGLE_SIGN_ON: &str = "X-GitHub-SSO";

/// What the refusals mean.
pub const REFUSALS: &[RefusalRow] = &[
    RefusalRow::new(
        Exit::Store,
        "GitHub had more requests with this token than it takes.",
        "Run this again later, or use a token of its own for this job.",
    )
    .key(LIMIT),
    RefusalRow::new(Exit::Store, "GitHub does not know 'github-token', or it has expired.", "Renew the token.")
        .status(&[401..=401]),
    RefusalRow::new(
        Exit::Store,
        "The organization of {address} wants single sign-on (SAML), and 'github-token' is not authorized for it.",
        "Open {sso} and authorize the token.",
    )
    .status(&[403..=403])
    .key(SINGLE_SIGN_ON),
    RefusalRow::new(
        Exit::Store,
        "The organization of {address} has an IP allow list, and this machine's address is not on it.",
        "Ask an owner of the organization to allow this machine's address, or run the job on a runner that is allowed.",
    )
    .status(&[403..=403])
    .says(&["IP allow list"]),
    RefusalRow::new(
        Exit::Store,
        "The repository of {address} is archived, and can only be read.",
        "Unarchive the repository, or deliver to another one.",
    )
    .status(&[403..=403])
    .says(&["archived"]),
    RefusalRow::new(
        Exit::Store,
        "'github-token' may not write {address}: the job's own GITHUB_TOKEN never may.",
        "Give a fine-grained personal access token or a GitHub App's token with '{right}', or a classic one with \
         'repo'.",
    )
    .status(&[403..=403])
    .says(&["not accessible by integration"]),
    RefusalRow::new(
        Exit::Store,
        "'github-token' may not write {address}.",
        "Give the token the right it lacks ({missing}).",
    )
    .status(&[403..=403]),
    RefusalRow::new(
        Exit::Store,
        "GitHub knows no place for {address}, or hides it from this token.",
        "Check owner, repository and environment (an environment must exist first), and that the token covers this \
         repository with '{right}'.",
    )
    .status(&[404..=404]),
    RefusalRow::new(
        Exit::Store,
        "The repository of {address} was renamed or moved.",
        "Give its new name in the address.",
    )
    .status(&[301..=302, 307..=308]),
    RefusalRow::new(
        Exit::Store,
        "GitHub did not accept {address}.",
        "Check the secret's name, and that there are no more than 100 secrets there.",
    )
    .status(&[422..=422]),
];

/// A GitHub Actions secret as a store. It can be written, never read.
pub struct GithubSecretStore {
    address: Address,
    /// The address of the secrets it is one of: the repository's or the environment's.
    secrets: String,
    name: String,
    environment: bool,
    token: Option<Secret>,
    http: Http,
    written: Written,
}

/// The key that a secret is sealed for.
#[derive(Debug, Deserialize)]
struct Key {
    key_id: KeyId,
    /// 32 bytes in base64.
    key: String,
}

/// A text; a number on some versions of GitHub Enterprise Server, which want it back as a text all the same.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum KeyId {
    Text(String),
    Number(serde_json::Number),
}

impl KeyId {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

/// What GitHub shows of a secret.
#[derive(Debug, Deserialize)]
struct Shown {
    updated_at: Timestamp,
}

/// GitHub's error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: Option<String>,
}

impl GithubSecretStore {
    /// The secret `name` of the repository, or of its environment, at this API.
    pub fn new(
        [owner, repository, name]: [String; 3],
        environment: Option<String>,
        api: &Url,
        token: Option<Secret>,
        http: Http,
    ) -> Self {
        let api = api.as_str().trim_end_matches('/');
        let secrets = match &environment {
            None => format!("{api}/repos/{owner}/{repository}/actions/secrets"),
            Some(environment) => {
                let environment = utf8_percent_encode(environment, SEGMENT);
                format!("{api}/repos/{owner}/{repository}/environments/{environment}/secrets")
            }
        };
        Self {
            secrets,
            name: name.clone(),
            environment: environment.is_some(),
            address: Address::GithubSecret { owner, repository, environment, name },
            token,
            http,
            written: Written::default(),
        }
    }

    async fn key(&self, http: &Http) -> Result<(String, PublicKey), Failure> {
        let request = self.request(Method::GET, "public-key", Bytes::new())?;
        let answer = send(http, request, None).await.map_err(|silence| self.silent(silence))?;
        if answer.status != 200 {
            return Err(self.refused(&answer));
        }
        let key: Key = answer.json().map_err(|_| self.odd(&answer))?;
        let bytes = STANDARD.decode(&key.key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        Ok((key.key_id.into_text(), PublicKey::from(bytes.ok_or_else(|| self.odd(&answer))?)))
    }

    fn request(&self, method: Method, place: &str, body: Bytes) -> Result<Request<Bytes>, Failure> {
        let token = self.token.as_ref().ok_or_else(|| {
            Failure::new(
                Exit::Store,
                format!("No 'github-token' is given to write {} with.", self.address),
                "Give a token that may write secrets as 'github-token'; the job's own GITHUB_TOKEN never may.",
            )
        })?;
        let bearer = request::bearer(token).ok_or_else(|| {
            Failure::new(
                Exit::Store,
                "'github-token' holds bytes that no token has.",
                "Give the token alone.",
            )
        })?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{place}", self.secrets))
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", API_VERSION);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        Ok(request::build(request, body))
    }

    fn refused(&self, answer: &Answer) -> Failure {
        let words = answer.json::<Refusal>().ok().and_then(|body| body.message).unwrap_or_default();
        let status = answer.status.as_u16();
        let single_sign_on = single_sign_on(answer);
        let known_by = match &single_sign_on {
            _ if matches!(status, 403 | 429) && is_limited(answer) => LIMIT,
            Some(_) => SINGLE_SIGN_ON,
            None => "",
        };
        let Some(meaning) = refusal_table::find(REFUSALS, status, known_by, &words) else {
            return self.odd(answer);
        };
        let right = if self.environment { "Environments: write" } else { "Secrets: write" };
        let missing = answer.header("x-accepted-github-permissions").unwrap_or(right);
        let address = self.address.to_string();
        let own = [("address", address.as_str()), ("right", right), ("missing", missing)];
        let sso = ("sso", single_sign_on.as_deref().unwrap_or_default());
        let mut failure = meaning.failure(&[&own[..], &[sso]].concat());
        if !words.is_empty() {
            failure = failure.named(format!("GitHub {status}: {}", words.trim()));
        }
        if let Some(wait) = put_off(answer, self.http.clock().now()) {
            failure = failure.and(format!("It asks to wait {} s before the next request.", wait.as_secs()));
        }
        failure.with_support_ids(request_id(answer))
    }

    fn odd(&self, answer: &Answer) -> Failure {
        Failure::new(
            Exit::Store,
            format!(
                "GitHub's answer for {} is none that it documents (HTTP {}).",
                self.address,
                answer.status.as_u16()
            ),
            "Check 'github-api-url' and the proxy on the way, and run this again.",
        )
        .with_support_ids(request_id(answer))
    }

    fn silent(&self, silence: NoAnswer) -> Failure {
        Doing::Writing.failed(silence.into_failure("GitHub"))
    }
}

#[async_trait]
impl Store for GithubSecretStore {
    fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare(&self, deadline: &Deadline) -> Result<Option<Failure>, Failure> {
        self.key(&self.http.with_deadline(deadline.clone())).await.map(|_| None)
    }

    /// GitHub shows of a secret when it was last changed, in whole seconds, never what it is.
    async fn holds(&self, expected: &Expected<'_>, deadline: &Deadline) -> Result<Holding, Failure> {
        let http = self.http.with_deadline(deadline.clone());
        let request = self.request(Method::GET, &self.name, Bytes::new())?;
        let answer = send(&http, request, None).await.map_err(|silence| self.silent(silence))?;
        match answer.status.as_u16() {
            200 => {
                let shown: Shown = answer.json().map_err(|_| self.odd(&answer))?;
                Ok(expected.since(shown.updated_at))
            }
            // A repository that is hidden from this token is told when the secret is to be written.
            404 => Ok(Holding::Not("was not there".into())),
            _ => Err(self.refused(&answer)),
        }
    }

    async fn read(&self, _deadline: &Deadline) -> Result<Option<Secret>, Failure> {
        Ok(None)
    }

    async fn write(&self, secret: &Secret, _kind: &Kind, deadline: &Deadline) -> Result<(), Failure> {
        let http = self.http.with_deadline(deadline.clone());
        let (key_id, key) = self.key(&http).await?;
        let mut randomness = Randomness(&*http.world().random);
        let sealed = key.seal(&mut randomness, secret.expose().as_bytes()).map_err(|_| {
            Failure::new(
                Exit::Store,
                format!("The secret could not be sealed for {}.", self.address),
                "Report it: this is a defect in adopat.",
            )
        })?;
        let body = json!({"encrypted_value": STANDARD.encode(sealed), "key_id": key_id}).to_string();
        let request = self.request(Method::PUT, &self.name, Bytes::from(body))?;
        let answer =
            send(&http, request, Some(&self.written)).await.map_err(|silence| self.silent(silence))?;
        if is_taken(&answer) { Ok(()) } else { Err(self.refused(&answer)) }
    }

    async fn restore(&self, _deadline: &Deadline) -> Result<Restored, Failure> {
        Ok(self.written.is_left())
    }
}

/// Sends the request, again where GitHub has a bad moment, or puts it off for a time that can be waited. Of a write it
/// is noted what became of each attempt.
async fn send(http: &Http, request: Request<Bytes>, written: Option<&Written>) -> Result<Answer, NoAnswer> {
    let mut attempt = 1;
    loop {
        let outcome = http.send(request.clone(), Effect::OnceOnly).await;
        if let Some(written) = written {
            match &outcome {
                Ok(answer) if is_taken(answer) => written.taken(),
                outcome if may_have_acted(outcome.as_ref()) => written.lost(),
                _ => {}
            }
        }
        let put_off = outcome.as_ref().ok().and_then(|answer| put_off(answer, http.clock().now()));
        let put_off = put_off.filter(|wait| attempt < ATTEMPTS && *wait <= http.deadline().left());
        let Some(pause) = put_off.or_else(|| http.pause_after(attempt, outcome.as_ref())) else {
            return outcome;
        };
        http.wait(pause).await?;
        attempt += 1;
    }
}

/// Whether this is how GitHub says that it has stored a secret.
fn is_taken(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 201 | 204)
}

/// Whether a 403 or 429 is a limit and no missing right.
fn is_limited(answer: &Answer) -> bool {
    answer.status == 429
        || answer.header("retry-after").is_some()
        || answer.header("x-ratelimit-remaining") == Some("0")
}

/// How long GitHub puts a request off, if it does. HTTP has waited out a 429 that says how long; GitHub also says
/// it with a 403, or by the time at which its limit starts anew.
fn put_off(answer: &Answer, now: Timestamp) -> Option<Duration> {
    if !matches!(answer.status.as_u16(), 403 | 429) || !is_limited(answer) {
        return None;
    }
    answer.retry_after(now).or_else(|| {
        let reset = answer.header("x-ratelimit-reset")?.parse().ok()?;
        let reset = Timestamp::from_second(reset).ok()?;
        let wait = reset.duration_since(answer.date().unwrap_or(now));
        // A second more, for what the header rounds off.
        Some(Duration::try_from(wait).unwrap_or(Duration::ZERO) + Duration::from_secs(1))
    })
}

/// Where a token is authorized for an organization that wants single sign-on: `required; url=https://...`.
fn single_sign_on(answer: &Answer) -> Option<String> {
    let url = answer.header("x-github-sso")?.split(';').find_map(|part| part.trim().strip_prefix("url="))?;
    let url = url::Url::parse(url).ok().filter(|url| url.scheme() == "https")?;
    Some(url.to_string())
}

fn request_id(answer: &Answer) -> Option<(&'static str, String)> {
    Some(("X-GitHub-Request-Id", answer.header("x-github-request-id")?.to_owned()))
}

/// The world's randomness, as the cryptography wants it.
struct Randomness<'a>(&'a dyn Random);

impl RngCore for Randomness<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.0.fill(buffer);
        Ok(())
    }
}

impl CryptoRng for Randomness<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::proxy::ProxySettings;
    use crate::http::reqwest_wire::ReqwestWire;
    use crate::store::fake::{self, FakeWire, deadline};
    use crate::world::{SystemRandom, WireError, World};
    use crypto_box::SecretKey;
    use http::Response;
    use rstest::rstest;
    use serde_json::Value;
    use std::sync::{Arc, Mutex};

    type Outcome = Result<Response<Bytes>, WireError>;

    fn key() -> SecretKey {
        SecretKey::from([7; 32])
    }

    /// GitHub, holding one key; `odd` may answer first.
    fn github(
        odd: impl Fn(&Request<Bytes>) -> Option<Outcome> + Send + Sync + 'static,
    ) -> (Arc<FakeWire>, World) {
        fake::world(move |request| {
            if let Some(outcome) = odd(request) {
                return outcome;
            }
            let public = STANDARD.encode(key().public_key().as_bytes());
            match request.method().as_str() {
                "GET" => fake::json(200, &json!({"key_id": "568250167242549743", "key": public})),
                _ => fake::json(201, &json!({})),
            }
        })
    }

    fn store(world: World, environment: Option<&str>, api: &str) -> GithubSecretStore {
        GithubSecretStore::new(
            ["contoso".into(), "web".into(), "ADO_PAT".into()],
            environment.map(ToOwned::to_owned),
            &Url::parse(api).expect("an address"),
            Some(Secret::new("github_pat_fake".into())),
            Http::new(world, deadline(60)),
        )
    }

    async fn write(store: &GithubSecretStore) -> Result<(), Failure> {
        store.write(&Secret::new("patpatpat".into()), &Kind::RefreshToken, &deadline(60)).await
    }

    fn answer(status: u16, message: &str, headers: &[(&'static str, &str)]) -> Outcome {
        let mut answer = fake::json(status, &json!({"message": message}))?;
        for (name, value) in headers {
            answer.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        Ok(answer)
    }

    #[tokio::test]
    async fn what_is_sent_can_be_opened_with_the_repositorys_key_alone() {
        let (wire, world) = github(|_| None);
        write(&store(world, None, "https://api.github.com")).await.expect("written");
        let [asked, put] = <[Request<Bytes>; 2]>::try_from(wire.requests()).expect("two requests");
        assert_eq!(asked.uri(), "https://api.github.com/repos/contoso/web/actions/secrets/public-key");
        assert_eq!(put.uri(), "https://api.github.com/repos/contoso/web/actions/secrets/ADO_PAT");
        for header in ["authorization", "accept", "user-agent", "x-github-api-version"] {
            assert!(put.headers().contains_key(header), "{header}");
        }
        let body = fake::body(&put);
        assert_eq!(body["key_id"], "568250167242549743");
        let sealed = STANDARD.decode(body["encrypted_value"].as_str().expect("a text")).expect("base64");
        assert_eq!(key().unseal(&sealed).expect("opened"), b"patpatpat");
        SecretKey::generate(&mut Randomness(&SystemRandom)).unseal(&sealed).expect_err("another key");
    }

    #[tokio::test]
    async fn an_environment_has_a_key_of_its_own_and_any_name() {
        let (wire, world) = github(|_| None);
        let store = store(world, Some("prod/eu west"), "https://ghe.contoso.example/api/v3");
        write(&store).await.expect("written");
        let place =
            "https://ghe.contoso.example/api/v3/repos/contoso/web/environments/prod%2Feu%20west/secrets";
        assert_eq!(wire.log(), [format!("GET {place}/public-key"), format!("PUT {place}/ADO_PAT")]);
    }

    #[rstest]
    #[case(401, "Bad credentials", &[], "Renew")]
    #[case(403, "Resource not accessible by integration", &[], "own GITHUB_TOKEN never may")]
    #[case(403, "Resource not accessible by personal access token", &[("x-accepted-github-permissions", "secrets=read")], "secrets=read")]
    #[case(403, "Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization.",
        &[("x-github-sso", "required; url=https://github.com/orgs/contoso/sso?authorization_request=FAKE")],
        "Open https://github.com/orgs/contoso/sso?authorization_request=FAKE and authorize")]
    #[case(403, "Although you appear to have the correct authorization credentials, the `contoso` organization has an IP allow \
        list enabled, and your IP address is not permitted to access this resource.", &[], "allow this machine's address")]
    #[case(403, "Repository was archived so is read-only.", &[], "Unarchive the repository")]
    #[case(404, "Not Found", &[], "hides it")]
    #[case(301, "Moved Permanently", &[], "renamed")]
    #[case(422, "Validation Failed", &[], "secret's name")]
    #[case(403, "API rate limit exceeded", &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4102444800")], "asks to wait")]
    #[case(200, "", &[], "none that it documents")]
    #[tokio::test]
    async fn each_refusal_says_what_to_do(
        #[case] status: u16,
        #[case] message: &'static str,
        #[case] headers: &'static [(&'static str, &'static str)],
        #[case] part: &str,
    ) {
        let (_, world) = github(move |_| Some(answer(status, message, headers)));
        let store = store(world, None, "https://api.github.com");
        let failure = store.prepare(&deadline(60)).await.expect_err("refused");
        assert_eq!(failure.exit, Exit::Store);
        assert!(failure.to_string().contains(part), "{failure}");
        assert!(!failure.to_string().contains("github_pat_fake"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_passes_in_time_is_waited_out() {
        let refused = Mutex::new(0);
        let (wire, world) = github(move |_| {
            let mut refused = refused.lock().expect("not poisoned");
            *refused += 1;
            (*refused == 1).then(|| answer(403, "secondary rate limit", &[("retry-after", "20")]))
        });
        let begun = tokio::time::Instant::now();
        assert_eq!(store(world, None, "https://api.github.com").prepare(&deadline(60)).await, Ok(None));
        assert_eq!(wire.log().len(), 2);
        assert_eq!(begun.elapsed(), Duration::from_secs(20));
    }

    #[rstest]
    #[case::delivered(fake::json(200, &json!({"name": "ADO_PAT", "updated_at": "2026-11-24T12:00:00Z"})), Ok(None))]
    #[case::an_older_one(fake::json(200, &json!({"updated_at": "2026-11-24T11:59:59Z"})), Ok(Some("was last changed at 2026-11-24T11:59:59Z")))]
    #[case::missing(answer(404, "Not Found", &[]), Ok(Some("was not there")))]
    #[case::refused(answer(401, "Bad credentials", &[]), Err("Renew the token."))]
    #[case::odd(fake::json(200, &json!([])), Err("github-api-url"))]
    #[tokio::test]
    async fn a_secret_tells_when_it_was_last_changed(
        #[case] answer: Outcome,
        #[case] told: Result<Option<&str>, &str>,
    ) {
        let (wire, world) = github(move |_| Some(answer.clone()));
        let valid_from = "2026-11-24T12:00:00.7Z".parse().ok();
        let expected = Expected { authorization_id: "x", valid_from };
        match (store(world, None, "https://api.github.com").holds(&expected, &deadline(60)).await, told) {
            (Ok(Holding::Holds), Ok(None)) => {}
            (Ok(Holding::Not(why)), Ok(Some(part))) => assert!(why.contains(part), "{why}"),
            (Err(failure), Err(part)) => {
                assert!(failure.exit == Exit::Store && failure.remedy.contains(part), "{failure}");
            }
            (other, _) => panic!("{other:?}"),
        }
        assert_eq!(wire.log(), ["GET https://api.github.com/repos/contoso/web/actions/secrets/ADO_PAT"]);
    }

    #[tokio::test]
    async fn without_a_token_nothing_is_asked() {
        let (wire, world) = github(|_| None);
        let mut store = store(world, None, "https://api.github.com");
        store.token = None;
        let failure = store.prepare(&deadline(60)).await.expect_err("no token");
        assert!(failure.cause.contains("github-token"), "{failure}");
        assert!(wire.log().is_empty());
    }

    #[rstest]
    #[case(answer(403, "no", &[]), Restored::Whole)]
    #[case(Err(WireError::Unreachable("refused".into())), Restored::Whole)]
    #[case(Err(WireError::BrokenOff("reset".into())), Restored::Doubtful)]
    #[case(answer(408, "", &[]), Restored::Doubtful)]
    #[case(answer(500, "", &[]), Restored::Doubtful)]
    #[case(answer(504, "", &[]), Restored::Doubtful)]
    #[tokio::test(start_paused = true)]
    async fn it_is_known_whether_a_failed_write_may_have_reached_github(
        #[case] outcome: Outcome,
        #[case] restored: Restored,
    ) {
        let (_, world) = github(move |request| (request.method() == Method::PUT).then(|| outcome.clone()));
        let store = store(world, None, "https://api.github.com");
        write(&store).await.expect_err("failed");
        assert_eq!(store.restore(&deadline(60)).await, Ok(restored));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_was_lost_is_not_forgotten_over_a_refusal_that_follows() {
        let asked = Mutex::new(0);
        let (_, world) = github(move |request| {
            let mut asked = asked.lock().expect("not poisoned");
            *asked += usize::from(request.method() == Method::PUT);
            let status = if *asked == 1 { 504 } else { 403 };
            (request.method() == Method::PUT).then(|| answer(status, "no", &[]))
        });
        let store = store(world, None, "https://api.github.com");
        write(&store).await.expect_err("failed");
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::Doubtful));
    }

    #[rstest]
    #[case::of_github(json!("568250167242549743"))]
    #[case::of_an_enterprise_server(json!(568_250_167_242_549_743_u64))]
    fn a_keys_id_is_a_text_or_a_number(#[case] id: serde_json::Value) {
        let key: Key = serde_json::from_value(json!({"key_id": id, "key": "AAAA"})).expect("a key");
        assert_eq!(key.key_id.into_text(), "568250167242549743");
    }

    #[rstest]
    #[case(json!({"key_id": "1", "key": "AAAA"}))]
    #[case(json!({"key_id": "1", "key": "not base64"}))]
    #[case(json!({"key": null}))]
    #[case(json!([]))]
    #[tokio::test]
    async fn a_key_that_is_none_is_refused(#[case] key: Value) {
        let (_, world) = github(move |_| Some(fake::json(200, &key)));
        store(world, None, "https://api.github.com").prepare(&deadline(60)).await.expect_err("no key");
    }

    #[tokio::test]
    async fn a_write_goes_over_a_real_connection() {
        let mut server = mockito::Server::new_async().await;
        let public = STANDARD.encode(key().public_key().as_bytes());
        let place = "/api/v3/repos/contoso/web/environments/prod%2Feu/secrets";
        let asked = server
            .mock("GET", format!("{place}/public-key").as_str())
            .match_header("user-agent", crate::http::AGENT)
            .with_body(json!({"key_id": "1", "key": public}).to_string())
            .create();
        let written = server
            .mock("PUT", format!("{place}/ADO_PAT").as_str())
            .match_header("authorization", "Bearer github_pat_fake")
            .match_body(mockito::Matcher::PartialJson(json!({"key_id": "1"})))
            .with_status(204)
            .create();
        let wire = ReqwestWire::new(ProxySettings::default(), Vec::new());
        let world = World { wire: Arc::new(wire), ..fake::offline() };
        write(&store(world, Some("prod/eu"), &format!("{}/api/v3/", server.url()))).await.expect("written");
        asked.assert();
        written.assert();
    }
}
