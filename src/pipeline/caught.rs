//! A panic in a future of the run's own, made an error of the run, so that what it has under way is put
//! away all the same.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use crate::error::{Error, Result};

/// The future is not polled again after a panic, so whatever it left half done is only dropped.
pub async fn caught<T>(future: impl Future<Output = T>) -> Result<T> {
    let mut future = Box::pin(future);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or_else(
            |_| Poll::Ready(Err(Error::internal("the pipeline panicked"))),
            |polled| polled.map(Ok),
        )
    })
    .await
}
