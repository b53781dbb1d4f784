//! Names with `*`, `?` and `[…]` in them, and the files that these stand for.
//!
//! As for a shell, a name that begins with a dot is meant only where the pattern says the dot: such
//! files are nobody's data, and the part files and locks of runs are among them. The crate `glob` can leave
//! them out as well, but then also those of which the dot was said.

use std::path::{Path, PathBuf};

pub struct Pattern {
    text: String,
    /// Of each name in the path.
    names: Vec<glob::Pattern>,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, glob::PatternError> {
        // Of the whole, so that the position in a message is right.
        glob::Pattern::new(text)?;
        let names = names(text).map(glob::Pattern::new).collect::<Result<_, _>>()?;
        Ok(Pattern { text: text.to_string(), names })
    }

    /// What there is, sorted, without folders.
    pub fn files(&self) -> Result<Vec<PathBuf>, Box<dyn std::error::Error + Send + Sync>> {
        let mut paths = Vec::new();
        for found in glob::glob(&self.text)? {
            match found {
                Ok(path) if self.is_meant(&path) && !path.is_dir() => paths.push(path),
                Ok(_) => {}
                // What is not meant need not be open to us.
                Err(cause) if !self.may_lead_on(cause.path()) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Part files and locks are never meant, whose ever they are.
    fn is_meant(&self, path: &Path) -> bool {
        let Some(text) = path.to_str() else { return false };
        let path: Vec<&str> = names(text).collect();
        let is_own = path.last().is_some_and(|name| {
            name.starts_with('.') && (name.ends_with(".part") || name.ends_with(".lock"))
        });
        !is_own && fits(&self.names, &path, false)
    }

    /// Whether what is meant could be in this folder.
    fn may_lead_on(&self, folder: &Path) -> bool {
        let Some(text) = folder.to_str() else { return true };
        fits(&self.names, &names(text).collect::<Vec<_>>(), true)
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".")
}

/// With `is_open`, the path may go on.
fn fits(pattern: &[glob::Pattern], path: &[&str], is_open: bool) -> bool {
    let Some((name, below)) = path.split_first() else {
        return is_open || pattern.iter().all(|any| any.as_str() == "**");
    };
    let Some((first, rest)) = pattern.split_first() else { return false };
    let is_hidden = name.starts_with('.');
    if first.as_str() == "**" {
        return fits(rest, path, is_open) || !is_hidden && fits(pattern, below, is_open);
    }
    let is_said = !is_hidden || first.as_str().starts_with('.');
    is_said && first.matches(name) && fits(rest, below, is_open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_is_meant_where_the_pattern_says_it() {
        for (pattern, path, is_meant) in [
            ("*", "a", true),
            ("*", ".a", false),
            ("?a", ".a", false),
            ("[.]a", ".a", false),
            (".*", ".a", true),
            (".a*", ".ab", true),
            (".*", ".a.jsonl.part", false),
            (".*", ".a.jsonl.lock", false),
            ("*.lock", "a.lock", true),
            ("*.part", "a.part", true),
            ("d/*", "d/.a", false),
            ("./d/*", "d/a", true),
            ("d/./*", "d/a", true),
            ("*/a", ".d/a", false),
            (".d/*", ".d/a", true),
            (".*/*", ".d/.a", false),
            ("**/*", "a/b/c", true),
            ("**/*", "a/.b/c", false),
            ("**/.b/*", "a/.b/c", true),
            ("**/*.csv", "x.csv", true),
            ("**", "a/b", true),
            ("../*", "../a", true),
            ("/d/*", "/d/a", true),
        ] {
            let found = Pattern::parse(pattern).unwrap().is_meant(Path::new(path));
            assert_eq!(found, is_meant, "{pattern} {path}");
        }
    }

    #[test]
    fn a_folder_matters_where_something_below_could_be_meant() {
        for (pattern, folder, matters) in
            [("**/*", "a/b", true), ("**/*", "a/.b", false), (".b/*", ".b", true), ("*", ".", true)]
        {
            let found = Pattern::parse(pattern).unwrap().may_lead_on(Path::new(folder));
            assert_eq!(found, matters, "{pattern} {folder}");
        }
    }
}
