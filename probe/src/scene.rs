//! What every observation works with: the user who is signed in, the PATs that the probe has made, and the way to
//! ask a service for anything.
//!
//! Each PAT that is made is written into the ledger before anybody looks at the answer, so that
//! [cleaning up](crate::clean_up) finds it. What several observations look at is made once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adopat::azure_devops::Organization;
use adopat::entra::Tokens;
use adopat::failure::{Exit, Failure};
use adopat::host::Host;
use adopat::http::{Effect, Http, NoAnswer};
use adopat::inputs::request::Places;
use adopat::pats::Service;
use adopat::secret::Secret;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::call::{By, Call};
use crate::expectation::Unobserved;
use crate::seen::Seen;
use crate::watch::{SignIn, Watched};

/// How the name of every PAT of every probe begins.
pub const PREFIX: &str = "adopat-probe-";
/// What the PATs may do: read the Marketplace, which is the least that a scope gives.
pub const SCOPE: &str = "vso.gallery";
/// How long they live.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// No more requests than this are sent to look at something. Azure DevOps lets a user spend 200 units in five
/// minutes, and none of these is worth a whole one.
pub const REQUESTS: usize = 160;

/// How long a PAT may take until it works.
const UNTIL_IT_WORKS: Duration = Duration::from_secs(30);
/// How long a PAT may take until it is dead.
const UNTIL_IT_IS_DEAD: Duration = Duration::from_secs(60);
/// How many pages of a list are read.
const PAGES: usize = 10;

/// What every observation works with.
pub struct Scene {
    pub(crate) http: Http,
    pub(crate) places: Places,
    pub(crate) organization: Organization,
    pub(crate) bearer: Secret,
    pub(crate) client: Client,
    /// How the names of this run's PATs begin.
    pub(crate) name: String,
    host: Arc<dyn Host>,
    watched: Arc<Watched>,
    ledger: Mutex<Ledger>,
    rest_until: Mutex<Option<Instant>>,
    made: OnceCell<Result<Made, Unobserved>>,
    works: OnceCell<Result<Duration, Unobserved>>,
    second: OnceCell<Result<Made, Unobserved>>,
    dead: OnceCell<Result<Dead, Unobserved>>,
    renamed: OnceCell<Result<Seen, Unobserved>>,
    dying: OnceCell<Result<(Made, Instant), Unobserved>>,
    active: OnceCell<Result<Vec<Seen>, Unobserved>>,
    generic_error: OnceCell<Result<Seen, Unobserved>>,
    refused_token: OnceCell<Result<(Seen, String), Unobserved>>,
    device_code: OnceCell<Result<(Seen, Secret), Unobserved>>,
}

/// The app registration that was signed in to.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its client id; empty where the sign-in had none of its own.
    pub(crate) id: String,
    /// Whether it has to prove itself.
    pub(crate) confidential: bool,
}

/// A PAT of the probe.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its authorization id.
    pub(crate) id: String,
    /// Its value.
    pub(crate) value: Secret,
    /// The answer to its creation.
    pub(crate) answer: Seen,
    /// When that arrived.
    pub(crate) at: Instant,
}

/// A PAT of the probe that was revoked.
#[derive(Clone, Debug)]
pub struct Dead {
    /// The PAT.
    pub(crate) pat: Made,
    /// The answer to its revocation.
    pub(crate) answer: Seen,
    /// How long it went on working; none where it did to the end of patience.
    pub(crate) took: Option<Duration>,
    /// What Azure DevOps last said to it.
    pub(crate) said: Seen,
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
        places: Places,
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
            made: OnceCell::new(),
            works: OnceCell::new(),
            second: OnceCell::new(),
            dead: OnceCell::new(),
            renamed: OnceCell::new(),
            dying: OnceCell::new(),
            active: OnceCell::new(),
            generic_error: OnceCell::new(),
            refused_token: OnceCell::new(),
            device_code: OnceCell::new(),
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
        self.http.world().clock.now() + self.http.ahead()
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

    /// Asks for a PAT that should be refused, and revokes it at once where it is not.
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
        if (200..300).contains(&seen.status) {
            self.ledger().alive.retain(|alive| alive != id);
        }
        Ok(seen)
    }

    /// The body that asks for a PAT of this name. Its `validTo` ends in a fraction that 1/300 s cannot express.
    pub(crate) fn wish(&self, name: &str) -> Value {
        let valid_to = (self.now() + LIFETIME).strftime("%Y-%m-%dT%H:%M:%S.319Z").to_string();
        json!({"displayName": name, "scope": SCOPE, "validTo": valid_to, "allOrgs": false})
    }

    async fn make(&self) -> Result<Made, Unobserved> {
        let answer = self.create(self.wish(&self.name)).await?;
        let id = answer.pat().and_then(|pat| pat["authorizationId"].as_str()).map(str::to_owned);
        match (id, answer.secret("token").cloned()) {
            (Some(id), Some(value)) => Ok(Made { id, value, answer, at: Instant::now() }),
            _ => Err(Unobserved::hidden(format!("no PAT could be made: {}", answer.verdict()))),
        }
    }

    /// The probe's PAT.
    pub(crate) async fn made(&self) -> Result<Made, Unobserved> {
        self.made.get_or_init(|| self.make()).await.clone()
    }

    /// How long after its creation the probe's PAT first worked.
    pub(crate) async fn works(&self) -> Result<Duration, Unobserved> {
        let works = async {
            let made = self.made().await?;
            self.until_it_works(&made).await
        };
        self.works.get_or_init(|| works).await.clone()
    }

    async fn until_it_works(&self, pat: &Made) -> Result<Duration, Unobserved> {
        let mut attempt = 1;
        loop {
            let seen = self.connection_data().by(By::Pat(&pat.value)).send().await?;
            let took = pat.at.elapsed();
            if is_somebody(&seen) {
                return Ok(took);
            }
            if took > UNTIL_IT_WORKS {
                let verdict = seen.verdict();
                return Err(Unobserved::hidden(format!("no PAT of {SCOPE} is let in there: {verdict}")));
            }
            self.wait(self.http.backoff(attempt) * 2).await?;
            attempt += 1;
        }
    }

    /// A second PAT of the same name.
    pub(crate) async fn second(&self) -> Result<Made, Unobserved> {
        self.second
            .get_or_init(|| async {
                self.made().await?;
                self.make().await
            })
            .await
            .clone()
    }

    /// The second PAT, once it was revoked.
    pub(crate) async fn dead(&self) -> Result<Dead, Unobserved> {
        self.dead.get_or_init(|| self.revoke_the_second()).await.clone()
    }

    async fn revoke_the_second(&self) -> Result<Dead, Unobserved> {
        let pat = self.second().await?;
        // One that has never worked could not be seen to die.
        let worked = match self.works().await {
            Ok(_) => self.until_it_works(&pat).await.is_ok(),
            Err(_) => false,
        };
        let answer = self.revoke(&pat.id).await?;
        if !(200..300).contains(&answer.status) {
            return Err(Unobserved::hidden(format!("no PAT could be revoked: {}", answer.verdict())));
        }
        let revoked = Instant::now();
        let mut attempt = 1;
        loop {
            let said = self.connection_data().by(By::Pat(&pat.value)).send().await?;
            let took = revoked.elapsed();
            let dead = !is_somebody(&said);
            if dead || !worked || took > UNTIL_IT_IS_DEAD {
                return Ok(Dead { pat, answer, took: (dead && worked).then_some(took), said });
            }
            self.wait(self.http.backoff(attempt) * 2).await?;
            attempt += 1;
        }
    }

    /// The answer to a change of the name of the probe's PAT, and of nothing else.
    pub(crate) async fn renamed(&self) -> Result<Seen, Unobserved> {
        let rename = async {
            let made = self.made().await?;
            let name = format!("{}-renamed", self.name);
            self.update(json!({"authorizationId": made.id, "displayName": name})).await
        };
        self.renamed.get_or_init(|| rename).await.clone()
    }

    /// Changes a PAT.
    pub(crate) async fn update(&self, body: Value) -> Result<Seen, Unobserved> {
        self.pats(Method::PUT).json(&body).send().await
    }

    /// A PAT that was told to end within seconds, and when that is over.
    pub(crate) async fn dying(&self) -> Result<(Made, Instant), Unobserved> {
        let dying = async {
            let pat = self.make().await?;
            let valid_to =
                (self.now() + SignedDuration::from_secs(4)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let seen = self.update(json!({"authorizationId": pat.id, "validTo": valid_to})).await?;
            match seen.pat() {
                Some(_) => Ok((pat, Instant::now() + Duration::from_secs(5))),
                None => Err(Unobserved::hidden(format!("no PAT could be shortened: {}", seen.verdict()))),
            }
        };
        self.dying.get_or_init(|| dying).await.clone()
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

    /// The pages of the active PATs, with at least two PATs of the probe among them.
    pub(crate) async fn active(&self) -> Result<Vec<Seen>, Unobserved> {
        let active = async {
            self.second().await?;
            self.pages(&BY_NAME).await
        };
        self.active.get_or_init(|| active).await.clone()
    }

    /// The generic error of Azure DevOps, as an api-version without `-preview` brings it about.
    pub(crate) async fn generic_error(&self) -> Result<Seen, Unobserved> {
        let call = || self.pats(Method::GET).query("api-version", "7.1").query("$top", "1");
        self.generic_error.get_or_init(|| call().send()).await.clone()
    }

    /// The organization's front page, as it shows itself to anybody.
    pub(crate) async fn front_page(&self) -> Result<Seen, Unobserved> {
        let path = [self.organization.name()];
        Call::new(self, Method::HEAD, &self.places.devops_url, &path).by(By::Nobody).send().await
    }

    /// Waits, unless the run ends before.
    pub(crate) async fn wait(&self, time: Duration) -> Result<(), Unobserved> {
        self.http.wait(time).await.map_err(unanswered)
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

    /// A token request of an app that does not exist, with the id that was sent along.
    pub(crate) async fn refused_token(&self) -> Result<(Seen, String), Unobserved> {
        let refused = async {
            let stranger = self.http.world().uuid().to_string();
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", &stranger),
                ("refresh_token", NO_REFRESH_TOKEN),
            ];
            let id = self.http.world().uuid().to_string();
            let seen = self.token_request(&form)?.header("client-request-id", &id).send().await?;
            Ok((seen, id))
        };
        self.refused_token.get_or_init(|| refused).await.clone()
    }

    /// The answer that holds a device code which nobody will ever type in, and the code.
    pub(crate) async fn device_code(&self) -> Result<(Seen, Secret), Unobserved> {
        let begin = async {
            self.public_client()?;
            let scope = format!("{}/.default offline_access", adopat::entra::AZURE_DEVOPS);
            let form = [("client_id", self.client.id.as_str()), ("scope", &scope)];
            let seen = self.entra("devicecode", None)?.form(&form).send().await?;
            match seen.secret("device_code").cloned() {
                Some(code) => Ok((seen, code)),
                None => Err(Unobserved::hidden(format!("no device code was given: {}", seen.verdict()))),
            }
        };
        self.device_code.get_or_init(|| begin).await.clone()
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

/// What stands in the place of a refresh token where there is to be none.
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

/// What an answer that did not come means for an observation: a broken connection hides something, a cancelled run
/// ends.
fn unanswered(error: NoAnswer) -> Unobserved {
    match error {
        NoAnswer::Wire(_) => Unobserved::hidden("no answer came"),
        error => {
            let failure = error.into_failure("A service");
            match failure.exit {
                Exit::Cancelled(_) => Unobserved::Ended(failure),
                _ => Unobserved::Ended(Failure { remedy: LATER.into(), ..failure }),
            }
        }
    }
}

const LATER: &str = "Run it again later, or raise the input 'timeout'.";
