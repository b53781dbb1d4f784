//! What the user said about values, where a column alone does not decide.

use super::Zone;
use crate::convert::date::DateFormat;
pub use crate::record::EpochUnit;
use crate::record::{Dates, Field, FieldKind};

/// How the values of one column are understood. By default nothing is changed on the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    pub fraction: Fraction,
    /// Where times without an offset were written down. Without it they go into DATETIME as they
    /// are, and not into TIMESTAMP, which is a point in time.
    pub source_zone: Option<Zone>,
    /// What DATE and DATETIME columns hold when a value says which point in time it is.
    pub datetime_zone: Zone,
    pub binary: BinaryText,
    pub times: Times,
    pub text: TextOrigin,
    pub json_doubles: JsonDoubles,
    /// Objects and arrays go into columns of text in their own words.
    pub json_as_text: bool,
}

/// How times are written in what comes from a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Times {
    /// ISO 8601, and no numbers.
    #[default]
    Iso,
    By(DateFormat),
    /// Numbers that count from 1970.
    Count(EpochUnit),
}

impl Times {
    /// An error says why nobody can know how they are written.
    pub fn of(field: &Field) -> Result<Times, String> {
        if field.kind != FieldKind::Time {
            return Ok(Times::Iso);
        }
        match &field.dates {
            Dates::Iso => Ok(Times::Iso),
            Dates::Count(unit) => Ok(Times::Count(*unit)),
            Dates::Unclear(why) => Err(why.clone()),
            Dates::Format { format, locale } => DateFormat::parse(format, locale.as_deref())
                .map(Times::By)
                .map_err(|what| format!("the format has {what}, which is not read here")),
        }
    }

    /// What an error about a field of such times offers.
    pub const HELP: &str = "say how they are written with --types FIELD=date:PATTERN, =epoch_s or =epoch_ms, leave the field out, or make its column a text";
}

/// What becomes of digits that a column does not keep. Those that are zero always fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fraction {
    #[default]
    Reject,
    /// Digits are cut. A DATE column takes the day of a time.
    Truncate,
    /// Half goes away from zero, as the server rounds. A DATE column still takes midnight only.
    Round,
}

/// What becomes of a number that MySQL's JSON makes another one of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonDoubles {
    #[default]
    Exact,
    /// It is whatever double MySQL reads. Such numbers are counted.
    Nearest,
}

/// What text means in a column of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BinaryText {
    /// The bytes of the text itself: an `_id` in VARBINARY.
    #[default]
    Raw,
    Hex,
    Base64,
}

/// Whether text is all that the source has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextOrigin {
    /// CSV: an empty field may be NULL, and what goes into a JSON column is JSON text.
    #[default]
    Untyped,
    /// JSON documents: text was text, also when it is empty, and stays a string in a JSON column.
    Typed,
}
