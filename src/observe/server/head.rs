//! The head of a request, from its bytes. Pure.
//!
//! What could be understood in two ways is refused and not guessed: whoever stands between a client and
//! us might guess otherwise.

use std::fmt;

use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::host::is_host;

pub const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// Where the head ends in `bytes`, of which the first `searched` hold no end.
pub fn end(bytes: &[u8], searched: usize) -> Option<usize> {
    // The end itself may stand across the two parts.
    let start = searched.saturating_sub(3);
    let mut lines = memchr::memchr_iter(b'\n', &bytes[start..]).map(|at| start + at + 1);
    lines.find_map(|next| match &bytes[next..] {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

/// What is asked.
#[derive(Debug)]
pub struct RequestHead {
    pub method: Method,
    pub path: String,
    /// As in the header or, where it is there, in the target; none under HTTP/1.0 only.
    pub host: Option<String>,
    pub headers: HeaderMap,
}

impl RequestHead {
    pub fn parse(bytes: &[u8]) -> Result<RequestHead, Fault> {
        let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut lines);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Fault::TooLarge),
            Ok(httparse::Status::Partial) | Err(_) => return Err(Fault::Malformed),
        }
        let method = Method::from_bytes(request.method.unwrap_or_default().as_bytes());
        let method = method.map_err(|_| Fault::Malformed)?;
        let mut headers = HeaderMap::new();
        for line in request.headers.iter() {
            let name = HeaderName::from_bytes(line.name.as_bytes());
            let value = HeaderValue::from_bytes(line.value);
            let (Ok(name), Ok(value)) = (name, value) else { return Err(Fault::Malformed) };
            headers.append(name, value);
        }
        let target: Uri = request.path.unwrap_or_default().parse().map_err(|_| Fault::Malformed)?;
        check_length(&headers)?;
        let named = host(&headers, request.version == Some(0))?;
        let host = target.authority().map(Authority::to_string).or(named);
        if host.as_deref().is_some_and(|host| !is_host(host)) {
            return Err(Fault::Host);
        }
        let path = target.path_and_query().map_or("", PathAndQuery::path).to_string();
        Ok(RequestHead { method, path, host, headers })
    }

    /// All values of a header as one list; those that are no text are left out.
    pub fn list(&self, name: HeaderName) -> String {
        let values = self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.collect::<Vec<_>>().join(",")
    }
}

/// How long a body is may be said in one way only, though none is read.
fn check_length(headers: &HeaderMap) -> Result<(), Fault> {
    let mut lengths = headers.get_all(http::header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    let is_number = |length: &HeaderValue| {
        !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit)
    };
    let is_one = length.is_none_or(is_number) && lengths.next().is_none();
    let is_chunked = headers.contains_key(http::header::TRANSFER_ENCODING);
    match is_one && !(is_chunked && length.is_some()) {
        true => Ok(()),
        false => Err(Fault::Length),
    }
}

fn host(headers: &HeaderMap, is_old: bool) -> Result<Option<String>, Fault> {
    let mut hosts = headers.get_all(http::header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            host.to_str().map(|host| Some(host.to_string())).map_err(|_| Fault::Host)
        }
        (None, _) if is_old => Ok(None),
        _ => Err(Fault::Host),
    }
}

/// Why a head was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    TooLarge,
    Late,
    Malformed,
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
            Fault::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Fault::Late => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::TooLarge => "the head of the request is too large",
            Fault::Late => "the head of the request did not come in time",
            Fault::Malformed => "this is no request of HTTP/1.1",
            Fault::Length => "the length of the body is said in more than one way, or wrongly",
            Fault::Host => "a request names one Host",
            Fault::Tls => "this server speaks http, not https",
            Fault::NoTls => "this server speaks https, not http",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(request: &str, expected: Result<(&str, &str, Option<&str>), Fault>) {
        let parsed = RequestHead::parse(request.as_bytes());
        let seen = parsed
            .as_ref()
            .map(|head| (head.method.as_str(), head.path.as_str(), head.host.as_deref()));
        assert_eq!(seen.map_err(|fault| *fault), expected, "{request:?}");
    }

    #[test]
    fn heads_that_are_taken() {
        for (request, expected) in [
            ("GET /metrics?a=b HTTP/1.1\r\nHost: a:1\r\n\r\n", ("GET", "/metrics", Some("a:1"))),
            ("GET / HTTP/1.0\r\n\r\n", ("GET", "/", None)),
            ("HEAD /info HTTP/1.1\nhost: [::1]:9\n\n", ("HEAD", "/info", Some("[::1]:9"))),
            // The target counts where it names a host, too.
            ("GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/x", Some("b"))),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", ("POST", "/", Some("a"))),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ("OPTIONS", "*", Some("a"))),
        ] {
            check(request, Ok(expected));
        }
    }

    #[test]
    fn heads_that_are_refused() {
        let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(100));
        for (request, fault) in [
            ("\u{1}\r\n\r\n", Fault::Malformed),
            ("GET / HTTP/1.1\r\nHo st: a\r\n\r\n", Fault::Malformed),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Fault::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", Fault::Malformed),
            ("GET / HTTP/1.1\r\n\r\n", Fault::Host),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Fault::Host),
            ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Fault::Host),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Fault::Host),
            ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", Fault::Host),
            ("GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Host),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                Fault::Length,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n",
                Fault::Length,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                Fault::Length,
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", Fault::Length),
            (many.as_str(), Fault::TooLarge),
        ] {
            check(request, Err(fault));
        }
    }

    #[test]
    fn an_end_is_an_empty_line() {
        for (bytes, searched, expected) in [
            ("GET\r\n\r\nrest", 0, Some(7)),
            ("GET\n\nrest", 0, Some(5)),
            ("GET\r\n\r\n", 6, Some(7)),
            ("GET\r\n\r\n", 4, Some(7)),
            ("GET\r\n\r", 0, None),
            ("GET\r\nA: b\r\n", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(end(bytes.as_bytes(), searched), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_or_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = RequestHead::parse(&bytes);
        }

        #[test]
        fn an_end_is_found_however_the_bytes_come(
            bytes in prop::collection::vec(prop::sample::select(b"\r\n a".to_vec()), 0..40),
            cut in 0..40_usize,
        ) {
            let whole = end(&bytes, 0);
            let cut = cut.min(bytes.len());
            if end(&bytes[..cut], 0).is_none() {
                prop_assert_eq!(end(&bytes, cut), whole);
            }
        }
    }
}
