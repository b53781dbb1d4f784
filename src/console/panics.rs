//! A panic is a bug: it becomes one line that says where, and exit code 1, in whatever thread it is.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::logging::complain;
use super::standard_error::standard_error;
use crate::error::{Error, Kind, Result};
use crate::outcome::Outcome;

/// More say nothing new.
const SAID_MAX: u64 = 8;
/// The next panic may end the process.
const SAY_WAIT_MAX: Duration = Duration::from_millis(200);

static COUNT: AtomicU64 = AtomicU64::new(0);
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// Says panics in our words. From the start of the process on.
pub fn install() {
    panic::set_hook(Box::new(said));
}

fn said(panic: &PanicHookInfo<'_>) {
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let sentence = sentence(panic);
    if number < SAID_MAX {
        complain(&format!("{sentence}; this is a bug in flowgauge, please report it"));
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            standard_error().say(format!("{backtrace}"));
        }
        standard_error().finish(SAY_WAIT_MAX);
    }
    FIRST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(sentence);
}

fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let why = text.or_else(|| payload.downcast_ref().copied()).unwrap_or("no message");
    format!(
        "the thread '{}' panicked{place}: {}",
        thread.name().unwrap_or("?"),
        without_values(why)
    )
}

/// Messages of the standard library quote the text they stumbled over, which may be a row's.
fn without_values(message: &str) -> String {
    /// Names of code, which say what went wrong.
    const KEPT: [&str; 8] = [
        "Option::unwrap()",
        "Result::unwrap()",
        "Result::expect()",
        "Err",
        "Ok",
        "None",
        "left == right",
        "left != right",
    ];
    let mut out = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(['"', '`']) {
        let quote = &rest[start..=start];
        let (before, quoted) = (&rest[..start], &rest[start + 1..]);
        // A quote that is not closed may be inside what is cut off.
        let last = if quote == "\"" { end_of_text(quoted) } else { quoted.find(quote) };
        let end = last.unwrap_or(quoted.len());
        let shown = if KEPT.contains(&&quoted[..end]) { &quoted[..end] } else { "…" };
        out.extend([before, quote, shown, quote]);
        rest = quoted.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    without_letters(&out).replace(['\n', '\r'], " ")
}

/// Where a text ends that was written for programmers.
fn end_of_text(quoted: &str) -> Option<usize> {
    let mut is_escaped = false;
    quoted.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// `it is inside 'é'`
fn without_letters(message: &str) -> String {
    let mut pieces = message.split("inside '");
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        out.push_str("inside '…");
        out.push_str(piece.find("' (").map_or("'", |end| &piece[end..]));
    }
    out
}

/// Runs what may panic; a panic has been said by then.
pub fn caught<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Error::internal("the run panicked")))
}

/// The error a run ends with, which says what panicked where it comes from that.
pub fn explained(outcome: Outcome, error: Option<Error>) -> Option<Error> {
    let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    match (&*first, outcome) {
        (Some(sentence), Outcome::Internal) => Some(Error::internal(sentence)),
        _ => error,
    }
}

/// It comes from a panic, and that has been said.
pub fn was_said(error: &Error) -> bool {
    error.kind == Kind::Internal && have_happened()
}

fn have_happened() -> bool {
    COUNT.load(Ordering::Relaxed) > 0
}

/// A run with a panic in whatever thread is not what it was meant to be, though it may be complete.
pub fn judged(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Complete if have_happened() => Outcome::Internal,
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_what_and_no_value() {
        for (message, expected) in [
            ("", ""),
            ("index out of bounds: the len is 3 but the index is 7", ""),
            ("called `Option::unwrap()` on a `None` value", ""),
            (
                "called `Result::unwrap()` on an `Err` value: Odd(\"sec\\\"ret\")",
                "called `Result::unwrap()` on an `Err` value: Odd(\"…\")",
            ),
            (
                "end byte index 2 is not a char boundary; it is inside 'é' (bytes 1..3) of `aécret`",
                "end byte index 2 is not a char boundary; it is inside '…' (bytes 1..3) of `…`",
            ),
            (
                "byte index 9 is out of bounds of `sec\"ret`[...]",
                "byte index 9 is out of bounds of `…`[...]",
            ),
            (
                "assertion `left == right` failed\n  left: \"a\"\n right: \"b",
                "assertion `left == right` failed   left: \"…\"  right: \"…\"",
            ),
            ("an unclosed `secret", "an unclosed `…`"),
        ] {
            let expected = if expected.is_empty() { message } else { expected };
            assert_eq!(without_values(message), expected);
        }
    }

    #[test]
    fn what_panicked_is_an_internal_error() {
        let error = caught::<()>(|| panic!("on purpose")).unwrap_err();
        assert_eq!(error.kind, Kind::Internal);
        assert_eq!(caught(|| Ok(1)).unwrap(), 1);
    }
}
