//! What the environment says of the CI system that the run is on.

use std::path::PathBuf;

/// A CI system and what its environment says.
#[derive(Clone, Debug)]
pub enum HostSettings {
    /// Azure Pipelines.
    AzurePipelines {
        /// `AGENT_TEMPDIRECTORY`.
        temp: Option<PathBuf>,
        /// Whether the agent decodes `%AZP25` (`DECODE_PERCENTS` is not false).
        decodes_percent: bool,
    },
    /// GitHub Actions: the files a step writes to.
    GithubActions {
        /// `GITHUB_OUTPUT`.
        output: Option<PathBuf>,
        /// `GITHUB_ENV`.
        env: Option<PathBuf>,
        /// `GITHUB_STATE`.
        state: Option<PathBuf>,
        /// `GITHUB_STEP_SUMMARY`.
        step_summary: Option<PathBuf>,
    },
    /// Any other: GitLab, Jenkins, CircleCI, a shell.
    Generic {
        /// Buildkite, which can be told to redact.
        buildkite: bool,
    },
}
