//! Completion for zsh, with its own `_arguments`.

use std::fmt::Write as _;

use super::{STORES, first_words, flags_of, operations, shells, summary};
use crate::inputs::table::Value;
use crate::operation_name::OperationName;

pub(super) fn script() -> String {
    let mut script = String::from(HEAD);
    for (word, help) in first_words() {
        let _ = writeln!(script, "        {}", quoted(&format!("{}:{help}", word.replace(':', "\\:"))));
    }
    script.push_str(MIDDLE);
    for word in OperationName::ALL {
        let _ = writeln!(script, "    {})\n        _arguments \\", word.text());
        for (input, flag) in flags_of(word) {
            let often = if input.repeatable { "*" } else { "" };
            let help = summary(input).replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
            let help = help.replace(':', "\\:");
            let name = input.value.placeholder();
            let value = match input.value {
                // Alone it is true: only behind an = does a value follow.
                Value::Boolean => format!("{often}{flag}=-[{help}]::{name}:(true false)"),
                Value::Choice => {
                    let choices = input.choices_for(word).collect::<Vec<_>>().join(" ");
                    format!("{often}{flag}=[{help}]:{name}:({choices})")
                }
                Value::Path | Value::Document => format!("{often}{flag}=[{help}]:{name}:_files"),
                Value::Store => format!("{often}{flag}=[{help}]:{name}:_adopat_store"),
                Value::Text(_) => format!("{often}{flag}=[{help}]:{name}: "),
            };
            let _ = writeln!(script, "            {} \\", quoted(&value));
        }
        // The option -- ends those of adopat; behind it another command begins.
        script.push_str("            '(-)'{-h,--help}'[explain the operation]'");
        if word == OperationName::Exec {
            script.push_str(" \\\n            '(-)--[end the flags]:*:::command:_normal -p adopat'");
        }
        script.push_str("\n        ;;\n");
    }
    let tail = TAIL.replace("{operations}", &operations()).replace("{shells}", &shells());
    script.push_str(&tail.replace("{stores}", &STORES.replace(':', "")));
    script
}

/// In single quotes, between which zsh reads everything as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

const HEAD: &str = r#"#compdef adopat
# Completes adopat's command line in zsh. Made by 'adopat completions zsh'.

_adopat_store() {
    if compset -P 'file:'; then
        _files
    else
        compadd -S : -- $=_adopat_stores
    fi
}

_adopat() {
    local -a operations=(
"#;

const MIDDLE: &str = r#"    )
    if ((CURRENT == 2)); then
        _describe operation operations
        compadd -- --help --version
        return
    fi
    local operation=$words[2]
    shift words
    ((CURRENT--))
    case $operation in
"#;

const TAIL: &str = r#"    help)
        compadd -- {operations} completions
        ;;
    completions)
        compadd -- {shells}
        ;;
    esac
}

typeset -g _adopat_stores='{stores}'
if [[ ${funcstack[1]} == _adopat ]]; then
    _adopat "$@"
else
    compdef _adopat adopat
fi
"#;
