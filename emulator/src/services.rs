//! [`Services`]: every service in one value, and the one function that answers a request.
//!
//! There is no socket, no clock and no thread in it. The same seed, the same requests at the same instants
//! give the same answers, so a simulation can hold a whole world in one process.

use std::collections::HashMap;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use uuid::Uuid;

use crate::answer::{self, Answer};
use crate::azure_devops::{Connections, Groups, Projects};
use crate::call::Call;
use crate::cast::{self, AppRegistration, Cast, Organization, Policies, User};
use crate::chance::Chance;
use crate::fault::Instead;
use crate::github::{self, GitHub};
use crate::job::{self, Job};
use crate::pats::Pats;
use crate::vault::{self, Vault};
use crate::{azure_devops, entra, kubernetes, managed_identity, moment, pats};

/// Which of the emulated services a request goes to; each has an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Microsoft Entra: `login.microsoftonline.com`.
    Entra,
    /// The PAT lifecycle API: `vssps.dev.azure.com`.
    Pats,
    /// Azure DevOps itself: `dev.azure.com`.
    DevOps,
    /// GitHub's REST API: `api.github.com`.
    GitHub,
    /// Azure Key Vault. Always over TLS: its clients refuse anything else.
    Vault,
    /// What CI hosts give their jobs: signed tokens.
    Job,
    /// App Service's endpoint for managed identities, and IMDS.
    ManagedIdentity,
    /// The API server of the Kubernetes cluster that a pod is in. Always over TLS.
    Kubernetes,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 8] = [
        Self::Entra,
        Self::Pats,
        Self::DevOps,
        Self::GitHub,
        Self::Vault,
        Self::Job,
        Self::ManagedIdentity,
        Self::Kubernetes,
    ];

    /// Whether clients refuse to speak to it without TLS.
    pub(crate) fn is_always_tls(self) -> bool {
        matches!(self, Self::Vault | Self::Kubernetes)
    }

    /// Whether it is spoken to without TLS everywhere.
    pub(crate) fn is_never_tls(self) -> bool {
        self == Self::ManagedIdentity
    }

    /// The address of the real one, which answers show until [`Services::set_address`] gives another.
    pub fn real_address(self) -> &'static str {
        match self {
            Self::Entra => "https://login.microsoftonline.com",
            Self::Pats => "https://vssps.dev.azure.com",
            Self::DevOps => "https://dev.azure.com",
            Self::GitHub => "https://api.github.com",
            Self::Vault => "https://fabrikam.vault.azure.net",
            Self::Job => "https://pipelines.actions.githubusercontent.com",
            Self::ManagedIdentity => "http://169.254.169.254",
            Self::Kubernetes => "https://kubernetes.default.svc",
        }
    }
}

/// Every service in one value.
#[derive(Debug)]
pub struct Services {
    pub(crate) cast: Cast,
    pub(crate) chance: Chance,
    pub(crate) page_size: usize,
    pub(crate) entra: entra::Entra,
    pub(crate) pats: Pats,
    pub(crate) projects: Projects,
    pub(crate) groups: Groups,
    pub(crate) connections: Connections,
    pub(crate) github: GitHub,
    pub(crate) vault: Vault,
    pub(crate) kubernetes: kubernetes::Kubernetes,
    pub(crate) job: Job,
    pub(crate) managed_identities: Vec<Uuid>,
    addresses: HashMap<Service, String>,
    secrets: Vec<String>,
}

impl Services {
    pub(crate) fn new(cast: Cast, seed: u64, page_size: usize) -> Self {
        let cast = cast.complete();
        let mut services = Self {
            chance: Chance::from_seed(seed),
            page_size: page_size.clamp(1, pats::LARGEST_PAGE),
            entra: entra::Entra::default(),
            pats: Pats::default(),
            projects: Projects::default(),
            groups: Groups::default(),
            connections: Connections::default(),
            github: GitHub::default(),
            vault: Vault::default(),
            kubernetes: kubernetes::Kubernetes::default(),
            job: Job::default(),
            managed_identities: vec![cast::MANAGED_IDENTITY],
            addresses: HashMap::new(),
            secrets: Vec::new(),
            cast,
        };
        let secrets: Vec<String> = services
            .cast
            .apps
            .iter()
            .flat_map(|app| &app.secrets)
            .map(|(secret, _)| secret.clone())
            .collect();
        for secret in &secrets {
            services.remember_secret(secret);
        }
        services.set_job(Job::default());
        services.add_github_environment(
            cast::GITHUB_OWNER,
            cast::GITHUB_REPOSITORY,
            cast::GITHUB_ENVIRONMENT,
        );
        services
    }

    /// Answers one request. `now` is the services' own clock; it must not run backwards.
    pub fn handle(&mut self, service: Service, request: Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let call = Call::new(request);
        let answer = match service {
            Service::Pats | Service::DevOps if azure_devops::is_deactivated(self, &call) => {
                azure_devops::deactivated(&call)
            }
            Service::Entra => entra::answer(self, &call, now),
            Service::Pats => pats::answer(self, &call, now),
            Service::DevOps => azure_devops::answer(self, &call, now),
            Service::GitHub => github::answer(self, &call, now),
            Service::Vault => vault::answer(self, &call, now),
            Service::Job => job::answer(self, &call, now),
            Service::ManagedIdentity => managed_identity::answer(self, &call, now),
            Service::Kubernetes => kubernetes::answer(self, &call),
        };
        self.dressed(service, &call, answer, now)
    }

    /// Answers a request without acting on it, as a [fault](crate::Fault) orders.
    pub fn handle_instead(
        &mut self,
        service: Service,
        request: Request<Bytes>,
        instead: &Instead,
        now: Timestamp,
    ) -> Response<Bytes> {
        let call = Call::new(request);
        let answer = instead.render(self, service, &call, now);
        self.dressed(service, &call, answer, now)
    }

    /// Puts on the headers that a service sends with everything.
    fn dressed(&mut self, service: Service, call: &Call, answer: Answer, now: Timestamp) -> Answer {
        let answer = answer::with_header(answer, "Date", &moment::http_date(now));
        match service {
            Service::Entra => entra::dressed(self, call, answer),
            Service::Pats | Service::DevOps => azure_devops::dressed(self, call, answer),
            Service::GitHub => github::dressed(self, answer, now),
            Service::Vault => vault::dressed(self, call, answer),
            Service::Job | Service::ManagedIdentity | Service::Kubernetes => answer,
        }
    }

    /// Tells where a service can be reached; links and challenges in the answers then say so.
    pub fn set_address(&mut self, service: Service, address: &str) {
        self.addresses.insert(service, address.trim_end_matches('/').to_owned());
    }

    /// Where a service can be reached, without a `/` at the end.
    pub fn address(&self, service: Service) -> &str {
        self.addresses.get(&service).map_or(service.real_address(), String::as_str)
    }

    /// Every secret that was ever issued here, or accepted as one, in that order.
    pub fn issued_secrets(&self) -> &[String] {
        &self.secrets
    }

    pub(crate) fn remember_secret(&mut self, secret: &str) {
        if !secret.is_empty() && !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
        }
    }

    /// Changes the policies of an organization.
    ///
    /// # Panics
    /// When there is no such organization.
    pub fn set_policies(&mut self, organization: &str, policies: Policies) {
        let organization = self
            .cast
            .organizations
            .iter_mut()
            .find(|known| known.name.eq_ignore_ascii_case(organization))
            .unwrap_or_else(|| panic!("no organization is called {organization}"));
        organization.policies = policies;
    }

    /// Adds an organization, or replaces the one of that name.
    pub fn add_organization(&mut self, organization: Organization) {
        self.cast.organizations.retain(|known| !known.name.eq_ignore_ascii_case(&organization.name));
        self.cast.organizations.push(organization);
    }

    /// Adds a user, or replaces the one of that name.
    pub fn add_user(&mut self, user: User) {
        self.cast.users.retain(|known| !known.name.eq_ignore_ascii_case(&user.name));
        self.cast.users.push(user);
    }

    /// Adds an app registration, or replaces the one with that client id.
    pub fn add_app(&mut self, app: AppRegistration) {
        for (secret, _) in &app.secrets {
            self.remember_secret(secret);
        }
        self.cast.apps.retain(|known| known.client_id != app.client_id);
        self.cast.apps.push(app);
    }

    /// The user of that name.
    ///
    /// # Panics
    /// When there is none: a test that names nobody is mistaken.
    pub(crate) fn user_named(&self, name: &str) -> User {
        self.cast.user(name).unwrap_or_else(|| panic!("no user is called {name}")).clone()
    }
}
