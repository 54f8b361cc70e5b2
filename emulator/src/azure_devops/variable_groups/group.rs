//! The variable groups that there are.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::azure_devops::change::Change;
use crate::azure_devops::project_reference::Reference;
use crate::cast::id_from;
use crate::moment;
use crate::services::Services;

/// A variable group as a test reads it back, secrets and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableGroup {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The names of the projects that share it.
    pub projects: Vec<String>,
    /// Its variables.
    pub variables: BTreeMap<String, Variable>,
}

/// One variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its value, which nobody but a running job can read if it is secret.
    pub value: String,
    /// Whether it is secret.
    pub is_secret: bool,
    /// Whether a run may change it.
    pub is_read_only: bool,
}

/// A variable group that a test puts there.
#[derive(Clone, Debug)]
pub struct NewVariableGroup {
    name: String,
    description: String,
    organization: Option<String>,
    projects: Vec<String>,
    variables: BTreeMap<String, Variable>,
    vault: Option<String>,
}

impl NewVariableGroup {
    /// A group of a project of the first organization, without variables.
    pub fn named(project: &str, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            organization: None,
            projects: vec![project.to_owned()],
            variables: BTreeMap::new(),
            vault: None,
        }
    }

    /// Of this organization.
    pub fn organization(mut self, name: &str) -> Self {
        self.organization = Some(name.to_owned());
        self
    }

    /// With this description.
    pub fn description(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    /// Shared with this project too.
    pub fn shared_with(mut self, project: &str) -> Self {
        self.projects.push(project.to_owned());
        self
    }

    /// With this plain variable.
    pub fn variable(self, name: &str, value: &str) -> Self {
        self.with(name, Variable { value: value.to_owned(), is_secret: false, is_read_only: false })
    }

    /// With this secret variable.
    pub fn secret(self, name: &str, value: &str) -> Self {
        self.with(name, Variable { value: value.to_owned(), is_secret: true, is_read_only: false })
    }

    /// With this variable.
    pub fn with(mut self, name: &str, variable: Variable) -> Self {
        self.variables.insert(name.to_owned(), variable);
        self
    }

    /// Linked to a Key Vault: its variables are only names of secrets there.
    pub fn linked_to_vault(mut self, vault: &str) -> Self {
        self.vault = Some(vault.to_owned());
        self
    }
}

/// What a user may do with a variable group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupRole {
    /// Read.
    Reader,
    /// Everything.
    Administrator,
}

/// Where a group is shown, which decides how much of it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// In a list: without its references.
    Listed,
    /// By its id.
    Whole,
    /// In the answer to a change: without the name of who made it.
    Changed,
}

/// A variable group as the service keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) organization: String,
    pub(super) references: Vec<Reference>,
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) vault: Option<String>,
    pub(super) created: Change,
    pub(super) modified: Change,
}

impl Stored {
    /// Whether a project, by name or id, has this group.
    pub(super) fn is_in(&self, organization: &str, project: &str) -> bool {
        self.organization.eq_ignore_ascii_case(organization)
            && self.references.iter().any(|reference| reference.is_of(project))
    }

    /// As the service shows it; secrets are `null` everywhere.
    pub(super) fn shown(&self, view: View) -> Value {
        let variables: Map<String, Value> = self
            .variables
            .iter()
            .map(|(name, variable)| (name.clone(), self.shown_variable(variable)))
            .collect();
        let references: Vec<Value> = self.references.iter().map(Reference::shown).collect();
        let who = |change: &Change| match view {
            View::Changed => json!({"displayName": null, "id": id_from(&change.by)}),
            View::Listed | View::Whole => json!({"displayName": change.by, "id": id_from(&change.by)}),
        };
        let mut shown = json!({
            "id": self.id,
            "type": if self.vault.is_some() { "AzureKeyVault" } else { "Vsts" },
            "name": self.name,
            "description": self.description,
            "variables": variables,
            "isShared": self.references.len() > 1,
            "createdBy": who(&self.created),
            "createdOn": moment::dotnet(self.created.at),
            "modifiedBy": who(&self.modified),
            "modifiedOn": moment::dotnet(self.modified.at),
            "variableGroupProjectReferences": if view == View::Listed { Value::Null } else { json!(references) },
        });
        if let Some(vault) = &self.vault {
            shown["providerData"] = json!({
                "serviceEndpointId": "fa4e0000-0000-4000-8000-00000000005c",
                "vault": vault,
                "lastRefreshedOn": moment::dotnet(self.created.at),
            });
        }
        shown
    }

    fn shown_variable(&self, variable: &Variable) -> Value {
        if self.vault.is_some() {
            return json!({"enabled": true, "contentType": "", "expires": null, "value": null, "isSecret": true});
        }
        let mut shown = if variable.is_secret {
            json!({"value": null, "isSecret": true})
        } else {
            json!({"value": variable.value})
        };
        if variable.is_read_only {
            shown["isReadOnly"] = true.into();
        }
        shown
    }

    fn read_back(&self) -> VariableGroup {
        VariableGroup {
            id: self.id,
            name: self.name.clone(),
            description: self.description.clone(),
            projects: self.references.iter().map(|reference| reference.project.clone()).collect(),
            variables: self.variables.clone(),
        }
    }
}

/// Every variable group, and who may do less than everything with one.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Stored>,
    given: u32,
    roles: HashMap<(u32, String), GroupRole>,
}

impl Groups {
    pub(super) fn of(&self, organization: &str, project: &str) -> impl Iterator<Item = &Stored> {
        self.groups.iter().filter(move |group| group.is_in(organization, project))
    }

    pub(super) fn find(&self, id: u32) -> Option<&Stored> {
        self.groups.iter().find(|group| group.id == id)
    }

    pub(super) fn find_mut(&mut self, id: u32) -> Option<&mut Stored> {
        self.groups.iter_mut().find(|group| group.id == id)
    }

    /// No number is given twice, of a group that is gone neither.
    pub(super) fn next_id(&mut self) -> u32 {
        self.given += 1;
        self.given
    }

    pub(super) fn add(&mut self, group: Stored) {
        self.groups.push(group);
    }

    pub(super) fn remove(&mut self, id: u32) {
        self.groups.retain(|group| group.id != id);
    }

    pub(super) fn role(&self, id: u32, user: &str) -> GroupRole {
        self.roles.get(&(id, user.to_owned())).copied().unwrap_or(GroupRole::Administrator)
    }
}

impl Services {
    /// Puts a variable group there, and its projects too; returns its number.
    pub fn add_variable_group(&mut self, group: NewVariableGroup, now: Timestamp) -> u32 {
        let organization = group.organization.unwrap_or_else(|| self.cast.organizations[0].name.clone());
        for project in &group.projects {
            self.add_project(&organization, project);
        }
        for variable in group.variables.values().filter(|variable| variable.is_secret) {
            self.remember_secret(&variable.value);
        }
        let id = self.groups.next_id();
        let (name, description) = (group.name, group.description);
        let reference =
            |project: String| Reference { project, name: name.clone(), description: description.clone() };
        let references = group.projects.into_iter().map(reference).collect();
        self.groups.add(Stored {
            id,
            name,
            description,
            organization,
            references,
            variables: group.variables,
            vault: group.vault,
            created: Change::now(now, crate::cast::PERSON),
            modified: Change::now(now, crate::cast::PERSON),
        });
        id
    }

    /// Every variable group, in the order of their numbers.
    pub fn variable_groups(&self) -> Vec<VariableGroup> {
        self.groups.groups.iter().map(Stored::read_back).collect()
    }

    /// What a user may do with a group from now on; everything, if nothing else was said.
    pub fn set_group_role(&mut self, group: u32, user: &str, role: GroupRole) {
        self.groups.roles.insert((group, user.to_owned()), role);
    }
}
