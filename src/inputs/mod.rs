//! Inputs: the one table of them, and how an environment becomes a [`Request`].
//!
//! An input is looked up among the flags, under the host's spelling, then under `ADOPAT_`; every problem is reported at
//! once, before anything is sent. This module and `main` alone read the environment.

pub mod arguments;
mod check;
mod early_settings;
pub mod environment;
mod host;
mod logins;
pub mod problem;
pub mod request;
pub mod table;

use serde::Deserialize;

pub use self::arguments::{Arguments, Flags};
pub use self::environment::Environment;
pub use self::problem::Problem;
pub use self::request::Request;

use self::problem::Problems;
use self::request::{Delivery, EarlySettings};
use crate::host::HostSettings;
use crate::operation_name::OperationName;
use crate::secret::Secret;

/// What the environment says before anything of it is checked: enough to open the host and to mask.
#[derive(Debug)]
pub struct Inputs {
    values: Values,
    problems: Problems,
    /// How to log and how to reach the network.
    pub early_settings: EarlySettings,
    /// The CI system.
    pub host: HostSettings,
    /// The names of the PAT's variables at the host, as given: enough to open it.
    pub delivery: Delivery,
    /// Every secret that was given, which the host is to mask before anything else is printed.
    pub secrets: Vec<Secret>,
    /// Secrets that the host knows as its own, such as the job's token: never to be printed by us either.
    pub hosts_secrets: Vec<Secret>,
    /// What a person should hear of: misspelt names, settings that were skipped.
    pub warnings: Vec<String>,
}

impl Inputs {
    /// Reads the environment, and the flags over it.
    pub fn read(environment: &Environment, flags: &Flags) -> Self {
        let mut problems = Problems::default();
        let found = environment.inputs(flags, &mut problems);
        let mut secrets: Vec<Secret> = Vec::new();
        for (input, value) in &found {
            let is_macro = check::is_macro(input, value, &mut problems);
            if input.holds_a_secret(value.expose()) && !is_macro {
                secrets.push(value.clone());
            } else {
                secrets.extend(logins::passwords_in_addresses(value.expose()));
            }
        }
        secrets.extend(environment.secret("AZURE_CLIENT_SECRET"));
        // serde's names are snake_case, which envy makes of SCREAMING_SNAKE. Every field is a text, so that
        // one bad value does not hide the next.
        let pairs = found.iter().map(|(input, value)| {
            (input.name.to_ascii_uppercase().replace('-', "_"), value.expose().to_owned())
        });
        let values: Values = envy::from_iter(pairs).expect("every field is an optional text");
        let mut warnings = environment.misspelt();
        let early_settings = early_settings::read(environment, &values, &mut problems, &mut warnings);
        let host = host::detect(environment, &values, &mut problems);
        let delivery = check::delivery(&values, host.clone(), &mut problems);
        let hosts_secrets = early_settings::hosts_secrets(environment);
        Self { values, problems, early_settings, host, delivery, secrets, hosts_secrets, warnings }
    }

    /// Checks everything, and makes a request of it, or tells every problem there is; beside it, what a person
    /// should hear of in any case.
    pub fn into_request(
        self,
        arguments: &Arguments,
        environment: &Environment,
    ) -> (Vec<String>, Result<Request, Vec<Problem>>) {
        check::request(self, arguments, environment)
    }

    /// The operation, if it is given and is one.
    pub fn operation(&self, arguments: &Arguments) -> Option<OperationName> {
        arguments.operation.or_else(|| OperationName::parse(self.values.operation.as_deref()?))
    }

    /// Whether the environment says nothing of what to do.
    pub fn lack_an_operation(&self) -> bool {
        self.values.operation.is_none()
    }
}

/// The inputs' values as texts, by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Values {
    operation: Option<String>,
    organization: Option<String>,
    display_name: Option<String>,
    authorization_id: Option<String>,
    scope: Option<String>,
    allow_full_access: Option<String>,
    lifetime: Option<String>,
    valid_to: Option<String>,
    new_display_name: Option<String>,
    renew_within: Option<String>,
    if_missing: Option<String>,
    duplicates: Option<String>,
    keep_previous_for: Option<String>,
    revoke_on_completion: Option<String>,
    on_shortened_lifetime: Option<String>,
    verify: Option<String>,
    verify_url: Option<String>,
    allow_global_narrowing: Option<String>,
    filter: Option<String>,
    expiring_within: Option<String>,
    fail_if_expiring: Option<String>,
    fail_if_global: Option<String>,
    dry_run: Option<String>,
    timeout: Option<String>,
    credential: Option<String>,
    tenant_id: Option<String>,
    client_id: Option<String>,
    refresh_token: Option<Secret>,
    access_token: Option<Secret>,
    client_secret: Option<Secret>,
    client_certificate: Option<Secret>,
    client_certificate_password: Option<Secret>,
    federated: Option<String>,
    id_token: Option<Secret>,
    azure_service_connection: Option<String>,
    credential_store: Option<String>,
    store_key: Option<Secret>,
    authority_host: Option<String>,
    service_url: Option<String>,
    devops_url: Option<String>,
    github_api_url: Option<String>,
    host: Option<String>,
    variable: Option<String>,
    output_variable: Option<String>,
    deliver_to: Option<String>,
    github_token: Option<Secret>,
    output_file: Option<String>,
    output_format: Option<String>,
    feed: Option<String>,
    clients: Option<String>,
    log: Option<String>,
}
