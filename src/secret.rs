//! Secrets and the register of what must never be read in a log.
//!
//! A [`Secret`] is made the moment a secret is read and is the only shape in which one travels through
//! adopat. It has no `Display`, its `Debug` says nothing, clones share one buffer, and the buffer is wiped
//! when the last clone goes. [`Register`] knows every secret of the run, so that whatever is printed can be
//! searched for them once more, after the host has been told to mask them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// The shortest text, in bytes, that is worth masking. Anything shorter would blank out half a log and give
/// the secret away by position.
pub const SHORTEST_MASK: usize = 6;

/// All characters that an encoder may change: everything but the unreserved ones of RFC 3986.
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

    /// The forms in which this secret could turn up in a log: as it is, percent-encoded, and in base64 whatever
    /// stands before it; a secret of several lines by each of its lines, and what control characters part by each
    /// part. Forms shorter than [`SHORTEST_MASK`] are
    /// left out.
    pub fn forms(&self) -> Vec<Secret> {
        let text = self.expose();
        if text.len() < SHORTEST_MASK {
            return Vec::new();
        }
        let mut forms: Vec<Zeroizing<String>> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("-----"))
            .map(|line| line.to_owned().into())
            .collect();
        let pieces = |line: &Zeroizing<String>| -> Vec<Zeroizing<String>> {
            line.split(char::is_control).map(|piece| piece.to_owned().into()).collect()
        };
        let pieces: Vec<_> =
            forms.iter().filter(|line| line.contains(char::is_control)).flat_map(pieces).collect();
        if forms.len() == 1 {
            forms.push(percent_encoding::utf8_percent_encode(text, RESERVED).to_string().into());
            forms.extend(within_base64(text));
        }
        forms.extend(pieces);
        without_repetition(forms)
    }

    /// The forms of a PAT, which clients send in base64 after a user name or none: those of any secret, and what
    /// they become in the lines of a tool that wraps its base64.
    ///
    /// GNU and MIME wrap at 76 characters, OpenSSL and PEM at 64. After no user name and after `user` each line is
    /// masked whole, whether or not a line break was encoded too. After any other prefix the lines break elsewhere:
    /// pieces are masked, so that at most 15 characters that tell of the PAT can be read at the edge of a line.
    pub fn forms_of_a_pat(&self, user: &str) -> Vec<Secret> {
        let pat = self.expose();
        let mut forms: Vec<Zeroizing<String>> =
            self.forms().iter().map(|form| form.expose().to_owned().into()).collect();
        for prefix in ["", ":", &format!("{user}:")] {
            for end in ["", "\n"] {
                let encoded = in_base64(Zeroizing::new([prefix, pat, end].concat()).as_bytes());
                for width in WIDTHS {
                    // Lines before the PAT's first byte tell nothing of it.
                    let lines = encoded.as_bytes().chunks(width).skip(4 * prefix.len() / 3 / width);
                    forms.extend(lines.map(ascii));
                }
            }
        }
        for whole in within_base64(pat) {
            let pieces = whole.len().div_ceil(LONGEST_PIECE);
            let cut = |piece: usize| piece * whole.len() / pieces;
            forms.extend((0..pieces).map(|piece| ascii(&whole.as_bytes()[cut(piece)..cut(piece + 1)])));
        }
        without_repetition(forms)
    }
}

/// Where tools break the lines of base64: OpenSSL and PEM, GNU and MIME, and none.
const WIDTHS: [usize; 3] = [64, 76, usize::MAX];

/// The longest piece of a PAT's base64 that is masked by itself. Beside the rest of a broken one, up to 3 characters
/// that the PAT shares with what stands before it can be read: together no more than 15.
const LONGEST_PIECE: usize = 13;

/// What stands in base64 of any text that holds this one: it begins at the first, second or third byte of a group of
/// three, so that none, two or one of its bytes share a group with what stands before. The last character is left
/// out if what follows has a say in it. Each in both alphabets, if they differ.
fn within_base64(text: &str) -> Vec<Zeroizing<String>> {
    let mut all = Vec::new();
    for skipped in 0..text.len().min(3) {
        let bytes = &text.as_bytes()[skipped..];
        let mut encoded = in_base64(bytes);
        encoded.truncate(bytes.len() * 8 / 6);
        if encoded.contains(['+', '/']) {
            all.push(encoded.replace('+', "-").replace('/', "_").into());
        }
        all.push(encoded);
    }
    all
}

fn in_base64(bytes: &[u8]) -> Zeroizing<String> {
    STANDARD.encode(bytes).into()
}

fn ascii(bytes: &[u8]) -> Zeroizing<String> {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Each form once, in this order, without those that are too short to be masked.
fn without_repetition(forms: Vec<Zeroizing<String>>) -> Vec<Secret> {
    let mut kept: Vec<Secret> = Vec::with_capacity(forms.len());
    for form in forms {
        if form.len() >= SHORTEST_MASK && kept.iter().all(|other| other.0.as_str() != form.as_str()) {
            kept.push(Secret(Arc::new(form)));
        }
    }
    kept
}

/// Called with every token that the run receives, before anything is done with it, so that it is masked.
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
    /// Adds the forms of a secret; returns those that were not known yet, which the host has to mask.
    pub fn add(&self, forms: Vec<Secret>) -> Vec<Secret> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forms.into_iter().filter(|form| known.insert(form.clone())).collect()
    }

    /// The text with every known secret replaced by `***`; if some overlap or touch, all of it by one.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let hidden = self.found_in(text);
        if hidden.is_empty() {
            return text.into();
        }
        let mut redacted = String::with_capacity(text.len());
        let mut from = 0;
        for Range { start, end } in hidden {
            redacted.push_str(&text[from..start]);
            redacted.push_str("***");
            from = end;
        }
        redacted.push_str(&text[from..]);
        redacted.into()
    }

    /// Where known secrets stand in the text, in order; those that overlap or touch are one.
    fn found_in(&self, text: &str) -> Vec<Range<usize>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Range<usize>> =
            known.iter().flat_map(|form| occurrences(text, form.expose())).collect();
        all.sort_by_key(|range| range.start);
        all.dedup_by(|next, before| {
            let touch = next.start <= before.end;
            before.end = before.end.max(if touch { next.end } else { 0 });
            touch
        });
        all
    }
}

/// Wherever it occurs, overlapping itself too.
fn occurrences<'a>(text: &'a str, wanted: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text.get(from..)?.find(wanted)?;
        from = start + wanted.chars().next()?.len_utf8();
        Some(start..start + wanted.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2hunter2".into())), "Secret");
    }

    #[test]
    fn every_form_is_redacted_once_registered() {
        let register = Register::default();
        let secret = Secret::new("pass/word+1".into());
        assert!(!register.add(secret.forms()).is_empty());
        assert!(register.add(secret.forms()).is_empty(), "a second time nothing is new");
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

    #[test]
    fn secrets_that_overlap_or_touch_leave_nothing_between_them() {
        let register = Register::default();
        for text in ["abcdefgh", "efghijkl", "ababab"] {
            register.add(Secret::new(text.into()).forms());
        }
        assert_eq!(register.redact("<abcdefghijkl>"), "<***>");
        assert_eq!(register.redact("<abcdefghefghijkl> ababababab"), "<***> ***");
    }

    const USER: &str = "fabrikam";

    /// A PAT of 52 characters, as they were, or of 84.
    fn pat(length: usize) -> String {
        let letters = "FAKE7Qm2Zx9Lr4Vb1Nc8Kd3Hg6Js5Tw0Yp".chars().cycle();
        match length {
            84 => letters.take(75).chain("AZDO".chars()).chain("FaKe9".chars()).collect(),
            length => letters.take(length).collect(),
        }
    }

    fn knowing(pat: &str) -> Register {
        let register = Register::default();
        register.add(Secret::new(pat.into()).forms_of_a_pat(USER));
        register
    }

    /// What stands before the PAT: nothing, a bare colon, the organization, or a user name so long.
    fn prefixes() -> Vec<String> {
        let of_length =
            |length: usize| if length == 0 { String::new() } else { "u".repeat(length - 1) + ":" };
        (0..=60).map(of_length).chain([format!("{USER}:")]).collect()
    }

    /// What is put into base64: a PAT of either length after each prefix, alone and with what may follow.
    fn texts() -> Vec<Text> {
        let mut texts = Vec::new();
        for length in [52, 84] {
            for prefix in prefixes() {
                for end in ["", "\n", "\r\n", "@dev.azure.com\n"] {
                    texts.push(Text { prefix: prefix.clone(), pat: pat(length), end: end.to_owned() });
                }
            }
        }
        texts
    }

    struct Text {
        prefix: String,
        pat: String,
        end: String,
    }

    impl Text {
        fn whole(&self) -> String {
            [self.prefix.as_str(), &self.pat, &self.end].concat()
        }

        /// Holds a tool's base64 of it to what may be read of the PAT in a log.
        fn check(&self, encoded: &str) {
            let whole = encoded.split_whitespace().collect::<String>();
            assert_eq!(whole, STANDARD.encode(self.whole()));
            let register = knowing(&self.pat);
            let known = ["".to_owned(), ":".to_owned(), format!("{USER}:")].contains(&self.prefix);
            let exact = known && ["", "\n"].contains(&self.end.as_str());
            let bits = 8 * self.prefix.len()..8 * (self.prefix.len() + self.pat.len());
            let mut before = 0;
            for line in encoded.lines() {
                let hidden = register.found_in(line);
                let is_read = |column: &usize| {
                    let bit = 6 * (before + column);
                    let of_the_pat = bit + 6 > bits.start && bit < bits.end && *column < line.len();
                    of_the_pat && !hidden.iter().any(|range| range.contains(column))
                };
                let mut column = 0;
                while column < line.len() {
                    let length = (column..).take_while(is_read).count();
                    let at_an_edge = column == 0 || column + length == line.len();
                    let most = match (exact, at_an_edge) {
                        // So short a line cannot be masked.
                        (true, _) if line.len() < SHORTEST_MASK => line.len(),
                        (true, _) => 0,
                        (false, true) => 15,
                        (false, false) => 3,
                    };
                    assert!(length <= most, "{length} at {column} of {line} of {:?}\n{encoded}", self.prefix);
                    column += length.max(1);
                }
                before += line.len();
            }
        }
    }

    /// A program with its arguments and input; `None` if it is not on this machine.
    fn output_of(program: &str, arguments: &[&str], input: &str) -> Option<String> {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut command = Command::new(program);
        let Ok(mut child) = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        else {
            eprintln!("skipped: {program} is not on this machine");
            return None;
        };
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{program}");
        Some(String::from_utf8(output.stdout).expect("text"))
    }

    #[rstest]
    #[case::gnu("base64", &[])]
    #[case::gnu_at_64("base64", &["-w64"])]
    #[case::gnu_unwrapped("base64", &["-w0"])]
    #[case::openssl("openssl", &["base64"])]
    #[case::openssl_unwrapped("openssl", &["base64", "-A"])]
    fn a_pat_cannot_be_read_in_a_tools_base64(#[case] tool: &str, #[case] arguments: &[&str]) {
        for text in texts() {
            let Some(encoded) = output_of(tool, arguments, &text.whole()) else { return };
            text.check(&encoded);
        }
    }

    #[rstest]
    #[case::python(
        "python3",
        &["-c", "import base64, json, sys\nprint(json.dumps([base64.encodebytes(t.encode()).decode() for t in json.load(sys.stdin)]))"]
    )]
    #[case::node_as_mime(
        "node",
        &["-e", r"console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(t => Buffer.from(t).toString('base64').replace(/.{76}/g, '$&\r\n'))))"]
    )]
    #[case::node_as_pem(
        "node",
        &["-e", r"console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(t => Buffer.from(t).toString('base64').match(/.{1,64}/g).join('\n'))))"]
    )]
    fn a_pat_cannot_be_read_in_a_languages_base64(#[case] tool: &str, #[case] arguments: &[&str]) {
        let texts = texts();
        let wholes: Vec<String> = texts.iter().map(Text::whole).collect();
        let input = serde_json::to_string(&wholes).expect("JSON");
        let Some(output) = output_of(tool, arguments, &input) else { return };
        let encoded: Vec<String> = serde_json::from_str(&output).expect("JSON");
        assert_eq!(encoded.len(), texts.len());
        for (text, encoded) in texts.iter().zip(encoded) {
            text.check(&encoded);
        }
    }

    proptest! {
        #[test]
        fn a_pat_cannot_be_read_after_any_prefix_in_lines_of_any_width(
            prefix in "\\PC{0,40}", end in "\\PC{0,3}", pat in "[A-Za-z0-9]{52}|[A-Za-z0-9]{84}", width in 40usize..200
        ) {
            // After the prefixes that are known the usual widths alone are masked whole.
            let text = Text { prefix: prefix + "|", pat, end };
            let encoded = STANDARD.encode(text.whole());
            let lines: Vec<_> = encoded.as_bytes().chunks(width).map(String::from_utf8_lossy).collect();
            text.check(&lines.join("\n"));
        }
    }

    #[rstest]
    #[case(52)]
    #[case(84)]
    fn the_masks_of_a_pat_are_few_and_none_could_blank_a_log(#[case] length: usize) {
        let forms = Secret::new(pat(length)).forms_of_a_pat(USER);
        assert!(forms.len() <= 64, "{}", forms.len());
        for form in &forms {
            let text = form.expose();
            assert!(text.len() >= 6, "{text}");
            let log =
                "Created the PAT 'ci' (00000000-0000-0000-0000-000000000001) of fabrikam with vso.packaging.";
            assert!(!log.contains(text) && !STANDARD.encode(format!("{USER}:")).contains(text), "{text}");
        }
    }
}
