//! What was given for each input, as text.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::table::{INPUTS, Input, input};
use crate::secret::Secret;

/// The inputs' values, by name.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Values(BTreeMap<String, Secret>);

/// One input, with what was given for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    /// The input's row in the table.
    pub(super) input: &'static Input,
    /// Its value; `None` if it is unset or empty.
    pub(super) text: Option<&'a str>,
}

impl Values {
    /// What these values are. Every one stays a text until it is checked, so that one bad value does not hide the
    /// next.
    pub(super) fn of(found: &[(&'static Input, Secret)]) -> Self {
        // envy reads the names of environment variables, and makes `display_name` of `DISPLAY_NAME`.
        let pairs = found.iter().map(|(input, value)| (variable(input.name), value.expose().to_owned()));
        envy::from_iter(pairs).expect("every value is a text")
    }

    /// The input of this name, with what was given for it.
    pub(super) fn given(&self, name: &str) -> Given<'_> {
        Given { input: input(name), text: self.secret(name).map(Secret::expose) }
    }

    /// The value of an input that is a secret.
    pub(super) fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.get(&variable(name).to_ascii_lowercase())
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = INPUTS.iter().filter_map(|input| {
            let text = self.given(input.name).text?;
            Some((input.name, if input.secret { "***" } else { text }))
        });
        formatter.debug_map().entries(given).finish()
    }
}

fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_the_name_of_its_input() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let values =
            Values::of(&[(input("display-name"), secret("ci")), (input("store-key"), secret("fake"))]);
        assert_eq!(values.given("display-name").text, Some("ci"));
        assert_eq!(values.given("display-name").input.name, "display-name");
        assert_eq!(values.secret("store-key"), Some(&secret("fake")));
        assert_eq!(values.given("scope").text, None);
        assert_eq!(format!("{values:?}"), r#"{"display-name": "ci", "store-key": "***"}"#);
    }
}
