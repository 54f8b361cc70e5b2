//! The program prints what a shell needs, serves, and clears up when it is stopped.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_adopat-emulator");
const README: &str = include_str!("../README.md");

type Exports = HashMap<String, String>;

/// What the lines for a shell say.
fn exports(lines: impl Iterator<Item = String>) -> Exports {
    let mut exports = HashMap::new();
    for line in lines {
        let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
        exports.insert(name.to_owned(), value.trim_matches('\'').to_owned());
        if name == "EMULATOR_PID" {
            break;
        }
    }
    exports
}

/// The program in the foreground, ready.
fn started(arguments: &[&str]) -> (Child, Exports) {
    let mut program = Command::new(PROGRAM).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    (program, exports(lines))
}

fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// An access token for the refresh token that was printed.
fn access_token(exports: &Exports) -> String {
    let body = format!(
        "grant_type=refresh_token&client_id={}&refresh_token={}&scope=499b84ac-1321-427f-aa17-267ca6975798%2F.default",
        exports["ADOPAT_CLIENT_ID"], exports["ADOPAT_REFRESH_TOKEN"]
    );
    let path = format!("/{}/oauth2/v2.0/token", exports["ADOPAT_TENANT_ID"]);
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = ask(&exports["ADOPAT_AUTHORITY_HOST"], "POST", &path, kind, &body);
    let json = answer.split_once("\r\n\r\n").unwrap().1;
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    json["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The answer to a call with that token.
fn get(exports: &Exports, service: &str, path: &str) -> String {
    let headers = format!("Authorization: Bearer {}\r\n", access_token(exports));
    ask(&exports[service], "GET", path, &headers, "")
}

#[test]
fn it_explains_itself_and_refuses_what_it_does_not_know() {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help_text = String::from_utf8(help.stdout).unwrap();
    assert!(help.status.success() && help_text.contains("--tls") && help_text.contains("maximum-lifespan"));
    for (arguments, why) in [
        (&["--nonsense"][..], "unknown argument '--nonsense'"),
        (&["--seed"], "--seed needs a number"),
        (&["--seed", "x"], "--seed needs a number, and 'x' is none"),
        (&["--policy", "creation"], "'creation' is not a policy; use NAME=VALUE"),
        (&["--policy", "creation=no"], "'no' is not a value of the policy 'creation'"),
        (&["--scenario", "no-such-file"], "no-such-file cannot be read"),
        (&["--listen", "nowhere"], "'nowhere' is not an IP address"),
    ] {
        let misused = Command::new(PROGRAM).args(arguments).output().unwrap();
        assert_eq!(misused.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8(misused.stderr).unwrap();
        assert!(said.contains(why), "{arguments:?}: {said}");
        assert!(misused.stdout.is_empty());
    }
    let folder = Command::new(PROGRAM).args(["--folder", "/no/such/folder"]).output().unwrap();
    assert_eq!(folder.status.code(), Some(1));
}

#[cfg(unix)]
fn stop(mut program: Child) {
    let killed = Command::new("kill").arg(program.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(program.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn it_serves_until_it_is_stopped() {
    let (program, exports) = started(&["--seed", "3"]);
    assert!(exports["ADOPAT_REFRESH_TOKEN"].starts_with("1.AXXX-fake-"));
    assert!(exports["VAULT_URL"].starts_with("https://127.0.0.1:"));
    assert_eq!(exports["EMULATOR_PID"], program.id().to_string());
    let authority = Path::new(&exports["SSL_CERT_FILE"]).to_owned();
    assert!(authority.exists());
    let answer = ask(&exports["ADOPAT_DEVOPS_URL"], "HEAD", "/fabrikam", "", "");
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
    stop(program);
    assert!(!authority.exists());
}

#[cfg(unix)]
#[test]
fn what_the_documentation_names_is_there() {
    let (program, exports) = started(&[]);
    let groups = "/fabrikam/website/_apis/distributedtask/variablegroups?groupName=adopat&api-version=7.1";
    assert!(get(&exports, "ADOPAT_DEVOPS_URL", groups).contains("\"count\":1"));
    let feed = "/fabrikam/website/_apis/serviceendpoint/endpoints?endpointNames=feed&api-version=7.1";
    assert!(get(&exports, "ADOPAT_DEVOPS_URL", feed).contains("\"count\":1"));
    let headers =
        format!("Authorization: Bearer {}\r\nUser-Agent: tests\r\n", exports["ADOPAT_GITHUB_TOKEN"]);
    for path in ["actions", "environments/production"] {
        let path = format!("/repos/fabrikam/website/{path}/secrets/public-key");
        let answer = ask(&exports["ADOPAT_GITHUB_API_URL"], "GET", &path, &headers, "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    stop(program);
}

#[cfg(unix)]
#[test]
fn names_and_policies_can_be_given() {
    let (program, exports) = started(&[
        "--organization",
        "contoso",
        "--organization",
        "shop",
        "--project",
        "backend",
        "--policy",
        "creation=none",
    ]);
    assert_eq!(exports["ADOPAT_ORGANIZATION"], "contoso");
    let groups = "/contoso/backend/_apis/distributedtask/variablegroups?api-version=7.1";
    assert!(get(&exports, "ADOPAT_DEVOPS_URL", groups).starts_with("HTTP/1.1 200"));
    let wish = r#"{"displayName":"x","scope":"vso.code","validTo":"2026-12-24T12:00:00Z","allOrgs":false}"#;
    let headers =
        format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", access_token(&exports));
    for organization in ["contoso", "shop"] {
        let path = format!("/{organization}/_apis/tokens/pats?api-version=7.1-preview.1");
        let answer = ask(&exports["ADOPAT_SERVICE_URL"], "POST", &path, &headers, wish);
        assert!(answer.contains("disablePatCreationPolicyViolation"), "{answer}");
    }
    stop(program);
}

#[cfg(unix)]
#[test]
fn a_world_of_ones_own_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = README.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let file = folder.path().join("scenario.json");
    std::fs::write(&file, scenario).unwrap();
    let (program, exports) = started(&["--scenario", file.to_str().unwrap()]);
    assert_eq!(exports["ADOPAT_ORGANIZATION"], "contoso");
    assert_eq!(exports["ADOPAT_CLIENT_ID"], "00000000-0000-0000-0000-000000000001");
    let both = Command::new(PROGRAM)
        .args(["--scenario", file.to_str().unwrap(), "--organization", "shop"])
        .output()
        .unwrap();
    assert_eq!(both.status.code(), Some(2));
    stop(program);
}

#[cfg(unix)]
#[test]
fn a_container_has_known_ports_and_a_folder_for_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    // The words of the Dockerfile, but for the first port, which may be taken here.
    let words =
        include_str!("../Dockerfile").lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let words: Vec<String> = serde_json::from_str(words).unwrap();
    assert_eq!(&words[..4], ["/adopat-emulator", "--listen", "0.0.0.0", "--first-port"]);
    let first = (20_000 + (std::process::id() % 1_500) as u16 * 7..32_000)
        .step_by(7)
        .find(|first| (0..7).all(|index| std::net::TcpListener::bind(("0.0.0.0", first + index)).is_ok()));
    let first = first.unwrap().to_string();
    let mut program = Command::new(PROGRAM)
        .args([&words[1..4], &[first.clone(), "--folder".to_owned(), path.to_owned()]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let file = folder.path().join("emulator.env");
    let begun = Instant::now();
    while !file.exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let exports = exports(std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned));
    assert_eq!(exports["ADOPAT_AUTHORITY_HOST"], format!("http://127.0.0.1:{first}"));
    assert_eq!(exports["SSL_CERT_FILE"], format!("{path}/ca.pem"));
    assert!(ask(&exports["ADOPAT_DEVOPS_URL"], "HEAD", "/fabrikam", "", "").starts_with("HTTP/1.1 302"));
    let mut warning = String::new();
    BufReader::new(program.stderr.take().unwrap()).read_line(&mut warning).unwrap();
    assert!(warning.contains("anyone who can reach 0.0.0.0"), "{warning}");
    stop(program);
    assert!(std::fs::read_dir(path).unwrap().next().is_none(), "the folder is empty again");
}

/// The lines of the README, as they are pasted into a shell, with the program in cargo's place.
#[cfg(unix)]
#[test]
fn the_readmes_lines_work_when_they_are_pasted() {
    let lines = README.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    assert!(lines.contains("cargo run --quiet -p adopat-emulator -- --background"));
    let curl = Command::new("curl").arg("--version").stdout(Stdio::null()).status();
    if !curl.is_ok_and(|status| status.success()) {
        println!("skipped: the_readmes_lines_work_when_they_are_pasted needs curl");
        return;
    }
    let script = format!(
        "set -eu\ncargo() {{ while [ \"$1\" != -- ]; do shift; done; shift; \"$PROGRAM\" \"$@\"; }}\n{}",
        lines.replace("kill ", "echo \"still $EMULATOR_PID\"; kill ")
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .env("PROGRAM", PROGRAM)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8(output.stderr).unwrap());
    assert!(said.starts_with("HTTP/1.1 302"), "{said}");
    let id = said.lines().find_map(|line| line.strip_prefix("still ")).unwrap();
    let begun = Instant::now();
    while Path::new("/proc").exists() && Path::new("/proc").join(id).exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it goes on serving");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_image_is_made_as_adopats_own_is() {
    let instructions = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        lines
            .filter(|line| !line.starts_with("ENTRYPOINT") && !line.starts_with("EXPOSE"))
            .map(|line| line.replace("adopat-emulator", "adopat"))
            .collect()
    };
    let own = include_str!("../Dockerfile");
    assert_eq!(instructions(own), instructions(include_str!("../../Dockerfile")));
}
