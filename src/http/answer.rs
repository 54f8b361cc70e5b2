//! A service's answer, read whole.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, DATE, HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

/// Azure DevOps' name of the error that an organization is not served any more.
pub const DEACTIVATED: &str = "TF24668";

/// The longest wait that is told apart, in seconds; nobody lives to see it.
const LONGEST: f64 = u32::MAX as f64;

/// A service's answer: status, headers, and a body of at most 1 MiB.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

impl From<Response<Bytes>> for Answer {
    fn from(response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    /// A header's text, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the body is a page for a browser, whatever it calls itself.
    pub fn is_page(&self) -> bool {
        self.bytes().trim_ascii_start().starts_with(b"<")
    }

    /// Whether a page to sign in on came in place of an answer, or leads there: HTTP 203, a redirect, or a page that says
    /// so, which may call itself a success.
    pub fn is_sign_in_page(&self) -> bool {
        matches!(self.status.as_u16(), 203 | 300..=399)
            || self.is_page() && self.text().to_ascii_lowercase().contains("sign in")
    }

    /// The body as text, without the byte order mark that Azure DevOps puts before its errors, which JSON
    /// parsers refuse.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// The body read as JSON, whatever it calls itself.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.bytes())
    }

    /// The body without the byte order mark.
    fn bytes(&self) -> &[u8] {
        self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.body)
    }

    /// Whether the service says "later", so that a repetition may get a better answer.
    pub fn is_transient(&self) -> bool {
        matches!(self.status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
            && !self.is_of_a_deactivated_organization()
    }

    /// Whether the service has refused: it has not acted, and will not. (Behind a 408, or another 5xx, it may be at
    /// work still.)
    pub fn is_refusal(&self) -> bool {
        self.status.is_client_error() && self.status.as_u16() != 408
            || self.is_of_a_deactivated_organization()
    }

    /// Whether this is how Azure DevOps answers for an organization that was deactivated: 503 (recorded on
    /// dev.azure.com, 2026-04-01), though nobody's waiting brings it back. A `HEAD` has the header alone.
    pub fn is_of_a_deactivated_organization(&self) -> bool {
        let in_header = || self.header("X-TFS-ServiceError").is_some_and(|words| words.contains(DEACTIVATED));
        self.status.as_u16() == 503 && (in_header() || self.text().contains(DEACTIVATED))
    }

    /// The service's own clock when it answered.
    pub fn date(&self) -> Option<Timestamp> {
        parse_http_date(self.header(DATE.as_str())?)
    }

    /// How long ago that was, if a cache gave the answer in the service's place (RFC 9111, section 5.1).
    pub fn age(&self) -> Duration {
        let seconds = self.header(AGE.as_str()).and_then(|text| text.trim().parse::<u32>().ok());
        Duration::from_secs(seconds.unwrap_or_default().into())
    }

    /// How long the service asks to wait, in seconds or until a date (RFC 9110, section 10.2.3). A date is
    /// measured on the service's own clock if it says what time it is there.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        parse_retry_after(self.header(RETRY_AFTER.as_str())?, self.date().unwrap_or(now))
    }

    /// The same as a sentence, which is empty if the service does not ask. A failure tells it, since what the run
    /// has time for is waited.
    pub fn asks_to_wait(&self) -> String {
        let text = self.header(RETRY_AFTER.as_str()).unwrap_or_default().trim();
        match parse_retry_after(text, Timestamp::UNIX_EPOCH) {
            None => String::new(),
            Some(wait) if text.parse::<f64>().is_ok() => {
                format!("It asks to wait {} s before the next request.", wait.as_secs())
            }
            Some(_) => format!("It asks to wait until {text} before the next request."),
        }
    }
}

/// Reads a `Retry-After` header against the time it was sent.
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then(|| Duration::from_secs_f64(seconds.clamp(0.0, LONGEST)));
    }
    let until = parse_http_date(text)?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// All three forms of a date (RFC 9110, section 5.6.7), and what is like mail's.
fn parse_http_date(text: &str) -> Option<Timestamp> {
    let mails = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    mails.or_else(|| Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("120", Some(120_000))]
    #[case(" 2 ", Some(2_000))]
    #[case("0.5", Some(500))]
    #[case("-3", Some(0))]
    #[case("Sun, 06 Nov 1994 08:49:37 GMT", Some(30_000))]
    #[case("Sunday, 06-Nov-94 08:49:37 GMT", Some(30_000))]
    #[case("Sun Nov  6 08:49:37 1994", Some(30_000))]
    #[case("Sun, 06 Nov 1994 08:49:00 GMT", Some(0))]
    #[case("soon", None)]
    #[case("", None)]
    #[case("NaN", None)]
    #[case("1e300", Some(1_000 * u64::from(u32::MAX)))]
    #[case("99999999999999999999999", Some(1_000 * u64::from(u32::MAX)))]
    fn retry_after_is_seconds_or_a_date(#[case] text: &str, #[case] milliseconds: Option<u64>) {
        let now = "1994-11-06T08:49:07Z".parse().expect("an instant");
        assert_eq!(parse_retry_after(text, now), milliseconds.map(Duration::from_millis));
    }
}
