//! `keyvault:https://VAULT/secrets/NAME`: an Azure Key Vault secret, through Azure's own SDK.
//!
//! Every write makes a new version; adopat deletes and purges nothing. A refresh token that has been rolled
//! would stay readable in its former version for as long as Entra honours it, so that version is disabled, and
//! no other: what another run has stored meanwhile is not ours to switch off.
//!
//! A version's `exp` informs; a vault goes on to serve an expired one. Tags can be read by whoever may list.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::RequestContent;
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::models::{
    Secret as Version, SecretAttributes, SecretClientUpdateSecretPropertiesOptions, SetSecretParameters,
    UpdateSecretPropertiesParameters,
};
use azure_security_keyvault_secrets::{ResourceExt as _, SecretClient, SecretClientOptions};
use tokio::sync::Mutex;
use url::Url;

use super::azure_transport::{AzureTransport, Refused};
use super::key_vault_refusal as refusal;
use super::vault_identity::{self, VaultSettings, Way, failure_in};
use super::{Address, Doing, Kind, Restored, Store};
use crate::azure_devops::hosts;
use crate::failure::Failure;
use crate::http::{Answer, Http, NoAnswer};
use crate::patience::Patience;
use crate::secret::Secret;

/// The longest text a tag may hold (MicrosoftDocs/azure-docs, about-keys-secrets-certificates).
const LONGEST_TAG: usize = 256;

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
    /// The version that was newest when it was last read or written by this run.
    newest: Option<String>,
    /// Whether a write may have reached the vault.
    changed: bool,
}

#[derive(Clone)]
struct Opened {
    client: Arc<SecretClient>,
    way: Way,
}

/// What the secret was when it was prepared.
#[derive(Default)]
enum Held {
    #[default]
    Unknown,
    Nothing,
    /// The value, and the parameters it is set again with; those hold no value.
    Value(Secret, SetSecretParameters),
}

/// Why a call did not succeed.
enum Trouble {
    /// The vault refused it.
    Vault(Answer),
    /// The vault did not answer.
    Silence(NoAnswer),
    /// It never came to ask the vault.
    Unasked(Failure),
}

impl Trouble {
    fn may_have_acted(&self) -> bool {
        match self {
            Self::Vault(answer) => answer.status.is_server_error(),
            Self::Silence(silence) => silence.may_have_acted(),
            Self::Unasked(_) => false,
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

    /// One call of the SDK, within `patience`.
    async fn call<T>(
        &self,
        opened: &Opened,
        doing: Doing,
        patience: &Patience,
        work: impl Future<Output = azure_core::Result<T>>,
    ) -> Result<T, Trouble> {
        self.transport.begin(patience);
        match patience.bound(work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.trouble(&error, opened, doing)),
            Err(ended) => Err(Trouble::Silence(ended.into())),
        }
    }

    fn trouble(&self, error: &azure_core::Error, opened: &Opened, doing: Doing) -> Trouble {
        if let Some(failure) = failure_in(error) {
            return Trouble::Unasked(doing.failed(failure));
        }
        match self.transport.refused() {
            Some(Refused { url, outcome }) if self.is_ours(&url) => match outcome {
                Ok(answer) => Trouble::Vault(answer),
                Err(silence) => Trouble::Silence(silence),
            },
            Some(Refused { outcome: Ok(answer), .. }) => {
                Trouble::Unasked(refusal::of_identity(&answer, self.vault(), &opened.way, doing))
            }
            Some(Refused { url, outcome: Err(silence) }) => {
                let service = format!("The sign-in for the vault ({})", url.host_str().unwrap_or_default());
                Trouble::Unasked(doing.failed(silence.into_failure(&service)))
            }
            None => Trouble::Unasked(self.unexplained(error, doing)),
        }
    }

    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.vault.origin()
            && (url.path().starts_with("/secrets/") || url.path().starts_with("/deletedsecrets/"))
    }

    fn explain(&self, trouble: Trouble, opened: &Opened, doing: Doing) -> Failure {
        match trouble {
            Trouble::Vault(answer) => {
                refusal::of_vault(&answer, self.vault(), &self.name, &opened.way, doing)
            }
            Trouble::Silence(silence) => {
                doing.failed(silence.into_failure(&format!("The vault {}", self.vault())))
            }
            Trouble::Unasked(failure) => failure,
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

    async fn newest(&self, opened: &Opened, doing: Doing, patience: &Patience) -> Result<Version, Trouble> {
        let get = async { opened.client.get_secret(&self.name, None).await?.into_model() };
        self.call(opened, doing, patience, get).await
    }

    /// Whether the name is held by a deleted secret; who may not ask is not told.
    async fn is_soft_deleted(&self, opened: &Opened, patience: &Patience) -> bool {
        let get = opened.client.get_deleted_secret(&self.name, None);
        self.call(opened, Doing::Writing, patience, get).await.is_ok()
    }

    async fn set(
        &self,
        opened: &Opened,
        patience: &Patience,
        secret: &Secret,
        mut parameters: SetSecretParameters,
    ) -> Result<Option<String>, Trouble> {
        parameters.value = Some(secret.expose().to_owned());
        let set = async {
            let body: RequestContent<SetSecretParameters> = parameters.try_into()?;
            opened.client.set_secret(&self.name, body, None).await?.into_model()
        };
        self.call(opened, Doing::Writing, patience, set).await.map(|version| version_of(&version))
    }

    /// Makes a superseded version unreadable. That it cannot is no reason to fail: the successor is stored.
    async fn disable(&self, opened: &Opened, version: String, patience: &Patience) {
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
        if let Err(trouble) = self.call(opened, Doing::Writing, patience, disable).await {
            let failure = self.explain(trouble, opened, Doing::Writing);
            tracing::warn!(
                "Version {version} of secret {}, which holds the former refresh token, could not be disabled. {failure}",
                self.name
            );
        }
    }
}

#[async_trait]
impl Store for KeyVaultStore {
    fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare(&self, patience: &Patience) -> Result<Option<String>, Failure> {
        let state = &mut *self.state.lock().await;
        let opened = self.open(state, Doing::Writing)?;
        let trouble = match self.newest(&opened, Doing::Writing, patience).await {
            Ok(version) => {
                state.newest = version_of(&version);
                state.held = held(version);
                return Ok(None);
            }
            Err(trouble) => trouble,
        };
        match &trouble {
            Trouble::Vault(answer) if answer.status == 404 => {
                if self.is_soft_deleted(&opened, patience).await {
                    return Err(refusal::of_soft_deleted(self.vault(), &self.name, Doing::Writing));
                }
                state.held = Held::Nothing;
                Ok(None)
            }
            Trouble::Vault(answer) if refusal::is_about_reading(answer) => {
                state.held = Held::Unknown;
                let failure = self.explain(trouble, &opened, Doing::Reading);
                Ok(Some(format!(
                    "Secret {} in the vault {} cannot be read by this identity, so it is not known whether it can be \
                     written, and it could not be given back what it holds. {failure}",
                    self.name,
                    self.vault(),
                )))
            }
            _ => Err(self.explain(trouble, &opened, Doing::Writing)),
        }
    }

    async fn read(&self, patience: &Patience) -> Result<Option<Secret>, Failure> {
        let state = &mut *self.state.lock().await;
        let opened = self.open(state, Doing::Reading)?;
        match self.newest(&opened, Doing::Reading, patience).await {
            Ok(version) => {
                state.newest = version_of(&version);
                let value = version.value.map(Secret::new);
                Ok(value.map(trimmed).filter(|value| !value.is_empty()))
            }
            Err(Trouble::Vault(answer)) if answer.status == 404 => Ok(None),
            Err(trouble) => Err(self.explain(trouble, &opened, Doing::Reading)),
        }
    }

    async fn write(&self, secret: &Secret, kind: &Kind, patience: &Patience) -> Result<(), Failure> {
        let state = &mut *self.state.lock().await;
        let opened = self.open(state, Doing::Writing)?;
        if matches!(kind, Kind::RefreshToken) && state.newest.is_none() {
            // A login reads nothing first. Who may not read may write all the same.
            let version = self.newest(&opened, Doing::Writing, patience).await;
            state.newest = version.ok().and_then(|version| version_of(&version));
        }
        match self.set(&opened, patience, secret, parameters(kind)).await {
            Ok(version) => {
                state.changed = true;
                let former = std::mem::replace(&mut state.newest, version);
                if let (Kind::RefreshToken, Some(former)) = (kind, former)
                    && state.newest.as_ref().is_some_and(|newest| *newest != former)
                {
                    self.disable(&opened, former, patience).await;
                }
                Ok(())
            }
            Err(trouble) => {
                state.changed |= trouble.may_have_acted();
                Err(self.explain(trouble, &opened, Doing::Writing))
            }
        }
    }

    async fn restore(&self, patience: &Patience) -> Result<Restored, Failure> {
        let state = &mut *self.state.lock().await;
        if !state.changed {
            return Ok(Restored::Whole);
        }
        let Held::Value(value, parameters) = &state.held else { return Ok(Restored::NotPossible) };
        let (value, parameters) = (value.clone(), parameters.clone());
        let opened = self.open(state, Doing::Writing)?;
        match self.set(&opened, patience, &value, parameters).await {
            Ok(version) => {
                state.newest = version;
                state.changed = false;
                Ok(Restored::Whole)
            }
            Err(trouble) => Err(self.explain(trouble, &opened, Doing::Writing)),
        }
    }
}

/// What stands beside the value.
fn parameters(kind: &Kind) -> SetSecretParameters {
    match kind {
        Kind::RefreshToken => SetSecretParameters {
            content_type: Some("application/vnd.adopat.refresh-token".into()),
            ..SetSecretParameters::default()
        },
        Kind::Pat { authorization_id, display_name, organization, valid_to } => {
            let tags = [
                ("authorization-id", authorization_id),
                ("display-name", display_name),
                ("organization", organization),
            ];
            let tags = tags.map(|(name, text)| (name.to_owned(), text.chars().take(LONGEST_TAG).collect()));
            // Whole seconds, rounded down: the vault never says that a PAT lives longer than it does.
            let expires = valid_to.and_then(|at| OffsetDateTime::from_unix_timestamp(at.as_second()).ok());
            SetSecretParameters {
                content_type: Some("application/vnd.adopat.pat".into()),
                secret_attributes: Some(SecretAttributes { expires, ..SecretAttributes::default() }),
                tags: Some(HashMap::from(tags)),
                value: None,
            }
        }
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
    Held::Value(
        Secret::new(value),
        SetSecretParameters { content_type, secret_attributes, tags, value: None },
    )
}

fn version_of(version: &Version) -> Option<String> {
    version.resource_id().ok()?.version
}

/// A value that a person has put there may end in the newline of their editor.
fn trimmed(value: Secret) -> Secret {
    let trimmed = value.expose().trim();
    if trimmed.len() == value.expose().len() { value } else { Secret::new(trimmed.to_owned()) }
}
