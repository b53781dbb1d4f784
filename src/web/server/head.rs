//! What the head of a request says, as hyper has read it. Pure.
//!
//! What could be understood in two ways is refused and not guessed: whoever stands between a client and
//! us might guess otherwise.

use std::fmt;

use hyper::header::{HOST, HeaderName, TRANSFER_ENCODING};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Request, StatusCode, Version};

use super::host::is_host;

/// The host that a request names, in its header or, where it is there, in the target; none under HTTP/1.0 only.
pub fn host_of<B>(request: &Request<B>) -> Result<Option<String>, Fault> {
    check_length(request.headers())?;
    let named = host(request.headers(), request.version() == Version::HTTP_10)?;
    let host = request.uri().authority().map(Authority::to_string).or(named);
    match host.as_deref().is_none_or(is_host) {
        true => Ok(host),
        false => Err(Fault::Host),
    }
}

/// All values of a header as one list; those that are no text are left out.
pub fn list(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}

/// hyper refuses lengths that differ, and takes away one that stands beside a body in pieces. No request here
/// needs one of those.
fn check_length(headers: &HeaderMap) -> Result<(), Fault> {
    if headers.contains_key(TRANSFER_ENCODING) { Err(Fault::Length) } else { Ok(()) }
}

fn host(headers: &HeaderMap, is_old: bool) -> Result<Option<String>, Fault> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            host.to_str().map(|host| Some(host.to_string())).map_err(|_| Fault::Host)
        }
        (None, _) if is_old => Ok(None),
        _ => Err(Fault::Host),
    }
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Late,
    Length,
    Host,
    /// TLS, where it is not spoken.
    Tls,
    /// No TLS, where it is spoken.
    NoTls,
}

impl Fault {
    pub fn status(self) -> StatusCode {
        match self {
            Fault::Late => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Late => "the head of the request did not come in time",
            Fault::Length => "no request to this server has a Transfer-Encoding",
            Fault::Host => "a request names one Host",
            Fault::Tls => "this server speaks http, not https",
            Fault::NoTls => "this server speaks https, not http",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, target: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_request_names_one_host() {
        let (old, new) = (Version::HTTP_10, Version::HTTP_11);
        let chunked = ("transfer-encoding", "chunked");
        for (version, target, headers, expected) in [
            (new, "/metrics?a=b", &[("host", "a:1")][..], Ok(Some("a:1"))),
            (old, "/", &[], Ok(None)),
            (new, "/", &[("host", "[::1]:9")], Ok(Some("[::1]:9"))),
            // The target counts where it names a host, too.
            (new, "http://b/x", &[("host", "a")], Ok(Some("b"))),
            (new, "/", &[("host", "a"), ("content-length", "2")], Ok(Some("a"))),
            (new, "/", &[], Err(Fault::Host)),
            (new, "/", &[("host", "a"), ("host", "a")], Err(Fault::Host)),
            (old, "/", &[("host", "a"), ("host", "b")], Err(Fault::Host)),
            (new, "/", &[("host", "a b")], Err(Fault::Host)),
            (new, "/", &[("host", "u@a")], Err(Fault::Host)),
            (new, "http://u@b/", &[("host", "a")], Err(Fault::Host)),
            (new, "/", &[("host", "a"), chunked], Err(Fault::Length)),
        ] {
            let found = host_of(&request(version, target, headers));
            let found = found.as_ref().map(Option::as_deref).map_err(|fault| *fault);
            assert_eq!(found, expected, "{target} {headers:?}");
        }
    }
}
