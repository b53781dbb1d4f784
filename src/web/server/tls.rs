//! TLS for the metrics server, with the stack that speaks to the other servers.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, Result};

/// Certificates of a few authorities have some kilobytes.
const PEM_BYTES_MAX: u64 = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub oldest: TlsVersion,
    pub newest: TlsVersion,
    pub clients: ClientCertificates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// Certificates of clients, and the file with the authority that they are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    NotAsked,
    Optional(PathBuf),
    Required(PathBuf),
}

impl TlsFiles {
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let certificates = certificates(&self.certificate, "certificate")?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key, "key")?)
            .map_err(|cause| no_pem(&self.key, "private key").because(cause))?;
        let provider = Arc::new(ring::default_provider());
        let versions: Vec<&SupportedProtocolVersion> =
            [(TlsVersion::Tls12, &version::TLS12), (TlsVersion::Tls13, &version::TLS13)]
                .into_iter()
                .filter(|(version, _)| (self.oldest..=self.newest).contains(version))
                .map(|(_, version)| version)
                .collect();
        let verifier = self.clients.verifier(&provider)?;
        let unfit = |cause: rustls::Error| {
            Error::config(format!(
                "the certificate '{}' and the key '{}' cannot be used together",
                self.certificate.display(),
                self.key.display()
            ))
            .help("see tls_server_config in the file of --metrics-web-config")
            .because(cause)
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(unfit)?;
        let builder = match verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let mut config = builder.with_single_cert(certificates, key).map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ClientCertificates {
    fn verifier(
        &self,
        provider: &Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
        let (path, is_optional) = match self {
            ClientCertificates::NotAsked => return Ok(None),
            ClientCertificates::Optional(path) => (path, true),
            ClientCertificates::Required(path) => (path, false),
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path, "certificate of an authority")? {
            let added = roots.add(certificate);
            added.map_err(|cause| no_pem(path, "certificate of an authority").because(cause))?;
        }
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = if is_optional { builder.allow_unauthenticated() } else { builder };
        let built = builder.build();
        built.map(Some).map_err(|cause| no_pem(path, "certificate of an authority").because(cause))
    }
}

fn certificates(path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(path, what)?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(no_pem(path, what)),
        Ok(found) => Ok(found),
        Err(cause) => Err(no_pem(path, what).because(cause)),
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    let is_file = fs::metadata(path).map(|found| found.is_file());
    let bytes = is_file.and_then(|is_file| match is_file {
        true => {
            let mut bytes = Vec::new();
            File::open(path)?.take(PEM_BYTES_MAX).read_to_end(&mut bytes).map(|_| bytes)
        }
        false => Err(io::ErrorKind::InvalidInput.into()),
    });
    bytes.map_err(|cause| {
        Error::config(format!("cannot read the {what} '{}'", path.display()))
            .help("it is named in the file of --metrics-web-config, from whose folder it is found")
            .because(cause)
    })
}

fn no_pem(path: &Path, what: &str) -> Error {
    Error::config(format!("'{}' holds no {what} in PEM format", path.display()))
        .help("it is named in the file of --metrics-web-config")
}
