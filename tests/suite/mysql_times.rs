//! Columns of days and times: every way a time may be written, and what becomes of offsets, zones and
//! fractions.

use super::mysql_values::{Check, RANGE, TYPE};
use crate::support::{Server, on_both};

on_both! {
    needs!("mariadb"),
    needs!("mysql"),
    needs!("mariadb11");
    dates_and_times_of_day
    datetimes
    timestamps
    years
}

fn dates_and_times_of_day(server: &Server) {
    let check = Check::on(server);
    check.csv(
        "DATE",
        &[
            ("2020-02-29", Ok("2020-02-29")),
            ("1000-01-01", Ok("1000-01-01")),
            ("9999-12-31", Ok("9999-12-31")),
            ("2019-02-29", RANGE),
            ("2020-13-01", RANGE),
            ("0000-00-00", RANGE),
            ("2020-01-00", RANGE),
            ("31/12/2020", TYPE),
            ("20200101", TYPE),
            ("2020-01-01T00:00:00Z", Ok("2020-01-01")),
            ("2020-01-01 10:00:00", RANGE),
            ("", Ok("NULL")),
        ],
    );
    Check { args: "--fraction truncate", ..check }
        .csv("DATE", &[("2020-01-01 10:00:00", Ok("2020-01-01"))]);
    check.csv(
        "TIME(3)",
        &[
            ("23:59:59.999", Ok("23:59:59.999")),
            ("-838:59:59", Ok("-838:59:59.000")),
            ("838:59:59.000", Ok("838:59:59.000")),
            ("839:00:00", RANGE),
            ("1:02:03", Ok("01:02:03.000")),
            ("00:00:00.0001", RANGE),
            ("10", TYPE),
            ("25:61:00", TYPE),
        ],
    );
}

fn datetimes(server: &Server) {
    let check = Check::on(server);
    check.csv(
        "DATETIME",
        &[
            ("2020-01-01T10:00:00Z", Ok("2020-01-01 10:00:00")),
            ("2020-01-01T10:00:00+02:00", Ok("2020-01-01 08:00:00")),
            ("2020-01-01 10:00:00", Ok("2020-01-01 10:00:00")),
            ("2020-01-01T10:00:00.000Z", Ok("2020-01-01 10:00:00")),
            ("2020-01-01T10:00:00.001Z", RANGE),
            ("2020-02-30 00:00:00", RANGE),
            ("0000-00-00 00:00:00", RANGE),
            ("9999-12-31 23:59:59", Ok("9999-12-31 23:59:59")),
            ("2020-01-01", Ok("2020-01-01 00:00:00")),
            ("2020-01-01 24:00:00", TYPE),
            ("yesterday", TYPE),
        ],
    );
    for digits in 1..=6_usize {
        let fraction = &"123456"[..digits];
        let value = format!("2020-01-01 10:00:00.{fraction}");
        let finer = format!("{value}1");
        let longer = format!("{value}000");
        check.csv(
            &format!("DATETIME({digits})"),
            &[(&value, Ok(&value)), (&longer, Ok(&value)), (&finer, RANGE)],
        );
    }
    let nines = "2020-12-31T23:59:59.9999999Z";
    let with = |args| Check { args, ..Check::on(server) };
    with("--fraction truncate").csv("DATETIME(6)", &[(nines, Ok("2020-12-31 23:59:59.999999"))]);
    with("--fraction round").csv("DATETIME(6)", &[(nines, Ok("2021-01-01 00:00:00.000000"))]);
    with("--db-datetime-zone Europe/Berlin").csv(
        "DATETIME",
        &[
            ("2020-07-01T10:00:00Z", Ok("2020-07-01 12:00:00")),
            ("2020-01-01T10:00:00Z", Ok("2020-01-01 11:00:00")),
            ("2020-07-01 10:00:00", Ok("2020-07-01 10:00:00")),
        ],
    );
}

fn timestamps(server: &Server) {
    let check = Check::on(server);
    check.csv(
        "TIMESTAMP(6) NULL",
        &[
            ("1970-01-01T00:00:01Z", Ok("1970-01-01 00:00:01.000000")),
            ("1970-01-01T00:00:00Z", RANGE),
            ("2038-01-19T03:14:07Z", Ok("2038-01-19 03:14:07.000000")),
            ("2107-01-01T00:00:00Z", RANGE),
            ("2020-01-01T10:00:00.123456+02:00", Ok("2020-01-01 08:00:00.123456")),
            ("2020-01-01 10:00:00", TYPE),
            ("", Ok("NULL")),
        ],
    );
    Check { args: "--source-zone Europe/Berlin", ..check }.csv(
        "TIMESTAMP NULL",
        &[
            ("2020-07-01 10:00:00", Ok("2020-07-01 08:00:00")),
            ("2020-07-01T10:00:00Z", Ok("2020-07-01 10:00:00")),
            ("2020-03-29 02:30:00", RANGE),
            ("2020-10-25 02:30:00", RANGE),
        ],
    );
}

fn years(server: &Server) {
    Check::on(server).csv(
        "YEAR",
        &[
            ("1901", Ok("1901")),
            ("2155", Ok("2155")),
            ("1900", RANGE),
            ("2156", RANGE),
            ("99", RANGE),
            ("0", RANGE),
            ("x", TYPE),
        ],
    );
}
