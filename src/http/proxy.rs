//! Through which proxy requests go: `HTTPS_PROXY` and `NO_PROXY`, else the Azure Pipelines agent's own
//! settings, whose bypass list is a JSON array of regular expressions matched against the whole URL, in any
//! case.

use hyper_util::client::proxy::matcher::Matcher;
use regex_lite::{Regex, RegexBuilder};
use reqwest::{NoProxy, Proxy};
use url::Url;

use crate::secret::Secret;

/// The proxy settings a run found in its environment. The addresses may hold credentials.
#[derive(Clone, Debug, Default)]
pub struct ProxySettings {
    /// `HTTPS_PROXY` or `https_proxy`.
    pub https_proxy: Option<Secret>,
    /// `NO_PROXY` or `no_proxy`.
    pub no_proxy: Option<String>,
    /// The agent's proxy, used where `HTTPS_PROXY` is not set.
    pub agent: Option<AgentProxy>,
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

impl ProxySettings {
    /// Whether any proxy is set.
    pub fn any(&self) -> bool {
        self.https_proxy.is_some() || self.agent.is_some()
    }

    /// Host and port of the proxy that an address is reached through, without its credentials; none where it is
    /// reached directly. Decided as reqwest decides it.
    pub fn of(&self, address: &Url) -> Option<String> {
        if address.scheme() != "https" {
            return None;
        }
        let place = |proxy: &Url| Some(format!("{}:{}", proxy.host_str()?, proxy.port_or_known_default()?));
        if let Some(proxy) = &self.https_proxy {
            let proxy = parse_address(proxy)?;
            let no_proxy = self.no_proxy.clone().unwrap_or_default();
            let matcher = Matcher::builder().https(proxy.as_str().to_owned()).no(no_proxy).build();
            return matcher.intercept(&address.as_str().parse().ok()?).and_then(|_| place(&proxy));
        }
        let agent = self.agent.as_ref()?;
        let direct = agent.bypass.iter().any(|entry| entry.is_match(address.as_str()));
        if direct { None } else { place(&parse_address(&agent.url)?) }
    }

    /// The proxy for reqwest, if one is set.
    ///
    /// # Errors
    /// A sentence that says which setting is no address.
    pub fn to_reqwest(&self) -> Result<Option<Proxy>, String> {
        if let Some(address) = &self.https_proxy {
            let url = parse_address(address).ok_or("HTTPS_PROXY is not the address of a proxy")?;
            let exceptions = self.no_proxy.as_deref().and_then(NoProxy::from_string);
            let proxy = Proxy::https(url).map_err(|_| "HTTPS_PROXY is not the address of a proxy")?;
            return Ok(Some(proxy.no_proxy(exceptions)));
        }
        let Some(agent) = &self.agent else { return Ok(None) };
        let address = parse_address(&agent.url).ok_or("AGENT_PROXYURL is not the address of a proxy")?;
        let bypass = agent.bypass.clone();
        let proxy = Proxy::custom(move |url| {
            let direct = url.scheme() != "https" || bypass.iter().any(|entry| entry.is_match(url.as_str()));
            (!direct).then(|| address.clone())
        });
        Ok(Some(match &agent.user {
            Some(user) => proxy.basic_auth(user, agent.password.as_ref().map_or("", Secret::expose)),
            None => proxy,
        }))
    }
}

/// A proxy's address; `http://` where no scheme is given, as every tool reads it.
fn parse_address(address: &Secret) -> Option<Url> {
    let text = address.expose();
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    url.ok().filter(Url::has_host)
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
            https_proxy: Some(Secret::new("http://user:hunter2hunter2@proxy.contoso.com:8080".into())),
            no_proxy: Some(".visualstudio.com,localhost".into()),
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
    fn a_bypass_list_that_is_no_json_is_refused_whole() {
        assert_eq!(parse_bypass_list("*.contoso.com").1, ["*.contoso.com"]);
    }
}
