//! Client certificates as openssl, Java's keytool and Key Vault write them, and as they look once an editor, PowerShell or
//! a CI variable has had them.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use adopat::entra::Certificate;
use adopat::secret::Secret;
use adopat::token_shape::is_inline_certificate;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rstest::rstest;
use tempfile::TempDir;

/// A key, its certificate, and others of both, made by openssl; `None` if it is not on this machine.
static WORKSHOP: LazyLock<Option<TempDir>> = LazyLock::new(|| {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: openssl is not on this machine");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for command in [
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem",
        "req -x509 -new -key key.pem -utf8 -subj /CN=Prüfstelle -days 30 -out own.pem",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out other-key.pem",
        "req -x509 -new -key other-key.pem -subj /CN=authority -days 30 -out other.pem",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec-key.pem",
        "rsa -in key.pem -traditional -out pkcs1.pem",
        "ec -in ec-key.pem -out sec1.pem",
        "x509 -in own.pem -outform der -out own.der",
    ] {
        openssl(folder.path(), command);
    }
    Some(folder)
});

fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let output =
        Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().expect("it runs");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn file(name: &str) -> Vec<u8> {
    let folder = WORKSHOP.as_ref().expect("openssl is here").path();
    std::fs::read(folder.join(name)).expect("openssl wrote it")
}

/// Both files as one.
fn files(names: &[&str]) -> Vec<u8> {
    names.iter().flat_map(|name| file(name)).collect()
}

#[track_caller]
fn is_our_own(bytes: &[u8], password: Option<&str>) {
    let password = password.map(|password| Secret::new(password.into()));
    let read = Certificate::read(bytes, password.as_ref()).unwrap_or_else(|failure| panic!("{failure}"));
    let digest = ring::digest::digest(&ring::digest::SHA256, &file("own.der"));
    assert!(format!("{read:?}").contains(&URL_SAFE_NO_PAD.encode(digest)), "another certificate was picked");
}

#[rstest]
#[case::key_first(&["key.pem", "own.pem"])]
#[case::certificate_first(&["own.pem", "key.pem"])]
#[case::of_a_chain(&["other.pem", "own.pem", "key.pem"])]
#[case::chain_around_it(&["own.pem", "key.pem", "other.pem"])]
#[case::pkcs1(&["pkcs1.pem", "own.pem"])]
#[case::a_second_key_before(&["other-key.pem", "key.pem", "own.pem"])]
#[case::a_second_key_after(&["key.pem", "own.pem", "other-key.pem"])]
#[case::two_pairs(&["key.pem", "other.pem", "own.pem"])]
#[case::an_elliptic_key_before(&["ec-key.pem", "own.pem", "key.pem"])]
#[case::an_elliptic_key_of_old_after(&["key.pem", "own.pem", "sec1.pem"])]
fn a_pem_is_read_in_any_order(#[case] names: &[&str]) {
    if WORKSHOP.is_some() {
        is_our_own(&files(names), None);
    }
}

#[rstest]
#[case::explained("x509 -in own.pem -text")]
#[case::trusted("x509 -in own.pem -trustout -addtrust clientAuth -setalias Prüf")]
#[case::trusted_without_use("x509 -in own.pem -trustout")]
fn a_certificate_is_read_however_openssl_writes_it(#[case] command: &str) {
    let Some(folder) = &*WORKSHOP else { return };
    is_our_own(&[openssl(folder.path(), command), file("key.pem")].concat(), None);
}

#[rstest]
#[case::aes("pkcs8 -topk8 -in key.pem -v2 aes256 -passout pass:fake-password")]
#[case::aes_of_sha512(
    "pkcs8 -topk8 -in key.pem -v2 aes-128-cbc -v2prf hmacWithSHA512 -passout pass:fake-password"
)]
#[case::triple_des("pkcs8 -topk8 -in key.pem -v2 des3 -passout pass:fake-password")]
#[case::scrypt("pkcs8 -topk8 -in key.pem -scrypt -passout pass:fake-password")]
fn an_encrypted_key_is_read(#[case] command: &str) {
    let Some(folder) = &*WORKSHOP else { return };
    let encrypted = openssl(folder.path(), command);
    is_our_own(&[encrypted.clone(), file("own.pem")].concat(), Some("fake-password"));
    let wrong = Certificate::read(&[encrypted, file("own.pem")].concat(), Some(&Secret::new("wrong".into())));
    let failure = wrong.expect_err("the password is wrong");
    assert!(failure.remedy.contains("Check client-certificate-password"), "{failure}");
}

/// As an editor, PowerShell, Windows or a CI variable leaves it.
#[rstest]
fn a_pem_is_read_in_any_encoding(
    #[values(
        "utf-8",
        "with a mark",
        "latin-1",
        "utf-16le",
        "utf-16be",
        "crlf",
        "one line",
        "spelt out",
        "base64"
    )]
    how: &str,
    #[values("key.pem", "pkcs1.pem")] key: &str,
) {
    let Some(folder) = &*WORKSHOP else { return };
    let explained = openssl(folder.path(), "x509 -in own.pem -text -nameopt utf8,-esc_msb");
    let text = String::from_utf8([explained, file(key)].concat()).expect("text");
    let text = format!("Schlüssel der Prüfstelle\n{text}");
    let units = |write: fn(u16) -> [u8; 2]| {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(write).collect()
    };
    let bytes: Vec<u8> = match how {
        "with a mark" => format!("\u{feff}{text}").into_bytes(),
        "latin-1" => text.chars().map(|c| u8::try_from(c).expect("Latin-1")).collect(),
        "utf-16le" => units(u16::to_le_bytes),
        "utf-16be" => units(u16::to_be_bytes),
        "crlf" => text.replace('\n', "\r\n").into_bytes(),
        "one line" => text.replace('\n', " ").into_bytes(),
        "spelt out" => text.replace('\n', "\\n").into_bytes(),
        "base64" => STANDARD.encode(&text).into_bytes(),
        _ => text.clone().into_bytes(),
    };
    is_our_own(&bytes, None);
}

const EXPORT: &str = "pkcs12 -export -inkey key.pem -in own.pem -certfile other.pem";

#[rstest]
#[case::of_today("-passout pass:fake-password", Some("fake-password"))]
#[case::of_windows(
    "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -passout pass:fake-password",
    Some("fake-password")
)]
#[case::of_windows_with_aes(
    "-keypbe AES-256-CBC -certpbe AES-256-CBC -macalg sha256 -iter 2000 -passout pass:fake-password",
    Some("fake-password")
)]
#[case::key_alone_encrypted("-certpbe NONE -passout pass:fake-password", Some("fake-password"))]
#[case::of_sha512("-macalg sha512 -passout pass:fake-password", Some("fake-password"))]
#[case::named("-name Prüfstelle -CSP Microsoft -passout pass:fake-password", Some("fake-password"))]
#[case::beyond_ascii("-passout pass:geheim-Ünï", Some("geheim-Ünï"))]
#[case::empty_password("-passout pass:", None)]
#[case::of_windows_with_empty_password(
    "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -passout pass:",
    None
)]
#[case::in_clear("-keypbe NONE -certpbe NONE -nomac -passout pass:", None)]
#[case::in_clear_with_a_seal("-keypbe NONE -certpbe NONE -passout pass:fake-password", None)]
#[case::in_clear_with_a_password("-keypbe NONE -certpbe NONE -nomac -passout pass:", Some("not-needed"))]
fn a_pkcs12_is_read(
    #[case] options: &str,
    #[case] password: Option<&str>,
    #[values("as it is", "base64", "base64 in lines", "pem")] how: &str,
) {
    let Some(folder) = &*WORKSHOP else { return };
    let bytes = openssl(folder.path(), &format!("{EXPORT} {options}"));
    let encoded = STANDARD.encode(&bytes);
    let lines = |width| {
        let lines: Vec<_> = encoded.as_bytes().chunks(width).map(String::from_utf8_lossy).collect();
        lines.join("\r\n")
    };
    let bytes = match how {
        // As Key Vault hands it out, and `az keyvault secret show -o tsv` prints it.
        "base64" => format!("{encoded}\n").into_bytes(),
        "base64 in lines" => lines(76).into_bytes(),
        // As certtool writes it.
        "pem" => format!("-----BEGIN PKCS12-----\n{}\n-----END PKCS12-----\n", lines(64)).into_bytes(),
        _ => bytes,
    };
    is_our_own(&bytes, password);
    if how == "base64" {
        assert!(is_inline_certificate(std::str::from_utf8(&bytes).expect("text")));
    }
}

/// openssl can only write it where it still has its old algorithms.
#[test]
fn a_pkcs12_of_old_windows_is_read() {
    let Some(folder) = &*WORKSHOP else { return };
    let export = format!("{EXPORT} -legacy -passout pass:fake-password");
    let output =
        Command::new("openssl").current_dir(folder.path()).args(export.split(' ')).output().expect("it runs");
    match output.status.success() {
        true => is_our_own(&output.stdout, Some("fake-password")),
        false => eprintln!("skipped: this openssl has no RC2"),
    }
}

#[rstest]
#[case::plain("-nodes")]
#[case::encrypted("-passout pass:fake-password")]
fn what_openssl_makes_of_a_pkcs12_is_read(#[case] options: &str) {
    let Some(folder) = &*WORKSHOP else { return };
    let pfx = openssl(folder.path(), &format!("{EXPORT} -name Prüfstelle -passout pass:fake-password"));
    let path = folder.path().join(format!("{}.pfx", options.len()));
    std::fs::write(&path, pfx).expect("written");
    let pem = openssl(
        folder.path(),
        &format!("pkcs12 -in {} -passin pass:fake-password {options}", path.display()),
    );
    assert!(String::from_utf8_lossy(&pem).contains("Bag Attributes"));
    is_our_own(&pem, Some("fake-password"));
}

#[test]
fn what_keytool_writes_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store.p12");
    let output = Command::new("keytool")
        .args(["-genkeypair", "-alias", "ci", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=contoso"])
        .args(["-storetype", "PKCS12", "-storepass", "fake-password", "-keystore"])
        .arg(&store)
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: keytool is not on this machine");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let bytes = std::fs::read(store).expect("written");
    Certificate::read(&bytes, Some(&Secret::new("fake-password".into()))).expect("readable");
}

#[rstest]
#[case("/etc/adopat/client.pem", false)]
#[case("MIIB.pfx", false)]
#[case("C:\\certificates\\client.pfx", false)]
#[case("-----BEGIN PRIVATE KEY-----", true)]
fn a_path_is_told_from_a_certificate(#[case] value: &str, #[case] inline: bool) {
    assert_eq!(is_inline_certificate(value), inline);
}

/// As Windows and Key Vault write it: openssl's command cannot, and reads it.
#[rstest]
fn a_pkcs12_that_was_made_without_any_password_is_read(#[values("3des", "rc2", "aes")] cipher: &str) {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certificates/without-any-password-");
    let bytes = std::fs::read(format!("{fixtures}{cipher}.p12")).expect("a fixture");
    let read = |bytes: &[u8]| format!("{:?}", Certificate::read(bytes, None).expect("readable"));
    assert!(read(&bytes).contains("Uaknj9GpT7l26e3GQwU1HUnIlRclVg3Nri26ALfLITo"), "the fixtures' own");
    assert_eq!(read(STANDARD.encode(&bytes).as_bytes()), read(&bytes));
}
