//! The real network: one reqwest client for every service, built when the first request needs it.

use std::error::Error;
use std::path::PathBuf;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Version};
use url::Url;

use super::inspect::Issuers;
use super::proxy::ProxySettings;
use super::trust;
use crate::world::{Exchange, LARGEST_ANSWER, Wire, WireError};

/// The network behind reqwest and rustls.
#[derive(Debug)]
pub struct ReqwestWire {
    proxy: ProxySettings,
    /// CA files that take the place of the machine's own.
    authorities: Vec<PathBuf>,
    /// Who issued certificates that no public authority did.
    issuers: Issuers,
    /// For https. Built at the first use, since reading the trust roots is the larger part of a start.
    secure: OnceLock<Result<reqwest::Client, String>>,
    /// For http, which only loopback may speak.
    plain: OnceLock<Result<reqwest::Client, String>>,
}

impl ReqwestWire {
    /// The network through these proxies, trusting these CA files in place of the machine's own.
    pub fn new(proxy: ProxySettings, authorities: Vec<PathBuf>) -> Self {
        Self {
            proxy,
            authorities,
            issuers: Issuers::default(),
            secure: OnceLock::new(),
            plain: OnceLock::new(),
        }
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
        client.as_ref().map_err(|why| WireError::Unreachable(why.clone()))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, WireError> {
        let secure = request.uri().scheme_str() == Some("https");
        let request = reqwest::Request::try_from(request).map_err(|error| classify(&error))?;
        let mut response = self.client(secure)?.execute(request).await.map_err(|error| classify(&error))?;
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
}

impl Wire for ReqwestWire {
    fn exchange(&self, request: Request<Bytes>) -> Exchange<'_> {
        Box::pin(self.send(request))
    }

    /// reqwest opens connections for requests only. So it is given one that no connection here can carry: one of
    /// HTTP/2, which hyper turns down, unsent, once the connection of HTTP/1.1 is there, and that is then kept for
    /// the next request to the host, and watched meanwhile in case the host closes it.
    fn open_ahead(&self, address: &Url) {
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

fn build(tls: rustls::ClientConfig, proxy: Option<reqwest::Proxy>) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // Opening ahead relies on it.
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy();
    let builder = match proxy {
        Some(proxy) => builder.proxy(proxy),
        None => builder,
    };
    builder.build().map_err(|error| innermost(&error))
}

/// What kind of failure reqwest's error is; its own words would name the URL with its query, so only the
/// innermost cause is told.
fn classify(error: &reqwest::Error) -> WireError {
    let certificate = causes(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidCertificate(why)) => Some(describe_certificate(why)),
        _ => None,
    });
    match certificate {
        Some(why) => WireError::Untrusted(why),
        // The resolver's own words describe its query.
        None if causes(error).any(|cause| cause.to_string().starts_with("dns error")) => {
            WireError::Unreachable("the name could not be resolved".into())
        }
        None if error.is_connect() || error.is_builder() => WireError::Unreachable(innermost(error)),
        None => WireError::BrokenOff(innermost(error)),
    }
}

fn describe_certificate(error: &rustls::CertificateError) -> String {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        Other, UnknownIssuer,
    };
    match error {
        UnknownIssuer => "it was issued by an authority that is not trusted here".into(),
        Expired | ExpiredContext { .. } => "it has expired (or this machine's clock is wrong)".into(),
        NotValidYet | NotValidYetContext { .. } => {
            "it is not valid yet (or this machine's clock is wrong)".into()
        }
        NotValidForName | NotValidForNameContext { .. } => "it was issued for another name".into(),
        // Told by name: see `inspect`.
        Other(named) => named.to_string(),
        other => other.to_string(),
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
