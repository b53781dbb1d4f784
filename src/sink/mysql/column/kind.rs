//! The types of columns, with their limits.

use super::ColumnDefinition;
use super::charset::Charset;
use super::quoted::quoted_list;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Integer {
        bits: u8,
        is_unsigned: bool,
    },
    /// `tinyint(1)`, which other numbers than 0 and 1 fit as well.
    Bool,
    Decimal {
        digits: Digits,
        is_unsigned: bool,
    },
    /// FLOAT of 32 bits and DOUBLE of 64.
    Float {
        bits: u8,
        /// `FLOAT(7,2)`: the server rounds to so many digits.
        digits: Option<Digits>,
        is_unsigned: bool,
    },
    Bit {
        bits: u8,
    },
    Text(TextColumn),
    Binary {
        bytes_max: u64,
        is_fixed: bool,
    },
    Enum(MemberList),
    Set(MemberList),
    /// JSON in MySQL; in MariaDB text that is checked to be JSON.
    Json {
        charset: Charset,
    },
    Date,
    Time {
        fraction: u8,
    },
    DateTime {
        fraction: u8,
    },
    Timestamp {
        fraction: u8,
        /// The last second it reaches, counted from 1970.
        seconds_max: i64,
    },
    Year,
    Uuid,
    Inet4,
    Inet6,
    /// Something this program cannot write, by its name.
    Unsupported(String),
}

/// How many digits there are in all, and how many of them behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    pub precision: u8,
    pub scale: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextColumn {
    pub charset: Charset,
    pub limit: Limit,
    /// CHAR: the server takes spaces off the end.
    pub is_fixed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Characters(u64),
    /// In the column's character set.
    Bytes(u64),
}

/// The names an ENUM or a SET consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberList {
    pub charset: Charset,
    names: Vec<Name>,
    /// Indexes of the names that are known, in the order of their bytes.
    sorted: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Known(String),
    /// Nobody is sure how it is written.
    Hidden,
    /// The server takes another for it, which stands in front.
    Shadowed,
}

/// Why there may be more members than those that a value can meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    pub has_hidden: bool,
    pub has_shadowed: bool,
}

/// 2038-01-19 03:14:07 and 2106-02-07 06:28:15.
const TIMESTAMP_SECONDS_MAX: i64 = i32::MAX as i64;
const LONG_TIMESTAMP_SECONDS_MAX: i64 = u32::MAX as i64;

/// The server allows 65,535 members in an ENUM.
const MEMBERS_MAX: usize = 65_535;

impl ColumnDefinition {
    /// The names of an ENUM or a SET, as the server shows them.
    pub fn shown_members(&self) -> Option<Vec<String>> {
        let is_list = ["enum", "set"].iter().any(|kind| self.data_type.eq_ignore_ascii_case(kind));
        let names = is_list.then(|| quoted_list(&self.column_type)).flatten()?;
        let max = if self.data_type.eq_ignore_ascii_case("set") { 64 } else { MEMBERS_MAX };
        (names.len() <= max).then_some(names)
    }
}

/// Servers show a question mark for each character beyond U+FFFF.
pub fn is_doubtful(name: &str) -> bool {
    name.contains('?')
}

impl ColumnKind {
    pub fn of(definition: &ColumnDefinition) -> Result<ColumnKind, String> {
        let column_type = definition.column_type.to_ascii_lowercase();
        let is_unsigned = column_type.contains("unsigned");
        let integer = |bits| ColumnKind::Integer { bits, is_unsigned };
        let fraction = small(definition.datetime_precision, 6, "fraction")?.unwrap_or(0);
        Ok(match definition.data_type.to_ascii_lowercase().as_str() {
            "tinyint" if column_type == "tinyint(1)" => ColumnKind::Bool,
            "tinyint" => integer(8),
            "smallint" => integer(16),
            "mediumint" => integer(24),
            "int" | "integer" => integer(32),
            "bigint" => integer(64),
            "decimal" | "numeric" => {
                let digits = digits(definition)?.ok_or("no precision")?;
                if digits.precision > 65 {
                    return Err(format!("{} digits, above 65", digits.precision));
                }
                ColumnKind::Decimal { digits, is_unsigned }
            }
            name @ ("float" | "double" | "real") => {
                let bits = if name == "float" { 32 } else { 64 };
                ColumnKind::Float { bits, digits: digits(definition)?, is_unsigned }
            }
            "bit" => ColumnKind::Bit {
                bits: small(definition.numeric_precision, 64, "bits")?
                    .ok_or("no number of bits")?,
            },
            "longtext" if definition.has_json_check => {
                ColumnKind::Json { charset: charset(definition) }
            }
            // JSON has no character set of its own; it is always utf8mb4.
            "json" => ColumnKind::Json { charset: Charset::Utf8mb4 },
            name @ ("char" | "varchar") => {
                let characters = definition.characters_max.ok_or("no length")?;
                ColumnKind::Text(TextColumn {
                    charset: charset(definition),
                    limit: Limit::Characters(characters),
                    is_fixed: name == "char",
                })
            }
            "tinytext" | "text" | "mediumtext" | "longtext" => {
                let bytes =
                    definition.octets_max.or(definition.characters_max).ok_or("no length")?;
                ColumnKind::Text(TextColumn {
                    charset: charset(definition),
                    limit: Limit::Bytes(bytes),
                    is_fixed: false,
                })
            }
            name @ ("binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob") => {
                let bytes =
                    definition.octets_max.or(definition.characters_max).ok_or("no length")?;
                ColumnKind::Binary { bytes_max: bytes, is_fixed: name == "binary" }
            }
            "enum" => ColumnKind::Enum(MemberList::of(definition)?),
            "set" => ColumnKind::Set(MemberList::of(definition)?),
            "date" => ColumnKind::Date,
            "time" => ColumnKind::Time { fraction },
            "datetime" => ColumnKind::DateTime { fraction },
            "timestamp" => ColumnKind::Timestamp {
                fraction,
                seconds_max: match definition.has_long_timestamps {
                    true => LONG_TIMESTAMP_SECONDS_MAX,
                    false => TIMESTAMP_SECONDS_MAX,
                },
            },
            "year" => ColumnKind::Year,
            "uuid" => ColumnKind::Uuid,
            "inet4" => ColumnKind::Inet4,
            "inet6" => ColumnKind::Inet6,
            other => ColumnKind::Unsupported(other.to_string()),
        })
    }

    /// Days and times, which a format may say how to read.
    pub fn is_time(&self) -> bool {
        use ColumnKind::*;
        matches!(self, Date | DateTime { .. } | Timestamp { .. } | Time { .. })
    }

    /// Floats are sent in the words of the source, in which 1.0 and 1.00 differ. Text is equal byte
    /// by byte where the collation is binary and does not pad with spaces.
    pub(super) fn is_key_binary(&self, collation: &str) -> bool {
        match self {
            ColumnKind::Text(_) | ColumnKind::Json { .. } => {
                collation == "binary"
                    || collation.ends_with("_0900_bin")
                    || collation.ends_with("_nopad_bin")
            }
            ColumnKind::Float { .. } | ColumnKind::Unsupported(_) => false,
            _ => true,
        }
    }
}

impl MemberList {
    fn of(definition: &ColumnDefinition) -> Result<MemberList, String> {
        let shown = quoted_list(&definition.column_type).ok_or("not a list in quotes")?;
        if shown.len() > MEMBERS_MAX {
            return Err(format!("more than {MEMBERS_MAX} members"));
        }
        let mut names: Vec<Name> = match &definition.members {
            Some(names) if names.len() == shown.len() => {
                names.iter().cloned().map(Name::Known).collect()
            }
            Some(_) => return Err("not as many members as it shows".to_string()),
            None => shown.into_iter().map(Name::shown).collect(),
        };
        for place in &definition.shadowed {
            if let Some(name) = names.get_mut(*place) {
                *name = Name::Shadowed;
            }
        }
        let mut known: Vec<(&str, u16)> = (0..=u16::MAX)
            .zip(&names)
            .filter_map(|(index, name)| Some((name.known()?, index)))
            .collect();
        known.sort_unstable();
        let sorted = known.into_iter().map(|(_, index)| index).collect();
        Ok(MemberList { charset: charset(definition), names, sorted })
    }

    pub fn name(&self, index: usize) -> Option<&str> {
        self.names.get(index)?.known()
    }

    pub fn doubts(&self) -> Doubts {
        Doubts {
            has_hidden: self.names.contains(&Name::Hidden),
            has_shadowed: self.names.contains(&Name::Shadowed),
        }
    }

    /// Where a name stands in the definition, which it has to equal byte by byte: the collation
    /// might take it for another.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let bytes = |index: &u16| self.name(usize::from(*index)).map(str::as_bytes);
        let at = self.sorted.binary_search_by(|index| bytes(index).cmp(&Some(name))).ok()?;
        Some(usize::from(self.sorted[at]))
    }
}

impl Name {
    fn shown(name: String) -> Name {
        if is_doubtful(&name) { Name::Hidden } else { Name::Known(name) }
    }

    fn known(&self) -> Option<&str> {
        match self {
            Name::Known(name) => Some(name),
            Name::Hidden | Name::Shadowed => None,
        }
    }
}

fn charset(definition: &ColumnDefinition) -> Charset {
    let name = definition.character_set.as_deref().unwrap_or("utf8mb4");
    Charset::new(name, definition.repertoire.clone())
}

/// DECIMAL always says a scale; FLOAT and DOUBLE only where they round to it.
fn digits(definition: &ColumnDefinition) -> Result<Option<Digits>, String> {
    let precision = small(definition.numeric_precision, u8::MAX.into(), "digits")?;
    let scale = small(definition.numeric_scale, 65, "digits behind the point")?;
    match (precision, scale) {
        (Some(precision), Some(scale)) if scale > precision => Err("scale above precision".into()),
        (Some(precision), Some(scale)) => Ok(Some(Digits { precision, scale })),
        _ => Ok(None),
    }
}

fn small(number: Option<u64>, max: u64, what: &str) -> Result<Option<u8>, String> {
    match number {
        Some(number) if number > max => Err(format!("{number} {what}, above {max}")),
        Some(number) => Ok(Some(number as u8)),
        None => Ok(None),
    }
}
