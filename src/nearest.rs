//! The name that a person probably meant when they wrote one that does not exist.

/// A real name, beside one that does not exist.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest<'a> {
    /// The real name.
    pub name: &'a str,
    /// Whether the other one is most likely a slip of it.
    pub is_alike: bool,
}

/// Of these names, the one that is most like the one that was written. Case and what stands between words make none
/// of them any nearer.
///
/// # Panics
/// If there are no names: a defect.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Nearest<'a> {
    let letters = |name: &str| name.replace(['-', '_'], "").to_ascii_uppercase();
    let written = letters(written);
    let scored = names.into_iter().map(|name| {
        let known = letters(name);
        let (slips, beginning) = likeness(&known, &written);
        (Nearest { name, is_alike: is_slip(&known, &written) }, slips.max(beginning))
    });
    let nearest = scored.max_by(|left, right| left.1.total_cmp(&right.1));
    nearest.map(|(nearest, _)| nearest).expect("there are names")
}

/// How alike two names are, of 1: as one that knows letters that were swapped, left out or put in sees it, and as one
/// to whom the beginning matters most.
fn likeness(known: &str, written: &str) -> (f64, f64) {
    (strsim::normalized_damerau_levenshtein(known, written), strsim::jaro_winkler(known, written))
}

/// Whether one name is most likely a slip of the other: few letters differ, or one is the other cut short, or they begin
/// alike. Short names begin alike by chance.
fn is_slip(known: &str, written: &str) -> bool {
    let (slips, beginning) = likeness(known, written);
    let is_cut_short = known.starts_with(written) || written.starts_with(known);
    slips >= 0.75 || beginning >= 0.82 && is_cut_short || beginning >= 0.85 && written.len() >= 6
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::inputs::table::INPUTS;

    fn of_the_inputs(written: &str) -> Nearest<'static> {
        nearest(written, INPUTS.iter().map(|input| input.name))
    }

    #[rstest]
    #[case("organisation", "organization")]
    #[case("org", "organization")]
    #[case("expires-within", "expiring-within")]
    #[case("expires-in", "expiring-within")]
    #[case("tenant", "tenant-id")]
    #[case("tennant-id", "tenant-id")]
    #[case("log-level", "log")]
    #[case("host-name", "host")]
    #[case("dry", "dry-run")]
    #[case("validity", "valid-to")]
    #[case("valid-until", "valid-to")]
    #[case("display", "display-name")]
    #[case("output-dir", "output-file")]
    #[case("no-verify", "verify")]
    #[case("refreshtoken", "refresh-token")]
    fn a_slip_is_known(#[case] written: &str, #[case] meant: &str) {
        assert_eq!(of_the_inputs(written), Nearest { name: input_named(meant), is_alike: true });
    }

    fn input_named(name: &str) -> &'static str {
        crate::inputs::table::input(name).name
    }

    #[rstest]
    fn what_was_never_meant_for_an_input_is_none(
        #[values(
            "token", "version", "bogus", "file", "json", "all", "id", "name", "pat", "secret", "duration",
            "verbose", "quiet", "force", "yes", "config", "profile", "user", "password", "project", "help",
            "x", ""
        )]
        written: &str,
    ) {
        let near = of_the_inputs(written);
        assert!(!near.is_alike, "{written}: {}", near.name);
    }
}
