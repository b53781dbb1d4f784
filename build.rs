//! Says of which revision the program is: `GIT_REVISION` where the build is told, the archive's own
//! (`.gitattributes` has git write it into `.revision` when it makes one), or the repository's. A build
//! from none of them says nothing.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// As many letters as nobody confuses.
const LETTERS: usize = 12;

fn main() {
    println!("cargo::rerun-if-env-changed=GIT_REVISION");
    println!("cargo::rerun-if-changed=.revision");
    let told = env::var("GIT_REVISION").ok().filter(|revision| !revision.is_empty());
    if let Some(revision) = told.or_else(of_archive).or_else(of_repository) {
        println!("cargo::rustc-env=FLOWGAUGE_REVISION={revision}");
    }
}

fn of_archive() -> Option<String> {
    let text = fs::read_to_string(".revision").ok()?;
    shortened(text.trim())
}

/// Of the repository that this folder is the top of, and no other around it.
fn of_repository() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // Each commit moves the log of HEAD, also in a work tree of its own.
    for name in ["logs/HEAD", "HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
            break;
        }
    }
    shortened(&git(&["rev-parse", "HEAD"])?)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}

/// None where git has not put one there.
fn shortened(text: &str) -> Option<String> {
    let is_revision = text.len() >= LETTERS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_revision.then(|| text[..LETTERS].to_string())
}
