//! What is known of a source's fields before the first record is read.

use super::ColumnType;

/// A field, by its name in the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    /// What its column is called, where that is something else.
    pub column_name: Option<String>,
    pub kind: FieldKind,
    /// In the source's own words, such as `scaled_float`; empty where it has none.
    pub origin: String,
    /// Stands beside the record and not in it, such as `_id`: written only where it is asked for.
    pub is_beside: bool,
    /// How its times are written, where it holds such.
    pub dates: Dates,
    /// What a column is to be that is made for it; without it `kind` decides.
    pub column_type: Option<ColumnType>,
    /// The user said so. Else it is a guess.
    pub is_declared: bool,
    /// The longest text that a sample has of it, in characters.
    pub characters_seen: u64,
    /// Of times that a sample has of it, where `column_type` was chosen for them.
    pub offsets: Option<Offsets>,
}

/// Which of the times of a sample say where their clock stood. Of mixed ones no time is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offsets {
    /// Each is a point in time.
    Always,
    /// Each is what a clock showed.
    Never,
}

/// What a field's values are, as far as the source says. A value may still be something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Unknown,
    Text,
    /// Text of at most this many characters.
    Keyword(u32),
    /// Integers of this many bits, with a sign.
    Int(u8),
    /// Integers from 0, of this many bits.
    Unsigned(u8),
    Decimal,
    /// Binary floats of this many bits.
    Float(u8),
    Bool,
    /// Points in time, or what a clock showed.
    Time,
    /// Objects, arrays, or anything: JSON in its own words.
    Json,
    /// Bytes as base64.
    Base64,
}

/// How times are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dates {
    /// Nobody says. ISO 8601 needs no word for it, and nothing else is taken.
    #[default]
    Iso,
    /// By a format of Elasticsearch's, with the language of its names where one was set.
    Format { format: String, locale: Option<String> },
    /// Numbers that count from 1970, and nothing else.
    Count(EpochUnit),
    /// Not by any format that could be named: why, in words.
    Unclear(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochUnit {
    Seconds,
    Milliseconds,
}

impl Field {
    pub fn new(name: impl Into<String>, kind: FieldKind, origin: impl Into<String>) -> Field {
        Field {
            name: name.into(),
            column_name: None,
            kind,
            origin: origin.into(),
            is_beside: false,
            dates: Dates::Iso,
            column_type: None,
            is_declared: false,
            characters_seen: 0,
            offsets: None,
        }
    }

    /// What columns of the objects would be called that it lies in, the outermost first.
    pub fn columns_above(&self) -> impl Iterator<Item = &str> {
        let column = self.column();
        // As much longer as what stands between its names is than a dot.
        let dots = self.name.matches('.').count();
        let longer = (column.len() - self.name.len().min(column.len())) / dots.max(1);
        let ends = self.name.match_indices('.').enumerate();
        ends.filter_map(move |(before, (at, _))| column.get(..at + before * longer))
    }

    /// What a column of it is called.
    pub fn column(&self) -> &str {
        self.column_name.as_deref().unwrap_or(&self.name)
    }
}

impl Dates {
    pub fn format(format: &str) -> Dates {
        Dates::Format { format: format.to_string(), locale: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_above_a_field_are_called_as_it_is() {
        for (separator, expected) in [(None, ["a", "a.b"]), (Some("__"), ["a", "a__b"])] {
            let mut field = Field::new("a.b.c", FieldKind::Text, "");
            field.column_name = separator.map(|separator| field.name.replace('.', separator));
            assert_eq!(field.columns_above().collect::<Vec<_>>(), expected);
        }
        assert_eq!(Field::new("a", FieldKind::Text, "").columns_above().next(), None);
    }
}
