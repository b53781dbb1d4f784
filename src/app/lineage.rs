//! What catalogues are told that a run reads and writes: data sets by the names of the settings, so that
//! they are the same from run to run, and their fields once both ends are open.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::ends::Ends;
use super::stream::{is_standard_input, is_stream};
use super::text_files::text_files;
use crate::config::{Settings, SinkSettings, SourceSettings};
use crate::export::{Dataset, DatasetField, Lineage, MadeColumn};
use crate::record::Field;
use crate::sink::mysql::settings::PORT;
use crate::sink::mysql::{Address, MysqlSettings};
use crate::source::elastic::ElasticSettings;

/// Of more inputs, what they have in common is one.
const INPUTS_MAX: usize = 16;

/// What the settings say, without opening anything.
pub fn named(settings: &Settings) -> Lineage {
    if settings.export.openlineage.is_none() {
        return Lineage::default();
    }
    let names = text_files(settings).names;
    let inputs = match &settings.source {
        SourceSettings::Csv(_) | SourceSettings::Jsonl(_) => files(names),
        SourceSettings::Elastic(elastic) => indices(elastic),
    };
    let has_stream = !names.iter().all(|name| is_data_set(name));
    let output = match &settings.sink {
        SinkSettings::File(file) => {
            let path = file.path.as_deref().filter(|path| !is_stream(path));
            path.map(|path| Dataset::files(&absolute(path)))
        }
        SinkSettings::Mysql(mysql) => Some(table(mysql)),
    };
    Lineage { inputs, has_stream, output, ..Lineage::default() }
}

/// The same with fields and columns.
pub fn opened(settings: &Settings, ends: &Ends) -> Lineage {
    if settings.export.openlineage.is_none() {
        return Lineage::default();
    }
    let named = named(settings);
    let columns = columns(settings, ends);
    let fields = match &ends.table {
        Some(fitted) => &fitted.fields[..],
        None => ends.source.fields(),
    };
    let is_read = |field: &&Field| {
        !field.is_beside || columns.iter().any(|column| column.field == field.name)
    };
    let read: Arc<[DatasetField]> = fields.iter().filter(is_read).map(field).collect();
    let written = match &ends.table {
        Some(fitted) => {
            let definitions = fitted.table.definitions.iter();
            let column = |name: &str, kind: &str| DatasetField {
                name: name.to_string(),
                type_name: Some(kind.to_string()),
            };
            definitions.map(|one| column(&one.name, &one.column_type)).collect()
        }
        None => columns
            .iter()
            .map(|column| DatasetField { name: column.name.clone(), type_name: None })
            .collect(),
    };
    let with_fields = |input: Dataset| Dataset { fields: Arc::clone(&read), ..input };
    Lineage {
        inputs: named.inputs.into_iter().map(with_fields).collect(),
        has_stream: named.has_stream,
        output: named.output.map(|output| Dataset { fields: written, ..output }),
        columns,
        is_transactional: ends.table.as_ref().is_none_or(|fitted| fitted.plan.is_transactional),
    }
}

fn columns(settings: &Settings, ends: &Ends) -> Vec<MadeColumn> {
    let as_it_is = |name: &str, field: &str| MadeColumn {
        name: name.to_string(),
        field: field.to_string(),
        converted_to: None,
    };
    if let Some(fitted) = &ends.table {
        let bound = fitted.plan.columns.iter().zip(&fitted.plan.wanted);
        let made = bound.map(|(bound, field)| {
            let name = &bound.column.name;
            let mut definitions = fitted.table.definitions.iter();
            let kind = definitions.find(|one| one.name == *name).map(|one| one.column_type.clone());
            MadeColumn { converted_to: kind, ..as_it_is(name, field) }
        });
        return made.collect();
    }
    if let Some(selection) = &settings.selection {
        let pairs = selection.new.iter().zip(&selection.old);
        return pairs.map(|(new, old)| as_it_is(new, old)).collect();
    }
    let is_copied = ends.names.is_empty();
    let fields = ends.source.fields().iter().filter(|field| !field.is_beside);
    fields
        .map(|field| as_it_is(if is_copied { &field.name } else { field.column() }, &field.name))
        .collect()
}

fn field(field: &Field) -> DatasetField {
    let type_name = Some(field.origin.clone()).filter(|origin| !origin.is_empty());
    DatasetField { name: field.name.clone(), type_name }
}

/// A pattern is the folder that it is looked for in: the files of tomorrow have other names.
fn files(names: &[String]) -> Vec<Dataset> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for name in names.iter().filter(|name| is_data_set(name)) {
        let path = absolute(&without_pattern(name));
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    if paths.len() > INPUTS_MAX {
        paths = common_folder(&paths).into_iter().collect();
    }
    paths.iter().map(|path| Dataset::files(path)).collect()
}

/// A file, or a pattern of files.
fn is_data_set(name: &str) -> bool {
    !is_standard_input(name) && !is_stream(Path::new(name))
}

fn without_pattern(name: &str) -> PathBuf {
    let literal = Path::new(name);
    if literal.symlink_metadata().is_ok() {
        return literal.to_path_buf();
    }
    let is_literal =
        |part: &Component| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let folder: PathBuf = literal.components().take_while(is_literal).collect();
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder }
}

fn common_folder(paths: &[PathBuf]) -> Option<PathBuf> {
    let folder = paths.first()?.ancestors().skip(1);
    folder
        .into_iter()
        .find(|folder| paths.iter().all(|path| path.starts_with(folder)))
        .map(PathBuf::from)
}

/// Links stay as they are named: what they lead to changes from night to night.
fn absolute(path: &Path) -> PathBuf {
    if path.components().any(|part| part == Component::ParentDir)
        && let Ok(found) = path.canonicalize()
    {
        return found;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    // Without a slash at its end.
    absolute.components().collect()
}

fn indices(elastic: &ElasticSettings) -> Vec<Dataset> {
    let Some(node) = elastic.first_node() else { return Vec::new() };
    index_names(&elastic.indices).iter().map(|name| Dataset::index(&node, name)).collect()
}

/// Each once. A list that leaves some out is one name.
fn index_names(written: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in written.iter().flat_map(|names| names.split(',')).map(str::trim) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_string());
        }
    }
    let is_one = names.len() > INPUTS_MAX || names.iter().any(|name| name.starts_with('-'));
    if is_one { vec![names.join(",")] } else { names }
}

/// A socket is of this machine, and has no port that could be named.
fn table(mysql: &MysqlSettings) -> Dataset {
    let address = match &mysql.address {
        Address::Socket(_) => format!("localhost:{PORT}"),
        address @ Address::Tcp { .. } => address.to_string(),
    };
    let name = mysql.full_table();
    let name = match &name.database {
        Some(database) => format!("{database}.{}", name.table),
        None => name.table.clone(),
    };
    Dataset::table(&address, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_the_same_every_night() {
        let here = std::env::current_dir().unwrap();
        let names = |written: &[&str]| -> Vec<String> {
            let written: Vec<String> = written.iter().map(|name| name.to_string()).collect();
            files(&written).into_iter().map(|dataset| dataset.name).collect()
        };
        let absolute = |name: &str| here.join(name).display().to_string();
        for (written, expected) in [
            (&["/data/orders.csv"][..], vec!["/data/orders.csv".to_string()]),
            (&["absent/./orders.csv"], vec![absolute("absent/orders.csv")]),
            (
                &["/data/2026-*/orders.csv", "/data/x.csv"],
                vec!["/data".into(), "/data/x.csv".into()],
            ),
            (&["/data/a*.csv", "/data/b?.csv"], vec!["/data".to_string()]),
            (&["*.csv"], vec![here.display().to_string()]),
            (&["src/../Cargo.toml"], vec![absolute("Cargo.toml")]),
            (&["-", "/dev/stdin", "/dev/null"], vec![]),
        ] {
            assert_eq!(names(written), expected, "{written:?}");
        }
        assert_eq!(index_names(&["a,b*".into(), "a".into()]), ["a", "b*"]);
        assert_eq!(index_names(&["a*, -ab".into()]), ["a*,-ab"]);
        let many: Vec<String> = (0..17).map(|at| format!("/data/{at}/orders.csv")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(names(&many[..16]).len(), 16);
        assert_eq!(names(&many), ["/data"]);
    }
}
