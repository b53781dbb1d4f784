//! By which names this server may be called. Pure.
//!
//! A page of the web may make a browser on this machine ask a name that leads here. Such a request comes
//! from this machine, so that listening on its loopback alone does not keep it out; its Host tells.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Whose requests are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHosts {
    /// On an address that others reach, under whatever name they know.
    All,
    /// On the loopback: its own names, and the one of `--metrics-host`.
    OwnNames { configured: String },
}

impl AllowedHosts {
    pub fn of(address: SocketAddr, configured: &str) -> AllowedHosts {
        match is_loopback(address.ip()) {
            true => AllowedHosts::OwnNames { configured: bare(configured).to_ascii_lowercase() },
            false => AllowedHosts::All,
        }
    }

    /// `host` is what a request names, with or without a port. No browser names none.
    pub fn allow(&self, host: Option<&str>) -> bool {
        let AllowedHosts::OwnNames { configured } = self else { return true };
        let Some(host) = host else { return true };
        let Some((name, _)) = parted(host) else { return false };
        let name = bare(name).to_ascii_lowercase();
        name == "localhost" || name == *configured || name.parse().is_ok_and(is_loopback)
    }
}

pub fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// A name or an address, and after a colon maybe a port.
pub fn is_host(host: &str) -> bool {
    parted(host).is_some()
}

fn parted(host: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match host.strip_prefix('[') {
        Some(_) => {
            let (name, behind) = host.split_at(host.find(']')? + 1);
            (name, behind.strip_prefix(':').or(behind.is_empty().then_some("")))
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, Some("")),
        },
    };
    let port = match port? {
        "" => None,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        _ => return None,
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    let is_good = match name.strip_prefix('[') {
        Some(address) => address.trim_end_matches(']').parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(is_name),
    };
    is_good.then_some((name, port))
}

/// Without the brackets of an address of IPv6.
pub fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_names(configured: &str) -> AllowedHosts {
        AllowedHosts::of("127.0.0.1:8000".parse().unwrap(), configured)
    }

    #[test]
    fn own_names_are_allowed() {
        let allowed = own_names("Metrics.internal");
        for host in [
            "localhost",
            "LocalHost:8000",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:8000",
            "[::ffff:127.0.0.1]:8000",
            "metrics.internal:80",
        ] {
            assert!(allowed.allow(Some(host)), "{host}");
        }
        assert!(allowed.allow(None));
        assert!(own_names("[::1]").allow(Some("[::1]")));
    }

    #[test]
    fn names_that_somebody_else_gave_are_not() {
        let allowed = own_names("127.0.0.1");
        for host in [
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "128.0.0.1",
            "[::2]",
            "[fe80::1]:8000",
            "",
            ":8000",
            "localhost:",
        ] {
            assert_eq!(allowed.allow(Some(host)), host == "localhost:", "{host}");
        }
    }

    #[test]
    fn on_an_address_that_others_reach_any_name_is_theirs() {
        for address in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
            let allowed = AllowedHosts::of(address.parse().unwrap(), "0.0.0.0");
            assert_eq!(allowed, AllowedHosts::All, "{address}");
            assert!(allowed.allow(Some("evil.example")));
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for host in ["a", "a.b-c:80", "a:", "1.2.3.4:65535", "[::1]", "[::1]:1"] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "", ":80", "a:65536", "a:-1", "a:1:2", "::1", "[::1", "[::1]a", "[a]", "a b", "u@a",
            "a/b", "é",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }
}
