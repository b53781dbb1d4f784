//! What a run reads and writes, as a catalogue names it. Pure.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// More than these say which field goes where, and are a load for whoever draws them.
const FIELDS_MAX: usize = 2_000;
/// The same of fields of all inputs together, by which columns are made.
const ORIGINS_MAX: usize = 10_000;
/// Of all fields, and of all columns with what they are made of, as long names are repeated with each. An event is
/// made beside the memory that records have.
const BYTES_MAX: usize = 2 << 20;
/// What one of them takes beside its names.
const FRAME_BYTES: usize = 100;

/// The lineage of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    pub inputs: Vec<Dataset>,
    /// Records also come from standard input or a pipe, which is no data set.
    pub has_stream: bool,
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
    /// As far as they are known, and not too many. Several inputs have the same.
    pub fields: Arc<[DatasetField]>,
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
        Dataset { kind, namespace, name, fields: Arc::default() }
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
        let is_long = self.fields_bytes() > BYTES_MAX;
        let output = self.output.iter_mut();
        for dataset in self.inputs.iter_mut().chain(output) {
            if is_long || dataset.fields.len() > FIELDS_MAX {
                dataset.fields = Arc::default();
            }
        }
        let is_long = self.columns_bytes() > BYTES_MAX;
        if is_long || self.columns.len() * self.inputs.len() > ORIGINS_MAX {
            self.columns.clear();
        }
        self
    }

    fn fields_bytes(&self) -> usize {
        let fields = self.inputs.iter().chain(&self.output).flat_map(|dataset| &*dataset.fields);
        let bytes = fields.map(|field| {
            let type_name = field.type_name.as_ref().map_or(0, String::len);
            FRAME_BYTES + field.name.len() + type_name
        });
        bytes.sum()
    }

    fn columns_bytes(&self) -> usize {
        let names = self.inputs.iter().map(|input| input.namespace.len() + input.name.len());
        let (inputs, names) = (self.inputs.len(), names.sum::<usize>());
        let bytes = self.columns.iter().map(|column| {
            let kind = column.converted_to.as_ref().map_or(0, String::len);
            FRAME_BYTES
                + column.name.len()
                + names
                + inputs * (FRAME_BYTES + column.field.len() + kind)
        });
        bytes.sum()
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
        for (fields, inputs, name_bytes, path_bytes, kept_fields, kept_columns) in [
            (2_000, 5, 4, 1, 2_000, 2_000),
            (2_001, 1, 4, 1, 0, 2_001),
            (2_000, 6, 4, 1, 2_000, 0),
            (2_000, 5, 500, 1, 0, 0),
            (500, 16, 4, 4_000, 500, 0),
        ] {
            let name = |at: usize| format!("{at:0>name_bytes$}");
            let field = |at: usize| DatasetField { name: name(at), type_name: None };
            let column =
                |at: usize| MadeColumn { name: name(at), field: name(at), converted_to: None };
            let path = format!("/{}", "a".repeat(path_bytes));
            let file = || Dataset::files(Path::new(&path));
            let input = Dataset { fields: (0..fields).map(field).collect(), ..file() };
            let lineage = Lineage {
                inputs: vec![input; inputs],
                has_stream: false,
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
