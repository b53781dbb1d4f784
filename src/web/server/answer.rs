//! An answer: a page or a stream, its headers, and gzip for who asked for it. Pure.

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::HeaderValue;
use hyper::{Response, StatusCode};

use super::head::Fault;
use crate::web::live::events::EventStream;
use crate::web::page::policy;
use crate::web::pages::{EVENTS, HTML, Page, TEXT};

/// Number of the reading that is shown.
const SNAPSHOT: HeaderName = HeaderName::from_static("flowgauge-snapshot");

/// Less than that fits a packet anyway.
const GZIP_BYTES_MIN: usize = 1 << 10;

/// What to do about a status.
fn advice(status: StatusCode) -> Option<(HeaderName, &'static str)> {
    Some(match status {
        StatusCode::METHOD_NOT_ALLOWED => (ALLOW, "GET, HEAD"),
        StatusCode::UNAUTHORIZED => (WWW_AUTHENTICATE, "Basic realm=\"flowgauge\""),
        StatusCode::SERVICE_UNAVAILABLE => (RETRY_AFTER, "1"),
        _ => return None,
    })
}

/// A page, for who accepts these encodings.
pub fn page(page: Page, accept_encoding: &str) -> Response<AnswerBody> {
    let Page { status, content_type, body, snapshot, .. } = page;
    let is_packed = body.len() >= GZIP_BYTES_MIN && prefers_gzip(accept_encoding);
    let body = if is_packed { gzip(body.as_bytes()) } else { body.into_bytes() };
    let mut response = Response::new(AnswerBody::Whole(Full::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (VARY, "accept, accept-encoding"),
    ]
    .into_iter()
    .chain(is_packed.then_some((CONTENT_ENCODING, "gzip")))
    .chain(advice(status))
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(snapshot) = snapshot {
        headers.insert(SNAPSHOT, HeaderValue::from(snapshot));
    }
    if content_type == HTML {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy()));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    response
}

/// Events as they come. They are not packed, because a packer waits for more.
pub fn events(events: EventStream) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Events(events));
    for (name, value) in [
        (CONTENT_TYPE, EVENTS),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // nginx would keep them until they are many.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is sent: all of it at once, or one event after the other.
pub enum AnswerBody {
    Whole(Full<Bytes>),
    Events(EventStream),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            AnswerBody::Whole(whole) => Pin::new(whole).poll_frame(context),
            AnswerBody::Events(events) => Pin::new(events).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Whole(whole) => whole.is_end_stream(),
            AnswerBody::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole(whole) => whole.size_hint(),
            AnswerBody::Events(events) => events.size_hint(),
        }
    }
}

/// A line of text as an answer.
pub fn said(status: StatusCode, line: &str) -> Response<AnswerBody> {
    let body = format!("{line}\n");
    page(Page { status, ..Page::new(TEXT, body) }, "")
}

/// The same as bytes, for who has not asked anything that hyper could have answered.
pub fn unasked(status: StatusCode, line: &str) -> Vec<u8> {
    let retry = match status {
        StatusCode::SERVICE_UNAVAILABLE => "retry-after: 1\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {TEXT}\r\ncontent-length: {}\r\n\
         {retry}\r\n{line}\n",
        line.len() + 1
    )
    .into_bytes()
}

pub fn fault(fault: Fault) -> Vec<u8> {
    unasked(fault.status(), &fault.to_string())
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
    use http_body_util::BodyExt;

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

    fn text(body: &str) -> Page {
        Page::new(TEXT, body.into())
    }

    fn body(response: Response<AnswerBody>) -> Bytes {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(response.into_body().collect()).unwrap().to_bytes()
    }

    #[test]
    fn a_large_body_is_packed_and_its_head_says_so() {
        let whole = "a line\n".repeat(1_000);
        let packed = page(text(&whole), "gzip");
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
        let mut unpacked = String::new();
        GzDecoder::new(&body(packed)[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, whole);
    }

    #[test]
    fn a_small_body_is_not() {
        let answer = page(text("alive\n"), "gzip");
        assert!(!answer.headers().contains_key(CONTENT_ENCODING));
        assert_eq!(&body(answer)[..], b"alive\n");
    }
}
