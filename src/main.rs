//! Environment in, exit code out.

fn main() -> std::process::ExitCode {
    adopat::process::run(adopat::run)
}
