//! What is to be told to OpenTelemetry, and how.

use std::time::Duration;

use crate::export::Target;
use crate::trace_context::TraceContext;

#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "otlp"), allow(dead_code))]
pub struct OtelSettings {
    pub metrics: Option<OtlpReceiver>,
    pub traces: Option<OtlpReceiver>,
    /// Who we are, beside what a run knows of itself.
    pub resource: Vec<(String, String)>,
    pub temporality: Temporality,
    pub interval: Option<Duration>,
    pub trace: Option<TraceContext>,
}

#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "otlp"), allow(dead_code))]
pub struct OtlpReceiver {
    pub target: Target,
    pub protocol: OtlpProtocol,
    pub timeout: Duration,
    pub is_compressed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtlpProtocol {
    #[default]
    Http,
    Grpc,
}

/// What a counter says: all since the start of the run, or what came since it was last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temporality {
    #[default]
    Cumulative,
    Delta,
}
