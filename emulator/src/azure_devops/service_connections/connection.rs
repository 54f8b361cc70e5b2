//! The service connections that there are.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::kinds;
use crate::azure_devops::Version;
use crate::azure_devops::change::Change;
use crate::azure_devops::project_reference::Reference;
use crate::cast::id_from;
use crate::moment;
use crate::services::Services;

/// A service connection as a test reads it back, secrets and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConnection {
    /// Its id.
    pub id: Uuid,
    /// Its name in the first of its projects.
    pub name: String,
    /// Its type, like `externalnugetfeed`.
    pub kind: String,
    /// How it authenticates, like `Token`.
    pub scheme: String,
    /// Where it leads.
    pub url: String,
    /// Its description.
    pub description: String,
    /// The names of the projects that share it.
    pub projects: Vec<String>,
    /// The parameters of its scheme.
    pub parameters: BTreeMap<String, String>,
    /// What else it holds.
    pub data: BTreeMap<String, String>,
    /// Whether it is disabled.
    pub disabled: bool,
    /// When it was last changed, in steps of 1/300 s.
    pub modified: Timestamp,
    /// Who changed it last.
    pub modified_by: String,
}

/// A service connection that a test puts there: of the type `externalnugetfeed` with the scheme `Token` and the
/// parameter `apitoken`, unless something else is said.
#[derive(Clone, Debug)]
pub struct NewServiceConnection {
    organization: Option<String>,
    references: Vec<(String, String)>,
    kind: String,
    scheme: String,
    url: String,
    description: String,
    parameters: BTreeMap<String, Kept>,
    data: BTreeMap<String, Kept>,
    disabled: bool,
    failed: bool,
}

impl NewServiceConnection {
    /// A connection of a project of the first organization.
    pub fn named(project: &str, name: &str) -> Self {
        Self {
            organization: None,
            references: vec![(project.to_owned(), name.to_owned())],
            kind: "externalnugetfeed".to_owned(),
            scheme: "Token".to_owned(),
            url: "https://pkgs.dev.azure.com/fabrikam/_packaging/feed/nuget/v3/index.json".to_owned(),
            description: String::new(),
            parameters: BTreeMap::new(),
            data: BTreeMap::new(),
            disabled: false,
            failed: false,
        }
    }

    /// Of this organization.
    pub fn organization(mut self, name: &str) -> Self {
        self.organization = Some(name.to_owned());
        self
    }

    /// Of this type, with this scheme.
    pub fn of(mut self, kind: &str, scheme: &str) -> Self {
        self.kind = kind.to_owned();
        self.scheme = scheme.to_owned();
        self
    }

    /// With this description.
    pub fn description(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    /// Shared with this project too, by another name there.
    pub fn shared_with(mut self, project: &str, name: &str) -> Self {
        self.references.push((project.to_owned(), name.to_owned()));
        self
    }

    /// With this parameter; whether it is secret is what the type declares.
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        let is_secret = kinds::is_confidential(&self.kind, &self.scheme, name).unwrap_or_default();
        self.parameters.insert(name.to_owned(), Kept { value: value.to_owned(), is_secret });
        self
    }

    /// With this secret parameter, whatever the type declares: as of a type whose extension was removed.
    pub fn secret_parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), Kept { value: value.to_owned(), is_secret: true });
        self
    }

    /// With this member of `data`; whether it is secret is what the type declares.
    pub fn data(mut self, name: &str, value: &str) -> Self {
        let is_secret = kinds::is_confidential_data(&self.kind, name);
        self.data.insert(name.to_owned(), Kept { value: value.to_owned(), is_secret });
        self
    }

    /// Disabled, by an administrator or for not having been used in 100 days.
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Its last operation has failed: it is not ready.
    pub fn failed(mut self) -> Self {
        self.failed = true;
        self
    }
}

/// What a user may do with a service connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionRole {
    /// Nothing, not even see that it is there.
    Hidden,
    /// See that it is there, but neither its type nor how it authenticates.
    Reader,
    /// See it, and use it in pipelines.
    User,
    /// Everything, its credential too: the role of the Organization tab.
    Administrator,
}

/// A value that is kept, and whether it is ever shown again.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) value: String,
    pub(super) is_secret: bool,
}

/// A service connection as the service keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(super) id: Uuid,
    pub(super) organization: String,
    pub(super) references: Vec<Reference>,
    pub(super) kind: String,
    pub(super) scheme: String,
    pub(super) url: String,
    pub(super) parameters: BTreeMap<String, Kept>,
    pub(super) data: BTreeMap<String, Kept>,
    pub(super) disabled: bool,
    pub(super) failed: bool,
    pub(super) created: Change,
    pub(super) modified: Change,
}

/// For whom a connection is shown, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) user: &'a str,
    /// The project in the address: the connection has its name there.
    pub(super) project: Option<&'a str>,
    pub(super) version: Version,
    /// In a list, where secrets are absent; elsewhere they are `null`.
    pub(super) listed: bool,
}

impl Stored {
    pub(super) fn is_in(&self, organization: &str, project: &str) -> bool {
        self.is_of(organization) && self.references.iter().any(|reference| reference.is_of(project))
    }

    pub(super) fn is_of(&self, organization: &str) -> bool {
        self.organization.eq_ignore_ascii_case(organization)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The reference of a project; the first, if it has none there.
    pub(super) fn reference(&self, project: Option<&str>) -> &Reference {
        let of_project =
            self.references.iter().find(|reference| project.is_some_and(|project| reference.is_of(project)));
        of_project.unwrap_or(&self.references[0])
    }

    pub(super) fn name_in(&self, project: &str) -> &str {
        &self.reference(Some(project)).name
    }

    fn shown(&self, role: ConnectionRole, references: Vec<Value>, view: &View) -> Value {
        let reference = self.reference(view.project);
        let mut shown = json!({
            "id": self.id,
            "name": reference.name,
            "description": reference.description,
            "owner": "Library",
            "isShared": self.references.len() > 1,
            "isReady": !self.failed,
            "serviceEndpointProjectReferences": references,
        });
        if role >= ConnectionRole::User {
            shown["type"] = self.kind.as_str().into();
            shown["url"] = self.url.as_str().into();
            shown["createdBy"] = who(&self.created.by);
            shown["data"] = members(&self.data, view.listed);
            let parameters = members(&self.parameters, view.listed);
            shown["authorization"] = json!({"parameters": parameters, "scheme": self.scheme});
            let state = if self.failed { "Failed" } else { "Ready" };
            shown["operationStatus"] = json!({"state": state, "statusMessage": ""});
        }
        if view.version >= Version(7, 2) {
            shown["isDisabled"] = self.disabled.into();
            shown["isOutdated"] = false.into();
            shown["creationDate"] = moment::dotnet(self.created.at).into();
            shown["modificationDate"] = moment::dotnet(self.modified.at).into();
            shown["modifiedBy"] = who(&self.modified.by);
            shown["serviceManagementReference"] = Value::Null;
        }
        shown
    }

    fn read_back(&self) -> ServiceConnection {
        let values = |kept: &BTreeMap<String, Kept>| {
            kept.iter().map(|(name, kept)| (name.clone(), kept.value.clone())).collect()
        };
        ServiceConnection {
            id: self.id,
            name: self.references[0].name.clone(),
            kind: self.kind.clone(),
            scheme: self.scheme.clone(),
            url: self.url.clone(),
            description: self.references[0].description.clone(),
            projects: self.references.iter().map(|reference| reference.project.clone()).collect(),
            parameters: values(&self.parameters),
            data: values(&self.data),
            disabled: self.disabled,
            modified: self.modified.at,
            modified_by: self.modified.by.clone(),
        }
    }
}

fn who(name: &str) -> Value {
    json!({"displayName": name, "id": id_from(name), "uniqueName": name})
}

fn members(kept: &BTreeMap<String, Kept>, listed: bool) -> Value {
    let shown = kept.iter().filter(|(_, kept)| !kept.is_secret || !listed).map(|(name, kept)| {
        let value = if kept.is_secret { Value::Null } else { Value::from(kept.value.as_str()) };
        (name.clone(), value)
    });
    Value::Object(shown.collect::<Map<_, _>>())
}

/// Every service connection, and who may do less than everything with one.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    connections: Vec<Stored>,
    roles: HashMap<(Uuid, String), ConnectionRole>,
}

impl Connections {
    pub(super) fn of(&self, organization: &str, project: &str) -> impl Iterator<Item = &Stored> {
        self.connections.iter().filter(move |connection| connection.is_in(organization, project))
    }

    pub(super) fn find(&self, id: Uuid) -> Option<&Stored> {
        self.connections.iter().find(|connection| connection.id == id)
    }

    pub(super) fn role(&self, id: Uuid, user: &str) -> ConnectionRole {
        self.roles.get(&(id, user.to_owned())).copied().unwrap_or(ConnectionRole::Administrator)
    }

    /// Keeps a new connection, or another state of one.
    pub(super) fn keep(&mut self, connection: Stored) {
        match self.connections.iter_mut().find(|known| known.id == connection.id) {
            Some(known) => *known = connection,
            None => self.connections.push(connection),
        }
    }

    pub(super) fn remove(&mut self, id: Uuid) {
        self.connections.retain(|connection| connection.id != id);
    }
}

impl Services {
    /// As the service shows it: its references come in no order (terraform-provider-azuredevops#1248).
    pub(super) fn shown_connection(&mut self, connection: &Stored, view: &View) -> Value {
        let mut references: Vec<Value> = connection.references.iter().map(Reference::shown).collect();
        for last in (1..references.len()).rev() {
            references.swap(last, self.chance.between(0, last as u64) as usize);
        }
        let role = self.connections.role(connection.id, view.user);
        connection.shown(role, references, view)
    }

    pub(super) fn remember_connection_secrets(&mut self, connection: &Stored) {
        let kept = connection.parameters.values().chain(connection.data.values());
        for kept in kept.filter(|kept| kept.is_secret) {
            self.remember_secret(&kept.value);
        }
    }

    /// Puts a service connection there, and its projects too; returns its id.
    pub fn add_service_connection(&mut self, connection: NewServiceConnection, now: Timestamp) -> Uuid {
        let organization = connection.organization.unwrap_or_else(|| self.cast.organizations[0].name.clone());
        for (project, _) in &connection.references {
            self.add_project(&organization, project);
        }
        let made = Change::now(now, crate::cast::PERSON);
        let description = connection.description;
        let reference = |(project, name)| Reference { project, name, description: description.clone() };
        let stored = Stored {
            id: self.chance.guid(),
            organization,
            references: connection.references.into_iter().map(reference).collect(),
            kind: connection.kind,
            scheme: connection.scheme,
            url: connection.url,
            parameters: connection.parameters,
            data: connection.data,
            disabled: connection.disabled,
            failed: connection.failed,
            created: made.clone(),
            modified: made,
        };
        self.remember_connection_secrets(&stored);
        let id = stored.id;
        self.connections.keep(stored);
        id
    }

    /// Every service connection, in the order in which they came to be.
    pub fn service_connections(&self) -> Vec<ServiceConnection> {
        self.connections.connections.iter().map(Stored::read_back).collect()
    }

    /// What a user may do with a service connection from now on; everything, if nothing else was said.
    pub fn set_connection_role(&mut self, connection: Uuid, user: &str, role: ConnectionRole) {
        self.connections.roles.insert((connection, user.to_owned()), role);
    }
}
