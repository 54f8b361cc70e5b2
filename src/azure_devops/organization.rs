//! An Azure DevOps organization's name, however it is written.

use std::fmt;

use crate::failure::Exit;
use crate::http::DEACTIVATED;
use crate::refusal_table::RefusalRow;

/// What every service of Azure DevOps answers for an organization that was deactivated.
pub const IS_DEACTIVATED: RefusalRow = RefusalRow::new(
    Exit::Refused,
    "The organization {organization} has been deactivated: Azure DevOps serves nothing there any more.",
    "Check the input organization; if it is the right one, ask its owner or Azure DevOps support to bring it back.",
)
.status(&[503..=503])
.says(&[DEACTIVATED]);

/// The name of an organization: one path segment on a request that carries a bearer, so it is checked where
/// it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization(String);

impl Organization {
    /// Reads `NAME`, `https://dev.azure.com/NAME` or `https://NAME.visualstudio.com`, with whatever path
    /// follows.
    ///
    /// # Errors
    /// A sentence that says what would be accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let name = match text.split_once("://") {
            None => text,
            Some((_, rest)) => {
                let mut segments = rest.split(['/', '?', '#']);
                let host = segments.next().unwrap_or_default().to_ascii_lowercase();
                match host.strip_suffix(".visualstudio.com") {
                    Some(name) => &rest[..name.len()],
                    None if host == "dev.azure.com" => segments.next().unwrap_or_default(),
                    None => "",
                }
            }
        };
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins_well && name.len() <= 64 && name.chars().all(inner) {
            Ok(Self(name.to_owned()))
        } else {
            Err(match text.contains("://") && !is_microsofts(text) {
                true => "is not an address of Azure DevOps Services: adopat cannot manage the PATs of an Azure DevOps \
                         Server, which has no such API; use an organization's name, or https://dev.azure.com/NAME"
                    .into(),
                false => "is not an organization; use its name, https://dev.azure.com/NAME or \
                          https://NAME.visualstudio.com"
                    .into(),
            })
        }
    }

    /// The bare name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Whether an address is one of Azure DevOps Services, whatever is wrong with it.
fn is_microsofts(address: &str) -> bool {
    let host = address.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    let host = host.and_then(|host| host.rsplit('@').next()).unwrap_or_default().to_ascii_lowercase();
    ["dev.azure.com", "visualstudio.com"].iter().any(|known| host.ends_with(known))
}

impl fmt::Display for Organization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("fabrikam", "fabrikam")]
    #[case(" fabrikam-fiber ", "fabrikam-fiber")]
    #[case("https://dev.azure.com/fabrikam", "fabrikam")]
    #[case("https://dev.azure.com/fabrikam/", "fabrikam")]
    #[case("https://DEV.azure.com/fabrikam/project?x=1", "fabrikam")]
    #[case("https://Fabrikam.visualstudio.com/", "Fabrikam")]
    fn every_spelling_gives_the_name(#[case] text: &str, #[case] name: &str) {
        assert_eq!(Organization::parse(text).expect("an organization").name(), name);
    }

    #[rstest]
    #[case("")]
    #[case("a/b")]
    #[case("a b")]
    #[case("..")]
    #[case("https://evil.example/fabrikam")]
    #[case("https://fabrikam.visualstudio.com.evil.example")]
    #[case("https://visualstudio.com/fabrikam")]
    #[case("https://user@dev.azure.com/fabrikam")]
    fn anything_else_is_refused(#[case] text: &str) {
        Organization::parse(text).expect_err("no organization");
    }

    #[rstest]
    #[case("https://devops.contoso.com/tfs/DefaultCollection", true)]
    #[case("http://tfs:8080/tfs", true)]
    #[case("https://user@dev.azure.com/fabrikam", false)]
    #[case("https://dev.azure.com/", false)]
    #[case("a/b", false)]
    fn a_server_is_told_as_such(#[case] text: &str, #[case] server: bool) {
        let what = Organization::parse(text).expect_err("no organization");
        assert_eq!(what.contains("Azure DevOps Server"), server, "{what}");
    }
}
