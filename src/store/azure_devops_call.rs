//! What one call of a store in Azure DevOps speaks with: the run's bearer, and as long as the call may take.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use url::Url;

use super::Doing;
use super::bearer::Bearer;
use crate::failure::{Exit, Failure};
use crate::http::{Http, request};
use crate::time::Deadline;

/// One call, for as long as its deadline lets it.
pub(super) struct Call {
    pub(super) http: Http,
    bearer: HeaderValue,
}

impl Call {
    /// A call with the run's bearer, which is waited for.
    pub(super) async fn begin(http: &Http, bearer: &Bearer, deadline: &Deadline) -> Result<Self, Failure> {
        let bearer = bearer.get(deadline).await.map_err(|failure| Doing::Writing.failed(failure))?;
        let bearer = request::bearer(&bearer).ok_or_else(|| {
            Failure::new(
                Exit::SignIn,
                "The access token holds characters that no token has.",
                "Give it as plain text, in one piece.",
            )
        })?;
        Ok(Self { http: http.with_deadline(deadline.clone()), bearer })
    }

    /// The same call with another deadline.
    pub(super) fn with_deadline(&self, deadline: &Deadline) -> Self {
        Self { http: self.http.with_deadline(deadline.clone()), bearer: self.bearer.clone() }
    }

    /// A request in JSON, to this address, which names the version of the API.
    pub(super) fn request(&self, method: Method, url: &Url, body: Bytes) -> Request<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(AUTHORIZATION, &self.bearer)
            .header(ACCEPT, "application/json")
            .header("X-TFS-FedAuthRedirect", "Suppress");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request::build(request, body)
    }
}
