//! The command line. What the probe signs in with comes from the environment, as for adopat itself.

use std::ffi::OsString;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Look at everything.
    Probe(Options),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// Not understood, in a sentence that repeats nothing: it might be a secret.
    Misused(&'static str),
}

/// How to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `--revoke-older`: PATs of earlier probes are revoked first.
    pub revoke_older: bool,
}

impl CommandLine {
    /// Reads the arguments, without the program's own name.
    pub fn parse(arguments: &[OsString]) -> Self {
        let mut options = Options::default();
        for argument in arguments {
            match argument.to_str() {
                Some("--help" | "-h") => return Self::Help,
                Some("--version" | "-V") => return Self::Version,
                Some("--revoke-older") => options.revoke_older = true,
                _ => return Self::Misused("An argument is not understood"),
            }
        }
        Self::Probe(options)
    }
}

/// The text of `--help`.
pub const HELP: &str = "\
Holds Microsoft Entra and the Azure DevOps PAT service to what is known of them, and prints a report in Markdown.

Usage: adopat-probe [--revoke-older]

  --revoke-older   revoke the PATs that earlier probes have left, then go on
  --help           this text
  --version        the version

It signs in as adopat does, by the same environment variables: ADOPAT_ORGANIZATION, ADOPAT_CLIENT_ID,
ADOPAT_TENANT_ID, ADOPAT_CREDENTIAL_STORE, ADOPAT_REFRESH_TOKEN and the rest ('adopat help list'). The rolled refresh
token is stored as in any run. ADOPAT_TIMEOUT (5m) is the limit of the whole run.

What it does to your organization: it makes up to ten PATs, never all at once, each named adopat-probe-RANDOM, with
the scope vso.gallery and an end an hour away, and revokes every one however the run ends. Azure DevOps mails you
about each. It stops looking after 160 requests, sends one at a time, and rests where the service asks for it.
It touches no other PAT.

The report goes to standard output, what is being done to standard error.

Exit codes:
  0         the report is whole, whatever it says
  1         a defect: please report it
  2         the inputs are wrong; nothing was sent
  3, 4      sign-in failed; refused by permission or policy
  6         a service failed or did not answer in time, or a PAT could not be revoked: it is named
  7         the refresh token could not be stored
  8         a PAT of an earlier probe is alive; nothing was made
  130, 143  cancelled; nothing left over
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> CommandLine {
        CommandLine::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_understood_is_never_repeated() {
        assert_eq!(parse(&["hunter2"]), CommandLine::Misused("An argument is not understood"));
    }

    #[test]
    fn older_pats_are_revoked_only_where_that_is_asked() {
        assert_eq!(parse(&[]), CommandLine::Probe(Options { revoke_older: false }));
        assert_eq!(parse(&["--revoke-older"]), CommandLine::Probe(Options { revoke_older: true }));
    }
}
