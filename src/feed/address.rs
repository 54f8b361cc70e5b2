//! The address of an Azure Artifacts feed, however it is written.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::azure_devops::Organization;

/// All that a path segment cannot hold as it is; `@` parts a view from its feed, and stays.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// A feed of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The organization it belongs to.
    pub organization: Organization,
    /// The project, of a feed that is one's.
    pub project: Option<String>,
    /// Its name, decoded.
    pub name: String,
    /// The view, if one is meant rather than the whole feed.
    pub view: Option<String>,
}

impl Feed {
    /// Reads `FEED`, `PROJECT/FEED`, either with `@VIEW`, or the feed's https address on `pkgs.dev.azure.com` or
    /// `ORG.pkgs.visualstudio.com` with whatever path follows.
    ///
    /// # Errors
    /// The rest of a sentence that begins with the input's name.
    pub fn parse(text: &str, organization: &Organization) -> Result<Self, String> {
        let (project, feed) = if text.contains("://") {
            in_an_address(text, organization)?
        } else {
            let mut parts = text.split('/');
            match (parts.next(), parts.next(), parts.next()) {
                (Some(feed), None, None) => (None, feed.to_owned()),
                (Some(project), Some(feed), None) => (Some(project.to_owned()), feed.to_owned()),
                _ => return Err(unknown()),
            }
        };
        let project = project.as_deref().map(decode).transpose()?;
        let feed = decode(&feed)?;
        let (name, view) = match feed.split_once('@') {
            Some((name, view)) => (name.to_owned(), Some(view.to_owned())),
            None => (feed, None),
        };
        let is_named = |text: &String| !text.is_empty() && !text.contains('/') && text != "." && text != "..";
        if !is_named(&name) || !view.iter().chain(&project).all(is_named) {
            return Err(unknown());
        }
        Ok(Self { organization: organization.clone(), project, name, view })
    }

    /// The feed's address on the host that its clients use today, with its last part: `npm/registry/`, say.
    pub fn address(&self, of_client: &str) -> String {
        self.on(&format!("pkgs.dev.azure.com/{}", self.organization), of_client)
    }

    /// The same feed on the older host, which lock files may still name.
    pub fn older_address(&self, of_client: &str) -> String {
        self.on(&format!("{}.pkgs.visualstudio.com", super::lower(&self.organization)), of_client)
    }

    fn on(&self, host: &str, of_client: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, SEGMENT).to_string();
        let project = self.project.as_deref().map(|project| format!("{}/", encode(project)));
        let view = self.view.as_deref().map(|view| format!("@{}", encode(view)));
        format!(
            "https://{host}/{}_packaging/{}{}/{of_client}",
            project.unwrap_or_default(),
            encode(&self.name),
            view.unwrap_or_default()
        )
    }
}

/// The feed's name with its view, as Azure DevOps shows it.
impl fmt::Display for Feed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        self.view.iter().try_for_each(|view| write!(formatter, "@{view}"))
    }
}

fn in_an_address(text: &str, organization: &Organization) -> Result<(Option<String>, String), String> {
    let url = Url::parse(text).map_err(|_| unknown())?;
    if url.scheme() != "https" || url.password().is_some() || url.port().is_some() {
        return Err(unknown());
    }
    let host = url.host_str().unwrap_or_default();
    let mut segments: Vec<&str> = url.path_segments().map(Iterator::collect).unwrap_or_default();
    let owner = match host.strip_suffix(".pkgs.visualstudio.com") {
        Some(owner) => owner.to_owned(),
        None if host == "pkgs.dev.azure.com" && !segments.is_empty() => segments.remove(0).to_owned(),
        None => return Err(unknown()),
    };
    if !owner.eq_ignore_ascii_case(organization.name()) {
        return Err(format!(
            "is a feed of organization {owner}, and the PAT is one of {organization}; name a feed of {organization}"
        ));
    }
    match segments.as_slice() {
        ["_packaging", feed, ..] => Ok((None, (*feed).to_owned())),
        [project, "_packaging", feed, ..] => Ok((Some((*project).to_owned()), (*feed).to_owned())),
        _ => Err(unknown()),
    }
}

/// `%20` and the like, once. What some reader of a settings file may take for the end of a line is in no name.
fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| unknown())?;
    let ends_a_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if decoded.contains(ends_a_line) { Err(unknown()) } else { Ok(decoded.into_owned()) }
}

fn unknown() -> String {
    "is not a feed: write FEED, PROJECT/FEED, either with @VIEW, or the feed's address, like \
     https://pkgs.dev.azure.com/fabrikam/website/_packaging/packages/npm/registry/"
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn fabrikam() -> Organization {
        Organization::parse("Fabrikam").expect("an organization")
    }

    #[rstest]
    #[case("packages", "https://pkgs.dev.azure.com/Fabrikam/_packaging/packages/x")]
    #[case("website/packages", "https://pkgs.dev.azure.com/Fabrikam/website/_packaging/packages/x")]
    #[case(
        "My Web/My Feed@Local",
        "https://pkgs.dev.azure.com/Fabrikam/My%20Web/_packaging/My%20Feed@Local/x"
    )]
    #[case("My%20Web/packages", "https://pkgs.dev.azure.com/Fabrikam/My%20Web/_packaging/packages/x")]
    #[case(
        "https://pkgs.dev.azure.com/fabrikam/_packaging/packages/npm/registry/",
        "https://pkgs.dev.azure.com/Fabrikam/_packaging/packages/x"
    )]
    #[case(
        "https://fabrikam.pkgs.visualstudio.com/My%20Web/_packaging/packages@Release/nuget/v3/index.json",
        "https://pkgs.dev.azure.com/Fabrikam/My%20Web/_packaging/packages@Release/x"
    )]
    fn every_spelling_gives_the_address(#[case] text: &str, #[case] address: &str) {
        let feed = Feed::parse(text, &fabrikam()).expect("a feed");
        assert_eq!(feed.address("x"), address);
        let older = address.replace("pkgs.dev.azure.com/Fabrikam", "fabrikam.pkgs.visualstudio.com");
        assert_eq!(feed.older_address("x"), older);
    }

    #[rstest]
    #[case("")]
    #[case("a/b/c")]
    #[case("/packages")]
    #[case("packages@")]
    #[case("..")]
    #[case("a%2Fb")]
    #[case("a%0Ab")]
    #[case("a%E2%80%A8b")]
    #[case("a%FF")]
    #[case("http://pkgs.dev.azure.com/fabrikam/_packaging/packages/")]
    #[case("https://pkgs.dev.azure.com/contoso/_packaging/packages/")]
    #[case("https://fabrikam.pkgs.visualstudio.com.evil.example/_packaging/packages/")]
    #[case("https://u:p@pkgs.dev.azure.com/fabrikam/_packaging/packages/")]
    #[case("https://pkgs.dev.azure.com/fabrikam/")]
    fn anything_else_is_refused(#[case] text: &str) {
        Feed::parse(text, &fabrikam()).expect_err("no feed");
    }
}
