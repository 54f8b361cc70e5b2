//! A certificate authority for one run, and the certificate of loopback that it signs.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempPath;

/// The authority that clients have to trust.
#[derive(Debug)]
pub(crate) struct Authority {
    pem: String,
    file: TempPath,
    config: Arc<rustls::ServerConfig>,
}

impl Authority {
    /// A new one. Its certificate stands in a file, `ca.pem` in the folder or a temporary one, until it is dropped;
    /// what it signs is for loopback and this host.
    pub(crate) fn new(host: &str, folder: Option<&Path>) -> io::Result<Self> {
        let (pem, config) = Self::made(host).map_err(io::Error::other)?;
        let file = match folder {
            Some(folder) => {
                let path = folder.join("ca.pem");
                std::fs::write(&path, &pem)?;
                TempPath::try_from_path(path)?
            }
            None => {
                let name = tempfile::Builder::new()
                    .prefix("adopat-emulator-ca-")
                    .suffix(".pem")
                    .tempfile()
                    .map_err(|error| {
                    io::Error::new(
                        error.kind(),
                        format!("there is no folder for the CA's certificate: {error}"),
                    )
                })?;
                std::fs::write(name.path(), &pem)?;
                name.into_temp_path()
            }
        };
        Ok(Self { pem, file, config: Arc::new(config) })
    }

    fn made(host: &str) -> Result<(String, rustls::ServerConfig), Box<dyn std::error::Error + Send + Sync>> {
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "adopat-emulator test CA");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate()?;
        let names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1", host].map(str::to_owned).into();
        let names: Vec<String> = names.into_iter().collect();
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(&key, &issuer)?;

        let config = server_config(certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der())?)?;
        Ok((pem, config))
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn pem_path(&self) -> &Path {
        &self.file
    }

    pub(crate) fn server_config(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.config)
    }
}

fn server_config(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<rustls::ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
