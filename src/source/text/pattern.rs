//! Names with `*`, `?` and `[…]` in them, and the files that these stand for.
//!
//! As for a shell, a name that begins with a dot is meant only where the pattern says the dot: such
//! files are nobody's data, and the part files and locks of runs are among them. The crate `glob` can leave
//! them out as well, but then also those of which the dot was said.

use std::path::{Path, PathBuf};
use std::{fs, io};

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

    /// What there is, sorted, without folders. The crate `glob` would pass over names that are no UTF-8
    /// without a word, so the folders are read here.
    pub fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        if !self.text.ends_with('/') {
            let wild = self.text.find(['*', '?', '[']).unwrap_or(self.text.len());
            let plain = self.text[..wild].rfind('/').map_or("", |end| &self.text[..=end]);
            self.look_into(Path::new(plain), &mut paths)?;
        }
        paths.sort();
        Ok(paths)
    }

    fn look_into(&self, folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
        let open = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = match fs::read_dir(open) {
            Ok(entries) => entries,
            Err(cause) if is_nothing(&cause) => return Ok(()),
            Err(cause) => {
                let folder = open.display();
                return Err(io::Error::new(cause.kind(), format!("'{folder}': {cause}")));
            }
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if !path.is_dir() {
                if self.is_meant(&path) {
                    paths.push(path);
                }
            } else if self.may_lead_on(&path) && !(self.is_deep() && path.is_symlink()) {
                self.look_into(&path, paths)?;
            }
        }
        Ok(())
    }

    /// It goes down as far as there are folders, which links could make a circle.
    fn is_deep(&self) -> bool {
        self.names.iter().any(|name| name.as_str() == "**")
    }

    /// Part files and locks are never meant, whose ever they are.
    fn is_meant(&self, path: &Path) -> bool {
        // A name that is no UTF-8 is a name; what stands for its letters matches no letter.
        let text = path.to_string_lossy();
        let path: Vec<&str> = names(&text).collect();
        let is_own = path.last().is_some_and(|name| {
            name.starts_with('.') && (name.ends_with(".part") || name.ends_with(".lock"))
        });
        !is_own && fits(&self.names, &path, false)
    }

    /// Whether what is meant could be in this folder.
    fn may_lead_on(&self, folder: &Path) -> bool {
        let text = folder.to_string_lossy();
        fits(&self.names, &names(&text).collect::<Vec<_>>(), true)
    }
}

fn is_nothing(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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
