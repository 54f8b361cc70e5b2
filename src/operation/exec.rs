//! `exec`: a command with a PAT of its own, which lives no longer than the command.
//!
//! Nothing is handed out and nothing is left, whatever becomes of the command: it works on every host, with
//! no need for a mask.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use tokio::time::Instant;

use super::find::describe;
use super::lifecycle::{Made, MintRequest, may_be_alive, mint};
use super::plan::new_pat;
use super::sign_in::{self, Session};
use super::{Run, delivery};
use crate::executable::{self, NotRunnable};
use crate::failure::{Exit, Failure};
use crate::feed::{ClientLogin, PackageClient, Variables};
use crate::inputs::request::Exec;
use crate::output_file;
use crate::outputs::Outputs;
use crate::pats::{Minted, Revocation};
use crate::signals::{self, Signals};
use crate::time::to_the_second;

/// What a shell answers if there is no such command.
const NOT_FOUND: u8 = 127;
/// What a shell answers if there is one that cannot be run.
const NOT_EXECUTABLE: u8 = 126;

pub(super) async fn exec(run: &Run<'_>, exec: &Exec) -> Result<u8, Failure> {
    let program = match executable::find(&exec.command[0], executable::path_in(&exec.environment)) {
        Ok(program) => program,
        Err(NotRunnable { is_missing, why }) => {
            let name = exec.command[0].display().to_string();
            let named = if name.is_empty() { name } else { format!(": {name}") };
            run.error(format!("The command {why}{named}. No PAT was created."));
            return Ok(if is_missing { NOT_FOUND } else { NOT_EXECUTABLE });
        }
    };
    let signals = Signals::of_a_command().map_err(|error| defect("listen for signals", &error))?;
    if exec.clients.contains(&PackageClient::Yarn) {
        run.warn(
            "yarn sends the PAT to every registry that the project names without credentials of its own. If it names \
             others than the feed, use output-format yarnrc, which binds the PAT to the feed.",
        );
    }
    let session = sign_in::sign_in(run).await?;
    let now = run.now().await;
    let name = match exec.is_dated {
        true => format!("{} {}", exec.display_name, to_the_second(now)),
        false => exec.display_name.clone(),
    };
    let new = new_pat(&name, &exec.scope, exec.expiry, now);
    let mint_request = MintRequest {
        new: &new,
        before: None,
        minting: &exec.minting,
        exact_scope: false,
        to_the_job: None,
        on_completion: None,
    };
    let mut made = mint(run, &session, &mint_request).await?;
    made.take_issues().iter().for_each(|issue| run.warn(issue));
    let outputs = Outputs {
        token: Some(made.minted.token.clone()),
        subject: Some(made.minted.pat.clone()),
        changed: true,
        ..Outputs::default()
    };
    let file = match delivery::replace_output_file(run, &outputs) {
        Ok(file) => file,
        Err(failure) => return Err(made.roll_back(&session, failure).await),
    };
    let begun = Instant::now();
    let ended = command(run, exec, &program, &made.minted, signals).await;
    run.deadline().grant(begun.elapsed());
    if let Some((path, previous)) = file
        && let Err(failure) = output_file::restore(path, &previous)
    {
        run.warn(failure.to_string());
    }
    revoke(run, &session, made).await;
    match ended {
        Ok(status) => Ok(code_of(status)),
        Err(error) => {
            run.error(format!("The command could not be started: {error}."));
            Ok(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
        }
    }
}

/// Runs the command to its end, with the PAT in its environment, and passes signals on.
async fn command(
    run: &Run<'_>,
    exec: &Exec,
    program: &Path,
    minted: &Minted,
    mut signals: Signals,
) -> io::Result<ExitStatus> {
    let mut command = tokio::process::Command::new(program);
    #[cfg(unix)]
    command.arg0(&exec.command[0]);
    let sign_in = ClientLogin {
        organization: run.organization(),
        feed: run.request.delivery.feed.as_ref(),
        token: &minted.token,
        variable: &exec.variable,
        git_entries: exec.git_entries,
    };
    let of_clients: Variables = exec.clients.iter().flat_map(|client| client.variables(&sign_in)).collect();
    command
        .args(&exec.command[1..])
        .env_clear()
        .envs(exec.environment.iter().map(|(name, value)| (name, value)))
        .envs(of_clients.iter().map(|(name, value)| (name, value.expose())))
        .env(&exec.variable, OsStr::new(minted.token.expose()));
    let mut child = command.spawn()?;
    drop(command);
    loop {
        tokio::select! {
            status = child.wait() => return status,
            signal = signals.next() => pass_on(signal, &child),
        }
    }
}

/// Whether a fresh access token may help: what the service says of one that has died is not to be told from what
/// it says of a person it does not let in.
fn may_have_died(failure: &Failure) -> bool {
    matches!(failure.exit, Exit::SignIn | Exit::Refused)
}

/// Revokes the PAT; signs in once more if the access token has died while the command ran. What cannot be
/// revoked is named, and the command's own code stays.
async fn revoke(run: &Run<'_>, session: &Session, mut made: Made<'_>) {
    let run = run.cleaning_up();
    let pat = &made.minted.pat;
    let mut service = session.service.with_deadline(run.deadline().clone());
    let mut outcome = None;
    if session.is_still_good() {
        outcome = Some(service.revoke(&pat.authorization_id).await);
    }
    let outcome = match outcome {
        Some(Err(undone)) if !may_have_died(&undone.why) => Err(undone.why),
        Some(Ok(revocation)) => Ok(revocation),
        died => match sign_in::tokens_again(&run, session).await {
            Ok(tokens) => {
                service = service.with_bearer(tokens.access_token);
                let may_be_done = matches!(died, Some(Err(undone)) if undone.is_in_doubt());
                match service.revoke(&pat.authorization_id).await {
                    Ok(Revocation::Missing) if may_be_done => Ok(Revocation::Done),
                    outcome => outcome.map_err(Failure::from),
                }
            }
            Err(failure) => Err(died.and_then(Result::err).map_or(failure, Failure::from)),
        },
    };
    match outcome {
        Ok(Revocation::Done) => run.info(format!("Revoked {}.", describe(pat))),
        Ok(Revocation::Missing) => run.info(format!("{} was gone already.", describe(pat))),
        Err(failure) => run.warn(may_be_alive(pat, &failure)),
    }
    for issue in made.look_once_more(&service).await {
        run.warn(issue);
    }
}

fn code_of(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    // Windows knows codes beyond a byte; those that do not fit must not look like a success.
    status.code().map_or(1, |code| u8::try_from(code).unwrap_or(u8::MAX))
}

fn defect(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Defect, format!("The system does not let adopat {what}: {error}."), "")
}

/// Passes a signal on to the command; not one that the command has heard already.
#[cfg(unix)]
fn pass_on(signal: signals::Signal, child: &tokio::process::Child) {
    if signals::was_sent_by_the_terminal(signal) {
        return;
    }
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        let _ = rustix::process::kill_process(id, signal);
    }
}

/// On Windows Ctrl-C and Ctrl-Break reach every process of the console: the command has them already, and adopat only
/// has to outlive it.
#[cfg(windows)]
fn pass_on((): signals::Signal, _child: &tokio::process::Child) {}
