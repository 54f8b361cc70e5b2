//! How a refresh token is encrypted in its file: XChaCha20-Poly1305 under a key that Argon2id derives from
//! `store-key`.
//!
//! ```text
//! version 1 | "ADOPAT" | memory, KiB | passes | lanes | salt  | length | nonce | text, encrypted, and its tag
//!     1     |    6     |      4      |   4    |   4   |  16   |   4    |  24   |        length + 16
//! ```
//!
//! Numbers are big-endian. Everything before the nonce is associated data, so that a changed header is a
//! changed file. The length is in the header so that a file that was cut short can be told from one that
//! was changed, or that another key sealed; those two cannot be told from each other, and are one error.
//!
//! A key serves many texts: each has its own random nonce, long enough (24 bytes) never to be met twice. So a
//! run that opens a file and seals its successor derives once, and keeps the file's salt.
//!
//! Anyone who can write the file chooses the parameters that its reader derives with. They are bounded before
//! anything is allocated; weak ones gain nothing, since the text would have to be sealed under the real key.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::world::World;

const VERSION: u8 = 1;
const MAGIC: &[u8; 6] = b"ADOPAT";
const SALT: usize = 16;
const NONCE: usize = 24;
const TAG: usize = 16;
const HEADER: usize = 1 + MAGIC.len() + 3 * 4 + SALT + 4;

/// What deriving a key costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    /// Memory, in KiB.
    memory: u32,
    /// Passes over the memory.
    passes: u32,
    /// Lanes.
    lanes: u32,
}

/// RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes.
const RECOMMENDED: Cost = Cost { memory: 64 << 10, passes: 3, lanes: 4 };
/// The most that a file may make its reader pay: 256 MiB and some seconds.
const HIGHEST: Cost = Cost { memory: 256 << 10, passes: 16, lanes: 16 };

impl Cost {
    fn is_bearable(self) -> bool {
        self.memory <= HIGHEST.memory && self.passes <= HIGHEST.passes && self.lanes <= HIGHEST.lanes
    }
}

/// Why a file was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It does not begin like a sealed file.
    NotOurs,
    /// It says that it is sealed in a way this version does not know.
    UnknownVersion(u8),
    /// It is shorter or longer than its header says.
    Incomplete,
    /// Its header asks for more memory or time than any file that adopat wrote.
    TooCostly,
    /// Another key sealed it, or it was changed since.
    WrongKeyOrChanged,
}

/// Whether the bytes begin like something that was sealed, whole or not.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&VERSION) || bytes.get(1..=MAGIC.len()) == Some(MAGIC)
}

/// Seals and opens texts under one passphrase; remembers the key it derived last.
#[derive(Debug)]
pub struct Sealer {
    passphrase: Secret,
    world: World,
    cost: Cost,
    derived: Mutex<Option<Derived>>,
}

/// A key and what it was derived from besides the passphrase.
struct Derived {
    cost: Cost,
    salt: [u8; SALT],
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Derived {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Derived").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Sealer {
    /// A sealer under this passphrase.
    pub fn new(passphrase: Secret, world: World) -> Self {
        Self { passphrase, world, cost: RECOMMENDED, derived: Mutex::default() }
    }

    /// The text, sealed under the key that was last derived, else under one with a fresh salt.
    pub fn seal(&self, text: &Secret) -> Vec<u8> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let derived = derived.get_or_insert_with(|| {
            let mut salt = [0; SALT];
            self.world.random.fill(&mut salt);
            self.derive(self.cost, salt).expect("the recommended cost is a possible one")
        });
        let mut nonce = [0; NONCE];
        self.world.random.fill(&mut nonce);
        let text = text.expose().as_bytes();
        let length = u32::try_from(text.len()).expect("a token is no longer than 4 GiB");

        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(MAGIC);
        for number in [derived.cost.memory, derived.cost.passes, derived.cost.lanes] {
            sealed.extend_from_slice(&number.to_be_bytes());
        }
        sealed.extend_from_slice(&derived.salt);
        sealed.extend_from_slice(&length.to_be_bytes());
        let cipher = XChaCha20Poly1305::new((&*derived.key).into());
        let body = cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: text, aad: &sealed })
            .expect("a token is shorter than the cipher's limit");
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        sealed
    }

    /// The text that was sealed.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn open(&self, sealed: &[u8]) -> Result<Secret, Unopened> {
        if !is_sealed(sealed) {
            return Err(Unopened::NotOurs);
        }
        if sealed[0] != VERSION {
            return Err(Unopened::UnknownVersion(sealed[0]));
        }
        let (header, rest) = sealed.split_at_checked(HEADER).ok_or(Unopened::Incomplete)?;
        let mut fields = Fields(header);
        let [_version] = fields.take();
        if fields.take() != *MAGIC {
            return Err(Unopened::NotOurs);
        }
        let cost = Cost { memory: fields.number(), passes: fields.number(), lanes: fields.number() };
        let salt = fields.take();
        let length = fields.number() as usize;
        if rest.len() != (NONCE + TAG).saturating_add(length) {
            return Err(Unopened::Incomplete);
        }
        if !cost.is_bearable() {
            return Err(Unopened::TooCostly);
        }
        let (nonce, body) = rest.split_at(NONCE);

        let mut known = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let derived = match known.take().filter(|known| known.cost == cost && known.salt == salt) {
            Some(derived) => derived,
            // Parameters that Argon2 itself refuses: no file of ours has them.
            None => self.derive(cost, salt).ok_or(Unopened::WrongKeyOrChanged)?,
        };
        let cipher = XChaCha20Poly1305::new((&*derived.key).into());
        let text = cipher
            .decrypt(XNonce::from_slice(nonce), Payload { msg: body, aad: header })
            .map_err(|_| Unopened::WrongKeyOrChanged)?;
        // Only now is it known that the salt and the cost are this passphrase's own.
        *known = Some(derived);
        String::from_utf8(text).map(Secret::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            Unopened::WrongKeyOrChanged
        })
    }

    fn derive(&self, cost: Cost, salt: [u8; SALT]) -> Option<Derived> {
        let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(32)).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut key = Zeroizing::new([0; 32]);
        argon2.hash_password_into(self.passphrase.expose().as_bytes(), &salt, key.as_mut()).ok()?;
        Some(Derived { cost, salt, key })
    }
}

/// The header's fields, read one after the other; the header is as long as they are together.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the header is as long as its fields");
        self.0 = rest;
        *field
    }

    fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake;
    use proptest::prelude::*;
    use rstest::rstest;

    const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };
    const MEMORY: usize = 7;
    const PASSES: usize = 11;
    const LANES: usize = 15;
    const LENGTH: usize = 35;

    fn sealer(passphrase: &str) -> Sealer {
        Sealer { cost: CHEAP, ..Sealer::new(Secret::new(passphrase.into()), fake::offline()) }
    }

    fn token() -> Secret {
        Secret::new("1.AXoAfake-refresh-token".into())
    }

    #[test]
    fn a_sealed_text_is_opened_by_its_key_and_does_not_show_through() {
        let sealed = sealer("correct horse").seal(&token());
        assert_eq!(sealer("correct horse").open(&sealed), Ok(token()));
        assert!(is_sealed(&sealed));
        assert!(!sealed.windows(4).any(|window| window == b"fake"));
        assert_eq!(sealer("battery staple").open(&sealed), Err(Unopened::WrongKeyOrChanged));
    }

    #[test]
    fn the_recommended_cost_is_used_and_borne() {
        let sealer = Sealer::new(Secret::new("correct horse".into()), fake::offline());
        let sealed = sealer.seal(&token());
        assert_eq!(sealed[MEMORY..MEMORY + 4], (64_u32 << 10).to_be_bytes());
        assert_eq!(sealer.open(&sealed), Ok(token()));
    }

    #[test]
    fn a_successor_keeps_the_salt_and_never_the_nonce() {
        let first = sealer("correct horse").seal(&token());
        let run = sealer("correct horse");
        run.open(&first).expect("opened");
        let second = run.seal(&token());
        assert_eq!(first[..HEADER], second[..HEADER]);
        assert_ne!(first[HEADER..], second[HEADER..]);
    }

    #[test]
    fn a_forged_header_does_not_become_the_successors() {
        let mut forged = sealer("someone else's").seal(&token());
        forged[PASSES + 3] = 2;
        let run = sealer("correct horse");
        run.open(&forged).expect_err("not ours");
        assert_eq!(run.seal(&token())[PASSES..PASSES + 4], CHEAP.passes.to_be_bytes());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let sealed = sealer("correct horse").seal(&token());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            sealer("correct horse").open(&changed).expect_err("changed");
        }
    }

    #[test]
    fn a_file_cut_short_is_told_from_a_changed_one() {
        let sealed = sealer("correct horse").seal(&token());
        for length in 1..sealed.len() {
            assert_eq!(sealer("correct horse").open(&sealed[..length]), Err(Unopened::Incomplete));
        }
        assert_eq!(sealer("correct horse").open(b""), Err(Unopened::NotOurs));
        assert_eq!(sealer("correct horse").open(b"0.AXoAplain"), Err(Unopened::NotOurs));
        let mut longer = sealed;
        longer.push(b'\n');
        assert_eq!(sealer("correct horse").open(&longer), Err(Unopened::Incomplete));
    }

    #[rstest]
    #[case(MEMORY)]
    #[case(PASSES)]
    #[case(LANES)]
    fn a_hostile_cost_is_refused_before_it_is_paid(#[case] field: usize) {
        let mut sealed = sealer("correct horse").seal(&token());
        sealed[field..field + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(sealer("correct horse").open(&sealed), Err(Unopened::TooCostly));
    }

    #[rstest]
    #[case(MEMORY)]
    #[case(PASSES)]
    #[case(LANES)]
    fn a_cost_of_nothing_is_refused(#[case] field: usize) {
        let mut sealed = sealer("correct horse").seal(&token());
        sealed[field..field + 4].fill(0);
        assert_eq!(sealer("correct horse").open(&sealed), Err(Unopened::WrongKeyOrChanged));
    }

    #[test]
    fn a_length_beyond_the_file_is_incomplete() {
        let mut sealed = sealer("correct horse").seal(&token());
        sealed[LENGTH..LENGTH + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(sealer("correct horse").open(&sealed), Err(Unopened::Incomplete));
    }

    #[test]
    fn a_later_version_is_named() {
        let mut sealed = sealer("correct horse").seal(&token());
        sealed[0] = 2;
        assert_eq!(sealer("correct horse").open(&sealed), Err(Unopened::UnknownVersion(2)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = sealer("correct horse").open(&bytes);
        }

        #[test]
        fn no_header_makes_the_reader_panic(
            memory in 0..64_u32, passes in 0..3_u32, lanes in 0..6_u32, body in proptest::collection::vec(any::<u8>(), 80),
        ) {
            let mut bytes = vec![VERSION];
            bytes.extend_from_slice(MAGIC);
            for number in [memory, passes, lanes] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            bytes.extend_from_slice(&body);
            let length = (body.len() - SALT - 4 - NONCE - TAG) as u32;
            bytes[LENGTH..LENGTH + 4].copy_from_slice(&length.to_be_bytes());
            prop_assert_eq!(sealer("correct horse").open(&bytes), Err(Unopened::WrongKeyOrChanged));
        }

        #[test]
        fn every_text_comes_back(text in ".{0,200}") {
            let secret = Secret::new(text);
            prop_assert_eq!(sealer("k").open(&sealer("k").seal(&secret)), Ok(secret));
        }
    }
}
