//! What every observation works with: the user who is signed in, the PATs that the probe has made, and the way to
//! ask a service for anything.
//!
//! Each PAT that is made is written into the ledger before anybody looks at the answer, so that
//! cleaning up finds it. What several observations look at is made once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adopat::azure_devops::Endpoints;
use adopat::azure_devops::Organization;
use adopat::entra::Tokens;
use adopat::failure::{Exit, Failure};
use adopat::host::Host;
use adopat::http::{Effect, Http, NoAnswer};
use adopat::pats::Service;
use adopat::secret::Secret;
use adopat::time::Ended;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::call::{By, Call};
use crate::exhibits::Exhibits;
use crate::expectation::Unobserved;
use crate::seen::Seen;
use crate::watch::{SignIn, Watched};

/// How the name of every PAT of every probe begins.
pub const PREFIX: &str = "adopat-probe-";
/// What the PATs may do: read the Marketplace, and nothing that is the organization's own.
pub const SCOPE: &str = "vso.gallery";
/// How long they live.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// The fraction of a second in which their ends end: none that 1/300 s can express.
pub(crate) const FRACTION: &str = "319";

/// No more requests than this are sent to look at something. Azure DevOps lets a user spend 200 units in five
/// minutes, and none of these is worth a whole one.
pub const REQUESTS: usize = 160;

/// How many pages of a list are read.
const PAGES: usize = 10;

/// What every observation works with.
pub struct Scene {
    pub(crate) http: Http,
    pub(crate) places: Endpoints,
    pub(crate) organization: Organization,
    pub(crate) bearer: Secret,
    pub(crate) client: Client,
    /// How the names of this run's PATs begin.
    pub(crate) name: String,
    host: Arc<dyn Host>,
    watched: Arc<Watched>,
    ledger: Mutex<Ledger>,
    rest_until: Mutex<Option<Instant>>,
    pub(crate) exhibits: Exhibits,
}

/// The app registration that was signed in to.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its client id; empty where the sign-in had none of its own.
    pub(crate) id: String,
    /// Whether it has to prove itself.
    pub(crate) confidential: bool,
}

/// What has to be undone.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The ids of PATs that were made, and not revoked since.
    pub(crate) alive: Vec<String>,
    /// How many requests for a PAT have had no answer that told what came of them.
    pub(crate) in_doubt: usize,
}

impl Scene {
    pub(crate) fn new(
        http: Http,
        places: Endpoints,
        organization: Organization,
        tokens: &Tokens,
        client: Client,
        host: Arc<dyn Host>,
        watched: Arc<Watched>,
    ) -> Self {
        let random = http.world().uuid().simple().to_string();
        Self {
            name: format!("{PREFIX}{}", &random[..8]),
            bearer: tokens.access_token.clone(),
            http,
            places,
            organization,
            client,
            host,
            watched,
            ledger: Mutex::default(),
            rest_until: Mutex::default(),
            exhibits: Exhibits::default(),
        }
    }

    /// The PAT service, for what is no observation.
    pub(crate) fn service(&self) -> Service {
        let organization = self.organization.clone();
        Service::new(self.http.clone(), &self.places.service_url, organization, self.bearer.clone())
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token request that signed the user in.
    pub(crate) fn sign_in(&self) -> Result<SignIn, Unobserved> {
        self.watched
            .sign_in()
            .ok_or_else(|| Unobserved::hidden("no token was asked of Entra by this sign-in"))
    }

    /// What the service's clock says.
    pub(crate) fn now(&self) -> Timestamp {
        self.http.clock().now()
    }

    /// A call to the PAT service.
    pub(crate) fn pats(&self, method: Method) -> Call<'_> {
        let path = [self.organization.name(), "_apis", "tokens", "pats"];
        Call::new(self, method, &self.places.service_url, &path).query("api-version", "7.1-preview.1")
    }

    /// A call to Azure DevOps itself: who am I?
    pub(crate) fn connection_data(&self) -> Call<'_> {
        let path = [self.organization.name(), "_apis", "connectionData"];
        Call::new(self, Method::GET, &self.places.devops_url, &path)
    }

    /// Sends a request, within the limits: not too many, not too fast.
    pub(crate) async fn send(&self, request: http::Request<bytes::Bytes>) -> Result<Seen, Unobserved> {
        if self.watched.count() >= REQUESTS {
            return Err(Unobserved::hidden(format!("the limit of {REQUESTS} requests was reached")));
        }
        let rest = self.rest_until.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(rest) = rest.map(|until| until.saturating_duration_since(Instant::now())) {
            self.wait(rest).await?;
        }
        let once = request.method() == Method::POST;
        let effect = if once { Effect::OnceOnly } else { Effect::Idempotent };
        let answer = self.http.send(request, effect).await.map_err(unanswered)?;
        let seen = Seen::from(answer);
        seen.secrets().for_each(|secret| self.host.mask(secret));
        self.heed_the_budget(&seen);
        Ok(seen)
    }

    /// Rests before the next request where less than a fifth of the service's budget is left.
    fn heed_the_budget(&self, seen: &Seen) {
        let number = |name: &str| seen.header(name)?.trim().parse::<f64>().ok();
        let (Some(limit), Some(remaining)) = (number("X-RateLimit-Limit"), number("X-RateLimit-Remaining"))
        else {
            return;
        };
        if remaining >= limit / 5.0 {
            return;
        }
        let now = self.now().as_second() as f64;
        let wait = number("X-RateLimit-Reset").map_or(30.0, |reset| (reset - now).clamp(1.0, 300.0));
        let until = Instant::now() + Duration::from_secs_f64(wait);
        *self.rest_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Asks for a PAT. Whatever is made is in the ledger afterwards.
    pub(crate) async fn create(&self, body: Value) -> Result<Seen, Unobserved> {
        self.ledger().in_doubt += 1;
        let seen = self.pats(Method::POST).json(&body).send().await?;
        let id = seen.pat().and_then(|pat| pat["authorizationId"].as_str());
        let refused = (400..500).contains(&seen.status) && seen.status != 408;
        let mut ledger = self.ledger();
        if id.is_some() || refused || seen.field("patTokenError").is_string() {
            ledger.in_doubt -= 1;
        }
        ledger.alive.extend(id.map(str::to_owned));
        drop(ledger);
        Ok(seen)
    }

    /// Asks for a PAT that should be refused, and revokes it at once if it is not.
    pub(crate) async fn verdict_on(&self, body: Value) -> Result<String, Unobserved> {
        let seen = self.create(body).await?;
        if let Some(id) = seen.pat().and_then(|pat| pat["authorizationId"].as_str()) {
            self.revoke(id).await?;
        }
        Ok(seen.verdict())
    }

    /// Revokes a PAT.
    pub(crate) async fn revoke(&self, id: &str) -> Result<Seen, Unobserved> {
        let seen = self.pats(Method::DELETE).query("authorizationId", id).send().await?;
        if seen.is_done() {
            self.ledger().alive.retain(|alive| alive != id);
        }
        Ok(seen)
    }

    /// The body that asks for a PAT of this name.
    pub(crate) fn wish(&self, name: &str) -> Value {
        self.wish_with_fraction(name, FRACTION)
    }

    /// The same, with another fraction of a second in its end.
    pub(crate) fn wish_with_fraction(&self, name: &str, fraction: &str) -> Value {
        let whole = (self.now() + LIFETIME).strftime("%Y-%m-%dT%H:%M:%S");
        let valid_to = format!("{whole}.{fraction}Z");
        json!({"displayName": name, "scope": SCOPE, "validTo": valid_to, "allOrgs": false})
    }

    /// Changes a PAT.
    pub(crate) async fn update(&self, body: Value) -> Result<Seen, Unobserved> {
        self.pats(Method::PUT).json(&body).send().await
    }

    /// One page of a list.
    pub(crate) async fn page(&self, query: &[(&str, &str)]) -> Result<Seen, Unobserved> {
        let call = query.iter().fold(self.pats(Method::GET), |call, (name, value)| call.query(name, value));
        call.send().await
    }

    /// The pages of a list, to its end or to the tenth.
    pub(crate) async fn pages(&self, query: &[(&str, &str)]) -> Result<Vec<Seen>, Unobserved> {
        let mut pages = vec![self.page(query).await?];
        while let Some(token) = pages.last().and_then(Seen::continuation).map(str::to_owned) {
            if pages.len() == PAGES {
                break;
            }
            let next = [query, &[("continuationToken", &token)]].concat();
            pages.push(self.page(&next).await?);
        }
        Ok(pages)
    }

    /// The organization's front page, as it shows itself to anybody.
    pub(crate) async fn front_page(&self) -> Result<Seen, Unobserved> {
        let path = [self.organization.name()];
        Call::new(self, Method::HEAD, &self.places.devops_url, &path).by(By::Nobody).send().await
    }

    /// Waits, unless the run ends before.
    pub(crate) async fn wait(&self, time: Duration) -> Result<(), Unobserved> {
        self.http.deadline().pause(time).await.map_err(|ended| unanswered(ended.into()))
    }

    /// Whether a list holds the PAT.
    pub(crate) async fn lists(&self, query: &[(&str, &str)], id: &str) -> Result<bool, Unobserved> {
        let pages = self.pages(query).await?;
        match pages.iter().flat_map(Seen::pats).any(|pat| pat["authorizationId"] == id) {
            false if pages.last().and_then(Seen::continuation).is_some() => {
                Err(Unobserved::hidden(format!("it is not on the first {PAGES} pages")))
            }
            found => Ok(found),
        }
    }

    /// Fails where the app has to prove itself: its proof is not spent on what is refused anyway.
    pub(crate) fn public_client(&self) -> Result<(), Unobserved> {
        match self.client.id.as_str() {
            "" => Err(Unobserved::hidden("the sign-in has no client-id")),
            _ if self.client.confidential => Err(Unobserved::hidden("the app is a confidential client")),
            _ => Ok(()),
        }
    }

    /// A call to an endpoint of Entra: of the tenant that was signed in to, or of another.
    pub(crate) fn entra(&self, endpoint: &str, tenant: Option<&str>) -> Result<Call<'_>, Unobserved> {
        let sign_in = self.sign_in()?;
        let own = sign_in.uri.path().trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
        let path = [tenant.unwrap_or(&own), "oauth2", "v2.0", endpoint];
        Ok(Call::new(self, Method::POST, &self.places.authority_host, &path).by(By::Nobody).unsuppressed())
    }

    /// A token request.
    pub(crate) fn token_request(&self, form: &[(&str, &str)]) -> Result<Call<'_>, Unobserved> {
        Ok(self.entra("token", None)?.form(form))
    }
}

/// What stands in the place of a refresh token if there is to be none.
pub(crate) const NO_REFRESH_TOKEN: &str = "adopat-probe-no-refresh-token";

/// The query for active PATs in a known order.
pub(crate) const BY_NAME: [(&str, &str); 4] = [
    ("displayFilterOption", "active"),
    ("sortByOption", "displayName"),
    ("isSortAscending", "true"),
    ("$top", "100"),
];

/// Whether `connectionData` is of somebody.
pub(crate) fn is_somebody(seen: &Seen) -> bool {
    let id = seen.field("authenticatedUser")["id"].as_str();
    seen.status == 200
        && id.is_some_and(|id| !id.eq_ignore_ascii_case("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"))
}

/// What an answer that did not come means for an observation: a broken connection hides something, a run that is
/// cancelled or out of time ends.
fn unanswered(error: NoAnswer) -> Unobserved {
    match error {
        NoAnswer::Wire(_) => Unobserved::hidden("no answer came"),
        NoAnswer::Ended(Ended::TimedOut) => Unobserved::Ended(Failure::new(
            Exit::Service,
            "The time is over in which to look.",
            "Run it again later, or raise the input 'timeout'; it also ends two minutes before the access token does.",
        )),
        error => Unobserved::Ended(error.into_failure("A service")),
    }
}
