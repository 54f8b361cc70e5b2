//! Which identity opens a vault: the first that is configured, in the order of [`VaultCredential`].
//!
//! It is never the user whose PATs are managed, nor the app they sign in to: a vault is opened by the job's
//! own identity, and its tokens go to a vault and nowhere else.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret as SdkSecret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertion, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions, Executor,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use url::Url;

use super::azure_transport::{AzureTransport, Refused};
use crate::failure::{Exit, Failure, sentence_of};
use crate::http::{Answer, Effect};
use crate::oidc::{self, OidcSources};
use crate::private_file;
use crate::secret::{Mask, Secret};
use crate::time::Deadline;

/// What the environment offers for opening a vault. Never the user's own app.
#[derive(Clone, Debug, Default)]
pub struct VaultIdentity {
    /// `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `AZURE_TENANT_ID`.
    pub tenant_id: Option<String>,
    /// `AZURE_CLIENT_SECRET`.
    pub client_secret: Option<Secret>,
    /// The service connection's own client and tenant, as the agent hands them to the task.
    pub service_connection: Option<ServiceConnection>,
    /// App Service's `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` are both set.
    pub app_service: bool,
}

/// An Azure Pipelines service connection, as `ENDPOINT_AUTH_PARAMETER_<id>_*` describe it.
#[derive(Clone, Debug)]
pub struct ServiceConnection {
    /// Its id.
    pub id: String,
    /// `SERVICEPRINCIPALID`.
    pub client_id: String,
    /// `TENANTID`.
    pub tenant_id: String,
}

/// Where a virtual machine's own identity is asked for.
const IMDS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
/// How long that place may take to show that it is there. Off Azure nothing answers, often not even with a
/// refusal.
const IMDS_PROBE: Duration = Duration::from_secs(1);
/// How long the Azure CLI may take, which has no limit of its own.
pub const AZURE_CLI: Duration = Duration::from_secs(30);

/// Gives the job's own OIDC token.
#[async_trait]
pub trait JobToken: fmt::Debug + Send + Sync {
    /// The token for this audience: the service connection's if one is configured, else the host's own.
    async fn assertion(&self, audience: &str, deadline: &Deadline) -> Result<Secret, Failure>;
}

/// What there is to open a vault with.
#[derive(Clone)]
pub struct VaultSettings {
    /// What the environment offers.
    pub identity: VaultIdentity,
    /// Where the job's own OIDC token can come from.
    pub oidc: OidcSources,
    /// `azure-service-connection`.
    pub service_connection: Option<String>,
    /// Asks for that token.
    pub job_token: Arc<dyn JobToken>,
    /// Runs the Azure CLI: for at most [`AZURE_CLI`].
    pub azure_cli: Arc<dyn Executor>,
    /// `authority-host`.
    pub authority_host: Url,
    /// Told of every vault token.
    pub mask: Mask,
}

/// How a vault is opened, in the order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultCredential {
    /// `azure-service-connection`: the job's token for it, exchanged at Entra.
    ServiceConnection(AppRegistration),
    /// `AZURE_FEDERATED_TOKEN_FILE`: the file's token, exchanged at Entra.
    TokenFile(AppRegistration, PathBuf),
    /// `AZURE_CLIENT_SECRET`.
    ClientSecret(AppRegistration),
    /// On GitHub: the job's token, exchanged at Entra.
    GithubJob(AppRegistration),
    /// App Service or Container Apps, by `IDENTITY_ENDPOINT`.
    AppService,
    /// The Azure CLI if it is signed in, else the virtual machine's identity if there is one.
    WhateverIsThere,
}

/// An app registration or a managed identity, and its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRegistration {
    /// Its client id.
    pub client_id: String,
    /// The tenant it is asked for in.
    pub tenant_id: String,
}

impl fmt::Display for VaultCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceConnection(app) => write!(formatter, "the service connection's identity {app}"),
            Self::TokenFile(app, _) => write!(formatter, "AZURE_FEDERATED_TOKEN_FILE as {app}"),
            Self::ClientSecret(app) => write!(formatter, "AZURE_CLIENT_SECRET as {app}"),
            Self::GithubJob(app) => write!(formatter, "this GitHub job's OIDC token as {app}"),
            Self::AppService => formatter.write_str("App Service's managed identity"),
            Self::WhateverIsThere => formatter.write_str("the Azure CLI or this machine's managed identity"),
        }
    }
}

impl fmt::Display for AppRegistration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "(client {}, tenant {})", self.client_id, self.tenant_id)
    }
}

/// Chooses the way by what is configured, without asking anybody.
///
/// # Errors
/// What is half configured, and how to complete it.
pub fn choose(settings: &VaultSettings) -> Result<VaultCredential, Failure> {
    let VaultSettings { identity, oidc, .. } = settings;
    let app = identity.client_id.clone().zip(identity.tenant_id.clone());
    let app = app.map(|(client_id, tenant_id)| AppRegistration { client_id, tenant_id });
    if let Some(id) = &settings.service_connection {
        // A script step is handed no connection: its ids are empty then.
        let own = identity.service_connection.as_ref().filter(|own| {
            let ServiceConnection { client_id, tenant_id, .. } = own;
            !client_id.is_empty() && !tenant_id.is_empty()
        });
        let own = own.map(|ServiceConnection { client_id, tenant_id, .. }| AppRegistration {
            client_id: client_id.clone(),
            tenant_id: tenant_id.clone(),
        });
        return own.or(app).map(VaultCredential::ServiceConnection).ok_or_else(|| {
            Failure::new(
                Exit::Store,
                format!("The vault is to be opened by service connection {id}, but this job was not given it."),
                "Name it in the task's input 'azure-service-connection' and authorise it for this pipeline; in a \
                 script step set AZURE_CLIENT_ID and AZURE_TENANT_ID to its own.",
            )
        });
    }
    if let Some(file) = &oidc.file {
        return app.map(|app| VaultCredential::TokenFile(app, file.clone())).ok_or_else(|| {
            Failure::new(
                Exit::Store,
                "AZURE_FEDERATED_TOKEN_FILE is set, but not the AZURE_CLIENT_ID and AZURE_TENANT_ID it belongs to.",
                "Set both, or unset AZURE_FEDERATED_TOKEN_FILE if the vault is to be opened in another way.",
            )
        });
    }
    Ok(match app {
        Some(app) if identity.client_secret.is_some() => VaultCredential::ClientSecret(app),
        Some(app) if oidc.github.is_some() => VaultCredential::GithubJob(app),
        _ if identity.app_service => VaultCredential::AppService,
        _ => VaultCredential::WhateverIsThere,
    })
}

/// The credential for this way, over this transport.
///
/// # Errors
/// What azure_identity does not accept.
pub fn credential(
    settings: &VaultSettings,
    way: &VaultCredential,
    transport: &Arc<AzureTransport>,
) -> Result<Arc<dyn TokenCredential>, Failure> {
    let inner = sdk_credential(settings, way, transport).map_err(|error| {
        Failure::new(
            Exit::Store,
            format!("The vault cannot be opened by {way}: {error}."),
            "Check AZURE_CLIENT_ID and AZURE_TENANT_ID, and that the sign-in host speaks https.",
        )
    })?;
    Ok(Arc::new(Masked { inner, mask: settings.mask.clone() }))
}

fn sdk_credential(
    settings: &VaultSettings,
    way: &VaultCredential,
    transport: &Arc<AzureTransport>,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let client_options = transport.options(&settings.authority_host);
    let exchange = |app: &AppRegistration, source: Source| -> azure_core::Result<Arc<dyn TokenCredential>> {
        let audience = oidc::audience(&settings.authority_host);
        let mask = settings.mask.clone();
        let assertion = Assertion { source, audience, transport: transport.clone(), mask };
        let options = ClientAssertionCredentialOptions { client_options: client_options.clone() };
        let AppRegistration { client_id, tenant_id } = app.clone();
        Ok(ClientAssertionCredential::new(tenant_id, client_id, assertion, Some(options))?)
    };
    match way {
        VaultCredential::ServiceConnection(app) | VaultCredential::GithubJob(app) => {
            exchange(app, Source::Job(settings.job_token.clone()))
        }
        VaultCredential::TokenFile(app, file) => exchange(app, Source::File(file.clone())),
        VaultCredential::ClientSecret(AppRegistration { client_id, tenant_id }) => {
            let secret = settings.identity.client_secret.as_ref().map_or("", Secret::expose).to_owned();
            let options = ClientSecretCredentialOptions { client_options };
            let secret = SdkSecret::new(secret);
            Ok(ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options))?)
        }
        VaultCredential::AppService => managed_identity(settings, transport),
        VaultCredential::WhateverIsThere => {
            Ok(Arc::new(WhateverIsThere { settings: settings.clone(), transport: transport.clone() }))
        }
    }
}

fn managed_identity(
    settings: &VaultSettings,
    transport: &Arc<AzureTransport>,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options = ManagedIdentityCredentialOptions {
        // A user-assigned identity; the crate does not read AZURE_CLIENT_ID by itself.
        user_assigned_id: settings.identity.client_id.clone().map(UserAssignedId::ClientId),
        client_options: transport.options(&settings.authority_host),
    };
    Ok(ManagedIdentityCredential::new(Some(options))?)
}

/// Has every token masked before it is used.
struct Masked {
    inner: Arc<dyn TokenCredential>,
    mask: Mask,
}

impl fmt::Debug for Masked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

#[async_trait]
impl TokenCredential for Masked {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let token = self.inner.get_token(scopes, options).await?;
        (self.mask)(&Secret::new(token.token.secret().to_owned()));
        Ok(token)
    }
}

/// Where the token comes from that Entra exchanges.
#[derive(Clone, Debug)]
enum Source {
    Job(Arc<dyn JobToken>),
    File(PathBuf),
}

struct Assertion {
    source: Source,
    audience: &'static str,
    transport: Arc<AzureTransport>,
    mask: Mask,
}

impl fmt::Debug for Assertion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(formatter)
    }
}

impl Assertion {
    async fn token(&self) -> Result<Secret, Failure> {
        match &self.source {
            Source::Job(job) => job.assertion(self.audience, self.transport.http().deadline()).await,
            // Kubernetes replaces the file every hour, so it is read each time. The newline that an editor
            // leaves would spoil the token.
            Source::File(path) => {
                let bytes = private_file::read(path).map_err(|error| no_token(path, &error.to_string()))?;
                let bytes = bytes.ok_or_else(|| no_token(path, "there is no such file"))?;
                private_file::into_secret(bytes.trim_ascii())
                    .ok()
                    .filter(|token| !token.is_empty())
                    .ok_or_else(|| no_token(path, "it holds no token"))
            }
        }
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let token = self.token().await.map_err(in_sdk)?;
        (self.mask)(&token);
        Ok(token.expose().to_owned())
    }
}

fn no_token(path: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::Store,
        format!("The file {} that AZURE_FEDERATED_TOKEN_FILE names cannot be used: {why}.", path.display()),
        "Check that the workload's token is mounted there, or unset the variable.",
    )
}

/// Wraps a failure of ours for its way through the SDK; see [`failure_in`].
fn in_sdk(failure: Failure) -> azure_core::Error {
    let message = failure.to_string();
    azure_core::Error::with_error(ErrorKind::Credential, failure, message)
}

/// The failure of ours that an error of the SDK carries, if it does.
pub fn failure_in(error: &(dyn std::error::Error + 'static)) -> Option<Failure> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref::<Failure>().cloned())
}

/// Tries what may be there without being configured: the Azure CLI, then the virtual machine's identity.
struct WhateverIsThere {
    settings: VaultSettings,
    transport: Arc<AzureTransport>,
}

impl fmt::Debug for WhateverIsThere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WhateverIsThere")
    }
}

#[async_trait]
impl TokenCredential for WhateverIsThere {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let cli = match self.azure_cli(scopes).await {
            Ok(token) => return Ok(token),
            Err(why) => why,
        };
        if !self.machine_may_have_identity().await {
            return Err(in_sdk(self.nobody(&cli, "no managed identity answers on this machine")));
        }
        let machine = managed_identity(&self.settings, &self.transport)?;
        let token = machine.get_token(scopes, options).await;
        match self.transport.refused() {
            // GitHub's own runners answer too, and have no identity to give.
            Some(Refused { outcome: Ok(answer), .. }) if token.is_err() => {
                Err(in_sdk(self.nobody(&cli, &without_a_token(&answer))))
            }
            _ => token,
        }
    }
}

impl WhateverIsThere {
    /// A token of the Azure CLI's, else why there is none.
    async fn azure_cli(&self, scopes: &[&str]) -> Result<AccessToken, String> {
        let options = AzureCliCredentialOptions {
            executor: Some(self.settings.azure_cli.clone()),
            ..AzureCliCredentialOptions::default()
        };
        let cli = AzureCliCredential::new(Some(options)).map_err(|error| error.to_string())?;
        cli.get_token(scopes, None).await.map_err(|error| {
            let causes =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let words = causes.last().map(ToString::to_string).unwrap_or_default();
            let line = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            format!("the Azure CLI gives no token ({})", line.trim_end_matches('.'))
        })
    }

    /// Whether this is a machine that can be asked for its identity. Asked without the header that every real
    /// request needs, so that no token is made: the true endpoint then complains (400). Any other answer is that
    /// of a network that answers for addresses which are not its own.
    async fn machine_may_have_identity(&self) -> bool {
        let http = self.transport.http();
        let http = http.with_deadline(http.deadline().at_most(IMDS_PROBE));
        let request = Request::get(IMDS).body(Bytes::new()).expect("a constant address");
        let answer = http.send(request, Effect::OnceOnly).await;
        answer.is_ok_and(|answer| answer.status == 400 || answer.status.is_success())
    }

    fn nobody(&self, cli: &str, machine: &str) -> Failure {
        let VaultSettings { identity, oidc, .. } = &self.settings;
        let remedy = if oidc.on_github && identity.client_id.is_some() && identity.tenant_id.is_some() {
            "Give the job `permissions: id-token: write`, so that its own OIDC token can open the vault."
        } else if oidc.on_github {
            "Set AZURE_CLIENT_ID and AZURE_TENANT_ID and give the job `permissions: id-token: write`, or sign in with \
             azure/login first."
        } else if oidc.azure_pipelines.is_some() {
            "Name a service connection in 'azure-service-connection'."
        } else {
            "Set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE, run 'az login', \
             or run on a machine with a managed identity."
        };
        Failure::new(
            Exit::Store,
            format!(
                "No identity was found to open the vault with: none is configured, {cli}, and {machine}."
            ),
            remedy,
        )
    }
}

/// What the endpoint of a machine's identity says if it gives no token.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MachineError {
    error_description: Option<String>,
}

/// What it means that a machine gives no token, as the end of a sentence.
fn without_a_token(answer: &Answer) -> String {
    let words = answer.json::<MachineError>().unwrap_or_default().error_description;
    let words = sentence_of(words.as_deref().unwrap_or("no reason given"));
    let status = answer.status.as_u16();
    format!(
        "this machine gives no token of a managed identity (HTTP {status}: {})",
        words.trim_end_matches('.')
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake;
    use rstest::rstest;

    /// Everything that can be configured, by one letter each.
    fn settings(configured: &str) -> VaultSettings {
        let has = |letter: char| configured.contains(letter).then_some(());
        let url = Url::parse("https://login.microsoftonline.com").expect("an address");
        let connection = ServiceConnection {
            id: "connection".into(),
            client_id: "connection-client".into(),
            tenant_id: "connection-tenant".into(),
        };
        VaultSettings {
            identity: VaultIdentity {
                client_id: has('i').map(|()| "client".into()),
                tenant_id: has('t').map(|()| "tenant".into()),
                client_secret: has('s').map(|()| Secret::new("secret".into())),
                service_connection: has('c').map(|()| connection),
                app_service: has('a').is_some(),
            },
            oidc: OidcSources {
                github: has('g').map(|()| (url, Secret::new("request".into()))),
                file: has('f').map(|()| PathBuf::from("/token")),
                ..OidcSources::default()
            },
            service_connection: has('C').map(|()| "connection".into()),
            ..fake::vault_settings()
        }
    }

    #[rstest]
    #[case("Ccitsfga", "service connection")]
    #[case("Cit", "service connection")]
    #[case("citsfga", "AZURE_FEDERATED_TOKEN_FILE")]
    #[case("itsga", "AZURE_CLIENT_SECRET")]
    #[case("itga", "GitHub")]
    #[case("isga", "App Service")]
    #[case("iga", "App Service")]
    #[case("ita", "App Service")]
    #[case("it", "Azure CLI")]
    #[case("", "Azure CLI")]
    fn the_first_way_that_is_configured_is_taken(#[case] configured: &str, #[case] way: &str) {
        let chosen = choose(&settings(configured)).expect("a way").to_string();
        assert!(chosen.contains(way), "{chosen}");
    }

    #[test]
    fn a_service_connection_that_was_not_handed_over_is_opened_by_the_environments_ids() {
        let mut settings = settings("Ccit");
        let connection = settings.identity.service_connection.as_mut().expect("one");
        connection.client_id.clear();
        connection.tenant_id.clear();
        let chosen = choose(&settings).expect("a way").to_string();
        assert!(chosen.contains("service connection's identity (client client,"), "{chosen}");
        settings.identity.client_id = None;
        let failure = choose(&settings).expect_err("nobody");
        assert!(failure.cause.contains("this job was not given it"), "{failure}");
    }

    #[test]
    fn a_service_connections_own_identity_wins_over_the_environments() {
        let chosen = choose(&settings("Ccit")).expect("a way").to_string();
        assert!(chosen.contains("connection-client"), "{chosen}");
    }

    #[rstest]
    #[case("C", "service connection connection")]
    #[case("Ci", "service connection connection")]
    #[case("f", "AZURE_FEDERATED_TOKEN_FILE")]
    #[case("fis", "AZURE_FEDERATED_TOKEN_FILE")]
    fn what_is_half_configured_is_said(#[case] configured: &str, #[case] cause: &str) {
        let failure = choose(&settings(configured)).expect_err("half configured");
        assert!(failure.cause.contains(cause), "{failure}");
    }
}
