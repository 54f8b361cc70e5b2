//! The environment of the programs that adopat starts: its own, without its secrets. `exec`'s command, every helper and
//! the program of a `command:` store get it from here.

use std::ffi::{OsStr, OsString};

use crate::token_shape;

/// The inputs that are secrets, by their names in the table of inputs. The certificate is one if it is given itself
/// and not by its path.
const SECRET_INPUTS: [&str; 8] = [
    "refresh-token",
    "access-token",
    "client-secret",
    CERTIFICATE,
    "client-certificate-password",
    "id-token",
    "store-key",
    "github-token",
];
const CERTIFICATE: &str = "client-certificate";

/// The name under which the refresh token is saved for the job's last step, if that could not sign in otherwise.
pub const REFRESH_TOKEN_STATE: &str = "adopat_refresh_token";

/// How names begin under which an Azure Pipelines agent hands secrets to a task: its secret variables, and the
/// credentials of service connections, the job's own among them (microsoft/azure-pipelines-agent,
/// `Handlers/Handler.cs`).
const AGENTS_SECRETS: [&str; 2] = ["SECRET_", "ENDPOINT_AUTH_"];

/// For a helper, like the Azure CLI: this process's environment, without adopat's secrets and without those that
/// an Azure Pipelines agent handed to the task.
pub fn for_a_helper() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, value)| is_for_a_helper(name, value))
}

/// Whether a helper may be given this variable.
pub fn is_for_a_helper(name: &OsStr, value: &OsStr) -> bool {
    !is_secret(name, value) && !is_an_agents_secret(name)
}

/// Whether a variable holds one of adopat's secrets, under whatever spelling: a misspelt name holds it no less.
pub fn is_secret(name: &OsStr, value: &OsStr) -> bool {
    let name = name.to_string_lossy();
    if name.eq_ignore_ascii_case("AZURE_CLIENT_SECRET") {
        return true;
    }
    let saved =
        ["STATE_", "VSTS_TASKVARIABLE_"].iter().any(|prefix| names(&name, prefix, REFRESH_TOKEN_STATE));
    saved || SECRET_INPUTS.into_iter().any(|input| is_spelt(&name, input) && holds_a_secret(input, value))
}

/// Whether a variable sets the input of this name, in whatever case and with whatever between its words.
pub fn is_spelt(name: &str, input: &str) -> bool {
    names(name, "INPUT_", input) || names(name, "ADOPAT_", input)
}

fn holds_a_secret(input: &str, value: &OsStr) -> bool {
    input != CERTIFICATE || token_shape::is_inline_certificate(&value.to_string_lossy())
}

/// Whether the variable is this word under this prefix, in whatever case and with whatever between its words.
fn names(variable: &str, prefix: &str, word: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = char> {
        text.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' ')).map(|c| c.to_ascii_uppercase())
    }
    letters(variable).eq(letters(prefix).chain(letters(word)))
}

fn is_an_agents_secret(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    AGENTS_SECRETS.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Environment;
    use crate::inputs::table::INPUTS;
    use rstest::rstest;

    #[rstest]
    fn a_secret_is_one_under_every_spelling(
        #[values("INPUT_", "ADOPAT_", "input_", "Adopat_", "ADOPAT-")] prefix: &str,
        #[values("-", "_", "", ".", " ")] between: &str,
        #[values(true, false)] upper: bool,
    ) {
        for input in INPUTS {
            let name = format!("{prefix}{}", input.name.replace('-', between));
            let name = if upper { name.to_uppercase() } else { name };
            let inline = "-----BEGIN PRIVATE KEY-----";
            assert_eq!(is_secret(name.as_ref(), inline.as_ref()), input.secret, "{name}");
        }
    }

    #[rstest]
    #[case("AZURE_CLIENT_SECRET", true)]
    #[case("STATE_adopat_refresh_token", true)]
    #[case("VSTS_TASKVARIABLE_ADOPAT_REFRESH_TOKEN", true)]
    #[case("ADOPAT_CLIENT_CERTIFICATE", false)]
    #[case("STATE_adopat_pending", false)]
    #[case("SECRET_KEY_BASE", false)]
    #[case("PATH", false)]
    #[case("REFRESH_TOKEN", false)]
    fn what_is_anybody_elses_is_left_to_a_command(#[case] name: &str, #[case] secret: bool) {
        let environment: Environment =
            [(OsString::from(name), OsString::from("/path/to/x"))].into_iter().collect();
        assert_eq!(environment.for_a_command().is_empty(), secret);
    }

    #[rstest]
    #[case("SECRET_FEED_KEY", true)]
    #[case("ENDPOINT_AUTH_SYSTEMVSSCONNECTION", true)]
    #[case("ENDPOINT_URL_SYSTEMVSSCONNECTION", false)]
    fn a_helper_gets_none_of_the_agents_secrets(#[case] name: &str, #[case] secret: bool) {
        assert_eq!(is_an_agents_secret(name.as_ref()), secret);
    }
}
