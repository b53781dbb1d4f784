//! An option as it stands in a configuration file, and what it means: variables are replaced, files are beside
//! that file.

use super::mistakes::Mistakes;
use super::options::Opt;
use super::places::beside;
use super::variables::{Held, Variable, expand};
use super::written::{FilePlace, OptionOrigin, OptionText};

/// An option as it stands in a file, with its variables.
#[derive(Debug)]
pub struct FileOption {
    pub option: &'static Opt,
    pub texts: Vec<String>,
    /// Written as a list, so that commas part nothing.
    pub is_list: bool,
    pub place: FilePlace,
}

impl FileOption {
    /// What it means, and the variables in it that may be secrets.
    pub fn meant(
        &self,
        variable: &dyn Fn(&str) -> Held,
        mistakes: &mut Mistakes,
    ) -> Option<(OptionText, Vec<Variable>)> {
        let mut expanded = Vec::new();
        for text in &self.texts {
            match expand(text, variable) {
                Ok(found) => expanded.push(found),
                Err(why) => mistakes.add(format!("{}: {}: {why}", self.place, self.option.key())),
            }
        }
        if expanded.len() < self.texts.len() {
            return None;
        }
        let values = |texts: &mut dyn Iterator<Item = String>| match self.is_list {
            true => texts.collect(),
            false => texts.flat_map(|text| self.option.values(&text)).collect::<Vec<_>>(),
        };
        let meant = values(&mut expanded.iter().map(|expanded| expanded.text.clone()));
        let folder = self.place.folder();
        let text = OptionText {
            values: meant.iter().map(|text| beside(folder, self.option, text)).collect(),
            as_written: values(&mut self.texts.iter().cloned()),
            origin: OptionOrigin::File(self.place.clone()),
        };
        let used = expanded.into_iter().flat_map(|expanded| expanded.used);
        let secrets = used.filter(|variable| self.option.may_hold_secret(&variable.value));
        Some((text, secrets.collect()))
    }
}
