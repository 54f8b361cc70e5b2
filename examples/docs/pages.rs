//! The pages that are made from the tables of inputs, outputs, exit codes and refusals.

use std::fmt::Write as _;

use adopat::entra::refusal as entra;
use adopat::exit_codes::EXIT_CODES;
use adopat::inputs::table::{Group, INPUTS, Input, Value, camel_case};
use adopat::manifest::keys::{self, Key, Kind};
use adopat::operation_name::OperationName;
use adopat::outputs::OUTPUTS;
use adopat::pats::refusal as pats;
use adopat::refusal_table::RefusalRow;
use adopat::store::key_vault_refusal as key_vault;
use adopat::store::{github_secret, kubernetes_secret, service_connection, variable_group};

const MADE: &str =
    "<!-- Made by `cargo run --example docs` from the program's own tables. Do not edit. -->\n\n";

/// Every page, with its path in the repository.
pub fn all() -> [(&'static str, String); 4] {
    [
        ("docs/inputs.md", inputs()),
        ("docs/errors.md", errors()),
        ("docs/manifest.md", manifest()),
        ("docs/adopat.schema.json", schema()),
    ]
}

/// The JSON Schema of a manifest.
fn schema() -> String {
    format!("{:#}\n", adopat::manifest::schema::schema())
}

fn manifest() -> String {
    let mut page = String::from(MADE);
    page.push_str(
        "# The manifest of apply\n\n\
         A manifest says which PATs there shall be, each with its scope, its life and the stores that receive it. \
         [`adopat apply`](fleet.md) makes it so.\n\n```yaml\n",
    );
    page.push_str(include_str!("../adopat.yml"));
    page.push_str(
        "```\n\n\
         It is one document of YAML 1.2, or JSON, of at most 1 MiB and 1,000 PATs. Anchors, aliases, tags and two keys of one \
         name are refused. All problems are reported together, each with its line and column, before any request is made.\n\n\
         Its first line is for an editor that knows [the JSON Schema](adopat.schema.json) and checks it while you type; leave it out \
         if yours does not.\n\n\
         - A **text** that looks like a number or a boolean needs quotes: `display-name: \"2026\"`.\n\
         - A **boolean** is `true` or `false`, without quotes.\n\
         - A **span** is a number and `s`, `m`, `h`, `d` or `w`, or ISO 8601: `30d`, `12h`, `P90D`.\n\
         - An **organization** is its name, or its address. The input `organization` counts if neither the entry, nor \
           `defaults`, nor the manifest names one.\n\
         - `{organization}` in `display-name` and `deliver-to` stands for the PAT's organization; `{{` is a brace.\n\
         - An address of `deliver-to` is written as the input [`deliver-to`](inputs.md) has it. A variable group is one of \
           the PAT's own organization. No two PATs go to one place, and none to the `credential-store`.\n\
         - A name stands once in each organization. Names differ by case, organizations do not.\n\
         - A manifest holds no secret, in no comment either: what looks like one is an error.\n",
    );
    let tables: [(&str, &str, &[Key]); 3] = [
        ("The manifest", "", &keys::MANIFEST),
        (
            "An entry of pats",
            "`defaults` has the same keys but `display-name`, and counts for each key that an entry does not have. Either of \
             `organization` and `organizations` in an entry beats both of `defaults`.\n\n",
            &keys::ENTRY,
        ),
        ("prune", "", &keys::PRUNE),
    ];
    for (title, words, table) in tables {
        let _ = write!(
            page,
            "\n## {title}\n\n{words}| key | value | default | meaning |\n| --- | --- | --- | --- |\n"
        );
        for key in table {
            let value = match key.kind {
                Kind::Choice(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", "),
                kind => kind.words().to_owned(),
            };
            let default = if key.required { "**required**" } else { key.default.unwrap_or("") };
            row(&mut page, &[&code(key.name), &value, default, key.help]);
        }
    }
    page
}

fn inputs() -> String {
    let mut page = String::from(MADE);
    page.push_str(
        "# Inputs and outputs\n\n\
         adopat looks an input up in this order, and takes the first that is set:\n\n\
         1. as a flag behind the operation: `adopat get --display-name ci`;\n\
         2. as the host hands it over: `with:` on GitHub, `inputs:` on Azure Pipelines, where names are in camelCase;\n\
         3. as an environment variable, `ADOPAT_` + its name in capitals, with `_` for `-`: `ADOPAT_DISPLAY_NAME`.\n\n\
         An empty variable counts as not set. `adopat OPERATION --help` describes the inputs of one operation.\n\n\
         - A **boolean** is `true`, `false`, `1`, `0`, `yes` or `no`, in any case.\n\
         - A **span** is a number and `s`, `m`, `h`, `d` or `w`, like `30d`; or ISO 8601, like `P90D` or `PT12H` (a month counts as 30 days, a year as 365).\n\
         - All problems with the inputs are reported together, before any request is made.\n\
         - An input that an operation does not use is ignored; a misspelt `ADOPAT_` name is warned about.\n\
         - A flag is `--NAME VALUE` or `--NAME=VALUE`; a value that begins with `--` needs the `=`. A boolean flag alone is \
           `true`, and takes a value by `=` only: `--dry-run=false`. `--NAME=` unsets a variable.\n\
         - `--deliver-to` and `--scope` may be repeated, and then replace the whole list of the variable. Any other flag \
           is there once.\n\
         - A flag that does not exist, or that the operation does not use, is an error.\n\
         - A secret is never a flag: others on the machine can read a command line. `--client-certificate` takes a path.\n\n\
         ## Operations\n\n| operation | what it does |\n| --- | --- |\n",
    );
    for word in OperationName::ALL {
        row(&mut page, &[&format!("[`{0}`](#{0})", word.text()), word.help()]);
    }
    for word in OperationName::ALL {
        let _ = write!(page, "\n### {}\n\n{}\n", word.text(), word.about());
        let own = INPUTS.iter().filter(|input| input.is_for(word) && is_of_some(input));
        inputs_table(&mut page, own, |input| meaning_for(input, word));
        page.push_str("\nAlso: the inputs of every operation, below.\n");
    }
    page.push_str("\n## Every operation\n");
    for group in Group::ALL {
        let common = INPUTS.iter().filter(|input| input.group == group && !is_of_some(input));
        let mut common = common.filter(|input| !is_advanced(input)).peekable();
        if common.peek().is_some() {
            let _ = write!(page, "\n### {}\n", group.title());
            inputs_table(&mut page, common, meaning);
        }
    }
    page.push_str(
        "\n### Advanced\n\nWhere the services are. You need these in a national cloud, on GitHub Enterprise Server, and for \
         tests against an emulator. adopat accepts Microsoft's own hosts and loopback.\n",
    );
    inputs_table(&mut page, INPUTS.iter().filter(|input| is_advanced(input)), meaning);
    page.push_str(
        "\n## Outputs\n\nOn GitHub step outputs; on Azure Pipelines output variables, where `token` is the secret job variable \
         that `variable` names (`ADO_PAT`); elsewhere in `output-file`. At a terminal `list` and `get` print a table; into a pipe or a \
         file they print JSON with the names below: `list` an array, `get` an object.\n\n\
         | output | Azure Pipelines | what it holds |\n| --- | --- | --- |\n",
    );
    for output in &OUTPUTS {
        let secret = if output.secret { " **Secret.**" } else { "" };
        let there = if output.secret { "`variable`".into() } else { code(&camel_case(output.name)) };
        row(&mut page, &[&code(output.name), &there, &format!("{}{secret}", output.help)]);
    }
    page
}

fn errors() -> String {
    let mut page = String::from(MADE);
    page.push_str(
        "# Errors: what they mean, and what to do\n\n\
         A failed run says in one sentence what happened and in one what to do; then, in brackets, the service's own name of the \
         error and the ids that support asks for. Search this page for that name.\n\n\
         ## Exit codes\n\n| code | meaning |\n| --- | --- |\n",
    );
    for exit in &EXIT_CODES {
        row(&mut page, &[&code(exit.code), exit.meaning]);
    }
    page.push_str(
        "\n## Sign-in: AADSTS\n\n\
         Microsoft Entra's refusals, by the number after `AADSTS`. One that is not here is told in Entra's own words.\n\n\
         | code | exit | cause | what to do |\n| --- | --- | --- | --- |\n",
    );
    for meaning in entra::MEANINGS {
        let codes: Vec<_> = meaning.codes.iter().map(|number| code(&number.to_string())).collect();
        let exit = meaning.exit.code().to_string();
        row(&mut page, &[&codes.join(", "), &exit, &filled(meaning.cause), &filled(meaning.remedy)]);
    }
    let damaged = &entra::DAMAGED_TOKEN;
    row(
        &mut page,
        &[
            "`9002313` with `invalid_grant`",
            &damaged.exit.code().to_string(),
            &filled(damaged.cause),
            &filled(damaged.remedy),
        ],
    );
    page.push_str(
        "\n## PAT service: patTokenError\n\n\
         One that is not here is told by its name: exit code 5 where it ends in `NotFound`, 6 where it begins with `failedTo`, \
         else 4.\n\n\
         | patTokenError | exit | cause | what to do |\n| --- | --- | --- | --- |\n",
    );
    for meaning in &pats::MEANINGS {
        row(
            &mut page,
            &[&code(meaning.key), &meaning.exit.code().to_string(), meaning.cause, meaning.remedy],
        );
    }
    refusals(
        &mut page,
        "PAT service: everything else",
        "A refusal without a `patTokenError`: by the exception's name (`typeKey`), by what its words hold, or by its status.",
        pats::REFUSALS,
    );
    refusals(
        &mut page,
        "Azure Key Vault",
        "By the vault's innermost code. Where a refresh token is read, the exit code is 3.",
        key_vault::REFUSALS,
    );
    refusals(
        &mut page,
        "Variable groups",
        "What Azure DevOps says of a `variable-group:` store.",
        variable_group::REFUSALS,
    );
    refusals(
        &mut page,
        "Service connections",
        "What Azure DevOps says of a `service-connection:` store.",
        service_connection::REFUSALS,
    );
    refusals(
        &mut page,
        "Kubernetes Secrets",
        "What the API server says of a `kubernetes-secret:` store. Where a refresh token is read, the exit code is 3.",
        kubernetes_secret::REFUSALS,
    );
    refusals(
        &mut page,
        "GitHub secrets",
        "What GitHub says of a `github-secret:` store.",
        github_secret::REFUSALS,
    );
    page
}

/// Whether only some operations use it: those of a job count as every one, beside `login`.
fn is_of_some(input: &Input) -> bool {
    input.operations.len() + 1 < OperationName::ALL.len()
}

/// Whether it says where a service is.
fn is_advanced(input: &Input) -> bool {
    ["authority-host", "service-url", "devops-url", "github-api-url"].contains(&input.name)
}

/// Inputs, a row each; nothing where there is none.
fn inputs_table<'a>(
    page: &mut String,
    inputs: impl Iterator<Item = &'a Input>,
    meaning: impl Fn(&Input) -> String,
) {
    let mut inputs = inputs.peekable();
    if inputs.peek().is_none() {
        return;
    }
    page.push_str("\n| input | flag | Azure Pipelines | meaning |\n| --- | --- | --- | --- |\n");
    for input in inputs {
        row(page, &[&code(input.name), &flag(input), &code(&input.camel_case()), &meaning(input)]);
    }
}

/// A table of refusals, in the order in which they are looked for.
fn refusals(page: &mut String, title: &str, words: &str, table: &[RefusalRow]) {
    let _ = write!(
        page,
        "\n## {title}\n\n{words} The first row that fits holds.\n\n| known by | exit | cause | what to do |\n\
         | --- | --- | --- | --- |\n"
    );
    for meaning in table {
        let exit = meaning.exit.code().to_string();
        row(page, &[&meaning.known_by(), &exit, &in_italics(meaning.cause), &in_italics(meaning.remedy)]);
    }
}

/// What the program puts in from the run stands in braces.
fn in_italics(words: &str) -> String {
    words.replace(['{', '}'], "*")
}

/// How it is typed; the operation is a word, and a secret is not typed at all.
fn flag(input: &Input) -> String {
    match (input.flag(), input.value) {
        (None, _) => String::new(),
        (Some(flag), Value::Boolean) => code(&flag),
        (Some(flag), value) => code(&format!("{flag} {}", value.placeholder())),
    }
}

fn meaning(input: &Input) -> String {
    described(input, input.choices.iter().copied())
}

fn meaning_for(input: &Input, word: OperationName) -> String {
    described(input, input.choices_for(word))
}

fn described(input: &Input, choices: impl Iterator<Item = &'static str>) -> String {
    let mut text = input.help.to_owned();
    let choices: Vec<_> = choices.map(code).collect();
    if !choices.is_empty() {
        let _ = write!(text, "; {}", choices.join(", "));
    }
    if let Some(default) = input.default {
        let _ = write!(text, "; default {}", code(default));
    }
    if input.secret {
        text.push_str(". **Secret.**");
    }
    text
}

/// The words of a sign-in's failure, where the run's own ids are not known.
fn filled(words: &str) -> String {
    words
        .replace("{consent}", "`https://login.microsoftonline.com/TENANT/adminconsent?client_id=CLIENT-ID`")
        .replace("{client_id}", "*client-id*")
        .replace("{tenant}", "*tenant-id*")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn row(page: &mut String, cells: &[&str]) {
    for cell in cells {
        // A `<` would begin markup, a `|` another cell.
        let _ = write!(page, "| {} ", cell.replace('|', "\\|").replace('<', "&lt;"));
    }
    page.push_str("|\n");
}
