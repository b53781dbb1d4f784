//! What sources of text files share: which files there are (`input`, `pattern`), their bytes after
//! decompression and transcoding (`stream`, `members`, `transcode`), and a cursor that cuts them into
//! segments wherever a format says that records end (`cursor`).

mod ahead;
mod cursor;
mod gzip_members;
mod input;
mod opened_stream;
mod pattern;
mod standard_input;
mod stream;
mod transcode;

pub use ahead::read_ahead;
pub use cursor::{Boundaries, FileCursor, Scan, Start};
pub use input::{Input, find};
pub use opened_stream::OpenedStream;
pub use stream::{Stream, StreamSettings};
pub use transcode::{Encoding, decode_value};
