//! Tells what a value is by its shape alone: which kind of token, or what was given in a token's place. Nothing is
//! ever decoded.

use crate::pem;

/// What a value is, if its shape leaves no doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An Azure DevOps personal access token.
    Pat,
    /// A signed JWT: what Microsoft Entra hands out as access tokens, and CI hosts as OIDC tokens.
    Jwt,
    /// A refresh token of Microsoft Entra.
    RefreshToken,
    /// A token of GitHub.
    GithubToken,
    /// A GUID.
    Guid,
    /// The path of a file, or an address.
    Place,
    /// A JSON document.
    Json,
    /// Something in quotation marks.
    Quoted,
    /// Something that holds spaces or line breaks.
    Broken,
    /// Something that holds characters outside of ASCII, or ones that cannot be seen.
    Foreign,
}

impl Shape {
    /// The shape of a value that should be a token; `None` if it may be one that is not known here.
    pub fn of(text: &str) -> Option<Self> {
        let quoted = |mark: char| text.len() > 1 && text.starts_with(mark) && text.ends_with(mark);
        let addresses = [
            "/",
            "./",
            "../",
            "~/",
            "file:",
            "keyvault:",
            "variable-group:",
            "github-secret:",
            "service-connection:",
            "kubernetes-secret:",
            "command:",
        ];
        let lowercase = text.to_ascii_lowercase();
        let on_a_drive = |text: &str| text.get(1..3).is_some_and(|rest| rest == ":\\" || rest == ":/");
        Some(match () {
            () if ['"', '\'', '`'].into_iter().any(quoted) => Self::Quoted,
            () if text.starts_with('{') => Self::Json,
            () if text.bytes().any(|byte| byte.is_ascii_whitespace()) => Self::Broken,
            () if !text.bytes().all(|byte| byte.is_ascii_graphic()) => Self::Foreign,
            () if is_pat(text) => Self::Pat,
            () if is_jwt(text) => Self::Jwt,
            () if is_refresh_token(text) => Self::RefreshToken,
            () if ["ghp_", "gho_", "ghu_", "ghs_", "github_pat_"].iter().any(|own| text.starts_with(own)) => {
                Self::GithubToken
            }
            () if uuid::Uuid::parse_str(text).is_ok() => Self::Guid,
            () if on_a_drive(text) || text.contains("://") => Self::Place,
            () if addresses.iter().any(|own| lowercase.starts_with(own)) => Self::Place,
            () => return None,
        })
    }

    /// What it is, for a sentence that begins with the input's name, and what to do about it; `None` if it may be
    /// a token all the same.
    pub fn misfit(self, wanted: Wanted) -> Option<(&'static str, &'static str)> {
        let bring_one = match wanted {
            Wanted::RefreshToken => "give the refresh token that 'adopat login' stored",
            Wanted::AccessToken => {
                "give a Microsoft Entra access token of a user for Azure DevOps, or better a refresh-token"
            }
        };
        Some(match (self, wanted) {
            (Self::Pat, Wanted::RefreshToken) => {
                ("is a personal access token by its shape, not a refresh token", bring_one)
            }
            (Self::Pat, Wanted::AccessToken) => {
                ("is a personal access token by its shape, and the PAT service accepts none", bring_one)
            }
            (Self::Jwt, Wanted::RefreshToken) => {
                ("is an access token or an ID token by its shape, not a refresh token", bring_one)
            }
            (Self::RefreshToken, Wanted::AccessToken) => (
                "is a refresh token by its shape, not an access token",
                "give it as refresh-token instead, with the client-id that it was issued to",
            ),
            (Self::GithubToken, _) => ("is a GitHub token by its shape", bring_one),
            (Self::Guid, _) => ("is a GUID, which is an id and not a token", bring_one),
            (Self::Place, _) => (
                "is a path or an address, not a token",
                "give the token itself; a place that keeps the refresh token goes into credential-store",
            ),
            (Self::Json, _) => ("is a JSON document, not a token", "give the value of the token alone"),
            (Self::Quoted, _) => ("stands in quotation marks", "give it without them"),
            (Self::Broken, _) => (
                "holds a space or a line break, which no token does",
                "store it again in one piece: it was wrapped, or more than the token was copied",
            ),
            (Self::Foreign, _) => (
                "holds a character that no token has",
                "store it again as plain text: it was damaged when it was copied or converted",
            ),
            (Self::Jwt, Wanted::AccessToken) | (Self::RefreshToken, Wanted::RefreshToken) => return None,
        })
    }
}

/// Which token belongs in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A refresh token of Microsoft Entra.
    RefreshToken,
    /// An access token of Microsoft Entra.
    AccessToken,
}

/// 52 characters of base32 before July 2024, 84 with `AZDO` near the end since. Entra's tokens are far longer.
fn is_pat(text: &str) -> bool {
    let alphanumeric = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let signed = |at: usize| text.get(at..at + 4) == Some("AZDO");
    alphanumeric && (text.len() == 52 || (text.len() == 84 && (signed(75) || signed(76))))
}

/// Three parts, the first of which is a JSON object in base64.
fn is_jwt(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    text.starts_with("eyJ") && parts.len() == 3 && parts.iter().all(|part| !part.is_empty())
}

/// Entra's own begin with the version of their format; those that MSAL and the Azure CLI keep look the same.
fn is_refresh_token(text: &str) -> bool {
    (text.starts_with("0.A") || text.starts_with("1.A")) && text.len() > 100
}

/// Whether the text could be, or hold, a secret, so that no message repeats it: a token, a URL's password, a private
/// key, or a long row of letters and digits that means nothing.
pub fn may_hold_a_secret(text: &str) -> bool {
    let is_noise = |word: &str| {
        word.len() >= 20
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let holds_a_login = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    let token = matches!(
        Shape::of(text),
        Some(Shape::Pat | Shape::Jwt | Shape::RefreshToken | Shape::GithubToken | Shape::Json)
    );
    token
        || holds_a_login
        || text.contains("-----BEGIN")
        || text.contains("Q~")
        || text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_noise)
}

/// Whether a text is a certificate itself and not the path of one: a PEM, or base64 of that or of a PKCS#12. The
/// latter is known by how it begins, and may be cut short.
pub fn is_inline_certificate(text: &str) -> bool {
    // What base64 makes of the tag and the length of any DER that is long enough, and of "-----BEGIN ".
    const BEGINNINGS: [&str; 2] = ["MI", "LS0tLS1CRUdJTi"];
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=-_".contains(c) || c.is_whitespace();
    pem::is_pem(text)
        || text.len() >= 100
            && text.chars().all(is_base64)
            && BEGINNINGS.iter().any(|beginning| text.trim_start().starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&"fake".repeat(13), Shape::Pat)]
    #[case(&format!("FAKE{}AZDOFAKE", "a".repeat(72)), Shape::Pat)]
    #[case("eyJ0.fake.fake", Shape::Jwt)]
    #[case(&format!("0.A{}", "Xo-_".repeat(60)), Shape::RefreshToken)]
    #[case(&format!("1.A{}", "Xo-_".repeat(60)), Shape::RefreshToken)]
    #[case("ghp_fakefakefake", Shape::GithubToken)]
    #[case("00000000-0000-0000-0000-000000000001", Shape::Guid)]
    #[case("/run/secrets/token", Shape::Place)]
    #[case("C:\\tokens\\adopat", Shape::Place)]
    #[case("keyvault:https://contoso.vault.azure.net/secrets/x", Shape::Place)]
    #[case("{\"refresh_token\": \"0.A\"}", Shape::Json)]
    #[case("\"0.AXoA-fake\"", Shape::Quoted)]
    #[case("0.AXoA-\nfake", Shape::Broken)]
    #[case("0.AXoA\u{2026}", Shape::Foreign)]
    fn what_leaves_no_doubt_is_told(#[case] text: &str, #[case] shape: Shape) {
        assert_eq!(Shape::of(text), Some(shape));
    }

    #[rstest]
    #[case("0.AXoA-fake-old")]
    #[case("M.C543_BAY.0.U.-Fake*fake!fake$")]
    #[case("OAQABAAAAAADfake")]
    #[case("eyJ0.fake.fake.fake.fake")]
    fn what_may_be_a_token_is_not_judged(#[case] text: &str) {
        assert_eq!(Shape::of(text), None);
    }

    #[rstest]
    #[case("keep", false)]
    #[case("30", false)]
    #[case("2026-13-45T00:00:00Z", false)]
    #[case("keyvault:fabrikam-ci/adopat", false)]
    #[case("adopat-fabrikam-nightly-2026-11-28", false)]
    #[case("00000000-0000-0000-0000-00000000000x", false)]
    #[case("https://user:hunter2@vssps.dev.azure.com", true)]
    #[case("https://ghp_fake@github.com", true)]
    #[case("aGVs8Q~fakefakefakefakefake", true)]
    #[case("FAKE0fake0FAKE0fake0FAKE0", true)]
    #[case("file:FAKE0fake0FAKE0fake0FAKE0", true)]
    #[case("eyJ0.fake.fake", true)]
    fn what_may_hold_a_secret_is_not_repeated(#[case] text: &str, #[case] secret: bool) {
        assert_eq!(may_hold_a_secret(text), secret, "{text}");
    }
}
