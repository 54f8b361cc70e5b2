//! What a CI host gives its jobs: a signed token that says which job it is.
//!
//! Both hosts are served from one address; a job finds its part of it in its environment.

mod azure_pipelines;
mod github;

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::jwt;
use crate::services::{Service, Services};

/// The issuer of GitHub's job tokens.
pub const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";
/// The audience that Entra wants in a federated proof.
pub const TOKEN_EXCHANGE: &str = "api://AzureADTokenExchange";

/// The job that asks.
#[derive(Clone, Debug)]
pub struct Job {
    /// `sub` of GitHub's token. Since 2026-07-15 new repositories have their ids in it.
    pub github_subject: String,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub github_request_token: String,
    /// `System.AccessToken`.
    pub pipelines_access_token: String,
    /// How long a job's token lives.
    pub lifetime: Duration,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            github_subject: "repo:contoso/fabrikam:ref:refs/heads/main".to_owned(),
            github_request_token: "FAKE-actions-id-token-request-token-0123456789".to_owned(),
            pipelines_access_token: "FAKE-system-access-token-0123456789abcdef".to_owned(),
            lifetime: Duration::from_secs(300),
        }
    }
}

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["github", "idtoken"]) => github::token(services, call, now),
        ("POST", ["fabrikam", "oidctoken"]) => azure_pipelines::token(services, call, now),
        ("GET", [".well-known", "openid-configuration"]) => answer::json(
            StatusCode::OK,
            &json!({"issuer": GITHUB_ISSUER, "jwks_uri": format!("{}/.well-known/jwks", services.address(Service::Job))}),
        ),
        ("GET", [".well-known", "jwks"]) => answer::json(StatusCode::OK, &jwt::keys()),
        _ => answer::empty(StatusCode::NOT_FOUND),
    }
}

impl Services {
    /// The job that asks from now on.
    pub fn set_job(&mut self, job: Job) {
        self.remember_secret(&job.github_request_token);
        self.remember_secret(&job.pipelines_access_token);
        self.job = job;
    }

    /// The job that asks.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// A job's token, signed, for a test that hands it over itself.
    pub fn job_token(&mut self, issuer: &str, subject: &str, audience: &str, now: Timestamp) -> String {
        let token = jwt::signed(&json!({
            "jti": self.chance.guid(),
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": now.as_second(),
            "nbf": now.as_second(),
            "exp": (now + self.job.lifetime).as_second(),
        }));
        self.remember_secret(&token);
        token
    }

    /// `ACTIONS_ID_TOKEN_REQUEST_URL`: it has a query already.
    pub fn github_request_url(&self) -> String {
        format!("{}/github/idtoken?api-version=2.0", self.address(Service::Job))
    }

    /// `SYSTEM_OIDCREQUESTURI`.
    pub fn pipelines_request_url(&self) -> String {
        format!("{}/fabrikam/oidctoken", self.address(Service::Job))
    }

    /// The subject that Azure Pipelines' token has for this service connection.
    pub fn service_connection_subject(&self, connection: &str) -> String {
        let organization = &self.cast.organizations[0];
        azure_pipelines::subject(organization.tenant, organization.id, connection)
    }

    /// The issuer that Azure Pipelines' token has for a service connection.
    pub fn service_connection_issuer(&self) -> String {
        azure_pipelines::issuer(self.cast.organizations[0].tenant)
    }
}
