//! Where and with what it was measured.

use std::fmt::Write as _;

use super::contender::Contender;

/// The machine, and the versions of everybody.
pub fn describe(contenders: &[Contender]) -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let system = read("/etc/os-release");
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    let mut text = format!(
        "Measured on {} of {}, Linux {}, {}.\n\n| contender | made of |\n| --- | --- |\n",
        if cores == 1 { "1 core".into() } else { format!("{cores} cores") },
        model.unwrap_or("a processor that does not say its name"),
        kernel.trim(),
        system.trim_matches('"'),
    );
    for contender in contenders {
        let _ = writeln!(text, "| {} | {} |", contender.name, contender.versions);
    }
    text
}
