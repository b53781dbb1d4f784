//! What was written: texts from flags, environment and configuration file, with where each came
//! from. Nothing is understood here; `settings` does that.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};

use super::options::Opt;
use super::variables::Variable;

/// Where a text was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionOrigin {
    Flag,
    Variable,
    File(FilePlace),
}

/// Where it stands in the configuration file, or in one that this includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePlace {
    pub path: PathBuf,
    /// Such as `pipelines.orders`; empty outside of tables.
    pub table: String,
    pub line: usize,
}

impl FilePlace {
    /// What paths that are written there are relative to.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub fn is_of_pipeline(&self) -> bool {
        self.table.starts_with("pipelines.")
    }
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}', line {}", self.path.display(), self.line)
    }
}

impl OptionOrigin {
    /// The higher goes before the lower.
    pub fn rank(&self) -> u8 {
        match self {
            OptionOrigin::Flag => 2,
            OptionOrigin::Variable => 1,
            OptionOrigin::File(_) => 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionText {
    pub values: Vec<String>,
    /// The same before variables were replaced and files looked for beside the configuration.
    pub as_written: Vec<String>,
    pub origin: OptionOrigin,
}

/// Texts by option name. Those set first win.
#[derive(Clone, Debug, Default)]
pub struct WrittenOptions {
    texts: BTreeMap<&'static str, OptionText>,
    /// What was passed over, to be said once there is a log.
    pub warnings: Vec<String>,
    /// Configuration files that were read.
    pub files: Vec<PathBuf>,
    /// Variables that stood in values which may be secrets.
    pub secrets: Vec<Variable>,
    /// Options whose variables are not there, which was said. What they mean nobody knows.
    pub unknown: Vec<&'static str>,
}

impl WrittenOptions {
    /// Sets an option that nothing of higher rank has set.
    pub fn set(&mut self, option: &'static Opt, values: Vec<String>, origin: OptionOrigin) {
        let as_written = values.clone();
        self.set_meant(option, OptionText { values, as_written, origin });
    }

    /// The same of a text that was written otherwise.
    pub fn set_meant(&mut self, option: &'static Opt, text: OptionText) {
        self.texts.entry(option.name).or_insert(text);
    }

    /// Leaves out all options that are not to stay.
    pub fn retain(&mut self, stays: impl Fn(&'static Opt) -> bool) {
        self.texts.retain(|name, _| Opt::find(name).is_none_or(&stays));
    }

    /// Changes what every text means.
    pub fn map(&mut self, change: impl Fn(&'static Opt, &str) -> String) {
        for (name, text) in &mut self.texts {
            let Some(option) = Opt::find(name) else { continue };
            for value in &mut text.values {
                *value = change(option, value);
            }
        }
    }

    /// Adds what a layer of lower rank holds.
    pub fn fall_back_on(&mut self, lower: WrittenOptions) {
        for (name, text) in lower.texts {
            self.texts.entry(name).or_insert(text);
        }
        self.warnings.extend(lower.warnings);
        self.files.extend(lower.files);
        self.secrets.extend(lower.secrets);
        self.unknown.extend(lower.unknown);
    }

    /// Adds what the same layer says elsewhere: lists add up, of anything else there is one.
    pub fn add(&mut self, other: WrittenOptions) -> Result<(), &'static Opt> {
        for (name, text) in other.texts {
            match self.texts.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(text);
                }
                Entry::Occupied(mut taken) => {
                    let option = Opt::find(name).filter(|option| !option.is_list());
                    if let Some(option) = option {
                        return Err(option);
                    }
                    let taken = taken.get_mut();
                    taken.values.extend(text.values);
                    taken.as_written.extend(text.as_written);
                }
            }
        }
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&OptionText> {
        self.texts.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.texts.keys().copied()
    }
}

/// All the spellings of an option, the one that was used first.
pub struct Spellings<'a>(pub &'a Opt, pub Option<&'a OptionOrigin>);

impl fmt::Display for Spellings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flag, variable, key) = (self.0.flag(), self.0.variable(), self.0.key());
        match self.1 {
            None | Some(OptionOrigin::Flag) => write!(f, "{flag} ({variable}, {key})"),
            Some(OptionOrigin::Variable) => write!(f, "{variable} ({flag}, {key})"),
            Some(OptionOrigin::File(place)) if place.table.is_empty() => {
                write!(f, "{key} ({flag}, {variable})")
            }
            Some(OptionOrigin::File(place)) => {
                write!(f, "{key} in [{}] ({flag}, {variable})", place.table)
            }
        }
    }
}
