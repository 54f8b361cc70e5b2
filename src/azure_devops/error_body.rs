//! What an Azure DevOps service says when it fails: JSON with a byte order mark, or only a header; and the ids that
//! support asks for.

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::http::Answer;

/// The generic error of every Azure DevOps service. All of it is optional: the words come from outside.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorBody {
    /// The words, like `TF400813: ...`.
    pub message: Option<String>,
    /// The error's name, like `InvalidAccessException`.
    pub type_key: Option<String>,
}

impl ErrorBody {
    /// Reads the answer's body; if that says nothing, the `X-TFS-ServiceError` header.
    pub fn of(answer: &Answer) -> Self {
        let mut body: Self = answer.json().unwrap_or_default();
        if body.message.as_deref().unwrap_or_default().trim().is_empty() {
            let header = answer.header("X-TFS-ServiceError").unwrap_or_default().replace('+', " ");
            let words = percent_decode_str(&header).decode_utf8_lossy().trim().to_owned();
            body.message = Some(words).filter(|words| !words.is_empty());
        }
        body
    }
}

/// The ids of an answer that Microsoft's support asks for.
pub fn support_ids(answer: &Answer) -> Vec<(&'static str, String)> {
    ["ActivityId", "X-VSS-E2EID"]
        .into_iter()
        .filter_map(|name| Some((name, answer.header(name)?.to_owned())))
        .collect()
}
