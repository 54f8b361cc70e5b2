//! The scopes that a PAT can have (Microsoft Learn, "Scopes", 2025-07-16, and those that other published lists
//! hold besides).

/// Full access.
pub(crate) const FULL: &str = "app_token";

/// Whether every word is a scope that a PAT can have.
pub(crate) fn are_known(scope: &str) -> bool {
    !scope.trim().is_empty() && scope.split(' ').all(is_known)
}

/// Whether every word is a scope of packaging.
pub(crate) fn are_packaging(scope: &str) -> bool {
    scope.split(' ').all(|word| word.to_ascii_lowercase().starts_with("vso.packaging"))
}

/// Whether one of the words is full access.
pub(crate) fn are_full(scope: &str) -> bool {
    scope.split(' ').any(|word| word.eq_ignore_ascii_case(FULL))
}

fn is_known(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word == FULL || word.strip_prefix("vso.").is_some_and(|name| KNOWN.contains(&name))
}

/// Without the `vso.` in front.
const KNOWN: &[&str] = &[
    "advsec",
    "advsec_manage",
    "advsec_write",
    "agentpools",
    "agentpools_manage",
    "analytics",
    "auditlog",
    "auditstreams_manage",
    "build",
    "build_execute",
    "code",
    "code_full",
    "code_manage",
    "code_status",
    "code_write",
    "connected_server",
    "connectedserver",
    "dashboards",
    "dashboards_manage",
    "drop",
    "drop_manage",
    "drop_write",
    "entitlements",
    "environment_manage",
    "extension",
    "extension.data",
    "extension.data_write",
    "extension_manage",
    "gallery",
    "gallery_acquire",
    "gallery_manage",
    "gallery_publish",
    "githubconnections",
    "githubconnections_manage",
    "governance",
    "graph",
    "graph_manage",
    "hooks",
    "hooks_interact",
    "hooks_write",
    "identity",
    "identity_manage",
    "loadtest",
    "loadtest_write",
    "machinegroup_manage",
    "memberentitlementmanagement",
    "memberentitlementmanagement_write",
    "notification",
    "notification_diagnostics",
    "notification_manage",
    "notification_write",
    "packaging",
    "packaging_manage",
    "packaging_write",
    "pipelineresources_manage",
    "pipelineresources_use",
    "profile",
    "profile_write",
    "project",
    "project_manage",
    "project_write",
    "release",
    "release_execute",
    "release_manage",
    "securefiles_manage",
    "securefiles_read",
    "securefiles_write",
    "security",
    "security_manage",
    "serviceendpoint",
    "serviceendpoint_manage",
    "serviceendpoint_query",
    "settings",
    "settings_write",
    "symbols",
    "symbols_manage",
    "symbols_write",
    "taskgroups_manage",
    "taskgroups_read",
    "taskgroups_write",
    "test",
    "test_write",
    "threads_full",
    "tokenadministration",
    "tokens",
    "variablegroups_manage",
    "variablegroups_read",
    "variablegroups_write",
    "wiki",
    "wiki_write",
    "work",
    "work_full",
    "work_write",
];
