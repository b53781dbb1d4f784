use proptest::prelude::*;

use super::*;

fn format(text: &str) -> DateFormat {
    DateFormat::parse(text, None).unwrap()
}

/// As `2024-01-31T12:34:56.789+02:00`, without what was not said.
fn words(reading: ParsedTime) -> String {
    let (year, month, day) = calendar::civil(reading.days);
    let mut words = format!("{year:04}-{month:02}-{day:02}");
    if let Some((seconds, nanos)) = reading.time {
        words += &format!("T{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
        if seconds % 60 > 0 || nanos > 0 {
            words += &format!(":{:02}", seconds % 60);
        }
        if nanos > 0 {
            words += format!(".{nanos:09}").trim_end_matches('0');
        }
    }
    match reading.offset {
        None => {}
        Some(0) => words.push('Z'),
        Some(offset) => words += &format!("{:+}", f64::from(offset) / 3600.0),
    }
    words
}

const NOT: Result<&str, bool> = Err(false);
/// Refused, and the alternatives behind are not tried.
const ODD: Result<&str, bool> = Err(true);

#[track_caller]
fn check(text: &str, values: &[(&str, Result<&str, bool>)]) {
    for (value, expected) in values {
        let found = format(text).read(value.as_bytes());
        let found = match &found {
            Ok(reading) => Ok(words(*reading)),
            Err(unfit) => Err(!unfit.reason.starts_with("not a date by")),
        };
        assert_eq!(found.as_deref(), expected.as_ref().map(|words| *words), "{value:?} by {text}");
    }
}

// What is expected here is what Elasticsearch and OpenSearch did with the same; the suite asks them.
#[test]
fn the_default_is_iso_and_milliseconds() {
    check(
        DEFAULT,
        &[
            ("2024", Ok("2024-01-01")),
            ("2024-05", Ok("2024-05-01")),
            ("2024-02-29", Ok("2024-02-29")),
            ("2024-02-29T", Ok("2024-02-29")),
            ("2024-02-29T10", Ok("2024-02-29T10:00")),
            ("2024-02-29T10Z", Ok("2024-02-29T10:00Z")),
            ("2024-02-29T10:30", Ok("2024-02-29T10:30")),
            ("2024-02-29T10:30:05", Ok("2024-02-29T10:30:05")),
            ("2024-02-29T10:30:05.123456789Z", Ok("2024-02-29T10:30:05.123456789Z")),
            ("2024-02-29T10:30:05,5", Ok("2024-02-29T10:30:05.5")),
            ("2024-02-29T10:30:05+02:00", Ok("2024-02-29T10:30:05+2")),
            ("2024-02-29T10:30:05-0230", Ok("2024-02-29T10:30:05-2.5")),
            ("2024-02-29T10:30:05+02", Ok("2024-02-29T10:30:05+2")),
            ("2024-02-29T10:30:05UTC", Ok("2024-02-29T10:30:05Z")),
            ("2024-02-29T10:30:05UTC+01:00", Ok("2024-02-29T10:30:05+1")),
            ("2024-02-29T10:30:05Europe/Berlin", ODD),
            ("2024-02-29T10:30:05+19:00", ODD),
            ("2024T10:00", ODD),
            ("2024-01T10:00", ODD),
            ("2024-01-31T+02:00", NOT),
            ("2024-01-31TZ", NOT),
            ("2023-02-29", NOT),
            ("2024-13-01", NOT),
            ("2024-01-01T24:00", NOT),
            ("2024-01-01T10:00:60", NOT),
            ("2024-1-2", NOT),
            ("2024-01-01 10:00:00", NOT),
            ("2024-01-01T10:00:00.1234567891", NOT),
            ("12024-01-01", NOT),
            ("+12024-01-01", ODD),
            ("-01500", ODD),
            ("-1500", Ok("-1500-01-01")),
            ("-9999999999", ODD),
            ("-10000000000", Ok("1969-09-07T06:13:20Z")),
            ("-483056370518", Ok("1954-09-11T01:40:29.482Z")),
            ("-2208988800000", Ok("1900-01-01T00:00Z")),
            ("-2208988800000-01-01", NOT),
            ("+2208988800000", NOT),
            ("0000-01-01", Ok("0000-01-01")),
            ("20240131", Ok("1970-01-01T05:37:20.131Z")),
            ("12345", Ok("1970-01-01T00:00:12.345Z")),
            ("1700000000000", Ok("2023-11-14T22:13:20Z")),
            ("1700000000000.5", Ok("2023-11-14T22:13:20.0005Z")),
            ("1700000000000.", Ok("2023-11-14T22:13:20Z")),
            ("1700000000000.5.", ODD),
            ("-1", Ok("1969-12-31T23:59:59.999Z")),
            ("1.7e12", NOT),
            ("", NOT),
            (" 2024", NOT),
            ("999999999999999999", Ok("31690708-07-05T01:46:39.999Z")),
            ("9999999999999999999", ODD),
        ],
    );
}

#[test]
fn numbers_are_read_by_the_format_and_not_guessed() {
    check(
        "basic_date",
        &[("20240131", Ok("2024-01-31")), ("2024111", Ok("2024-11-01")), ("20240230", NOT)],
    );
    check(
        "yyyyMMdd||epoch_millis",
        &[
            ("20240131", Ok("2024-01-31")),
            ("20241301", ODD),
            ("1700000000000", Ok("2023-11-14T22:13:20Z")),
        ],
    );
    check("uuuuMMdd||epoch_millis", &[("20241301", Ok("1970-01-01T05:37:21.301Z"))]);
    check(
        "yyyyMMddHHmmss",
        &[("20240131123456", Ok("2024-01-31T12:34:56")), ("20240131246060", NOT)],
    );
    check("yyyyMMddHHmmssSSS", &[("20240131123456789", Ok("2024-01-31T12:34:56.789"))]);
    check("yyyyMM", &[("202401", Ok("2024-01-01")), ("202413", ODD)]);
    check("ddMMyyyy", &[("01022024", Ok("2024-02-01")), ("1022024", NOT)]);
    check("yyyyDDD", &[("2024031", Ok("2024-01-31")), ("2023366", ODD)]);
    check("uuuuDDD", &[("2024366", Ok("2024-12-31")), ("2023366", NOT)]);
    check("yyyy", &[("2024", Ok("2024-01-01")), ("0000", NOT), ("10000", NOT)]);
    check("yy-MM-dd", &[("99-01-31", Ok("2099-01-31"))]);
    check(
        "epoch_second||epoch_millis",
        &[
            ("1700000000", Ok("2023-11-14T22:13:20Z")),
            ("1.5", Ok("1970-01-01T00:00:01.5Z")),
            ("-1", Ok("1969-12-31T23:59:59Z")),
            ("-1.5", ODD),
            ("-1.0", ODD),
            ("-1.", Ok("1969-12-31T23:59:59Z")),
        ],
    );
    check(
        "strict_date_time_no_millis",
        &[
            ("2024-01-31T12:34:56+025300", ODD),
            ("2024-01-31T12:34:56+0230", Ok("2024-01-31T12:34:56+2.5")),
        ],
    );
    check("epoch_second", &[("-170.00000", ODD), ("170.00000", Ok("1970-01-01T00:02:50Z"))]);
    check(
        "epoch_millis||basic_date",
        &[("-20240131", ODD), ("20240131", Ok("1970-01-01T05:37:20.131Z"))],
    );
    check("epoch_second||basic_date", &[("-20240131", Ok("1969-05-11T17:44:29Z")), ("-0", ODD)]);
    check("epoch_second||yyyyMMdd", &[("20240131", Ok("1970-08-23T06:15:31Z"))]);
    // Elasticsearch 9 takes no T behind a year or a month, all others do.
    check(
        "strict_date_optional_time",
        &[("2024T", ODD), ("2024-05T", ODD), ("2024-05-06T", Ok("2024-05-06"))],
    );
    check("date_optional_time", &[("2024T", Ok("2024-01-01"))]);
    check("year||epoch_millis", &[("1700000000000", ODD)]);
    check(
        "date_optional_time||epoch_millis",
        &[
            ("2024", Ok("2024-01-01")),
            ("20240131", ODD),
            ("1700000000000", Ok("2023-11-14T22:13:20Z")),
            ("2024-1-2T3:4:5.6", Ok("2024-01-02T03:04:05.6")),
            ("2024-1-2T3:4.5", ODD),
        ],
    );
}

#[test]
fn patterns_are_tried_in_their_order() {
    check("yyyy-MM-dd||yyyy-dd-MM", &[("2024-01-02", Ok("2024-01-02")), ("2024-13-01", ODD)]);
    check(
        "uuuu-MM-dd||uuuu-dd-MM",
        &[("2024-01-02", Ok("2024-01-02")), ("2024-13-01", Ok("2024-01-13")), ("2024-30-02", NOT)],
    );
    check("yyyy-dd-MM", &[("2024-01-02", Ok("2024-02-01"))]);
    check(
        "MMM d yyyy",
        &[
            ("Jan 5 2024", Ok("2024-01-05")),
            ("Sept 5 2024", NOT),
            ("jan 5 2024", NOT),
            ("Feb 30 2024", ODD),
        ],
    );
    check(
        "EEE, dd MMM uuuu HH:mm:ss Z",
        &[
            ("Mon, 01 Jan 2024 10:00:00 +0200", Ok("2024-01-01T10:00+2")),
            ("Tue, 01 Jan 2024 10:00:00 +0200", NOT),
        ],
    );
    check(
        "MM/dd/yyyy hh:mm a",
        &[
            ("01/31/2024 12:05 AM", Ok("2024-01-31T00:05")),
            ("01/31/2024 12:05 PM", Ok("2024-01-31T12:05")),
            ("01/31/2024 13:05 PM", NOT),
        ],
    );
    check(
        "yyyy-MM-dd'T'HH:mm:ss[.SSS][X]",
        &[
            ("2024-01-31T12:34:56", Ok("2024-01-31T12:34:56")),
            ("2024-01-31T12:34:56.789+02", Ok("2024-01-31T12:34:56.789+2")),
        ],
    );
    check("HH:mm", &[("10:30", Ok("1970-01-01T10:30")), ("24:00", NOT)]);
    check("MM-dd", &[("01-31", Ok("1970-01-31")), ("02-29", ODD)]);
    check("HH:mm:ss n", &[("10:30:00 5", Ok("1970-01-01T10:30:00.000000005"))]);
    check("d' o''clock 'M", &[("5 o'clock 2", Ok("1970-02-05"))]);
    check("yyyyMMddX", &[("20240131+02", Ok("2024-01-31T00:00+2"))]);
    check("iso8601", &[("2024-01-31TZ", ODD), ("2024-01-31T10Z", Ok("2024-01-31T10:00Z"))]);
    check("strict_date_time||ordinal_date_time", &[("2024-31T20:34:56.7Z", ODD)]);
    check("ordinal_date", &[("-01500-001", Ok("-1500-01-01"))]);
    check("strict_date", &[("2024-02-30", ODD)]);
    check("strict_date_hour_minute", &[("2024-01-01T24:00", ODD)]);
    check(
        "rfc3339_lenient",
        &[("2024-01-02t10:00:05,1z", Ok("2024-01-02T10:00:05.1Z")), ("2024-01-02T10:00", NOT)],
    );
}

#[test]
fn what_is_not_understood_is_said() {
    for (text, expected) in [
        ("8yyyy", "the 8 at the beginning of '8yyyy'"),
        ("weekyear_week_day", "the week dates of 'weekyear_week_day'"),
        ("YYYY-'W'ww", "'YYYY' in 'YYYY-'W'ww'"),
        ("yyyy-MM-dd VV", "'VV' in 'yyyy-MM-dd VV'"),
        ("yyyy-MM-dd z", "'z' in 'yyyy-MM-dd z'"),
        ("yyyy-dd", "a day without a month in 'yyyy-dd'"),
        ("mm:ss", "minutes without an hour in 'mm:ss'"),
        (
            "hh:mm",
            "an hour up to 12 without AM or PM, or one of these without the other in 'hh:mm'",
        ),
        ("yyyy HH", "an hour and a year without a day in 'yyyy HH'"),
        ("'x", "a quote without an end in ''x'"),
        ("yyyy]", "']' in 'yyyy]'"),
        ("-", "nothing of a date or a time in '-'"),
        ("basic_date||", "an empty alternative in 'basic_date||'"),
        ("epoch_nanos", "'e' in 'epoch_nanos'"),
    ] {
        assert_eq!(DateFormat::parse(text, None).err().as_deref(), Some(expected));
    }
    for (locale, text, is_read) in [
        (None, "d MMM y", true),
        (Some(""), "d MMM y", true),
        (Some("en_US"), "d MMM y", true),
        (Some("en-GB"), "d MMM y", false),
        (Some("fr"), "d MMM y", false),
        (Some("fr"), "d/M/y", true),
        (Some("fr"), "basic_date", true),
    ] {
        assert_eq!(DateFormat::parse(text, locale).is_ok(), is_read, "{locale:?} {text}");
    }
}

#[test]
fn a_format_is_shown_by_an_example() {
    for (text, expected) in [
        (DEFAULT, "ISO 8601, or milliseconds since 1970"),
        ("epoch_second", "seconds since 1970"),
        ("yyyyMMdd", "yyyyMMdd, such as 20240131"),
        ("basic_date", "basic_date, such as 20240131"),
        ("basic_date_time", "basic_date_time, such as 20240131T143456.789Z"),
        (
            "date_optional_time||epoch_millis",
            "date_optional_time||epoch_millis, such as 2024-01-31T14:34:56.789Z",
        ),
        ("EEE, d MMM y h:mm a", "EEE, d MMM y h:mm a, such as Wed, 31 Jan 2024 2:34 PM"),
    ] {
        assert_eq!(format(text).words(), expected);
    }
}

/// Formats whose text says all of a time.
const WHOLE: [&str; 12] = [
    "strict_date_optional_time",
    "strict_date_optional_time_nanos",
    "date_optional_time",
    "strict_date_time",
    "basic_date_time",
    "basic_ordinal_date_time",
    "strict_ordinal_date_time",
    "uuuu-MM-dd'T'HH:mm:ss.SSSSSSSSSXXX",
    "yyyyMMddHHmmssSSSSSSSSSZ",
    "EEEE, d MMMM u h:m:s n a X",
    "DDD/uuuu HH:mm:ss.nZZZZZ",
    "[yyyy-MM-dd]['T'HH:mm:ss.SSSSSSSSSx]",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_written_is_read(
        which in 0..WHOLE.len(),
        days in -719_162i64..2_932_896,
        second in 0u32..86_400,
        nanos in 0u32..1_000_000_000,
        offset in -17i32..18,
        quarter in 0i32..4,
    ) {
        let format = format(WHOLE[which]);
        let offset = Some(offset * 3600 + offset.signum() * quarter * 900);
        let time = ParsedTime { days, time: Some((second, nanos)), offset, has_day: true };
        let Alternative::Pieces { pieces, .. } = &format.alternatives[0] else { panic!() };
        let mut text = String::new();
        piece::print(pieces, &time, &mut text);
        prop_assert_eq!(format.read(text.as_bytes()).map_err(|unfit| unfit.reason), Ok(time), "{}", text);
    }

    /// The short way says what the long one does.
    #[test]
    fn the_quick_way_is_no_other(
        text in "(19|20|00)[0-9]{2}-[0-3][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?(Z|[+-][0-9]{2}:?[0-9]{2})?)?|[0-9]{1,19}",
    ) {
        let format = format(DEFAULT);
        let slow = DateFormat { begins_iso: false, ends_millis: false, ..format.clone() };
        prop_assert_eq!(format.read(text.as_bytes()).ok(), slow.read(text.as_bytes()).ok());
    }

    #[test]
    fn nothing_breaks_the_reader(
        pattern in "[uyMdDEHhamsSnXxZYwVz'\\[\\]|#\\-:. é]{0,20}|[a-z_]{1,20}",
        value in prop::collection::vec(any::<u8>(), 0..30),
        digits in "[-+]?[0-9:TZ.,+\\-]{0,30}",
    ) {
        if let Ok(format) = DateFormat::parse(&pattern, None) {
            let _ = format.read(&value);
            let _ = format.read(digits.as_bytes());
            let _ = format.words();
        }
    }
}
