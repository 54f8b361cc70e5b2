//! Reads Entra's answers as tolerantly as possible: a refresh token in an answer may be the only copy there is, so it
//! must not be lost because another field is odd.
//!
//! The documentation has `expires_in` as a number; some endpoints and clients write a text, a fraction or nothing.

use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::secret::Secret;

/// How long a device code lives where Entra does not say; its documentation does.
const LIFE_OF_A_CODE: Duration = Duration::from_secs(900);
/// RFC 8628, section 3.2.
const INTERVAL: Duration = Duration::from_secs(5);

/// The answer to a token request. Every token is used as a bearer, whatever its type calls itself.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct TokenAnswer {
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    expires_in: Option<Duration>,
    scopes: Option<Vec<Scope>>,
}

impl TryFrom<Map<String, Value>> for TokenAnswer {
    type Error = &'static str;

    fn try_from(answer: Map<String, Value>) -> Result<Self, Self::Error> {
        let access_token = answer.get("access_token").and_then(token).ok_or("there is no access token")?;
        Ok(Self {
            access_token: AccessToken::new(access_token.to_owned()),
            // What holds no token must not take the place of one that works.
            refresh_token: answer
                .get("refresh_token")
                .and_then(token)
                .map(str::to_owned)
                .map(RefreshToken::new),
            expires_in: answer.get("expires_in").and_then(seconds),
            scopes: answer.get("scope").and_then(scopes),
        })
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

/// The answer that begins a sign-in by device code (RFC 8628, section 3.2).
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct DeviceAnswer {
    /// What Entra is asked with whether the person has signed in.
    pub(super) device_code: Secret,
    /// What the person enters.
    pub(super) user_code: String,
    /// Where.
    pub(super) address: Url,
    /// How long the code lives.
    pub(super) expires_in: Duration,
    /// The time between two questions.
    pub(super) interval: Duration,
    /// Entra's own words with address and code in them.
    pub(super) message: Option<String>,
}

impl TryFrom<Map<String, Value>> for DeviceAnswer {
    type Error = &'static str;

    fn try_from(answer: Map<String, Value>) -> Result<Self, Self::Error> {
        let text = |name: &str| {
            answer.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
        };
        // Before there was a standard the name was another, and some still use it.
        let address =
            text("verification_uri").or_else(|| text("verification_url")).ok_or("there is no address")?;
        Ok(Self {
            device_code: Secret::new(text("device_code").ok_or("there is no device code")?.to_owned()),
            user_code: text("user_code").ok_or("there is no code to enter")?.to_owned(),
            address: address.parse().map_err(|_| "the address is none")?,
            expires_in: answer.get("expires_in").and_then(seconds).unwrap_or(LIFE_OF_A_CODE),
            interval: answer.get("interval").and_then(seconds).unwrap_or(INTERVAL),
            message: text("message").map(str::to_owned),
        })
    }
}

/// A token, if the value can be one: all of it can be seen (RFC 6749, appendices A.12 and A.17, but for the space).
pub(super) fn token(value: &Value) -> Option<&str> {
    let text = value.as_str()?.trim();
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

/// A span in seconds, as a number or a text, whole or not.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(seconds.max(0.0)).ok()
}

/// Scopes, in one text or in a list; none at all says nothing.
fn scopes(value: &Value) -> Option<Vec<Scope>> {
    let texts: Vec<&str> = match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    };
    let scopes = texts.iter().flat_map(|text| text.split([' ', ',', '\t', '\r', '\n']));
    let scopes: Vec<Scope> =
        scopes.filter(|scope| !scope.is_empty()).map(|scope| Scope::new(scope.to_owned())).collect();
    (!scopes.is_empty()).then_some(scopes)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn read(body: &str) -> TokenAnswer {
        serde_json::from_str(body).expect("tokens")
    }

    #[rstest]
    #[case::a_number("3599", Some(3599.0))]
    #[case::a_text("\"3599\"", Some(3599.0))]
    #[case::a_text_with_spaces("\" 3599 \"", Some(3599.0))]
    #[case::a_fraction("3599.5", Some(3599.5))]
    #[case::a_fraction_as_text("\"3599.5\"", Some(3599.5))]
    #[case::an_exponent("3.6e3", Some(3600.0))]
    #[case::over("-1", Some(0.0))]
    #[case::null("null", None)]
    #[case::a_word("\"an hour\"", None)]
    #[case::nothing("\"\"", None)]
    #[case::not_a_number("\"NaN\"", Some(0.0))]
    #[case::without_end("\"inf\"", None)]
    #[case::beyond_reach("1e300", None)]
    #[case::an_object("{}", None)]
    #[case::a_boolean("true", None)]
    fn a_lifetime_is_understood_or_not_known(#[case] value: &str, #[case] expected: Option<f64>) {
        let answer = read(&format!(
            "{{\"access_token\": \"eyJ0\", \"refresh_token\": \"0.A\", \"expires_in\": {value}}}"
        ));
        assert_eq!(answer.expires_in.map(|life| life.as_secs_f64()), expected);
        assert_eq!(answer.refresh_token().map(|token| token.secret().as_str()), Some("0.A"));
    }

    #[rstest]
    #[case::a_text(json!("r/vso.pats r/vso.pats_manage"), Some(2))]
    #[case::a_list(json!(["r/vso.pats", "r/vso.pats_manage"]), Some(2))]
    #[case::a_list_of_lists(json!(["r/vso.pats r/vso.pats_manage", 7, null]), Some(2))]
    #[case::commas(json!("r/vso.pats,r/vso.pats_manage"), Some(2))]
    #[case::blank(json!(" "), None)]
    #[case::an_empty_list(json!([]), None)]
    #[case::null(json!(null), None)]
    #[case::a_number(json!(7), None)]
    #[case::an_object(json!({"vso.pats": true}), None)]
    fn scopes_are_understood_or_not_known(#[case] scope: Value, #[case] count: Option<usize>) {
        let answer =
            read(&json!({"access_token": "eyJ0", "scope": scope, "refresh_token": "0.A"}).to_string());
        assert_eq!(answer.scopes().map(Vec::len), count);
        assert_eq!(answer.refresh_token().map(|token| token.secret().as_str()), Some("0.A"));
    }

    #[rstest]
    #[case::of_no_type("")]
    #[case::of_an_unknown_type(", \"token_type\": \"pop\"")]
    #[case::of_a_type_that_is_none(", \"token_type\": 7")]
    #[case::of_the_type_null(", \"token_type\": null")]
    #[case::with_more_than_is_known(", \"foci\": \"1\", \"id_token\": null, \"client_info\": {\"a\": [1]}")]
    #[case::with_a_field_twice(", \"expires_in\": 1, \"expires_in\": \"2\", \"access_token\": \"eyJ0\"")]
    fn tokens_are_taken(#[case] more: &str) {
        let answer = read(&format!("{{\"access_token\": \"eyJ0\", \"refresh_token\": \" 0.A\\n\"{more}}}"));
        assert_eq!(answer.access_token().secret(), "eyJ0");
        assert_eq!(answer.refresh_token().map(|token| token.secret().as_str()), Some("0.A"));
    }

    #[rstest]
    #[case::as_documented(json!({"verification_uri": "https://login.microsoft.com/device", "expires_in": 600, "interval": 7}), 600, 7)]
    #[case::as_texts(json!({"verification_uri": "https://login.microsoft.com/device", "expires_in": "600", "interval": "7.5"}), 600, 7)]
    #[case::of_old(json!({"verification_url": "https://login.microsoft.com/device"}), 900, 5)]
    #[case::of_nulls(json!({"verification_uri": "https://login.microsoft.com/device", "expires_in": null, "interval": null, "message": null}), 900, 5)]
    fn a_device_code_is_taken(#[case] mut answer: Value, #[case] life: u64, #[case] interval: u64) {
        answer["device_code"] = "fake-device-code".into();
        answer["user_code"] = "FAKE12345".into();
        let answer: DeviceAnswer = serde_json::from_value(answer).expect("a code");
        assert_eq!((answer.expires_in.as_secs(), answer.interval.as_secs()), (life, interval));
        assert_eq!(answer.address.as_str(), "https://login.microsoft.com/device");
    }

    #[rstest]
    #[case(json!({"user_code": "F", "verification_uri": "https://login.microsoft.com/device"}))]
    #[case(json!({"device_code": "f", "verification_uri": "https://login.microsoft.com/device"}))]
    #[case(json!({"device_code": "f", "user_code": "F"}))]
    #[case(json!({"device_code": "f", "user_code": "F", "verification_uri": "device"}))]
    #[case(json!({"device_code": " ", "user_code": "F", "verification_uri": "https://login.microsoft.com/device"}))]
    fn without_what_it_is_for_an_answer_is_none(#[case] answer: Value) {
        serde_json::from_value::<DeviceAnswer>(answer).expect_err("no code");
    }
}
