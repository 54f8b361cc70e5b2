//! How a confidential client proves itself with each token request.

use url::Url;

use crate::failure::Failure;
use crate::http::Http;
use crate::secret::Secret;

/// What proves a confidential client.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A client secret.
    Secret(Secret),
}

impl Proof {
    /// The parameters that prove the client, fresh for one token request.
    ///
    /// # Errors
    /// Where the proof cannot be had.
    pub async fn parameters(
        &self,
        _http: &Http,
        _client_id: &str,
        _token_endpoint: &Url,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        match self {
            Self::Secret(secret) => Ok(vec![("client_secret", secret.expose().to_owned())]),
        }
    }
}
