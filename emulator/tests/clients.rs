//! Clients that nobody here wrote work against the emulator, unmodified: MSAL, azure-identity, Key Vault's and Azure
//! DevOps' own libraries, GitHub's and two that speak plain OAuth. Which of their operations do is the table in the
//! README. What is not installed (`requirements.txt`, `package.json`) is skipped, and says so.

#[allow(dead_code, reason = "the example writes the table too")]
#[path = "clients/harness.rs"]
mod harness;

use harness::{CLIENTS, Client, Language, PAGE, Ran};

/// Runs a client; `None` if it is not installed.
fn ran(name: &str) -> Option<Ran> {
    let client: Client = *CLIENTS.iter().find(|client| client.name == name).expect("a client of that name");
    if !client.is_installed() {
        println!("skipped: {name} is not installed");
        return None;
    }
    let ran = client.run();
    let failed: Vec<_> = ran.operations.iter().filter(|(_, why)| why.is_some()).collect();
    assert!(failed.is_empty(), "{name} {}: {failed:?}", ran.version);
    let page = std::fs::read_to_string(PAGE).expect("the page");
    let rows = harness::rows_in(&page).expect("a place for the table");
    assert!(
        rows.contains(&ran.row()),
        "{PAGE} does not say what {name} does: run `cargo run -p adopat-emulator --example clients`\n{}",
        ran.row()
    );
    Some(ran)
}

/// The secrets of GitHub that were written, by name.
fn github_secrets(ran: &Ran) -> Vec<(String, String, usize)> {
    let secrets = ran.emulator.github_secrets();
    secrets.into_iter().map(|secret| (secret.name, secret.value, secret.written)).collect()
}

/// What the two clients of Azure DevOps leave of the connection that they make.
#[track_caller]
fn is_shared_and_changed(ran: &Ran) {
    let connections = ran.emulator.service_connections();
    assert_eq!(connections[1].projects, ["shop"]);
    assert_eq!(connections[1].parameters["apitoken"], "second-value");
}

#[test]
fn msal_for_python() {
    ran("msal");
}

#[test]
fn msal_for_node() {
    ran("@azure/msal-node");
}

#[test]
fn azure_identity_for_python() {
    ran("azure-identity");
}

#[test]
fn azure_identity_for_javascript() {
    ran("@azure/identity");
}

#[test]
fn key_vault_for_python() {
    let Some(ran) = ran("azure-keyvault-secrets") else { return };
    assert!(ran.emulator.vault_secrets().is_empty(), "it was purged");
}

#[test]
fn key_vault_for_javascript() {
    let Some(ran) = ran("@azure/keyvault-secrets") else { return };
    assert!(ran.emulator.vault_secrets().is_empty(), "it was purged");
}

#[test]
fn azure_devops_for_python() {
    let Some(ran) = ran("azure-devops") else { return };
    is_shared_and_changed(&ran);
}

#[test]
fn azure_devops_for_node() {
    let Some(ran) = ran("azure-devops-node-api") else { return };
    is_shared_and_changed(&ran);
}

#[test]
fn octokit() {
    let Some(ran) = ran("octokit") else { return };
    assert_eq!(github_secrets(&ran), [("FROM_OCTOKIT".to_owned(), "second-value".to_owned(), 2)]);
}

#[test]
fn pygithub() {
    let Some(ran) = ran("PyGithub") else { return };
    assert_eq!(github_secrets(&ran), [("FROM_PYGITHUB".to_owned(), "second-value".to_owned(), 2)]);
}

#[test]
fn pynacl() {
    let Some(ran) = ran("PyNaCl") else { return };
    assert_eq!(github_secrets(&ran), [("FROM_PYNACL".to_owned(), "sealed-value".to_owned(), 1)]);
}

#[test]
fn authlib() {
    ran("Authlib");
}

#[test]
fn requests_oauthlib() {
    ran("requests-oauthlib");
}

/// What is pinned is what the table shows, whether it is installed here or not; and no row says that something fails.
#[test]
fn the_table_is_of_every_client_in_its_pinned_version() {
    let page = std::fs::read_to_string(PAGE).expect("the page");
    let rows = harness::rows_in(&page).expect("a place for the table");
    assert_eq!(rows.len(), CLIENTS.len());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
    let pinned = std::fs::read_to_string(format!("{folder}/requirements.txt")).expect("the requirements");
    let manifest = std::fs::read_to_string(format!("{folder}/package.json")).expect("the manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    for (client, row) in CLIENTS.iter().zip(rows) {
        let (registry, version) = match client.language {
            Language::Python => {
                let mut lines = pinned.lines();
                let version = lines.find_map(|line| line.strip_prefix(client.name)?.strip_prefix("=="));
                ("PyPI", version.expect("it is pinned"))
            }
            Language::JavaScript => {
                ("npm", manifest["dependencies"][client.name].as_str().expect("it is pinned"))
            }
        };
        assert!(row.starts_with(&format!("| `{}` ({registry}) | {version} | ", client.name)), "{row}");
        assert!(row.ends_with(" | all |\n"), "{row}");
    }
}
