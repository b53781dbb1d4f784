//! Fields that the user asked for by name, and whether any record had them: documents do not say
//! beforehand what they hold, so that a slip of the pen shows at the end only.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::record::{ErrorType, Shape};

/// What one option names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFields {
    /// Without its dashes.
    pub flag: &'static str,
    pub names: Vec<String>,
    /// They may be patterns: whatever field a record has, it is one of them.
    pub are_patterns: bool,
}

/// As many names are told.
const NAMES_SHOWN: usize = 10;

pub struct FieldCheck {
    namings: Vec<NamedFields>,
    /// Of the decoder that was made last, which is the one that decodes.
    watch: Mutex<Option<Arc<SeenFields>>>,
}

/// Sees which columns of a decoder records have. Shared by all that decode.
pub struct SeenFields {
    columns: Vec<SeenColumn>,
    are_documents: bool,
    has_rows: AtomicBool,
    /// A document had a field.
    has_fields: AtomicBool,
}

struct SeenColumn {
    name: String,
    /// It stands beside the object, and is no field of it.
    is_metadata: bool,
    has_occurred: AtomicBool,
}

impl FieldCheck {
    pub fn new(namings: &[NamedFields]) -> FieldCheck {
        let namings = namings.iter().filter(|naming| !naming.names.is_empty()).cloned().collect();
        FieldCheck { namings, watch: Mutex::new(None) }
    }

    /// What sees to it for rows of this shape; none where nobody asked. `metadata` are the names of what
    /// stands beside an object.
    pub fn watch(&self, shape: &Shape, metadata: &[&str]) -> Option<Arc<SeenFields>> {
        if self.namings.is_empty() {
            return None;
        }
        let names = match shape {
            Shape::Columns(names) => &names[..],
            Shape::Documents => &[],
        };
        let column = |name: &String| SeenColumn {
            name: name.clone(),
            is_metadata: metadata.contains(&name.as_str()),
            has_occurred: AtomicBool::new(false),
        };
        let watch = Arc::new(SeenFields {
            columns: names.iter().map(column).collect(),
            are_documents: *shape == Shape::Documents,
            has_rows: AtomicBool::new(false),
            has_fields: AtomicBool::new(false),
        });
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&watch));
        Some(watch)
    }

    /// When all records were seen: an error where none had any of the fields that an option names, a
    /// warning where none had some of them.
    pub fn judge(&self) -> Result<()> {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(watch) = watch.filter(|watch| watch.has_rows.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        let (occurred, has_any_field) = (watch.occurred(), watch.has_any_field());
        for naming in &self.namings {
            // What is no column cannot be seen.
            let has_occurred = |name: &String| match naming.are_patterns {
                true => Some(has_any_field),
                false => occurred.get(&name[..]).copied(),
            };
            let is_missing = |name: &&String| has_occurred(name) == Some(false);
            let is_any_there = naming.names.iter().any(|name| has_occurred(name) == Some(true));
            let missing = naming.names.iter().filter(is_missing);
            let names: Vec<_> = missing.map(|name| format!("'{}'", name.escape_debug())).collect();
            if names.is_empty() {
                continue;
            }
            let shown = names[..names.len().min(NAMES_SHOWN)].join(" or ");
            let more = match names.len().saturating_sub(NAMES_SHOWN) {
                0 => String::new(),
                more => format!(" or {more} others"),
            };
            let message =
                format!("no record has a field {shown}{more}, named by --{}", naming.flag);
            if is_any_there {
                tracing::warn!("{message}");
                continue;
            }
            return Err(Error::data(ErrorType::TypeMismatch, message)
                .help("check how it is written; flowgauge check lists the fields"));
        }
        Ok(())
    }
}

impl SeenFields {
    /// A record has a value in this column, be it null.
    pub fn saw(&self, column: usize) {
        set(&self.columns[column].has_occurred);
    }

    pub fn saw_row(&self) {
        set(&self.has_rows);
    }

    pub fn saw_document(&self, object: &str) {
        set(&self.has_rows);
        let inner = object.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        if !self.has_fields.load(Ordering::Relaxed)
            && inner.is_none_or(|inner| !inner.trim().is_empty())
        {
            set(&self.has_fields);
        }
    }

    fn has_any_field(&self) -> bool {
        let has_occurred = |column: &SeenColumn| {
            !column.is_metadata && column.has_occurred.load(Ordering::Relaxed)
        };
        match self.are_documents {
            true => self.has_fields.load(Ordering::Relaxed),
            // Where no field is a column, nobody looks for one.
            false => {
                self.columns.iter().all(|column| column.is_metadata)
                    || self.columns.iter().any(has_occurred)
            }
        }
    }

    /// One name may be that of several columns.
    fn occurred(&self) -> HashMap<&str, bool> {
        let mut occurred = HashMap::new();
        for column in &self.columns {
            *occurred.entry(&column.name[..]).or_default() |=
                column.has_occurred.load(Ordering::Relaxed);
        }
        occurred
    }
}

/// Workers that only read share a line of their caches.
fn set(flag: &AtomicBool) {
    if !flag.load(Ordering::Relaxed) {
        flag.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(flag: &'static str, names: &[&str], are_patterns: bool) -> NamedFields {
        NamedFields {
            flag,
            names: names.iter().map(|name| name.to_string()).collect(),
            are_patterns,
        }
    }

    #[test]
    fn a_name_that_no_record_has_is_an_error_where_none_of_its_option_was_there() {
        for (select, types, is_well) in [
            (&["a"][..], &[][..], true),
            (&["a", "b"], &[], true),
            (&["b"], &[], false),
            (&["a"], &["b"], false),
            // Nobody can see a field that is no column.
            (&["gone"], &[], true),
        ] {
            let asked =
                FieldCheck::new(&[naming("select", select, false), naming("types", types, false)]);
            let shape = Shape::Columns(["a", "b"].map(String::from).into());
            let watch = asked.watch(&shape, &[]).unwrap();
            assert!(asked.judge().is_ok(), "no record, no verdict");
            watch.saw(0);
            watch.saw_row();
            assert_eq!(asked.judge().is_ok(), is_well, "{select:?} {types:?}");
        }
        assert!(
            FieldCheck::new(&[naming("types", &[], false)]).watch(&Shape::Documents, &[]).is_none()
        );
    }

    #[test]
    fn of_patterns_no_more_is_known_than_that_some_field_is_there() {
        for (document, is_well) in [("{}", false), ("{ }", false), ("{\"b\":1}", true)] {
            let asked = FieldCheck::new(&[naming("es-fields", &["a*"], true)]);
            asked.watch(&Shape::Documents, &[]).unwrap().saw_document(document);
            assert_eq!(asked.judge().is_ok(), is_well);
        }
        for (column, is_well) in [(0, false), (1, true)] {
            let asked = FieldCheck::new(&[naming("es-fields", &["a*", "b"], true)]);
            let shape = Shape::Columns(["_id", "ab"].map(String::from).into());
            let watch = asked.watch(&shape, &["_id"]).unwrap();
            watch.saw(column);
            watch.saw_row();
            assert_eq!(asked.judge().is_ok(), is_well);
        }
    }
}
