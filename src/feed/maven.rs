//! Maven: `settings.xml`. The server's id is the feed's name, which is what the `repository` of a POM is called.

use super::{Feed, File, MARK, xml};
use crate::secret::Secret;

/// `settings.xml` with the feed's server.
pub fn file(feed: &Feed, token: &Secret) -> File {
    let mut text = File::new(String::with_capacity(1024));
    text.push_str(&format!(
        "<!-- {MARK}: the feed {}, for Maven -->\n\
         <settings xmlns=\"http://maven.apache.org/SETTINGS/1.0.0\">\n  <servers>\n    <server>\n      \
         <id>{}</id>\n      <username>{}</username>\n      <password>",
        xml(&feed.to_string()).replace("--", "- -"),
        xml(&feed.name).as_str(),
        feed.organization
    ));
    text.push_str(&xml(token.expose()));
    text.push_str("</password>\n    </server>\n  </servers>\n</settings>\n");
    text
}
