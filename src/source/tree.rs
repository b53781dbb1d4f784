//! An object that is put together from fields with dots in their names. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

/// Objects in objects; values in their own words.
#[derive(Default, Serialize)]
pub struct Tree<'a>(BTreeMap<String, Node<'a>>);

#[derive(Serialize)]
#[serde(untagged)]
enum Node<'a> {
    Value(&'a RawValue),
    Tree(Tree<'a>),
}

impl<'a> Tree<'a> {
    /// Puts a value at a path such as `a.b`; false where something is there, or on the way.
    pub fn put(&mut self, path: &str, value: &'a RawValue) -> bool {
        let mut tree = self;
        let mut rest = path;
        while let Some((first, more)) = rest.split_once('.') {
            let inner = tree.0.entry(first.to_string());
            match inner.or_insert_with(|| Node::Tree(Tree::default())) {
                Node::Tree(inner) => tree = inner,
                Node::Value(_) => return false,
            }
            rest = more;
        }
        let is_free = !tree.0.contains_key(rest);
        if is_free {
            tree.0.insert(rest.to_string(), Node::Value(value));
        }
        is_free
    }

    /// As JSON.
    pub fn words(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("names and valid JSON can always be written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_make_objects_in_objects() {
        for (fields, expected) in [
            (&[("a", "1")][..], Some(r#"{"a":1}"#)),
            (
                &[("a.b", "1.50"), ("a.c.d", "[ 2]"), ("e", "null")],
                Some(r#"{"a":{"b":1.50,"c":{"d":[ 2]}},"e":null}"#),
            ),
            (&[("\"\n", "{\"x\":1}")], Some(r#"{"\"\n":{"x":1}}"#)),
            (&[("a", "1"), ("a", "1")], None),
            (&[("a", "{}"), ("a.b", "1")], None),
            (&[("a.b", "1"), ("a", "{}")], None),
        ] {
            let mut tree = Tree::default();
            let mut put = |(path, words): &(&str, &'static str)| {
                tree.put(path, serde_json::from_str(words).unwrap())
            };
            let is_put = fields.iter().all(&mut put);
            let words = is_put.then(|| String::from_utf8(tree.words()).unwrap());
            assert_eq!(words.as_deref(), expected, "{fields:?}");
        }
    }
}
