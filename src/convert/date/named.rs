//! The formats that have a name, as far as they are calendars' and clocks'. Weeks are not read.
//!
//! They are written in letters of their own here, one for each piece: the large ones have a fixed
//! number of digits, the small ones take less. Semicolons part what is tried in turn.

use super::parts::{Resolving, TimePart};
use super::pattern::{OpenRows, offset};
use super::piece::{NumberPiece, Piece, Sign};

/// Also under the names of older servers, such as `dateOptionalTime`. None where it is a pattern.
pub fn find(name: &str) -> Result<Option<(&'static str, Resolving)>, String> {
    let snake = snake_case(name);
    if let Some((_, written, resolving)) = FORMATS.iter().find(|(known, ..)| *known == snake) {
        return Ok(Some((written, *resolving)));
    }
    match snake.contains("week")
        && snake.chars().all(|letter| letter == '_' || letter.is_ascii_lowercase())
    {
        true => Err(format!("the week dates of '{name}'")),
        false => Ok(None),
    }
}

/// Whether ISO 8601 in its usual form is read as ISO 8601.
pub fn takes_iso(name: &str) -> bool {
    matches!(
        &*snake_case(name),
        "strict_date_optional_time"
            | "strict_date_optional_time_nanos"
            | "iso8601"
            | "date_optional_time"
    )
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

const STRICT: Resolving = Resolving::Strict;
const WITH_DAY: Resolving = Resolving::WithDay;
const BENDING: Resolving = Resolving::Bending;

#[rustfmt::skip]
const FORMATS: &[(&str, &str, Resolving)] = &[
    ("iso8601",                          "Y[-O[-D]][T[H[:I[:S[f][,c]]]][z][x]]", WITH_DAY),
    ("strict_date_optional_time",        "Y[-O[-D]][T[H[:I[:S[f][,c]]][z][x]]]", WITH_DAY),
    ("strict_date_optional_time_nanos",  "Y[-O[-D]][TH:I:S[f][,c][z][x]]", WITH_DAY),
    ("date_optional_time",               "y[-o[-d]][T[h[:i[:s][f][,c][z][x]]]]", STRICT),
    ("strict_date_time",                 "Y[-O[-D]]TH:I:S[f]z;Y[-O[-D]]TH:I:S[f]x", WITH_DAY),
    ("strict_date_time_no_millis",       "Y[-O[-D]]TH:I:Sz;Y[-O[-D]]TH:I:Sx", WITH_DAY),
    ("date_time",                        "y[-o[-d]]Th:i[:sf]X;y[-o[-d]]Th:i[:sf]x", STRICT),
    ("date_time_no_millis",              "y[-o[-d]]Th:i[:s]X;y[-o[-d]]Th:i[:s]x;y[-o[-d]]Th:i[:s][z];y[-o[-d]]Th:i[:s][x]", STRICT),

    // OpenSearch's own: T and Z may be small, and T a space.
    ("rfc3339_lenient",                  "4[-O[-D]];4-O-DTH:I[:S[f][,c]]X;4-O-DTH:I[:S[f][,c]]q;4-O-DtH:I[:S[f][,c]]X;4-O-DtH:I[:S[f][,c]]q;4-O-D H:I[:S[f][,c]]X;4-O-D H:I[:S[f][,c]]q", STRICT),

    ("strict_date",                      "W-O-D", BENDING),
    ("strict_date_hour",                 "U-O-DTH", BENDING),
    ("strict_date_hour_minute",          "U-O-DTH:I", BENDING),
    ("strict_date_hour_minute_second",   "U-O-DTH:I:S", BENDING),
    ("strict_date_hour_minute_second_millis",   "Y[-O[-D]]TH:I:Sf", WITH_DAY),
    ("strict_date_hour_minute_second_fraction", "Y[-O[-D]]TH:I:Sf", WITH_DAY),
    ("date",                             "y[-o[-d]]", STRICT),
    ("date_hour",                        "y[-o[-d]]Th", STRICT),
    ("date_hour_minute",                 "y[-o[-d]]Th:i", STRICT),
    ("date_hour_minute_second",          "y[-o[-d]]Th:i:s", STRICT),
    ("date_hour_minute_second_millis",   "y[-o[-d]]Th:i:sF", STRICT),
    ("date_hour_minute_second_fraction", "y[-o[-d]]Th:i:sf", STRICT),

    ("basic_date",                       "bod", STRICT),
    ("basic_date_time",                  "BODTHISfz;BODTHISfx", STRICT),
    ("basic_date_time_no_millis",        "BODTHISz;BODTHISx", STRICT),
    ("basic_ordinal_date",               "UJ", BENDING),
    ("basic_ordinal_date_time",          "EJTHISfz;EJTHISfx", STRICT),
    ("basic_ordinal_date_time_no_millis", "UJTHISz;UJTHISx", STRICT),
    ("basic_time",                       "HISfz;HISfx", STRICT),
    ("basic_time_no_millis",             "HISz;HISx", STRICT),
    ("basic_t_time",                     "THISfz;THISfx", STRICT),
    ("basic_t_time_no_millis",           "THISz;THISx", STRICT),

    ("strict_year",                      "Y", STRICT),
    ("strict_year_month",                "Y-O", STRICT),
    ("strict_year_month_day",            "Y[-O[-D]]", STRICT),
    ("year",                             "u", STRICT),
    ("year_month",                       "u-m", STRICT),
    ("year_month_day",                   "u-m-e", STRICT),

    ("strict_ordinal_date",              "Y-J", STRICT),
    ("strict_ordinal_date_time",         "Y-JTH:I[:Sf]z;Y-JTH:I[:Sf]x", STRICT),
    ("strict_ordinal_date_time_no_millis", "Y-JTH:I:Sz;Y-JTH:I:Sx", STRICT),
    ("ordinal_date",                     "W-j", STRICT),
    ("ordinal_date_time",                "W-jTh:i[:sf]z;W-jTh:i[:sf]x", STRICT),
    ("ordinal_date_time_no_millis",      "W-jTh:i:sz;W-jTh:i:sx", STRICT),

    ("strict_hour",                      "H", BENDING),
    ("strict_hour_minute",               "H:I", BENDING),
    ("strict_hour_minute_second",        "H:I:S", STRICT),
    ("strict_hour_minute_second_millis", "H:I:Sf", STRICT),
    ("strict_hour_minute_second_fraction", "H:I:Sf", STRICT),
    ("hour",                             "h", STRICT),
    ("hour_minute",                      "h:i", STRICT),
    ("hour_minute_second",               "h:i:s", STRICT),
    ("hour_minute_second_millis",        "h:i:sF", STRICT),
    ("hour_minute_second_fraction",      "h:i:sf", STRICT),
    ("strict_time",                      "H:I:Sfz;H:I:Sfx", STRICT),
    ("strict_time_no_millis",            "H:I:Sz;H:I:Sx", STRICT),
    ("strict_t_time",                    "TH:I:Sfz;TH:I:Sfx", STRICT),
    ("strict_t_time_no_millis",          "TH:I:Sz;TH:I:Sx", STRICT),
    ("time",                             "h:i:sfz;h:i:sfx", STRICT),
    ("time_no_millis",                   "h:i:sz;h:i:sx", STRICT),
    ("t_time",                           "Th:i:sfz;Th:i:sfx", STRICT),
    ("t_time_no_millis",                 "Th:i:sz;Th:i:sx", STRICT),
];

/// One of the things that are tried in turn.
pub fn pieces(written: &str) -> Vec<Piece> {
    let mut rows = OpenRows::new();
    for letter in written.chars() {
        let row = rows.row();
        let mut number = |part, min, max, sign| row.number(part, min, max, sign);
        match letter {
            'Y' => row.put_number(contested(4, 10, Sign::ExceedsPad)),
            'W' => number(TimePart::Year, 4, 10, Sign::ExceedsPad),
            '4' => number(TimePart::Year, 4, 4, Sign::None),
            'U' => number(TimePart::Year, 4, 19, Sign::ExceedsPad),
            'E' => number(TimePart::YearOfEra, 4, 19, Sign::ExceedsPad),
            'B' => number(TimePart::Year, 4, 4, Sign::Normal),
            'b' => number(TimePart::Year, 1, 4, Sign::Normal),
            'u' => number(TimePart::Year, 1, 19, Sign::Normal),
            'y' => row.put_number(contested(1, 5, Sign::Normal)),
            'O' => number(TimePart::Month, 2, 2, Sign::None),
            'o' => number(TimePart::Month, 1, 2, Sign::None),
            'm' => number(TimePart::Month, 1, 19, Sign::Normal),
            'D' => number(TimePart::Day, 2, 2, Sign::None),
            'd' => number(TimePart::Day, 1, 2, Sign::None),
            'e' => number(TimePart::Day, 1, 19, Sign::Normal),
            'J' => number(TimePart::DayOfYear, 3, 3, Sign::None),
            'j' => number(TimePart::DayOfYear, 1, 3, Sign::None),
            'H' => number(TimePart::Hour, 2, 2, Sign::None),
            'h' => number(TimePart::Hour, 1, 2, Sign::None),
            'I' => number(TimePart::Minute, 2, 2, Sign::None),
            'i' => number(TimePart::Minute, 1, 2, Sign::None),
            'S' => number(TimePart::Second, 2, 2, Sign::None),
            's' => number(TimePart::Second, 1, 2, Sign::None),
            'f' => row.fraction(1, 9, true),
            'F' => row.fraction(1, 3, true),
            'c' => row.fraction(1, 9, false),
            'z' => row.push(Piece::Zone),
            'X' => row.push(offset(true, false, false, "Z")),
            'q' => row.push(offset(true, false, false, "z")),
            'x' => row.push(offset(false, true, false, "Z")),
            '[' => rows.open(),
            ']' => {
                rows.close();
            }
            literal => row.literal(literal),
        }
    }
    rows.into_pieces()
}

/// A year for which servers take different numbers of digits.
fn contested(min: usize, max: usize, sign: Sign) -> NumberPiece {
    NumberPiece {
        part: TimePart::Year,
        min,
        max,
        sign,
        reserved: 0,
        is_reduced: false,
        is_contested: true,
    }
}
