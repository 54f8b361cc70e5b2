//! Which signals this process ignores, and who sent a signal.
//!
//! A signal that was ignored when the process started stays ignored, here and in every program that it starts: `nohup`
//! does so with SIGHUP, and a shell with the SIGINT of what it runs in the background. A handler of ours would undo
//! that, so ask [`is_ignored`] before listening for a signal.

/// A signal that is passed on.
#[cfg(unix)]
pub use rustix::process::Signal;
/// A signal that is passed on: on Windows none is.
#[cfg(windows)]
pub type Signal = ();

/// The signals that were ignored when this was first asked, one bit each; the lowest stands for signal 1.
#[cfg(unix)]
fn ignored() -> u64 {
    static IGNORED: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *IGNORED.get_or_init(|| {
        // The kernel's own account (proc(5)); asking it by a system call would take unsafe code. If there is none,
        // a run that ends cleanly is the lesser harm.
        std::fs::read_to_string("/proc/self/status").map_or(0, |status| mask_in(&status))
    })
}

/// Whether this signal was ignored when the process started. First asked before anybody listens for any.
#[cfg(unix)]
pub fn is_ignored(signal: Signal) -> bool {
    u32::try_from(signal.as_raw() - 1).is_ok_and(|bit| ignored().checked_shr(bit).unwrap_or(0) & 1 != 0)
}

/// `SigIgn` is a mask in hexadecimal digits.
#[cfg(unix)]
fn mask_in(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// The signals that a terminal sends to all of its foreground.
#[cfg(unix)]
const OF_A_TERMINAL: [Signal; 3] = [Signal::INT, Signal::QUIT, Signal::HUP];

/// Whether a terminal sent this signal, which reached all of its foreground then, the command of `exec` too: passed
/// on, the command would hear it twice.
#[cfg(target_os = "linux")]
pub fn was_sent_by_the_terminal(signal: Signal) -> bool {
    OF_A_TERMINAL.contains(&signal) && !sender::was_a_process(signal)
}

/// Elsewhere nothing tells who sent it; at a terminal it is most likely that.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn was_sent_by_the_terminal(signal: Signal) -> bool {
    use std::io::IsTerminal as _;
    signal != Signal::HUP && OF_A_TERMINAL.contains(&signal) && std::io::stdin().is_terminal()
}

/// Notes from now on who sends the signals that a terminal does. To be called before anybody listens for them, so that
/// it is noted by the time that they hear of one.
#[cfg(unix)]
pub fn note_senders() {
    #[cfg(target_os = "linux")]
    OF_A_TERMINAL.into_iter().filter(|signal| !is_ignored(*signal)).for_each(sender::note);
}

/// Who sent a signal, by the kernel's account.
#[cfg(target_os = "linux")]
mod sender {
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::Signal;

    /// One bit for each signal: whether a process sent it since that was last asked.
    static BY_A_PROCESS: AtomicU64 = AtomicU64::new(0);
    /// `si_code` of what the kernel itself sent, as it does for a terminal (sigaction(2)).
    const SI_KERNEL: i32 = 0x80;

    pub(super) fn note(signal: Signal) {
        let bit = bit(signal);
        // SAFETY: the action does no more than a signal handler may: it stores to an atomic.
        #[allow(unsafe_code)]
        let noted = unsafe {
            signal_hook_registry::register_sigaction(signal.as_raw(), move |about| {
                if about.si_code != SI_KERNEL {
                    BY_A_PROCESS.fetch_or(bit, Ordering::SeqCst);
                }
            })
        };
        if noted.is_err() {
            BY_A_PROCESS.fetch_or(bit, Ordering::SeqCst);
        }
    }

    pub(super) fn was_a_process(signal: Signal) -> bool {
        BY_A_PROCESS.fetch_and(!bit(signal), Ordering::SeqCst) & bit(signal) != 0
    }

    fn bit(signal: Signal) -> u64 {
        u32::try_from(signal.as_raw() - 1).ok().and_then(|bit| 1_u64.checked_shl(bit)).unwrap_or(0)
    }
}

/// The signals that are passed on to a program. One that was ignored when adopat started is none: the program
/// inherits that.
#[cfg(unix)]
#[derive(Debug)]
pub struct Signals(Vec<(tokio::signal::unix::Signal, Signal)>);

#[cfg(unix)]
impl Signals {
    /// Listens for all those that the command of `exec` may wait for.
    ///
    /// # Errors
    /// That the system does not let it.
    pub fn of_a_command() -> std::io::Result<Self> {
        Self::listen(&[Signal::INT, Signal::TERM, Signal::QUIT, Signal::USR1, Signal::USR2, Signal::HUP])
    }

    /// Listens for those that cancel a run, from any sender.
    ///
    /// # Errors
    /// That the system does not let it.
    pub fn that_cancel() -> std::io::Result<Self> {
        Self::listen(&[Signal::INT, Signal::TERM, Signal::HUP])
    }

    fn listen(signals: &[Signal]) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let heard = signals.iter().filter(|each| !is_ignored(**each));
        heard
            .map(|each| Ok((signal(SignalKind::from_raw(each.as_raw()))?, *each)))
            .collect::<std::io::Result<_>>()
            .map(Self)
    }

    /// The next of them.
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (stream, signal) in &mut self.0 {
                if let std::task::Poll::Ready(Some(())) = stream.poll_recv(context) {
                    return std::task::Poll::Ready(*signal);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Ctrl-C and Ctrl-Break.
#[cfg(windows)]
#[derive(Debug)]
pub struct Signals(tokio::signal::windows::CtrlC, tokio::signal::windows::CtrlBreak);

#[cfg(windows)]
impl Signals {
    /// Listens for both.
    ///
    /// # Errors
    /// That the system does not let it.
    pub fn of_a_command() -> std::io::Result<Self> {
        Ok(Self(tokio::signal::windows::ctrl_c()?, tokio::signal::windows::ctrl_break()?))
    }

    /// The same.
    ///
    /// # Errors
    /// That the system does not let it.
    pub fn that_cancel() -> std::io::Result<Self> {
        Self::of_a_command()
    }

    /// The next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::mask_in;
    use rstest::rstest;

    #[rstest]
    #[case("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n", 0x1001)]
    #[case("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n", 0x1000)]
    #[case("SigIgn:\tnonsense\n", 0)]
    #[case("", 0)]
    fn the_kernel_says_which_signals_are_ignored(#[case] status: &str, #[case] mask: u64) {
        assert_eq!(mask_in(status), mask);
    }
}
