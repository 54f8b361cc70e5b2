//! The documentation says what the program does.

use std::path::{Path, PathBuf};

#[path = "../examples/docs/pages.rs"]
mod pages;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Markdown page that a reader is led to.
fn every_page() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).expect("docs").flatten().map(|entry| entry.path());
    let top = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name));
    docs.filter(|path| path.extension().is_some_and(|kind| kind == "md")).chain(top).collect()
}

#[test]
fn the_pages_made_from_the_tables_are_up_to_date() {
    for (path, text) in pages::all() {
        assert!(read(path) == text, "{path} is not what the tables say: run `cargo run --example docs`");
    }
}

/// The lines of a text without the indentation that all of them have.
fn unindented<'a>(lines: impl Iterator<Item = &'a str> + Clone) -> Vec<&'a str> {
    let indentation = lines.clone().filter(|line| !line.trim().is_empty());
    let indentation = indentation.map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    lines.map(|line| line.get(indentation..).unwrap_or_default()).collect()
}

#[test]
fn every_step_in_the_readme_is_a_part_of_an_example_that_is_tested() {
    let readme = read("README.md");
    let steps: Vec<&str> =
        readme.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect();
    assert_eq!(steps.len(), 2);
    for (step, name) in steps.iter().zip(["github.yml", "azure-pipelines.yml"]) {
        let example = read(Path::new("examples").join(name));
        let lines: Vec<&str> = example.lines().collect();
        let step = unindented(step.lines());
        let is_there = lines.windows(step.len()).any(|part| unindented(part.iter().copied()) == step);
        assert!(is_there, "examples/{name} does not hold the step of README.md");
    }
}

#[test]
fn every_link_leads_to_a_file() {
    let mut links = 0;
    for page in every_page() {
        let text = read(&page);
        for (_, rest) in text.match_indices("](").map(|(at, mark)| text.split_at(at + mark.len())) {
            let target = rest.split([')', '#']).next().expect("an end");
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let folder = page.parent().expect("a folder");
            assert!(folder.join(target).exists(), "{} leads to {target}, which is not there", page.display());
            links += 1;
        }
    }
    assert!(links > 20, "links were found");
}

#[test]
fn every_page_is_in_the_index() {
    let index = read("docs/README.md");
    for page in every_page().iter().filter(|page| page.starts_with(root().join("docs"))) {
        let name = page.file_name().expect("a name").to_string_lossy();
        assert!(name == "README.md" || index.contains(&format!("]({name})")), "{name} is not in the index");
    }
}
