//! Scopes: what a PAT may do.
//!
//! The list of known ones (MicrosoftDocs/azure-devops-docs, `docs/integrate/includes/scopes.md`, and the
//! lists of Microsoft's own tools) only helps a person who mistypes: the service decides, and knows scopes
//! that no list names.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Full access, as the service spells it.
pub const FULL_ACCESS: &str = "app_token";

/// A set of scopes, kept as it is written: sorted, and separated by single spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scope(String);

impl Scope {
    /// Reads a list split on spaces, commas, semicolons and newlines; sorted, deduplicated, in lower case.
    pub fn parse(text: &str) -> Self {
        let text = text.to_lowercase();
        let parts = text.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
        let mut scopes: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes.join(" "))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no scope is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is full access, which leaves nothing out.
    pub fn is_full_access(&self) -> bool {
        self.iter().any(|scope| scope == FULL_ACCESS)
    }

    /// The scopes that no list names, each with the nearest known one, if any is near.
    pub fn unknown(&self) -> Vec<(&str, Option<&'static str>)> {
        let unknown = self.iter().filter(|scope| !KNOWN.contains(scope));
        unknown.map(|scope| (scope, nearest(scope))).collect()
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split_ascii_whitespace()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

/// The scope of exactly that name, if a list has it.
pub(super) fn known(name: &str) -> Option<&'static str> {
    KNOWN.into_iter().find(|known| *known == name)
}

fn nearest(scope: &str) -> Option<&'static str> {
    let scored = KNOWN.iter().map(|known| (strsim::jaro_winkler(scope, known), *known));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 > 0.8).then_some(best.1)
}

const KNOWN: [&str; 94] = [
    "app_token",
    "vso.advsec",
    "vso.advsec_manage",
    "vso.advsec_write",
    "vso.agentpools",
    "vso.agentpools_manage",
    "vso.analytics",
    "vso.auditlog",
    "vso.auditstreams_manage",
    "vso.build",
    "vso.build_execute",
    "vso.code",
    "vso.code_full",
    "vso.code_manage",
    "vso.code_status",
    "vso.code_write",
    "vso.connected_server",
    "vso.connectedserver",
    "vso.dashboards",
    "vso.dashboards_manage",
    "vso.drop",
    "vso.drop_manage",
    "vso.drop_write",
    "vso.entitlements",
    "vso.environment_manage",
    "vso.extension",
    "vso.extension.data",
    "vso.extension.data_write",
    "vso.extension_manage",
    "vso.gallery",
    "vso.gallery_acquire",
    "vso.gallery_manage",
    "vso.gallery_publish",
    "vso.githubconnections",
    "vso.githubconnections_manage",
    "vso.governance",
    "vso.graph",
    "vso.graph_manage",
    "vso.hooks",
    "vso.hooks_interact",
    "vso.hooks_write",
    "vso.identity",
    "vso.identity_manage",
    "vso.loadtest",
    "vso.loadtest_write",
    "vso.machinegroup_manage",
    "vso.memberentitlementmanagement",
    "vso.memberentitlementmanagement_write",
    "vso.notification",
    "vso.notification_diagnostics",
    "vso.notification_manage",
    "vso.notification_write",
    "vso.packaging",
    "vso.packaging_manage",
    "vso.packaging_write",
    "vso.pipelineresources_manage",
    "vso.pipelineresources_use",
    "vso.profile",
    "vso.profile_write",
    "vso.project",
    "vso.project_manage",
    "vso.project_write",
    "vso.release",
    "vso.release_execute",
    "vso.release_manage",
    "vso.securefiles_manage",
    "vso.securefiles_read",
    "vso.securefiles_write",
    "vso.security",
    "vso.security_manage",
    "vso.serviceendpoint",
    "vso.serviceendpoint_manage",
    "vso.serviceendpoint_query",
    "vso.settings",
    "vso.settings_write",
    "vso.symbols",
    "vso.symbols_manage",
    "vso.symbols_write",
    "vso.taskgroups_manage",
    "vso.taskgroups_read",
    "vso.taskgroups_write",
    "vso.test",
    "vso.test_write",
    "vso.threads_full",
    "vso.tokenadministration",
    "vso.tokens",
    "vso.variablegroups_manage",
    "vso.variablegroups_read",
    "vso.variablegroups_write",
    "vso.wiki",
    "vso.wiki_write",
    "vso.work",
    "vso.work_full",
    "vso.work_write",
];

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("vso.code vso.build", "vso.build vso.code")]
    #[case("vso.code,vso.code;\n VSO.Build\t", "vso.build vso.code")]
    #[case("", "")]
    fn a_list_is_split_sorted_and_deduplicated(#[case] text: &str, #[case] scope: &str) {
        assert_eq!(Scope::parse(text).to_string(), scope);
    }

    #[test]
    fn an_unknown_scope_is_answered_with_the_nearest() {
        assert_eq!(
            Scope::parse("vso.packagng vso.code").unknown(),
            [("vso.packagng", Some("vso.packaging"))]
        );
        assert_eq!(Scope::parse("zzz").unknown(), [("zzz", None)]);
    }

    #[test]
    fn the_known_scopes_are_sorted_and_unique() {
        assert!(KNOWN.is_sorted_by(|left, right| left < right));
    }
}
