//! DATE, DATETIME, TIMESTAMP and TIME.
//!
//! The session's time zone is UTC, so TIMESTAMP is given in UTC. A time with an offset is a point in
//! time; one without is what a clock showed, and becomes a point in time by `source_zone` only.

use super::moment::{RoundedSecond, Subsecond, WrittenTime, minutes_and_seconds, of_epoch};
use super::rules::{Fraction, Rules, Times};
use super::{out_of_range, unfit};
use crate::convert::Unfit;
use crate::convert::date::DateFormat;
use crate::convert::date::calendar::{DAY_SECONDS, Date};
use crate::record::{ErrorType, Offsets};
use crate::sink::mysql::Zone;
use crate::sink::mysql::zone::UtcOffset;

/// A time as far as it is known, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// In UTC.
    Point(i64, Subsecond),
    /// By a clock that stood nobody says where.
    Clock(i64, Subsecond),
}

pub fn put_date(
    text: &[u8],
    is_number: bool,
    rules: &Rules,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let told = match read(text, is_number, rules)? {
        // A day is a day everywhere; only a time can move it.
        Told::Day(date) if date.year > 0 => {
            push_date(date, out);
            return Ok(());
        }
        Told::Day(date) => Told::Days(date.days()),
        told => told,
    };
    let told = match told {
        Told::Days(days) => {
            push_date(date_of(days)?, out);
            return Ok(());
        }
        told => told,
    };
    let (seconds, subsecond) = match told.moment(rules)? {
        Moment::Clock(seconds, subsecond) => (seconds, subsecond),
        Moment::Point(seconds, subsecond) => (local(seconds, &rules.datetime_zone)?, subsecond),
    };
    let is_midnight = seconds.rem_euclid(DAY_SECONDS) == 0 && subsecond.is_zero();
    if !is_midnight && rules.fraction != Fraction::Truncate {
        return Err(out_of_range(
            "a time of day, which a DATE column does not keep; see --fraction truncate",
        ));
    }
    push_date(day_of(seconds)?, out);
    Ok(())
}

pub fn put_datetime(
    text: &[u8],
    is_number: bool,
    digits: u8,
    offsets: Option<Offsets>,
    rules: &Rules,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let told = read(text, is_number, rules)?;
    check_offset(&told, offsets, rules)?;
    let (seconds, micros) = match told.moment(rules)? {
        Moment::Clock(seconds, subsecond) => {
            let kept = subsecond.keep(digits, rules.fraction)?;
            (seconds + kept.carry, kept.micros)
        }
        Moment::Point(seconds, subsecond) => {
            let kept = subsecond.keep(digits, rules.fraction)?;
            (local(seconds + kept.carry, &rules.datetime_zone)?, kept.micros)
        }
    };
    push_datetime(seconds, micros, out)
}

/// Of the sample that a type was guessed from, all times were of one form, and the other one would stand
/// beside them as if it were the same. With a zone, each is a point in time.
fn check_offset(told: &Told, offsets: Option<Offsets>, rules: &Rules) -> Result<(), Unfit> {
    let (Some(offsets), None) = (offsets, &rules.source_zone) else { return Ok(()) };
    let has_offset = matches!(told, Told::Time(_, _, Some(_)));
    let reason = match (offsets, has_offset) {
        (Offsets::Always, true) | (Offsets::Never, false) => return Ok(()),
        (Offsets::Always, false) => {
            "a time without an offset, and those that the column's type was guessed from have one; \
             --source-zone says where it was written down"
        }
        (Offsets::Never, true) => {
            "a time with an offset, and those that the column's type was guessed from have none"
        }
    };
    Err(unfit(ErrorType::TypeMismatch, reason))
}

pub fn put_timestamp(
    text: &[u8],
    is_number: bool,
    digits: u8,
    seconds_max: i64,
    rules: &Rules,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let Moment::Point(seconds, subsecond) = read(text, is_number, rules)?.moment(rules)? else {
        return Err(unfit(
            ErrorType::TypeMismatch,
            "a time without an offset, and TIMESTAMP is a point in time; set --source-zone",
        ));
    };
    let RoundedSecond { carry, micros } = subsecond.keep(digits, rules.fraction)?;
    let seconds = seconds + carry;
    // Second 0 is the server's zero date.
    if !(1..=seconds_max).contains(&seconds) {
        let last = if seconds_max > i64::from(i32::MAX) { "2106-02-07" } else { "2038-01-19" };
        return Err(out_of_range(format!(
            "not between 1970-01-01 00:00:01 and {last}, what a TIMESTAMP column takes"
        )));
    }
    push_datetime(seconds, micros, out)
}

/// `[-]HHH:MM[:SS[.f]]`, or a time of day as a format has it. MySQL ends at 838:59:59, MariaDB with the
/// fractions of that second.
pub fn put_time(
    text: &[u8],
    digits: u8,
    is_mariadb: bool,
    rules: &Rules,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    if let Times::By(format) = &rules.times {
        return put_time_of_day(format, text, digits, rules, out);
    }
    const SECONDS_MAX: i64 = 838 * 3600 + 59 * 60 + 59;
    let not_a_time = || unfit(ErrorType::TypeMismatch, "not a time written as HH:MM:SS");
    let (is_negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let count = rest.iter().take_while(|digit| digit.is_ascii_digit()).count();
    if !(1..=3).contains(&count) {
        return Err(not_a_time());
    }
    let hours = rest[..count].iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    let (seconds, subsecond, []) = minutes_and_seconds(&rest[count..])? else {
        return Err(not_a_time());
    };
    let RoundedSecond { carry, micros } = subsecond.keep(digits, rules.fraction)?;
    let seconds = hours * 3600 + seconds + carry;
    if seconds > SECONDS_MAX || (seconds == SECONDS_MAX && micros > 0 && !is_mariadb) {
        return Err(out_of_range("not between -838:59:59 and 838:59:59"));
    }
    if is_negative && (seconds > 0 || micros > 0) {
        out.push(b'-');
    }
    if seconds >= 360_000 {
        out.push(b'0' + (seconds / 360_000) as u8);
    }
    push_clock((seconds % 360_000) as u32, micros, out);
    Ok(())
}

fn put_time_of_day(
    format: &DateFormat,
    text: &[u8],
    digits: u8,
    rules: &Rules,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let reading = format.read(text)?;
    let (Some((seconds, nanos)), None, false) = (reading.time, reading.offset, reading.has_day)
    else {
        return Err(unfit(
            ErrorType::TypeMismatch,
            "a day or an offset, and the column holds a time of day",
        ));
    };
    let subsecond = Subsecond { nanos, has_more: false };
    let RoundedSecond { carry, micros } = subsecond.keep(digits, rules.fraction)?;
    push_clock(seconds + carry as u32, micros, out);
    Ok(())
}

/// What a text says, before zones are thought of.
enum Told {
    Day(Date),
    /// Since 1970; of any year.
    Days(i64),
    /// Seconds since 1970 by a clock, and how far east of UTC it stood, if that was said.
    Time(i64, Subsecond, Option<i32>),
}

fn read(text: &[u8], is_number: bool, rules: &Rules) -> Result<Told, Unfit> {
    match &rules.times {
        Times::Iso if is_number => Err(unfit(
            ErrorType::TypeMismatch,
            "a number, and nothing says that it counts time since 1970; see --types",
        )),
        Times::Iso => {
            let written = WrittenTime::parse(text)?;
            Ok(match written.time {
                None => Told::Day(written.date),
                Some(_) => {
                    let (seconds, subsecond) = written.local();
                    Told::Time(seconds, subsecond, written.offset)
                }
            })
        }
        Times::By(format) => {
            let reading = format.read(text)?;
            Ok(match reading.time {
                None => Told::Days(reading.days),
                Some((_, nanos)) => {
                    let subsecond = Subsecond { nanos, has_more: false };
                    Told::Time(reading.local(), subsecond, reading.offset)
                }
            })
        }
        Times::Count(unit) => {
            let (seconds, subsecond) = of_epoch(text, *unit)?;
            Ok(Told::Time(seconds, subsecond, Some(0)))
        }
    }
}

impl Told {
    fn moment(self, rules: &Rules) -> Result<Moment, Unfit> {
        let (seconds, subsecond, offset) = match self {
            Told::Day(date) => (date.days() * DAY_SECONDS, Subsecond::default(), None),
            Told::Days(days) => (days * DAY_SECONDS, Subsecond::default(), None),
            Told::Time(seconds, subsecond, offset) => (seconds, subsecond, offset),
        };
        match (offset, &rules.source_zone) {
            (Some(offset), _) => Ok(Moment::Point(seconds - i64::from(offset), subsecond)),
            (None, None) => Ok(Moment::Clock(seconds, subsecond)),
            (None, Some(zone)) => {
                let offset = known(zone.offset_of_local(seconds))?;
                Ok(Moment::Point(seconds - i64::from(offset), subsecond))
            }
        }
    }
}

/// What a clock shows at a point in time. An hour that it shows twice could not be told from the
/// other one later, so it is not written.
fn local(seconds: i64, zone: &Zone) -> Result<i64, Unfit> {
    let local = seconds + i64::from(known(zone.offset_at(seconds))?);
    known(zone.offset_of_local(local))?;
    Ok(local)
}

fn known(offset: UtcOffset) -> Result<i32, Unfit> {
    let reason = match offset {
        UtcOffset::Known(seconds) => return Ok(seconds),
        UtcOffset::Skipped => "a time that a clock change of its zone skips",
        UtcOffset::Repeated => "a time that a clock change of its zone repeats",
        UtcOffset::Unknown => "not between the years 1 and 9999",
    };
    Err(out_of_range(reason))
}

fn day_of(seconds: i64) -> Result<Date, Unfit> {
    date_of(seconds.div_euclid(DAY_SECONDS))
}

fn date_of(days: i64) -> Result<Date, Unfit> {
    Date::of_days(days).ok_or_else(|| out_of_range("not between the years 1 and 9999"))
}

fn push_datetime(seconds: i64, micros: u32, out: &mut Vec<u8>) -> Result<(), Unfit> {
    push_date(day_of(seconds)?, out);
    out.push(b' ');
    push_clock(seconds.rem_euclid(DAY_SECONDS) as u32, micros, out);
    Ok(())
}

fn push_date(date: Date, out: &mut Vec<u8>) {
    let century = pair(u32::from(date.year / 100));
    let year = pair(u32::from(date.year % 100));
    let (month, day) = (pair(u32::from(date.month)), pair(u32::from(date.day)));
    out.extend_from_slice(&[
        century[0], century[1], year[0], year[1], b'-', month[0], month[1], b'-', day[0], day[1],
    ]);
}

/// Below 100 hours. Zeros behind the last digit are left out, so that equal times are equal text.
fn push_clock(seconds: u32, micros: u32, out: &mut Vec<u8>) {
    let (hours, minutes) = (pair(seconds / 3600), pair(seconds / 60 % 60));
    let seconds = pair(seconds % 60);
    out.extend_from_slice(&[
        hours[0], hours[1], b':', minutes[0], minutes[1], b':', seconds[0], seconds[1],
    ]);
    if micros == 0 {
        return;
    }
    out.push(b'.');
    let mut rest = micros;
    let mut unit = 100_000;
    while rest > 0 {
        out.push(b'0' + (rest / unit) as u8);
        rest %= unit;
        unit /= 10;
    }
}

fn pair(value: u32) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}
