//! The address of a store, as `credential-store` and `deliver-to` give it.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::shell_words;
use crate::azure_devops::hosts;

/// Where a secret rests. Two addresses are equal if they name one place: only files and commands are told apart by
/// case.
#[derive(Clone, Debug)]
pub enum Address {
    /// `file:PATH`; the path is taken literally.
    File(PathBuf),
    /// `keyvault:https://VAULT.vault.azure.net/secrets/NAME`.
    KeyVault {
        /// The vault's own address, without a path.
        vault: Url,
        /// The secret's name: letters, digits and hyphens, so that it is one path segment.
        name: String,
    },
    /// `variable-group:PROJECT/GROUP/VARIABLE`, decoded.
    VariableGroup {
        /// The project's name.
        project: String,
        /// The group's name.
        group: String,
        /// The variable's name.
        variable: String,
    },
    /// `github-secret:OWNER/REPO[/ENVIRONMENT]/NAME`, decoded.
    GithubSecret {
        /// The repository's owner.
        owner: String,
        /// The repository's name.
        repository: String,
        /// The environment, if the secret is one's.
        environment: Option<String>,
        /// The secret's name.
        name: String,
    },
    /// `service-connection:PROJECT/NAME[/PARAMETER]`, decoded.
    ServiceConnection {
        /// The project's name.
        project: String,
        /// The connection's name in that project, or its id.
        name: String,
        /// The parameter, where the connection does not tell which it is.
        parameter: Option<String>,
    },
    /// `kubernetes-secret:NAMESPACE/NAME/KEY`.
    KubernetesSecret {
        /// The namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
    },
    /// `command:PROGRAM ARG...`.
    Command {
        /// What follows `command:`, as it was written.
        line: String,
        /// The program and its arguments.
        words: Vec<String>,
    },
}

/// When a store is written in a delivery. What is written later has less to be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// First: it can be given back what it held.
    Restorable,
    /// It runs a program, which may fail, or use what the stores before it hold.
    Command,
    /// It cannot be given back what it held.
    WrittenOnly,
    /// Last: whether it took a PAT may never be found out, and then the PAT has to live on.
    Connection,
}

impl Turn {
    /// Every turn, in its order.
    pub const ALL: [Self; 4] = [Self::Restorable, Self::Command, Self::WrittenOnly, Self::Connection];
}

const VAULTS: [&str; 3] = [".vault.azure.net", ".vault.usgovcloudapi.net", ".vault.azure.cn"];

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        match kind {
            "file" if rest.is_empty() => Err("names no path; use file:PATH, like file:refresh-token".into()),
            "file" => Ok(Self::File(PathBuf::from(rest))),
            "keyvault" => key_vault(rest),
            "variable-group" => variable_group(rest),
            "github-secret" => github_secret(rest),
            "service-connection" => service_connection(rest),
            "kubernetes-secret" => kubernetes_secret(rest),
            "command" => command(rest),
            _ => Err(unknown()),
        }
    }

    /// Whether a value, once written there, can be read back: a variable group, a GitHub secret, a service connection
    /// and a command never show one.
    pub fn is_readable(&self) -> bool {
        matches!(self, Self::File(_) | Self::KeyVault { .. } | Self::KubernetesSecret { .. })
    }

    /// When it is written in a delivery.
    pub fn turn(&self) -> Turn {
        match self {
            Self::File(_) | Self::KeyVault { .. } | Self::KubernetesSecret { .. } => Turn::Restorable,
            Self::Command { .. } => Turn::Command,
            Self::VariableGroup { .. } | Self::GithubSecret { .. } => Turn::WrittenOnly,
            Self::ServiceConnection { .. } => Turn::Connection,
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            // Names are in lower case there, and keys have one.
            (Self::KubernetesSecret { .. }, _) => self.to_string() == other.to_string(),
            (Self::Command { words: one, .. }, Self::Command { words: other, .. }) => one == other,
            _ => self.to_string().to_lowercase() == other.to_string().to_lowercase(),
        }
    }
}

impl Eq for Address {}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::KeyVault { vault, name } => write!(formatter, "keyvault:{vault}secrets/{name}"),
            Self::VariableGroup { project, group, variable } => {
                write!(formatter, "variable-group:{}/{}/{}", encode(project), encode(group), encode(variable))
            }
            Self::GithubSecret { owner, repository, environment, name } => {
                let environment = environment.as_ref().map(|name| format!("/{}", encode(name)));
                let environment = environment.unwrap_or_default();
                write!(formatter, "github-secret:{owner}/{repository}{environment}/{name}")
            }
            Self::ServiceConnection { project, name, parameter } => {
                write!(formatter, "service-connection:{}/{}", encode(project), encode(name))?;
                parameter.as_ref().map_or(Ok(()), |parameter| write!(formatter, "/{}", encode(parameter)))
            }
            Self::KubernetesSecret { namespace, name, key } => {
                write!(formatter, "kubernetes-secret:{namespace}/{name}/{key}")
            }
            Self::Command { line, .. } => write!(formatter, "command:{line}"),
        }
    }
}

fn unknown() -> String {
    "is not the address of a store; use file:PATH, keyvault:https://VAULT.vault.azure.net/secrets/NAME, \
     variable-group:PROJECT/GROUP/VARIABLE, github-secret:OWNER/REPO[/ENVIRONMENT]/NAME, \
     service-connection:PROJECT/NAME[/PARAMETER], kubernetes-secret:NAMESPACE/NAME/KEY or command:PROGRAM ARG..."
        .into()
}

/// Only `/` and `%` need encoding in a part.
fn encode(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

fn decode(part: &str) -> Result<String, String> {
    let decoded = percent_decode_str(part)
        .decode_utf8()
        .map_err(|_| format!("holds '{part}', which is not UTF-8 text"))?;
    if decoded.is_empty() || decoded.chars().any(char::is_control) {
        return Err("has an empty part; every part between two slashes needs a name".into());
    }
    Ok(decoded.into_owned())
}

fn key_vault(rest: &str) -> Result<Address, String> {
    let url = hosts::parse_address(rest).map_err(|_| not_a_vault(rest))?;
    let host = url.host_str().unwrap_or_default();
    let is_vault = VAULTS.iter().any(|suffix| host.len() > suffix.len() && host.ends_with(suffix));
    if url.scheme() != "https" || !(hosts::is_loopback(&url) || (is_vault && url.port().is_none())) {
        return Err(not_a_vault(rest));
    }
    let name = url.path().strip_prefix("/secrets/").unwrap_or_default().to_owned();
    let well_named =
        (1..=127).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    // Parsing an address resolves `..`: what was written must be what is asked for.
    let as_written = rest.rsplit_once("/secrets/").is_some_and(|(_, written)| written == name);
    if !well_named || !as_written {
        return Err(
            "does not end in /secrets/NAME; the NAME of a secret has letters, digits and hyphens only".into(),
        );
    }
    let mut vault = url;
    vault.set_path("/");
    Ok(Address::KeyVault { vault, name })
}

/// What is wrong with a vault's address; a short form that says which vault and secret is meant is written out.
fn not_a_vault(rest: &str) -> String {
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let (vault, name) = match rest.split_once('/') {
        Some((vault, name)) if word(vault) && word(name) => (vault, name),
        _ => ("VAULT", "NAME"),
    };
    format!(
        "is not the address of a vault's secret; use keyvault:https://{vault}.vault.azure.net/secrets/{name}"
    )
}

fn variable_group(rest: &str) -> Result<Address, String> {
    let parts = rest.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
    let [project, group, variable] = <[String; 3]>::try_from(parts)
        .map_err(|_| "does not have three parts; use variable-group:PROJECT/GROUP/VARIABLE")?;
    Ok(Address::VariableGroup { project, group, variable })
}

fn github_secret(rest: &str) -> Result<Address, String> {
    let mut parts = rest.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
    if !(3..=4).contains(&parts.len()) {
        return Err(
            "does not have three or four parts; use github-secret:OWNER/REPO[/ENVIRONMENT]/NAME".into()
        );
    }
    let name = parts.pop().unwrap_or_default();
    let environment = (parts.len() == 3).then(|| parts.pop().unwrap_or_default());
    let repository = parts.pop().unwrap_or_default();
    let owner = parts.pop().unwrap_or_default();
    let is_segment = |part: &str| {
        part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !part.starts_with("..")
    };
    if !is_segment(&owner) || !is_segment(&repository) || owner == "." || repository == "." {
        return Err("does not name a repository; use github-secret:OWNER/REPO[/ENVIRONMENT]/NAME".into());
    }
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !letters
        || name.starts_with(|c: char| c.is_ascii_digit())
        || name.to_ascii_uppercase().starts_with("GITHUB_")
    {
        return Err(
            "does not end in the name of a secret; use letters, digits and _, with a letter first, and not GITHUB_..."
                .into()
        );
    }
    Ok(Address::GithubSecret { owner, repository, environment, name })
}

fn service_connection(rest: &str) -> Result<Address, String> {
    let mut parts = rest.split('/').map(decode).collect::<Result<Vec<_>, _>>()?.into_iter();
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(name), _, None) if name.contains(',') => Err(
            "has a comma in the connection's name, by which Azure DevOps cannot find it; give the connection's id".into(),
        ),
        (Some(project), Some(name), parameter, None) => {
            Ok(Address::ServiceConnection { project, name, parameter })
        }
        _ => Err("does not have two or three parts; use service-connection:PROJECT/NAME[/PARAMETER]".into()),
    }
}

fn kubernetes_secret(rest: &str) -> Result<Address, String> {
    let parts: Vec<&str> = rest.split('/').collect();
    let [namespace, name, key] = <[&str; 3]>::try_from(parts)
        .map_err(|_| "does not have three parts; use kubernetes-secret:NAMESPACE/NAME/KEY")?;
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = |name: &str, longest: usize, others: &str| {
        (1..=longest).contains(&name.len())
            && name.chars().all(|c| is_end(c) || others.contains(c))
            && name.starts_with(is_end)
            && name.ends_with(is_end)
    };
    if !is_name(namespace, 63, "-") || !is_name(name, 253, "-.") {
        return Err("does not name a Secret; names there have lower-case letters, digits and -".into());
    }
    let is_key = (1..=253).contains(&key.len())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && !key.starts_with("..")
        && key != ".";
    if !is_key {
        return Err("does not end in a key; use letters, digits, -, _ and .".into());
    }
    let [namespace, name, key] = [namespace, name, key].map(str::to_owned);
    Ok(Address::KubernetesSecret { namespace, name, key })
}

fn command(line: &str) -> Result<Address, String> {
    let words = shell_words::split(line)?;
    if words.first().is_none_or(String::is_empty) {
        return Err("names no program; use command:PROGRAM ARG..., like command:gh secret set ADO_PAT".into());
    }
    if line.contains('\0') {
        return Err("holds a NUL byte, which no program can be handed".into());
    }
    Ok(Address::Command { line: line.to_owned(), words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("file:/var/lib/adopat/token")]
    #[case("file:a%2Fb c")]
    #[case("keyvault:https://contoso.vault.azure.net/secrets/adopat-token")]
    #[case("keyvault:https://127.0.0.1:8443/secrets/x")]
    #[case("variable-group:Fabrikam Fiber/feeds%2Fnpm/ADO_PAT")]
    #[case("github-secret:contoso/web/ADO_PAT")]
    #[case("github-secret:contoso/web/prod%2Feu/ADO_PAT")]
    #[case("service-connection:web/feed")]
    #[case("service-connection:Fabrikam Fiber/dotnet%2Ffeed 100%25/apitoken")]
    #[case("service-connection:web/00000000-0000-0000-0000-000000000001")]
    #[case("kubernetes-secret:builds/ado-pat/token")]
    #[case("command:vault kv put 'secret/a b' value=- # %41")]
    fn an_address_reads_back_as_written(#[case] text: &str) {
        assert_eq!(Address::parse(text).expect("an address").to_string(), text);
    }

    #[rstest]
    #[case("")]
    #[case("file:")]
    #[case("s3://bucket")]
    #[case("keyvault:http://contoso.vault.azure.net/secrets/x")]
    #[case("keyvault:https://contoso.vault.azure.net.evil.example/secrets/x")]
    #[case("keyvault:https://evilvault.azure.net/secrets/x")]
    #[case("keyvault:https://.vault.azure.net/secrets/x")]
    #[case("keyvault:https://contoso.vault.azure.net/secrets/a/../b")]
    #[case("keyvault:https://contoso.vault.azure.net/secrets/a_b")]
    #[case("keyvault:https://contoso.vault.azure.net/secrets/a?api-version=1")]
    #[case("keyvault:https://contoso.vault.azure.net:8443/secrets/a")]
    #[case("keyvault:https://user@contoso.vault.azure.net/secrets/a")]
    #[case("variable-group:project/group")]
    #[case("variable-group:project//variable")]
    #[case("github-secret:contoso/web")]
    #[case("github-secret:../web/NAME")]
    #[case("github-secret:contoso/web/GITHUB_X")]
    #[case("github-secret:contoso/web/1X")]
    #[case("github-secret:contoso/web/A-B")]
    #[case("service-connection:web")]
    #[case("service-connection:web//apitoken")]
    #[case("service-connection:web/a,b")]
    #[case("service-connection:web/a/b/c")]
    #[case("kubernetes-secret:builds/ado-pat")]
    #[case("kubernetes-secret:builds/../token")]
    #[case("kubernetes-secret:Builds/ado-pat/token")]
    #[case("kubernetes-secret:builds/ado-pat/..")]
    #[case("kubernetes-secret:builds/ado-pat/a%2Fb")]
    #[case("command:")]
    #[case("command:'' a")]
    #[case("command:a 'b")]
    #[case("command:a \0")]
    fn anything_else_is_refused(#[case] text: &str) {
        Address::parse(text).expect_err("no address");
    }

    #[test]
    fn a_command_is_one_by_its_words_with_their_case() {
        let [one, alike, other] = ["command:a 'b'", "command:a  b", "command:a B"]
            .map(|text| Address::parse(text).expect("an address"));
        assert_eq!(one, alike);
        assert_ne!(one, other);
    }
}
