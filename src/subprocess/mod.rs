//! Helper programs: the Azure CLI, a host's own agent, what opens a browser, the program of a `command:` store. This is
//! the one way to start any of them.
//!
//! A helper finds adopat's environment [without its secrets](child_environment::for_a_helper), and a
//! process group of its own. It ends within a time limit, and so does everything that it started: whatever stops the
//! wait for it, the limit or a run that is cancelled, kills the whole group. A program that a helper leaves running
//! after its own end, like a daemon, is let be, and is not waited for even if it holds the helper's output open.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_identity::Executor;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use zeroize::Zeroizing;

pub mod child_environment;

use crate::signals::{Signal, Signals};

/// The most that is read of each of a helper's streams, in bytes: 1 MiB.
const MOST_OUTPUT: u64 = 1 << 20;
/// The longest line that is told of what a helper prints aloud, in bytes. A part of a line could end in a part of a
/// secret, which nothing would mask.
const LONGEST_LINE: usize = 1 << 16;
/// How long what a helper printed may take to arrive once it has ended: it is in the pipe already.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A helper program that is to be started.
#[derive(Debug)]
pub struct Helper {
    command: Command,
    input: Zeroizing<Vec<u8>>,
}

impl Helper {
    /// The program under this name or path, which is to be given nothing to read.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.env_clear().envs(child_environment::for_a_helper());
        #[cfg(unix)]
        command.process_group(0);
        Self { command, input: Zeroizing::default() }
    }

    /// The same, with these arguments. None may be a secret: any process can read them.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// The same, with this on its standard input, followed by nothing. The way for a secret.
    pub fn input(mut self, input: Zeroizing<Vec<u8>>) -> Self {
        self.input = input;
        self
    }

    /// The same, under this name, which a program finds before its arguments.
    pub fn called(mut self, name: &str) -> Self {
        #[cfg(unix)]
        self.command.arg0(name);
        #[cfg(not(unix))]
        let _ = name;
        self
    }

    /// The same, with these variables alone in its environment.
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        self.command.env_clear().envs(variables);
        self
    }

    /// Runs it to its end; what it printed, and how it ended. Dropping the future kills its process group.
    ///
    /// # Errors
    /// That it cannot be started; [`TimedOut`](io::ErrorKind::TimedOut) if it took longer than `limit`, and
    /// [`FileTooLarge`](io::ErrorKind::FileTooLarge) if it printed more than anybody wants to read.
    pub async fn run(mut self, limit: Duration) -> io::Result<Output> {
        let mut child = self.spawn()?;
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let talk = async {
            let give = async {
                give(stdin, &self.input).await;
                Ok(())
            };
            tokio::try_join!(give, take(out, &mut stdout), take(err, &mut stderr)).map(drop)
        };
        let status = within(limit, converse(child, None, talk)).await?;
        Ok(Output { status, stdout, stderr })
    }

    /// Runs it to its end, tells each line that it prints as it comes, passes signals on to its process group, and
    /// returns how it ended. Lines that are far too long, and what comes after 1 MiB of a stream, are left
    /// out, which is told too.
    ///
    /// # Errors
    /// That it cannot be started; [`TimedOut`](io::ErrorKind::TimedOut) where it took longer than `limit`.
    pub async fn run_aloud(
        mut self,
        limit: Duration,
        signals: Signals,
        say: &(dyn Fn(&str) + Sync),
    ) -> io::Result<ExitStatus> {
        let mut child = self.spawn()?;
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut told_out, mut told_err) = (Lines::default(), Lines::default());
        let talk = async {
            let give = give(stdin, &self.input);
            tokio::join!(give, tell(out, &mut told_out, say), tell(err, &mut told_err, say));
            Ok(())
        };
        let status = within(limit, converse(child, Some(signals), talk)).await;
        // What it printed last may have no line end.
        [told_out, told_err].into_iter().for_each(|lines| lines.finish(say));
        status
    }

    fn spawn(&mut self) -> io::Result<Child> {
        let input = if self.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        self.command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        self.command.spawn()
    }

    /// The same, for who cannot await it: holds up all else until the helper has ended.
    ///
    /// # Errors
    /// As those of [`Helper::run`].
    pub fn run_at_once(self, limit: Duration) -> io::Result<Output> {
        std::thread::scope(|scope| {
            let run = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(self.run(limit))
            };
            let thread = std::thread::Builder::new().spawn_scoped(scope, run)?;
            thread.join().unwrap_or_else(|_| Err(io::Error::other("it could not be waited for")))
        })
    }

    /// Starts it and leaves it running, with nothing to read and nobody who reads it: for what is a person's, like
    /// their browser, which outlives the run.
    ///
    /// # Errors
    /// That it cannot be started.
    pub fn start(mut self) -> io::Result<()> {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.command.spawn().map(drop)
    }
}

/// The work, for so long at most.
async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("it took longer than {} s", limit.as_secs())))
    })
}

/// Waits for the child's end while `talk` gives it its input and reads what it prints.
async fn converse(
    mut child: Child,
    mut signals: Option<Signals>,
    talk: impl Future<Output = io::Result<()>>,
) -> io::Result<ExitStatus> {
    let mut group = Group::of(&child);
    tokio::pin!(talk);
    let mut said = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            talked = &mut talk, if !said => { talked?; said = true; }
            signal = next_of(&mut signals) => group.pass_on(signal),
        }
    };
    // It has been waited for, and its id may be another's by now.
    group.0 = None;
    if !said && let Ok(talked) = tokio::time::timeout(LAST_WORDS, &mut talk).await {
        talked?;
    }
    Ok(status)
}

/// The next signal, where any are listened for.
async fn next_of(signals: &mut Option<Signals>) -> Signal {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

/// A helper that reads nothing of its input, or not to its end, may end well all the same.
async fn give(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input).await;
    }
}

/// Tells a stream line by line; it is read to its end whatever is left out.
async fn tell(stream: Option<impl AsyncRead + Unpin>, lines: &mut Lines, say: &(dyn Fn(&str) + Sync)) {
    let Some(mut stream) = stream else { return };
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        lines.hear(chunk.get(..count).unwrap_or_default(), say);
    }
}

/// The lines of a stream, told one by one.
#[derive(Default)]
struct Lines {
    /// The line that has not ended yet.
    begun: Zeroizing<Vec<u8>>,
    is_too_long: bool,
    /// How many bytes have been heard.
    heard: u64,
}

impl Lines {
    fn hear(&mut self, bytes: &[u8], say: &(dyn Fn(&str) + Sync)) {
        for byte in bytes {
            self.heard += 1;
            match self.heard {
                ..=MOST_OUTPUT => {}
                heard if heard == MOST_OUTPUT + 1 => {
                    say(&format!("(what it prints after {MOST_OUTPUT} bytes is left out)"));
                    self.begun.clear();
                    continue;
                }
                _ => continue,
            }
            match byte {
                b'\n' => self.end_of_line(say),
                _ if self.begun.len() == LONGEST_LINE => self.is_too_long = true,
                byte => self.begun.push(*byte),
            }
        }
    }

    fn end_of_line(&mut self, say: &(dyn Fn(&str) + Sync)) {
        match std::mem::take(&mut self.is_too_long) {
            true => say(&format!("(a line of more than {LONGEST_LINE} bytes is left out)")),
            false => say(String::from_utf8_lossy(&self.begun).trim_end_matches('\r')),
        }
        self.begun.clear();
    }

    fn finish(mut self, say: &(dyn Fn(&str) + Sync)) {
        if !self.begun.is_empty() {
            self.end_of_line(say);
        }
    }
}

async fn take(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> io::Result<()> {
    let Some(stream) = stream else { return Ok(()) };
    let mut stream = stream.take(MOST_OUTPUT + 1);
    while stream.read_buf(into).await? > 0 {}
    if stream.limit() == 0 {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it printed more than {MOST_OUTPUT} bytes"),
        ));
    }
    Ok(())
}

/// A process group, which is killed when this is dropped; none once its leader has been waited for.
struct Group(Option<u32>);

impl Group {
    /// The group that this child leads.
    fn of(child: &Child) -> Self {
        Self(child.id())
    }
}

impl Group {
    /// Sends it a signal. On Windows every process of the console has been sent it.
    fn pass_on(&self, signal: Signal) {
        #[cfg(unix)]
        if let Some(id) =
            self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(id, signal);
        }
        #[cfg(not(unix))]
        let () = signal;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        self.pass_on(Signal::KILL);
    }
}

/// What runs the Azure CLI for azure_identity: as a helper, for at most `limit`.
pub fn azure_cli(limit: Duration) -> Arc<dyn Executor> {
    Arc::new(AzureCli { limit })
}

#[derive(Debug)]
struct AzureCli {
    limit: Duration,
}

#[async_trait]
impl Executor for AzureCli {
    async fn run(&self, program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        if cfg!(unix) && !Path::new(program).exists() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there is no shell to run it with"));
        }
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Helper::new(program).arguments(arguments).run(self.limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_is_not_there_is_said_at_once() {
        let missing = OsStr::new(if cfg!(unix) { "/no/such/sh" } else { "no-such-program" });
        let error = azure_cli(Duration::from_secs(60)).run(missing, &[]).await.expect_err("missing");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    mod on_unix {
        use super::*;
        use rstest::rstest;

        const LONG: Duration = Duration::from_secs(60);

        fn shell(script: &str) -> Helper {
            Helper::new("/bin/sh").arguments(["-c", script])
        }

        #[tokio::test]
        async fn what_it_prints_and_how_it_ends_is_told() {
            let output = shell("echo out; echo err >&2; exit 3").run(LONG).await.expect("run");
            assert_eq!(output.status.code(), Some(3));
            assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
        }

        #[rstest]
        #[case::all_of_it("wc -c", "200000")]
        #[case::nothing_of_it("exec <&-; echo done", "done")]
        #[tokio::test]
        async fn it_reads_its_input_or_not(#[case] script: &str, #[case] says: &str) {
            let output = shell(script).input(vec![b'x'; 200_000].into()).run(LONG).await.expect("run");
            assert!(output.status.success());
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), says);
        }

        /// What the helper starts makes the file `survived` once it has lived on for a while.
        fn with_a_grandchild(folder: &Path) -> Helper {
            let folder = folder.display();
            shell(&format!("(touch {folder}/started; sleep 1; touch {folder}/survived) & wait"))
        }

        #[tokio::test]
        async fn one_that_takes_too_long_is_killed_with_all_it_started() {
            let folder = tempfile::tempdir().expect("a folder");
            let run = with_a_grandchild(folder.path()).run(Duration::from_millis(300));
            assert_eq!(run.await.expect_err("ended").kind(), io::ErrorKind::TimedOut);
            tokio::time::sleep(Duration::from_millis(1500)).await;
            assert!(!folder.path().join("survived").exists());
        }

        #[tokio::test]
        async fn one_that_is_no_longer_waited_for_is_killed_with_all_it_started() {
            let folder = tempfile::tempdir().expect("a folder");
            let mut run = Box::pin(with_a_grandchild(folder.path()).run(LONG));
            while !folder.path().join("started").exists() {
                tokio::time::timeout(Duration::from_millis(20), &mut run).await.expect_err("it runs on");
            }
            drop(run);
            tokio::time::sleep(Duration::from_millis(1500)).await;
            assert!(!folder.path().join("survived").exists());
        }

        #[tokio::test]
        async fn what_a_helper_leaves_running_is_let_be_and_not_waited_for() {
            let folder = tempfile::tempdir().expect("a folder");
            let survived = folder.path().join("survived");
            // It holds standard output and standard error of the helper open.
            let script = format!("(sleep 2; touch {}) & echo done", survived.display());
            let output = shell(&script).run(LONG).await.expect("run");
            assert_eq!(output.stdout, b"done\n");
            assert!(!survived.exists(), "nobody waited for it");
            while !survived.exists() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }

        #[tokio::test]
        async fn one_that_prints_without_an_end_is_ended() {
            let error = shell("exec yes").run(LONG).await.expect_err("ended");
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        }

        #[test]
        fn it_can_be_waited_for_where_nothing_can_be_awaited() {
            let output = shell("exit 4").run_at_once(LONG).expect("run");
            assert_eq!(output.status.code(), Some(4));
            let error = shell("sleep 60").run_at_once(Duration::from_millis(100)).expect_err("ended");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }
}
