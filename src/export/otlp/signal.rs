//! What is told: numbers or spans. Each has a call of its own and an answer of its own.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use super::answer::Partial;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Metrics,
    Traces,
}

impl Signal {
    /// The path of a call of gRPC.
    pub fn call(self) -> &'static str {
        match self {
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        }
    }

    pub fn items(self) -> &'static str {
        match self {
            Signal::Metrics => "data points",
            Signal::Traces => "spans",
        }
    }

    /// As JSON calls the count of those that were not taken.
    pub fn rejected(self) -> &'static str {
        match self {
            Signal::Metrics => "rejectedDataPoints",
            Signal::Traces => "rejectedSpans",
        }
    }

    pub fn partial(self, message: &[u8]) -> Option<Partial> {
        let (rejected, said) = match self {
            Signal::Metrics => {
                let partial = ExportMetricsServiceResponse::decode(message).ok()?.partial_success?;
                (partial.rejected_data_points, partial.error_message)
            }
            Signal::Traces => {
                let partial = ExportTraceServiceResponse::decode(message).ok()?.partial_success?;
                (partial.rejected_spans, partial.error_message)
            }
        };
        Some(Partial { rejected, said })
    }
}
