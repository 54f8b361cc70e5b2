//! Chooses the proxy for a request: `HTTPS_PROXY` and `NO_PROXY`, else the Azure Pipelines agent's own settings, whose
//! bypass list is a JSON array of regular expressions matched against the whole URL, ignoring case.

use regex_lite::{Regex, RegexBuilder};
use reqwest::Proxy;
use url::Url;

use super::no_proxy::Exceptions;
use super::proxy_address::ProxyAddress;
use crate::secret::Secret;
use crate::world::Obstacle;

/// The proxy settings a run found in its environment. The addresses may hold credentials.
#[derive(Clone, Debug, Default)]
pub struct ProxySettings {
    /// `https_proxy` or `HTTPS_PROXY`.
    pub https_proxy: Option<HttpsProxy>,
    /// `NO_PROXY` or `no_proxy`.
    pub no_proxy: Exceptions,
    /// The agent's proxy, used if `HTTPS_PROXY` is not set.
    pub agent: Option<AgentProxy>,
}

/// A proxy that the environment names.
#[derive(Clone, Debug)]
pub struct HttpsProxy {
    /// The variable that names it, as it is spelt there.
    pub variable: &'static str,
    /// Its value.
    pub url: Secret,
}

/// `AGENT_PROXYURL` and what belongs to it.
#[derive(Clone, Debug)]
pub struct AgentProxy {
    /// `AGENT_PROXYURL`.
    pub url: Secret,
    /// `AGENT_PROXYUSERNAME`.
    pub user: Option<String>,
    /// `SECRET_AGENT_PROXYPASSWORD`.
    pub password: Option<Secret>,
    /// `AGENT_PROXYBYPASSLIST`: addresses that are called directly.
    pub bypass: Vec<Regex>,
}

/// What a proxy did, or did not do, with a request for a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyTrouble {
    /// Its name, or the connection to it, failed. The words say how.
    Unreachable(String),
    /// It is spoken to over TLS, and its certificate does not hold. The words say why.
    Untrusted(String),
    /// It wants credentials, or better ones: not worth repeating, which could lock an account.
    Unauthorized,
    /// It said no, or that it could not reach the host; which of the two is not told.
    Refused,
    /// It ended the connection in place of an answer.
    BrokenOff,
}

/// Reads the agent's bypass list. Entries that are no regular expression are returned second: they are
/// skipped, and a person should hear of it.
pub fn parse_bypass_list(json: &str) -> (Vec<Regex>, Vec<String>) {
    let Ok(entries) = serde_json::from_str::<Vec<String>>(json) else {
        return (Vec::new(), vec![json.to_owned()]);
    };
    let mut refused = Vec::new();
    let mut bypass = Vec::new();
    for entry in entries.into_iter().filter(|entry| !entry.trim().is_empty()) {
        match RegexBuilder::new(&entry).case_insensitive(true).build() {
            Ok(regex) => bypass.push(regex),
            Err(_) => refused.push(entry),
        }
    }
    (bypass, refused)
}

/// What no user and password help against.
const BASIC_ALONE: &str = "If it offers NTLM or Negotiate (Kerberos) alone, they do not help, since adopat knows Basic alone: run a \
                           relay that signs in to it, like cntlm or px, and name that as the proxy.";

impl ProxySettings {
    /// Whether any proxy is set.
    pub fn any(&self) -> bool {
        self.https_proxy.is_some() || self.agent.is_some()
    }

    /// Host and port of the proxy that an address is reached through, without its credentials; `None` if it is
    /// reached directly.
    pub fn of(&self, address: &Url) -> Option<String> {
        let (_, url) = self.proxy().filter(|_| !self.is_direct(address))?;
        let proxy = ProxyAddress::parse(url)?.place;
        Some(format!("{}:{}", proxy.host_str()?, proxy.port_or_known_default()?))
    }

    /// The proxy that counts, and the variable that names it.
    fn proxy(&self) -> Option<(&'static str, &Secret)> {
        match (&self.https_proxy, &self.agent) {
            (Some(HttpsProxy { variable, url }), _) => Some((variable, url)),
            (None, agent) => Some((AGENTS, &agent.as_ref()?.url)),
        }
    }

    fn is_direct(&self, address: &Url) -> bool {
        address.scheme() != "https"
            || match (&self.https_proxy, &self.agent) {
                (None, Some(agent)) => agent.bypass.iter().any(|entry| entry.is_match(address.as_str())),
                _ => self.no_proxy.hold(address),
            }
    }

    /// What a failure on the way to an address comes to that the proxy is to blame for; `None` if there is no
    /// proxy on that way.
    pub fn blame(&self, address: &Url, trouble: ProxyTrouble) -> Option<Obstacle> {
        let proxy = self.of(address)?;
        let (variable, _) = self.proxy()?;
        let why = match &trouble {
            ProxyTrouble::Unreachable(why) => {
                format!("the proxy {proxy} on the way could not be reached: {why}")
            }
            ProxyTrouble::Untrusted(why) => {
                format!("the certificate of the proxy {proxy} on the way does not hold: {why}")
            }
            ProxyTrouble::Unauthorized => {
                format!(
                    "the proxy {proxy} on the way wants a user and a password, or did not accept those that it was given \
                     (HTTP 407)"
                )
            }
            ProxyTrouble::Refused => format!("the proxy {proxy} on the way refused to open a tunnel to it"),
            ProxyTrouble::BrokenOff => {
                format!("the proxy {proxy} on the way broke off before it opened a tunnel")
            }
        };
        let remedy = match (&trouble, variable) {
            (ProxyTrouble::Unauthorized, AGENTS) => {
                format!(
                    "Give the agent the proxy's user and password (--proxyusername, --proxypassword). {BASIC_ALONE}"
                )
            }
            (ProxyTrouble::Unauthorized, variable) => {
                format!(
                    "Put the proxy's user and password into {variable}: http://USER:PASSWORD@{proxy}. {BASIC_ALONE}"
                )
            }
            (_, AGENTS) => {
                "Check the agent's proxy (AGENT_PROXYURL), that it lets this machine reach that host, and \
                            whether that host belongs on its bypass list."
                    .into()
            }
            (_, variable) => format!(
                "Check {variable}, that this proxy lets this machine reach that host, and whether that host belongs in \
                 NO_PROXY."
            ),
        };
        let lasts = matches!(trouble, ProxyTrouble::Unauthorized | ProxyTrouble::Untrusted(_));
        Some(Obstacle { why, remedy, lasts })
    }

    /// The proxy for reqwest, if one is set.
    ///
    /// # Errors
    /// That the setting is not an address.
    pub fn to_reqwest(&self) -> Result<Option<Proxy>, Obstacle> {
        let Some((variable, url)) = self.proxy() else { return Ok(None) };
        let ProxyAddress { place, user, password } =
            ProxyAddress::parse(url).ok_or_else(|| not_an_address(variable))?;
        let settings = self.clone();
        let proxy = Proxy::custom(move |address| (!settings.is_direct(address)).then(|| place.clone()));
        let agents = self.agent.as_ref().filter(|_| variable == AGENTS);
        let (user, password) = match agents.and_then(|agent| agent.user.clone()) {
            Some(user) => (Some(user), agents.and_then(|agent| agent.password.clone())),
            None => (user, password),
        };
        Ok(Some(match user {
            Some(user) => proxy.basic_auth(&user, password.as_ref().map_or("", Secret::expose)),
            None => proxy,
        }))
    }
}

/// The agent's variable.
const AGENTS: &str = "AGENT_PROXYURL";

/// The value is not told: it may hold a password.
fn not_an_address(variable: &str) -> Obstacle {
    let remedy = match variable {
        AGENTS => {
            "Configure the agent's proxy (--proxyurl) as http://HOST:PORT, or name one in HTTPS_PROXY.".into()
        }
        _ => format!("Write {variable} as http://HOST:PORT, or leave it empty."),
    };
    Obstacle { why: format!("{variable} is not the address of an HTTP proxy"), remedy, lasts: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bypass_list_is_regular_expressions_in_any_case() {
        let (bypass, refused) = parse_bypass_list(r#"["https://INTERNAL\\.contoso\\.com", "(", ""]"#);
        assert_eq!(bypass.len(), 1);
        assert!(bypass[0].is_match("https://internal.contoso.com/x"));
        assert_eq!(refused, ["("]);
    }

    #[test]
    fn the_proxy_of_an_address_is_told_without_its_credentials() {
        let settings = ProxySettings {
            https_proxy: Some(HttpsProxy {
                variable: "https_proxy",
                url: Secret::new("http://user:hunter2hunter2@proxy.contoso.com:8080".into()),
            }),
            no_proxy: Exceptions::parse(".visualstudio.com,localhost").0,
            agent: None,
        };
        let of = |address: &str| settings.of(&address.parse().expect("an address"));
        assert_eq!(of("https://dev.azure.com/").as_deref(), Some("proxy.contoso.com:8080"));
        assert_eq!(of("https://fabrikam.visualstudio.com/"), None);
        assert_eq!(of("http://127.0.0.1:1/"), None);
        let url = Secret::new("proxy.fabrikam.com".into());
        let bypass = parse_bypass_list(r#"["dev\\.azure"]"#).0;
        let agent = Some(AgentProxy { url, user: None, password: None, bypass });
        let settings = ProxySettings { agent, ..ProxySettings::default() };
        let of = |address: &str| settings.of(&address.parse().expect("an address"));
        assert_eq!(of("https://login.microsoftonline.com/").as_deref(), Some("proxy.fabrikam.com:80"));
        assert_eq!(of("https://dev.azure.com/"), None);
    }

    #[test]
    fn what_is_no_address_of_an_http_proxy_is_told_by_its_variable_alone() {
        for url in ["socks5://user:hunter2hunter2@proxy.contoso.com", "http://", "http://:hunter2hunter2@"] {
            let https_proxy = HttpsProxy { variable: "https_proxy", url: Secret::new(url.into()) };
            let settings = ProxySettings { https_proxy: Some(https_proxy), ..ProxySettings::default() };
            let obstacle = settings.to_reqwest().expect_err("no proxy");
            assert!(
                obstacle.lasts
                    && obstacle.why.contains("https_proxy")
                    && obstacle.remedy.contains("https_proxy")
            );
            assert!(!format!("{obstacle:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_bypass_list_that_is_no_json_is_refused_whole() {
        assert_eq!(parse_bypass_list("*.contoso.com").1, ["*.contoso.com"]);
    }
}
