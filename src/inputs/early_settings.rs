//! What holds for every run: how to log, through which proxies and trusting whom to reach the network, and
//! which secrets the host itself has put into the environment.

use tracing_subscriber::filter::Targets;

use super::environment::Environment;
use super::logins::passwords_in_proxy;
use super::problem::Problems;
use super::request::EarlySettings;
use super::values::Values;
use crate::http::no_proxy::Exceptions;
use crate::http::proxy::{AgentProxy, HttpsProxy, ProxySettings, parse_bypass_list};
use crate::http::trust::AuthorityFile;
use crate::secret::Secret;

pub(super) fn read(
    environment: &Environment,
    values: &Values,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> EarlySettings {
    let log = values.given("log").text.map(str::to_owned).filter(|filter| {
        let understood = filter.parse::<Targets>().is_ok();
        if !understood {
            problems.wrong("log", filter, "is not a log filter", "use a level like debug, or adopat=trace");
        }
        understood
    });
    let host_debugs = environment.is_true("SYSTEM_DEBUG") || environment.is_true("RUNNER_DEBUG");
    let mut authorities = Vec::new();
    for variable in ["SSL_CERT_FILE", "AGENT_CAINFO"] {
        let Some(path) = environment.path(variable) else { continue };
        let (file, warning) = AuthorityFile::read(variable, path);
        authorities.push(file);
        warnings.extend(warning);
    }
    EarlySettings {
        log: log.or_else(|| host_debugs.then(|| "adopat=debug".to_owned())),
        proxy: proxy(environment, warnings),
        authorities,
        colours: environment.text("NO_COLOR").is_none() && environment.text("TERM") != Some("dumb"),
    }
}

fn proxy(environment: &Environment, warnings: &mut Vec<String>) -> ProxySettings {
    let agent = environment.secret("AGENT_PROXYURL").map(|url| {
        let list = environment.text("AGENT_PROXYBYPASSLIST").unwrap_or("[]");
        let (bypass, refused) = parse_bypass_list(list);
        warnings.extend(refused.into_iter().map(|entry| {
            format!("The agent's proxy bypass list holds an entry that is no regular expression and is skipped: {entry}")
        }));
        AgentProxy {
            url,
            user: environment.text("AGENT_PROXYUSERNAME").map(str::to_owned),
            password: environment
                .secret("SECRET_AGENT_PROXYPASSWORD")
                .or_else(|| environment.secret("AGENT_PROXYPASSWORD")),
            bypass,
        }
    });
    let (no_proxy, refused) =
        Exceptions::parse(environment.first(&["no_proxy", "NO_PROXY"]).unwrap_or_default());
    warnings.extend(refused.into_iter().map(|entry| {
        format!("NO_PROXY holds an entry that means no host and is skipped: {entry}. Write contoso.com, *.contoso.com or 10.0.0.0/8.")
    }));
    ProxySettings {
        https_proxy: ["https_proxy", "HTTPS_PROXY"]
            .into_iter()
            .find_map(|variable| environment.secret(variable).map(|url| HttpsProxy { variable, url })),
        no_proxy,
        agent,
    }
}

/// The secrets among the variables that hosts set by themselves, and the password of a proxy.
pub(super) fn hosts_secrets(environment: &Environment) -> Vec<Secret> {
    let tokens = [
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "SYSTEM_ACCESSTOKEN",
        "ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN",
        "SECRET_AGENT_PROXYPASSWORD",
        "AGENT_PROXYPASSWORD",
        "IDENTITY_HEADER",
    ];
    // Those that adopat does not read, the Azure CLI may, and may tell.
    let proxies =
        ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].map(|name| [name.to_owned(), name.to_lowercase()]);
    let proxies = proxies.into_iter().flatten().chain(["AGENT_PROXYURL".to_owned()]);
    let passwords = proxies.filter_map(|name| environment.text(&name)).flat_map(passwords_in_proxy);
    tokens.into_iter().filter_map(|name| environment.secret(name)).chain(passwords).collect()
}
