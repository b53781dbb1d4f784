//! Dates and times that say what they are: ISO 8601 and what SQL writes. Whatever leaves the order of day
//! and month open, or the unit of a number, is none of them.

use crate::convert::date::calendar::Date;

/// What a text shows of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `YYYY-MM-DD`
    Day,
    /// `YYYY-MM-DD HH:MM[:SS[.f]]`, what a clock showed.
    Clock,
    /// The same with `Z` or an offset, a point in time.
    Point,
    /// `HH:MM:SS[.f]`
    TimeOfDay,
}

/// Digits of a second that columns keep.
const FRACTION_MAX: usize = 6;

/// By its offset a time of the first year or the last may lie in one that no column takes.
const YEARS_OF_POINTS: std::ops::RangeInclusive<u16> = 2..=9998;

impl Moment {
    pub fn of(text: &[u8]) -> Option<Moment> {
        if text.get(2) == Some(&b':') {
            return time_of_day(text).filter(|rest| rest.is_empty()).map(|_| Moment::TimeOfDay);
        }
        let (day, rest) = text.split_at_checked(10)?;
        if day[4] != b'-' || day[7] != b'-' {
            return None;
        }
        let year = pair(&day[0..2])? * 100 + pair(&day[2..4])?;
        let (month, day) = (pair(&day[5..7])? as u8, pair(&day[8..10])? as u8);
        Date::new(year, month, day)?;
        match rest {
            [] => Some(Moment::Day),
            [b'T' | b' ', clock @ ..] => match minutes(clock)? {
                [] => Some(Moment::Clock),
                b"Z" => Some(Moment::Point),
                offset if is_offset(offset) && YEARS_OF_POINTS.contains(&year) => {
                    Some(Moment::Point)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// What is behind `HH:MM[:SS[.f]]`.
fn minutes(text: &[u8]) -> Option<&[u8]> {
    if text.get(5) == Some(&b':') {
        return time_of_day(text);
    }
    let (clock, rest) = text.split_at_checked(5)?;
    let is_time = clock[2] == b':' && pair(&clock[..2])? <= 23 && pair(&clock[3..])? <= 59;
    is_time.then_some(rest)
}

/// What is behind `HH:MM:SS[.f]`, with no more digits than columns keep.
fn time_of_day(text: &[u8]) -> Option<&[u8]> {
    let (clock, rest) = text.split_at_checked(8)?;
    let has_colons = clock[2] == b':' && clock[5] == b':';
    let (hour, minute, second) = (pair(&clock[..2])?, pair(&clock[3..5])?, pair(&clock[6..])?);
    if !has_colons || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let [b'.', digits @ ..] = rest else { return Some(rest) };
    let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let needed = digits[..count].iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1);
    (count > 0 && needed <= FRACTION_MAX).then_some(&digits[count..])
}

/// `±HH:MM`, `±HHMM` or `±HH`, as far as places on earth have it.
fn is_offset(text: &[u8]) -> bool {
    let [b'+' | b'-', offset @ ..] = text else { return false };
    let (hours, minutes) = match offset.len() {
        2 => (offset, &b"00"[..]),
        4 => offset.split_at(2),
        5 if offset[2] == b':' => (&offset[..2], &offset[3..]),
        _ => return false,
    };
    matches!((pair(hours), pair(minutes)), (Some(0..=14), Some(0..=59)))
}

fn pair(digits: &[u8]) -> Option<u16> {
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = digits else { return None };
    Some(u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leaves_nothing_open_is_a_time() {
        for (text, expected) in [
            ("2024-02-29", Some(Moment::Day)),
            ("2023-02-29", None),
            ("0000-01-01", None),
            ("0001-01-01", Some(Moment::Day)),
            ("9999-12-31", Some(Moment::Day)),
            ("2024-1-2", None),
            ("01/02/2024", None),
            ("01.02.2024", None),
            ("20240102", None),
            ("2024-01-02T10:11", Some(Moment::Clock)),
            ("2024-01-02 10:11:12", Some(Moment::Clock)),
            ("2024-01-02 10:11:12.123456", Some(Moment::Clock)),
            ("2024-01-02 10:11:12.123456000", Some(Moment::Clock)),
            ("2024-01-02 10:11:12.1234567", None),
            ("2024-01-02T10:11:60", None),
            ("2024-01-02T24:00:00", None),
            ("2024-01-02T10:11:12Z", Some(Moment::Point)),
            ("2024-01-02T10:11:12.5+0530", Some(Moment::Point)),
            ("2024-01-02T10:11-03:00", Some(Moment::Point)),
            ("0001-01-01T00:00+01:00", None),
            ("9999-12-31T23:59:59Z", Some(Moment::Point)),
            ("2024-01-02T10", None),
            ("2024-01-02T10:11:12 UTC", None),
            ("10:11:12", Some(Moment::TimeOfDay)),
            ("10:11:12.5", Some(Moment::TimeOfDay)),
            // Minutes and seconds, perhaps.
            ("10:11", None),
            ("1:02:03", None),
            ("", None),
        ] {
            assert_eq!(Moment::of(text.as_bytes()), expected, "{text}");
        }
    }
}
