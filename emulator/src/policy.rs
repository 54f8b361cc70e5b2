//! Policies in words, as the command line and a [scenario](crate::Scenario) name them.

use std::time::Duration;

use crate::cast::{Creation, Policies, RefusalShape, TooLong};

/// What a policy can be, for the help text.
pub const POLICIES: [(&str, &str); 10] = [
    ("maximum-lifespan", "a span, such as 30d"),
    ("too-long", "clamp (default) or refuse"),
    ("creation", "allowed (default), packaging or none"),
    ("full-scope", "allowed (default) or refused"),
    ("global", "allowed (default) or refused"),
    ("global-end", "an instant, such as 2026-12-01T00:00:00Z, from which on no global PAT works"),
    ("usable-after", "a span: how long a new PAT takes to work"),
    ("dead-after", "a span: how long a revoked PAT goes on working"),
    (
        "access-tokens",
        "taken (default) or revoked: a claims challenge answers each that was not issued to meet one",
    ),
    ("refusals", "ok (default), bad-request or generic: the shape in which these policies refuse"),
];

impl Policies {
    /// Sets one of them by its name.
    ///
    /// ```
    /// let mut policies = adopat_emulator::Policies::default();
    /// policies.set("maximum-lifespan", "30d")?;
    /// assert_eq!(policies.longest_lifespan.unwrap().as_secs(), 30 * 24 * 60 * 60);
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// A sentence that says what is wrong with the name or the value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let unknown = || {
            let what =
                POLICIES.iter().find(|(known, _)| *known == name).map_or("something else", |(_, what)| what);
            format!("'{value}' is not a value of the policy '{name}': {what}")
        };
        match name {
            "maximum-lifespan" => self.longest_lifespan = Some(span(value)?),
            "usable-after" => self.usable_after = span(value)?,
            "dead-after" => self.dead_after = span(value)?,
            "global-end" => self.global_pats_end = Some(value.parse().map_err(|_| unknown())?),
            "too-long" => {
                self.too_long = match value {
                    "clamp" => TooLong::Clamp,
                    "refuse" => TooLong::Refuse,
                    _ => return Err(unknown()),
                }
            }
            "creation" => {
                self.creation = match value {
                    "allowed" => Creation::Allowed,
                    "packaging" => Creation::PackagingOnly,
                    "none" => Creation::Disabled,
                    _ => return Err(unknown()),
                }
            }
            "full-scope" => self.restrict_full_scope = is_refused(value).ok_or_else(unknown)?,
            "global" => self.restrict_global = is_refused(value).ok_or_else(unknown)?,
            "access-tokens" => {
                self.revoke_access_tokens = match value {
                    "taken" => false,
                    "revoked" => true,
                    _ => return Err(unknown()),
                }
            }
            "refusals" => {
                self.refusal_shape = match value {
                    "ok" => RefusalShape::Ok,
                    "bad-request" => RefusalShape::BadRequest,
                    "generic" => RefusalShape::Generic,
                    _ => return Err(unknown()),
                }
            }
            _ => {
                let known: Vec<&str> = POLICIES.iter().map(|(name, _)| *name).collect();
                return Err(format!("'{name}' is not a policy; there are {}", known.join(", ")));
            }
        }
        Ok(())
    }
}

fn is_refused(value: &str) -> Option<bool> {
    match value {
        "allowed" => Some(false),
        "refused" => Some(true),
        _ => None,
    }
}

/// A number and `s`, `m`, `h` or `d`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a span; use 90s, 15m, 12h or 30d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_policy_is_said() {
        let mut policies = Policies::default();
        for (name, value, why) in [
            ("lifespan", "30d", "'lifespan' is not a policy; there are maximum-lifespan, too-long, "),
            ("maximum-lifespan", "30", "'30' is not a span; use 90s, 15m, 12h or 30d"),
            ("maximum-lifespan", "", "'' is not a span"),
            ("maximum-lifespan", "30é", "'30é' is not a span"),
            (
                "creation",
                "no",
                "'no' is not a value of the policy 'creation': allowed (default), packaging or none",
            ),
        ] {
            let said = policies.set(name, value).unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
    }

    #[test]
    fn every_policy_can_be_set() {
        let mut policies = Policies::default();
        for (name, value) in [
            ("maximum-lifespan", "30d"),
            ("too-long", "refuse"),
            ("creation", "packaging"),
            ("full-scope", "refused"),
            ("global", "refused"),
            ("global-end", "2026-12-01T00:00:00Z"),
            ("usable-after", "5s"),
            ("dead-after", "2m"),
            ("access-tokens", "revoked"),
            ("refusals", "generic"),
        ] {
            assert!(POLICIES.iter().any(|(known, _)| *known == name));
            policies.set(name, value).unwrap();
        }
        assert_eq!(policies.dead_after, Duration::from_secs(120));
        assert!(policies.restrict_full_scope && policies.restrict_global && policies.revoke_access_tokens);
    }
}
