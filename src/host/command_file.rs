//! GitHub's command files: what a step appends to them is read when it has ended (actions/runner,
//! `FileCommandManager.cs`).
//!
//! Values stand between delimiters that no one can foresee. Several files are appended to all or none: a run
//! that fails leaves no token behind.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::world::World;

/// What is to be appended to one file.
#[derive(Debug)]
pub struct Append<'a> {
    /// The variable that names the file, for a person to know it by.
    pub variable: &'static str,
    /// The file.
    pub path: &'a Path,
    /// The whole text.
    pub text: Zeroizing<String>,
}

/// One name with its value, in the form that takes any value.
///
/// # Errors
/// If the value holds the delimiter, which does not happen by chance, or the name is none.
pub fn record(name: &str, value: &str, world: &World) -> Result<Zeroizing<String>, Failure> {
    let delimiter = format!("ghadelimiter_{}", world.uuid());
    if value.contains(&delimiter) || !is_name(name) {
        return Err(Failure::new(
            Exit::Store,
            format!("The value of '{name}' cannot be written to a command file."),
            "Give it a name of letters, digits and underscores, and run it again.",
        ));
    }
    let mut record =
        Zeroizing::new(String::with_capacity(name.len() + value.len() + 2 * delimiter.len() + 5));
    for part in [name, "<<", &delimiter, "\n", value, "\n", &delimiter, "\n"] {
        record.push_str(part);
    }
    Ok(record)
}

/// Whether the runner would read the name back as it is.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '<', '\r', '\n', '\u{feff}'])
}

/// Finds out whether a file can be appended to.
///
/// # Errors
/// Why not.
pub fn can_append(path: &Path) -> io::Result<()> {
    open(path).map(drop)
}

/// Appends to each of the files, each text in one write; if one fails, all are cut back to what they were.
///
/// # Errors
/// Which file could not be written, and whether something was left in one.
pub fn append(all: &[Append<'_>]) -> Result<(), Failure> {
    let mut opened = Vec::new();
    for each in all {
        let file = open(each.path).map_err(|error| failure(each, &error))?;
        let length = file.metadata().map_err(|error| failure(each, &error))?.len();
        opened.push((each, file, length));
    }
    for index in 0..opened.len() {
        let (each, file, _) = &mut opened[index];
        if let Err(error) = write(each, file) {
            let failure = failure(each, &error);
            let undone = opened[..=index].iter().all(|(each, _, length)| cut(each.path, *length).is_ok());
            return Err(if undone { failure } else { failure.and("What was written of it is still there.") });
        }
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn write(append: &Append<'_>, file: &mut File) -> io::Result<()> {
    // A line that someone left unfinished would swallow the first name.
    let start = if ends_within_a_line(append.path) { "\n" } else { "" };
    let mut text = Zeroizing::new(String::with_capacity(append.text.len() + 1));
    text.push_str(start);
    text.push_str(&append.text);
    file.write_all(text.as_bytes())
}

fn ends_within_a_line(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        io::Result::Ok(byte[0])
    };
    last().is_ok_and(|byte| byte != b'\n')
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_len(length)
}

fn failure(append: &Append<'_>, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Store,
        format!("The file that {} names could not be written ({error}).", append.variable),
        "See that the runner's temporary folder is writable and has space, and run it again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::still_world;
    use rstest::rstest;

    const DELIMITER: &str = "ghadelimiter_00000000-0000-4000-8000-000000000000";

    fn appended<'a>(path: &'a Path, text: &str) -> Append<'a> {
        Append { variable: "GITHUB_OUTPUT", path, text: Zeroizing::new(text.to_owned()) }
    }

    #[test]
    fn a_value_stands_between_delimiters() {
        assert_eq!(
            record("token", "a=b\nc<<d", &still_world()).expect("a record").as_str(),
            format!("token<<{DELIMITER}\na=b\nc<<d\n{DELIMITER}\n")
        );
    }

    #[rstest]
    #[case("token", DELIMITER)]
    #[case("a=b", "x")]
    #[case("a<<b", "x")]
    #[case("a\nb", "x")]
    #[case("", "x")]
    fn what_the_runner_would_read_otherwise_is_refused(#[case] name: &str, #[case] value: &str) {
        record(name, value, &still_world()).expect_err("refused");
    }

    #[test]
    fn what_others_wrote_stays_and_an_unfinished_line_is_finished() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("output");
        std::fs::write(&path, "a=1").expect("written");
        append(&[appended(&path, "b=2\n")]).expect("appended");
        append(&[appended(&path, "c=3\n")]).expect("appended");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "a=1\nb=2\nc=3\n");
    }

    #[test]
    fn all_files_are_written_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("output");
        std::fs::write(&path, "a=1\n").expect("written");
        let failure =
            append(&[appended(&path, "b=2\n"), appended(folder.path(), "c=3\n")]).expect_err("a folder");
        assert_eq!(failure.exit, Exit::Store);
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "a=1\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_written_is_taken_back_where_a_later_file_takes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("output");
        std::fs::write(&path, "a=1\n").expect("written");
        append(&[appended(&path, "b=2\n"), appended(Path::new("/dev/full"), "c=3\n")]).expect_err("full");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "a=1\n");
    }
}
