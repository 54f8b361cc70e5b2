//! cargo: `config.toml`, or variables. The token is the whole value of the `Authorization` header, and a registry
//! that asks for one needs a credential provider to be named.

use zeroize::Zeroizing;

use super::{Feed, File, MARK, Variables, basic};
use crate::secret::Secret;

/// Whether cargo can have a registry of this name: a letter first, and no variable can hold what is not ASCII.
pub fn can_name(feed: &Feed) -> bool {
    feed.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && feed.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// `config.toml` with a registry of the feed's name.
pub fn file(feed: &Feed, token: &Secret) -> File {
    let mut text = File::new(String::with_capacity(1024));
    text.push_str(&format!(
        "# {MARK}: the feed {feed}, for cargo\n[registries.{}]\nindex = \"{}\"\ncredential-provider = \
         \"cargo:token\"\ntoken = \"",
        feed.name,
        index(feed)
    ));
    text.push_str(&header(feed, token));
    text.push_str("\"\n");
    text
}

/// The same by variables.
pub fn variables(feed: &Feed, token: &Secret) -> Variables {
    let name = feed.name.to_ascii_uppercase().replace('-', "_");
    vec![
        (format!("CARGO_REGISTRIES_{name}_INDEX"), Secret::new(index(feed))),
        (format!("CARGO_REGISTRIES_{name}_TOKEN"), Secret::new(header(feed, token).to_string())),
        (format!("CARGO_REGISTRIES_{name}_CREDENTIAL_PROVIDER"), Secret::new("cargo:token".into())),
    ]
}

fn index(feed: &Feed) -> String {
    format!("sparse+{}", feed.address("Cargo/index/"))
}

fn header(feed: &Feed, token: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!("Basic {}", basic(&feed.organization, token).as_str()))
}
