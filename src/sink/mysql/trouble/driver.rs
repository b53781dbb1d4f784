//! The failures that the driver tells apart.

use std::io;

use mysql_async::{DriverError, IoError, LocalInfileError, TlsError};

use super::{During, Trouble, codes};
use crate::error::{Error, Kind};
use crate::record::ErrorType;

pub(super) fn classify(failure: &mysql_async::Error, during: During, address: &str) -> Trouble {
    match failure {
        mysql_async::Error::Server(answer) => {
            codes::classify(answer.code, &answer.state, &answer.message, during, address)
        }
        mysql_async::Error::Io(IoError::Io(failure)) => of_way(failure, during, address),
        mysql_async::Error::Io(IoError::Tls(failure)) => of_tls(failure, during, address),
        mysql_async::Error::Driver(failure) => of_driver(failure, during, address),
        // The driver's own: what it could not make sense of, or a URL, of which there is none.
        mysql_async::Error::Other(_) | mysql_async::Error::Url(_) => {
            gone(during, address, ErrorType::Protocol, "its answer was not understood")
        }
    }
}

fn gone(during: During, address: &str, error_type: ErrorType, what: &str) -> Trouble {
    let kind = if during == During::Commit { Kind::Unknown } else { Kind::Unavailable };
    let error = Error::new(kind, error_type, format!("mysql server {address}: {what}"));
    if during == During::Connect { Trouble::Retry(error) } else { Trouble::Lost(error) }
}

fn refused(address: &str, error_type: ErrorType, what: &str) -> Error {
    Error::new(Kind::Config, error_type, format!("mysql server {address}: {what}"))
}

fn of_way(failure: &io::Error, during: During, address: &str) -> Trouble {
    if let Some(failure) = failure.get_ref() {
        if let Some(failure) = failure.downcast_ref::<rustls::Error>() {
            return of_rustls(failure, during, address);
        }
        // The driver's codec has an error of its own for this, and the type is not in reach.
        if failure.to_string().contains("max_allowed_packet") {
            return too_large(address);
        }
    }
    if during == During::Connect && failure.kind() == io::ErrorKind::PermissionDenied {
        let error = refused(address, ErrorType::Connection, "this user may not connect to it")
            .because(io::Error::from(failure.kind()));
        return Trouble::Stop(error);
    }
    let what = match during {
        During::Connect => format!("no connection: {}", cause(failure)),
        During::Statement => format!("the connection is gone: {}", cause(failure)),
        During::Commit => format!("the connection went during a commit: {}", cause(failure)),
    };
    gone(during, address, ErrorType::Connection, &what)
}

/// In the system's words, which know nothing of rows.
fn cause(failure: &io::Error) -> String {
    match failure.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code).to_string(),
        // A name that is not found has no number.
        None if failure.to_string().starts_with("failed to lookup address") => {
            failure.to_string().replace('\n', " ")
        }
        None => failure.kind().to_string(),
    }
}

fn of_tls(failure: &TlsError, during: During, address: &str) -> Trouble {
    match failure {
        TlsError::Tls(failure) => of_rustls(failure, during, address),
        TlsError::InvalidDnsName(_) => Trouble::Stop(
            refused(address, ErrorType::Connection, "its name cannot stand in a certificate")
                .help("connect by another name, or give --db-ssl-mode verify-ca"),
        ),
        TlsError::Pem(_) | TlsError::VerifierBuilderError(_) => Trouble::Stop(
            refused(
                address,
                ErrorType::Connection,
                "the certificates to verify it by are unusable",
            )
            .help("--db-ca names a file of PEM certificates"),
        ),
    }
}

fn of_rustls(failure: &rustls::Error, during: During, address: &str) -> Trouble {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
    };
    let rustls::Error::InvalidCertificate(fault) = failure else {
        return gone(during, address, ErrorType::Connection, &format!("TLS failed: {failure}"));
    };
    let (what, help) = match fault {
        NotValidForName | NotValidForNameContext { .. } => (
            "its TLS certificate is for another host name",
            "connect by that name, or give --db-ssl-mode verify-ca to skip the check of the name",
        ),
        UnknownIssuer => (
            "its TLS certificate is not signed by a trusted CA",
            "give its CA certificate file with --db-ca, or --db-ssl-mode required to skip verification",
        ),
        Expired | ExpiredContext { .. } => ("its TLS certificate has expired", "renew it"),
        _ => (
            "its TLS certificate cannot be verified",
            "replace it, or give --db-ssl-mode required to skip verification",
        ),
    };
    let error = refused(address, ErrorType::Connection, what);
    Trouble::Stop(error.because(failure.clone()).help(help))
}

fn too_large(address: &str) -> Trouble {
    let message = format!("mysql server {address}: more to send than max_allowed_packet lets pass");
    Trouble::TooLarge(Error::new(Kind::Unavailable, ErrorType::TooLarge, message))
}

fn of_driver(failure: &DriverError, during: During, address: &str) -> Trouble {
    let refused = |what: &str| refused(address, ErrorType::Auth, what);
    match failure {
        DriverError::ConnectionClosed => {
            let what = match during {
                During::Connect => "no connection: it was closed",
                During::Statement => "the connection is gone",
                During::Commit => "the connection went during a commit",
            };
            gone(during, address, ErrorType::Connection, what)
        }
        DriverError::PacketTooLarge => too_large(address),
        DriverError::NoClientSslFlagFromServer => Trouble::Stop(
            refused("it offers no encryption").help("give --db-ssl-mode disabled to do without"),
        ),
        DriverError::UnknownAuthPlugin { .. }
        | DriverError::CleartextPluginDisabled
        | DriverError::MysqlOldPasswordDisabled
        | DriverError::InvalidParsecSalt => Trouble::Stop(
            // MySQL makes up a way to log in for accounts that it does not have.
            refused("there is no such account, or it logs in by a way that is not supported").help(
                "look at --db-user; the account has to use caching_sha2_password, \
                 mysql_native_password or ed25519",
            ),
        ),
        DriverError::LocalInfile(LocalInfileError::NoHandler) => {
            let what = "it asked for a file of this machine, which it does not get";
            let message = format!("mysql server {address}: {what}");
            Trouble::Stop(Error::new(Kind::Config, ErrorType::Protocol, message))
        }
        // Their words hold values.
        DriverError::FromRow { .. } | DriverError::FromValue { .. } => {
            Trouble::Stop(Error::internal(format!(
                "mysql server {address}: it answered with other columns than were asked for"
            )))
        }
        DriverError::StmtParamsMismatch { .. }
        | DriverError::StmtParamsNumberExceedsLimit { .. }
        | DriverError::Params(_)
        | DriverError::MixedParams
        | DriverError::NestedTransaction => Trouble::Stop(Error::internal(format!(
            "mysql server {address}: a statement was made wrongly"
        ))),
        _ => gone(during, address, ErrorType::Protocol, "its answer was not understood"),
    }
}
