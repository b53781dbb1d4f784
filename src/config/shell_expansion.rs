//! Files that a shell put in place of a pattern: `--csv-file done/*.gz` without quotes comes as
//! `--csv-file done/a.gz done/b.gz`. Each becomes a value of the option, as long as it can be nothing else.

use std::ffi::{OsStr, OsString};

/// Options that take files which add up.
const FILE_FLAGS: [&str; 4] = ["--csv-file", "--csv_file", "--jsonl-file", "--jsonl_file"];

/// Repeats the flag before each of the files behind its first. `verbs` are the commands, which stay
/// commands; behind `run` and `check` a single word without a dot or a slash is the name of a pipeline.
/// An error says what nobody can tell.
pub fn repeat_flags(
    arguments: Vec<OsString>,
    verbs: &[&str],
    is_file: impl Fn(&OsStr) -> bool,
) -> Result<Vec<OsString>, String> {
    let is_verb = |word: &OsStr| verbs.iter().any(|verb| word == *verb);
    let is_hyphenated = |word: &OsStr| word.as_encoded_bytes().starts_with(b"-");
    let mut repeated: Vec<OsString> = Vec::with_capacity(arguments.len());
    let mut has_verb = false;
    let mut rest = arguments.into_iter().peekable();
    while let Some(argument) = rest.next() {
        has_verb |= is_verb(&argument);
        let flag = FILE_FLAGS.iter().find(|flag| argument == **flag);
        repeated.push(argument);
        let Some(flag) = flag else { continue };
        repeated.extend(rest.next());
        let mut more = Vec::new();
        while let Some(word) =
            rest.next_if(|word| !is_hyphenated(word) && (has_verb || !is_verb(word)))
        {
            more.push(word);
        }
        if let Some(verb) =
            rest.peek().filter(|word| !more.is_empty() && is_verb(word) && is_file(word))
        {
            let verb = verb.to_string_lossy();
            return Err(format!(
                "'{verb}' behind {flag} is a command, and a file here; quote the pattern, as in {flag} 'done/*.gz'"
            ));
        }
        let may_be_a_name = |word: &OsString| {
            !word.as_encoded_bytes().iter().any(|byte| matches!(byte, b'.' | b'/'))
        };
        let are_files = more.iter().all(|word| is_file(word))
            && !(has_verb && more.len() == 1 && more.iter().all(may_be_a_name));
        for word in more {
            if are_files {
                repeated.push(OsString::from(flag));
            }
            repeated.push(word);
        }
    }
    Ok(repeated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: &str) {
        let arguments = typed.split(' ').map(OsString::from).collect();
        let verbs = ["run", "check", "man"];
        let is_file = |word: &OsStr| ["a", "b", "c.csv", "d/e", "run"].iter().any(|f| word == *f);
        let repeated = repeat_flags(arguments, &verbs, is_file);
        let shown = repeated.map(|words| words.join(OsStr::new(" ")));
        let expected = expected.strip_prefix("error: ").map_or(Ok(expected), Err);
        assert_eq!(shown, expected.map(OsString::from).map_err(String::from), "{typed}");
    }

    #[test]
    fn files_behind_the_first_are_values_of_the_flag() {
        check("fg --csv-file a b c.csv", "fg --csv-file a --csv-file b --csv-file c.csv");
        check("fg --csv_file a b --infer", "fg --csv_file a --csv_file b --infer");
        check("fg --jsonl-file a b -q", "fg --jsonl-file a --jsonl-file b -q");
        check("fg check --csv-file a d/e", "fg check --csv-file a --csv-file d/e");
        check("fg run --csv-file a a b", "fg run --csv-file a --csv-file a --csv-file b");
    }

    #[test]
    fn what_may_be_something_else_stays() {
        for typed in [
            "fg",
            "fg --csv-file",
            "fg --csv-file a",
            "fg --csv-file=a b",
            "fg --csv-file a run b",
            "fg --csv-file a run",
            // No file, but a slip of the pen.
            "fg --csv-file a chekc",
            "fg --csv-file a b chekc",
            // A pipeline of that name.
            "fg run --csv-file a b",
            "fg --db-table a b",
            "fg --csv-file a --db-table a b",
        ] {
            check(typed, typed);
        }
    }

    #[test]
    fn a_file_among_others_that_is_called_as_a_command_may_be_either() {
        check("fg --csv-file a b man", "fg --csv-file a --csv-file b man");
        check(
            "fg --csv-file a b run",
            "error: 'run' behind --csv-file is a command, and a file here; quote the pattern, as in --csv-file 'done/*.gz'",
        );
    }
}
