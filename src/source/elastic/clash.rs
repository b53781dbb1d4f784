//! Whether a document has a field of its own that is called as the metadata put in front of it. Servers
//! refuse such documents, but for those of an index that looks into none (`enabled: false`). Pure.

use crate::source::document::Object;

/// What may be an underscore at the beginning of a name, behind its quote.
const ESCAPE: &[u8] = b"\\u005";

pub struct Clash {
    /// They all begin with an underscore.
    names: Vec<String>,
}

impl Clash {
    pub fn new(names: &[String]) -> Clash {
        Clash { names: names.to_vec() }
    }

    /// The first of the names that is a field of the document. One whose own names are no text, so that
    /// nobody can tell, counts as having it.
    pub fn find(&self, document: &str) -> Option<&str> {
        if !self.may_be_in(document.as_bytes()) {
            return None;
        }
        match serde_json::from_str::<Object>(document) {
            Ok(Object(fields)) => self
                .names
                .iter()
                .find(|name| fields.iter().any(|(field, _)| field == *name))
                .map(String::as_str),
            Err(_) => self.names.first().map(String::as_str),
        }
    }

    /// Looks at the bytes only, once, because every document is looked at: a value, or a field of an
    /// object in it, may be called so, too.
    fn may_be_in(&self, document: &[u8]) -> bool {
        let inside = document.get(1..).unwrap_or_default();
        memchr::memchr2_iter(b'_', b'\\', inside)
            .filter(|at| document[*at] == b'"')
            .any(|at| self.may_begin(&inside[at..]))
    }

    fn may_begin(&self, text: &[u8]) -> bool {
        if text[0] == b'\\' {
            return text.starts_with(ESCAPE);
        }
        match memchr::memchr2(b'"', b'\\', text) {
            Some(end) if text[end] == b'"' => {
                self.names.iter().any(|name| name.as_bytes() == &text[..end])
            }
            // What an escape stands for is not looked at here.
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clash() -> Clash {
        Clash::new(&["_id".to_string(), "_routing".to_string()])
    }

    #[test]
    fn only_fields_of_the_document_itself_count() {
        for (document, found) in [
            ("{}", None),
            (r#"{"a":1}"#, None),
            (r#"{"_id":1}"#, Some("_id")),
            (r#"{"a":1, "_routing" :null}"#, Some("_routing")),
            (r#"{"_index":1}"#, None),
            (r#"{"_idx":1,"x_id":2,"_i":3,"id":4}"#, None),
            (r#"{"a":"_id","b":["_id"],"c":{"_id":1}}"#, None),
            (r#"{"\u005fid":1}"#, Some("_id")),
            (r#"{"\u005Fid":1}"#, Some("_id")),
            (r#"{"_\u0069d":1}"#, Some("_id")),
            (r#"{"_\u0069e":1,"\u005a":2}"#, None),
            (r#"{"a\"_id":1}"#, None),
            (r#"{"\ud800":1,"_id":2}"#, Some("_id")),
            (r#"{"\ud800":1}"#, None),
        ] {
            assert_eq!(clash().find(document), found, "{document}");
        }
    }

    proptest! {
        /// However a name is written, it is found as a parser finds it.
        #[test]
        fn escapes_hide_nothing(escaped in prop::collection::vec(any::<bool>(), 3), is_upper: bool) {
            let letter = |(letter, escaped): (char, &bool)| match (escaped, is_upper) {
                (false, _) => letter.to_string(),
                (true, false) => format!("\\u{:04x}", letter as u32),
                (true, true) => format!("\\u{:04X}", letter as u32),
            };
            let name: String = "_id".chars().zip(&escaped).map(letter).collect();
            let (clash, document) = (clash(), format!(r#"{{"a":[],"{name}":1}}"#));
            prop_assert_eq!(clash.find(&document), Some("_id"));
        }
    }
}
