//! A small YAML file as a tree: texts, lists and mappings with their lines. What could hide something -
//! anchors, tags, a key that stands twice, a second document - is refused. Messages hold no values.

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, SpannedEventReceiver};

/// Deeper than any file that is meant here.
const DEPTH_MAX: usize = 16;

#[derive(Clone, Debug)]
pub struct Node {
    pub line: usize,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    Nothing,
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

impl Value {
    pub fn what(&self) -> &'static str {
        match self {
            Value::Nothing => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// What is wrong, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub struct Flaw {
    pub line: usize,
    pub what: String,
}

impl Flaw {
    pub fn new(line: usize, what: impl Into<String>) -> Flaw {
        Flaw { line, what: what.into() }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The one document of a text; nothing where it is empty.
pub fn parse(text: &str) -> Result<Node, Flaw> {
    let mut tree = Tree::default();
    let parsed = Parser::new_from_str(text).load(&mut tree, true);
    if let Some(flaw) = tree.flaw {
        return Err(flaw);
    }
    // What the parser says may hold a word of the file.
    parsed.map_err(|error| Flaw::new(error.marker().line(), "this is no YAML"))?;
    Ok(tree.document.unwrap_or(Node { line: 1, value: Value::Nothing }))
}

#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    document: Option<Node>,
    flaw: Option<Flaw>,
}

struct Open {
    node: Node,
    key: Option<String>,
}

impl Tree {
    fn fail(&mut self, line: usize, what: &str) {
        self.flaw.get_or_insert_with(|| Flaw::new(line, what));
    }

    fn begin(&mut self, line: usize, value: Value) {
        if self.open.len() >= DEPTH_MAX {
            return self.fail(line, "this is nested too deeply");
        }
        self.open.push(Open { node: Node { line, value }, key: None });
    }

    fn end(&mut self) {
        if let Some(Open { node, .. }) = self.open.pop() {
            self.put(node);
        }
    }

    fn put(&mut self, node: Node) {
        let line = node.line;
        let Some(Open { node: parent, key }) = self.open.last_mut() else {
            if self.document.replace(node).is_some() {
                self.fail(line, "this is a second document");
            }
            return;
        };
        match (&mut parent.value, key.take()) {
            (Value::List(members), _) => members.push(node),
            (Value::Mapping(members), Some(name)) => {
                if members.iter().any(|(other, _)| *other == name) {
                    return self.fail(line, "this key stands twice");
                }
                members.push((name, node));
            }
            (Value::Mapping(_), None) => match node.value {
                Value::Text(name) => *key = Some(name),
                _ => self.fail(line, "a key is a text"),
            },
            (Value::Nothing | Value::Text(_), _) => unreachable!("only what is open holds others"),
        }
    }
}

impl<'input> SpannedEventReceiver<'input> for Tree {
    fn on_event(&mut self, event: Event<'input>, span: Span) {
        let line = span.start.line();
        if self.flaw.is_some() {
            return;
        }
        match event {
            Event::Alias(_) => self.fail(line, "anchors and aliases are not supported"),
            Event::Scalar(_, _, anchor, ref tag)
            | Event::SequenceStart(anchor, ref tag)
            | Event::MappingStart(anchor, ref tag)
                if anchor > 0 || tag.is_some() =>
            {
                self.fail(line, "anchors and tags are not supported");
            }
            Event::Scalar(text, style, ..) => {
                let is_nothing = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value =
                    if is_nothing { Value::Nothing } else { Value::Text(text.into_owned()) };
                self.put(Node { line, value });
            }
            Event::SequenceStart(..) => self.begin(line, Value::List(Vec::new())),
            Event::MappingStart(..) => self.begin(line, Value::Mapping(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Nothing => "null".to_string(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(members) => {
                format!("[{}]", members.iter().map(shown).collect::<Vec<_>>().join(" "))
            }
            Value::Mapping(members) => {
                let members = members.iter().map(|(name, node)| format!("{name}={}", shown(node)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn trees() {
        for (text, expected) in [
            ("", "null"),
            ("# only a comment\n", "null"),
            (
                "a: 1\nb:\n  c: 'x: y'\n  d: [e, \"f\"]\ng:\n",
                "{a=\"1\" b={c=\"x: y\" d=[\"e\" \"f\"]} g=null}",
            ),
            ("---\na: |\n  b\n...\n", "{a=\"b\\n\"}"),
            ("{}", "{}"),
        ] {
            assert_eq!(shown(&parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn flaws_have_their_line() {
        for (text, line, what) in [
            ("a: 1\na: 2\n", 2, "this key stands twice"),
            ("a: &x 1\nb: *x\n", 1, "anchors and tags are not supported"),
            ("a: 1\nb: !!str x\n", 2, "anchors and tags are not supported"),
            ("a: 1\n---\nb: 1\n", 3, "this is a second document"),
            ("? [a]\n: b\n", 1, "a key is a text"),
            ("a: {b\n", 2, "this is no YAML"),
            ("a: 1\nhidden \"words\": x: y\n", 2, "this is no YAML"),
            ("[[[[[[[[[[[[[[[[[[[[", 1, "this is nested too deeply"),
        ] {
            let flaw = parse(text).map(|node| shown(&node)).unwrap_err();
            assert_eq!((flaw.line, flaw.what.as_str()), (line, what), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_tree_or_a_flaw(text in "[-a:{}\\[\\],'\"|>&*!?#% \\n\\t]{0,60}") {
            let _ = parse(&text);
        }
    }
}
