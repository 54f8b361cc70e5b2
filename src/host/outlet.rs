//! A stream of the process, written to without being at the mercy of its reader.
//!
//! A pipe that nobody reads is full at some time, and a write to it blocks the whole run: it would be deaf to the
//! signal that cancels it. So nothing is written before the stream takes it, and once the run is cancelled a reader has
//! a moment only. A stream that another program has made non-blocking is waited for alike.

use std::io::{self, Write};

#[cfg(unix)]
use self::unix::wait_until_it_takes;
use crate::time::Cancellation;

/// The most that is written at once: what a pipe takes whole once it takes anything (pipe(7), `PIPE_BUF`).
const AT_ONCE: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// A stream of the process.
#[derive(Debug)]
pub struct Outlet<S> {
    stream: S,
    cancellation: Cancellation,
    /// Whether nobody read it for too long. What came next would follow upon half a line.
    is_given_up: bool,
}

impl<S> Outlet<S> {
    /// This stream of a run that may be cancelled.
    pub fn new(stream: S, cancellation: Cancellation) -> Self {
        Self { stream, cancellation, is_given_up: false }
    }
}

#[cfg(unix)]
impl<S: std::os::fd::AsFd + Send> Write for Outlet<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(AT_ONCE)];
        loop {
            if self.is_given_up || !wait_until_it_takes(&self.stream, &self.cancellation)? {
                self.is_given_up = true;
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads it"));
            }
            match rustix::io::write(&self.stream, bytes) {
                Err(rustix::io::Errno::INTR) => {}
                // There is room, but less than this.
                Err(rustix::io::Errno::AGAIN) => std::thread::sleep(unix::A_MOMENT),
                written => return written.map_err(Into::into),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    use crate::time::Cancellation;

    /// How long a reader has to read on, once the run is cancelled.
    const GRACE: Duration = Duration::from_secs(1);
    /// How often it is looked whether the run is cancelled.
    pub(super) const A_MOMENT: Duration = Duration::from_millis(20);

    /// Waits until the stream takes something; false if nobody reads and the run is cancelled.
    pub(super) fn wait_until_it_takes(stream: &impl AsFd, cancellation: &Cancellation) -> io::Result<bool> {
        let mut cancelled_since: Option<Instant> = None;
        let moment = Timespec { tv_sec: 0, tv_nsec: i64::from(A_MOMENT.subsec_nanos()) };
        loop {
            match poll(&mut [PollFd::new(stream, PollFlags::OUT)], Some(&moment)) {
                Ok(0) | Err(Errno::INTR) => {}
                // Whatever is wrong with the stream, the write itself tells.
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
            if cancellation.borrow().is_some()
                && cancelled_since.get_or_insert_with(Instant::now).elapsed() > GRACE
            {
                return Ok(false);
            }
        }
    }
}

#[cfg(not(unix))]
impl<S: Write> Write for Outlet<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = (&self.cancellation, self.is_given_up);
        self.stream.write(&bytes[..bytes.len().min(AT_ONCE)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::failure::Signal;
    use std::io::Read as _;
    use std::time::Duration;
    use tokio::sync::watch;

    #[test]
    fn what_a_slow_reader_reads_is_whole_though_the_stream_is_non_blocking() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let flags = rustix::fs::fcntl_getfl(&writer).expect("flags");
        rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).expect("set");
        let (_cancel, cancellation) = watch::channel(None);
        let text: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let expected = text.clone();
        let writing = std::thread::spawn(move || Outlet::new(writer, cancellation).write_all(&text));
        let mut read = Vec::new();
        std::thread::sleep(Duration::from_millis(100));
        reader.read_to_end(&mut read).expect("read");
        writing.join().expect("ended").expect("written");
        assert!(read == expected);
    }

    #[test]
    fn once_the_run_is_cancelled_nobody_is_waited_for_who_does_not_read() {
        let (_reader, writer) = io::pipe().expect("a pipe");
        let (cancel, cancellation) = watch::channel(None);
        let mut outlet = Outlet::new(writer, cancellation);
        let writing = std::thread::spawn(move || outlet.write_all(&[b'x'; 1 << 20]));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!writing.is_finished(), "it waits for the reader");
        cancel.send(Some(Signal::Terminate)).expect("sent");
        let error = writing.join().expect("ended").expect_err("given up");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
