//! Runs a program as a process. Before anything else, it makes sure that a panic shows nothing that was in memory,
//! keeps the memory from other processes, and listens for the signals that cancel the run.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;

use crate::failure::{Exit, Signal};
use crate::host::Streams;
use crate::http::reqwest_wire::ReqwestWire;
use crate::inputs::Environment;
use crate::inputs::request::EarlySettings;
use crate::secret::Register;
#[cfg(unix)]
use crate::signals;
use crate::time::Cancellation;
use crate::world::{SystemClock, SystemRandom, World};

/// The world outside, reached as the environment says.
pub type OpenWorld = fn(&EarlySettings) -> World;

/// Runs a program with this process's arguments, environment and streams, in the real world; its exit code.
pub fn run(
    program: impl AsyncFnOnce(&[OsString], &Environment, Streams, OpenWorld, Cancellation) -> u8,
) -> ExitCode {
    say_where_a_defect_is();
    keep_memory_private();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let environment: Environment = std::env::vars_os().collect();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(why) => {
            eprintln!("adopat: error: The system does not let adopat run: {why}. Nothing was sent.");
            return ExitCode::from(Exit::Defect.code());
        }
    };
    let code = runtime.block_on(async {
        let cancellation = hear_signals();
        let streams = Streams::standard(Register::default(), cancellation.clone());
        program(&arguments, &environment, streams, real_world, cancellation).await
    });
    ExitCode::from(code)
}

/// The fewest files that may be open for a run to get by: its streams, its event queues, its signals, one connection
/// and one file.
#[cfg(unix)]
const FEWEST_FILES: u64 = 16;

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    #[cfg(unix)]
    if let Some(files @ ..FEWEST_FILES) =
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current
    {
        let why = format!("it may open {files} files only, and needs {FEWEST_FILES} (ulimit -n)");
        return Err(io::Error::other(why));
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn real_world(early_settings: &EarlySettings) -> World {
    World {
        wire: Arc::new(ReqwestWire::new(early_settings.proxy.clone(), early_settings.authorities.clone())),
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

/// The first signal that cancels the run; a second one changes nothing. From its return on, no signal ends the process
/// between the making of a file and its removal.
///
/// A thread of its own listens, so that a signal is heard while the run waits for the reader of what it prints.
fn hear_signals() -> Cancellation {
    let (cancel, cancellation) = watch::channel(None);
    let (ready, heard) = std::sync::mpsc::channel();
    let (for_a_task, ready_too) = (cancel.clone(), ready.clone());
    let listen = move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            runtime.block_on(listen_for_signals(cancel, ready));
        }
    };
    match std::thread::Builder::new().name("signals".into()).spawn(listen) {
        Ok(_) => {
            drop((for_a_task, ready_too));
            let _ = heard.recv();
        }
        // No thread is to be had: the run's own will do.
        Err(_) => drop(tokio::spawn(listen_for_signals(for_a_task, ready_too))),
    }
    cancellation
}

#[cfg(unix)]
async fn listen_for_signals(cancel: watch::Sender<Option<Signal>>, ready: std::sync::mpsc::Sender<()>) {
    use rustix::process::Signal as System;
    use tokio::signal::unix::{SignalKind, signal};
    signals::note_senders();
    let listen = |each: System| {
        let listened = (!signals::is_ignored(each)).then(|| signal(SignalKind::from_raw(each.as_raw())));
        listened.and_then(Result::ok)
    };
    // A limit on the size of files must end the write, not the process, which still has a PAT to revoke.
    drop(listen(System::XFSZ));
    // Ignored, the system would not tell how a command ended. No program that is started inherits what is heard here.
    drop(signal(SignalKind::child()));
    let [mut interrupt, mut terminate, mut sighup, mut out_of_time] =
        [System::INT, System::TERM, System::HUP, System::XCPU].map(listen);
    drop(ready);
    loop {
        let signal = tokio::select! {
            () = next(&mut interrupt) => Signal::Interrupt,
            () = next(&mut terminate) => Signal::Terminate,
            () = next(&mut sighup) => Signal::HangUp,
            // A limit on the processor's time: the system asks once before it kills.
            () = next(&mut out_of_time) => Signal::Terminate,
        };
        note(&cancel, signal);
    }
}

/// The next of these; of none there is no next.
#[cfg(unix)]
async fn next(signals: &mut Option<tokio::signal::unix::Signal>) {
    let heard = match signals {
        Some(signals) => signals.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending().await
    }
}

#[cfg(windows)]
async fn listen_for_signals(cancel: watch::Sender<Option<Signal>>, ready: std::sync::mpsc::Sender<()>) {
    use tokio::signal::windows::{ctrl_break, ctrl_c};
    let (Ok(mut interrupt), Ok(mut terminate)) = (ctrl_c(), ctrl_break()) else { return };
    drop(ready);
    loop {
        let signal = tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        };
        note(&cancel, signal);
    }
}

fn note(cancel: &watch::Sender<Option<Signal>>, signal: Signal) {
    cancel.send_if_modified(|first| first.is_none() && first.replace(signal).is_none());
}
