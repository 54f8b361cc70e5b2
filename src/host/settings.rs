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

/// The variable that holds a PAT if `variable` is not given: on Azure Pipelines, and for the command of `exec`.
pub const DEFAULT_VARIABLE: &str = "ADO_PAT";

impl HostSettings {
    /// The variable that later steps find the PAT in if `variable` is not given; `None` if they find it in no variable.
    pub const fn default_variable(&self) -> Option<&'static str> {
        match self {
            Self::AzurePipelines { .. } => Some(DEFAULT_VARIABLE),
            Self::GithubActions { .. } | Self::Generic { .. } => None,
        }
    }

    /// Whether a variable of this name can be set for later steps, and is not one of the host's own.
    pub fn may_set(&self, name: &str) -> bool {
        let reserved: &[&str] = match self {
            Self::AzurePipelines { .. } => {
                &["SYSTEM.", "AGENT.", "BUILD.", "RELEASE.", "ENDPOINT.", "SYSTEM_", "AGENT_", "VSTS_"]
            }
            Self::GithubActions { .. } => &["GITHUB_", "RUNNER_", "ACTIONS_"],
            Self::Generic { .. } => &[],
        };
        let upper = name.to_ascii_uppercase();
        let is_reserved = reserved.iter().any(|prefix| upper.starts_with(prefix));
        let takes_dots = matches!(self, Self::AzurePipelines { .. }) && !name.starts_with('.');
        !is_reserved && (is_variable_name(name) || takes_dots && is_variable_name(&name.replace('.', "_")))
    }

    /// Whether a job has a last step, which can revoke what an earlier step made.
    pub const fn has_last_step(&self) -> bool {
        !matches!(self, Self::Generic { .. })
    }

    /// Whether the file is missing that a step saves something in for the job's last step.
    pub const fn lacks_state_file(&self) -> bool {
        matches!(self, Self::GithubActions { state: None, .. })
    }

    /// Whether it is GitHub Actions, which gives a job an OIDC token only by permission.
    pub const fn is_github_actions(&self) -> bool {
        matches!(self, Self::GithubActions { .. })
    }
}

/// Whether this can be a variable's name: letters, digits and `_`, no digit first.
pub fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("MY_PAT", true, true, true)]
    #[case("my.pat", true, false, false)]
    #[case(".pat", false, false, false)]
    #[case("1PAT", false, false, false)]
    #[case("MY PAT", false, false, false)]
    #[case("Agent.Pat", false, false, false)]
    #[case("VSTS_PAT", false, true, true)]
    #[case("github_pat", true, false, true)]
    fn a_host_keeps_its_own_names(
        #[case] name: &str,
        #[case] azure: bool,
        #[case] github: bool,
        #[case] generic: bool,
    ) {
        let pipelines = HostSettings::AzurePipelines { temp: None, decodes_percent: true };
        let actions =
            HostSettings::GithubActions { output: None, env: None, state: None, step_summary: None };
        let hosts = [pipelines, actions, HostSettings::Generic { buildkite: false }];
        assert_eq!(hosts.map(|host| host.may_set(name)), [azure, github, generic]);
    }
}
