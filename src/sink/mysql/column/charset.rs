//! Character sets: which characters a column keeps, and in how many bytes.
//!
//! Some are known here. The others are asked of the server, character by character: what it replaces,
//! and what it takes for another, is not in the set. tis620 makes `A` of U+20041, and cp932 makes
//! U+6659 of U+6661, both without a warning.

use std::fmt;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charset {
    Utf8mb4,
    Utf8mb3,
    Ascii,
    /// The server's latin1, which is windows-1252 with nothing left undefined.
    Latin1,
    /// utf16 and utf16le.
    Utf16(String),
    Ucs2,
    Utf32,
    /// None where nobody has asked the server for it.
    Other(String, Option<Arc<Repertoire>>),
}

/// A character that the character set does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking;

impl Charset {
    pub fn new(name: &str, repertoire: Option<Arc<Repertoire>>) -> Charset {
        match name.to_ascii_lowercase().as_str() {
            "utf8mb4" => Charset::Utf8mb4,
            "utf8mb3" | "utf8" => Charset::Utf8mb3,
            "ascii" => Charset::Ascii,
            "latin1" => Charset::Latin1,
            wide @ ("utf16" | "utf16le") => Charset::Utf16(wide.to_string()),
            "ucs2" => Charset::Ucs2,
            "utf32" => Charset::Utf32,
            other => Charset::Other(other.to_string(), repertoire),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Charset::Utf8mb4 => "utf8mb4",
            Charset::Utf8mb3 => "utf8mb3",
            Charset::Ascii => "ascii",
            Charset::Latin1 => "latin1",
            Charset::Ucs2 => "ucs2",
            Charset::Utf32 => "utf32",
            Charset::Utf16(name) | Charset::Other(name, _) => name,
        }
    }

    /// The server has to be asked for its characters.
    pub fn is_to_be_learned(&self) -> bool {
        matches!(self, Charset::Other(_, None))
    }

    /// What it can hold has the same bytes in UTF-8.
    pub fn takes_utf8_bytes(&self) -> bool {
        matches!(self, Charset::Utf8mb4 | Charset::Utf8mb3 | Charset::Ascii)
    }

    /// How many bytes the column keeps of a text in UTF-8.
    pub fn bytes(&self, text: &[u8]) -> Result<u64, Lacking> {
        let length = text.len() as u64;
        if *self == Charset::Utf8mb4 {
            return Ok(length);
        }
        let is_ascii = text.is_ascii();
        let is_narrow = || text.iter().all(|byte| *byte < FIRST_BYTE_OF_ASTRAL);
        match self {
            Charset::Utf8mb3 if is_ascii || is_narrow() => Ok(length),
            Charset::Ascii | Charset::Latin1 if is_ascii => Ok(length),
            Charset::Latin1 if characters(text).all(is_latin1) => Ok(count(text)),
            Charset::Utf16(_) => Ok(2 * (count(text) + astral(text))),
            Charset::Ucs2 if is_narrow() => Ok(2 * count(text)),
            Charset::Utf32 => Ok(4 * count(text)),
            Charset::Other(_, Some(repertoire)) if is_ascii && repertoire.has_ascii => Ok(length),
            Charset::Other(_, Some(repertoire)) => characters(text)
                .try_fold(0, |sum, character| Some(sum + repertoire.bytes(character)?))
                .ok_or(Lacking),
            _ => Err(Lacking),
        }
    }
}

/// Only what is beyond three bytes begins with such a byte, or one above it.
const FIRST_BYTE_OF_ASTRAL: u8 = 0xF0;

/// Everything but the bytes that continue a character.
pub fn count(text: &[u8]) -> u64 {
    text.iter().filter(|byte| (**byte as i8) >= -0x40).count() as u64
}

fn astral(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte >= FIRST_BYTE_OF_ASTRAL).count() as u64
}

fn characters(text: &[u8]) -> impl Iterator<Item = char> {
    // Text is UTF-8; what is not has a character that no set has.
    std::str::from_utf8(text).unwrap_or("\u{FFFF}").chars()
}

/// The server's latin1 is windows-1252; its five holes are control characters.
fn is_latin1(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{7F}'
            | '\u{A0}'..='\u{FF}'
            | '\u{81}' | '\u{8D}' | '\u{8F}' | '\u{90}' | '\u{9D}'
            | '€' | '‚' | 'ƒ' | '„' | '…' | '†' | '‡' | 'ˆ' | '‰' | 'Š' | '‹' | 'Œ' | 'Ž'
            | '‘' | '’' | '“' | '”' | '•' | '–' | '—' | '˜' | '™' | 'š' | '›' | 'œ' | 'ž' | 'Ÿ'
    )
}

/// The characters that come back from a character set of the server as they went in.
#[derive(Clone, PartialEq, Eq)]
pub struct Repertoire {
    /// The bytes of each character, by its number; 0 for one that is not there.
    bytes: Vec<u8>,
    /// All characters of ASCII are there, with one byte each.
    has_ascii: bool,
}

impl fmt::Debug for Repertoire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.bytes.iter().filter(|bytes| **bytes > 0).count();
        f.debug_struct("Repertoire").field("characters", &count).finish_non_exhaustive()
    }
}

/// Stands between the characters that the server is asked for. No byte of any other character is
/// the same, in all character sets that are asked for.
const BETWEEN: char = '\n';

/// Characters in one question: the statement has ten digits for each at most.
const ASKED_AT_ONCE: usize = 1 << 14;

impl Repertoire {
    /// What to ask the server, as texts of characters with a line end between them: in UTF-8, what
    /// its character set makes of them, read back and as bytes. Only gb18030 has characters beyond
    /// U+FFFF, of those that are not known here.
    pub fn questions(charset: &str) -> Vec<String> {
        let last = if charset == "gb18030" { char::MAX } else { '\u{FFFF}' };
        let all: Vec<char> = ('\0'..=last).filter(|character| *character != BETWEEN).collect();
        all.chunks(ASKED_AT_ONCE)
            .map(|some| {
                let mut question = String::with_capacity(5 * some.len());
                for character in some {
                    question.push(*character);
                    question.push(BETWEEN);
                }
                question
            })
            .collect()
    }

    /// From the questions, each with what came back and the bytes. None where an answer makes no
    /// sense: then nothing is known.
    pub fn of<'a>(
        answers: impl Iterator<Item = (&'a str, &'a [u8], &'a [u8])>,
    ) -> Option<Repertoire> {
        let mut found = Repertoire { bytes: Vec::new(), has_ascii: false };
        for (question, back, bytes) in answers {
            found.note(question, std::str::from_utf8(back).ok()?, bytes)?;
        }
        found.set(BETWEEN, 1);
        found.has_ascii = (0..128).all(|number| found.bytes.get(number) == Some(&1));
        Some(found)
    }

    fn note(&mut self, question: &str, back: &str, bytes: &[u8]) -> Option<()> {
        let mut back = back.chars();
        let mut pieces = bytes.split(|byte| *byte == BETWEEN as u8);
        let mut asked = question.chars();
        while let Some(character) = asked.next() {
            let (found, piece) = (back.next()?, pieces.next()?);
            if asked.next()? != BETWEEN || back.next()? != BETWEEN {
                return None;
            }
            if found == character {
                self.set(character, u8::try_from(piece.len()).ok().filter(|length| *length > 0)?);
            }
        }
        // Behind the last line end there is nothing.
        let is_over = back.next().is_none() && pieces.next()?.is_empty() && pieces.next().is_none();
        is_over.then_some(())
    }

    fn set(&mut self, character: char, bytes: u8) {
        let number = character as usize;
        if self.bytes.len() <= number {
            self.bytes.resize(number + 1, 0);
        }
        self.bytes[number] = bytes;
    }

    fn bytes(&self, character: char) -> Option<u64> {
        let bytes = self.bytes.get(character as usize).copied().unwrap_or_default();
        (bytes > 0).then_some(u64::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A character set of `a`, `b`, which come back, of `é` in two bytes, and of `x`, which becomes
    /// `a`.
    fn learned() -> Charset {
        let answers =
            [("a\né\n", "a\né\n", &b"A\n\x81\x5C\n"[..]), ("x\nb\ny\n", "a\nb\n?\n", b"A\nB\n?\n")];
        let answers =
            answers.iter().map(|(question, back, bytes)| (*question, back.as_bytes(), *bytes));
        Charset::new("toy", Some(Arc::new(Repertoire::of(answers).unwrap())))
    }

    #[test]
    fn what_is_not_known_of_a_character_set_is_asked() {
        for (text, expected) in [
            ("", Ok(0)),
            ("ab\n", Ok(3)),
            ("éé", Ok(4)),
            ("x", Err(Lacking)),
            ("y", Err(Lacking)),
            ("ä", Err(Lacking)),
            ("a👍", Err(Lacking)),
        ] {
            assert_eq!(learned().bytes(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(Charset::new("toy", None).bytes(b"a"), Err(Lacking));
        assert!(Charset::new("toy", None).is_to_be_learned());
        assert!(!learned().is_to_be_learned());
    }

    #[test]
    fn questions_hold_each_character_once() {
        for (charset, expected) in [("gbk", 0x1_0000 - 0x800), ("gb18030", 0x11_0000 - 0x800)] {
            let questions = Repertoire::questions(charset);
            let answers =
                questions.iter().map(|text| (text.as_str(), text.as_bytes(), text.as_bytes()));
            let whole = Repertoire::of(answers).unwrap();
            assert_eq!(whole.bytes.iter().filter(|bytes| **bytes > 0).count(), expected);
            assert!(whole.has_ascii);
            assert_eq!(
                Charset::new(charset, Some(Arc::new(whole))).bytes("aé中".as_bytes()),
                Ok(6)
            );
        }
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_none() {
        for (question, back, bytes) in [
            ("a\nb\n", "a\n", "a\n"),
            ("a\nb\n", "a\nb\n", "a\n"),
            ("a\nb\n", "ab\n\n", "a\nb\n"),
            ("a\nb\n", "a\nb\nc\n", "a\nb\n"),
            ("a\nb\n", "a\nb\n", "a\nb\nc"),
            ("a\nb\n", "a\nb\n", "a\n\n"),
            ("a\n", "\u{FFFD}", "a\n"),
        ] {
            let answer = [(question, back.as_bytes(), bytes.as_bytes())];
            assert_eq!(Repertoire::of(answer.into_iter()), None, "{back:?} {bytes:?}");
        }
    }

    #[test]
    fn character_sets_that_are_known_are_not_asked_for() {
        for (text, charset, expected) in [
            ("ä€", "utf8mb3", Ok(5)),
            ("👍", "utf8mb3", Err(Lacking)),
            ("👍", "utf8mb4", Ok(4)),
            ("abc", "ascii", Ok(3)),
            ("ä", "ascii", Err(Lacking)),
            ("äß€œ\u{81}", "latin1", Ok(5)),
            ("\u{80}", "latin1", Err(Lacking)),
            ("ł", "latin1", Err(Lacking)),
            ("a👍", "utf16le", Ok(6)),
            ("a👍", "utf32", Ok(8)),
            ("aä", "ucs2", Ok(4)),
            ("a👍", "ucs2", Err(Lacking)),
        ] {
            assert_eq!(
                Charset::new(charset, None).bytes(text.as_bytes()),
                expected,
                "{text} {charset}"
            );
        }
    }
}
