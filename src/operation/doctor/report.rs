//! What doctor found: a line a check, as each ends; then all of them as an output and a summary table.
//!
//! Never personal data: of a service's own words only the error's name is told, and whatever looks like a
//! person's address is withheld.

use serde_json::{Value, json};

use crate::failure::{Exit, Failure, without_people};
use crate::host::{Host, Verdict};
use crate::inputs::request::Doubt;
use crate::operation::summary::cell;

/// A check, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Inputs,
    Network,
    Organization,
    SignIn,
    CredentialStore,
    Identity,
    Pats,
    Delivery,
}

impl Check {
    pub(super) const ALL: [Self; 8] = [
        Self::Inputs,
        Self::Network,
        Self::Organization,
        Self::SignIn,
        Self::CredentialStore,
        Self::Identity,
        Self::Pats,
        Self::Delivery,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Network => "network",
            Self::Organization => "organization",
            Self::SignIn => "sign-in",
            Self::CredentialStore => "credential store",
            Self::Identity => "identity",
            Self::Pats => "PATs",
            Self::Delivery => "delivery",
        }
    }

    /// In which code a failure of this check ends.
    fn exit(self, failure: Exit) -> Exit {
        match self {
            Self::Inputs => Exit::Inputs,
            Self::Network => Exit::Service,
            Self::Organization => Exit::Refused,
            Self::SignIn => Exit::SignIn,
            Self::CredentialStore if failure == Exit::SignIn => Exit::SignIn,
            Self::CredentialStore | Self::Delivery => Exit::Store,
            Self::Identity | Self::Pats => failure,
        }
    }
}

/// What a check found that did not fail.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    verdict: Verdict,
    detail: String,
    remedy: String,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, detail: detail.into(), remedy: String::new() }
    }

    /// A run would work, but a person should look at it.
    pub(super) fn warning(detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, detail: detail.into(), remedy: remedy.into() }
    }

    /// With what may be wrong with what is asked for, which needs no sign-in to be seen.
    pub(super) fn doubting(self, doubts: &[Doubt]) -> Self {
        doubts.iter().fold(self, |found, doubt| Self {
            verdict: Verdict::Warning,
            detail: format!("{} {}", found.detail, doubt.what),
            remedy: format!("{} {}", found.remedy, doubt.remedy).trim_start().to_owned(),
        })
    }

    /// With a further sentence to what was found.
    pub(super) fn and(mut self, sentence: &str) -> Self {
        self.detail = format!("{} {sentence}", self.detail.trim_end());
        self
    }

    /// Whether nothing was found out.
    pub(super) fn is_skipped(&self) -> bool {
        self.verdict == Verdict::Skipped
    }

    /// There is nothing to find out, or it depends on what failed.
    pub(super) fn skipped(detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, detail: detail.into(), remedy: String::new() }
    }
}

/// What was found so far.
pub(super) struct Report<'a> {
    host: &'a dyn Host,
    found: Vec<(Check, Finding)>,
    first_failure: Option<Exit>,
}

impl<'a> Report<'a> {
    pub(super) fn new(host: &'a dyn Host) -> Self {
        Self { host, found: Vec::new(), first_failure: None }
    }

    /// Says what a check found; whether it did not fail.
    ///
    /// # Errors
    /// A cancelled run ends there.
    pub(super) fn add(&mut self, check: Check, found: Result<Finding, Failure>) -> Result<bool, Failure> {
        let finding = match found {
            Ok(finding) => finding,
            Err(cancelled) if matches!(cancelled.exit, Exit::Cancelled(_)) => return Err(cancelled),
            Err(failure) => {
                self.first_failure.get_or_insert(check.exit(failure.exit));
                let remedy = failure.remedy.clone();
                Finding { verdict: Verdict::Failed, detail: told(&failure), remedy }
            }
        };
        let finding = Finding {
            detail: without_people(&finding.detail),
            remedy: without_people(&finding.remedy),
            ..finding
        };
        self.say(check, &finding);
        let well = finding.verdict != Verdict::Failed;
        self.found.push((check, finding));
        Ok(well)
    }

    fn say(&self, check: Check, finding: &Finding) {
        let verdict = finding.verdict;
        let text = format!("{} {}", finding.detail, finding.remedy);
        let (mut word, mut name) = (verdict.word(), check.name());
        for line in text.trim_end().lines() {
            self.host.report(verdict, format!("{word:7}  {name:16}  {line}").trim_end());
            (word, name) = ("", "");
        }
    }

    /// Whether anything is to be looked at, though nothing failed.
    pub(super) fn has_warnings(&self) -> bool {
        self.found.iter().any(|(_, finding)| finding.verdict == Verdict::Warning)
    }

    /// The code of the first failure; 0 where there was none.
    pub(super) fn exit_code(&self) -> u8 {
        self.first_failure.map_or(0, Exit::code)
    }

    /// The output `checks`.
    pub(super) fn to_json(&self) -> Vec<Value> {
        let one = |(check, finding): &(Check, Finding)| {
            json!({
                "check": check.name(),
                "result": finding.verdict.word(),
                "detail": finding.detail.replace('\n', " "),
                "remedy": finding.remedy,
            })
        };
        self.found.iter().map(one).collect()
    }

    /// A table for the host's summary.
    pub(super) fn to_markdown(&self) -> String {
        let mut text = String::from(
            "### adopat doctor\n\n| check | result | detail | remedy |\n| --- | --- | --- | --- |\n",
        );
        for (check, Finding { verdict, detail, remedy }) in &self.found {
            let (check, verdict) = (check.name(), verdict.word());
            text.push_str(&format!("| {check} | {verdict} | {} | {} |\n", cell(detail), cell(remedy)));
        }
        text
    }
}

/// All failures in one: every cause with the service's name of it, and each remedy once. A cancelled run comes first.
pub(super) fn in_one(failures: Vec<Failure>) -> Option<Failure> {
    let cancelled = failures.iter().find(|failure| matches!(failure.exit, Exit::Cancelled(_))).cloned();
    let mut failures = failures.into_iter();
    let mut all = failures.next()?;
    for failure in failures {
        if !all.cause.contains(&failure.cause) {
            all = all.and(told(&failure));
        }
        if !all.remedy.contains(&failure.remedy) {
            all.remedy = format!("{} {}", all.remedy, failure.remedy);
        }
    }
    Some(cancelled.unwrap_or(all))
}

/// The failure's cause, with the error's name and the ids for support. A service's own words stay out: they
/// often name the user, and a vault's tell who asked.
pub(super) fn told(failure: &Failure) -> String {
    let name = failure.name.iter().map(|name| {
        let is_name =
            |part: &&str| part.strip_prefix("Key Vault ").unwrap_or(part).split_whitespace().count() <= 2;
        let words = name.split(": ").take_while(is_name);
        words.collect::<Vec<_>>().join(": ")
    });
    let ids = failure.support_ids.iter().map(|(name, id)| format!("{name}: {id}"));
    let details: Vec<String> = name.filter(|name| !name.is_empty()).chain(ids).collect();
    match details.is_empty() {
        true => failure.cause.clone(),
        false => format!("{} [{}]", failure.cause, details.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "InvalidIdentityException: TF400813: The user 'Megan Bowen' is not authorized.",
        "InvalidIdentityException: TF400813"
    )]
    #[case("AADSTS50034", "AADSTS50034")]
    #[case("patTokenError accessDenied: Megan Bowen may not.", "patTokenError accessDenied")]
    #[case("Key Vault ForbiddenByPolicy", "Key Vault ForbiddenByPolicy")]
    fn of_a_services_words_the_errors_name_is_told(#[case] name: &str, #[case] expected: &str) {
        let failure = Failure::new(Exit::Refused, "No.", "").named(name);
        assert_eq!(told(&failure), format!("No. [{expected}]"));
    }

    #[test]
    fn what_a_vault_says_of_who_asked_stays_out() {
        let words = "Caller: name=Megan;oid=00000000-0000-0000-0000-00000000000a;";
        let failure = Failure::new(Exit::Store, "No role lets it in.", "").quoting("The vault", words);
        let failure = failure.named("Key Vault ForbiddenByRbac");
        assert_eq!(told(&failure), "No role lets it in. [Key Vault ForbiddenByRbac]");
    }

    #[rstest]
    #[case(Check::Inputs, 2)]
    #[case(Check::Network, 6)]
    #[case(Check::Organization, 4)]
    #[case(Check::SignIn, 3)]
    #[case(Check::CredentialStore, 7)]
    #[case(Check::Delivery, 7)]
    #[case(Check::Pats, 8)]
    fn each_check_has_its_exit_code(#[case] check: Check, #[case] code: u8) {
        assert_eq!(check.exit(Exit::Expiring).code(), code);
    }
}
