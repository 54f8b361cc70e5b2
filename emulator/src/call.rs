//! One request as the services look at it: its path in segments, its query and form decoded, and what it
//! presents as a credential.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

/// A request, taken apart.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The decoded, non-empty segments of the path.
    pub(crate) path: Vec<String>,
    query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn new(request: http::Request<Bytes>) -> Self {
        let (head, body) = request.into_parts();
        let path = head
            .uri
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        Self { method: head.method, path, query: query_pairs(&head.uri), headers: head.headers, body }
    }

    /// The path's segments, to be matched on.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The path's segments in lower case, for services that do not care about case.
    pub(crate) fn lowered(&self) -> Vec<String> {
        self.path.iter().map(|segment| segment.to_lowercase()).collect()
    }

    /// A parameter of the query; ASP.NET takes its name in any case.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The fields of a form in the body.
    pub(crate) fn form(&self) -> Form {
        Form(form_urlencoded::parse(&self.body).into_owned().collect())
    }

    /// The form of a token request, with the client's id and secret if they were sent by Basic authentication
    /// (`client_secret_basic`; RFC 6749, section 2.3.1: either is URL-encoded).
    pub(crate) fn form_with_client(&self) -> Form {
        let mut form = self.form();
        if let Some((id, secret)) = self.basic() {
            for (name, value) in [("client_id", id), ("client_secret", secret)] {
                let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
                if form.get(name).is_none() {
                    form.0.push((name.to_owned(), value));
                }
            }
        }
        form
    }

    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn has_json_body(&self) -> bool {
        self.header("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"))
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        self.authorization("bearer")
    }

    /// The password of Basic authentication: the user's name is free in Azure DevOps.
    pub(crate) fn basic_password(&self) -> Option<String> {
        self.basic().map(|(_, password)| password)
    }

    /// User and password of Basic authentication.
    fn basic(&self) -> Option<(String, String)> {
        let decoded = STANDARD.decode(self.authorization("basic")?).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }

    fn authorization(&self, scheme: &str) -> Option<&str> {
        let (said, value) = self.header("authorization")?.split_once(' ')?;
        said.eq_ignore_ascii_case(scheme).then(|| value.trim())
    }
}

/// The decoded fields of a form.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn from_query(call: &Call) -> Self {
        Self(call.query.clone())
    }

    /// A field; an empty one counts as absent, as it does for Entra.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// The decoded pairs of an address's query.
pub(crate) fn query_pairs(uri: &http::Uri) -> Vec<(String, String)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}
