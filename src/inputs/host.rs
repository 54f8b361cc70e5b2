//! Which CI system this is, and what its environment says. The variables are those of watson/ci-info and of
//! the systems' own documentation.

use super::check::or;
use super::choices::HostKind;
use super::environment::Environment;
use super::problem::Problems;
use super::values::{Given, Values};
use crate::host::HostSettings;

pub(super) fn detect(environment: &Environment, values: &Values, problems: &mut Problems) -> HostSettings {
    let detected = || {
        if environment.text("TF_BUILD").is_some() {
            HostKind::AzurePipelines
        } else if environment.is_true("GITHUB_ACTIONS") {
            HostKind::GithubActions
        } else {
            HostKind::Generic
        }
    };
    let Given { input, text } = values.given("host");
    let kind = text.map_or_else(
        || Some(detected()),
        |text| {
            let kind = text.parse().ok();
            if kind.is_none() {
                let remedy = format!("use {}", or(input.choices));
                problems.wrong(input.name, text, "is not one of its choices", remedy);
            }
            kind
        },
    );
    match kind.unwrap_or_else(detected) {
        HostKind::AzurePipelines => HostSettings::AzurePipelines {
            temp: environment.path("AGENT_TEMPDIRECTORY"),
            decodes_percent: !environment
                .text("DECODE_PERCENTS")
                .is_some_and(|value| value.eq_ignore_ascii_case("false")),
        },
        HostKind::GithubActions => HostSettings::GithubActions {
            output: environment.path("GITHUB_OUTPUT"),
            env: environment.path("GITHUB_ENV"),
            state: environment.path("GITHUB_STATE"),
            step_summary: environment.path("GITHUB_STEP_SUMMARY"),
        },
        HostKind::Generic => HostSettings::Generic { buildkite: environment.is_true("BUILDKITE") },
    }
}
