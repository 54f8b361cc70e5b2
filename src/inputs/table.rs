//! The one table of inputs: the source of their names, flags, help, defaults and choices, of which operation takes
//! what, of `--help`, the completions and the man page, and of what `action.yml` and `task.json` declare.

use strum::VariantNames as _;

use super::choices::{CredentialKind, Duplicates, HostKind, Renew, VerifyMode};
use super::request::{IfMissing, OnShortenedLifetime, OutputFormat};
use crate::operation_name::OperationName::{
    self, Apply, Create, Doctor, Exec, Get, List, Login, Revoke, Rotate, Update,
};
use crate::pats::model::Filter;
use crate::token_shape;

/// What an input says something about: the help and the documentation list the inputs in these groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What is to be done.
    What,
    /// Who signs in, and how.
    Who,
    /// Where the PAT and the words of the run go.
    Destination,
}

impl Group {
    /// Every group, in the order of the help.
    pub const ALL: [Self; 3] = [Self::What, Self::Who, Self::Destination];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::What => "What to do",
            Self::Who => "Who signs in",
            Self::Destination => "Where it goes",
        }
    }
}

/// The kind of value that an input takes: what stands for it in the help, and what a shell completes it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// True or false. Its flag alone is true.
    Boolean,
    /// One of the input's choices.
    Choice,
    /// The path of a file.
    Path,
    /// The path of a document, or the document itself.
    Document,
    /// The address of a store.
    Store,
    /// Any other text, with the word that stands for it.
    Text(&'static str),
}

impl Value {
    /// What stands for the value in the help: `SPAN` in `--lifetime SPAN`.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Choice => "CHOICE",
            Self::Path | Self::Document => "PATH",
            Self::Store => "STORE",
            Self::Text(word) => word,
        }
    }
}

/// One input.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name in kebab-case.
    pub name: &'static str,
    /// What it says something about.
    pub group: Group,
    /// The operations that use it; every other ignores it.
    pub operations: &'static [OperationName],
    /// Whether its value is a secret: it is masked, never handed to a child, and never taken as a flag.
    pub secret: bool,
    /// Whether its flag may be given several times: each adds to the list.
    pub repeatable: bool,
    /// What kind of value it takes.
    pub value: Value,
    /// The values it can take, if they are few.
    pub choices: &'static [&'static str],
    /// Those of its choices that only some of its operations take, with these operations.
    pub reserved: &'static [(&'static str, &'static [OperationName])],
    /// Its default, if it depends neither on the operation nor on the host.
    pub default: Option<&'static str>,
    /// What it means; also its other defaults.
    pub help: &'static str,
}

/// An input that says what is to be done.
const fn what(name: &'static str, operations: &'static [OperationName], help: &'static str) -> Input {
    Input {
        name,
        group: Group::What,
        operations,
        secret: false,
        repeatable: false,
        value: Value::Text("TEXT"),
        choices: &[],
        reserved: &[],
        default: None,
        help,
    }
}

/// An input that says who signs in.
const fn who(name: &'static str, operations: &'static [OperationName], help: &'static str) -> Input {
    Input { group: Group::Who, ..what(name, operations, help) }
}

/// An input that says where something goes.
const fn destination(name: &'static str, operations: &'static [OperationName], help: &'static str) -> Input {
    Input { group: Group::Destination, ..what(name, operations, help) }
}

impl Input {
    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    const fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    const fn choices(self, choices: &'static [&'static str]) -> Self {
        Self { choices, value: Value::Choice, ..self }
    }

    const fn reserved(self, reserved: &'static [(&'static str, &'static [OperationName])]) -> Self {
        Self { reserved, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn boolean(self) -> Self {
        Self { value: Value::Boolean, ..self.choices(&["true", "false"]).default("false") }
    }

    const fn path(self) -> Self {
        Self { value: Value::Path, ..self }
    }

    const fn document(self) -> Self {
        Self { value: Value::Document, ..self }
    }

    const fn store(self) -> Self {
        Self { value: Value::Store, ..self }
    }

    const fn text(self, placeholder: &'static str) -> Self {
        Self { value: Value::Text(placeholder), ..self }
    }

    /// Its flag, `--display-name`; none for the operation, which is a word, and for a secret, which everyone on the
    /// machine could read in the list of processes. A certificate has one, for its path.
    pub fn flag(&self) -> Option<String> {
        let hidden = self.name == "operation" || (self.secret && self.value != Value::Path);
        (!hidden).then(|| format!("--{}", self.name))
    }

    /// The choices that this operation takes.
    pub fn choices_for(&self, operation: OperationName) -> impl Iterator<Item = &'static str> {
        self.choices.iter().copied().filter(move |choice| {
            let mut reserved = self.reserved.iter().filter(|(word, _)| word == choice);
            reserved.all(|(_, operations)| operations.contains(&operation))
        })
    }

    /// Its environment variable outside of GitHub and Azure Pipelines: `ADOPAT_DISPLAY_NAME`.
    pub fn variable(&self) -> String {
        format!("ADOPAT_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    /// Whether that is its variable's name. Asked of every variable for every input, so it makes no text to compare.
    pub fn is_variable(&self, name: &str) -> bool {
        let spelt = self.name.bytes().map(|byte| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() });
        name.strip_prefix("ADOPAT_").is_some_and(|name| name.bytes().eq(spelt))
    }

    /// Its name as an Azure Pipelines task declares it: `displayName`.
    pub fn camel_case(&self) -> String {
        camel_case(self.name)
    }

    /// Whether this value is a secret: a certificate may also be given by its path, which is none.
    pub fn holds_a_secret(&self, value: &str) -> bool {
        self.secret && (self.name != "client-certificate" || token_shape::is_inline_certificate(value))
    }

    /// Whether the operation uses it.
    pub fn is_for(&self, operation: OperationName) -> bool {
        self.operations.contains(&operation)
    }
}

/// A kebab-case name in camelCase, as Azure Pipelines wants the names of inputs and output variables.
pub fn camel_case(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name.push_str(&head.to_ascii_uppercase());
        name.push_str(tail);
        name
    })
}

/// The row of an input.
///
/// # Panics
/// If there is none of that name: a defect.
pub fn input(name: &str) -> &'static Input {
    INPUTS.iter().find(|input| input.name == name).expect("a name of the table")
}

const ALL: &[OperationName] = &OperationName::ALL;
const MINTING: &[OperationName] = &[Create, Exec, Rotate];
/// All but login, which a person runs.
const IN_A_JOB: &[OperationName] = &[Create, Rotate, Apply, Revoke, Update, Get, List, Exec, Doctor];

/// Every input there is.
pub const INPUTS: &[Input] = &[
    what("operation", ALL, "what to do; required unless given as a word")
        .choices(&OperationName::WORDS),
    what(
        "organization",
        ALL,
        "the Azure DevOps organization: NAME, https://dev.azure.com/NAME or \
         https://NAME.visualstudio.com; default on Azure Pipelines: the one the job runs in",
    )
    .text("NAME"),
    what(
        "display-name",
        &[Create, Exec, Rotate, Revoke, Update, Get, Doctor],
        "the PAT's name; required for create; exec names the run by default",
    )
    .text("NAME"),
    what(
        "authorization-id",
        &[Rotate, Revoke, Update, Get],
        "the PAT's authorization id (a GUID); wins over the name",
    )
    .text("GUID"),
    what(
        "scope",
        &[Create, Exec, Rotate, Update, Doctor],
        "scopes like vso.packaging, split on spaces, commas or newlines; required for create and \
         exec; rotate keeps the old PAT's by default; full access (app_token) needs allow-full-access",
    )
    .text("SCOPES")
    .repeatable(),
    what("allow-full-access", &[Create, Exec, Rotate, Update, Doctor], "let the scope app_token through").boolean(),
    what(
        "lifetime",
        &[Create, Exec, Rotate, Update, Doctor],
        "how long the PAT lives, like 30d, 12h or P90D; default: create 30d, exec 1h, rotate the \
         old PAT's own span",
    )
    .text("SPAN"),
    what(
        "valid-to",
        &[Create, Exec, Rotate, Update, Doctor],
        "the instant at which the PAT expires (RFC 3339); not together with lifetime",
    )
    .text("INSTANT"),
    what("new-display-name", &[Update], "the PAT's new name").text("NAME"),
    what(
        "renew-within",
        &[Rotate],
        "rotate only if the PAT expires within this span, or if several have the name; otherwise do \
         nothing",
    )
    .text("SPAN"),
    what(
        "if-missing",
        &[Rotate, Revoke],
        "what to do if no such PAT is active: fail (rotate's default), ignore (revoke's default) or \
         create (rotate by name only)",
    )
    .choices(IfMissing::VARIANTS)
    .reserved(&[("create", &[Rotate])]),
    what(
        "duplicates",
        &[Rotate, Revoke],
        "what to do if several active PATs have the name: fail, or revoke (rotate from the newest, \
         then revoke every one of them)",
    )
    .choices(Duplicates::VARIANTS)
    .default("fail"),
    what(
        "keep-previous-for",
        &[Rotate],
        "leave the old PAT alive for this span instead of revoking it; its expiry is only ever \
         shortened",
    )
    .text("SPAN"),
    what(
        "revoke-on-completion",
        &[Create, Rotate],
        "the job's last step revokes what this step created (the GitHub action and the Azure Pipelines \
         task only)",
    )
    .boolean(),
    what(
        "on-shortened-lifetime",
        MINTING,
        "what to do if the service grants over 60 s less than you ask for: warn, or fail (what was \
         made is revoked)",
    )
    .choices(OnShortenedLifetime::VARIANTS)
    .default("warn"),
    what(
        "verify",
        MINTING,
        "try the new PAT before it is delivered: off, warn (not confirmed is a warning) or require \
         (not confirmed revokes it and fails)",
    )
    .choices(VerifyMode::VARIANTS)
    .default("off"),
    what("verify-url", MINTING, "where the new PAT is tried; default: the organization's connectionData")
        .text("URL"),
    what(
        "allow-global-narrowing",
        &[Rotate, Update],
        "let a global PAT be rotated or updated into one that is good for this organization alone",
    )
    .boolean(),
    what("filter", &[List], "which PATs to list")
        .choices(Filter::VARIANTS)
        .default("active"),
    what("expiring-within", &[List], "mark the PATs that expire within this span").text("SPAN"),
    what("fail-if-expiring", &[List], "fail if a marked PAT is found; needs expiring-within").boolean(),
    what("fail-if-global", &[List], "fail if a global PAT is found").boolean(),
    what("dry-run", &[Create, Rotate, Apply, Revoke, Update], "say what would be done, and change no PAT")
        .boolean(),
    what(
        "manifest",
        &[Apply, Doctor],
        "the PATs that there shall be: the path of a YAML or JSON file, or the document itself",
    )
    .document(),
    what("only", &[Apply], "the names of the entries to apply, one a line; the others are left alone")
        .text("NAME")
        .repeatable(),
    what("renew", &[Apply], "which entries to rotate: those that are due, or all of them now, as after a leak")
        .choices(Renew::VARIANTS)
        .default("due"),
    what("prune", &[Apply], "revoke the PATs that the manifest's prune covers and no entry names").boolean(),
    what("fail-if-drift", &[Apply], "fail if a dry run finds anything to do; needs dry-run").boolean(),
    what("parallel", &[Apply], "how many PATs are worked on at once, 1 to 16").default("4").text("NUMBER"),
    what(
        "timeout",
        ALL,
        "the whole operation's limit; a device code's own life comes on top, and cleaning up may \
         outlast it by 30 s; default: 5m, apply 30m",
    )
    .text("SPAN"),
    who(
        "credential",
        ALL,
        "who signs in; default: what the given secret or store is for; login: device-code, or browser \
         if a client proof is given",
    )
    .choices(CredentialKind::VARIANTS)
    .reserved(&[
        ("refresh-token", IN_A_JOB),
        ("access-token", IN_A_JOB),
        ("azure-cli", IN_A_JOB),
        ("browser", &[Login, Doctor]),
    ]),
    who(
        "tenant-id",
        ALL,
        "the Microsoft Entra tenant that is signed in to: a GUID or a verified domain; default: the \
         one behind the organization",
    )
    .text("TENANT"),
    who(
        "client-id",
        ALL,
        "the app registration that is signed in to; required but for access-token and azure-cli",
    )
    .text("GUID"),
    who(
        "refresh-token",
        ALL,
        "the refresh token of the user who signs in; what a readable credential-store begins with",
    )
    .secret(),
    who("access-token", ALL, "a user's access token for Azure DevOps, in place of a sign-in").secret(),
    who("client-secret", ALL, "proves a confidential client by its secret").secret(),
    who(
        "client-certificate",
        ALL,
        "proves a confidential client by a certificate: the path of a PEM or PKCS#12 file, or its \
         text: the PEM, or base64 of either",
    )
    .secret()
    .path(),
    who("client-certificate-password", ALL, "the password of the PKCS#12 file or of an encrypted PEM key")
        .secret(),
    who("federated", ALL, "proves a confidential client by the job's own OIDC token").boolean(),
    who(
        "id-token",
        ALL,
        "the job's OIDC token for federated, if the host passes it as a variable (audience \
         api://AzureADTokenExchange)",
    )
    .secret(),
    who(
        "azure-service-connection",
        ALL,
        "Azure Pipelines: the service connection whose identity opens Key Vault or proves a federated \
         client",
    )
    .text("ID"),
    who(
        "credential-store",
        ALL,
        "where the refresh token rests between runs: file:PATH, keyvault:URL, variable-group:..., \
         github-secret:..., kubernetes-secret:... or command:...",
    )
    .store(),
    who("store-key", ALL, "the passphrase that encrypts a file: credential-store").secret(),
    who("authority-host", ALL, "Microsoft Entra's address; Microsoft's own hosts or loopback")
        .default("https://login.microsoftonline.com")
        .text("URL"),
    who("service-url", ALL, "the PAT service's address; Microsoft's own hosts or loopback")
        .default("https://vssps.dev.azure.com")
        .text("URL"),
    who("devops-url", ALL, "Azure DevOps' address; Microsoft's own hosts or loopback")
        .default("https://dev.azure.com")
        .text("URL"),
    who(
        "github-api-url",
        ALL,
        "GitHub's API; default: the runner's GITHUB_API_URL, else https://api.github.com",
    )
    .text("URL"),
    destination("host", ALL, "the CI system that is spoken to; default: detected").choices(HostKind::VARIANTS),
    destination(
        "variable",
        MINTING,
        "set this name for the later steps of the job (default on Azure Pipelines: ADO_PAT; on \
         GitHub: none), or for exec's command (default ADO_PAT)",
    )
    .text("NAME"),
    destination(
        "output-variable",
        &[Create, Rotate, Doctor],
        "Azure Pipelines: set this output variable too, for later jobs; the server keeps output \
         variables with the run",
    )
    .text("NAME"),
    destination(
        "deliver-to",
        &[Create, Rotate, Doctor],
        "the stores that receive the new PAT, one a line; each is file:PATH, \
         keyvault:https://VAULT.vault.azure.net/secrets/NAME, variable-group:PROJECT/GROUP/VARIABLE, \
         github-secret:OWNER/REPO[/ENVIRONMENT]/NAME, \
         service-connection:PROJECT/NAME[/PARAMETER], kubernetes-secret:NAMESPACE/NAME/KEY or command:PROGRAM ARG...",
    )
    .store()
    .repeatable(),
    destination("github-token", ALL, "the token that writes github-secret: stores; GITHUB_TOKEN cannot")
        .secret(),
    destination("output-file", ALL, "write the outputs to this file, readable by its owner alone").path(),
    destination(
        "output-format",
        ALL,
        "the file's format; default: json if it ends in .json, else dotenv; all but json and dotenv are for a \
         new PAT alone, and those from npmrc on need feed",
    )
    .choices(OutputFormat::VARIANTS),
    destination(
        "feed",
        &[Create, Exec, Rotate],
        "the Azure Artifacts feed that package clients are set up for: FEED or PROJECT/FEED, either with @VIEW, or \
         the feed's https address",
    )
    .text("FEED"),
    destination(
        "clients",
        &[Exec],
        "the clients that the command's environment signs in, separated by commas: git, npm (and pnpm), nuget, az, \
         terraform for the whole organization; yarn, pip, uv, twine, cargo for the feed",
    )
    .text("CLIENTS"),
    destination("log", ALL, "a tracing filter like debug; debug is also on if the host asks for it")
        .text("FILTER"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_however_they_are_spelt() {
        let mut names: Vec<String> = INPUTS.iter().map(|input| input.name.replace('-', "")).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), INPUTS.len());
    }

    #[test]
    fn every_input_has_its_three_spellings() {
        let name = input("display-name");
        assert_eq!(name.camel_case(), "displayName");
        assert_eq!(name.variable(), "ADOPAT_DISPLAY_NAME");
        assert!(INPUTS.iter().all(|input| input.is_variable(&input.variable())));
        assert!(!name.is_variable("ADOPAT_DISPLAY-NAME") && !name.is_variable("DISPLAY_NAME"));
    }
}
