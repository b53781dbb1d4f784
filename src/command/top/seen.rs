//! What a run said of itself, read as leniently as it goes: versions differ, and whoever listens on a port
//! may be anybody. What is missing or has another type is not known; texts lose what a terminal would obey,
//! and lists have an end.

use serde_json::Value;

use crate::ledger::RunRow;
use crate::shown::Line;

const TEXT_CHARS_MAX: usize = 400;
const LIST_MAX: usize = 40;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSeen {
    pub pipeline_id: String,
    pub run_id: String,
    pub version: String,
    pub source: String,
    pub sink: String,
    pub state: String,
    pub outcome: Option<String>,
    pub sentence: Option<String>,
    pub is_final: bool,
    pub taken_at: f64,
    pub elapsed: Option<f64>,
    pub progress: Option<f64>,
    pub left: Option<f64>,
    pub rate: Option<f64>,
    pub rate_average: Option<f64>,
    pub records: RecordsSeen,
    pub rejected: Vec<(String, u64)>,
    pub bytes_read: Option<u64>,
    pub bytes_written: Option<u64>,
    pub stages: Vec<StageSeen>,
    pub limit: Option<(String, f64)>,
    pub queue: Option<(u64, u64)>,
    pub memory: Option<(u64, u64)>,
    /// Name, and p50, p95, p99.
    pub latencies: Vec<(&'static str, [Option<f64>; 3])>,
    pub errors: Vec<ErrorSeen>,
    pub retries: u64,
    pub earlier: Vec<EarlierSeen>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordsSeen {
    pub read: Option<u64>,
    pub processed: Option<u64>,
    pub inserted: Option<u64>,
    pub updated: Option<u64>,
    pub skipped: Option<u64>,
    pub failed: Option<u64>,
    pub residual: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageSeen {
    pub stage: String,
    pub threads: u64,
    pub busy_share: Option<f64>,
    /// What it waited for most, and the share of its time.
    pub waited: Option<(&'static str, f64)>,
    pub is_limit: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorSeen {
    pub stage: String,
    pub error_type: String,
    pub count: u64,
    pub last_at: Option<f64>,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct EarlierSeen {
    pub run_id: String,
    pub started_at: f64,
    pub duration: Option<f64>,
    pub outcome: Option<String>,
    pub written: Option<u64>,
    pub failed: Option<u64>,
}

impl RunSeen {
    /// None where it is not the document of a run.
    pub fn of(document: &Value) -> Option<RunSeen> {
        let at = |path: &str| document.pointer(path).filter(|value| !value.is_null());
        let text = |path: &str| at(path).and_then(shown);
        let real = |path: &str| at(path).and_then(real);
        let whole = |path: &str| at(path).and_then(Value::as_u64);
        at("/schema_version")?.as_u64()?;
        let elapsed = real("/elapsed_seconds");
        let pair = |one: &str, other: &str| Some((whole(one)?, whole(other)?));
        let latency = |stage: &'static str| {
            let quantile = |name: &str| real(&format!("/latency_seconds/{stage}/{name}"));
            (stage, [quantile("p50"), quantile("p95"), quantile("p99")])
        };
        let skipped = ["duplicate", "unchanged", "filtered"]
            .map(|why| whole(&format!("/records/skipped/{why}")))
            .into_iter()
            .flatten()
            .fold(None, |sum: Option<u64>, one| Some(sum.unwrap_or(0).saturating_add(one)));
        let share = real("/limit/busy_share").unwrap_or_default();
        Some(RunSeen {
            pipeline_id: text("/pipeline_id")?,
            run_id: text("/run_id")?,
            version: text("/version").unwrap_or_default(),
            source: text("/source/kind").unwrap_or_default(),
            sink: text("/sink/kind").unwrap_or_default(),
            state: text("/state")?,
            outcome: text("/outcome"),
            sentence: text("/sentence"),
            is_final: at("/is_final").and_then(Value::as_bool).unwrap_or(false),
            taken_at: real("/taken_at_seconds").unwrap_or_default(),
            elapsed,
            progress: real("/progress_ratio").map(|ratio| ratio.clamp(0.0, 1.0)),
            left: real("/eta_seconds"),
            rate: real("/records_per_second"),
            rate_average: real("/records_per_second_average"),
            records: RecordsSeen {
                read: whole("/records/read"),
                processed: whole("/records/processed"),
                inserted: whole("/records/inserted"),
                updated: whole("/records/updated"),
                skipped,
                failed: whole("/records/failed"),
                residual: whole("/records/residual"),
            },
            rejected: list(at("/rejected"), |one| {
                Some((shown(one.get("error_type")?)?, one.get("count")?.as_u64()?))
            }),
            bytes_read: whole("/bytes/read"),
            bytes_written: whole("/bytes/written"),
            stages: list(at("/stages"), |one| {
                StageSeen::of(one, elapsed, at("/limit/held_back_by"))
            }),
            // A pace that is kept says more than the stage that keeps it.
            limit: match (text("/limit/held_back_by"), real("/limit/held_back_share")) {
                (Some(wait), Some(share)) => Some((wait, share)),
                _ => text("/limit/stage").map(|stage| (stage, share)),
            },
            queue: pair("/queue/depth", "/queue/capacity"),
            memory: pair("/memory/used_bytes", "/memory/budget_bytes"),
            latencies: ["fetch", "insert", "batch"].map(latency).into(),
            errors: list(at("/errors"), ErrorSeen::of),
            retries: list(at("/retries"), |one| one.get("count")?.as_u64())
                .into_iter()
                .fold(0, u64::saturating_add),
            earlier: list(at("/ledger/runs"), EarlierSeen::of),
        })
    }

    /// What the ledger knows of a run that serves no metrics.
    pub fn of_row(row: &RunRow, now: f64) -> RunSeen {
        let count = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        let processed = count(row.processed());
        let elapsed = row.finished_at.unwrap_or(now) - row.started_at;
        let state = match row.outcome {
            Some(_) => "stopped",
            None => "running",
        };
        RunSeen {
            pipeline_id: Line(&row.pipeline_id).to_string(),
            run_id: Line(&row.run_id).to_string(),
            version: Line(&row.version).to_string(),
            source: Line(&row.source).to_string(),
            sink: Line(&row.sink).to_string(),
            state: state.to_string(),
            outcome: row.outcome.as_ref().map(|outcome| Line(outcome).to_string()),
            sentence: row.error.as_ref().map(|error| Line(error).to_string()),
            is_final: row.outcome.is_some(),
            taken_at: row.heartbeat_at,
            elapsed: Some(elapsed.max(0.0)),
            rate_average: processed
                .map(|processed| processed as f64 / row.duration_s.unwrap_or(elapsed).max(0.001)),
            records: RecordsSeen {
                read: count(row.read),
                processed,
                inserted: count(row.inserted),
                updated: count(row.updated),
                skipped: count(row.skipped()),
                failed: count(row.failed),
                residual: count(row.residual),
            },
            bytes_read: count(row.bytes_read),
            bytes_written: count(row.bytes_written),
            ..RunSeen::default()
        }
    }

    /// Everything that went wrong, rejected records among it.
    pub fn error_count(&self) -> u64 {
        self.errors.iter().fold(0, |sum, error| sum.saturating_add(error.count))
    }
}

impl StageSeen {
    fn of(one: &Value, elapsed: Option<f64>, held_back_by: Option<&Value>) -> Option<StageSeen> {
        let threads = one.get("threads").and_then(Value::as_u64).unwrap_or(0);
        let whole = elapsed.unwrap_or_default() * threads as f64;
        let is_limit = one.get("is_limit").and_then(Value::as_bool).unwrap_or(false);
        let waited = ["input", "output", "retry", "throttle", "lock"]
            .into_iter()
            .filter_map(|what| Some((what, real(one.get("wait_seconds")?.get(what)?)? / whole)))
            .filter(|(_, share)| share.is_finite() && *share >= 0.005)
            // What is the limit itself says more than that there is no work because of it.
            .max_by(|one, other| {
                let rank = |wait: &(&'static str, f64)| {
                    (is_limit && held_back_by.and_then(Value::as_str) == Some(wait.0), wait.1)
                };
                let (one, other) = (rank(one), rank(other));
                one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
            })
            .map(|(what, share)| (what, share.min(1.0)));
        Some(StageSeen {
            stage: shown(one.get("stage")?)?,
            threads,
            busy_share: one.get("busy_share").and_then(real).map(|share| share.clamp(0.0, 1.0)),
            waited,
            is_limit,
        })
    }
}

impl ErrorSeen {
    fn of(one: &Value) -> Option<ErrorSeen> {
        Some(ErrorSeen {
            stage: shown(one.get("stage")?)?,
            error_type: shown(one.get("error_type")?)?,
            count: one.get("count").and_then(Value::as_u64).unwrap_or(0),
            last_at: one.get("last_at_seconds").and_then(real),
            message: one.get("last_message").and_then(shown).unwrap_or_default(),
        })
    }
}

impl EarlierSeen {
    fn of(one: &Value) -> Option<EarlierSeen> {
        let count = |name: &str| one.get(name).and_then(Value::as_u64);
        Some(EarlierSeen {
            run_id: shown(one.get("run_id")?)?,
            started_at: real(one.get("started_at_seconds")?)?,
            duration: one.get("duration_seconds").and_then(real),
            outcome: one.get("outcome").and_then(shown),
            written: count("inserted")
                .map(|rows| rows.saturating_add(count("updated").unwrap_or(0))),
            failed: count("failed"),
        })
    }
}

fn list<T>(value: Option<&Value>, read: impl FnMut(&Value) -> Option<T>) -> Vec<T> {
    let all = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().take(LIST_MAX).filter_map(read).collect()
}

fn shown(value: &Value) -> Option<String> {
    let text: String = value.as_str()?.chars().take(TEXT_CHARS_MAX).collect();
    Some(Line(text).to_string())
}

/// No time and no rate is below zero.
fn real(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_or_strange_is_not_known() {
        assert_eq!(RunSeen::of(&json!({})), None);
        assert_eq!(RunSeen::of(&json!([1, 2])), None);
        assert_eq!(RunSeen::of(&json!({ "status": "ok" })), None);
        let least =
            json!({ "schema_version": 9, "pipeline_id": "p", "run_id": "r", "state": "running" });
        let seen = RunSeen::of(&least).unwrap();
        assert_eq!((seen.progress, seen.records.read, seen.error_count()), (None, None, 0));
        let mut strange = least.clone();
        strange["progress_ratio"] = json!("half");
        strange["eta_seconds"] = json!(-3);
        strange["records"] = json!({ "read": -1, "processed": 1e30, "failed": [] });
        strange["stages"] = json!([null, { "stage": 3 }, { "stage": "fetch", "wait_seconds": 1 }]);
        strange["errors"] = json!({ "count": 1 });
        strange["pipeline_id"] = json!("a\u{1b}[31m\nb");
        let seen = RunSeen::of(&strange).unwrap();
        assert_eq!((seen.progress, seen.left, seen.records.read), (None, None, None));
        assert_eq!((seen.stages.len(), seen.pipeline_id.as_str()), (1, "a\\x1b[31m\\nb"));
    }

    proptest! {
        #[test]
        fn no_text_of_a_stranger_reaches_a_terminal_as_it_is(text in any::<String>(), count in any::<u64>()) {
            let error = json!({ "stage": text, "error_type": text, "count": count, "last_message": text });
            let document = json!({
                "schema_version": 1, "pipeline_id": text, "run_id": text, "state": text,
                "sentence": text, "errors": [error, error], "limit": { "stage": text },
            });
            let seen = RunSeen::of(&document).unwrap();
            let all = [&seen.pipeline_id, &seen.state, &seen.errors[0].message, &seen.errors[1].stage];
            prop_assert!(all.iter().all(|text| !text.chars().any(crate::shown::is_obeyed)));
            seen.error_count();
        }
    }
}
