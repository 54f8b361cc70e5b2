//! The addresses of the services that a run speaks to.

use url::Url;

/// Where the services are. Each has been checked: Microsoft's own hosts or loopback.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// `authority-host`.
    pub authority_host: Url,
    /// `service-url`.
    pub service_url: Url,
    /// `devops-url`.
    pub devops_url: Url,
    /// `github-api-url`.
    pub github_api_url: Url,
}
