//! The environment, read once: inputs under all their spellings, and what hosts say of themselves.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::arguments::Flags;
use super::problem::Problems;
use super::table::{INPUTS, Input, Value, input};
use crate::nearest::nearest;
use crate::pending::{self, Pending};
use crate::secret::Secret;
use crate::subprocess::child_environment::{REFRESH_TOKEN_STATE, is_for_a_helper, is_secret, is_spelt};

/// Names beginning with `ADOPAT_` that are no inputs: the launcher's.
const LAUNCHERS: [&str; 2] = ["ADOPAT_BINARY", "ADOPAT_LAUNCHER"];

/// A snapshot of the process's environment.
#[derive(Clone, Default)]
pub struct Environment(Vec<(OsString, OsString)>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Environment")
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl Environment {
    /// A variable's text, trimmed; `None` if it is unset, empty or not text.
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.raw(name)?.to_str()?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The same under the first of these names that is set.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A variable's text as a secret.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(|text| Secret::new(text.to_owned()))
    }

    /// Whether a variable holds something, and not this.
    pub fn is_otherwise(&self, name: &str, value: &str) -> bool {
        self.raw(name).is_some_and(|given| !given.is_empty() && given != value)
    }

    /// A variable as a path, not trimmed.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Whether a variable says yes: `true` or `1`.
    pub fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// The value of every input that is set and not empty, by the name of its row: its flag first, then the host's
    /// spelling, then `ADOPAT_`.
    pub fn inputs(&self, flags: &Flags, problems: &mut Problems) -> Vec<(&'static Input, Secret)> {
        INPUTS.iter().filter_map(|input| Some((input, self.input(input, flags, problems)?))).collect()
    }

    fn input(&self, input: &'static Input, flags: &Flags, problems: &mut Problems) -> Option<Secret> {
        let mut text_of = |value: &OsStr| {
            if value.to_str().is_none() {
                problems.unread(input.name, "is not UTF-8 text", "set it to plain text");
            }
            let text = value.to_string_lossy();
            // How far a document's first line is indented says something.
            let text = if input.value == Value::Document { text.trim_end() } else { text.trim() };
            (!text.trim().is_empty()).then(|| Secret::new(text.to_owned()))
        };
        if let Some(value) = flags.value(input) {
            return text_of(value);
        }
        let hosts = self.0.iter().filter(|(name, _)| is_host_spelling(name, input));
        let own = self.0.iter().filter(|(name, _)| is_own_spelling(name, input));
        hosts.chain(own).find_map(|(_, value)| text_of(value))
    }

    /// Whether an input's variable is there, and holds nothing.
    pub(super) fn is_set_but_empty(&self, input: &Input) -> bool {
        let mut own =
            self.0.iter().filter(|(name, _)| is_host_spelling(name, input) || is_own_spelling(name, input));
        own.any(|(_, value)| value.to_str().is_some_and(|text| text.trim().is_empty()))
    }

    /// What earlier runs of this step saved: as GitHub and as Azure Pipelines hand it back.
    pub fn pending(&self) -> Vec<Pending> {
        self.state(pending::STATE).map(Pending::parse).unwrap_or_default()
    }

    /// The refresh token that an earlier run of this step saved.
    pub(super) fn saved_refresh_token(&self) -> Option<Secret> {
        self.state(REFRESH_TOKEN_STATE).map(|text| Secret::new(text.to_owned()))
    }

    fn state(&self, name: &str) -> Option<&str> {
        let agents = format!("VSTS_TASKVARIABLE_{}", name.to_ascii_uppercase());
        self.first(&[&format!("STATE_{name}"), &agents])
    }

    /// Variables that begin with `ADOPAT_` but name no input, each as a sentence with the nearest real name.
    pub fn misspelt(&self) -> Vec<String> {
        let names = self.0.iter().filter_map(|(name, _)| name.to_str());
        let strange = names.filter(|name| {
            name.starts_with("ADOPAT_")
                && !LAUNCHERS.contains(name)
                && !INPUTS.iter().any(|input| input.is_variable(name))
        });
        strange
            .map(|name| {
                let names = INPUTS.iter().map(|input| input.name);
                let nearest = nearest(name.trim_start_matches("ADOPAT_"), names);
                let near = input(nearest.name).variable();
                let advice = if nearest.is_alike {
                    format!("Did you mean {near}?")
                } else {
                    format!(
                        "The nearest name is {near}; 'adopat OPERATION --help' lists those of an operation."
                    )
                };
                format!("{name} is no input of adopat and is ignored. {advice}")
            })
            .collect()
    }

    /// For the command of `exec`: all but adopat's secrets. What else the user has set is the command's.
    pub fn for_a_command(&self) -> Vec<(OsString, OsString)> {
        self.0.iter().filter(|(name, value)| !is_secret(name, value)).cloned().collect()
    }

    /// For the program of a `command:` store: as for a helper, and without any of adopat's inputs, which say nothing to
    /// it.
    pub fn for_a_delivery(&self) -> Vec<(OsString, OsString)> {
        let is_input = |name: &OsStr| {
            let name = name.to_string_lossy();
            INPUTS.iter().any(|input| is_spelt(&name, input.name))
        };
        let others = self.0.iter().filter(|(name, value)| is_for_a_helper(name, value) && !is_input(name));
        others.cloned().collect()
    }

    fn raw(&self, wanted: &str) -> Option<&OsStr> {
        let same = |name: &OsStr| {
            if cfg!(windows) { name.eq_ignore_ascii_case(wanted) } else { name == wanted }
        };
        self.0.iter().find(|(name, _)| same(name)).map(|(_, value)| value.as_os_str())
    }
}

/// Overwrites what the environment held, as far as this copy goes.
impl Drop for Environment {
    fn drop(&mut self) {
        for (_, value) in self.0.drain(..) {
            drop(Zeroizing::new(value.into_encoded_bytes()));
        }
    }
}

/// `INPUT_DISPLAY-NAME` (GitHub), `INPUT_DISPLAYNAME` (Azure Pipelines), `INPUT_DISPLAY_NAME`: hosts agree on
/// the prefix and on upper case, not on what stands between words.
fn is_host_spelling(variable: &OsStr, input: &Input) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = char> {
        text.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' ')).map(|c| c.to_ascii_uppercase())
    }
    let name = variable.to_str().and_then(|name| name.strip_prefix("INPUT_"));
    name.is_some_and(|name| letters(name).eq(letters(input.name)))
}

fn is_own_spelling(variable: &OsStr, input: &Input) -> bool {
    variable.to_str().is_some_and(|name| input.is_variable(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[rstest]
    #[case("INPUT_DISPLAY-NAME")]
    #[case("INPUT_DISPLAYNAME")]
    #[case("INPUT_DISPLAY_NAME")]
    #[case("INPUT_displayName")]
    #[case("ADOPAT_DISPLAY_NAME")]
    fn an_input_is_found_under_every_spelling(#[case] name: &str) {
        let inputs = environment(&[(name, " ci ")]).inputs(&Flags::default(), &mut Problems::default());
        assert_eq!(inputs.len(), 1);
        assert_eq!((inputs[0].0.name, inputs[0].1.expose()), ("display-name", "ci"));
    }

    #[test]
    fn the_hosts_spelling_wins_unless_it_is_empty() {
        let both = [("ADOPAT_SCOPE", "own"), ("INPUT_SCOPE", "host")];
        assert_eq!(
            environment(&both).inputs(&Flags::default(), &mut Problems::default())[0].1.expose(),
            "host"
        );
        let empty = [("ADOPAT_SCOPE", "own"), ("INPUT_SCOPE", " ")];
        assert_eq!(
            environment(&empty).inputs(&Flags::default(), &mut Problems::default())[0].1.expose(),
            "own"
        );
    }

    #[rstest]
    #[case("ADOPAT_DISPLAYNAME", "ADOPAT_DISPLAY_NAME")]
    #[case("ADOPAT_DISPLAY_NAEM", "ADOPAT_DISPLAY_NAME")]
    #[case("ADOPAT_ORGANISATION", "ADOPAT_ORGANIZATION")]
    #[case("ADOPAT_ORG", "ADOPAT_ORGANIZATION")]
    #[case("ADOPAT_SCOPES", "ADOPAT_SCOPE")]
    #[case("ADOPAT_REFRESHTOKEN", "ADOPAT_REFRESH_TOKEN")]
    #[case("ADOPAT_EXPIRES_WITHIN", "ADOPAT_EXPIRING_WITHIN")]
    fn a_misspelt_name_is_answered_with_the_nearest(#[case] name: &str, #[case] near: &str) {
        let misspelt = environment(&[(name, "x"), ("ADOPAT_LAUNCHER", "1")]).misspelt();
        assert_eq!(misspelt, [format!("{name} is no input of adopat and is ignored. Did you mean {near}?")]);
    }

    #[rstest]
    #[case("ADOPAT_FOO_BAR")]
    #[case("ADOPAT_")]
    #[case("ADOPAT_XYZZY")]
    fn a_name_that_is_like_none_is_not_taken_for_a_slip(#[case] name: &str) {
        let misspelt = environment(&[(name, "x")]).misspelt();
        let [sentence] = misspelt.as_slice() else { panic!("one warning") };
        assert!(!sentence.contains("Did you mean"), "{sentence}");
        assert!(
            sentence.contains("The nearest name is ADOPAT_") && sentence.contains("--help"),
            "{sentence}"
        );
    }
}
