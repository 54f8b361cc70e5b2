//! The few kinds of answers that every service gives.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;

/// What a service answers.
pub(crate) type Answer = Response<Bytes>;

pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
    bytes(status, "application/json; charset=utf-8", body.to_string().into_bytes())
}

pub(crate) fn html(status: StatusCode, body: String) -> Answer {
    bytes(status, "text/html; charset=utf-8", body.into_bytes())
}

pub(crate) fn bytes(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = empty(status);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    *answer.body_mut() = Bytes::from(body);
    answer
}

pub(crate) fn redirect(to: &str) -> Answer {
    let page = format!(
        "<html><head><title>Object moved</title></head><body>\r\n<h2>Object moved to <a href=\"{}\">here</a>.</h2>\r\n</body></html>\r\n",
        escaped(to)
    );
    with_header(html(StatusCode::FOUND, page), LOCATION.as_str(), to)
}

/// Adds a header; one whose value no header can hold is left out.
pub(crate) fn with_header(mut answer: Answer, name: &str, value: &str) -> Answer {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        answer.headers_mut().append(name, value);
    }
    answer
}

/// With another content type; one that no header can hold leaves it as it is.
pub(crate) fn with_content_type(mut answer: Answer, kind: &str) -> Answer {
    if let Ok(kind) = HeaderValue::try_from(kind) {
        answer.headers_mut().insert(CONTENT_TYPE, kind);
    }
    answer
}

/// Text made safe for HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
