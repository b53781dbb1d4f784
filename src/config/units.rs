//! Sizes, times and single characters as people write them.

use std::time::Duration;

/// `8`, `50_000`: digits, with underscores between them or not.
pub fn number(text: &str) -> Option<u64> {
    let are_digits = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    if !text.split('_').all(are_digits) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// `4096`, `64KiB`, `1.5GiB`, `10MB`.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        _ => return Err(format!("'{text}' is no size; write for example 64MiB")),
    };
    let bytes = positive(number)
        .ok_or_else(|| format!("'{text}' is no size; write for example 64MiB"))?
        * factor;
    if bytes > u64::MAX as f64 / 4.0 {
        return Err(format!("'{text}' is more than any machine has"));
    }
    Ok(bytes as u64)
}

/// `20s`, `500ms`, `1h30m`, `24h`, `7d`; a number alone is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let mistake = || format!("'{text}' is no time; write for example 20s, 1h30m or 24h");
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, tail) = split(rest);
        let unit_length = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_length);
        let seconds = match unit {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "" if rest == text => 1.0,
            _ => return Err(mistake()),
        };
        let seconds = positive(number).ok_or_else(mistake)? * seconds;
        let part = Duration::try_from_secs_f64(seconds).map_err(|_| mistake())?;
        total = total.checked_add(part).ok_or_else(mistake)?;
        rest = next;
    }
    if total > DURATION_MAX {
        return Err(format!("'{text}' is more than 100 years"));
    }
    if text.is_empty() { Err(mistake()) } else { Ok(total) }
}

/// Clocks and servers count no further.
const DURATION_MAX: Duration = Duration::from_secs(36_525 * 86_400);

/// The same, but a time at all.
pub fn some_duration(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_millis(1) {
        return Err(format!("'{text}' is no time at all; write for example 20s"));
    }
    Ok(time)
}

/// A single byte: a character of ASCII, `tab`, `\t` or `space`.
pub fn byte(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        "space" => Ok(b' '),
        _ => match text.as_bytes() {
            [b'\n' | b'\r' | 0] => Err("a line end or NUL parts records, not fields".to_string()),
            [byte] if byte.is_ascii() => Ok(*byte),
            _ => Err(format!("'{}' is not one byte of ASCII", text.escape_default())),
        },
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

fn positive(number: &str) -> Option<f64> {
    number.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("64KiB", Some(65_536)),
            ("1.5g", Some(1_610_612_736)),
            ("10MB", Some(10_000_000)),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1 MiB", None),
            ("99999999999g", None),
            ("1e9", None),
            ("0x10", None),
            ("1.5.5g", None),
            (".g", None),
            ("64Mi", None),
            ("nan", None),
        ] {
            assert_eq!(size(text).ok(), bytes, "{text:?}");
        }
    }

    #[test]
    fn times() {
        for (text, ms) in [
            ("20", Some(20_000)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("0.5s", Some(500)),
            ("7d", Some(604_800_000)),
            ("1h30", None),
            ("", None),
            ("s", None),
            ("1y", None),
            ("99999999999999999999d", None),
            ("36525d", Some(36_525 * 86_400_000)),
            ("36525d1s", None),
            ("0", Some(0)),
            ("-1s", None),
            ("1e3s", None),
            ("1 s", None),
            ("nan", None),
            ("infs", None),
        ] {
            assert_eq!(duration(text).ok(), ms.map(Duration::from_millis), "{text:?}");
        }
        for text in ["0", "0s", "0.1ms", "0h0m", "", "x"] {
            assert!(some_duration(text).is_err(), "{text:?}");
        }
        assert_eq!(some_duration("1ms"), Ok(Duration::from_millis(1)));
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("50_000", Some(50_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("_", None),
            ("1_", None),
            ("_1", None),
            ("1__0", None),
            ("+1", None),
            ("-0", None),
            ("1e3", None),
            ("1.0", None),
            (" 1", None),
            ("0x10", None),
            ("٣", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn bytes() {
        for (text, expected) in [
            (";", Some(b';')),
            ("tab", Some(b'\t')),
            ("\\t", Some(b'\t')),
            ("é", None),
            ("", None),
            ("\n", None),
            (",,", None),
        ] {
            assert_eq!(byte(text).ok(), expected, "{text:?}");
        }
    }
}
