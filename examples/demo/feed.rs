//! What needs the PAT: something that reads from Azure DevOps with it, as a package manager would.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;

use base64::Engine as _;

/// Asks the organization's `connectionData` as the owner of the PAT, and returns the HTTP status.
pub fn ask(feed: &str, token: &str) -> io::Result<u16> {
    let address = feed.strip_prefix("http://").ok_or_else(|| io::Error::other("the emulator speaks http"))?;
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let basic = base64::engine::general_purpose::STANDARD.encode(format!(":{token}"));
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {basic}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

/// The command under `adopat exec`: finds the PAT in its environment. It even prints it, as careless commands do.
pub fn download(feed: &str) -> ExitCode {
    let token = std::env::var("ADO_PAT").unwrap_or_default();
    println!("download: this is a careless command, which prints its PAT: {token}");
    match ask(feed, &token) {
        Ok(status) => {
            println!("download: HTTP {status}");
            if status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("download: {error}");
            ExitCode::FAILURE
        }
    }
}
