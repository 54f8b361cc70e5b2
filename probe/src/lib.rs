//! Holds Microsoft Entra and the PAT service of Azure DevOps to what is known of them.
//!
//! *One list of [expectations], each looked at through adopat's own wire, makes three things: a report on the live
//! services, the emulator's test, and the table in its README that says how true it is.* The map:
//!
//! - [`expectation`]: what one is; [`expectations`]: all of them, one file an area;
//! - [`scene`]: what an observation works with: the user, the ledger of PATs, the limits; `exhibits`: what several look
//!   at; `call`: one raw request; [`seen`]: an answer, and the words for it;
//! - [`watch`]: the wire that counts the requests, and keeps what the sign-in looked like;
//! - `clean_up`: no PAT is left alive; [`report`], [`fidelity`]: the two tables.

pub mod arguments;
mod call;
mod clean_up;
mod exhibits;
pub mod expectation;
pub mod expectations;
pub mod fidelity;
pub mod report;
pub mod scene;
pub mod seen;
pub mod watch;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use adopat::azure_devops::hosts;
use adopat::failure::{Exit, Failure};
use adopat::host::{Host, Level, Streams};
use adopat::inputs::request::EarlySettings;
use adopat::inputs::{Arguments, Environment, Flags, Inputs, Request};
use adopat::operation::Run;
use adopat::operation_name::OperationName;
use adopat::pats::Pat;
use adopat::pats::model::Filter;
use adopat::time::Cancellation;
use adopat::world::World;
use tokio::time::Instant;

use crate::arguments::{CommandLine, HELP, Options};
use crate::clean_up::{Left, clean_up};
use crate::expectation::{Check, Unobserved};
use crate::report::{Report, Row};
use crate::scene::{Client, PREFIX, Scene};
use crate::watch::Watched;

/// How much of the access token's life is left for cleaning up.
const TO_CLEAN_UP: Duration = Duration::from_secs(120);

/// The exit code where a PAT of an earlier probe is alive.
pub const OLDER: u8 = 8;

/// Runs the probe: arguments and environment in, a report out, and the exit code.
///
/// `open_world` is given what the environment says of the network.
pub async fn run(
    arguments: &[OsString],
    environment: &Environment,
    streams: Streams,
    open_world: impl FnOnce(&EarlySettings) -> World,
    cancellation: Cancellation,
) -> u8 {
    let mut inputs = Inputs::read(environment, &Flags::default());
    let world = open_world(&inputs.early_settings);
    let streams = streams.coloured(false);
    inputs.hosts_secrets.iter().for_each(|secret| drop(streams.register().add(secret.forms())));
    // Standard output is the report's alone.
    let host = adopat::open_host(&inputs.delivery, &world, streams.clone(), true);
    let options = match CommandLine::parse(arguments) {
        CommandLine::Probe(options) => options,
        CommandLine::Help => {
            streams.print_plainly(HELP);
            return 0;
        }
        CommandLine::Version => {
            streams.print_plainly(concat!("adopat-probe ", env!("CARGO_PKG_VERSION"), "\n"));
            return 0;
        }
        CommandLine::Misused(sentence) => {
            host.say(Level::Error, &format!("{sentence}. 'adopat-probe --help' lists everything."));
            return Exit::Inputs.code();
        }
    };
    std::mem::take(&mut inputs.secrets).iter().for_each(|secret| host.mask(secret));
    // It reads PATs, and needs what reading them needs.
    let arguments = Arguments { operation: Some(OperationName::List), ..Arguments::default() };
    let (warnings, request) = inputs.into_request(&arguments, environment);
    warnings.iter().for_each(|warning| host.say(Level::Warning, warning));
    let request = match request {
        Ok(request) => request,
        Err(problems) => {
            problems.iter().for_each(|problem| host.say(Level::Error, &problem.to_string()));
            return Exit::Inputs.code();
        }
    };
    match probe(&request, &options, &host, &streams, world, cancellation).await {
        Ok(code) => code,
        Err(failure) => {
            host.say(Level::Error, &failure.to_string());
            failure.exit.code()
        }
    }
}

async fn probe(
    request: &Request,
    options: &Options,
    host: &Arc<dyn Host>,
    streams: &Streams,
    world: World,
    cancellation: Cancellation,
) -> Result<u8, Failure> {
    let begun = world.clock.now();
    let watched = Arc::new(Watched::new(world.wire, request.places.clone()));
    let wire = Arc::clone(&watched) as Arc<dyn adopat::world::Wire>;
    let run = Run::new(request, Arc::clone(host), World { wire, ..world }, cancellation);
    let tokens = run.sign_in().await?;
    let organization = request.organization.clone().expect("listing PATs needs one");
    let client =
        Client { id: request.sign_in.client_id.clone(), confidential: request.sign_in.proof.is_some() };
    // Cleaning up needs a token that is alive.
    let life = tokens.expires.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
    let deadline = run.http().deadline();
    let deadline = deadline.at_most(life.saturating_sub(TO_CLEAN_UP).min(deadline.left()));
    let http = run.http().with_deadline(deadline);
    let places = request.places.clone();
    let scene =
        Scene::new(http, places, organization, &tokens, client, Arc::clone(host), Arc::clone(&watched));

    let before = scene.service().list(Filter::Active).await?;
    let older: Vec<&Pat> = before.iter().filter(|pat| pat.display_name.starts_with(PREFIX)).collect();
    if !older.is_empty() && !options.revoke_older {
        older.iter().for_each(|pat| host.say(Level::Warning, &format!("Alive: {}.", named(pat))));
        host.say(
            Level::Error,
            "PATs of an earlier probe, or of one that is running now, are alive, so this one does not start. To \
             revoke them first, run 'adopat-probe --revoke-older'.",
        );
        return Ok(OLDER);
    }
    for pat in older {
        scene.service().revoke(&pat.authorization_id).await?;
        host.say(Level::Info, &format!("Revoked: {}.", named(pat)));
    }

    let (rows, ended) = look(&scene, host.as_ref()).await;
    let left = clean_up(&scene, &before).await;
    let live = !hosts::is_loopback(&request.places.service_url);
    let report = Report {
        begun,
        live,
        rows,
        requests: watched.count(),
        ended: ended.as_ref().map(|failure| failure.cause.clone()),
        left_over: left.alive.len(),
    };
    streams.print_plainly(&streams.register().redact(&report.to_markdown()));
    Ok(exit_code(host.as_ref(), &left, &scene.name, ended))
}

/// Looks at one expectation after the other. Where the run ends before the last, the rest is not looked at.
async fn look(scene: &Scene, host: &dyn Host) -> (Vec<Row>, Option<Failure>) {
    let (mut rows, mut ended) = (Vec::new(), None);
    for expectation in expectations::all() {
        let seen = match expectation.check {
            Check::NotProbed(None) => continue,
            Check::NotProbed(Some(why)) => Err(why.to_owned()),
            Check::Shows(..) if ended.is_some() => Err("the run ended before".to_owned()),
            Check::Shows(_, observe) => {
                host.say(Level::Info, &format!("Looking at {}.", expectation.name));
                match observe(scene).await {
                    Ok(seen) => Ok(seen),
                    Err(Unobserved::Hidden(why)) => Err(why),
                    Err(Unobserved::Ended(failure)) => {
                        ended = Some(failure);
                        Err("the run ended here".to_owned())
                    }
                }
            }
        };
        rows.push(Row { expectation, seen });
    }
    (rows, ended)
}

/// What is left alive counts most, since a cancelled run promises that nothing is.
fn exit_code(host: &dyn Host, left: &Left, name: &str, ended: Option<Failure>) -> u8 {
    if let Some(failure) = &ended {
        host.say(Level::Error, &failure.to_string());
    }
    for id in &left.alive {
        let why = left.why.as_ref().map_or(String::new(), ToString::to_string);
        host.say(
            Level::Error,
            &format!("The PAT {id} may still be alive. Revoke it with 'adopat revoke', authorization-id {id}. {why}"),
        );
    }
    if let Some(failure) = &left.unknown {
        host.say(
            Level::Error,
            &format!(
                "Whether a PAT named {name}... is still alive could not be found out; they end within the hour. \
                 'adopat-probe --revoke-older' revokes them. {failure}"
            ),
        );
    }
    match ended {
        _ if !left.alive.is_empty() || left.unknown.is_some() => Exit::Service.code(),
        Some(failure) => failure.exit.code(),
        None => 0,
    }
}

fn named(pat: &Pat) -> String {
    format!("{} ({})", pat.display_name, pat.authorization_id)
}
