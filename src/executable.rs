//! Finds the file that a command's name stands for, and whether the system can run it, before anything is made that
//! the command is for.

use std::ffi::{OsStr, OsString};
#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Why a command cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRunnable {
    /// Whether it, or what it needs, is not there, rather than that it cannot be executed.
    pub is_missing: bool,
    /// Why: the rest of a sentence that begins with "The command".
    pub why: String,
}

impl NotRunnable {
    fn missing(why: impl Into<String>) -> Self {
        Self { is_missing: true, why: why.into() }
    }

    fn not_executable(why: impl Into<String>) -> Self {
        Self { is_missing: false, why: why.into() }
    }
}

/// The file of this command, looked up in `path` as a shell does.
///
/// # Errors
/// That there is none, or why the system could not run it: a script whose interpreter is missing, a program whose
/// loader is. What only the system itself can tell is left to it.
pub fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, NotRunnable> {
    if name.is_empty() {
        return Err(NotRunnable::missing("is an empty text"));
    }
    let here = std::env::current_dir().unwrap_or_default();
    let file = which::which_in(name, path, &here).map_err(|_| {
        let has_folder = Path::new(name).components().count() > 1;
        let folders: Vec<PathBuf> = match path {
            _ if has_folder => vec![here],
            Some(path) => std::env::split_paths(path).collect(),
            None => Vec::new(),
        };
        if folders.iter().any(|folder| folder.join(name).exists()) {
            NotRunnable::not_executable("is not executable")
        } else {
            NotRunnable::missing("was not found")
        }
    })?;
    #[cfg(unix)]
    examine(&file, LONGEST_CHAIN)?;
    Ok(file)
}

/// The `PATH` in an environment.
pub fn path_in(environment: &[(OsString, OsString)]) -> Option<&OsStr> {
    let is_path =
        |name: &OsStr| if cfg!(windows) { name.eq_ignore_ascii_case("PATH") } else { name == "PATH" };
    environment.iter().find(|(name, _)| is_path(name)).map(|(_, value)| value.as_os_str())
}

/// How many interpreters may stand behind each other, scripts themselves (Linux, `exec_binprm`).
#[cfg(unix)]
const LONGEST_CHAIN: u8 = 5;
/// How much of a file the kernel looks at (Linux, `BINPRM_BUF_SIZE`), in bytes.
#[cfg(unix)]
const HEAD: u64 = 256;

#[cfg(unix)]
fn examine(file: &Path, left: u8) -> Result<(), NotRunnable> {
    let mut head = Vec::new();
    // Who may execute a file need not be allowed to read it.
    let Ok(mut opened) = File::open(file) else { return Ok(()) };
    if (&mut opened).take(HEAD).read_to_end(&mut head).is_err() {
        return Ok(());
    }
    if let Some(line) = head.strip_prefix(b"#!") {
        return examine_interpreter(line, left);
    }
    if head.starts_with(b"\x7FELF") {
        return match loader_of(&mut opened) {
            Ok(Some(loader)) if !loader.exists() => Err(NotRunnable::missing(format!(
                "needs the loader {}, which is not there: it was built for another system",
                loader.display()
            ))),
            _ => Ok(()),
        };
    }
    // Another system's program may have a runner of its own.
    if head.contains(&0) || has_other_formats() {
        return Ok(());
    }
    Err(NotRunnable::not_executable("is a script whose first line does not say what runs it, like #!/bin/sh"))
}

/// Examines what the first line of a script says, behind its `#!`.
#[cfg(unix)]
fn examine_interpreter(line: &[u8], left: u8) -> Result<(), NotRunnable> {
    use std::os::unix::ffi::OsStrExt as _;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(is_blank).filter(|word| !word.is_empty());
    let Some(word) = words.next() else {
        return Err(NotRunnable::not_executable("is a script whose first line names no interpreter"));
    };
    let interpreter = Path::new(OsStr::from_bytes(word));
    let named = interpreter.display();
    if !interpreter.exists() {
        let remedy = match word.ends_with(b"\r") {
            true => "; its lines end as on Windows, which makes the end of the line part of the name",
            false => "",
        };
        return Err(NotRunnable::missing(format!(
            "needs the interpreter {named}, which is not there{remedy}"
        )));
    }
    if interpreter.is_dir() || rustix::fs::access(interpreter, rustix::fs::Access::EXEC_OK).is_err() {
        return Err(NotRunnable::not_executable(format!(
            "needs the interpreter {named}, which is not executable"
        )));
    }
    match left.checked_sub(1) {
        Some(left) => examine(interpreter, left),
        None => Err(NotRunnable::not_executable("is a script of a script of a script without an end")),
    }
}

/// Whether this Linux was taught formats of others, like Windows' or another processor's (binfmt_misc).
#[cfg(unix)]
fn has_other_formats() -> bool {
    let entries = std::fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name != "register" && name != "status")
}

/// The loader that a program names, if it is one for this machine's processor (elf(5), `PT_INTERP`).
#[cfg(unix)]
fn loader_of(program: &mut File) -> io::Result<Option<PathBuf>> {
    use std::os::unix::ffi::OsStringExt as _;
    use std::os::unix::fs::FileExt as _;
    const PT_INTERP: u64 = 3;
    const LONGEST_PATH: usize = 4096;
    let number = |at: u64, bytes: usize| -> io::Result<u64> {
        let mut number = [0; 8];
        program.read_exact_at(number.get_mut(..bytes).unwrap_or_default(), at)?;
        Ok(u64::from_le_bytes(number))
    };
    let natives: &[u64] = if cfg!(target_arch = "x86_64") {
        &[62, 3]
    } else if cfg!(target_arch = "aarch64") {
        &[183]
    } else {
        &[]
    };
    let is_64_bits = number(4, 1)? == 2;
    if number(5, 1)? != 1 || !natives.contains(&number(18, 2)?) {
        return Ok(None);
    }
    let (headers, size, count) = if is_64_bits {
        (number(32, 8)?, number(54, 2)?, number(56, 2)?)
    } else {
        (number(28, 4)?, number(42, 2)?, number(44, 2)?)
    };
    for index in 0..count {
        let header = headers.saturating_add(index.saturating_mul(size));
        if number(header, 4)? != PT_INTERP {
            continue;
        }
        let field = |at_64: u64, at_32: u64| match is_64_bits {
            true => number(header.saturating_add(at_64), 8),
            false => number(header.saturating_add(at_32), 4),
        };
        let (at, length) = (field(8, 4)?, field(32, 16)?);
        let mut path = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(LONGEST_PATH)];
        program.read_exact_at(&mut path, at)?;
        path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
        return Ok(Some(PathBuf::from(OsString::from_vec(path))));
    }
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::fs::PermissionsExt as _;

    fn program(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a program");
        path
    }

    #[rstest]
    #[case::a_shells("#!/bin/sh\n", None)]
    #[case::with_blanks("#! \t/bin/sh -e \nexit\n", None)]
    #[case::by_env("#!/usr/bin/env no-such-program\n", None)]
    #[case::without_a_line_end("#!/bin/sh", None)]
    #[case::missing("#!/no/such/interpreter -x\n", Some((true, "/no/such/interpreter, which is not there")))]
    #[case::of_windows("#!/bin/sh\r\nexit\r\n", Some((true, "lines end as on Windows")))]
    #[case::a_folder("#!/bin\n", Some((false, "not executable")))]
    #[case::no_program("#!/etc/passwd\n", Some((false, "not executable")))]
    #[case::nobody("#!\n", Some((false, "names no interpreter")))]
    #[case::no_first_line("echo hello\n", Some((false, "#!/bin/sh")))]
    #[case::empty("", Some((false, "#!/bin/sh")))]
    #[case::bom("\u{feff}#!/bin/sh\n", Some((false, "#!/bin/sh")))]
    #[case::binary("MZ\0\0", None)]
    #[case::elf_cut_off("\u{7f}ELF", None)]
    fn a_script_says_what_runs_it(#[case] text: &str, #[case] expected: Option<(bool, &str)>) {
        let folder = tempfile::tempdir().expect("a folder");
        let found = find(program(folder.path(), "tool", text.as_bytes()).as_os_str(), None);
        match (found, expected) {
            (Ok(_), None) => {}
            (Err(error), Some((is_missing, why))) => {
                assert!(error.is_missing == is_missing && error.why.contains(why), "{error:?}");
            }
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn an_interpreter_may_be_a_script_itself_but_not_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = program(folder.path(), "inner", b"#!/no/such/interpreter\n");
        let outer = program(folder.path(), "outer", format!("#!{}\n", inner.display()).as_bytes());
        let error = find(outer.as_os_str(), None).expect_err("missing");
        assert!(error.is_missing && error.why.contains("/no/such/interpreter"), "{error:?}");
        let circle = folder.path().join("circle");
        program(folder.path(), "circle", format!("#!{}\n", circle.display()).as_bytes());
        assert!(!find(circle.as_os_str(), None).expect_err("endless").is_missing);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_whose_loader_is_missing_is_found_out() {
        let sleep = std::fs::read("/bin/sleep").expect("a program");
        let folder = tempfile::tempdir().expect("a folder");
        find(program(folder.path(), "sleep", &sleep).as_os_str(), None).expect("runs");
        let at = sleep.windows(4).position(|four| four == b"/ld-").expect("a loader is named");
        let mut changed = sleep;
        changed[at + 1..at + 4].copy_from_slice(b"xx-");
        let error = find(program(folder.path(), "changed", &changed).as_os_str(), None).expect_err("missing");
        assert!(error.is_missing && error.why.contains("/xx-"), "{error:?}");
    }

    #[cfg(target_os = "linux")]
    proptest::proptest! {
        #[test]
        fn whatever_bytes_a_program_is_made_of_nothing_breaks(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600),
            elf in proptest::bool::ANY,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut whole = if elf { b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0".to_vec() } else { b"#!".to_vec() };
            whole.extend(bytes);
            let _ = find(program(folder.path(), "tool", &whole).as_os_str(), None);
        }
    }
}
