//! Foreign text, made harmless for a log.
//!
//! Whatever a service, an input or an error says may end up in a line that a CI system reads for commands
//! and a terminal reads for escapes. [`line()`] makes one line of it in which none can stand; [`json`] does the
//! same for JSON without changing its value. Nothing is ever taken out of a text, so that nothing can join.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text as one line in which no host finds a command and no terminal an escape.
///
/// Line breaks and tabs become spaces, every other character that cannot be seen becomes `\u{...}`, every
/// `##` becomes `# #` (Azure Pipelines reads `##vso[`, GitHub `##[` and TeamCity `##teamcity[` anywhere in a
/// line), and `::` at the start, where GitHub looks for a command, becomes `: :`. Either is parted too where
/// nothing but what a search may skip is between or before. Doing it twice changes nothing more.
pub fn line(text: &str) -> Cow<'_, str> {
    if is_plain(text) && !text.trim_start().starts_with("::") {
        return text.into();
    }
    let mut line = String::with_capacity(text.len());
    // The last character that no search skips, and whether nothing but blanks is before it.
    let (mut last, mut first_in_line) = (None, true);
    for c in text.chars() {
        let shown = match c {
            '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            c if is_invisible(c) => '\\',
            c => mark(c),
        };
        if shown == '#' && last == Some('#') || shown == ':' && last == Some(':') && first_in_line {
            line.push(' ');
        }
        match shown {
            '\\' if c != '\\' => line.extend(c.escape_unicode()),
            ' ' => line.push(' '),
            _ => line.push(c),
        }
        if !may_be_skipped(shown) {
            first_in_line &= last.is_none_or(|last| last == ' ');
            last = Some(shown);
        }
    }
    line.into()
}

/// The text with every character that cannot be seen as `\u{...}`, but its line breaks and tabs kept: for a
/// value that a host takes whole, or a Markdown page.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' => shown.push(c),
            c if is_invisible(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Valid JSON as JSON of the same value, in whose lines no host finds a command and no terminal an escape:
/// what cannot be seen, and the second `#` of `##`, become `\uXXXX`. [`line()`] leaves each of its lines as it
/// is, so that it may be printed like any other text.
pub fn json(text: &str) -> Cow<'_, str> {
    if text.split('\n').all(is_plain) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut after_hash = false;
    for c in text.chars() {
        match c {
            // These stand between values alone: within a string JSON has them escaped already.
            '\n' => shown.push(c),
            '\t' | '\r' => shown.push(' '),
            c if is_invisible(c) || (after_hash && mark(c) == '#') => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(shown, "\\u{unit:04x}");
                }
                after_hash = false;
                continue;
            }
            c => shown.push(c),
        }
        after_hash = mark(c) == '#' || (after_hash && may_be_skipped(c));
    }
    shown.into()
}

/// Whether there is nothing to make harmless within a line, as nearly always: printable ASCII without `##`.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains("##")
}

/// The `#` or `:` for which the character passes in a search that ignores case: .NET then compares what ICU calls the
/// secondary strength, which tells neither width nor size apart. Any other character is itself.
fn mark(c: char) -> char {
    match c {
        '\u{fe5f}' | '\u{ff03}' => '#',
        '\u{fe13}' | '\u{fe55}' | '\u{ff1a}' => ':',
        c => c,
    }
}

/// Whether a search that heeds a culture might skip the character, as .NET's does, in which both the Azure agent and
/// the GitHub runner are written: `#`, U+0640 and `#` are then found as `##`.
///
/// ICU skips what the Unicode collation algorithm gives no weight at all: controls, format characters, and some
/// hundred marks and letters of Arabic, Cyrillic, Hebrew and others, of which every version of it has its own list. In
/// ASCII only controls are among them. So whatever is not ASCII counts as skipped: the cost is a space in `#ü#`.
fn may_be_skipped(c: char) -> bool {
    !c.is_ascii()
}

/// Whether a reader would not see the character: controls, line and paragraph separators, and what Unicode
/// calls format (Cf) or default ignorable, which is where bidirectional overrides, zero-width characters,
/// byte order marks and tags are.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("TF400813: no access", "TF400813: no access")]
    #[case("a\r\nb\tc", "a  b c")]
    #[case("##vso[task.complete result=Failed]", "# #vso[task.complete result=Failed]")]
    #[case("x ###[error]y", "x # # #[error]y")]
    #[case("#\u{ad}#vso[", "#\\u{ad}#vso[")]
    #[case("#\n#vso[", "# #vso[")]
    #[case("::error::x", ": :error::x")]
    #[case(" \u{a0}:::x", " \u{a0}: ::x")]
    #[case("\n::error::x", " : :error::x")]
    #[case("a::b", "a::b")]
    #[case("\u{1b}[2J\u{9b}1m\u{7f}", "\\u{1b}[2J\\u{9b}1m\\u{7f}")]
    #[case("\u{202e}gpj\u{feff}\u{200b}", "\\u{202e}gpj\\u{feff}\\u{200b}")]
    #[case("Ünïcode, 日本語", "Ünïcode, 日本語")]
    #[case("#\u{640}#vso[x.y]", "#\u{640} #vso[x.y]")]
    #[case("#\u{488}\u{6d6}#\u{301}#[", "#\u{488}\u{6d6} #\u{301} #[")]
    #[case("＃﹟#vso[", "＃ ﹟ #vso[")]
    #[case("\u{640}:\u{640}:error::", "\u{640}:\u{640} :error::")]
    #[case("：﹕error::", "： ﹕error::")]
    #[case("a \\ b::c", "a \\ b::c")]
    fn foreign_text_becomes_one_harmless_line(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(line(text), expected);
    }

    #[rstest]
    #[case("{\"a\":\"###[x\"}", "{\"a\":\"#\\u0023#[x\"}")]
    #[case("{\"a\":\"\u{7f}\u{202e}\u{e0041}\"}", r#"{"a":"\u007f\u202e\udb40\udc41"}"#)]
    #[case("[\n  1,\t2\r\n]", "[\n  1, 2 \n]")]
    fn json_is_escaped_the_json_way(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(json(text), expected);
    }

    /// Any text, but made of what is dangerous more often than not.
    fn hostile() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("#".to_owned()),
            Just(":".to_owned()),
            Just("##vso[a.b]".to_owned()),
            Just("##[error]".to_owned()),
            Just("::error::".to_owned()),
            Just(" ".to_owned()),
            "[\u{640}\u{488}\u{301}\u{ad}＃﹟：﹕\u{fe13}é]",
            any::<char>().prop_map(String::from),
            (0u32..0x3000).prop_map(|c| char::from_u32(c).map(String::from).unwrap_or_default()),
        ];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_without_commands_or_escapes(text in hostile()) {
            let shown = line(&text);
            // What a search reads that skips all it might.
            let read: String = shown.chars().map(mark).filter(|c| !may_be_skipped(*c)).collect();
            for read in [&*shown, &read] {
                prop_assert!(!read.contains("##"), "{read}");
                prop_assert!(!read.trim_start().starts_with("::"), "{read}");
            }
            prop_assert!(!shown.chars().any(is_invisible));
            prop_assert_eq!(&line(&shown), &shown, "twice is once");
        }

        #[test]
        fn nothing_is_taken_out(text in hostile()) {
            prop_assert!(line(&text).chars().count() >= text.chars().count());
        }

        #[test]
        fn json_keeps_its_value_and_stands_in_a_log_as_it_is(text in hostile(), key in hostile()) {
            let value = serde_json::json!({ key: [text, 1, null] });
            for written in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
                let shown = json(&written);
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), &value);
                for each in shown.lines() {
                    prop_assert_eq!(line(each), each);
                }
            }
        }
    }

    /// Node holds the whole of ICU, by which .NET searches.
    #[test]
    fn no_character_that_icu_skips_hides_a_command() {
        const JUDGE: &str = "
            const exact = new Intl.Collator('en'), loose = new Intl.Collator('en', { sensitivity: 'accent' });
            const all = [...Array(0x110000).keys()].filter(i => i < 0xd800 || i > 0xdfff).map(i => String.fromCodePoint(i));
            const like = mark => all.filter(c => loose.compare(c, mark) === 0);
            console.log(JSON.stringify([all.filter(c => exact.compare('#' + c + '#', '##') === 0), like('#'), like(':')]));
        ";
        let Ok(output) = std::process::Command::new("node").args(["-e", JUDGE]).output() else {
            eprintln!("skipped: node is not on this machine");
            return;
        };
        let [skipped, hashes, colons]: [std::collections::HashSet<char>; 3] =
            serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(skipped.len() > 400 && skipped.contains(&'\u{640}') && hashes.contains(&'#'));
        let read = |text: &str| {
            let shown = line(text);
            let seen = shown.chars().filter(|c| !skipped.contains(c));
            let read = seen.map(|c| {
                if hashes.contains(&c) {
                    '#'
                } else if colons.contains(&c) {
                    ':'
                } else {
                    c
                }
            });
            read.collect::<String>()
        };
        for c in &skipped {
            assert_eq!(read(&format!("x#{c}#vso[y.z]")).find("##"), None, "{c:?}");
            assert!(!read(&format!("{c}:{c}:error::x")).trim_start().starts_with("::"), "{c:?}");
        }
        for hash in &hashes {
            assert_eq!(read(&format!("{hash}{hash}vso[y.z]")).find("##"), None, "{hash:?}");
        }
        for colon in &colons {
            assert!(!read(&format!("{colon}{colon}error::x")).starts_with("::"), "{colon:?}");
        }
    }
}
