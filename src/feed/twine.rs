//! twine: `.pypirc`, or variables.

use super::{Feed, File, MARK, Variables};
use crate::secret::Secret;

/// `.pypirc`: the feed as a repository of its own name, with `-` for a space: `twine upload -r FEED`.
pub fn file(feed: &Feed, token: &Secret) -> File {
    let name: String =
        feed.name.chars().map(|c| if c.is_whitespace() || "[]".contains(c) { '-' } else { c }).collect();
    let mut text = File::new(String::with_capacity(1024));
    text.push_str(&format!(
        "# {MARK}: the feed {feed}, for twine\n[distutils]\nindex-servers =\n    {name}\n\n[{name}]\n\
         repository = {}\nusername = {}\npassword = ",
        feed.address("pypi/upload/"),
        feed.organization
    ));
    text.push_str(token.expose());
    text.push('\n');
    text
}

/// The same by variables, all of which twine wants.
pub fn variables(feed: &Feed, token: &Secret) -> Variables {
    vec![
        ("TWINE_REPOSITORY_URL".into(), Secret::new(feed.address("pypi/upload/"))),
        ("TWINE_USERNAME".into(), Secret::new(feed.organization.name().to_owned())),
        ("TWINE_PASSWORD".into(), token.clone()),
    ]
}
