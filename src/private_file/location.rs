//! Finds the real location of a file that is to hold a secret.
//!
//! A path may lead there through symbolic links. If somebody else could make or change such a link, the secret would
//! be written where they want it. So each link on the way has to belong to this user or to root, in a folder that no
//! other user can write. Anything but a regular file (a device, a pipe, a folder) is refused, since it cannot be
//! replaced by one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a path is unfit for a file with a secret, whatever the file system allows: the rest of a sentence that begins
/// with the path.
#[derive(Debug)]
struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

fn unfit_for(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, Unfit(why.into()))
}

/// The file's own path, with every symbolic link on the way followed. The file need not exist, but its folder.
///
/// # Errors
/// If a link is not to be trusted, or there is something else than a regular file; any failure of the file system.
pub fn locate(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(unfit_for("is the name of a folder"));
    }
    let location = follow(path)?;
    if is_the_systems_own(&super::folder_of(&location)) {
        return Err(unfit_for("is in a folder of the system, which takes no files"));
    }
    match std::fs::metadata(path) {
        Ok(about) if about.is_file() => {}
        Ok(about) => return Err(unfit_for(kind_of(&about))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(location)
}

/// Why this path is unfit for a file with a secret, as the rest of a sentence that begins with it; `None` if it is
/// fit, and if the file system will say more when it is written.
pub fn unfit(path: &Path) -> Option<String> {
    match locate(path) {
        Ok(location) if takes_the_output(&location) => {
            Some("is where adopat's own standard output or standard error goes".into())
        }
        Ok(_) => None,
        Err(error) => error.get_ref().filter(|inner| inner.is::<Unfit>()).map(ToString::to_string),
    }
}

/// Whether standard output or standard error was redirected to this file.
#[cfg(unix)]
fn takes_the_output(location: &Path) -> bool {
    let streams = [rustix::fs::fstat(std::io::stdout()), rustix::fs::fstat(std::io::stderr())];
    let Ok(about) = rustix::fs::stat(location) else { return false };
    let is_it = |stream: rustix::fs::Stat| (stream.st_dev, stream.st_ino) == (about.st_dev, about.st_ino);
    streams.into_iter().flatten().any(is_it)
}

#[cfg(not(unix))]
fn takes_the_output(_location: &Path) -> bool {
    false
}

/// Whether two paths are, or would be, one file: by symbolic and hard links and mounts too.
pub fn is_same(one: &Path, other: &Path) -> bool {
    one == other || identity(one).is_some_and(|file| Some(file) == identity(other))
}

/// What tells a file from every other, by whatever path it is reached: two that are equal are one file, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(Option<Known>, PathBuf);

#[cfg(unix)]
type Known = (u64, u64, Option<std::ffi::OsString>);
#[cfg(not(unix))]
type Known = std::ffi::OsString;

impl Identity {
    /// The identity of the file at this path, which need not exist. In a folder that cannot be found, a path is known by
    /// its spelling alone.
    pub fn of(path: &Path) -> Self {
        match identity(path) {
            Some(known) => Self(Some(known), PathBuf::new()),
            None => Self(None, path.to_owned()),
        }
    }
}

#[cfg(unix)]
fn kind_of(about: &std::fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = about.file_type();
    if kind.is_dir() {
        "is a folder"
    } else if kind.is_fifo() {
        "is a pipe"
    } else if kind.is_socket() {
        "is a socket"
    } else {
        "is a device"
    }
}

#[cfg(not(unix))]
fn kind_of(about: &std::fs::Metadata) -> &'static str {
    if about.is_dir() { "is a folder" } else { "is a device" }
}

/// Whether the files of this folder are none: what they hold is the system's own state (statfs(2)).
#[cfg(target_os = "linux")]
fn is_the_systems_own(folder: &Path) -> bool {
    const SYSFS_MAGIC: rustix::fs::FsWord = 0x6265_6572;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let kind = rustix::fs::statfs(folder).map(|about| about.f_type);
    kind.is_ok_and(|kind| [rustix::fs::PROC_SUPER_MAGIC, SYSFS_MAGIC].contains(&kind))
}

#[cfg(not(target_os = "linux"))]
fn is_the_systems_own(_folder: &Path) -> bool {
    false
}

/// Follows every link of the path, one after the other.
#[cfg(unix)]
fn follow(path: &Path) -> io::Result<PathBuf> {
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::path::Component;
    /// As many as the system itself follows (path_resolution(7)).
    const MOST_LINKS: u32 = 40;
    let parts = |path: &Path| -> VecDeque<OsString> {
        path.components().map(|part| part.as_os_str().to_owned()).collect()
    };
    let mut ahead = parts(path);
    let mut location = PathBuf::new();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        match Path::new(&part).components().next() {
            Some(Component::RootDir) => location = PathBuf::from("/"),
            Some(Component::ParentDir) => {
                // All before it has been followed.
                location = std::fs::canonicalize(location.join(".."))?;
            }
            Some(Component::Normal(name)) => {
                let next = location.join(name);
                match std::fs::symlink_metadata(&next) {
                    Ok(about) if about.is_symlink() => {
                        links += 1;
                        if links > MOST_LINKS {
                            return Err(unfit_for("is a link that leads to itself"));
                        }
                        // /proc/self and /proc/mounts say where they lead. Those further down stand for something that a
                        // process has open, wherever their names point.
                        if location != Path::new("/proc") && is_the_systems_own(&location) {
                            return Err(unfit_for(format!(
                                "is reached by the link {}, which stands for something that is open",
                                next.display()
                            )));
                        }
                        trust(&next, &about, &location)?;
                        let mut target = parts(&std::fs::read_link(&next)?);
                        target.append(&mut ahead);
                        ahead = target;
                    }
                    Ok(_) => location = next,
                    Err(error) if error.kind() == io::ErrorKind::NotFound && ahead.is_empty() => {
                        location = next
                    }
                    Err(error) => return Err(error),
                }
            }
            _ => {}
        }
    }
    Ok(location)
}

/// Whether a link is this user's own or root's, in a folder that no other user can write.
#[cfg(unix)]
fn trust(link: &Path, about: &std::fs::Metadata, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::geteuid().as_raw();
    let is_trusted = |user: u32| user == own || user == 0;
    if !is_trusted(about.uid()) {
        return Err(unfit_for(format!("is reached by the link {}, which another user owns", link.display())));
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let about = std::fs::metadata(folder)?;
    if !is_trusted(about.uid()) || about.mode() & 0o022 != 0 {
        return Err(unfit_for(format!(
            "is reached by the link {}, in a folder that other users can write",
            link.display()
        )));
    }
    Ok(())
}

/// On Windows a link takes rights of its own to make.
#[cfg(not(unix))]
fn follow(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        location => location,
    }
}

/// What tells one file from every other: its device and number; of one that is not there yet, those of its folder,
/// and its name.
#[cfg(unix)]
fn identity(path: &Path) -> Option<Known> {
    use std::os::unix::fs::MetadataExt as _;
    if let Ok(about) = std::fs::metadata(path) {
        return Some((about.dev(), about.ino(), None));
    }
    // A link that is not to be trusted is refused elsewhere.
    let path = follow(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let about = std::fs::metadata(folder).ok()?;
    let name = path.file_name()?.to_owned();
    // As this system's own file systems tell names apart.
    let name = if cfg!(target_os = "macos") { name.to_ascii_lowercase() } else { name };
    Some((about.dev(), about.ino(), Some(name)))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Known> {
    let of_its_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    };
    let path = path.canonicalize().ok().or_else(of_its_folder)?;
    Some(path.into_os_string().to_ascii_lowercase())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn open_to(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    }

    #[test]
    fn links_are_followed_to_a_file_that_need_not_exist() {
        let folder = folder();
        let at = |name: &str| folder.path().canonicalize().expect("there").join(name);
        std::fs::create_dir(at("far")).expect("made");
        symlink("far", at("near")).expect("linked");
        symlink("../two", at("far/one")).expect("linked");
        symlink(at("far/file"), at("two")).expect("linked");
        for path in [at("far/file"), at("near/file"), at("near/one"), at("two"), at("near/../near/./one")] {
            assert_eq!(locate(&path).expect("found"), at("far/file"), "{}", path.display());
            assert!(is_same(&path, &at("far/file")));
        }
        std::fs::write(at("two"), "there").expect("written");
        assert_eq!(locate(&at("near/one")).expect("found"), at("far/file"));
        std::fs::hard_link(at("far/file"), at("hard")).expect("linked");
        assert!(is_same(&at("hard"), &at("near/one")));
        assert!(!is_same(&at("far/another"), &at("far/file")) && !is_same(&at("file"), &at("far/file")));
    }

    #[rstest]
    fn a_link_where_others_can_write_is_unfit(
        #[values(0o777, 0o775, 0o1777, 0o757)] mode: u32,
        #[values("link", "folder/file")] path: &str,
    ) {
        let folder = folder();
        let shared = folder.path().join("shared");
        std::fs::create_dir(&shared).expect("made");
        std::fs::create_dir(folder.path().join("mine")).expect("made");
        symlink("../mine", shared.join("folder")).expect("linked");
        symlink("../mine/file", shared.join("link")).expect("linked");
        locate(&shared.join(path)).expect("fit");
        open_to(&shared, mode);
        let why = unfit(&shared.join(path)).expect("unfit");
        assert!(why.contains("other users can write"), "{why}");
        assert_eq!(unfit(&shared.join("file")), None, "a file there is another matter");
    }

    #[test]
    fn a_link_that_another_user_owns_is_unfit() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can give a link to somebody else");
            return;
        }
        let folder = folder();
        let link = folder.path().join("link");
        symlink("file", &link).expect("linked");
        std::os::unix::fs::lchown(&link, Some(65_534), Some(65_534)).expect("given away");
        assert!(unfit(&link).expect("unfit").contains("another user owns"));
    }

    #[rstest]
    #[case("/dev/null", "is a device")]
    #[case("/dev/full", "is a device")]
    #[case("/proc/self/environ", "is in a folder of the system, which takes no files")]
    #[case("/proc/token", "is in a folder of the system, which takes no files")]
    #[case("/sys/token", "is in a folder of the system, which takes no files")]
    #[case("/", "is the name of a folder")]
    #[case(".", "is a folder")]
    #[case("..", "is a folder")]
    #[case("/no/such/file/", "is the name of a folder")]
    fn what_is_no_regular_file_is_unfit(#[case] path: &str, #[case] why: &str) {
        assert_eq!(unfit(Path::new(path)).as_deref(), Some(why));
    }

    #[cfg(target_os = "linux")]
    #[rstest]
    #[case("fd")]
    #[case("../self/fd")]
    fn what_a_process_has_open_is_unfit_though_it_is_a_file(#[case] folder: &str) {
        use std::os::fd::AsRawFd as _;
        let file = tempfile::tempfile().expect("a file");
        let path = format!("/proc/self/{folder}/{}", file.as_raw_fd());
        assert!(std::fs::metadata(&path).expect("there").is_file());
        let why = unfit(Path::new(&path)).expect("unfit");
        assert!(why.contains("which stands for something that is open"), "{why}");
    }

    #[test]
    fn a_circle_of_links_is_unfit() {
        let folder = folder();
        symlink("two", folder.path().join("one")).expect("linked");
        symlink("one", folder.path().join("two")).expect("linked");
        assert!(unfit(&folder.path().join("one")).expect("unfit").contains("leads to itself"));
    }

    #[test]
    fn what_the_file_system_refuses_is_another_matter() {
        assert_eq!(unfit(Path::new("/no/such/folder/file")), None);
        assert_eq!(unfit(Path::new("/etc/passwd/file")), None);
    }
}
