//! The name that a person probably meant when they wrote one that does not exist.

/// How alike two names have to be, of 1, for one to be taken for a slip of the other.
const ALIKE: f64 = 0.8;

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
        // The first knows letters that were swapped or left out, the second a name that was cut short.
        let likeness = strsim::normalized_damerau_levenshtein(&known, &written);
        (name, likeness.max(strsim::jaro_winkler(&known, &written)))
    });
    let (name, likeness) = scored.max_by(|left, right| left.1.total_cmp(&right.1)).expect("there are names");
    Nearest { name, is_alike: likeness >= ALIKE }
}
