//! What looks like a secret in a manifest, comments included: a manifest is committed, and read by many.

use super::problem::{Position, Problem};
use crate::token_shape::Shape;

/// What to do about one.
const REMEDY: &str = "remove it from the manifest and from its history, and revoke it";

/// Every place that looks like a secret. The secret itself is never repeated.
pub(super) fn find_all(text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (column, kind) in find(line) {
            found.push(looks_like(Position { line: number + 1, column }, kind));
        }
    }
    found
}

/// What a text looks like that quotes and escapes of the document have spelt differently.
pub(super) fn find_in(text: &str, at: Position) -> Option<Problem> {
    text.lines().find_map(|line| Some(looks_like(at, find(line).next()?.1)))
}

fn looks_like(at: Position, kind: &str) -> Problem {
    Problem::new(at, format!("This looks like {kind}"), REMEDY)
}

/// What a line holds that looks like a secret, with the column at which it begins.
fn find(line: &str) -> impl Iterator<Item = (usize, &'static str)> {
    let column = |offset: usize| line[..offset].chars().count() + 1;
    let key = line.find("-----BEGIN").filter(|at| line[*at..].contains("PRIVATE KEY"));
    let key = key.map(move |at| (column(at), "a private key"));
    let tokens = words(line).filter_map(move |(at, word)| Some((column(at), kind_of(word)?)));
    key.into_iter().chain(tokens)
}

/// The runs of characters that tokens are made of, each with the byte at which it begins.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut at = 0;
    line.split_inclusive(move |c| !is_part(c)).filter_map(move |piece| {
        let begins = at;
        at += piece.len();
        let word = piece.trim_end_matches(|c| !is_part(c));
        (word.len() >= SHORTEST).then_some((begins, word))
    })
}

/// No token is shorter: those of GitHub have 40 characters.
const SHORTEST: usize = 40;

/// A PAT may be stuck to other parts, as in the address of a clone.
fn kind_of(word: &str) -> Option<&'static str> {
    let parts = word.split(|c: char| !c.is_ascii_alphanumeric());
    let shapes = [word].into_iter().chain(parts).map(Shape::of);
    shapes.flatten().find_map(|shape| match shape {
        Shape::Pat => Some("a personal access token"),
        Shape::Jwt => Some("a JSON Web Token"),
        Shape::RefreshToken => Some("a refresh token"),
        Shape::GithubToken => Some("a GitHub token"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::new_pat(&format!("  # was FAKE{}AZDOFAKE", "a".repeat(72)), "a personal access token", 9)]
    #[case::old_pat(&format!("scope: {}", "fake2pat".repeat(7).get(..52).unwrap_or_default()), "a personal access token", 8)]
    #[case::in_an_address(&format!("x: https://u:{}@dev.azure.com/", "fake".repeat(13)), "a personal access token", 14)]
    #[case::jwt(&format!("x: eyJ{}.eyJmYWtl.ZmFrZQ", "a".repeat(40)), "a JSON Web Token", 4)]
    #[case::refresh_token(&format!("x: \"1.A{}\"", "b".repeat(300)), "a refresh token", 5)]
    #[case::github(&format!("\u{e9}: ghp_{}", "f".repeat(36)), "a GitHub token", 4)]
    #[case::key("  -----BEGIN RSA PRIVATE KEY-----", "a private key", 3)]
    fn a_secret_is_found_and_not_repeated(#[case] line: &str, #[case] kind: &str, #[case] column: usize) {
        let found = find_all(&format!("version: 1\n{line}\n"));
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(one.at, Position { line: 2, column });
        assert_eq!(one.what, format!("This looks like {kind}"));
    }

    #[test]
    fn what_a_manifest_is_made_of_is_none() {
        let text = "deliver-to: keyvault:https://contoso-with-a-long-name.vault.azure.net/secrets/ci-publish-for-every-website\n\
                    scope: vso.memberentitlementmanagement_write vso.githubconnections_manage\n\
                    commit: 0000000000000000000000000000000000000000\n\
                    id: 00000000-0000-0000-0000-000000000001\n";
        assert_eq!(find_all(text), []);
    }
}
