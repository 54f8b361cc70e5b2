//! PEM as tools and people write it (RFC 7468 calls it lax): with explanations around its blocks in whatever encoding,
//! in UTF-16 from PowerShell, with the line breaks of any system or of a CI variable that kept none.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What stands between a BEGIN and an END line.
#[derive(Debug)]
pub struct Section {
    /// What it is called, like `CERTIFICATE`.
    pub label: String,
    /// What it holds.
    pub der: Zeroizing<Vec<u8>>,
    /// Whether a header says that it is encrypted, OpenSSL's old way.
    pub is_encrypted: bool,
}

/// A section that is cut short, or holds no base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// The text of a file, as far as PEM goes: of UTF-8 and the like every byte stands for a character, since only ASCII
/// matters; UTF-16 is known by its byte order mark or its zeros.
pub fn text(bytes: &[u8]) -> Zeroizing<String> {
    let units = |read: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let units = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    let text: String = match bytes {
        [0xff, 0xfe, rest @ ..] => units(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => units(u16::from_be_bytes, rest),
        [1..=255, 0, 1..=255, 0, ..] => units(u16::from_le_bytes, bytes),
        [0, 1..=255, 0, 1..=255, ..] => units(u16::from_be_bytes, bytes),
        _ => bytes.iter().copied().map(char::from).collect(),
    };
    text.into()
}

/// Whether the text holds PEM.
pub fn is_pem(text: &str) -> bool {
    text.contains(BEGIN)
}

const BEGIN: &str = "-----BEGIN ";

/// Its sections in their order. One that is damaged ends where the next begins.
pub fn sections(text: &str) -> impl Iterator<Item = Result<Section, Damaged>> + '_ {
    text.split(BEGIN).skip(1).map(|section| {
        let (label, rest) = section.split_once("-----").ok_or(Damaged)?;
        let (body, _) = rest.split_once("-----END ").ok_or(Damaged)?;
        let is_encrypted = body.contains("Proc-Type:") && body.contains("ENCRYPTED");
        let der = if is_encrypted { Zeroizing::default() } else { bytes_in(body).ok_or(Damaged)? };
        Ok(Section { label: label.trim().to_owned(), der, is_encrypted })
    })
}

/// The bytes that the text is base64 of, however its lines are broken; a `\n` may be spelt out. `None` if it is not base64.
pub fn bytes_in(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let spelt_out = Zeroizing::new(text.replace("\\r", "").replace("\\n", ""));
    let mut body = Zeroizing::new(String::with_capacity(spelt_out.len()));
    body.extend(spelt_out.split_whitespace());
    let bytes = LENIENT.decode(body.as_bytes()).ok().map(Zeroizing::new)?;
    (!bytes.is_empty()).then_some(bytes)
}

/// The first element of DER, tag and length included: a `TRUSTED CERTIFICATE` is a certificate, and behind it what
/// OpenSSL trusts it for.
pub fn first_element(der: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = der.get(1..)?.split_first()?;
    let total = match length {
        0..=0x7f => 2 + usize::from(length),
        0x81..=0x84 => {
            let digits = rest.get(..usize::from(length & 0x7f))?;
            let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
            2 + digits.len() + length
        }
        _ => return None,
    };
    der.get(..total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn labels(bytes: &[u8]) -> Vec<Option<String>> {
        sections(&text(bytes)).map(|section| section.ok().map(|section| section.label)).collect()
    }

    const PEM: &str = "Bag Attributes\n    friendlyName: Prüfstelle\n-----BEGIN X509 CERTIFICATE-----\nMAAw\n-----END X509 CERTIFICATE-----\n";

    #[rstest]
    #[case::utf_8(PEM.as_bytes().to_vec())]
    #[case::with_a_mark(["\u{feff}", PEM].concat().into_bytes())]
    #[case::latin_1(PEM.chars().map(|c| c as u8).collect())]
    #[case::utf_16_le(std::iter::once(0xfeff).chain(PEM.encode_utf16()).flat_map(u16::to_le_bytes).collect())]
    #[case::utf_16_be(std::iter::once(0xfeff).chain(PEM.encode_utf16()).flat_map(u16::to_be_bytes).collect())]
    #[case::utf_16_le_unmarked(PEM.encode_utf16().flat_map(u16::to_le_bytes).collect())]
    #[case::utf_16_be_unmarked(PEM.encode_utf16().flat_map(u16::to_be_bytes).collect())]
    #[case::of_windows(PEM.replace('\n', "\r\n").into_bytes())]
    #[case::of_old_macs(PEM.replace('\n', "\r").into_bytes())]
    #[case::in_one_line(PEM.replace('\n', " ").into_bytes())]
    #[case::spelt_out(PEM.replace('\n', "\\n").into_bytes())]
    fn a_section_is_found_in_any_encoding(#[case] bytes: Vec<u8>) {
        assert_eq!(labels(&bytes), [Some("X509 CERTIFICATE".to_owned())]);
    }

    #[test]
    fn a_damaged_section_leaves_the_others_alone() {
        let pem = "-----BEGIN A-----\nMAAw\n-----BEGIN B-----\nMAAw\n-----END B-----\n-----BEGIN C-----\n!\n-----END C-----\n-----BEGIN D";
        assert_eq!(labels(pem.as_bytes()), [None, Some("B".into()), None, None]);
    }

    #[rstest]
    #[case(&[0x30, 1, 5, 9, 9], Some(&[0x30, 1, 5][..]))]
    #[case(&[0x30, 0x81, 1, 5, 9], Some(&[0x30, 0x81, 1, 5][..]))]
    #[case(&[0x30, 0x82, 0, 9], None)]
    #[case(&[0x30, 0x80, 0, 0], None)]
    #[case(&[0x30], None)]
    #[case(&[], None)]
    fn the_first_element_is_told_from_what_follows(#[case] der: &[u8], #[case] first: Option<&[u8]>) {
        assert_eq!(first_element(der), first);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            first_element(&bytes);
            sections(&text(&bytes)).for_each(drop);
            sections(&text(&[BEGIN.as_bytes(), &bytes].concat())).for_each(drop);
        }
    }
}
