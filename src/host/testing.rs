//! What the hosts' own tests share: a world that stands still, and a PAT.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;

use super::streams::{Captured, Streams};
use crate::outputs::Outputs;
use crate::pats::{Pat, Scope};
use crate::secret::{Register, Secret};
use crate::world::{Exchange, Random, SystemClock, Wire, WireError, World};

/// A world without a wire, whose randomness is all zeros.
pub fn still_world() -> World {
    World { wire: Arc::new(NoWire), clock: Arc::new(SystemClock), random: Arc::new(Zeros) }
}

#[derive(Debug)]
struct NoWire;

impl Wire for NoWire {
    fn exchange(&self, _: http::Request<Bytes>) -> Exchange<'_> {
        Box::pin(async { Err(WireError::Unreachable("there is no wire".into())) })
    }
}

#[derive(Debug)]
struct Zeros;

impl Random for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// A stream that takes nothing: `BrokenPipe` is one that nobody reads.
struct Failing(io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Streams that both fail so.
pub fn failing(kind: io::ErrorKind) -> Streams {
    Streams::new(Box::new(Failing(kind)), Box::new(Failing(kind)), Register::default())
}

/// Streams, with what is printed on standard output.
pub fn opened_on(register: Register) -> (Streams, Captured) {
    let (streams, out, _) = Streams::captured(register);
    (streams, out)
}

/// A PAT's value: fake, of true shape.
pub fn pat_text() -> String {
    format!("FAKE{}AZDOFAKE", "a".repeat(72))
}

/// The outputs of a run whose subject is one PAT, minted or not.
pub fn outputs(minted: bool) -> Outputs {
    let subject = Pat {
        authorization_id: "00000000-0000-0000-0000-000000000001".into(),
        display_name: "contoso ci".into(),
        scope: Scope::parse("vso.packaging vso.code"),
        valid_from: "2026-01-01T00:00:00Z".parse().ok(),
        valid_to: "2026-02-01T00:00:00.5Z".parse().ok(),
        target_accounts: None,
    };
    Outputs {
        token: minted.then(|| Secret::new(pat_text())),
        subject: Some(subject),
        changed: minted,
        ..Outputs::default()
    }
}
