//! The readers, each with whole inputs: packets that dnsmasq and the kernel sent, volumes that mkfs made, answers as the
//! clouds' manuals show them.

use std::io::{Cursor, Write as _};

use orlop_config::node::NodeConfigPolicy;
use orlop_config::node_config::NodeConfig;
use orlop_net::netlink::address::Told;
use orlop_net::netlink::message::{Attributes, Messages};
use orlop_net::netlink::{Link, Route};
use orlop_net::providers::{azure, fat, gpt, http, iso9660, smbios};
use orlop_net::{dhcp4, dhcp6, dns, host, ra, sntp};

/// One reader.
pub struct Reader {
    pub name: &'static str,
    /// Whole inputs.
    pub seeds: Vec<Vec<u8>>,
    /// One of so many rounds is this reader's: some inputs are large.
    pub rounds: u32,
    /// Reads; whether the input was one.
    pub read: fn(&[u8]) -> bool,
}

macro_rules! corpus {
    ($($file:literal),*) => { vec![$(include_bytes!(concat!("../corpus/", $file)).to_vec()),*] };
}

/// The client's end in the packets of DHCPv6.
const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 2];
const NONCE: u64 = 0x0123_4567_89ab_cdef;

fn reader(name: &'static str, seeds: Vec<Vec<u8>>, read: fn(&[u8]) -> bool) -> Reader {
    Reader { name, seeds, rounds: 1, read }
}

pub fn readers() -> Vec<Reader> {
    let documents = [
        include_str!("../../../../config/tests/node_config/least.toml"),
        include_str!("../../../../config/tests/node_config/full.toml"),
    ];
    vec![
        reader(
            "dhcp4",
            corpus!["dhcp4/dnsmasq-offer.bin", "dhcp4/dnsmasq-ack.bin", "dhcp4/dnsmasq-renewed.bin"],
            dhcp4,
        ),
        reader(
            "dhcp6",
            corpus!["dhcp6/dnsmasq-advertise.bin", "dhcp6/dnsmasq-reply.bin", "dhcp6/dnsmasq-information.bin"],
            |bytes| dhcp6::message::Reply::parse(bytes, MAC).is_some(),
        ),
        reader("router advertisement", corpus!["netlink/router-advertisement.bin"], |bytes| {
            Messages(bytes).filter_map(|message| ra::parse(&message)).count() > 0
        }),
        reader("dns", corpus!["dns/dnsmasq-a.bin", "dns/dnsmasq-aaaa.bin"], |bytes| {
            dns::answer(bytes, 0x1234, "ntp.lab.example").is_some_and(|found| !found.addresses.is_empty())
        }),
        reader("sntp", vec![time_answer()], |bytes| sntp::message::parse(bytes, NONCE, 1_800_000_000).is_ok()),
        reader(
            "netlink",
            corpus!["netlink/link.bin", "netlink/address.bin", "netlink/links.bin", "netlink/routes.bin"],
            netlink,
        ),
        reader("http", http_answers(), |bytes| {
            let answer = http::parse(bytes, 1 << 16, false);
            let _ = http::parse(bytes, 100, true);
            matches!(answer, Ok(Some(_)))
        }),
        reader("goal state", vec![GOAL_STATE.into()], |bytes| azure::report(&String::from_utf8_lossy(bytes)).is_ok()),
        reader("smbios", vec![OEM_STRINGS.into()], |bytes| !smbios::oem_strings(bytes).is_empty()),
        reader("leases", vec![LEASES.into()], |bytes| !host::files::parse_leases(bytes).is_empty()),
        Reader {
            name: "node config",
            seeds: documents.map(|text| text.as_bytes().to_vec()).into(),
            rounds: 8,
            read: node_config,
        },
        Reader { name: "iso9660", seeds: corpus!["iso9660/rr.iso", "iso9660/joliet.iso"], rounds: 4, read: iso },
        Reader { name: "gpt", seeds: vec![table()], rounds: 1, read: partitions },
        Reader { name: "fat", seeds: vec![volume()], rounds: 20, read: fat },
    ]
}

fn dhcp4(bytes: &[u8]) -> bool {
    let reply = dhcp4::message::Reply::parse(bytes);
    reply.is_some_and(|reply| dhcp4::Lease::of(&reply, orlop_net::time::Millis(0)).is_ok())
}

fn netlink(bytes: &[u8]) -> bool {
    let mut found = 0;
    for message in Messages(bytes) {
        let _ = message.error();
        found +=
            message.split(16).map_or(0, |(_, attributes)| attributes.flat_map(|(_, value)| Attributes(value)).count());
        found += usize::from(Link::parse(&message).is_some()) + usize::from(Link::router(&message).is_some());
        found += usize::from(Told::parse(&message).is_some()) + usize::from(Route::parse(&message).is_some());
    }
    found > 0
}

fn node_config(bytes: &[u8]) -> bool {
    // A document that the policy refuses was read to its end, too.
    match NodeConfig::parse(bytes, "fuzz", &NodeConfigPolicy::default()) {
        Ok(_) => true,
        Err(problems) => problems.to_string().contains("this image takes no"),
    }
}

fn iso(bytes: &[u8]) -> bool {
    iso9660::file(Cursor::new(bytes), "cidata", "user-data").is_some()
}

fn fat(bytes: &[u8]) -> bool {
    fat::file(Cursor::new(bytes), Some("cidata"), &["user-data"]).is_some()
        && fat::file(Cursor::new(bytes), None, &["EFI", "orlop", "config.toml"]).is_some()
}

fn partitions(bytes: &[u8]) -> bool {
    let _ = gpt::system_partitions(Cursor::new(bytes), 4096);
    gpt::system_partitions(Cursor::new(bytes), 512).is_some_and(|found| !found.is_empty())
}

/// A server's answer, stratum 2, in 2027.
fn time_answer() -> Vec<u8> {
    let stamp = ((1_800_000_000u64 + 2_208_988_800) & 0xffff_ffff) << 32;
    let mut answer = vec![0x24, 2, 6, 0xec, 0, 0, 1, 0, 0, 0, 1, 0, 192, 0, 2, 1];
    for number in [stamp, NONCE, stamp, stamp] {
        answer.extend_from_slice(&number.to_be_bytes());
    }
    answer
}

fn http_answers() -> Vec<Vec<u8>> {
    let document = include_str!("../../../../config/tests/node_config/least.toml");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nMetadata-Flavor: Google\r\nServer: EC2ws\r\n";
    let length = document.len();
    [
        format!("{head}Content-Length: {length}\r\n\r\n{document}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{document}\r\n0\r\n\r\n"),
    ]
    .map(String::into_bytes)
    .into()
}

const GOAL_STATE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<GoalState><Version>2012-11-30</Version>\
    <Incarnation>1</Incarnation><Machine><ExpectedState>Started</ExpectedState></Machine>\
    <Container><ContainerId>c0ffee00-0000-4000-8000-000000000001</ContainerId><RoleInstanceList><RoleInstance>\
    <InstanceId>c0ffee00-0000-4000-8000-000000000002._one</InstanceId><State>Started</State></RoleInstance>\
    </RoleInstanceList></Container></GoalState>\n";

/// A system's information, two tables of OEM strings, a table of another kind, the end.
const OEM_STRINGS: &[u8] =
    b"\x01\x06\x00\x01\x01\x02Maker\0Product\0\0\x0b\x05\x01\x01\x02other=1\0orlop.config=dmVyc2lv\0\0\
    \x04\x06\x09\x01\x01\x02\0\0\x0b\x05\x02\x01\x01orlop.config=biA9IDEK\0\0\x7f\x04\x03\x01\0\0";

const LEASES: &str = r#"{"version":1,"leases":[{"name":"eth0","mac":"52:54:00:00:00:02","lease":{"address":"192.0.2.59",
    "prefix":24,"server":"192.0.2.1","router":"192.0.2.1","routes":[],"dns":["192.0.2.1"],"ntp":[],"search":["lab.example"],
    "mtu":1400,"renew":1,"rebind":2,"expire":3}}]}"#;

/// A FAT volume with both documents.
fn volume() -> Vec<u8> {
    let mut bytes = Cursor::new(vec![0; 1 << 20]);
    let options = fatfs::FormatVolumeOptions::new().volume_label(*b"CIDATA     ").volume_id(1);
    fatfs::format_volume(&mut bytes, options).expect("a volume");
    bytes.set_position(0);
    let volume = fatfs::FileSystem::new(&mut bytes, fatfs::FsOptions::new()).expect("a volume");
    let write = |folder: fatfs::Dir<'_, _>, name: &str| {
        folder.create_file(name).expect("a file").write_all(b"version = 1\n").expect("written");
    };
    write(volume.root_dir(), "user-data");
    let folder = volume.root_dir().create_dir("EFI").and_then(|folder| folder.create_dir("orlop"));
    write(folder.expect("folders"), "config.toml");
    drop(volume);
    bytes.into_inner()
}

/// A partition table with an EFI system partition.
fn table() -> Vec<u8> {
    let mut disk = vec![0; 4096];
    disk[512..520].copy_from_slice(b"EFI PART");
    disk[512 + 72..512 + 80].copy_from_slice(&2u64.to_le_bytes());
    disk[512 + 80..512 + 84].copy_from_slice(&4u32.to_le_bytes());
    disk[512 + 84..512 + 88].copy_from_slice(&128u32.to_le_bytes());
    // c12a7328-f81f-11d2-ba4b-00a0c93ec93b
    disk[1152..1168].copy_from_slice(&[
        0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
    ]);
    disk[1184..1192].copy_from_slice(&2048u64.to_le_bytes());
    disk[1192..1200].copy_from_slice(&4095u64.to_le_bytes());
    disk
}
