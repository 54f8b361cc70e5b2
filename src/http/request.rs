//! Building a request. What makes it up comes from inputs and from services, and may make none: an address can be longer
//! than any request can have. Such a request is never sent, and that is told as any other obstacle is.

use bytes::Bytes;
use http::Request;
use http::request::Builder;

use crate::world::Obstacle;

/// Marks a request that could not be built.
#[derive(Clone, Copy, Debug)]
struct Unbuilt;

/// The request, whatever it is made of; see `obstacle`.
pub fn build(builder: Builder, body: impl Into<Bytes>) -> Request<Bytes> {
    builder.body(body.into()).unwrap_or_else(|_| {
        let mut request = Request::new(Bytes::new());
        request.extensions_mut().insert(Unbuilt);
        request
    })
}

/// Why this request cannot be sent, where it could not be built.
pub(super) fn obstacle(request: &Request<Bytes>) -> Option<Obstacle> {
    request.extensions().get::<Unbuilt>().map(|_| Obstacle {
        why: "the address to ask for would be longer than a request may have".into(),
        remedy: "Look for an input that is far too long, such as a name; if there is none, the service itself sent it.".into(),
        lasts: true,
    })
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
}
