//! The address of a proxy as people write it: without a scheme, with a user of a Windows domain, with a password as it
//! is typed. A strict URL parser accepts none of these.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::secret::Secret;

/// A proxy's address in its parts.
#[derive(Clone, Debug)]
pub struct ProxyAddress {
    /// Where it is, without user and password.
    pub place: Url,
    /// The user, if the address names one.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
}

impl ProxyAddress {
    /// Reads an address as curl does; `http://` if no scheme is given.
    ///
    /// What stands before the last `@` is user and password, parted by the first `:`, and `%XX` in either is
    /// decoded if it is a byte. So a `\`, `/`, `?`, `#`, `@` or `%` may stand there as it is; curl lets the
    /// address end at some of these. `None` if it is not the address of an HTTP proxy.
    pub fn parse(address: &Secret) -> Option<Self> {
        let (scheme, rest) =
            address.expose().trim().split_once("://").unwrap_or(("http", address.expose().trim()));
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let scheme = scheme.to_ascii_lowercase();
        // Anything else is the rest of a password, and must not be told as the proxy's name.
        let (name, path) = place.split_once('/').unwrap_or((place, ""));
        let is_name = |c: char| c.is_alphanumeric() || "-._~:[]".contains(c);
        // Of any other scheme reqwest would make no proxy, without a word.
        if !["http", "https"].contains(&scheme.as_str())
            || !name.chars().all(is_name)
            || path.contains(['#', '?'])
            || (user.is_some() && !path.is_empty())
        {
            return None;
        }
        let place = Url::parse(&format!("{scheme}://{name}")).ok().filter(Url::has_host)?;
        let user = user.filter(|user| !user.is_empty() && *user != ":");
        let (user, password) = user.map_or((None, None), |user| match user.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(user), None),
        });
        Some(Self {
            place,
            user: user.map(|user| decoded(user).into_owned()),
            password: password.map(|password| Secret::new(decoded(password).into_owned())),
        })
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn read(address: &str) -> Option<(String, Option<String>, Option<String>)> {
        let address = ProxyAddress::parse(&Secret::new(address.into()))?;
        let place = format!("{}:{}", address.place.host_str()?, address.place.port_or_known_default()?);
        Some((place, address.user, address.password.map(|password| password.expose().to_owned())))
    }

    #[rstest]
    #[case::alone("proxy", "proxy:80", None, None)]
    #[case::with_a_port("proxy.contoso.com:3128", "proxy.contoso.com:3128", None, None)]
    #[case::over_tls("HTTPS://proxy/", "proxy:443", None, None)]
    #[case::of_six("http://[::1]:3128", "[::1]:3128", None, None)]
    #[case::user_alone("http://me@proxy", "proxy:80", Some("me"), None)]
    #[case::both("me:pw@proxy:1/", "proxy:1", Some("me"), Some("pw"))]
    #[case::of_a_domain(r"http://CORP\build:pw@proxy:1", "proxy:1", Some(r"CORP\build"), Some("pw"))]
    #[case::of_a_domain_encoded(
        "http://CORP%5Cbuild:p%40w@proxy",
        "proxy:80",
        Some(r"CORP\build"),
        Some("p@w")
    )]
    #[case::of_a_mailbox("http://me@contoso.com:pw@proxy", "proxy:80", Some("me@contoso.com"), Some("pw"))]
    #[case::raw("http://me:a#b/c?d@e%f:g@proxy:1", "proxy:1", Some("me"), Some("a#b/c?d@e%f:g"))]
    #[case::not_a_byte("http://me:100%zz%4@proxy", "proxy:80", Some("me"), Some("100%zz%4"))]
    #[case::password_alone("http://:pw@proxy", "proxy:80", Some(""), Some("pw"))]
    #[case::neither("http://:@proxy", "proxy:80", None, None)]
    #[case::with_a_path("http://proxy:1/pac", "proxy:1", None, None)]
    fn an_address_is_read_as_it_is_meant(
        #[case] address: &str,
        #[case] place: &str,
        #[case] user: Option<&str>,
        #[case] password: Option<&str>,
    ) {
        // A trailing slash after a user is a place with an empty path.
        let expected = (place.to_owned(), user.map(str::to_owned), password.map(str::to_owned));
        assert_eq!(read(address), Some(expected));
    }

    #[rstest]
    #[case("")]
    #[case("http://")]
    #[case("http://me:pw@")]
    #[case("http://me:pw")]
    #[case("http://me:12#34567")]
    #[case("http://me:12?34567")]
    #[case(r"http://CORP\build:12345")]
    #[case("http://me:pa@ss/wo:rd")]
    #[case("socks5://proxy")]
    #[case("http://proxy:port")]
    fn what_is_no_address_is_none(#[case] address: &str) {
        assert_eq!(read(address), None);
    }

    proptest! {
        #[test]
        fn whatever_the_password_is_it_comes_back_and_no_part_of_it_is_the_place(
            user in r"[a-zA-Z\\.]{1,12}", password in r"[ -~]{1,20}"
        ) {
            prop_assume!(!password.contains('%'));
            let address = format!("http://{user}:{password}@proxy.contoso.com:8080");
            let expected = ("proxy.contoso.com:8080".to_owned(), Some(user), Some(password));
            prop_assert_eq!(read(&address), Some(expected));
        }
    }
}
