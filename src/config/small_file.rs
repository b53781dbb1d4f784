//! Files that are read whole because they are small: settings, passwords, queries.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What a file holds, unless that is more than `bytes_max`: whoever names a device, or a file of data,
/// is told so before memory is full of it.
pub fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        let why = format!("it holds more than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The same as text.
pub fn read_text(path: &Path, bytes_max: usize) -> io::Result<String> {
    let no_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8");
    String::from_utf8(read(path, bytes_max)?).map_err(no_text)
}
