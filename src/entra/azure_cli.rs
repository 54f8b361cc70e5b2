//! Signing in with what the Azure CLI is signed in as, where that is a person.
//!
//! The token comes from azure_identity; who the CLI is signed in as is asked of the CLI, since a token is never
//! looked into.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential as _;
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::refusal::{self, App, ErrorAnswer};
use super::{AZURE_DEVOPS, Tokens};
use crate::failure::{Exit, Failure};
use crate::http::{Http, NoAnswer};
use crate::secret::Secret;
use crate::subprocess;

/// The Azure CLI's own app registration, the same in every tenant (entra-docs, "Verify first-party Microsoft
/// applications in sign-in reports").
const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
/// What the CLI is asked to say of the account: what kind it is, nothing else of it.
const WHO: &str = "az account show --query user.type -o json";

/// Signs in as the person that the Azure CLI is signed in as, in `tenant` if one is given. Clock and patience
/// are those of `http`.
///
/// # Errors
/// Exit 3 where the CLI is missing, is not signed in, or gives no token; 4 where it is signed in as a service
/// principal or managed identity; 6 where it does not answer in time.
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
    // The run's own patience is its limit.
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
    let asked = http.patience().bound(async {
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
    match serde_json::from_slice::<Kind>(&output.stdout) {
        Ok(Kind::User) => Ok(()),
        Ok(Kind::Another) => Err(Failure::new(
            Exit::Refused,
            "The Azure CLI is signed in as a service principal or managed identity, and the PAT service serves people \
             only.",
            "Sign in with 'az login' as a person, or give a refresh-token made by 'adopat login'; 'adopat doctor' checks \
             whether that is enough.",
        )),
        Err(_) => Err(refused("it does not say whom it is signed in as", app)),
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
    let first: String = first.chars().take(300).collect();
    Failure::new(Exit::SignIn, format!("The Azure CLI gave no token: {first}."), sign_in_again())
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
