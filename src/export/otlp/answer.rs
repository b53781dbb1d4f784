//! What a receiver says of a message, over HTTP or as gRPC: how much of it was not taken, why, and when to
//! come again. Pure.

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use flate2::read::MultiGzDecoder;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use super::signal::Signal;
use crate::error::Kind;
use crate::export::http::{Refusal, Reply};
use crate::record::ErrorType;

/// As the specification of OTLP proposes it; unpacked, too.
pub const BYTES_MAX: usize = 4 << 20;

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
const GRPC_DETAILS: &str = "grpc-status-details-bin";
const RETRY_INFO: &str = "google.rpc.RetryInfo";

/// What was not taken of a message that was.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Partial {
    pub rejected: i64,
    pub said: String,
}

/// How a call of gRPC ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    Well,
    Failed(Failure),
    /// The other side speaks gRPC, and did not say.
    Unsaid,
    /// It speaks something else.
    Foreign,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    pub error_type: ErrorType,
    /// Of the code.
    pub name: String,
    pub said: String,
    pub wait: Option<Duration>,
    /// By the rules it is not sent again, and nobody knows whether it was taken.
    pub is_final: bool,
}

/// `google.rpc.Status`, which all errors of OTLP are.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// A web server's page is no answer, whatever its status.
pub fn is_page(headers: &HeaderMap) -> bool {
    is_of(headers, "text/html")
}

/// What was taken counts, whatever else is written.
pub fn of_post(signal: Signal, reply: &Reply) -> Partial {
    let body = plain(&reply.headers, &reply.body);
    let partial = match is_of(&reply.headers, "application/json") {
        true => body.and_then(|body| of_json(signal, &body)),
        false => body.and_then(|body| signal.partial(&body)),
    };
    partial.unwrap_or_default()
}

pub fn of_call(signal: Signal, reply: &Reply) -> Partial {
    framed(reply).and_then(|message| signal.partial(&message)).unwrap_or_default()
}

/// The words of a refusal; of a page there are none.
pub fn words(refusal: &Refusal) -> String {
    let body = plain(&refusal.headers, &refusal.body);
    let Some(body) = body.filter(|_| !is_page(&refusal.headers)) else { return String::new() };
    match is_of(&refusal.headers, "application/x-protobuf") {
        true => Status::decode(&*body).map(|status| status.message).unwrap_or_default(),
        false => String::from_utf8_lossy(&body).into_owned(),
    }
}

pub fn ending(reply: &Reply) -> Ending {
    let said = |name: &str| {
        // One that is refused at once has it in the headers.
        let found = reply.trailers.get(name).or_else(|| reply.headers.get(name))?;
        found.to_str().ok()
    };
    let code = match said(GRPC_STATUS) {
        Some("0") => return Ending::Well,
        Some(code) => code,
        None if is_of(&reply.headers, "application/grpc") => return Ending::Unsaid,
        None => return Ending::Foreign,
    };
    let wait = said(GRPC_DETAILS).and_then(retry_delay);
    let (kind, error_type, name) = match code {
        "1" => (Kind::Unknown, ErrorType::Other, "CANCELLED"),
        "2" => (Kind::Data, ErrorType::Other, "UNKNOWN"),
        "3" => (Kind::Data, ErrorType::Protocol, "INVALID_ARGUMENT"),
        "4" => (Kind::Unknown, ErrorType::Timeout, "DEADLINE_EXCEEDED"),
        "7" => (Kind::Config, ErrorType::Auth, "PERMISSION_DENIED"),
        // It can recover where it says when.
        "8" if wait.is_some() => (Kind::Overloaded, ErrorType::Overloaded, "RESOURCE_EXHAUSTED"),
        "8" => (Kind::Data, ErrorType::Overloaded, "RESOURCE_EXHAUSTED"),
        "10" => (Kind::Unknown, ErrorType::Other, "ABORTED"),
        "11" => (Kind::Unknown, ErrorType::Other, "OUT_OF_RANGE"),
        "12" => (Kind::Config, ErrorType::Protocol, "UNIMPLEMENTED"),
        "13" => (Kind::Data, ErrorType::Other, "INTERNAL"),
        // The receiver says of itself that it takes nothing now.
        "14" => (Kind::Overloaded, ErrorType::Overloaded, "UNAVAILABLE"),
        "15" => (Kind::Unknown, ErrorType::Other, "DATA_LOSS"),
        "16" => (Kind::Config, ErrorType::Auth, "UNAUTHENTICATED"),
        _ => (Kind::Data, ErrorType::Protocol, ""),
    };
    let said = said(GRPC_MESSAGE).unwrap_or_default();
    Ending::Failed(Failure {
        kind,
        error_type,
        name: if name.is_empty() { format!("status {code}") } else { name.to_string() },
        said: percent_encoding::percent_decode_str(said).decode_utf8_lossy().into_owned(),
        wait,
        is_final: kind == Kind::Data && !matches!(code, "3" | "5" | "6" | "9"),
    })
}

fn retry_delay(details: &str) -> Option<Duration> {
    let details = STANDARD_NO_PAD.decode(details.trim_end_matches('=')).ok()?;
    let status = Status::decode(&*details).ok()?;
    let is_wanted = |detail: &&Detail| detail.type_url.rsplit('/').next() == Some(RETRY_INFO);
    let info = RetryInfo::decode(&*status.details.iter().find(is_wanted)?.value).ok()?;
    let Delay { seconds, nanos } = info.retry_delay.unwrap_or_default();
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    Some(seconds.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())))
}

fn is_of(headers: &HeaderMap, kind: &str) -> bool {
    let written = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    written.is_some_and(|written| {
        written.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
    })
}

fn is_gzip(headers: &HeaderMap, name: &str) -> bool {
    headers.get(name).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

fn of_json(signal: Signal, body: &[u8]) -> Option<Partial> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let partial = &answer["partialSuccess"];
    let rejected = match &partial[signal.rejected()] {
        Value::String(number) => number.parse().ok()?,
        other => other.as_i64().unwrap_or_default(),
    };
    let said = partial["errorMessage"].as_str().unwrap_or_default().to_string();
    Some(Partial { rejected, said })
}

/// Not asked for, and still some pack what they answer.
fn plain(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    match is_gzip(headers, CONTENT_ENCODING.as_str()) {
        true => unpacked(body),
        false => Some(body.to_vec()),
    }
}

/// The message in the body of a call: whether it is packed, its length, and itself. Who was sent a packed
/// one may answer with one.
fn framed(reply: &Reply) -> Option<Vec<u8>> {
    let (is_packed, rest) = reply.body.split_first()?;
    let (length, rest) = rest.split_first_chunk()?;
    let message = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    match is_packed {
        0 => Some(message.to_vec()),
        _ if is_gzip(&reply.headers, "grpc-encoding") => unpacked(message),
        _ => None,
    }
}

fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let room = u64::try_from(BYTES_MAX).ok()? + 1;
    MultiGzDecoder::new(packed).take(room).read_to_end(&mut plain).ok()?;
    (plain.len() <= BYTES_MAX).then_some(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn reply(headers: &[(&'static str, &'static str)], body: &[u8]) -> Reply {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Reply {
            headers: headers.collect(),
            body: body.to_vec(),
            is_cut: false,
            trailers: HeaderMap::new(),
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_not_taken_is_read_and_nonsense_is_nothing() {
        let three = Partial { rejected: 3, said: "full".to_string() };
        let message = b"\n\x08\x08\x03\x12\x04full";
        let json = br#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"full"}}"#;
        let bomb = gzip(&vec![0; 2 * BYTES_MAX]);
        const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
        const JSON: (&str, &str) = ("content-type", "Application/JSON; charset=utf-8");
        const GZIP: (&str, &str) = ("content-encoding", "gzip");
        for (headers, body, expected) in [
            (&[PROTOBUF][..], &message[..], &three),
            (&[][..], &message[..], &three),
            (&[PROTOBUF, GZIP][..], &gzip(message)[..], &three),
            (&[JSON][..], &json[..], &three),
            (&[JSON][..], b"{}", &Partial::default()),
            (&[JSON][..], b"[1", &Partial::default()),
            (&[PROTOBUF][..], b"OK", &Partial::default()),
            (&[PROTOBUF][..], b"", &Partial::default()),
            (&[PROTOBUF, GZIP][..], &message[..], &Partial::default()),
            (&[PROTOBUF, GZIP][..], &bomb[..], &Partial::default()),
        ] {
            let found = of_post(Signal::Traces, &reply(headers, body));
            assert_eq!(found, *expected, "{headers:?} {body:?}");
        }
        for (body, expected) in [
            (&b"\0\0\0\0\x0a\n\x08\x08\x03\x12\x04full"[..], &three),
            (b"\0\0\0\0\0", &Partial::default()),
            (b"\0\0\0\0\x0b\n\x08\x08\x03\x12\x04full", &Partial::default()),
            (b"\0\xff\xff\xff\xff\n", &Partial::default()),
            (b"\x01\0\0\0\x0a\n\x08\x08\x03\x12\x04full", &Partial::default()),
            (b"\0\0", &Partial::default()),
            (b"", &Partial::default()),
        ] {
            assert_eq!(of_call(Signal::Traces, &reply(&[], body)), *expected, "{body:?}");
        }
    }

    #[test]
    fn the_end_of_a_call_says_whether_it_is_made_again() {
        const MINUTE: &str =
            "CA4SBGZ1bGwaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIPA";
        for (code, details, kind, is_final, wait) in [
            ("14", "", Kind::Overloaded, false, None),
            ("14", MINUTE, Kind::Overloaded, false, Some(60)),
            ("8", MINUTE, Kind::Overloaded, false, Some(60)),
            ("8", "", Kind::Data, true, None),
            ("8", "nonsense", Kind::Data, true, None),
            ("3", "", Kind::Data, false, None),
            ("2", "", Kind::Data, true, None),
            ("13", "", Kind::Data, true, None),
            ("99", "", Kind::Data, true, None),
            ("", "", Kind::Data, true, None),
            ("10", "", Kind::Unknown, false, None),
            ("16", "", Kind::Config, false, None),
        ] {
            let mut reply = reply(&[("content-type", "application/grpc")], b"");
            reply.trailers.insert(GRPC_STATUS, code.parse().unwrap());
            reply.trailers.insert(GRPC_DETAILS, details.parse().unwrap());
            let Ending::Failed(failure) = ending(&reply) else { panic!("{code}") };
            let found = (failure.kind, failure.is_final, failure.wait);
            assert_eq!(found, (kind, is_final, wait.map(Duration::from_secs)), "{code} {details}");
        }
        assert_eq!(ending(&reply(&[("grpc-status", "0")], b"")), Ending::Well);
        assert_eq!(ending(&reply(&[("content-type", "application/grpc")], b"")), Ending::Unsaid);
        assert_eq!(ending(&reply(&[("content-type", "text/plain")], b"")), Ending::Foreign);
    }
}
