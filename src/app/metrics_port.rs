//! The port of the metrics. Where a run of the same pipeline that is over still has it, because nobody has
//! scraped its last numbers, it is opened when that gives it back; nothing waits for it meanwhile.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::observe::{Pages, Protection, Server, bind};

/// Somebody on this machine answers at once, or is not one of ours.
const ANSWER_MAX: Duration = Duration::from_secs(1);
const ANSWER_BYTES_MAX: usize = 64 * 1024;

const TRY_EVERY: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub enum MetricsPort {
    /// None is wanted, or it could not be opened.
    Closed,
    Open(Server),
    Awaited(AwaitedPort),
}

/// Dropping it gives up.
pub struct AwaitedPort {
    servers: Receiver<Server>,
    _patience: Sender<()>,
}

impl MetricsPort {
    /// `port` is the one of the settings.
    pub fn open(settings: &Settings, port: u16, pages: Arc<Pages>) -> Result<MetricsPort> {
        // Mistakes in it are no matter of the port.
        Protection::read(settings.metrics.web_config.as_deref())?;
        let error = match serve(settings, port, &pages) {
            Ok(server) => return Ok(MetricsPort::Open(server)),
            Err(error) => error,
        };
        if holder(&settings.metrics.host, port, &settings.pipeline_id) == Holder::Ended {
            return await_port(settings, port, pages);
        }
        // It may have been given back while that was asked.
        serve(settings, port, &pages).map(MetricsPort::Open).map_err(|_| error)
    }

    /// Where it is, once it is open.
    pub fn url(&self) -> Option<String> {
        match self {
            MetricsPort::Open(server) => Some(server.url().to_string()),
            MetricsPort::Closed | MetricsPort::Awaited(_) => None,
        }
    }

    /// The server, where it is there within `time`.
    pub fn server(&mut self, time: Duration, is_let_go: impl Fn() -> bool) -> Option<&Server> {
        let give_up = Instant::now() + time;
        if let MetricsPort::Awaited(awaited) = self {
            let served = loop {
                match awaited.servers.recv_timeout(LOOK_EVERY) {
                    Ok(server) => break Some(server),
                    Err(RecvTimeoutError::Disconnected) => break None,
                    Err(RecvTimeoutError::Timeout) if is_let_go() => break None,
                    Err(RecvTimeoutError::Timeout) if Instant::now() >= give_up => break None,
                    Err(RecvTimeoutError::Timeout) => {}
                }
            };
            *self = served.map_or(MetricsPort::Closed, MetricsPort::Open);
        }
        match self {
            MetricsPort::Open(server) => Some(server),
            MetricsPort::Closed | MetricsPort::Awaited(_) => None,
        }
    }

    pub fn close(self) {
        match self {
            MetricsPort::Closed => {}
            MetricsPort::Open(server) => server.stop(),
            MetricsPort::Awaited(awaited) => {
                if let Ok(server) = awaited.servers.try_recv() {
                    server.stop();
                }
            }
        }
    }
}

fn serve(settings: &Settings, port: u16, pages: &Arc<Pages>) -> Result<Server> {
    let metrics = &settings.metrics;
    let protection = Protection::read(metrics.web_config.as_deref())?;
    let bound = bind(&metrics.host, port, protection)?;
    let doubt = bound.doubt();
    let server = bound.serve(Arc::clone(pages) as _)?;
    if let Some(doubt) = doubt {
        tracing::warn!("{doubt}");
    }
    tracing::info!("metrics on {}/metrics", server.url());
    Ok(server)
}

fn await_port(settings: &Settings, port: u16, pages: Arc<Pages>) -> Result<MetricsPort> {
    tracing::info!(
        "port {port} is kept by a run of this pipeline that is over and was not scraped; metrics are served when it is free"
    );
    let (serving, servers) = channel();
    let (patience, patient) = channel::<()>();
    let settings = settings.clone();
    thread::Builder::new()
        .name("metrics port".to_string())
        .spawn(move || {
            while patient.recv_timeout(TRY_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Ok(server) = serve(&settings, port, &pages) {
                    // A server that nobody takes ends.
                    let _ = serving.send(server);
                    return;
                }
            }
        })
        .map_err(|cause| Error::local_io("cannot wait for the metrics port", cause))?;
    Ok(MetricsPort::Awaited(AwaitedPort { servers, _patience: patience }))
}

/// Who has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A run of the pipeline that is on.
    Running,
    /// One that is over and waits to be scraped.
    Ended,
    Other,
}

/// Who answers there, as far as it says so.
pub fn holder(host: &str, port: u16, pipeline_id: &str) -> Holder {
    let info = info(host, port).unwrap_or_default();
    if info.get("pipeline_id").and_then(Value::as_str) != Some(pipeline_id) {
        return Holder::Other;
    }
    match info.get("outcome").and_then(Value::as_str) {
        Some(_) => Holder::Ended,
        None => Holder::Running,
    }
}

fn info(host: &str, port: u16) -> Option<Value> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = (bare, port).to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).ok()?;
    stream.set_write_timeout(Some(ANSWER_MAX)).ok()?;
    stream.write_all(b"GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let give_up = Instant::now() + ANSWER_MAX;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        // Whoever answers byte by byte has as long as everybody else.
        let left = give_up.checked_duration_since(Instant::now())?;
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).ok()?;
        match stream.read(&mut piece).ok()? {
            0 => break,
            length if answer.len() < ANSWER_BYTES_MAX => answer.extend(&piece[..length]),
            _ => return None,
        }
    }
    let answer = String::from_utf8(answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
