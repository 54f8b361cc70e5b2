//! Seeded randomness: everything that looks random in an answer follows from one number, so that a run
//! can be repeated exactly.

use uuid::Uuid;

/// A SplitMix64 generator. It is for fakes only, never for real secrets.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Entra's user codes hold no vowels and nothing that reads like something else.
const TYPEABLE: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";

impl Chance {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub(crate) fn alphanumeric(&mut self, length: usize) -> String {
        self.text(ALPHANUMERIC, length)
    }

    pub(crate) fn url_safe(&mut self, length: usize) -> String {
        self.text(URL_SAFE, length)
    }

    pub(crate) fn typeable(&mut self, length: usize) -> String {
        self.text(TYPEABLE, length)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }

    /// A GUID that shows that it is fake: it begins `fa4efa4e-0000`.
    pub(crate) fn guid(&mut self) -> Uuid {
        let random = self.next();
        Uuid::from_u64_pair(0xfa4e_fa4e_0000_4000, 0x8000_0000_0000_0000 | (random >> 4))
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.next() as usize % alphabet.len()])).collect()
    }
}
