//! Reads a PKCS#12 file that was written without a password, as Windows and Key Vault write it.
//!
//! In PKCS#12, no password is not the same as an empty password (RFC 7292, appendix B.1: an empty one is two zero
//! bytes), so code that opens the one does not open the other.

use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use cms::content_info::ContentInfo;
use cms::encrypted_data::EncryptedData;
use des::TdesEde3;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use pkcs12::pbe_params::{EncryptedPrivateKeyInfo, Pkcs12PbeParams};
use pkcs12::pfx::Pfx;
use pkcs12::safe_bag::{PrivateKeyInfo, SafeContents};
use pkcs12::{
    AuthenticatedSafe, CertBag, PKCS_12_CERT_BAG_OID, PKCS_12_KEY_BAG_OID,
    PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC, PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC,
    PKCS_12_PKCS8_KEY_BAG_OID,
};
use rc2::Rc2;
use sha1::Sha1;
use x509_cert::der::asn1::{ContextSpecific, ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode as _};
use x509_cert::spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
/// More rounds than anybody's file wants; beyond it a file only takes time.
const MOST_ROUNDS: i32 = 1_000_000;

/// What such a file holds.
#[derive(Default)]
pub(super) struct Opened {
    /// The certificates, DER.
    pub certificates: Vec<Vec<u8>>,
    /// The private keys, PKCS#8.
    pub keys: Vec<Zeroizing<Vec<u8>>>,
}

/// Opens the file; `None` if it is not such a file. Its seal is not looked at: without a password it proves nothing.
pub(super) fn open(bytes: &[u8]) -> Option<Opened> {
    let mut opened = Opened::default();
    let pfx = Pfx::from_der(bytes).ok()?;
    for safe in AuthenticatedSafe::from_der(data_of(&pfx.auth_safe)?.as_bytes()).ok()? {
        let bags = match safe.content_type {
            DATA => data_of(&safe)?.as_bytes().to_vec().into(),
            ENCRYPTED_DATA => {
                let content = EncryptedData::from_der(&safe.content.to_der().ok()?).ok()?.enc_content_info;
                decrypted(&content.content_enc_alg, content.encrypted_content?.as_bytes())?
            }
            _ => continue,
        };
        for bag in SafeContents::from_der(&bags).ok()? {
            match bag.bag_id {
                PKCS_12_CERT_BAG_OID => {
                    let bag = value_of::<CertBag>(&bag.bag_value)?;
                    opened.certificates.push(bag.cert_value.as_bytes().to_vec());
                }
                PKCS_12_KEY_BAG_OID => {
                    let key = value_of::<PrivateKeyInfo>(&bag.bag_value)?;
                    opened.keys.push(key.to_der().ok()?.into());
                }
                PKCS_12_PKCS8_KEY_BAG_OID => {
                    let key = value_of::<EncryptedPrivateKeyInfo>(&bag.bag_value)?;
                    opened.keys.push(decrypted(&key.encryption_algorithm, key.encrypted_data.as_bytes())?);
                }
                _ => {}
            }
        }
    }
    Some(opened)
}

fn data_of(content: &ContentInfo) -> Option<OctetString> {
    OctetString::from_der(&content.content.to_der().ok()?).ok()
}

fn value_of<'a, T: Decode<'a, Error = x509_cert::der::Error> + x509_cert::der::Tagged>(
    bag: &'a [u8],
) -> Option<T> {
    Some(ContextSpecific::<T>::from_der(bag).ok()?.value)
}

/// Both ciphers of PKCS#12's own that Windows writes.
fn decrypted(algorithm: &AlgorithmIdentifierOwned, data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let parameters = algorithm.parameters.as_ref()?.to_der().ok()?;
    let Pkcs12PbeParams { salt, iterations } = Pkcs12PbeParams::from_der(&parameters).ok()?;
    if !(1..=MOST_ROUNDS).contains(&iterations) {
        return None;
    }
    let derived =
        |kind, length| Zeroizing::new(derive_key::<Sha1>(&[], salt.as_bytes(), kind, iterations, length));
    let iv = derived(Pkcs12KeyType::Iv, 8);
    let key = |length| derived(Pkcs12KeyType::EncryptionKey, length);
    let plain = match algorithm.oid {
        PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC => {
            Decryptor::<TdesEde3>::new_from_slices(&key(24), &iv).ok()?.decrypt_padded_vec::<Pkcs7>(data)
        }
        PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC => {
            Decryptor::<Rc2>::new_from_slices(&key(5), &iv).ok()?.decrypt_padded_vec::<Pkcs7>(data)
        }
        _ => return None,
    };
    plain.ok().map(Zeroizing::new)
}
