//! The one table of inputs: the source of their names, flags, help, defaults and choices, of which operation takes
//! what, of `--help`, the completions and the man page, and of what `action.yml` and `task.json` declare.

use self::Word::{Create, Doctor, Exec, Get, List, Login, Revoke, Rotate, Update};
use crate::entra::Certificate;

/// The operations, as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Mint a PAT.
    Create,
    /// Replace a PAT.
    Rotate,
    /// Revoke a PAT.
    Revoke,
    /// Change a PAT.
    Update,
    /// Describe a PAT.
    Get,
    /// List PATs.
    List,
    /// Run a command with a short-lived PAT.
    Exec,
    /// Sign in once.
    Login,
    /// Check every precondition.
    Doctor,
}

impl Word {
    /// Every operation, in the order of the help.
    pub const ALL: [Self; 9] = [Create, Rotate, Revoke, Update, Get, List, Exec, Login, Doctor];

    /// The word as it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Create => "create",
            Rotate => "rotate",
            Revoke => "revoke",
            Update => "update",
            Get => "get",
            List => "list",
            Exec => "exec",
            Login => "login",
            Doctor => "doctor",
        }
    }

    /// What the operation does, in one line.
    pub const fn help(self) -> &'static str {
        match self {
            Create => "create a PAT and hand it to the pipeline as a masked secret",
            Rotate => "create a successor, deliver it, then revoke the old PAT",
            Revoke => "revoke a PAT",
            Update => "change a PAT's name, scope or expiry; its value stays as it is",
            Get => "describe one PAT",
            List => "list PATs, and say which expire soon",
            Exec => "run a command with a PAT that is revoked when the command ends",
            Login => "sign in once, as a person, and store the refresh token",
            Doctor => "check, one by one, everything that a run needs",
        }
    }

    /// What the operation does, in a few sentences.
    pub const fn about(self) -> &'static str {
        match self {
            Create => {
                "Makes a PAT with the scopes and the lifetime that you give, and hands it over: to the later steps \
                 of the job, to the stores of deliver-to and to output-file. If one of them cannot take it, adopat \
                 revokes it again."
            }
            Rotate => {
                "Makes a new PAT with the scopes and the lifetime of the old one, delivers it, and only then \
                 revokes the old one. If the new PAT cannot be delivered, adopat revokes it and leaves the old one \
                 as it was."
            }
            Revoke => {
                "Revokes the active PAT with this name or this id. If there is none, that is fine, unless \
                 if-missing says fail."
            }
            Update => {
                "Changes the name, the scopes or the expiry of a PAT. Its value stays the same, so it goes on \
                 working everywhere. Give at least one of new-display-name, scope, lifetime and valid-to."
            }
            Get => {
                "Describes one PAT: its id, its scopes, when it was made and when it expires. Nobody can read the \
                 token itself again. In a terminal it prints one property a line; into a pipe or a file, a JSON \
                 object with the names that output-file uses."
            }
            List => {
                "Lists your PATs in the organization, and marks those that expire soon. In a terminal it prints a \
                 table as wide as the terminal; into a pipe or a file, a JSON array with the names that output-file \
                 uses."
            }
            Exec => {
                "Makes a PAT, runs the command with the PAT in its environment (ADO_PAT), and revokes the PAT when \
                 the command ends, however it ends. adopat ends with the command's exit code, and its own words go \
                 to standard error."
            }
            Login => {
                "Signs you in, once, and writes the refresh token to the credential store. Then it prints what to \
                 paste into a pipeline. It shows a code that you type in any browser, on any machine; with \
                 credential browser, you sign in in the browser of this machine."
            }
            Doctor => {
                "Checks, one by one, everything that a run with the same inputs needs: the network, the \
                 organization, the sign-in, the stores. Each line that is not ok says what to do. It changes nothing \
                 but the stored refresh token, which every sign-in renews."
            }
        }
    }

    /// A command line that does it, as a shell reads it. Who signs in is in the environment.
    pub const fn example(self) -> &'static str {
        match self {
            Create => {
                "adopat create --organization fabrikam --display-name ci \\\n    --scope vso.packaging --output-file pat.env"
            }
            Rotate => {
                "adopat rotate --organization fabrikam --display-name ci \\\n    --renew-within 10d --deliver-to file:pat"
            }
            Revoke => "adopat revoke --organization fabrikam --display-name ci",
            Update => "adopat update --organization fabrikam --display-name ci --lifetime 30d",
            Get => "adopat get --organization fabrikam --display-name ci",
            List => "adopat list --organization fabrikam --expiring-within 14d",
            Exec => "adopat exec --organization fabrikam --scope vso.packaging -- ./publish.sh",
            Login => {
                "adopat login --organization fabrikam --credential-store file:token \\\n    --client-id 00000000-0000-0000-0000-000000000000"
            }
            Doctor => "adopat doctor --organization fabrikam --deliver-to file:pat",
        }
    }

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.text() == text)
    }
}

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
            Self::Path => "PATH",
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
    pub operations: &'static [Word],
    /// Whether its value is a secret: it is masked, never handed to a child, and never taken as a flag.
    pub secret: bool,
    /// Whether its flag may be given several times: each adds to the list.
    pub repeatable: bool,
    /// What kind of value it takes.
    pub value: Value,
    /// The values it can take, where they are few.
    pub choices: &'static [&'static str],
    /// Those of its choices that only some of its operations take, with these operations.
    pub reserved: &'static [(&'static str, &'static [Word])],
    /// Its default, where it depends neither on the operation nor on the host.
    pub default: Option<&'static str>,
    /// What it means; also its other defaults.
    pub help: &'static str,
}

/// An input that says what is to be done.
const fn what(name: &'static str, operations: &'static [Word], help: &'static str) -> Input {
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
const fn who(name: &'static str, operations: &'static [Word], help: &'static str) -> Input {
    Input { group: Group::Who, ..what(name, operations, help) }
}

/// An input that says where something goes.
const fn destination(name: &'static str, operations: &'static [Word], help: &'static str) -> Input {
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

    const fn reserved(self, reserved: &'static [(&'static str, &'static [Word])]) -> Self {
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
    pub fn choices_for(&self, operation: Word) -> impl Iterator<Item = &'static str> {
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
        self.secret && (self.name != "client-certificate" || Certificate::is_inline(value))
    }

    /// Whether the operation uses it.
    pub fn is_for(&self, operation: Word) -> bool {
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
/// Where there is none of that name: a defect.
pub fn input(name: &str) -> &'static Input {
    INPUTS.iter().find(|input| input.name == name).expect("a name of the table")
}

const ALL: &[Word] = &Word::ALL;
const MINTING: &[Word] = &[Create, Exec, Rotate];
/// All but login, which a person runs.
const IN_A_JOB: &[Word] = &[Create, Rotate, Revoke, Update, Get, List, Exec, Doctor];

/// Every input there is.
pub const INPUTS: &[Input] = &[
    what("operation", ALL, "what to do; required unless given as a word")
        .choices(&["create", "rotate", "revoke", "update", "get", "list", "exec", "login", "doctor"]),
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
        &[Create, Exec, Rotate, Update],
        "scopes like vso.packaging, split on spaces, commas or newlines; required for create and \
         exec; rotate keeps the old PAT's by default; full access (app_token) needs allow-full-access",
    )
    .text("SCOPES")
    .repeatable(),
    what("allow-full-access", &[Create, Exec, Rotate, Update], "let the scope app_token through").boolean(),
    what(
        "lifetime",
        &[Create, Exec, Rotate, Update],
        "how long the PAT lives, like 30d, 12h or P90D; default: create 30d, exec 1h, rotate the \
         old PAT's own span",
    )
    .text("SPAN"),
    what(
        "valid-to",
        &[Create, Exec, Rotate, Update],
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
    .choices(&["fail", "ignore", "create"])
    .reserved(&[("create", &[Rotate])]),
    what(
        "duplicates",
        &[Rotate, Revoke],
        "what to do if several active PATs have the name: fail, or revoke (rotate from the newest, \
         then revoke every one of them)",
    )
    .choices(&["fail", "revoke"])
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
    .choices(&["warn", "fail"])
    .default("warn"),
    what(
        "verify",
        MINTING,
        "try the new PAT before it is delivered: off, warn (not confirmed is a warning) or require \
         (not confirmed revokes it and fails)",
    )
    .choices(&["off", "warn", "require"])
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
        .choices(&["active", "expired", "revoked", "all"])
        .default("active"),
    what("expiring-within", &[List], "mark the PATs that expire within this span").text("SPAN"),
    what("fail-if-expiring", &[List], "fail if a marked PAT is found; needs expiring-within").boolean(),
    what("fail-if-global", &[List], "fail if a global PAT is found").boolean(),
    what("dry-run", &[Create, Rotate, Revoke, Update], "say what would be done, and change no PAT").boolean(),
    what(
        "timeout",
        ALL,
        "the whole operation's limit; a device code's own life comes on top, and cleaning up may \
         outlast it by 30 s",
    )
    .default("5m")
    .text("SPAN"),
    who(
        "credential",
        ALL,
        "who signs in; default: what the given secret or store is for; login: device-code, or browser \
         if a client proof is given",
    )
    .choices(&["refresh-token", "device-code", "access-token", "azure-cli", "browser"])
    .reserved(&[
        ("refresh-token", IN_A_JOB),
        ("access-token", IN_A_JOB),
        ("azure-cli", IN_A_JOB),
        ("browser", &[Login]),
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
        "where the refresh token rests between runs: file:PATH, keyvault:URL, variable-group:... or \
         github-secret:...",
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
    destination("host", ALL, "the CI system that is spoken to; default: detected").choices(&[
        "azure-pipelines",
        "github-actions",
        "generic",
    ]),
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
    destination("deliver-to", &[Create, Rotate, Doctor], "the stores that receive the new PAT, one a line")
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
    .choices(&[
        "json",
        "dotenv",
        "token",
        "git-credentials",
        "netrc",
        "npmrc",
        "yarnrc",
        "pip",
        "pypirc",
        "nuget",
        "maven",
        "cargo",
    ]),
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

    #[test]
    fn the_operations_are_the_choices_of_the_input_operation() {
        let words: Vec<_> = Word::ALL.iter().map(|word| word.text()).collect();
        assert_eq!(input("operation").choices, words);
    }
}
