//! `file:PATH`: the bare value in a file that its owner alone can read, replaced whole or not at all.
//!
//! A refresh token is [sealed] when there is a `store-key`; a PAT never is, since the program it is
//! for could not read it. Each writer replaces the file in one step, and leaves nothing beside it: two runs that sign in at once
//! each hold a good refresh token, and the file holds one of them, whole.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::sealed::{self, Sealer, Unopened};
use super::{Address, Expected, Holding, Kind, Restored, Store};
use crate::failure::{Exit, Failure};
use crate::http::Http;
use crate::private_file;
use crate::secret::Secret;
use crate::time::Deadline;

/// What was in the file when it was prepared, and when that was put there; the inner none: there was no file.
type Held = Option<(Zeroizing<Vec<u8>>, Option<SystemTime>)>;

/// A file as a store.
#[derive(Debug)]
pub struct FileStore {
    address: Address,
    path: PathBuf,
    sealer: Option<Sealer>,
    http: Http,
    held: Mutex<Option<Held>>,
    /// Whether this run has replaced the file.
    changed: AtomicBool,
}

impl FileStore {
    /// The file at `path`, whose refresh token is sealed under `store_key` if there is one.
    pub fn new(path: PathBuf, store_key: Option<Secret>, http: Http) -> Self {
        Self {
            address: Address::File(path.clone()),
            path,
            sealer: store_key.map(|key| Sealer::new(key, http.world().clone())),
            http,
            held: Mutex::default(),
            changed: AtomicBool::new(false),
        }
    }

    fn token_in(&self, bytes: &[u8]) -> Result<Option<Secret>, Failure> {
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        match &self.sealer {
            Some(sealer) => sealer.open(bytes).map(Some).map_err(|why| self.not_opened(why, bytes)),
            None if sealed::is_sealed(bytes) => Err(self.unreadable(
                "is encrypted, and no 'store-key' is given.",
                "Give the passphrase it was encrypted under as 'store-key'.",
            )),
            None => private_file::into_secret(bytes.trim_ascii_end()).map(Some).map_err(|_| self.foreign()),
        }
    }

    fn not_opened(&self, why: Unopened, bytes: &[u8]) -> Failure {
        match why {
            Unopened::NotOurs if std::str::from_utf8(bytes).is_ok() => self.unreadable(
                "holds a value that is not encrypted, though a 'store-key' is given.",
                "Delete it and run 'adopat login' with this 'store-key', which stores the token encrypted; or leave \
                 'store-key' out.",
            ),
            Unopened::NotOurs => self.foreign(),
            Unopened::UnknownVersion(version) => self.unreadable(
                &format!("was encrypted by a later adopat (version {version} of the format)."),
                "Use that adopat here too, or delete the file and run 'adopat login' again.",
            ),
            Unopened::Incomplete => self.unreadable(
                "is not whole: it is shorter or longer than it says it is.",
                "Bring back a whole copy, or delete it and run 'adopat login' again.",
            ),
            Unopened::TooCostly => self.unreadable(
                "asks for more memory or time to be opened than any file that adopat wrote.",
                "Somebody else has written it: find out who, delete it and run 'adopat login' again.",
            ),
            Unopened::WrongKeyOrChanged => self.unreadable(
                "cannot be decrypted: 'store-key' is not the one it was encrypted under, or the file was changed.",
                "Give the right 'store-key', or delete the file and run 'adopat login' again.",
            ),
        }
    }

    fn foreign(&self) -> Failure {
        self.unreadable(
            "holds neither a token nor anything that adopat encrypted.",
            "Check the path; if it is the right one, delete the file and run 'adopat login' again.",
        )
    }

    fn unreadable(&self, why: &str, remedy: &str) -> Failure {
        Failure::new(Exit::SignIn, format!("The file {} {why}", self.path.display()), remedy)
    }

    fn not_writable(&self, error: &io::Error) -> Failure {
        let path = self.path.display();
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "Create its folder first: adopat makes the file, not the folder.",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "Let the user that runs adopat write to its folder (a new file is made there and renamed)."
            }
            io::ErrorKind::IsADirectory => "Name a file within it.",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "Free some space there.",
            _ => "Choose a path that the user that runs adopat can write to.",
        };
        Failure::new(Exit::Store, format!("The file {path} cannot be written: {}.", words(error)), remedy)
    }
}

#[async_trait]
impl Store for FileStore {
    fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare(&self, _deadline: &Deadline) -> Result<Option<Failure>, Failure> {
        private_file::can_replace(&self.path).map_err(|error| self.not_writable(&error))?;
        match private_file::read(&self.path) {
            Ok(held) => {
                let held = held.map(|bytes| (bytes, private_file::modified(&self.path).ok()));
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
                Ok(None)
            }
            Err(error) => {
                let cause = format!(
                    "The file {} can be replaced but not read ({}): if a delivery fails, it cannot be given back what \
                     it holds.",
                    self.path.display(),
                    words(&error)
                );
                let remedy = "Let the user that runs adopat read it.";
                Ok(Some(Failure::new(Exit::Store, cause, remedy)))
            }
        }
    }

    /// By its time, which adopat [sets](Store::write) by the services' clock.
    async fn holds(&self, expected: &Expected<'_>, _deadline: &Deadline) -> Result<Holding, Failure> {
        let unreadable = |error: io::Error| {
            Failure::new(
                Exit::Store,
                format!("The file {} cannot be read: {}.", self.path.display(), words(&error)),
                "Let the user that runs adopat read it, or correct the path.",
            )
        };
        match private_file::read(&self.path) {
            Ok(None) => Ok(Holding::Not("was not there".into())),
            Ok(Some(bytes)) if bytes.trim_ascii().is_empty() => Ok(Holding::Not("was empty".into())),
            Ok(Some(_)) => {
                let changed = private_file::modified(&self.path).map_err(unreadable)?;
                Ok(Timestamp::try_from(changed).map_or(Holding::Holds, |changed| expected.since(changed)))
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    async fn read(&self, _deadline: &Deadline) -> Result<Option<Secret>, Failure> {
        match private_file::read(&self.path) {
            Ok(Some(bytes)) => self.token_in(&bytes),
            Ok(None) => Ok(None),
            Err(error) => Err(self.unreadable(
                &format!("cannot be read: {}.", words(&error)),
                "Let the user that runs adopat read it, or correct the path.",
            )),
        }
    }

    async fn write(&self, secret: &Secret, kind: &Kind, _deadline: &Deadline) -> Result<(), Failure> {
        let sealed = match (&self.sealer, kind) {
            (Some(sealer), Kind::RefreshToken) => Some(sealer.seal(secret)),
            _ => None,
        };
        let bytes = sealed.as_deref().unwrap_or(secret.expose().as_bytes());
        // Of a PAT the file's time tells which one it is. A `Date` counts in whole seconds: by that clock a PAT may have
        // been made a moment after it was delivered.
        let time = match kind {
            Kind::Pat { valid_from, .. } => Some(self.http.clock().now()).max(*valid_from),
            Kind::RefreshToken => None,
        };
        private_file::replace_at(&self.path, bytes, time.and_then(|time| SystemTime::try_from(time).ok()))
            .map_err(|error| self.not_writable(&error))?;
        self.changed.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn restore(&self, _deadline: &Deadline) -> Result<Restored, Failure> {
        // What is in a file that could not be replaced is not ours to touch, and was not lost.
        if !self.changed.load(Ordering::Relaxed) {
            return Ok(Restored::Whole);
        }
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(held) = held else { return Ok(Restored::NotPossible) };
        let previous = held.as_ref().map(|(bytes, time)| (bytes.as_slice(), *time));
        private_file::restore(&self.path, previous).map_err(|error| self.not_writable(&error))?;
        Ok(Restored::Whole)
    }
}

/// What the file system says, in plain words if it says it in its own.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::fake::{deadline, offline, pat};

    fn store(path: &Path, key: Option<&str>) -> FileStore {
        let http = Http::new(offline(), deadline(60));
        FileStore::new(path.to_owned(), key.map(|key| Secret::new(key.into())), http)
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[tokio::test]
    async fn a_stored_token_is_read_back_bare() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let store = store(&path, None);
        assert_eq!(store.read(&deadline(5)).await, Ok(None));
        store.write(&secret("1.AXfake"), &Kind::RefreshToken, &deadline(5)).await.expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"1.AXfake");
        assert_eq!(store.read(&deadline(5)).await, Ok(Some(secret("1.AXfake"))));
    }

    #[tokio::test]
    async fn the_newline_an_editor_leaves_is_no_part_of_the_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "1.AXfake\r\n").expect("written");
        assert_eq!(store(&path, None).read(&deadline(5)).await, Ok(Some(secret("1.AXfake"))));
        std::fs::write(&path, "\n").expect("written");
        assert_eq!(store(&path, None).read(&deadline(5)).await, Ok(None), "an empty file holds nothing");
        assert_eq!(store(&path, Some("key")).read(&deadline(5)).await, Ok(None));
    }

    #[tokio::test]
    async fn a_key_seals_a_refresh_token_and_never_a_pat() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let store = store(&path, Some("correct horse"));
        store.write(&secret("1.AXfake"), &Kind::RefreshToken, &deadline(5)).await.expect("written");
        assert!(sealed::is_sealed(&std::fs::read(&path).expect("there")));
        assert_eq!(store.read(&deadline(5)).await, Ok(Some(secret("1.AXfake"))));
        store.write(&secret("patpatpat"), &pat(), &deadline(5)).await.expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"patpatpat");
    }

    #[tokio::test]
    async fn each_way_a_key_and_a_file_do_not_fit_has_its_own_sentence() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let writer = store(&path, Some("correct horse"));
        writer.write(&secret("1.AXfake"), &Kind::RefreshToken, &deadline(5)).await.expect("written");
        let whole = std::fs::read(&path).expect("there");

        let mut found = Vec::new();
        let cases: [(Option<&str>, &[u8]); 6] = [
            (None, &whole),
            (Some("battery staple"), &whole),
            (Some("correct horse"), &whole[..whole.len() - 1]),
            (Some("correct horse"), b"1.AXfake"),
            (Some("correct horse"), b"\xFF\xFE\x00\x00"),
            (None, b"\xFF\xFE\x00\x00"),
        ];
        for (key, bytes) in cases {
            std::fs::write(&path, bytes).expect("written");
            let failure = store(&path, key).read(&deadline(5)).await.expect_err("unreadable");
            assert_eq!(failure.exit, Exit::SignIn);
            assert!(!failure.to_string().contains("AXfake"));
            assert_eq!(std::fs::read(&path).expect("there"), bytes, "left untouched");
            found.push(failure.cause);
        }
        let expected =
            ["no 'store-key'", "cannot be decrypted", "not whole", "not encrypted", "neither", "neither"];
        for (cause, part) in found.iter().zip(expected) {
            assert!(cause.contains(part), "{cause}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_file_is_its_owners_alone_and_nothing_is_left_beside_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "open to all").expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).expect("set");
        store(&path, None)
            .write(&secret("1.AXfake"), &Kind::RefreshToken, &deadline(5))
            .await
            .expect("written");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
    }

    #[tokio::test]
    async fn a_file_tells_by_its_time_which_pat_it_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pat");
        let store = store(&path, None);
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let holds = async |made: &str| {
            let expected = Expected { authorization_id: "x", valid_from: Some(at(made)) };
            store.holds(&expected, &deadline(5)).await.expect("asked")
        };
        let made = "2026-11-24T12:00:00.25Z";
        assert_eq!(holds(made).await, Holding::Not("was not there".into()));
        std::fs::write(&path, "\n").expect("written");
        assert_eq!(holds(made).await, Holding::Not("was empty".into()));
        // By the services' clock the PAT was made a moment after it is delivered, and the machine's own is off by days.
        let mut kind = pat();
        if let Kind::Pat { valid_from, .. } = &mut kind {
            *valid_from = Some(at(made));
        }
        store.write(&secret("patpatpat"), &kind, &deadline(5)).await.expect("written");
        assert_eq!(holds(made).await, Holding::Holds);
        assert!(matches!(holds("2026-11-24T12:00:00.26Z").await, Holding::Not(_)));

        store.prepare(&deadline(5)).await.expect("prepared");
        std::fs::write(&path, "another").expect("written");
        assert_eq!(store.restore(&deadline(5)).await, Ok(Restored::Whole));
        assert!(
            matches!(holds("2026-11-24T12:00:00.26Z").await, Holding::Not(_)),
            "it holds the old one again"
        );
    }

    #[tokio::test]
    async fn many_writers_at_once_leave_one_whole_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..16 {
            let store = store(&path, None);
            let token = secret(&format!("{number}.").repeat(2000));
            writers.spawn(async move { store.write(&token, &Kind::RefreshToken, &deadline(20)).await });
        }
        assert!(writers.join_all().await.into_iter().all(|written| written.is_ok()));
        let token = std::fs::read_to_string(&path).expect("there");
        let number = token.split('.').next().expect("a number").to_owned();
        assert_eq!(token, format!("{number}.").repeat(2000));
    }

    #[tokio::test]
    async fn a_missing_folder_and_a_folder_in_place_of_a_file_are_said_before_anything_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let failure = store(&folder.path().join("none/token"), None).prepare(&deadline(5)).await;
        let failure = failure.expect_err("no folder");
        assert_eq!(failure.exit, Exit::Store);
        assert!(failure.cause.contains("its folder does not exist"), "{failure}");
        let failure = store(folder.path(), None).prepare(&deadline(5)).await.expect_err("a folder");
        assert!(failure.cause.contains("is a folder"), "{failure}");
    }

    #[tokio::test]
    async fn what_was_there_when_prepared_is_given_back_to_the_byte() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let store = store(&path, None);
        assert_eq!(store.restore(&deadline(5)).await, Ok(Restored::Whole), "nothing was written");
        store.write(&secret("new"), &pat(), &deadline(5)).await.expect("written");
        assert_eq!(store.restore(&deadline(5)).await, Ok(Restored::NotPossible), "not prepared");
        std::fs::write(&path, b"old\n\xFF").expect("written");
        assert_eq!(store.prepare(&deadline(5)).await, Ok(None));
        store.write(&secret("new"), &pat(), &deadline(5)).await.expect("written");
        assert_eq!(store.restore(&deadline(5)).await, Ok(Restored::Whole));
        assert_eq!(std::fs::read(&path).expect("there"), b"old\n\xFF");

        std::fs::remove_file(&path).expect("removed");
        store.prepare(&deadline(5)).await.expect("prepared");
        store.write(&secret("new"), &pat(), &deadline(5)).await.expect("written");
        assert_eq!(store.restore(&deadline(5)).await, Ok(Restored::Whole));
        assert!(!path.exists(), "there was no file, so there is none again");
    }
}
