//! The words of an alert: from the templates of Prometheus to those of Grafana, which are almost the same. In
//! Prometheus `$value` is a number; in Grafana it is a text of all that was found, and the number of a query
//! is under its name.

use super::rule::QUERY;

/// Of a number, in both.
const FORMATS: [&str; 4] = ["humanize", "humanize1024", "humanizeDuration", "humanizePercentage"];

/// Anything that is not known to mean the same is refused, with what it is.
pub fn in_grafana(text: &str) -> Result<String, String> {
    let mut converted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (action, behind) =
            behind.split_once("}}").ok_or_else(|| "a '{{' is never closed".to_string())?;
        converted.push_str(before);
        converted.push_str(&format!("{{{{ {} }}}}", converted_action(action.trim())?));
        rest = behind;
    }
    converted.push_str(rest);
    Ok(converted)
}

fn converted_action(action: &str) -> Result<String, String> {
    let unknown = || format!("'{{{{ {action} }}}}' may mean something else in Grafana");
    let (value, format) = match action.split_once('|') {
        Some((value, format)) => (value.trim(), Some(format.trim())),
        None => (action, None),
    };
    if format.is_some_and(|format| !FORMATS.contains(&format)) {
        return Err(unknown());
    }
    let label = value.strip_prefix("$labels.");
    let is_name = |name: &str| {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !name.is_empty() && name.bytes().all(is_of_name)
    };
    let value = match (value, label) {
        ("$value", _) => format!("$values.{QUERY}.Value"),
        (_, Some(label)) if is_name(label) && format.is_none() => value.to_string(),
        _ => return Err(unknown()),
    };
    Ok(format.map_or_else(|| value.clone(), |format| format!("{value} | {format}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_that_of_the_query() {
        for (text, expected) in [
            ("", ""),
            ("no template } {", "no template } {"),
            ("{{ $labels.pipeline_id }} is late", "{{ $labels.pipeline_id }} is late"),
            ("{{$value}} of 3", "{{ $values.A.Value }} of 3"),
            (
                "{{ $value | humanizeDuration }}: {{ $value|humanizePercentage }}",
                "{{ $values.A.Value | humanizeDuration }}: {{ $values.A.Value | humanizePercentage }}",
            ),
        ] {
            assert_eq!(in_grafana(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for text in [
            "{{ $value",
            "{{ }}",
            "{{ $value | printf \"%.2f\" }}",
            "{{ $labels }}",
            "{{ $labels.a | title }}",
            "{{ $labels.a.b }}",
            "{{ $externalLabels.a }}",
            "{{ if $value }}x{{ end }}",
            "{{ query \"up\" }}",
            "{{- $value -}}",
            "{{ $values }}",
        ] {
            assert!(in_grafana(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_converted_or_refused(text in "[{} $a-z.|]{0,40}") {
            if let Ok(converted) = in_grafana(&text) {
                prop_assert_eq!(converted.matches("{{").count(), text.matches("{{").count());
            }
        }
    }
}
