//! Environment in, a report and an exit code out.

fn main() -> std::process::ExitCode {
    adopat::process::run(adopat_probe::run)
}
