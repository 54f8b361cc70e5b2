//! The passwords in addresses, which are masked like any other secret.

use percent_encoding::percent_decode_str;

use crate::secret::Secret;
use crate::token_shape::Shape;

/// The passwords in the addresses that a text holds, as they are written and as they are sent; and in place of a user
/// alone what looks like a PAT, which some put there.
pub fn passwords_in_addresses(text: &str) -> Vec<Secret> {
    let addresses = text.split_whitespace().filter_map(|word| Some(word.split_once("://")?.1));
    let users = addresses.filter_map(|rest| {
        // Where what comes first is a host by itself, a later `@` belongs to the path or the query.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let alone = match authority.rsplit_once(':') {
            Some((_, port)) => is_port(port) || authority.ends_with(']'),
            None => true,
        };
        if alone && !authority.contains('@') { None } else { Some(rest.rsplit_once('@')?.0) }
    });
    users.flat_map(passwords_of).collect()
}

/// The same of the address of a proxy, which may lack its scheme and has neither path nor query.
pub fn passwords_in_proxy(address: &str) -> Vec<Secret> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.rsplit_once('@').map_or_else(Vec::new, |(user, _)| passwords_of(user))
}

fn passwords_of(user: &str) -> Vec<Secret> {
    let password = match user.split_once(':') {
        Some((_, password)) => password,
        None if Shape::of(user) == Some(Shape::Pat) => user,
        None => return Vec::new(),
    };
    let mut all = vec![Secret::new(password.to_owned())];
    // Tools cut an address at these and tell the rest of it, each in its own way.
    let parts = password.split(['/', '?', '#', '@']).filter(|part| part.len() < password.len());
    all.extend(parts.map(|part| Secret::new(part.to_owned())));
    let decoded = percent_decode_str(password).decode_utf8_lossy();
    if decoded != password {
        all.push(Secret::new(decoded.into_owned()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://me:hunter2%40@dev.azure.com/contoso", &["hunter2%40", "hunter2@"])]
    #[case("x\nkeyvault:https://me:hunter22@vault y", &["hunter22"])]
    #[case("https://me:hunt/er22@dev.azure.com", &["hunt/er22", "hunt", "er22"])]
    #[case("https://contoso@dev.azure.com/contoso/_git/x", &[])]
    #[case("https://dev.azure.com:443/contoso?by=a:b@c", &[])]
    #[case("https://[::1]/contoso?by=a:b@c", &[])]
    fn the_passwords_of_addresses_are_found(#[case] text: &str, #[case] expected: &[&str]) {
        let found = passwords_in_addresses(text);
        assert_eq!(found.iter().map(Secret::expose).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_pat_in_place_of_a_user_is_found() {
        let pat = "a".repeat(52);
        let found = passwords_in_addresses(&format!("https://{pat}@dev.azure.com/contoso"));
        assert_eq!(found, [Secret::new(pat)]);
    }
}
