//! Why a page of an index is not to be had, in words for a person. `title` is what is read. Pure.

use super::error_answer::ErrorAnswer;
use super::order::Disorder;
use crate::error::{Error, Kind};
use crate::record::{ErrorType, Place};
use crate::report::text::counted;

/// As much of a document is looked at for its name.
const NAMED_BYTES: usize = 1 << 20;

/// Bad documents, and others than when the page was asked for before.
pub fn bent(title: &str) -> Error {
    let message = format!(
        "a page of '{title}' does not count: other documents of it are no JSON than a moment ago"
    );
    Error::new(Kind::Unavailable, ErrorType::Protocol, message)
}

/// A bad document that a scroll cannot look for.
pub fn hidden_end(title: &str, reason: &str) -> Error {
    let message = format!(
        "a page of '{title}' holds a document that is no JSON and hides its own end: {reason}"
    );
    Error::data(ErrorType::Parse, message).help(
        "lower --batch-size to find it, and leave it out with --es-query; this server gives no page of a scroll twice",
    )
}

pub fn disorder(title: &str, disorder: Disorder) -> Error {
    let message = format!("{} in '{title}'", disorder.words());
    Error::data(ErrorType::Protocol, message)
        .help("run again; where that does not help, the server or what stands before it is broken")
}

pub fn excess(title: &str, total: u64) -> Error {
    let total = counted(total, "document");
    let message = format!("'{title}' holds {total}, but more are delivered");
    Error::data(ErrorType::PartialResult, message).help("run again")
}

/// A page of a scroll that there is no room for.
pub fn page_too_large(title: &str, hits: u64, bytes: usize) -> Error {
    let message = format!(
        "'{title}' sent more than {bytes} bytes for a page of {}, and this server gives no page of a scroll twice",
        counted(hits, "document")
    );
    Error::data(ErrorType::TooLarge, message).help("lower --batch-size, so that pages are smaller")
}

/// A document that nobody has room for. `hit` is as much of it as came.
pub fn document_too_large(title: &str, hit: &[u8], limit: usize) -> Error {
    let text = String::from_utf8_lossy(&hit[..hit.len().min(NAMED_BYTES)]);
    let named = |key: &str| {
        let start = text.find(key)? + key.len();
        text[start..].find('"').map(|length| text[start..start + length].to_string())
    };
    let index = named("\"_index\":\"").unwrap_or_else(|| title.to_string());
    let place = Place { document: named("\"_id\":\""), ..Place::split(index) };
    let message = format!("a document is larger than {limit} bytes");
    Error::data(ErrorType::TooLarge, message).at(place).help("raise --max-record-bytes")
}

pub fn deleted(title: &str, refusal: &ErrorAnswer) -> Error {
    let message = format!("a page of '{title}': an index was deleted or closed while it was read");
    Error::new(Kind::Unavailable, ErrorType::PartialResult, message)
        .because(refusal.reason.clone())
        .help("run again")
}

/// A page of a scroll that did not arrive.
pub fn lost(title: &str, cause: Error) -> Error {
    let message =
        format!("a page of '{title}' was lost, and this server gives no page of a scroll twice");
    Error::new(cause.kind, cause.error_type, message)
        .because(cause)
        .help("run again; servers from Elasticsearch 7.16 and OpenSearch 3.3 on are read in a way that survives this, but where a query may hold 'now'")
}
