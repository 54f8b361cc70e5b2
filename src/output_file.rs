//! `output-file`: a run's outputs, or a new PAT, in a file that only its owner can read.
//!
//! [`render`] is pure; the file is replaced whole or not at all, and can be given back what it held, so that a
//! later delivery that fails leaves no revoked PAT behind. That a run which minted nothing leaves the file as
//! it was is for the caller to see to.

use std::io::{self, Write as _};
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::azure_devops::Organization;
use crate::failure::{Exit, Failure};
use crate::feed::Feed;
use crate::host::sanitize;
use crate::inputs::request::OutputFormat;
use crate::outputs::{Outputs, as_text};
use crate::private_file;
use crate::secret::Secret;

/// The outputs in one of the formats; `None` if the format is for a PAT and none was minted.
///
/// - `json`: an object with kebab-case keys, among them `token` if a PAT was minted; ends in a newline.
/// - `dotenv`: `KEY=value` lines, keys in `SCREAMING_SNAKE`. Each value is quoted only if it has to be.
/// - `token`: the bare PAT, with no newline, so that whatever reads the file whole has the PAT.
/// - `git-credentials`: what `git credential-store` reads.
/// - `netrc`: what git, curl and others read as `.netrc`.
/// - the formats of package clients: what each client reads, for the feed.
pub fn render(
    outputs: &Outputs,
    format: OutputFormat,
    organization: &Organization,
    feed: Option<&Feed>,
) -> Option<Zeroizing<Vec<u8>>> {
    if let Some(plain) = render_plain(outputs, format) {
        return Some(plain);
    }
    let token = outputs.token.as_ref()?;
    if let Some(settings) = format.settings() {
        return Some(settings.file(feed?, token).as_bytes().to_vec().into());
    }
    match format {
        OutputFormat::Token => Some(token.expose().as_bytes().to_vec().into()),
        OutputFormat::GitCredentials => Some(git_credentials(token, organization)),
        OutputFormat::Netrc => Some(netrc(token, organization)),
        _ => None,
    }
}

/// The outputs in one of the two formats that are for all of them; none in those that are for a PAT alone.
pub fn render_plain(outputs: &Outputs, format: OutputFormat) -> Option<Zeroizing<Vec<u8>>> {
    match format {
        OutputFormat::Json => Some(json(outputs)),
        OutputFormat::Dotenv => Some(dotenv(outputs)),
        _ => None,
    }
}

/// What the file held before; wiped when dropped. None: it was not there.
pub type Previous = Option<Zeroizing<Vec<u8>>>;

/// Finds out whether the file could be replaced, and reads what it holds: asked before anything is minted.
///
/// # Errors
/// Why it could not.
pub fn prepare(path: &Path) -> Result<Previous, Failure> {
    // Reading a pipe or a device might never end.
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(failure(path, "is no file", &io::ErrorKind::InvalidInput.into()));
    }
    private_file::can_replace(path).map_err(|error| failure(path, "could not be written", &error))?;
    private_file::read(path).map_err(|error| failure(path, "could not be read", &error))
}

/// Replaces the file by these bytes, mode 0600, whole or not at all.
///
/// # Errors
/// Why it could not; the file is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    private_file::replace(path, bytes).map_err(|error| failure(path, "could not be written", &error))
}

/// Gives the file back what it held.
///
/// # Errors
/// Why it could not; the file then holds what was written last.
pub fn restore(path: &Path, previous: &Previous) -> Result<(), Failure> {
    let previous = previous.as_ref().map(|bytes| bytes.as_slice());
    private_file::restore(path, previous.map(|bytes| (bytes, None)))
        .map_err(|error| failure(path, "could not be given back what it held", &error))
}

fn failure(path: &Path, what: &str, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Store,
        format!("The output file '{}' {what} ({error}).", path.display()),
        "Give 'output-file' a path in a folder that exists and that adopat's user may write to.",
    )
}

/// An output's value, the token's too, without a copy of it.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Token(&'a str),
    Plain(Value),
}

fn json(outputs: &Outputs) -> Zeroizing<Vec<u8>> {
    let token = outputs.token.iter().map(|token| ("token", Written::Token(token.expose())));
    let plain = outputs.plain().into_iter().map(|(name, value)| (name, Written::Plain(value)));
    let mut bytes = buffer(outputs);
    let mut serializer = serde_json::Serializer::pretty(&mut *bytes);
    serde::Serializer::collect_map(&mut serializer, token.chain(plain)).expect("outputs are JSON");
    bytes.push(b'\n');
    bytes
}

fn dotenv(outputs: &Outputs) -> Zeroizing<Vec<u8>> {
    let mut bytes = buffer(outputs);
    let mut line = |name: &str, value: &str| {
        let name = name.replace('-', "_").to_ascii_uppercase();
        writeln!(bytes, "{name}={}", quoted(value).as_str()).expect("memory takes it");
    };
    if let Some(token) = &outputs.token {
        line("token", token.expose());
    }
    for (name, value) in outputs.plain() {
        line(name, &plain_text(&value));
    }
    bytes
}

/// Room for all of it, so that no copy is left behind by growing.
fn buffer(outputs: &Outputs) -> Zeroizing<Vec<u8>> {
    let plain: usize =
        outputs.plain().iter().map(|(name, value)| name.len() + 2 * value.to_string().len() + 64).sum();
    Vec::with_capacity(plain + outputs.token.as_ref().map_or(0, |token| 6 * token.expose().len() + 64)).into()
}

/// An output as the text that is quoted. JSON is written with `\u` escapes in place of what shells and dotenv
/// readers treat differently. A line break within quotes would be the next variable to all that read by the line
/// (`docker --env-file`, systemd, GitLab): it is written as `\n`, and any other control character alike.
fn plain_text(value: &Value) -> String {
    let text = as_text(value);
    match value {
        Value::Array(_) | Value::Object(_) => {
            sanitize::json(&text).replace("\\\\", "\\u005c").replace('\'', "\\u0027")
        }
        _ => text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
            match c {
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                    shown.extend(c.escape_default())
                }
                c => shown.push(c),
            }
            shown
        }),
    }
}

/// The value so that a POSIX shell reads it back exactly, and so do dotenv readers wherever they agree with it.
///
/// Bare if nothing could be misread; else between `'`, within which everything is literal; else,
/// if it holds a `'` itself, between `"` if nothing in it is special there. What is left (a `'` together
/// with one of ``"\$` ``) has no form that all of them read alike: it is written for the shell.
fn quoted(value: &str) -> Zeroizing<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c);
    let mut quoted = Zeroizing::new(String::with_capacity(4 * value.len() + 2));
    if !value.is_empty() && value.chars().all(is_plain) {
        quoted.push_str(value);
    } else if value.contains('\'') && !value.contains(['"', '\\', '$', '`']) {
        for part in ["\"", value, "\""] {
            quoted.push_str(part);
        }
    } else {
        quoted.push('\'');
        for c in value.chars() {
            match c {
                '\'' => quoted.push_str("'\\''"),
                c => quoted.push(c),
            }
        }
        quoted.push('\'');
    }
    quoted
}

/// The organization's name as it was given and in lower case: clients compare hosts and users as they are written, and
/// not all write them alike.
fn spellings(organization: &Organization) -> Vec<String> {
    let mut names = vec![organization.name().to_ascii_lowercase(), organization.name().to_owned()];
    names.dedup();
    names
}

/// The hosts under which an organization's code and packages are reached.
fn machines(organization: &Organization) -> Vec<String> {
    let mut machines = vec!["dev.azure.com".to_owned(), "pkgs.dev.azure.com".to_owned()];
    for name in spellings(organization) {
        machines.extend([format!("{name}.visualstudio.com"), format!("{name}.pkgs.visualstudio.com")]);
    }
    machines
}

/// Every host with the organization as the user. Azure DevOps does not look at the user, but clients do: the address
/// that it shows, `https://ORG@dev.azure.com/...`, asks them for that user's line. One without a user takes any line.
fn sign_ins(organization: &Organization) -> impl Iterator<Item = (String, String)> {
    let users = spellings(organization);
    machines(organization)
        .into_iter()
        .flat_map(move |machine| users.clone().into_iter().map(move |user| (machine.clone(), user)))
}

fn git_credentials(token: &Secret, organization: &Organization) -> Zeroizing<Vec<u8>> {
    let password = Zeroizing::new(utf8_percent_encode(token.expose(), NON_ALPHANUMERIC).to_string());
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(12 * (password.len() + 2 * organization.name().len() + 64)));
    for (machine, user) in sign_ins(organization) {
        writeln!(bytes, "https://{user}:{}@{machine}", password.as_str()).expect("memory takes it");
    }
    bytes
}

fn netrc(token: &Secret, organization: &Organization) -> Zeroizing<Vec<u8>> {
    let password = netrc_word(token.expose());
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(12 * (password.len() + 2 * organization.name().len() + 64)));
    for (machine, user) in sign_ins(organization) {
        writeln!(bytes, "machine {machine} login {user} password {}", password.as_str())
            .expect("memory takes it");
    }
    bytes
}

/// A word of a netrc: bare, as every PAT is, or quoted the way curl reads it.
fn netrc_word(text: &str) -> Zeroizing<String> {
    let mut word = Zeroizing::new(String::with_capacity(2 * text.len() + 2));
    if text.chars().all(|c| c.is_ascii_graphic() && !"\"\\#".contains(c)) {
        word.push_str(text);
        return word;
    }
    word.push('"');
    for c in text.chars() {
        match c {
            '\n' => word.push_str("\\n"),
            '\r' => word.push_str("\\r"),
            '\t' => word.push_str("\\t"),
            '"' | '\\' => word.extend(['\\', c]),
            c => word.push(c),
        }
    }
    word.push('"');
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pats::{Pat, Scope};
    use proptest::prelude::*;
    use rstest::rstest;

    fn token() -> String {
        format!("FAKE{}AZDOFAKE", "a".repeat(72))
    }

    fn outputs(minted: bool, display_name: &str) -> Outputs {
        let subject = Pat {
            authorization_id: "00000000-0000-0000-0000-000000000001".into(),
            display_name: display_name.into(),
            scope: Scope::parse("vso.packaging vso.code"),
            valid_from: "2026-01-01T00:00:00Z".parse().ok(),
            valid_to: "2026-02-01T00:00:00.5Z".parse().ok(),
            target_accounts: None,
        };
        Outputs {
            token: minted.then(|| Secret::new(token())),
            subject: Some(subject),
            changed: minted,
            previous: Some(vec!["00000000-0000-0000-0000-000000000002".into()]),
            ..Outputs::default()
        }
    }

    fn rendered(outputs: &Outputs, format: OutputFormat) -> Option<String> {
        let organization = Organization::parse("Fabrikam").expect("an organization");
        let bytes = render(outputs, format, &organization, None)?;
        Some(String::from_utf8(bytes.to_vec()).expect("text"))
    }

    #[test]
    fn json_has_kebab_case_keys_a_boolean_and_lists() {
        let text = rendered(&outputs(true, "contoso ci"), OutputFormat::Json).expect("rendered");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            value,
            serde_json::json!({
                "token": token(),
                "authorization-id": "00000000-0000-0000-0000-000000000001",
                "display-name": "contoso ci",
                "scope": "vso.code vso.packaging",
                "valid-to": "2026-02-01T00:00:00Z",
                "valid-from": "2026-01-01T00:00:00Z",
                "changed": true,
                "previous-authorization-id": ["00000000-0000-0000-0000-000000000002"],
            })
        );
    }

    #[test]
    fn dotenv_is_quoted_where_needed() {
        assert_eq!(
            rendered(&outputs(true, "contoso's ci"), OutputFormat::Dotenv).expect("rendered"),
            format!(
                "TOKEN={}\nAUTHORIZATION_ID=00000000-0000-0000-0000-000000000001\nDISPLAY_NAME=\"contoso's ci\"\n\
                 SCOPE='vso.code vso.packaging'\nVALID_TO=2026-02-01T00:00:00Z\nVALID_FROM=2026-01-01T00:00:00Z\n\
                 CHANGED=true\nPREVIOUS_AUTHORIZATION_ID=00000000-0000-0000-0000-000000000002\n",
                token()
            )
        );
    }

    #[rstest]
    #[case(OutputFormat::Token)]
    #[case(OutputFormat::GitCredentials)]
    #[case(OutputFormat::Netrc)]
    fn a_format_for_a_pat_is_nothing_without_one(#[case] format: OutputFormat) {
        assert_eq!(rendered(&outputs(false, "x"), format), None);
        assert!(rendered(&outputs(true, "x"), format).expect("rendered").contains(&token()));
    }

    #[rstest]
    #[case(OutputFormat::Json)]
    #[case(OutputFormat::Dotenv)]
    fn without_a_pat_there_is_no_token(#[case] format: OutputFormat) {
        let text = rendered(&outputs(false, "x"), format).expect("rendered");
        assert!(!text.to_lowercase().contains("token"), "{text}");
    }

    #[test]
    fn the_bare_token_has_no_newline() {
        assert_eq!(rendered(&outputs(true, "x"), OutputFormat::Token), Some(token()));
    }

    #[test]
    fn netrc_and_git_name_every_host_of_the_organization() {
        let token = token();
        let hosts = [
            "dev.azure.com",
            "pkgs.dev.azure.com",
            "fabrikam.visualstudio.com",
            "fabrikam.pkgs.visualstudio.com",
            "Fabrikam.visualstudio.com",
            "Fabrikam.pkgs.visualstudio.com",
        ];
        let lines = |line: &dyn Fn(&str, &str) -> String| -> String {
            hosts.iter().flat_map(|host| ["fabrikam", "Fabrikam"].map(|user| line(host, user))).collect()
        };
        assert_eq!(
            rendered(&outputs(true, "x"), OutputFormat::GitCredentials).expect("rendered"),
            lines(&|host, user| format!("https://{user}:{token}@{host}\n"))
        );
        assert_eq!(
            rendered(&outputs(true, "x"), OutputFormat::Netrc).expect("rendered"),
            lines(&|host, user| format!("machine {host} login {user} password {token}\n"))
        );
    }

    #[test]
    fn a_hostile_token_adds_no_line_to_a_file() {
        let mut hostile = outputs(true, "x");
        hostile.token = Some(Secret::new("a\nmachine evil.example login x password y@evil.example/".into()));
        let netrc = rendered(&hostile, OutputFormat::Netrc).expect("rendered");
        assert_eq!(netrc.lines().count(), 12, "{netrc}");
        let git = rendered(&hostile, OutputFormat::GitCredentials).expect("rendered");
        assert_eq!(git.lines().count(), 12, "{git}");
        assert!(git.lines().all(|line| line.ends_with(".com")), "{git}");
    }

    #[test]
    fn a_file_is_replaced_and_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("outputs.env");
        let nothing = prepare(&path).expect("it can be written");
        assert_eq!(nothing, None);
        write(&path, b"one").expect("written");
        let one = prepare(&path).expect("it can be replaced");
        write(&path, b"two").expect("written");
        restore(&path, &one).expect("given back");
        assert_eq!(std::fs::read(&path).expect("read"), b"one");
        restore(&path, &nothing).expect("given back");
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_found_before_anything_is_minted() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path().to_owned(), folder.path().join("no/such/file"), "/dev/null".into()] {
            let failure = prepare(&path).expect_err("refused");
            assert_eq!(failure.exit, Exit::Store);
            assert!(failure.cause.contains(&path.display().to_string()), "{failure}");
        }
    }

    /// Text made of what is special to shells more often than not; no NUL, which no environment holds.
    fn awkward() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[\\\\'\"$`!#= \n\r\t~*?&;|<>(){}-]{1,3}",
            Just("$(id)".to_owned()),
            Just("${HOME}".to_owned()),
            "[^\0]{0,4}",
        ];
        prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    #[cfg(unix)]
    fn sourced(file: &str, names: &[&str]) -> String {
        use std::process::Command;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("outputs.env");
        std::fs::write(&path, file).expect("written");
        let print: String = names.iter().map(|name| format!("; printf '%s|' \"${name}\"")).collect();
        let output = Command::new("/bin/sh")
            .args(["-euc", &format!(". \"$1\"{print}"), "sh"])
            .arg(&path)
            .output()
            .expect("a shell");
        assert!(output.status.success(), "{file:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    #[cfg(unix)]
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_shell_reads_every_value_back(name in awkward()) {
            let mut outputs = outputs(true, &name);
            let pats = serde_json::json!({ "display-name": name, "global": false });
            outputs.pats = Some(vec![pats.clone()]);
            let file = rendered(&outputs, OutputFormat::Dotenv).expect("rendered");
            // Whatever reads it by the line finds these variables and no other.
            let keys: Vec<_> = file.lines().map(|line| line.split('=').next().unwrap_or_default()).collect();
            prop_assert_eq!(keys, [
                "TOKEN", "AUTHORIZATION_ID", "DISPLAY_NAME", "SCOPE", "VALID_TO", "VALID_FROM", "CHANGED",
                "PREVIOUS_AUTHORIZATION_ID", "PATS",
            ]);
            let read = sourced(&file, &["DISPLAY_NAME", "TOKEN", "PATS"]);
            let shown = plain_text(&Value::from(name.clone()));
            let special = name.chars().any(|c| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c));
            prop_assert!(special || shown == name, "{}", shown);
            let rest = read.strip_prefix(&shown).expect("the name comes back");
            let rest = rest.strip_prefix(&format!("|{}|", token())).expect("the token comes back");
            let list: Value = serde_json::from_str(rest.trim_end_matches('|')).expect("JSON comes back");
            prop_assert_eq!(list, serde_json::json!([pats]));
        }
    }
}
