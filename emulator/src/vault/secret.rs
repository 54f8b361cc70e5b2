//! The secrets of a vault: each with its versions, none of which can be deleted singly.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::deletion::{self, Deletion};
use super::{access, bad_parameter, error};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::{Service, Services};

const LARGEST_VALUE: usize = 25 * 1024;
const LONGEST_CONTENT_TYPE: usize = 255;
const MOST_TAGS: usize = 15;
const LONGEST_TAG: usize = 256;

/// A secret as a test reads it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultSecret {
    /// Its name, as it was first written.
    pub name: String,
    /// Its versions, the newest last.
    pub versions: Vec<VaultVersion>,
    /// Whether it was deleted, and how far that has come.
    pub deletion: Option<Deletion>,
    /// When it was deleted, in whole seconds; the instant of its last version, unless a client deleted it.
    pub deleted: Option<i64>,
}

/// One version of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultVersion {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The secret itself.
    pub value: String,
    /// What it is.
    pub content_type: Option<String>,
    /// Whether it can be read.
    pub enabled: bool,
    /// From when on it is meant to be used, in whole seconds; it informs only.
    pub not_before: Option<i64>,
    /// Until when it is meant to be used, in whole seconds; it informs only.
    pub expires: Option<i64>,
    /// When it was made, in whole seconds.
    pub created: i64,
    /// When it was last changed, in whole seconds.
    pub updated: i64,
    /// Its tags; anyone who may list can read them.
    pub tags: BTreeMap<String, String>,
}

impl VaultSecret {
    /// The newest version.
    pub fn newest(&self) -> Option<&VaultVersion> {
        self.versions.last()
    }

    /// As a list of secrets shows it: its newest version, whose id it leaves out.
    pub(super) fn listed(&self, base: &str) -> Option<Value> {
        let mut shown = self.newest()?.shown(base, &self.name, false);
        shown["id"] = format!("{base}/secrets/{}", self.name).into();
        Some(shown)
    }

    /// Itself, if it is deleted and can be recovered.
    pub(super) fn recoverable(&self) -> Option<&Self> {
        Some(self).filter(|secret| secret.deletion == Some(Deletion::Recoverable))
    }
}

/// Every secret, by its name in lower case.
#[derive(Debug, Default)]
pub(crate) struct Secrets(BTreeMap<String, VaultSecret>);

impl Secrets {
    /// A secret that exists and is not deleted.
    pub(super) fn living(&self, name: &str) -> Result<&VaultSecret, Answer> {
        let secret = self.0.get(&name.to_ascii_lowercase());
        secret.filter(|secret| secret.deletion.is_none()).ok_or_else(|| not_found(name))
    }

    fn version_mut(&mut self, name: &str, version: Option<&str>) -> Result<&mut VaultVersion, Answer> {
        self.living(name)?;
        let secret = self.0.get_mut(&name.to_ascii_lowercase());
        let versions = secret.into_iter().flat_map(|secret| &mut secret.versions);
        let found = match version {
            None => versions.last(),
            Some(version) => versions.into_iter().find(|known| known.id == version),
        };
        found.ok_or_else(|| not_found(&format!("{name}/{}", version.unwrap_or_default())))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &VaultSecret> {
        self.0.values()
    }

    pub(super) fn get(&self, name: &str) -> Option<&VaultSecret> {
        self.0.get(&name.to_ascii_lowercase())
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut VaultSecret> {
        self.0.get_mut(&name.to_ascii_lowercase())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(&name.to_ascii_lowercase());
    }
}

impl VaultVersion {
    /// A `SecretBundle`, or with no value a `SecretItem`.
    pub(super) fn shown(&self, base: &str, name: &str, with_value: bool) -> Value {
        let mut attributes = json!({
            "enabled": self.enabled,
            "created": self.created,
            "updated": self.updated,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        });
        for (key, instant) in [("nbf", self.not_before), ("exp", self.expires)] {
            if let Some(instant) = instant {
                attributes[key] = instant.into();
            }
        }
        let mut shown = json!({
            "id": format!("{base}/secrets/{name}/{}", self.id),
            "attributes": attributes,
        });
        // Recorded answers leave this member out where there are none.
        if !self.tags.is_empty() {
            shown["tags"] = json!(self.tags);
        }
        if with_value {
            shown["value"] = self.value.as_str().into();
        }
        if let Some(content_type) = &self.content_type {
            shown["contentType"] = content_type.as_str().into();
        }
        shown
    }

    /// Takes over what is given of content type, attributes and tags.
    fn take(&mut self, fields: &Map<String, Value>) -> Result<(), Answer> {
        if let Some(content_type) = given(fields, "contentType") {
            let content_type =
                content_type.as_str().ok_or_else(|| bad_parameter("contentType must be a string."))?;
            if content_type.len() > LONGEST_CONTENT_TYPE {
                return Err(bad_parameter("contentType must not be longer than 255 characters."));
            }
            self.content_type = Some(content_type.to_owned());
        }
        if let Some(attributes) = given(fields, "attributes").and_then(Value::as_object) {
            if let Some(enabled) = given(attributes, "enabled") {
                self.enabled =
                    enabled.as_bool().ok_or_else(|| bad_parameter("enabled must be a boolean."))?;
            }
            self.not_before = whole_seconds(attributes, "nbf")?.or(self.not_before);
            self.expires = whole_seconds(attributes, "exp")?.or(self.expires);
        }
        if let Some(tags) = given(fields, "tags") {
            self.tags =
                serde_json::from_value(tags.clone()).map_err(|_| bad_parameter("tags must be strings."))?;
            let too_long = |text: &String| text.chars().count() > LONGEST_TAG;
            if self.tags.len() > MOST_TAGS
                || self.tags.iter().any(|(name, value)| too_long(name) || too_long(value))
            {
                return Err(bad_parameter("There may be 15 tags of 256 characters each for name and value."));
            }
        }
        Ok(())
    }
}

fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// An instant is a whole number of seconds; a fraction is refused.
fn whole_seconds(attributes: &Map<String, Value>, name: &str) -> Result<Option<i64>, Answer> {
    match given(attributes, name) {
        None => Ok(None),
        Some(instant) => match instant.as_i64() {
            Some(instant) => Ok(Some(instant)),
            None => Err(bad_parameter(&format!("{name} must be a whole number of seconds."))),
        },
    }
}

fn body(call: &Call) -> Result<Map<String, Value>, Answer> {
    match call.json() {
        Some(Value::Object(fields)) if call.has_json_body() => Ok(fields),
        _ => Err(bad_parameter("Request body not specified or not valid JSON.")),
    }
}

pub(super) fn set(
    services: &mut Services,
    call: &Call,
    name: &str,
    now: Timestamp,
) -> Result<Answer, Answer> {
    let fields = body(call)?;
    let value = given(&fields, "value").and_then(Value::as_str);
    let value = value.ok_or_else(|| bad_parameter("Property value has invalid value"))?;
    if value.len() > LARGEST_VALUE {
        return Err(bad_parameter("The secret value is too large; the limit is 25 KB."));
    }
    if let Some(secret) = services.vault.secrets.0.get(&name.to_ascii_lowercase()) {
        deletion::check_name_is_free(secret)?;
    }
    let mut version = services.new_vault_version(value, now);
    version.take(&fields)?;
    access::expiry(services).check(version.expires, now)?;
    let shown = version.shown(services.address(Service::Vault), name, true);
    services.add_vault_version(name, version);
    Ok(answer::json(StatusCode::OK, &shown))
}

pub(super) fn get(services: &Services, name: &str, version: Option<&str>) -> Result<Answer, Answer> {
    let secret = services.vault.secrets.living(name)?;
    let found = match version {
        None => secret.newest(),
        Some(version) => secret.versions.iter().find(|known| known.id == version),
    };
    let version = found.ok_or_else(|| not_found(name))?;
    if !version.enabled {
        return Err(error(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "Operation get is not allowed on a disabled secret.",
            Some("SecretDisabled"),
        ));
    }
    Ok(answer::json(StatusCode::OK, &version.shown(services.address(Service::Vault), name, true)))
}

/// Changes a version, the newest if none is named (recorded, Python).
pub(super) fn change(
    services: &mut Services,
    call: &Call,
    name: &str,
    version: Option<&str>,
    now: Timestamp,
) -> Result<Answer, Answer> {
    let fields = body(call)?;
    let base = services.address(Service::Vault).to_owned();
    let version = services.vault.secrets.version_mut(name, version)?;
    let mut changed = version.clone();
    changed.take(&fields)?;
    changed.updated = now.as_second();
    *version = changed;
    Ok(answer::json(StatusCode::OK, &version.shown(&base, name, false)))
}

pub(super) fn not_found(name: &str) -> Answer {
    error(
        StatusCode::NOT_FOUND,
        "SecretNotFound",
        &format!(
            "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you \
             may be able to recover it using the correct recovery command. For help resolving this issue, please \
             see https://go.microsoft.com/fwlink/?linkid=2125182"
        ),
        None,
    )
}

impl Services {
    fn new_vault_version(&mut self, value: &str, now: Timestamp) -> VaultVersion {
        self.remember_secret(value);
        VaultVersion {
            id: format!("fa4e{}", &self.chance.guid().simple().to_string()[4..]),
            value: value.to_owned(),
            content_type: None,
            enabled: true,
            not_before: None,
            expires: None,
            created: now.as_second(),
            updated: now.as_second(),
            tags: BTreeMap::new(),
        }
    }

    fn add_vault_version(&mut self, name: &str, version: VaultVersion) {
        let fresh =
            || VaultSecret { name: name.to_owned(), versions: Vec::new(), deletion: None, deleted: None };
        self.vault.secrets.0.entry(name.to_ascii_lowercase()).or_insert_with(fresh).versions.push(version);
    }

    /// Puts a new version of a secret into the vault.
    pub fn add_vault_secret(&mut self, name: &str, value: &str, now: Timestamp) {
        let version = self.new_vault_version(value, now);
        self.add_vault_version(name, version);
    }

    /// Gives the newest version of a secret of the vault a content type and tags.
    ///
    /// # Panics
    /// When there is no such secret.
    pub fn label_vault_secret(&mut self, name: &str, content_type: Option<&str>, tags: &[(&str, &str)]) {
        let secret = self.vault.secrets.0.get_mut(&name.to_ascii_lowercase());
        let newest = secret
            .and_then(|secret| secret.versions.last_mut())
            .expect("a secret of that name is in the vault");
        newest.content_type = content_type.map(str::to_owned);
        newest.tags = tags.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    }

    /// Disables the newest version of a secret of the vault, as its owner does in the portal.
    pub fn disable_vault_secret(&mut self, name: &str) {
        let secret = self.vault.secrets.0.get_mut(&name.to_ascii_lowercase());
        if let Some(newest) = secret.and_then(|secret| secret.versions.last_mut()) {
            newest.enabled = false;
        }
    }

    /// Every secret of the vault.
    pub fn vault_secrets(&self) -> Vec<VaultSecret> {
        self.vault.secrets.0.values().cloned().collect()
    }

    /// A secret of the vault.
    pub fn vault_secret(&self, name: &str) -> Option<&VaultSecret> {
        self.vault.secrets.0.get(&name.to_ascii_lowercase())
    }
}
