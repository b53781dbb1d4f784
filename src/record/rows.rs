//! The decoded records of a segment, in one arena: a `String` per field would cost more than
//! everything else the program does to a field.

use std::sync::Arc;

use super::Rejected;

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
enum CellKind {
    Text,
    Number,
    Json,
    Null,
    Absent,
    True,
    False,
}

const KINDS: [CellKind; 8] = [
    CellKind::Text,
    CellKind::Number,
    CellKind::Json,
    CellKind::Null,
    CellKind::Absent,
    CellKind::True,
    CellKind::False,
    CellKind::Null,
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
    fn new(kind: CellKind, end: usize) -> Cell {
        assert!(
            end <= ARENA_BYTES_MAX,
            "a segment's text fits the arena, by the limits of settings"
        );
        Cell((kind as u32) << END_BITS | end as u32)
    }

    fn end(self) -> usize {
        (self.0 & ARENA_BYTES_MAX as u32) as usize
    }

    fn kind(self) -> CellKind {
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
    /// Some record lacked a field, perhaps one that was abandoned.
    may_lack_values: bool,
    pub rejected: Vec<Rejected>,
    /// Fields of records that were left out because nobody has a place for them.
    pub fields_ignored: u64,
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
            may_lack_values: false,
            rejected: Vec::new(),
            fields_ignored: 0,
        }
    }

    /// Empties the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.cells.clear();
        self.offsets.clear();
        self.records.clear();
        self.is_mixed = false;
        self.may_lack_values = false;
        self.rejected.clear();
        self.fields_ignored = 0;
    }

    /// Makes room for this many bytes of values and this many records and not, as doubling would,
    /// for up to twice as many.
    pub fn expect(&mut self, bytes: usize, records: u64) {
        let records = records as usize;
        self.arena.reserve_exact(bytes);
        self.cells.reserve_exact(records.saturating_mul(self.shape.width()));
        self.offsets.reserve_exact(records);
        self.records.reserve_exact(records);
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> usize {
        self.arena.len()
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
        self.cells.push(Cell::new(CellKind::Text, self.arena.len()));
    }

    pub fn number(&mut self, value: &[u8]) {
        self.other(CellKind::Number, value);
    }

    pub fn json(&mut self, value: &[u8]) {
        self.other(CellKind::Json, value);
    }

    /// JSON that is put together from these parts.
    pub fn json_parts(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.arena.extend_from_slice(part));
        self.other(CellKind::Json, &[]);
    }

    pub fn bool(&mut self, value: bool) {
        self.other(if value { CellKind::True } else { CellKind::False }, &[]);
    }

    pub fn null(&mut self) {
        self.other(CellKind::Null, &[]);
    }

    pub fn absent(&mut self) {
        self.may_lack_values = true;
        self.other(CellKind::Absent, &[]);
    }

    /// False where each record has all fields.
    pub fn may_lack_values(&self) -> bool {
        self.may_lack_values
    }

    fn other(&mut self, kind: CellKind, value: &[u8]) {
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
            Cell::new(CellKind::Text, end)
        }));
    }

    /// The values of one row, left to right.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Value<'_>> {
        let width = self.shape.width();
        let mut start = self.start_of(row);
        self.cells[row * width..(row + 1) * width].iter().map(move |cell| {
            let from = std::mem::replace(&mut start, cell.end());
            self.cell(*cell, from)
        })
    }

    /// One value of one row.
    pub fn value(&self, row: usize, column: usize) -> Value<'_> {
        let at = row * self.shape.width() + column;
        let from = self.cells[..at].last().map_or(0, |cell| cell.end());
        self.cell(self.cells[at], from)
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

    fn cell(&self, cell: Cell, from: usize) -> Value<'_> {
        let bytes = &self.arena[from..cell.end()];
        match cell.kind() {
            CellKind::Text => Value::Text(bytes),
            CellKind::Number => Value::Number(bytes),
            CellKind::Json => Value::Json(bytes),
            CellKind::Null => Value::Null,
            CellKind::Absent => Value::Absent,
            CellKind::True => Value::Bool(true),
            CellKind::False => Value::Bool(false),
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
}
