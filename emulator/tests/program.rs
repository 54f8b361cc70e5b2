//! The program prints what a shell needs, serves, and clears up when it is stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_adopat-emulator");

#[test]
fn it_explains_itself_and_refuses_what_it_does_not_know() {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--tls"));
    let misused = Command::new(PROGRAM).arg("--nonsense").output().unwrap();
    assert_eq!(misused.status.code(), Some(2));
    assert!(String::from_utf8(misused.stderr).unwrap().contains("--nonsense"));
}

#[cfg(unix)]
#[test]
fn it_serves_until_it_is_stopped() {
    let mut program = Command::new(PROGRAM).args(["--seed", "3"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut exports = std::collections::HashMap::new();
    for line in BufReader::new(program.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
        exports.insert(name.to_owned(), value.trim_matches('\'').to_owned());
        if name == "SSL_CERT_FILE" {
            break;
        }
    }
    assert!(exports["ADOPAT_REFRESH_TOKEN"].starts_with("1.AXXX-fake-"));
    assert!(exports["VAULT_URL"].starts_with("https://127.0.0.1:"));
    let authority = Path::new(&exports["SSL_CERT_FILE"]).to_owned();
    assert!(authority.exists());

    let mut stream = TcpStream::connect(exports["ADOPAT_DEVOPS_URL"].replace("http://", "")).unwrap();
    stream.write_all(b"HEAD /fabrikam HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");

    let killed = Command::new("kill").arg(program.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(program.wait().unwrap().success());
    assert!(!authority.exists());
}
