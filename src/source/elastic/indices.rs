//! Answers that are an object of indices, such as mappings: read one index at a time, because all of
//! them together take many times their length in memory. Pure.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A share of the memory for the index that is read.
pub const SHARE: usize = 4;

/// Why an answer is not read.
#[derive(Debug)]
pub enum Unread {
    NoJson(serde_json::Error),
    /// This index takes more memory than there is for it.
    TooLarge(String),
}

/// Gives `take` an object of each index alone, none of which takes more than about `most` bytes of
/// memory. It may end the reading with an error of its own.
pub fn each<E: From<Unread>>(
    body: &[u8],
    most: usize,
    take: impl FnMut(&Value) -> Result<(), E>,
) -> Result<(), E> {
    // Bytes that are no text can only be part of names that no document can be asked for.
    let text = String::from_utf8_lossy(body);
    let mut failure = None;
    let each = Each { most, take, failure: &mut failure };
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let read = deserializer.deserialize_map(each).and_then(|()| deserializer.end());
    match (failure, read) {
        (Some(failure), _) => Err(failure),
        (None, Ok(())) => Ok(()),
        (None, Err(cause)) => Err(Unread::NoJson(cause).into()),
    }
}

struct Each<'a, E, F> {
    most: usize,
    take: F,
    failure: &'a mut Option<E>,
}

impl<'de, E: From<Unread>, F: FnMut(&Value) -> Result<(), E>> Visitor<'de> for Each<'_, E, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of indices")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((index, raw)) = map.next_entry::<String, &RawValue>()? {
            let taken = one(index, raw.get(), self.most).and_then(|value| (self.take)(&value));
            if let Err(failure) = taken {
                *self.failure = Some(failure);
                return Err(serde::de::Error::custom("it was not taken"));
            }
        }
        Ok(())
    }
}

fn one<E: From<Unread>>(index: String, raw: &str, most: usize) -> Result<Value, E> {
    if weight(raw.as_bytes()) > most {
        return Err(Unread::TooLarge(index).into());
    }
    let value: Value = serde_json::from_str(raw).map_err(Unread::NoJson)?;
    Ok(Value::Object(Map::from_iter([(index, value)])))
}

/// Halves of surrogate pairs, which servers write into names as escapes, are no text: they become
/// the sign for what is unknown. Says whether there were any.
pub fn without_halves(body: &mut [u8]) -> bool {
    let mut found = false;
    let mut at = 0;
    while let Some(next) = body.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += next;
        match half(&body[at..]) {
            Some(Half::High) if half(&body[at + 6..]) == Some(Half::Low) => at += 12,
            Some(_) => {
                body[at + 2..at + 6].copy_from_slice(b"fffd");
                found = true;
                at += 6;
            }
            None => at += 2,
        }
    }
    found
}

#[derive(PartialEq, Eq)]
enum Half {
    High,
    Low,
}

fn half(text: &[u8]) -> Option<Half> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let unit = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    match unit {
        0xD800..=0xDBFF => Some(Half::High),
        0xDC00..=0xDFFF => Some(Half::Low),
        _ => None,
    }
}

/// About as many bytes as JSON takes when it is read: each object is a node of a tree with room for
/// several members, however few it has, and each value has room of its own.
pub fn weight(json: &[u8]) -> usize {
    const OBJECT_BYTES: usize = 700;
    const VALUE_BYTES: usize = 72;
    let mut weight = json.len();
    for at in memchr::memchr3_iter(b'{', b',', b'[', json) {
        weight += if json[at] == b',' { VALUE_BYTES } else { OBJECT_BYTES };
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Stop {
        Unread(Unread),
        Enough,
    }

    impl From<Unread> for Stop {
        fn from(unread: Unread) -> Stop {
            Stop::Unread(unread)
        }
    }

    fn all(body: &[u8], most: usize) -> Result<Vec<Value>, Stop> {
        let mut found = Vec::new();
        each(body, most, |one| {
            found.push(one.clone());
            if found.len() < 3 { Ok(()) } else { Err(Stop::Enough) }
        })?;
        Ok(found)
    }

    #[test]
    fn indices_come_one_by_one() {
        let found = all(br#" {"a": {"x": [1]}, "b": {}} "#, 10_000).unwrap();
        let texts: Vec<String> = found.iter().map(Value::to_string).collect();
        assert_eq!(texts, [r#"{"a":{"x":[1]}}"#, r#"{"b":{}}"#]);
        assert!(all(b"{}", 0).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_object_of_indices_is_said() {
        for body in
            ["", "[]", "null", "{", r#"{"a":{}"#, r#"{"a":{}} x"#, r#"{"a":{"b"}}"#, "<html>"]
        {
            let found = all(body.as_bytes(), 10_000);
            assert!(matches!(found, Err(Stop::Unread(Unread::NoJson(_)))), "{body}: {found:?}");
        }
    }

    #[test]
    fn an_index_that_is_too_large_is_named_and_nothing_is_read_after_it() {
        let found = all(br#"{"small":{},"big":{"a":{},"b":{}},"x"#, 1_500);
        let Err(Stop::Unread(Unread::TooLarge(index))) = found else { panic!("{found:?}") };
        assert_eq!(index, "big");
        let found = all(br#"{"a":{},"b":{},"c":{},"d"#, 1_500);
        assert!(matches!(found, Err(Stop::Enough)), "{found:?}");
    }

    #[test]
    fn halves_of_pairs_are_found() {
        for (text, expected) in [
            (r#"{"\uD800":1}"#, r#"{"\ufffd":1}"#),
            (r#"{"\uD83D\uDE00":1,"a\\uD800":2}"#, r#"{"\uD83D\uDE00":1,"a\\uD800":2}"#),
            (r#"\udc00\ud800\ud800\udc00"#, r#"\ufffd\ufffd\ud800\udc00"#),
            (r#""a\udc00\ud83d\ude00b\ud83d""#, r#""a\ufffd\ud83d\ude00b\ufffd""#),
            (r#""\\ud800 \\\ud800""#, r#""\\ud800 \\\ufffd""#),
            (r#""\ud8""#, r#""\ud8""#),
            (r"\ud80", r"\ud80"),
            (r#""\u0041\uffff\ud800\u0041""#, r#""\u0041\uffff\ufffd\u0041""#),
            (r"\", r"\"),
        ] {
            let mut body = text.as_bytes().to_vec();
            assert_eq!(without_halves(&mut body), text != expected, "{text}");
            assert_eq!(String::from_utf8(body).unwrap(), expected);
        }
    }

    #[test]
    fn names_that_are_no_text_are_read_all_the_same() {
        let mut body = b"{\"a\":{\"\\ud800\":1,\"\xed\xa0\xbd\":2}}".to_vec();
        assert!(without_halves(&mut body));
        let found = all(&body, 10_000).unwrap();
        assert_eq!(found[0]["a"]["\u{fffd}"], 1);
        assert_eq!(found[0]["a"].as_object().unwrap().len(), 2);
    }

    /// Names and values as a mapping has them, and others.
    fn json() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn all_indices_together_are_the_answer(
            indices in proptest::collection::btree_map("[a-z]{1,3}", json(), 0..3),
        ) {
            let answer = Value::Object(indices.into_iter().collect());
            let found = each_of(answer.to_string().as_bytes()).unwrap();
            proptest::prop_assert_eq!(Value::Object(found), answer);
        }

        #[test]
        fn bytes_of_any_kind_are_read_or_refused(
            body in proptest::collection::vec(
                proptest::sample::select(b"{}[]:,\"\\ud8c0n1 \xed\xa0".to_vec()), 0..40),
        ) {
            let found = each_of(&body);
            if let Ok(Value::Object(whole)) = serde_json::from_slice::<Value>(&body) {
                proptest::prop_assert_eq!(found.unwrap().len(), whole.len());
            }
        }
    }

    fn each_of(body: &[u8]) -> Result<Map<String, Value>, Unread> {
        let mut found = Map::new();
        each(body, usize::MAX, |one| {
            found.extend(one.as_object().unwrap().clone());
            Ok(())
        })?;
        Ok(found)
    }
}
