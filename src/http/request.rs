//! Builds a request. An input or a service may supply what does not fit into one: an address can be too long, and a
//! token can hold a character that no header may. Such a request is never sent, and the run fails as for any other
//! obstacle.

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};
use http::request::Builder;

use crate::secret::Secret;
use crate::world::Obstacle;

/// Marks a request that could not be built, with what stands in its way.
#[derive(Clone, Copy, Debug)]
enum Unbuilt {
    Address,
    Token,
}

/// The request, whatever it is made of; see `obstacle`.
pub fn build(builder: Builder, body: impl Into<Bytes>) -> Request<Bytes> {
    builder.body(body.into()).unwrap_or_else(|_| {
        let mut request = Request::new(Bytes::new());
        request.extensions_mut().insert(Unbuilt::Address);
        request
    })
}

/// The request with this access token.
pub fn authorized(builder: Builder, token: &Secret) -> Builder {
    match bearer(token) {
        Some(bearer) => builder.header(AUTHORIZATION, bearer),
        None => builder.extension(Unbuilt::Token),
    }
}

/// The header that carries an access token; `None` if the token holds what no header may.
pub fn bearer(token: &Secret) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Why this request cannot be sent, if it could not be built.
pub(super) fn obstacle(request: &Request<Bytes>) -> Option<Obstacle> {
    let (why, remedy) = match request.extensions().get()? {
        Unbuilt::Address => (
            "the address to ask for would be longer than a request may have",
            "Look for an input that is far too long, such as a name; if there is none, the service itself sent it.",
        ),
        Unbuilt::Token => (
            "the access token for it holds a character that no token has",
            "Sign in again with 'adopat login'; if that does not help, check that no proxy on the way changes answers.",
        ),
    };
    Some(Obstacle { why: why.into(), remedy: remedy.into(), lasts: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_cannot_be_built_is_told_and_no_panic() {
        let address = |length: usize| format!("https://localhost/{}", "x".repeat(length));
        assert!(obstacle(&build(Request::get(address(60_000)), Bytes::new())).is_none());
        assert!(obstacle(&build(Request::get(address(70_000)), Bytes::new())).is_some());
        assert!(obstacle(&build(Request::get("not an address"), Bytes::new())).is_some());
        assert!(obstacle(&build(Request::get("/").header("a b", "c"), Bytes::new())).is_some());
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_told_and_nothing_is_sent_in_its_place() {
        let with =
            |token: &str| build(authorized(Request::get("/"), &Secret::new(token.into())), Bytes::new());
        let sent = with("eyJ0.fake");
        assert!(obstacle(&sent).is_none() && sent.headers()[AUTHORIZATION].is_sensitive());
        let unsent = with("eyJ0.\nfake");
        assert!(unsent.headers().is_empty());
        let obstacle = obstacle(&unsent).expect("an obstacle");
        assert_eq!(obstacle.why, "the access token for it holds a character that no token has");
        assert_eq!(
            obstacle.remedy,
            "Sign in again with 'adopat login'; if that does not help, check that no proxy on the way changes answers."
        );
    }
}
