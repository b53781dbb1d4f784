//! Text in single quotes, as the servers print it in information_schema.

/// The texts in `enum('a','b''c')`.
pub fn quoted_list(column_type: &str) -> Option<Vec<String>> {
    let open = column_type.find('(')?;
    let mut rest = &column_type[open + 1..];
    let mut texts = Vec::new();
    loop {
        let (text, after) = quoted(rest)?;
        texts.push(text);
        match after.as_bytes().first()? {
            b',' => rest = &after[1..],
            b')' => return Some(texts),
            _ => return None,
        }
    }
}

/// A text in quotes at the start, and what follows it. Both servers double a quote, and write
/// other characters with a backslash.
pub fn quoted(text: &str) -> Option<(String, &str)> {
    let body = text.strip_prefix('\'')?;
    let mut value = String::new();
    let mut characters = body.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if body[at + 1..].starts_with('\'') => {
                characters.next();
                value.push('\'');
            }
            '\'' => return Some((value, &body[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                '0' => '\0',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'Z' => '\u{1A}',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_servers_print_them() {
        for (text, expected) in [
            ("enum('a','b''c','d\\\\e','f\\ng','é')", Some(&["a", "b'c", "d\\e", "f\ng", "é"][..])),
            ("set('')", Some(&[""])),
            ("enum('a,b',')')", Some(&["a,b", ")"])),
            ("enum('a'", None),
            ("enum('a\\", None),
            ("enum(a)", None),
            ("enum", None),
            ("enum()", None),
        ] {
            let expected =
                expected.map(|texts| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>());
            assert_eq!(quoted_list(text), expected, "{text}");
        }
    }
}
