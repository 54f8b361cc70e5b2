//! A world of one's own, written down as JSON: who there is, and what is there before the first request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use crate::azure_devops::{NewServiceConnection, NewVariableGroup};
use crate::cast::{self, AppRegistration, Cast, Membership, Organization, Platform, Policies, User};
use crate::pats::NewPat;
use crate::policy::span;
use crate::services::Services;

/// A world, read from JSON.
///
/// What is not named is as [`cast`] says: an organization, a public client, a member, a stranger.
///
/// ```
/// use adopat_emulator::{Emulator, Scenario};
///
/// let scenario = Scenario::parse(r#"{
///     "organizations": [{"name": "contoso", "policies": {"maximum-lifespan": "30d"}}],
///     "pats": [{"name": "nightly", "scope": "vso.build", "ends-in": "3d"}]
/// }"#)?;
/// let emulator = Emulator::builder().scenario(scenario).start();
/// assert_eq!(emulator.active_pats()[0].organization, "contoso");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    organizations: Vec<OrganizationEntry>,
    users: Vec<UserEntry>,
    apps: Vec<AppEntry>,
    pats: Vec<PatEntry>,
    variable_groups: Vec<GroupEntry>,
    service_connections: Vec<ConnectionEntry>,
    github: Vec<RepositoryEntry>,
    vault: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct OrganizationEntry {
    name: String,
    id: Option<Uuid>,
    tenant: Option<Uuid>,
    #[serde(default)]
    projects: Vec<String>,
    #[serde(default)]
    policies: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct UserEntry {
    name: String,
    #[serde(default)]
    service_principal: bool,
    tenant: Option<Uuid>,
    /// Those that know the user; every one of the tenant, if it is left out.
    organizations: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AppEntry {
    client_id: Uuid,
    tenant: Option<Uuid>,
    #[serde(default)]
    public: bool,
    #[serde(default)]
    secrets: Vec<String>,
    /// Certificates, PEM.
    #[serde(default)]
    certificates: Vec<String>,
    #[serde(default)]
    federated: Vec<FederatedEntry>,
    #[serde(default)]
    web_redirects: Vec<String>,
    permissions: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FederatedEntry {
    issuer: String,
    subject: String,
    audience: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PatEntry {
    name: String,
    scope: String,
    owner: Option<String>,
    organization: Option<String>,
    /// A span from the start of the emulator on.
    ends_in: Option<String>,
    #[serde(default)]
    global: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GroupEntry {
    organization: Option<String>,
    project: String,
    name: String,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConnectionEntry {
    organization: Option<String>,
    project: String,
    name: String,
    r#type: String,
    scheme: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    shared_with: Vec<String>,
    #[serde(default)]
    disabled: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoryEntry {
    /// `owner/name`.
    repository: String,
    #[serde(default)]
    environments: Vec<String>,
}

impl Scenario {
    /// What the program shows unless told otherwise: it has what adopat's documentation names in its examples.
    pub fn fabrikam() -> Self {
        Self::parse(include_str!("../scenarios/fabrikam.json")).expect("it is tested")
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// A sentence that says what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scenario: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        scenario.check()?;
        Ok(scenario)
    }

    /// These organizations in the place of its own; the first takes over the projects of its first.
    pub fn with_organizations(mut self, names: &[String]) -> Self {
        let projects = self.organizations.first().map(|first| first.projects.clone()).unwrap_or_default();
        let entry = |name: &String| OrganizationEntry {
            name: name.clone(),
            id: None,
            tenant: None,
            projects: Vec::new(),
            policies: BTreeMap::new(),
        };
        self.organizations = names.iter().map(entry).collect();
        if let Some(first) = self.organizations.first_mut() {
            first.projects = projects;
        }
        self
    }

    /// With this project in the first organization too.
    pub fn with_project(mut self, name: &str) -> Self {
        self.first_organization().projects.push(name.to_owned());
        self
    }

    /// With this policy in every organization.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn with_policy(mut self, name: &str, value: &str) -> Result<Self, String> {
        Policies::default().set(name, value)?;
        self.first_organization();
        for organization in &mut self.organizations {
            organization.policies.insert(name.to_owned(), value.to_owned());
        }
        Ok(self)
    }

    fn first_organization(&mut self) -> &mut OrganizationEntry {
        if self.organizations.is_empty() {
            self.organizations =
                Self::default().with_organizations(&[cast::ORGANIZATION.to_owned()]).organizations;
        }
        &mut self.organizations[0]
    }

    /// Whatever is named has to be there.
    fn check(&self) -> Result<(), String> {
        for organization in &self.organizations {
            policies(organization)?;
        }
        let known = |name: &String| match self.organizations.as_slice() {
            [] => name == cast::ORGANIZATION,
            organizations => organizations.iter().any(|known| known.name.eq_ignore_ascii_case(name)),
        };
        let named = self.pats.iter().map(|pat| &pat.organization);
        let named = named.chain(self.variable_groups.iter().map(|group| &group.organization));
        let named = named.chain(self.service_connections.iter().map(|connection| &connection.organization));
        if let Some(name) = named.flatten().find(|name| !known(name)) {
            return Err(format!("there is no organization '{name}' in it"));
        }
        let standing = [cast::PERSON, cast::STRANGER, cast::SERVICE_PRINCIPAL];
        let is_user = |name: &str| {
            standing.iter().any(|known| known.eq_ignore_ascii_case(name))
                || self.users.iter().any(|known| known.name.eq_ignore_ascii_case(name))
        };
        for pat in &self.pats {
            if let Some(owner) = pat.owner.as_ref().filter(|owner| !is_user(owner)) {
                return Err(format!("there is no user '{owner}' in it"));
            }
            pat.ends_in.as_deref().map(span).transpose()?;
        }
        for certificate in self.apps.iter().flat_map(|app| &app.certificates) {
            use rustls_pki_types::pem::PemObject as _;
            rustls_pki_types::CertificateDer::from_pem_slice(certificate.as_bytes())
                .map_err(|_| "a certificate of an app is not PEM".to_owned())?;
        }
        match self.github.iter().find(|entry| entry.repository.split('/').count() != 2) {
            Some(entry) => Err(format!("'{}' is not a repository; use OWNER/NAME", entry.repository)),
            None => Ok(()),
        }
    }

    /// Who there is.
    pub(crate) fn cast(&self, cast: &mut Cast) {
        cast.organizations.extend(self.organizations.iter().map(|entry| {
            let mut organization = Organization::named(&entry.name);
            organization.id = entry.id.unwrap_or(organization.id);
            organization.tenant = entry.tenant.unwrap_or(organization.tenant);
            organization.policies(policies(entry).expect("it was checked"))
        }));
        cast.users.extend(self.users.iter().map(|entry| {
            let new = if entry.service_principal { User::service_principal } else { User::person };
            let user = new(&entry.name);
            User {
                tenant: entry.tenant.unwrap_or(user.tenant),
                membership: entry.organizations.clone().map_or(Membership::OfAll, Membership::Of),
                ..user
            }
        }));
        cast.apps.extend(self.apps.iter().map(app));
    }

    /// What is there.
    pub(crate) fn furnish(&self, services: &mut Services, now: Timestamp) {
        for organization in &self.organizations {
            for project in &organization.projects {
                services.add_project(&organization.name, project);
            }
        }
        for entry in &self.pats {
            let mut pat = NewPat::named(&entry.name).scope(&entry.scope);
            if let Some(owner) = &entry.owner {
                pat = pat.owner(owner);
            }
            if let Some(organization) = &entry.organization {
                pat = pat.organization(organization);
            }
            if let Some(span) = entry.ends_in.as_deref().and_then(|text| span(text).ok()) {
                pat = pat.valid_to(now + span);
            }
            services.add_pat(if entry.global { pat.global() } else { pat }, now);
        }
        for entry in &self.variable_groups {
            let mut group = NewVariableGroup::named(&entry.project, &entry.name);
            if let Some(organization) = &entry.organization {
                group = group.organization(organization);
            }
            for (name, value) in &entry.variables {
                group = group.variable(name, value);
            }
            for (name, value) in &entry.secrets {
                group = group.secret(name, value);
            }
            services.add_variable_group(group, now);
        }
        for entry in &self.service_connections {
            services.add_service_connection(connection(entry), now);
        }
        for entry in &self.github {
            let (owner, name) = entry.repository.split_once('/').expect("it was checked");
            services.add_github_repository(owner, name);
            for environment in &entry.environments {
                services.add_github_environment(owner, name, environment);
            }
        }
        for (name, value) in &self.vault {
            services.add_vault_secret(name, value, now);
        }
    }
}

fn policies(organization: &OrganizationEntry) -> Result<Policies, String> {
    let mut policies = Policies::default();
    for (name, value) in &organization.policies {
        policies.set(name, value)?;
    }
    Ok(policies)
}

fn app(entry: &AppEntry) -> AppRegistration {
    let mut app = match entry.public {
        true => AppRegistration::public(entry.client_id),
        false => AppRegistration::confidential(entry.client_id),
    };
    app.tenant = entry.tenant;
    for secret in &entry.secrets {
        app = app.secret(secret);
    }
    for certificate in &entry.certificates {
        app = app.certificate_pem(certificate);
    }
    for federated in &entry.federated {
        app = app.federated(&federated.issuer, &federated.subject, &federated.audience);
    }
    for redirect in &entry.web_redirects {
        app = app.redirect(Platform::Web, redirect);
    }
    app.permissions = entry.permissions.clone().unwrap_or(app.permissions);
    app
}

fn connection(entry: &ConnectionEntry) -> NewServiceConnection {
    let mut connection =
        NewServiceConnection::named(&entry.project, &entry.name).of(&entry.r#type, &entry.scheme);
    if let Some(organization) = &entry.organization {
        connection = connection.organization(organization);
    }
    for (name, value) in &entry.parameters {
        connection = connection.parameter(name, value);
    }
    for project in &entry.shared_with {
        connection = connection.shared_with(project, &entry.name);
    }
    if entry.disabled { connection.disabled() } else { connection }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_and_where() {
        for (text, why) in [
            ("{", "EOF while parsing"),
            (r#"{"organisations": []}"#, "unknown field `organisations`, expected one of `organizations`"),
            (r#"{"organizations": [{"name": "a", "policies": {"creation": "no"}}]}"#, "'no' is not a value"),
            (r#"{"pats": [{"name": "a", "scope": "vso.code", "organization": "b"}]}"#, "no organization 'b'"),
            (r#"{"pats": [{"name": "a", "scope": "vso.code", "owner": "b"}]}"#, "no user 'b'"),
            (r#"{"pats": [{"name": "a", "scope": "vso.code", "ends-in": "b"}]}"#, "'b' is not a span"),
            (r#"{"github": [{"repository": "a"}]}"#, "'a' is not a repository; use OWNER/NAME"),
            (
                r#"{"apps": [{"client-id": "00000000-0000-0000-0000-000000000001", "certificates": ["x"]}]}"#,
                "not PEM",
            ),
        ] {
            let said = Scenario::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn a_world_is_furnished() {
        let scenario = Scenario::parse(
            r#"{
                "organizations": [{"name": "contoso", "id": "00000000-0000-0000-0000-00000000c0c0"}, {"name": "shop"}],
                "users": [{"name": "lee@contoso.example", "organizations": ["shop"]}, {"name": "bot", "service-principal": true}],
                "apps": [{"client-id": "00000000-0000-0000-0000-000000000001", "secrets": ["fake-secret"],
                          "permissions": ["vso.pats"], "web-redirects": ["https://shop.example/"],
                          "federated": [{"issuer": "i", "subject": "s", "audience": "a"}]}],
                "pats": [{"name": "nightly", "scope": "vso.build", "owner": "lee@contoso.example", "organization": "shop",
                          "ends-in": "3d"}],
                "variable-groups": [{"organization": "shop", "project": "p", "name": "g", "variables": {"A": "b"}}],
                "service-connections": [{"project": "p", "name": "c", "type": "generic", "scheme": "UsernamePassword",
                                         "parameters": {"password": "x-value"}, "shared-with": ["q"], "disabled": true}],
                "github": [{"repository": "a/b", "environments": ["e"]}],
                "vault": {"pat": "y-value"}
            }"#,
        )
        .unwrap();
        let mut cast =
            Cast { organizations: Vec::new(), users: Vec::new(), apps: Vec::new(), domains: Vec::new() };
        scenario.cast(&mut cast);
        assert_eq!(
            (cast.users[0].membership.clone(), cast.users[1].membership.clone()),
            (Membership::Of(vec!["shop".to_owned()]), Membership::OfAll)
        );
        assert_eq!((cast.apps[0].permissions.len(), cast.apps[0].redirects.len()), (1, 2));
        let mut services = Services::new(cast, 1, 100);
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        scenario.furnish(&mut services, now);
        let pat = &services.pats(now)[0];
        assert_eq!(
            (pat.organization.as_str(), pat.valid_to),
            ("shop", "2026-11-27T12:00:00Z".parse().unwrap())
        );
        let connection = &services.service_connections()[0];
        assert!(connection.disabled && connection.projects == ["p", "q"]);
        assert!(services.vault_secret("pat").is_some());
        let secrets = services.issued_secrets();
        assert!(
            ["fake-secret", "x-value", "y-value"]
                .iter()
                .all(|known| secrets.iter().any(|secret| secret == known))
        );
    }

    #[test]
    fn flags_change_a_world() {
        let scenario = Scenario::fabrikam()
            .with_organizations(&["contoso".to_owned(), "shop".to_owned()])
            .with_project("more")
            .with_policy("creation", "none")
            .unwrap();
        assert_eq!(scenario.organizations[0].projects, ["website", "shop", "more"]);
        assert!(scenario.organizations[1].projects.is_empty());
        assert!(
            scenario.organizations.iter().all(|organization| organization.policies["creation"] == "none")
        );
        assert!(Scenario::default().with_policy("creation", "no").is_err());
    }
}
