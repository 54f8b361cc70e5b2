//! The modules of `src` build on one another in one direction: no two of them need each other, directly or by others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each module needs, and a file that says so.
type Needs = BTreeMap<String, BTreeMap<String, String>>;

/// Modules that do not know one another, however else they are arranged.
const STRANGERS: [&str; 4] = ["entra", "host", "pats", "store"];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The file without its comments and its unit tests; nothing of a file that is for tests alone.
fn code(path: &Path) -> String {
    let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).expect("a file");
    let own = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    if ["fake", "scripted", "testing"].contains(&name.as_str()) {
        return String::new();
    }
    own.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The first names of the paths that follow this prefix, in `prefix::name` and in `prefix::{name, name::deeper}`.
fn names_after(prefix: &str, code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && !c.is_whitespace() => {
                    names.insert(word(&group[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    names
}

/// What the modules of a folder need of each other; all that lies in a module's own folder is part of it.
fn needs(folder: &Path, prefixes: &[&str]) -> Needs {
    let mut needs = Needs::new();
    let module = |path: &Path| -> String {
        let first = path.strip_prefix(folder).expect("a file of it").components().next().expect("a name");
        Path::new(first.as_os_str()).file_stem().expect("a name").to_string_lossy().into_owned()
    };
    let all = files(folder);
    let modules: BTreeSet<String> = all.iter().map(|path| module(path)).collect();
    for path in &all {
        let own = module(path);
        if ["lib", "main", "mod"].contains(&own.as_str()) {
            continue;
        }
        // Of the files in its own folder, `super` is the module itself.
        let is_beside = path.parent() == Some(folder);
        let prefixes = prefixes.iter().filter(|prefix| is_beside || **prefix != "super::");
        for name in prefixes.flat_map(|prefix| names_after(prefix, &code(path))) {
            if name != own && modules.contains(&name) {
                let file = path.strip_prefix(src()).expect("a file of it").display().to_string();
                needs.entry(own.clone()).or_default().entry(name).or_insert(file);
            }
        }
    }
    needs
}

/// A circle, as the way round it with the file that takes each step.
fn circle(needs: &Needs) -> Option<String> {
    fn walk<'a>(needs: &'a Needs, way: &mut Vec<&'a str>, done: &mut BTreeSet<&'a str>) -> Option<String> {
        let here = *way.last().expect("a beginning");
        for (next, file) in needs.get(here).into_iter().flatten() {
            if let Some(at) = way.iter().position(|module| module == next) {
                return Some(format!("{} -> {next} (in {file})", way[at..].join(" -> ")));
            }
            if !done.contains(next.as_str()) {
                way.push(next);
                if let Some(circle) = walk(needs, way, done) {
                    return Some(circle);
                }
                way.pop();
            }
        }
        done.insert(here);
        None
    }
    let mut done = BTreeSet::new();
    needs.keys().find_map(|module| {
        if done.contains(module.as_str()) { None } else { walk(needs, &mut vec![module], &mut done) }
    })
}

#[test]
fn no_two_modules_need_each_other() {
    let needs = needs(&src(), &["crate::"]);
    assert!(needs.len() > 20 && needs["cli"].contains_key("inputs"), "{:?}", needs.keys());
    assert_eq!(circle(&needs), None);
}

#[test]
fn the_stores_the_services_and_the_hosts_do_not_know_one_another() {
    let needs = needs(&src(), &["crate::"]);
    for module in STRANGERS {
        let known = needs[module].iter().find(|(name, _)| STRANGERS.contains(&name.as_str()));
        assert_eq!(known, None, "{module}");
    }
}

#[test]
fn the_files_of_a_module_do_not_need_each_other_in_a_circle() {
    let all = files(&src());
    let folders: BTreeSet<&Path> = all.iter().filter_map(|path| path.parent()).collect();
    for folder in folders.into_iter().filter(|folder| *folder != src()) {
        let module = folder.strip_prefix(src()).expect("a folder of it").display().to_string();
        let path = format!("crate::{}::", module.replace(std::path::MAIN_SEPARATOR, "::"));
        assert_eq!(circle(&needs(folder, &["super::", &path])), None, "{module}");
    }
}

#[test]
fn a_circle_is_found_in_every_form_that_a_path_is_written_in() {
    let code = "use crate::{\n    a::{self, B},\n    c,\n};\nuse crate::d::E;\nfn f() { crate::g::h() }";
    assert_eq!(names_after("crate::", code).into_iter().collect::<Vec<_>>(), ["a", "c", "d", "g"]);
    let edge = |to: &str| [(to.to_owned(), format!("{to}.rs"))].into_iter().collect();
    let mut needs: Needs = [("a".to_owned(), edge("b")), ("b".to_owned(), edge("c"))].into_iter().collect();
    assert_eq!(circle(&needs), None);
    needs.insert("c".to_owned(), edge("b"));
    assert_eq!(circle(&needs).as_deref(), Some("b -> c -> b (in b.rs)"));
}
