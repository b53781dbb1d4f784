//! BINARY, VARBINARY and the BLOB family.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::rules::BinaryText;
use super::{too_large, unfit};
use crate::convert::Unfit;
use crate::record::ErrorType;

/// Appends the bytes that a text means.
pub fn put(
    text: &[u8],
    meaning: BinaryText,
    bytes_max: u64,
    is_fixed: bool,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let start = out.len();
    match meaning {
        BinaryText::Raw => out.extend_from_slice(text),
        BinaryText::Hex => hex(text, out)?,
        BinaryText::Base64 => STANDARD
            .decode_vec(text, out)
            .map_err(|_| unfit(ErrorType::TypeMismatch, "not base64 with its padding"))?,
    }
    let found = (out.len() - start) as u64;
    if found > bytes_max {
        return Err(too_large(format!("{found} bytes, and the column takes {bytes_max}")));
    }
    if is_fixed && found < bytes_max {
        return Err(too_large(format!(
            "{found} bytes, which a BINARY column would fill up to {bytes_max}"
        )));
    }
    Ok(())
}

fn hex(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let not_hex =
        || unfit(ErrorType::TypeMismatch, "not hexadecimal: two digits a byte and nothing else");
    if text.len() % 2 == 1 {
        return Err(not_hex());
    }
    for pair in text.chunks_exact(2) {
        match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return Err(not_hex()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_the_text_means() {
        use BinaryText::*;
        for (text, meaning, max, is_fixed, expected) in [
            ("ab", Raw, 3, false, Some(&b"ab"[..])),
            ("abcd", Raw, 3, false, None),
            ("abc", Raw, 3, true, Some(b"abc")),
            ("ab", Raw, 3, true, None),
            ("", Raw, 3, false, Some(b"")),
            ("00fF", Hex, 3, false, Some(b"\x00\xFF")),
            ("0x00", Hex, 3, false, None),
            ("0", Hex, 3, false, None),
            ("zz", Hex, 3, false, None),
            ("+f", Hex, 3, false, None),
            ("AP8=", Base64, 3, false, Some(b"\x00\xFF")),
            ("AP8", Base64, 3, false, None),
            ("AP9=", Base64, 3, false, None),
            ("AP8\n", Base64, 3, false, None),
        ] {
            let mut out = Vec::new();
            let found = put(text.as_bytes(), meaning, max, is_fixed, &mut out);
            let found = found.is_ok().then_some(&out[..]);
            assert_eq!(found, expected, "{text:?} {meaning:?}");
        }
    }
}
