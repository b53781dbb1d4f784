//! The name of this machine, as its kernel says it.

use std::fs;

/// Empty where it has none.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_string()
}
