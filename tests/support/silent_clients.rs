//! Clients that connect, send half a request, wait until they are thrown out, and connect again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Dropping it closes them all.
pub struct SilentClients {
    runtime: Option<Runtime>,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    connected: AtomicU64,
    told: AtomicU64,
}

impl SilentClients {
    pub fn start(address: &str, count: usize) -> SilentClients {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Arc::<Seen>::default();
        for _ in 0..count {
            runtime.spawn(bother(address.to_string(), Arc::clone(&seen)));
        }
        SilentClients { runtime: Some(runtime), seen }
    }

    pub fn connected(&self) -> u64 {
        self.seen.connected.load(Ordering::Relaxed)
    }

    /// How often one of them read why it was thrown out.
    pub fn told(&self) -> u64 {
        self.seen.told.load(Ordering::Relaxed)
    }
}

impl Drop for SilentClients {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

async fn bother(address: String, seen: Arc<Seen>) {
    loop {
        let Ok(mut stream) = TcpStream::connect(&address).await else { continue };
        if stream.write_all(b"GET /metrics HT").await.is_err() {
            continue;
        }
        seen.connected.fetch_add(1, Ordering::Relaxed);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let is_told =
            [&b"HTTP/1.1 503 "[..], b"HTTP/1.1 408 "].iter().any(|why| answer.starts_with(why));
        seen.told.fetch_add(u64::from(is_told), Ordering::Relaxed);
    }
}
