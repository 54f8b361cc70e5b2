//! NuGet: `nuget.config`, or the variables of Microsoft's credential provider.

use super::{Feed, File, MARK, Variables, package_hosts, xml};
use crate::azure_devops::Organization;
use crate::secret::Secret;

/// `nuget.config`: the feed as the only source, and its credentials.
pub fn file(feed: &Feed, token: &Secret) -> File {
    let key = feed.to_string();
    let element = xml_name(&key);
    let mut text = File::new(String::with_capacity(2048));
    text.push_str(&format!(
        "<!-- {MARK}: the feed {}, for NuGet -->\n<configuration>\n  <packageSources>\n    <clear />\n    \
         <add key=\"{}\" value=\"{}\" protocolVersion=\"3\" />\n  </packageSources>\n  \
         <packageSourceCredentials>\n    <{element}>\n      <add key=\"Username\" value=\"{}\" />\n      \
         <add key=\"ClearTextPassword\" value=\"",
        xml(&key).replace("--", "- -"),
        xml(&key).as_str(),
        xml(&feed.address("nuget/v3/index.json")).as_str(),
        feed.organization
    ));
    text.push_str(&xml(token.expose()));
    text.push_str(&format!(
        "\" />\n      <add key=\"ValidAuthenticationTypes\" value=\"basic\" />\n    </{element}>\n  \
         </packageSourceCredentials>\n</configuration>\n"
    ));
    text
}

/// The provider's newer names for what [`variables`] sets under those that every version of it knows.
pub(super) const NEWER_NAMES: &[&str] =
    &["ARTIFACTS_CREDENTIALPROVIDER_URI_PREFIXES", "ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN"];

/// Every feed of the organization, for the credential provider (Microsoft's, which has to be installed).
pub fn variables(organization: &Organization, token: &Secret) -> Variables {
    let [host, older] = package_hosts(organization);
    vec![
        (
            "VSS_NUGET_URI_PREFIXES".into(),
            Secret::new(format!("https://{host}/{organization}/;https://{older}/")),
        ),
        ("VSS_NUGET_ACCESSTOKEN".into(), token.clone()),
    ]
}

/// A source's key as the name of an XML element that NuGet reads back with .NET's `XmlConvert.DecodeName`: what an XML
/// name cannot hold is `_xHHHH_`, and so is the underscore of what looks like that. Letters beyond Latin-1 are written
/// so too, though some need not be: which of them are letters depends on the edition of XML.
fn xml_name(text: &str) -> String {
    let mut name = String::new();
    for (at, c) in text.char_indices() {
        let looks_escaped = c == '_' && is_escape(&text[at..]);
        let fits = if name.is_empty() { begins_a_name(c) } else { continues_a_name(c) };
        if fits && !looks_escaped {
            name.push(c);
        } else if u32::from(c) > 0xFFFF {
            name.push_str(&format!("_x{:08X}_", u32::from(c)));
        } else {
            name.push_str(&format!("_x{:04X}_", u32::from(c)));
        }
    }
    name
}

fn is_escape(text: &str) -> bool {
    let rest = text.strip_prefix("_x").or_else(|| text.strip_prefix("_X"));
    let Some((hex, _)) = rest.and_then(|rest| rest.split_once('_')) else { return false };
    matches!(hex.len(), 4 | 8) && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// XML 1.0 (fourth edition), `Letter | '_'`, up to the end of Latin-1.
fn begins_a_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ')
}

fn continues_a_name(c: char) -> bool {
    begins_a_name(c) || c.is_ascii_digit() || matches!(c, '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("My Feed", "My_x0020_Feed")]
    #[case("9feed", "_x0039_feed")]
    #[case("Feed@Local", "Feed_x0040_Local")]
    #[case("a:b", "a_x003A_b")]
    #[case("-a", "_x002D_a")]
    #[case("a.b-c_d", "a.b-c_d")]
    #[case("Ünï", "Ünï")]
    #[case("_x0020_", "_x005F_x0020_")]
    #[case("a_X0020_x0020_", "a_x005F_X0020_x005F_x0020_")]
    #[case("a_x20_", "a_x20_")]
    #[case("a×", "a_x00D7_")]
    #[case("中", "_x4E2D_")]
    #[case("𠀀", "_x00020000_")]
    fn a_key_is_encoded_as_dotnet_does(#[case] key: &str, #[case] element: &str) {
        assert_eq!(xml_name(key), element);
    }
}
