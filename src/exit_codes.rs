//! The one table of exit codes, for the help, the man page and the documentation.

use crate::operation_name::OperationName::{self, Apply, Exec, Get, List, Revoke, Rotate, Update};

/// One exit code.
#[derive(Clone, Copy, Debug)]
pub struct ExitCode {
    /// The number, as it is written.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The operations that can end with it.
    pub operations: &'static [OperationName],
}

const fn of(operations: &'static [OperationName], code: &'static str, meaning: &'static str) -> ExitCode {
    ExitCode { code, meaning, operations }
}

const ALL: &[OperationName] = &OperationName::ALL;

/// Every exit code there is.
pub const EXIT_CODES: [ExitCode; 13] = [
    of(ALL, "0", "done, or nothing to do"),
    of(ALL, "1", "unexpected: a defect in adopat"),
    of(ALL, "2", "the inputs are wrong; nothing was sent"),
    of(ALL, "3", "sign-in failed or is needed again, or the credential store cannot be read"),
    of(ALL, "4", "refused by permission or policy"),
    of(
        &[Rotate, Apply, Revoke, Update, Get, OperationName::Doctor],
        "5",
        "there is no such PAT, or several have the name",
    ),
    of(ALL, "6", "a service failed, could not be reached, or did not answer in time"),
    of(ALL, "7", "a store or file could not take what it should; what was created has been revoked"),
    of(
        &[List, Apply],
        "8",
        "fail-if-expiring, fail-if-global or fail-if-drift: such a PAT, or a difference, was found",
    ),
    of(&[Exec], "126", "exec: the command is not executable"),
    of(&[Exec], "127", "exec: the command was not found"),
    of(&[Exec], "128+N", "exec: signal N ended the command; any other code is the command's own"),
    of(ALL, "129, 130, 143", "cancelled by a signal; what may be left is named"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[test]
    fn every_exit_has_its_row() {
        let exits = [
            Exit::Defect,
            Exit::Inputs,
            Exit::SignIn,
            Exit::Refused,
            Exit::NotFound,
            Exit::Service,
            Exit::Store,
            Exit::Expiring,
        ];
        let codes = ["0".to_owned()].into_iter().chain(exits.map(|exit| exit.code().to_string()));
        let rows: Vec<_> = EXIT_CODES.iter().map(|row| row.code).take(9).collect();
        assert_eq!(codes.collect::<Vec<_>>(), rows);
    }
}
