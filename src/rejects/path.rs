//! The name that `--rejects` gives, in which `{run}` and `{date}` make a file of each run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::part::directory;

const RUN: &str = "{run}";
const DATE: &str = "{date}";

/// Of `2026-11-26`.
const DATE_BYTES: usize = 10;
/// Of a run's id.
const RUN_BYTES: usize = 36;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectPath {
    /// As it was named.
    named: String,
    path: PathBuf,
}

impl RejectPath {
    /// `date` is the day on which the run begins, by UTC.
    pub fn of_run(named: &str, run_id: &str, date: &str) -> RejectPath {
        let path = named.replace(RUN, run_id).replace(DATE, date).into();
        RejectPath { named: named.to_string(), path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether runs have names of their own.
    pub fn is_of_each_run(&self) -> bool {
        [RUN, DATE].iter().any(|mark| self.named.contains(mark))
    }

    /// What is there of other runs.
    pub fn of_runs_before(&self) -> Vec<PathBuf> {
        if !self.is_of_each_run() {
            return Vec::new();
        }
        let entries = fs::read_dir(directory(&self.path)).into_iter().flatten().flatten();
        let names =
            entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| self.fits(name)));
        names.map(|entry| entry.path()).collect()
    }

    /// Whether a file beside this one has a name that some run would give it.
    pub fn fits(&self, name: &str) -> bool {
        let named = Path::new(&self.named).file_name().and_then(|name| name.to_str());
        named.is_some_and(|named| {
            [RUN, DATE].iter().any(|mark| named.contains(mark)) && fits(named, name)
        })
    }
}

fn fits(named: &str, name: &str) -> bool {
    let marks = [(RUN, RUN_BYTES), (DATE, DATE_BYTES)];
    let first = marks.iter().filter_map(|(mark, bytes)| Some((named.find(mark)?, mark, bytes)));
    let Some((at, mark, bytes)) = first.min_by_key(|(at, ..)| *at) else { return named == name };
    let Some(rest) = name.strip_prefix(&named[..at]) else { return false };
    let Some((value, rest)) = rest.split_at_checked(*bytes) else { return false };
    let is_value = match *mark {
        RUN => uuid::Uuid::try_parse(value).is_ok(),
        _ => is_date(value),
    };
    is_value && fits(&named[at + mark.len()..], rest)
}

fn is_date(text: &str) -> bool {
    let is_in_place = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == DATE_BYTES && text.bytes().enumerate().all(is_in_place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN_ID: &str = "0190f5e0-1c2d-7abc-8def-0123456789ab";

    #[test]
    fn a_run_has_a_name_of_its_own_that_is_known_again() {
        for (named, expected) in [
            ("bad.jsonl", "bad.jsonl"),
            ("a/bad-{run}.jsonl", "a/bad-0190f5e0-1c2d-7abc-8def-0123456789ab.jsonl"),
            ("{date}{run}", "2026-11-260190f5e0-1c2d-7abc-8def-0123456789ab"),
            ("{date}/bad", "2026-11-26/bad"),
        ] {
            let path = RejectPath::of_run(named, RUN_ID, "2026-11-26");
            assert_eq!(path.path(), Path::new(expected));
            assert_eq!(path.is_of_each_run(), named.contains('{'));
            let name = path.path().file_name().unwrap().to_str().unwrap();
            assert_eq!(path.fits(name), !named.ends_with("bad") && named.contains('{'), "{named}");
        }
    }

    #[test]
    fn other_names_do_not_fit() {
        let path = RejectPath::of_run("bad-{date}.jsonl", RUN_ID, "2026-11-26");
        for (name, fits) in [
            ("bad-2025-01-31.jsonl", true),
            ("bad-2025-1-31.jsonl", false),
            ("bad-2025-01-31.json", false),
            ("bad-é.jsonl", false),
            ("bad-", false),
            ("", false),
        ] {
            assert_eq!(path.fits(name), fits, "{name}");
        }
    }
}
