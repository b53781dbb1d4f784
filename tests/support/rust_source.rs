//! Which paths a Rust file names: enough of a parser to hold the floors of `src`, and no more.
//!
//! It knows comments, literals, `use` trees, modules written inside a file and `#[cfg(test)]`. It
//! does not expand macros.

use std::collections::HashMap;

/// A path that was named, such as `crate::record::Rows` or `tracing::info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    /// From the crate's root without `crate`, or beginning with the name of another crate.
    pub segments: Vec<String>,
    pub ours: bool,
    /// Under `#[cfg(test)]`.
    pub in_test: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    line: usize,
    text: String,
}

/// All paths of one file. `module` is where the file stands, such as `["source", "csv"]`.
pub fn paths(module: &[&str], text: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let text_at = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let scopes = scopes(&tokens);
    let mut named = Vec::new();
    let mut aliases: HashMap<String, Vec<String>> = HashMap::new();
    let mut is_read = vec![false; tokens.len()];

    // Paths from our own root, and the names that `use` gives to modules of ours.
    for at in 0..tokens.len() {
        let starts_path = text_at(at + 1) == "::" && (at == 0 || text_at(at - 1) != "::");
        let is_ours = matches!(text_at(at), "crate" | "super");
        if !(starts_path && is_ours) {
            continue;
        }
        let mut root = Vec::new();
        let mut next = at;
        if text_at(at) == "crate" {
            next += 2;
        } else {
            let mut above = module.len() + scopes[at].modules;
            while text_at(next) == "super" && text_at(next + 1) == "::" {
                above = above.saturating_sub(1);
                next += 2;
            }
            // What a module inside this file is called does not matter to any rule.
            let inside = module.iter().copied().chain(std::iter::repeat("inside"));
            root = inside.take(above).map(String::from).collect();
        }
        let mut leaves = Vec::new();
        let end = tree(&tokens, next, root, &mut leaves);
        is_read[at..end.min(tokens.len())].fill(true);
        for leaf in leaves {
            if at > 0 && text_at(at - 1) == "use" && starts_small(&leaf.alias) {
                aliases.insert(leaf.alias, leaf.segments.clone());
            }
            let in_test = scopes[at].test;
            named.push(Named { line: leaf.line, segments: leaf.segments, ours: true, in_test });
        }
    }

    // Paths that begin with such a name, and paths into other crates.
    for at in 0..tokens.len() {
        let before = if at == 0 { "" } else { text_at(at - 1) };
        let starts_path = before != "::" && (text_at(at + 1) == "::" || before == "use");
        let is_name =
            starts_small(text_at(at)) && !matches!(text_at(at), "crate" | "super" | "self");
        if is_read[at] || !(starts_path && is_name) {
            continue;
        }
        let mut leaves = Vec::new();
        let end = tree(&tokens, at, Vec::new(), &mut leaves);
        is_read[at..end.min(tokens.len())].fill(true);
        for leaf in leaves {
            let alias = aliases.get(&leaf.segments[0]);
            let mut segments = alias.cloned().unwrap_or_default();
            let rest = usize::from(alias.is_some());
            segments.extend_from_slice(&leaf.segments[rest..]);
            let (ours, in_test) = (alias.is_some(), scopes[at].test);
            named.push(Named { line: leaf.line, segments, ours, in_test });
        }
    }
    named.sort_by_key(|named| named.line);
    named
}

struct Leaf {
    line: usize,
    segments: Vec<String>,
    alias: String,
}

/// Reads `a::b::{c, d::*, e as f}` from token `at` on; returns the token behind it.
fn tree(tokens: &[Token], mut at: usize, mut path: Vec<String>, leaves: &mut Vec<Leaf>) -> usize {
    let text_at = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    if text_at(at) == "{" {
        at += 1;
        while !matches!(text_at(at), "}" | "") {
            at = tree(tokens, at, path.clone(), leaves);
            // The comma.
            at += usize::from(text_at(at) != "}");
        }
        return at + 1;
    }
    let line = tokens.get(at).map_or(0, |token| token.line);
    if text_at(at) != "self" {
        path.push(text_at(at).to_owned());
    }
    at += 1;
    let goes_on = |next: &str| next == "{" || next == "*" || is_word(next);
    if text_at(at) == "::" && goes_on(text_at(at + 1)) {
        return tree(tokens, at + 1, path, leaves);
    }
    let mut alias = path.last().cloned().unwrap_or_default();
    if text_at(at) == "as" {
        alias = text_at(at + 1).to_owned();
        at += 2;
    }
    leaves.push(Leaf { line, segments: path, alias });
    at
}

#[derive(Clone, Copy, Default)]
struct Scope {
    /// How many modules written inside the file the token is in.
    modules: usize,
    test: bool,
}

/// For every token, what is around it.
fn scopes(tokens: &[Token]) -> Vec<Scope> {
    let text_at = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut around = vec![Scope::default()];
    let mut scopes = Vec::with_capacity(tokens.len());
    // How deep the item stands that a `#[cfg(test)]` was written above.
    let mut test_item: Option<usize> = None;
    for at in 0..tokens.len() {
        if text_at(at) == "#" && text_at(at + 1) == "[" && text_at(at + 2) == "cfg" {
            let words = || tokens[at..].iter().map(|token| token.text.as_str());
            let mut attribute = words().take_while(|&word| word != "]");
            let is_test = attribute.any(|word| word == "test");
            let is_not = words().take_while(|&word| word != "]").any(|word| word == "not");
            if is_test && !is_not {
                test_item = Some(around.len());
            }
        }
        let here = around.last().copied().unwrap_or_default();
        let test = here.test || test_item.is_some();
        scopes.push(Scope { test, ..here });
        match text_at(at) {
            "{" => {
                let is_module = at >= 2 && text_at(at - 2) == "mod";
                let modules = here.modules + usize::from(is_module);
                if test_item == Some(around.len()) {
                    test_item = None;
                }
                around.push(Scope { modules, test });
            }
            "(" | "[" => around.push(Scope { test, ..here }),
            "}" | ")" | "]" if around.len() > 1 => {
                around.pop();
            }
            ";" if test_item == Some(around.len()) => test_item = None,
            _ => {}
        }
    }
    scopes
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let char_at = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let (mut at, mut line, mut seen) = (0, 1, 0);
    while at < chars.len() {
        line += chars[seen..at].iter().filter(|&&c| c == '\n').count();
        seen = at;
        let token = match (char_at(at), char_at(at + 1)) {
            ('/', '/') => {
                at += chars[at..].iter().take_while(|&&c| c != '\n').count();
                continue;
            }
            ('/', '*') => {
                at = comment_end(&chars, at);
                continue;
            }
            ('"', _) => {
                at = literal_end(&chars, at);
                continue;
            }
            // A quote opens a character only where one closes it soon; else it is a lifetime.
            ('\'', next) => {
                let is_char = next == '\\' || char_at(at + 2) == '\'';
                at = if is_char { literal_end(&chars, at) } else { at + 1 };
                continue;
            }
            (c, _) if c.is_alphanumeric() || c == '_' => {
                let word: String = chars[at..].iter().take_while(|c| is_word_char(**c)).collect();
                let behind = at + word.chars().count();
                let raw_hashes = chars[behind..].iter().take_while(|&&c| c == '#').count();
                let is_raw = word.ends_with('r') && char_at(behind + raw_hashes) == '"';
                if is_raw && matches!(word.as_str(), "r" | "br" | "cr") {
                    at = raw_end(&chars, behind, raw_hashes);
                    continue;
                }
                word
            }
            (':', ':') => "::".to_owned(),
            (c, _) if c.is_whitespace() => {
                at += 1;
                continue;
            }
            (c, _) => c.to_string(),
        };
        at += token.chars().count();
        tokens.push(Token { line, text: token });
    }
    tokens
}

/// Block comments nest.
fn comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Of a string or a character: behind the same quote that opened it.
fn literal_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != chars[start] {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_end(chars: &[char], hashes_at: usize, hashes: usize) -> usize {
    let closes = |at: usize| {
        chars[at] == '"' && chars[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes
    };
    let inside = hashes_at + hashes + 1;
    let quote = (inside..chars.len()).find(|&at| closes(at)).unwrap_or(chars.len());
    quote + 1 + hashes
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_word(text: &str) -> bool {
    text.starts_with(is_word_char)
}

fn starts_small(text: &str) -> bool {
    text.starts_with(|c: char| c.is_lowercase() || c == '_')
}

mod tests {
    use super::paths;

    /// Paths as text; a `?` marks those of other crates, a `!` those in tests.
    #[track_caller]
    fn check(module: &[&str], text: &str, expected: &[&str]) {
        let actual: Vec<String> = paths(module, text)
            .into_iter()
            .map(|named| {
                let crate_mark = if named.ours { "" } else { "?" };
                let test_mark = if named.in_test { "!" } else { "" };
                format!("{}{crate_mark}{test_mark}", named.segments.join("::"))
            })
            .collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn use_trees_and_plain_paths_are_found() {
        check(&["a"], "", &[]);
        check(
            &["a"],
            "use crate::b::{C, d::{self, E as F}, *};",
            &["b::C", "b::d", "b::d::E", "b::*"],
        );
        check(&["a"], "pub(crate) fn f(x: &crate::b::C<'_>) { x }", &["b::C"]);
        check(&["a"], "fn f() { crate::b::c::<u8>() }", &["b::c"]);
        check(
            &["a"],
            "use tracing::info;\nprometheus::Registry",
            &["tracing::info?", "prometheus::Registry?"],
        );
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        check(&["a"], "// crate::b\n/* crate::c /* crate::d */ crate::e */", &[]);
        check(
            &["a"],
            r###"("crate::b \" crate::c", r#"crate::d " crate::e"#, '"', "crate::f")"###,
            &[],
        );
        check(
            &["a"],
            "impl<'a> X<'a> { const C: char = '\\''; fn f() { crate::b::C } }",
            &["b::C"],
        );
    }

    #[test]
    fn a_module_is_followed_under_the_name_it_was_given() {
        check(&["a"], "use crate::b;\nb::c::D", &["b", "b::c::D"]);
        check(&["a"], "use crate::b as x;\nx::c::D", &["b", "b::c::D"]);
    }

    #[test]
    fn super_is_resolved_from_where_it_stands() {
        check(&["a"], "use super::b::C;", &["b::C"]);
        check(&["a", "m"], "use super::super::b::C;", &["b::C"]);
        check(&["a"], "mod tests { use super::*;\nuse super::super::b::C; }", &["a::*", "b::C"]);
    }

    #[test]
    fn what_is_only_for_tests_is_marked() {
        check(&["a"], "#[cfg(test)] use crate::b::C;\nuse crate::d::E;", &["b::C!", "d::E"]);
        check(&["a"], "#[cfg(test)] mod t { crate::b::C }\nuse crate::d::E;", &["b::C!", "d::E"]);
        check(&["a"], "#[cfg(test)] fn f(_: [u8; 2]) { crate::b::C }", &["b::C!"]);
        check(&["a"], "#[cfg(not(test))] fn f() { crate::b::C }", &["b::C"]);
    }
}
