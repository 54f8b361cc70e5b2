//! The PATs that there are.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::cast::{self, Organization};
use crate::chance::Chance;
use crate::moment;
use crate::services::Services;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How a PAT stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PatStatus {
    /// It works.
    Active,
    /// Its `validTo` has passed.
    Expired,
    /// It was revoked.
    Revoked,
}

/// A PAT as a test reads it back, value and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pat {
    /// The id by which it is updated and revoked.
    pub authorization_id: Uuid,
    /// The value: 84 characters, `AZDO` among them.
    pub value: String,
    /// How it stands.
    pub status: PatStatus,
    /// Whose it is.
    pub owner: String,
    /// The organization it was made in.
    pub organization: String,
    /// Whether it opens every organization of its owner.
    pub global: bool,
    /// Its name, which need not be its own.
    pub display_name: String,
    /// Its scopes, separated by spaces.
    pub scope: String,
    /// When it was made.
    pub valid_from: Timestamp,
    /// When it ends.
    pub valid_to: Timestamp,
}

/// A PAT that a test puts there.
#[derive(Clone, Debug)]
pub struct NewPat {
    display_name: String,
    scope: String,
    valid_from: Option<Timestamp>,
    valid_to: Option<Timestamp>,
    global: bool,
    status: PatStatus,
    owner: String,
    organization: Option<String>,
}

impl NewPat {
    /// An active PAT of [`cast::PERSON`] in the first organization, with the scope `vso.code`, made a day ago and
    /// good for 30 days more.
    pub fn named(display_name: &str) -> Self {
        Self {
            display_name: display_name.to_owned(),
            scope: "vso.code".to_owned(),
            valid_from: None,
            valid_to: None,
            global: false,
            status: PatStatus::Active,
            owner: cast::PERSON.to_owned(),
            organization: None,
        }
    }

    /// With this scope.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = scope.to_owned();
        self
    }

    /// Made then.
    pub fn valid_from(mut self, instant: Timestamp) -> Self {
        self.valid_from = Some(instant);
        self
    }

    /// Good until then.
    pub fn valid_to(mut self, instant: Timestamp) -> Self {
        self.valid_to = Some(instant);
        self
    }

    /// For every organization of its owner.
    pub fn global(mut self) -> Self {
        self.global = true;
        self
    }

    /// In this state; an expired one ended a minute ago unless [`Self::valid_to`] says otherwise.
    pub fn status(mut self, status: PatStatus) -> Self {
        self.status = status;
        self
    }

    /// Of this user.
    pub fn owner(mut self, user: &str) -> Self {
        self.owner = user.to_owned();
        self
    }

    /// In this organization.
    pub fn organization(mut self, name: &str) -> Self {
        self.organization = Some(name.to_owned());
        self
    }
}

/// A PAT as the service keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) authorization_id: Uuid,
    pub(crate) value: String,
    pub(crate) owner: String,
    pub(crate) organization: String,
    pub(crate) global: bool,
    pub(crate) display_name: String,
    pub(crate) scope: String,
    pub(crate) valid_from: Timestamp,
    pub(crate) valid_to: Timestamp,
    pub(crate) revoked: Option<Timestamp>,
}

impl Record {
    pub(crate) fn status(&self, now: Timestamp) -> PatStatus {
        match self.revoked {
            Some(_) => PatStatus::Revoked,
            None if self.valid_to <= now => PatStatus::Expired,
            None => PatStatus::Active,
        }
    }

    fn belongs(&self, owner: &str, organization: &str) -> bool {
        self.owner == owner && (self.global || self.organization.eq_ignore_ascii_case(organization))
    }
}

/// Every PAT, in the order of its creation.
#[derive(Debug, Default)]
pub(crate) struct Pats(Vec<Record>);

impl Pats {
    pub(crate) fn of(&self, owner: &str, organization: &str) -> impl Iterator<Item = &Record> {
        self.0.iter().filter(move |record| record.belongs(owner, organization))
    }

    pub(crate) fn find(&self, id: Uuid, owner: &str, organization: &str) -> Option<&Record> {
        self.of(owner, organization).find(|record| record.authorization_id == id)
    }

    pub(crate) fn find_mut(&mut self, id: Uuid, owner: &str, organization: &str) -> Option<&mut Record> {
        self.0.iter_mut().find(|record| record.authorization_id == id && record.belongs(owner, organization))
    }

    /// Owner and scope of the PAT with this value, if it opens this organization now.
    pub(crate) fn working(
        &self,
        value: &str,
        organization: &Organization,
        now: Timestamp,
    ) -> Option<(String, String)> {
        let policies = &organization.policies;
        let record = self.0.iter().find(|record| record.value == value)?;
        let in_reach = record.global || record.organization.eq_ignore_ascii_case(&organization.name);
        let ended_for_global = record.global && policies.global_pats_end.is_some_and(|end| end <= now);
        // Rounded like the PAT's own beginning, which may lie a millisecond ahead.
        let known_yet = record.valid_from + policies.usable_after <= moment::rounded_to_sql(now);
        let dead =
            record.revoked.is_some_and(|when| when + policies.dead_after <= now) || record.valid_to <= now;
        (in_reach && known_yet && !dead && !ended_for_global)
            .then(|| (record.owner.clone(), record.scope.clone()))
    }
}

impl Services {
    /// Makes a PAT.
    pub(crate) fn mint(&mut self, record: Record) -> &Record {
        self.remember_secret(&record.value);
        self.pats.0.push(record);
        &self.pats.0[self.pats.0.len() - 1]
    }

    /// Puts a PAT there.
    ///
    /// # Panics
    /// When its owner or organization does not exist.
    pub fn add_pat(&mut self, pat: NewPat, now: Timestamp) -> Pat {
        let organization = pat.organization.unwrap_or_else(|| self.cast.organizations[0].name.clone());
        assert!(self.cast.organization(&organization).is_some(), "no organization is called {organization}");
        let owner = self.user_named(&pat.owner).name;
        let valid_to = pat.valid_to.unwrap_or(match pat.status {
            PatStatus::Expired => now - Duration::from_secs(60),
            PatStatus::Active | PatStatus::Revoked => now + 30 * DAY,
        });
        let valid_from = pat.valid_from.unwrap_or((now - DAY).min(valid_to - DAY));
        let record = Record {
            authorization_id: self.chance.guid(),
            value: pat_value(&mut self.chance),
            owner,
            organization,
            global: pat.global,
            display_name: pat.display_name,
            scope: pat.scope,
            valid_from: moment::rounded_to_sql(valid_from),
            valid_to: moment::rounded_to_sql(valid_to),
            revoked: (pat.status == PatStatus::Revoked).then_some(now - Duration::from_secs(60)),
        };
        let id = self.mint(record).authorization_id;
        self.pat(id, now).expect("it was just put there")
    }

    /// Every PAT, in the order of its creation, as it stands now.
    pub fn pats(&self, now: Timestamp) -> Vec<Pat> {
        self.pats.0.iter().map(|record| read_back(record, now)).collect()
    }

    /// The PAT with this id, as it stands now.
    pub fn pat(&self, authorization_id: Uuid, now: Timestamp) -> Option<Pat> {
        let record = self.pats.0.iter().find(|record| record.authorization_id == authorization_id)?;
        Some(read_back(record, now))
    }

    /// Revokes a PAT, as its owner or an administrator would elsewhere.
    ///
    /// # Panics
    /// When there is none with this id.
    pub fn revoke_pat(&mut self, authorization_id: Uuid, now: Timestamp) {
        let record = self.pats.0.iter_mut().find(|record| record.authorization_id == authorization_id);
        record.expect("a PAT with this id was made here").revoked.get_or_insert(now);
    }
}

fn read_back(record: &Record, now: Timestamp) -> Pat {
    let record = record.clone();
    Pat {
        status: record.status(now),
        authorization_id: record.authorization_id,
        value: record.value,
        owner: record.owner,
        organization: record.organization,
        global: record.global,
        display_name: record.display_name,
        scope: record.scope,
        valid_from: record.valid_from,
        valid_to: record.valid_to,
    }
}

/// The format since July 2024: 84 letters and digits with `AZDO` at offset 76. This one says that it is a fake.
pub(crate) fn pat_value(chance: &mut Chance) -> String {
    format!("FAKE{}AZDO{}", chance.alphanumeric(72), chance.alphanumeric(4))
}
