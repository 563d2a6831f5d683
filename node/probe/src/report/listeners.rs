//! Open listeners of the host's network namespace, with the processes that hold them.

use super::process;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `TCP_LISTEN`, and what an unconnected UDP socket has in its place (`TCP_CLOSE`).
const TABLES: [(&str, &str); 4] = [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")];

/// One line of a socket table.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    address: IpAddr,
    port: u16,
    inode: u64,
}

/// All of them.
pub fn all() -> Value {
    let owners = owners();
    let mut listeners = Vec::new();
    for (table, state) in TABLES {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for socket in text.lines().skip(1).filter_map(|line| parse(line, state)) {
            let owner = owners.get(&socket.inode);
            listeners.push(json!({
                "protocol": table,
                "address": socket.address,
                "port": socket.port,
                "pid": owner,
                "comm": owner.map(|pid| super::text(format!("/proc/{pid}/comm"))),
            }));
        }
    }
    listeners.into()
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`
fn parse(line: &str, state: &str) -> Option<Socket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if *words.get(3)? != state {
        return None;
    }
    let (address, port) = words.get(1)?.split_once(':')?;
    Some(Socket {
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        inode: words.get(9)?.parse().ok()?,
    })
}

/// Words of 32 bits in hex, each of this machine's byte order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let bytes = hex::decode(hex).ok()?;
    let bytes: Vec<u8> = bytes
        .chunks_exact(4)
        .flat_map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]).to_ne_bytes())
        .collect();
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => Some(IpAddr::V4(Ipv4Addr::from(v4))),
        Err(_) => <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::V6(Ipv6Addr::from(v6))),
    }
}

/// Socket inode → a process that holds it.
fn owners() -> BTreeMap<u64, i32> {
    let mut owners = BTreeMap::new();
    for pid in process::pids() {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let inode = target.to_str().and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode {
                owners.entry(inode).or_insert(pid);
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "   0: 0100007F:2808 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 8123 1 0 100 0 0 10 0";

    #[test]
    fn a_listener_is_read() {
        let socket = Socket { address: Ipv4Addr::LOCALHOST.into(), port: 10248, inode: 8123 };
        assert_eq!(parse(LINE, "0A"), Some(socket));
        assert_eq!(parse(LINE, "07"), None);
        assert_eq!(parse_address("00000000000000000000000001000000"), Some(Ipv6Addr::LOCALHOST.into()));
    }

    #[test]
    fn an_own_listener_is_found_with_its_owner() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let all = all();
        let mine = all.as_array().and_then(|all| all.iter().find(|one| one["port"] == port)).expect("it is listed");
        assert_eq!(mine["pid"], std::process::id());
    }

    proptest! {
        #[test]
        fn any_line_and_every_cut_are_read_or_passed_over(line in ".*", cut in 0usize..LINE.len()) {
            let _ = parse(&line, "0A");
            let _ = parse(&LINE[..cut], "0A");
        }
    }
}
