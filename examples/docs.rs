//! `cargo run --example docs`: writes the pages of `docs/` that are made from adopat's own tables.

#[path = "docs/pages.rs"]
mod pages;

fn main() -> std::io::Result<()> {
    for (path, text) in pages::all() {
        std::fs::write(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path), text)?;
        println!("{path}");
    }
    Ok(())
}
