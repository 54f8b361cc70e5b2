//! Repositories and their environments: each has a key of its own, and secrets that are sealed for it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::MOST_SECRETS;
use crate::services::Services;

/// What holds secrets: a repository, or an environment of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Vessel {
    owner: String,
    repository: String,
    pub(super) environment: Option<String>,
}

impl Vessel {
    /// Names of owners, repositories and environments are the same in any case.
    pub(crate) fn repository(owner: &str, repository: &str) -> Self {
        Self { owner: owner.to_lowercase(), repository: repository.to_lowercase(), environment: None }
    }

    pub(crate) fn environment(owner: &str, repository: &str, environment: &str) -> Self {
        Self { environment: Some(environment.to_lowercase()), ..Self::repository(owner, repository) }
    }

    /// `owner/repository`.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }
}

/// A secret, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitHubSecret {
    /// `owner/repository`, in lower case.
    pub repository: String,
    /// The environment, in lower case, if it is one's.
    pub environment: Option<String>,
    /// Its name, in upper case.
    pub name: String,
    /// What was sealed.
    pub value: String,
    /// How often it was written.
    pub written: usize,
    /// When it was first written.
    pub created: Timestamp,
    /// When it was last written.
    pub updated: Timestamp,
}

pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: crypto_box::SecretKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Contents {
    key: Key,
    secrets: BTreeMap<String, Kept>,
}

/// A secret as it is kept, under its name in upper case.
#[derive(Debug)]
pub(super) struct Kept {
    value: String,
    written: usize,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// Everything that holds secrets.
#[derive(Debug, Default)]
pub(crate) struct Repositories(BTreeMap<Vessel, Contents>);

impl Repositories {
    pub(super) fn key(&self, vessel: &Vessel) -> Option<&Key> {
        self.0.get(vessel).map(|contents| &contents.key)
    }

    /// Says whether the secret is new; an error says that there are too many.
    pub(super) fn store(
        &mut self,
        vessel: &Vessel,
        name: &str,
        value: String,
        now: Timestamp,
    ) -> Result<bool, ()> {
        let secrets = &mut self.0.get_mut(vessel).ok_or(())?.secrets;
        let name = name.to_ascii_uppercase();
        let full = secrets.len() >= MOST_SECRETS;
        match secrets.get_mut(&name) {
            Some(known) => {
                (known.value, known.updated) = (value, now);
                known.written += 1;
                Ok(false)
            }
            None if full => Err(()),
            None => {
                secrets.insert(name, Kept { value, written: 1, created: now, updated: now });
                Ok(true)
            }
        }
    }

    /// The secrets by their names; `None` if there is no such repository or environment.
    pub(super) fn secrets(&self, vessel: &Vessel) -> Option<&BTreeMap<String, Kept>> {
        self.0.get(vessel).map(|contents| &contents.secrets)
    }

    /// Says whether there was such a secret.
    pub(super) fn delete(&mut self, vessel: &Vessel, name: &str) -> bool {
        let contents = self.0.get_mut(vessel);
        contents.is_some_and(|contents| contents.secrets.remove(&name.to_ascii_uppercase()).is_some())
    }
}

impl Services {
    /// Adds a repository, by owner and name.
    pub fn add_github_repository(&mut self, owner: &str, repository: &str) {
        self.add_vessel(Vessel::repository(owner, repository));
    }

    /// Adds an environment to a repository, and the repository too if it is not there.
    pub fn add_github_environment(&mut self, owner: &str, repository: &str, environment: &str) {
        self.add_vessel(Vessel::repository(owner, repository));
        self.add_vessel(Vessel::environment(owner, repository, environment));
    }

    fn add_vessel(&mut self, vessel: Vessel) {
        if self.github.repositories.0.contains_key(&vessel) {
            return;
        }
        let key = Key {
            id: (self.chance.next() >> 4).to_string(),
            secret: crypto_box::SecretKey::from(self.chance.bytes::<32>()),
        };
        self.github.repositories.0.insert(vessel, Contents { key, secrets: BTreeMap::new() });
    }

    /// Every secret of GitHub, opened.
    pub fn github_secrets(&self) -> Vec<GitHubSecret> {
        let mut opened = Vec::new();
        for (vessel, contents) in &self.github.repositories.0 {
            for (name, kept) in &contents.secrets {
                opened.push(GitHubSecret {
                    repository: vessel.full_name(),
                    environment: vessel.environment.clone(),
                    name: name.clone(),
                    value: kept.value.clone(),
                    written: kept.written,
                    created: kept.created,
                    updated: kept.updated,
                });
            }
        }
        opened
    }
}
