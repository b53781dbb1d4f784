//! Which run has a lock: a line in the file that is locked, for whoever is stopped by it.

use std::fmt;
use std::process;

use crate::host::host_name;

/// As many letters as names of hosts may have.
const HOST_LETTERS_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    host: String,
    pid: u32,
    since: String,
}

impl Owner {
    /// This process, from now on.
    pub fn this() -> Owner {
        let host: String = host_name().chars().filter(|letter| is_plain(*letter)).collect();
        let host = host.chars().take(HOST_LETTERS_MAX).collect::<String>();
        Owner {
            host: if host.is_empty() { "unknown".to_string() } else { host },
            pid: process::id(),
            since: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    /// `by host db1 pid 4711 since 2026-01-01T02:15:00Z`
    pub fn line(&self) -> String {
        let Owner { host, pid, since } = self;
        format!("by host {host} pid {pid} since {since}\n")
    }

    /// None of anything else, such as a line that was not written whole.
    pub fn read(line: &str) -> Option<Owner> {
        let words: Vec<&str> = line.split(' ').collect();
        let ["by", "host", host, "pid", pid, "since", since] = words[..] else { return None };
        let are_plain = [host, since].iter().all(|word| {
            !word.is_empty() && word.len() <= HOST_LETTERS_MAX && word.chars().all(is_plain)
        });
        let pid = pid.parse().ok()?;
        are_plain.then(|| Owner { host: host.to_string(), pid, since: since.to_string() })
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._:".contains(letter)
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host {}, pid {}, since {}", self.host, self.pid, self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_read_as_it_was_written() {
        let this = Owner::this();
        assert_eq!(Owner::read(this.line().trim_end()), Some(this));
        for line in [
            "",
            "by host a pid b since c",
            "by host a\x1b pid 1 since c",
            "by host a pid 1 since c d",
        ] {
            assert_eq!(Owner::read(line), None, "{line}");
        }
    }
}
