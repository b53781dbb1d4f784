//! The nouns that move through a run: a `Segment` of the source, the `Rows` decoded from it,
//! what was `Rejected`, and the `Counts` of what became of the rest.
//!
//! Nothing here does I/O or knows a format. Rows live in one arena per segment, because a
//! `String` per field costs more than everything else the program does to a field.

use std::fmt;
use std::sync::Arc;

/// Why the source ended a segment where it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// `--batch-size` records were in it.
    Records,
    /// The next record would have taken it over `--batch-bytes`.
    Bytes,
    /// One record larger than `--batch-bytes` travels alone.
    Large,
    /// The split ended.
    End,
}

/// Something the boundary scan saw in a record that the decoder would let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// `"a"b`: text between a closing quote and the next delimiter.
    TextAfterQuote,
    /// `a"b`: a quote inside a field that does not begin with one.
    StrayQuote,
}

/// A place between two records of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Offset in the decoded stream.
    Byte(u64),
    /// What a server sorts by, in its own words.
    Key(Arc<[u8]>),
}

/// `[from, to)` of one split: what a commit, its rejected records and a saved position are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Index into what `Source::splits` named.
    pub split: usize,
    pub from: Position,
    pub to: Position,
}

impl Interval {
    pub fn bytes(split: usize, from: u64, to: u64) -> Interval {
        Interval { split, from: Position::Byte(from), to: Position::Byte(to) }
    }
}

/// The records of an interval: the unit of parallel work, of a batch and of a commit.
///
/// Segments of a split are disjoint, in order, and cover it.
#[derive(Debug)]
pub struct Segment {
    pub interval: Interval,
    /// Number of the first record in the split, counted from 1.
    pub first_record: u64,
    /// Line on which the segment begins, counted from 1.
    pub first_line: u64,
    /// Records in the segment as the source counted them; the decoder must find as many.
    pub records: u64,
    pub bytes: Vec<u8>,
    /// Flaws by the index of their record within the segment, ascending.
    pub flaws: Vec<(u64, Flaw)>,
    pub flush: Flush,
}

impl Segment {
    /// Offset of its first byte in the decoded stream, where there is one.
    pub fn first_byte(&self) -> Option<u64> {
        match self.interval.from {
            Position::Byte(byte) => Some(byte),
            Position::Key(_) => None,
        }
    }
}

/// Says where records of a segment are. Records are asked for in order, so that lines are counted
/// once, and only as far as somebody asks.
pub struct Places<'a> {
    split: &'a str,
    segment: &'a Segment,
    offset: usize,
    line: u64,
}

impl<'a> Places<'a> {
    pub fn new(split: &'a str, segment: &'a Segment) -> Places<'a> {
        Places { split, segment, offset: 0, line: segment.first_line }
    }

    /// The record that begins at `offset`, the `index`-th in the segment.
    pub fn of(&mut self, index: u64, offset: usize) -> Place {
        let bytes = &self.segment.bytes;
        self.line += lines_in(&bytes[self.offset.min(offset)..offset.min(bytes.len())]);
        self.offset = offset;
        Place {
            split: self.split.to_string(),
            record: Some(self.segment.first_record + index),
            line: Some(self.line),
            byte: self.segment.first_byte().map(|byte| byte + offset as u64),
            column: None,
        }
    }
}

/// Line ends in `bytes`, which are not cut between CR and LF: LF, CRLF or a lone CR, each once.
pub fn lines_in(bytes: &[u8]) -> u64 {
    let line_feeds = memchr::memchr_iter(b'\n', bytes).count();
    let lone_returns =
        memchr::memchr_iter(b'\r', bytes).filter(|&at| bytes.get(at + 1) != Some(&b'\n')).count();
    (line_feeds + lone_returns) as u64
}

/// A record without what ends its line.
pub fn without_line_end(record: &[u8]) -> &[u8] {
    let end = record.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
    &record[..end.map_or(0, |last| last + 1)]
}

/// What a row is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One cell a column, always in this order.
    Columns(Arc<[String]>),
    /// One cell a row: a whole JSON object in its own words.
    Documents,
}

impl Shape {
    pub fn width(&self) -> usize {
        match self {
            Shape::Columns(names) => names.len(),
            Shape::Documents => 1,
        }
    }
}

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    /// The record does not have this field at all.
    Absent,
    /// UTF-8, unescaped.
    Text(&'a [u8]),
    /// A number in its exact words, already valid JSON.
    Number(&'a [u8]),
    Bool(bool),
    /// Any JSON value on one line, already valid.
    Json(&'a [u8]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Kind {
    Text,
    Number,
    Json,
    Null,
    Absent,
    True,
    False,
}

const KINDS: [Kind; 8] = [
    Kind::Text,
    Kind::Number,
    Kind::Json,
    Kind::Null,
    Kind::Absent,
    Kind::True,
    Kind::False,
    Kind::Null,
];

/// End of a value in the arena, with its kind in the upper three bits.
///
/// Packed because narrow fields are common: two words a cell would double the memory of a segment.
#[derive(Clone, Copy)]
struct Cell(u32);

const END_BITS: u32 = 29;

/// The most an arena can hold; `--max-record-bytes` and `--batch-bytes` stay below it.
pub const ARENA_BYTES_MAX: usize = (1 << END_BITS) - 1;

impl Cell {
    fn new(kind: Kind, end: usize) -> Cell {
        assert!(
            end <= ARENA_BYTES_MAX,
            "a segment's text fits the arena, by the limits of settings"
        );
        Cell((kind as u32) << END_BITS | end as u32)
    }

    fn end(self) -> usize {
        (self.0 & ARENA_BYTES_MAX as u32) as usize
    }

    fn kind(self) -> Kind {
        KINDS[(self.0 >> END_BITS) as usize]
    }
}

/// The decoded records of one segment, in order, and those that could not be decoded.
pub struct Rows {
    shape: Shape,
    arena: Vec<u8>,
    cells: Vec<Cell>,
    /// Offset of each row's record in its segment.
    offsets: Vec<u32>,
    /// Index of each row's record in its segment: rejected ones leave gaps.
    records: Vec<u32>,
    /// Some cell is something other than text.
    is_mixed: bool,
    pub rejected: Vec<Rejected>,
}

impl Rows {
    pub fn new(shape: Shape) -> Rows {
        Rows {
            shape,
            arena: Vec::new(),
            cells: Vec::new(),
            offsets: Vec::new(),
            records: Vec::new(),
            is_mixed: false,
            rejected: Vec::new(),
        }
    }

    /// Empties the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.cells.clear();
        self.offsets.clear();
        self.records.clear();
        self.is_mixed = false;
        self.rejected.clear();
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Memory it holds, used or not.
    pub fn held_bytes(&self) -> usize {
        self.arena.capacity() + 4 * (self.cells.capacity() + 2 * self.offsets.capacity())
    }

    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Opens a row for the `record`-th record of the segment, which starts at `offset`.
    /// `width` values follow, or `abandon`.
    pub fn begin(&mut self, record: u64, offset: usize) {
        debug_assert_eq!(self.cells.len(), self.len() * self.shape.width());
        self.offsets.push(offset as u32);
        self.records.push(record as u32);
    }

    /// Takes back the row that was begun last.
    pub fn abandon(&mut self) {
        self.offsets.pop();
        self.records.pop();
        self.cells.truncate(self.len() * self.shape.width());
        self.arena.truncate(self.filled());
    }

    pub fn text(&mut self, value: &[u8]) {
        self.arena.extend_from_slice(value);
        self.cells.push(Cell::new(Kind::Text, self.arena.len()));
    }

    pub fn number(&mut self, value: &[u8]) {
        self.other(Kind::Number, value);
    }

    pub fn json(&mut self, value: &[u8]) {
        self.other(Kind::Json, value);
    }

    pub fn bool(&mut self, value: bool) {
        self.other(if value { Kind::True } else { Kind::False }, &[]);
    }

    pub fn null(&mut self) {
        self.other(Kind::Null, &[]);
    }

    pub fn absent(&mut self) {
        self.other(Kind::Absent, &[]);
    }

    fn other(&mut self, kind: Kind, value: &[u8]) {
        self.is_mixed = true;
        self.arena.extend_from_slice(value);
        self.cells.push(Cell::new(kind, self.arena.len()));
    }

    /// Appends a whole row of text: `text` is the fields one after another, `lengths` where each
    /// ends. One copy a row instead of one a field.
    pub fn texts(&mut self, text: &[u8], lengths: impl Iterator<Item = usize>) {
        let mut end = self.arena.len();
        self.arena.extend_from_slice(text);
        self.cells.extend(lengths.map(|length| {
            end += length;
            Cell::new(Kind::Text, end)
        }));
    }

    /// The values of one row, left to right.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Value<'_>> {
        let width = self.shape.width();
        let mut start = self.start_of(row);
        self.cells[row * width..(row + 1) * width].iter().map(move |cell| {
            let from = std::mem::replace(&mut start, cell.end());
            self.value(*cell, from)
        })
    }

    /// All rows if every value is text, which most files are and which is faster to go through.
    pub fn texts_only(&self) -> Option<impl Iterator<Item = TextRow<'_>>> {
        let width = self.shape.width();
        let mut start = 0;
        let rows = self.cells.chunks_exact(width.max(1)).map(move |cells| {
            let end = cells.last().map_or(start, |cell| cell.end());
            let row = TextRow { arena: &self.arena, cells, start, end };
            start = end;
            row
        });
        (!self.is_mixed && width > 0).then_some(rows)
    }

    /// The bytes of all values of one row, one after another.
    pub fn row_bytes(&self, row: usize) -> &[u8] {
        let width = self.shape.width();
        let end = self.cells[..(row + 1) * width].last().map_or(0, |cell| cell.end());
        &self.arena[self.start_of(row)..end]
    }

    /// The column names, or none where rows are documents.
    pub fn columns(&self) -> &[String] {
        match &self.shape {
            Shape::Columns(names) => names,
            Shape::Documents => &[],
        }
    }

    /// Offset of the row's record in its segment.
    pub fn offset(&self, row: usize) -> usize {
        self.offsets[row] as usize
    }

    /// Index of the row's record in its segment.
    pub fn record(&self, row: usize) -> u64 {
        u64::from(self.records[row])
    }

    fn start_of(&self, row: usize) -> usize {
        self.cells[..row * self.shape.width()].last().map_or(0, |cell| cell.end())
    }

    fn filled(&self) -> usize {
        self.cells.last().map_or(0, |cell| cell.end())
    }

    fn value(&self, cell: Cell, from: usize) -> Value<'_> {
        let bytes = &self.arena[from..cell.end()];
        match cell.kind() {
            Kind::Text => Value::Text(bytes),
            Kind::Number => Value::Number(bytes),
            Kind::Json => Value::Json(bytes),
            Kind::Null => Value::Null,
            Kind::Absent => Value::Absent,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
        }
    }
}

/// A row that is nothing but text.
pub struct TextRow<'a> {
    arena: &'a [u8],
    cells: &'a [Cell],
    start: usize,
    end: usize,
}

impl<'a> TextRow<'a> {
    /// All values, one after another.
    pub fn bytes(&self) -> &'a [u8] {
        &self.arena[self.start..self.end]
    }

    pub fn values(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let arena = self.arena;
        let mut start = self.start;
        self.cells.iter().map(move |cell| {
            let from = std::mem::replace(&mut start, cell.end());
            &arena[from..start]
        })
    }
}

/// Where a record came from, for a person who has to find it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, or what else the split is called.
    pub split: String,
    pub record: Option<u64>,
    pub line: Option<u64>,
    /// Offset in the decoded stream, counted from 0.
    pub byte: Option<u64>,
    pub column: Option<String>,
}

impl Place {
    pub fn split(name: impl Into<String>) -> Place {
        Place { split: name.into(), ..Place::default() }
    }

    pub fn column(mut self, name: impl Into<String>) -> Place {
        self.column = Some(name.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.split)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(byte) = self.byte {
            write!(f, ", byte {byte}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column '{}'", column.escape_default())?;
        }
        Ok(())
    }
}

/// What kind of thing went wrong: the closed list behind the label `error_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    Connection,
    Timeout,
    Overloaded,
    Auth,
    Parse,
    TypeMismatch,
    OutOfRange,
    Null,
    DuplicateKey,
    Constraint,
    Encoding,
    TooLarge,
    Deadlock,
    LockTimeout,
    Disk,
    PartialResult,
    Protocol,
    Other,
}

impl ErrorType {
    pub const ALL: [ErrorType; 18] = [
        ErrorType::Connection,
        ErrorType::Timeout,
        ErrorType::Overloaded,
        ErrorType::Auth,
        ErrorType::Parse,
        ErrorType::TypeMismatch,
        ErrorType::OutOfRange,
        ErrorType::Null,
        ErrorType::DuplicateKey,
        ErrorType::Constraint,
        ErrorType::Encoding,
        ErrorType::TooLarge,
        ErrorType::Deadlock,
        ErrorType::LockTimeout,
        ErrorType::Disk,
        ErrorType::PartialResult,
        ErrorType::Protocol,
        ErrorType::Other,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ErrorType::Connection => "connection",
            ErrorType::Timeout => "timeout",
            ErrorType::Overloaded => "overloaded",
            ErrorType::Auth => "auth",
            ErrorType::Parse => "parse",
            ErrorType::TypeMismatch => "type_mismatch",
            ErrorType::OutOfRange => "out_of_range",
            ErrorType::Null => "null",
            ErrorType::DuplicateKey => "duplicate_key",
            ErrorType::Constraint => "constraint",
            ErrorType::Encoding => "encoding",
            ErrorType::TooLarge => "too_large",
            ErrorType::Deadlock => "deadlock",
            ErrorType::LockTimeout => "lock_timeout",
            ErrorType::Disk => "disk",
            ErrorType::PartialResult => "partial_result",
            ErrorType::Protocol => "protocol",
            ErrorType::Other => "other",
        }
    }
}

/// A record that does not go to the sink, with the reason and its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub place: Place,
    pub error_type: ErrorType,
    /// One clause, lowercase, without the record's contents.
    pub reason: String,
    /// The record as it stood in the source, without its line end.
    pub raw: Vec<u8>,
}

/// What became of the records of one segment, or of a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub inserted: u64,
    pub updated: u64,
    pub duplicate: u64,
    pub unchanged: u64,
    pub filtered: u64,
    pub failed: u64,
}

impl Counts {
    pub fn skipped(&self) -> u64 {
        self.duplicate + self.unchanged + self.filtered
    }

    /// All records that are accounted for.
    pub fn processed(&self) -> u64 {
        self.inserted + self.updated + self.skipped() + self.failed
    }

    pub fn add(&mut self, other: &Counts) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.duplicate += other.duplicate;
        self.unchanged += other.unchanged;
        self.filtered += other.filtered;
        self.failed += other.failed;
    }
}

/// What `publish` did, in words for the log and the summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The name readers find, where there is one.
    pub name: Option<String>,
    /// Size of what was there before and is now replaced.
    pub replaced_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Shape {
        Shape::Columns(names.iter().map(|name| name.to_string()).collect())
    }

    #[test]
    fn rows_give_back_what_was_put_in() {
        let mut rows = Rows::new(columns(&["a", "b", "c"]));
        rows.begin(0, 0);
        rows.text(b"x");
        rows.null();
        rows.number(b"1.50");
        rows.begin(2, 9);
        rows.texts(b"onetwo", [3, 3, 0].into_iter());
        assert_eq!(
            rows.row(0).collect::<Vec<_>>(),
            [Value::Text(b"x"), Value::Null, Value::Number(b"1.50")]
        );
        assert_eq!(
            rows.row(1).collect::<Vec<_>>(),
            [Value::Text(b"one"), Value::Text(b"two"), Value::Text(b"")]
        );
        assert_eq!(rows.row_bytes(1), b"onetwo");
        assert_eq!((rows.record(1), rows.offset(1)), (2, 9));
    }

    #[test]
    fn an_abandoned_row_leaves_nothing_behind() {
        let mut rows = Rows::new(columns(&["a", "b"]));
        rows.begin(0, 0);
        rows.text(b"kept");
        rows.bool(true);
        rows.begin(1, 7);
        rows.text(b"half");
        rows.abandon();
        rows.begin(2, 9);
        rows.absent();
        rows.json(b"{}");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows.row(0).collect::<Vec<_>>(), [Value::Text(b"kept"), Value::Bool(true)]);
        assert_eq!(rows.row(1).collect::<Vec<_>>(), [Value::Absent, Value::Json(b"{}")]);
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for (text, lines) in [
            ("", 0),
            ("a", 0),
            ("a\n", 1),
            ("a\r\nb\r\n", 2),
            ("a\rb\rc", 2),
            ("a\r", 1),
            ("\n\r\n", 2),
        ] {
            assert_eq!(lines_in(text.as_bytes()), lines, "{text:?}");
        }
    }
}
