//! CSV files. The reader finds record boundaries (`scan`), the workers decode with the crate `csv`
//! (`decode`), and what the first record says is settled before anything moves (`header`).

mod decode;
mod header;
mod sample;
mod scan;

use std::collections::{HashMap, HashSet};
use std::io::{Chain, Read};
use std::path::PathBuf;
use std::sync::Arc;

use self::decode::{CsvDecode, Layout};
use self::header::Head;
use super::sample::{Sampled, declare, declare_bytes, doubts, records_of, widen_declared};
use super::text::{FileCursor, Input, OpenedStream, Stream, StreamSettings, find};
use super::{Cursor, Decode, SegmentLimit, Source, Split, Wanted};
use crate::convert::{Infer, Type, Typing, Values, listed};
use crate::error::{Error, Kind, Result};
use crate::event::Expected;
use crate::infer::{Origin, Seen, column_type};
use crate::record::{ColumnType, Dates, ErrorType, Field, FieldKind, Place};
use crate::source::text::Encoding;

/// How fields and records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvDialect {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub escape: Option<u8>,
    pub comment: Option<u8>,
    pub quoting: Quoting,
}

/// What a misplaced quote does to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// Text after a closing quote is taken as it is.
    Lenient,
    /// Text after a closing quote rejects the record; a quote within a field is a character.
    Normal,
    /// Both reject the record.
    Strict,
}

impl Default for CsvDialect {
    fn default() -> CsvDialect {
        CsvDialect {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            comment: None,
            quoting: Quoting::Normal,
        }
    }
}

impl CsvDialect {
    /// A reader of whole records. Its positions are `guard(bytes)` bytes ahead.
    fn reader<'a>(&self, bytes: &'a [u8]) -> csv::Reader<Chain<&'a [u8], &'a [u8]>> {
        let mut builder = csv::ReaderBuilder::new();
        builder
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .escape(self.escape)
            .comment(self.comment)
            .buffer_capacity(DECODE_BUFFER_BYTES.min(bytes.len().max(1)));
        match self.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        let guard: &[u8] = if guard(bytes) == 1 { b"\n" } else { b"" };
        builder.from_reader(guard.chain(bytes))
    }

    /// The crate counts line ends and comments before a record as its beginning; we do not.
    fn record_start(&self, bytes: &[u8], mut at: usize) -> usize {
        loop {
            match bytes.get(at) {
                Some(b'\n' | b'\r') => at += 1,
                Some(&first) if Some(first) == self.comment => {
                    let rest = &bytes[at..];
                    at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
                _ => return at,
            }
        }
    }
}

/// The crate takes a byte order mark off whatever it is given; behind the beginning of a file it is
/// a character of the data. An empty line before it keeps it there: this is its length.
fn guard(bytes: &[u8]) -> usize {
    usize::from(bytes.starts_with(b"\xef\xbb\xbf"))
}

/// The crate copies its input through a buffer; this much stays in the first-level cache.
const DECODE_BUFFER_BYTES: usize = 16 * 1024;

/// What to do with a record that has fewer or more fields than there are columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ragged {
    Reject,
    /// Missing fields become empty; more fields than columns reject the record.
    Pad,
    /// Fields beyond the columns are dropped; fewer fields than columns reject the record.
    Truncate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidText {
    Reject,
    /// What is no UTF-8 becomes U+FFFD.
    Replace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderNames {
    /// Empty or repeated names are an error.
    Strict,
    /// Empty ones are named `column_N`, repeated ones get `_2`, `_3`.
    Repair,
}

#[derive(Clone, Debug)]
pub struct CsvSettings {
    pub files: Vec<String>,
    /// What the run writes, which no glob among the files stands for.
    pub written: Vec<PathBuf>,
    pub dialect: CsvDialect,
    /// The delimiter was written, so it is not questioned.
    pub is_delimiter_sure: bool,
    pub has_header: bool,
    /// Names that replace the header, or stand in for one.
    pub columns: Option<Vec<String>>,
    pub header_names: HeaderNames,
    pub null: Option<String>,
    pub ragged: Ragged,
    pub invalid_text: InvalidText,
    pub allow_empty: bool,
    pub typing: Typing,
    pub stream: StreamSettings,
    pub limit: SegmentLimit,
}

pub struct CsvSource {
    splits: Vec<Split>,
    files: Vec<CsvFile>,
    settings: CsvSettings,
    /// Of all columns.
    decoder: Arc<CsvDecode>,
    fields: Vec<Field>,
}

struct CsvFile {
    input: Input,
    head: Head,
    kept: OpenedStream,
}

impl CsvSource {
    /// Opens every file once, reads its header, and holds the headers against each other.
    pub fn open(mut settings: CsvSettings) -> Result<CsvSource> {
        let found = find(&settings.files, FLAG, &settings.written, settings.allow_empty)?;
        found.say_left_out(FLAG);
        let inputs = found.inputs;
        if !settings.is_delimiter_sure && are_tabbed(&inputs)? {
            tracing::info!(
                "fields of '{}' are separated by tabs, as its name says",
                inputs[0].name
            );
            settings.dialect.delimiter = b'\t';
        }
        let mut files = Vec::new();
        for input in inputs {
            let mut stream = Stream::open(&input, &settings.stream)?;
            let (head, ahead) = header::read(&mut stream, &settings)?;
            let kept = OpenedStream::new(&input, stream, ahead);
            files.push(CsvFile { input, head, kept });
        }
        let columns = all_columns(&files)?;
        let layouts = lay_out(&files, &columns)?;
        let mut values = Values::text(&columns, settings.null.clone());
        // Files that are empty, and may be, have no columns to be named.
        if !columns.is_empty() {
            values.set(&settings.typing.declared)?;
            values.read_commas(&settings.typing.commas);
            let dates = settings.typing.dates.iter();
            values.set(&dates.map(|(name, _)| (name.clone(), Type::Text)).collect::<Vec<_>>())?;
        }
        let mut decoder = CsvDecode {
            dialect: settings.dialect,
            columns: columns.into(),
            layouts,
            names: files.iter().map(|file| file.input.name.clone()).collect(),
            values,
            ragged: settings.ragged,
            invalid_text: settings.invalid_text,
            encoding: match settings.stream.encoding {
                Encoding::SingleByte(encoding) => Some(encoding),
                _ => None,
            },
        };
        if settings.typing.infer == Infer::Values {
            let sample = sample::take(&files, &settings, &decoder)?;
            let guess = |seen: &Seen| match column_type(&seen.shape, Origin::Text) {
                // A number in its own words, which a decimal with an exponent is not.
                Some(ColumnType::Decimal { .. }) if seen.shape.has_exponent() => Type::Float,
                Some(column_type) => Type::of(column_type),
                None => Type::Text,
            };
            decoder.values.adopt(sample.fields().iter().map(guess), sample.records);
        }
        let dates: HashMap<&str, &Dates> =
            settings.typing.dates.iter().map(|(name, dates)| (name.as_str(), dates)).collect();
        let field = |(name, kind): (&str, Type)| match dates.get(name).copied() {
            Some(dates) => {
                let known = Field::new(name, FieldKind::Time, "date");
                Field { dates: dates.clone(), is_declared: true, ..known }
            }
            None => Field::new(name, known(kind), kind.as_str()),
        };
        let mut fields: Vec<Field> = decoder.values.kinds().map(field).collect();
        declare_bytes(&mut fields, &settings.typing.columns);
        Ok(CsvSource {
            splits: files.iter().map(|file| Split::file(&file.input.name)).collect(),
            fields,
            files,
            settings,
            decoder: Arc::new(decoder),
        })
    }
}

/// The option that names the files.
const FLAG: &str = "csv-file";

/// Whether names say that fields are separated by tabs. All files are of one dialect.
fn are_tabbed(inputs: &[Input]) -> Result<bool> {
    let is_tabbed = |input: &&Input| {
        let name = input.name.to_ascii_lowercase();
        let stem = [".gz", ".zst"].into_iter().find_map(|end| name.strip_suffix(end));
        stem.unwrap_or(&name).ends_with(".tsv")
    };
    let Some(tabbed) = inputs.iter().find(is_tabbed) else { return Ok(false) };
    match inputs.iter().find(|input| !is_tabbed(input)) {
        None => Ok(true),
        Some(other) => Err(Error::config(format!(
            "the name of '{}' says that tabs part its fields, that of '{}' does not",
            tabbed.name, other.name
        ))
        .help("say --csv-delimiter, or load them in runs of their own")),
    }
}

fn known(kind: Type) -> FieldKind {
    match kind {
        Type::Text => FieldKind::Text,
        Type::Int => FieldKind::Int(64),
        Type::Decimal => FieldKind::Decimal,
        Type::Float => FieldKind::Float(64),
        Type::Bool => FieldKind::Bool,
        Type::Json => FieldKind::Json,
    }
}

/// The columns that all files have, in the order of the first one.
fn all_columns(files: &[CsvFile]) -> Result<Vec<String>> {
    let mut with_names = files.iter().filter(|file| !file.head.names.is_empty());
    let Some(first) = with_names.next() else { return Ok(Vec::new()) };
    with_names.try_for_each(|file| check_same_names(first, file))?;
    Ok(first.head.names.clone())
}

/// Where each file keeps these columns. A file without a header has no records.
fn lay_out(files: &[CsvFile], columns: &[String]) -> Result<Vec<Layout>> {
    let mut layouts = Vec::new();
    for file in files {
        let names = &file.head.names;
        if names.is_empty() {
            layouts.push(Layout { width: columns.len(), map: None });
            continue;
        }
        let places: HashMap<&str, usize> =
            names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let place = |column: &String| match places.get(column.as_str()) {
            Some(place) => Ok(*place),
            None => Err(no_column(column, file)),
        };
        let map = columns.iter().map(place).collect::<Result<Vec<_>>>()?;
        let is_identity = map.len() == names.len() && map.iter().copied().eq(0..names.len());
        layouts.push(Layout { width: names.len(), map: (!is_identity).then_some(map) });
    }
    Ok(layouts)
}

fn no_column(column: &str, file: &CsvFile) -> Error {
    let names = &file.head.names;
    let hint = match names.iter().find(|name| name.trim() == column.trim()) {
        Some(near) => format!("there is '{near}': spaces count where a name stands alone"),
        None => format!("the columns are {}", listed(names)),
    };
    Error::config(format!("there is no column '{column}'"))
        .at(Place::split(&file.input.name))
        .help(format!("{hint}; check --select"))
}

/// Several files are one table only if their headers hold the same names, in whatever order.
fn check_same_names(first: &CsvFile, file: &CsvFile) -> Result<()> {
    let set_of = |file: &'_ CsvFile| file.head.names.iter().cloned().collect::<HashSet<_>>();
    let (firsts, others) = (set_of(first), set_of(file));
    let missing: Vec<_> = first.head.names.iter().filter(|name| !others.contains(*name)).collect();
    let extra: Vec<_> = file.head.names.iter().filter(|name| !firsts.contains(*name)).collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(());
    }
    let mut differences = Vec::new();
    if !missing.is_empty() {
        differences.push(format!("lacks {}", some_of(&missing)));
    }
    if !extra.is_empty() {
        differences.push(format!("also has {}", some_of(&extra)));
    }
    Err(Error::new(
        Kind::Data,
        ErrorType::Parse,
        format!(
            "the header differs from that of '{}': it {}",
            first.input.name,
            differences.join(" and ")
        ),
    )
    .at(Place::split(&file.input.name))
    .help("name files of one kind only, or load them in runs of their own"))
}

fn some_of(names: &[&String]) -> String {
    let quoted = names.iter().map(|name| format!("'{}'", name.escape_default()));
    listed(&quoted.collect::<Vec<_>>())
}

impl Source for CsvSource {
    fn splits(&self) -> &[Split] {
        &self.splits
    }

    fn open(&self, split: usize, limit: SegmentLimit) -> Result<Box<dyn Cursor + '_>> {
        let file = &self.files[split];
        let (stream, ahead, start) = match file.kept.take() {
            Some((stream, mut ahead)) => {
                ahead.drain(..file.head.start.byte as usize);
                (stream, ahead, file.head.start)
            }
            None => {
                let mut stream = Stream::open(&file.input, &self.settings.stream)?;
                let mut ahead = Vec::new();
                stream.fill(&mut ahead, file.head.start.byte as usize)?;
                if ahead.len() as u64 != file.head.start.byte
                    || header::digest(&ahead) != file.head.digest
                {
                    return Err(Error::data(
                        ErrorType::PartialResult,
                        "the file changed after its header was read",
                    )
                    .at(Place::split(&file.input.name))
                    .help("run again when nobody writes to it"));
                }
                (stream, Vec::new(), file.head.start)
            }
        };
        Ok(Box::new(FileCursor::new(split, stream, self.settings.dialect, limit, ahead, start)))
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Without a word of the user's, text stays text. What is guessed is of no interest to the decoder:
    /// columns of a table judge for themselves.
    fn sample(&self, _columns: &[String]) -> Result<Sampled> {
        let sample = sample::take(&self.files, &self.settings, &self.decoder)?;
        let is_guess = self.settings.typing.infer != Infer::No;
        let typing = &self.settings.typing;
        let is_declared = |name: &str| typing.declared.iter().any(|(other, _)| other == name);
        let mut fields = self.fields.clone();
        for (known, seen) in fields.iter_mut().zip(sample.fields()) {
            known.characters_seen = seen.shape.characters();
            let is_plain = known.kind == FieldKind::Text && !is_declared(&known.name);
            if is_guess && is_plain && !seen.shape.is_nothing() {
                *known = seen.field(Origin::Text);
            }
        }
        declare(&mut fields, &typing.columns);
        let of = records_of(sample.records, "first");
        let widened = widen_declared(&mut fields, &sample);
        let mut doubts = doubts(&fields, &sample, Origin::Text);
        doubts.extend(widened);
        // Without a guess, columns are text whatever they hold.
        let is_of_nothing = sample.records == 0 && (is_guess || fields.is_empty());
        Ok(Sampled { fields, of, notes: Vec::new(), doubts, is_of_nothing })
    }

    /// All columns are known, so there are no others that could turn up.
    fn decoder(&self, wanted: &Wanted) -> Result<Arc<dyn Decode>> {
        let Wanted::Fields { names, .. } = wanted else {
            return Ok(Arc::clone(&self.decoder) as Arc<dyn Decode>);
        };
        Ok(Arc::new(CsvDecode {
            columns: names.clone().into(),
            layouts: lay_out(&self.files, names)?,
            values: self.decoder.values.of(names),
            names: self.decoder.names.clone(),
            ..*self.decoder
        }))
    }

    fn expected(&self) -> Expected {
        let sizes = self.files.iter().map(|file| file.input.size);
        Expected { records: None, stored_bytes: sizes.sum() }
    }
}
