//! What several observations look at, made or asked for once: the probe's PATs in every state, and the answers that
//! are the hardest to come by.

use std::time::Duration;

use adopat::secret::Secret;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::call::By;
use crate::expectation::Unobserved;
use crate::scene::{BY_NAME, FRACTION, NO_REFRESH_TOKEN, SCOPE, Scene, is_somebody};
use crate::seen::Seen;

/// How long a PAT may take until it works.
const UNTIL_IT_WORKS: Duration = Duration::from_secs(30);
/// How long a PAT may take until it is dead.
const UNTIL_IT_IS_DEAD: Duration = Duration::from_secs(60);
/// Something that is made once; that it could not be made is known from then on, too.
type Once<T> = OnceCell<Result<T, Unobserved>>;

/// What was made so far.
#[derive(Debug, Default)]
pub(crate) struct Exhibits {
    made: Once<Made>,
    works: Once<Duration>,
    second: Once<Made>,
    dead: Once<Dead>,
    renamed: Once<Seen>,
    dying: Once<(Made, Instant)>,
    active: Once<Vec<Seen>>,
    generic_error: Once<Seen>,
    refused_token: Once<(Seen, String)>,
    device_code: Once<(Seen, Secret)>,
}

/// A PAT of the probe.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its authorization id.
    pub(crate) id: String,
    /// Its value.
    pub(crate) value: Secret,
    /// The end that was asked for.
    pub(crate) asked: Timestamp,
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
    /// When it ended.
    pub(crate) end: End,
    /// What Azure DevOps last said to it.
    pub(crate) said: Seen,
}

/// When a PAT that was revoked stopped working.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// So long after its revocation.
    After(Duration),
    /// Not as long as anybody looked.
    NotYet,
    /// Nobody knows: it was never seen to work.
    Unseen,
}

impl Scene {
    /// Makes a PAT whose end has this fraction of a second.
    async fn make(&self, fraction: &str) -> Result<Made, Unobserved> {
        let wish = self.wish_with_fraction(&self.name, fraction);
        let asked: Option<Timestamp> = wish["validTo"].as_str().and_then(|text| text.parse().ok());
        let asked = asked.ok_or_else(|| Unobserved::hidden("the machine's clock is out of range"))?;
        let answer = self.create(wish).await?;
        let id = answer.pat().and_then(|pat| pat["authorizationId"].as_str()).map(str::to_owned);
        match (id, answer.secret("token").cloned()) {
            (Some(id), Some(value)) => Ok(Made { id, value, asked, answer, at: Instant::now() }),
            _ => Err(Unobserved::hidden(format!("no PAT could be made: {}", answer.verdict()))),
        }
    }

    /// The probe's PAT.
    pub(crate) async fn made(&self) -> Result<Made, Unobserved> {
        self.exhibits.made.get_or_init(|| self.make(FRACTION)).await.clone()
    }

    /// How long after its creation the probe's PAT first worked.
    pub(crate) async fn works(&self) -> Result<Duration, Unobserved> {
        let works = async {
            let made = self.made().await?;
            self.until_it_works(&made).await
        };
        self.exhibits.works.get_or_init(|| works).await.clone()
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
        self.exhibits
            .second
            .get_or_init(|| async {
                self.made().await?;
                // Another step of 1/300 s than the first, and none that milliseconds can express.
                self.make("123").await
            })
            .await
            .clone()
    }

    /// The second PAT, once it was revoked.
    pub(crate) async fn dead(&self) -> Result<Dead, Unobserved> {
        self.exhibits.dead.get_or_init(|| self.revoke_the_second()).await.clone()
    }

    async fn revoke_the_second(&self) -> Result<Dead, Unobserved> {
        let pat = self.second().await?;
        // One that has never worked could not be seen to die.
        let worked = match self.works().await {
            Ok(_) => self.until_it_works(&pat).await.is_ok(),
            Err(_) => false,
        };
        let answer = self.revoke(&pat.id).await?;
        if !answer.is_done() {
            return Err(Unobserved::hidden(format!("no PAT could be revoked: {}", answer.verdict())));
        }
        let revoked = Instant::now();
        let mut attempt = 1;
        loop {
            let said = self.connection_data().by(By::Pat(&pat.value)).send().await?;
            let took = revoked.elapsed();
            let end = match is_somebody(&said) {
                false if worked => Some(End::After(took)),
                false => Some(End::Unseen),
                true if took > UNTIL_IT_IS_DEAD => Some(End::NotYet),
                true => None,
            };
            if let Some(end) = end {
                return Ok(Dead { pat, answer, end, said });
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
        self.exhibits.renamed.get_or_init(|| rename).await.clone()
    }

    /// A PAT that was told to end within seconds, and when that is over.
    pub(crate) async fn dying(&self) -> Result<(Made, Instant), Unobserved> {
        let dying = async {
            let pat = self.make(FRACTION).await?;
            let valid_to =
                (self.now() + SignedDuration::from_secs(4)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let seen = self.update(json!({"authorizationId": pat.id, "validTo": valid_to})).await?;
            match seen.pat() {
                Some(_) => Ok((pat, Instant::now() + Duration::from_secs(5))),
                None => Err(Unobserved::hidden(format!("no PAT could be shortened: {}", seen.verdict()))),
            }
        };
        self.exhibits.dying.get_or_init(|| dying).await.clone()
    }

    /// The pages of the active PATs, with at least two PATs of the probe among them.
    pub(crate) async fn active(&self) -> Result<Vec<Seen>, Unobserved> {
        let active = async {
            self.second().await?;
            self.pages(&BY_NAME).await
        };
        self.exhibits.active.get_or_init(|| active).await.clone()
    }

    /// The generic error of Azure DevOps, as an api-version without `-preview` brings it about.
    pub(crate) async fn generic_error(&self) -> Result<Seen, Unobserved> {
        let call = || self.pats(Method::GET).query("api-version", "7.1").query("$top", "1");
        self.exhibits.generic_error.get_or_init(|| call().send()).await.clone()
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
        self.exhibits.refused_token.get_or_init(|| refused).await.clone()
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
        self.exhibits.device_code.get_or_init(|| begin).await.clone()
    }
}
