//! What a row gets in a column that it has no value for.

use super::Definition;

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

impl Preset {
    pub(super) fn of(definition: &Definition, extra: &str) -> Preset {
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

/// Whether a default may name columns. Servers write names in backticks, and MySQL says of a literal
/// that it is none of an expression.
pub(super) fn names_columns(definition: &Definition, extra: &str) -> bool {
    let has_name = definition.column_default.as_deref().is_some_and(|text| text.contains('`'));
    has_name && (definition.is_mariadb || extra.contains("default_generated"))
}

/// Whether a default is made of the next number of a sequence.
pub(super) fn counts(definition: &Definition) -> bool {
    let preset = definition.column_default.as_deref().unwrap_or_default().to_ascii_lowercase();
    definition.is_mariadb && (preset.contains("nextval") || preset.contains("next value"))
}
