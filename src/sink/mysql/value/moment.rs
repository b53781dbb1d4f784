//! What a text says of a point in time: ISO 8601 as programs write it, and nothing that has to be
//! guessed.

use super::rules::{EpochUnit, Fraction};
use super::{out_of_range, unfit};
use crate::convert::Unfit;
use crate::convert::amount::Number;
use crate::convert::date::calendar::{DAY_SECONDS, Date};
use crate::record::ErrorType;
use crate::sink::mysql::zone::parse_offset;

/// A date, with a time of day and an offset where they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenTime {
    pub date: Date,
    /// Seconds of the day.
    pub time: Option<(i64, Subsecond)>,
    /// Seconds east of UTC.
    pub offset: Option<i32>,
}

/// A part of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subsecond {
    pub nanos: u32,
    /// There are digits behind the ninth that are not 0.
    pub has_more: bool,
}

/// Whole seconds and the millionth parts of one, as a column keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundedSecond {
    /// One, where rounding reached the next second.
    pub carry: i64,
    pub micros: u32,
}

impl WrittenTime {
    /// `YYYY-MM-DD`, `YYYY-MM-DD[T ]HH:MM[:SS[.f]][Z|±HH[[:]MM]]`.
    pub fn parse(text: &[u8]) -> Result<WrittenTime, Unfit> {
        let (date, rest) = date(text)?;
        let rest = match rest {
            [] => return Ok(WrittenTime { date, time: None, offset: None }),
            [b'T' | b' ', rest @ ..] => rest,
            _ => return Err(not_a_time()),
        };
        let (hours, rest) = number(rest, 2).ok_or_else(not_a_time)?;
        if hours > 23 {
            return Err(unfit(ErrorType::TypeMismatch, "an hour above 23"));
        }
        let (seconds, subsecond, rest) = minutes_and_seconds(rest)?;
        let offset = match rest {
            [] => None,
            rest => match parse_offset(rest) {
                Some((offset, [])) => Some(offset),
                _ => return Err(not_a_time()),
            },
        };
        let seconds = i64::from(hours) * 3600 + seconds;
        Ok(WrittenTime { date, time: Some((seconds, subsecond)), offset })
    }

    /// What a clock showed, in seconds since 1970 by its own counting.
    pub fn local(&self) -> (i64, Subsecond) {
        let (seconds, subsecond) = self.time.unwrap_or_default();
        (self.date.days() * DAY_SECONDS + seconds, subsecond)
    }
}

fn date(text: &[u8]) -> Result<(Date, &[u8]), Unfit> {
    let parts = || {
        let (year, rest) = number(text, 4)?;
        let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
        let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
        Some((year, month, day, rest))
    };
    let (year, month, day, rest) = parts().ok_or_else(|| {
        unfit(
            ErrorType::TypeMismatch,
            "not a date written as YYYY-MM-DD; --types says how others are written",
        )
    })?;
    let date = Date::of_year_0_too(year, month as u8, day as u8)
        .ok_or_else(|| unfit(ErrorType::OutOfRange, "a date that does not exist"))?;
    Ok((date, rest))
}

/// `:MM[:SS[.f]]`
pub fn minutes_and_seconds(text: &[u8]) -> Result<(i64, Subsecond, &[u8]), Unfit> {
    let after_colon = |rest: &[u8]| rest.first() == Some(&b':');
    if !after_colon(text) {
        return Err(not_a_time());
    }
    let (minutes, mut rest) = number(&text[1..], 2).ok_or_else(not_a_time)?;
    let mut seconds = 0;
    let mut subsecond = Subsecond::default();
    if after_colon(rest) {
        (seconds, rest) = number(&rest[1..], 2).ok_or_else(not_a_time)?;
        if let [b'.', digits @ ..] = rest {
            let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
            if count == 0 {
                return Err(not_a_time());
            }
            subsecond = Subsecond::of_digits(&digits[..count]);
            rest = &digits[count..];
        }
    }
    if seconds == 60 {
        return Err(unfit(ErrorType::OutOfRange, "a leap second, which no column keeps"));
    }
    if minutes > 59 || seconds > 59 {
        return Err(unfit(ErrorType::TypeMismatch, "minutes or seconds above 59"));
    }
    Ok((i64::from(minutes) * 60 + i64::from(seconds), subsecond, rest))
}

/// Exactly so many digits, and what follows.
fn number(text: &[u8], count: usize) -> Option<(u16, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let value = digits.iter().try_fold(0, |value: u16, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u16::from(digit - b'0'))
    })?;
    Some((value, rest))
}

fn not_a_time() -> Unfit {
    unfit(
        ErrorType::TypeMismatch,
        "not a time written as YYYY-MM-DD HH:MM:SS, with Z or an offset if there is one",
    )
}

impl Subsecond {
    const WHOLE: u32 = 1_000_000_000;

    pub fn of_digits(digits: &[u8]) -> Subsecond {
        let mut nanos = 0;
        for place in 0..9 {
            let digit = digits.get(place).map_or(0, |digit| u32::from(digit - b'0'));
            nanos = nanos * 10 + digit;
        }
        let has_more = digits.iter().skip(9).any(|digit| *digit != b'0');
        Subsecond { nanos, has_more }
    }

    pub fn is_zero(self) -> bool {
        self == Subsecond::default()
    }

    /// Seconds before a point in time, as seconds and a part of one behind it.
    fn negated(self) -> (i64, Subsecond) {
        match (self.nanos, self.has_more) {
            (0, false) => (0, self),
            (nanos, false) => (-1, Subsecond { nanos: Self::WHOLE - nanos, has_more: false }),
            (nanos, true) => (-1, Subsecond { nanos: Self::WHOLE - 1 - nanos, has_more: true }),
        }
    }

    /// What a column with so many digits, at most six, keeps of it.
    pub fn keep(self, digits: u8, rule: Fraction) -> Result<RoundedSecond, Unfit> {
        let unit = 10u32.pow(9 - u32::from(digits.min(6)));
        let lost = self.nanos % unit;
        let mut nanos = self.nanos - lost;
        if lost > 0 || self.has_more {
            match rule {
                Fraction::Reject => {
                    return Err(out_of_range(format!(
                        "a fraction of a second of which the column keeps {digits} digits; see --fraction"
                    )));
                }
                Fraction::Truncate => {}
                Fraction::Round if lost >= unit / 2 => nanos += unit,
                Fraction::Round => {}
            }
        }
        let carry = i64::from(nanos == Self::WHOLE);
        Ok(RoundedSecond { carry, micros: nanos % Self::WHOLE / 1000 })
    }
}

/// Seconds since 1970 in UTC that a number means.
pub fn of_epoch(text: &[u8], unit: EpochUnit) -> Result<(i64, Subsecond), Unfit> {
    let number = Number::parse(text)
        .ok_or_else(|| unfit(ErrorType::TypeMismatch, "not a number of seconds or milliseconds"))?;
    let shift = match unit {
        EpochUnit::Seconds => 0,
        EpochUnit::Milliseconds => 3,
    };
    // No calendar here reaches as far as 15 digits of seconds.
    if number.whole_digits() > 15 {
        return Err(out_of_range("not between the years 1 and 9999"));
    }
    let seconds = (shift..number.whole_digits())
        .rev()
        .fold(0, |value, power| value * 10 + i64::from(number.digit(power)));
    let nanos = (1..=9).fold(0, |value, place| value * 10 + u32::from(number.digit(shift - place)));
    let subsecond = Subsecond { nanos, has_more: number.fraction_digits() > 9 - shift };
    if number.is_negative {
        let (carry, subsecond) = subsecond.negated();
        return Ok((carry - seconds, subsecond));
    }
    Ok((seconds, subsecond))
}
