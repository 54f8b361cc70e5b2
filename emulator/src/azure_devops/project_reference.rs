//! How something that several projects share, a variable group or a service connection, is known in each of them.

use serde_json::{Value, json};

use super::projects::{is_project, project_id};

/// A project's name, and the name and description that what it shares has there.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) project: String,
    pub(super) name: String,
    pub(super) description: String,
}

impl Reference {
    /// Whether it is that of this project, by name or id.
    pub(super) fn is_of(&self, project: &str) -> bool {
        is_project(&self.project, project)
    }

    /// As the service shows it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "projectReference": {"id": project_id(&self.project), "name": self.project},
            "name": self.name,
            "description": self.description,
        })
    }
}
