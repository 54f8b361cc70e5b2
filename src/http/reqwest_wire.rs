//! The real network: one reqwest client for every service, built when the first request needs it.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Version};
use url::Url;

use super::inspect::Issuers;
use super::names::{Names, NoNameServer};
use super::proxy::{ProxySettings, ProxyTrouble};
use super::tls_words;
use super::trust::{self, AuthorityFile};
use crate::world::{Exchange, LARGEST_ANSWER, Obstacle, Wire, WireError};

/// The network behind reqwest and rustls.
#[derive(Debug)]
pub struct ReqwestWire {
    proxy: ProxySettings,
    /// CA files that take the place of the machine's own.
    authorities: Vec<AuthorityFile>,
    /// Who issued certificates that no public authority did.
    issuers: Issuers,
    /// For https. Built at the first use, since reading the trust roots is the larger part of a start.
    secure: OnceLock<Result<reqwest::Client, Obstacle>>,
    /// For http, which only loopback may speak.
    plain: OnceLock<Result<reqwest::Client, Obstacle>>,
}

impl ReqwestWire {
    /// The network through these proxies, trusting these CA files in place of the machine's own.
    pub fn new(proxy: ProxySettings, authorities: Vec<AuthorityFile>) -> Self {
        Self {
            proxy,
            authorities,
            issuers: Issuers::default(),
            secure: OnceLock::new(),
            plain: OnceLock::new(),
        }
    }

    /// The network without any proxy, trusting the certificates in this PEM alone; `None` where there is none in it.
    pub fn trusting_alone(authorities: &[u8]) -> Option<Self> {
        let config = trust::client_config_of(authorities)?;
        let wire = Self::new(ProxySettings::default(), Vec::new());
        let _ = wire.secure.set(build(config, None));
        Some(wire)
    }

    fn client(&self, secure: bool) -> Result<&reqwest::Client, WireError> {
        let client = if secure {
            self.secure.get_or_init(|| {
                let proxy = self.proxy.to_reqwest()?;
                build(trust::client_config(&self.authorities, self.issuers.clone())?, proxy)
            })
        } else {
            self.plain.get_or_init(|| build(trust::trust_nobody(), None))
        };
        client.as_ref().map_err(|obstacle| WireError::Obstructed(obstacle.clone()))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, WireError> {
        let secure = request.uri().scheme_str() == Some("https");
        let request = reqwest::Request::try_from(request).map_err(|error| unreachable(&error))?;
        let address = request.url().clone();
        let response = self.client(secure)?.execute(request).await;
        let mut response = response.map_err(|error| self.classify(&error, &address))?;
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| WireError::BrokenOff(innermost(&error)))?
        {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(WireError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        *answer.body_mut() = body.freeze();
        Ok(answer)
    }

    /// What kind of failure reqwest's error is; its own words would name the URL with its query, so only causes
    /// are told.
    fn classify(&self, error: &reqwest::Error, address: &Url) -> WireError {
        if let Some(trouble) = with_the_proxy(error)
            && let Some(obstacle) = self.proxy.blame(address, trouble)
        {
            return WireError::Obstructed(obstacle);
        }
        match tls_error(error) {
            Some(rustls::Error::InvalidCertificate(why)) => WireError::Untrusted {
                why: tls_words::of_certificate(why),
                remedy: remedy_of_certificate(why),
            },
            Some(error) => WireError::Obstructed(no_common_language(error)),
            None if error.is_connect() || error.is_builder() => unreachable(error),
            None => WireError::BrokenOff(innermost(error)),
        }
    }
}

impl Wire for ReqwestWire {
    fn exchange(&self, request: Request<Bytes>) -> Exchange<'_> {
        Box::pin(self.send(request))
    }

    /// reqwest opens connections for requests only. So it is given one that no connection here can carry: one of
    /// HTTP/2, which hyper turns down, unsent, once the connection of HTTP/1.1 is there, and that is then kept for
    /// the next request to the host, and watched meanwhile in case the host closes it.
    ///
    /// Not through a proxy: one that refuses its password would see it twice, and may lock the account.
    fn open_ahead(&self, address: &Url) {
        if self.proxy.of(address).is_some() {
            return;
        }
        let Ok(client) = self.client(address.scheme() == "https") else { return };
        let unsendable = client.head(address.clone()).version(Version::HTTP_2).send();
        tokio::spawn(async {
            let _ = unsendable.await;
        });
    }

    fn proxy(&self, address: &Url) -> Option<String> {
        self.proxy.of(address)
    }

    fn private_issuer(&self, address: &Url) -> Option<String> {
        let host = address.host_str()?;
        self.issuers.of(host.trim_start_matches('[').trim_end_matches(']'))
    }
}

fn build(tls: rustls::ClientConfig, proxy: Option<reqwest::Proxy>) -> Result<reqwest::Client, Obstacle> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // Opening ahead relies on it.
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .dns_resolver(Arc::new(Names::of_this_machine()))
        .no_proxy();
    let builder = match proxy {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    };
    builder.build().map_err(|error| Obstacle {
        why: format!("the HTTP client cannot be made: {}", innermost(&error)),
        remedy: "Report it: this is a defect in adopat.".into(),
        lasts: true,
    })
}

/// The name or the connection failed.
fn unreachable(error: &(dyn Error + 'static)) -> WireError {
    WireError::Unreachable(why_unreachable(error))
}

fn why_unreachable(error: &(dyn Error + 'static)) -> String {
    // The resolver's own words describe its query.
    if let Some(missing) = causes(error).find_map(|cause| cause.downcast_ref::<NoNameServer>()) {
        return format!("the name could not be resolved: {missing}");
    }
    match causes(error).any(|cause| cause.to_string().starts_with("dns error")) {
        true => "the name could not be resolved".into(),
        false => innermost(error),
    }
}

/// What the proxy on the way has to do with a failure, if it has. hyper-util does not let its errors be told apart
/// but by their words; the tests hold these to what it says.
fn with_the_proxy(error: &(dyn Error + 'static)) -> Option<ProxyTrouble> {
    let (tunnel, why) = causes(error)
        .find_map(|cause| Some((cause, cause.to_string().strip_prefix("tunnel error: ")?.to_owned())))?;
    Some(match (why.as_str(), tls_error(tunnel)) {
        ("proxy authorization required", _) => ProxyTrouble::Unauthorized,
        ("unsuccessful" | "proxy response headers too long", _) => ProxyTrouble::Refused,
        ("unexpected end of file" | "io error establishing tunnel", _) => ProxyTrouble::BrokenOff,
        (_, Some(rustls::Error::InvalidCertificate(why))) => {
            ProxyTrouble::Untrusted(tls_words::of_certificate(why))
        }
        _ => ProxyTrouble::Unreachable(why_unreachable(tunnel)),
    })
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())
}

/// Both sides were reached, and do not speak the same TLS; or one of them speaks none.
fn no_common_language(error: &rustls::Error) -> Obstacle {
    let why = tls_words::of_handshake(error);
    let remedy = "Check the address and its port, and that no captive portal, firewall or old proxy answers in its place.";
    Obstacle { why, remedy: remedy.into(), lasts: true }
}

fn remedy_of_certificate(error: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        Other, UnknownIssuer,
    };
    match error {
        Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => {
            "Set this machine's clock if it is wrong; if it is right, the operator of that server, or of the proxy in front \
             of it, has to renew the certificate."
        }
        NotValidForName | NotValidForNameContext { .. } => {
            "Check the address, and where its name leads on this machine: another server answers in its place."
        }
        // Who issued it is not trusted, which `inspect` tells by name.
        UnknownIssuer | Other(_) if tls_words::of_certificate(error).contains("not trusted here") => {
            "If a proxy inspects TLS here, add its CA certificate (PEM) to the file that SSL_CERT_FILE names; if that is \
             not set, set it to such a file or add the certificate to this machine's own store. An Azure Pipelines agent \
             is given it by --sslcacert. If there is no such proxy, do not go on."
        }
        _ => {
            "Tell the people who run that server, or the proxy in front of it: it needs another certificate."
        }
    }
}

/// An error and all its causes. An `io::Error` hides what it wraps from `source`, so it is looked into.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use reqwest::dns::{Name, Resolve, Resolving};
    use tokio::sync::watch;

    use super::*;
    use crate::failure::Exit;
    use crate::http::{Effect, Http, NoAnswer};
    use crate::time::Deadline;
    use crate::world::{SystemClock, SystemRandom, World};

    /// A resolver that fails so often, then knows every name as loopback.
    #[derive(Clone)]
    struct Names {
        failures: usize,
        asked: Arc<AtomicUsize>,
    }

    impl Resolve for Names {
        fn resolve(&self, _name: Name) -> Resolving {
            let fails = self.asked.fetch_add(1, Ordering::SeqCst) < self.failures;
            Box::pin(async move {
                match fails {
                    true => Err("no record found for Query { name: Name(...) }".into()),
                    false => Ok(Box::new([SocketAddr::from(([127, 0, 0, 1], 0))].into_iter()) as Box<_>),
                }
            })
        }
    }

    /// Asks a name for something; how often it was resolved for that.
    async fn ask(failures: usize, effect: Effect) -> (Result<u16, NoAnswer>, usize) {
        let mut server = mockito::Server::new_async().await;
        server.mock("GET", "/").create_async().await;
        let names = Names { failures, asked: Arc::default() };
        let wire = ReqwestWire::new(ProxySettings::default(), Vec::new());
        let builder = reqwest::Client::builder().tls_backend_preconfigured(trust::trust_nobody());
        let client = builder.no_proxy().dns_resolver(Arc::new(names.clone())).build().expect("a client");
        wire.plain.set(Ok(client)).expect("not built yet");
        let world =
            World { wire: Arc::new(wire), clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
        let deadline = Deadline::new(Duration::from_secs(30), watch::channel(None).1);
        let address = format!("http://login.contoso.example:{}/", server.socket_address().port());
        let request = Request::get(address).body(Bytes::new()).expect("a request");
        let answer = Http::new(world, deadline).send(request, effect).await;
        (answer.map(|answer| answer.status.as_u16()), names.asked.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_resolved_at_first_is_asked_again() {
        for effect in [Effect::Idempotent, Effect::Precious] {
            assert_eq!(ask(2, effect).await, (Ok(200), 3));
        }
    }

    #[tokio::test]
    async fn a_name_that_is_never_resolved_is_given_up_and_told_without_the_resolvers_words() {
        let (answer, asked) = ask(usize::MAX, Effect::Idempotent).await;
        assert_eq!(asked, 4);
        let answer = answer.expect_err("no answer");
        assert!(!answer.may_have_acted());
        let failure = answer.into_failure("The service (login.contoso.example)");
        assert_eq!(failure.exit, Exit::Service);
        assert_eq!(
            failure.cause,
            "The service (login.contoso.example) could not be reached: the name could not be resolved."
        );
        assert!(failure.remedy.contains("Check the name") && failure.remedy.contains("HTTPS_PROXY"));
    }

    #[tokio::test]
    async fn a_request_that_mints_is_not_repeated_though_its_name_could_not_be_resolved() {
        let (answer, asked) = ask(1, Effect::OnceOnly).await;
        assert!(matches!(answer, Err(NoAnswer::Wire(WireError::Unreachable(_)))), "{answer:?}");
        assert_eq!(asked, 1);
    }
}
