//! The services without a socket, and a client of them that a test can read.
#![allow(dead_code, reason = "every test file takes what it needs")]

use adopat_emulator::{Builder, Emulator, Service, Services, cast};
use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub const PATS: &str = "/fabrikam/_apis/tokens/pats?api-version=7.1-preview.1";
pub const TOKEN: &str = "/00000000-0000-0000-0000-0000c0470500/oauth2/v2.0/token";

pub struct World {
    pub services: Services,
    pub now: Timestamp,
}

/// An answer, read.
#[derive(Debug)]
pub struct Read {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub bytes: Bytes,
}

impl Read {
    pub fn json(&self) -> Value {
        let bytes = self.bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.bytes);
        serde_json::from_slice(bytes).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn has_byte_order_mark(&self) -> bool {
        self.bytes.starts_with("\u{feff}".as_bytes())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub fn with_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl World {
    pub fn new() -> Self {
        Self::of(Emulator::builder())
    }

    pub fn of(builder: Builder) -> Self {
        Self { services: builder.services(), now: "2026-11-24T12:00:00.319Z".parse().unwrap() }
    }

    pub fn pass(&mut self, span: SignedDuration) {
        self.now += span;
    }

    pub fn send(
        &mut self,
        service: Service,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Read {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.services.handle(service, request.body(body.into()).unwrap(), self.now);
        let (head, bytes) = answer.into_parts();
        Read { status: head.status, headers: head.headers, bytes }
    }

    /// A form to Entra.
    pub fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Read {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Service::Entra, "POST", path, &kind, body)
    }

    pub fn person_token(&mut self) -> String {
        self.services.access_token(cast::PERSON, self.now)
    }

    /// A call to the PAT API with a fresh token of the person.
    pub fn pats(&mut self, method: &str, more: &str, body: &str) -> Read {
        let bearer = format!("Bearer {}", self.person_token());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(Service::Pats, method, &format!("{PATS}{more}"), &headers, body.to_owned())
    }

    /// Creates a PAT, and returns its value and id.
    pub fn create(&mut self, name: &str) -> (String, String) {
        let body = serde_json::json!({
            "displayName": name, "scope": "vso.code", "validTo": (self.now + SignedDuration::from_hours(240)).to_string(),
            "allOrgs": false,
        });
        let created = self.pats("POST", "", &body.to_string()).with_status(200).json();
        let text = |field: &str| created["patToken"][field].as_str().expect(field).to_owned();
        (text("token"), text("authorizationId"))
    }
}

pub fn basic(value: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!(":{value}")))
}
