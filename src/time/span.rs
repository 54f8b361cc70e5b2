//! Spans of time: a number and `s`, `m`, `h`, `d` or `w`; or ISO 8601, like `P90D` or `PT12H`.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// The longest span that makes sense here, which also keeps every date within reach.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Reads a span. A month of ISO 8601 is 30 days, a year 365: how long a span is depends on no clock, and a year is as
/// long as a PAT may live.
///
/// # Errors
/// The rest of a sentence that says what a span is.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let span = if text.starts_with(['P', 'p']) { parse_iso(text) } else { parse_short(text) };
    match span {
        Some(span) if span <= LONGEST => Ok(span),
        Some(_) => Err("is longer than 100 years; use a shorter duration, like 30d".into()),
        None => Err("is not a duration; use 30d, 12h or P90D".into()),
    }
}

fn parse_short(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let number = number.trim_end();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit).map(Duration::from_secs)
}

fn parse_iso(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let days = i64::from(span.get_years()) * 365 + i64::from(span.get_months()) * 30;
    let rest = span.try_years(0).and_then(|span| span.try_months(0)).ok()?;
    let rest = rest.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(rest.checked_add(SignedDuration::from_hours(24 * days))?).ok()
}

/// The instant that lies `span` after another; the last there is if that is out of reach.
pub fn after(instant: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).ok();
    span.and_then(|span| instant.checked_add(span).ok()).unwrap_or(Timestamp::MAX)
}

/// A span for a person: the largest unit that leaves nothing over.
pub fn describe(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
    let unit = units.into_iter().find(|(_, unit)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (letter, unit) = unit.unwrap_or(("s", 1));
    format!("{}{letter}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("90s", 90)]
    #[case("5m", 300)]
    #[case("12h", 43_200)]
    #[case("30d", 2_592_000)]
    #[case("2w", 1_209_600)]
    #[case("0s", 0)]
    #[case("P90D", 7_776_000)]
    #[case("PT12H", 43_200)]
    #[case("P1W", 604_800)]
    #[case("P1DT1S", 86_401)]
    #[case("P1M", 30 * 86_400)]
    #[case("P1Y", 365 * 86_400)]
    #[case("P1Y2M3DT4S", (365 + 60 + 3) * 86_400 + 4)]
    fn a_span_is_a_number_and_a_unit_or_iso_8601(#[case] text: &str, #[case] seconds: u64) {
        assert_eq!(parse(text), Ok(Duration::from_secs(seconds)));
    }

    #[rstest]
    #[case("")]
    #[case("30")]
    #[case("d")]
    #[case("-1d")]
    #[case("+1d")]
    #[case("1.5h")]
    #[case("1y")]
    #[case("30 days")]
    #[case("P")]
    #[case("-P1D")]
    #[case("P-1D")]
    #[case("-P1M")]
    #[case("P19999Y")]
    #[case("99999999999999999999d")]
    #[case("9999999w")]
    #[case("5µ")]
    fn nothing_else_is(#[case] text: &str) {
        parse(text).expect_err("no span");
    }

    #[rstest]
    #[case(86_400, "1d")]
    #[case(90, "90s")]
    #[case(604_800, "7d")]
    #[case(0, "0s")]
    fn a_span_is_described_in_its_largest_unit(#[case] seconds: u64, #[case] text: &str) {
        assert_eq!(describe(Duration::from_secs(seconds)), text);
    }
}
