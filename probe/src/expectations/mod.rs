//! The one list of what is known of the services that the emulator stands for, one file an area.
//!
//! Each row is written once: the probe looks at it live, the tests hold the emulator to it, and the table in the
//! emulator's README is made of it. Rows are looked at in their order; PATs are revoked last.

mod create;
mod door;
mod elsewhere;
mod entra;
mod read;
mod refusals;
mod revoke;
mod update;

use crate::expectation::Expectation;

/// Every expectation, area by area.
pub fn all() -> Vec<Expectation> {
    [
        create::expectations(),
        read::expectations(),
        update::expectations(),
        refusals::expectations(),
        door::expectations(),
        revoke::expectations(),
        entra::expectations(),
        elsewhere::expectations(),
    ]
    .concat()
}
