//! Inputs: the one table of them, and how an environment becomes a [`Request`].
//!
//! An input is looked up among the flags, under the host's spelling, then under `ADOPAT_`; every problem is reported at
//! once, before anything is sent. This module and `main` alone read the environment.

pub mod arguments;
mod check;
pub mod choices;
mod early_settings;
pub mod environment;
mod host;
mod logins;
pub mod problem;
pub mod request;
pub mod table;
mod values;

pub use self::arguments::{Arguments, Flags};
pub use self::environment::Environment;
pub use self::problem::Problem;
pub use self::request::Request;

use self::problem::Problems;
use self::request::{Delivery, EarlySettings};
use self::values::Values;
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
    /// Secrets that the host knows as its own, like the job's token: never to be printed by us either.
    pub hosts_secrets: Vec<Secret>,
    /// What a person should hear of: misspelt names, settings that were skipped.
    pub warnings: Vec<String>,
}

impl Inputs {
    /// Reads the environment, and the flags over it.
    pub fn read(environment: &Environment, flags: &Flags) -> Self {
        let mut problems = Problems::default();
        let found = environment.inputs(flags, &mut problems);
        let values = Values::of(&found);
        let host = host::detect(environment, &values, &mut problems);
        let on_azure = matches!(host, HostSettings::AzurePipelines { .. });
        let mut secrets: Vec<Secret> = Vec::new();
        for (input, value) in &found {
            let is_macro = on_azure && check::is_macro(input, value, &mut problems);
            if input.holds_a_secret(value.expose()) && !is_macro {
                secrets.push(value.clone());
            } else {
                secrets.extend(logins::passwords_in_addresses(value.expose()));
            }
        }
        secrets.extend(environment.secret("AZURE_CLIENT_SECRET"));
        let mut warnings = environment.misspelt();
        let early_settings = early_settings::read(environment, &values, &mut problems, &mut warnings);
        let delivery = check::delivery(&values, environment, host.clone(), &mut problems, &mut warnings);
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
        arguments.operation.or_else(|| OperationName::parse(self.values.given("operation").text?))
    }

    /// Whether the environment says nothing of what to do.
    pub fn lack_an_operation(&self) -> bool {
        self.values.given("operation").text.is_none()
    }
}
