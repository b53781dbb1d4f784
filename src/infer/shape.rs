//! What the values of one field have in common.

use super::moment::Moment;
use super::numbers::Numbers;
use crate::convert::number;

/// Nulls leave no trace in it: every column takes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub texts: Option<Texts>,
    pub numbers: Option<Numbers>,
    pub has_bools: bool,
    /// Arrays or objects.
    pub has_json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts {
    /// The longest, in characters.
    pub characters: u64,
    /// What each of them is. `None` and `Some` of no text in common join to nothing.
    pub all: Forms,
    /// As far as they are numbers.
    pub numbers: Numbers,
}

/// What one text is, besides text; of several what all are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forms {
    /// Digits as JSON writes a number that is no code: without an exponent, or as programs write one.
    pub number: bool,
    /// Whatever the server takes for a number.
    pub amount: bool,
    pub bool: bool,
    pub day: bool,
    pub clock: bool,
    pub point: bool,
    pub time_of_day: bool,
}

impl Shape {
    pub const BOOL: Shape = Shape { texts: None, numbers: None, has_bools: true, has_json: false };
    pub const JSON: Shape = Shape { texts: None, numbers: None, has_bools: false, has_json: true };

    /// Some number has one, of those that are numbers in JSON or as text.
    pub fn has_exponent(&self) -> bool {
        let numbers = self.numbers.or(self.texts.map(|texts| texts.numbers));
        numbers.is_some_and(|numbers| numbers.has_exponent)
    }

    /// `text` is UTF-8, or as much of it as could be read.
    pub fn of_text(text: &[u8]) -> Shape {
        let moment = Moment::of(text);
        let numbers = Numbers::of(text);
        let all = Forms {
            number: is_number(text),
            amount: numbers.is_some(),
            bool: text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false"),
            day: moment == Some(Moment::Day),
            clock: moment == Some(Moment::Clock),
            point: moment == Some(Moment::Point),
            time_of_day: moment == Some(Moment::TimeOfDay),
        };
        let characters = text.iter().filter(|byte| (**byte as i8) >= -0x40).count() as u64;
        let numbers = numbers.unwrap_or(Numbers::NONE);
        Shape { texts: Some(Texts { characters, all, numbers }), ..Shape::default() }
    }

    /// In JSON's grammar.
    pub fn of_number(words: &[u8]) -> Shape {
        Shape { numbers: Numbers::of(words), ..Shape::default() }
    }

    pub fn join(self, other: Shape) -> Shape {
        Shape {
            texts: both(self.texts, other.texts, Texts::join),
            numbers: both(self.numbers, other.numbers, Numbers::join),
            has_bools: self.has_bools || other.has_bools,
            has_json: self.has_json || other.has_json,
        }
    }

    /// No value was seen, or only nulls.
    pub fn is_nothing(&self) -> bool {
        *self == Shape::default()
    }

    /// The longest text, counting numbers as such.
    pub fn characters(&self) -> u64 {
        let texts = self.texts.map_or(0, |texts| texts.characters);
        texts.max(self.numbers.map_or(0, |numbers| numbers.bytes))
    }
}

fn both<T>(one: Option<T>, other: Option<T>, join: fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(join(one, other)),
        (one, other) => one.or(other),
    }
}

impl Texts {
    fn join(self, other: Texts) -> Texts {
        Texts {
            characters: self.characters.max(other.characters),
            all: self.all.join(other.all),
            numbers: self.numbers.join(other.numbers),
        }
    }
}

impl Forms {
    fn join(self, other: Forms) -> Forms {
        Forms {
            number: self.number && other.number,
            amount: self.amount && other.amount,
            bool: self.bool && other.bool,
            day: self.day && other.day,
            clock: self.clock && other.clock,
            point: self.point && other.point,
            time_of_day: self.time_of_day && other.time_of_day,
        }
    }
}

/// `007` is a code, and so may be `1e5`; programs that mean a number write `1.0E5`, `1e+05` or `1e-05`.
fn is_number(text: &[u8]) -> bool {
    let is_sure = || {
        text.contains(&b'.')
            || text.windows(2).any(|pair| matches!(pair, [b'e' | b'E', b'+' | b'-']))
    };
    number::is_decimal(text) || number::is_number(text) && is_sure()
}
