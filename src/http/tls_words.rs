//! What an error of TLS means, in plain words: rustls and webpki name theirs for programmers.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// What is wrong with a certificate, as the rest of a sentence after a colon.
pub fn of_certificate(error: &CertificateError) -> String {
    use CertificateError as Wrong;
    let words = match error {
        Wrong::UnknownIssuer => "it was issued by an authority that is not trusted here",
        Wrong::Expired | Wrong::ExpiredContext { .. } => "it has expired (or this machine's clock is wrong)",
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "it is not valid yet (or this machine's clock is wrong)"
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => "it was issued for another name",
        Wrong::BadEncoding => "it is not a well-formed certificate",
        Wrong::Revoked => "it was revoked by the authority that issued it",
        Wrong::UnhandledCriticalExtension => {
            "it holds an extension marked critical that adopat does not understand"
        }
        Wrong::UnknownRevocationStatus => "whether it was revoked cannot be found out",
        Wrong::ExpiredRevocationList | Wrong::ExpiredRevocationListContext { .. } => {
            "the list of revoked certificates has expired"
        }
        Wrong::BadSignature => "its signature is wrong: it was changed, or its issuer did not sign it",
        Wrong::UnsupportedSignatureAlgorithmContext { .. }
        | Wrong::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed by a method that is not safe, like SHA-1"
        }
        Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. } => "it was not issued for a server",
        Wrong::InvalidOcspResponse => "the proof that it was not revoked is not valid",
        Wrong::ApplicationVerificationFailure => "it was refused",
        // Told by name, see `inspect`; or webpki's own, which shows nothing but its identifier.
        Wrong::Other(other) => return of_other(&other.to_string()),
        // What is left of rustls' own is an older spelling of one of the above.
        _ => "it is signed by a method that is not safe, like SHA-1",
    };
    words.to_owned()
}

/// webpki's errors by their identifiers; what is a sentence already stays as it is.
fn of_other(text: &str) -> String {
    let identifier: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
    let words = match identifier.as_str() {
        "CaUsedAsEndEntity" => "it is a certificate authority's own certificate, not a server's",
        "EndEntityUsedAsCa" | "IssuerNotCrlSigner" => {
            "it was issued by a certificate that is not an authority's and may not issue any"
        }
        "CertDistrusted" => "the authority that issued it is no longer trusted",
        "PathLenConstraintViolated" => "the chain of authorities above it is longer than allowed",
        "NameConstraintViolation" => "the authority that issued it may not issue it for this name",
        "EmptyEkuExtension" | "RequiredEkuNotFound" | "RequiredEkuNotFoundContext" => {
            "it was not issued for a server"
        }
        "UnsupportedCriticalExtension" => {
            "it holds an extension marked critical that adopat does not understand"
        }
        "UnsupportedCertVersion" => "it is of an old form (X.509 version 1 or 2)",
        "InvalidCertValidity" => "it ends before it begins",
        "MaximumPathBuildCallsExceeded"
        | "MaximumPathDepthExceeded"
        | "MaximumSignatureChecksExceeded"
        | "MaximumNameConstraintComparisonsExceeded" => "the server sent too many certificates with it",
        "SignatureAlgorithmMismatch"
        | "UnsupportedSignatureAlgorithm"
        | "UnsupportedSignatureAlgorithmContext"
        | "UnsupportedSignatureAlgorithmForPublicKey"
        | "UnsupportedSignatureAlgorithmForPublicKeyContext" => {
            "it is signed by a method that is not safe, like SHA-1"
        }
        // A sentence has a space; an identifier, and what a program shows of its fields, comes without one.
        known
            if known == text || text[known.len()..].starts_with(['(', ' ', '{']) && is_identifier(known) =>
        {
            "it is not a well-formed certificate"
        }
        _ => return text.to_owned(),
    };
    words.to_owned()
}

/// Whether a word is written as a program's identifier: more than one capital, no space.
fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().filter(char::is_ascii_uppercase).count() > 1
}

/// Why two sides that reached one another do not speak TLS, as the rest of a sentence after a colon.
pub fn of_handshake(error: &Error) -> String {
    let words = match error {
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } | Error::PeerSentOversizedRecord => {
            "what answers there speaks no TLS"
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "what answers there speaks no version of TLS that is safe, which are 1.2 and 1.3"
        }
        Error::PeerIncompatible(_) | Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            "what answers there speaks no version of TLS that is safe (1.2 or 1.3), or shares no safe cipher"
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "what answers there does not know the name that it is called by"
        }
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::BadCertificate) => {
            "what answers there wants a certificate of this machine, which adopat does not have"
        }
        Error::AlertReceived(AlertDescription::AccessDenied) => "what answers there denies access",
        Error::AlertReceived(AlertDescription::InternalError) => "what answers there failed",
        Error::AlertReceived(_) => "what answers there ended the TLS handshake",
        Error::NoCertificatesPresented => "what answers there shows no certificate",
        Error::PeerMisbehaved(_) | Error::InappropriateHandshakeMessage { .. } => {
            "what answers there breaks the rules of TLS"
        }
        Error::DecryptError => "what answers there sent something that cannot be decrypted",
        Error::FailedToGetCurrentTime => "this machine does not tell the time",
        Error::FailedToGetRandomBytes => "this machine gives no random numbers",
        _ => "no TLS connection came about",
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Whether any word looks like a program's identifier, or like the fields of a structure.
    fn is_for_programmers(words: &str) -> bool {
        let known = ["TLS", "SHA-1", "X.509"];
        words.contains(['{', '}', '[', '_'])
            || words.split([' ', '(', ')', ',', ':']).filter(|word| !known.contains(word)).any(is_identifier)
    }

    #[rstest]
    #[case("BadDer")]
    #[case("BadDerTime")]
    #[case("CaUsedAsEndEntity")]
    #[case("CertDistrusted")]
    #[case("EmptyEkuExtension")]
    #[case("EndEntityUsedAsCa")]
    #[case("ExtensionValueInvalid")]
    #[case("InvalidCertValidity")]
    #[case("InvalidNetworkMaskConstraint")]
    #[case("InvalidSerialNumber")]
    #[case("IssuerNotCrlSigner")]
    #[case("MalformedDnsIdentifier")]
    #[case("MalformedExtensions")]
    #[case("MalformedNameConstraint")]
    #[case("MaximumNameConstraintComparisonsExceeded")]
    #[case("MaximumPathBuildCallsExceeded")]
    #[case("MaximumPathDepthExceeded")]
    #[case("MaximumSignatureChecksExceeded")]
    #[case("NameConstraintViolation")]
    #[case("PathLenConstraintViolated")]
    #[case(
        "RequiredEkuNotFoundContext(RequiredEkuNotFoundContext { required: KeyUsage }, present: [[1, 3]])"
    )]
    #[case("SignatureAlgorithmMismatch")]
    #[case("TrailingData(Certificate)")]
    #[case("UnsupportedCertVersion")]
    #[case("UnsupportedCriticalExtension")]
    #[case("UnsupportedNameType")]
    #[case(
        "UnsupportedSignatureAlgorithmContext(UnsupportedSignatureAlgorithmContext { signature_algorithm_id: [6, 9] })"
    )]
    fn every_error_of_webpki_is_told_in_plain_words(#[case] shown: &str) {
        let words = of_other(shown);
        assert!(!is_for_programmers(&words), "{shown}: {words}");
        assert!(words.starts_with("it ") || words.starts_with("the "), "{words}");
    }

    #[test]
    fn a_sentence_stays_as_it_is() {
        let words = "it was issued by 'Contoso CA', an authority that is not trusted here";
        assert_eq!(of_other(words), words);
    }

    #[test]
    fn every_error_of_rustls_about_a_certificate_is_told_in_plain_words() {
        use rustls::CertificateError as Wrong;
        for error in [
            Wrong::BadEncoding,
            Wrong::Expired,
            Wrong::NotValidYet,
            Wrong::Revoked,
            Wrong::UnhandledCriticalExtension,
            Wrong::UnknownIssuer,
            Wrong::UnknownRevocationStatus,
            Wrong::ExpiredRevocationList,
            Wrong::BadSignature,
            Wrong::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: vec![6, 9, 42],
                supported_algorithms: Vec::new(),
            },
            Wrong::NotValidForName,
            Wrong::InvalidPurpose,
            Wrong::InvalidPurposeContext {
                required: rustls::ExtendedKeyPurpose::ServerAuth,
                presented: vec![rustls::ExtendedKeyPurpose::Other(vec![1, 3, 6])],
            },
            Wrong::InvalidOcspResponse,
            Wrong::ApplicationVerificationFailure,
        ] {
            let words = of_certificate(&error);
            assert!(!is_for_programmers(&words), "{error:?}: {words}");
        }
    }

    #[test]
    fn every_alert_is_told_in_plain_words() {
        for number in 0..=255 {
            let words = of_handshake(&Error::AlertReceived(AlertDescription::from(number)));
            assert!(!is_for_programmers(&words) && words.starts_with("what answers there "), "{words}");
        }
        for error in [
            Error::NoCertificatesPresented,
            Error::DecryptError,
            Error::EncryptError,
            Error::HandshakeNotComplete,
            Error::PeerSentOversizedRecord,
            Error::General("NoSuchThing { of: [1] }".into()),
            Error::FailedToGetCurrentTime,
            Error::FailedToGetRandomBytes,
            Error::NoApplicationProtocol,
        ] {
            assert!(!is_for_programmers(&of_handshake(&error)), "{error:?}");
        }
    }
}
