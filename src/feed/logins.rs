//! What clients of many sites read: git's credential store and netrc. They hold no comment of ours: git puts its own lines
//! first when it writes the store anew, at each sign-in. A file of adopat's own is known by what it signs in to.

/// Whether a credential store of git's is one that adopat wrote (git-credential-store): `https://USER:PASSWORD@HOST`.
pub fn is_own_git_store(text: &[u8]) -> bool {
    is_own(text, |line| {
        let (login, place) = line.strip_prefix("https://")?.rsplit_once('@')?;
        let (user, password) = login.split_once(':')?;
        Some([place.split('/').next().unwrap_or_default(), user, password])
    })
}

/// Whether a netrc is one that adopat wrote: `machine HOST login USER password PASSWORD`.
pub fn is_own_netrc(text: &[u8]) -> bool {
    is_own(text, |line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["machine", host, "login", user, "password", password] => Some([host, user, password]),
            _ => None,
        }
    })
}

/// Whether every line is of one organization's hosts, with its name and one password, and none of the hosts is missing.
fn is_own(text: &[u8], read: impl Fn(&str) -> Option<[&str; 3]>) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let Some(lines) = lines.map(read).collect::<Option<Vec<_>>>() else { return false };
    let Some([_, organization, password]) = lines.first().copied() else { return false };
    let mut hosts = vec!["dev.azure.com".to_owned(), "pkgs.dev.azure.com".to_owned()];
    let organization = organization.to_ascii_lowercase();
    hosts.extend(["visualstudio.com", "pkgs.visualstudio.com"].map(|host| format!("{organization}.{host}")));
    let is_ours = |[host, user, its]: &[&str; 3]| {
        hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
            && user.eq_ignore_ascii_case(&organization)
            && *its == password
    };
    let is_there = |known: &String| lines.iter().any(|[host, ..]| known.eq_ignore_ascii_case(host));
    lines.iter().all(is_ours) && hosts.iter().all(is_there)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const STORE: &str = "https://fabrikam:a@dev.azure.com\nhttps://fabrikam:a@pkgs.dev.azure.com\n\
                         https://fabrikam:a@fabrikam.visualstudio.com\nhttps://fabrikam:a@fabrikam.pkgs.visualstudio.com\n";
    const NETRC: &str = "machine dev.azure.com login fabrikam password a\nmachine pkgs.dev.azure.com login fabrikam password a\n\
                         machine fabrikam.visualstudio.com login fabrikam password a\n\
                         machine fabrikam.pkgs.visualstudio.com login fabrikam password a\n";

    #[test]
    fn adopats_own_are_known_however_git_has_ordered_them() {
        assert!(is_own_git_store(STORE.as_bytes()) && is_own_netrc(NETRC.as_bytes()));
        let mut lines: Vec<&str> = STORE.lines().collect();
        lines.rotate_left(2);
        lines.push("https://fabrikam:a@dev.azure.com/fabrikam/website/_git/website");
        assert!(is_own_git_store(lines.join("\n").as_bytes()));
        assert!(is_own_git_store(STORE.replace("fabrikam:", "Fabrikam:").as_bytes()));
    }

    #[rstest]
    #[case::one_more_site("https://fabrikam:a@github.com")]
    #[case::another_password("https://fabrikam:b@dev.azure.com")]
    #[case::another_organization("https://contoso:a@dev.azure.com")]
    #[case::a_comment("# mine")]
    fn a_store_with_anything_else_is_somebodys(#[case] line: &str) {
        assert!(!is_own_git_store(format!("{STORE}{line}\n").as_bytes()));
        assert!(!is_own_git_store(format!("{line}\n{STORE}").as_bytes()));
        let part: String = STORE.lines().take(3).map(|line| format!("{line}\n")).collect();
        assert!(!is_own_git_store(part.as_bytes()));
    }

    #[rstest]
    #[case("machine github.com login fabrikam password a")]
    #[case("machine dev.azure.com login fabrikam password b")]
    #[case("default login anonymous password x")]
    #[case("machine dev.azure.com")]
    fn a_netrc_with_anything_else_is_somebodys(#[case] line: &str) {
        assert!(!is_own_netrc(format!("{NETRC}{line}\n").as_bytes()));
        assert!(!is_own_netrc(line.as_bytes()) && !is_own_netrc(b"") && !is_own_netrc(b"\xff"));
    }
}
