//! Who is let in: accepts connections, finds each a place, and ends them all when the server stops.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use super::connection::{Connection, Site};
use super::places::{Evicted, Offer, Place, Places};

/// What an answer that is on its way gets when the server stops.
const STOP_WAIT_MAX: Duration = Duration::from_millis(500);
/// Where accepting fails, it fails again at once: usually there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub async fn accept(listener: TcpListener, site: Arc<Site>, mut stopping: watch::Receiver<()>) {
    let places = Arc::new(Places::default());
    let mut connections = JoinSet::new();
    loop {
        let (stream, from, place, evicted) = tokio::select! {
            _ = stopping.changed() => break,
            next = next(&listener, &places) => next,
        };
        while connections.try_join_next().is_some() {}
        let (site, stopping, place) = (Arc::clone(&site), stopping.clone(), Arc::new(place));
        connections.spawn(Connection { site, place, from, evicted, stopping }.serve(stream));
        // The new one may have asked already.
        tokio::task::yield_now().await;
    }
    drop(listener);
    let _ =
        timeout(STOP_WAIT_MAX, async { while connections.join_next().await.is_some() {} }).await;
}

/// The next connection, with its place.
async fn next(listener: &TcpListener, places: &Arc<Places>) -> (TcpStream, IpAddr, Place, Evicted) {
    let (stream, from) = loop {
        match listener.accept().await {
            Ok((stream, address)) => break (stream, address.ip()),
            // This one is gone; another may be there.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted
                        | ErrorKind::ConnectionReset
                        | ErrorKind::Interrupted
                ) => {}
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    };
    loop {
        match places.offer(Instant::now()) {
            Offer::Place(place, evicted) => return (stream, from, place, evicted),
            Offer::NotBefore(Some(then)) => tokio::select! {
                () = sleep_until(then.into()) => {}
                () = places.changed() => {}
            },
            Offer::NotBefore(None) => places.changed().await,
        }
    }
}
