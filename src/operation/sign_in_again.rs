//! The command by which a person signs in again, with everything filled in that this run knows and that is no
//! secret.

use crate::azure_devops::challenge;
use crate::failure::Failure;
use crate::inputs::Request;
use crate::inputs::request::{Credential, SignIn};
use crate::inputs::table::input;
use crate::store::Address;

/// How a remedy names the command.
const LOGIN: &str = "'adopat login'";
/// Where the refresh token goes where this run has no store: from there a person takes it to where the run reads it.
const FOR_A_PERSON: &str = "file:refresh-token";

/// The failure, with the very command in its remedy if that says to sign in again, or what takes its place where
/// adopat does not sign in itself.
pub(super) fn with_the_command(request: &Request, mut failure: Failure) -> Failure {
    if failure.remedy == challenge::REMEDY {
        match request.sign_in.credential {
            Credential::AccessToken(_) => failure.remedy = challenge::PASTED.into(),
            Credential::AzureCli => failure.remedy = challenge::OF_THE_CLI.into(),
            Credential::RefreshToken(_) | Credential::DeviceCode | Credential::Browser => {}
        }
    }
    let by_refresh_token =
        matches!(request.sign_in.credential, Credential::RefreshToken(_) | Credential::DeviceCode);
    if by_refresh_token && failure.remedy.contains(LOGIN) {
        let by_browser = request.sign_in.proof.is_some() || failure.remedy.contains("credential browser");
        failure.remedy.push_str(&format!(" The command: {}", command(request, by_browser)));
    }
    failure
}

/// The command, and what it needs beside.
fn command(request: &Request, by_browser: bool) -> String {
    let sign_in = &request.sign_in;
    let store = sign_in.credential_store.as_ref().map_or(FOR_A_PERSON.into(), Address::to_string);
    let organization = request.organization.as_ref().map(ToString::to_string);
    let authority = request.places.authority_host.as_str().trim_end_matches('/').to_owned();
    let authority = Some(authority).filter(|host| Some(host.as_str()) != input("authority-host").default);
    let settings = [
        ("organization", organization),
        ("tenant-id", sign_in.tenant_id.clone()),
        ("client-id", Some(sign_in.client_id.clone())),
        ("authority-host", authority),
        ("credential-store", Some(store)),
        ("credential", by_browser.then(|| "browser".into())),
    ];
    let settings = settings.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let settings = settings.map(|(name, value)| format!(" --{} {}", input(name).name, quoted(&value)));
    let command = format!("`adopat login{}`", settings.collect::<String>());
    match needs(sign_in) {
        needs if needs.is_empty() => format!("{command}."),
        needs => format!("{command}, {}.", needs.join(", ")),
    }
}

/// What the command needs that is not written into it, and what is to be done when it is through.
fn needs(sign_in: &SignIn) -> Vec<&'static str> {
    let mut needs = Vec::new();
    match &sign_in.credential_store {
        None => needs.push(
            "then put what the file refresh-token holds into the secret that is passed as refresh-token, and delete \
             the file",
        ),
        Some(Address::File(_)) if sign_in.store_key.is_some() => {
            needs.push("on the machine that keeps this file, with the same ADOPAT_STORE_KEY");
        }
        Some(Address::File(_)) => needs.push("on the machine that keeps this file"),
        Some(Address::KeyVault { .. }) => needs.push("after 'az login', which opens the vault"),
        Some(Address::GithubSecret { .. }) => needs.push("with ADOPAT_GITHUB_TOKEN"),
        Some(Address::KubernetesSecret { .. }) => {
            needs.push("in a pod whose service account may change this Secret");
        }
        Some(Address::Command { .. }) => needs.push("on a machine that has this program"),
        Some(Address::VariableGroup { .. } | Address::ServiceConnection { .. }) => {}
    }
    if sign_in.proof.is_some() {
        needs.push("with the app's ADOPAT_CLIENT_SECRET or ADOPAT_CLIENT_CERTIFICATE");
    }
    needs
}

/// The value as a shell reads it.
pub(super) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '%');
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("fabrikam", "fabrikam")]
    #[case(
        "keyvault:https://contoso.vault.azure.net/secrets/x",
        "keyvault:https://contoso.vault.azure.net/secrets/x"
    )]
    #[case("file:/a b", "'file:/a b'")]
    #[case("file:it's", r"'file:it'\''s'")]
    #[case("file:$HOME", "'file:$HOME'")]
    fn a_value_is_written_as_a_shell_reads_it(#[case] value: &str, #[case] written: &str) {
        assert_eq!(quoted(value), written);
    }
}
