//! uv, by variables only. The index has a name, so that its credentials stay apart from its address and never get into
//! `uv.lock`.

use super::{Feed, Variables};
use crate::secret::Secret;

/// What uv takes in place of a user name and a password when it publishes, or does not take beside them.
pub(super) const OTHER_SIGN_IN: &[&str] = &["UV_PUBLISH_TOKEN"];

/// The feed as the default index, and as the place to publish to.
pub fn variables(feed: &Feed, token: &Secret) -> Variables {
    let user = || Secret::new(feed.organization.name().to_owned());
    vec![
        ("UV_DEFAULT_INDEX".into(), Secret::new(format!("adopat={}", feed.address("pypi/simple/")))),
        ("UV_INDEX_ADOPAT_USERNAME".into(), user()),
        ("UV_INDEX_ADOPAT_PASSWORD".into(), token.clone()),
        ("UV_PUBLISH_URL".into(), Secret::new(feed.address("pypi/upload/"))),
        ("UV_PUBLISH_USERNAME".into(), user()),
        ("UV_PUBLISH_PASSWORD".into(), token.clone()),
    ]
}
