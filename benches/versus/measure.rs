//! One program, run to its end: how long it took, what CPU time, and the most memory it held.
//!
//! Linux counts what a process held before it became another program (`execve`) towards its peak memory. So what is
//! measured is started by a shim that holds next to nothing: this program itself, called with a word of its own.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

/// The word that makes this program the shim. After it: the file for standard output, program, arguments.
const SHIM: &str = "--measure";

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// From its start to its end.
    pub wall: Duration,
    /// CPU time in the program and in the kernel for it, its own children's included.
    pub cpu: Duration,
    /// The most memory that was resident, in bytes.
    pub peak: u64,
}

/// Runs what the shim was told to, and says what it took; `None` if this process is not the shim.
pub fn as_the_shim(arguments: &[OsString]) -> Option<ExitCode> {
    let [word, output, program, arguments @ ..] = arguments else { return None };
    if word != SHIM {
        return None;
    }
    let output = File::create(output).expect("the file for standard output");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(output);
    let begun = Instant::now();
    let ended = command.spawn().and_then(|child| child.wait4()).expect("the program runs");
    let wall = begun.elapsed();
    let cpu = ended.rusage.utime + ended.rusage.stime;
    println!("{} {} {}", wall.as_nanos(), cpu.as_nanos(), ended.rusage.maxrss);
    Some(if ended.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a program with nothing but this environment; its standard output goes to a file.
///
/// # Errors
/// What it said, where it fails.
pub fn run(
    program: &Path,
    arguments: &[OsString],
    environment: &[(OsString, OsString)],
    output: &Path,
) -> Result<Taken, String> {
    let shim = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut command = Command::new(shim);
    command.arg(SHIM).arg(output).arg(program).args(arguments);
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    let ended = command.stdin(Stdio::null()).output().map_err(|why| why.to_string())?;
    let said = String::from_utf8_lossy(&ended.stdout);
    let mut numbers = said.split_whitespace().map_while(|number| number.parse::<u64>().ok());
    match (ended.status.success(), numbers.next(), numbers.next(), numbers.next()) {
        (true, Some(wall), Some(cpu), Some(peak)) => {
            Ok(Taken { wall: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu), peak })
        }
        _ => Err(format!("{} failed:\n{}", program.display(), String::from_utf8_lossy(&ended.stderr))),
    }
}

/// The medians of many starts of a program that ends at once.
///
/// # Errors
/// What it said, where it fails.
pub fn start(program: &Path, arguments: &[&str], times: usize) -> Result<Taken, String> {
    let arguments: Vec<OsString> = arguments.iter().map(|argument| OsStr::new(argument).to_owned()).collect();
    let runs = (0..times).map(|_| run(program, &arguments, &[], Path::new("/dev/null")));
    Ok(median(&runs.collect::<Result<Vec<_>, _>>()?))
}

/// The median of each figure by itself.
pub fn median(runs: &[Taken]) -> Taken {
    fn middle<T: Ord + Copy>(runs: &[Taken], figure: impl Fn(&Taken) -> T) -> T {
        let mut figures: Vec<T> = runs.iter().map(figure).collect();
        figures.sort_unstable();
        figures[figures.len() / 2]
    }
    Taken {
        wall: middle(runs, |taken| taken.wall),
        cpu: middle(runs, |taken| taken.cpu),
        peak: middle(runs, |taken| taken.peak),
    }
}
