//! Names of the hidden files beside a target: its lock, and where it is written until it is whole. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Places that are tried when others are taken by files of somebody else.
pub const PARTS_MAX: u32 = 100;

/// What a directory takes.
const NAME_BYTES_MAX: usize = 255;
/// The dot before a name and `.99.part` behind it.
const ADDED_BYTES_MAX: usize = 9;
/// Before the hash of a name that would not fit.
const KEPT_BYTES_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiddenNames {
    directory: PathBuf,
    /// With its dot.
    stem: OsString,
}

impl HiddenNames {
    /// None where the path ends without a name.
    pub fn beside(target: &Path) -> Option<HiddenNames> {
        let name = target.file_name()?.as_bytes();
        let mut stem = vec![b'.'];
        if name.len() + ADDED_BYTES_MAX <= NAME_BYTES_MAX {
            stem.extend_from_slice(name);
        } else {
            let mut kept = KEPT_BYTES_MAX;
            while name[kept] & 0xC0 == 0x80 && kept > KEPT_BYTES_MAX - 4 {
                kept -= 1;
            }
            stem.extend_from_slice(&name[..kept]);
            stem.extend_from_slice(format!("~{:016x}", hash(name)).as_bytes());
        }
        Some(HiddenNames {
            directory: directory(target).to_path_buf(),
            stem: OsString::from_vec(stem),
        })
    }

    pub fn lock(&self) -> PathBuf {
        self.with(".lock")
    }

    /// The first has no number, so that people find it.
    pub fn part(&self, number: u32) -> PathBuf {
        match number {
            0 => self.with(".part"),
            number => self.with(&format!(".{number}.part")),
        }
    }

    /// Whether a file of that name, in the same directory, could be one of these.
    pub fn is_called(&self, name: &OsStr) -> bool {
        let Some(end) = name.as_bytes().strip_prefix(self.stem.as_bytes()) else { return false };
        let number =
            end.strip_suffix(b".part").map(|number| number.strip_prefix(b".").unwrap_or(number));
        end == b".lock" || number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
    }

    fn with(&self, end: &str) -> PathBuf {
        let mut name = self.stem.clone();
        name.push(end);
        // A path is shown as it was written: without "./".
        match self.directory.as_os_str() == "." {
            true => PathBuf::from(name),
            false => self.directory.join(name),
        }
    }
}

pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// FNV-1a: two versions of the program have to find the same name.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beside(target: &str) -> HiddenNames {
        HiddenNames::beside(Path::new(target)).unwrap()
    }

    #[test]
    fn hidden_files_stand_beside_their_target() {
        for (target, lock, part, next) in [
            ("out.jsonl", ".out.jsonl.lock", ".out.jsonl.part", ".out.jsonl.1.part"),
            ("a/b", "a/.b.lock", "a/.b.part", "a/.b.1.part"),
            ("/b", "/.b.lock", "/.b.part", "/.b.1.part"),
        ] {
            let hidden = beside(target);
            assert_eq!(hidden.lock(), Path::new(lock));
            assert_eq!(hidden.part(0), Path::new(part));
            assert_eq!(hidden.part(1), Path::new(next));
        }
        assert_eq!(HiddenNames::beside(Path::new("..")), None);
    }

    #[test]
    fn the_longest_name_has_hidden_files_of_its_own() {
        for letter in ["x", "é", "漢"] {
            let long = |last: &str| format!("{}{last}", letter.repeat(254 / letter.len()));
            let (one, other) = (beside(&long("1")), beside(&long("2")));
            assert_ne!(one, other);
            for hidden in [one, other] {
                let name = hidden.part(PARTS_MAX - 1);
                let name = name.file_name().unwrap();
                assert!(name.len() <= NAME_BYTES_MAX && name.to_str().is_some(), "{name:?}");
            }
        }
        let just_fits = "x".repeat(NAME_BYTES_MAX - ADDED_BYTES_MAX);
        assert_eq!(beside(&just_fits).part(0), PathBuf::from(format!(".{just_fits}.part")));
        assert_ne!(
            HiddenNames::beside(Path::new(OsStr::from_bytes(b"\xff"))),
            HiddenNames::beside(Path::new(OsStr::from_bytes(b"\xfe")))
        );
    }

    #[test]
    fn names_that_hidden_files_may_take_are_known() {
        let hidden = beside("a/out.jsonl");
        for (name, is_called) in [
            (".out.jsonl.part", true),
            (".out.jsonl.lock", true),
            (".out.jsonl.7.part", true),
            (".out.jsonl", false),
            (".out.jsonl.x.part", false),
            ("out.jsonl.part", false),
            (".other.jsonl.part", false),
        ] {
            assert_eq!(hidden.is_called(OsStr::new(name)), is_called, "{name}");
        }
    }
}
