//! `keyvault:https://VAULT/secrets/NAME`: an Azure Key Vault secret, through Azure's own SDK.
//!
//! Every write makes a new version; adopat deletes and purges nothing. A refresh token that has been rolled
//! would stay readable in its former version for as long as Entra honours it, so that version is disabled, and
//! no other: what another run has stored meanwhile is not ours to switch off.
//!
//! A version's `exp` informs; a vault goes on to serve an expired one. A refresh token has none, unless a policy
//! wants one of every secret. Anyone who may list can read the tags.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::RequestContent;
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::models::{
    Secret as Version, SecretAttributes, SecretClientUpdateSecretPropertiesOptions, SetSecretParameters,
    UpdateSecretPropertiesParameters,
};
use azure_security_keyvault_secrets::{ResourceExt as _, SecretClient, SecretClientOptions};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::azure_transport::{AzureTransport, Refused};
use super::key_vault_refusal as refusal;
use super::vault_identity::{self, VaultCredential, VaultSettings, failure_in};
use super::written::Written;
use super::{Address, Doing, Expected, Holding, Kind, Restored, Store};
use crate::azure_devops::hosts;
use crate::failure::{Exit, Failure};
use crate::http::{Answer, Http, NoAnswer, may_have_acted};
use crate::secret::Secret;
use crate::time::Deadline;

/// The longest text a tag may hold (MicrosoftDocs/azure-docs, about-keys-secrets-certificates).
const LONGEST_TAG: usize = 256;
/// The most tags that a version may have (ibid.).
const MOST_TAGS: usize = 15;
/// The content types of adopat's own.
const PAT: &str = "application/vnd.adopat.pat";
const REFRESH_TOKEN: &str = "application/vnd.adopat.refresh-token";
/// The longest wait for the vault to say what became of a write whose answer was lost.
const TO_LOOK: Duration = Duration::from_secs(10);
/// The pause between the first two looks; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// The tags of adopat's own, the one first that is needed most: if there is no room for all, the last give way.
const OWN_TAGS: [&str; 3] = ["authorization-id", "display-name", "organization"];

/// A Key Vault secret as a store.
pub struct KeyVaultStore {
    address: Address,
    vault: Url,
    name: String,
    settings: VaultSettings,
    transport: Arc<AzureTransport>,
    state: Mutex<State>,
}

/// What one run knows of the secret. Held for the length of a call, so that there is one at a time.
#[derive(Default)]
struct State {
    opened: Option<Opened>,
    held: Held,
    /// What stands beside the value of the newest version, as far as it was read.
    beside: Beside,
    /// The version that was newest when it was last read or written by this run.
    newest: Option<String>,
    /// What was written last, or was to be.
    ours: Option<Secret>,
    written: Written,
}

#[derive(Clone)]
struct Opened {
    client: Arc<SecretClient>,
    way: VaultCredential,
}

/// What stands beside a value, and is its owner's: carried over to every new version, which otherwise would have none of
/// it.
#[derive(Clone, Default)]
struct Beside {
    content_type: Option<String>,
    tags: HashMap<String, String>,
    /// Whether it has an end.
    ends: bool,
}

impl Beside {
    /// Of this version.
    fn of(version: &Version) -> Self {
        let attributes = version.attributes.as_ref();
        Self {
            content_type: version.content_type.clone(),
            tags: version.tags.clone().unwrap_or_default(),
            ends: attributes.is_some_and(|attributes| attributes.expires.is_some()),
        }
    }

    /// The owner's tags: all but those that adopat sets for a PAT.
    fn owners_tags(&self) -> HashMap<String, String> {
        let mut tags = self.tags.clone();
        tags.retain(|name, _| !OWN_TAGS.contains(&name.as_str()));
        tags
    }

    /// Those of adopat's tags for which there is room beside the owner's, and those for which there is none.
    fn room_for_own_tags(&self) -> (&'static [&'static str], &'static [&'static str]) {
        OWN_TAGS.split_at(MOST_TAGS.saturating_sub(self.owners_tags().len()).min(OWN_TAGS.len()))
    }

    /// What stands beside a new value: the owner's, and what adopat says of it.
    fn parameters(&self, kind: &Kind) -> SetSecretParameters {
        let owners_type =
            self.content_type.clone().filter(|it| !it.is_empty() && it != PAT && it != REFRESH_TOKEN);
        match kind {
            Kind::RefreshToken => {
                // What was said of a PAT that was there before is not true of a refresh token.
                let held_a_pat = self.content_type.as_deref() == Some(PAT);
                let tags = if held_a_pat { self.owners_tags() } else { self.tags.clone() };
                SetSecretParameters {
                    content_type: owners_type.or_else(|| Some(REFRESH_TOKEN.into())),
                    tags: (!tags.is_empty()).then_some(tags),
                    ..SetSecretParameters::default()
                }
            }
            Kind::Pat { authorization_id, display_name, organization, valid_to, .. } => {
                let mut tags = self.owners_tags();
                let (fitting, _) = self.room_for_own_tags();
                for (name, text) in fitting.iter().zip([authorization_id, display_name, organization]) {
                    tags.insert((*name).to_owned(), text.chars().take(LONGEST_TAG).collect());
                }
                // Whole seconds, rounded down: the vault never says that a PAT lives longer than it does.
                let expires =
                    valid_to.and_then(|at| OffsetDateTime::from_unix_timestamp(at.as_second()).ok());
                SetSecretParameters {
                    content_type: owners_type.or_else(|| Some(PAT.into())),
                    secret_attributes: Some(SecretAttributes { expires, ..SecretAttributes::default() }),
                    tags: Some(tags),
                    value: None,
                }
            }
        }
    }
}

/// What the secret was when it was prepared.
#[derive(Default)]
enum Held {
    #[default]
    Unknown,
    Nothing,
    /// The value, and the parameters it is set again with; those hold no value.
    Value(Secret, Box<SetSecretParameters>),
    /// A newest version that is disabled: nobody can read it.
    Disabled,
}

/// What a look at the newest version shows.
enum Seen {
    /// What this run has written, in this version.
    Ours(Option<String>),
    /// Something else, or nothing.
    Other,
    /// Nobody knows.
    Nothing,
}

/// Why a call did not succeed.
enum VaultTrouble {
    /// The vault refused it.
    Vault(Answer),
    /// The vault did not answer.
    Silence(NoAnswer),
    /// It answered with something that is no answer.
    Unread(Failure),
    /// It never came to ask the vault.
    Unasked(Failure),
}

impl VaultTrouble {
    fn may_have_acted(&self) -> bool {
        match self {
            Self::Vault(answer) => may_have_acted(Ok(answer)),
            Self::Silence(silence) => may_have_acted(Err(silence)),
            Self::Unread(_) => true,
            Self::Unasked(_) => false,
        }
    }

    /// How long to wait before the call is made again, if that may help.
    fn pause_after(&self, http: &Http, attempt: u32) -> Option<Duration> {
        match self {
            Self::Vault(answer) => http.pause_after(attempt, Ok(answer)),
            Self::Silence(silence) => http.pause_after(attempt, Err(silence)),
            Self::Unread(_) | Self::Unasked(_) => None,
        }
    }
}

impl KeyVaultStore {
    /// The secret `name` of the vault at `vault`.
    pub fn new(vault: Url, name: String, settings: VaultSettings, http: Http) -> Self {
        Self {
            address: Address::KeyVault { vault: vault.clone(), name: name.clone() },
            vault,
            name,
            settings,
            transport: AzureTransport::new(http),
            state: Mutex::default(),
        }
    }

    fn vault(&self) -> &str {
        self.vault.host_str().unwrap_or_default()
    }

    fn open(&self, state: &mut State, doing: Doing) -> Result<Opened, Failure> {
        if let Some(opened) = &state.opened {
            return Ok(opened.clone());
        }
        let at = |failure: Failure| Failure { exit: doing.exit(), ..failure };
        let way = vault_identity::choose(&self.settings).map_err(at)?;
        let credential = vault_identity::credential(&self.settings, &way, &self.transport).map_err(at)?;
        let options = SecretClientOptions {
            client_options: self.transport.options(&self.settings.authority_host),
            // A vault on loopback cannot bear a name under the resource that it answers for.
            verify_challenge_resource: Some(!hosts::is_loopback(&self.vault)),
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(self.vault.as_str(), credential, Some(options))
            .map_err(|error| self.unexplained(&error, doing))?;
        tracing::debug!("the vault {} is opened by {way}", self.vault());
        let opened = Opened { client: Arc::new(client), way };
        state.opened = Some(opened.clone());
        Ok(opened)
    }

    /// One call of the SDK, within `deadline`.
    async fn call<T>(
        &self,
        opened: &Opened,
        doing: Doing,
        deadline: &Deadline,
        work: impl Future<Output = azure_core::Result<T>>,
    ) -> Result<T, VaultTrouble> {
        self.transport.begin(deadline);
        match deadline.bound(work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.trouble(&error, opened, doing)),
            Err(ended) => Err(VaultTrouble::Silence(ended.into())),
        }
    }

    fn trouble(&self, error: &azure_core::Error, opened: &Opened, doing: Doing) -> VaultTrouble {
        if let Some(failure) = failure_in(error) {
            return VaultTrouble::Unasked(doing.failed(failure));
        }
        match self.transport.refused() {
            Some(Refused { url, outcome }) if self.is_ours(&url) => match outcome {
                Ok(answer) => VaultTrouble::Vault(answer),
                Err(silence) => VaultTrouble::Silence(silence),
            },
            Some(Refused { outcome: Ok(answer), .. }) => {
                VaultTrouble::Unasked(refusal::of_identity(&answer, self.vault(), &opened.way, doing))
            }
            Some(Refused { url, outcome: Err(silence) }) => {
                let service = format!("Azure sign-in ({})", url.host_str().unwrap_or_default());
                VaultTrouble::Unasked(doing.failed(silence.into_failure(&service)))
            }
            None => VaultTrouble::Unread(self.unexplained(error, doing)),
        }
    }

    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.vault.origin()
            && (url.path().starts_with("/secrets/") || url.path().starts_with("/deletedsecrets/"))
    }

    fn explain(&self, trouble: VaultTrouble, opened: &Opened, doing: Doing) -> Failure {
        match trouble {
            VaultTrouble::Vault(answer) => {
                refusal::of_vault(&answer, self.vault(), &self.name, &opened.way, doing)
            }
            VaultTrouble::Silence(silence) => {
                doing.failed(silence.into_failure(&format!("Azure Key Vault ({})", self.vault())))
            }
            VaultTrouble::Unread(failure) | VaultTrouble::Unasked(failure) => failure,
        }
    }

    /// What the SDK found wrong by itself: a challenge for another resource, an answer it cannot read.
    fn unexplained(&self, error: &azure_core::Error, doing: Doing) -> Failure {
        let words = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Failure::new(
            doing.exit(),
            format!("The vault {} did not answer as a vault does: {words}.", self.vault()),
            "Check the vault's name, and that no proxy answers in its place.",
        )
    }

    async fn newest(
        &self,
        opened: &Opened,
        doing: Doing,
        deadline: &Deadline,
    ) -> Result<Version, VaultTrouble> {
        let get = async { opened.client.get_secret(&self.name, None).await?.into_model() };
        self.call(opened, doing, deadline, get).await
    }

    /// What the newest version shows of what was written.
    async fn look(&self, opened: &Opened, ours: &Secret, deadline: &Deadline) -> Result<Seen, VaultTrouble> {
        match self.newest(opened, Doing::Writing, deadline).await {
            Ok(version) if version.value.as_deref() == Some(ours.expose()) => {
                Ok(Seen::Ours(version_of(&version)))
            }
            Ok(_) => Ok(Seen::Other),
            Err(VaultTrouble::Vault(answer))
                if refusal::is_absence(&answer) || refusal::is_disabled(&answer) =>
            {
                Ok(Seen::Other)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Whether the name is held by a deleted secret; who may not ask is not told.
    async fn is_soft_deleted(&self, opened: &Opened, deadline: &Deadline) -> bool {
        let get = opened.client.get_deleted_secret(&self.name, None);
        self.call(opened, Doing::Writing, deadline, get).await.is_ok()
    }

    /// Sets the secret, again if the vault has a bad moment. If an answer was lost, it looks first whether the
    /// vault has taken the value all the same: each set makes another version.
    async fn set(
        &self,
        opened: &Opened,
        deadline: &Deadline,
        secret: &Secret,
        parameters: &SetSecretParameters,
        written: &Written,
    ) -> Result<Option<String>, VaultTrouble> {
        let mut attempt = 1;
        loop {
            let trouble = match self.set_once(opened, deadline, secret, parameters.clone()).await {
                Ok(version) => {
                    written.taken();
                    return Ok(version);
                }
                Err(trouble) => trouble,
            };
            if trouble.may_have_acted() {
                written.lost();
                let brief = deadline.at_most(TO_LOOK);
                if let Ok(Seen::Ours(version)) = self.look(opened, secret, &brief).await {
                    written.taken();
                    return Ok(version);
                }
            }
            let http = self.transport.http().with_deadline(deadline.clone());
            let Some(pause) = trouble.pause_after(&http, attempt) else { return Err(trouble) };
            http.wait(pause).await.map_err(VaultTrouble::Silence)?;
            attempt += 1;
        }
    }

    async fn set_once(
        &self,
        opened: &Opened,
        deadline: &Deadline,
        secret: &Secret,
        mut parameters: SetSecretParameters,
    ) -> Result<Option<String>, VaultTrouble> {
        parameters.value = Some(secret.expose().to_owned());
        let set = async {
            let body: RequestContent<SetSecretParameters> = parameters.try_into()?;
            opened.client.set_secret(&self.name, body, None).await?.into_model()
        };
        self.call(opened, Doing::Writing, deadline, set).await.map(|version| version_of(&version))
    }

    /// Makes a version unreadable that is not to be read any more. That it cannot is no reason to fail.
    async fn disable(&self, opened: &Opened, version: String, holding: &str, deadline: &Deadline) {
        let disable = async {
            let attributes = SecretAttributes { enabled: Some(false), ..SecretAttributes::default() };
            let body: RequestContent<UpdateSecretPropertiesParameters> = UpdateSecretPropertiesParameters {
                secret_attributes: Some(attributes),
                ..UpdateSecretPropertiesParameters::default()
            }
            .try_into()?;
            let options = SecretClientUpdateSecretPropertiesOptions {
                secret_version: Some(version.clone()),
                ..SecretClientUpdateSecretPropertiesOptions::default()
            };
            opened.client.update_secret_properties(&self.name, body, Some(options)).await
        };
        if let Err(trouble) = self.call(opened, Doing::Writing, deadline, disable).await {
            let failure = self.explain(trouble, opened, Doing::Writing);
            tracing::warn!(
                "Version {version} of secret {}, which holds {holding}, could not be disabled. {failure}",
                self.name
            );
        }
    }

    /// The end of a refresh token from now, for a vault that keeps no secret without one.
    fn idle_life(&self) -> SecretAttributes {
        let now = self.transport.http().clock().now().as_second();
        let end = now + i64::try_from(Kind::REFRESH_TOKENS_IDLE_LIFE.as_secs()).expect("it is 90 days");
        SecretAttributes {
            expires: OffsetDateTime::from_unix_timestamp(end).ok(),
            ..SecretAttributes::default()
        }
    }
}

#[async_trait]
impl Store for KeyVaultStore {
    fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare(&self, deadline: &Deadline) -> Result<Option<Failure>, Failure> {
        let state = &mut *self.state.lock().await;
        let opened = self.open(state, Doing::Writing)?;
        let trouble = match self.newest(&opened, Doing::Writing, deadline).await {
            Ok(version) => {
                state.newest = version_of(&version);
                state.beside = Beside::of(&version);
                state.held = held(version);
                return Ok(None);
            }
            Err(trouble) => trouble,
        };
        match &trouble {
            VaultTrouble::Vault(answer) if refusal::is_absence(answer) => {
                if self.is_soft_deleted(&opened, deadline).await {
                    return Err(refusal::of_soft_deleted(self.vault(), &self.name, Doing::Writing));
                }
                state.held = Held::Nothing;
                Ok(None)
            }
            VaultTrouble::Vault(answer) if refusal::is_about_reading(answer) => {
                state.held = if refusal::is_disabled(answer) { Held::Disabled } else { Held::Unknown };
                let failure = self.explain(trouble, &opened, Doing::Reading);
                let cause = format!(
                    "Secret {} in the vault {} cannot be read by this identity, so it is not known whether it can be \
                     written, and it could not be given back what it holds. {}",
                    self.name,
                    self.vault(),
                    failure.cause
                );
                Ok(Some(Failure { cause, ..failure }))
            }
            _ => Err(self.explain(trouble, &opened, Doing::Writing)),
        }
    }

    async fn holds(&self, expected: &Expected<'_>, deadline: &Deadline) -> Result<Holding, Failure> {
        let state = &mut *self.state.lock().await;
        let opened = self.open(state, Doing::Writing)?;
        let trouble = match self.newest(&opened, Doing::Writing, deadline).await {
            Ok(version) => {
                return Ok(holding(&version, expected, self.transport.http().clock().now()));
            }
            Err(trouble) => trouble,
        };
        match &trouble {
            VaultTrouble::Vault(answer) if refusal::is_absence(answer) => {
                Ok(Holding::Not("was not there".into()))
            }
            VaultTrouble::Vault(answer) if refusal::is_disabled(answer) => {
                Ok(Holding::Not("was disabled".into()))
            }
            VaultTrouble::Vault(answer) if refusal::is_about_reading(answer) => {
                let failure = self.explain(trouble, &opened, Doing::Writing);
                Ok(Holding::CannotTell(Some(failure.to_string())))
            }
            _ => Err(self.explain(trouble, &opened, Doing::Writing)),
        }
    }

    async fn gives_way(&self) -> Option<Failure> {
        let state = self.state.lock().await;
        let (_, without_room) = state.beside.room_for_own_tags();
        (!without_room.is_empty()).then(|| {
            let cause = format!(
                "Secret {} in the vault {} has {} tags of its own, and a vault keeps {MOST_TAGS} at most: adopat leaves out \
                 its own {}.",
                self.name,
                self.vault(),
                state.beside.owners_tags().len(),
                without_room.join(", ")
            );
            Failure::new(Exit::Store, cause, "Remove the tags that nobody needs any more to make room for them.")
        })
    }

    async fn read(&self, deadline: &Deadline) -> Result<Option<Secret>, Failure> {
        let state = &mut *self.state.lock().await;
        let opened = self.open(state, Doing::Reading)?;
        match self.newest(&opened, Doing::Reading, deadline).await {
            Ok(version) => {
                state.newest = version_of(&version);
                state.beside = Beside::of(&version);
                let value = version.value.map(Secret::new);
                Ok(value.map(trimmed).filter(|value| !value.is_empty()))
            }
            Err(VaultTrouble::Vault(answer)) if refusal::is_absence(&answer) => Ok(None),
            Err(trouble) => Err(self.explain(trouble, &opened, Doing::Reading)),
        }
    }

    async fn write(&self, secret: &Secret, kind: &Kind, deadline: &Deadline) -> Result<(), Failure> {
        let state = &mut *self.state.lock().await;
        let opened = self.open(state, Doing::Writing)?;
        if matches!(kind, Kind::RefreshToken) && state.newest.is_none() {
            // A login reads nothing first. Who may not read may write all the same.
            if let Ok(version) = self.newest(&opened, Doing::Writing, deadline).await {
                state.newest = version_of(&version);
                state.beside = Beside::of(&version);
            }
        }
        state.ours = Some(secret.clone());
        let mut parameters = state.beside.parameters(kind);
        if matches!(kind, Kind::RefreshToken) && state.beside.ends {
            parameters.secret_attributes = Some(self.idle_life());
        }
        let mut outcome = self.set(&opened, deadline, secret, &parameters, &state.written).await;
        if let (Kind::RefreshToken, None, Err(VaultTrouble::Vault(answer))) =
            (kind, &parameters.secret_attributes, &outcome)
            && refusal::may_want_an_end(answer)
        {
            parameters.secret_attributes = Some(self.idle_life());
            outcome = self.set(&opened, deadline, secret, &parameters, &state.written).await;
        }
        match outcome {
            Ok(version) => {
                let former = std::mem::replace(&mut state.newest, version);
                if let (Kind::RefreshToken, Some(former)) = (kind, former)
                    && state.newest.as_ref().is_some_and(|newest| *newest != former)
                {
                    self.disable(&opened, former, "the former refresh token", deadline).await;
                }
                Ok(())
            }
            Err(trouble) => Err(self.explain(trouble, &opened, Doing::Writing)),
        }
    }

    /// A write whose answer was lost may come to be in a moment, after what is written here: so it looks again, until
    /// none can come any more. What somebody else has written meanwhile is left alone.
    async fn restore(&self, deadline: &Deadline) -> Result<Restored, Failure> {
        let state = &mut *self.state.lock().await;
        let Some(ours) = state.ours.clone().filter(|_| state.written.is_left() != Restored::Whole) else {
            return Ok(Restored::Whole);
        };
        let opened = self.open(state, Doing::Writing)?;
        let mut pause = FIRST_PAUSE;
        loop {
            let looked = Instant::now();
            let seen = self.look(&opened, &ours, deadline).await.unwrap_or(Seen::Nothing);
            match (seen, &state.held) {
                (Seen::Other, _) => {}
                (_, Held::Value(value, parameters)) => {
                    self.set(&opened, deadline, value, parameters, &Written::default())
                        .await
                        .map_err(|trouble| self.explain(trouble, &opened, Doing::Writing))?;
                }
                (Seen::Ours(Some(version)), Held::Disabled) => {
                    self.disable(&opened, version, "the PAT that was taken back", deadline).await;
                    return Ok(Restored::NotPossible);
                }
                (Seen::Ours(_), _) => return Ok(Restored::NotPossible),
                (Seen::Nothing, _) => return Ok(state.written.is_left()),
            }
            let until = state.written.until().filter(|until| looked < *until);
            let Some(until) = until else { break };
            let left = until.saturating_duration_since(Instant::now());
            if deadline.pause(pause.min(left)).await.is_err() {
                return Ok(Restored::Doubtful);
            }
            pause *= 2;
        }
        state.ours = None;
        Ok(Restored::Whole)
    }
}

/// What the newest version says of the PAT that it should hold.
fn holding(version: &Version, expected: &Expected<'_>, now: Timestamp) -> Holding {
    if version.value.as_deref().is_none_or(|value| value.trim().is_empty()) {
        return Holding::Not("was empty".into());
    }
    let instant = |at: Option<OffsetDateTime>| Timestamp::from_second(at?.unix_timestamp()).ok();
    let attributes = version.attributes.as_ref();
    if let Some(end) = instant(attributes.and_then(|attributes| attributes.expires))
        && end <= now
    {
        return Holding::Not(format!("expired at {end}"));
    }
    let beside = Beside::of(version);
    let tag = OWN_TAGS[0];
    match beside.tags.get(tag) {
        Some(id) if id.eq_ignore_ascii_case(expected.authorization_id) => Holding::Holds,
        Some(id) => Holding::Not(format!("held another PAT: its tag {tag} was {id}")),
        // Where its owner has left no room for the tag, the time of its making is all there is.
        None if beside.room_for_own_tags().0.is_empty() => {
            match instant(attributes.and_then(|attributes| attributes.created)) {
                Some(made) => expected.since(made),
                None => Holding::CannotTell(None),
            }
        }
        None => Holding::Not(format!("had no tag {tag}: somebody else has put its value there")),
    }
}

fn held(version: Version) -> Held {
    let Version { attributes, content_type, tags, value, .. } = version;
    let Some(value) = value else { return Held::Unknown };
    let secret_attributes = attributes.map(|attributes| SecretAttributes {
        enabled: attributes.enabled,
        expires: attributes.expires,
        not_before: attributes.not_before,
        ..SecretAttributes::default()
    });
    let parameters = SetSecretParameters { content_type, secret_attributes, tags, value: None };
    Held::Value(Secret::new(value), Box::new(parameters))
}

fn version_of(version: &Version) -> Option<String> {
    version.resource_id().ok()?.version
}

/// A value that a person has put there may end in the newline of their editor.
fn trimmed(value: Secret) -> Secret {
    let trimmed = value.expose().trim();
    if trimmed.len() == value.expose().len() { value } else { Secret::new(trimmed.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake::{self, FakeWire, deadline, pat};
    use crate::store::vault_identity::{ServiceConnection, VaultIdentity};
    use crate::world::{WireError, World};
    use bytes::Bytes;
    use http::{Method, Request, Response};
    use rstest::rstest;
    use serde_json::{Value, json};
    use std::sync::Mutex as StdMutex;

    const APP: &str = "00000000-0000-0000-0000-0000000000aa";
    const TENANT: &str = "00000000-0000-0000-0000-0000000000bb";

    type Outcome = Result<Response<Bytes>, WireError>;

    /// A vault and its sign-in, in which `odd` may answer first.
    fn vault(
        odd: impl Fn(&Request<Bytes>) -> Option<Outcome> + Send + Sync + 'static,
    ) -> (Arc<FakeWire>, World) {
        let versions: StdMutex<Vec<Value>> = StdMutex::default();
        fake::world(move |request| {
            if let Some(outcome) = odd(request) {
                return outcome;
            }
            let mut versions = versions.lock().expect("not poisoned");
            let (host, path) = (request.uri().host().expect("a host"), request.uri().path());
            if host == "login.microsoftonline.com" {
                return fake::json(
                    200,
                    &json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "vault-token"}),
                );
            }
            if host != "contoso.vault.azure.net" {
                return Err(WireError::Unreachable("no such host".into()));
            }
            if !request.headers().contains_key("authorization") {
                assert!(request.body().is_empty(), "no value goes out without a token");
                let mut challenge = fake::json(401, &json!({}))?;
                let value = r#"Bearer authorization="https://login.windows.net/t", resource="https://vault.azure.net""#;
                challenge.headers_mut().insert("www-authenticate", value.parse().expect("a header"));
                return Ok(challenge);
            }
            let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
            match (request.method(), segments.as_slice()) {
                (&Method::GET, ["secrets", "token"]) => match versions.last() {
                    Some(version) => fake::json(200, version),
                    None => fake::json(404, &json!({"error": {"code": "SecretNotFound", "message": "none"}})),
                },
                (&Method::PUT, ["secrets", "token"]) => {
                    let mut version = fake::body(request);
                    version["id"] = json!(format!(
                        "https://contoso.vault.azure.net/secrets/token/{:032x}",
                        versions.len() + 1
                    ));
                    versions.push(version.clone());
                    fake::json(200, &version)
                }
                (&Method::PATCH, ["secrets", "token", version]) => {
                    let number = usize::from_str_radix(version, 16).expect("a version");
                    versions[number - 1]["attributes"]["enabled"] =
                        fake::body(request)["attributes"]["enabled"].clone();
                    fake::json(200, &versions[number - 1])
                }
                _ => fake::json(404, &json!({"error": {"code": "SecretNotFound"}})),
            }
        })
    }

    fn settings() -> VaultSettings {
        let identity = VaultIdentity {
            client_id: Some(APP.into()),
            tenant_id: Some(TENANT.into()),
            client_secret: Some(Secret::new("client-secret".into())),
            ..VaultIdentity::default()
        };
        VaultSettings { identity, ..fake::vault_settings() }
    }

    fn store_with(world: World, settings: VaultSettings) -> KeyVaultStore {
        let vault = Url::parse("https://contoso.vault.azure.net/").expect("an address");
        KeyVaultStore::new(vault, "token".into(), settings, Http::new(world, deadline(60)))
    }

    fn store(world: World) -> KeyVaultStore {
        store_with(world, settings())
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    fn bodies(wire: &FakeWire, method: &Method) -> Vec<Value> {
        let requests = wire.requests();
        let sent = requests.iter().filter(|request| request.method() == method && !request.body().is_empty());
        sent.map(fake::body).collect()
    }

    #[rstest]
    #[case::by_its_tag(json!({}), None)]
    #[case::of_another_pat(json!({"tags": {"authorization-id": "other"}}), Some("its tag authorization-id was other"))]
    #[case::put_there_by_hand(json!({"tags": null}), Some("had no tag authorization-id"))]
    #[case::past_its_end(json!({"attributes": {"exp": 1_700_000_000}}), Some("expired at 2023-11-14T22:13:20Z"))]
    #[case::empty(json!({"value": ""}), Some("was empty"))]
    #[case::full_of_tags_and_older(json!({"tags": full(), "attributes": {"created": 1_700_000_000}}), Some("was last changed"))]
    #[case::full_of_tags_and_newer(json!({"tags": full(), "attributes": {"created": 1_800_000_000}}), None)]
    #[tokio::test]
    async fn a_secret_tells_whether_it_is_the_pats(#[case] change: Value, #[case] not: Option<&str>) {
        let shown = std::sync::Arc::new(StdMutex::new(None::<Value>));
        let changed = shown.clone();
        let (_, world) = vault(move |request| {
            let shown = changed.lock().expect("not poisoned");
            let asks = request.method() == Method::GET
                && request.uri().path().trim_end_matches('/') == "/secrets/token";
            let authorized = request.headers().contains_key("authorization");
            shown.as_ref().filter(|_| asks && authorized).map(|version| fake::json(200, version))
        });
        let store = store(world);
        let expected = Expected {
            authorization_id: "00000000-0000-0000-0000-00000000000A",
            valid_from: Some("2026-11-24T11:00:00Z".parse().expect("an instant")),
        };
        let none = store.holds(&expected, &deadline(60)).await;
        assert_eq!(none, Ok(Holding::Not("was not there".into())));
        let mut version = json!({
            "id": "https://contoso.vault.azure.net/secrets/token/1", "value": "patpatpat",
            "attributes": {"enabled": true, "created": 1_764_000_000, "exp": 1_900_000_000},
            "tags": {"authorization-id": "00000000-0000-0000-0000-00000000000a"},
        });
        for (key, value) in change.as_object().expect("an object") {
            version[key] = value.clone();
        }
        *shown.lock().expect("not poisoned") = Some(version);
        match (store.holds(&expected, &deadline(60)).await.expect("asked"), not) {
            (Holding::Holds, None) => {}
            (Holding::Not(why), Some(part)) => assert!(why.contains(part), "{why}"),
            (other, _) => panic!("{other:?}"),
        }
    }

    /// As many tags of its owner's as a vault takes.
    fn full() -> Value {
        (0..MOST_TAGS)
            .map(|number| (number.to_string(), json!("x")))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    #[rstest]
    #[case("SecretDisabled", Ok(Holding::Not("was disabled".into())))]
    #[case("ForbiddenByRbac", Err(true))]
    #[tokio::test]
    async fn a_secret_that_cannot_be_read_is_disabled_or_cannot_tell(
        #[case] code: &'static str,
        #[case] told: Result<Holding, bool>,
    ) {
        let (_, world) = vault(move |request| {
            let authorized = request.headers().contains_key("authorization");
            let message = "does not have secrets get permission; Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'";
            let body =
                json!({"error": {"code": "Forbidden", "message": message, "innererror": {"code": code}}});
            (authorized && request.method() == Method::GET).then(|| fake::json(403, &body))
        });
        let expected = Expected { authorization_id: "x", valid_from: None };
        let holding = store(world).holds(&expected, &deadline(60)).await.expect("asked");
        match told {
            Ok(told) => assert_eq!(holding, told),
            Err(_) => assert!(matches!(holding, Holding::CannotTell(Some(_))), "{holding:?}"),
        }
    }

    #[tokio::test]
    async fn a_pat_is_stored_with_its_end_and_what_it_is() {
        let (wire, world) = vault(|_| None);
        let store = store(world);
        assert_eq!(store.prepare(&deadline(60)).await, Ok(None));
        store.write(&secret("patpatpat"), &pat(), &deadline(60)).await.expect("written");
        let expected = json!({
            "value": "patpatpat",
            "contentType": "application/vnd.adopat.pat",
            "attributes": {"exp": 1_798_761_600},
            "tags": {
                "authorization-id": "00000000-0000-0000-0000-000000000001",
                "display-name": "nightly",
                "organization": "fabrikam",
            },
        });
        assert_eq!(bodies(&wire, &Method::PUT), [expected]);
        let tokens = wire.log().iter().filter(|line| line.contains("/oauth2/v2.0/token")).count();
        assert_eq!(tokens, 1, "one vault token serves the whole run: {:?}", wire.log());
    }

    #[tokio::test]
    async fn a_rolled_refresh_token_leaves_no_readable_former_version() {
        let (wire, world) = vault(|_| None);
        let first = store(world.clone());
        assert_eq!(first.read(&deadline(60)).await, Ok(None));
        first.write(&secret("one"), &Kind::RefreshToken, &deadline(60)).await.expect("written");
        assert!(bodies(&wire, &Method::PATCH).is_empty(), "there was none before");

        let second = store(world.clone());
        assert_eq!(second.read(&deadline(60)).await, Ok(Some(secret("one"))));
        second.write(&secret("two"), &Kind::RefreshToken, &deadline(60)).await.expect("written");
        let login = store(world);
        login.write(&secret("three"), &Kind::RefreshToken, &deadline(60)).await.expect("written");
        assert_eq!(login.read(&deadline(60)).await, Ok(Some(secret("three"))));

        let log = wire.log();
        let disabled: Vec<_> = log.iter().filter(|line| line.starts_with("PATCH")).collect();
        assert!(disabled[0].contains("00000001?") && disabled[1].contains("00000002?"), "{disabled:?}");
        assert_eq!(bodies(&wire, &Method::PATCH), vec![json!({"attributes": {"enabled": false}}); 2]);
        let last = bodies(&wire, &Method::PUT).pop().expect("written");
        assert_eq!(last, json!({"value": "three", "contentType": "application/vnd.adopat.refresh-token"}));
    }

    #[tokio::test]
    async fn a_former_version_that_cannot_be_disabled_does_not_fail_the_roll() {
        let (_, world) = vault(|request| {
            let forbidden =
                json!({"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByPolicy"}}});
            (request.method() == Method::PATCH).then(|| fake::json(403, &forbidden))
        });
        let store = store(world);
        for token in ["one", "two"] {
            store.write(&secret(token), &Kind::RefreshToken, &deadline(60)).await.expect("written");
        }
    }

    #[tokio::test]
    async fn what_the_secret_held_is_set_again_with_what_stood_beside_it() {
        let (wire, world) = vault(|_| None);
        let mut before = Beside::default().parameters(&pat());
        before.tags = Some(HashMap::from([("owner".into(), "web".into())]));
        let seed = store(world.clone());
        let opened = seed.open(&mut *seed.state.lock().await, Doing::Writing).expect("opened");
        assert!(seed.set(&opened, &deadline(60), &secret("old"), &before, &Written::default()).await.is_ok());

        let store = store(world.clone());
        store.prepare(&deadline(60)).await.expect("prepared");
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::Whole), "nothing was written");
        store.write(&secret("new"), &pat(), &deadline(60)).await.expect("written");
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::Whole));
        let written = bodies(&wire, &Method::PUT);
        assert_eq!(written.len(), 3);
        assert_eq!(written[2], written[0], "value, tags, content type and end");
    }

    /// What stands beside a secret that its owner has tagged so many times.
    fn tagged(times: usize, content_type: Option<&str>) -> Beside {
        let tags = (0..times).map(|number| (format!("owner-{number:02}"), "web".to_owned())).collect();
        Beside { content_type: content_type.map(str::to_owned), tags, ends: false }
    }

    #[rstest::rstest]
    fn the_owners_tags_stay_and_ours_give_way_where_there_is_no_room(
        #[values(0, 1, 11, 12, 13, 14, 15)] times: usize,
    ) {
        let beside = tagged(times, None);
        let tags = beside.parameters(&pat()).tags.expect("tags");
        assert!(
            tags.len() <= MOST_TAGS && beside.tags.iter().all(|(name, value)| tags.get(name) == Some(value))
        );
        let (fitting, without_room) = beside.room_for_own_tags();
        assert_eq!(fitting.len(), (MOST_TAGS - times).min(3));
        assert!(fitting.iter().all(|name| tags.contains_key(*name)));
        assert!(without_room.iter().all(|name| !tags.contains_key(*name)));
        // The next rotation finds the same.
        let again = Beside { tags: tags.clone(), ..beside.clone() }.parameters(&pat()).tags;
        assert_eq!(again, Some(tags));
        let of_a_token = beside.parameters(&Kind::RefreshToken).tags.unwrap_or_default();
        assert_eq!(of_a_token, beside.tags);
    }

    #[rstest::rstest]
    #[case(None, PAT, REFRESH_TOKEN)]
    #[case(Some(""), PAT, REFRESH_TOKEN)]
    #[case(Some(PAT), PAT, REFRESH_TOKEN)]
    #[case(Some(REFRESH_TOKEN), PAT, REFRESH_TOKEN)]
    #[case(Some("text/plain"), "text/plain", "text/plain")]
    fn the_owners_content_type_stays(
        #[case] before: Option<&str>,
        #[case] of_a_pat: &str,
        #[case] of_a_token: &str,
    ) {
        let beside = tagged(1, before);
        assert_eq!(beside.parameters(&pat()).content_type.as_deref(), Some(of_a_pat));
        assert_eq!(beside.parameters(&Kind::RefreshToken).content_type.as_deref(), Some(of_a_token));
    }

    #[test]
    fn what_was_said_of_a_pat_is_not_said_of_a_refresh_token() {
        let mut beside = tagged(1, Some(PAT));
        beside.tags.insert("authorization-id".into(), "former".into());
        let tags = beside.parameters(&Kind::RefreshToken).tags.expect("the owner's");
        assert_eq!(tags, tagged(1, None).tags);
    }

    #[tokio::test]
    async fn a_secret_that_was_not_there_cannot_be_given_back() {
        let (_, world) = vault(|_| None);
        let store = store(world);
        assert_eq!(store.prepare(&deadline(60)).await, Ok(None));
        store.write(&secret("new"), &pat(), &deadline(60)).await.expect("written");
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::NotPossible));
    }

    #[tokio::test]
    async fn an_identity_that_may_only_set_is_warned_about_and_writes() {
        let (_, world) = vault(|request| {
            let authorized = request.headers().contains_key("authorization");
            let message =
                "Caller is not authorized.\r\nAction: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'";
            let forbidden = json!({
                "error": {"code": "Forbidden", "message": message, "innererror": {"code": "ForbiddenByRbac"}}
            });
            (authorized && request.method() == Method::GET).then(|| fake::json(403, &forbidden))
        });
        let store = store(world);
        let warning = store.prepare(&deadline(60)).await.expect("usable").expect("a warning").to_string();
        assert!(warning.contains("cannot be read") && warning.contains("getSecret"), "{warning}");
        store.write(&secret("new"), &pat(), &deadline(60)).await.expect("written");
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::NotPossible));
        let failure = store.read(&deadline(60)).await.expect_err("unreadable");
        assert_eq!(failure.exit, Exit::SignIn);
        assert!(failure.remedy.contains("Key Vault Secrets User"), "{failure}");
    }

    #[tokio::test]
    async fn a_firewall_is_no_warning() {
        let (_, world) = vault(|request| {
            let authorized = request.headers().contains_key("authorization");
            let forbidden =
                json!({"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByFirewall"}}});
            authorized.then(|| fake::json(403, &forbidden))
        });
        let failure = store(world).prepare(&deadline(60)).await.expect_err("shut out");
        assert_eq!(
            (failure.exit, failure.name.as_deref()),
            (Exit::Store, Some("Key Vault ForbiddenByFirewall"))
        );
    }

    #[tokio::test]
    async fn a_name_held_by_a_deleted_secret_is_found_out_before_anything_is_minted() {
        let (_, world) = vault(|request| {
            let deleted = request.uri().path().starts_with("/deletedsecrets/");
            deleted.then(|| fake::json(200, &json!({"id": "https://contoso.vault.azure.net/secrets/token"})))
        });
        let failure = store(world).prepare(&deadline(60)).await.expect_err("soft-deleted");
        assert!(failure.remedy.contains("Recover"), "{failure}");
    }

    #[tokio::test]
    async fn a_write_whose_answer_is_lost_may_have_changed_the_secret() {
        let (_, world) = vault(|request| {
            let put = request.method() == Method::PUT && !request.body().is_empty();
            put.then(|| Err(WireError::BrokenOff("reset".into())))
        });
        let store = store(world);
        store.prepare(&deadline(60)).await.expect("prepared");
        tokio::time::pause();
        let failure = store.write(&secret("new"), &pat(), &deadline(60)).await.expect_err("lost");
        assert_eq!(failure.exit, Exit::Store);
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::Whole), "it never came to be");
    }

    #[tokio::test]
    async fn a_write_whose_answer_is_none_may_have_changed_the_secret() {
        let (_, world) = vault(|request| {
            let put = request.method() == Method::PUT && !request.body().is_empty();
            put.then(|| fake::json(200, &json!("no secret")))
        });
        let store = store(world);
        store.prepare(&deadline(60)).await.expect("prepared");
        tokio::time::pause();
        let failure = store.write(&secret("new"), &pat(), &deadline(60)).await.expect_err("no answer");
        assert_eq!(failure.exit, Exit::Store);
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::Whole), "it never came to be");
    }

    #[tokio::test]
    async fn entras_refusal_is_told_in_its_own_words() {
        let (_, world) = vault(|request| {
            let body = json!({
                "error": "invalid_client", "error_codes": [7000215],
                "error_description": "AADSTS7000215: Invalid client secret \"provided\".\r\nTrace ID: x",
            });
            (request.uri().host() == Some("login.microsoftonline.com")).then(|| fake::json(401, &body))
        });
        let failure = store(world).read(&deadline(60)).await.expect_err("refused");
        assert_eq!(failure.exit, Exit::SignIn);
        assert_eq!(failure.name.as_deref(), Some("AADSTS7000215"), "{failure}");
        assert!(failure.account().contains(r#"secret "provided""#), "{failure}");
    }

    #[tokio::test]
    async fn a_challenge_for_another_resource_gets_no_token() {
        let (wire, world) = vault(|request| {
            let mut challenge = fake::json(401, &json!({})).expect("an answer");
            let value =
                r#"Bearer authorization="https://login.windows.net/t", resource="https://evil.example""#;
            challenge.headers_mut().insert("www-authenticate", value.parse().expect("a header"));
            (request.uri().host() == Some("contoso.vault.azure.net")).then_some(Ok(challenge))
        });
        let failure = store(world).read(&deadline(60)).await.expect_err("refused");
        assert!(failure.cause.contains("did not answer as a vault does"), "{failure}");
        assert!(!wire.log().iter().any(|line| line.contains("oauth2")), "{:?}", wire.log());
    }

    #[tokio::test]
    async fn the_jobs_own_token_opens_a_vault() {
        let (wire, world) = vault(|_| None);
        let mut settings = settings();
        settings.identity.client_secret = None;
        settings.service_connection = Some("00000000-0000-0000-0000-0000000000cc".into());
        settings.identity.service_connection = Some(ServiceConnection {
            id: "00000000-0000-0000-0000-0000000000cc".into(),
            client_id: "00000000-0000-0000-0000-0000000000dd".into(),
            tenant_id: TENANT.into(),
        });
        let masked: Arc<StdMutex<Vec<Secret>>> = Arc::default();
        let seen = masked.clone();
        settings.mask = Arc::new(move |token| seen.lock().expect("not poisoned").push(token.clone()));
        assert_eq!(store_with(world, settings).read(&deadline(60)).await, Ok(None));
        let requests = wire.requests();
        let exchange = requests.iter().find(|request| request.method() == Method::POST).expect("an exchange");
        let body = String::from_utf8_lossy(exchange.body());
        assert!(body.contains("client_assertion=job.oidc.token"), "{body}");
        assert!(body.contains("client_id=00000000-0000-0000-0000-0000000000dd"), "{body}");
        assert_eq!(*masked.lock().expect("not poisoned"), [secret("job.oidc.token"), secret("vault-token")]);
    }

    #[tokio::test]
    async fn a_job_token_that_cannot_be_had_is_told_as_its_giver_told_it() {
        let (_, world) = vault(|_| None);
        let mut settings = settings();
        settings.identity.client_secret = None;
        settings.oidc.github =
            Some((Url::parse("https://pipelines.example/token?x=1").expect("an address"), secret("request")));
        settings.authority_host = Url::parse("https://login.microsoftonline.us").expect("an address");
        let failure = store_with(world, settings).prepare(&deadline(60)).await.expect_err("no token");
        assert_eq!((failure.cause.as_str(), failure.exit), ("The host gave no token.", Exit::Store));
    }

    #[tokio::test]
    async fn a_token_files_newline_is_no_part_of_the_assertion() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "file.oidc.token\n").expect("written");
        let (wire, world) = vault(|_| None);
        let mut settings = settings();
        settings.oidc.file = Some(file.path().to_owned());
        assert_eq!(store_with(world, settings).read(&deadline(60)).await, Ok(None));
        let requests = wire.requests();
        let exchange = requests.iter().find(|request| request.method() == Method::POST).expect("an exchange");
        assert!(String::from_utf8_lossy(exchange.body()).contains("client_assertion=file.oidc.token&"));
    }

    #[tokio::test]
    async fn with_no_identity_it_is_said_what_was_tried() {
        let (wire, world) = vault(|_| None);
        let settings = VaultSettings { identity: VaultIdentity::default(), ..settings() };
        let failure = store_with(world, settings).prepare(&deadline(60)).await.expect_err("nobody");
        assert!(failure.cause.contains("No identity was found"), "{failure}");
        assert!(failure.cause.contains("no token (Please run 'az login')"), "{failure}");
        let probes = wire.log().iter().filter(|line| line.contains("169.254.169.254")).count();
        assert_eq!(probes, 1, "{:?}", wire.log());
    }

    #[tokio::test]
    async fn a_signed_in_azure_cli_opens_a_vault() {
        let (wire, world) = vault(|_| None);
        let token =
            json!({"accessToken": "cli-token", "expires_on": 4_102_444_800_i64, "tokenType": "Bearer"});
        let azure_cli = Arc::new(fake::Cli(Some(token)));
        let settings = VaultSettings { identity: VaultIdentity::default(), azure_cli, ..settings() };
        assert_eq!(store_with(world, settings).read(&deadline(60)).await, Ok(None));
        let last = wire.requests().pop().expect("a request");
        assert_eq!(last.headers()["authorization"], "Bearer cli-token");
        assert!(!wire.log().iter().any(|line| line.contains("169.254")), "{:?}", wire.log());
    }

    #[tokio::test]
    async fn a_machine_without_an_identity_is_none() {
        let (_, world) = vault(|request| {
            let body = json!({"error": "invalid_request", "error_description": "Identity not found"});
            (request.uri().host() == Some("169.254.169.254")).then(|| fake::json(400, &body))
        });
        let settings = VaultSettings { identity: VaultIdentity::default(), ..settings() };
        let failure = store_with(world, settings).read(&deadline(60)).await.expect_err("nobody");
        assert!(failure.cause.ends_with("managed identity (HTTP 400: Identity not found)."), "{failure}");
    }

    #[tokio::test]
    async fn a_network_that_answers_for_every_address_is_no_machine_with_an_identity() {
        let (wire, world) = vault(|request| {
            (request.uri().host() == Some("169.254.169.254")).then(|| fake::json(403, &json!({})))
        });
        let settings = VaultSettings { identity: VaultIdentity::default(), ..settings() };
        let failure = store_with(world, settings).read(&deadline(60)).await.expect_err("nobody");
        assert!(failure.cause.ends_with("no managed identity answers on this machine."), "{failure}");
        assert_eq!(wire.log().iter().filter(|line| line.contains("169.254")).count(), 1);
    }

    #[tokio::test]
    async fn a_page_in_place_of_a_vault_is_no_empty_secret() {
        let (_, world) = vault(|_| {
            let page = Response::builder().status(404).header("content-type", "text/html");
            Some(Ok(page.body("<html>no such site</html>".into()).expect("an answer")))
        });
        store(world).read(&deadline(60)).await.expect_err("no vault");
    }

    #[tokio::test]
    async fn a_machines_own_identity_is_the_last_resort() {
        let (wire, world) = vault(|request| {
            let token = json!({"access_token": "machine-token", "expires_on": "4102444800", "resource": "https://vault.azure.net", "token_type": "Bearer"});
            let asked = request.uri().host() == Some("169.254.169.254");
            asked.then(|| {
                fake::json(if request.headers().contains_key("metadata") { 200 } else { 400 }, &token)
            })
        });
        let settings = VaultSettings { identity: VaultIdentity::default(), ..settings() };
        assert_eq!(store_with(world, settings).read(&deadline(60)).await, Ok(None));
        let requests = wire.requests();
        let last = requests.last().expect("a request");
        assert_eq!(last.headers()["authorization"], "Bearer machine-token");
    }
}
