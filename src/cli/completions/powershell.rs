//! Completion for PowerShell, on every system.

use std::fmt::Write as _;

use super::{STORES, first_words, flags_of, operations, shells, summary};
use crate::inputs::table::{Input, Value};
use crate::operation_name::OperationName;

pub(super) fn script() -> String {
    let mut script = String::from(HEAD);
    for (word, help) in first_words() {
        let _ = writeln!(script, "        {} = {}", quoted(word), quoted(help));
    }
    script.push_str("    }\n    $flags = @{\n");
    for word in OperationName::ALL {
        let _ = writeln!(script, "        {} = [ordered]@{{", quoted(word.text()));
        for (input, flag) in flags_of(word) {
            let values = values(input, word);
            let help = quoted(summary(input));
            let _ = writeln!(
                script,
                "            {} = @({help}, {values}, ${})",
                quoted(&flag),
                input.repeatable
            );
        }
        script.push_str("        }\n");
    }
    let tail = TAIL.replace("{operations}", &listed(&operations())).replace("{shells}", &listed(&shells()));
    script.push_str(&tail);
    script
}

/// What can stand as the value of a flag: nothing that is known, files, or some words. A boolean takes one behind an
/// `=` only.
fn values(input: &Input, word: OperationName) -> String {
    match input.value {
        Value::Boolean => "'boolean'".into(),
        Value::Path | Value::Document => "'file'".into(),
        Value::Store => format!("@({})", listed(STORES)),
        Value::Choice => format!("@({})", listed(&input.choices_for(word).collect::<Vec<_>>().join(" "))),
        Value::Text(_) => "@()".into(),
    }
}

fn listed(words: &str) -> String {
    words.split(' ').map(quoted).collect::<Vec<_>>().join(", ")
}

/// In single quotes, between which PowerShell reads everything as it is, but for doubled ones.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

const HEAD: &str = r#"# Completes adopat's command line in PowerShell. Made by 'adopat completions powershell'.

Register-ArgumentCompleter -Native -CommandName 'adopat', 'adopat.exe' -ScriptBlock {
    param($current, $command, $cursor)
    $first = [ordered]@{
"#;

const TAIL: &str = r#"    }
    $offer = {
        param($text, $help, $before = '')
        [System.Management.Automation.CompletionResult]::new("$before$text", $text, 'ParameterValue', $help)
    }
    # The words before the one that is typed.
    $words = @($command.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursor -or ($_.Extent.EndOffset -eq $cursor -and $current -eq '') } |
        ForEach-Object { $_.Extent.Text })
    if ($words.Count -eq 0) {
        $first.Keys | Where-Object { $_ -like "$current*" } | ForEach-Object { & $offer $_ $first[$_] }
        return
    }
    $operation = $words[0]
    $fixed = switch ($operation) {
        'help' { {operations}, 'completions' }
        'completions' { {shells} }
    }
    if ($fixed) {
        $fixed | Where-Object { $_ -like "$current*" } | ForEach-Object { & $offer $_ $_ }
        return
    }
    if (-not $flags.ContainsKey($operation) -or $words -contains '--') { return }
    $known = $flags[$operation]
    $before = ''
    $flag = $words[-1]
    if ($current -match '^(--[a-z-]+=)(.*)$') {
        $before = $Matches[1]
        $flag = $before.TrimEnd('=')
        $current = $Matches[2]
    }
    if ($flag -and $known.Contains($flag)) {
        $values = $known[$flag][1]
        if ($values -eq 'file') { return }
        if ($values -eq 'boolean') { $values = if ($before) { @('true', 'false') } else { $null } }
        if ($null -ne $values) {
            $values | Where-Object { $_ -like "$current*" } | ForEach-Object { & $offer $_ $known[$flag][0] $before }
            return
        }
    }
    # Every flag that is not there yet.
    $known.Keys | Where-Object { $_ -like "$current*" -and ($known[$_][2] -or $words -notcontains $_) } |
        ForEach-Object { & $offer $_ $known[$_][0] }
}
"#;
