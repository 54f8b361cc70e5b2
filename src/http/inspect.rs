//! Who issued a server's certificate, if that is no public authority: most often a proxy that inspects TLS.
//!
//! rustls says "unknown issuer" and no more, which helps nobody to find the proxy. This verifier decides nothing
//! by itself: it asks the public roots, then all the roots that are trusted here, and only if the first say
//! no does it look into what the server sent, for the issuer's *name*. What is named is never trusted for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The longest name that is shown.
const LONGEST_NAME: usize = 100;

/// The issuers, by server, that are trusted here though they are no public authorities.
#[derive(Clone, Debug, Default)]
pub struct Issuers(Arc<Mutex<HashMap<String, String>>>);

impl Issuers {
    /// The issuer of this server's certificate, if it is trusted here but is no public authority.
    pub fn of(&self, server: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned()
    }

    fn note(&self, server: String, issuer: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(server, issuer);
    }
}

/// A verifier that is made when the first certificate needs it.
pub type Trusted = LazyLock<Arc<WebPkiServerVerifier>, Box<dyn FnOnce() -> Arc<WebPkiServerVerifier> + Send>>;

/// Trusts what the roots of this machine trust, and keeps the names of issuers that are not public.
#[derive(Debug)]
pub struct NamingVerifier {
    /// The public roots alone.
    pub public: Arc<WebPkiServerVerifier>,
    /// Every root that is trusted here, the public ones among them. Its word is the one that counts.
    pub trusted: Trusted,
    /// Where names are kept.
    pub issuers: Issuers,
}

impl ServerCertVerifier for NamingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ask = |roots: &WebPkiServerVerifier| {
            roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        if let Ok(verified) = ask(&self.public) {
            return Ok(verified);
        }
        let issuer = issuer_of(intermediates.last().unwrap_or(end_entity));
        match (ask(&self.trusted), issuer) {
            (Ok(verified), Some(issuer)) => {
                self.issuers.note(server_name.to_str().into_owned(), issuer);
                Ok(verified)
            }
            (Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)), Some(issuer)) => {
                let named = OtherError(Arc::new(UnknownIssuer { issuer }));
                Err(Error::InvalidCertificate(CertificateError::Other(named)))
            }
            (verdict, _) => verdict,
        }
    }

    // Whose certificate it is has been settled: signatures are the same to every verifier.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.public.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.public.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.public.supported_verify_schemes()
    }
}

/// A certificate of an authority that is not trusted here, by name.
#[derive(Debug)]
struct UnknownIssuer {
    issuer: String,
}

impl fmt::Display for UnknownIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "it was issued by '{}', an authority that is not trusted here", self.issuer)
    }
}

impl std::error::Error for UnknownIssuer {}

/// The issuer's common name, else its whole name, as the certificate has it: foreign text.
fn issuer_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let issuer = certificate.tbs_certificate().issuer();
    let name = match issuer.common_name() {
        Ok(Some(name)) => name.value().into_owned(),
        _ => issuer.to_string(),
    };
    (!name.trim().is_empty()).then(|| name.trim().chars().take(LONGEST_NAME).collect())
}
