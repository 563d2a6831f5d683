//! What others read: `resolv.conf`, and the leases, which this program reads itself after it was started anew. Each is
//! written beside its place and renamed.

use super::nics::{Memory, Nics};
use orlop_config::node_config::{LONGEST_SEARCH_LIST, MOST_SEARCH_DOMAINS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The leases' file.
pub const LEASES: &str = "lease.json";
/// What a resolver reads at most (`resolv.conf(5)`); kubelet warns of more.
const NAME_SERVERS: usize = 3;
const VERSION: u32 = 1;

/// The leases of before.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leases {
    version: u32,
    leases: Vec<Kept>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    name: String,
    #[serde(with = "mac")]
    mac: [u8; 6],
    #[serde(flatten)]
    memory: Memory,
}

/// A hardware address as everybody writes it.
mod mac {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(mac: &[u8; 6], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::name::mac(*mac))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 6], D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::name::parse_mac(&text).ok_or_else(|| D::Error::custom("no hardware address"))
    }
}

/// `lease.json` of all cards.
pub fn leases(nics: &Nics) -> Vec<u8> {
    let kept = nics.all().filter_map(|nic| {
        let memory = Some(nic.memory()).filter(|memory| *memory != Memory::default())?;
        Some(Kept { name: nic.link.name.clone(), mac: nic.link.mac?, memory })
    });
    let document = Leases { version: VERSION, leases: kept.collect() };
    // Numbers, names and addresses cannot fail to be JSON; an empty file is one without leases.
    serde_json::to_vec_pretty(&document).unwrap_or_default()
}

/// The leases of a file; one that cannot be read has none.
pub fn parse_leases(bytes: &[u8]) -> BTreeMap<[u8; 6], Memory> {
    let document: Option<Leases> = serde_json::from_slice(bytes).ok();
    let document = document.filter(|document| document.version == VERSION);
    document.map_or_else(BTreeMap::new, |document| {
        document.leases.into_iter().map(|kept| (kept.mac, kept.memory)).collect()
    })
}

/// `resolv.conf`, and how many of the search domains have no place in it. Those of a node config have.
pub fn resolv(dns: &[IpAddr], search: &[String]) -> (String, usize) {
    let mut text = String::new();
    let mut line = String::new();
    let mut written = 0;
    for domain in search.iter().take(MOST_SEARCH_DOMAINS) {
        if line.len() + 1 + domain.len() > LONGEST_SEARCH_LIST {
            break;
        }
        let _ = write!(line, " {domain}");
        written += 1;
    }
    if !line.is_empty() {
        let _ = writeln!(text, "search{line}");
    }
    for server in dns.iter().take(NAME_SERVERS) {
        let _ = writeln!(text, "nameserver {server}");
    }
    (text, search.len() - written)
}

/// Writes a file so that who reads it sees the one before or the whole of this one.
pub fn write(folder: &Path, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    let beside = folder.join(format!(".{name}.new"));
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    std::fs::rename(&beside, &path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_resolver_gets_what_it_can_read() {
        let servers: Vec<IpAddr> = (1..9).map(|last| Ipv4Addr::new(192, 0, 2, last).into()).collect();
        let domains = ["lab.example".to_owned(), "example".to_owned()];
        assert_eq!(
            resolv(&servers, &domains),
            (
                "search lab.example example\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n".into(),
                0
            )
        );
        assert_eq!(resolv(&servers[..1], &[]), ("nameserver 192.0.2.1\n".into(), 0));
        assert_eq!(resolv(&[], &[]), (String::new(), 0));
    }

    /// The check of a node config counts as this does: what it takes is written, all of it.
    #[test]
    fn search_domains_that_find_no_place_are_counted() {
        // 64 bytes each with the space before it.
        let domains: Vec<String> = (0..40).map(|number| format!("{}{number:02}.example", "a".repeat(53))).collect();
        let (text, left_out) = resolv(&[], &domains);
        assert_eq!((text.split_whitespace().count(), left_out), (1 + MOST_SEARCH_DOMAINS, 8));
        assert_eq!(text.len(), "search\n".len() + LONGEST_SEARCH_LIST);
        let mut domains: Vec<String> = domains.into_iter().take(MOST_SEARCH_DOMAINS).collect();
        domains[31].push('e');
        let (text, left_out) = resolv(&[], &domains);
        assert_eq!((text.split_whitespace().count(), left_out), (MOST_SEARCH_DOMAINS, 1));
    }

    #[test]
    fn a_file_of_leases_that_is_damaged_has_none() {
        for text in ["", "{", "[]", r#"{"version":2,"leases":[]}"#, r#"{"version":1,"leases":[{}]}"#] {
            assert!(parse_leases(text.as_bytes()).is_empty(), "{text}");
        }
    }

    /// It did not keep how long an address is preferred.
    #[test]
    fn a_lease_of_an_older_program_is_preferred_to_its_end() {
        let text = r#"{"version":1,"leases":[{"name":"eth0","mac":"52:54:00:00:00:02","lease6":{"address":"2001:db8::7",
            "server":[0,9],"dns":[],"search":[],"ntp":[],"renew":1000,"rebind":2000,"expire":3000}}]}"#;
        let kept = parse_leases(text.as_bytes());
        let lease = kept.values().find_map(|memory| memory.lease6.as_ref()).expect("a lease");
        assert!(lease.preferred >= lease.expire, "{lease:?}");
    }

    #[test]
    fn a_file_is_replaced_whole_and_with_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "a", 0o600, b"one").expect("written");
        write(folder.path(), "a", 0o600, b"two").expect("written");
        let path = folder.path().join("a");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert_eq!(std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
