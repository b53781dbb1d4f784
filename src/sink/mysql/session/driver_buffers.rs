//! How much memory the driver keeps in its buffers. It has one pool of them for the whole process, first
//! in, first out, so that each buffer carries a large statement in turn; and every connection has one or two
//! of them under way. Only the environment says how many are kept and how large they stay: by itself the
//! driver keeps 128 of 4 MiB, and INSERTs of large rows over 16 lanes left 80 MiB behind.

use super::connection::SENT_BYTES_KEPT;

/// Others are made when they are needed, and given back: that costs less than the copy that goes into them.
const BUFFERS_KEPT: usize = 1;

/// To be called while the process has one thread, because it sets variables of the environment. What
/// the user says in the environment stays.
pub fn limit() {
    let variables = format!(
        "MYSQL_ASYNC_BUFFER_POOL_CAP={BUFFERS_KEPT}\nMYSQL_ASYNC_BUFFER_SIZE_CAP={SENT_BYTES_KEPT}\n"
    );
    // The standard library's own call is `unsafe` for the sake of other threads.
    if let Err(cause) = dotenvy::from_read(variables.as_bytes()) {
        tracing::debug!("the driver's buffers stay as large as it wants: {cause}");
    }
}
