//! A certificate with its private key, and the assertion it signs: how a confidential client proves itself
//! without sending what proves it.
//!
//! PEM and PKCS#12 are read, plain or in base64 as Key Vault hands them out, and protected by a password or not. The key
//! must be RSA, since Entra accepts no other. Nothing here trusts the certificate: Entra alone decides whether it is
//! registered.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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

use super::pkcs12_without_password::{self, Opened};
use crate::failure::{Exit, Failure};
use crate::pem::{self, Section};
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
    keys: Vec<Arc<KeyPair>>,
    /// Why something in it could not be read, the first first: no matter where what is left is enough.
    troubles: Vec<Failure>,
}

impl Certificate {
    /// Reads a PEM (in any order) or a PKCS#12, either perhaps in base64, and picks a key and the certificate that
    /// belongs to it.
    ///
    /// # Errors
    /// Exit 2, with what is missing, wrong, or not supported.
    pub fn read(bytes: &[u8], password: Option<&Secret>) -> Result<Self, Failure> {
        let mut contents = contents_of(bytes, password)?;
        for key in &contents.keys {
            // A certificate holds its public key byte for byte as ring writes it (RFC 8017's RSAPublicKey).
            let public = key.public_key().as_ref();
            let is_its_own =
                |certificate: &&Vec<u8>| certificate.windows(public.len()).any(|window| window == public);
            if let Some(certificate) = contents.certificates.iter().find(is_its_own) {
                let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
                return Ok(Self { thumbprint: URL_SAFE_NO_PAD.encode(digest), key: Arc::clone(key) });
            }
        }
        if !contents.troubles.is_empty() {
            return Err(contents.troubles.swap_remove(0));
        }
        Err(if contents.keys.is_empty() {
            unreadable(
                "holds no private key",
                "Give a PEM or PKCS#12 with the certificate and its private key.",
            )
        } else {
            unreadable(
                "holds no certificate of its private key",
                "Put the key and the certificate that was made for it into one file.",
            )
        })
    }

    /// A signed assertion that `client_id` is who asks `token_endpoint`, good for ten minutes from `now`
    /// (entra-docs, "Microsoft identity platform application authentication certificate credentials").
    ///
    /// # Errors
    /// Exit 1 if the operating system has no randomness or the key cannot sign.
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

fn contents_of(bytes: &[u8], password: Option<&Secret>) -> Result<Contents, Failure> {
    let text = pem::text(bytes);
    if pem::is_pem(&text) {
        return Ok(read_pem(&text, password));
    }
    match pem::bytes_in(&text) {
        Some(bytes) => {
            let text = pem::text(&bytes);
            if pem::is_pem(&text) { Ok(read_pem(&text, password)) } else { read_pkcs12(&bytes, password) }
        }
        None => read_pkcs12(bytes, password),
    }
}

fn read_pem(text: &str, password: Option<&Secret>) -> Contents {
    let mut contents = Contents::default();
    for section in pem::sections(text) {
        let read = section
            .map_err(|_| {
                unreadable(
                    "is a PEM that is cut short or damaged",
                    "Give it whole, with its BEGIN and END lines.",
                )
            })
            .and_then(|section| contents.take(&section, password));
        contents.troubles.extend(read.err());
    }
    contents
}

impl Contents {
    fn take(&mut self, section: &Section, password: Option<&Secret>) -> Result<(), Failure> {
        if section.is_encrypted {
            return Err(unreadable(
                "holds a private key in OpenSSL's old encrypted form",
                "Convert it with 'openssl pkcs8 -topk8 -v2 aes256'.",
            ));
        }
        let der = section.der.as_slice();
        match section.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => self.certificates.push(der.to_vec()),
            "TRUSTED CERTIFICATE" => self.certificates.extend(pem::first_element(der).map(<[u8]>::to_vec)),
            // Either label is found on either form.
            "PRIVATE KEY" | "RSA PRIVATE KEY" => {
                self.keys.push(key_of(
                    KeyPair::from_pkcs8(der).or_else(|why| KeyPair::from_der(der).map_err(|_| why)),
                )?);
            }
            "ENCRYPTED PRIVATE KEY" => self.keys.push(decrypted(der, password)?),
            "PKCS12" => {
                let Contents { certificates, keys, troubles } = read_pkcs12(der, password)?;
                self.certificates.extend(certificates);
                self.keys.extend(keys);
                self.troubles.extend(troubles);
            }
            label if label.ends_with("PRIVATE KEY") => return Err(not_rsa()),
            _ => {}
        }
        Ok(())
    }
}

impl Contents {
    fn take_key(&mut self, key: Result<KeyPair, ring::error::KeyRejected>) {
        match key_of(key) {
            Ok(key) => self.keys.push(key),
            Err(why) => self.troubles.push(why),
        }
    }
}

fn decrypted(der: &[u8], password: Option<&Secret>) -> Result<Arc<KeyPair>, Failure> {
    let unknown = || {
        unreadable(
            "holds a private key that is encrypted in a way adopat does not know",
            "Encrypt it with 'openssl pkcs8 -topk8 -v2 aes256'.",
        )
    };
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| unknown())?;
    let password = password.ok_or_else(password_missing)?;
    let der = encrypted.decrypt(password.expose()).map_err(|why| match why {
        pkcs8::Error::EncryptedPrivateKey(why) if why != pkcs8::pkcs5::Error::DecryptFailed => unknown(),
        _ => password_wrong(),
    })?;
    key_of(KeyPair::from_pkcs8(der.as_bytes()))
}

fn read_pkcs12(bytes: &[u8], password: Option<&Secret>) -> Result<Contents, Failure> {
    let read =
        Pkcs12Archive::from_pkcs12(bytes, password.map_or("", Secret::expose)).or_else(|error| match error {
            // Some tools make the seal of a file without a password from no text at all, others from an empty one. It
            // proves nothing either way.
            Pkcs12Error::MacError(_) if password.is_none() => {
                Pkcs12Archive::from_pkcs12(&without_seal(bytes).ok_or(error)?, "")
            }
            error => Err(error),
        });
    if read.is_err()
        && password.is_none()
        && let Some(Opened { certificates, keys }) = pkcs12_without_password::open(bytes)
    {
        let mut contents = Contents { certificates, ..Contents::default() };
        keys.iter().for_each(|key| contents.take_key(KeyPair::from_pkcs8(key)));
        return Ok(contents);
    }
    let archive = read.map_err(|error| match error {
        Pkcs12Error::MacError(_) | Pkcs12Error::UnpadError | Pkcs12Error::Pkcs5Error(_) => match password {
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
    })?;
    let certificates = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect();
    let mut contents = Contents { certificates, ..Contents::default() };
    archive.keys.iter().for_each(|bag| contents.take_key(KeyPair::from_pkcs8(bag.key.as_der())));
    Ok(contents)
}

/// A PKCS#12 without its third and last element, its MAC (RFC 7292, section 4).
fn without_seal(bytes: &[u8]) -> Option<Vec<u8>> {
    let whole = pem::first_element(bytes)?;
    let content = &whole[if whole[1] < 0x80 { 2 } else { 2 + usize::from(whole[1] & 0x7f) }..];
    let version = pem::first_element(content)?;
    let safe = pem::first_element(&content[version.len()..])?;
    let length = u32::try_from(version.len() + safe.len()).ok()?.to_be_bytes();
    let digits = &length[length.iter().position(|digit| *digit > 0)?..];
    let digits_follow = 0x80 + u8::try_from(digits.len()).ok()?;
    Some([&[0x30, digits_follow], digits, version, safe].concat())
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
    use base64::engine::general_purpose::STANDARD;
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
    #[case::pkcs12_of_an_empty_password("3des-without-password.p12", false)]
    #[case::pkcs12_of_no_password("without-any-password-3des.p12", false)]
    #[case::pkcs12_of_no_password_and_rc2("without-any-password-rc2.p12", false)]
    #[case::pkcs12_of_no_password_and_aes("without-any-password-aes.p12", false)]
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
