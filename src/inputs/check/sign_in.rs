//! Who signs in, and how.

use std::path::PathBuf;

use url::Url;
use zeroize::Zeroizing;

use super::{Check, EMPTY_SECRET};
use crate::azure_devops::Endpoints;
use crate::azure_devops::hosts::{self, Purpose};
use crate::entra::Certificate;
use crate::host::HostSettings;
use crate::inputs::choices::CredentialKind;
use crate::inputs::request::{ClientProof, Credential, Delivery, SignIn};
use crate::inputs::table::input;
use crate::manifest::Manifest;
use crate::oidc::OidcSources;
use crate::operation_name::OperationName;
use crate::secret::Secret;
use crate::store::Address;
use crate::store::vault_identity::{ServiceConnection, VaultIdentity};
use crate::token_shape::{Shape, Wanted};

impl Check<'_> {
    /// Where the services are.
    pub(super) fn endpoints(&mut self) -> Option<Endpoints> {
        let authority_host = self.trusted_url("authority-host", Purpose::SignIn);
        let service_url = self.trusted_url("service-url", Purpose::AzureDevOps);
        let devops_url = self.trusted_url("devops-url", Purpose::AzureDevOps);
        let github_api_url = self.github_api();
        Some(Endpoints {
            authority_host: authority_host?,
            service_url: service_url?,
            devops_url: devops_url?,
            github_api_url: github_api_url?,
        })
    }

    /// github.com, the runner's own server, or loopback: the token goes nowhere else.
    fn github_api(&mut self) -> Option<Url> {
        let runners = self.environment.text("GITHUB_API_URL");
        let text = self.text("github-api-url").or(runners).unwrap_or("https://api.github.com");
        let url = self.problems.check("github-api-url", text, hosts::parse_address(text))?;
        let same = |other: &str| Url::parse(other).is_ok_and(|other| other.origin() == url.origin());
        if hosts::is_loopback(&url) || same("https://api.github.com") || runners.is_some_and(same) {
            return Some(url);
        }
        self.problems.wrong(
            "github-api-url",
            text,
            "is not an address that adopat sends a GitHub token to",
            "use https://api.github.com or the runner's own GITHUB_API_URL",
        );
        None
    }

    pub(super) fn sign_in(
        &mut self,
        operation: OperationName,
        post_step: bool,
        host: &HostSettings,
    ) -> Option<SignIn> {
        let credential_store = self.read("credential-store", Address::parse);
        if let Some(store @ Address::ServiceConnection { .. }) = &credential_store {
            self.problems.wrong(
                "credential-store",
                &store.to_string(),
                "is a place for a PAT alone",
                "keep the refresh token in a Key Vault, a variable group, a GitHub secret or a file",
            );
        }
        if self.is_given("store-key") && !matches!(credential_store, None | Some(Address::File(_))) {
            self.warnings.push("store-key is ignored: only a file: store is encrypted by it.".into());
        }
        let proof = self.proof();
        let (credential, inferred_from) = match self.environment.saved_refresh_token() {
            Some(token) if post_step => {
                (Some(Credential::RefreshToken(Some(token))), "saved by the step".into())
            }
            _ => self.credential(operation, proof.is_some()),
        };
        if let Some(Credential::RefreshToken(seed)) = &credential
            && let Some(store) = &credential_store
            && !store.is_readable()
            && seed.is_none()
        {
            self.problems.add(
                "refresh-token",
                format!("is not given, or is empty, and adopat cannot read it from {store}"),
                format!("pass the secret that holds it as refresh-token. {EMPTY_SECRET}"),
            );
        }
        if operation == OperationName::Login && !self.is_given("credential-store") {
            self.problems.add(
                "credential-store",
                "is required",
                "say where to store the refresh token, like file:refresh-token or \
                 keyvault:https://VAULT.vault.azure.net/secrets/NAME",
            );
        }
        let needs_client = matches!(
            credential,
            Some(Credential::RefreshToken(_) | Credential::DeviceCode | Credential::Browser)
        );
        if needs_client && !self.is_given("client-id") {
            self.problems.add(
                "client-id",
                "is required",
                "give the 'Application (client) ID' of the app registration that you sign in to",
            );
        }
        let no_id = |id: &str| id.chars().any(|c| c.is_control() || c.is_whitespace());
        if self.text("client-id").is_some_and(no_id) {
            self.wrong(
                "client-id",
                "is not the id of an app registration",
                "use its 'Application (client) ID', like 00000000-0000-0000-0000-000000000001",
            );
        }
        // doctor, which tells what is wrong with it, signs in by none.
        let credential = credential.or((operation == OperationName::Doctor).then_some(Credential::Browser));
        let tenant_id = self.tenant_id();
        let service_connection = self.service_connection();
        Some(SignIn {
            credential: credential?,
            inferred_from,
            tenant_id,
            client_id: self.text("client-id").unwrap_or_default().to_owned(),
            proof,
            credential_store,
            store_key: self.values.secret("store-key").cloned(),
            azure_service_connection: self.text("azure-service-connection").map(str::to_owned),
            oidc: self.oidc(host),
            vault_identity: VaultIdentity {
                client_id: self.environment.text("AZURE_CLIENT_ID").map(str::to_owned),
                tenant_id: self.environment.text("AZURE_TENANT_ID").map(str::to_owned),
                client_secret: self.environment.secret("AZURE_CLIENT_SECRET"),
                service_connection,
                app_service: self.environment.text("IDENTITY_ENDPOINT").is_some()
                    && self.environment.text("IDENTITY_HEADER").is_some(),
            },
        })
    }

    fn tenant_id(&mut self) -> Option<String> {
        let tenant = self.text("tenant-id")?;
        let is_segment = tenant.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
            && tenant.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !is_segment {
            self.wrong("tenant-id", "is not a tenant", "use its GUID, or a verified domain like contoso.com");
            return None;
        }
        if ["common", "consumers"].contains(&tenant.to_ascii_lowercase().as_str()) {
            self.wrong(
                "tenant-id",
                "lets personal accounts in, which the PAT service refuses",
                "use the tenant's GUID or domain, or organizations",
            );
            return None;
        }
        Some(tenant.to_owned())
    }

    fn credential(&mut self, operation: OperationName, has_proof: bool) -> (Option<Credential>, String) {
        // One that is malformed is told as such, and no reason to ask for another credential.
        let has_store = self.is_given("credential-store");
        let (refresh, access) =
            (self.values.secret("refresh-token").cloned(), self.values.secret("access-token").cloned());
        let given = self.choice::<CredentialKind>("credential");
        if self.is_given("credential") && given.is_none() {
            return (None, String::new());
        }
        if operation == OperationName::Login {
            let credential = match given {
                Some(CredentialKind::Browser) => Some(Credential::Browser),
                Some(CredentialKind::DeviceCode) => Some(Credential::DeviceCode),
                None if has_proof => Some(Credential::Browser),
                None => Some(Credential::DeviceCode),
                Some(_) => {
                    self.wrong("credential", "cannot be used by login", "use device-code or browser");
                    None
                }
            };
            return (credential, "login".into());
        }
        let (credential, from) = match given {
            Some(CredentialKind::RefreshToken) if refresh.is_none() && !has_store => {
                self.problems.add(
                    "refresh-token",
                    "is not given, or is empty, and there is no credential-store",
                    format!("give one of them; 'adopat login' makes one. {EMPTY_SECRET}"),
                );
                (None, "given")
            }
            Some(CredentialKind::RefreshToken) => (Some(Credential::RefreshToken(refresh)), "given"),
            Some(CredentialKind::AccessToken) => match access {
                Some(token) => (Some(Credential::AccessToken(token)), "given"),
                None => {
                    let remedy = format!("give it, or another credential. {EMPTY_SECRET}");
                    self.problems.add("access-token", "is not given, or is empty", remedy);
                    (None, "given")
                }
            },
            Some(CredentialKind::DeviceCode) => (Some(Credential::DeviceCode), "given"),
            Some(CredentialKind::AzureCli) => (Some(Credential::AzureCli), "given"),
            // doctor asks nobody to sign in, and says so.
            Some(CredentialKind::Browser) if operation == OperationName::Doctor => {
                (Some(Credential::Browser), "given")
            }
            Some(CredentialKind::Browser) => {
                self.problems.add(
                    "credential",
                    "is browser, which is for login only",
                    "run 'adopat login' once",
                );
                (None, "given")
            }
            None => match (refresh, access) {
                (Some(_), Some(_)) => {
                    self.problems.add(
                        "credential",
                        "is missing, and both refresh-token and access-token are given",
                        "give one of them, or say which by credential",
                    );
                    (None, "")
                }
                (Some(token), None) => {
                    (Some(Credential::RefreshToken(Some(token))), "inferred from refresh-token")
                }
                (None, Some(token)) => (Some(Credential::AccessToken(token)), "inferred from access-token"),
                (None, None) if has_store => {
                    (Some(Credential::RefreshToken(None)), "inferred from credential-store")
                }
                (None, None) => {
                    let empty = ["refresh-token", "access-token"];
                    match empty.into_iter().find(|name| self.is_handed_over_empty(name)) {
                        Some(name) => {
                            let remedy = format!("pass the secret that holds it. {EMPTY_SECRET}");
                            self.problems.add(name, "is empty", remedy);
                        }
                        None => self.problems.add(
                            "credential",
                            "is missing, and no secret or store says what it could be",
                            format!(
                                "give refresh-token, credential-store or access-token, or set it to device-code or \
                                 azure-cli; 'adopat login' prints what to give. {EMPTY_SECRET}"
                            ),
                        ),
                    }
                    (None, "")
                }
            },
        };
        match &credential {
            Some(Credential::AccessToken(token)) => self.fits("access-token", token, Wanted::AccessToken),
            Some(Credential::RefreshToken(Some(token))) => {
                self.fits("refresh-token", token, Wanted::RefreshToken);
            }
            _ => {}
        }
        (credential, from.to_owned())
    }

    /// What by its shape is no such token is not even sent.
    fn fits(&mut self, input: &'static str, token: &Secret, wanted: Wanted) {
        if let Some((what, remedy)) = Shape::of(token.expose()).and_then(|shape| shape.misfit(wanted)) {
            self.problems.add(input, what, remedy);
        }
    }

    /// Whether this secret was handed over, and is empty. GitHub hands every input over, set or not.
    fn is_handed_over_empty(&self, name: &str) -> bool {
        let on_github = self.environment.is_true("GITHUB_ACTIONS");
        self.environment.is_set_but_empty(input(name)) && !on_github
    }

    fn proof(&mut self) -> Option<ClientProof> {
        let federated = self.boolean("federated");
        let given = [self.is_given("client-secret"), self.is_given("client-certificate"), federated];
        if given.into_iter().filter(|given| *given).count() > 1 {
            self.problems.add(
                "client-secret",
                "is not the only proof of the client",
                "give one of client-secret, client-certificate and federated",
            );
        }
        if federated {
            return Some(ClientProof::Federated);
        }
        if let Some(secret) = self.values.secret("client-secret") {
            return Some(ClientProof::Secret(secret.clone()));
        }
        let text = self.text("client-certificate")?;
        let file = (!input("client-certificate").holds_a_secret(text)).then(|| PathBuf::from(text));
        let bytes = match &file {
            None => Ok(text.as_bytes().to_vec()),
            Some(file) => std::fs::read(file),
        };
        let password = self.values.secret("client-certificate-password");
        let read = match bytes.map(Zeroizing::new) {
            Ok(bytes) => Certificate::read(&bytes, password).map_err(|failure| failure.to_string()),
            Err(error) => Err(format!("The file it names cannot be read: {error}.")),
        };
        match read {
            Ok(certificate) => {
                Some(ClientProof::Certificate { certificate, file, has_password: password.is_some() })
            }
            Err(why) => {
                self.problems.add("client-certificate", "cannot be used", why.trim_end_matches('.'));
                None
            }
        }
    }

    fn oidc(&mut self, host: &HostSettings) -> OidcSources {
        let environment = self.environment;
        let servers = ["GITHUB_SERVER_URL", "GITHUB_API_URL"].map(|name| environment.text(name));
        let githubs = |text: &str| hosts::parse_githubs(text, servers.into_iter().flatten());
        let azures = |text: &str| hosts::parse_trusted(text, Purpose::AzureDevOps);
        OidcSources {
            github: self.token_endpoint(
                "ACTIONS_ID_TOKEN_REQUEST_URL",
                githubs,
                &["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
            ),
            azure_pipelines: self.token_endpoint(
                "SYSTEM_OIDCREQUESTURI",
                azures,
                &["ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN", "SYSTEM_ACCESSTOKEN"],
            ),
            file: environment.path("AZURE_FEDERATED_TOKEN_FILE"),
            id_token: self.values.secret("id-token").cloned(),
            on_github: host.is_github_actions(),
        }
    }

    /// A token that may write the secrets of a repository, if any store is one.
    pub(super) fn github_token(
        &mut self,
        delivery: &Delivery,
        manifest: Option<&Manifest>,
        sign_in: Option<&SignIn>,
    ) {
        let credential_store = sign_in.and_then(|sign_in| sign_in.credential_store.as_ref());
        let entries = manifest.iter().flat_map(|manifest| &manifest.entries);
        let of_entries = entries.flat_map(|entry| &entry.deliver_to);
        let mut stores = delivery.deliver_to.iter().chain(of_entries).chain(credential_store);
        if delivery.github_token.is_none()
            && stores.any(|store| matches!(store, Address::GithubSecret { .. }))
        {
            self.problems.add(
                "github-token",
                "is not given, or is empty, and a github-secret: address needs it",
                format!("give a token that may write secrets (GITHUB_TOKEN cannot). {EMPTY_SECRET}"),
            );
        }
    }

    /// The address that the host names for asking its OIDC token, and the job's own token for it, which goes to
    /// that host alone.
    fn token_endpoint(
        &mut self,
        address: &str,
        parse: impl Fn(&str) -> Result<Url, String>,
        tokens: &[&str],
    ) -> Option<(Url, Secret)> {
        let text = self.environment.text(address)?;
        let token = tokens.iter().find_map(|name| self.environment.secret(name))?;
        match parse(text) {
            Ok(url) => Some((url, token)),
            Err(what) => {
                self.warnings.push(format!("{address} is ignored: it {what}."));
                None
            }
        }
    }

    fn service_connection(&mut self) -> Option<ServiceConnection> {
        let id = self.text("azure-service-connection")?;
        let parameter = |name: &str| {
            let spellings = [id.to_owned(), id.to_ascii_lowercase(), id.to_ascii_uppercase()];
            spellings.into_iter().find_map(|id| {
                self.environment.text(&format!("ENDPOINT_AUTH_PARAMETER_{id}_{name}")).map(str::to_owned)
            })
        };
        Some(ServiceConnection {
            id: id.to_owned(),
            client_id: parameter("SERVICEPRINCIPALID").unwrap_or_default(),
            tenant_id: parameter("TENANTID").unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::inputs::check::testing::request;

    const APP: (&str, &str) = ("client-id", "00000000-0000-0000-0000-000000000001");

    #[rstest]
    #[case(&[("refresh-token", "fake"), APP], "refresh-token", "inferred from refresh-token")]
    #[case(&[("credential-store", "file:token"), APP], "refresh-token", "inferred from credential-store")]
    #[case(&[("access-token", "fake")], "access-token", "inferred from access-token")]
    #[case(&[("credential", "device-code"), APP], "device-code", "given")]
    #[case(&[("credential", "azure-cli")], "azure-cli", "given")]
    fn the_credential_is_the_one_that_is_given_or_follows_from_the_secrets(
        #[case] given: &[(&str, &str)],
        #[case] credential: &str,
        #[case] inferred_from: &str,
    ) {
        let given = [&[("organization", "fabrikam")], given].concat();
        let sign_in = request(OperationName::List, &given).expect("a request").sign_in;
        let kind = match sign_in.credential {
            Credential::RefreshToken(_) => "refresh-token",
            Credential::AccessToken(_) => "access-token",
            Credential::DeviceCode => "device-code",
            Credential::Browser => "browser",
            Credential::AzureCli => "azure-cli",
        };
        assert_eq!((kind, sign_in.inferred_from.as_str()), (credential, inferred_from));
    }

    #[rstest]
    #[case("", Credential::DeviceCode)]
    #[case("fake-secret", Credential::Browser)]
    fn login_asks_in_the_browser_if_the_client_has_a_proof(
        #[case] client_secret: &str,
        #[case] expected: Credential,
    ) {
        let given = [APP, ("credential-store", "file:token"), ("client-secret", client_secret)];
        let sign_in = request(OperationName::Login, &given).expect("a request").sign_in;
        assert_eq!(format!("{:?}", sign_in.credential), format!("{expected:?}"));
    }

    #[rstest]
    #[case("contoso.com", true)]
    #[case("00000000-0000-0000-0000-000000000001", true)]
    #[case("organizations", true)]
    #[case("common", false)]
    #[case("Consumers", false)]
    #[case("contoso.com/x", false)]
    fn a_tenant_is_one_path_segment_that_lets_no_personal_account_in(
        #[case] tenant: &str,
        #[case] accepted: bool,
    ) {
        let given = [("organization", "fabrikam"), ("credential", "azure-cli"), ("tenant-id", tenant)];
        assert_eq!(request(OperationName::List, &given).is_ok(), accepted);
    }
}
