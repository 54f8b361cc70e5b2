//! `{organization}` in a name or an address. `{{` is a brace; any other `{word}` is a mistake.

/// Fills in the organization.
///
/// # Errors
/// A sentence without its full stop, and a remedy.
pub(super) fn fill(text: &str, organization: &str) -> Result<String, (String, &'static str)> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            filled.push('{');
            rest = after;
        } else if let Some(after) = after.strip_prefix("organization}") {
            filled.push_str(organization);
            rest = after;
        } else {
            let word = after.split_once('}').map_or("", |(word, _)| word);
            let what = format!("'{{{word}}}' is not a placeholder");
            return Err((what, "the only one is {organization}; write {{ for a brace"));
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ci", "ci")]
    #[case("ci-{organization}", "ci-fabrikam")]
    #[case("{organization}/{organization}", "fabrikam/fabrikam")]
    #[case("{{organization}", "{organization}")]
    #[case("a}b", "a}b")]
    #[case("{{}", "{}")]
    fn the_organization_is_filled_in(#[case] text: &str, #[case] filled: &str) {
        assert_eq!(fill(text, "fabrikam").as_deref(), Ok(filled));
    }

    #[rstest]
    #[case("{project}")]
    #[case("{")]
    #[case("{}")]
    #[case("{ organization }")]
    #[case("{Organization}")]
    fn nothing_else_is(#[case] text: &str) {
        fill(text, "fabrikam").expect_err("a mistake");
    }
}
