//! What went wrong, told to a person: one sentence of cause, one of remedy, the service's own name of the
//! error, the ids that support asks for, and the exit code a script can branch on.

use std::fmt;

/// Why the process ends, as its exit code (section "Exit codes" of `--help`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 1: unexpected, a defect in adopat.
    Defect,
    /// 2: the inputs are wrong; nothing was sent.
    Inputs,
    /// 3: sign-in failed or is needed again.
    SignIn,
    /// 4: refused by permission or policy.
    Refused,
    /// 5: no such PAT, or its name is ambiguous.
    NotFound,
    /// 6: a service failed, could not be reached, or did not answer in time.
    Service,
    /// 7: a store or file could not take what it should; what was created has been revoked.
    Store,
    /// 8: a PAT that expires soon, a global one, or a difference was found, and the run was asked to fail then.
    Expiring,
    /// 128 + the signal's number: cancelled; what may be left is named.
    Cancelled(Signal),
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Defect => 1,
            Self::Inputs => 2,
            Self::SignIn => 3,
            Self::Refused => 4,
            Self::NotFound => 5,
            Self::Service => 6,
            Self::Store => 7,
            Self::Expiring => 8,
            Self::Cancelled(signal) => 128 + signal.number(),
        }
    }
}

/// The signals by which a CI system cancels a job, or a person the run at their terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: the terminal was closed.
    HangUp,
    /// SIGINT; Ctrl-C on Windows.
    Interrupt,
    /// SIGTERM; Ctrl-Break on Windows.
    Terminate,
}

impl Signal {
    /// The signal's number on every Unix.
    pub fn number(self) -> u8 {
        match self {
            Self::HangUp => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

/// A failure a person can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code it ends in, if nothing worse follows.
    pub exit: Exit,
    /// What happened, in plain sentences with their full stops. They may hold a foreign name: the code that prints
    /// them sanitizes them first.
    pub cause: String,
    /// What the service itself says, as a sentence that begins with who says it. It may name a person.
    pub quote: Option<Box<str>>,
    /// What to do about it, one plain sentence with its full stop; empty if there is nothing to do.
    pub remedy: String,
    /// The service's own name of the error, like `patTokenError globalPatPolicyViolation` or `AADSTS50076`.
    pub name: Option<String>,
    /// Whether the PAT that was made must not be revoked: a store may hold it, and nobody can tell.
    pub spares_the_new: bool,
    /// The ids that support asks for, by name: `ActivityId`, `X-VSS-E2EID`, `correlation id`, ...
    pub support_ids: Vec<(&'static str, String)>,
}

impl Failure {
    /// A failure by its exit, cause and remedy.
    pub fn new(exit: Exit, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (cause, remedy) = (cause.into(), remedy.into());
        Self { exit, cause, quote: None, remedy, name: None, spares_the_new: false, support_ids: Vec::new() }
    }

    /// With the service's own name of the error, or its words, in which no person is addressed.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(without_people(&name.into()));
        self
    }

    /// With the ids that support asks for; one that is known by another name is not told twice.
    pub fn with_support_ids(mut self, ids: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        for (name, id) in ids {
            if !self.support_ids.iter().any(|(_, told)| told.eq_ignore_ascii_case(&id)) {
                self.support_ids.push((name, id));
            }
        }
        self
    }

    /// With a further sentence, if there is one, after the cause, like what is still alive.
    pub fn and(mut self, sentence: impl AsRef<str>) -> Self {
        self.cause = format!("{} {}", sentence_of(&self.cause), sentence.as_ref()).trim_end().to_owned();
        self
    }

    /// With what the service itself says, if it says anything; `who` is the service, like "Azure DevOps".
    pub fn quoting(mut self, who: &str, words: &str) -> Self {
        let words = sentence_of(&without_people(words));
        self.quote = (!words.is_empty()).then(|| format!("{who} says: {words}").into());
        self
    }

    /// What happened, without what to do about it: if something else is to be done.
    pub fn without_remedy(&self) -> Self {
        Self { remedy: String::new(), ..self.clone() }
    }

    /// The cause, and what the service itself says.
    pub fn account(&self) -> String {
        let cause = sentence_of(&self.cause);
        match &self.quote {
            Some(quote) => format!("{cause} {quote}"),
            None => cause,
        }
    }
}

/// Foreign words without a person's e-mail address, which services often include: a log has many readers.
pub fn without_people(words: &str) -> String {
    let is_address = |word: &str| {
        let (name, host) = word.split_once('@').or_else(|| word.split_once("%40"))?;
        let ending = host.trim_end_matches(|c: char| !c.is_alphanumeric()).rsplit_once('.')?.1;
        let is_name = name.contains(char::is_alphanumeric);
        (is_name && ending.contains(char::is_alphabetic)).then_some(())
    };
    let shown = words.split_inclusive(char::is_whitespace).map(|word| {
        let blank = &word[word.trim_end().len()..];
        if is_address(word).is_some() { format!("(withheld){blank}") } else { word.to_owned() }
    });
    shown.collect()
}

/// Foreign words as one sentence that another can follow: on one line, with a stop at its end.
pub fn sentence_of(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let last =
        line.trim_end_matches(['"', '\'', ')', ']', '\u{201d}', '\u{2019}', '\u{bb}']).chars().next_back();
    match last {
        Some('.' | '!' | '?' | '\u{2026}' | '\u{3002}') => line,
        Some(',' | ';' | ':') if line.ends_with([',', ';', ':']) => {
            format!("{}.", line.trim_end_matches([',', ';', ':', ' ']))
        }
        _ if line.is_empty() => line,
        _ => line + ".",
    }
}

/// Cause, remedy, and in brackets the name and the ids: one line, unless a service's name of the error holds more.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.account())?;
        if !self.remedy.is_empty() {
            write!(formatter, " {}", sentence_of(&self.remedy))?;
        }
        let ids = self.support_ids.iter().map(|(name, id)| format!("{name}: {id}"));
        // A name may be the service's own sentence.
        let name = self.name.iter().map(|name| name.trim_end_matches(['.', ' ']).to_owned());
        let details: Vec<String> = name.chain(ids).collect();
        if !details.is_empty() {
            write!(formatter, " [{}]", details.join("; "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("no", "no.")]
    #[case(" TF400813: no access.\r\n", "TF400813: no access.")]
    #[case("Really?", "Really?")]
    #[case("He said \"no.\"", "He said \"no.\"")]
    #[case("the group (7)", "the group (7).")]
    #[case("The reasons are:", "The reasons are.")]
    #[case("two\nlines", "two lines.")]
    #[case("", "")]
    #[case(" \t", "")]
    fn foreign_words_end_with_one_stop(#[case] words: &str, #[case] sentence: &str) {
        assert_eq!(sentence_of(words), sentence);
    }

    #[rstest]
    #[case(
        "TF400813: The user 'alex@contoso.example' is not authorized.",
        "TF400813: The user (withheld) is not authorized."
    )]
    #[case("as megan.b@contoso.example", "as (withheld)")]
    #[case(
        "TF401444: Please sign-in at least once as 00000000-0000-0000-0000-000000000001\\alex@contoso.example in a web \
         browser to enable access to the service.",
        "TF401444: Please sign-in at least once as (withheld) in a web browser to enable access to the service."
    )]
    #[case("of alex_contoso.example#EXT#@fabrikam.onmicrosoft.com,\nnone", "of (withheld)\nnone")]
    #[case("see https://x.example/?login_hint=alex%40contoso.example", "see (withheld)")]
    #[case("@scope/package and a@b, left-pad@1.3.0", "@scope/package and a@b, left-pad@1.3.0")]
    fn no_person_is_addressed_in_a_services_words(#[case] words: &str, #[case] shown: &str) {
        assert_eq!(without_people(words), shown);
        let failure = Failure::new(Exit::Refused, "No.", "").named(words).quoting("It", words);
        assert!(!format!("{failure} {failure:?}").contains("contoso.example"), "{failure}");
    }

    #[test]
    fn a_service_that_says_nothing_is_not_quoted() {
        let failure = Failure::new(Exit::Refused, "It failed.", "Ask.");
        assert_eq!(failure.clone().quoting("Azure DevOps", " \n"), failure);
        let quoted = failure.quoting("Azure DevOps", "no").to_string();
        assert_eq!(quoted, "It failed. Azure DevOps says: no. Ask.");
    }

    #[test]
    fn an_id_of_two_names_is_told_once() {
        let ids = [("ActivityId", "a".to_owned()), ("X-VSS-E2EID", "A".into()), ("other", "b".into())];
        let failure = Failure::new(Exit::Refused, "No.", "Ask.").with_support_ids(ids);
        assert_eq!(failure.to_string(), "No. Ask. [ActivityId: a; other: b]");
    }

    #[test]
    fn a_name_that_is_a_sentence_has_no_stop_before_the_ids() {
        let failure = Failure::new(Exit::Refused, "It failed", "Ask").named("TF400898: An error.");
        let text = failure.with_support_ids([("ActivityId", "1".to_owned())]).to_string();
        assert_eq!(text, "It failed. Ask. [TF400898: An error; ActivityId: 1]");
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_the_next_sentence_stands_apart(words in any::<String>()) {
            let failure = Failure::new(Exit::Refused, "It failed.", "Ask.").quoting("It", &words);
            let text = failure.and("More.").to_string();
            let quoted = text.strip_prefix("It failed. More. ").and_then(|rest| rest.strip_suffix("Ask."));
            let quoted = quoted.expect("both sentences are whole");
            prop_assert!(quoted.is_empty() || quoted.ends_with(' '), "{text}");
            prop_assert_eq!(sentence_of(quoted), quoted.trim_end());
            prop_assert!(!text.contains('\n'));
        }
    }
}
