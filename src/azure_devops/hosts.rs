//! The hosts that may be spoken to. A bearer token or a PAT goes to Microsoft's own hosts or to loopback,
//! never elsewhere, whatever an input or a service's header says.

use url::{Host, Url};

/// What an address is for, which decides the hosts that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Sign-in: Microsoft Entra's public, US government and China hosts.
    SignIn,
    /// The PAT service, Azure DevOps, and where a new PAT is tried.
    AzureDevOps,
}

/// More bytes than any address has that is meant: what every proxy and server takes (RFC 9110, section 4.1).
const LONGEST_ADDRESS: usize = 8000;

const SIGN_IN: [&str; 3] =
    ["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"];

/// Reads an address and checks that its host is one a credential may be sent to.
///
/// # Errors
/// A sentence that says what is wrong and what would be accepted.
pub fn parse_trusted(text: &str, purpose: Purpose) -> Result<Url, String> {
    let url = parse_address(text)?;
    if is_loopback(&url) || (url.scheme() == "https" && is_microsofts(&url, purpose)) {
        return Ok(url);
    }
    let accepted = match purpose {
        Purpose::SignIn => {
            let [public, government, china] = SIGN_IN;
            format!("{public}, {government} or {china}")
        }
        Purpose::AzureDevOps => "dev.azure.com, a host below it or below visualstudio.com".into(),
    };
    Err(format!("is not an address that adopat sends a credential to; use {accepted}, over https"))
}

/// Reads an address and checks that it is GitHub's own, or that of one of the runner's `servers`, like a GitHub
/// Enterprise Server: its host or a name below it.
///
/// # Errors
/// A sentence that says what is wrong and what would be accepted.
pub fn parse_githubs<'a>(text: &str, servers: impl Iterator<Item = &'a str>) -> Result<Url, String> {
    let url = parse_address(text)?;
    let host = url.host_str().unwrap_or_default();
    let below = |name: &str| host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    let servers: Vec<Url> = servers.filter_map(|server| Url::parse(server).ok()).collect();
    let is_servers = servers.iter().filter_map(Url::host_str).any(below);
    if is_loopback(&url) || below("actions.githubusercontent.com") || is_servers {
        return Ok(url);
    }
    Err("is not an address that adopat sends the job's token to, which are those of the runner's own GitHub server and \
         below actions.githubusercontent.com, over https"
        .into())
}

/// Reads an address: http or https, no user name in it. Plain http is accepted on loopback alone.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_address(text: &str) -> Result<Url, String> {
    if text.len() > LONGEST_ADDRESS {
        return Err(format!("is longer than any address ({} characters)", text.chars().count()));
    }
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url.filter(|url| url.host().is_some()) else {
        return Err("is not an address; write it in full, beginning with https://".into());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; leave them out".into());
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err("is not encrypted; begin it with https://".into());
    }
    Ok(url)
}

/// Whether the address is this machine's own.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_microsofts(url: &Url, purpose: Purpose) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.port().is_none()
        && match purpose {
            Purpose::SignIn => SIGN_IN.contains(&host),
            Purpose::AzureDevOps => {
                host == "dev.azure.com"
                    || host.ends_with(".dev.azure.com")
                    || host.ends_with(".visualstudio.com")
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://login.microsoftonline.com", Purpose::SignIn)]
    #[case("https://login.microsoftonline.us/", Purpose::SignIn)]
    #[case("http://127.0.0.1:8080", Purpose::SignIn)]
    #[case("http://[::1]:8080", Purpose::AzureDevOps)]
    #[case("http://localhost:1", Purpose::AzureDevOps)]
    #[case("https://vssps.dev.azure.com", Purpose::AzureDevOps)]
    #[case("https://fabrikam.visualstudio.com", Purpose::AzureDevOps)]
    fn microsofts_hosts_and_loopback_are_accepted(#[case] text: &str, #[case] purpose: Purpose) {
        parse_trusted(text, purpose).expect("accepted");
    }

    #[rstest]
    #[case("https://run-actions-1.actions.githubusercontent.com/x?api-version=2", true)]
    #[case("https://github.contoso.com/_services/pipelines/x", true)]
    #[case("https://actions.contoso.ghe.com/x", true)]
    #[case("http://127.0.0.1:8080/x", true)]
    #[case("http://run-actions-1.actions.githubusercontent.com/x", false)]
    #[case("https://actions.githubusercontent.com.evil.example/x", false)]
    #[case("https://evilactions.githubusercontent.com/x", false)]
    #[case("https://evilgithub.contoso.com/x", false)]
    #[case("https://user@github.contoso.com/x", false)]
    #[case("x", false)]
    fn the_jobs_token_goes_to_githubs_hosts_and_the_runners_server(
        #[case] text: &str,
        #[case] accepted: bool,
    ) {
        let servers = ["https://github.contoso.com", "https://contoso.ghe.com", "no address"];
        assert_eq!(parse_githubs(text, servers.into_iter()).is_ok(), accepted);
    }

    #[rstest]
    #[case("https://evil.example", Purpose::SignIn)]
    #[case("https://login.microsoftonline.com.evil.example", Purpose::SignIn)]
    #[case("https://vssps.dev.azure.com", Purpose::SignIn)]
    #[case("http://login.microsoftonline.com", Purpose::SignIn)]
    #[case("http://dev.azure.com", Purpose::AzureDevOps)]
    #[case("https://evildev.azure.com", Purpose::AzureDevOps)]
    #[case("https://user@dev.azure.com", Purpose::AzureDevOps)]
    #[case("https://dev.azure.com:8443", Purpose::AzureDevOps)]
    #[case("http://127.0.0.1.evil.example", Purpose::AzureDevOps)]
    #[case("http://localhost.evil.example", Purpose::AzureDevOps)]
    #[case("ftp://127.0.0.1", Purpose::AzureDevOps)]
    #[case("dev.azure.com", Purpose::AzureDevOps)]
    fn nothing_else_is(#[case] text: &str, #[case] purpose: Purpose) {
        parse_trusted(text, purpose).expect_err("refused");
    }
}
