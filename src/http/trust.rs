//! Whom TLS trusts: the bundled Mozilla roots, so that an empty container works, and on top of them the
//! machine's own or those of `SSL_CERT_FILE` and the Azure Pipelines agent's CA file, so that an inspecting
//! proxy can be allowed.
//!
//! Reading a machine's own roots takes as much as all the rest of a run. So they are read once, and only when a
//! server shows a certificate that the bundled ones do not vouch for.

#[cfg(target_os = "linux")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

use super::inspect::{Issuers, NamingVerifier, Trusted};
use crate::pem::{self, Section};
use crate::world::Obstacle;

/// A file of certificate authorities that takes the place of the machine's own.
#[derive(Clone, Debug)]
pub struct AuthorityFile {
    /// The variable that names it.
    variable: &'static str,
    /// Where it is.
    path: PathBuf,
    /// What it holds, or why it cannot be used.
    certificates: Result<Vec<CertificateDer<'static>>, String>,
}

impl AuthorityFile {
    /// Reads the file: PEM as [`pem`] reads it, or a single certificate as it is (DER). What else it holds,
    /// like a revocation list, is no matter. Beside it, what a person should hear of: certificates of it that cannot
    /// be used.
    pub fn read(variable: &'static str, path: PathBuf) -> (Self, Option<String>) {
        let read = std::fs::read(&path).map_err(|error| error.to_string());
        let found = read.map(|bytes| authorities_in(&bytes));
        let spoilt = found.as_ref().map_or(0, |(_, spoilt)| *spoilt);
        let certificates = found.and_then(|(certificates, spoilt)| match (certificates.is_empty(), spoilt) {
            (true, 0) => Err("it holds no certificate".into()),
            (true, _) => Err("none of its certificates can be read".into()),
            (false, _) => Ok(certificates),
        });
        let warning = (certificates.is_ok() && spoilt > 0).then(|| {
            format!(
                "{spoilt} of the certificates in the CA file {}, which {variable} names, cannot be read and {} skipped.",
                path.display(),
                if spoilt == 1 { "is" } else { "are" }
            )
        });
        (Self { variable, path, certificates }, warning)
    }
}

/// The certificates that can be trusted, and how many more there are that cannot be read.
fn authorities_in(bytes: &[u8]) -> (Vec<CertificateDer<'static>>, usize) {
    let text = pem::text(bytes);
    let found: Vec<Option<Vec<u8>>> = if pem::is_pem(&text) {
        pem::sections(&text)
            .filter_map(|section| match section {
                Ok(Section { label, der, .. }) => match label.as_str() {
                    "CERTIFICATE" | "X509 CERTIFICATE" => Some(Some(der.to_vec())),
                    "TRUSTED CERTIFICATE" => Some(pem::first_element(&der).map(<[u8]>::to_vec)),
                    _ => None,
                },
                Err(_) => Some(None),
            })
            .collect()
    } else if pem::first_element(bytes).is_some_and(|first| first.len() == bytes.len()) {
        vec![Some(bytes.to_vec())]
    } else {
        // Base64 of a certificate without its BEGIN and END lines.
        pem::bytes_in(&text).into_iter().map(|der| Some(der.to_vec())).collect()
    };
    let all = found.len();
    let mut roots = RootCertStore::empty();
    let ders = found.into_iter().flatten().map(CertificateDer::from);
    let certificates: Vec<_> = ders.filter(|der| roots.add(der.clone()).is_ok()).collect();
    let spoilt = all - certificates.len();
    (certificates, spoilt)
}

/// Where Linux distributions keep all their certificate authorities in one file. Reading the folder of single
/// files beside it instead costs hundreds of system calls.
#[cfg(target_os = "linux")]
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The TLS configuration that trusts the bundled roots, and `extra` files in place of the machine's own. Issuers
/// that are none of the bundled roots are noted in `issuers` by name.
///
/// # Errors
/// The file of `extra` that cannot be read or holds no certificate.
pub fn client_config(extra: &[AuthorityFile], issuers: Issuers) -> Result<ClientConfig, Obstacle> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut given = Vec::new();
    for AuthorityFile { variable, path, certificates } in extra {
        let certificates = certificates.as_ref().map_err(|why| Obstacle {
            why: format!("the CA file {}, which {variable} names, cannot be used: {why}", path.display()),
            remedy: format!(
                "Let {variable} name a file of PEM certificates that adopat can read, or unset it."
            ),
            lasts: true,
        })?;
        given.extend(certificates.iter().cloned());
    }
    let public = verifier(&provider, Vec::new());
    let trusted: Trusted = if extra.is_empty() {
        let provider = Arc::clone(&provider);
        LazyLock::new(Box::new(move || verifier(&provider, of_this_machine())))
    } else {
        let verifier = verifier(&provider, given);
        LazyLock::new(Box::new(|| verifier))
    };
    let naming = NamingVerifier { public, trusted, issuers };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring serves TLS 1.2 and 1.3");
    // "Dangerous" is a verifier that trusts what it should not; this one asks rustls' own.
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(naming)).with_no_client_auth())
}

/// The TLS configuration that trusts the certificates in this file alone; `None` where there is none in it.
pub fn client_config_of(authorities: &[u8]) -> Option<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(authorities_in(authorities).0);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring serves TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (added > 0).then_some(config)
}

/// Trusts the bundled roots, and these.
fn verifier(provider: &Arc<CryptoProvider>, more: Vec<CertificateDer<'static>>) -> Arc<WebPkiServerVerifier> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(more);
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .expect("there are roots, and no revocation lists")
}

/// The TLS configuration of a client that never speaks TLS.
pub fn trust_nobody() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring serves TLS 1.2 and 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

#[cfg(target_os = "linux")]
fn of_this_machine() -> Vec<CertificateDer<'static>> {
    let bundle = BUNDLES.iter().map(Path::new).find(|bundle| bundle.exists());
    bundle
        .map(|bundle| rustls_native_certs::load_certs_from_paths(Some(bundle), None).certs)
        .unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn of_this_machine() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}
