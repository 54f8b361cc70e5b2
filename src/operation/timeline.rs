//! What expires when, as a Mermaid Gantt chart: the form in which GitHub and Azure Pipelines draw one.

use jiff::{SignedDuration, Timestamp};

use super::listing::span_until;

/// The most bars that a person can still read.
const MOST_BARS: usize = 50;
/// The shortest bar is this part of the longest: beside a year, an hour would not be seen.
const SHORTEST: i32 = 40;
/// The longest label, in letters.
const LONGEST_LABEL: usize = 60;

/// A bar: a PAT that is still good.
pub(super) struct Bar<'a> {
    /// Until when it is.
    pub(super) end: Timestamp,
    /// Its name.
    pub(super) name: &'a str,
    /// What else tells it from the others.
    pub(super) of: &'a str,
    /// Whether a person should look at it.
    pub(super) is_critical: bool,
}

/// The chart, the first to expire on top; nothing if there is no bar.
pub(super) fn timeline(mut bars: Vec<Bar<'_>>, now: Timestamp) -> String {
    bars.sort_by_key(|bar| (bar.end, bar.name));
    bars.truncate(MOST_BARS);
    let Some(last) = bars.last() else { return String::new() };
    let longest = last.end.duration_since(now);
    let shortest = now.saturating_add(longest / SHORTEST).unwrap_or(now);
    let axis = axis(longest);
    let mut text = format!(
        "```mermaid\ngantt\n    title What expires when\n    dateFormat YYYY-MM-DDTHH:mm:ss\n    axisFormat {axis}\n    \
         todayMarker off\n"
    );
    let at = |instant: Timestamp| instant.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    for bar in bars {
        let mark = if bar.is_critical { "crit, " } else { "" };
        let (label, left) = (label(&format!("{} {}", bar.name, bar.of)), span_until(bar.end, now));
        let end = at(bar.end.max(shortest));
        text.push_str(&format!("    {label}, {left} : {mark}{}, {end}\n", at(now)));
    }
    text.push_str("```\n");
    text
}

/// How the axis names its instants, so that two that stand side by side differ.
fn axis(span: SignedDuration) -> &'static str {
    match span.as_hours() {
        ..48 => "%H:%M",
        48..4800 => "%d %b",
        _ => "%b %Y",
    }
}

/// A bar's label: Mermaid reads `:` and `;` and `#` as its own, and knows no escape for them. A name that begins like
/// one of its own words is told from it by the word before.
fn label(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/');
    let label: String = name.chars().map(|c| if plain(c) { c } else { ' ' }).take(LONGEST_LABEL).collect();
    let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
    if label.is_empty() { "PAT".into() } else { format!("PAT {label}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn chart(ends: &[&str]) -> Vec<String> {
        let now = "2026-01-01T00:00:00Z".parse().expect("an instant");
        let end = |text: &&str| text.parse().expect("an instant");
        let bars = ends.iter().map(|text| Bar { end: end(text), name: "a", of: "", is_critical: false });
        timeline(bars.collect(), now).lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn an_hour_is_seen_beside_a_year() {
        let lines = chart(&["2027-01-01T00:00:00Z", "2026-01-01T01:00:00Z"]);
        assert!(lines.contains(&"axisFormat %b %Y".into()), "{lines:?}");
        assert!(lines.contains(&"PAT a, 1 h : 2026-01-01T00:00:00, 2026-01-10T03:00:00".into()), "{lines:?}");
        assert!(
            lines.contains(&"PAT a, 365 d : 2026-01-01T00:00:00, 2027-01-01T00:00:00".into()),
            "{lines:?}"
        );
    }

    #[rstest]
    #[case("2026-01-01T01:00:00Z", "%H:%M")]
    #[case("2026-02-01T00:00:00Z", "%d %b")]
    #[case("2027-01-01T00:00:00Z", "%b %Y")]
    fn the_axis_fits_the_longest(#[case] end: &str, #[case] format: &str) {
        assert!(chart(&[end]).contains(&format!("axisFormat {format}")));
    }

    #[test]
    fn without_a_bar_there_is_no_chart() {
        assert!(chart(&[]).is_empty());
    }
}
