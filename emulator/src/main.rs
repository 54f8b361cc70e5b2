//! The emulator as a program: prints where everything is, as lines for a shell, and serves until it is stopped.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use adopat_emulator::{Emulator, Fault, NewPat, Service, cast};

const HELP: &str = "\
Microsoft Entra and the Azure DevOps PAT lifecycle API on loopback, for tests.

Usage: adopat-emulator [--tls] [--seed NUMBER] [--pats NUMBER] [--latency MILLISECONDS]

  --tls                   everything over TLS, not the vault alone
  --seed NUMBER           what everything random follows from (default 1)
  --pats NUMBER           so many PATs are there from the start (default 0)
  --latency MILLISECONDS  each request waits so long before it is looked at (default 0)
  --help                  this text
  --version               the version

Prints its addresses and a refresh token that is ready to use as lines for a shell, and serves until it is stopped
(Ctrl-C):

  adopat-emulator > emulator.env &
  sleep 1; . ./emulator.env

SSL_CERT_FILE is among them: in that shell nothing but the emulator is trusted. Nothing is kept between two runs.
";

fn main() -> ExitCode {
    let mut builder = Emulator::builder();
    let (mut pats, mut latency) = (0, Duration::ZERO);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return finish(print(HELP)),
            "--version" | "-V" => {
                return finish(print(concat!("adopat-emulator ", env!("CARGO_PKG_VERSION"), "\n")));
            }
            "--tls" => builder = builder.tls(true),
            "--seed" => match arguments.next().and_then(|number| number.parse().ok()) {
                Some(seed) => builder = builder.seed(seed),
                None => return misused("--seed needs a number"),
            },
            "--pats" => match arguments.next().and_then(|number| number.parse().ok()) {
                Some(number) => pats = number,
                None => return misused("--pats needs a number"),
            },
            "--latency" => match arguments.next().and_then(|number| number.parse().ok()) {
                Some(number) => latency = Duration::from_millis(number),
                None => return misused("--latency needs a number of milliseconds"),
            },
            other => return misused(&format!("unknown argument '{other}'")),
        }
    }
    let emulator = builder.start();
    for number in 0..pats {
        emulator.add_pat(NewPat::named(&format!("pipeline {number:05}")).scope("vso.build vso.packaging"));
    }
    if !latency.is_zero() {
        for service in Service::ALL {
            emulator.order(Fault::on(service).always().delay_before(latency));
        }
    }
    finish(print(&exports(&emulator)).and_then(|()| wait_until_stopped()))
}

/// Ends with Ctrl-C, or where there is such a thing with SIGTERM, so that the CA's file is cleared away.
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
    let lines = [
        ("ADOPAT_ORGANIZATION", cast::ORGANIZATION.to_owned()),
        ("ADOPAT_TENANT_ID", cast::TENANT.to_string()),
        ("ADOPAT_CLIENT_ID", cast::CLIENT_ID.to_string()),
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
    ];
    lines.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect()
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn finish(printed: io::Result<()>) -> ExitCode {
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn misused(why: &str) -> ExitCode {
    eprintln!("adopat-emulator: {why}; see --help");
    ExitCode::from(2)
}
