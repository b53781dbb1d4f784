//! Runs on a disk that fails at random: a write, an fsync, a rename, the removal of a file. The exit
//! code tells the truth, what is published is whole, and nothing else is touched or left behind.
//!
//! A case follows from one number. `FLOWGAUGE_SOAK_SEED` begins with that one, `FLOWGAUGE_SOAK_SECONDS`
//! says how long.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::chance::Chance;
use crate::support::faulty_disk::{Failed, FaultyDisk};
use crate::support::{Finished, Workdir, needs, workdir};

/// So many cases without a word about the time.
const CASES: u64 = 80;
const SEED: u64 = 9_000_000;

/// A summary of the run before.
const BEFORE: &str = r#"{"pipeline_id":"default","run_id":"before","outcome":"complete","exit_code":0,"records":{}}"#;

#[test]
fn soak_of_a_failing_disk() {
    let disk = FaultyDisk::new(&needs!("cc"));
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("FLOWGAUGE_SOAK_SEED").unwrap_or(SEED);
    let seconds = number("FLOWGAUGE_SOAK_SECONDS");
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut hit = 0;
    for count in 0.. {
        if end.map_or(count >= CASES, |end| Instant::now() >= end) {
            println!("{count} cases, of which {hit} met a failure");
            break;
        }
        let case = Case::new(seed.wrapping_add(count));
        hit += u64::from(case.run(&disk, workdir!()));
    }
    assert_ne!(hit, 0, "the disk did not fail");
}

struct Case {
    seed: u64,
    /// Of each record, whether it is one.
    rows: Vec<bool>,
    is_csv: bool,
    /// Where its rows are public as they are written.
    is_to_stdout: bool,
    old: Option<&'static str>,
    /// By name, or else in the state directory.
    has_rejects: bool,
    has_summary: bool,
    /// Somebody's files at places of the run's own.
    foreign: Vec<&'static str>,
    args: String,
    faults: String,
}

impl Case {
    fn new(seed: u64) -> Case {
        let mut chance = Chance::new(seed);
        let count = chance.pick(&[0, 1, 40, 700, 3_000]);
        let bad = chance.pick(&[0, 3, 50]);
        let calls = ["write", "fsync", "rename", "unlink", "truncate", "create"];
        let mut faults: Vec<String> = Vec::new();
        for call in calls {
            if !chance.percent(35) {
                continue;
            }
            let ways: &[&str] = if call == "write" {
                &["once", "ever", "half", "torn", "slow"]
            } else {
                &["once", "ever", "slow"]
            };
            // Most calls are those of the summary at the start, and of locks.
            let number = chance.within(1, if call == "write" { 40 } else { 16 });
            faults.push(format!("{call}:{number}:{}", chance.pick(ways)));
        }
        let mut foreign = Vec::new();
        for name in [".out.part", ".out.1.part", ".bad.part", ".summary.json.part", ".out.2.part"] {
            if chance.percent(15) {
                foreign.push(name);
            }
        }
        Case {
            seed,
            rows: (0..count).map(|_| !chance.percent(bad)).collect(),
            is_csv: chance.percent(30),
            is_to_stdout: chance.percent(25),
            old: chance.pick(&[None, Some("old\n")]),
            has_rejects: chance.percent(60),
            has_summary: chance.percent(60),
            foreign,
            args: format!(
                "--batch-bytes {} --workers {}",
                chance.pick(&[64, 1024, 16_384, 262_144]),
                chance.within(1, 3)
            ),
            faults: faults.join(","),
        }
    }

    /// Whether anything failed.
    fn run(&self, disk: &FaultyDisk, workdir: Workdir) -> bool {
        workdir.write("in.csv", self.input());
        if let Some(old) = self.old {
            workdir.write("out", old);
        }
        if self.has_summary {
            workdir.write("summary.json", BEFORE);
        }
        let precious = workdir.write("precious", "precious\n");
        for name in &self.foreign {
            fs::hard_link(&precious, workdir.path(name)).unwrap();
        }
        let before = fs::metadata(&precious).unwrap();
        let out = if self.is_to_stdout { "-" } else { "out" };
        let mut args = format!(
            "--csv-file in.csv --output-file {out} --max-errors 100% --allow-empty-output {}",
            self.args
        );
        args += if self.is_csv { " --output-format csv" } else { " --output-format jsonl" };
        args += if self.has_rejects { " --rejects bad" } else { "" };
        args += if self.has_summary { " --summary-json summary.json" } else { "" };
        let program = workdir.flowgauge().args(args.split(' '));
        let finished = disk.put_under(program, &workdir, &self.faults).run();
        let failed = disk.failed();
        if let Err(why) = self.judge(&workdir, &finished, &failed) {
            panic!(
                "seed {}, faults {}: {why}\n{} rows, failed: {failed:?}\nleft: {:?}\n{finished}",
                self.seed,
                self.faults,
                self.rows.len(),
                workdir.names()
            );
        }
        let after = fs::metadata(&precious).unwrap();
        let identity = |found: &fs::Metadata| (found.ino(), found.mtime_nsec(), found.nlink());
        assert_eq!(identity(&before), identity(&after), "seed {}: {finished}", self.seed);
        !failed.is_empty()
    }

    fn input(&self) -> String {
        let row = |(row, is_good): (usize, &bool)| match is_good {
            true => format!("{row},x{row}\n"),
            false => format!("bad{row}\n"),
        };
        ["a,b\n".to_string()].into_iter().chain(self.rows.iter().enumerate().map(row)).collect()
    }

    fn output(&self) -> String {
        let good = self.rows.iter().enumerate().filter(|(_, is_good)| **is_good);
        let row = |row: usize| match self.is_csv {
            true => format!("{row},x{row}\n"),
            false => format!("{{\"a\":\"{row}\",\"b\":\"x{row}\"}}\n"),
        };
        let header = if self.is_csv { "a,b\n" } else { "" };
        [header.to_string()].into_iter().chain(good.map(|(number, _)| row(number))).collect()
    }

    fn rejected(&self) -> Vec<String> {
        let bad = self.rows.iter().enumerate().filter(|(_, is_good)| !**is_good);
        bad.map(|(row, _)| format!("bad{row}")).collect()
    }

    fn judge(&self, workdir: &Workdir, run: &Finished, failed: &[Failed]) -> Result<(), String> {
        let is_complete = match run.code() {
            Some(0) => true,
            Some(5) => false,
            _ => return Err("neither complete nor a failure of the disk".to_string()),
        };
        if !is_complete && failed.is_empty() {
            return Err("nothing failed".to_string());
        }
        let of_data = |failed: &&Failed| {
            let name = failed.path.rsplit('/').next().unwrap_or_default();
            let is_data = ["out", "bad", "default-"].iter().any(|data| name.contains(data));
            failed.call != "unlink" && is_data
        };
        if is_complete && let Some(failed) = failed.iter().find(of_data) {
            return Err(format!("complete, although {failed:?}"));
        }
        let names = workdir.names();
        let published = names.contains(&"out".to_string()).then(|| workdir.read("out"));
        let has_old = published.as_deref() == self.old;
        let is_new = match self.is_to_stdout {
            true => run.stdout == self.output(),
            false => published.as_ref() == Some(&self.output()),
        };
        if is_complete && !is_new {
            return Err("the output is not what it should be".to_string());
        }
        if (self.is_to_stdout || !is_new) && !has_old {
            return Err("the output is neither the old nor the new one".to_string());
        }
        if self.is_to_stdout && !self.output().starts_with(&run.stdout) {
            return Err("standard output is not the first rows".to_string());
        }
        self.judge_rejects(workdir, &names, is_complete || is_new && !self.is_to_stdout)?;
        self.judge_summary(workdir, &names, is_complete, failed)?;
        let is_hidden = |name: &&String| name.ends_with(".part") || name.ends_with(".lock");
        let mut left =
            names.iter().filter(is_hidden).filter(|name| !self.foreign.contains(&&***name));
        if let Some(left) = left.next()
            && !failed.iter().any(|failed| failed.call == "unlink")
        {
            return Err(format!("'{left}' was left behind"));
        }
        Ok(())
    }

    /// All where the output is published; else some of the first ones. Always whole lines.
    fn judge_rejects(
        &self,
        workdir: &Workdir,
        names: &[String],
        is_all: bool,
    ) -> Result<(), String> {
        let is_rejects = |name: &&String| *name == "bad" || name.ends_with(".jsonl");
        let expected = self.rejected();
        let Some(name) = names.iter().find(is_rejects) else {
            let is_missing = is_all && (self.has_rejects || !expected.is_empty());
            return if is_missing { Err("there are no rejects".to_string()) } else { Ok(()) };
        };
        let text = workdir.read(name);
        let mut raw = Vec::new();
        for line in text.split_inclusive('\n') {
            let record: Value =
                serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            raw.push(record["raw"].as_str().unwrap_or_default().to_string());
        }
        if raw != expected[..raw.len().min(expected.len())]
            || !(text.is_empty() || text.ends_with('\n'))
        {
            return Err("the rejects are not the first ones".to_string());
        }
        if is_all && raw.len() != expected.len() {
            return Err(format!("{} of {} rejects", raw.len(), expected.len()));
        }
        Ok(())
    }

    fn judge_summary(
        &self,
        workdir: &Workdir,
        names: &[String],
        is_complete: bool,
        failed: &[Failed],
    ) -> Result<(), String> {
        if !self.has_summary {
            return Ok(());
        }
        if !names.contains(&"summary.json".to_string()) {
            return Err("the summary is gone".to_string());
        }
        let summary: Value = serde_json::from_str(&workdir.read("summary.json"))
            .map_err(|error| format!("the summary: {error}"))?;
        let told = [&summary["run_id"], &summary["exit_code"], &summary["final"]];
        let is_right = match is_complete {
            true => told[0] != "before" && *told[1] == 0 && *told[2] == true,
            false => told[0] != "before" && *told[1] == 5 && *told[2] == true,
        };
        // What it could not be told may have been of the summary itself.
        let may_be_wrong = !is_complete && !failed.is_empty();
        let touched = failed.iter().any(|failed| {
            failed.path.contains("summary") || failed.call == "fsync" || failed.call == "unlink"
        });
        match is_right || (may_be_wrong && touched) {
            true => Ok(()),
            false => Err(format!("the summary is wrong: {told:?}")),
        }
    }
}
