//! Files that hold a secret: readable by their owner alone, and replaced whole or not at all.

use std::fs::{File, TryLockError};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::NamedTempFile;

pub use self::location::{Identity, is_same, locate, unfit};
use crate::secret::Secret;

mod location;

/// More bytes than any file has that holds a secret, or the outputs of a run: 64 MiB.
const LARGEST: u64 = 64 << 20;

/// Replaces the file by these bytes, in one step that a crash cannot tear apart.
///
/// The new file is made beside the old one with mode 0600, synced, and renamed over it. What runs that were killed in
/// the midst of this have left is removed. A symbolic link at `path` is followed as [`locate`] says, and stays. On
/// Windows the file takes its folder's access rights.
///
/// # Errors
/// Any failure of the file system; the old file is then untouched and nothing is left beside it.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_at(path, bytes, None)
}

/// The same, and gives the file this time in place of the present one.
///
/// # Errors
/// As those of [`replace`]. That a file system takes no time is not one of them.
pub fn replace_at(path: &Path, bytes: &[u8], time: Option<SystemTime>) -> io::Result<()> {
    let path = &locate(path)?;
    let folder = folder_of(path);
    let mut file = new_file_beside(path)?;
    remove_left_over(path);
    // A umask can take away even what the owner needs to read it again.
    #[cfg(unix)]
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(bytes)?;
    if let Some(time) = time {
        let _ = file.as_file().set_modified(time);
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| explain(error.error))?;
    sync_folder(&folder);
    Ok(())
}

/// Finds out whether [`replace`] would work, by making and removing a file beside `path`.
///
/// # Errors
/// Why it would not.
pub fn can_replace(path: &Path) -> io::Result<()> {
    new_file_beside(&locate(path)?).map(drop)
}

/// A new file that is to take the place of this one. It is locked for as long as it is written, so that nobody takes it
/// for one that was left over.
fn new_file_beside(path: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new().prefix(&beginning(path)).tempfile_in(folder_of(path))?;
        match file.as_file().try_lock() {
            // In the moment before it was locked, another run may have taken it for one.
            Ok(()) if !file.path().exists() => {}
            Err(TryLockError::WouldBlock) => {}
            // If there are no locks, nobody removes anything.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
}

/// Removes the new files that no run is writing any more.
fn remove_left_over(path: &Path) {
    let beginning = beginning(path);
    let entries = std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&beginning)) {
        // In a folder that others may write to, the name may be of anything. The lock is held until the file is gone.
        if entry.file_type().is_ok_and(|kind| kind.is_file())
            && let Ok(file) = open_left_over(&entry.path())
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn open_left_over(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    options.open(path)
}

/// How the names of new files begin that are to take the place of this one: short, whatever its own name is.
fn beginning(path: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    path.file_name().hash(&mut hasher);
    format!(".adopat-{:016x}-", hasher.finish())
}

/// The file's bytes, wiped when dropped; `None` if there is no such file.
///
/// # Errors
/// Any other failure of the file system; that it is a pipe or a device, whose end might never come, or far larger
/// than any secret.
pub fn read(path: &Path) -> io::Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
    match std::fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no ordinary file"));
        }
        Ok(about) if about.len() > LARGEST => {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than any secret"));
        }
        _ => {}
    }
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// When the file was last changed, by its own account.
///
/// # Errors
/// Any failure of the file system.
pub fn modified(path: &Path) -> io::Result<SystemTime> {
    std::fs::metadata(path)?.modified()
}

/// Gives the file back what it held before, and the time of that if it is known; none: it was not there.
///
/// # Errors
/// Any failure of the file system.
pub fn restore(path: &Path, previous: Option<(&[u8], Option<SystemTime>)>) -> io::Result<()> {
    match previous {
        Some((bytes, time)) => replace_at(path, bytes, time),
        None => match std::fs::remove_file(locate(path)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

/// The bytes as a secret text.
///
/// # Errors
/// If they are not UTF-8.
pub fn into_secret(bytes: &[u8]) -> Result<Secret, std::str::Utf8Error> {
    std::str::from_utf8(bytes).map(|text| Secret::new(text.to_owned()))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A container that mounts a single file refuses to have it replaced.
fn explain(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::ResourceBusy {
        return io::Error::new(error.kind(), "the file itself is a mount point: mount its folder instead");
    }
    error
}

/// Makes the rename outlast a power failure, if the file system knows how.
fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        replace(&path, b"one").expect("written");
        let before = read(&path).expect("read").expect("there");
        replace(&path, b"two").expect("written");
        restore(&path, Some((&before, None))).expect("restored");
        assert_eq!(read(&path).expect("read").expect("there").as_slice(), b"one");
        restore(&path, None).expect("removed");
        assert_eq!(read(&path).expect("read"), None);
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            0,
            "nothing is left beside it"
        );
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_a_live_one_writes_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, other) = (folder.path().join("token"), folder.path().join("other"));
        for file in [&path, &other] {
            let (_, left) = new_file_beside(file).expect("made").keep().expect("kept");
            std::fs::write(left, "a secret").expect("written");
        }
        let live = new_file_beside(&path).expect("made");
        replace(&path, b"one").expect("written");
        assert!(live.path().exists());
        let names = names_in(folder.path());
        assert_eq!(names.iter().filter(|name| name.starts_with(&beginning(&path))).count(), 1, "{names:?}");
        assert_eq!(names.iter().filter(|name| name.starts_with(&beginning(&other))).count(), 1, "{names:?}");
        drop(live);
        replace(&other, b"one").expect("written");
        assert_eq!(names_in(folder.path()), ["other", "token"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_only_bears_the_name_of_a_left_over_file_is_neither_opened_nor_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, victim) = (folder.path().join("token"), folder.path().join("victim"));
        std::fs::write(&victim, "theirs").expect("written");
        let named = |end: &str| folder.path().join(format!("{}{end}", beginning(&path)));
        std::os::unix::fs::symlink(&victim, named("link")).expect("linked");
        std::fs::create_dir(named("folder")).expect("made");
        let pipe = std::process::Command::new("mkfifo").arg(named("pipe")).status().expect("mkfifo runs");
        assert!(pipe.success());
        replace(&path, b"one").expect("written");
        assert!(named("link").is_symlink() && named("folder").exists() && named("pipe").exists());
        assert_eq!(std::fs::read(&victim).expect("there"), b"theirs");
    }

    #[test]
    fn many_writers_at_once_all_succeed_and_leave_one_whole_value_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let value = format!("{number}.").repeat(2000);
                    (0..25).for_each(|_| replace(path, value.as_bytes()).expect("written"));
                });
            }
        });
        let value = std::fs::read_to_string(&path).expect("there");
        let number = value.split('.').next().expect("a number");
        assert_eq!(value, format!("{number}.").repeat(2000));
        assert_eq!(names_in(folder.path()), ["token"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_its_owners_alone_and_a_link_is_followed_and_stays() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        symlink(&target, &link).expect("linked");
        for bytes in [b"one", b"two"] {
            replace(&link, bytes).expect("written");
            assert_eq!(std::fs::read(&target).expect("read"), bytes);
            let about = std::fs::symlink_metadata(&target).expect("there");
            assert!(about.is_file());
            assert_eq!(about.permissions().mode() & 0o777, 0o600);
        }
        restore(&link, None).expect("removed");
        assert!(!target.exists() && link.is_symlink());
    }
}
