//! The nouns that move through a run: a `Segment` of the source, the `Rows` decoded from it,
//! what was `Rejected`, and the `Counts` of what became of the rest.
//!
//! Nothing here does I/O or knows a format.

mod column_type;
mod field;
mod rejected;
mod rows;
mod segment;
mod settled;

pub use column_type::ColumnType;
pub use field::{Dates, EpochUnit, Field, FieldKind, Offsets};
pub use rejected::{ErrorType, Place, Places, Rejected};
pub use rows::{ARENA_BYTES_MAX, Rows, Shape, TextRow, Value};
pub use segment::{Flaw, Flush, Interval, Position, Segment, lines_in, without_line_end};
pub use settled::{Counts, Published};
