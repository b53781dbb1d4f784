use std::io;
use std::time::Duration;

use mysql_async::{DriverError, IoError, LocalInfileError, ServerError, TlsError};

use super::*;

fn answer(code: u16, state: &str, message: &str) -> mysql_async::Error {
    let (message, state) = (message.to_string(), state.to_string());
    mysql_async::Error::Server(ServerError { code, message, state })
}

fn name(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Row(_) => "row",
        Trouble::Deadlock(_) => "deadlock",
        Trouble::LockTimeout(_) => "lock timeout",
        Trouble::Slow(_) => "slow",
        Trouble::TooLarge(_) => "too large",
        Trouble::NoLocalInfile(_) => "no local infile",
        Trouble::Altered(_) => "altered",
        Trouble::ReadOnly(_) => "read only",
        Trouble::Retry(_) => "retry",
        Trouble::Lost(_) => "lost",
        Trouble::Stop(_) => "stop",
    }
}

#[track_caller]
fn check(failure: mysql_async::Error, during: During, expected: &str, kind: Kind) {
    let trouble = classify(&failure, during, "h:1");
    assert_eq!(name(&trouble), expected, "{failure}");
    let error = Error::from(trouble);
    assert_eq!(error.kind, kind, "{failure}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[track_caller]
fn check_code(code: u16, expected: &str, kind: Kind) {
    check(answer(code, "HY000", "'hunter2'"), During::Statement, expected, kind);
}

#[test]
fn numbers_of_servers() {
    use Kind::{Config, Data, Internal, Overloaded, Unavailable};
    for (codes, expected, kind) in [
        (&[1213, 1020, 1206, 1614, 3101][..], "deadlock", Unavailable),
        (&[1205, 1689, 3572], "lock timeout", Unavailable),
        (&[3024, 1969, 1317, 1038], "slow", Unavailable),
        (&[1153], "too large", Unavailable),
        (&[1148, 3948, 4166], "no local infile", Config),
        (&[1412, 1615], "altered", Unavailable),
        (&[1290, 1836, 1792, 1207, 1874], "read only", Unavailable),
        (&[1040, 1203, 1226, 1461, 1637], "retry", Overloaded),
        (&[1114, 1021, 1030, 1047, 1878], "retry", Unavailable),
        (
            &[1053, 1077, 1079, 1152, 1158, 1161, 1184, 4031, 1927, 2006, 2013, 2055],
            "lost",
            Unavailable,
        ),
        (&[1048, 1364, 1406, 1264, 1265, 1292, 1366, 1300, 1367, 1411, 1062, 1263], "row", Data),
        (&[3140, 4025, 1451, 1452, 1526, 3819, 1644, 1118], "row", Data),
        (&[1044, 1045, 1142, 1143, 1049, 1146, 1054, 1136, 1064, 1117, 1129], "stop", Config),
        (&[1059, 1060, 1101, 9999], "stop", Config),
        (&[1261, 1262], "stop", Internal),
    ] {
        for code in codes {
            check_code(*code, expected, kind);
        }
    }
}

#[test]
fn what_is_in_no_table_goes_by_its_class() {
    for (state, expected, kind) in [
        ("22001", "row", Kind::Data),
        ("23000", "row", Kind::Data),
        ("40001", "deadlock", Kind::Unavailable),
        ("08S01", "lost", Kind::Unavailable),
        ("28000", "stop", Kind::Config),
        ("", "stop", Kind::Config),
    ] {
        check(answer(9999, state, "hunter2"), During::Statement, expected, kind);
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_unknown() {
    let broken = || mysql_async::Error::from(io::Error::from(io::ErrorKind::ConnectionReset));
    check(broken(), During::Statement, "lost", Kind::Unavailable);
    check(broken(), During::Commit, "lost", Kind::Unknown);
    check(broken(), During::Connect, "retry", Kind::Unavailable);
    check(DriverError::ConnectionClosed.into(), During::Commit, "lost", Kind::Unknown);
    for code in [1180, 1317, 2013, 3100, 9999, 1030] {
        check(answer(code, "HY000", ""), During::Commit, "lost", Kind::Unknown);
    }
    // The server says that nothing was taken.
    check(answer(1213, "40001", ""), During::Commit, "deadlock", Kind::Unavailable);
    check(answer(1452, "23000", ""), During::Commit, "row", Kind::Data);

    let galera = "Maximum writeset size exceeded";
    check(answer(1105, "HY000", galera), During::Commit, "stop", Kind::Config);
    check(answer(1105, "HY000", ""), During::Commit, "lost", Kind::Unknown);

    let late = |during| Error::from(timed_out(during, "h:1", Duration::from_secs(2)));
    assert_eq!(late(During::Commit).kind, Kind::Unknown);
    assert_eq!(
        late(During::Statement).to_string(),
        "mysql server h:1: no answer within 2 s; look at the server, or raise --db-timeout"
    );
}

#[test]
fn connecting() {
    use During::Connect;
    check(answer(1040, "08004", ""), Connect, "retry", Kind::Overloaded);
    check(answer(1045, "28000", "hunter2"), Connect, "stop", Kind::Config);
    check(answer(1053, "08S01", ""), Connect, "retry", Kind::Unavailable);
    check(DriverError::NoClientSslFlagFromServer.into(), Connect, "stop", Kind::Config);
    check(
        DriverError::UnknownAuthPlugin { name: "x".into() }.into(),
        Connect,
        "stop",
        Kind::Config,
    );
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    check(denied.into(), Connect, "stop", Kind::Config);

    let bad = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    check(IoError::Tls(TlsError::Tls(bad.clone())).into(), Connect, "stop", Kind::Config);
    // This is how the failure of a handshake arrives.
    let wrapped = io::Error::new(io::ErrorKind::InvalidData, bad);
    check(wrapped.into(), Connect, "stop", Kind::Config);
}

#[test]
fn a_server_that_asks_for_a_file_does_not_get_one() {
    let asked = LocalInfileError::NoHandler.into();
    check(asked, During::Statement, "stop", Kind::Config);
}

#[test]
fn a_row_is_named_without_what_is_in_it() {
    let message = "Incorrect integer value: 'hunter2' for column 'n' at row 3";
    let Trouble::Row(row) = classify(&answer(1366, "HY000", message), During::Statement, "h:1")
    else {
        panic!("a row");
    };
    assert_eq!((row.row, row.column.as_deref(), row.code), (Some(3), Some("n"), 1366));
    let message = "Duplicate entry 'hunter2' for key 't.PRIMARY'";
    let Trouble::Row(row) = classify(&answer(1062, "23000", message), During::Statement, "h:1")
    else {
        panic!("a row");
    };
    assert_eq!(
        row.reason,
        "a row with the same key is there already: 't.PRIMARY' (mysql error 1062)"
    );
    assert_eq!(row.error_type, ErrorType::DuplicateKey);
}
