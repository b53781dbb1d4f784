//! A receiver of calls of gRPC that answers as it is told to, well or badly.

use std::sync::mpsc::{self, Receiver as Arrivals, Sender};
use std::thread;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use hyper::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

use super::PATIENCE;

/// Names and values of headers.
pub type Headers = &'static [(&'static str, &'static str)];

/// What every call is answered with.
#[derive(Clone, Debug)]
pub enum GrpcReply {
    /// Headers, and nothing behind them.
    Headers(Headers),
    /// Headers, a body, and perhaps headers behind it.
    Body(Headers, Bytes, Option<Headers>),
    /// The call is broken off.
    Reset(Reason),
}

/// A message as it stands in the body of an answer.
pub fn framed(is_compressed: bool, message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[u8::from(is_compressed)], &length[..], message].concat().into()
}

pub struct GrpcReceiver {
    /// Host and port.
    pub address: String,
    arrivals: Arrivals<Vec<u8>>,
}

impl GrpcReceiver {
    pub fn start(reply: GrpcReply) -> GrpcReceiver {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, arrivals) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, reply.clone(), sender.clone()));
                }
            });
        });
        GrpcReceiver { address, arrivals }
    }

    #[track_caller]
    pub fn next(&self) -> Vec<u8> {
        self.arrivals.recv_timeout(PATIENCE).expect("a call comes")
    }

    /// The bodies that came and were not looked at.
    pub fn rest(&self) -> Vec<Vec<u8>> {
        self.arrivals.try_iter().collect()
    }
}

/// A client that goes away in the middle is its own affair.
async fn serve(stream: TcpStream, reply: GrpcReply, sender: Sender<Vec<u8>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond, reply.clone(), sender.clone()));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    reply: GrpcReply,
    sender: Sender<Vec<u8>>,
) -> Result<(), h2::Error> {
    let mut coming = request.into_body();
    let mut body = Vec::new();
    while let Some(piece) = coming.data().await {
        let piece = piece?;
        coming.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    drop(sender.send(body));
    let (headers, body, trailers) = match reply {
        GrpcReply::Headers(headers) => (headers, None, None),
        GrpcReply::Body(headers, body, trailers) => (headers, Some(body), trailers),
        GrpcReply::Reset(reason) => {
            respond.send_reset(reason);
            return Ok(());
        }
    };
    let mut response = Response::new(());
    *response.headers_mut() = map(headers);
    let mut stream = respond.send_response(response, body.is_none())?;
    if let Some(body) = body {
        stream.send_data(body, trailers.is_none())?;
    }
    if let Some(trailers) = trailers {
        stream.send_trailers(map(trailers))?;
    }
    Ok(())
}

fn map(headers: Headers) -> HeaderMap {
    let pairs = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    pairs.collect()
}
