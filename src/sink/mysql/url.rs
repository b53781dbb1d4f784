//! `mysql://user:password@host:port/database?ssl-mode=…`, taken apart. Nothing of it is repeated in
//! an error: wherever the text was cut wrongly, the password may be in that part.

use std::path::PathBuf;

use super::settings::{Address, PORT, TlsMode};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// What a URL says; what it does not say is for other settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlParts {
    pub address: Address,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub database: Option<String>,
    pub tls_mode: Option<TlsMode>,
    pub tls_ca: Option<PathBuf>,
}

impl Address {
    /// A URL of either server.
    pub fn from_url(text: &str) -> Result<UrlParts> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        if !["mysql", "mariadb"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(wrong("its scheme is neither mysql nor mariadb"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if rest.contains('#') {
            return Err(wrong("'#' has no meaning in it"));
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, query),
            None => (rest, ""),
        };
        if path.contains('@') {
            return Err(wrong("'/', '?' or '@' in the user or password"));
        }
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, "")))
        {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (None, None),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        if path.contains('/') {
            return Err(wrong("the name of the database holds a '/'"));
        }
        let mut parts = UrlParts {
            address: if place.is_empty() {
                Address::Tcp { host: "localhost".to_string(), port: PORT }
            } else {
                host_and_port(place)?
            },
            user,
            password: password.map(Secret::new),
            database: decoded(path)?,
            tls_mode: None,
            tls_ca: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            parts.take(pair)?;
        }
        Ok(parts)
    }
}

impl UrlParts {
    fn take(&mut self, pair: &str) -> Result<()> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?.unwrap_or_default();
        match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "ssl-mode" | "sslmode" | "tls" => {
                let modes = TlsMode::ALL.map(TlsMode::as_str).join(", ");
                let mode = TlsMode::parse(&value)
                    .ok_or_else(|| wrong(&format!("its ssl-mode is none of {modes}")))?;
                self.tls_mode = Some(mode);
            }
            "ssl-ca" => self.tls_ca = Some(PathBuf::from(value)),
            "socket" | "unix-socket" => self.address = Address::Socket(PathBuf::from(value)),
            _ => {
                return Err(wrong("it has a parameter other than ssl-mode, ssl-ca and socket"));
            }
        }
        Ok(())
    }
}

fn wrong(what: &str) -> Error {
    Error::config(format!("the database's URL is not understood: {what}")).help(
        "write mysql://USER@HOST:PORT/DATABASE with other letters percent-encoded, and the \
         password by itself",
    )
}

fn host_and_port(text: &str) -> Result<Address> {
    let wrong = || {
        Error::config("the database's address is not understood")
            .help("write HOST, HOST:PORT, [IPV6]:PORT or the path of a socket")
    };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
            match rest {
                "" => (host, None),
                _ => (host, Some(rest.strip_prefix(':').ok_or_else(wrong)?)),
            }
        }
        // An IPv6 address without brackets has several colons and no port.
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host = decoded(host)?.ok_or_else(wrong)?;
    if host.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Err(wrong());
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
        None => PORT,
    };
    Ok(Address::Tcp { host, port })
}

/// Without percent-encoding; none where it is empty.
fn decoded(text: &str) -> Result<Option<String>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (digit(0), digit(1)) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(wrong("'%' without two hexadecimal digits; a '%' itself is '%25'")),
        }
        rest = &after[2..];
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
    Ok((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        url: &str,
        address: &str,
        login: (Option<&str>, Option<&str>),
        database: Option<&str>,
    ) {
        let parts = Address::from_url(url).unwrap();
        assert_eq!(parts.address.to_string(), address, "{url}");
        assert_eq!(parts.user.as_deref(), login.0, "{url}");
        assert_eq!(parts.password.as_ref().map(Secret::reveal), login.1, "{url}");
        assert_eq!(parts.database.as_deref(), database, "{url}");
        assert!(!format!("{parts:?}").contains("hunter"), "{parts:?}");
    }

    #[test]
    fn urls_are_taken_apart() {
        check("mysql://h", "h:3306", (None, None), None);
        check("mysql://", "localhost:3306", (None, None), None);
        check("mariadb://u@h:7/d", "h:7", (Some("u"), None), Some("d"));
        check("mysql://u:hunter2@h/", "h:3306", (Some("u"), Some("hunter2")), None);
        check(
            "mysql://u:hunter%402%2F@h/d%20b",
            "h:3306",
            (Some("u"), Some("hunter@2/")),
            Some("d b"),
        );
        check("mysql://u:hunter@2@h/d", "h:3306", (Some("u"), Some("hunter@2")), Some("d"));
        check("MySQL://[::1]:99/d", "[::1]:99", (None, None), Some("d"));
        check("mysql:///d?socket=/run/my%20s.sock", "/run/my s.sock", (None, None), Some("d"));
    }

    #[test]
    fn parameters_of_urls() {
        let parts = Address::from_url("mysql://h/d?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem").unwrap();
        assert_eq!(parts.tls_mode, Some(TlsMode::VerifyCa));
        assert_eq!(parts.tls_ca, Some(PathBuf::from("/ca.pem")));
    }

    #[test]
    fn what_is_wrong_with_a_url_does_not_show_it() {
        for url in [
            "u:hunter@h/d",
            "http://u:hunter@h/d",
            "mysql://u:hunter/2@h/d",
            "mysql://u:hunter#@h/d",
            "mysql://u:hunter?2@h/d",
            "mysql://u:hunter%2@h/d",
            "mysql://u:hunter",
            "mysql://u:h@h:hunter/d",
            "mysql://h:0/d",
            "mysql://h/d?hunter=1",
            "mysql://h/d?ssl-mode=hunter",
            "mysql://h/d/e",
            "mysql://u@/d:%FF",
            "mysql://[::1/d",
        ] {
            let error = Address::from_url(url).unwrap_err().to_string();
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn addresses() {
        for (text, address) in [
            ("h", Some("h:3306")),
            ("h:33", Some("h:33")),
            ("::1", Some("[::1]:3306")),
            ("[::1]:33", Some("[::1]:33")),
            ("", None),
            ("h:", None),
            ("h:99999", None),
            ("a b", None),
        ] {
            let found = host_and_port(text).ok().map(|address| address.to_string());
            assert_eq!(found.as_deref(), address, "{text}");
        }
    }
}
