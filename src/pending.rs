//! What a step saves for the job's last step, so that even a run that was killed leaves no PAT: the
//! [fingerprint](crate::pats::fingerprint) of the PAT that it is about to make and, as soon as it is known, the
//! authorization id. Once no such PAT can be alive any more, it saves that nothing is pending.
//!
//! Hosts hand it back as a variable: GitHub to the last step, Azure Pipelines also to a retried attempt of the same
//! step, which has to deal with what the attempt before left.

use serde::{Deserialize, Serialize};

use crate::pats::fingerprint::Trace;
use crate::pats::{Fingerprint, Pat};

/// The name under which it is saved. The launcher looks for it before it looks for the binary.
pub const STATE: &str = "adopat_pending";

/// A PAT that was, or was going to be, made.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pending {
    /// What was asked for, and by which the PAT is known as long as its id is not.
    #[serde(flatten)]
    pub fingerprint: Fingerprint,
    /// By which it is revoked, once that is known.
    pub authorization_id: Option<String>,
}

impl Pending {
    /// Reads what was saved; what cannot be read is nothing.
    pub fn parse(text: &str) -> Vec<Self> {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is saved; `[]` if nothing is pending.
    pub fn to_text(all: &[Self]) -> String {
        serde_json::to_string(all).unwrap_or_default()
    }

    /// The PAT among the active ones, if it can be told: by its id; as long as that is not known, by the fingerprint.
    pub fn among<'a>(&self, active: &'a [Pat]) -> Option<&'a Pat> {
        match &self.authorization_id {
            Some(id) => active.iter().find(|pat| pat.authorization_id.eq_ignore_ascii_case(id)),
            None => match self.fingerprint.trace(active, |_| false) {
                Trace::Own(pat) => Some(pat),
                Trace::None | Trace::Unsure(_) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pats::Scope;

    #[test]
    fn a_pat_is_known_by_its_id_and_without_one_by_its_fingerprint() {
        let fingerprint = Fingerprint {
            display_name: "ci".into(),
            scope: Scope::parse("vso.code"),
            valid_to: "2026-02-01T00:00:00.003Z".parse().expect("an instant"),
            asked_at: "2026-01-01T00:00:10Z".parse().ok(),
        };
        let pat = |id: &str, to: &str| Pat {
            authorization_id: id.into(),
            display_name: "ci".into(),
            scope: Scope::parse("vso.code"),
            valid_from: "2026-01-01T00:00:11Z".parse().ok(),
            valid_to: to.parse().ok(),
            target_accounts: Some(vec![]),
        };
        let active = [pat("theirs", "2026-02-01T00:00:00Z"), pat("ours", "2026-02-01T00:00:00.0033333Z")];
        let unknown = Pending { fingerprint, authorization_id: None };
        assert_eq!(unknown.among(&active), Some(&active[1]));
        let known = Pending { authorization_id: Some("THEIRS".into()), ..unknown.clone() };
        assert_eq!(known.among(&active), Some(&active[0]));
        assert_eq!(known.among(&active[1..]), None);
        assert_eq!(Pending::parse(&Pending::to_text(&[unknown.clone(), known.clone()])), [unknown, known]);
    }

    #[test]
    fn what_is_saved_is_the_name_the_scope_the_end_and_once_known_the_id() {
        let text = r#"[{"display-name":"ci","scope":"vso.code","valid-to":"2026-02-01T00:00:00.003Z","authorization-id":null}]"#;
        let [pending] = Pending::parse(text).try_into().expect("one");
        assert_eq!(pending.fingerprint.end(), "2026-02-01T00:00:00.003Z");
        assert_eq!(pending.fingerprint.asked_at, None);
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        assert_eq!(Pending::parse("{"), []);
        assert_eq!(Pending::parse(""), []);
        assert_eq!(Pending::to_text(&[]), "[]");
    }
}
