//! A message on its way, over HTTP or as one call of gRPC, and what the receiver says of it.

use std::io::Write;

use bytes::{BufMut, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};

use crate::error::{Error, Kind, Result};
use crate::export::http::{HttpClient, Reply, Request};
use crate::export::{OtlpProtocol, OtlpReceiver};
use crate::record::ErrorType;

/// A receiver has little to say.
const REPLY_BYTES_MAX: usize = 64 << 10;
/// Of gRPC: whether the message is compressed, and its length.
const FRAME_HEAD_BYTES: usize = 5;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Metrics,
    Traces,
}

impl Signal {
    fn call(self) -> &'static str {
        match self {
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        }
    }

    fn items(self) -> &'static str {
        match self {
            Signal::Metrics => "data points",
            Signal::Traces => "spans",
        }
    }
}

pub struct Delivery {
    client: HttpClient,
    receiver: OtlpReceiver,
    signal: Signal,
    /// It was said that something is refused; once is enough.
    has_warned: bool,
}

impl Delivery {
    pub fn new(receiver: &OtlpReceiver, signal: Signal) -> Delivery {
        let client = HttpClient::new(receiver.target.clone()).within(receiver.timeout);
        let client = match receiver.protocol {
            OtlpProtocol::Http => client,
            OtlpProtocol::Grpc => client.over_http2(),
        };
        Delivery { client, receiver: receiver.clone(), signal, has_warned: false }
    }

    pub fn aim(&self) -> String {
        self.client.target().name()
    }

    /// An error within says that it was taken but for a part: it is not to be sent again.
    pub async fn send(&mut self, message: &impl Message) -> Result<Result<()>> {
        let body = message.encode_to_vec();
        let partial = match self.receiver.protocol {
            OtlpProtocol::Http => self.post(body).await?,
            OtlpProtocol::Grpc => self.call(body).await?,
        };
        let (rejected, said) = partial;
        let said = self.client.target().masked(said.trim());
        if rejected > 0 {
            let items = self.signal.items();
            return Ok(Err(Error::data(
                ErrorType::Protocol,
                format!("'{}' took all but {rejected} {items}: {said}", self.aim()),
            )));
        }
        if !said.is_empty() && !self.has_warned {
            self.has_warned = true;
            tracing::warn!("'{}' says: {said}", self.aim());
        }
        Ok(Ok(()))
    }

    async fn post(&mut self, body: Vec<u8>) -> Result<(i64, String)> {
        let mut headers = HeaderMap::from_iter([(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        )]);
        let mut body = body;
        if self.receiver.is_compressed {
            body = compressed(&body);
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let url = self.receiver.target.url.clone();
        let request = Request { method: Method::POST, url, headers, body };
        let reply = self.client.exchange(&request, REPLY_BYTES_MAX).await?;
        // What it took counts, whatever else it writes.
        Ok(self.partial(&reply.body).unwrap_or_default())
    }

    async fn call(&mut self, message: Vec<u8>) -> Result<(i64, String)> {
        let mut url = self.receiver.target.url.clone();
        url.set_path(self.signal.call());
        url.set_query(None);
        let milliseconds = self.receiver.timeout.as_millis().min(99_999_999);
        let mut headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/grpc")),
            (TE, HeaderValue::from_static("trailers")),
        ]);
        if let Ok(timeout) = HeaderValue::from_str(&format!("{milliseconds}m")) {
            headers.insert(GRPC_TIMEOUT, timeout);
        }
        let mut frame = BytesMut::with_capacity(FRAME_HEAD_BYTES + message.len());
        let message = match self.receiver.is_compressed {
            true => compressed(&message),
            false => message,
        };
        if self.receiver.is_compressed {
            headers.insert(GRPC_ENCODING, HeaderValue::from_static("gzip"));
        }
        frame.put_u8(u8::from(self.receiver.is_compressed));
        frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
        frame.put_slice(&message);
        let request = Request { method: Method::POST, url, headers, body: frame.to_vec() };
        let reply = self.client.exchange(&request, REPLY_BYTES_MAX).await?;
        self.status(&reply)?;
        let message = reply.body.get(FRAME_HEAD_BYTES..).unwrap_or_default();
        Ok(self.partial(message).unwrap_or_default())
    }

    /// What a call ended with; a receiver that refuses at once says it in the headers.
    fn status(&self, reply: &Reply) -> Result<()> {
        let said = |name: &str| {
            let found = reply.trailers.get(name).or_else(|| reply.headers.get(name))?;
            found.to_str().ok().map(str::to_string)
        };
        let Some(code) = said(GRPC_STATUS) else {
            let message = format!("'{}' answered, and not as gRPC does", self.aim());
            return Err(Error::new(Kind::Config, ErrorType::Protocol, message).help(
                "set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, or name the port of gRPC",
            ));
        };
        if code == "0" {
            return Ok(());
        }
        let message = said(GRPC_MESSAGE).unwrap_or_default();
        let message = percent_encoding::percent_decode_str(&message).decode_utf8_lossy();
        let message = self.client.target().masked(&message);
        let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = words.chars().take(200).collect();
        let (kind, error_type, name) = judged(&code);
        let said = if words.is_empty() { words } else { format!(": {words}") };
        let message = format!("'{}' answered {name}{said}", self.aim());
        Err(Error::new(kind, error_type, message))
    }

    /// How much was not taken, and what was said.
    fn partial(&self, body: &[u8]) -> Option<(i64, String)> {
        match self.signal {
            Signal::Metrics => {
                let partial = ExportMetricsServiceResponse::decode(body).ok()?.partial_success?;
                Some((partial.rejected_data_points, partial.error_message))
            }
            Signal::Traces => {
                let partial = ExportTraceServiceResponse::decode(body).ok()?.partial_success?;
                Some((partial.rejected_spans, partial.error_message))
            }
        }
    }
}

/// What the codes of gRPC mean for another try.
fn judged(code: &str) -> (Kind, ErrorType, String) {
    let (kind, error_type, name) = match code {
        "1" => (Kind::Unknown, ErrorType::Other, "CANCELLED"),
        "4" => (Kind::Unknown, ErrorType::Timeout, "DEADLINE_EXCEEDED"),
        "7" => (Kind::Config, ErrorType::Auth, "PERMISSION_DENIED"),
        "8" => (Kind::Overloaded, ErrorType::Overloaded, "RESOURCE_EXHAUSTED"),
        "10" => (Kind::Unknown, ErrorType::Other, "ABORTED"),
        "11" => (Kind::Unknown, ErrorType::Other, "OUT_OF_RANGE"),
        "12" => (Kind::Config, ErrorType::Protocol, "UNIMPLEMENTED"),
        // The receiver says of itself that it takes nothing now.
        "14" => (Kind::Overloaded, ErrorType::Overloaded, "UNAVAILABLE"),
        "15" => (Kind::Unknown, ErrorType::Other, "DATA_LOSS"),
        "16" => (Kind::Config, ErrorType::Auth, "UNAUTHENTICATED"),
        code => return (Kind::Data, ErrorType::Protocol, format!("status {code}")),
    };
    (kind, error_type, name.to_string())
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("a write to memory does not fail")
}
