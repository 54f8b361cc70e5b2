//! The one table of inputs: the source of their names, help, defaults and choices, of which operation takes
//! what, of `--help`, and of what `action.yml` and `task.json` declare.

use self::Word::{Create, Doctor, Exec, Get, List, Login, Revoke, Rotate, Update};

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

    /// What the operation does, for the help.
    pub const fn help(self) -> &'static str {
        match self {
            Create => "mint a PAT and hand it to the pipeline as a masked secret",
            Rotate => "mint a successor, deliver it, then retire the old PAT",
            Revoke => "revoke a PAT",
            Update => "change a PAT's name, scope or expiry; its value stays as it is",
            Get => "describe one PAT",
            List => "list PATs, and say which expire soon",
            Exec => "run a command with a PAT of its own, and revoke it when the command ends",
            Login => "sign in once, as a person, and store the refresh token",
            Doctor => "check, one by one, everything that a run needs",
        }
    }

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.text() == text)
    }
}

/// One input.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name in kebab-case.
    pub name: &'static str,
    /// The operations that use it; every other ignores it.
    pub operations: &'static [Word],
    /// Whether its value is a secret: it is masked, and never handed to a child.
    pub secret: bool,
    /// The values it can take, where they are few.
    pub choices: &'static [&'static str],
    /// Its default, where it depends neither on the operation nor on the host.
    pub default: Option<&'static str>,
    /// What it means; also its other defaults.
    pub help: &'static str,
}

impl Input {
    const fn new(name: &'static str, operations: &'static [Word], help: &'static str) -> Self {
        Self { name, operations, secret: false, choices: &[], default: None, help }
    }

    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    const fn choices(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn boolean(self) -> Self {
        self.choices(&["true", "false"]).default("false")
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
        self.secret && (self.name != "client-certificate" || value.contains("-----BEGIN"))
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

/// Every input there is.
pub const INPUTS: &[Input] = &[
    Input::new("operation", ALL, "what to do; required unless given as a word")
        .choices(&["create", "rotate", "revoke", "update", "get", "list", "exec", "login", "doctor"]),
    Input::new(
        "organization",
        ALL,
        "the Azure DevOps organization: NAME, https://dev.azure.com/NAME or https://NAME.visualstudio.com; \
         default on Azure Pipelines: the one the job runs in",
    ),
    Input::new(
        "display-name",
        &[Create, Exec, Rotate, Revoke, Update, Get, Doctor],
        "the PAT's name; required for create; exec names the run by default",
    ),
    Input::new(
        "authorization-id",
        &[Rotate, Revoke, Update, Get],
        "the PAT's authorization id (a GUID); wins over the name",
    ),
    Input::new(
        "scope",
        &[Create, Exec, Rotate, Update],
        "scopes such as vso.packaging, split on spaces, commas or newlines; required for create and exec; \
         rotate keeps the old PAT's by default; full access (app_token) needs allow-full-access",
    ),
    Input::new("allow-full-access", &[Create, Exec, Rotate, Update], "let the scope app_token through").boolean(),
    Input::new(
        "lifetime",
        &[Create, Exec, Rotate, Update],
        "how long the PAT lives, such as 30d, 12h or P90D; default: create 30d, exec 1h, rotate the old PAT's \
         own span",
    ),
    Input::new(
        "valid-to",
        &[Create, Exec, Rotate, Update],
        "the instant at which the PAT expires (RFC 3339); not together with lifetime",
    ),
    Input::new("new-display-name", &[Update], "the PAT's new name"),
    Input::new(
        "renew-within",
        &[Rotate],
        "rotate only if the PAT expires within this span, or if several bear the name; otherwise do nothing",
    ),
    Input::new(
        "if-missing",
        &[Rotate, Revoke],
        "what to do where no such PAT is active: fail (rotate's default), ignore (revoke's default) or create \
         (rotate by name only)",
    )
    .choices(&["fail", "ignore", "create"]),
    Input::new(
        "duplicates",
        &[Rotate, Revoke],
        "what to do where several active PATs bear the name: fail, or revoke (rotate from the newest, then \
         revoke every one of them)",
    )
    .choices(&["fail", "revoke"])
    .default("fail"),
    Input::new(
        "keep-previous-for",
        &[Rotate],
        "leave the old PAT alive for this span instead of revoking it; its expiry is only ever shortened",
    ),
    Input::new(
        "revoke-on-completion",
        &[Create, Rotate],
        "the job's last step revokes what this step minted (the GitHub action and the Azure Pipelines task only)",
    )
    .boolean(),
    Input::new(
        "on-shortened-lifetime",
        MINTING,
        "what to do where the service grants over 60 s less than was asked: warn, or fail (what was made is \
         revoked)",
    )
    .choices(&["warn", "fail"])
    .default("warn"),
    Input::new(
        "verify",
        MINTING,
        "try the new PAT before it is delivered: off, warn (not confirmed is a warning) or require (not \
         confirmed revokes it and fails)",
    )
    .choices(&["off", "warn", "require"])
    .default("off"),
    Input::new("verify-url", MINTING, "where the new PAT is tried; default: the organization's connectionData"),
    Input::new(
        "allow-global-narrowing",
        &[Rotate, Update],
        "let a global PAT be rotated or updated into one that is good for this organization alone",
    )
    .boolean(),
    Input::new("filter", &[List], "which PATs to list")
        .choices(&["active", "expired", "revoked", "all"])
        .default("active"),
    Input::new("expiring-within", &[List], "mark the PATs that expire within this span"),
    Input::new("fail-if-expiring", &[List], "fail where a marked PAT is found; needs expiring-within").boolean(),
    Input::new("fail-if-global", &[List], "fail where a global PAT is found").boolean(),
    Input::new("dry-run", &[Create, Rotate, Revoke, Update], "say what would be done, and change no PAT").boolean(),
    Input::new(
        "timeout",
        ALL,
        "the whole operation's limit; a device code's own life comes on top, and cleaning up may outlast it by \
         30 s",
    )
    .default("5m"),
    Input::new(
        "credential",
        ALL,
        "who signs in; default: what the given secret or store is for; login: device-code, or browser where a \
         client proof is given",
    )
    .choices(&["refresh-token", "device-code", "access-token", "azure-cli", "browser"]),
    Input::new(
        "tenant-id",
        ALL,
        "the Microsoft Entra tenant that is signed in to: a GUID or a verified domain; default: the one behind the organization",
    ),
    Input::new(
        "client-id",
        ALL,
        "the app registration that is signed in to; required but for access-token and azure-cli",
    ),
    Input::new("refresh-token", ALL, "the refresh token of the user who signs in; the seed of a readable credential-store")
        .secret(),
    Input::new("access-token", ALL, "a user's access token for Azure DevOps, in place of a sign-in").secret(),
    Input::new("client-secret", ALL, "proves a confidential client by its secret").secret(),
    Input::new(
        "client-certificate",
        ALL,
        "proves a confidential client by a certificate: the path of a PEM or PKCS#12 file, or the PEM itself",
    )
    .secret(),
    Input::new(
        "client-certificate-password",
        ALL,
        "the password of the PKCS#12 file or of an encrypted PEM key",
    )
    .secret(),
    Input::new("federated", ALL, "proves a confidential client by the job's own OIDC token").boolean(),
    Input::new(
        "id-token",
        ALL,
        "the job's OIDC token for federated, where the host hands it over as a variable (audience \
         api://AzureADTokenExchange)",
    )
    .secret(),
    Input::new(
        "azure-service-connection",
        ALL,
        "Azure Pipelines: the service connection whose identity opens Key Vault or proves a federated client",
    ),
    Input::new(
        "credential-store",
        ALL,
        "where the refresh token rests between runs: file:PATH, keyvault:URL, variable-group:... or \
         github-secret:...",
    ),
    Input::new("store-key", ALL, "the passphrase that encrypts a file: credential-store").secret(),
    Input::new("authority-host", ALL, "Microsoft Entra's address; Microsoft's own hosts or loopback")
        .default("https://login.microsoftonline.com"),
    Input::new("service-url", ALL, "the PAT service's address; Microsoft's own hosts or loopback")
        .default("https://vssps.dev.azure.com"),
    Input::new("devops-url", ALL, "Azure DevOps' address; Microsoft's own hosts or loopback")
        .default("https://dev.azure.com"),
    Input::new(
        "github-api-url",
        ALL,
        "GitHub's API; default: the runner's GITHUB_API_URL, else https://api.github.com",
    ),
    Input::new("host", ALL, "the CI system that is spoken to; default: detected")
        .choices(&["azure-pipelines", "github-actions", "generic"]),
    Input::new(
        "variable",
        MINTING,
        "set this name for the later steps of the job (default on Azure Pipelines: ADO_PAT; on GitHub: none), or \
         for exec's command (default ADO_PAT)",
    ),
    Input::new(
        "output-variable",
        &[Create, Rotate, Doctor],
        "Azure Pipelines: set this output variable too, for later jobs; the server keeps output variables with \
         the run",
    ),
    Input::new("deliver-to", &[Create, Rotate, Doctor], "the stores that receive the new PAT, one a line"),
    Input::new("github-token", ALL, "the token that writes github-secret: stores; GITHUB_TOKEN cannot").secret(),
    Input::new("output-file", ALL, "write the outputs to this file, readable by its owner alone"),
    Input::new(
        "output-format",
        ALL,
        "the file's format; default: json where it ends in .json, else dotenv; the last three hold the PAT alone",
    )
    .choices(&["json", "dotenv", "token", "git-credentials", "netrc"]),
    Input::new("log", ALL, "a tracing filter such as debug; debug is also on where the host asks for it"),
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
