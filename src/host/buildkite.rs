//! Buildkite: its agent can be told, while a job runs, what to redact from the log
//! (`buildkite-agent redactor add`, buildkite/agent `clicommand/redactor_add.go`).
//!
//! The secret goes over standard input, never in the arguments, which any process may read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::subprocess::Helper;

/// The longest that the agent is waited for.
const LONGEST: Duration = Duration::from_secs(5);

/// The agent's command that redacts.
#[derive(Debug)]
pub struct Redactor {
    agent: OsString,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new("buildkite-agent")
    }
}

impl Redactor {
    /// The agent under this name or path.
    pub fn new(agent: impl Into<OsString>) -> Self {
        Self { agent: agent.into() }
    }

    /// Has the agent redact these from now on, and waits until it does, for a few seconds at most.
    ///
    /// # Errors
    /// Why it does not.
    pub fn add(&self, secrets: &[Secret]) -> Result<(), String> {
        let name = self.agent.to_string_lossy();
        let arguments = ["redactor", "add", "--format", "json"];
        let helper = Helper::new(&self.agent).arguments(arguments).input(as_object(secrets));
        let ended =
            helper.run_at_once(LONGEST).map_err(|error| format!("{name} redactor add failed ({error})"))?;
        let status = ended.status;
        if status.success() { Ok(()) } else { Err(format!("{name} redactor add failed ({status})")) }
    }
}

/// A flat object whose values are the secrets; the keys mean nothing to the agent.
fn as_object(secrets: &[Secret]) -> Zeroizing<Vec<u8>> {
    let by_number: BTreeMap<usize, &str> = secrets.iter().map(Secret::expose).enumerate().collect();
    let mut json =
        Zeroizing::new(Vec::with_capacity(secrets.iter().map(|each| 6 * each.expose().len() + 16).sum()));
    serde_json::to_writer(&mut *json, &by_number).expect("numbers and texts are JSON");
    json
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    /// An agent that runs these lines of shell in `folder`.
    fn agent(folder: &Path, script: &str) -> Redactor {
        let path = folder.join("buildkite-agent");
        std::fs::write(&path, format!("#!/bin/sh\ncd '{}'\n{script}\n", folder.display())).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("made executable");
        Redactor::new(path)
    }

    #[test]
    fn the_agent_gets_the_secrets_on_its_input_and_not_in_its_arguments() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = [Secret::new("hunter2\"hunter2".into()), Secret::new("aHVudGVyMg==".into())];
        let agent = agent(folder.path(), "printf '%s ' \"$@\" > arguments; cat > input");
        agent.add(&secrets).expect("added");
        let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("written");
        assert_eq!(read("arguments"), "redactor add --format json ");
        assert_eq!(read("input"), r#"{"0":"hunter2\"hunter2","1":"aHVudGVyMg=="}"#);
    }

    #[test]
    fn an_agent_that_fails_is_said_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let why = agent(folder.path(), "exit 3").add(&[Secret::new("hunter2".into())]).expect_err("failed");
        assert!(why.contains("redactor add failed") && why.contains('3'), "{why}");
    }

    #[test]
    fn an_agent_that_reads_nothing_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let large = Secret::new("x".repeat(1 << 20));
        agent(folder.path(), "exit 0").add(&[large]).expect("added");
    }
}
