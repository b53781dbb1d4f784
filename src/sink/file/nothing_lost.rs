//! Whether an output that is there holds no record, so that one without records may take its place. What is not
//! certain counts as a record. Pure.

/// No header is longer than this, and what is longer is not looked into.
pub const BYTES_MAX: u64 = 64 * 1024;

/// `before` is the whole file; `header` what the new one begins with, empty where the format has none.
pub fn has_no_records(before: &[u8], header: &[u8], delimiter: u8) -> bool {
    let before = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
    if before.iter().all(u8::is_ascii_whitespace) {
        return true;
    }
    let line = |text: &'_ [u8]| -> Option<Vec<Vec<u8>>> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        // Behind a quote a delimiter or line end may be part of a name.
        let is_plain = !text.is_empty() && !text.iter().any(|byte| b"\"\r\n".contains(byte));
        is_plain.then(|| text.split(|byte| *byte == delimiter).map(<[u8]>::to_vec).collect())
    };
    // The only line may be a record of an output without a header, unless it names every column of the new one.
    match (line(before), line(header)) {
        (Some(before), Some(header)) => header.iter().all(|name| before.contains(name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certainly_a_header_is_none() {
        for (before, header, expected) in [
            ("", "", true),
            (" \r\n\n", "", true),
            ("{}", "", false),
            ("id,name,old\n", "id,name\n", true),
            ("\u{feff}name,id\r\n", "id,name\n", true),
            ("id,name,old", "id\n", true),
            // One record of an output that had no header.
            ("1,a,b\n", "id,name\n", false),
            // A column has another name now.
            ("id,label\n", "id,name\n", false),
            ("id,name\n1,a\n", "id,name\n", false),
            ("id,\"na\nme\",name\n", "id,name\n", false),
            ("id,name\n\n", "id\n", false),
        ] {
            let found = has_no_records(before.as_bytes(), header.as_bytes(), b',');
            assert_eq!(found, expected, "{before:?} {header:?}");
        }
    }
}
