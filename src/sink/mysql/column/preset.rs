//! What a row gets in a column that it has no value for.

use super::ColumnDefinition;
use super::quoted::quoted;

/// A column's DEFAULT, as far as it decides how a row without a value is written. What it is, only the
/// server knows for certain: information_schema prints `?` for characters beyond U+FFFF, fewer digits
/// than a FLOAT keeps, and a TIMESTAMP in another time zone than that of whoever set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// There is none, and the column does not take NULL either.
    None,
    Null,
    /// A literal, an expression, the time of the insert, the next number.
    Computed,
}

/// `nextval(…)`, also in other words for the same.
pub fn is_of_sequence(definition: &ColumnDefinition) -> bool {
    let preset = definition.column_default.as_deref().unwrap_or_default().to_ascii_lowercase();
    preset.contains("nextval") || preset.contains("next value")
}

/// Whether a default is the same for each row, whatever is in its other columns: as far as that can be
/// told, and else not.
pub(super) fn is_fixed(definition: &ColumnDefinition, extra: &str) -> bool {
    let Some(text) = definition.column_default.as_deref() else { return true };
    if text.to_ascii_lowercase().starts_with("current_timestamp") {
        return true;
    }
    match definition.is_mariadb {
        true => {
            let is_text = quoted(text).is_some_and(|(_, rest)| rest.is_empty());
            is_text || text == "NULL" || text.parse::<f64>().is_ok_and(f64::is_finite)
        }
        false => !extra.contains("default_generated"),
    }
}

impl Preset {
    pub(super) fn of(definition: &ColumnDefinition, extra: &str) -> Preset {
        let is_computed = extra.contains("generated") || extra.contains("auto_increment");
        match definition.column_default.as_deref() {
            _ if is_computed => Preset::Computed,
            None if definition.is_nullable => Preset::Null,
            None => Preset::None,
            Some("NULL") if definition.is_mariadb => Preset::Null,
            Some(_) => Preset::Computed,
        }
    }
}
