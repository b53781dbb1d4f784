//! What a run reads and writes, as a catalogue names it. Pure.

use std::path::Path;
use std::sync::OnceLock;
use std::time::SystemTime;

/// More than these say which field goes where, and are a load for whoever draws them.
const FIELDS_MAX: usize = 2_000;
/// The same of fields of all inputs together, by which columns are made.
const ORIGINS_MAX: usize = 10_000;

/// The lineage of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    pub inputs: Vec<Dataset>,
    /// None where what is written is no data set, such as standard output.
    pub output: Option<Dataset>,
    pub columns: Vec<MadeColumn>,
    /// What is not committed is certainly not there.
    pub is_transactional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    pub kind: DatasetKind,
    pub namespace: String,
    pub name: String,
    /// As far as they are known, and not too many.
    pub fields: Vec<DatasetField>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatasetKind {
    Files,
    Index,
    Table,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetField {
    pub name: String,
    /// In the words of whoever keeps it.
    pub type_name: Option<String>,
}

/// A column of the output, and the field it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeColumn {
    pub name: String,
    pub field: String,
    /// What a value is converted to. None where it stays as it is.
    pub converted_to: Option<String>,
}

impl Dataset {
    /// A file, or a folder of files. `path` is absolute.
    pub fn files(path: &Path) -> Dataset {
        Dataset::new(DatasetKind::Files, "file".to_string(), path.to_string_lossy().into_owned())
    }

    /// `address` is HOST:PORT, `name` DATABASE.TABLE.
    pub fn table(address: &str, name: &str) -> Dataset {
        Dataset::new(DatasetKind::Table, format!("mysql://{address}"), name.to_string())
    }

    /// The conventions have no search server, so that it is named as all that have host and port.
    pub fn index(address: &str, name: &str) -> Dataset {
        let namespace = format!("elasticsearch://{address}");
        Dataset::new(DatasetKind::Index, namespace, name.to_string())
    }

    fn new(kind: DatasetKind, namespace: String, name: String) -> Dataset {
        Dataset { kind, namespace, name, fields: Vec::new() }
    }

    pub fn uri(&self) -> &str {
        match self.kind {
            DatasetKind::Files => "file:///",
            DatasetKind::Index | DatasetKind::Table => &self.namespace,
        }
    }
}

impl Lineage {
    /// Without what would be too much.
    pub fn bounded(mut self) -> Lineage {
        let output = self.output.iter_mut();
        for dataset in self.inputs.iter_mut().chain(output) {
            if dataset.fields.len() > FIELDS_MAX {
                dataset.fields.clear();
            }
        }
        if self.columns.len() * self.inputs.len() > ORIGINS_MAX {
            self.columns.clear();
        }
        self
    }
}

/// What is known of a run at any time.
#[derive(Debug)]
pub struct RunLineage {
    pub started_at: SystemTime,
    /// As the settings name it.
    named: Lineage,
    /// The same with fields, once both ends are open.
    opened: OnceLock<Lineage>,
}

impl RunLineage {
    pub fn new(started_at: SystemTime, named: Lineage) -> RunLineage {
        RunLineage { started_at, named, opened: OnceLock::new() }
    }

    /// Both ends are open, and the run has begun.
    pub fn open(&self, lineage: Lineage) {
        let _ = self.opened.set(lineage.bounded());
    }

    pub fn opened(&self) -> Option<&Lineage> {
        self.opened.get()
    }

    pub fn known(&self) -> &Lineage {
        self.opened.get().unwrap_or(&self.named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_too_much_is_left_out() {
        let field = |at: usize| DatasetField { name: at.to_string(), type_name: None };
        let column = |at: usize| MadeColumn {
            name: at.to_string(),
            field: at.to_string(),
            converted_to: None,
        };
        let file = || Dataset::files(Path::new("/a"));
        for (fields, inputs, kept_fields, kept_columns) in
            [(2_000, 5, 2_000, 2_000), (2_001, 1, 0, 2_001), (2_000, 6, 2_000, 0)]
        {
            let input = Dataset { fields: (0..fields).map(field).collect(), ..file() };
            let lineage = Lineage {
                inputs: vec![input; inputs],
                output: Some(file()),
                columns: (0..fields).map(column).collect(),
                is_transactional: true,
            };
            let bounded = lineage.bounded();
            let kept = (bounded.inputs[0].fields.len(), bounded.columns.len());
            assert_eq!(kept, (kept_fields, kept_columns), "{fields} {inputs}");
        }
    }
}
