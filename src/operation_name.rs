//! The names of the operations, each with a line, a few sentences and an example that explain it.

use self::OperationName::{Apply, Create, Doctor, Exec, Get, List, Login, Revoke, Rotate, Update};

/// The operations, as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationName {
    /// Mint a PAT.
    Create,
    /// Replace a PAT.
    Rotate,
    /// Make the PATs of a manifest be as it says.
    Apply,
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

impl OperationName {
    /// Every operation, in the order of the help.
    pub const ALL: [Self; 10] = [Create, Rotate, Apply, Revoke, Update, Get, List, Exec, Login, Doctor];

    /// Their words, in the same order.
    pub const WORDS: [&'static str; Self::ALL.len()] = {
        let mut words = [""; Self::ALL.len()];
        let mut at = 0;
        while at < words.len() {
            words[at] = Self::ALL[at].text();
            at += 1;
        }
        words
    };

    /// The word as it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Create => "create",
            Rotate => "rotate",
            Apply => "apply",
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
            Apply => "make your PATs be as a manifest says",
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
            Apply => {
                "Makes your PATs be as a manifest says: makes those that are missing, and rotates those that expire \
                 soon, have another scope, or are not in every store that they belong in. Each PAT is a rotation of its \
                 own: one that fails leaves the others alone. With dry-run it says what it would do, and why."
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
            Apply => "adopat apply --manifest adopat.yml --dry-run",
            Revoke => "adopat revoke --organization fabrikam --display-name ci",
            Update => "adopat update --organization fabrikam --display-name ci --lifetime 30d",
            Get => "adopat get --organization fabrikam --display-name ci",
            List => "adopat list --organization fabrikam --expiring-within 14d",
            Exec => "adopat exec --organization fabrikam --scope vso.packaging -- ./restore.sh",
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
