//! Whatever bytes come in: the properties that the fuzz targets try for hours (`fuzz/`), for a moment, seeded.

#[path = "hosts/azure_agent.rs"]
#[allow(dead_code)]
mod azure_agent;
#[path = "hosts/github_runner.rs"]
#[allow(dead_code)]
mod github_runner;
#[path = "../fuzz/properties.rs"]
mod properties;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rstest::rstest;

/// Bytes made of what is special to a parser, a host or a terminal more often than not.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    const FRAGMENTS: &[&str] = &[
        "##vso[task.setvariable variable=PATH]/evil",
        "##[add-mask]",
        "##[error]",
        "::set-output name=token::x",
        "::stop-commands::x",
        "::",
        "#",
        "]",
        "%0A",
        "%AZP25",
        "\n",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{1b}[31m",
        "\u{1b}]0;title\u{7}",
        "\u{202e}",
        "\u{feff}",
        "\0",
        "{\"patToken\":{\"authorizationId\":\"00000000-0000-0000-0000-000000000001\",\"token\":\"fake\"}}",
        "{\"patToken\":null,\"patTokenError\":\"",
        "{\"continuationToken\":\"x\",\"patTokens\":[",
        "{\"$id\":\"1\",\"message\":\"",
        "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS70008: ",
        "{\"access_token\":\"x\",\"token_type\":\"Bearer\",\"refresh_token\":\"y\",\"expires_in\":",
        "\"}",
        "]}",
        "null",
        "18446744073709551616",
        "-1",
        "1e308",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "P90D",
        "9999999w",
        "https://dev.azure.com",
        "https://evil.example/.dev.azure.com",
        "https://dev.azure.com@evil.example/",
        "http://127.0.0.1:1",
        "file:",
        "keyvault:https://v.vault.azure.net/secrets/n",
        "variable-group:a/b/c",
        "github-secret:o/r/N",
        "$(name)",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        "-----END CERTIFICATE-----\n",
        "MIIB",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiIjI3Zzb1siLCJzdWIiOiJ4IiwiYXVkIjpbImEiXX0.x",
        "\u{1}ADOPAT\0\0\0\u{8}\0\0\0\u{1}\0\0\0\u{1}",
        "<html>",
    ];
    let part = prop_oneof![
        4 => prop::sample::select(FRAGMENTS).prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..6),
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ];
    (prop::collection::vec(any::<u8>(), 0..4), prop::collection::vec(part, 0..10))
        .prop_map(|(first, parts)| first.into_iter().chain(parts.concat()).collect())
}

#[rstest]
#[case::inputs(properties::inputs, 3000)]
#[case::addresses(properties::addresses, 3000)]
#[case::pat_service(properties::pat_service, 2000)]
#[case::entra(properties::entra, 2000)]
#[case::hosts(properties::hosts, 1000)]
#[case::retry_after(properties::retry_after, 3000)]
#[case::certificates(properties::certificates, 2000)]
#[case::job_tokens(properties::job_tokens, 3000)]
#[case::store_file(properties::store_file, 1000)]
fn hostile_bytes_change_nothing(#[case] property: fn(&[u8]), #[case] cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let outcome = TestRunner::new_with_rng(config, rng).run(&hostile(), |bytes| {
        property(&bytes);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn a_true_certificate_with_any_byte_changed_is_read_or_refused() {
    for name in ["elliptic.pem", "pkcs1.pem", "encrypted-aes256.pem", "pbes2-aes256.p12", "3des-rc2.p12"] {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/certificates").join(name);
        let whole = std::fs::read(path).expect("a fixture");
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            properties::certificates(&changed);
            properties::certificates(&whole[..at]);
        }
    }
}
