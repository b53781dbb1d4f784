//! Says which lines and branches of `src` the tests ran, from what instrumented programs wrote.
//!
//!     coverage SOURCES PROFILES UNTESTED PROGRAM...
//!
//! SOURCES is the folder with the source files, PROFILES the one with the `.profraw` files, and each
//! PROGRAM is one that wrote some of them. UNTESTED is a file that gets a line for each line that was
//! not run and each condition that was not seen both ways. The tools of LLVM would do the same, but they have to be of
//! the compiler's version, and no package registry has those.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use llvm_profparser::coverage::coverage_mapping::CoverageMapping;
use llvm_profparser::coverage::{
    Counter, CounterType, ExprKind, FunctionRecordV3, RegionKind, SourceLocation,
};
use llvm_profparser::instrumentation_profile::types::InstrumentationProfile;
use llvm_profparser::merge_profiles;

/// A file of which less than this was run is listed by itself.
const LISTED_BELOW_PERCENT: usize = 85;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [sources, profiles, untested, programs @ ..] = &arguments[..] else {
        eprintln!("usage: coverage SOURCES PROFILES UNTESTED PROGRAM...");
        return ExitCode::from(2);
    };
    match report(sources, profiles, untested, programs) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("coverage: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(
    sources: &Path,
    profiles: &Path,
    untested: &Path,
    programs: &[PathBuf],
) -> Result<String, Box<dyn Error>> {
    let sources = sources.canonicalize()?;
    let mut parts = Vec::new();
    for entry in fs::read_dir(profiles)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "profraw") {
            parts.push(path);
        }
    }
    if parts.is_empty() {
        return Err(format!("no .profraw file in '{}'", profiles.display()).into());
    }
    let profile = merge_profiles(&parts)?;
    let mut files = BTreeMap::new();
    for info in CoverageMapping::new(programs, &profile, false)?.mapping_info_iter() {
        let info = info?;
        for function in &info.cov_fun {
            let paths = info.get_files_from_id(function.header.filenames_ref);
            if paths.iter().any(|path| path.starts_with(&sources)) {
                count(function, &paths, &profile, &mut files);
            }
        }
    }
    files.retain(|path: &PathBuf, _| path.starts_with(&sources) && !is_test(path));
    if files.is_empty() {
        return Err(format!("the programs have no code of '{}'", sources.display()).into());
    }
    let mut shares = BTreeMap::new();
    let mut list = String::new();
    for (path, regions) in &files {
        let text = fs::read_to_string(path)?;
        let name = path.strip_prefix(&sources)?;
        shares.insert(name.to_path_buf(), regions.share(&text));
        list += &regions.untested(&Path::new("src").join(name).to_string_lossy(), &text);
    }
    fs::write(untested, list)?;
    Ok(table(&shares))
}

/// Files that hold only tests; tests that stand below the code in its own file are cut off later.
fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "tests.rs" || name.ends_with("_tests.rs") || path.iter().any(|part| part == "tests")
}

/// How often each region of a file was run, over all programs and all instances of a generic function.
#[derive(Default)]
struct Regions {
    code: BTreeMap<Span, u64>,
    /// How often a condition was true, and how often it was false.
    branches: BTreeMap<Span, (u64, u64)>,
}

/// The first line and column, and the last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    from: (usize, usize),
    to: (usize, usize),
}

impl From<&SourceLocation> for Span {
    fn from(place: &SourceLocation) -> Span {
        Span {
            from: (place.line_start, place.column_start),
            to: (place.line_end, place.column_end),
        }
    }
}

fn count(
    function: &FunctionRecordV3,
    paths: &[PathBuf],
    profile: &InstrumentationProfile,
    files: &mut BTreeMap<PathBuf, Regions>,
) {
    let record = profile.find_record_by_hash(function.header.name_hash);
    let counts = record.map(|record| record.record.counts.clone()).unwrap_or_default();
    let value = |counter: &Counter| u64::try_from(value(counter, function, &counts)).unwrap_or(0);
    for region in &function.regions {
        let Some(path) = paths.get(region.file_id) else { continue };
        let regions = files.entry(path.clone()).or_default();
        let span = Span::from(&region.loc);
        match region.kind {
            RegionKind::Code => *regions.code.entry(span).or_default() += value(&region.count),
            RegionKind::Branch => {
                let branch = regions.branches.entry(span).or_default();
                branch.0 += value(&region.count);
                branch.1 += value(&region.false_count);
            }
            _ => {}
        }
    }
}

/// Counters that follow from others are sums and differences.
fn value(counter: &Counter, function: &FunctionRecordV3, counts: &[u64]) -> i64 {
    let at = usize::try_from(counter.id).unwrap_or(usize::MAX);
    match counter.kind {
        CounterType::Zero => 0,
        CounterType::ProfileInstrumentation => {
            counts.get(at).map_or(0, |count| i64::try_from(*count).unwrap_or(i64::MAX))
        }
        CounterType::Expression(_) => function.expressions.get(at).map_or(0, |expression| {
            let left = value(&expression.lhs, function, counts);
            let right = value(&expression.rhs, function, counts);
            match expression.kind {
                ExprKind::Add => left.saturating_add(right),
                ExprKind::Subtract => left.saturating_sub(right),
            }
        }),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    lines: usize,
    lines_run: usize,
    /// Each condition counts twice: it can be true, and false.
    ways: usize,
    ways_run: usize,
}

impl Share {
    fn add(&mut self, other: &Share) {
        self.lines += other.lines;
        self.lines_run += other.lines_run;
        self.ways += other.ways;
        self.ways_run += other.ways_run;
    }
}

impl Regions {
    fn share(&self, text: &str) -> Share {
        let end = first_line_of_tests(text);
        let mut share = Share::default();
        for line in 1..end {
            if let Some(count) = self.count_of_line(line) {
                share.lines += 1;
                share.lines_run += usize::from(count > 0);
            }
        }
        for (_, (yes, no)) in self.branches.iter().filter(|(span, _)| span.from.0 < end) {
            share.ways += 2;
            share.ways_run += usize::from(*yes > 0) + usize::from(*no > 0);
        }
        share
    }

    /// What no test ran, as one line each that editors can follow.
    fn untested(&self, name: &str, text: &str) -> String {
        let end = first_line_of_tests(text);
        let mut found = Vec::new();
        for line in (1..end).filter(|line| self.count_of_line(*line) == Some(0)) {
            found.push((line, 1, "not run"));
        }
        for (span, (yes, no)) in self.branches.iter().filter(|(span, _)| span.from.0 < end) {
            let (line, column) = span.from;
            match (yes, no) {
                (0, 0) => found.push((line, column, "condition not met")),
                (0, _) => found.push((line, column, "never true")),
                (_, 0) => found.push((line, column, "never false")),
                _ => {}
            }
        }
        found.sort_unstable();
        found
            .iter()
            .map(|(line, column, what)| format!("{name}:{line}:{column}: {what}\n"))
            .collect()
    }

    /// That of the innermost region in which the line begins, or of one that begins on it.
    fn count_of_line(&self, line: usize) -> Option<u64> {
        let around = self.code.iter().filter(|(span, _)| span.from.0 < line && line <= span.to.0);
        let around = around.max_by_key(|(span, _)| span.from).map(|(_, count)| *count);
        let begun = self.code.iter().filter(|(span, _)| span.from.0 == line);
        around.max(begun.map(|(_, count)| *count).max())
    }
}

fn first_line_of_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let mark = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    mark.unwrap_or(lines.len()) + 1
}

fn table(shares: &BTreeMap<PathBuf, Share>) -> String {
    let mut text = line("lines", "branches", "");
    let mut folders: BTreeMap<PathBuf, Share> = BTreeMap::new();
    let mut whole = Share::default();
    for (path, share) in shares {
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        folders.entry(folder).or_default().add(share);
        whole.add(share);
    }
    let row = |share: &Share, name: &str| {
        line(&part(share.lines_run, share.lines), &part(share.ways_run, share.ways), name)
    };
    for (folder, share) in &folders {
        text += &row(share, &Path::new("src").join(folder).to_string_lossy());
    }
    text += &row(&whole, "all of them");
    text += "\nfiles with the least:\n";
    for (path, share) in shares {
        if share.lines_run * 100 < share.lines * LISTED_BELOW_PERCENT {
            text += &row(share, &Path::new("src").join(path).to_string_lossy());
        }
    }
    text
}

fn line(lines: &str, branches: &str, name: &str) -> String {
    format!("{lines:>22}  {branches:>22}  {name}").trim_end().to_string() + "\n"
}

fn part(some: usize, all: usize) -> String {
    if all == 0 {
        return String::from("-");
    }
    // Rounded down: what is not whole is not called so.
    let tenths = some * 1000 / all;
    format!("{some} of {all} {:>3}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: (usize, usize), to: (usize, usize)) -> Span {
        Span { from, to }
    }

    #[test]
    fn a_line_has_the_count_of_the_innermost_region() {
        let mut regions = Regions::default();
        regions.code.insert(span((1, 1), (9, 2)), 3);
        regions.code.insert(span((4, 8), (6, 6)), 0);
        regions.branches.insert(span((3, 8), (3, 12)), (3, 0));
        assert_eq!(regions.count_of_line(2), Some(3));
        assert_eq!(regions.count_of_line(4), Some(3), "it begins in the outer one");
        assert_eq!(regions.count_of_line(5), Some(0));
        assert_eq!(regions.count_of_line(7), Some(3));
        assert_eq!(regions.count_of_line(10), None);
        let share = regions.share(&"x\n".repeat(10));
        assert_eq!(share, Share { lines: 9, lines_run: 7, ways: 2, ways_run: 1 });
        assert_eq!(
            regions.untested("a.rs", &"x\n".repeat(10)),
            "a.rs:3:8: never false\na.rs:5:1: not run\na.rs:6:1: not run\n"
        );
    }

    #[test]
    fn tests_below_the_code_do_not_count() {
        assert_eq!(first_line_of_tests("a\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(first_line_of_tests("a\n#[cfg(test)]\nmod tests;\nb\n"), 5);
    }
}
