//! Completion for bash, whose readline splits a word at `=` and at `:`.

use std::fmt::Write as _;

use super::{STORES, first_words, flags_of, operations, shells};
use crate::inputs::table::Value;
use crate::operation_name::OperationName;

pub(super) fn script() -> String {
    let mut script = String::from(HEAD);
    for word in OperationName::ALL {
        let flags: Vec<String> = flags_of(word).map(|(_, flag)| flag).collect();
        let repeatable = flags_of(word).filter(|(input, _)| input.repeatable).map(|(_, flag)| flag);
        let repeatable: Vec<String> = repeatable.collect();
        let _ = writeln!(
            script,
            "    {}) flags='{} --help' repeatable=' {} ' ;;",
            word.text(),
            flags.join(" "),
            repeatable.join(" ")
        );
    }
    script.push_str("    esac\n    case $operation:$flag in\n");
    for (word, (input, flag)) in
        OperationName::ALL.into_iter().flat_map(|word| flags_of(word).map(move |of| (word, of)))
    {
        let action = match input.value {
            // Alone it is true: only behind an = does a value follow.
            Value::Boolean => "[ \"$joined\" ] && words='true false' || flag=".into(),
            Value::Choice => format!("words='{}'", input.choices_for(word).collect::<Vec<_>>().join(" ")),
            Value::Path | Value::Document => "files=1".into(),
            Value::Store => format!("words='{STORES}' stores=1"),
            Value::Text(_) => "words=".into(),
        };
        let _ = writeln!(script, "    {}:{flag}) {action} ;;", word.text());
    }
    script.push_str("    *) flag= ;;\n    esac\n");
    let words: Vec<&str> = first_words().map(|(word, _)| word).collect();
    let tail = TAIL.replace("{first}", &words.join(" "));
    script.push_str(&tail.replace("{operations}", &operations()).replace("{shells}", &shells()));
    script
}

const HEAD: &str = r#"# Completes adopat's command line in bash. Made by 'adopat completions bash'.

_adopat() {
    local current=${COMP_WORDS[COMP_CWORD]} before=$((COMP_CWORD - 1)) operation=${COMP_WORDS[1]-}
    local flag='' joined='' store='' words='' files='' stores='' flags='' repeatable='' word
    COMPREPLY=()

    # What is typed behind '--' is the command of exec.
    if [ "$operation" = exec ]; then
        local at
        for ((at = 2; at < COMP_CWORD; at++)); do
            [ "${COMP_WORDS[at]}" = -- ] || continue
            if declare -F _command_offset > /dev/null; then
                _command_offset $((at + 1))
            elif ((COMP_CWORD == at + 1)); then
                mapfile -t COMPREPLY < <(compgen -A command -- "$current")
            else
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -A file -- "$current")
            fi
            return
        done
    fi

    # The flag whose value is typed, which readline may have cut at '=' and ':'.
    [ "$current" = = ] && current='' before=$COMP_CWORD
    [ "$current" = : ] && current='' before=$COMP_CWORD
    if [ "${COMP_WORDS[before]}" = : ] && ((before > 2)); then
        store=${COMP_WORDS[before - 1]} before=$((before - 2))
    fi
    [ "${COMP_WORDS[before]}" = = ] && joined=1 before=$((before - 1))
    flag=${COMP_WORDS[before]}

    case $operation in
"#;

const TAIL: &str = r#"
    if ((COMP_CWORD == 1)); then
        words='{first} --help --version'
    elif [ "$operation" = help ]; then
        words='{operations} completions'
    elif [ "$operation" = completions ]; then
        words='{shells}'
    elif [ "$store" ]; then
        [ "$stores" ] && [ "$store" = file ] || return
        words='' files=1
    elif [ -z "$flag" ]; then
        # Every flag that is not there yet.
        for word in $flags; do
            [[ " ${COMP_WORDS[*]:2} " != *" $word "* || $repeatable == *" $word "* || $word = "$current" ]] &&
                words+=" $word"
        done
        [ "$operation" = exec ] && words+=' --'
    fi
    [ "$stores" ] && [ -z "$store" ] && compopt -o nospace
    if [ "$files" ]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -A file -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    fi
}

complete -F _adopat adopat
"#;
