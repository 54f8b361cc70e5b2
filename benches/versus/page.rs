//! Writing the page: what is measured stands between two marks, what is said about it around them.

use std::path::Path;

/// Replaces what stands between the marks of this benchmark.
///
/// # Errors
/// The page cannot be read or written, or has no marks.
pub fn replace(page: &Path, benchmark: &str, generated: &str) -> Result<(), String> {
    let begin = format!("<!-- written by `cargo bench --bench {benchmark}` -->\n");
    let end = "<!-- to here -->\n";
    let no_mark = || format!("{} has no marks for {benchmark}", page.display());
    let text = std::fs::read_to_string(page).map_err(|why| format!("{}: {why}", page.display()))?;
    let (before, rest) = text.split_once(&begin).ok_or_else(no_mark)?;
    let (_, after) = rest.split_once(end).ok_or_else(no_mark)?;
    write(page, &format!("{before}{begin}\n{}\n\n{end}{after}", generated.trim()))
}

/// Writes a file, and says so.
///
/// # Errors
/// It cannot be written.
pub fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|why| format!("{}: {why}", file.display()))?;
    println!("{} is written.", file.display());
    Ok(())
}
