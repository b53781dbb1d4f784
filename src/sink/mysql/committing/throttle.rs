//! Asks the user's query whether the server wants to be left alone.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use mysql_async::{Row, Value};

use crate::error::{Error, Result};
use crate::record::Place;
use crate::sink::mysql::session::Session;

/// Shared by all lanes, so that more of them do not ask more often.
#[derive(Debug)]
pub struct Throttle {
    query: String,
    every: Duration,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Throttle {
    pub fn new(query: String, every: Duration) -> Throttle {
        Throttle { query, every, last: Mutex::new(None) }
    }

    /// The answer, as long as it is fresh.
    pub fn fresh(&self) -> Option<bool> {
        let (asked, is_held_back) = (*self.last.lock().expect(NO_PANIC))?;
        (asked.elapsed() < self.every).then_some(is_held_back)
    }

    pub async fn ask(&self, session: &mut Session) -> Result<bool> {
        let rows = session.rows::<Row>(&self.query).await;
        let rows = rows.map_err(|trouble| {
            Error::from(trouble).at(Place::split("--throttle-query")).help(HELP)
        })?;
        let is_held_back = rows.first().is_some_and(|row| is_true(row.as_ref(0)));
        *self.last.lock().expect(NO_PANIC) = Some((Instant::now(), is_held_back));
        Ok(is_held_back)
    }
}

const HELP: &str = "check the query, which is asked on the connection that writes";

const NO_PANIC: &str = "nobody panics while holding the last answer";

/// As the server would see it in a WHERE.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bytes(text)) => std::str::from_utf8(text)
            .is_ok_and(|text| text.trim().parse().is_ok_and(|number: f64| number != 0.0)),
        Some(Value::Int(number)) => *number != 0,
        Some(Value::UInt(number)) => *number != 0,
        Some(Value::Float(number)) => *number != 0.0,
        Some(Value::Double(number)) => *number != 0.0,
        Some(Value::NULL | Value::Date(..) | Value::Time(..)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_zero_is_true() {
        for (text, expected) in
            [("1", true), ("0", false), ("0.0", false), ("-0.5", true), ("", false), ("x", false)]
        {
            assert_eq!(is_true(Some(&Value::from(text))), expected, "{text:?}");
        }
        assert!(!is_true(Some(&Value::NULL)) && !is_true(None) && is_true(Some(&Value::Int(-1))));
    }
}
