//! The binary that ships: built as a user would build it, with none of the features that tests switch on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs `cargo build --release --bin adopat`, and says where it put the binary.
pub fn build() -> Result<PathBuf, String> {
    println!("$ cargo build --release --bin adopat   (minutes at first, nothing later)");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--bin", "adopat", "--message-format", "json-render-diagnostics"])
        // Where .cargo/config.toml stands, which makes the binary static.
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if !output.status.success() {
        return Err("The binary could not be built.".into());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = built.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    built.next_back().ok_or_else(|| "cargo does not say where the binary is.".into())
}
