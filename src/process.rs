//! A program as a process: before anything else it tells of a defect without showing what was in memory, keeps its
//! memory to itself, and hears the signals that cancel it.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;

use crate::failure::Signal;
#[cfg(unix)]
use crate::hang_up;
use crate::host::Streams;
use crate::http::reqwest_wire::ReqwestWire;
use crate::inputs::Environment;
use crate::inputs::request::Surroundings;
use crate::patience::Cancellation;
use crate::secret::Register;
use crate::world::{SystemClock, SystemRandom, World};

/// The world outside, reached as the environment says.
pub type OpenWorld = fn(&Surroundings) -> World;

/// Runs a program with this process's arguments, environment and streams, in the real world; its exit code.
pub fn run(
    program: impl AsyncFnOnce(&[OsString], &Environment, Streams, OpenWorld, Cancellation) -> u8,
) -> ExitCode {
    say_where_a_defect_is();
    keep_memory_private();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let environment: Environment = std::env::vars_os().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = runtime.expect("the system gives a process its event queue").block_on(async {
        let (cancel, cancellation) = watch::channel(None);
        listen_for_signals(cancel);
        let streams = Streams::standard(Register::default());
        program(&arguments, &environment, streams, real_world, cancellation).await
    });
    ExitCode::from(code)
}

fn real_world(surroundings: &Surroundings) -> World {
    World {
        wire: Arc::new(ReqwestWire::new(surroundings.proxy.clone(), surroundings.authorities.clone())),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    }
}

/// A panic's own message could hold anything; where it happened is enough to find it.
fn say_where_a_defect_is() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
        eprintln!(
            "adopat: error: this is a defect in adopat{place}; please report it. A PAT made by this run may be alive: look with 'adopat list'."
        );
        std::process::exit(1);
    }));
}

/// No core dump, and on Linux no other process of this user, may show what is in memory.
fn keep_memory_private() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..getrlimit(Resource::Core) });
    }
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Tells of the first signal that cancels the run; a second one changes nothing. From its return on, no signal ends
/// the process between the making of a file and its removal.
#[cfg(unix)]
fn listen_for_signals(cancel: watch::Sender<Option<Signal>>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let mut hang_up = if hang_up::is_ignored() { None } else { signal(SignalKind::hangup()).ok() };
    tokio::spawn(async move {
        let mut hung_up = async || match &mut hang_up {
            Some(hang_up) => hang_up.recv().await,
            None => std::future::pending().await,
        };
        loop {
            let signal = tokio::select! {
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
                _ = hung_up() => Signal::HangUp,
            };
            note(&cancel, signal);
        }
    });
}

/// Tells of the first Ctrl-C or Ctrl-Break; a second one changes nothing.
#[cfg(windows)]
fn listen_for_signals(cancel: watch::Sender<Option<Signal>>) {
    use tokio::signal::windows::{ctrl_break, ctrl_c};
    let (Ok(mut interrupt), Ok(mut terminate)) = (ctrl_c(), ctrl_break()) else { return };
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
            };
            note(&cancel, signal);
        }
    });
}

fn note(cancel: &watch::Sender<Option<Signal>>, signal: Signal) {
    cancel.send_if_modified(|first| first.is_none() && first.replace(signal).is_none());
}
