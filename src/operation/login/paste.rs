//! What a person pastes into a pipeline after a login: for each host a whole step, or its variables, with all that a
//! run needs to sign in with this store, in that host's own spelling. Never a secret: the host's name for it.

use std::path::Path;

use uuid::Uuid;

use super::gh_secret;
use crate::azure_devops::Organization;
use crate::inputs::Request;
use crate::inputs::request::ClientProof;
use crate::inputs::table::{Input, input};
use crate::operation::sign_in_again::quoted;
use crate::store::Address;

/// The major version of this program, by which its action and its task are named.
const MAJOR: &str = env!("CARGO_PKG_VERSION_MAJOR");

/// Where it is pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Github,
    Azure,
    Shell,
}

/// What something is set to.
enum Value {
    /// A text that anyone may read.
    Text(String),
    /// What the host keeps as a secret under this name.
    Secret(String),
    /// What the host keeps under this name, and is no secret.
    Variable(String),
}

/// What one place takes.
struct Paste {
    place: Place,
    /// What has to be so beside it, as sentences.
    notes: Vec<String>,
    inputs: Vec<(&'static Input, Value)>,
    environment: Vec<(&'static str, Value)>,
}

/// What to paste: a step for each host that can read the store, and the variables for every other.
pub(super) fn for_each_host(request: &Request, tenant: &str, store: &Address) -> String {
    let as_github_takes_it = match store {
        Address::Command { words, .. } => gh_secret::address(words),
        _ => None,
    };
    let store = as_github_takes_it.as_ref().unwrap_or(store);
    let places = match store {
        Address::GithubSecret { .. } => &[Place::Github][..],
        Address::VariableGroup { .. } | Address::ServiceConnection { .. } => &[Place::Azure],
        Address::KubernetesSecret { .. } => &[Place::Shell],
        Address::File(_) | Address::KeyVault { .. } | Address::Command { .. } => {
            &[Place::Github, Place::Azure, Place::Shell]
        }
    };
    let texts = places.iter().map(|place| Paste::of(*place, request, tenant, store).text());
    texts.collect::<Vec<_>>().join("\n\n")
}

impl Paste {
    fn of(place: Place, request: &Request, tenant: &str, store: &Address) -> Self {
        let mut paste = Self { place, notes: Vec::new(), inputs: Vec::new(), environment: Vec::new() };
        paste.organization(request.organization.as_ref());
        paste.set("tenant-id", tenant);
        paste.set("client-id", &request.sign_in.client_id);
        paste.proof(request.sign_in.proof.as_ref());
        paste.store(request, store);
        paste.services(request);
        if place == Place::Github && (paste.proves_itself_by_the_job() || paste.opens_a_vault_as_the_job()) {
            paste.notes.push("The job needs 'permissions: { contents: read, id-token: write }'.".into());
        }
        paste
    }

    fn set(&mut self, name: &str, text: &str) {
        self.inputs.push((input(name), Value::Text(text.to_owned())));
    }

    /// An input that takes a secret, which the host keeps under the name of the input's variable.
    fn secret(&mut self, name: &str) {
        self.inputs.push((input(name), Value::Secret(input(name).variable())));
    }

    fn organization(&mut self, organization: Option<&Organization>) {
        match organization {
            Some(organization) => self.set("organization", organization.name()),
            // There the job's own organization is the default.
            None if self.place == Place::Azure => {}
            None => {
                self.set("organization", "YOUR-ORGANIZATION");
                self.notes.push("YOUR-ORGANIZATION is the NAME in https://dev.azure.com/NAME.".into());
            }
        }
    }

    /// How the app proves itself. A public one does not.
    fn proof(&mut self, proof: Option<&ClientProof>) {
        match proof {
            None => {}
            Some(ClientProof::Secret(_)) => self.secret("client-secret"),
            Some(ClientProof::Certificate { file, has_password, .. }) => {
                match file {
                    Some(file) if self.place == Place::Shell => {
                        self.set("client-certificate", &absolute(file));
                    }
                    _ => {
                        self.secret("client-certificate");
                        self.notes.push(format!(
                            "{} holds the PEM (the certificate and its key), or the base64 of a PKCS#12 file.",
                            input("client-certificate").variable()
                        ));
                    }
                }
                if *has_password {
                    self.secret("client-certificate-password");
                }
            }
            Some(ClientProof::Federated) => {
                self.set("federated", "true");
                match self.place {
                    Place::Github => {}
                    Place::Azure => self.service_connection(),
                    Place::Shell => {
                        self.secret("id-token");
                        self.notes.push(
                            "ADOPAT_ID_TOKEN is the job's OIDC token, asked for with the audience \
                             api://AzureADTokenExchange."
                                .into(),
                        );
                    }
                }
            }
        }
    }

    /// The store, with what it is opened by, and the refresh token where no run can read it there.
    fn store(&mut self, request: &Request, store: &Address) {
        match store {
            Address::File(path) => {
                self.set("credential-store", &format!("file:{}", absolute(path)));
                if request.sign_in.store_key.is_some() {
                    self.secret("store-key");
                }
                match self.place {
                    Place::Github => self.notes.push("The runner has to be one that keeps this file.".into()),
                    Place::Azure => self.notes.push("The agent has to be one that keeps this file.".into()),
                    Place::Shell => {}
                }
            }
            Address::KeyVault { .. } => {
                self.set("credential-store", &store.to_string());
                self.vault_identity(request);
            }
            Address::KubernetesSecret { namespace, name, .. } => {
                self.set("credential-store", &store.to_string());
                self.notes.push(format!(
                    "The pod's service account needs the verbs get and patch on the Secret {name} in {namespace}."
                ));
            }
            // The inputs refuse it as a credential-store.
            Address::ServiceConnection { .. } => {}
            Address::Command { words, .. } => {
                self.secret("refresh-token");
                self.set("credential-store", &store.to_string());
                let program = words.first().map_or("", String::as_str);
                self.notes.push(format!(
                    "The machine needs {program}. ADOPAT_REFRESH_TOKEN is what it stored: no run can read it there."
                ));
            }
            Address::VariableGroup { group, variable, .. } => {
                self.inputs.push((input("refresh-token"), Value::Secret(variable.clone())));
                self.set("credential-store", &store.to_string());
                self.notes.push(format!(
                    "The pipeline needs the group: 'variables: [{{ group: {} }}]'.",
                    scalar(group)
                ));
            }
            Address::GithubSecret { owner, repository, environment, name } => {
                self.inputs.push((input("refresh-token"), Value::Secret(name.clone())));
                self.set("credential-store", &store.to_string());
                self.secret("github-token");
                let permission = if environment.is_some() { "Environments" } else { "Secrets" };
                self.notes.push(format!(
                    "ADOPAT_GITHUB_TOKEN is a fine-grained token with '{permission}: write' on {owner}/{repository}, \
                     which GITHUB_TOKEN never has."
                ));
                self.notes.push(
                    "Without credential-store and github-token the chain ends: a person has to sign in again within 90 \
                     days."
                        .into(),
                );
                if let Some(environment) = environment {
                    self.notes.push(format!("The job needs 'environment: {}'.", scalar(environment)));
                }
            }
        }
    }

    /// Who opens the vault: never the person, nor the app that the person signs in to.
    fn vault_identity(&mut self, request: &Request) {
        let identity = &request.sign_in.vault_identity;
        let known = identity.client_id.clone().zip(identity.tenant_id.clone());
        let text = |(client, tenant)| [Value::Text(client), Value::Text(tenant)];
        match (known, self.place) {
            (Some(known), _) if identity.client_secret.is_some() => {
                let [client, tenant] = text(known);
                let secret = Value::Secret("AZURE_CLIENT_SECRET".into());
                let names = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"];
                self.environment.extend(names.into_iter().zip([client, tenant, secret]));
            }
            (known, Place::Github) => {
                let names = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"];
                let of_the_repository = || names.map(|name| Value::Variable(name.into()));
                self.environment.extend(names.into_iter().zip(known.map_or_else(of_the_repository, text)));
                self.notes.push(
                    "AZURE_CLIENT_ID is the identity that opens the vault, with a federated credential for this \
                     repository."
                        .into(),
                );
            }
            (_, Place::Azure) => self.service_connection(),
            (_, Place::Shell) => self.notes.push(
                "The vault is opened by the machine's managed identity or 'az login'; or set AZURE_CLIENT_ID, \
                 AZURE_TENANT_ID and AZURE_CLIENT_SECRET."
                    .into(),
            ),
        }
    }

    /// The service connection whose identity is the job's own in Azure Pipelines. A login does not know its name.
    fn service_connection(&mut self) {
        if self.inputs.iter().any(|(input, _)| input.name == "azure-service-connection") {
            return;
        }
        self.set("azure-service-connection", "adopat");
        self.notes.push(
            "azureServiceConnection names your Azure Resource Manager connection (workload identity federation)."
                .into(),
        );
    }

    fn proves_itself_by_the_job(&self) -> bool {
        self.inputs.iter().any(|(input, _)| input.name == "federated")
    }

    fn opens_a_vault_as_the_job(&self) -> bool {
        self.environment.len() == 2
    }

    /// The services, where they are not the usual ones.
    fn services(&mut self, request: &Request) {
        let places = &request.places;
        let services = [
            ("authority-host", &places.authority_host),
            ("service-url", &places.service_url),
            ("devops-url", &places.devops_url),
        ];
        for (name, url) in services {
            let url = url.as_str().trim_end_matches('/');
            if input(name).default != Some(url) {
                self.set(name, url);
            }
        }
        let github = places.github_api_url.as_str().trim_end_matches('/');
        let is_used = self.inputs.iter().any(|(input, _)| input.name == "github-token");
        if is_used && github != "https://api.github.com" {
            self.set("github-api-url", github);
        }
    }

    fn text(&self) -> String {
        let title = match self.place {
            Place::Github => {
                "GitHub Actions, as a step of a job; later steps read ${{ steps.pat.outputs.token }}:"
            }
            Place::Azure => "Azure Pipelines, as a step of a job; later steps read $(ADO_PAT):",
            Place::Shell => {
                "Every other CI system, and a shell; then run 'adopat exec --scope vso.packaging -- COMMAND':"
            }
        };
        let mut lines = vec![format!("# {title}")];
        lines.extend(self.notes.iter().map(|note| format!("# {note}")));
        match self.place {
            Place::Github => lines.extend(["- id: pat".into(), format!("  uses: adopat/adopat@v{MAJOR}")]),
            Place::Azure => lines.extend([format!("- task: adopat@{MAJOR}"), "  name: pat".into()]),
            Place::Shell => {}
        }
        if self.place != Place::Shell {
            lines.push(if self.place == Place::Github { "  with:" } else { "  inputs:" }.into());
            let what = [
                ("operation", "create"),
                ("display-name", "ci"),
                ("scope", "vso.packaging"),
                ("lifetime", "1h"),
            ];
            lines.extend(
                what.map(|(name, text)| self.line(&self.spelling(input(name)), &Value::Text(text.into()))),
            );
        }
        lines.extend(self.inputs.iter().map(|(input, value)| self.line(&self.spelling(input), value)));
        if self.place != Place::Shell && !self.environment.is_empty() {
            lines.push("  env:".into());
        }
        lines.extend(self.environment.iter().map(|(name, value)| self.line(name, value)));
        lines.join("\n")
    }

    fn spelling(&self, input: &Input) -> String {
        match self.place {
            Place::Github => input.name.into(),
            Place::Azure => input.camel_case(),
            Place::Shell => input.variable(),
        }
    }

    fn line(&self, name: &str, value: &Value) -> String {
        match (self.place, value) {
            (Place::Shell, Value::Text(text)) => format!("export {name}={}", quoted(text)),
            (Place::Shell, Value::Secret(_) | Value::Variable(_)) => {
                format!("export {name} # set by your CI system, from its secrets")
            }
            (_, Value::Text(text)) => format!("    {name}: {}", scalar(text)),
            (Place::Github, Value::Secret(secret)) => format!("    {name}: ${{{{ secrets.{secret} }}}}"),
            (Place::Github, Value::Variable(variable)) => format!("    {name}: ${{{{ vars.{variable} }}}}"),
            (Place::Azure, Value::Secret(name_there) | Value::Variable(name_there)) => {
                format!("    {name}: $({name_there})")
            }
        }
    }
}

/// A job starts in another folder.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// A value as YAML: plain where that is safe, else in the quotes that YAML shares with JSON.
fn scalar(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '.' | '_' | '-' | '%');
    // What begins with a digit may be a number, and these words something else than text.
    let another = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_span = |value: &str| value.strip_suffix('h').is_some_and(|count| count.parse::<u8>().is_ok());
    let is_text = value.starts_with(|c: char| c.is_ascii_alphabetic())
        || Uuid::parse_str(value).is_ok()
        || is_span(value);
    let safe = is_text
        && value.chars().all(plain)
        && !value.ends_with(':')
        && !another.iter().any(|word| value.eq_ignore_ascii_case(word));
    if safe { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("file:/var/lib/token", "file:/var/lib/token")]
    #[case("file:/a b: c#d", "\"file:/a b: c#d\"")]
    #[case("variable-group:a/b%2Fc/D", "variable-group:a/b%2Fc/D")]
    #[case("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001")]
    #[case("2026", "\"2026\"")]
    #[case("1h", "1h")]
    #[case("1e3", "\"1e3\"")]
    #[case("No", "\"No\"")]
    #[case("contoso", "contoso")]
    fn a_value_that_yaml_would_read_otherwise_is_quoted(#[case] value: &str, #[case] written: &str) {
        assert_eq!(scalar(value), written);
    }
}
