//! adopat creates, rotates and revokes Azure DevOps personal access tokens (PATs) inside CI.
//!
//! *Inputs become a request; a request and a signed-in PAT service become a plan; carrying out the plan yields an
//! outcome; the outcome is delivered through the host.* That sentence is the map. No two modules need each other,
//! directly or by way of others; `tests/architecture.rs` fails if they do. For a walk through one rotation, file by
//! file, see `CONTRIBUTING.md`.
//!
//! What a person types:
//! - [`process`] runs a program: arguments, environment, signals, exit code. [`run`] does what adopat does with them;
//! - [`cli`]: arguments and flags, help, completions, all made from the table of inputs;
//! - [`inputs`]: the one [table](inputs::table) of inputs, and how flags and an environment become a
//!   [`Request`](inputs::Request); all problems are told at once;
//! - [`manifest`]: the document of `apply`.
//!
//! What is done:
//! - [`operation`]: one file for each operation. `plan.rs` decides, `lifecycle.rs` and `retire.rs` carry the plan out,
//!   `outcome.rs` holds what became of it; log, summary, outputs and exit code are made from the outcome;
//! - [`outputs`] and [`output_file`]: what a run hands over; [`pending`]: what it saves for the job's last step.
//!
//! With whom adopat speaks. [`pats`], [`entra`], [`store`] and [`host`] do not know one another:
//! - [`pats`]: the PAT service, its five calls and its refusals;
//! - [`entra`]: Microsoft Entra, signing in as a user;
//! - [`store`]: where a secret is kept; [`feed`]: what package clients read;
//! - [`host`]: the CI system; nothing else prints;
//! - [`oidc`]: the job's own OIDC token; [`azure_devops`]: what the services of Azure DevOps share.
//!
//! By what means:
//! - [`http`]: one client for all of them: retries, deadlines, bounds, proxies, trust;
//! - [`subprocess`]: every helper program; [`executable`]: which file a command's name stands for; [`signals`]: who
//!   sent a signal; [`private_file`]: files that hold a secret; [`pem`]: PEM as tools write it;
//! - [`world`]: the network, the clock and randomness, so that whole operations can run against a simulated service.
//!
//! In which words: [`secret`], [`failure`], [`exit_codes`], [`refusal_table`], [`operation_name`], [`token_shape`],
//! [`time`], [`nearest`].
//!
//! The environment is read once, by `process`, and understood by `inputs`; `subprocess` hands it on to helper programs
//! without its secrets. Nothing but `host` prints.

pub mod azure_devops;
pub mod cli;
pub mod entra;
pub mod executable;
pub mod exit_codes;
pub mod failure;
pub mod feed;
pub mod host;
pub mod http;
pub mod inputs;
pub mod manifest;
pub mod nearest;
pub mod oidc;
pub mod operation;
pub mod operation_name;
pub mod output_file;
pub mod outputs;
pub mod pats;
pub mod pem;
pub mod pending;
pub mod private_file;
pub mod process;
pub mod refusal_table;
pub mod secret;
pub mod signals;
pub mod store;
pub mod subprocess;
pub mod time;
pub mod token_shape;
pub mod world;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::sync::Arc;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use crate::cli::CommandLine;
use crate::failure::Exit;
use crate::host::streams::Stream;
use crate::host::{Host, Level, Streams};
use crate::inputs::request::{Delivery, EarlySettings};
use crate::inputs::{Arguments, Environment, Flags, Inputs};
use crate::operation::Run;
use crate::operation_name::OperationName;
use crate::time::Cancellation;
use crate::world::World;

/// Runs adopat: arguments and environment in, words and files out, and the exit code.
///
/// `open_world` is given what the environment says of the network.
pub async fn run(
    arguments: &[OsString],
    environment: &Environment,
    streams: Streams,
    open_world: impl FnOnce(&EarlySettings) -> World,
    cancellation: Cancellation,
) -> u8 {
    let print = |text: &str| {
        streams.print_plainly(text);
        code_of_what_was_printed(0, &streams)
    };
    let arguments = match CommandLine::parse(arguments) {
        CommandLine::Help(topic) => return print(&cli::help::about(topic)),
        CommandLine::Completions(shell) => return print(&cli::completions::script(shell)),
        CommandLine::Version => return print(concat!("adopat ", env!("CARGO_PKG_VERSION"), "\n")),
        CommandLine::Run(arguments) => Ok(arguments),
        CommandLine::Misused(misuse) => Err(misuse),
    };
    let no_flags = Flags::default();
    let flags = arguments.as_ref().map_or(&no_flags, |arguments| &arguments.flags);
    let mut inputs = Inputs::read(environment, flags);
    let is_bare = matches!(&arguments, Ok(arguments) if *arguments == Arguments::default());
    if is_bare && inputs.lack_an_operation() && std::io::stdin().is_terminal() {
        for line in cli::help::usage().lines() {
            streams.say(Stream::Err, line);
        }
        return Exit::Inputs.code();
    }
    let world = open_world(&inputs.early_settings);
    let run = arguments.as_ref().ok().and_then(|arguments| inputs.operation(arguments));
    for secret in &inputs.hosts_secrets {
        streams.register().add(secret.forms());
    }
    let streams = if inputs.early_settings.colours { streams } else { streams.coloured(false) };
    let own_words_to_stderr = matches!(run, Some(OperationName::Exec | OperationName::Login));
    let host = open_host(&inputs.delivery, &world, streams.clone(), own_words_to_stderr);
    let code = match arguments {
        Err(misuse) => {
            for problem in &misuse.problems {
                host.say(Level::Error, problem);
            }
            host.say(Level::Info, &misuse.advice());
            Exit::Inputs.code()
        }
        Ok(arguments) => {
            for secret in std::mem::take(&mut inputs.secrets) {
                host.mask(&secret);
            }
            let _tracing = trace(&inputs.early_settings, streams.clone());
            carry_out(inputs, &arguments, environment, host, world, cancellation).await
        }
    };
    code_of_what_was_printed(code, &streams)
}

/// The host that this run is on, as the inputs and the environment describe it; see [`host::open`].
pub fn open_host(
    delivery: &Delivery,
    world: &World,
    streams: Streams,
    own_words_to_stderr: bool,
) -> Arc<dyn Host> {
    let (variable, output_variable) = (delivery.variable.as_deref(), delivery.output_variable.as_deref());
    host::open(&delivery.host, variable, output_variable, world, streams, own_words_to_stderr).into()
}

/// The exit code, unless all went well but what was asked for could not be printed.
fn code_of_what_was_printed(code: u8, streams: &Streams) -> u8 {
    match streams.all_printed() {
        Err(failure) if code == 0 => {
            // Not as the host wants it: what the host reads is what could not be written.
            streams.say(Stream::Err, &format!("adopat: error: {failure}"));
            failure.exit.code()
        }
        _ => code,
    }
}

async fn carry_out(
    inputs: Inputs,
    arguments: &Arguments,
    environment: &Environment,
    host: Arc<dyn Host>,
    world: World,
    cancellation: Cancellation,
) -> u8 {
    let doctor = inputs.operation(arguments) == Some(OperationName::Doctor);
    let delivery = inputs.delivery.clone();
    let (warnings, request) = inputs.into_request(arguments, environment);
    // The job's last step has the same inputs as the first, which has told of them.
    for warning in warnings.iter().filter(|_| !arguments.post_step) {
        host.say(Level::Warning, warning);
    }
    let request = match request {
        Ok(request) => request,
        // A run whose inputs were wrong has made nothing, and has told of them itself.
        Err(_) if arguments.post_step && environment.pending().is_empty() => return 0,
        Err(problems) if arguments.post_step => {
            for problem in problems {
                host.say(Level::Warning, &problem.to_string());
            }
            for pending in environment.pending() {
                let id = pending.authorization_id.unwrap_or_else(|| "authorization id not known".into());
                let name = pending.fingerprint.display_name;
                host.say(
                    Level::Warning,
                    &format!("The PAT '{name}' ({id}) may still be alive: adopat could not start."),
                );
            }
            return 0;
        }
        Err(problems) if doctor => {
            return operation::doctor::of_broken_inputs(host.as_ref(), &delivery, &problems);
        }
        Err(problems) => {
            for problem in &problems {
                host.say(Level::Error, &problem.to_string());
            }
            if !host.has_outputs() {
                host.say(Level::Info, &inputs::problem::how_they_are_set(&problems));
            }
            return Exit::Inputs.code();
        }
    };
    match Run::new(&request, Arc::clone(&host), world, cancellation).to_its_end().await {
        Ok(code) => code,
        Err(failure) => {
            host.say(Level::Error, &failure.to_string());
            failure.exit.code()
        }
    }
}

/// Traces to standard error for as long as the guard lives, if anyone asked for it.
fn trace(early_settings: &EarlySettings, streams: Streams) -> Option<tracing::subscriber::DefaultGuard> {
    let filter: Targets = early_settings.log.as_ref()?.parse().ok()?;
    let lines = tracing_subscriber::fmt::layer().with_writer(streams).with_ansi(false).without_time();
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    Some(tracing::subscriber::set_default(subscriber))
}
