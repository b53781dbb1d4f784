//! A time zone: a fixed offset, or rules by name.

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::error::{Error, Result};

/// Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    Named(TimeZone),
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::UTC
    }
}

/// What a clock on the wall can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UtcOffset {
    /// Seconds east of UTC.
    Known(i32),
    /// A clock change skips this time.
    Skipped,
    /// A clock change repeats this time.
    Repeated,
    /// The time is outside what the rules are good for, the years 1 to 9999.
    Unknown,
}

/// The largest offset a zone has had is below 16 hours; ISO 8601 lets 18 pass.
const OFFSET_SECONDS_MAX: i32 = 18 * 3600;

impl Zone {
    pub const UTC: Zone = Zone::Fixed(0);

    /// `UTC`, `Z`, `+02:00`, or a name such as `Europe/Berlin`. Names come from the system's data,
    /// and from what is built in where it has none.
    pub fn parse(text: &str) -> Result<Zone> {
        if text.eq_ignore_ascii_case("utc") || text == "Z" {
            return Ok(Zone::UTC);
        }
        if text.starts_with(['+', '-']) {
            return match parse_offset(text.as_bytes()) {
                Some((seconds, [])) => Ok(Zone::Fixed(seconds)),
                _ => Err(Error::config(format!("'{text}' is no offset such as +02:00"))),
            };
        }
        TimeZone::get(text).map(Zone::Named).map_err(|cause| {
            Error::config(format!("no time zone is called '{text}'"))
                .because(cause)
                .help("write UTC, an offset such as +02:00, or a name such as Europe/Berlin")
        })
    }

    /// The offset when a clock in this zone shows `seconds` since 1970 by its own counting.
    pub fn offset_of_local(&self, seconds: i64) -> UtcOffset {
        let zone = match self {
            Zone::Fixed(offset) => return UtcOffset::Known(*offset),
            Zone::Named(zone) => zone,
        };
        let Some(local) = civil_of(seconds) else { return UtcOffset::Unknown };
        match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => UtcOffset::Known(offset.seconds()),
            AmbiguousOffset::Gap { .. } => UtcOffset::Skipped,
            AmbiguousOffset::Fold { .. } => UtcOffset::Repeated,
        }
    }

    /// The offset at a point in time, `seconds` since 1970 in UTC.
    pub fn offset_at(&self, seconds: i64) -> UtcOffset {
        match self {
            Zone::Fixed(offset) => UtcOffset::Known(*offset),
            Zone::Named(zone) => match jiff::Timestamp::from_second(with_rules(seconds)) {
                Ok(at) => UtcOffset::Known(zone.to_offset(at).seconds()),
                Err(_) => UtcOffset::Unknown,
            },
        }
    }
}

/// The calendar repeats itself after so many seconds, the days of the week with it: 400 years.
const CYCLE_SECONDS: i64 = 146_097 * 86_400;

/// The library's points in time end a day before the year 9999 does. Rules of zones are for ever by
/// then, so they are the same a cycle earlier.
fn with_rules(seconds: i64) -> i64 {
    let last = jiff::Timestamp::MAX.as_second();
    let is_beyond = (last..last + 3 * 86_400).contains(&seconds);
    if is_beyond { seconds - CYCLE_SECONDS } else { seconds }
}

fn civil_of(seconds: i64) -> Option<civil::DateTime> {
    let at = jiff::Timestamp::from_second(with_rules(seconds)).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(at))
}

/// Seconds east of UTC at the start of `text`, and what follows: `Z`, `+02:00`, `+0200`, `+02`.
pub fn parse_offset(text: &[u8]) -> Option<(i32, &[u8])> {
    let (sign, rest) = match text {
        [b'Z', rest @ ..] => return Some((0, rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest)?;
    let (minutes, rest) = match rest {
        [b':', after @ ..] => two_digits(after)?,
        [b'0'..=b'9', ..] => two_digits(rest)?,
        _ => (0, rest),
    };
    let seconds = hours * 3600 + minutes * 60;
    (minutes < 60 && seconds <= OFFSET_SECONDS_MAX).then_some((sign * seconds, rest))
}

fn two_digits(text: &[u8]) -> Option<(i32, &[u8])> {
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = text else { return None };
    Some((i32::from(tens - b'0') * 10 + i32::from(ones - b'0'), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_offsets_or_names() {
        for (text, expected) in [
            ("UTC", Some(Zone::UTC)),
            ("Z", Some(Zone::UTC)),
            ("+02:00", Some(Zone::Fixed(7200))),
            ("-0530", Some(Zone::Fixed(-19_800))),
            ("+02", Some(Zone::Fixed(7200))),
            ("+2", None),
            ("+02:60", None),
            ("+19:00", None),
            ("+02:00x", None),
            ("Nowhere/Else", None),
            ("", None),
        ] {
            assert_eq!(Zone::parse(text).ok(), expected, "{text}");
        }
        assert!(matches!(Zone::parse("Europe/Berlin"), Ok(Zone::Named(_))));
    }

    #[test]
    fn clock_changes_skip_and_repeat() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        // 2020-03-29 at 01:59:59, 02:00 and 03:00, and 2020-10-25 at 01:59:59, 02:00 and 03:00.
        for (local, expected) in [
            (1_585_447_199, UtcOffset::Known(3600)),
            (1_585_447_200, UtcOffset::Skipped),
            (1_585_450_800, UtcOffset::Known(7200)),
            (1_603_591_199, UtcOffset::Known(7200)),
            (1_603_591_200, UtcOffset::Repeated),
            (1_603_594_800, UtcOffset::Known(3600)),
            (i64::MAX, UtcOffset::Unknown),
        ] {
            assert_eq!(berlin.offset_of_local(local), expected, "{local}");
        }
        assert_eq!(berlin.offset_at(1_585_443_599), UtcOffset::Known(3600));
        assert_eq!(berlin.offset_at(1_585_443_600), UtcOffset::Known(7200));
        assert_eq!(berlin.offset_at(i64::MIN), UtcOffset::Unknown);
    }
}
