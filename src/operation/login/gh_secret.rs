//! `command:gh secret set NAME --repo OWNER/REPO`: on a laptop, where gh is signed in, this stores the refresh token
//! without a second token. A run on GitHub writes the same secret as `github-secret:`.

use std::path::Path;

use crate::store::Address;

/// The secret that these words set, if they set one of GitHub Actions in a repository that they name.
pub(super) fn address(words: &[String]) -> Option<Address> {
    let mut words = words.iter().map(String::as_str);
    let program = Path::new(words.next()?).file_stem()?;
    if program != "gh" || words.next()? != "secret" || words.next()? != "set" {
        return None;
    }
    let (mut name, mut repository, mut environment) = (None, None, None);
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (word, None),
        };
        let wanted = match flag {
            "--repo" | "-R" => &mut repository,
            "--env" | "-e" => &mut environment,
            // The secret would be somebody else's, or not what stands on standard input.
            flag if flag.starts_with('-') => return None,
            _ if name.is_none() => {
                name = Some(word);
                continue;
            }
            _ => return None,
        };
        *wanted = Some(value.or_else(|| words.next())?);
    }
    let repository = repository?;
    let repository = repository.trim_start_matches("https://").trim_start_matches("github.com/");
    let environment = environment.map(|name| format!("/{}", name.replace('%', "%25").replace('/', "%2F")));
    let address = format!("github-secret:{repository}{}/{}", environment.unwrap_or_default(), name?);
    // A host before the repository would be taken for its owner.
    let is_whole = repository.split('/').count() == 2;
    is_whole.then(|| Address::parse(&address).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("gh secret set RT --repo contoso/web", Some("github-secret:contoso/web/RT"))]
    #[case("/usr/bin/gh secret set --repo=contoso/web RT", Some("github-secret:contoso/web/RT"))]
    #[case("gh secret set RT -R https://github.com/contoso/web", Some("github-secret:contoso/web/RT"))]
    #[case("gh secret set RT -R contoso/web --env a/b", Some("github-secret:contoso/web/a%2Fb/RT"))]
    #[case("gh secret set RT -R github.example/contoso/web", None)]
    #[case("gh secret set RT", None)]
    #[case("gh secret set RT --org contoso", None)]
    #[case("gh secret set RT -R contoso/web --app dependabot", None)]
    #[case("gh secret set RT -R", None)]
    #[case("gh variable set RT -R contoso/web", None)]
    #[case("other secret set RT -R contoso/web", None)]
    fn the_secret_is_known_by_its_command(#[case] command: &str, #[case] expected: Option<&str>) {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        assert_eq!(address(&words).map(|address| address.to_string()).as_deref(), expected);
    }
}
