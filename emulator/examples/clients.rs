//! Runs every client that nobody here wrote, and writes the table in the README from what they say. They have to be
//! installed: `pip install -r tests/clients/requirements.txt`, `npm ci --prefix tests/clients`.

#[allow(dead_code, reason = "the tests read the table too")]
#[path = "../tests/clients/harness.rs"]
mod harness;

fn main() {
    let rows: Vec<String> = harness::CLIENTS
        .into_iter()
        .map(|client| {
            assert!(client.is_installed(), "{} is not installed", client.name);
            let ran = client.run();
            for (operation, why) in &ran.operations {
                if let Some(why) = why {
                    eprintln!("{}: {operation}: {why}", client.name);
                }
            }
            ran.row()
        })
        .collect();
    let page = std::fs::read_to_string(harness::PAGE).expect("the README can be read");
    let made = harness::page_with(&page, &rows).expect("the README has a place for the table");
    if made != page {
        std::fs::write(harness::PAGE, made).expect("the README can be written");
        println!("{}", harness::PAGE);
    }
}
