//! An element with what is in it, written as HTML or as JSON from which a script makes the same.

use std::fmt::{Display, Write};

use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::shown::Line;

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Text(String),
    Element(Element),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    tag: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

pub fn element(tag: &'static str) -> Element {
    Element { tag, attributes: Vec::new(), children: Vec::new() }
}

/// They have no end tag.
const VOID: [&str; 4] = ["br", "input", "link", "meta"];

impl Element {
    /// With an attribute.
    pub fn with(mut self, name: &'static str, value: impl Display) -> Element {
        self.attributes.push((name, Line(value).to_string()));
        self
    }

    pub fn class(self, names: impl Display) -> Element {
        self.with("class", names)
    }

    pub fn text(mut self, text: impl Display) -> Element {
        self.children.push(Node::Text(Line(text).to_string()));
        self
    }

    pub fn child(mut self, child: impl Into<Node>) -> Element {
        self.children.push(child.into());
        self
    }

    pub fn children<C: Into<Node>>(mut self, children: impl IntoIterator<Item = C>) -> Element {
        self.children.extend(children.into_iter().map(Into::into));
        self
    }

    pub fn html(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.tag);
        for (name, value) in &self.attributes {
            // A String takes everything.
            let _ = write!(out, " {name}=\"");
            escape(value, out);
            out.push('"');
        }
        out.push('>');
        if VOID.contains(&self.tag) {
            return;
        }
        for child in &self.children {
            match child {
                Node::Text(text) => escape(text, out),
                Node::Element(element) => element.write(out),
            }
        }
        let _ = write!(out, "</{}>", self.tag);
    }
}

fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}

impl From<Element> for Node {
    fn from(element: Element) -> Node {
        Node::Element(element)
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Node {
        Node::Text(Line(text).to_string())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Node {
        Node::from(text.as_str())
    }
}

/// `["a", {"href": "/"}, "text", ["b", {}]]`
impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_seq(Some(2 + self.children.len()))?;
        parts.serialize_element(self.tag)?;
        parts.serialize_element(&Attributes(&self.attributes))?;
        for child in &self.children {
            match child {
                Node::Text(text) => parts.serialize_element(text)?,
                Node::Element(element) => parts.serialize_element(element)?,
            }
        }
        parts.end()
    }
}

struct Attributes<'a>(&'a [(&'static str, String)]);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_element_is_written_in_both_ways() {
        let node = element("p").class("a b").text("x < y & ").child(element("br")).child("\"'\n");
        assert_eq!(node.html(), "<p class=\"a b\">x &lt; y &amp; <br>&quot;&#39;\\n</p>");
        let json = serde_json::to_string(&node).unwrap();
        assert_eq!(json, r#"["p",{"class":"a b"},"x < y & ",["br",{}],"\"'\\n"]"#);
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place(text in any::<String>()) {
            let html = element("b").with("title", &text).text(&text).html();
            let inside = html.strip_prefix("<b title=\"").unwrap().strip_suffix("</b>").unwrap();
            let (value, text) = inside.split_once("\">").unwrap();
            for part in [value, text] {
                prop_assert!(!part.contains(['<', '>', '"', '\'']));
                prop_assert!(!part.chars().any(crate::shown::is_obeyed));
            }
        }
    }
}
