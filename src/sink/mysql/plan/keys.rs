//! What tells rows of the table apart, and what that means for the way they are written.

use super::columns::ColumnNames;
use super::{BoundColumn, Key, KeyNumbering, PlanInput, PlanKeyPart};
use crate::error::{Error, Result};
use crate::sink::mysql::table::{KeyPart, UniqueKey};
use crate::sink::mysql::{Mode, Preset};

/// Lanes where nothing else limits them: more would only wait for each other.
pub const LANES_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Decision {
    pub mode: Mode,
    pub mode_reason: String,
    pub key: Option<Key>,
    pub other_keys: Vec<Key>,
    pub lanes_max: usize,
    pub warnings: Vec<String>,
}

/// The unique keys that a written row can meet another in.
struct Keys<'a> {
    /// Wholly within the written columns.
    whole: Vec<(Key, &'a UniqueKey)>,
    /// With parts that the server computes or presets, for all rows or for those that lack the field.
    ///
    /// They may meet, too: a number that is used up comes again.
    partial: Vec<(Key, &'a UniqueKey)>,
}

pub(super) fn decide(given: &PlanInput<'_>, written: &[BoundColumn]) -> Result<Decision> {
    let keys = Keys::of(given, written);
    let chosen = match &given.settings.key {
        Some(names) => Some(keys.choose(given, names)?),
        None => None,
    };
    let (mode, mode_reason) = mode_of(given, &keys)?;
    if mode != Mode::Insert && keys.whole.is_empty() {
        return Err(no_key(given, mode, &keys));
    }
    if mode == Mode::Upsert && keys.whole.len() > 1 && chosen.is_none() {
        return Err(Error::config(format!(
            "table {} has several unique keys, and a row could meet a different one in each: {}",
            given.table.name,
            keys.names().join(", ")
        ))
        .help("name the columns of the one that counts with --key"));
    }
    // One whose rows cannot have NULL in it tells more of them apart.
    let best = || keys.whole.iter().position(|(key, _)| !key.is_nullable).or(Some(0));
    let at = chosen.or_else(best).filter(|at| *at < keys.whole.len());

    let mut warnings = Vec::new();
    let lanes_max = lanes(given, &keys, &mut warnings);
    let Keys { whole, partial } = keys;
    let mut whole: Vec<Key> = whole.into_iter().map(|(key, _)| key).collect();
    let key = at.map(|at| whole.remove(at));
    if let Some(key) = key.as_ref().filter(|key| key.is_nullable && mode != Mode::Insert) {
        warnings.push(format!(
            "key '{}' takes NULL, and rows with NULL in it are never the same: they are there \
             again after a second run",
            key.name
        ));
    }
    let other_keys: Vec<Key> =
        whole.into_iter().chain(partial.into_iter().map(|(key, _)| key)).collect();
    if mode == Mode::Upsert && !other_keys.is_empty() {
        let names: Vec<&str> = other_keys.iter().map(|key| key.name.as_str()).collect();
        warnings.push(format!(
            "rows that offend against another unique key are rejected: {}",
            names.join(", ")
        ));
    }
    Ok(Decision { mode, mode_reason, key, other_keys, lanes_max, warnings })
}

impl<'a> Keys<'a> {
    fn of(given: &PlanInput<'a>, written: &[BoundColumn]) -> Keys<'a> {
        let mut keys = Keys { whole: Vec::new(), partial: Vec::new() };
        for unique in &given.table.unique_keys {
            let (mut columns, mut is_whole, mut is_binary) = (Vec::new(), true, true);
            let mut counter = KeyNumbering::Never;
            for part in &unique.parts {
                let name = part.column.as_deref();
                let at = written.iter().position(|bound| Some(&*bound.column.name) == name);
                let Some(at) = at else {
                    (is_whole, is_binary) = (false, false);
                    let column = name.and_then(|name| given.table.column(name));
                    if column.is_some_and(|column| column.is_numbered) {
                        counter = KeyNumbering::Always;
                    }
                    continue;
                };
                let BoundColumn { column, is_known, .. } = &written[at];
                let may_be_made = given.is_open && column.preset == Preset::Computed;
                is_binary &= column.is_key_binary && part.prefix.is_none() && !may_be_made;
                // No record is known to say it.
                is_whole &= *is_known || column.preset == Preset::None;
                if may_be_made && column.is_numbered && counter == KeyNumbering::Never {
                    counter = KeyNumbering::WhereAbsent(at);
                }
                columns.push(at);
            }
            let part =
                |part: &KeyPart| PlanKeyPart { column: part.column.clone(), prefix: part.prefix };
            let key = Key {
                name: unique.name.clone(),
                parts: unique.parts.iter().map(part).collect(),
                columns,
                counter,
                is_primary: unique.is_primary(),
                is_binary,
                is_nullable: unique.parts.iter().any(|part| part.is_nullable),
            };
            match is_whole {
                true => keys.whole.push((key, unique)),
                false => keys.partial.push((key, unique)),
            }
        }
        keys
    }

    /// The key that consists of these columns, in whatever order.
    fn choose(&self, given: &PlanInput<'_>, names: &[String]) -> Result<usize> {
        let mut wanted = Vec::new();
        for name in names {
            let at = ColumnNames::new(&given.table.columns).find(name).ok_or_else(|| {
                Error::config(format!(
                    "--key: table {} has no column '{}'",
                    given.table.name,
                    name.escape_debug()
                ))
            })?;
            wanted.push(given.table.columns[at].name.as_str());
        }
        wanted.sort_unstable();
        wanted.dedup();
        let is_it = |unique: &UniqueKey| {
            unique.columns().is_some_and(|mut columns| {
                columns.sort_unstable();
                columns == wanted
            })
        };
        if let Some(at) = self.whole.iter().position(|(_, unique)| is_it(unique)) {
            return Ok(at);
        }
        let list = wanted.join(", ");
        let message = match given.table.unique_keys.iter().any(is_it) {
            true => format!(
                "--key {list}: not all of these columns of table {} are written",
                given.table.name
            ),
            false => format!(
                "--key {list}: table {} has no unique key of exactly these columns",
                given.table.name
            ),
        };
        Err(Error::config(message).help(match self.whole.is_empty() {
            true => "add one to the table, or leave --key out".to_string(),
            false => format!("it has {}", self.names().join(", ")),
        }))
    }

    /// Such as `PRIMARY (id)`.
    fn names(&self) -> Vec<String> {
        self.whole.iter().chain(&self.partial).map(|(_, unique)| described(unique)).collect()
    }
}

fn described(unique: &UniqueKey) -> String {
    let part = |part: &KeyPart| match &part.column {
        Some(column) => column.clone(),
        None => "an expression".to_string(),
    };
    format!("{} ({})", unique.name, unique.parts.iter().map(part).collect::<Vec<_>>().join(", "))
}

fn mode_of(given: &PlanInput<'_>, keys: &Keys<'_>) -> Result<(Mode, String)> {
    if let Some(mode) = given.settings.mode {
        return Ok((mode, "chosen by --mode".to_string()));
    }
    if let Some((_, unique)) = keys.whole.first() {
        let reason =
            format!("the default with the key {}: rows that are there stay", described(unique));
        return Ok((Mode::Skip, reason));
    }
    if given.table.is_empty {
        return Ok((Mode::Insert, "the default for an empty table without a key".to_string()));
    }
    Err(Error::config(format!(
        "table {} holds rows and has no unique key within the written columns, so a second run \
         would write every row again",
        given.table.name
    ))
    .help(
        "empty it, give it a key for --mode skip (rows that are there stay) or --mode upsert \
         (they are replaced), or say --mode insert to add to it",
    ))
}

fn no_key(given: &PlanInput<'_>, mode: Mode, keys: &Keys<'_>) -> Error {
    let there = match keys.partial.is_empty() {
        true => String::new(),
        false => format!("; not all columns are written of {}", keys.names().join(", ")),
    };
    Error::config(format!(
        "--mode {}: table {} has no unique key within the written columns, so nothing says which row \
         a record belongs to{there}",
        mode.as_str(),
        given.table.name
    ))
    .help("add one to the table, or say --mode insert")
}

/// Rows of one key have to be written in the order of the source. Several lanes keep to that where
/// our side sees which rows share a key, which it does by their bytes.
///
/// A key whose number the server always makes does not count: in which order it gives them out is its
/// own affair, and a row that meets another by one is rejected whichever that is.
fn lanes(given: &PlanInput<'_>, keys: &Keys<'_>, warnings: &mut Vec<String>) -> usize {
    if let Some(reason) = given.table.wants_order() {
        warnings.push(format!("{reason}, so rows are written in order over one connection"));
        return 1;
    }
    let all: Vec<&(Key, &UniqueKey)> = keys
        .whole
        .iter()
        .chain(&keys.partial)
        .filter(|(key, _)| key.counter != KeyNumbering::Always)
        .collect();
    let counted = all.iter().find(|(key, _)| matches!(key.counter, KeyNumbering::WhereAbsent(_)));
    let fault = match (counted, &all[..]) {
        (None, []) => return LANES_MAX,
        (Some((key, _)), _) => format!(
            "records may have a value for a column of key '{}' that the server numbers in others \
             (--select without it would leave it to the server)",
            key.name
        ),
        (None, [(key, _)]) if key.is_binary => return LANES_MAX,
        (None, [(key, unique)]) if is_told_by_record(given, key, unique) => format!(
            "key '{}' takes values for the same that differ in their bytes, such as 'a' and 'A'",
            key.name
        ),
        (None, [(key, _)]) => format!("a part of key '{}' is made by the server", key.name),
        (None, _) => "the table has several unique keys".to_string(),
    };
    if given.settings.keys_unique {
        return LANES_MAX;
    }
    warnings.push(format!(
        "{fault}, so rows are written in order over one connection; where keys are certain not to \
         meet, --keys-unique lets several write"
    ));
    1
}

/// Each part of the key comes from the record.
fn is_told_by_record(given: &PlanInput<'_>, key: &Key, unique: &UniqueKey) -> bool {
    let column = |part: &KeyPart| given.table.column(part.column.as_deref()?);
    let may_be_made = |part: &KeyPart| {
        given.is_open && column(part).is_some_and(|column| column.preset == Preset::Computed)
    };
    key.columns.len() == unique.parts.len() && !unique.parts.iter().any(may_be_made)
}
