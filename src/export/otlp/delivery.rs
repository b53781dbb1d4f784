//! A message on its way, over HTTP or as one call of gRPC.

use std::io::Write;

use bytes::{BufMut, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use reqwest::{Method, StatusCode};

use super::answer::{self, Ending, Partial};
use super::signal::Signal;
use crate::error::{Error, Kind, Result};
use crate::export::http::{HttpClient, Refusal, Request, shortened};
use crate::export::{OtlpProtocol, OtlpReceiver};
use crate::record::ErrorType;

/// Of gRPC: whether the message is compressed, and its length.
const FRAME_HEAD_BYTES: usize = 5;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

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

    /// An error within says that all or a part of it may have been taken, and that it is not to be sent
    /// again.
    pub async fn send(&mut self, message: &impl Message) -> Result<Result<()>> {
        let body = message.encode_to_vec();
        let answered = match self.receiver.protocol {
            OtlpProtocol::Http => self.post(body).await?,
            OtlpProtocol::Grpc => self.call(body).await?,
        };
        Ok(answered.and_then(|partial| self.taken_but_for(&partial)))
    }

    fn taken_but_for(&mut self, partial: &Partial) -> Result<()> {
        let said = shortened(&self.client.target().masked(&partial.said));
        let rejected = partial.rejected;
        if rejected > 0 {
            let items = self.signal.items();
            return Err(Error::data(
                ErrorType::Protocol,
                format!("'{}' took all but {rejected} {items}: {said}", self.aim()),
            ));
        }
        if !said.is_empty() && !self.has_warned {
            self.has_warned = true;
            tracing::warn!("'{}' says: {said}", self.aim());
        }
        Ok(())
    }

    async fn post(&mut self, body: Vec<u8>) -> Result<Result<Partial>> {
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
        match self.client.answer(&request, answer::BYTES_MAX).await? {
            Ok(reply) if reply.is_cut => Ok(Err(self.too_long())),
            Ok(reply) if answer::is_page(&reply.headers) => {
                let message = format!("'{}' answered with a page, not as OTLP does", self.aim());
                Err(Error::new(Kind::Config, ErrorType::Protocol, message)
                    .help(format!("set {} to the receiver itself", self.receiver.target.option)))
            }
            Ok(reply) => Ok(Ok(answer::of_post(self.signal, &reply))),
            Err(refusal) => self.refused(&refusal),
        }
    }

    async fn call(&mut self, message: Vec<u8>) -> Result<Result<Partial>> {
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
        let reply = match self.client.answer(&request, answer::BYTES_MAX).await? {
            Ok(reply) if reply.is_cut => return Ok(Err(self.too_long())),
            Ok(reply) => reply,
            Err(refusal) => return self.refused(&refusal),
        };
        let failure = match answer::ending(&reply) {
            Ending::Well => return Ok(Ok(answer::of_call(self.signal, &reply))),
            Ending::Unsaid => {
                let message = format!("'{}' did not say how the call ended", self.aim());
                return Ok(Err(Error::data(ErrorType::Protocol, message)));
            }
            Ending::Foreign => {
                let message = format!("'{}' answered, and not as gRPC does", self.aim());
                return Err(Error::new(Kind::Config, ErrorType::Protocol, message).help(
                    "set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, or name the port of gRPC",
                ));
            }
            Ending::Failed(failure) => failure,
        };
        let said = shortened(&self.client.target().masked(&failure.said));
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let message = format!("'{}' answered {}{said}", self.aim(), failure.name);
        let error = Error::new(failure.kind, failure.error_type, message);
        match (failure.is_final, failure.wait) {
            (true, _) => Ok(Err(error)),
            (false, Some(wait)) => Err(error.not_before(wait)),
            (false, None) => Err(error),
        }
    }

    /// Of the errors of a server that may have taken it, the rules let only one be asked again.
    fn refused(&self, refusal: &Refusal) -> Result<Result<Partial>> {
        let mut error = self.client.refused(refusal, &answer::words(refusal));
        if error.kind == Kind::Unknown && refusal.status != StatusCode::GATEWAY_TIMEOUT {
            error.kind = Kind::Data;
            return Ok(Err(error));
        }
        Err(error)
    }

    fn too_long(&self) -> Error {
        let megabytes = answer::BYTES_MAX >> 20;
        let message = format!(
            "'{}' answered with more than {megabytes} MiB, so what it took is not known",
            self.aim()
        );
        Error::data(ErrorType::Protocol, message)
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("a write to memory does not fail")
}
