//! Numbers with a decimal comma, as much of Europe and South America writes them. Pure.

use super::number::is_decimal;

/// `1.234,56` and `1234,56` to `1234.56`, digit by digit. Points part groups of three, all of them or none: what
/// stands as `1.23` may be meant either way, and is no such number. None of what is not one.
pub fn plain(value: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(value.len());
    let unsigned = value.strip_prefix(b"-").unwrap_or(value);
    plain.extend_from_slice(&value[..value.len() - unsigned.len()]);
    let (whole, fraction) = match memchr::memchr(b',', unsigned) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    for (index, group) in whole.split(|&byte| byte == b'.').enumerate() {
        let is_first_of_several = index == 0 && group.len() < whole.len();
        let is_sized = match index {
            0 => !is_first_of_several || (1..=3).contains(&group.len()),
            _ => group.len() == 3,
        };
        if !is_sized || !group.iter().all(u8::is_ascii_digit) {
            return None;
        }
        plain.extend_from_slice(group);
    }
    if let Some(fraction) = fraction {
        if !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        plain.push(b'.');
        plain.extend_from_slice(fraction);
    }
    is_decimal(&plain).then_some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        plain(text.as_bytes()).map(|plain| String::from_utf8(plain).unwrap())
    }

    #[test]
    fn a_comma_is_the_point_and_points_are_nothing() {
        for (text, expected) in [
            ("0", "0"),
            ("12,50", "12.50"),
            ("-0,5", "-0.5"),
            ("1234", "1234"),
            ("1234,5", "1234.5"),
            ("1.234", "1234"),
            ("1.234,56", "1234.56"),
            ("-12.345.678,900", "-12345678.900"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "-",
            ",",
            ",5",
            "5,",
            "1,",
            "1.23",
            "1.23,4",
            "1234.567",
            "1.234.5",
            ".123",
            "1..234",
            "1.234.",
            "1,234.5",
            "1,2,3",
            "1,234,567",
            "+1",
            "1e3",
            "01",
            "0.123",
            "00,5",
            " 1",
            "1 234,5",
            "1'234,5",
            "--1",
            "1,-5",
            "-.123",
            "1.2a4",
            "٣,5",
            "NaN",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was_written(
            whole in "0|[1-9][0-9]{0,30}",
            fraction in "[0-9]{0,20}",
            is_negative: bool,
            is_grouped: bool,
        ) {
            let sign = if is_negative { "-" } else { "" };
            let grouped: String = whole
                .char_indices()
                .flat_map(|(at, digit)| {
                    let is_new = at > 0 && (whole.len() - at) % 3 == 0;
                    is_new.then_some('.').into_iter().chain([digit])
                })
                .collect();
            let written = if is_grouped { &grouped } else { &whole };
            let end = |point: &str| if fraction.is_empty() { String::new() } else { format!("{point}{fraction}") };
            let found = read(&format!("{sign}{written}{}", end(",")));
            prop_assert_eq!(found, Some(format!("{sign}{whole}{}", end("."))));
        }

        #[test]
        fn no_other_text_becomes_a_number(text in "[-+0-9.,e ]{0,12}") {
            if let Some(found) = read(&text) {
                prop_assert!(is_decimal(found.as_bytes()));
                prop_assert_eq!(found, text.replace('.', "").replace(',', "."));
            }
        }
    }
}
