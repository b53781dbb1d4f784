//! Times into columns of time.

use super::*;
use crate::convert::date::DateFormat;
use crate::sink::mysql::Zone;
use crate::sink::mysql::rules::{EpochUnit, Fraction, Times};

fn rules(fraction: Fraction) -> Rules {
    Rules { fraction, ..Rules::default() }
}

fn zoned(source: Option<&str>, target: &str) -> Rules {
    Rules {
        source_zone: source.map(|zone| Zone::parse(zone).unwrap()),
        datetime_zone: Zone::parse(target).unwrap(),
        ..Rules::default()
    }
}

#[track_caller]
fn text(column_type: &str, text: &str, rules: &Rules, expected: Option<&str>) {
    let expected = expected.map(|text| format!("'{text}'"));
    check(&column(column_type), Value::Text(text.as_bytes()), rules, expected.as_deref());
}

#[test]
fn dates_are_iso_dates_that_exist() {
    let rules = Rules::default();
    for (date, expected) in [
        ("2020-01-31", Some("2020-01-31")),
        ("2020-02-29", Some("2020-02-29")),
        ("0001-01-01", Some("0001-01-01")),
        ("9999-12-31", Some("9999-12-31")),
        ("2020-01-01 00:00:00", Some("2020-01-01")),
        ("2020-01-01T00:00Z", Some("2020-01-01")),
        ("2020-02-30", None),
        ("2019-02-29", None),
        ("2020-13-45", None),
        ("0000-00-00", None),
        ("0000-01-01", None),
        ("2020-00-01", None),
        ("20200101", None),
        ("31/12/2020", None),
        ("2020-1-1", None),
        ("20-01-01", None),
        ("+2020-01-01", None),
        ("2020-01-01 ", None),
        (" 2020-01-01", None),
        ("2020-01-01x", None),
        ("2020-01-01 00:00:01", None),
        ("2020-01-01T00:00:00.001", None),
    ] {
        text("date", date, &rules, expected);
    }
    let truncate = super::temporal::rules(Fraction::Truncate);
    text("date", "2020-01-01T23:59:59.9Z", &truncate, Some("2020-01-01"));
    let round = super::temporal::rules(Fraction::Round);
    text("date", "2020-01-01T23:59:59.9Z", &round, None);
}

#[test]
fn datetimes_are_iso_times() {
    let rules = Rules::default();
    for (time, expected) in [
        ("2020-01-02", Some("2020-01-02 00:00:00")),
        ("2020-01-02 03:04", Some("2020-01-02 03:04:00")),
        ("2020-01-02T03:04:05", Some("2020-01-02 03:04:05")),
        ("2020-01-02T03:04:05Z", Some("2020-01-02 03:04:05")),
        ("2020-01-02T03:04:05.000000000Z", Some("2020-01-02 03:04:05")),
        ("2020-01-02T03:04:05+02:00", Some("2020-01-02 01:04:05")),
        ("2020-01-01T00:04:05+0200", Some("2019-12-31 22:04:05")),
        ("2020-02-28T23:00:00-01", Some("2020-02-29 00:00:00")),
        ("9999-12-31T23:59:59", Some("9999-12-31 23:59:59")),
        ("9999-12-31T23:59:59-01:00", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("2020-01-02T03:04:05.5", None),
        ("2020-01-02T24:00:00", None),
        ("2020-01-02T23:60:00", None),
        ("2020-01-02T23:59:60", None),
        ("2016-12-31T23:59:60Z", None),
        ("2020-01-02T03", None),
        ("2020-01-02T3:04:05", None),
        ("2020-01-02T03:04:05.", None),
        ("2020-01-02T03:04:05.x", None),
        ("2020-01-02T03:04:05z", None),
        ("2020-01-02T03:04:05+2", None),
        ("2020-01-02T03:04:05+02:00:00", None),
        ("2020-01-02  03:04:05", None),
        ("2020-01-02T03:04:05 Z", None),
        ("0000-00-00 00:00:00", None),
        ("2020-02-30 00:00:00", None),
        ("2020-01-02T", None),
    ] {
        text("datetime", time, &rules, expected);
    }
}

#[test]
fn fractions_go_by_the_rule() {
    use Fraction::*;
    let time = "2020-01-01 00:00:00.123456789";
    let nearly = "2019-12-31 23:59:59.9999996";
    for (column_type, written, rule, expected) in [
        ("datetime(6)", "2020-01-01 00:00:00.12", Reject, Some("2020-01-01 00:00:00.12")),
        ("datetime(3)", "2020-01-01 00:00:00.120000000000", Reject, Some("2020-01-01 00:00:00.12")),
        ("datetime(6)", time, Reject, None),
        ("datetime(6)", time, Truncate, Some("2020-01-01 00:00:00.123456")),
        ("datetime(6)", time, Round, Some("2020-01-01 00:00:00.123457")),
        ("datetime", time, Truncate, Some("2020-01-01 00:00:00")),
        ("datetime(6)", nearly, Truncate, Some("2019-12-31 23:59:59.999999")),
        ("datetime(6)", nearly, Round, Some("2020-01-01 00:00:00")),
        ("datetime", "9999-12-31 23:59:59.5", Round, None),
        ("datetime", "2020-01-01 00:00:00.5", Round, Some("2020-01-01 00:00:01")),
        ("datetime", "2020-01-01 00:00:00.4999999999999", Round, Some("2020-01-01 00:00:00")),
        ("datetime(6)", "2020-01-01 00:00:00.0000000000001", Reject, None),
        ("time", "-00:00:00.5", Round, Some("-00:00:01")),
        ("time", "838:59:59.5", Round, None),
        ("time", "838:59:59.5", Truncate, Some("838:59:59")),
    ] {
        text(column_type, written, &rules(rule), expected);
    }
}

#[test]
fn timestamps_are_points_in_time() {
    let rules = Rules::default();
    for (time, expected) in [
        ("2020-01-02T03:04:05Z", Some("2020-01-02 03:04:05")),
        ("2020-01-02T03:04:05+05:30", Some("2020-01-01 21:34:05")),
        ("2020-01-02T03:04:05", None),
        ("2020-01-02", None),
        ("1970-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:01Z", Some("1970-01-01 00:00:01")),
        ("1970-01-01T01:00:01+01:00", Some("1970-01-01 00:00:01")),
        ("2038-01-19T03:14:07Z", Some("2038-01-19 03:14:07")),
        ("2038-01-19T03:14:08Z", None),
        ("1969-12-31T23:59:59Z", None),
    ] {
        text("timestamp", time, &rules, expected);
    }
    text("timestamp(6)", "2038-01-19T03:14:07.999999Z", &rules, Some("2038-01-19 03:14:07.999999"));
    let local = zoned(Some("+01:00"), "UTC");
    text("timestamp", "2020-01-02 00:30:00", &local, Some("2020-01-01 23:30:00"));

    let mut definition = definition("timestamp");
    definition.has_long_timestamps = true;
    let long = Column::new(&definition).unwrap();
    check(&long, Value::Text(b"2106-02-07T06:28:15Z"), &rules, Some("'2106-02-07 06:28:15'"));
    check(&long, Value::Text(b"2106-02-07T06:28:16Z"), &rules, None);
}

#[test]
fn zones_move_what_is_known() {
    let berlin = "Europe/Berlin";
    for (source, target, time, expected) in [
        (None, "UTC", "2020-07-01 12:00:00", Some("2020-07-01 12:00:00")),
        (None, berlin, "2020-07-01 12:00:00", Some("2020-07-01 12:00:00")),
        (None, berlin, "2020-07-01T12:00:00Z", Some("2020-07-01 14:00:00")),
        (Some(berlin), "UTC", "2020-07-01 12:00:00", Some("2020-07-01 10:00:00")),
        (Some(berlin), "UTC", "2020-01-01 12:00:00", Some("2020-01-01 11:00:00")),
        (Some(berlin), "UTC", "2020-07-01T12:00:00Z", Some("2020-07-01 12:00:00")),
        (Some(berlin), berlin, "2020-07-01 12:00:00", Some("2020-07-01 12:00:00")),
        (Some(berlin), "UTC", "2020-03-29 02:30:00", None),
        (Some(berlin), "UTC", "2020-10-25 02:30:00", None),
        (None, berlin, "2020-10-25T00:30:00Z", None),
        (None, berlin, "2020-10-25T02:30:00Z", Some("2020-10-25 03:30:00")),
        (Some("+14:00"), "-11:00", "2020-01-02 00:00:00", Some("2019-12-31 23:00:00")),
    ] {
        text("datetime", time, &zoned(source, target), expected);
    }
    let moved = zoned(Some(berlin), "UTC");
    text("date", "2020-07-01", &moved, Some("2020-07-01"));
    text("date", "2020-07-01 02:00:00", &moved, Some("2020-07-01"));
    text("date", "2020-07-01 00:00:00", &moved, None);
}

#[test]
fn times_are_within_a_month() {
    let rules = Rules::default();
    for (time, expected) in [
        ("00:00:00", Some("00:00:00")),
        ("-00:00:00", Some("00:00:00")),
        ("8:30", Some("08:30:00")),
        ("-01:02:03", Some("-01:02:03")),
        ("100:00:00", Some("100:00:00")),
        ("838:59:59", Some("838:59:59")),
        ("-838:59:59", Some("-838:59:59")),
        ("839:00:00", None),
        ("0838:00:00", None),
        ("12", None),
        ("101112", None),
        ("12:60", None),
        ("12:00:60", None),
        ("1 12:00:00", None),
        ("12:00:00Z", None),
        ("12:00:00.5", None),
        ("2020-01-01 12:00:00", None),
        (":00", None),
    ] {
        text("time", time, &rules, expected);
    }
    text("time(3)", "-12:00:00.250", &rules, Some("-12:00:00.25"));
    text("time(6)", "838:59:59.000001", &rules, None);
    let mut definition = definition("time(6)");
    definition.is_mariadb = true;
    let mariadb = Column::new(&definition).unwrap();
    check(&mariadb, Value::Text(b"838:59:59.999999"), &rules, Some("'838:59:59.999999'"));
}

#[test]
fn numbers_count_from_1970_where_somebody_says_so() {
    let count = |unit| Rules { times: Times::Count(unit), ..Rules::default() };
    let (seconds, millis) = (count(EpochUnit::Seconds), count(EpochUnit::Milliseconds));
    for (column_type, number, rules, expected) in [
        ("datetime", "0", &seconds, Some("'1970-01-01 00:00:00'")),
        ("datetime", "1577836800", &seconds, Some("'2020-01-01 00:00:00'")),
        ("datetime", "1.5778368e9", &seconds, Some("'2020-01-01 00:00:00'")),
        ("datetime", "1577836800000", &millis, Some("'2020-01-01 00:00:00'")),
        ("datetime", "1577836800500", &millis, None),
        ("datetime(3)", "1577836800500", &millis, Some("'2020-01-01 00:00:00.5'")),
        ("datetime(6)", "1577836800500.25", &millis, Some("'2020-01-01 00:00:00.50025'")),
        ("datetime(6)", "1577836800500.0001", &millis, None),
        ("datetime(3)", "-500", &millis, Some("'1969-12-31 23:59:59.5'")),
        ("datetime(3)", "-1500", &millis, Some("'1969-12-31 23:59:58.5'")),
        ("datetime", "-1", &seconds, Some("'1969-12-31 23:59:59'")),
        ("datetime", "1e300", &seconds, None),
        ("datetime", "-1e300", &millis, None),
        ("datetime", "253402300799", &seconds, Some("'9999-12-31 23:59:59'")),
        ("datetime", "253402300800", &seconds, None),
        ("datetime", "-62135596800", &seconds, Some("'0001-01-01 00:00:00'")),
        ("datetime", "-62135596801", &seconds, None),
        ("timestamp", "1577836800", &seconds, Some("'2020-01-01 00:00:00'")),
        ("timestamp", "0", &seconds, None),
        ("date", "1577836800", &seconds, Some("'2020-01-01'")),
        ("date", "1577836801", &seconds, None),
        ("year", "2020", &seconds, Some("'2020'")),
        ("time", "0", &seconds, None),
        ("datetime", "1577836800", &Rules::default(), None),
        ("date", "20200101", &Rules::default(), None),
    ] {
        check(&column(column_type), Value::Number(number.as_bytes()), rules, expected);
    }
    text("datetime", "1577836800000", &millis, Some("2020-01-01 00:00:00"));
    text("datetime", "2020-01-01", &millis, None);
}

#[test]
fn a_format_reads_texts_and_numbers_alike() {
    let by = |format| Rules {
        times: Times::By(DateFormat::parse(format, None).unwrap()),
        ..Rules::default()
    };
    for (column_type, format, value, expected) in [
        ("datetime", "basic_date", "20240131", Some("'2024-01-31 00:00:00'")),
        ("date", "basic_date", "20240131", Some("'2024-01-31'")),
        ("timestamp", "basic_date", "20240131", None),
        ("date", "yyyyMMddHHmm", "202401310000", Some("'2024-01-31'")),
        ("date", "yyyyMMddHHmm", "202401310001", None),
        (
            "datetime",
            "strict_date_optional_time||epoch_millis",
            "2024",
            Some("'2024-01-01 00:00:00'"),
        ),
        (
            "datetime(3)",
            "strict_date_optional_time||epoch_millis",
            "1577836800500",
            Some("'2020-01-01 00:00:00.5'"),
        ),
        ("timestamp", "yyyy-MM-dd'T'HH:mmX", "2024-01-31T12:00+02", Some("'2024-01-31 10:00:00'")),
        ("datetime", "uuuu", "0", None),
        ("date", "uuuu", "-0001", None),
        // The point in time is within the years, though the year that was written is not.
        ("datetime", "uuuu-MM-dd'T'HHX", "0000-12-31T23-02", Some("'0001-01-01 01:00:00'")),
        ("datetime", "uuuu-MM-dd'T'HHX", "+10000-01-01T01+02", Some("'9999-12-31 23:00:00'")),
        ("time", "HH.mm", "10.30", Some("'10:30:00'")),
        ("time(3)", "HHmmssSSS", "103005250", Some("'10:30:05.25'")),
        ("time", "HHmmssSSS", "103005250", None),
        ("time", "strict_hour_minute||epoch_millis", "10:30", Some("'10:30:00'")),
        ("time", "strict_hour_minute||epoch_millis", "1700000000000", None),
        ("time", "MM-dd HH:mm", "01-01 10:30", None),
        ("time", "HH:mmX", "10:30Z", None),
        ("time", "basic_date", "20240131", None),
        ("varchar(20)", "basic_date", "20240131", Some("'20240131'")),
        ("int", "basic_date", "20240131", Some("'20240131'")),
    ] {
        let rules = by(format);
        let bytes = value.as_bytes();
        check(&column(column_type), Value::Text(bytes), &rules, expected);
        if value.bytes().all(|digit| digit.is_ascii_digit()) {
            check(&column(column_type), Value::Number(bytes), &rules, expected);
        }
    }
}

#[test]
fn the_last_day_and_the_first_have_zones() {
    let (berlin, tokyo, lima) = ("Europe/Berlin", "Asia/Tokyo", "America/Lima");
    for (source, target, time, expected) in [
        (Some(berlin), berlin, "9999-12-31T23:59:59", Some("9999-12-31 23:59:59")),
        (Some(berlin), "UTC", "9999-12-31T23:59:59", Some("9999-12-31 22:59:59")),
        (None, berlin, "9999-12-31T22:59:59Z", Some("9999-12-31 23:59:59")),
        (None, berlin, "9999-12-31T23:00:00Z", None),
        (None, lima, "9999-12-31T23:59:59Z", Some("9999-12-31 18:59:59")),
        (Some(lima), "UTC", "9999-12-31T18:59:59", Some("9999-12-31 23:59:59")),
        (Some(lima), "UTC", "9999-12-31T19:00:00", None),
        (Some(lima), tokyo, "9999-12-31T12:00:00", None),
        (None, tokyo, "9999-12-30T22:00:00Z", Some("9999-12-31 07:00:00")),
        // Before there were zones, clocks went by the sun.
        (Some(berlin), berlin, "0001-01-01T00:00:00", Some("0001-01-01 00:00:00")),
        (Some(berlin), "UTC", "0001-01-01T00:00:00", None),
        (None, berlin, "0001-01-01T00:00:00Z", Some("0001-01-01 00:53:28")),
        (None, lima, "0001-01-01T00:00:00Z", None),
        (None, "UTC", "0000-12-31T23:30:00-01:00", Some("0001-01-01 00:30:00")),
        (None, berlin, "0000-12-31T23:30:00Z", Some("0001-01-01 00:23:28")),
        (None, "UTC", "0000-12-31T23:30:00Z", None),
        (None, "UTC", "0000-02-29T23:30:00", None),
    ] {
        text("datetime", time, &zoned(source, target), expected);
    }
    text("date", "0000-12-31", &Rules::default(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Another library reads and prints the same point in time.
    #[test]
    fn zones_agree_with_another_library(seconds in -62_000_000_000i64..253_000_000_000, micros in 0..1_000_000i32) {
        let zone = jiff::tz::TimeZone::get("America/New_York").unwrap();
        let at = jiff::Timestamp::new(seconds, micros * 1000).unwrap();
        let local = zone.to_datetime(at);
        let rules = zoned(None, "America/New_York");
        let found = words(&column("datetime(6)"), Value::Text(at.to_string().as_bytes()), &rules);
        match zone.to_ambiguous_timestamp(local).is_ambiguous() {
            true => prop_assert!(found.is_err()),
            false => prop_assert_eq!(found.unwrap(), format!("'{}'", local.to_string().replace('T', " "))),
        }
    }
}
