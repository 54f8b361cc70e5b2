//! JSON Web Tokens: what the emulated issuers sign, and what Entra checks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

/// The key of every issuer emulated here. It is published with this crate, and worth nothing: RSA, since Entra
/// takes no other, and fixed, since making one takes seconds (`openssl genrsa 2048`, then `pkcs8 -topk8 -nocrypt`).
const ISSUER_KEY: &[u8] = include_bytes!("issuer.der");
/// The id of that key.
const KEY_ID: &str = "fake-issuer-key";

/// A token, taken apart but not yet believed.
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Jwt {
    pub(crate) fn parse(token: &str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed: signed.as_bytes().to_vec(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// A claim that is text.
    pub(crate) fn claim(&self, name: &str) -> Option<&str> {
        self.claims[name].as_str()
    }

    /// A claim that is an instant, in whole seconds: it may be a fraction (RFC 7519, `NumericDate`).
    pub(crate) fn instant(&self, name: &str) -> Option<i64> {
        self.claims[name].as_f64().map(|seconds| seconds.floor() as i64)
    }

    /// Whether one of the emulated issuers has signed it.
    pub(crate) fn is_signed_here(&self) -> bool {
        let key = key();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public());
        self.header["alg"] == "RS256" && public.verify(&self.signed, &self.signature).is_ok()
    }

    /// Whether the key of this certificate (DER) has signed it, with `PS256` or `RS256`.
    pub(crate) fn is_signed_with(&self, certificate: &[u8]) -> bool {
        let algorithm = match self.header["alg"].as_str() {
            Some("RS256") => webpki::ring::RSA_PKCS1_2048_8192_SHA256,
            Some("PS256") => webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            _ => return false,
        };
        let certificate = rustls_pki_types::CertificateDer::from(certificate);
        webpki::EndEntityCert::try_from(&certificate).is_ok_and(|certificate| {
            certificate.verify_signature(algorithm, &self.signed, &self.signature).is_ok()
        })
    }

    /// Whether the header names this certificate (DER): `x5t#S256`, padded or not, or the older `x5t`.
    pub(crate) fn names(&self, certificate: &[u8]) -> bool {
        let sha256 = ring::digest::digest(&ring::digest::SHA256, certificate);
        let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
        let is = |name: &str, thumbprint: &[u8]| {
            self.header[name]
                .as_str()
                .is_some_and(|given| given.trim_end_matches('=') == URL_SAFE_NO_PAD.encode(thumbprint))
        };
        is("x5t#S256", sha256.as_ref()) || is("x5t", sha1.as_ref())
    }
}

/// A token with these claims, signed by the emulated issuers.
pub(crate) fn signed(claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": KEY_ID});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let key = key();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("the issuer's key signs");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The issuers' public key as a JSON Web Key Set.
pub(crate) fn keys() -> Value {
    let public = PublicKeyComponents::<Vec<u8>>::from(key().public());
    json!({"keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
        "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
    }]})
}

/// SHA-256, as PKCE writes it.
pub(crate) fn pkce_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()))
}

fn key() -> KeyPair {
    KeyPair::from_pkcs8(ISSUER_KEY).expect("the published key is one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_changed_is_not_believed() {
        let token = signed(&json!({"sub": "me"}));
        let jwt = Jwt::parse(&token).unwrap();
        assert!(jwt.is_signed_here());
        assert_eq!(jwt.claim("sub"), Some("me"));
        let (head, rest) = token.split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(r#"{"sub":"you"}"#);
        let signature = rest.split_once('.').unwrap().1;
        assert!(!Jwt::parse(&format!("{head}.{forged}.{signature}")).unwrap().is_signed_here());
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        assert_eq!(
            pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
