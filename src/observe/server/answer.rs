//! The bytes of an answer: a page, its headers, and gzip for who asked for it. Pure.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode};

use super::head::Fault;
use crate::observe::pages::{Page, TEXT};

/// Less than that fits a packet anyway.
const GZIP_BYTES_MIN: usize = 1 << 10;

/// A page as it goes over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    pub is_head: bool,
    pub is_gzip: bool,
}

impl Form {
    pub fn asked(method: &Method, accept_encoding: &str) -> Form {
        Form { is_head: *method == Method::HEAD, is_gzip: prefers_gzip(accept_encoding) }
    }
}

/// What to do about a status.
fn header(status: StatusCode) -> &'static str {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => "allow: GET, HEAD\r\n",
        StatusCode::UNAUTHORIZED => "www-authenticate: Basic realm=\"flowgauge\"\r\n",
        StatusCode::SERVICE_UNAVAILABLE => "retry-after: 1\r\n",
        _ => "",
    }
}

/// The whole answer. No connection serves a second request.
pub fn bytes(page: Page, form: Form) -> Vec<u8> {
    let Page { status, content_type, body, .. } = page;
    let packed = (form.is_gzip && body.len() >= GZIP_BYTES_MIN).then(|| gzip(body.as_bytes()));
    let encoding = if packed.is_some() { "content-encoding: gzip\r\n" } else { "" };
    let body = packed.unwrap_or_else(|| body.into_bytes());
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\
         vary: accept, accept-encoding\r\n{encoding}{}\r\n",
        body.len(),
        header(status)
    )
    .into_bytes();
    if !form.is_head {
        bytes.extend_from_slice(&body);
    }
    bytes
}

/// A line of text as an answer.
pub fn said(status: StatusCode, line: &str) -> Vec<u8> {
    let body = format!("{line}\n");
    bytes(Page { status, content_type: TEXT, body, is_final: false }, Form::default())
}

pub fn fault(fault: Fault) -> Vec<u8> {
    said(fault.status(), &fault.to_string())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    // Eight times smaller as it is; the better levels take more time than they save.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish());
    packed.expect("writing to memory does not fail")
}

/// Whether an Accept-Encoding header has gzip, and not rather the page as it is.
fn prefers_gzip(accept_encoding: &str) -> bool {
    let codings: Vec<(String, f64)> = accept_encoding.split(',').filter_map(coding).collect();
    let weight = |names: &[&str]| {
        let named = codings.iter().filter(|(name, _)| names.contains(&name.as_str()));
        named.map(|(_, weight)| *weight).reduce(f64::max)
    };
    let gzip = weight(&["gzip", "x-gzip"]).or_else(|| weight(&["*"])).unwrap_or(0.0);
    gzip > 0.0 && gzip >= weight(&["identity"]).unwrap_or(0.0)
}

fn coding(member: &str) -> Option<(String, f64)> {
    let mut parts = member.split(';').map(|part| part.trim().to_ascii_lowercase());
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut weight = 1.0;
    for parameter in parts {
        let (key, value) = parameter.split_once('=')?;
        if key.trim() == "q" {
            weight = value.trim().parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
        }
    }
    Some((name, weight))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn gzip_is_for_who_asks() {
        // The first is what Prometheus sends.
        for accepted in [
            "gzip",
            "deflate, GZIP;q=0.5, br",
            "*",
            "x-gzip",
            "identity;q=0.5, gzip",
            "gzip, identity",
        ] {
            assert!(prefers_gzip(accepted), "{accepted}");
        }
        for other in [
            "",
            "br",
            "identity",
            "gzip;q=0",
            "gzip;q=0, *",
            "*;q=0",
            "gzip;q=0.5, identity",
            "gzip;q=2",
            "gzip;q=nan",
            "gzip;q",
            ",;=,",
        ] {
            assert!(!prefers_gzip(other), "{other}");
        }
    }

    fn page(body: &str) -> Page {
        Page { status: StatusCode::OK, content_type: TEXT, body: body.into(), is_final: false }
    }

    fn parted(answer: &[u8]) -> (String, &[u8]) {
        let end = memchr::memmem::find(answer, b"\r\n\r\n").unwrap();
        (String::from_utf8(answer[..end].to_vec()).unwrap(), &answer[end + 4..])
    }

    #[test]
    fn a_large_body_is_packed_and_its_head_says_so() {
        let body = "a line\n".repeat(1_000);
        let packed = bytes(page(&body), Form { is_gzip: true, is_head: false });
        let (head, packed) = parted(&packed);
        assert!(head.contains("content-encoding: gzip"), "{head}");
        assert!(head.contains(&format!("content-length: {}", packed.len())), "{head}");
        let mut unpacked = String::new();
        GzDecoder::new(packed).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, body);

        let only_head = bytes(page(&body), Form { is_gzip: true, is_head: true });
        let (of_head, nothing) = parted(&only_head);
        assert_eq!((of_head, nothing.len()), (head, 0));
    }

    #[test]
    fn a_small_body_is_not() {
        let answer = bytes(page("alive\n"), Form { is_gzip: true, is_head: false });
        let (head, body) = parted(&answer);
        assert!(!head.contains("content-encoding"), "{head}");
        assert_eq!(body, b"alive\n");
    }
}
