//! Which CI system this is, and what its environment says. The variables are those of watson/ci-info and of
//! the systems' own documentation.

use super::Values;
use super::environment::Environment;
use super::problem::Problems;
use crate::host::HostSettings;

pub(super) fn detect(environment: &Environment, values: &Values, problems: &mut Problems) -> HostSettings {
    let detected = || {
        if environment.text("TF_BUILD").is_some() {
            "azure-pipelines"
        } else if environment.is_true("GITHUB_ACTIONS") {
            "github-actions"
        } else {
            "generic"
        }
    };
    let name = match values.host.as_deref() {
        None => detected(),
        Some(name @ ("azure-pipelines" | "github-actions" | "generic")) => name,
        Some(other) => {
            let remedy = "use azure-pipelines, github-actions or generic";
            problems.wrong("host", other, "is not one of its choices", remedy);
            detected()
        }
    };
    match name {
        "azure-pipelines" => HostSettings::AzurePipelines {
            temp: environment.path("AGENT_TEMPDIRECTORY"),
            decodes_percent: !environment
                .text("DECODE_PERCENTS")
                .is_some_and(|value| value.eq_ignore_ascii_case("false")),
        },
        "github-actions" => HostSettings::GithubActions {
            output: environment.path("GITHUB_OUTPUT"),
            env: environment.path("GITHUB_ENV"),
            state: environment.path("GITHUB_STATE"),
            step_summary: environment.path("GITHUB_STEP_SUMMARY"),
        },
        _ => HostSettings::Generic { buildkite: environment.is_true("BUILDKITE") },
    }
}
