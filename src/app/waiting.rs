//! How long what is opened is waited for, and where.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::pipeline::RetryPolicy;

/// A server that was never reached is more likely named wrongly than away.
pub const OPENING: RetryPolicy = RetryPolicy {
    wait_min: Duration::from_millis(250),
    wait_max: Duration::from_secs(5),
    elapsed_max: Duration::from_secs(30),
};

/// Opening a file reads, and a pipe may bring nothing for ever.
pub async fn beside<T: Send + 'static>(
    open: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(open)
        .await
        .map_err(|cause| Error::internal("opening the source broke off").because(cause))?
}
