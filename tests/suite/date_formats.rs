//! Dates as search servers read them: ours held against `docvalue_fields` of real ones, for a table of
//! formats and values and for any number of random ones.
//!
//! What may not happen is another time than the server's. A value that the server would bend, or that
//! servers read differently, is refused by us whatever it does with it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flowgauge::parts::{DateFormat, ParsedTime, civil};
use serde_json::{Value, json};

use crate::support::indices::Indices;
use crate::support::{needs, test_name};

/// Formats, each with values as JSON; text for those that are no number.
const TABLE: &[(&str, &[&str])] = &[
    (
        "strict_date_optional_time||epoch_millis",
        &[
            "2024",
            "9999",
            "20240131",
            "12345",
            "1700000000",
            "1700000000000.5",
            "-1",
            "-1500",
            "-1500.25",
            "1.5",
            "1.7e12",
            "20240131.0",
            "0",
            "2024-05",
            "2024-02-29",
            "2024-02-30",
            "2024-13-01",
            "2024-1-2",
            "2024-01-01T",
            "2024-01-01T10",
            "2024-01-01T10Z",
            "2024-01-01T10:00",
            "2024-01-01T24:00",
            "2024-01-01T10:00:60Z",
            "2024-01-01T10:00:00,5",
            "2024-01-01T10:00:00.123456789Z",
            "2024-01-01T10:00:00.1234567891",
            "2024-01-01T10:00:00+02",
            "2024-01-01T10:00:00+0200",
            "2024-01-01T10:00:00-02:30",
            "2024-01-01T10:00:00UTC",
            "2024-01-01T10:00:00UTC+01:00",
            "2024-01-01T10:00:00GMT-01:00",
            "2024-01-01T10:00:00Europe/Berlin",
            "2024-01-01T10:00:00+19:00",
            "2024-01-01T10:00:00+25:00",
            "2024-01-01 10:00:00",
            "2024-01-01t10:00:00z",
            "0000-01-01",
            "0001-01-01",
            "-2024-01-01",
            "9999-12-31T23:59:59.999Z",
            "2024T10:00",
        ],
    ),
    ("basic_date", &["20240131", "2024131", "2024111", "20241301", "20240230", "12345678901"]),
    ("yyyyMMdd", &["20240131", "20241301", "20240230", "12024011", "00000101"]),
    ("yyyyMMddHHmmss", &["20240131123456", "20240131246060"]),
    ("yyyyMMddHHmmssSSS", &["20240131123456789"]),
    ("yyyyMM", &["202401", "202413", "202400"]),
    ("ddMMyyyy", &["31012024", "1022024", "01022024x"]),
    ("yyyyDDD", &["2024031", "2024366", "2023366", "2024000"]),
    ("yyyy", &["2024", "0000", "10000", "12"]),
    ("uuuu", &["2024", "-2024"]),
    ("y", &["2024", "1", "1700000000000", "-5"]),
    ("yy-MM-dd", &["24-01-31", "99-01-31", "00-01-31"]),
    ("epoch_second||epoch_millis", &["1700000000", "1700000000000", "1.5", "-1", "-1.5", "1e3"]),
    ("strict_date_time_no_millis", &["2024-01-31T12:34:56+025300", "2024-01-31T12:34:56+0253"]),
    (
        "epoch_second",
        &["1700000000.123456789", "1700000000.", "-0", "-170.00000", "-1.0", "-1.", "-1.5"],
    ),
    ("epoch_millis", &["1700000000000.123456", "1700000000000.1234567", "-500"]),
    ("epoch_second||yyyyMMdd", &["20240131"]),
    ("yyyyMMdd||epoch_millis", &["20240131", "20241301", "1700000000000", "2024-01-31"]),
    ("uuuuMMdd||epoch_millis", &["20240131", "20241301"]),
    ("year||epoch_millis", &["2024", "1700000000000"]),
    ("yyyy-dd-MM", &["2024-01-02", "2024-13-01"]),
    ("yyyy-MM-dd||yyyy-dd-MM", &["2024-01-02", "2024-13-01", "2024-02-30"]),
    ("uuuu-MM-dd||uuuu-dd-MM", &["2024-01-02", "2024-13-01", "2024-02-30", "2024-30-02"]),
    ("MMM d yyyy", &["Jan 5 2024", "Sep 5 2024", "Sept 5 2024", "jan 5 2024", "Feb 30 2024"]),
    ("MMMM d uuuu", &["January 5 2024", "May 5 2024", "september 5 2024"]),
    (
        "EEE, dd MMM uuuu HH:mm:ss Z",
        &[
            "Mon, 01 Jan 2024 10:00:00 +0200",
            "Tue, 01 Jan 2024 10:00:00 +0200",
            "Mon, 01 Jan 2024 10:00:00 Z",
            "Mon, 01 Jan 2024 10:00:00 +02",
        ],
    ),
    ("EEE, dd MMM yyyy HH:mm:ss Z", &["Tue, 01 Jan 2024 10:00:00 +0200"]),
    (
        "MM/dd/yyyy hh:mm a",
        &[
            "01/31/2024 12:05 AM",
            "01/31/2024 12:05 PM",
            "01/31/2024 13:05 PM",
            "01/31/2024 00:05 AM",
        ],
    ),
    (
        "yyyy-MM-dd'T'HH:mm:ss[.SSS][X]",
        &["2024-01-31T12:34:56", "2024-01-31T12:34:56.789+02", "2024-01-31T12:34:56+0230"],
    ),
    (
        "yyyy-MM-dd'T'HH:mm:ssZ||yyyy-MM-dd'T'HH:mm:ssXXX",
        &["2024-01-31T12:34:56+25:00", "2024-01-31T12:34:56+2500", "2024-01-31T12:34:56+02:00"],
    ),
    ("uuuu-MM-dd'T'HH:mm:ssZZZZZ", &["2024-01-31T12:34:56+02:00:30", "2024-01-31T12:34:56Z"]),
    ("yyyy-MM-dd'T'HH:mm:ssx", &["2024-01-31T12:34:56Z", "2024-01-31T12:34:56+00"]),
    ("HH:mm:ss n", &["10:30:00 5"]),
    ("HH:mm", &["10:30", "24:00"]),
    ("MM-dd", &["01-31", "02-30", "02-29"]),
    ("H:m:s d/M/u", &["1:2:3 4/5/2024", "01:02:03 04/05/2024", "001:2:3 4/5/2024"]),
    ("yyyyMMddX", &["20240131Z", "20240131+02"]),
    (
        "date_optional_time||epoch_millis",
        &[
            "2024",
            "12345",
            "1700000000000",
            "20240131",
            "2024-1-2",
            "2024-1-2T3:4:5.678",
            "2024-1-2T3:4.5",
            "2024-1-2T3",
            "2024-1-2T3Z",
            "2024-1-2T3:4Z",
            "2024-02-30",
            "2024-05T10:00",
            "2024T10:00",
        ],
    ),
    ("strict_date", &["2024-01-31", "2024-02-30", "2024-13-01"]),
    ("strict_date_hour", &["2024-01-01T10", "2024-01-01T24", "2024-02-30T10"]),
    ("strict_date_hour_minute_second", &["2024-01-01T10:00:00", "2024-02-30T10:00:00"]),
    ("basic_ordinal_date_time", &["2024031T101112.5Z", "2023366T101112.5Z"]),
    ("basic_time", &["101112.5Z", "101112.5+02:00"]),
    ("hour", &["10", "5", "24"]),
    ("year_month_day", &["2024-1-2", "2024-001-1", "2024-13-2"]),
];

/// A name with a time that it takes; one of each family is changed at random.
const NAMED: &[(&str, &str)] = &[
    ("iso8601", "2024-01-31T12:34:56.789Z"),
    ("strict_date_optional_time", "2024-01-31T12:34:56.789+02:00"),
    ("strict_date_optional_time_nanos", "2024-01-31T12:34:56.123456789Z"),
    ("date_optional_time", "2024-1-31T2:34:56.789Z"),
    ("strict_date_time", "2024-01-31T12:34:56.789Z"),
    ("strict_date_time_no_millis", "2024-01-31T12:34:56+0200"),
    ("date_time", "2024-1-31T2:34:56.789+02:00"),
    ("date_time_no_millis", "2024-1-31T2:34:56Z"),
    ("strict_date", "2024-01-31"),
    ("strict_date_hour", "2024-01-31T12"),
    ("strict_date_hour_minute", "2024-01-31T12:34"),
    ("strict_date_hour_minute_second", "2024-01-31T12:34:56"),
    ("strict_date_hour_minute_second_millis", "2024-01-31T12:34:56.789"),
    ("strict_date_hour_minute_second_fraction", "2024-01-31T12:34:56.789"),
    ("date", "2024-1-31"),
    ("date_hour", "2024-1-31T2"),
    ("date_hour_minute", "2024-1-31T2:34"),
    ("date_hour_minute_second", "2024-1-31T2:34:56"),
    ("date_hour_minute_second_millis", "2024-1-31T2:34:56.789"),
    ("date_hour_minute_second_fraction", "2024-1-31T2:34:56.789123"),
    ("basic_date", "20240131"),
    ("basic_date_time", "20240131T123456.789Z"),
    ("basic_date_time_no_millis", "20240131T123456+0200"),
    ("basic_ordinal_date", "2024031"),
    ("basic_ordinal_date_time", "2024031T123456.789Z"),
    ("basic_ordinal_date_time_no_millis", "2024031T123456Z"),
    ("basic_time", "123456.789Z"),
    ("basic_time_no_millis", "123456+02:00"),
    ("basic_t_time", "T123456.789Z"),
    ("basic_t_time_no_millis", "T123456Z"),
    ("strict_year", "2024"),
    ("strict_year_month", "2024-01"),
    ("strict_year_month_day", "2024-01-31"),
    ("year", "2024"),
    ("year_month", "2024-1"),
    ("year_month_day", "2024-1-31"),
    ("strict_ordinal_date", "2024-031"),
    ("strict_ordinal_date_time", "2024-031T12:34:56.789Z"),
    ("strict_ordinal_date_time_no_millis", "2024-031T12:34:56Z"),
    ("ordinal_date", "2024-31"),
    ("ordinal_date_time", "2024-31T2:34:56.789Z"),
    ("ordinal_date_time_no_millis", "2024-31T2:34:56Z"),
    ("strict_hour", "12"),
    ("strict_hour_minute", "12:34"),
    ("strict_hour_minute_second", "12:34:56"),
    ("strict_hour_minute_second_millis", "12:34:56.789"),
    ("strict_hour_minute_second_fraction", "12:34:56.789"),
    ("hour", "2"),
    ("hour_minute", "2:34"),
    ("hour_minute_second", "2:34:56"),
    ("hour_minute_second_millis", "2:34:56.789"),
    ("hour_minute_second_fraction", "2:34:56.789123"),
    ("strict_time", "12:34:56.789Z"),
    ("strict_time_no_millis", "12:34:56Z"),
    ("strict_t_time", "T12:34:56.789Z"),
    ("strict_t_time_no_millis", "T12:34:56Z"),
    ("time", "2:34:56.789Z"),
    ("time_no_millis", "2:34:56Z"),
    ("t_time", "T2:34:56.789Z"),
    ("t_time_no_millis", "T2:34:56Z"),
    ("epoch_second", "1700000000.123456789"),
    ("epoch_millis", "1700000000123.456"),
];

#[test]
fn elasticsearch_9_reads_the_table_as_we_do() {
    table(&Oracle::new(needs!("elasticsearch"), test_name!()));
}

#[test]
fn elasticsearch_7_reads_the_table_as_we_do() {
    table(&Oracle::new(needs!("elasticsearch7"), test_name!()));
}

#[test]
fn elasticsearch_7_10_reads_the_table_as_we_do() {
    table(&Oracle::new(needs!("elasticsearch710"), test_name!()));
}

#[test]
fn opensearch_reads_the_table_as_we_do() {
    table(&Oracle::new(needs!("opensearch"), test_name!()));
    let oracle = Oracle::new(needs!("opensearch"), test_name!());
    let values = [
        "2024",
        "2024-01",
        "2024-01-02",
        "2024-1-2",
        "2024-01-02T10",
        "2024-01-02T10:00",
        "2024-01-02T10:00Z",
        "2024-01-02T10:00:05.1Z",
        "2024-01-02T10:00:05,1Z",
        "2024-01-02T10:00:05.1+02:00",
        "2024-01-02T10:00:05+0200",
        "2024-01-02t10:00:05z",
        "2024-01-02 10:00:05Z",
        "2024-02-30",
        "2024-01-02T10:00:05UTC",
        "2024-01-02T10:00+02:00",
    ];
    let case = Case::new("rfc3339_lenient", values.iter().map(|value| value.to_string()));
    assert_eq!(oracle.ask(&[case]).0, 10);
}

/// By count where nobody gives it time.
#[test]
fn elasticsearch_9_reads_anything_as_we_do() {
    random(&Oracle::new(needs!("elasticsearch"), test_name!()));
}

#[test]
fn elasticsearch_7_reads_anything_as_we_do() {
    random(&Oracle::new(needs!("elasticsearch7"), test_name!()));
}

#[test]
fn opensearch_reads_anything_as_we_do() {
    random(&Oracle::new(needs!("opensearch"), test_name!()));
}

fn table(oracle: &Oracle) {
    let cases: Vec<Case> = TABLE
        .iter()
        .map(|(format, values)| Case::new(format, values.iter().map(|value| value.to_string())))
        .collect();
    let (read, _) = oracle.ask(&cases);
    assert!(read > 100, "{read}");
}

/// Rounds where `FLOWGAUGE_SOAK_SECONDS` says nothing, and formats in each.
const ROUNDS: usize = 3;
const FORMATS: usize = 60;
const VALUES: usize = 40;

fn random(oracle: &Oracle) {
    let variable = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let until = variable("FLOWGAUGE_SOAK_SECONDS")
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let seed = variable("FLOWGAUGE_SOAK_SEED").unwrap_or(1);
    let mut dice = Dice(seed);
    let mut round = 0;
    let (mut read, mut compared) = (0, 0);
    while until.map_or(round < ROUNDS, |until| Instant::now() < until) {
        let cases: Vec<Case> = (0..FORMATS).map(|_| dice.case()).collect();
        let (more, both) = oracle.ask(&cases);
        read += more;
        compared += both;
        round += 1;
    }
    println!("seed {seed}: {round} rounds, {compared} values, {read} of them dates");
    assert!(read * 10 > compared, "hardly any value is a date: {read} of {compared}");
}

struct Case {
    format: String,
    /// JSON.
    values: Vec<String>,
}

impl Case {
    /// What is a number is one.
    fn new(format: &str, values: impl Iterator<Item = String>) -> Case {
        let as_json = |value: String| match serde_json::from_str::<Value>(&value) {
            Ok(Value::Number(_)) if value.trim() == value => value,
            _ => json!(value).to_string(),
        };
        Case { format: format.to_string(), values: values.map(as_json).collect() }
    }
}

/// A server that is asked what it makes of values.
struct Oracle {
    indices: Indices,
    /// Reads no milliseconds before 1970.
    is_old: bool,
}

impl Oracle {
    fn new(address: String, test: &str) -> Oracle {
        let indices = Indices::new(address, test);
        let nodes = indices.ask("GET", "/_nodes/_local?filter_path=nodes.*.version", "");
        Oracle { indices, is_old: nodes.contains("\"7.") }
    }

    /// Fails where the server reads another time than we do. Gives how many values both read, and how
    /// many there were.
    #[track_caller]
    fn ask(&self, cases: &[Case]) -> (usize, usize) {
        let mut properties = json!({});
        for (field, case) in cases.iter().enumerate() {
            for (prefix, kind) in [("d", "date"), ("n", "date_nanos")] {
                properties[format!("{prefix}{field}")] =
                    json!({ "type": kind, "format": case.format, "ignore_malformed": true });
            }
        }
        let name = self.indices.make(
            "dates",
            json!({
                "settings": { "number_of_shards": 1, "index.max_docvalue_fields_search": 1000 },
                "mappings": { "properties": properties },
            }),
        );
        let mut documents = Vec::new();
        for (field, case) in cases.iter().enumerate() {
            for (value, json) in case.values.iter().enumerate() {
                let source = format!("{{\"d{field}\":{json},\"n{field}\":{json}}}");
                documents.push((format!("{field}-{value}"), source));
            }
        }
        self.indices.fill(&name, &documents);
        let mut read_by_server = self.readings(&name, cases.len());
        self.indices.ask("DELETE", &format!("/{name}"), "");

        let (mut read, mut faults) = (0, Vec::new());
        for (field, case) in cases.iter().enumerate() {
            let format = DateFormat::parse(&case.format, None)
                .unwrap_or_else(|what| panic!("{what}, which the server reads"));
            for (value, json) in case.values.iter().enumerate() {
                let theirs = read_by_server.remove(&format!("{field}-{value}")).unwrap_or_default();
                let text = match serde_json::from_str(json).unwrap() {
                    Value::String(text) => text,
                    _ => json.clone(),
                };
                match self.judge(&case.format, &format, &text, &theirs) {
                    Ok(both) => read += usize::from(both),
                    Err(why) => faults.push(format!("{json} by {}: {why}", case.format)),
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        (read, documents.len())
    }

    /// By document: milliseconds and, where there are any, nanoseconds.
    fn readings(&self, index: &str, fields: usize) -> HashMap<String, Theirs> {
        const SHOWN: &str = "uuuu-MM-dd'T'HH:mm:ss.SSSSSSSSS";
        let mut found: HashMap<String, Theirs> = HashMap::new();
        let names: Vec<Value> = (0..fields)
            .flat_map(|field| [format!("d{field}"), format!("n{field}")])
            .map(|field| json!({ "field": field, "format": SHOWN }))
            .collect();
        let body = json!({ "size": 10_000, "_source": false, "docvalue_fields": names });
        let answer = self.indices.ask("POST", &format!("/{index}/_search"), &body.to_string());
        let answer: Value = serde_json::from_str(&answer).unwrap();
        for hit in answer["hits"]["hits"].as_array().unwrap() {
            let theirs = found.entry(hit["_id"].as_str().unwrap().to_string()).or_default();
            for (field, values) in hit["fields"].as_object().into_iter().flatten() {
                let time = values[0].as_str().unwrap().to_string();
                match field.starts_with('d') {
                    true => theirs.millis = Some(time),
                    false => theirs.nanos = Some(time),
                }
            }
        }
        found
    }

    /// Whether both read it; an error where they differ and may not.
    fn judge(
        &self,
        name: &str,
        format: &DateFormat,
        text: &str,
        theirs: &Theirs,
    ) -> Result<bool, String> {
        let ours = format.read(text.as_bytes());
        match (&ours, &theirs.millis) {
            (Ok(reading), Some(millis)) => {
                // As far as 64 bits of milliseconds reach, and not the same way in all.
                if civil(reading.days).0.abs() > 290_000_000 {
                    return Ok(false);
                }
                let found = shown(reading, 1_000_000);
                if found != *millis {
                    return Err(format!("the server has {millis}, and we {found}"));
                }
                // Where nanoseconds end, some servers keep that moment instead.
                if let Some(nanos) = theirs.nanos.as_ref().filter(|nanos| **nanos != LAST_NANOS)
                    && shown(reading, 1) != *nanos
                {
                    return Err(format!("the server has {nanos}, and we {}", shown(reading, 1)));
                }
                Ok(true)
            }
            (Err(unfit), Some(millis)) => {
                match !unfit.reason.starts_with("not a date by the format") {
                    true => Ok(false),
                    false => Err(format!("the server has {millis}, and we nothing")),
                }
            }
            (Ok(reading), None) => {
                let (year, ..) = civil(reading.days);
                let is_before = self.is_old && text.starts_with('-') && name.contains("epoch_");
                // Minus nought is a number to some.
                let is_nought = text.starts_with("-0") && name.contains("epoch_");
                let has_name = name.contains("MMMM") || name.contains("EEEE");
                match is_before || is_nought || has_name || year.abs() > 9999 {
                    true => Ok(false),
                    false => Err(format!("the server has nothing, and we {}", shown(reading, 1))),
                }
            }
            (Err(_), None) => Ok(false),
        }
    }
}

const LAST_NANOS: &str = "2262-04-11T23:47:16.854775807";

#[derive(Default)]
struct Theirs {
    millis: Option<String>,
    nanos: Option<String>,
}

/// In UTC, cut to so many nanoseconds.
fn shown(reading: &ParsedTime, unit: u32) -> String {
    let seconds = reading.local() - i64::from(reading.offset.unwrap_or_default());
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let nanos = reading.nanos() / unit * unit;
    let year = match year {
        0..=9999 => format!("{year:04}"),
        10_000.. => format!("+{year}"),
        _ => format!("-{:04}", -year),
    };
    format!(
        "{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{nanos:09}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// The same throws for the same seed, on every machine.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.throw() % count as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Alternatives, and values that are meant for them or nearly so.
    fn case(&mut self) -> Case {
        let count = self.of(&[1, 1, 1, 2, 2, 3]);
        let mut formats = Vec::new();
        let mut values = Vec::new();
        for _ in 0..count {
            match self.one_in(2) {
                true => {
                    let (name, example) = self.of(NAMED);
                    formats.push(name.to_string());
                    for _ in 0..VALUES / count {
                        values.push(self.changed(example));
                    }
                }
                false => {
                    let pattern = self.pattern();
                    for _ in 0..VALUES / count {
                        let value = self.written(&pattern);
                        values.push(if self.one_in(3) { self.changed(&value) } else { value });
                    }
                    formats.push(pattern);
                }
            }
        }
        for _ in 0..4 {
            let digits = 1 + self.below(15);
            values.push((0..digits).map(|_| char::from(b'0' + self.below(10) as u8)).collect());
        }
        Case::new(&formats.join("||"), values.into_iter())
    }

    fn pattern(&mut self) -> String {
        let dash = self.of(&["-", "/", ".", "", " ", "' of '"]);
        let wide = dash.is_empty();
        let year =
            self.of(if wide { &["yyyy", "uuuu"] } else { &["yyyy", "uuuu", "y", "u", "yy", "uu"] });
        let month = self.of(if wide { &["MM"] } else { &["MM", "M", "MMM"][..] });
        let day = self.of(if wide { &["dd"] } else { &["dd", "d"][..] });
        let date = match self.below(8) {
            0 => year.to_string(),
            1 => format!("{year}{dash}{month}"),
            2 => format!("{year}{dash}{}", if wide { "DDD" } else { self.of(&["D", "DD", "DDD"]) }),
            3 => format!("{day}{dash}{month}{dash}{year}"),
            4 => format!("{month}{dash}{day}"),
            5 => format!("EEE, {day}{dash}{month}{dash}{year}"),
            _ => format!("{year}{dash}{month}{dash}{day}"),
        };
        // An hour needs a day.
        if self.one_in(3) || date == year {
            return date;
        }
        let colon = self.of(&[":", "", "."]);
        let (hour, minute, second) = match colon.is_empty() {
            true => ("HH", "mm", "ss"),
            false => (self.of(&["HH", "H"]), self.of(&["mm", "m"]), self.of(&["ss", "s"])),
        };
        let time = match self.below(7) {
            0 => hour.to_string(),
            1 => format!("{hour}{colon}{minute}"),
            2 => format!("{hour}{colon}{minute}{colon}{second}.SSS"),
            3 => format!("{hour}{colon}{minute}[{colon}{second}[.SSSSSS]]"),
            4 => format!("hh{colon}{minute} a"),
            5 if !colon.is_empty() => format!("{hour}{colon}{minute}{colon}{second} n"),
            5 => "HHmmssSSSSSSSSS".to_string(),
            _ => format!("{hour}{colon}{minute}{colon}{second}"),
        };
        let zone = self.of(&["", "", "X", "XX", "XXX", "[XXXXX]", "x", "xxx", "Z", "ZZZZZ", "[Z]"]);
        let between = self.of(&["'T'", " ", "[' ']", "['T'][' ']"]);
        format!("{date}{between}{time}{zone}")
    }

    /// A text for a pattern; mostly one that it takes.
    fn written(&mut self, pattern: &str) -> String {
        let letters: Vec<char> = pattern.chars().collect();
        let mut text = String::new();
        let mut at = 0;
        let mut skipped: usize = 0;
        while at < letters.len() {
            let letter = letters[at];
            let count = letters[at..].iter().take_while(|other| **other == letter).count();
            match letter {
                '[' if skipped > 0 || self.one_in(2) => skipped += 1,
                ']' if skipped > 0 => skipped -= 1,
                '[' | ']' => {}
                _ if skipped > 0 => {}
                '\'' => {
                    let end = at + 1 + letters[at + 1..].iter().position(|l| *l == '\'').unwrap();
                    text.extend(&letters[at + 1..end]);
                    at = end + 1;
                    continue;
                }
                'a'..='z' | 'A'..='Z' => {
                    text += &self.part(letter, count);
                    at += count;
                    continue;
                }
                other => text.push(other),
            }
            at += 1;
        }
        text
    }

    fn part(&mut self, letter: char, count: usize) -> String {
        let number = |dice: &mut Dice, from: usize, to: usize| {
            // Now and then one too much.
            let more = if dice.one_in(9) { 3 } else { 1 };
            let value = from + dice.below(to - from + more);
            format!("{value:0count$}")
        };
        match letter {
            'y' | 'u' if count == 2 => number(self, 0, 99),
            'y' | 'u' => {
                let year = self.of(&[1970, 1999, 2000, 2023, 2024, 2100, 1900, 1, 0, 9999]);
                format!("{year:0count$}")
            }
            'M' if count == 3 => self.of(&["Jan", "Feb", "Sep", "Dec", "May", "Xyz"]).to_string(),
            'M' => number(self, 1, 12),
            'd' => number(self, 1, 31),
            'D' => number(self, 1, 366),
            'E' => self.of(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]).to_string(),
            'H' => number(self, 0, 23),
            'h' => number(self, 1, 12),
            'a' => self.of(&["AM", "PM"]).to_string(),
            'm' | 's' => number(self, 0, 59),
            'n' => format!("{:0count$}", self.below(1_000_000_000)),
            'S' => (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect(),
            _ => {
                let colon = if count == 3 || count == 5 { ":" } else { "" };
                let hours = self.below(19);
                let minutes = self.of(&["00", "30", "45"]);
                match self.below(6) {
                    0 => "Z".to_string(),
                    1 => format!("+{hours:02}"),
                    2 => format!("+00{colon}00"),
                    3 => format!("-{hours:02}{colon}{minutes}"),
                    _ => format!("+{hours:02}{colon}{minutes}"),
                }
            }
        }
    }

    fn changed(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..self.of(&[0, 1, 1, 2, 3]) {
            if letters.is_empty() {
                break;
            }
            let at = self.below(letters.len());
            match self.below(5) {
                0 => {
                    letters.remove(at);
                }
                1 => letters.insert(at, char::from(b'0' + self.below(10) as u8)),
                2 => letters.insert(at, self.of(&['-', '+', 'T', 'Z', ':', '.', ',', ' '])),
                3 => letters.truncate(at),
                _ if letters[at].is_ascii_digit() => {
                    letters[at] = char::from(b'0' + self.below(10) as u8);
                }
                _ => {}
            }
        }
        letters.into_iter().collect()
    }
}
