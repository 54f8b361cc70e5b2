//! What a scalar without quotes is: text, or something that only looks like it.

/// What it is other than text, by the core schema of YAML 1.2 (section 10.3.2); none if it is text.
pub(super) fn other_than_text(text: &str) -> Option<&'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some("nothing"),
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Some("a boolean"),
        _ if is_number(text) => Some("a number"),
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    let all = |text: &str, ok: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(ok);
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_decimal = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && all(unsigned, |b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'))
        && unsigned.parse::<f64>().is_ok();
    is_decimal
        || text.strip_prefix("0x").is_some_and(|hex| all(hex, u8::is_ascii_hexdigit))
        || text.strip_prefix("0o").is_some_and(|octal| all(octal, |b| (b'0'..=b'7').contains(b)))
        || matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || matches!(text, ".nan" | ".NaN" | ".NAN")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1")]
    #[case("-1.5e3")]
    #[case("0x1F")]
    #[case("0o17")]
    #[case(".5")]
    #[case("null")]
    #[case("~")]
    #[case("False")]
    #[case("-.inf")]
    #[case(".NaN")]
    fn it_can_be_other_than_text(#[case] text: &str) {
        assert!(other_than_text(text).is_some(), "{text}");
    }

    #[rstest]
    #[case("30d")]
    #[case("1.2.3")]
    #[case("yes")]
    #[case("off")]
    #[case("1-2")]
    #[case(".")]
    #[case("infinity")]
    #[case("e1")]
    #[case("0x")]
    fn or_text(#[case] text: &str) {
        assert_eq!(other_than_text(text), None);
    }
}
