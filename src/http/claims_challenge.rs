//! A continuous-access challenge: a service no longer takes an access token, though it has not expired, since a policy
//! revoked it (Microsoft's identity platform documentation, `claims-challenge`).
//!
//! It is a 401 whose `WWW-Authenticate` holds `error="insufficient_claims"` and, in base64, the `claims` to sign in
//! with. It comes before the request is acted on. Which of its hosts send it Azure DevOps does not say, nor how exactly
//! it is written there: headers are read as tolerantly as can be.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use serde_json::{Map, Value};

use super::Answer;

/// The protocol's name of the error.
pub const INSUFFICIENT_CLAIMS: &str = "insufficient_claims";

/// Base64, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a challenge asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsChallenge {
    /// The claims to sign in with, as JSON; `None` if they cannot be read.
    pub claims: Option<String>,
}

impl ClaimsChallenge {
    /// The challenge in an answer, if it is one.
    pub fn of(answer: &Answer) -> Option<Self> {
        if answer.status != StatusCode::UNAUTHORIZED {
            return None;
        }
        let headers = answer.headers.get_all(WWW_AUTHENTICATE).iter();
        let parameters: Vec<(String, String)> =
            headers.flat_map(|value| parameters(&String::from_utf8_lossy(value.as_bytes()))).collect();
        let named = |wanted: &str| {
            let wanted = wanted.to_owned();
            parameters.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(&wanted))
        };
        let claims = named("claims").find_map(|(_, value)| decoded(value));
        let is_one = claims.is_some()
            || named("error").any(|(_, value)| value.eq_ignore_ascii_case(INSUFFICIENT_CLAIMS));
        is_one.then_some(Self { claims })
    }
}

/// The parameters of all challenges in a header, whatever their schemes (RFC 9110, section 11.6.1).
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches(|c: char| matches!(c, ',' | ';') || c.is_whitespace());
        if rest.is_empty() {
            return found;
        }
        let end =
            rest.find(|c: char| matches!(c, '=' | ',' | ';') || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        // A word without a value is a scheme.
        rest = match after.trim_start().strip_prefix('=') {
            None => after,
            Some(value) => {
                let (value, after) = value_at(value.trim_start());
                found.push((name.to_owned(), value));
                after
            }
        };
    }
}

/// The value that the text begins with, in quotation marks or not, and what follows.
fn value_at(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| matches!(c, ',' | ';') || c.is_whitespace()).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

/// The claims as JSON, if they are an object: in base64 of either alphabet, else as they are.
fn decoded(value: &str) -> Option<String> {
    let plain = value.chars().filter(|c| !c.is_whitespace());
    let plain: String = plain
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let json = BASE64.decode(plain).ok().unwrap_or_else(|| value.as_bytes().to_vec());
    let claims: Map<String, Value> = serde_json::from_slice(&json).ok()?;
    serde_json::to_string(&claims).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rstest::rstest;

    use super::*;

    const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1795514400"}}}"#;
    /// The same in base64.
    const ENCODED: &str =
        "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzk1NTE0NDAwIn19fQ==";

    fn answer(status: u16, headers: &[&str]) -> Answer {
        let mut response = http::Response::builder().status(status);
        for header in headers {
            response = response.header(WWW_AUTHENTICATE, *header);
        }
        response.body(Bytes::new()).expect("an answer").into()
    }

    #[rstest]
    #[case::as_documented(&["Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", error=\"insufficient_claims\", claims=\"{ENCODED}\""])]
    #[case::without_quotes(&["Bearer error=insufficient_claims, claims={ENCODED}"])]
    #[case::without_padding(&["Bearer error=\"insufficient_claims\", claims=\"{UNPADDED}\""])]
    #[case::in_another_case(&["BEARER Error=\"Insufficient_Claims\" , Claims = \"{ENCODED}\""])]
    #[case::among_other_headers(&["Negotiate", "Basic realm=\"https://dev.azure.com/\"", "Bearer error=\"insufficient_claims\", claims=\"{ENCODED}\"", "TFS-Federated"])]
    #[case::among_others_in_one_header(&["Basic realm=\"a, error=\\\"b\\\", claims=c\", Bearer claims=\"{ENCODED}\", error=\"insufficient_claims\", Negotiate YII=="])]
    #[case::in_two_headers(&["Bearer error=\"insufficient_claims\"", "Bearer claims=\"{ENCODED}\""])]
    #[case::by_another_error(&["Bearer error=\"invalid_token\", error_description=\"revoked\", claims=\"{ENCODED}\""])]
    #[case::cut_off(&["Bearer error=\"insufficient_claims\", claims=\"{ENCODED}"])]
    #[case::not_encoded(&["Bearer error=\"insufficient_claims\", claims=\"{\\\"access_token\\\":{\\\"nbf\\\":{\\\"essential\\\":true,\\\"value\\\":\\\"1795514400\\\"}}}\""])]
    fn it_is_found_however_it_is_written(#[case] headers: &[&str]) {
        let unpadded = ENCODED.trim_end_matches('=');
        let fill = |header: &&str| header.replace("{ENCODED}", ENCODED).replace("{UNPADDED}", unpadded);
        let headers: Vec<String> = headers.iter().map(fill).collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let challenge = ClaimsChallenge::of(&answer(401, &headers)).expect("a challenge");
        assert_eq!(challenge.claims.as_deref(), Some(CLAIMS));
        assert_eq!(ClaimsChallenge::of(&answer(403, &headers)), None);
    }

    #[rstest]
    #[case("Bearer error=\"insufficient_claims\"")]
    #[case("Bearer error=\"insufficient_claims\", claims=\"\"")]
    #[case("Bearer error=\"insufficient_claims\", claims=\"%%%\"")]
    #[case("Bearer error=\"insufficient_claims\", claims=\"WzFd\"")]
    #[case("Bearer error=\"insufficient_claims\", claims=")]
    fn claims_that_cannot_be_read_are_none(#[case] header: &str) {
        assert_eq!(ClaimsChallenge::of(&answer(401, &[header])), Some(ClaimsChallenge { claims: None }));
    }

    #[rstest]
    #[case("")]
    #[case("=")]
    #[case("\"")]
    #[case("Bearer")]
    #[case("Basic realm=\"insufficient_claims\"")]
    #[case("Bearer error=\"invalid_token\", claims=\"%%%\"")]
    #[case("Bearer authorization_uri=https://login.microsoftonline.com/00000000-0000-0000-0000-0000c0470500")]
    fn another_challenge_is_none(#[case] header: &str) {
        assert_eq!(ClaimsChallenge::of(&answer(401, &[header])), None);
    }
}
