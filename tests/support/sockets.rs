//! Which ports a process listens on, asked of the kernel.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

/// `st` of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The TCP ports that process `id` listens on, ascending. Other sockets, such as the pairs that
/// carry signals, are none.
pub fn listening_ports(id: u32) -> Vec<u16> {
    let descriptors = fs::read_dir(format!("/proc/{id}/fd")).unwrap();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let own: Vec<String> = targets
        .filter_map(|target| {
            let target = target.to_string_lossy().into_owned();
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_string())
        })
        .collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        // A machine without IPv6 has no second table.
        let text = fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields[1], fields[3], fields[9]);
            if state == LISTEN && own.iter().any(|socket| socket == inode) {
                let port = local.rsplit(':').next().unwrap();
                ports.push(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    ports.sort_unstable();
    ports
}

pub fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

mod tests {
    use super::*;

    #[test]
    fn a_listener_is_seen_and_a_connection_is_not() {
        let id = std::process::id();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connection = std::net::TcpStream::connect(address).unwrap();
        let other = connection.local_addr().unwrap().port();
        let ports = listening_ports(id);
        assert!(ports.contains(&address.port()) && !ports.contains(&other), "{ports:?}");
    }
}
