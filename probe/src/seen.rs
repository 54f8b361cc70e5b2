//! An answer as the probe looks at it, and the few words in which it tells of it.
//!
//! Secrets are taken out as soon as it is read. Of the service's own texts nothing but names of errors is ever
//! repeated, so that no personal data gets into a report.

use adopat::azure_devops::error_body::ErrorBody;
use adopat::http::Answer;
use adopat::secret::Secret;
use http::HeaderMap;
use serde_json::Value;

/// The fields in which services hand out secrets.
const SECRETS: [&str; 6] = ["token", "access_token", "refresh_token", "id_token", "device_code", "user_code"];

/// An answer, without its secrets.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// Whether the body began with a byte order mark.
    pub byte_order_mark: bool,
    /// The body.
    pub body: Body,
    /// The secrets that were in the body, by the names of their fields.
    secrets: Vec<(&'static str, Secret)>,
    error: ErrorBody,
}

/// A body.
#[derive(Clone, Debug)]
pub enum Body {
    /// None.
    Empty,
    /// A page for a browser.
    Page,
    /// JSON, with `null` in the place of every secret.
    Json(Value),
    /// Anything else.
    Other,
}

impl From<Answer> for Seen {
    fn from(answer: Answer) -> Self {
        let mut secrets = Vec::new();
        let body = match answer.json::<Value>() {
            _ if answer.body.is_empty() => Body::Empty,
            _ if answer.is_page() => Body::Page,
            Ok(mut json) => {
                take_secrets(&mut json, &mut secrets);
                Body::Json(json)
            }
            Err(_) => Body::Other,
        };
        Self {
            status: answer.status.as_u16(),
            byte_order_mark: answer.body.starts_with(b"\xEF\xBB\xBF"),
            body,
            secrets,
            error: ErrorBody::of(&answer),
            headers: answer.headers,
        }
    }
}

fn take_secrets(json: &mut Value, secrets: &mut Vec<(&'static str, Secret)>) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                match SECRETS.iter().find(|secret| name == **secret) {
                    Some(field) if value.is_string() => {
                        if let Value::String(text) = value.take() {
                            secrets.push((field, Secret::new(text)));
                        }
                    }
                    _ => take_secrets(value, secrets),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| take_secrets(value, secrets)),
        _ => {}
    }
}

impl Seen {
    /// The secrets that were in the body.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().map(|(_, secret)| secret)
    }

    /// The secret of this field.
    pub fn secret(&self, field: &str) -> Option<&Secret> {
        self.secrets.iter().find(|(name, _)| *name == field).map(|(_, secret)| secret)
    }

    /// A field of the body; `null` if it is none.
    pub fn field(&self, name: &str) -> &Value {
        match &self.body {
            Body::Json(json) => &json[name],
            _ => &Value::Null,
        }
    }

    /// A header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The PAT in it, if there is one.
    pub fn pat(&self) -> Option<&Value> {
        Some(self.field("patToken")).filter(|pat| (200..300).contains(&self.status) && pat.is_object())
    }

    /// Whether it says that something was done, and is no page that a proxy or a sign-in has put in its place.
    pub fn is_done(&self) -> bool {
        let refused = self.field("patTokenError").as_str().is_some_and(|name| name != "none");
        matches!(self.status, 200 | 204) && !matches!(self.body, Body::Page) && !refused
    }

    /// The PATs of a list.
    pub fn pats(&self) -> &[Value] {
        self.field("patTokens").as_array().map_or(&[], Vec::as_slice)
    }

    /// The way on of a list; none at its end.
    pub fn continuation(&self) -> Option<&str> {
        self.field("continuationToken").as_str().filter(|token| !token.is_empty())
    }

    /// The names of the body's fields, sorted.
    pub fn keys(&self) -> String {
        match &self.body {
            Body::Json(json) => keys(json),
            _ => self.verdict(),
        }
    }

    /// The answer in a few words.
    pub fn verdict(&self) -> String {
        let status = self.status;
        if self.pat().is_some() {
            return "a PAT".into();
        }
        match &self.body {
            Body::Empty => format!("{status}, empty"),
            Body::Page | Body::Other if (300..400).contains(&status) => {
                let to = self.header("location").unwrap_or_default();
                format!("{status}, to {}", if to.contains("_signin") { "_signin" } else { "elsewhere" })
            }
            Body::Page => format!("{status}, a page"),
            Body::Other => format!("{status}, a text"),
            Body::Json(json) if json["patTokens"].is_array() => "a list".into(),
            Body::Json(json) => match self.error_name(json) {
                Some(name) => format!("{status} {name}"),
                None => format!("{status}, JSON"),
            },
        }
    }

    /// What the service calls the error: `patTokenError`, OAuth's error with its AADSTS number, or the exception.
    fn error_name(&self, json: &Value) -> Option<String> {
        if let Some(name) = json["patTokenError"].as_str() {
            return Some(name_of(name));
        }
        if let Some(error) = json["error"].as_str() {
            let number = json["error_codes"][0].as_u64().map(|number| format!(" AADSTS{number}"));
            return Some(name_of(error) + &number.unwrap_or_default());
        }
        let key = name_of(self.error.type_key.as_deref()?);
        let message = self.error.message.as_deref().unwrap_or_default();
        let number = message.split([':', ' ']).next().filter(|word| is_error_number(word));
        Some(number.map_or(key.clone(), |number| format!("{key} {number}")))
    }
}

/// The names of an object's fields, sorted.
pub fn keys(json: &Value) -> String {
    let mut names: Vec<String> =
        json.as_object().map_or(Vec::new(), |fields| fields.keys().map(|name| name_of(name)).collect());
    names.sort();
    names.join(", ")
}

/// `TF400813` and the like.
fn is_error_number(word: &str) -> bool {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = word.len() - digits.len();
    (2..=3).contains(&letters) && digits.len() >= 5 && digits.chars().all(|c| c.is_ascii_digit())
}

/// A name as it may be repeated: what is none could be anything, a person's name among it.
fn name_of(text: &str) -> String {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '$');
    match text.len() <= 80 && !text.is_empty() && text.chars().all(fine) {
        true => text.to_owned(),
        false => "(no name)".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn seen(status: u16, body: &str) -> Seen {
        let response = http::Response::builder().status(status).body(Bytes::from(body.to_owned()));
        Answer::from(response.expect("a response")).into()
    }

    #[test]
    fn an_answer_is_told_in_a_few_words() {
        let table = [
            (200, r#"{"patToken": {"token": "x"}, "patTokenError": "none"}"#, "a PAT"),
            (200, r#"{"patToken": null, "patTokenError": "invalidScope"}"#, "200 invalidScope"),
            (
                401,
                "\u{feff}{\"typeKey\": \"InvalidIdentityException\", \"message\": \"TF400813: The user 'x'\"}",
                "401 InvalidIdentityException TF400813",
            ),
            (400, r#"{"error": "invalid_grant", "error_codes": [70000]}"#, "400 invalid_grant AADSTS70000"),
            (204, "", "204, empty"),
            (203, "\r\n<!DOCTYPE html>", "203, a page"),
            (200, r#"{"patTokens": []}"#, "a list"),
        ];
        for (status, body, words) in table {
            assert_eq!(seen(status, body).verdict(), words);
        }
    }

    #[test]
    fn no_text_of_the_service_is_repeated_that_is_no_name() {
        let hostile = r#"{"typeKey": "Megan | Bowen", "message": "megan@contoso.example"}"#;
        assert_eq!(seen(400, hostile).verdict(), "400 (no name)");
    }

    #[test]
    fn secrets_are_taken_out() {
        let seen =
            seen(200, r#"{"patToken": {"token": "hunter2hunter2"}, "access_token": "hunter3hunter3"}"#);
        assert!(!format!("{seen:?}").contains("hunter"));
        assert_eq!(seen.secret("token").map(Secret::expose), Some("hunter2hunter2"));
        assert_eq!(seen.secrets().count(), 2);
    }
}
