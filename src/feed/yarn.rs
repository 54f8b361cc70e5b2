//! yarn 4: `.yarnrc.yml`, or variables. It reads no `.npmrc`, and wants the exact address of the registry.

use super::npm::REGISTRY;
use super::{Feed, File, MARK, Variables, pair, quoted};
use crate::secret::Secret;

/// `.yarnrc.yml`: the feed as the registry, and the credentials.
pub fn file(feed: &Feed, token: &Secret) -> File {
    let mut text = File::new(String::with_capacity(1024));
    let address = feed.address(REGISTRY);
    text.push_str(&format!(
        "# {MARK}: the feed {feed}, for yarn\nnpmRegistryServer: {}\nnpmRegistries:\n",
        quoted(&address).as_str()
    ));
    let pair = quoted(&pair(&feed.organization, token));
    for address in [address, feed.older_address(REGISTRY)] {
        let address = quoted(&address);
        let parts = ["  ", &address, ":\n    npmAlwaysAuth: true\n    npmAuthIdent: ", &pair, "\n"];
        parts.into_iter().for_each(|part| text.push_str(part));
    }
    text
}

/// The same by variables.
pub fn variables(feed: &Feed, token: &Secret) -> Variables {
    vec![
        ("YARN_NPM_REGISTRY_SERVER".into(), Secret::new(feed.address(REGISTRY))),
        ("YARN_NPM_ALWAYS_AUTH".into(), Secret::new("true".into())),
        ("YARN_NPM_AUTH_IDENT".into(), Secret::new(pair(&feed.organization, token).to_string())),
    ]
}
