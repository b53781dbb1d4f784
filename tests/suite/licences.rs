//! What may be built into the program: licences that allow it, one TLS stack at most, and no
//! unsafe code of our own.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Everything else is refused. Each of these asks for no more than to be named.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    // Data: the root certificates of the web.
    "CDLA-Permissive-2.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    // The same without the condition.
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Second TLS stacks and what pulls them in: they need a C library on the machine, or a C build
/// that takes longer than ours.
const PACKAGES_REFUSED: &[&str] = &["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl-sys"];

#[test]
fn every_dependency_has_a_licence_on_the_list() {
    let mut refused = Vec::new();
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or("none stated");
        if !is_allowed(licence) {
            refused.push(format!("{} {}: {licence}", package["name"], package["version"]));
        }
    }
    assert!(refused.is_empty(), "licences not on the list:\n{}", refused.join("\n"));
}

#[test]
fn no_second_tls_stack_is_built_in() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert!(
            !PACKAGES_REFUSED.contains(&name),
            "{name} is in the tree: see cargo tree -i {name}"
        );
    }
}

#[test]
fn unsafe_code_stays_forbidden() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}

/// Everything that the tree of this machine's platform holds, for tests and benches too.
fn packages() -> Vec<Value> {
    let cargo = |args: &[&str]| {
        let folder = env!("CARGO_MANIFEST_DIR");
        let output = Command::new(env!("CARGO")).current_dir(folder).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata =
        cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", host]);
    let mut metadata: Value = serde_json::from_str(&metadata).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    assert!(packages.len() > 10, "only {} packages", packages.len());
    packages
}

/// An SPDX expression: OR is a choice, AND binds tighter. Old manifests write `/` for OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let allowed = choice(&mut words);
    allowed && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn choice(words: &mut Words) -> bool {
    let mut allowed = all(words);
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all(words);
    }
    allowed
}

fn all(words: &mut Words) -> bool {
    let mut allowed = one(words);
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut Words) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        let allowed = choice(words);
        return words.next() == Some(")") && allowed;
    }
    let exception = words.next_if_eq(&"WITH").and_then(|_| words.next());
    let licence = match exception {
        Some(exception) => format!("{word} WITH {exception}"),
        None => word.to_owned(),
    };
    LICENCES.contains(&licence.as_str())
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allowed = [
        "MIT",
        "MIT OR GPL-3.0",
        "MIT/Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "GPL-3.0 AND MIT OR Zlib",
    ];
    let refused = [
        "",
        "GPL-3.0",
        "none stated",
        "MIT AND GPL-3.0",
        "MIT WITH some-exception",
        "(MIT",
        "MIT)",
        "GPL-3.0 AND (MIT OR Zlib)",
    ];
    for expression in allowed {
        assert!(is_allowed(expression), "{expression}");
    }
    for expression in refused {
        assert!(!is_allowed(expression), "{expression}");
    }
}
