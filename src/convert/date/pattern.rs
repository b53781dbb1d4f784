//! Patterns of letters, as Java's `DateTimeFormatter` has them, of the letters that say something of a
//! day, a time or an offset: `y u M d D E H h a m s S n X x Z`, quotes and `[]`.

use super::parts::TimePart;
use super::piece::{NumberPiece, OffsetPiece, Piece, Sign};

/// Puts pieces in a row. A number of any width gives digits back to those of fixed width that stand
/// right behind it.
#[derive(Default)]
pub struct PieceRow {
    pieces: Vec<Piece>,
    /// The number that others may take digits from.
    giver: Option<usize>,
}

impl PieceRow {
    pub fn number(&mut self, part: TimePart, min: usize, max: usize, sign: Sign) {
        self.put_number(NumberPiece {
            part,
            min,
            max,
            sign,
            reserved: 0,
            is_reduced: false,
            is_contested: false,
        });
    }

    pub fn put_number(&mut self, number: NumberPiece) {
        let is_fixed = number.min == number.max && number.sign == Sign::None;
        let width = number.max;
        self.pieces.push(Piece::Number(number));
        self.reserve(is_fixed, width);
    }

    pub fn fraction(&mut self, min: usize, max: usize, has_point: bool) {
        self.pieces.push(Piece::Fraction { min, max, has_point });
        match min == max && !has_point {
            true => self.reserve(true, max),
            false => self.giver = None,
        }
    }

    fn reserve(&mut self, is_fixed: bool, width: usize) {
        match self.giver {
            Some(at) if is_fixed => {
                if let Piece::Number(giver) = &mut self.pieces[at] {
                    giver.reserved += width;
                }
            }
            _ => self.giver = Some(self.pieces.len() - 1),
        }
    }

    pub fn push(&mut self, piece: Piece) {
        self.pieces.push(piece);
        self.giver = None;
    }

    pub fn literal(&mut self, letter: char) {
        self.push(Piece::Literal(letter.to_string().into()));
    }

    pub fn optional(&mut self, inner: PieceRow) {
        self.giver = None;
        if !inner.pieces.is_empty() {
            self.push(Piece::Optional(inner.pieces));
        }
    }

    pub fn into_pieces(self) -> Vec<Piece> {
        self.pieces
    }
}

/// Rows that are begun, the outermost first.
pub struct OpenRows(Vec<PieceRow>);

impl OpenRows {
    pub fn new() -> OpenRows {
        OpenRows(vec![PieceRow::default()])
    }

    pub fn row(&mut self) -> &mut PieceRow {
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    pub fn open(&mut self) {
        self.0.push(PieceRow::default());
    }

    /// False where nothing is open.
    pub fn close(&mut self) -> bool {
        if self.0.len() < 2 {
            return false;
        }
        if let Some(inner) = self.0.pop() {
            self.row().optional(inner);
        }
        true
    }

    /// What is still open ends here.
    pub fn into_pieces(mut self) -> Vec<Piece> {
        while self.close() {}
        self.0.pop().map(PieceRow::into_pieces).unwrap_or_default()
    }
}

/// As deep as nobody writes them: they are read by recursion.
const DEPTH_MAX: usize = 16;

pub fn pieces(pattern: &str) -> Result<Vec<Piece>, String> {
    let mut rows = OpenRows::new();
    let letters: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        match letter {
            'a'..='z' | 'A'..='Z' => {
                let count = letters[at..].iter().take_while(|other| **other == letter).count();
                put(rows.row(), letter, count)
                    .map_err(|what| format!("{what} in '{}'", super::shown(pattern)))?;
                at += count;
                continue;
            }
            '\'' => {
                let (text, length) = quoted(&letters[at..]).ok_or_else(|| {
                    format!("a quote without an end in '{}'", super::shown(pattern))
                })?;
                rows.row().push(Piece::Literal(text.into()));
                at += length;
                continue;
            }
            '[' if rows.0.len() > DEPTH_MAX => {
                return Err(format!("brackets in brackets in '{}'", super::shown(pattern)));
            }
            '[' => rows.open(),
            ']' if rows.close() => {}
            ']' | '{' | '}' | '#' => {
                return Err(format!("'{letter}' in '{}'", super::shown(pattern)));
            }
            _ => rows.row().literal(letter),
        }
        at += 1;
    }
    let pieces = rows.into_pieces();
    check(&pieces).map_err(|what| format!("{what} in '{}'", super::shown(pattern)))?;
    Ok(pieces)
}

/// What a quote says, and its length with its quotes.
fn quoted(letters: &[char]) -> Option<(String, usize)> {
    if letters.get(1) == Some(&'\'') {
        return Some(("'".to_string(), 2));
    }
    let mut text = String::new();
    let mut at = 1;
    loop {
        match letters.get(at)? {
            '\'' if letters.get(at + 1) == Some(&'\'') => {
                text.push('\'');
                at += 2;
            }
            '\'' => return Some((text, at + 1)),
            letter => {
                text.push(*letter);
                at += 1;
            }
        }
    }
}

/// Java puts no limit on the width of a number but this.
const WIDTH_MAX: usize = 19;

const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const SHORT_MONTHS: &[&str] =
    &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: &[&str] =
    &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const SHORT_DAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const HALVES: &[&str] = &["AM", "PM"];

fn put(row: &mut PieceRow, letter: char, count: usize) -> Result<(), String> {
    let unknown = || Err(format!("'{}'", letter.to_string().repeat(count.min(WIDTH_MAX))));
    let part = match letter {
        'u' => TimePart::Year,
        'y' => TimePart::YearOfEra,
        'M' => TimePart::Month,
        'd' => TimePart::Day,
        'D' => TimePart::DayOfYear,
        'H' => TimePart::Hour,
        'h' => TimePart::HourOfHalf,
        'm' => TimePart::Minute,
        's' => TimePart::Second,
        'n' | 'S' => TimePart::Nano,
        'E' => TimePart::Weekday,
        'a' => TimePart::Half,
        'X' | 'x' | 'Z' => TimePart::Offset,
        _ => return unknown(),
    };
    match (letter, count) {
        ('u' | 'y', 2) => row.put_number(NumberPiece {
            part,
            min: 2,
            max: 2,
            sign: Sign::None,
            reserved: 0,
            is_reduced: true,
            is_contested: false,
        }),
        ('u' | 'y', 1 | 3) => row.number(part, count, WIDTH_MAX, Sign::Normal),
        ('u' | 'y', 4..=WIDTH_MAX) => row.number(part, count, WIDTH_MAX, Sign::ExceedsPad),
        ('M' | 'd' | 'D' | 'H' | 'h' | 'm' | 's', 1) => {
            row.number(part, 1, WIDTH_MAX, Sign::Normal);
        }
        ('D', 2 | 3) => row.number(part, count, 3, Sign::None),
        ('M' | 'd' | 'H' | 'h' | 'm' | 's', 2) => row.number(part, 2, 2, Sign::None),
        // Where a server has no locale, OpenSearch takes short names for long ones.
        ('M', 3) => row.push(Piece::Name(part, &[SHORT_MONTHS])),
        ('M', 4) => row.push(Piece::Name(part, &[MONTHS, SHORT_MONTHS])),
        ('E', 1..=3) => row.push(Piece::Name(part, &[SHORT_DAYS])),
        ('E', 4) => row.push(Piece::Name(part, &[DAYS, SHORT_DAYS])),
        ('a', 1) => row.push(Piece::Name(part, &[HALVES])),
        ('S', 1..=9) => row.fraction(count, count, false),
        ('n', 1..=WIDTH_MAX) => row.number(part, count, WIDTH_MAX, Sign::None),
        ('Z', 1..=3) => row.push(offset(false, false, false, "+0000")),
        ('Z', 5) => row.push(offset(true, false, true, "Z")),
        ('X' | 'x', 1..=5) => {
            let zero = match (letter, count) {
                ('X', _) => "Z",
                (_, 1) => "+00",
                (_, 2 | 4) => "+0000",
                _ => "+00:00",
            };
            let has_colon = matches!(count, 3 | 5);
            row.push(offset(has_colon, count == 1, count > 3, zero));
        }
        _ => return unknown(),
    }
    Ok(())
}

pub fn offset(
    has_colon: bool,
    are_minutes_optional: bool,
    takes_seconds: bool,
    zero: &'static str,
) -> Piece {
    Piece::Offset(OffsetPiece { has_colon, are_minutes_optional, takes_seconds, zero })
}

/// Parts without which others mean nothing: the server would pass over them.
fn check(pieces: &[Piece]) -> Result<(), &'static str> {
    let mut parts = Vec::new();
    collect(pieces, &mut parts);
    let has = |part: TimePart| parts.contains(&part);
    let has_year = has(TimePart::Year) || has(TimePart::YearOfEra);
    let has_hour = has(TimePart::Hour) || has(TimePart::HourOfHalf);
    if has(TimePart::Day) && !has(TimePart::Month) {
        Err("a day without a month")
    } else if has(TimePart::DayOfYear) && !has_year {
        Err("a day of a year without the year")
    } else if has(TimePart::HourOfHalf) != has(TimePart::Half) {
        Err("an hour up to 12 without AM or PM, or one of these without the other")
    } else if has(TimePart::Minute) && !has_hour {
        Err("minutes without an hour")
    } else if has(TimePart::Second) && !has(TimePart::Minute) {
        Err("seconds without minutes")
    } else if has(TimePart::Nano) && !has(TimePart::Second) {
        Err("a fraction without seconds")
    } else if has_hour && has_year && !has(TimePart::Month) && !has(TimePart::DayOfYear) {
        Err("an hour and a year without a day")
    } else if !has_hour && !has_year && !has(TimePart::Month) {
        Err("nothing of a date or a time")
    } else {
        Ok(())
    }
}

fn collect(pieces: &[Piece], parts: &mut Vec<TimePart>) {
    for piece in pieces {
        match piece {
            Piece::Number(number) => parts.push(number.part),
            Piece::Fraction { .. } => parts.push(TimePart::Nano),
            Piece::Name(part, _) => parts.push(*part),
            Piece::Offset(_) | Piece::Zone => parts.push(TimePart::Offset),
            Piece::Literal(_) => {}
            Piece::Optional(inner) => collect(inner, parts),
        }
    }
}
