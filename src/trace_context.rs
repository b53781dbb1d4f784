//! The trace that a run is part of, by W3C Trace Context: a scheduler hands its own on in the variable
//! `TRACEPARENT`, and otherwise the run begins one. Pure, but for the numbers that nobody else has.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};

/// The environment variable, as schedulers write it.
pub const VARIABLE: &str = "TRACEPARENT";

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    /// Of the run itself.
    pub span: SpanId,
    /// Of whoever started it.
    pub parent: Option<SpanId>,
    /// Whoever began the trace wants it to be kept.
    pub is_sampled: bool,
}

impl TraceContext {
    /// A trace of its own.
    pub fn begin() -> TraceContext {
        TraceContext {
            trace: TraceId(numbers()),
            span: SpanId::new(),
            parent: None,
            is_sampled: true,
        }
    }

    /// The one that `written` names. None where it is no trace context.
    pub fn go_on(written: &str) -> Option<TraceContext> {
        let written = written.trim();
        let mut parts = written.split('-');
        let version: [u8; 1] = hex(parts.next()?)?;
        let trace: [u8; 16] = hex(parts.next()?)?;
        let parent: [u8; 8] = hex(parts.next()?)?;
        let [flags]: [u8; 1] = hex(parts.next()?)?;
        // What later versions add stands behind it.
        let is_known = version == [0] && parts.next().is_none();
        let is_later = version != [0] && version != [0xff];
        let is_something = trace != [0; 16] && parent != [0; 8];
        ((is_known || is_later) && is_something).then(|| TraceContext {
            trace: TraceId(trace),
            span: SpanId::new(),
            parent: Some(SpanId(parent)),
            is_sampled: flags & 1 == 1,
        })
    }
}

impl TraceContext {
    /// Of all traces, this share is kept; everybody who asks this of a trace has the same answer.
    pub fn is_within(&self, ratio: f64) -> bool {
        let [.., a, b, c, d, e, f, g, h] = self.trace.0;
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        (number as f64) < ratio * (1_u64 << 63) as f64
    }
}

impl SpanId {
    pub fn new() -> SpanId {
        SpanId(numbers())
    }
}

impl Default for SpanId {
    fn default() -> SpanId {
        SpanId::new()
    }
}

/// Of random bytes; none of them all zeros, which means nobody.
fn numbers<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    if bytes == [0; LENGTH] {
        bytes[LENGTH - 1] = 1;
    }
    bytes
}

/// Lower case only, as the standard has it.
fn hex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != LENGTH * 2 {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn a_trace_context_goes_on() {
        for (written, is_sampled) in [
            (format!("00-{TRACE}-b7ad6b7169203331-01"), Some(true)),
            (format!(" 00-{TRACE}-b7ad6b7169203331-00\n"), Some(false)),
            (format!("00-{TRACE}-b7ad6b7169203331-03"), Some(true)),
            (format!("cc-{TRACE}-b7ad6b7169203331-01-what-comes"), Some(true)),
            (format!("00-{TRACE}-b7ad6b7169203331-01-more"), None),
            (format!("ff-{TRACE}-b7ad6b7169203331-01"), None),
            (format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()), None),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), None),
            (format!("00-{TRACE}-0000000000000000-01"), None),
            (format!("00-{TRACE}-b7ad6b7169203331"), None),
            (format!("00-{TRACE}-b7ad6b716920333é-01"), None),
            (String::new(), None),
            (String::from("---"), None),
        ] {
            let context = TraceContext::go_on(&written);
            assert_eq!(context.as_ref().map(|context| context.is_sampled), is_sampled, "{written}");
            if let Some(context) = context {
                assert_eq!(context.trace.to_string(), TRACE);
                assert_eq!(context.parent.unwrap().to_string(), "b7ad6b7169203331");
                assert_ne!(Some(context.span), context.parent);
            }
        }
    }

    #[test]
    fn a_share_of_traces_is_kept() {
        let kept = (0..2000).filter(|_| TraceContext::begin().is_within(0.25)).count();
        assert!((300..700).contains(&kept), "{kept}");
        assert!(TraceContext::begin().is_within(1.0));
        assert!(!TraceContext::begin().is_within(0.0));
    }

    #[test]
    fn a_trace_of_its_own_is_nobody_elses() {
        let (one, other) = (TraceContext::begin(), TraceContext::begin());
        assert_ne!(one.trace, other.trace);
        assert_ne!(one.span, other.span);
        assert_eq!(one.trace.to_string().len(), 32);
    }
}
