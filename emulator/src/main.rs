//! The emulator as a program: prints where everything is, as lines for a shell, and serves until it is stopped.
#![forbid(unsafe_code)]

mod arguments;

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use adopat_emulator::{Emulator, Fault, NewPat, Service};

use crate::arguments::{CommandLine, Serve};

/// The last of the lines that are printed: who reads them waits for this one.
const LAST: &str = "EMULATOR_PID";

fn main() -> ExitCode {
    let done = match CommandLine::parse(std::env::args().skip(1)) {
        CommandLine::Help => print(&arguments::help()),
        CommandLine::Version => print(concat!("adopat-emulator ", env!("CARGO_PKG_VERSION"), "\n")),
        CommandLine::Misused(why) => {
            eprintln!("adopat-emulator: {why}; see --help");
            return ExitCode::from(2);
        }
        CommandLine::Serve(serve) if serve.background => in_background(),
        CommandLine::Serve(serve) => self::serve(*serve),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("adopat-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(serve: Serve) -> io::Result<()> {
    if !serve.interface.is_loopback() {
        eprintln!("adopat-emulator: anyone who can reach {} can use every token in it.", serve.interface);
    }
    let emulator = serve.builder.try_start()?;
    for number in 0..serve.pats {
        emulator.add_pat(NewPat::named(&format!("pipeline {number:05}")).scope("vso.build vso.packaging"));
    }
    if !serve.latency.is_zero() {
        for service in Service::ALL {
            emulator.order(Fault::on(service).always().delay_before(serve.latency));
        }
    }
    let lines = exports(&emulator);
    let file = serve.folder.as_deref().map(|folder| folder.join("emulator.env"));
    if let Some(file) = &file {
        write_whole(file, &lines)?;
    }
    print(&lines)?;
    let stopped = wait_until_stopped();
    if let Some(file) = &file {
        let _ = std::fs::remove_file(file);
    }
    stopped
}

/// A program that waits for the file to appear finds all of it there.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let beside = file.with_extension("env.new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, file)
}

/// Serves in a process of its own, and passes on what that prints.
fn in_background() -> io::Result<()> {
    let others = std::env::args_os().skip(1).filter(|argument| argument != "--background");
    let mut child = Command::new(std::env::current_exe()?)
        .args(others)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = String::new();
    let mut printed = BufReader::new(child.stdout.take().expect("it was piped"));
    while !lines.lines().last().is_some_and(|line| line.starts_with(&format!("export {LAST}="))) {
        if printed.read_line(&mut lines)? == 0 {
            let status = child.wait()?;
            return Err(io::Error::other(format!("it does not serve: {status}")));
        }
    }
    print(&lines)
}

/// Ends with Ctrl-C, or if there is such a thing with SIGTERM, so that the CA's file is cleared away.
fn wait_until_stopped() -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminated = signal(SignalKind::terminate())?;
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => interrupted,
                _ = terminated.recv() => Ok(()),
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await
    })
}

fn exports(emulator: &Emulator) -> String {
    let (identity_endpoint, identity_header) = emulator.app_service_endpoint();
    let (organization, client_id) = emulator.firsts();
    let lines = [
        ("ADOPAT_ORGANIZATION", organization.name),
        ("ADOPAT_TENANT_ID", organization.tenant.to_string()),
        ("ADOPAT_CLIENT_ID", client_id.to_string()),
        ("ADOPAT_AUTHORITY_HOST", emulator.url(Service::Entra)),
        ("ADOPAT_SERVICE_URL", emulator.url(Service::Pats)),
        ("ADOPAT_DEVOPS_URL", emulator.url(Service::DevOps)),
        ("ADOPAT_GITHUB_API_URL", emulator.url(Service::GitHub)),
        ("ADOPAT_GITHUB_TOKEN", emulator.github_token()),
        ("VAULT_URL", emulator.url(Service::Vault)),
        ("IDENTITY_ENDPOINT", identity_endpoint),
        ("IDENTITY_HEADER", identity_header),
        ("ADOPAT_REFRESH_TOKEN", emulator.refresh_token()),
        ("SSL_CERT_FILE", emulator.ca_pem_path().display().to_string()),
        (LAST, std::process::id().to_string()),
    ];
    // In a container the program is process 1, which outside of it is another.
    let lines = lines.iter().filter(|(name, value)| *name != LAST || value != "1");
    lines.map(|(name, value)| format!("export {name}='{}'\n", value.replace('\'', r"'\''"))).collect()
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
