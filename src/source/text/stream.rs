//! The bytes of one input: decompressed, without a byte order mark, in an encoding that can be
//! scanned.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::gzip_members::GzipMembers;
use super::input::Input;
use super::standard_input::StandardInput;
use super::transcode::{Encoding, NotDecodable, Transcode};
use crate::error::{Error, Result};
use crate::record::{ErrorType, Place};

#[derive(Clone, Debug)]
pub struct StreamSettings {
    pub encoding: Encoding,
    /// The option that says it, for messages.
    pub encoding_flag: &'static str,
    /// The most bytes one stored byte may decompress to; 0 is no limit.
    pub expansion_max: u64,
}

/// Below this much output a high ratio proves nothing: a small file of zeros is no attack.
const EXPANSION_BYTES_MIN: u64 = 64 * 1024 * 1024;
const STORED_BUFFER_BYTES: usize = 256 * 1024;

pub struct Stream {
    input: Input,
    inner: Box<dyn Read + Send>,
    stored: Arc<AtomicU64>,
    decoded: u64,
    compression: Compression,
    settings: StreamSettings,
    /// Kept to see at the end whether the file changed under us.
    file: Option<File>,
    /// It ends amid a line, and somebody wrote to it just now.
    may_be_cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(magic: &[u8]) -> Compression {
        match magic {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            // A frame to be passed over, with which files of several threads begin.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Compression::None => "plain text",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// What the name promises, if it promises anything.
    fn promised(name: &str) -> Option<Compression> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Some(Compression::Gzip),
            "zst" | "zstd" => Some(Compression::Zstd),
            "csv" | "tsv" | "txt" | "json" | "jsonl" | "ndjson" => Some(Compression::None),
            _ => None,
        }
    }
}

impl Stream {
    pub fn open(input: &Input, settings: &StreamSettings) -> Result<Stream> {
        let (file, reader): (Option<File>, Box<dyn Read + Send>) = match &input.path {
            None => {
                if io::stdin().is_terminal() {
                    tracing::info!(
                        "records are read from the terminal: type them, and end with Ctrl-D at the beginning of a line"
                    );
                }
                (None, Box::new(StandardInput::default()))
            }
            Some(path) => {
                let file = File::open(path).map_err(|cause| {
                    Error::config(format!("cannot open '{}'", input.name)).because(cause)
                })?;
                let reader = file.try_clone().map_err(|cause| {
                    Error::local_io(format!("cannot open '{}'", input.name), cause)
                })?;
                (Some(file), Box::new(reader.take(input.size.unwrap_or(u64::MAX))))
            }
        };
        let stored = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: reader, count: Arc::clone(&stored) };
        let mut counted = BufReader::with_capacity(STORED_BUFFER_BYTES, counted);
        let magic = head(&mut counted)
            .map_err(|cause| Error::local_io(format!("cannot read '{}'", input.name), cause))?;
        let compression = Compression::of(&magic);
        if magic.is_empty() {
            check_empty(input, file.as_ref())?;
        }
        if let Some(promised) = Compression::promised(&input.name)
            && promised != compression
            && !magic.is_empty()
        {
            tracing::warn!(
                "'{}' is named like {} but holds {}; its content decides",
                input.name,
                promised.name(),
                compression.name()
            );
        }
        let whole = io::Cursor::new(magic).chain(counted);
        let mut decompressed: Box<dyn Read + Send> = match compression {
            Compression::None => Box::new(whole),
            Compression::Gzip => Box::new(GzipMembers::new(whole)),
            Compression::Zstd => {
                Box::new(zstd::stream::read::Decoder::with_buffer(whole).map_err(|cause| {
                    Error::local_io(format!("cannot read '{}'", input.name), cause)
                })?)
            }
        };
        let mut stream = Stream {
            input: input.clone(),
            inner: Box::new(io::empty()),
            stored,
            decoded: 0,
            compression,
            settings: settings.clone(),
            file,
            may_be_cut: false,
        };
        let mark = head(&mut decompressed).map_err(|cause| stream.translate(cause))?;
        stream.inner = stream.decode(decompressed, mark)?;
        Ok(stream)
    }

    /// Takes off the byte order mark and puts the transcoder in, as the settings and the mark say.
    fn decode(
        &self,
        plain: Box<dyn Read + Send>,
        mut mark: Vec<u8>,
    ) -> Result<Box<dyn Read + Send>> {
        let utf16 = match mark[..] {
            [0xff, 0xfe, ..] => Some(encoding_rs::UTF_16LE),
            [0xfe, 0xff, ..] => Some(encoding_rs::UTF_16BE),
            _ => None,
        };
        let transcoded_from = match (self.settings.encoding, utf16) {
            (Encoding::Auto, Some(encoding)) => Some(encoding),
            // A mark says which of the two it is, whatever the label.
            (Encoding::Stream(encoding), Some(marked)) if is_utf16(encoding) => Some(marked),
            (Encoding::Stream(encoding), _) => Some(encoding),
            (Encoding::Auto, None) if looks_like_utf16(&mark) => {
                return Err(Error::data(ErrorType::Encoding, "looks like UTF-16 without a mark")
                    .at(Place::split(&self.input.name))
                    .help(format!("use --{} utf-16le or utf-16be", self.settings.encoding_flag)));
            }
            (Encoding::Auto | Encoding::Utf8, _) => {
                if mark.starts_with(b"\xef\xbb\xbf") {
                    mark.drain(..3);
                }
                None
            }
            (Encoding::SingleByte(_), _) => None,
        };
        let whole = io::Cursor::new(mark).chain(plain);
        Ok(match transcoded_from {
            Some(encoding) => Box::new(Transcode::new(whole, encoding)),
            None => Box::new(whole),
        })
    }

    pub fn name(&self) -> &str {
        &self.input.name
    }

    /// Bytes of the stored input consumed so far.
    pub fn stored_bytes(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// What they have become so far.
    pub fn decoded_bytes(&self) -> u64 {
        self.decoded
    }

    /// Known at the end: the last record may be half of one that somebody still writes.
    pub fn may_be_cut(&self) -> bool {
        self.may_be_cut
    }

    /// Appends bytes to `buffer` until it holds `length`. False at the end of the input.
    pub fn fill(&mut self, buffer: &mut Vec<u8>, length: usize) -> Result<bool> {
        let start = buffer.len();
        let mut filled = start;
        buffer.resize(length.max(start), 0);
        while filled < length {
            let read = match self.inner.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(cause) => {
                    self.decoded += (filled - start) as u64;
                    return Err(self.translate(cause));
                }
            };
            filled += read;
        }
        buffer.truncate(filled);
        self.decoded += (filled - start) as u64;
        self.check_expansion()?;
        if filled == length {
            return Ok(true);
        }
        let is_at_line_end = buffer.last().is_none_or(|last| matches!(last, b'\n' | b'\r'));
        self.check_extent(is_at_line_end)?;
        Ok(false)
    }

    fn check_expansion(&self) -> Result<()> {
        let stored = self.stored_bytes().max(1);
        let is_bomb = self.compression != Compression::None
            && self.settings.expansion_max > 0
            && self.decoded > EXPANSION_BYTES_MIN
            && self.decoded / stored >= self.settings.expansion_max;
        if !is_bomb {
            return Ok(());
        }
        Err(Error::data(
            ErrorType::TooLarge,
            format!(
                "{stored} bytes of {} decompress to more than {} bytes, which looks like an attack",
                self.compression.name(),
                self.decoded
            ),
        )
        .at(Place::split(&self.input.name))
        .help("raise --max-expansion if the file is meant to be like that"))
    }

    /// At the end: the file must still be as long as it was when it was found.
    fn check_extent(&mut self, is_at_line_end: bool) -> Result<()> {
        let (Some(file), Some(size)) = (&self.file, self.input.size) else { return Ok(()) };
        let metadata = file.metadata().map_err(|cause| {
            Error::local_io(format!("cannot look at '{}'", self.input.name), cause)
        })?;
        let now = metadata.size();
        if self.stored_bytes() < size && now == size {
            let holds = self.stored_bytes();
            return Err(untrue_size(&self.input, size, &format!("{holds} could be read")));
        }
        if self.stored_bytes() < size {
            return Err(Error::data(
                ErrorType::PartialResult,
                format!("the file shrank from {size} to {now} bytes while it was read"),
            )
            .at(Place::split(&self.input.name))
            .help("run again when nobody writes to it"));
        }
        if now > size && !is_at_line_end {
            return Err(Error::data(
                ErrorType::PartialResult,
                format!("the file grew from {size} to {now} bytes while it was read, and the last record may be half of one"),
            )
            .at(Place::split(&self.input.name))
            .help("run again when nobody writes to it"));
        }
        let may_be_cut = now == size && !is_at_line_end && self.compression == Compression::None;
        self.may_be_cut |= may_be_cut && is_recent(&metadata);
        if now > size {
            tracing::warn!(
                "'{}' grew from {size} to {now} bytes while it was read; what was added is left for the next run",
                self.input.name
            );
        }
        Ok(())
    }

    /// What a failed read means: bad content, or a bad disk.
    fn translate(&self, cause: io::Error) -> Error {
        let place = Place { byte: Some(self.decoded), ..Place::split(&self.input.name) };
        if cause.get_ref().is_some_and(|inner| inner.is::<NotDecodable>()) {
            return Error::data(ErrorType::Encoding, "the text cannot be decoded")
                .at(Place::split(&self.input.name))
                .because(cause)
                .help(format!("set --{} to what the file is in", self.settings.encoding_flag));
        }
        // The decompressors report bad content with these kinds, a disk reports others.
        let is_content = matches!(
            cause.kind(),
            io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::Other
        ) && cause.raw_os_error().is_none();
        if self.compression == Compression::Zstd
            && let Some((what, help)) = not_for_us(&cause)
        {
            return Error::data(ErrorType::Other, what).at(place).because(cause).help(help);
        }
        if self.compression != Compression::None && is_content {
            return Error::data(
                ErrorType::Parse,
                format!("the {} data is cut short or damaged", self.compression.name()),
            )
            .at(place)
            .because(cause)
            .help("get the file again");
        }
        Error::new(crate::error::Kind::LocalIo, ErrorType::Disk, "cannot read the file")
            .at(place)
            .because(cause)
    }
}

/// By the clock of this machine, which that of a file server may be a little ahead of.
fn is_recent(metadata: &Metadata) -> bool {
    const RECENT: Duration = Duration::from_secs(60);
    metadata.modified().is_ok_and(|at| at.elapsed().map_or(true, |since| since < RECENT))
}

/// A file without a byte has to be one that may be so.
fn check_empty(input: &Input, file: Option<&File>) -> Result<()> {
    if let (Some(mut file), Some(0)) = (file, input.size) {
        let unreadable = |cause| Error::local_io(format!("cannot read '{}'", input.name), cause);
        let has_data = file.read(&mut [0]).map_err(unreadable)? > 0;
        if has_data && file.metadata().map_err(unreadable)?.len() == 0 {
            return Err(untrue_size(input, 0, "there are more"));
        }
    }
    match Compression::promised(&input.name) {
        Some(promised @ (Compression::Gzip | Compression::Zstd)) => {
            let message = format!("the file is empty, and {} never is", promised.name());
            Err(Error::data(ErrorType::Parse, message)
                .at(Place::split(&input.name))
                .help("get the file again"))
        }
        _ => Ok(()),
    }
}

/// Some file systems make files up while they are read.
fn untrue_size(input: &Input, size: u64, but: &str) -> Error {
    let message = format!("the file is said to hold {size} bytes, but {but}");
    Error::data(ErrorType::PartialResult, message)
        .at(Place::split(&input.name))
        .help("read it through a pipe, with '-' for standard input")
}

/// What a zstd file needs that is not to be had; its data may be well.
fn not_for_us(cause: &io::Error) -> Option<(&'static str, &'static str)> {
    match cause.to_string().as_str() {
        "Frame requires too much memory for decoding" => Some((
            "the zstd data needs more than 128 MiB of memory to be decompressed",
            "it was made with --long=28 or more; pipe it through 'zstd -dc --long=31', or make it anew with --long=27",
        )),
        "Dictionary mismatch" => Some((
            "the zstd data needs the dictionary that it was made with",
            "pipe it through 'zstd -dc -D DICTIONARY', or make it anew without one",
        )),
        _ => None,
    }
}

fn is_utf16(encoding: &'static encoding_rs::Encoding) -> bool {
    encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE
}

/// ASCII text in UTF-16 has a NUL in every other byte.
fn looks_like_utf16(start: &[u8]) -> bool {
    let nul: Vec<bool> = start.iter().map(|&byte| byte == 0).collect();
    nul == [true, false, true, false] || nul == [false, true, false, true]
}

/// The first four bytes of a stream, read until they are there: a mark may come in two reads.
fn head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut head)?;
    Ok(head)
}

struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
