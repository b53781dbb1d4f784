//! One node of a cluster: how connections to it are made, and why one could not be.

use std::error::Error as StdError;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use reqwest::Certificate;
use reqwest::header::HeaderValue;

use super::address::NodeAddress;
use super::{Auth, ElasticTls};
use crate::error::{Error, Kind, Result};
use crate::record::ErrorType;

/// A node that does not take a connection by then is not there. Longer than a lost first packet
/// takes to be sent again twice.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Finds out that the other end is gone while nothing is sent.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

pub struct Node {
    pub address: NodeAddress,
    pub http: reqwest::Client,
}

/// Whose certificates are trusted beside those that the system trusts.
pub fn authorities(path: &Path) -> Result<Vec<Certificate>> {
    let wrong = |what: &str| {
        Error::config(format!("the certificate '{}' {what}", path.display()))
            .help("set --es-ca to a file in PEM format")
    };
    let pem = std::fs::read(path).map_err(|cause| wrong("cannot be read").because(cause))?;
    let found = Certificate::from_pem_bundle(&pem)
        .map_err(|cause| wrong("cannot be understood").because(root(&cause)))?;
    match found.is_empty() {
        true => Err(wrong("is none")),
        false => Ok(found),
    }
}

pub fn node(address: NodeAddress, tls: &ElasticTls, authorities: &[Certificate]) -> Result<Node> {
    // Not the client of the crate `elasticsearch`: it follows redirects, and reads an answer whole,
    // however long it is.
    let mut http = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(TCP_KEEPALIVE)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("flowgauge/", env!("CARGO_PKG_VERSION")))
        .no_gzip();
    if address.is_loopback() {
        http = http.no_proxy();
    }
    for certificate in authorities {
        http = http.add_root_certificate(certificate.clone());
    }
    if tls.insecure {
        http = http.danger_accept_invalid_certs(true);
    }
    let http = http.build().map_err(|cause| {
        Error::config(format!("no client for '{}': {}", address.name(), root(&cause)))
            .help("check --es-url and --es-ca")
    })?;
    Ok(Node { address, http })
}

/// The header that says who we are. It is marked as not to be shown.
pub fn authorization(auth: &Auth) -> Result<Option<HeaderValue>> {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let text = match auth {
        Auth::None => return Ok(None),
        Auth::Basic { user, password } => {
            format!("Basic {}", base64(&format!("{user}:{}", password.reveal())))
        }
        // What is encoded holds no colon.
        Auth::ApiKey(key) if key.reveal().contains(':') => {
            format!("ApiKey {}", base64(key.reveal().trim()))
        }
        Auth::ApiKey(key) => format!("ApiKey {}", key.reveal().trim()),
        Auth::Bearer(token) => format!("Bearer {}", token.reveal().trim()),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Error::config("the key or token for Elasticsearch holds characters that cannot be sent")
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Why a node could not be asked, in the words of whoever knows, without the URL that was asked.
pub fn unreachable(address: &NodeAddress, cause: &(dyn StdError + 'static)) -> Error {
    let why = root(cause);
    let name = address.name();
    if why.contains("certificate") {
        return Error::new(
            Kind::Config,
            ErrorType::Auth,
            format!("the certificate of '{name}' is not trusted: {why}"),
        )
        .help("set --es-ca to the certificate of its authority");
    }
    if why.contains("InvalidContentType") {
        return Error::config(format!("'{name}' does not speak TLS: {why}"))
            .help("write http:// in --es-url");
    }
    let is_timeout = why.contains("timed out") || why.contains("deadline has elapsed");
    let error_type = if is_timeout { ErrorType::Timeout } else { ErrorType::Connection };
    Error::new(Kind::Unavailable, error_type, format!("'{name}' cannot be asked: {why}"))
}

/// An answer that began and did not come to its end.
pub fn broken_off(address: &NodeAddress, cause: &(dyn StdError + 'static)) -> Error {
    let message = format!("the answer of '{}' broke off: {}", address.name(), root(cause));
    Error::new(Kind::Unavailable, ErrorType::Connection, message)
}

/// The last cause says what happened, the others only where.
fn root(cause: &(dyn StdError + 'static)) -> String {
    let mut cause = cause;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    super::error_answer::shortened(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_node_that_cannot_be_asked_is_said_with_what_to_do() {
        let address = NodeAddress::parse("https://u:secret@h:9200").unwrap();
        for (why, kind, error_type, said) in [
            ("operation timed out", Kind::Unavailable, ErrorType::Timeout, "cannot be asked"),
            ("deadline has elapsed", Kind::Unavailable, ErrorType::Timeout, "cannot be asked"),
            ("Connection refused", Kind::Unavailable, ErrorType::Connection, "cannot be asked"),
            ("invalid peer certificate", Kind::Config, ErrorType::Auth, "set --es-ca to"),
        ] {
            let error = unreachable(&address, &std::io::Error::other(why));
            assert_eq!((error.kind, error.error_type), (kind, error_type), "{why}");
            let text = error.to_string();
            assert!(text.contains(why) && text.contains(said), "{text}");
            assert!(text.contains("'https://h:9200'") && !text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn who_we_are_is_sent_as_each_kind_wants_it() {
        let secret = |text: &str| Secret::new(text);
        for (auth, expected) in [
            (Auth::None, None),
            (
                Auth::Basic { user: "u".to_string(), password: secret("p:w") },
                Some("Basic dTpwOnc="),
            ),
            (Auth::ApiKey(secret("id:key")), Some("ApiKey aWQ6a2V5")),
            (Auth::ApiKey(secret("aWQ6a2V5\n")), Some("ApiKey aWQ6a2V5")),
            (Auth::Bearer(secret("t")), Some("Bearer t")),
        ] {
            let header = authorization(&auth).unwrap();
            assert!(header.as_ref().is_none_or(HeaderValue::is_sensitive));
            assert_eq!(header.as_ref().map(|value| value.to_str().unwrap()), expected);
        }
        assert!(authorization(&Auth::Bearer(secret("a\nb"))).is_err());
    }
}
