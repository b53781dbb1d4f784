//! What was found of a time, and how it is put together: missing parts are those of
//! 1970-01-01T00:00:00.

use super::Reading;
use super::calendar::{days_in_any, days_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
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

impl Part {
    /// What the first of its names counts as.
    pub fn first_of_names(self) -> i64 {
        i64::from(self != Part::Half)
    }
}

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
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
pub struct Found {
    values: [i64; PARTS],
    has: u16,
    zone: Option<i32>,
}

impl Found {
    /// A part that is there twice has to be the same.
    pub fn set(&mut self, part: Part, value: i64) -> Result<(), Stop> {
        let index = part as usize;
        if self.has & 1 << index != 0 && self.values[index] != value {
            return Err(Stop::No);
        }
        self.has |= 1 << index;
        self.values[index] = value;
        Ok(())
    }

    pub fn set_offset(&mut self, seconds: i32) -> Result<(), Stop> {
        self.set(Part::Offset, i64::from(seconds))
    }

    pub fn set_zone(&mut self, seconds: i32) {
        self.zone = Some(seconds);
    }

    fn get(&self, part: Part) -> Option<i64> {
        let index = part as usize;
        (self.has & 1 << index != 0).then(|| self.values[index])
    }

    pub fn resolve(&self, resolving: Resolving) -> Result<Reading, Stop> {
        let time = self.time(resolving)?;
        let days = self.days(resolving, time.is_some())?;
        let offset = self.get(Part::Offset).map(|offset| offset as i32);
        let offset = match (self.zone, offset) {
            (Some(zone), Some(offset)) if zone != offset => {
                return Err(Stop::Odd("two offsets"));
            }
            (zone, offset) => zone.or(offset),
        };
        if resolving == Resolving::WithDay && time.is_none() && offset.is_some() {
            return Err(Stop::Odd("an offset without a time, which servers read differently"));
        }
        // With an offset it is a point in time.
        let time = time.or(offset.map(|_| (0, 0)));
        let has_day =
            [Part::Year, Part::YearOfEra, Part::Month].map(|part| self.get(part).is_some());
        Ok(Reading { days, time, offset, has_day: has_day.contains(&true) })
    }

    /// The same where the text ends with the `T` that a time would follow.
    pub fn resolve_before_t(&self, resolving: Resolving) -> Result<Reading, Stop> {
        if resolving == Resolving::WithDay && self.get(Part::Day).is_none() {
            return Err(Stop::Odd("a T without a day, which servers read differently"));
        }
        self.resolve(resolving)
    }

    fn time(&self, resolving: Resolving) -> Result<Option<(u32, u32)>, Stop> {
        let hour = match (self.get(Part::Hour), self.get(Part::HourOfHalf), self.get(Part::Half)) {
            (hour, None, None) => hour,
            (None, Some(hour), Some(half)) => {
                if !(1..=12).contains(&hour) {
                    return Err(Stop::No);
                }
                Some(half * 12 + hour % 12)
            }
            _ => return Err(Stop::Odd("an hour without its half of the day")),
        };
        let parts = (hour, self.get(Part::Minute), self.get(Part::Second), self.get(Part::Nano));
        let (hour, minute, second, nano) = match parts {
            (None, None, None, None) => return Ok(None),
            (Some(hour), None, None, None) => (hour, 0, 0, 0),
            (Some(hour), Some(minute), None, None) => (hour, minute, 0, 0),
            (Some(hour), Some(minute), Some(second), nano) => {
                (hour, minute, second, nano.unwrap_or_default())
            }
            // The server would leave out what it has.
            _ => return Err(Stop::Odd("a time of which a part in the middle is missing")),
        };
        let is_midnight = hour == 24 && (minute, second, nano) == (0, 0, 0);
        if resolving == Resolving::Bending && is_midnight {
            return Err(Stop::Odd("an hour of 24"));
        }
        let fits = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..1_000_000_000).contains(&nano);
        if !fits {
            return Err(Stop::No);
        }
        Ok(Some(((hour * 3600 + minute * 60 + second) as u32, nano as u32)))
    }

    fn days(&self, resolving: Resolving, has_time: bool) -> Result<i64, Stop> {
        const NO_DAY: Stop = Stop::Odd("a date that does not exist");
        const NO_MIDDLE: Stop = Stop::Odd("a date of which a part in the middle is missing");
        let year = match (self.get(Part::Year), self.get(Part::YearOfEra)) {
            (Some(_), Some(_)) => return Err(Stop::Odd("two years")),
            (Some(year), None) => Some(year),
            (None, Some(year)) if year < 1 => return Err(Stop::No),
            (None, year) => year,
        };
        if year.is_some_and(|year| year.abs() > 999_999_999) {
            return Err(Stop::Odd("not between the years 1 and 9999"));
        }
        // What is put together late on the server fails there for good.
        let is_whole = self.get(Part::Year).is_some();
        let refusal = if is_whole && resolving != Resolving::Bending { Stop::No } else { NO_DAY };
        let day_of_year = self.get(Part::DayOfYear);
        match (year, self.get(Part::Month), self.get(Part::Day), day_of_year) {
            (Some(year), Some(month), Some(day), None) => {
                let days = day_that_exists(year, month, day).ok_or(refusal)?;
                let weekday = (days + 3).rem_euclid(7) + 1;
                if is_whole && self.get(Part::Weekday).is_some_and(|named| named != weekday) {
                    return Err(Stop::No);
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
                if is_whole && self.get(Part::Weekday).is_some_and(|named| named != weekday) {
                    return Err(Stop::No);
                }
                Ok(days)
            }
            (_, Some(_), None, None) if has_time && resolving == Resolving::WithDay => {
                Err(Stop::Odd("a time without a day, which servers read differently"))
            }
            (year, Some(month), day, None) => {
                day_that_exists(year.unwrap_or(1970), month, day.unwrap_or(1)).ok_or(NO_DAY)
            }
            (Some(year), None, None, None) if !has_time => Ok(days_of(year, 1, 1)),
            (None, None, None, None) if has_time => Ok(0),
            (None, None, None, None) => Err(Stop::Odd("nothing of a date or a time")),
            _ => Err(NO_MIDDLE),
        }
    }
}

fn day_that_exists(year: i64, month: i64, day: i64) -> Option<i64> {
    let exists =
        (1..=12).contains(&month) && (1..=i64::from(days_in_any(year, month as u8))).contains(&day);
    exists.then(|| days_of(year, month as u8, day as u8))
}
