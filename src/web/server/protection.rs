//! What stands between a client and the pages: TLS, and who may ask.

use std::net::SocketAddr;
use std::path::Path;

use tokio_rustls::TlsAcceptor;

use super::host::is_loopback;
use super::tls::ClientCertificates;
use super::users::Users;
use super::web_config::WebConfig;
use crate::error::{Error, Result};

/// Nothing of it without a web configuration.
#[derive(Default)]
pub struct Protection {
    pub tls: Option<TlsAcceptor>,
    pub users: Option<Users>,
    asks_for_certificate: bool,
}

impl Protection {
    /// From the file of `--metrics-web-config` and those it names.
    pub fn read(path: Option<&Path>) -> Result<Protection> {
        let Some(path) = path else { return Ok(Protection::default()) };
        let WebConfig { tls, users } = WebConfig::read(path)?;
        let clients = tls.as_ref().map(|tls| &tls.clients);
        let asks_for_certificate = matches!(clients, Some(ClientCertificates::Required(_)));
        let users = match users.is_empty() {
            true => None,
            false => Some(Users::new(users).ok_or_else(|| {
                Error::internal("the random numbers of the system cannot be read")
            })?),
        };
        let tls = tls.map(|tls| tls.acceptor()).transpose()?;
        Ok(Protection { tls, users, asks_for_certificate })
    }

    /// What whoever opens a port at `address` should know.
    pub fn doubt(&self, address: SocketAddr, host_flag: &str) -> Option<String> {
        if is_loopback(address.ip()) {
            return None;
        }
        if self.users.is_none() && !self.asks_for_certificate {
            return Some(format!(
                "whoever reaches {address} can read the metrics; set --{host_flag} to 127.0.0.1, or basic_auth_users in the file of --metrics-web-config"
            ));
        }
        (self.users.is_some() && self.tls.is_none()).then(|| {
            format!(
                "passwords for the metrics on {address} cross the network as clear text; add tls_server_config to the file of --metrics-web-config"
            )
        })
    }
}
