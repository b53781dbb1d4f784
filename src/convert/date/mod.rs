//! How dates are written, and which time a value means by that. Pure.
//!
//! The formats are those of Elasticsearch and OpenSearch, which are Java's: an alternative (`pattern`,
//! `named`) is a list of pieces (`piece`), and what the pieces found is put together as those servers
//! do (`parts`). A value that they would bend - a day that does not exist, an hour without its
//! minutes - is refused instead, and so is one that different servers read differently.

pub mod calendar;
mod named;
mod parts;
mod pattern;
mod piece;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use self::calendar::Date;
use self::parts::{DateFault, Resolving, TimeParts};
use self::piece::Piece;
use super::Unfit;
use crate::record::ErrorType;

/// What dates of a mapping that says nothing about them are written by.
pub const DEFAULT: &str = "strict_date_optional_time||epoch_millis";
pub const DEFAULT_NANOS: &str = "strict_date_optional_time_nanos||epoch_millis";

/// Alternatives, tried in their order. Cheap to clone.
#[derive(Clone)]
pub struct DateFormat {
    text: Arc<str>,
    alternatives: Arc<[Alternative]>,
    /// ISO 8601 as most write it is what the first alternative takes.
    begins_iso: bool,
    /// Digits alone are milliseconds, but where they are few enough for a year.
    ends_millis: bool,
    fraction_digits: u8,
}

enum Alternative {
    Pieces { pieces: Vec<Piece>, resolving: Resolving },
    Epoch(Unit),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Millis,
}

/// A time as far as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedTime {
    /// Days since 1970-01-01.
    pub days: i64,
    /// Seconds of the day and the nanoseconds of the last; none where a day was written.
    pub time: Option<(u32, u32)>,
    /// Seconds east of UTC.
    pub offset: Option<i32>,
    /// Some part of a day was written; else it is that of 1970-01-01.
    pub has_day: bool,
}

impl DateFormat {
    /// `locale` is that of a mapping; names of months and days are read in English only. An error
    /// says what is not understood, and is not one about a value.
    pub fn parse(text: &str, locale: Option<&str>) -> Result<DateFormat, String> {
        if text.trim_start().starts_with('8') {
            return Err(format!("the 8 at the beginning of '{}'", shown(text)));
        }
        let mut alternatives = Vec::new();
        let mut names = Vec::new();
        let mut fraction_digits = 3;
        for part in text.split("||") {
            let part = part.trim();
            names.push(part);
            match part {
                "" => return Err(format!("an empty alternative in '{}'", shown(text))),
                "epoch_second" | "epochSecond" => {
                    alternatives.push(Alternative::Epoch(Unit::Seconds));
                }
                "epoch_millis" | "epochMillis" => {
                    alternatives.push(Alternative::Epoch(Unit::Millis));
                }
                _ => match named::find(part)? {
                    Some((written, resolving)) => {
                        if part.to_ascii_lowercase().ends_with("nanos") {
                            fraction_digits = 9;
                        }
                        for one in written.split(';') {
                            let pieces = named::pieces(one);
                            alternatives.push(Alternative::Pieces { pieces, resolving });
                        }
                    }
                    None => {
                        let pieces = pattern::pieces(part)?;
                        if piece::has_names(&pieces) && !is_english(locale) {
                            let locale = locale.unwrap_or_default();
                            return Err(format!("names of the locale '{}'", shown(locale)));
                        }
                        fraction_digits = fraction_digits.max(piece::fraction_digits(&pieces));
                        let resolving = Resolving::Strict;
                        alternatives.push(Alternative::Pieces { pieces, resolving });
                    }
                },
            }
        }
        let is_iso = |name: &str| named::takes_iso(name);
        Ok(DateFormat {
            begins_iso: is_iso(names[0]),
            ends_millis: match names[..] {
                ["epoch_millis"] => true,
                [first, "epoch_millis"] => is_iso(first) && first.starts_with("strict"),
                _ => false,
            },
            text: text.into(),
            alternatives: alternatives.into(),
            fraction_digits,
        })
    }

    /// The time that a value means: a string, or a number in its own words.
    pub fn read(&self, text: &[u8]) -> Result<ParsedTime, Unfit> {
        if self.begins_iso
            && let Some(reading) = iso(text)
        {
            return Ok(reading);
        }
        if self.ends_millis
            && let Some(reading) = millis(text)
        {
            return Ok(reading);
        }
        for (index, alternative) in self.alternatives.iter().enumerate() {
            let result = match alternative {
                Alternative::Pieces { pieces, resolving } => {
                    let mut found = TimeParts::default();
                    match piece::run(pieces, text, 0, &mut found) {
                        Ok(end) if end == text.len() => match text.ends_with(b"T") {
                            true => found.resolve_before_t(*resolving),
                            false => found.resolve(*resolving),
                        },
                        Ok(_) => Err(DateFault::No),
                        Err(stop) => Err(stop),
                    }
                }
                Alternative::Epoch(unit) => {
                    let is_last = index + 1 == self.alternatives.len();
                    epoch(text, *unit).and_then(|reading| match text {
                        // Version 7 takes no milliseconds before 1970, and no minus before nought.
                        [b'-', ..] if !is_last && (*unit == Unit::Millis || reading.days == 0) => {
                            Err(DateFault::Odd(
                                "a time before 1970, which servers read differently",
                            ))
                        }
                        _ => Ok(reading),
                    })
                }
            };
            match result {
                Ok(reading) => return Ok(reading),
                Err(DateFault::No) => {}
                Err(DateFault::Odd(reason)) => {
                    let error_type = ErrorType::OutOfRange;
                    return Err(Unfit { error_type, reason: reason.to_string() });
                }
            }
        }
        if self.text.contains("strict_date_") && has_long_offset(text) {
            let reason = "an offset of six digits, which servers read differently".to_string();
            return Err(Unfit { error_type: ErrorType::OutOfRange, reason });
        }
        let reason = format!("not a date by the format '{}'", shown(&self.text));
        Err(Unfit { error_type: ErrorType::TypeMismatch, reason })
    }

    /// The digits of a second that patterns name, and the format of nanoseconds. Others with a name take any
    /// number of them, and a mapping of dates keeps three.
    pub fn fraction_digits(&self) -> u8 {
        self.fraction_digits
    }

    /// Every alternative has parts of a day and none of a time of day.
    pub fn is_of_days(&self) -> bool {
        self.alternatives.iter().all(|alternative| match alternative {
            Alternative::Pieces { pieces, .. } => piece::are_of_days(pieces),
            Alternative::Epoch(_) => false,
        })
    }

    /// For a person: the format, and how it writes a certain time.
    pub fn words(&self) -> String {
        match &*self.text {
            DEFAULT | DEFAULT_NANOS => "ISO 8601, or milliseconds since 1970".to_string(),
            "epoch_second" => "seconds since 1970".to_string(),
            "epoch_millis" => "milliseconds since 1970".to_string(),
            text => match &self.alternatives[0] {
                Alternative::Pieces { pieces, .. } => {
                    let mut example = String::new();
                    piece::print(pieces, &EXAMPLE, &mut example);
                    format!("{}, such as {example}", shown(text))
                }
                Alternative::Epoch(_) => shown(text),
            },
        }
    }
}

/// A Wednesday, at 14:34:56.789 UTC.
const EXAMPLE: ParsedTime =
    ParsedTime { days: 19_753, time: Some((52_496, 789_000_000)), offset: Some(0), has_day: true };

impl fmt::Debug for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DateFormat({:?})", self.text)
    }
}

impl PartialEq for DateFormat {
    fn eq(&self, other: &DateFormat) -> bool {
        self.text == other.text
    }
}

/// British names differ: there, September is Sept.
fn is_english(locale: Option<&str>) -> bool {
    matches!(
        locale.map(|locale| locale.replace('_', "-").to_ascii_lowercase()).as_deref(),
        None | Some("" | "root" | "en" | "en-us")
    )
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string().replace("\\'", "'")
}

/// `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM:SS[.f][Z|±HH:MM]` with nothing out of the ordinary in it; all else
/// is left to the alternatives.
fn iso(text: &[u8]) -> Option<ParsedTime> {
    let day = text.get(..10)?;
    if day[4] != b'-' || day[7] != b'-' {
        return None;
    }
    let (century, year) = (pair(day, 0)?, pair(day, 2)?);
    let (month, day) = (pair(day, 5)?, pair(day, 8)?);
    let date = Date::new((century * 100 + year) as u16, month as u8, day as u8)?;
    let days = date.days();
    if text.len() == 10 {
        return Some(ParsedTime { days, time: None, offset: None, has_day: true });
    }
    let clock = text.get(10..19)?;
    if clock[0] != b'T' || clock[3] != b':' || clock[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (pair(clock, 1)?, pair(clock, 4)?, pair(clock, 7)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = &text[19..];
    let mut nanos = 0;
    if let [b'.', digits @ ..] = rest {
        let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        nanos = nanos_of(&digits[..count]);
        rest = &digits[count..];
    }
    let offset = match rest {
        [] => None,
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), offset @ ..] if offset.len() == 5 && offset[2] == b':' => {
            let (hours, minutes) = (pair(offset, 0)?, pair(offset, 3)?);
            if hours > 17 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 3600 + minutes * 60) as i32;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => return None,
    };
    let time = Some((hour * 3600 + minute * 60 + second, nanos));
    Some(ParsedTime { days, time, offset, has_day: true })
}

fn pair(text: &[u8], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// At most nine digits.
fn nanos_of(digits: &[u8]) -> u32 {
    (0..9).fold(0, |nanos, place| {
        nanos * 10 + digits.get(place).map_or(0, |digit| u32::from(digit - b'0'))
    })
}

/// `+025300`: Elasticsearch 9 takes it in its commonest formats, and others do not.
fn has_long_offset(text: &[u8]) -> bool {
    let Some(at) = text.len().checked_sub(7).filter(|at| text[..*at].contains(&b'T')) else {
        return false;
    };
    matches!(text[at], b'+' | b'-') && text[at + 1..].iter().all(u8::is_ascii_digit)
}

/// More digits than a year of `strict_` formats has.
fn millis(text: &[u8]) -> Option<ParsedTime> {
    if !(5..=18).contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(ParsedTime::of_point(whole(text), Unit::Millis, 0))
}

fn whole(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// `[-]D[.[d]]`. What is behind the point counts from nought, so -1.5 lies before -1.
fn epoch(text: &[u8], unit: Unit) -> Result<ParsedTime, DateFault> {
    let (is_negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(count);
    let fraction = match rest {
        [] => rest,
        [b'.', fraction @ ..] if fraction.iter().all(u8::is_ascii_digit) => fraction,
        [b'.', fraction @ .., b'.'] if count > 0 && fraction.iter().all(u8::is_ascii_digit) => {
            return Err(DateFault::Odd("a number with two points, which servers read differently"));
        }
        _ => return Err(DateFault::No),
    };
    let fraction_max = if unit == Unit::Seconds { 9 } else { 6 };
    if count == 0 || fraction.len() > fraction_max {
        return Err(DateFault::No);
    }
    if count > 18 {
        return Err(DateFault::Odd("not between the years 1 and 9999"));
    }
    let mut nanos = i64::from(nanos_of(fraction));
    if unit == Unit::Millis {
        nanos /= 1000;
    }
    if !is_negative {
        return Ok(ParsedTime::of_point(whole(digits), unit, nanos));
    }
    // Of -1.0 Elasticsearch 8 makes nothing, and others -1.
    if unit == Unit::Seconds && !fraction.is_empty() {
        return Err(DateFault::Odd(
            "seconds before 1970 with a fraction, which servers read differently",
        ));
    }
    Ok(ParsedTime::of_point(-whole(digits), unit, -nanos))
}

impl ParsedTime {
    /// `nanos` is less than the unit, and of its sign.
    fn of_point(count: i64, unit: Unit, nanos: i64) -> ParsedTime {
        let (seconds, nanos) = match unit {
            Unit::Seconds => (count, nanos),
            Unit::Millis => (count.div_euclid(1000), count.rem_euclid(1000) * 1_000_000 + nanos),
        };
        let (seconds, nanos) = match nanos {
            0.. => (seconds, nanos),
            _ => (seconds - 1, nanos + 1_000_000_000),
        };
        let second = seconds.rem_euclid(calendar::DAY_SECONDS);
        ParsedTime {
            days: seconds.div_euclid(calendar::DAY_SECONDS),
            time: Some((second as u32, nanos as u32)),
            offset: Some(0),
            has_day: true,
        }
    }

    /// Seconds since 1970 by the clock that showed them.
    pub fn local(&self) -> i64 {
        let (seconds, _) = self.time.unwrap_or_default();
        self.days * calendar::DAY_SECONDS + i64::from(seconds)
    }

    pub fn nanos(&self) -> u32 {
        self.time.map_or(0, |(_, nanos)| nanos)
    }
}
