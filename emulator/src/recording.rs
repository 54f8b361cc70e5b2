//! A recording: what somebody asked the real services and what these answered, without anything secret or
//! personal in it, one JSON file an exchange.
//!
//! Whoever records puts a placeholder such as `{{id-3}}` in the place of each text that is not to be known, the same
//! one wherever the text stood. Instants stand as they were; a replay moves them to its own time.
//!
//! ```json
//! {
//!   "service": "pats",
//!   "at": "2026-11-24T12:00:00Z",
//!   "request": {
//!     "method": "DELETE",
//!     "path": "/{{organization-1}}/_apis/tokens/pats",
//!     "query": {"authorizationId": "{{id-3}}", "api-version": "7.1-preview.1"},
//!     "authorization": "Bearer",
//!     "requestId": null,
//!     "body": null
//!   },
//!   "answer": {"status": 204, "headers": {}, "body": null}
//! }
//! ```

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::services::Service;

/// The services of which a recording can hold exchanges, and their names in it.
const SERVICES: [(Service, &str); 3] =
    [(Service::Entra, "entra"), (Service::Pats, "pats"), (Service::DevOps, "devops")];

/// One request and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Which service: Entra, the PAT service, or Azure DevOps itself.
    pub service: Service,
    /// When the request was sent.
    pub at: Timestamp,
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The request's query, decoded.
    pub query: Map<String, Value>,
    /// The scheme of its `Authorization`, such as `Bearer`.
    pub authorization: Option<String>,
    /// Its `client-request-id`, which Entra repeats.
    pub request_id: Option<String>,
    /// Its body: JSON, a form as an object of texts, any other text, or nothing.
    pub body: Value,
    /// The answer's status.
    pub status: u16,
    /// Those of the answer's headers that matter, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whether the answer's body began with a byte order mark.
    pub byte_order_mark: bool,
    /// The answer's body: JSON, any other text, or nothing.
    pub answer: Value,
}

impl Exchange {
    /// The exchange as its file holds it.
    pub fn to_json(&self) -> Value {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            if let Value::Array(values) = headers.entry(name.as_str()).or_insert_with(|| json!([])) {
                values.push(json!(value));
            }
        }
        let mut answer = json!({"status": self.status, "headers": headers, "body": self.answer});
        if self.byte_order_mark {
            answer["byteOrderMark"] = json!(true);
        }
        let service = SERVICES.iter().find(|(service, _)| *service == self.service).map(|(_, name)| name);
        json!({
            "service": service,
            "at": self.at.to_string(),
            "request": {
                "method": self.method,
                "path": self.path,
                "query": self.query,
                "authorization": self.authorization,
                "requestId": self.request_id,
                "body": self.body,
            },
            "answer": answer,
        })
    }

    /// Reads what [`Exchange::to_json`] has written; none where it is something else.
    pub fn from_json(json: &Value) -> Option<Self> {
        let (request, answer) = (&json["request"], &json["answer"]);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut headers = Vec::new();
        for (name, values) in answer["headers"].as_object()? {
            for value in values.as_array()? {
                headers.push((name.clone(), text(value)?));
            }
        }
        Some(Self {
            service: SERVICES.iter().find(|(_, name)| json["service"] == **name)?.0,
            at: json["at"].as_str()?.parse().ok()?,
            method: text(&request["method"])?,
            path: text(&request["path"])?,
            query: request["query"].as_object()?.clone(),
            authorization: text(&request["authorization"]),
            request_id: text(&request["requestId"]),
            body: request["body"].clone(),
            status: answer["status"].as_u64()?.try_into().ok()?,
            headers,
            byte_order_mark: answer["byteOrderMark"].as_bool().unwrap_or_default(),
            answer: answer["body"].clone(),
        })
    }
}

/// Exchanges, in the order in which they were recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording(pub Vec<Exchange>);

impl Recording {
    /// Reads every `.json` file of a folder, in the order of their names.
    ///
    /// # Errors
    /// The folder or a file cannot be read, or a file holds no exchange.
    pub fn read(folder: impl AsRef<Path>) -> io::Result<Self> {
        let entries: Vec<PathBuf> =
            std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        let mut files: Vec<PathBuf> = entries
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        files.sort();
        let exchanges = files.iter().map(|file| {
            let json: Option<Value> = serde_json::from_slice(&std::fs::read(file)?).ok();
            json.as_ref().and_then(Exchange::from_json).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no exchange", file.display()))
            })
        });
        Ok(Self(exchanges.collect::<io::Result<_>>()?))
    }
}
