//! How much memory the driver keeps in its buffers. It has one pool of them for the whole process, and
//! only the environment says how large they may be: without a word each keeps up to 4 MiB, and every
//! connection has one or two under way, so that INSERTs of large rows over 16 lanes left 80 MiB behind.

use super::connection::SENT_BYTES_KEPT;

/// To be called while the process has one thread, because it sets a variable of the environment. What
/// the user says in the environment stays.
pub fn limit() {
    let variable = format!("MYSQL_ASYNC_BUFFER_SIZE_CAP={SENT_BYTES_KEPT}\n");
    // The standard library's own call is `unsafe` for the sake of other threads.
    if let Err(cause) = dotenvy::from_read(variable.as_bytes()) {
        tracing::debug!("the driver's buffers stay as large as it wants: {cause}");
    }
}
