//! A run whose settings cannot be understood, told in its summary where the name of that is known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::bounded::bounded;
use super::text_files::found;
use super::{complain, summary};
use crate::config::{PIPELINE_ID, WrittenOptions, is_named_after_pipeline};
use crate::event::Vitals;
use crate::observe::Stats;
use crate::outcome::Outcome;
use crate::part::is_same_place;
use crate::report::{OutputKind, Report};
use crate::secret::by_name;
use crate::signals;

/// Options whose files may be read, or be somebody's.
const FILES: [&str; 6] = ["csv-file", "jsonl-file", "output-file", "rejects", "ledger", "config"];

/// Of a disk, once a signal has come.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// What is known of such a run.
pub struct RefusedRun {
    summary: PathBuf,
    pipeline_id: String,
    /// What its other files may be.
    others: Vec<PathBuf>,
}

impl RefusedRun {
    /// Of settings that do not go together.
    pub fn of_settings(written: &WrittenOptions, pipeline: Option<&str>) -> Option<RefusedRun> {
        let text = |name| written.get(name)?.values.last().map(String::as_str);
        if written.unknown.contains(&summary::FLAG) {
            return None;
        }
        let summary = text(summary::FLAG)?;
        let named = FILES.iter().filter_map(|name| written.get(name)).flat_map(|text| &text.values);
        let named: Vec<String> = named.cloned().collect();
        let mut others = found(&named);
        others.extend(named.into_iter().map(PathBuf::from).chain(written.files.iter().cloned()));
        let pipeline_id = text("pipeline-id").or(pipeline).unwrap_or(PIPELINE_ID);
        Some(RefusedRun { summary: summary.into(), pipeline_id: pipeline_id.into(), others })
    }

    /// Of a command line that cannot be understood, with what the environment says.
    pub fn of_words(words: &[String], environment: &WrittenOptions) -> Option<RefusedRun> {
        let name = |word: &str| word.strip_prefix("--").map(|name| name.replace('_', "-"));
        let mut refusal = RefusedRun::of_settings(environment, None);
        for (index, word) in words.iter().enumerate() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (word.as_str(), words.get(index + 1).map(String::as_str)),
            };
            if name(option).as_deref() == Some(summary::FLAG) {
                let (summary, pipeline_id) = (value?.into(), PIPELINE_ID.to_string());
                if is_named_after_pipeline(value?) {
                    return None;
                }
                refusal = Some(RefusedRun { summary, pipeline_id, others: Vec::new() });
            }
        }
        let mut refusal = refusal?;
        // Any other word may be the name of a file.
        let values = words.iter().flat_map(|word| word.split(['=', ',']));
        let mut values: Vec<String> = values.map(String::from).collect();
        if let Some(itself) = values.iter().position(|value| Path::new(value) == refusal.summary) {
            values.swap_remove(itself);
        }
        refusal.others.extend(found(&values));
        refusal.others.extend(values.into_iter().map(PathBuf::from));
        Some(refusal)
    }

    /// A signal that comes while settings are still being read, from a pipe perhaps, ends the process;
    /// the summary of the run before does not stay for this one.
    pub fn tell_when_stopped(self) {
        signals::before_a_run(|signal| {
            let tell = move || {
                let error = format!("{}: stopped before the run began", signal.name());
                self.tell(Outcome::Interrupted(signal), error);
            };
            // It has to end in any case.
            let _ = bounded("summary", tell, |took| (took > LEAVE_MAX).then_some("took too long"));
        });
    }

    pub fn tell(self, outcome: Outcome, error: String) {
        let error = by_name(&error);
        let RefusedRun { summary, pipeline_id, others } = self;
        let is_file = ![Path::new(""), Path::new("-")].contains(&summary.as_path());
        if !is_file || others.iter().any(|other| is_same_place(other, &summary)) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let report = Report {
            pipeline_id,
            run_id: uuid::Uuid::now_v7().to_string(),
            started_at_seconds: now.as_secs_f64(),
            ended_at_seconds: Some(now.as_secs_f64()),
            outcome,
            error: Some(error),
            published: None,
            source: "",
            sink: "",
            output: OutputKind::File,
            rejects: None,
            rejects_lost: 0,
            restore: None,
            unclear: 0,
            log_lines_dropped: 0,
            has_idle_cores: false,
            reads_pipe: false,
            reports: Vec::new(),
            requires_reports: false,
            requires_ledger: false,
            run: Stats::new(Arc::new(Vitals::default())).numbers(),
        };
        if let Err(error) = summary::refused(&report, &summary) {
            complain(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_found_in_a_line_that_makes_no_sense() {
        for (line, summary, other) in [
            ("--csv-flie a --summary-json s", Some("s"), "a"),
            ("--csv-file=a,b --summary_json=s --x", Some("s"), "b"),
            ("--csv-file s --summary-json s", Some("s"), "s"),
            ("--csv-file a --summary-json", None, ""),
            ("--csv-file a", None, ""),
        ] {
            let words: Vec<_> = line.split(' ').map(String::from).collect();
            let refusal = RefusedRun::of_words(&words, &WrittenOptions::default());
            let found = refusal.as_ref().map(|refusal| refusal.summary.as_path());
            assert_eq!(found, summary.map(Path::new), "{line}");
            let is_known = |refusal: RefusedRun| refusal.others.contains(&PathBuf::from(other));
            assert!(refusal.is_none_or(is_known), "{line}");
        }
    }
}
