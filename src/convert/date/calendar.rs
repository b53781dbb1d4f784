//! Days, and how they are called: the Gregorian calendar, also before it was used.

/// Days of the year 1 to 9999, counted from 1970-01-01.
pub const DAY_MIN: i64 = -719_162;
pub const DAY_MAX: i64 = 2_932_896;

pub const DAY_SECONDS: i64 = 86_400;

/// A date that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

impl Date {
    pub fn new(year: u16, month: u8, day: u8) -> Option<Date> {
        Date::of_year_0_too(year, month, day).filter(|date| date.year > 0)
    }

    /// The year before the first is none that a column keeps, but a time in it may be one of the first
    /// day where it is measured from another place.
    pub fn of_year_0_too(year: u16, month: u8, day: u8) -> Option<Date> {
        let exists = year <= 9999 && (1..=12).contains(&month);
        let exists = exists && day >= 1 && day <= days_in(year, month);
        exists.then_some(Date { year, month, day })
    }

    /// Days since 1970-01-01, as `days_of` counts them, in 32 bits.
    pub fn days(self) -> i64 {
        if self.year == 0 {
            return days_of(0, self.month, self.day);
        }
        let (month, day) = (i32::from(self.month), i32::from(self.day));
        let year = i32::from(self.year) - i32::from(month <= 2);
        let month_of_year = (month + 9) % 12;
        let day_of_year = (153 * month_of_year + 2) / 5 + day - 1;
        i64::from(365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
    }

    pub fn of_days(days: i64) -> Option<Date> {
        if !(DAY_MIN..=DAY_MAX).contains(&days) {
            return None;
        }
        // Nothing is negative any more, and 32 bits are divided faster than 64.
        let days = (days + 719_468) as u32;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_of_year = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_of_year + 2) / 5 + 1;
        let month = if month_of_year < 10 { month_of_year + 3 } else { month_of_year - 9 };
        let year = era * 400 + year_of_era + u32::from(month <= 2);
        Date::new(year as u16, month as u8, day as u8)
    }
}

/// Days since 1970-01-01 of any year. It begins in March here, so that the leap day is its last; five
/// months have 153 days together, wherever among them one begins.
pub fn days_of(year: i64, month: u8, day: u8) -> i64 {
    let year = year - i64::from(month <= 2);
    let month_of_year = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_of_year + 2) / 5 + i64::from(day) - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + day_of_year - 719_468
}

/// Year, month and day of any day.
pub fn civil(days: i64) -> (i64, u8, u8) {
    // Four hundred years have as many days, wherever they begin.
    const ERA: i64 = 146_097;
    let eras = days.div_euclid(ERA);
    let Some(date) = Date::of_days(days - eras * ERA) else {
        unreachable!("a day of 1970 to 2370")
    };
    (i64::from(date.year) + 400 * eras, date.month, date.day)
}

/// The same for any year: the calendar repeats itself.
pub fn days_in_any(year: i64, month: u8) -> u8 {
    days_in(year.rem_euclid(400) as u16, month)
}

fn days_in(year: u16, month: u8) -> u8 {
    let divides = |years: u16| year.is_multiple_of(years);
    let is_leap = divides(4) && (!divides(100) || divides(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        for (year, month, day, days) in [
            (1970, 1, 1, 0),
            (1969, 12, 31, -1),
            (2000, 2, 29, 11_016),
            (2038, 1, 19, 24_855),
            (1, 1, 1, DAY_MIN),
            (9999, 12, 31, DAY_MAX),
        ] {
            let date = Date::new(year, month, day).unwrap();
            assert_eq!(date.days(), days);
            assert_eq!(Date::of_days(days), Some(date));
        }
        assert_eq!(Date::of_days(DAY_MIN - 1), None);
        assert_eq!(Date::of_days(DAY_MAX + 1), None);
        assert_eq!(Date::of_days(i64::MAX), None);
    }

    #[test]
    fn days_that_do_not_exist_are_none() {
        for (year, month, day) in [
            (0, 1, 1),
            (2020, 0, 1),
            (2020, 13, 1),
            (2020, 1, 0),
            (2020, 2, 30),
            (2019, 2, 29),
            (1900, 2, 29),
            (2020, 4, 31),
            (10_000, 1, 1),
        ] {
            assert_eq!(Date::new(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn agrees_with_a_calendar_of_others(days in DAY_MIN..=DAY_MAX) {
            let date = Date::of_days(days).unwrap();
            let other = jiff::civil::date(date.year as i16, date.month as i8, date.day as i8);
            let epoch = jiff::civil::date(1970, 1, 1);
            prop_assert_eq!(i64::from((other - epoch).get_days()), days);
            prop_assert_eq!(date.days(), days);
        }
    }
}
