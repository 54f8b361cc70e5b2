//! npm and pnpm: `.npmrc`, or variables that only a program can set, since their names hold slashes.
//!
//! Both walk up the path of an address until credentials are found, so one entry serves every feed of the
//! organization, whether an address names a feed or, as the service's own answers do, its id.

use super::{Feed, File, MARK, Variables, basic, package_hosts};
use crate::azure_devops::Organization;
use crate::secret::Secret;

/// The path of a feed's npm registry.
pub(super) const REGISTRY: &str = "npm/registry/";

/// `.npmrc`: the feed as the registry, and the credentials.
pub fn file(feed: &Feed, token: &Secret) -> File {
    let mut text = File::new(String::with_capacity(1024));
    text.push_str(&format!(
        "# {MARK}: the feed {feed}, for npm and pnpm\nregistry={}\n",
        feed.address(REGISTRY)
    ));
    let basic = basic(&feed.organization, token);
    for place in places(&feed.organization) {
        for part in [&place, ":_auth=", &basic, "\n"] {
            text.push_str(part);
        }
    }
    text
}

/// The credentials for every feed of the organization, by variables.
pub fn variables(organization: &Organization, token: &Secret) -> Variables {
    let basic = basic(organization, token);
    let variable = |place| (format!("npm_config_{place}:_auth"), Secret::new(basic.to_string()));
    places(organization).map(variable).into()
}

/// With the slash before the colon, without which pnpm finds nothing.
fn places(organization: &Organization) -> [String; 2] {
    let [host, older] = package_hosts(organization);
    [format!("//{host}/{organization}/"), format!("//{older}/")]
}
