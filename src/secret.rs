//! Secrets and the register of what must never be read in a log.
//!
//! A [`Secret`] is made the moment a secret is read and is the only shape in which one travels through
//! adopat. It has no `Display`, its `Debug` says nothing, clones share one buffer, and the buffer is wiped
//! when the last clone goes. [`Register`] knows every secret of the run, so that whatever is printed can be
//! searched for them once more, after the host has been told to mask them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// The shortest text, in bytes, that is worth masking. Anything shorter would blank out half a log and give
/// the secret away by position.
pub const SHORTEST_MASK: usize = 6;

/// Everything but the unreserved characters of RFC 3986, which no encoder touches.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text that must not be read by anyone but its addressee.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes the text over; no other copy of it should outlive this call.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The forms in which this secret could turn up in a log: as it is, percent-encoded, in base64 alone and
    /// after the colon of an `Authorization: Basic` header; a secret of several lines by each of its lines.
    /// Forms shorter than [`SHORTEST_MASK`] are left out.
    pub fn forms(&self) -> Vec<Secret> {
        let text = self.expose();
        let mut forms: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).map(String::from).collect();
        if forms.len() == 1 {
            forms.push(percent_encoding::utf8_percent_encode(text, RESERVED).to_string());
            forms.push(STANDARD.encode(text));
            forms.push(STANDARD.encode(format!(":{text}")));
        }
        forms.dedup();
        forms.into_iter().filter(|form| form.len() >= SHORTEST_MASK).map(Secret::new).collect()
    }
}

/// Told of every token that the run is given, before anything is done with it, so that it is masked.
pub type Mask = Arc<dyn Fn(&Secret) + Send + Sync>;

impl Ord for Secret {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.expose().cmp(other.expose())
    }
}

impl PartialOrd for Secret {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Every form of every secret this run has met. Shared by all that prints.
#[derive(Clone, Debug, Default)]
pub struct Register(Arc<Mutex<BTreeSet<Secret>>>);

impl Register {
    /// Adds a secret; returns those of its [forms](Secret::forms) that were not known yet, which the host has
    /// to mask.
    pub fn add(&self, secret: &Secret) -> Vec<Secret> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secret.forms().into_iter().filter(|form| known.insert(form.clone())).collect()
    }

    /// The text with every known secret replaced by `***`, longest first, so that no part of one stays.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<&str> =
            known.iter().map(Secret::expose).filter(|form| text.contains(form)).collect();
        found.sort_by_key(|form| std::cmp::Reverse(form.len()));
        found.into_iter().fold(text.into(), |text, form| text.replace(form, "***").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2hunter2".into())), "Secret");
    }

    #[test]
    fn every_form_is_redacted_once_registered() {
        let register = Register::default();
        let secret = Secret::new("pass/word+1".into());
        assert!(!register.add(&secret).is_empty());
        assert!(register.add(&secret).is_empty(), "a second time nothing is new");
        for form in secret.forms() {
            assert_eq!(register.redact(&format!("<{}>", form.expose())), "<***>");
        }
    }

    #[test]
    fn nothing_short_is_masked() {
        assert!(Secret::new("abc".into()).forms().iter().all(|form| form.expose().len() >= SHORTEST_MASK));
        assert_eq!(Secret::new("ab".into()).forms().len(), 0);
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_line_by_line_without_its_frame() {
        let pem = Secret::new(
            "-----BEGIN PRIVATE KEY-----\nAAAAAAAA\nBBBBBBBB\n-----END PRIVATE KEY-----\n".into(),
        );
        let forms: Vec<_> = pem.forms().iter().map(|form| form.expose().to_owned()).collect();
        assert_eq!(forms, ["AAAAAAAA", "BBBBBBBB"]);
    }
}
