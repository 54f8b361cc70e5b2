//! Splitting a line into words as a POSIX shell does it, where no shell runs: quotes and backslashes count, and
//! nothing else does. There is no expansion, no operator and no comment.
//!
//! The crates that split words drop what follows a `#`, which an argument may well begin with.

/// Splits the line into its words.
///
/// # Errors
/// The rest of a sentence that says what is wrong with the line.
pub fn split(line: &str) -> Result<Vec<String>, &'static str> {
    const OPEN: &str = "has a quote that is not closed";
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or(OPEN)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or(OPEN)? {
                        '"' => break,
                        '\\' => match rest.next().ok_or(OPEN)? {
                            '\n' => {}
                            c @ ('$' | '`' | '"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => match rest.next().ok_or("ends in a backslash, which has nothing to quote")? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("", &[])]
    #[case(" \t ", &[])]
    #[case("gh secret set ADO_PAT", &["gh", "secret", "set", "ADO_PAT"])]
    #[case("  a\t\tb\nc ", &["a", "b", "c"])]
    #[case("'a b' \"c d\" e\\ f", &["a b", "c d", "e f"])]
    #[case("a'b'\"c\"d", &["abcd"])]
    #[case("'' \"\"", &["", ""])]
    #[case(r#"'\n' "\n" \n"#, &["\\n", "\\n", "n"])]
    #[case(r#""\$\`\"\\""#, &["$`\"\\"])]
    #[case("a\\\nb \"c\\\nd\" \\\n e", &["ab", "cd", "e"])]
    #[case("a # b #c d#e", &["a", "#", "b", "#c", "d#e"])]
    #[case("a|b && c; d > e < f $(g) `h` $i ~ * {j,k} !", &[
        "a|b", "&&", "c;", "d", ">", "e", "<", "f", "$(g)", "`h`", "$i", "~", "*", "{j,k}", "!",
    ])]
    fn words_are_split_as_a_shell_does_it(#[case] line: &str, #[case] words: &[&str]) {
        assert_eq!(split(line).expect("words"), words);
    }

    #[rstest]
    #[case("a 'b", "quote")]
    #[case("a \"b", "quote")]
    #[case("a \"b\\", "quote")]
    #[case("a \\", "backslash")]
    fn what_has_no_end_is_refused(#[case] line: &str, #[case] why: &str) {
        assert!(split(line).expect_err("no words").contains(why));
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_is_read_back(words in proptest::collection::vec(any::<String>(), 0..5)) {
            let line: Vec<String> =
                words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
            prop_assert_eq!(split(&line.join(" ")).expect("words"), words);
        }

        #[test]
        fn a_real_shell_splits_plain_words_alike(line in "[a-z #=./\\\\'\"%,:@-]{0,40}") {
            // A shell reads a word that begins with # as a comment.
            let is_comment = line.starts_with('#') || line.contains(" #");
            if let (Ok(words), false) = (split(&line), is_comment || cfg!(not(unix))) {
                let script = format!("for word in {line}\ndo printf '%s\\n' \"$word\"; done");
                let shell = std::process::Command::new("/bin/sh").args(["-c", &script]).output().expect("a shell");
                let told = String::from_utf8(shell.stdout).expect("text");
                prop_assert_eq!(told, words.iter().map(|word| format!("{word}\n")).collect::<String>());
            }
        }
    }
}
