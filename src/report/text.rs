//! Numbers and tables as people read them. Pure.

use std::time::Duration;

/// Columns under their heads, as wide as their widest value.
pub fn table<'a, const N: usize>(
    heads: &[&'a str; N],
    rows: impl Iterator<Item = [&'a str; N]>,
) -> String {
    let rows: Vec<[&str; N]> = std::iter::once(*heads).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (value, width) in row.into_iter().zip(&widths) {
            line.push_str(&format!(" {value:<width$} "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// `1,234,567`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 record`, `1,234 records`
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `1.2 GB`, in powers of ten as disks and networks count.
pub fn bytes(number: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 99.95);
    format!("{value:.decimals$} {}", units[unit])
}

/// `850 µs`, `12 ms`, `3.4 s`, `2 m 05 s`, `3 h 20 m`
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = time.as_secs();
    match seconds {
        s if s < 0.000_999_5 => format!("{:.0} µs", s * 1e6),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 59.95 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{} m {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} m", whole / 3600, whole % 3600 / 60),
    }
}

/// As short as a column of a table wants it: `2m05s`.
pub fn narrow(time: Duration) -> String {
    let text = duration(time);
    if time.as_secs_f64() < 59.95 { text } else { text.replace(' ', "") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (6_001_215, "6,001,215")]
        {
            assert_eq!(count(number), expected);
        }
        for (number, expected) in [(0, "0 rows"), (1, "1 row"), (1000, "1,000 rows")] {
            assert_eq!(counted(number, "row"), expected);
        }
        for (number, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (765_864_690, "766 MB"),
            (99_960, "100 kB"),
            (2_184_000_000, "2.2 GB"),
            (999_999, "1.0 MB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
        for (ms, expected) in [
            (0.05, "50 µs"),
            (12.0, "12 ms"),
            (999.9, "1.0 s"),
            (3_400.0, "3.4 s"),
            (59_990.0, "0 m 59 s"),
            (125_000.0, "2 m 05 s"),
            (12_000_000.0, "3 h 20 m"),
        ] {
            assert_eq!(duration(Duration::from_secs_f64(ms / 1e3)), expected);
        }
    }
}
