//! TLS to the server, by how much of it is verified.

use mysql_async::SslOpts;
use rustls::RootCertStore;

use crate::error::{Error, Result};
use crate::sink::mysql::settings::{Tls, TlsMode};

/// The driver lets a wrong name pass when the failure it gets holds this word, which it no longer
/// does by itself: the failure now quotes the name that was asked for. So this is asked for.
const NAME_THAT_PASSES: &str = "NotValidForName";

pub fn options(tls: &Tls) -> Result<Option<SslOpts>> {
    let options = SslOpts::default();
    Ok(match tls.mode {
        TlsMode::Disabled => None,
        TlsMode::Required => Some(options.with_danger_accept_invalid_certs(true)),
        TlsMode::VerifyCa => Some(
            verified(options, tls)?
                .with_danger_skip_domain_validation(true)
                .with_danger_tls_hostname_override(Some(NAME_THAT_PASSES)),
        ),
        TlsMode::VerifyIdentity => Some(verified(options, tls)?),
    })
}

fn verified(options: SslOpts, tls: &Tls) -> Result<SslOpts> {
    let roots = match &tls.ca {
        Some(path) => {
            let text = std::fs::read(path).map_err(|cause| {
                Error::config(format!("cannot read the certificates in '{}'", path.display()))
                    .because(cause)
                    .help("--db-ca names a file of PEM certificates")
            })?;
            vec![text]
        }
        None => system_roots()?,
    };
    let roots = roots.into_iter().map(Into::into).collect();
    Ok(options.with_root_certs(roots).with_disable_built_in_roots(true))
}

/// Those that are sound: one that is not would fail all.
fn system_roots() -> Result<Vec<Vec<u8>>> {
    let mut sound = RootCertStore::empty();
    let certificates = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = certificates
        .into_iter()
        .filter(|certificate| sound.add(certificate.clone()).is_ok())
        .map(|certificate| certificate.as_ref().to_vec())
        .collect();
    if roots.is_empty() {
        return Err(Error::config("this system has no certificates to verify a mysql server by")
            .help("name a file of them with --db-ca, or install the package ca-certificates"));
    }
    Ok(roots)
}
