//! pip: `pip.conf`, or a variable.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Feed, File, MARK, Variables};
use crate::secret::Secret;

/// `pip.conf`: the feed as the index, with the credentials in its address.
pub fn file(feed: &Feed, token: &Secret) -> File {
    let mut text = File::new(String::with_capacity(1024));
    text.push_str(&format!("# {MARK}: the feed {feed}, for pip\n[global]\nindex-url = "));
    text.push_str(&index(feed, token));
    text.push('\n');
    text
}

/// The same by a variable, which beats the file.
pub fn variables(feed: &Feed, token: &Secret) -> Variables {
    vec![("PIP_INDEX_URL".into(), Secret::new(index(feed, token).to_string()))]
}

fn index(feed: &Feed, token: &Secret) -> File {
    let address = feed.address("pypi/simple/");
    let rest = address.strip_prefix("https://").expect("a feed is reached over https");
    let password = utf8_percent_encode(token.expose(), NON_ALPHANUMERIC);
    File::new(format!("https://{}:{password}@{rest}", feed.organization))
}
