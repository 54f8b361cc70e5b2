//! `NO_PROXY`: the hosts that are called directly. No two programs read it alike; here an entry means what its writer
//! meant, and a warning names an entry that means nothing.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// The hosts that are called directly.
#[derive(Clone, Default)]
pub struct Exceptions(Arc<[Exception]>);

/// Hosts, and the port if they are meant at that port alone.
struct Exception {
    hosts: Matcher,
    port: Option<u16>,
}

impl Exceptions {
    /// Reads the entries, which are separated by commas, semicolons or blanks:
    ///
    /// - `*`: every host;
    /// - `contoso.com`, `.contoso.com`, `*.contoso.com`: that host and all below it;
    /// - `10.0.0.1`, `10.0.0.0/8`, `::1`, `[::1]`, `fd00::/8`: an address, or all of a network;
    /// - any of these, but a network, with `:443`: at that port alone; with `https://` before it.
    ///
    /// Those that are none of these are returned second: they are skipped, and a person should hear of it.
    pub fn parse(list: &str) -> (Self, Vec<String>) {
        let mut refused = Vec::new();
        let mut exceptions = Vec::new();
        for entry in list.split([',', ';']).flat_map(str::split_whitespace) {
            match Exception::parse(entry) {
                Some(exception) => exceptions.push(exception),
                None => refused.push(entry.to_owned()),
            }
        }
        (Self(exceptions.into()), refused)
    }

    /// Whether the address is called directly.
    pub fn hold(&self, address: &Url) -> bool {
        let Ok(uri) = address.as_str().parse::<http::Uri>() else { return false };
        let port = address.port_or_known_default();
        self.0.iter().any(|exception| {
            (exception.port.is_none() || exception.port == port) && exception.hosts.intercept(&uri).is_none()
        })
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        let whole = entry.to_ascii_lowercase();
        let place = whole.split_once("://").map_or(whole.as_str(), |(_, place)| place);
        let is_network = place.split_once('/').is_some_and(|(_, bits)| !bits.is_empty());
        let place = if is_network { place } else { place.trim_end_matches('/') };
        let (host, port) = match place.rsplit_once(':') {
            // An IPv6 address has more colons, and is in brackets where a port follows.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse::<u16>().ok()?))
            }
            _ => (place, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host =
            if host == "*" { host } else { host.strip_prefix('*').unwrap_or(host).trim_end_matches('.') };
        let name = host.strip_prefix('.').unwrap_or(host);
        let is_name = !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        let is_address = host.parse::<IpAddr>().is_ok()
            || host.split_once('/').is_some_and(|(address, bits)| is_a_network(address, bits));
        if !(host == "*" || is_name && !looks_like_part_of_an_address(name) || is_address) {
            return None;
        }
        // The matcher takes `*` for every name alone.
        let host = if host == "*" { "*,0.0.0.0/0,::/0" } else { host };
        // The proxy is none: what the matcher would not send there is what it excepts.
        let hosts = Matcher::builder().all("http://proxy.invalid").no(host.to_owned()).build();
        Some(Self { hosts, port })
    }
}

fn is_a_network(address: &str, bits: &str) -> bool {
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

/// `10.` and `192.168`: meant as a network, which only a few programs take it for. No host's name ends in a number.
fn looks_like_part_of_an_address(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) && name.parse::<IpAddr>().is_err()
}

impl fmt::Debug for Exceptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Exceptions").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn holds(list: &str, address: &str) -> bool {
        let (exceptions, refused) = Exceptions::parse(list);
        assert!(refused.is_empty(), "{refused:?}");
        exceptions.hold(&address.parse().expect("an address"))
    }

    #[rstest]
    #[case("*", &["https://dev.azure.com/", "https://127.0.0.1:1/"], &[])]
    #[case("dev.azure.com", &["https://dev.azure.com/", "https://vssps.dev.azure.com/"], &["https://notdev.azure.com/"])]
    #[case(".dev.azure.com", &["https://dev.azure.com/", "https://vssps.dev.azure.com/"], &["https://notdev.azure.com/"])]
    #[case("*.dev.azure.com", &["https://dev.azure.com/", "https://vssps.dev.azure.com/"], &["https://notdev.azure.com/"])]
    #[case("*.DEV.Azure.com.", &["https://vssps.dev.azure.com/"], &["https://login.microsoftonline.com/"])]
    #[case("a.com,b.com c.com;d.com\td.de", &["https://a.com/", "https://b.com/", "https://c.com/", "https://d.de/"], &["https://e.com/"])]
    #[case("https://dev.azure.com/", &["https://dev.azure.com/"], &["https://azure.com/"])]
    #[case("dev.azure.com:443", &["https://dev.azure.com/"], &["https://dev.azure.com:8443/"])]
    #[case("*.azure.com:8443", &["https://dev.azure.com:8443/"], &["https://dev.azure.com/"])]
    #[case("10.0.0.1,192.168.0.0/16", &["https://10.0.0.1/", "https://192.168.7.7:1/"], &["https://10.0.0.2/"])]
    #[case("::1,fd00::/8", &["https://[::1]:1/", "https://[fd12::1]/"], &["https://[fe80::1]/"])]
    #[case("[::1]", &["https://[::1]:1/"], &["https://127.0.0.1/"])]
    #[case("[::1]:443", &["https://[::1]/"], &["https://[::1]:1/"])]
    #[case("localhost", &["https://localhost:1/"], &["https://127.0.0.1/"])]
    #[case(" , ;", &[], &["https://dev.azure.com/"])]
    fn an_entry_means_what_its_writer_meant(
        #[case] list: &str,
        #[case] direct: &[&str],
        #[case] by_proxy: &[&str],
    ) {
        for address in direct {
            assert!(holds(list, address), "{address}");
        }
        for address in by_proxy {
            assert!(!holds(list, address), "{address}");
        }
    }

    #[rstest]
    #[case("dev.*.com")]
    #[case("10.*")]
    #[case("192.168.")]
    #[case("10")]
    #[case("<local>")]
    #[case("10.0.0.0/33")]
    #[case("dev.azure.com/8")]
    #[case("dev.azure.com:https")]
    #[case("(dev|vssps).azure.com")]
    #[case("..azure.com")]
    fn an_entry_that_means_nothing_is_told(#[case] entry: &str) {
        let (exceptions, refused) = Exceptions::parse(&format!("a.com,{entry}"));
        assert_eq!(refused, [entry]);
        assert!(exceptions.hold(&"https://a.com/".parse().expect("an address")));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(list in "\\PC{0,40}|[*.:/0-9a-f\\[\\], ]{0,30}") {
            let (exceptions, _) = Exceptions::parse(&list);
            for address in ["https://dev.azure.com/", "https://[::1]:1/", "https://a/"] {
                exceptions.hold(&address.parse().expect("an address"));
            }
        }
    }
}
