//! Buildkite: its agent can be told, while a job runs, what to redact from the log
//! (`buildkite-agent redactor add`, buildkite/agent `clicommand/redactor_add.go`).
//!
//! The secret goes over standard input, never in the arguments, which any process may read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::inputs::environment::keep_secrets_from;
use crate::secret::Secret;

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
        let mut command = Command::new(&self.agent);
        keep_secrets_from(&mut command);
        let mut child = command
            .args(["redactor", "add", "--format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{name} could not be started ({error})"))?;
        let json = as_object(secrets);
        if let Some(mut input) = child.stdin.take() {
            // An agent that reads nothing must not hold us up: a pipe takes only so much.
            std::thread::spawn(move || input.write_all(&json));
        }
        let status = wait(&mut child).map_err(|error| format!("{name} did not end ({error})"))?;
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

fn wait(child: &mut std::process::Child) -> std::io::Result<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() > LONGEST {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other(format!("stopped after {} s", LONGEST.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
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
    fn an_agent_that_hangs_and_reads_nothing_is_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let large = Secret::new("x".repeat(1 << 20));
        let begun = Instant::now();
        agent(folder.path(), "exec sleep 60").add(&[large]).expect_err("stopped");
        assert!(begun.elapsed() < LONGEST + Duration::from_secs(5));
    }
}
