//! What was found of a time, and how it is put together: missing parts are those of
//! 1970-01-01T00:00:00.

use super::ParsedTime;
use super::calendar::{days_in_any, days_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePart {
    Year,
    /// Years of Java's `y`, which are read differently from `u`: a wrong day in one ends it all.
    YearOfEra,
    Month,
    Day,
    DayOfYear,
    Weekday,
    Hour,
    /// 1 to 12.
    HourOfHalf,
    Half,
    Minute,
    Second,
    Nano,
    Offset,
}

const PARTS: usize = 13;

impl TimePart {
    pub fn is_of_day(self) -> bool {
        use TimePart::{Day, DayOfYear, Month, Weekday, Year, YearOfEra};
        matches!(self, Year | YearOfEra | Month | Day | DayOfYear | Weekday)
    }

    /// What the first of its names counts as.
    pub fn first_of_names(self) -> i64 {
        i64::from(self != TimePart::Half)
    }
}

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFault {
    /// Not what this alternative takes: the next may.
    No,
    /// The server may read it, but not in a way that is certain, or that is to be written.
    Odd(&'static str),
}

/// How strictly a format puts parts together on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolving {
    Strict,
    /// The same, and servers differ about a time without a day.
    WithDay,
    /// The server would bend days that do not exist, and 24:00, into others.
    Bending,
}

#[derive(Clone, Copy, Default)]
pub struct TimeParts {
    values: [i64; PARTS],
    has: u16,
    zone: Option<i32>,
}

impl TimeParts {
    /// A part that is there twice has to be the same.
    pub fn set(&mut self, part: TimePart, value: i64) -> Result<(), DateFault> {
        let index = part as usize;
        if self.has & 1 << index != 0 && self.values[index] != value {
            return Err(DateFault::No);
        }
        self.has |= 1 << index;
        self.values[index] = value;
        Ok(())
    }

    pub fn set_offset(&mut self, seconds: i32) -> Result<(), DateFault> {
        self.set(TimePart::Offset, i64::from(seconds))
    }

    pub fn set_zone(&mut self, seconds: i32) {
        self.zone = Some(seconds);
    }

    fn get(&self, part: TimePart) -> Option<i64> {
        let index = part as usize;
        (self.has & 1 << index != 0).then(|| self.values[index])
    }

    pub fn resolve(&self, resolving: Resolving) -> Result<ParsedTime, DateFault> {
        let time = self.time(resolving)?;
        let days = self.days(resolving, time.is_some())?;
        let offset = self.get(TimePart::Offset).map(|offset| offset as i32);
        let offset = match (self.zone, offset) {
            (Some(zone), Some(offset)) if zone != offset => {
                return Err(DateFault::Odd("two offsets"));
            }
            (zone, offset) => zone.or(offset),
        };
        if resolving == Resolving::WithDay && time.is_none() && offset.is_some() {
            return Err(DateFault::Odd("an offset without a time, which servers read differently"));
        }
        // With an offset it is a point in time.
        let time = time.or(offset.map(|_| (0, 0)));
        let has_day = [TimePart::Year, TimePart::YearOfEra, TimePart::Month]
            .map(|part| self.get(part).is_some());
        Ok(ParsedTime { days, time, offset, has_day: has_day.contains(&true) })
    }

    /// The same where the text ends with the `T` that a time would follow.
    pub fn resolve_before_t(&self, resolving: Resolving) -> Result<ParsedTime, DateFault> {
        if resolving == Resolving::WithDay && self.get(TimePart::Day).is_none() {
            return Err(DateFault::Odd("a T without a day, which servers read differently"));
        }
        self.resolve(resolving)
    }

    fn time(&self, resolving: Resolving) -> Result<Option<(u32, u32)>, DateFault> {
        let hour = match (
            self.get(TimePart::Hour),
            self.get(TimePart::HourOfHalf),
            self.get(TimePart::Half),
        ) {
            (hour, None, None) => hour,
            (None, Some(hour), Some(half)) => {
                if !(1..=12).contains(&hour) {
                    return Err(DateFault::No);
                }
                Some(half * 12 + hour % 12)
            }
            _ => return Err(DateFault::Odd("an hour without its half of the day")),
        };
        let parts = (
            hour,
            self.get(TimePart::Minute),
            self.get(TimePart::Second),
            self.get(TimePart::Nano),
        );
        let (hour, minute, second, nano) = match parts {
            (None, None, None, None) => return Ok(None),
            (Some(hour), None, None, None) => (hour, 0, 0, 0),
            (Some(hour), Some(minute), None, None) => (hour, minute, 0, 0),
            (Some(hour), Some(minute), Some(second), nano) => {
                (hour, minute, second, nano.unwrap_or_default())
            }
            // The server would leave out what it has.
            _ => return Err(DateFault::Odd("a time of which a part in the middle is missing")),
        };
        let is_midnight = hour == 24 && (minute, second, nano) == (0, 0, 0);
        if resolving == Resolving::Bending && is_midnight {
            return Err(DateFault::Odd("an hour of 24"));
        }
        let fits = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..1_000_000_000).contains(&nano);
        if !fits {
            return Err(DateFault::No);
        }
        Ok(Some(((hour * 3600 + minute * 60 + second) as u32, nano as u32)))
    }

    fn days(&self, resolving: Resolving, has_time: bool) -> Result<i64, DateFault> {
        const NO_DAY: DateFault = DateFault::Odd("a date that does not exist");
        const NO_MIDDLE: DateFault =
            DateFault::Odd("a date of which a part in the middle is missing");
        let year = match (self.get(TimePart::Year), self.get(TimePart::YearOfEra)) {
            (Some(_), Some(_)) => return Err(DateFault::Odd("two years")),
            (Some(year), None) => Some(year),
            (None, Some(year)) if year < 1 => return Err(DateFault::No),
            (None, year) => year,
        };
        if year.is_some_and(|year| year.abs() > 999_999_999) {
            return Err(DateFault::Odd("not between the years 1 and 9999"));
        }
        // What is put together late on the server fails there for good.
        let is_whole = self.get(TimePart::Year).is_some();
        let refusal =
            if is_whole && resolving != Resolving::Bending { DateFault::No } else { NO_DAY };
        let day_of_year = self.get(TimePart::DayOfYear);
        match (year, self.get(TimePart::Month), self.get(TimePart::Day), day_of_year) {
            (Some(year), Some(month), Some(day), None) => {
                let days = day_that_exists(year, month, day).ok_or(refusal)?;
                let weekday = (days + 3).rem_euclid(7) + 1;
                if is_whole && self.get(TimePart::Weekday).is_some_and(|named| named != weekday) {
                    return Err(DateFault::No);
                }
                Ok(days)
            }
            (Some(year), None, None, Some(day)) => {
                let first = days_of(year, 1, 1);
                let length = days_of(year + 1, 1, 1) - first;
                if !(1..=length).contains(&day) {
                    return Err(refusal);
                }
                let days = first + day - 1;
                let weekday = (days + 3).rem_euclid(7) + 1;
                if is_whole && self.get(TimePart::Weekday).is_some_and(|named| named != weekday) {
                    return Err(DateFault::No);
                }
                Ok(days)
            }
            (_, Some(_), None, None) if has_time && resolving == Resolving::WithDay => {
                Err(DateFault::Odd("a time without a day, which servers read differently"))
            }
            (year, Some(month), day, None) => {
                day_that_exists(year.unwrap_or(1970), month, day.unwrap_or(1)).ok_or(NO_DAY)
            }
            (Some(year), None, None, None) if !has_time => Ok(days_of(year, 1, 1)),
            (None, None, None, None) if has_time => Ok(0),
            (None, None, None, None) => Err(DateFault::Odd("nothing of a date or a time")),
            _ => Err(NO_MIDDLE),
        }
    }
}

fn day_that_exists(year: i64, month: i64, day: i64) -> Option<i64> {
    let exists =
        (1..=12).contains(&month) && (1..=i64::from(days_in_any(year, month as u8))).contains(&day);
    exists.then(|| days_of(year, month as u8, day as u8))
}
