//! The five calls of the PAT service: list, get, create, update, revoke.

use std::collections::HashSet;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::model::{Filter, Pat};
use super::{Fingerprint, Scope, Undone, refusal};
use crate::azure_devops::Organization;
use crate::azure_devops::error_body::support_ids;
use crate::failure::{Exit, Failure};
use crate::http::request;
use crate::http::{Answer, Doubt, Effect, Http, NoAnswer};
use crate::secret::Secret;
use crate::time::{Deadline, Ended, to_the_second};

/// The version that is asked for. None without `-preview` exists.
const API_VERSION: &str = "7.1-preview.1";
/// The most pages of a list that are read, of 100 PATs or so each: far more than any person has.
const MOST_PAGES: usize = 500;
/// The most bytes of a list that are read, on all its pages: 64 MiB.
const MOST_BYTES: usize = 64 << 20;
/// The longest continuation token that is sent back, in bytes.
const LONGEST_TOKEN: usize = 16 << 10;
/// The largest page the service gives.
const PAGE: &str = "100";

/// The PAT service of one organization, as one user.
#[derive(Clone, Debug)]
pub struct Service {
    http: Http,
    address: Url,
    organization: Organization,
    bearer: Secret,
}

/// A PAT that was made, with its value, which nobody can ask for again.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The PAT.
    pub pat: Pat,
    /// Its value.
    pub token: Secret,
}

/// What an update changes; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// A new name.
    pub display_name: Option<String>,
    /// Other scopes.
    pub scope: Option<Scope>,
    /// Another end.
    pub valid_to: Option<Timestamp>,
}

/// What came of revoking a PAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It is revoked.
    Done,
    /// The service says that there is no such PAT (any more).
    Missing,
}

/// Why no PAT was made.
#[derive(Debug)]
pub enum CreateError {
    /// The service said no: none exists.
    Refused(Failure),
    /// The service asks to come back later, before it looked at the request: none exists.
    Later(Answer, Failure),
    /// A PAT may exist whose value nobody holds.
    Ambiguous(Ambiguity),
}

/// A create whose effect is not known.
#[derive(Debug)]
pub struct Ambiguity {
    /// How it came out.
    pub outcome: UnclearOutcome,
    /// The authorization id of the PAT, if the answer told that much.
    pub authorization_id: Option<String>,
    /// The answer, if there was one that can be read.
    pub answer: Option<Answer>,
    /// What a person reads if this is the end of it.
    pub failure: Failure,
}

/// How a create whose effect is not known came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnclearOutcome {
    /// The service failed, or its answer makes no sense.
    Failed,
    /// The service refused, and its answer holds a PAT all the same.
    Refused,
    /// A sign-in page: the credential was not accepted, or so it says.
    SignInPage,
    /// The connection broke.
    BrokenOff,
    /// No answer came in time.
    TimedOut,
    /// The run was cancelled meanwhile.
    Cancelled,
}

impl UnclearOutcome {
    /// Whether another request may get a better answer.
    pub fn may_be_tried_again(self) -> bool {
        matches!(self, Self::Failed | Self::BrokenOff)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    continuation_token: Option<String>,
    pat_tokens: Vec<Pat>,
}

/// The answer to get, create and update.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatTokenResult {
    #[serde(default)]
    pat_token: Option<PatWithToken>,
    #[serde(default)]
    pat_token_error: Option<String>,
    #[serde(default)]
    pat_token_error_message: Option<String>,
}

#[derive(Deserialize)]
struct PatWithToken {
    #[serde(flatten)]
    pat: Pat,
    #[serde(default)]
    token: Option<Secret>,
}

impl Service {
    /// The service at `base` (`service-url`) for one organization and one user's bearer.
    pub fn new(http: Http, base: &Url, organization: Organization, bearer: Secret) -> Self {
        let mut address = base.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().extend([organization.name(), "_apis", "tokens", "pats"]);
        }
        Self { http, address, organization, bearer }
    }

    /// The same service under another deadline, like one for cleaning up.
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        Self { http: self.http.with_deadline(deadline), ..self.clone() }
    }

    /// The same service, as the same user with a fresher token.
    pub fn with_bearer(&self, bearer: Secret) -> Self {
        Self { bearer, ..self.clone() }
    }

    /// The way its requests go.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// The organization it serves.
    pub fn organization(&self) -> &Organization {
        &self.organization
    }

    /// Every PAT that the filter lets through, all pages of them, sorted by name.
    ///
    /// # Errors
    /// What the service refused or failed at.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Pat>, Failure> {
        let mut pats = Vec::new();
        // A PAT that is made meanwhile moves others to the next page, where they are seen again.
        let (mut ids, mut seen) = (HashSet::new(), HashSet::new());
        let mut continuation = String::new();
        let mut bytes = 0;
        loop {
            // The end of a list is an empty token; every page repeats the whole query.
            let mut query = vec![
                ("displayFilterOption", filter.word()),
                ("sortByOption", "displayName"),
                ("isSortAscending", "true"),
                ("$top", PAGE),
            ];
            if !continuation.is_empty() {
                query.push(("continuationToken", &continuation));
            }
            let request = self.request(Method::GET, &query, None);
            let answer = self.send(request, Effect::Idempotent).await?;
            let page: Page = self.read(&answer)?;
            bytes += answer.body.len();
            pats.extend(page.pat_tokens.into_iter().filter(|pat| ids.insert(pat.authorization_id.clone())));
            continuation = page.continuation_token.unwrap_or_default();
            if continuation.is_empty() {
                return Ok(pats);
            }
            if !seen.insert(continuation.clone()) {
                return Err(self.nonsense(&answer, "sent the same page of PATs twice"));
            }
            if continuation.len() > LONGEST_TOKEN {
                return Err(
                    self.nonsense(&answer, "sent a continuation token that is too long to be sent back")
                );
            }
            if bytes > MOST_BYTES || seen.len() >= MOST_PAGES {
                return Err(self.nonsense(&answer, "sent page after page of PATs without an end"));
            }
        }
    }

    /// The PAT of this authorization id, whatever has become of it.
    ///
    /// # Errors
    /// What the service refused or failed at; exit 5 if there is none.
    pub async fn get(&self, id: &str) -> Result<Pat, Failure> {
        let request = self.request(Method::GET, &[("authorizationId", id)], None);
        let answer = self.send(request, Effect::Idempotent).await?;
        let (pat, _) = self.read_result(&answer)?;
        if !pat.authorization_id.eq_ignore_ascii_case(id) {
            return Err(self.nonsense(&answer, "described another PAT than the one it was asked for"));
        }
        Ok(pat)
    }

    /// Makes a PAT with this fingerprint, with one request.
    ///
    /// # Errors
    /// A refusal, or the doubt whether one was made: see [`CreateError`] and [`super::minting`].
    pub async fn create(&self, new: &Fingerprint) -> Result<Minted, CreateError> {
        let body = json!({
            "displayName": new.display_name,
            "scope": new.scope.to_string(),
            "validTo": new.end(),
            // Global PATs end on 2026-12-01, and the service's default is not documented.
            "allOrgs": false,
        });
        let request = self.request(Method::POST, &[], Some(&body));
        if let Err(ended) = self.http.await_turn(&request).await {
            return Err(CreateError::Refused(self.unanswered(ended)));
        }
        let doubt = |outcome, answer, failure| {
            CreateError::Ambiguous(Ambiguity { outcome, authorization_id: None, answer, failure })
        };
        let answer = match self.http.send(request, Effect::OnceOnly).await {
            Ok(answer) => answer,
            Err(error) if !error.may_have_acted() => {
                return Err(CreateError::Refused(self.unanswered(error)));
            }
            Err(error) => {
                let outcome = match &error {
                    NoAnswer::Ended(Ended::Cancelled(_)) => UnclearOutcome::Cancelled,
                    NoAnswer::Ended(Ended::TimedOut) => UnclearOutcome::TimedOut,
                    _ => UnclearOutcome::BrokenOff,
                };
                return Err(doubt(outcome, None, self.unanswered(error)));
            }
        };
        let result = match answer.status.as_u16() {
            429 => {
                let failure = self.refusal(&answer);
                return Err(CreateError::Later(answer, failure));
            }
            200 | 201 => answer.json::<PatTokenResult>().ok(),
            _ if answer.is_refusal() => return Err(CreateError::Refused(self.refusal(&answer))),
            // Its own word for the error is the service's, whatever the status: a gateway knows none.
            _ => answer.json::<PatTokenResult>().ok().filter(PatTokenResult::is_refusal),
        };
        let Some(result) = result else {
            let failure = match answer.status.as_u16() {
                200 | 201 if !answer.is_page() => {
                    self.nonsense(&answer, "answered the request for a PAT with something else")
                }
                _ => self.refusal(&answer),
            };
            let outcome = if failure.exit == Exit::SignIn {
                UnclearOutcome::SignInPage
            } else {
                UnclearOutcome::Failed
            };
            return Err(doubt(outcome, Some(answer), failure));
        };
        if result.is_refusal() {
            let failure = self.refusal_of(&answer, &result);
            let Some(PatWithToken { pat, .. }) = result.pat_token.filter(|found| found.is_one()) else {
                return Err(CreateError::Refused(failure));
            };
            let failure = failure.and("The answer holds a PAT all the same, which must not live on.");
            let (outcome, authorization_id) = (UnclearOutcome::Refused, Some(pat.authorization_id));
            let answer = Some(answer);
            return Err(CreateError::Ambiguous(Ambiguity { outcome, authorization_id, answer, failure }));
        }
        match result.pat_token {
            Some(PatWithToken { pat, token: Some(token) }) if !token.is_empty() => Ok(Minted { pat, token }),
            Some(PatWithToken { pat, .. }) => {
                let failure = self.nonsense(&answer, "made a PAT without telling its value");
                let outcome = UnclearOutcome::Failed;
                let authorization_id = Some(pat.authorization_id);
                let answer = Some(answer);
                Err(CreateError::Ambiguous(Ambiguity { outcome, authorization_id, answer, failure }))
            }
            None => {
                let failure = self.nonsense(&answer, "answered the request for a PAT without one");
                Err(doubt(UnclearOutcome::Failed, Some(answer), failure))
            }
        }
    }

    /// Changes a PAT. Its value stays as it is.
    ///
    /// # Errors
    /// What the service refused or failed at; [`Undone::doubt`] says whether it may have changed the PAT all the same.
    pub async fn update(&self, id: &str, change: &Change) -> Result<Pat, Undone> {
        let mut body = json!({ "authorizationId": id, "allOrgs": false });
        if let Some(name) = &change.display_name {
            body["displayName"] = json!(name);
        }
        if let Some(scope) = &change.scope {
            body["scope"] = json!(scope.to_string());
        }
        if let Some(valid_to) = change.valid_to {
            body["validTo"] = json!(to_the_second(valid_to));
        }
        // Setting the same values a second time changes nothing more.
        let request = self.request(Method::PUT, &[], Some(&body));
        let (answer, earlier) = self.send_a_change(request).await?;
        let changed = self.accepted(&answer).and_then(|()| self.read_result(&answer));
        changed.map(|(pat, _)| pat).map_err(|why| undone(&answer, why, earlier))
    }

    /// Revokes a PAT, as far as the answers tell. That there is none is not a failure; if an earlier try may have
    /// revoked it, it is what that try did.
    ///
    /// # Errors
    /// What the service refused or failed at; [`Undone::doubt`] says whether it may have revoked the PAT all the same.
    pub async fn try_to_revoke(&self, id: &str) -> Result<Revocation, Undone> {
        let request = self.request(Method::DELETE, &[("authorizationId", id)], None);
        let (answer, earlier) = self.send_a_change(request).await?;
        // Documented as 200, seen as 204, and without a body worth reading.
        let why = match answer.status.as_u16() {
            204 => return Ok(Revocation::Done),
            200 if !answer.is_page() => match answer.json::<PatTokenResult>() {
                Ok(result) if result.is_refusal() => self.refusal_of(&answer, &result),
                _ => return Ok(Revocation::Done),
            },
            _ => self.refusal(&answer),
        };
        match refusal::is_gone(&answer) {
            true if earlier > Doubt::None => Ok(Revocation::Done),
            true => Ok(Revocation::Missing),
            false => Err(undone(&answer, why, earlier)),
        }
    }

    /// Sends what changes a PAT; returns the last answer, and the doubt that the tries before it leave.
    async fn send_a_change(&self, request: Request<bytes::Bytes>) -> Result<(Answer, Doubt), Undone> {
        let mut doubt = Doubt::None;
        match self.http.send_in_doubt(request, Effect::Idempotent, &mut doubt).await {
            Ok(answer) => Ok((answer, doubt)),
            Err(error) => Err(Undone { why: self.unanswered(error), doubt }),
        }
    }

    fn request(
        &self,
        method: Method,
        query: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Request<bytes::Bytes> {
        let mut address = self.address.clone();
        address.query_pairs_mut().extend_pairs(query).append_pair("api-version", API_VERSION);
        request::build(
            request::authorized(Request::builder(), &self.bearer)
                .method(method)
                .uri(address.as_str())
                .header(ACCEPT, "application/json")
                .header(CONTENT_TYPE, "application/json")
                // Without it a refused credential is answered with a sign-in page instead of a 401.
                .header("X-TFS-FedAuthRedirect", "Suppress"),
            body.map(ToString::to_string).unwrap_or_default(),
        )
    }

    /// Sends a request; any answer but a 200 is a failure.
    async fn send(&self, request: Request<bytes::Bytes>, effect: Effect) -> Result<Answer, Failure> {
        let answer = self.http.send(request, effect).await.map_err(|error| self.unanswered(error))?;
        self.accepted(&answer).map(|()| answer)
    }

    fn accepted(&self, answer: &Answer) -> Result<(), Failure> {
        if answer.status.as_u16() == 200 && !answer.is_page() { Ok(()) } else { Err(self.refusal(answer)) }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, answer: &Answer) -> Result<T, Failure> {
        answer.json().map_err(|_| match answer.json::<PatTokenResult>() {
            Ok(result) if result.is_refusal() => self.refusal_of(answer, &result),
            _ => self.nonsense(answer, "sent an answer that cannot be read"),
        })
    }

    fn read_result(&self, answer: &Answer) -> Result<(Pat, Option<Secret>), Failure> {
        self.pat_of(answer, self.read(answer)?)
    }

    fn pat_of(&self, answer: &Answer, result: PatTokenResult) -> Result<(Pat, Option<Secret>), Failure> {
        if result.is_refusal() {
            return Err(self.refusal_of(answer, &result));
        }
        match result.pat_token {
            Some(found) => Ok((found.pat, found.token)),
            None => Err(self.nonsense(answer, "sent an answer without a PAT in it")),
        }
    }

    fn refusal_of(&self, answer: &Answer, result: &PatTokenResult) -> Failure {
        let name = result.pat_token_error.as_deref().unwrap_or_default();
        let message = result.pat_token_error_message.as_deref();
        refusal::with_ids_of(answer, refusal::of_name(name, message, &self.organization))
    }

    fn refusal(&self, answer: &Answer) -> Failure {
        refusal::of_answer(answer, &self.organization)
    }

    fn unanswered(&self, error: NoAnswer) -> Failure {
        let host = self.address.host_str().unwrap_or_default();
        error.into_failure(&format!("The PAT service ({host})"))
    }

    fn nonsense(&self, answer: &Answer, what: &str) -> Failure {
        let host = self.address.host_str().unwrap_or_default();
        Failure::new(
            Exit::Service,
            format!("The PAT service ({host}) {what} (HTTP {}).", answer.status.as_u16()),
            "Run it again; if it keeps failing, check that no proxy answers in the service's place.",
        )
        .with_support_ids(support_ids(answer))
    }
}

/// What this answer and the tries before it leave of a change. A refusal by name has not acted, whatever its status; one
/// that says that the service failed, and a sign-in page, which anything on the way can give, may have.
fn undone(answer: &Answer, why: Failure, earlier: Doubt) -> Undone {
    let doubt = match why.exit {
        Exit::Service | Exit::SignIn => Doubt::about(Ok(answer)),
        _ => Doubt::None,
    };
    Undone { why, doubt: doubt.max(earlier) }
}

impl PatWithToken {
    /// Whether it is a PAT and not an empty object.
    fn is_one(&self) -> bool {
        uuid::Uuid::parse_str(&self.pat.authorization_id).is_ok_and(|id| !id.is_nil())
    }
}

impl PatTokenResult {
    /// `none` means success; so does no word at all.
    fn is_refusal(&self) -> bool {
        self.pat_token_error
            .as_deref()
            .is_some_and(|name| !name.is_empty() && !name.eq_ignore_ascii_case("none"))
    }
}
