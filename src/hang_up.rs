//! Whether this process was started to outlive its terminal, as `nohup` does it: with SIGHUP ignored.
//!
//! A handler of ours would undo that, and a command that `exec` starts would not inherit it. So whoever means to
//! listen for SIGHUP asks here first.

/// Whether SIGHUP is ignored: to be asked before anybody listens for it.
#[cfg(target_os = "linux")]
pub fn is_ignored() -> bool {
    // The kernel's own account (proc(5)); asking it by a system call would take unsafe code.
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hang_up(&status))
}

/// Elsewhere nothing tells it without unsafe code, and a run that ends cleanly is the lesser harm.
#[cfg(not(target_os = "linux"))]
pub fn is_ignored() -> bool {
    false
}

/// `SigIgn` is a mask in hexadecimal digits, whose lowest bit stands for signal 1, SIGHUP.
#[cfg(target_os = "linux")]
fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::ignores_hang_up;
    use rstest::rstest;

    #[rstest]
    #[case("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n", true)]
    #[case("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n", false)]
    #[case("SigIgn:\tnonsense\n", false)]
    #[case("", false)]
    fn the_kernel_says_which_signals_are_ignored(#[case] status: &str, #[case] ignored: bool) {
        assert_eq!(ignores_hang_up(status), ignored);
    }
}
