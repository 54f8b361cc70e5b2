//! The projects of an organization: what variable groups and service connections belong to.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Asked, error, version};
use crate::answer::{self, Answer};
use crate::cast::id_from;
use crate::services::{Service, Services};

const READ: [&str; 3] = ["vso.project", "vso.project_write", "vso.project_manage"];

/// Every project, by its organization and name.
#[derive(Debug, Default)]
pub(crate) struct Projects(Vec<(String, String)>);

impl Projects {
    /// A project's name, by its name or id.
    pub(super) fn find(&self, organization: &str, named: &str) -> Option<&str> {
        self.of(organization).find(|project| is_project(project, named))
    }

    fn of(&self, organization: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(of, _)| of.eq_ignore_ascii_case(organization))
            .map(|(_, project)| project.as_str())
    }
}

/// A project's id follows from its name.
pub(super) fn project_id(name: &str) -> Uuid {
    id_from(&name.to_lowercase())
}

/// Whether the name or id means this project.
pub(super) fn is_project(name: &str, named: &str) -> bool {
    name.to_lowercase() == named.to_lowercase()
        || Uuid::parse_str(named).is_ok_and(|id| id == project_id(name))
}

/// The list, or one project by name or id.
pub(super) fn answer(services: &mut Services, asked: &Asked, id: &[&str]) -> Result<Answer, Answer> {
    asked.caller_with(services, &READ)?;
    version::any_version(asked.call)?;
    let organization = &asked.organization.name;
    let shown = |name: &str| shown(services, organization, name);
    match id {
        [] => {
            let value: Vec<Value> = services.projects.of(organization).map(shown).collect();
            Ok(answer::json(StatusCode::OK, &json!({"count": value.len(), "value": value})))
        }
        [_] => {
            // As it was sent, since the refusal repeats it.
            let sent = asked.call.path[3].as_str();
            let project = services.projects.find(organization, sent);
            let project = project.ok_or_else(|| error::no_such_project(sent))?;
            Ok(answer::json(StatusCode::OK, &shown(project)))
        }
        _ => Err(super::not_found(asked.call)),
    }
}

fn shown(services: &Services, organization: &str, name: &str) -> Value {
    let id = project_id(name);
    let devops = services.address(Service::DevOps);
    json!({
        "id": id,
        "name": name,
        "url": format!("{devops}/{organization}/_apis/projects/{id}"),
        "state": "wellFormed",
        "revision": 1,
        "visibility": "private",
    })
}

impl Services {
    /// Adds a project to an organization.
    pub fn add_project(&mut self, organization: &str, project: &str) {
        if self.projects.find(organization, project).is_none() {
            self.projects.0.push((organization.to_owned(), project.to_owned()));
        }
    }
}
