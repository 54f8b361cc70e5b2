//! Runs clients that nobody here wrote, unmodified, against the emulator; what they say makes the table in the README.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use adopat_emulator::{
    AppRegistration, DeviceCodePolicy, Emulator, GITHUB_ISSUER, NewPat, NewServiceConnection,
    NewVariableGroup, Organization, Platform, Service, TOKEN_EXCHANGE, cast,
};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::Value;
use uuid::Uuid;

/// The page that holds the table, and what stands around it.
pub const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- Made by `cargo run -p adopat-emulator --example clients` from the tests in tests/clients. Do not edit. -->\n";

/// The confidential client, which every kind of proof is registered for.
const APP: Uuid = Uuid::from_u128(0xa00);
const SUBJECT: &str = "repo:contoso/fabrikam:ref:refs/heads/main";
/// The service connection of the job on Azure Pipelines.
const CONNECTION: &str = "00000000-0000-0000-0000-00000000005c";
/// A key that is published with this crate, and worth nothing.
const KEY: &[u8] = include_bytes!("../../src/issuer.der");

/// A published client.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Its name in its registry.
    pub name: &'static str,
    /// What runs it, and so where it is from.
    pub language: Language,
    /// The script that uses it.
    script: &'static str,
    /// What else of the registry the script uses.
    module: &'static str,
}

/// A language, and with it a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// PyPI.
    Python,
    /// npm.
    JavaScript,
}

const fn python(name: &'static str, module: &'static str, script: &'static str) -> Client {
    Client { name, language: Language::Python, script, module }
}

const fn javascript(name: &'static str, script: &'static str) -> Client {
    Client { name, language: Language::JavaScript, script, module: name }
}

pub const CLIENTS: [Client; 13] = [
    python("msal", "msal", "msal_python.py"),
    javascript("@azure/msal-node", "msal_node.mjs"),
    python("azure-identity", "azure.identity", "azure_identity_python.py"),
    javascript("@azure/identity", "azure_identity_js.mjs"),
    python("azure-keyvault-secrets", "azure.keyvault.secrets", "key_vault_python.py"),
    javascript("@azure/keyvault-secrets", "key_vault_js.mjs"),
    python("azure-devops", "azure.devops", "azure_devops_python.py"),
    javascript("azure-devops-node-api", "azure_devops_node.mjs"),
    javascript("octokit", "octokit.mjs"),
    python("PyGithub", "github", "pygithub.py"),
    python("PyNaCl", "nacl", "pynacl.py"),
    python("Authlib", "authlib", "authlib_sessions.py"),
    python("requests-oauthlib", "requests_oauthlib", "requests_oauthlib_sessions.py"),
];

/// What a client has said of itself.
#[derive(Debug)]
pub struct Ran {
    pub client: Client,
    pub version: String,
    /// Each operation, and why it failed where it did.
    pub operations: Vec<(String, Option<String>)>,
    /// The services that it spoke to.
    pub emulator: Emulator,
}

/// The folder of the scripts.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("clients")
}

impl Client {
    /// Whether it is installed here.
    pub fn is_installed(&self) -> bool {
        match self.language {
            Language::Python => {
                let imports = format!("import {}", self.module);
                let tried = Command::new(python3()).args(["-c", &imports]).stderr(Stdio::null()).status();
                tried.is_ok_and(|status| status.success())
            }
            Language::JavaScript => folder().join("node_modules").join(self.module).is_dir(),
        }
    }

    /// Runs its script in an environment of its own.
    ///
    /// # Panics
    /// Where the script cannot be run to its end.
    pub fn run(self) -> Ran {
        let emulator = services();
        let home = tempfile::tempdir().expect("a folder");
        let program = match self.language {
            Language::Python => python3(),
            Language::JavaScript => "node".to_owned(),
        };
        let mut command = Command::new(program);
        command.arg(folder().join(self.script)).current_dir(folder()).env_clear();
        for (name, value) in environment(&emulator, home.path()) {
            command.env(name, value);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the script starts");
        let mut answers = child.stdin.take().expect("it was piped");
        let mut ran = Ran { client: self, version: String::new(), operations: Vec::new(), emulator };
        for line in BufReader::new(child.stdout.take().expect("it was piped")).lines() {
            let line = line.expect("text");
            let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{}: {line}", self.name));
            let text = |name: &str| said[name].as_str().map(str::to_owned);
            if let Some(user_code) = text("approve") {
                ran.emulator.approve_device_code(&user_code, cast::PERSON);
            } else if let Some(address) = text("sign_in_at") {
                let redirected = ran.emulator.sign_in_at(&address, cast::PERSON);
                writeln!(answers, "{redirected}").expect("the script listens");
            } else if let Some(version) = text("version") {
                ran.version = version;
            } else if let Some(operation) = text("operation") {
                ran.operations.push((operation, text("fails")));
            }
        }
        let status = child.wait().expect("it ends");
        assert!(status.success(), "{}: {status}", self.name);
        ran
    }
}

/// `PYTHON`, or `python3`.
fn python3() -> String {
    std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn certificate() -> (String, String) {
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(KEY);
    let key =
        KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_RSA_SHA256).expect("the published key is one");
    let certificate = CertificateParams::default().self_signed(&key).expect("a certificate can be made");
    (key.serialize_pem(), certificate.pem())
}

/// The services, all over TLS, with what the scripts look for.
fn services() -> Emulator {
    let (_, certificate) = certificate();
    let of_pipelines = Emulator::builder().services();
    let (issuer, subject) =
        (of_pipelines.service_connection_issuer(), of_pipelines.service_connection_subject(CONNECTION));
    let emulator = Emulator::builder()
        .tls(true)
        .organization(Organization::named(cast::ORGANIZATION))
        .app(AppRegistration::public(cast::CLIENT_ID))
        .app(
            AppRegistration::confidential(APP)
                .redirect(Platform::Web, "http://127.0.0.1:8400/")
                .secret("fake-client-secret")
                .certificate_pem(&certificate)
                .federated(GITHUB_ISSUER, SUBJECT, TOKEN_EXCHANGE)
                .federated(&issuer, &subject, TOKEN_EXCHANGE),
        )
        .start();
    emulator
        .set_device_code_policy(DeviceCodePolicy { interval: Duration::from_secs(1), ..Default::default() });
    emulator.add_variable_group(
        NewVariableGroup::named("website", "release")
            .variable("PLAIN", "value")
            .secret("PAT", "old-pat-value"),
    );
    emulator.add_service_connection(
        NewServiceConnection::named("website", "feed").parameter("apitoken", "old-pat"),
    );
    emulator.services().services.add_project(cast::ORGANIZATION, "shop");
    emulator
}

fn environment(emulator: &Emulator, home: &Path) -> Vec<(&'static str, String)> {
    let write = |name: &str, text: &str| {
        let path = home.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (key, certificate) = certificate();
    let pat = emulator.add_pat(
        NewPat::named("clients").scope("vso.project vso.variablegroups_manage vso.serviceendpoint_manage"),
    );
    let job_token = emulator.job_token(GITHUB_ISSUER, SUBJECT, TOKEN_EXCHANGE);
    let (pipelines_uri, pipelines_token) = emulator.pipelines_id_token_request();
    let (identity_endpoint, identity_header) = emulator.app_service_endpoint();
    let ca = emulator.ca_pem_path().display().to_string();
    let home = home.display().to_string();
    vec![
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("HOME", home.clone()),
        ("AZURE_DEVOPS_CACHE_DIR", home),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        // Each ecosystem's own way to be told of an authority.
        ("REQUESTS_CA_BUNDLE", ca.clone()),
        ("NODE_EXTRA_CA_CERTS", ca),
        ("ENTRA", emulator.url(Service::Entra)),
        ("VAULT", emulator.url(Service::Vault)),
        ("DEVOPS", emulator.url(Service::DevOps)),
        ("GITHUB", emulator.url(Service::GitHub)),
        ("TENANT", cast::TENANT.to_string()),
        ("CLIENT_ID", cast::CLIENT_ID.to_string()),
        ("APP_ID", APP.to_string()),
        ("APP_SECRET", "fake-client-secret".to_owned()),
        ("APP_CERTIFICATE", write("app.pem", &format!("{key}{certificate}"))),
        ("JOB_TOKEN_FILE", write("job-token", &job_token)),
        ("JOB_TOKEN", job_token),
        ("PIPELINES_REQUEST_URI", pipelines_uri),
        ("PIPELINES_TOKEN", pipelines_token),
        ("CONNECTION", CONNECTION.to_owned()),
        ("IDENTITY_ENDPOINT", identity_endpoint),
        ("IDENTITY_HEADER", identity_header),
        ("PERSON", cast::PERSON.to_owned()),
        ("REFRESH_TOKEN", emulator.refresh_token()),
        ("ORGANIZATION", cast::ORGANIZATION.to_owned()),
        ("PROJECT", "website".to_owned()),
        ("PAT", pat.value),
        ("GITHUB_TOKEN", emulator.github_token()),
    ]
}

impl Ran {
    /// Its row of the table.
    pub fn row(&self) -> String {
        let names: Vec<&str> = self.operations.iter().map(|(name, _)| name.as_str()).collect();
        let failed: Vec<&str> =
            self.operations.iter().filter(|(_, why)| why.is_some()).map(|(name, _)| name.as_str()).collect();
        let works =
            if failed.is_empty() { "all".to_owned() } else { format!("all but: {}", failed.join("; ")) };
        let registry = match self.client.language {
            Language::Python => "PyPI",
            Language::JavaScript => "npm",
        };
        format!(
            "| `{}` ({registry}) | {} | {} | {works} |\n",
            self.client.name,
            self.version,
            names.join("; ")
        )
    }
}

/// The rows that stand in the page now.
pub fn rows_in(page: &str) -> Option<Vec<String>> {
    let (_, table) = page.split_once(BEGIN)?;
    let lines = table.lines().skip_while(|line| line.is_empty()).take_while(|line| line.starts_with('|'));
    Some(lines.skip(2).map(|line| format!("{line}\n")).collect())
}

/// The page with these rows.
pub fn page_with(page: &str, rows: &[String]) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let after: Vec<&str> = rest
        .split_inclusive('\n')
        .skip_while(|line| line.trim().is_empty() || line.starts_with('|'))
        .collect();
    let head = "| client | version | operations | works |\n| --- | --- | --- | --- |\n";
    Some(format!("{before}{BEGIN}\n{head}{}\n{}", rows.concat(), after.concat()))
}
