//! npm and pnpm: `.npmrc`, or variables that only a program can set, since their names hold slashes.
//!
//! To read, both walk up the path of an address until credentials are found, so one entry serves every feed of the
//! organization, whether an address names a feed or, as the service's own answers do, its id. To publish, npm wants
//! them at the exact address of the registry.

use super::{Feed, File, MARK, Variables, basic, lower, package_hosts};
use crate::azure_devops::Organization;
use crate::secret::Secret;

/// The path of a feed's npm registry.
pub(super) const REGISTRY: &str = "npm/registry/";

/// `.npmrc`: the feed as the registry, and the credentials.
pub fn file(feed: &Feed, token: &Secret) -> File {
    let mut text = File::new(String::with_capacity(4096));
    text.push_str(&format!(
        "# {MARK}: the feed {feed}, for npm and pnpm\nregistry={}\n",
        feed.address(REGISTRY)
    ));
    let basic = basic(&feed.organization, token);
    for place in places(&feed.organization, Some(feed)) {
        for part in [place.as_str(), ":_auth=", &basic, "\n"] {
            text.push_str(part);
        }
    }
    text
}

/// The credentials for every feed of the organization, by variables; to publish, for this one.
pub fn variables(organization: &Organization, feed: Option<&Feed>, token: &Secret) -> Variables {
    let basic = basic(organization, token);
    let variable = |place| (format!("npm_config_{place}:_auth"), Secret::new(basic.to_string()));
    places(organization, feed).into_iter().map(variable).collect()
}

/// With the slash before the colon, without which pnpm finds nothing. Paths are compared with their case, so the
/// organization stands there as it was given and in lower case.
fn places(organization: &Organization, feed: Option<&Feed>) -> Vec<String> {
    let [host, older] = package_hosts(organization);
    let mut places = vec![format!("//{host}/{organization}/"), format!("//{older}/")];
    if lower(organization) != organization.name() {
        places.push(format!("//{host}/{}/", lower(organization)));
    }
    for address in feed.iter().flat_map(|feed| [feed.address(REGISTRY), feed.older_address(REGISTRY)]) {
        places.push(address.strip_prefix("https:").expect("a feed is reached over https").to_owned());
    }
    places
}
