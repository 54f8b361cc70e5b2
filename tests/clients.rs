//! git and curl read what `output-file` writes for them, for every address that Azure DevOps shows.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use adopat::azure_devops::Organization;
use adopat::inputs::request::OutputFormat;
use adopat::output_file;
use adopat::outputs::Outputs;
use adopat::secret::Secret;
use base64::Engine as _;
use rstest::rstest;
use tempfile::TempDir;

/// The addresses of an organization that was given as `Fabrikam`, by Azure DevOps and by people.
const ADDRESSES: [&str; 12] = [
    "dev.azure.com/fabrikam/web/_git/site",
    "fabrikam@dev.azure.com/fabrikam/web/_git/site",
    "Fabrikam@dev.azure.com/Fabrikam/web/_git/site",
    "fabrikam.visualstudio.com/web/_git/site",
    "Fabrikam.visualstudio.com/DefaultCollection/web/_git/site",
    "fabrikam@fabrikam.visualstudio.com/web/_git/site",
    "Fabrikam@Fabrikam.visualstudio.com/web/_git/site",
    "pkgs.dev.azure.com/fabrikam/_packaging/feed/npm/registry/",
    "fabrikam@pkgs.dev.azure.com/fabrikam/_packaging/feed/pypi/simple/",
    "fabrikam.pkgs.visualstudio.com/_packaging/feed/nuget/v3/index.json",
    "Fabrikam.pkgs.visualstudio.com/_packaging/feed/nuget/v3/index.json",
    "fabrikam@fabrikam.pkgs.visualstudio.com/_packaging/feed/maven/v1",
];

fn pat() -> String {
    format!("FAKE{}AZDOFAKE", "a".repeat(72))
}

fn written(format: OutputFormat) -> (TempDir, PathBuf) {
    let outputs = Outputs { token: Some(Secret::new(pat())), changed: true, ..Outputs::default() };
    let organization = Organization::parse("Fabrikam").expect("an organization");
    let bytes = output_file::render(&outputs, format, &organization, None).expect("a PAT was minted");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pat");
    output_file::write(&path, &bytes).expect("written");
    (folder, path)
}

/// What git would sign in with, and nothing of this machine's own settings.
fn git_fills(store: &Path, settings: &[&str], address: &str) -> Option<String> {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "false");
    let helper = format!("credential.helper=store --file={}", store.display());
    command.args(["-c", &helper]).args(settings).args(["credential", "fill"]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("git is on every machine that builds this");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(format!("url=https://{address}\n\n").as_bytes())
        .expect("read");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines().find_map(|line| line.strip_prefix("password=")).map(str::to_owned)
}

#[test]
fn git_finds_the_pat_for_every_address() {
    let (_folder, store) = written(OutputFormat::GitCredentials);
    for address in ADDRESSES {
        assert_eq!(git_fills(&store, &[], address), Some(pat()), "{address}");
    }
    for address in ["dev.azure.example/fabrikam", "github.com/fabrikam", "someone@dev.azure.com/fabrikam"] {
        assert_eq!(git_fills(&store, &[], address), None, "{address}");
    }
}

/// Git Credential Manager sets useHttpPath for dev.azure.com where it is installed. A line without a path is then found
/// for no repository; the setting that docs/other-hosts.md names for it lets it be found.
#[test]
fn git_finds_the_pat_where_it_looks_at_paths_once_it_is_told_not_to() {
    let (_folder, store) = written(OutputFormat::GitCredentials);
    let paths = ["-c", "credential.https://dev.azure.com.useHttpPath=true"];
    let none = ["-c", "credential.https://dev.azure.com.useHttpPath=false"];
    for address in ADDRESSES {
        let host_alone = !address.contains("dev.azure.com/") || address.contains("pkgs.");
        assert_eq!(git_fills(&store, &paths, address), host_alone.then(pat), "{address}");
        assert_eq!(git_fills(&store, &[paths, none].concat(), address), Some(pat()), "{address}");
    }
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/other-hosts.md");
    assert!(std::fs::read_to_string(docs).expect("the page").contains(none[1]));
}

/// A server that tells the `Authorization` of each request.
fn listening() -> (u16, std::sync::mpsc::Receiver<Option<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let lines = BufReader::new(client.try_clone().expect("the same client")).lines();
            let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let basic = head.iter().find_map(|line| line.strip_prefix("Authorization: Basic "));
            let decoded = basic.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
            let _ = sender.send(decoded.and_then(|bytes| String::from_utf8(bytes).ok()));
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (port, receiver)
}

#[rstest]
fn curl_finds_the_pat_for_every_address() {
    let (_folder, netrc) = written(OutputFormat::Netrc);
    let (port, heard) = listening();
    let connect = format!("::127.0.0.1:{port}");
    for address in ADDRESSES {
        let curl = Command::new("curl")
            .env_clear()
            .args(["-s", "-m", "10", "--connect-to", &connect, "--netrc-file"])
            .arg(&netrc)
            .arg(format!("http://{address}"))
            .status();
        match curl {
            Ok(status) => assert!(status.success(), "{address}"),
            Err(_) => return eprintln!("skipped: curl is not on this machine"),
        }
        let sent = heard.recv().expect("a request").unwrap_or_default();
        assert_eq!(
            sent.split_once(':').map(|(_, password)| password),
            Some(pat().as_str()),
            "{address}: {sent}"
        );
    }
}
