//! Signing in as the user that the Azure CLI is signed in as.
//!
//! The token comes from azure_identity. The CLI itself is asked who is signed in, since adopat never looks into a
//! token.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential as _;
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use super::refusal::{self, App, ErrorAnswer};
use super::{AZURE_DEVOPS, Tokens};
use crate::failure::{Exit, Failure, without_people};
use crate::http::{Http, NoAnswer};
use crate::secret::Secret;
use crate::subprocess;

/// The Azure CLI's own app registration, the same in every tenant (entra-docs, "Verify first-party Microsoft
/// applications in sign-in reports").
const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
/// What the CLI is asked to say of the account: what kind it is, nothing else of it.
const WHO: &str = "az account show --query user.type -o json";

/// Signs in as the person that the Azure CLI is signed in as, in `tenant` if one is given. Clock and deadline
/// are those of `http`.
///
/// # Errors
/// Exit 3 if the CLI is missing, is not signed in, or gives no token; 4 if it is signed in as a service
/// principal or managed identity; 6 if it does not answer in time.
pub async fn sign_in_by_azure_cli(
    http: &Http,
    authority: &Url,
    tenant: Option<&str>,
) -> Result<Tokens, Failure> {
    if cfg!(unix) && !Path::new("/bin/sh").exists() {
        return Err(not_there(
            "There is no shell here, and so no Azure CLI, which credential azure-cli asks.",
        ));
    }
    // The run's own deadline is its limit.
    sign_in_through(subprocess::azure_cli(Duration::MAX), http, authority, tenant).await
}

async fn sign_in_through(
    executor: Arc<dyn Executor>,
    http: &Http,
    authority: &Url,
    tenant: Option<&str>,
) -> Result<Tokens, Failure> {
    // `organizations` is a word of the endpoint's, not a tenant that the CLI could be told.
    let tenant = tenant.filter(|tenant| !tenant.eq_ignore_ascii_case("organizations"));
    let app = App {
        authority,
        tenant: tenant.unwrap_or("organizations"),
        client_id: AZURE_CLI,
        asked_a_person: false,
    };
    let executor: Arc<dyn Executor> = Arc::new(Tidied { executor, now: http.world().clock.now() });
    let asked = http.deadline().bound(async {
        be_a_person(executor.as_ref(), app).await?;
        let options = AzureCliCredentialOptions {
            tenant_id: tenant.map(str::to_owned),
            executor: Some(Arc::clone(&executor)),
            ..AzureCliCredentialOptions::default()
        };
        let credential =
            AzureCliCredential::new(Some(options)).map_err(|error| refused(&error.to_string(), app))?;
        let scope = format!("{AZURE_DEVOPS}/.default");
        credential.get_token(&[&scope], None).await.map_err(|error| refused(&error.to_string(), app))
    });
    let token = asked.await.map_err(|ended| NoAnswer::from(ended).into_failure("The Azure CLI"))??;
    let left = token.expires_on.unix_timestamp() - http.world().clock.now().as_second();
    Ok(Tokens {
        access_token: Secret::new(token.token.secret().to_owned()),
        expires: Instant::now().checked_add(Duration::from_secs(u64::try_from(left).unwrap_or(0))),
        refresh_token: None,
        granted: None,
    })
}

/// The PAT service serves people only: better said now, and by its reason, than after a request.
async fn be_a_person(executor: &dyn Executor, app: App<'_>) -> Result<(), Failure> {
    let (program, switch, folder) =
        if cfg!(windows) { ("cmd", "/C", "/d %SYSTEMROOT%") } else { ("/bin/sh", "-c", "/bin") };
    // Never from the current folder, where a program of that name may lie.
    let command = format!("cd {folder} && {WHO}");
    let output = executor.run(OsStr::new(program), &[OsStr::new(switch), OsStr::new(&command)]).await;
    let output = output.map_err(|error| refused(&error.to_string(), app))?;
    if output.status.code() == Some(127) {
        return Err(not_there("There is no Azure CLI (az) here, which credential azure-cli asks."));
    }
    if !output.status.success() {
        return Err(refused(&String::from_utf8_lossy(&output.stderr), app));
    }
    #[derive(Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    enum Kind {
        User,
        #[serde(other)]
        Another,
    }
    let said = String::from_utf8_lossy(&output.stdout);
    match said.lines().find_map(|line| serde_json::from_str::<Kind>(line.trim()).ok()) {
        Some(Kind::User) => Ok(()),
        Some(Kind::Another) => Err(Failure::new(
            Exit::Refused,
            "The Azure CLI is signed in as a service principal or managed identity, and the PAT service serves people \
             only.",
            "Sign in with 'az login' as a person, or give a refresh-token made by 'adopat login'; 'adopat doctor' checks \
             whether that is enough.",
        )),
        None => Err(refused("it does not say whom it is signed in as", app)),
    }
}

/// The failure behind the CLI's words, which often hold Entra's own.
fn refused(words: &str, app: App<'_>) -> Failure {
    let words = words.strip_prefix("AzureCliCredential authentication failed. ").unwrap_or(words);
    let words = words.split("\nTo troubleshoot, visit").next().unwrap_or_default().trim();
    let words = words.strip_prefix("ERROR: ").unwrap_or(words);
    if words.contains("not found on PATH") || words.contains("' is not recognized") {
        return not_there("There is no Azure CLI (az) here, which credential azure-cli asks.");
    }
    if let Some(at) = words.find("AADSTS") {
        let error = ErrorAnswer { error_description: Some(words[at..].to_owned()), ..ErrorAnswer::default() };
        let failure = refusal::of_error(&error, app);
        let ours_to_keep = error.code().is_some_and(refusal::wants_own_registration);
        return if ours_to_keep || failure.exit == Exit::Service {
            failure
        } else {
            Failure { remedy: sign_in_again(), ..failure }
        };
    }
    if words.contains("az login") {
        return Failure::new(
            Exit::SignIn,
            "The Azure CLI is not signed in, or its sign-in has ended.",
            sign_in_again(),
        );
    }
    if words.contains("expires_on") {
        return Failure::new(Exit::SignIn, "The Azure CLI is too old.", "Update it to 2.54 or newer.");
    }
    let first = words.lines().next().unwrap_or_default().trim().trim_end_matches('.');
    let first: String = without_people(first).chars().take(300).collect();
    Failure::new(Exit::SignIn, format!("The Azure CLI gave no token: {first}."), sign_in_again())
}

/// The CLI's answers without what stands around them: colours, a byte order mark, notices of a new version or of an
/// extension that was installed just now.
#[derive(Debug)]
struct Tidied {
    executor: Arc<dyn Executor>,
    now: Timestamp,
}

#[async_trait::async_trait]
impl Executor for Tidied {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> std::io::Result<Output> {
        let mut output = self.executor.run(program, args).await?;
        let said = Zeroizing::new(std::mem::take(&mut output.stdout));
        let said = Zeroizing::new(without_colours(&String::from_utf8_lossy(&said)));
        output.stdout = match token_in(&said, self.now) {
            Some(token) => token,
            None => said.as_bytes().to_vec(),
        };
        Ok(output)
    }
}

/// The text without a terminal's escapes (ECMA-48) and without byte order marks.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain
            .push_str(part.trim_start_matches(|c: char| matches!(c, ' '..='?')).get(1..).unwrap_or_default());
    }
    plain.replace('\u{feff}', "")
}

/// The answer to `az account get-access-token` within the text, in the form that azure_identity reads.
///
/// `expires_on` is a number, in some versions a text; before 2.54 there is `expiresOn` alone, a local time of a zone
/// that is not told: then the token is taken to be good for as long as the CLI's tokens are at least.
fn token_in(said: &str, now: Timestamp) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        access_token: Secret,
        #[serde(default, rename = "expires_on")]
        unix: serde_json::Value,
        #[serde(default)]
        expires_on: serde_json::Value,
    }
    let answers = said.match_indices('{').filter_map(|(start, _)| {
        serde_json::Deserializer::from_str(&said[start..]).into_iter::<Answer>().next()?.ok()
    });
    let answer = answers.into_iter().next()?;
    let read = |value: &serde_json::Value| match value {
        serde_json::Value::Number(number) => seconds(&number.to_string()),
        serde_json::Value::String(text) => seconds(text.trim()),
        _ => None,
    };
    let expires = read(&answer.unix).or_else(|| read(&answer.expires_on));
    let expires = expires.or_else(|| answer.expires_on.is_string().then(|| now.as_second() + SHORTEST_LIFE));
    let answer = json!({
        "accessToken": answer.access_token.expose(),
        "expires_on": expires,
        "tokenType": "Bearer",
    });
    Some(answer.to_string().into_bytes())
}

/// How long a token that the CLI hands out is good at least, in seconds: it renews those that are not (MSAL).
const SHORTEST_LIFE: i64 = 5 * 60;

/// Seconds since the epoch, or an instant that tells its offset.
#[expect(clippy::cast_possible_truncation, reason = "a float's cast saturates")]
fn seconds(text: &str) -> Option<i64> {
    let instant = || text.replacen(' ', "T", 1).parse::<Timestamp>().ok().map(Timestamp::as_second);
    text.parse::<i64>().ok().or_else(|| Some(text.parse::<f64>().ok()? as i64)).or_else(instant)
}

fn sign_in_again() -> String {
    format!("Run 'az login --scope {AZURE_DEVOPS}/.default' as a person on this machine, then run it again.")
}

fn not_there(cause: &str) -> Failure {
    Failure::new(
        Exit::SignIn,
        cause,
        "Install the Azure CLI and sign in with 'az login', or give a refresh-token made by 'adopat login'.",
    )
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{ExitStatus, Output};
    use std::sync::Mutex;

    use rstest::rstest;

    use super::super::scripted::{self, Script};
    use super::*;
    use crate::failure::Signal;

    /// A CLI that answers to the two commands in turn, and keeps what it was asked.
    #[derive(Debug)]
    struct Cli {
        answers: [(i32, &'static str, &'static str); 2],
        asked: Mutex<Vec<String>>,
    }

    #[async_trait::async_trait]
    impl Executor for Cli {
        async fn run(&self, program: &OsStr, args: &[&OsStr]) -> std::io::Result<Output> {
            assert_eq!(program, "/bin/sh");
            let mut asked = self.asked.lock().expect("no test panicked");
            asked.push(args[1].to_string_lossy().into_owned());
            let (code, stdout, stderr) = self.answers[asked.len() - 1];
            Ok(Output {
                status: ExitStatus::from_raw(code << 8),
                stdout: stdout.into(),
                stderr: stderr.into(),
            })
        }
    }

    const PERSON: (i32, &str, &str) = (0, "\"user\"\n", "");

    fn authority() -> Url {
        "https://login.microsoftonline.com".parse().expect("an address")
    }

    async fn through(
        answers: [(i32, &'static str, &'static str); 2],
        tenant: Option<&str>,
    ) -> (Result<Tokens, Failure>, Vec<String>) {
        let (http, _sender) = scripted::http(&Script::of([]), 60);
        let cli = Arc::new(Cli { answers, asked: Mutex::default() });
        let outcome = sign_in_through(cli.clone(), &http, &authority(), tenant).await;
        let asked = cli.asked.lock().expect("no test panicked").clone();
        (outcome, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn a_persons_token_is_taken_with_its_end() {
        // The scripted clock stands at 1795514400.
        let token = r#"{"accessToken":"eyJ0.fake","expires_on":1795518000,"tokenType":"Bearer"}"#;
        let (outcome, asked) = through([PERSON, (0, token, "")], Some("contoso.com")).await;
        let tokens = outcome.expect("tokens");
        assert_eq!(tokens.access_token.expose(), "eyJ0.fake");
        assert!(tokens.good_for(Duration::from_secs(3599)) && !tokens.good_for(Duration::from_secs(3601)));
        assert_eq!(
            asked,
            [
                "cd /bin && az account show --query user.type -o json",
                "cd /bin && az account get-access-token -o json --scope \
                 499b84ac-1321-427f-aa17-267ca6975798/.default --tenant contoso.com",
            ]
        );
    }

    #[rstest]
    #[case::a_notice_before(
        "WARNING: You have 2 updates available. {see 'az upgrade'}\n{\"accessToken\":\"eyJ0.fake\",\"expires_on\":1795518000}",
        3600
    )]
    #[case::a_notice_after(
        "{\"accessToken\":\"eyJ0.fake\",\"expires_on\":1795518000}\nA new version is there.\n",
        3600
    )]
    #[case::colours(
        "\u{1b}[1;32m{\u{1b}[0m\n  \"accessToken\": \u{1b}[33m\"eyJ0.fake\"\u{1b}[39;49;00m,\n \"expires_on\": 1795518000}\u{1b}[K",
        3600
    )]
    #[case::a_byte_order_mark("\u{feff}{\"accessToken\":\"eyJ0.fake\",\"expires_on\":1795518000}", 3600)]
    #[case::as_text("{\"accessToken\":\"eyJ0.fake\",\"expires_on\":\"1795518000\"}", 3600)]
    #[case::as_float("{\"accessToken\":\"eyJ0.fake\",\"expires_on\":1795518000.75}", 3600)]
    #[case::as_instant(
        "{\"accessToken\":\"eyJ0.fake\",\"expiresOn\":\"2026-11-24 12:00:00.000000+01:00\"}",
        3600
    )]
    #[case::as_local_time(
        "{\"accessToken\":\"eyJ0.fake\",\"expiresOn\":\"2026-11-24 23:00:00.000000\",\"tokenType\":\"Bearer\"}",
        300
    )]
    #[case::both(
        "{\"accessToken\":\"eyJ0.fake\",\"expiresOn\":\"2026-11-24 23:00:00.000000\",\"expires_on\":1795518000}",
        3600
    )]
    #[tokio::test(start_paused = true)]
    async fn what_stands_around_the_answer_is_no_matter(#[case] said: &'static str, #[case] seconds: u64) {
        let person = (
            0,
            "\u{1b}[33mThe command is in preview.\u{1b}[0m\n\u{1b}[1m\"user\"\u{1b}[0m\n",
            "WARNING: x\n",
        );
        let tokens = through([person, (0, said, "WARNING: y")], None).await.0.expect("tokens");
        assert_eq!(tokens.access_token.expose(), "eyJ0.fake");
        let good = |seconds| tokens.good_for(Duration::from_secs(seconds));
        assert!(good(seconds - 1) && !good(seconds + 1));
    }

    #[tokio::test]
    async fn a_service_principal_is_refused_before_a_token_is_asked_for() {
        let (outcome, asked) = through([(0, "\"servicePrincipal\"", ""), PERSON], None).await;
        let failure = outcome.expect_err("refused");
        assert_eq!((failure.exit, asked.len()), (Exit::Refused, 1));
        assert!(failure.remedy.contains("as a person"), "{failure}");
    }

    #[rstest]
    #[case::missing((127, "", "/bin/sh: 1: az: not found"), PERSON, "no Azure CLI", "Install")]
    #[case::signed_out((1, "", "ERROR: Please run 'az login' to setup account."), PERSON, "not signed in", "az login")]
    #[case::odd((0, "null", ""), PERSON, "does not say", "az login")]
    #[case::mfa(PERSON, (1, "", "ERROR: AADSTS50076: Due to a change you must use multi-factor. Trace ID: t\nInteractive authentication is needed. Please run:\naz login"), "multi-factor", "az login --scope")]
    #[case::not_authorized(PERSON, (1, "", "AADSTS65002: Consent between first party applications must be configured"), "not authorized for Azure DevOps", "app registration of your own")]
    #[case::old(PERSON, (0, r#"{"accessToken":"eyJ0.fake","tokenType":"Bearer"}"#, ""), "too old", "2.54")]
    #[case::unknown(PERSON, (1, "", "ERROR: The moon is full.\nmore"), "gave no token: The moon is full.", "az login")]
    #[tokio::test]
    async fn what_the_cli_says_becomes_cause_and_remedy(
        #[case] first: (i32, &'static str, &'static str),
        #[case] second: (i32, &'static str, &'static str),
        #[case] cause: &str,
        #[case] remedy: &str,
    ) {
        let failure = through([first, second], None).await.0.expect_err("no token");
        assert_eq!(failure.exit, Exit::SignIn);
        assert!(failure.cause.contains(cause) && failure.remedy.contains(remedy), "{failure}");
    }

    #[tokio::test]
    async fn a_signal_ends_the_wait_for_the_cli() {
        #[derive(Debug)]
        struct Hanging;
        #[async_trait::async_trait]
        impl Executor for Hanging {
            async fn run(&self, _: &OsStr, _: &[&OsStr]) -> std::io::Result<Output> {
                std::future::pending().await
            }
        }
        let (http, sender) = scripted::http(&Script::of([]), 60);
        sender.send(Some(Signal::Terminate)).expect("a receiver lives");
        let failure =
            sign_in_through(Arc::new(Hanging), &http, &authority(), None).await.expect_err("cancelled");
        assert_eq!(failure.exit, Exit::Cancelled(Signal::Terminate));
    }
}
