//! What a format is made of, and how each piece takes its part of a text: as Java's
//! `DateTimeFormatter` does, which is what search servers read dates with.

use super::ParsedTime;
use super::calendar::civil;
use super::parts::{DateFault, TimePart, TimeParts};

type Taken = Result<usize, DateFault>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Number(NumberPiece),
    /// Digits of a second, behind a point or not.
    Fraction {
        min: usize,
        max: usize,
        has_point: bool,
    },
    Literal(Box<str>),
    /// English names, those of servers first and then what others of them take for the same.
    Name(TimePart, &'static [&'static [&'static str]]),
    Offset(OffsetPiece),
    /// An offset with a colon, `Z`, or one of UTC's names.
    Zone,
    Optional(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPiece {
    pub part: TimePart,
    pub min: usize,
    pub max: usize,
    pub sign: Sign,
    /// Digits that belong to the numbers of fixed width right behind it.
    pub reserved: usize,
    /// The last two digits of a year from 2000 to 2099.
    pub is_reduced: bool,
    /// Servers take a different number of digits of a year without a limit.
    pub is_contested: bool,
}

/// Java's `SignStyle`, of those that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A minus, and no plus.
    Normal,
    None,
    /// A plus exactly where there are more digits than the least.
    ExceedsPad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetPiece {
    pub has_colon: bool,
    pub are_minutes_optional: bool,
    pub takes_seconds: bool,
    /// What stands for no offset.
    pub zero: &'static str,
}

/// Takes the pieces from `at` on, one after the other.
pub fn run(pieces: &[Piece], text: &[u8], mut at: usize, found: &mut TimeParts) -> Taken {
    for piece in pieces {
        at = match piece {
            Piece::Number(number) => number.take(text, at, found)?,
            Piece::Fraction { min, max, has_point } => {
                fraction(*min, *max, *has_point, text, at, found)?
            }
            Piece::Literal(literal) => match text[at..].starts_with(literal.as_bytes()) {
                true => at + literal.len(),
                false => return Err(DateFault::No),
            },
            Piece::Name(part, lists) => name(*part, lists, text, at, found)?,
            Piece::Offset(offset) => {
                let (seconds, end) = offset.take(text, at)?;
                found.set_offset(seconds)?;
                end
            }
            Piece::Zone => {
                let (seconds, end) = zone(text, at)?;
                found.set_zone(seconds);
                end
            }
            Piece::Optional(inner) => {
                let before = *found;
                match run(inner, text, at, found) {
                    Ok(end) => end,
                    Err(DateFault::No) => {
                        *found = before;
                        at
                    }
                    Err(odd) => return Err(odd),
                }
            }
        };
    }
    Ok(at)
}

impl NumberPiece {
    fn take(&self, text: &[u8], at: usize, found: &mut TimeParts) -> Taken {
        let (is_negative, is_positive) = match text.get(at) {
            None => return Err(DateFault::No),
            Some(b'+') if self.sign == Sign::ExceedsPad => (false, true),
            Some(b'-') if self.sign != Sign::None => (true, false),
            Some(_) => (false, false),
        };
        let start = at + usize::from(is_negative || is_positive);
        let digits = &text[start..];
        let available = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
        let mut taken = available.min(self.max + self.reserved);
        if taken < self.min {
            return Err(DateFault::No);
        }
        if self.reserved > 0 {
            taken = self.min.max(taken.saturating_sub(self.reserved));
        }
        // More than five digits where there is no sign, more than four where there has to be one. More
        // than ten are a year nowhere, but may be milliseconds.
        let is_long = match self.sign {
            Sign::ExceedsPad => {
                (is_negative || is_positive) && (self.min + 1..=10).contains(&available)
            }
            _ => taken == self.max && (self.max + 1..10).contains(&available),
        };
        if self.is_contested && is_long {
            return Err(DateFault::Odd(
                "a year of so many digits that servers read it differently",
            ));
        }
        if taken > 18 {
            return Err(DateFault::Odd("a number of more than 18 digits"));
        }
        let mut value = super::whole(&digits[..taken]);
        if is_negative && value == 0 {
            return Err(DateFault::No);
        }
        if self.sign == Sign::ExceedsPad && !is_negative && is_positive != (taken > self.min) {
            return Err(DateFault::No);
        }
        if is_negative {
            value = -value;
        }
        if self.is_reduced {
            value += 2000;
        }
        found.set(self.part, value)?;
        Ok(start + taken)
    }
}

fn fraction(
    min: usize,
    max: usize,
    has_point: bool,
    text: &[u8],
    at: usize,
    found: &mut TimeParts,
) -> Taken {
    let mut start = at;
    if has_point {
        if text.get(at) != Some(&b'.') {
            return Err(DateFault::No);
        }
        start += 1;
    }
    let digits = &text[start..];
    let count = digits.iter().take(max).take_while(|digit| digit.is_ascii_digit()).count();
    if count < min {
        return Err(DateFault::No);
    }
    found.set(TimePart::Nano, i64::from(super::nanos_of(&digits[..count])))?;
    Ok(start + count)
}

fn name(part: TimePart, lists: &[&[&str]], text: &[u8], at: usize, found: &mut TimeParts) -> Taken {
    for list in lists {
        for (index, name) in list.iter().enumerate() {
            if text[at..].starts_with(name.as_bytes()) {
                found.set(part, index as i64 + part.first_of_names())?;
                return Ok(at + name.len());
            }
        }
    }
    Err(DateFault::No)
}

impl OffsetPiece {
    /// Seconds east of UTC, and where it ends.
    fn take(&self, text: &[u8], at: usize) -> Result<(i32, usize), DateFault> {
        let rest = &text[at..];
        if rest.starts_with(self.zero.as_bytes()) {
            return Ok((0, at + self.zero.len()));
        }
        let sign = match rest.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(DateFault::No),
        };
        let hours = sixty(text, at + 1).ok_or(DateFault::No)?;
        let (minutes, end) = match (self.more(text, at + 3), self.are_minutes_optional) {
            (Some(found), _) => found,
            (None, true) => (0, at + 3),
            (None, false) => return Err(DateFault::No),
        };
        let (seconds, end) = match self.takes_seconds {
            true => self.more(text, end).unwrap_or((0, end)),
            false => (0, end),
        };
        let seconds = hours * 3600 + minutes * 60 + seconds;
        if seconds > 18 * 3600 {
            return Err(DateFault::Odd("an offset of more than 18 hours"));
        }
        Ok((sign * seconds, end))
    }

    fn more(&self, text: &[u8], at: usize) -> Option<(i32, usize)> {
        let at = match self.has_colon {
            true if text.get(at) == Some(&b':') => at + 1,
            true => return None,
            false => at,
        };
        sixty(text, at).map(|value| (value, at + 2))
    }
}

/// Two digits below 60.
fn sixty(text: &[u8], at: usize) -> Option<i32> {
    let digits = text.get(at..at + 2)?;
    super::pair(digits, 0).filter(|value| *value < 60).map(|value| value as i32)
}

fn zone(text: &[u8], at: usize) -> Result<(i32, usize), DateFault> {
    const WITH_SECONDS: OffsetPiece = OffsetPiece {
        has_colon: true,
        are_minutes_optional: false,
        takes_seconds: true,
        zero: "Z",
    };
    let rest = &text[at..];
    let prefix = match rest {
        [b'Z'] => return Ok((0, at + 1)),
        [b'Z', next, ..] if !next.is_ascii_alphabetic() => return Ok((0, at + 1)),
        [b'+' | b'-', ..] => return WITH_SECONDS.take(text, at),
        [b'U', b'T', b'C', ..] | [b'G', b'M', b'T', ..] => 3,
        [b'U', b'T', ..] => 2,
        [first, ..] if first.is_ascii_alphabetic() => {
            return Err(DateFault::Odd("a time with the name of a zone"));
        }
        _ => return Err(DateFault::No),
    };
    let end = at + prefix;
    match text.get(end) {
        None => Ok((0, end)),
        Some(b'+' | b'-') => match WITH_SECONDS.take(text, end) {
            Err(DateFault::No) => Ok((0, end)),
            other => other,
        },
        // What follows may make it another zone's name.
        Some(_) => Err(DateFault::Odd("a time with the name of a zone")),
    }
}

/// Whether nothing but days is said by them.
pub fn are_of_days(pieces: &[Piece]) -> bool {
    pieces.iter().all(|piece| match piece {
        Piece::Number(NumberPiece { part, .. }) | Piece::Name(part, _) => part.is_of_day(),
        Piece::Literal(_) => true,
        Piece::Optional(inner) => are_of_days(inner),
        Piece::Fraction { .. } | Piece::Offset(_) | Piece::Zone => false,
    })
}

pub fn has_names(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| match piece {
        Piece::Name(..) => true,
        Piece::Optional(inner) => has_names(inner),
        _ => false,
    })
}

pub fn fraction_digits(pieces: &[Piece]) -> u8 {
    let of = |piece: &Piece| match piece {
        Piece::Fraction { max, .. } => *max as u8,
        Piece::Number(NumberPiece { part: TimePart::Nano, .. }) => 9,
        Piece::Optional(inner) => fraction_digits(inner),
        _ => 0,
    };
    pieces.iter().map(of).max().unwrap_or_default()
}

/// Writes a time as the pieces would, with all that is optional and says something new.
pub fn print(pieces: &[Piece], time: &ParsedTime, out: &mut String) {
    let mut said = Vec::new();
    push(pieces, time, &mut said, out);
}

fn push(pieces: &[Piece], time: &ParsedTime, said: &mut Vec<TimePart>, out: &mut String) {
    let note = |said: &mut Vec<TimePart>, part: TimePart| {
        if !said.contains(&part) {
            said.push(part);
        }
    };
    for piece in pieces {
        match piece {
            Piece::Number(number) => {
                note(said, number.part);
                let mut value = value_of(number.part, time);
                if number.is_reduced {
                    value = value.rem_euclid(100);
                }
                // Where less digits will do, what stands behind may not be told from it.
                let width = if number.max <= 4 { number.max } else { number.min };
                let digits = format!("{:0width$}", value.unsigned_abs());
                if value < 0 {
                    out.push('-');
                } else if number.sign == Sign::ExceedsPad && digits.len() > number.min {
                    out.push('+');
                }
                out.push_str(&digits);
            }
            Piece::Fraction { min, max, has_point } => {
                note(said, TimePart::Nano);
                let digits = format!("{:09}", time.nanos());
                let needed = digits.trim_end_matches('0').len();
                if *has_point {
                    out.push('.');
                }
                out.push_str(&digits[..needed.clamp(*min, *max)]);
            }
            Piece::Literal(literal) => out.push_str(literal),
            Piece::Name(part, lists) => {
                note(said, *part);
                let index = value_of(*part, time) - part.first_of_names();
                out.push_str(lists[0][index as usize]);
            }
            Piece::Offset(offset) => {
                note(said, TimePart::Offset);
                offset.push(time.offset.unwrap_or_default(), out);
            }
            Piece::Zone => {
                note(said, TimePart::Offset);
                let colon = OffsetPiece {
                    has_colon: true,
                    are_minutes_optional: false,
                    takes_seconds: true,
                    zero: "Z",
                };
                colon.push(time.offset.unwrap_or_default(), out);
            }
            Piece::Optional(inner) => {
                if first_part(inner).is_none_or(|part| !said.contains(&part)) {
                    push(inner, time, said, out);
                }
            }
        }
    }
}

fn first_part(pieces: &[Piece]) -> Option<TimePart> {
    pieces.iter().find_map(|piece| match piece {
        Piece::Number(number) => Some(number.part),
        Piece::Fraction { .. } => Some(TimePart::Nano),
        Piece::Name(part, _) => Some(*part),
        Piece::Offset(_) | Piece::Zone => Some(TimePart::Offset),
        Piece::Literal(_) => None,
        Piece::Optional(inner) => first_part(inner),
    })
}

impl OffsetPiece {
    fn push(&self, seconds: i32, out: &mut String) {
        if seconds == 0 {
            out.push_str(self.zero);
            return;
        }
        let colon = if self.has_colon { ":" } else { "" };
        let sign = if seconds < 0 { '-' } else { '+' };
        let seconds = seconds.unsigned_abs();
        out.push_str(&format!("{sign}{:02}{colon}{:02}", seconds / 3600, seconds / 60 % 60));
        let rest = seconds % 60;
        if self.takes_seconds && rest > 0 {
            out.push_str(&format!("{colon}{rest:02}"));
        }
    }
}

fn value_of(part: TimePart, time: &ParsedTime) -> i64 {
    let (year, month, day) = civil(time.days);
    let (seconds, nanos) = time.time.unwrap_or_default();
    let hour = i64::from(seconds / 3600);
    match part {
        TimePart::Year | TimePart::YearOfEra => year,
        TimePart::Month => i64::from(month),
        TimePart::Day => i64::from(day),
        TimePart::DayOfYear => time.days - super::calendar::days_of(year, 1, 1) + 1,
        TimePart::Weekday => (time.days + 3).rem_euclid(7) + 1,
        TimePart::Hour => hour,
        TimePart::HourOfHalf => (hour + 11) % 12 + 1,
        TimePart::Half => hour / 12,
        TimePart::Minute => i64::from(seconds / 60 % 60),
        TimePart::Second => i64::from(seconds % 60),
        TimePart::Nano => i64::from(nanos),
        TimePart::Offset => i64::from(time.offset.unwrap_or_default()),
    }
}
