//! The port of the metrics. Where a run of the same pipeline that is over still has it, because nobody has
//! scraped its last numbers, it is opened when that gives it back; nothing waits for it meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::port_holder::{Holder, holder};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::web::{Pages, Protection, Server, ServerFlags, bind};

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
        if holder(settings, port) == Holder::Ended {
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
    let bound = bind(&metrics.host, port, ServerFlags::OF_RUN, protection)?;
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
