//! `--record`: every exchange with Entra and Azure DevOps, [redacted](crate::redact), in a file of its own that the
//! emulator can replay.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use adopat::private_file;
use adopat_emulator::Service;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use url::form_urlencoded;

use crate::redact::Redactor;

/// Writes exchanges into a folder.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    redactor: Redactor,
    written: usize,
    failed: Option<String>,
}

impl Recorder {
    /// Records into this folder, which is made, for its owner alone, or must be empty.
    ///
    /// # Errors
    /// It cannot be made, or something is in it.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        if std::fs::read_dir(folder)?.next().is_some() {
            return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, "it is not empty"));
        }
        private_file::can_replace(&folder.join("001.json"))?;
        Ok(Self { folder: folder.to_owned(), state: Mutex::default() })
    }

    /// Why the recording is not whole, where it is not.
    pub fn failed(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failed.clone()
    }

    pub(crate) fn keep(
        &self,
        service: Service,
        at: Timestamp,
        request: &Request<Bytes>,
        answer: &Response<Bytes>,
    ) {
        if !is_looked_at(service, request) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let exchange = state.redactor.exchange(service, at, request, answer).to_json();
        state.written += 1;
        let file = self.folder.join(format!("{:03}.json", state.written));
        if let Err(error) = private_file::replace(&file, format!("{exchange:#}\n").as_bytes()) {
            state.failed.get_or_insert(error.to_string());
        }
    }
}

/// Whether an exchange is one that expectations are about. Others, such as those that keep the refresh token in a
/// variable group, hold what no rule of redaction here knows of.
fn is_looked_at(service: Service, request: &Request<Bytes>) -> bool {
    let path = request.uri().path().to_ascii_lowercase();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let segments = segments.as_slice();
    match service {
        // An app that signs in as itself opens a store.
        Service::Entra if as_itself(request) => false,
        Service::Entra => matches!(segments, [_, "oauth2", "v2.0", "token" | "devicecode"]),
        Service::Pats => matches!(segments, [.., "_apis", "tokens", "pats"] if segments.len() <= 4),
        Service::DevOps => matches!(segments, [_] | [_, "_apis", "connectiondata"]),
        _ => false,
    }
}

/// Whether a token request is an app's own, not a user's.
pub(crate) fn as_itself(request: &Request<Bytes>) -> bool {
    form_urlencoded::parse(request.body())
        .any(|(name, value)| name == "grant_type" && value == "client_credentials")
}
