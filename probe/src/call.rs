//! One request as an observation words it: raw, so that what a client would smooth over can be seen.

use adopat::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::expectation::Unobserved;
use crate::scene::Scene;
use crate::seen::Seen;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'s> {
    /// The user who is signed in.
    User,
    /// A PAT.
    Pat(&'s Secret),
    /// This bearer.
    Bearer(&'s Secret),
    /// A bearer that is none.
    NoBearer,
    /// Nobody.
    Nobody,
}

/// A request to be sent.
pub(crate) struct Call<'s> {
    scene: &'s Scene,
    method: Method,
    address: Url,
    by: By<'s>,
    accept: &'static str,
    suppress: bool,
    content_type: &'static str,
    body: Bytes,
    header: Option<(HeaderName, String)>,
}

impl<'s> Call<'s> {
    pub(crate) fn new(scene: &'s Scene, method: Method, base: &Url, path: &[&str]) -> Self {
        let mut address = base.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        Self {
            scene,
            method,
            address,
            by: By::User,
            accept: "application/json",
            suppress: true,
            content_type: "application/json",
            body: Bytes::new(),
            header: None,
        }
    }

    /// With this parameter in the query, in the place of one of that name.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.address.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Without this parameter in the query.
    pub(crate) fn without(mut self, name: &str) -> Self {
        let others: Vec<(String, String)> =
            self.address.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
        self.address.set_query(None);
        if !others.is_empty() {
            self.address.query_pairs_mut().extend_pairs(others);
        }
        self
    }

    /// At this path, with the same query.
    pub(crate) fn at(mut self, path: &[&str]) -> Self {
        if let Ok(mut segments) = self.address.path_segments_mut() {
            segments.clear().extend(path);
        }
        self
    }

    pub(crate) fn by(self, by: By<'s>) -> Self {
        Self { by, ..self }
    }

    /// As a program that does not say that a sign-in page is no use to it.
    pub(crate) fn unsuppressed(self) -> Self {
        Self { suppress: false, ..self }
    }

    /// As a browser.
    pub(crate) fn for_a_browser(self) -> Self {
        Self { accept: "text/html", suppress: false, ..self }
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        Self { body: body.to_string().into(), ..self }
    }

    /// With a body that is no JSON.
    pub(crate) fn no_json(self) -> Self {
        Self { body: Bytes::from_static(b"adopat-probe"), ..self }
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.form_body(body)
    }

    pub(crate) fn form_body(self, body: String) -> Self {
        Self { content_type: "application/x-www-form-urlencoded", body: body.into(), ..self }
    }

    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        Self { header: Some((HeaderName::from_static(name), value.to_owned())), ..self }
    }

    /// Sends it.
    pub(crate) async fn send(self) -> Result<Seen, Unobserved> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.address.as_str())
            .header(ACCEPT, self.accept)
            .header(CONTENT_TYPE, self.content_type);
        if self.suppress {
            request = request.header("X-TFS-FedAuthRedirect", "Suppress");
        }
        if let Some((name, value)) = self.header {
            request = request.header(name, value);
        }
        let bearer = |token: &Secret| format!("Bearer {}", token.expose());
        let authorization = match self.by {
            By::User => Some(bearer(&self.scene.bearer)),
            By::Bearer(token) => Some(bearer(token)),
            By::Pat(value) => Some(format!("Basic {}", STANDARD.encode(format!(":{}", value.expose())))),
            By::NoBearer => Some("Bearer adopat-probe-no-bearer".to_owned()),
            By::Nobody => None,
        };
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::try_from(authorization)
                .map_err(|_| Unobserved::hidden("the credential cannot be sent in a header"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request =
            request.body(self.body).map_err(|_| Unobserved::hidden("the request cannot be sent"))?;
        self.scene.send(request).await
    }
}
