//! How the services write instants.

use jiff::Timestamp;

/// Rounds to 1/300 s, as SQL Server's `datetime` does: the specification's own example sends
/// `2020-12-01T23:46:23.319Z` and gets `2020-12-01T23:46:23.32Z` back
/// (vsts-rest-api-specs, tokens/7.2/httpExamples/Pats/CreatePat.json).
pub(crate) fn rounded_to_sql(instant: Timestamp) -> Timestamp {
    let ticks = (instant.as_nanosecond() * 300 + 500_000_000).div_euclid(1_000_000_000);
    let hundreds_of_nanoseconds = (ticks * 10_000_000 + 150).div_euclid(300);
    Timestamp::from_nanosecond(hundreds_of_nanoseconds * 100).unwrap_or(instant)
}

/// .NET's way in JSON: UTC, up to seven digits of a fraction, none of them a trailing zero.
pub(crate) fn dotnet(instant: Timestamp) -> String {
    let whole = instant.strftime("%Y-%m-%dT%H:%M:%S");
    let fraction = format!("{:07}", instant.subsec_nanosecond() / 100);
    match fraction.trim_end_matches('0') {
        "" => format!("{whole}Z"),
        digits => format!("{whole}.{digits}Z"),
    }
}

/// Entra's way in an error description, like `2026-11-24 10:30:48Z`.
pub(crate) fn entra(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// The `Date` header's way (RFC 9110, IMF-fixdate).
pub(crate) fn http_date(instant: Timestamp) -> String {
    instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rounded_to_a_three_hundredth_of_a_second() {
        let written = |text: &str| dotnet(rounded_to_sql(text.parse().unwrap()));
        assert_eq!(written("2020-12-01T23:46:23.319Z"), "2020-12-01T23:46:23.32Z");
        assert_eq!(written("2020-11-02T22:56:52.104Z"), "2020-11-02T22:56:52.1033333Z");
        assert_eq!(written("2020-11-02T22:56:52.1066Z"), "2020-11-02T22:56:52.1066667Z");
        assert_eq!(written("2020-11-02T22:56:52Z"), "2020-11-02T22:56:52Z");
        assert_eq!(written("2020-11-02T22:56:51.9999Z"), "2020-11-02T22:56:52Z");
    }

    #[test]
    fn the_date_header_is_an_imf_fixdate() {
        assert_eq!(http_date("2026-11-24T15:49:48Z".parse().unwrap()), "Tue, 24 Nov 2026 15:49:48 GMT");
    }
}
