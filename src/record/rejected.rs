//! A record that is no row: where it is, what is wrong with it, and its own bytes.

use std::fmt;

use super::segment::{Segment, lines_in};
use crate::shown::Line;

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

/// What kind of thing went wrong: the closed list behind the label `error_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// What a document is called in its index.
    pub document: Option<String>,
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
        write!(f, "{}", Line(&self.split))?;
        if let Some(document) = &self.document {
            write!(f, ", _id '{}'", Line(document))?;
        }
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(byte) = self.byte {
            write!(f, ", byte {byte}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column '{}'", Line(column))?;
        }
        Ok(())
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
            document: None,
        }
    }
}
