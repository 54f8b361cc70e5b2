//! Answers from a [recording](crate::Recording): each request gets the answer of the first recorded one that fits it
//! and has not been used, or else of the last that has.
//!
//! A placeholder stands for any text, but for the same one ever after; one that is first met in an answer is given
//! a text of its kind there. Instants fit any instant in a request, and are moved in answers by whole seconds, so
//! that what is to be seen of their fractions stays.

use std::collections::HashMap;

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::recording::{Exchange, Recording};
use crate::services::Service;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A recording that is being replayed.
#[derive(Debug)]
pub(crate) struct Replay {
    exchanges: Vec<Exchange>,
    used: Vec<bool>,
    bound: Bindings,
    /// From the time of the recording to that of the replay.
    shift: Option<SignedDuration>,
}

impl Replay {
    pub(crate) fn new(recording: Recording) -> Self {
        let used = vec![false; recording.0.len()];
        Self { exchanges: recording.0, used, bound: Bindings::default(), shift: None }
    }

    /// Whether this service's answers come from the recording.
    pub(crate) fn covers(&self, service: Service) -> bool {
        matches!(service, Service::Entra | Service::Pats | Service::DevOps)
    }

    /// The recorded answer, and the secrets that were made up for it.
    pub(crate) fn answer(
        &mut self,
        service: Service,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> (Answer, Vec<String>) {
        let Some(found) = self.find(service, request) else {
            let line = format!("The recording holds no answer to {} {}.\n", request.method(), request.uri());
            return (answer::bytes(StatusCode::NOT_IMPLEMENTED, "text/plain", line.into_bytes()), Vec::new());
        };
        self.used[found] = true;
        let exchange = &self.exchanges[found];
        let shift = *self.shift.get_or_insert_with(|| {
            SignedDuration::from_secs(now.as_second().saturating_sub(exchange.at.as_second()))
        });
        let body = match &exchange.answer {
            Value::Null => String::new(),
            Value::String(text) => self.bound.filled(text),
            json => self.bound.filled_json(json, shift).to_string(),
        };
        let mark = if exchange.byte_order_mark { BYTE_ORDER_MARK } else { "" };
        let status = StatusCode::from_u16(exchange.status).unwrap_or(StatusCode::NOT_IMPLEMENTED);
        let mut answer = answer::empty(status);
        *answer.body_mut() = Bytes::from(format!("{mark}{body}"));
        for (name, value) in &exchange.headers {
            answer = answer::with_header(answer, name, &self.bound.filled(value));
        }
        (answer, std::mem::take(&mut self.bound.made_up))
    }

    /// The exchange that fits; what its placeholders stand for is known from then on.
    fn find(&mut self, service: Service, request: &Request<Bytes>) -> Option<usize> {
        let asked = Asked::of(request);
        let mut last = None;
        for (index, exchange) in self.exchanges.iter().enumerate() {
            if exchange.service != service {
                continue;
            }
            let Some(bound) = asked.fits(exchange, &self.bound) else { continue };
            if !self.used[index] {
                self.bound = bound;
                return Some(index);
            }
            last = Some((index, bound));
        }
        let (index, bound) = last?;
        self.bound = bound;
        Some(index)
    }
}

/// A request, in the shape of a recorded one.
struct Asked {
    method: String,
    path: String,
    query: Map<String, Value>,
    authorization: Option<String>,
    request_id: Option<String>,
    body: Value,
}

impl Asked {
    fn of(request: &Request<Bytes>) -> Self {
        let query = crate::call::query_pairs(request.uri());
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let scheme = header("authorization").and_then(|value| value.split(' ').next());
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: query.into_iter().map(|(name, value)| (name, Value::from(value))).collect(),
            authorization: scheme.map(str::to_owned),
            request_id: header("client-request-id").map(str::to_owned),
            body: Call::new(request.clone()).body_as_json(),
        }
    }

    fn fits(&self, exchange: &Exchange, bound: &Bindings) -> Option<Bindings> {
        let mut bound = bound.clone();
        let fits = self.method == exchange.method
            && self.authorization == exchange.authorization
            && bound.fits(&exchange.path, &self.path)
            && bound.fits_object(&exchange.query, &self.query)
            && bound.fits_json(&exchange.body, &self.body);
        if let (Some(recorded), Some(sent)) = (&exchange.request_id, &self.request_id) {
            // Each request has an id of its own.
            bound.texts.insert(recorded.trim_matches(['{', '}']).to_owned(), sent.clone());
        }
        fits.then_some(bound)
    }
}

/// What the placeholders stand for.
#[derive(Clone, Debug, Default)]
struct Bindings {
    texts: HashMap<String, String>,
    /// The secrets that were made up since anybody asked.
    made_up: Vec<String>,
}

impl Bindings {
    fn fits_json(&mut self, pattern: &Value, actual: &Value) -> bool {
        match (pattern, actual) {
            (Value::Object(pattern), Value::Object(actual)) => self.fits_object(pattern, actual),
            (Value::Array(pattern), Value::Array(actual)) => {
                pattern.len() == actual.len()
                    && pattern.iter().zip(actual).all(|(pattern, actual)| self.fits_json(pattern, actual))
            }
            (Value::String(pattern), Value::String(actual)) => self.fits(pattern, actual),
            _ => pattern == actual,
        }
    }

    fn fits_object(&mut self, pattern: &Map<String, Value>, actual: &Map<String, Value>) -> bool {
        pattern.len() == actual.len()
            && pattern
                .iter()
                .all(|(name, pattern)| actual.get(name).is_some_and(|actual| self.fits_json(pattern, actual)))
    }

    fn fits(&mut self, pattern: &str, actual: &str) -> bool {
        if is_instant(pattern) && is_instant(actual) {
            return true;
        }
        let Some((before, name, after)) = placeholder(pattern) else { return pattern == actual };
        let Some(rest) = actual.strip_prefix(before) else { return false };
        let text = match self.texts.get(name) {
            Some(text) => text.clone(),
            // As far as the next plain words, or to the end.
            None => {
                let words = placeholder(after).map_or(after, |(words, _, _)| words);
                let end = if words.is_empty() { Some(rest.len()) } else { rest.find(words) };
                let Some(end) = end.filter(|end| *end > 0) else { return false };
                rest[..end].to_owned()
            }
        };
        let Some(rest) = rest.strip_prefix(text.as_str()) else { return false };
        self.texts.insert(name.to_owned(), text);
        self.fits(after, rest)
    }

    fn filled_json(&mut self, json: &Value, shift: SignedDuration) -> Value {
        match json {
            Value::String(text) => shifted(text, shift).unwrap_or_else(|| self.filled(text)).into(),
            Value::Array(values) => values.iter().map(|value| self.filled_json(value, shift)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter();
                fields.map(|(name, value)| (name.clone(), self.filled_json(value, shift))).collect()
            }
            other => other.clone(),
        }
    }

    fn filled(&mut self, text: &str) -> String {
        let Some((before, name, after)) = placeholder(text) else { return text.to_owned() };
        let value = match self.texts.get(name) {
            Some(value) => value.clone(),
            None => {
                let value = made_up(name);
                if name.starts_with("pat-") || name.starts_with("secret-") {
                    self.made_up.push(value.clone());
                }
                self.texts.insert(name.to_owned(), value.clone());
                value
            }
        };
        format!("{before}{value}{}", self.filled(after))
    }
}

/// A text of the placeholder's kind, which says that it is a fake.
fn made_up(name: &str) -> String {
    let (kind, number) = name.rsplit_once('-').unwrap_or((name, "0"));
    match kind {
        "id" => format!("00000000-0000-0000-0000-{number:0>12}"),
        "pat" => format!("FAKE{number:0>72}AZDOfake"),
        "secret" => format!("FAKE-replayed-{number:0>80}"),
        _ => format!("replayed-{name}"),
    }
}

/// What stands before the first placeholder, its name, and what stands after it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

fn is_instant(text: &str) -> bool {
    text.len() >= 20 && text.contains('T') && text.parse::<Timestamp>().is_ok()
}

/// The instant so much later, with its fraction as it was written.
fn shifted(text: &str, shift: SignedDuration) -> Option<String> {
    let instant: Timestamp = text.parse().ok().filter(|_| is_instant(text) && text.ends_with('Z'))?;
    let fraction = text.trim_end_matches('Z').split_once('.').map_or(String::new(), |(_, f)| format!(".{f}"));
    let later = instant.checked_add(shift).ok()?;
    Some(format!("{}{fraction}Z", later.strftime("%Y-%m-%dT%H:%M:%S")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_placeholder_is_any_text_and_then_the_same_one() {
        let mut bound = Bindings::default();
        assert!(bound.fits("/{{organization-1}}/_apis/tokens/pats", "/fabrikam/_apis/tokens/pats"));
        assert!(!bound.fits("/{{organization-1}}/_apis", "/contoso/_apis"));
        assert_eq!(bound.filled("in {{organization-1}}"), "in fabrikam");
        assert!(!bound.fits("/{{organization-2}}/_apis", "//_apis"), "but never nothing");
    }

    #[test]
    fn what_is_met_first_in_an_answer_is_made_up_and_known_from_then_on() {
        let mut bound = Bindings::default();
        let id = bound.filled("{{id-3}}");
        assert_eq!(id, "00000000-0000-0000-0000-000000000003");
        assert!(bound.fits("{{id-3}}", &id) && !bound.fits("{{id-3}}", "another"));
        let value = bound.filled("{{pat-1}}");
        assert_eq!((value.len(), &value[76..80]), (84, "AZDO"));
        assert_eq!(bound.made_up, [value]);
    }

    #[test]
    fn an_instant_is_moved_and_keeps_its_fraction() {
        let shift = SignedDuration::from_hours(24);
        let moved = |text: &str| Bindings::default().filled_json(&json!(text), shift);
        assert_eq!(moved("2026-11-24T22:56:52.1033333Z"), "2026-11-25T22:56:52.1033333Z");
        assert_eq!(moved("2026-11-24T22:56:52Z"), "2026-11-25T22:56:52Z");
        assert_eq!(moved("vso.code"), "vso.code");
    }

    #[test]
    fn an_instant_in_a_request_is_any_instant() {
        let recorded = json!({"validTo": "2026-11-24T22:56:52Z", "displayName": "{{name-1}}"});
        let fits = |asked: Value| Bindings::default().fits_json(&recorded, &asked);
        assert!(fits(json!({"validTo": "2027-01-01T00:00:00.319Z", "displayName": "nightly"})));
        assert!(!fits(json!({"validTo": "soon", "displayName": "nightly"})));
        assert!(!fits(json!({"displayName": "nightly"})));
    }
}
