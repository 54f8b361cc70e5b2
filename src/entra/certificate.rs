//! A certificate with its private key, and the assertion it signs: how a confidential client proves itself
//! without sending what proves it.
//!
//! PEM and PKCS#12 are read, plain or protected by a password. The key must be RSA, since Entra accepts no
//! other. Nothing here trusts the certificate: Entra alone decides whether it is registered.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as Pkcs12Error;
use pkcs8::EncryptedPrivateKeyInfoRef;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{KeyPair as _, RSA_PSS_SHA256};
use serde_json::json;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::secret::Secret;

/// How long an assertion is good for: the longest that Entra accepts.
const ASSERTION_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// A certificate with its private key. Cheap to clone.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<KeyPair>,
    /// base64url of the SHA-256 of the certificate, by which Entra finds it (`x5t#S256`).
    thumbprint: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Certificate").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

/// What a file of either format holds, before it is known what belongs together.
#[derive(Default)]
struct Contents {
    certificates: Vec<Vec<u8>>,
    key: Option<Arc<KeyPair>>,
}

impl Certificate {
    /// Reads a PEM (certificate and key, in any order) or a PKCS#12, and picks the certificate that belongs to
    /// the key.
    ///
    /// # Errors
    /// Exit 2, with what is missing, wrong, or not supported.
    pub fn read(bytes: &[u8], password: Option<&Secret>) -> Result<Self, Failure> {
        let contents = match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN ") => read_pem(text, password)?,
            _ => read_pkcs12(bytes, password)?,
        };
        let key = contents.key.ok_or_else(|| {
            unreadable(
                "holds no private key",
                "Give a PEM or PKCS#12 with the certificate and its private key.",
            )
        })?;
        // A certificate holds its public key byte for byte as ring writes it (RFC 8017's RSAPublicKey).
        let public = key.public_key().as_ref();
        let certificate = contents
            .certificates
            .iter()
            .find(|certificate| certificate.windows(public.len()).any(|window| window == public))
            .ok_or_else(|| {
                unreadable(
                    "holds no certificate of its private key",
                    "Put the key and the certificate that was made for it into one file.",
                )
            })?;
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        Ok(Self { thumbprint: URL_SAFE_NO_PAD.encode(digest), key })
    }

    /// A signed assertion that `client_id` is who asks `token_endpoint`, good for ten minutes from `now`
    /// (entra-docs, "Microsoft identity platform application authentication certificate credentials").
    ///
    /// # Errors
    /// Exit 1 where the operating system has no randomness or the key cannot sign.
    pub fn assertion(
        &self,
        client_id: &str,
        token_endpoint: &Url,
        id: Uuid,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": token_endpoint.as_str(),
            "iss": client_id,
            "sub": client_id,
            "jti": id.to_string(),
            "nbf": now.as_second(),
            "exp": now.saturating_add(ASSERTION_LIFETIME).unwrap_or(now).as_second(),
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        // The salt of the signature is ring's own business: it takes no randomness but the operating system's.
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).map_err(
            |_| Failure::new(Exit::Defect, "The client's certificate could not sign.", "Run it again."),
        )?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn read_pem(text: &str, password: Option<&Secret>) -> Result<Contents, Failure> {
    let mut contents = Contents::default();
    for PemSection { label, der } in pem_sections(text)? {
        match label {
            "CERTIFICATE" => contents.certificates.push(der.to_vec()),
            "PRIVATE KEY" => contents.key = Some(key_of(KeyPair::from_pkcs8(&der))?),
            "RSA PRIVATE KEY" => contents.key = Some(key_of(KeyPair::from_der(&der))?),
            "ENCRYPTED PRIVATE KEY" => {
                let encrypted = EncryptedPrivateKeyInfoRef::try_from(der.as_slice()).map_err(|_| {
                    unreadable(
                        "holds a private key that is encrypted in a way adopat does not know",
                        "Encrypt it with 'openssl pkcs8 -topk8 -v2 aes256'.",
                    )
                })?;
                let password = password.ok_or_else(password_missing)?;
                let der = encrypted.decrypt(password.expose()).map_err(|_| password_wrong())?;
                contents.key = Some(key_of(KeyPair::from_pkcs8(der.as_bytes()))?);
            }
            "EC PRIVATE KEY" => return Err(not_rsa()),
            _ => {}
        }
    }
    Ok(contents)
}

/// What stands between a BEGIN and an END line.
struct PemSection<'a> {
    label: &'a str,
    der: Zeroizing<Vec<u8>>,
}

/// The sections of a PEM. Read leniently where systems that store it as one variable change it: line
/// breaks may have become spaces or `\n` spelt out.
fn pem_sections(text: &str) -> Result<Vec<PemSection<'_>>, Failure> {
    let broken = || {
        unreadable("is a PEM that is cut short or damaged", "Give it whole, with its BEGIN and END lines.")
    };
    let mut sections = Vec::new();
    for section in text.split("-----BEGIN ").skip(1) {
        let (label, rest) = section.split_once("-----").ok_or_else(broken)?;
        let (body, _) = rest.split_once("-----END ").ok_or_else(broken)?;
        if body.contains("Proc-Type:") {
            return Err(unreadable(
                "holds a private key in OpenSSL's old encrypted form",
                "Convert it with 'openssl pkcs8 -topk8 -v2 aes256'.",
            ));
        }
        let body = Zeroizing::new(body.replace("\\r", "").replace("\\n", ""));
        let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
        let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| broken())?);
        sections.push(PemSection { label, der });
    }
    Ok(sections)
}

fn read_pkcs12(bytes: &[u8], password: Option<&Secret>) -> Result<Contents, Failure> {
    let archive = Pkcs12Archive::from_pkcs12(bytes, password.map_or("", Secret::expose)).map_err(
        |error| match error {
            Pkcs12Error::MacError(_) | Pkcs12Error::UnpadError | Pkcs12Error::Pkcs5Error(_) => match password
            {
                Some(_) => password_wrong(),
                None => password_missing(),
            },
            Pkcs12Error::UnsupportedEncryptionScheme | Pkcs12Error::UnsupportedMacAlgorithm => unreadable(
                "is a PKCS#12 that is encrypted in a way adopat does not know",
                "Export it again, with AES-256 or 3DES, or as a PEM.",
            ),
            _ => unreadable(
                "is neither a PEM nor a PKCS#12",
                "Give a file that holds the certificate and its private key.",
            ),
        },
    )?;
    let certificates = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect();
    let key = archive.keys.first().map(|bag| key_of(KeyPair::from_pkcs8(bag.key.as_der()))).transpose()?;
    Ok(Contents { certificates, key })
}

fn key_of(key: Result<KeyPair, ring::error::KeyRejected>) -> Result<Arc<KeyPair>, Failure> {
    key.map(Arc::new).map_err(|why| match why.to_string().as_str() {
        "WrongAlgorithm" => not_rsa(),
        why => unreadable(
            format!("holds a private key that cannot be used ({why})"),
            "Give an RSA key of 2048 to 4096 bits.",
        ),
    })
}

fn unreadable(what: impl fmt::Display, remedy: &str) -> Failure {
    Failure::new(Exit::Inputs, format!("The input client-certificate {what}."), remedy)
}

fn not_rsa() -> Failure {
    unreadable(
        "holds a private key that is not RSA, which Microsoft Entra does not accept",
        "Make a certificate with an RSA key of 2048 to 4096 bits and register it with the app.",
    )
}

fn password_missing() -> Failure {
    unreadable("is protected by a password, and none was given", "Give client-certificate-password.")
}

fn password_wrong() -> Failure {
    unreadable("does not open with this password, or is damaged", "Check client-certificate-password.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;
    use serde_json::Value;

    use super::*;

    /// SHA-256 of the fixtures' certificate, as OpenSSL computes it.
    const THUMBPRINT: &str = "Uaknj9GpT7l26e3GQwU1HUnIlRclVg3Nri26ALfLITo";

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/fixtures/certificates/{name}", env!("CARGO_MANIFEST_DIR")))
            .expect("a fixture")
    }

    fn password() -> Secret {
        Secret::new("fake-password".into())
    }

    #[rstest]
    #[case::pkcs1("pkcs1.pem", false)]
    #[case::pkcs8_and_a_chain("pkcs8-after-another-certificate.pem", false)]
    #[case::encrypted_pem("encrypted-aes256.pem", true)]
    #[case::encrypted_pem_of_old("encrypted-3des-sha1.pem", true)]
    #[case::pkcs12("pbes2-aes256.p12", true)]
    #[case::pkcs12_of_windows("3des-rc2.p12", true)]
    #[case::pkcs12_without_password("3des-without-password.p12", false)]
    fn every_usual_form_is_read_and_the_keys_own_certificate_picked(
        #[case] name: &str,
        #[case] protected: bool,
    ) {
        let password = protected.then(password);
        let certificate = Certificate::read(&fixture(name), password.as_ref()).expect("readable");
        assert_eq!(certificate.thumbprint, THUMBPRINT);
    }

    #[rstest]
    #[case::no_password("encrypted-aes256.pem", None, "client-certificate-password")]
    #[case::wrong_password("encrypted-aes256.pem", Some("wrong"), "Check client-certificate-password")]
    #[case::no_password_of_pkcs12("pbes2-aes256.p12", None, "Give client-certificate-password")]
    #[case::wrong_password_of_pkcs12("pbes2-aes256.p12", Some("wrong"), "Check client-certificate-password")]
    #[case::wrong_password_of_windows("3des-rc2.p12", Some("wrong"), "Check client-certificate-password")]
    #[case::old_encryption("encrypted-traditional.pem", Some("fake-password"), "openssl pkcs8 -topk8")]
    #[case::not_its_own("strangers.pem", None, "the certificate that was made for it")]
    #[case::no_key("certificate-alone.pem", None, "its private key")]
    #[case::no_key_in_pkcs12("without-key.p12", Some("fake-password"), "its private key")]
    #[case::elliptic("elliptic.pem", None, "RSA")]
    #[case::neither("README.md", None, "Give a file")]
    fn what_cannot_be_read_is_a_wrong_input(
        #[case] name: &str,
        #[case] password: Option<&str>,
        #[case] remedy: &str,
    ) {
        let password = password.map(|password| Secret::new(password.into()));
        let failure = Certificate::read(&fixture(name), password.as_ref()).expect_err("unreadable");
        assert_eq!(failure.exit, Exit::Inputs);
        assert!(failure.remedy.contains(remedy), "{failure}");
    }

    #[rstest]
    #[case::spaces(" ")]
    #[case::spelt_out("\\n")]
    #[case::windows("\r\n")]
    fn a_pem_survives_a_variable_that_changes_its_line_breaks(#[case] line_break: &str) {
        let pem = String::from_utf8(fixture("pkcs1.pem")).expect("text").replace('\n', line_break);
        assert_eq!(Certificate::read(pem.as_bytes(), None).expect("readable").thumbprint, THUMBPRINT);
    }

    #[test]
    fn the_assertion_is_what_entra_documents_and_verifies_with_the_certificate() {
        let certificate = Certificate::read(&fixture("pkcs1.pem"), None).expect("readable");
        let endpoint =
            "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token".parse().expect("an address");
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().expect("an instant");
        let jwt = certificate.assertion("client", &endpoint, Uuid::nil(), now).expect("signed");
        let (signed, signature) = jwt.rsplit_once('.').expect("three parts");
        let parts: Vec<Value> = signed
            .split('.')
            .map(|part| {
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
            })
            .collect();
        assert_eq!(parts[0], json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": THUMBPRINT }));
        assert_eq!(
            parts[1],
            json!({
                "aud": "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token",
                "iss": "client", "sub": "client", "jti": "00000000-0000-0000-0000-000000000000",
                "nbf": 1_795_514_400, "exp": 1_795_515_000,
            })
        );
        let der = CertificateDer::from_pem_slice(&fixture("certificate-alone.pem")).expect("a certificate");
        let verifier = webpki::EndEntityCert::try_from(&der).expect("a certificate");
        verifier
            .verify_signature(
                webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
                signed.as_bytes(),
                &URL_SAFE_NO_PAD.decode(signature).expect("base64url"),
            )
            .expect("signed by the certificate's key");
    }

    proptest! {
        #[test]
        fn nothing_makes_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), label in "[A-Z -]{0,20}") {
            prop_assert!(Certificate::read(&bytes, None).is_err());
            let pem = format!("-----BEGIN {label}-----{}-----END {label}-----", STANDARD.encode(&bytes));
            prop_assert!(Certificate::read(pem.as_bytes(), Some(&password())).is_err());
        }
    }
}
