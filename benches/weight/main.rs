//! What each dependency costs in the binary that ships: `cargo bench --bench weight`, which writes the table into
//! `docs/performance.md`.
//!
//! It builds that binary once more with its symbols, sums the machine code of each crate by the names that `nm`
//! shows, and asks for each direct dependency what would be gone without it: its own code, and that of every crate
//! which nothing else needs. Code that a crate's generics become in others is counted where the compiler named it.

#[path = "../versus/page.rs"]
mod page;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

/// The rows of the table; what is less is summed.
const MOST_ROWS: usize = 24;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let code = code_of_each_crate(&build_with_symbols()?)?;
    let table = table(&code, &Graph::read()?);
    println!("{table}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    page::replace(&page, "weight", &table)
}

fn build_with_symbols() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weight");
    let output =
        cargo(&["build", "--release", "--bin", "adopat", "--message-format", "json-render-diagnostics"])
            .env("CARGO_PROFILE_RELEASE_STRIP", "none")
            .env("CARGO_TARGET_DIR", folder)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|why| why.to_string())?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = built.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    built.next_back().ok_or_else(|| "the binary could not be built".into())
}

/// Bytes of machine code, by the crate's name in paths; glibc's and ring's, which have no paths, by theirs.
fn code_of_each_crate(binary: &Path) -> Result<BTreeMap<String, u64>, String> {
    let output = Command::new("nm").args(["--print-size", "--demangle=rust"]).arg(binary).output();
    let output = output.map_err(|why| format!("nm (of the GNU binutils) is needed here: {why}"))?;
    let mut code = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // `ADDRESS SIZE KIND NAME`, where T is machine code.
        let mut parts = line.splitn(4, ' ').skip(1);
        let (Some(size), Some("t" | "T" | "w" | "W"), Some(name)) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if let Ok(size) = u64::from_str_radix(size, 16) {
            *code.entry(crate_of(name)).or_default() += size;
        }
    }
    Ok(code)
}

/// The first path in a symbol's name: `<adopat::Run as core::ops::Drop>::drop` is adopat's.
fn crate_of(name: &str) -> String {
    let path = name.trim_start_matches(|c: char| !c.is_alphabetic() && c != '_');
    let path = ["dyn ", "mut ", "const "].iter().fold(path, |path, word| path.trim_start_matches(word));
    let word: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    match name {
        _ if path[word.len()..].starts_with("::") => word,
        _ if name.contains("::") => "core".into(),
        _ if name.starts_with("ring_core") || name.contains("nistz256") || name.contains("fiat_") => {
            "ring".into()
        }
        _ => "(glibc)".into(),
    }
}

/// Which package needs which, for the machine that this is.
struct Graph {
    root: String,
    needs: HashMap<String, Vec<String>>,
    /// The name in paths.
    names: HashMap<String, String>,
}

impl Graph {
    fn read() -> Result<Self, String> {
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = cargo(&["metadata", "--format-version", "1", "--filter-platform", &triple]).output();
        let metadata: Value = serde_json::from_slice(&output.map_err(|why| why.to_string())?.stdout)
            .map_err(|why| format!("cargo metadata: {why}"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut names = HashMap::new();
        for package in list(&metadata["packages"]) {
            let is_library =
                |target: &Value| target["kind"][0].as_str().is_some_and(|kind| kind.ends_with("lib"));
            if let Some(library) = list(&package["targets"]).iter().find(|target| is_library(target)) {
                names.insert(text(&package["id"]), text(&library["name"]).replace('-', "_"));
            }
        }
        let mut needs = HashMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let at_run_time = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let deps = list(&node["deps"]).into_iter().filter(at_run_time);
            needs.insert(text(&node["id"]), deps.map(|dep| text(&dep["pkg"])).collect());
        }
        Ok(Self { root: text(&metadata["resolve"]["root"]), needs, names })
    }

    /// The names of all that is needed, of the root's own dependencies all but one.
    fn needed_without(&self, left_out: Option<&str>) -> BTreeSet<&str> {
        let mut needed = BTreeSet::new();
        let mut open = vec![self.root.as_str()];
        while let Some(package) = open.pop() {
            if needed.insert(package) {
                let needs = self.needs.get(package).into_iter().flatten().map(String::as_str);
                open.extend(needs.filter(|need| package != self.root || Some(*need) != left_out));
            }
        }
        needed.iter().filter_map(|package| self.names.get(*package)).map(String::as_str).collect()
    }
}

fn table(code: &BTreeMap<String, u64>, graph: &Graph) -> String {
    let size = |name: &str| code.get(name).copied().unwrap_or_default();
    let all = graph.needed_without(None);
    let mut rows: Vec<(u64, u64, String, String)> = Vec::new();
    for direct in graph.needs.get(&graph.root).into_iter().flatten() {
        let Some(name) = graph.names.get(direct) else { continue };
        let without = graph.needed_without(Some(direct));
        let mut gone: Vec<&str> = all.difference(&without).copied().collect();
        let whole = gone.iter().map(|name| size(name)).sum();
        gone.retain(|gone| gone != name && size(gone) >= 1024);
        gone.sort_by_key(|name| std::cmp::Reverse(size(name)));
        rows.push((whole, size(name), name.clone(), gone.join(", ")));
    }
    rows.sort_by_key(|(whole, own, ..)| *whole.max(own));
    let kib = |bytes: u64| format!("{:.0} KiB", bytes as f64 / 1024.0);
    let total: u64 = code.values().sum();
    let mut text = format!(
        "{} of machine code in all: {} adopat's own, {} Rust's standard library (with what others' generics become \
         of it), {} glibc.\n\n| dependency | its own code | gone without it | what goes with it |\n\
         | --- | ---: | ---: | --- |\n",
        kib(total),
        kib(size("adopat")),
        kib(["core", "alloc", "std", "hashbrown", "gimli", "addr2line", "rustc_demangle"]
            .map(size)
            .iter()
            .sum()),
        kib(size("(glibc)")),
    );
    let rest = rows.len().saturating_sub(MOST_ROWS);
    for (whole, own, name, others) in rows.iter().rev().take(MOST_ROWS) {
        let gone = if whole < own { "stays: others need it".into() } else { kib(*whole) };
        let _ = writeln!(text, "| {name} | {} | {gone} | {others} |", kib(*own));
    }
    let less: u64 = rows.iter().take(rest).map(|row| row.0).sum();
    let _ = writeln!(text, "| {rest} more | | {} | |", kib(less));
    text
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    // Where .cargo/config.toml stands, which makes the binary static.
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}
