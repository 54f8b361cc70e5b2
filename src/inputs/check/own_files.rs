//! The files that a run reads, or hands things over by: none of them is a place for a secret.

use std::path::Path;

use super::Check;
use crate::inputs::table::INPUTS;
use crate::private_file;

/// Variables that name such a file: the host's command files, what the runner reads, certificate authorities, the job's
/// OIDC token and the launcher's program.
const VARIABLES: [&str; 10] = [
    "GITHUB_OUTPUT",
    "GITHUB_ENV",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_PATH",
    "GITHUB_EVENT_PATH",
    "SSL_CERT_FILE",
    "AGENT_CAINFO",
    "AZURE_FEDERATED_TOKEN_FILE",
    "ADOPAT_BINARY",
];

/// Inputs that may name such a file.
const FILES: [&str; 2] = ["client-certificate", "manifest"];

impl Check<'_> {
    /// What this file is to the run itself, as the rest of a sentence that begins with its path; `None` if it is nothing
    /// to it. By whatever way the path leads there.
    pub(super) fn own_use_of(&self, path: &Path) -> Option<String> {
        let names_it =
            |name: &&&str| self.environment.path(name).is_some_and(|file| private_file::is_same(path, &file));
        if let Some(name) = VARIABLES.iter().find(names_it) {
            return Some(format!("is the file that {name} names, which the run needs itself"));
        }
        let inputs = INPUTS.iter().filter(|input| FILES.contains(&input.name));
        for input in inputs {
            let text = self.text(input.name).filter(|text| !input.holds_a_secret(text));
            if text.is_some_and(|text| private_file::is_same(path, Path::new(text))) {
                return Some(format!("is the file of {}, which the run needs itself", input.name));
            }
        }
        let program = std::env::current_exe().ok()?;
        private_file::is_same(path, &program).then(|| "is adopat's own program".to_owned())
    }
}
