//! Whether a run writes a backup - documents of an index, whole, as JSON lines - and what restores its
//! dates and bytes.

use crate::config::options::Opt;
use crate::config::{Settings, SinkSettings, SourceSettings};
use crate::convert::date::DateFormat;
use crate::record::{Dates, EpochUnit, Field, FieldKind};
use crate::report::Restore;
use crate::sink::file::Format;
use crate::source::Source;

/// None where the run writes no backup.
pub fn restore(settings: &Settings, source: &dyn Source) -> Option<Restore> {
    let is_documents = matches!(&settings.source, SourceSettings::Elastic(_));
    let is_lines =
        matches!(&settings.sink, SinkSettings::File(file) if file.format == Format::JsonLines);
    (is_documents && is_lines && settings.selection.is_none()).then(|| types_of(source.fields()))
}

fn types_of(fields: &[Field]) -> Restore {
    let mut restore = Restore::default();
    for field in fields {
        let untold = match field.kind {
            FieldKind::Time => &mut restore.untold_dates,
            FieldKind::Base64 => &mut restore.untold_bytes,
            _ => continue,
        };
        match option(field) {
            Some(option) => restore.types.push(option),
            None => untold.push(format!("'{}'", field.name.escape_debug())),
        }
    }
    restore
}

/// What `--types` says of a field; none where it would not be understood as it is meant.
fn option(field: &Field) -> Option<String> {
    let name = &field.name;
    let option = match &field.dates {
        _ if field.kind == FieldKind::Base64 => format!("{name}=base64"),
        Dates::Iso => format!("{name}=date:strict_date_optional_time"),
        Dates::Count(EpochUnit::Seconds) => format!("{name}=epoch_s"),
        Dates::Count(EpochUnit::Milliseconds) => format!("{name}=epoch_ms"),
        Dates::Format { format, locale } => {
            let is_read = |locale| DateFormat::parse(format, locale).is_ok();
            (is_read(locale.as_deref()) && is_read(None))
                .then(|| format!("{name}=date:{format}"))?
        }
        Dates::Unclear(_) => return None,
    };
    // A comma may part it, in a list with others.
    let others = format!("a=int,{option},b=int");
    let values = Opt::find("types")?.values(&others);
    let is_one = values == ["a=int", &option, "b=int"];
    // The name is what stands before the first of these.
    (is_one && !name.contains('=')).then_some(option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(name: &str, dates: Dates) -> Field {
        Field { dates, ..Field::new(name, FieldKind::Time, "date") }
    }

    #[test]
    fn each_date_is_told_as_its_mapping_reads_it_or_not_at_all() {
        let format = Dates::format;
        let german =
            Dates::Format { format: "dd MMM yyyy".to_string(), locale: Some("de".to_string()) };
        for (name, dates, expected) in [
            ("a", format("basic_date||epoch_millis"), Some("a=date:basic_date||epoch_millis")),
            ("a", format("yyyy-MM-dd'T, 'HH:mm"), Some("a=date:yyyy-MM-dd'T, 'HH:mm")),
            ("a", Dates::Count(EpochUnit::Seconds), Some("a=epoch_s")),
            ("o.a", format("epoch_second"), Some("o.a=date:epoch_second")),
            ("a", format("dd,MM,yyyy"), None),
            ("a", format("xxxx-'W'ww"), None),
            ("a", german, None),
            ("a", Dates::Unclear("why".to_string()), None),
            ("a,b", format("basic_date"), None),
            ("a=b", format("basic_date"), None),
            (" a", format("basic_date"), None),
        ] {
            assert_eq!(option(&date(name, dates)).as_deref(), expected, "{name}");
        }
        for (name, expected) in [("a", Some("a=base64")), ("a,b", None)] {
            let field = Field::new(name, FieldKind::Base64, "binary");
            assert_eq!(option(&field).as_deref(), expected, "{name}");
        }
    }
}
