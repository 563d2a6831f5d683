//! Each provider over what it reads: right, missing, hostile.

use super::http::tests::{http, server};
use super::*;
use disks::{disk, fat};
use proptest::prelude::*;
use std::io::Cursor;
use std::path::Path;

#[path = "../../tests/lab/disks.rs"]
mod disks;

const DOCUMENT: &[u8] = b"version = 1\n";
const BASE64: &str = "dmVyc2lvbiA9IDEK";
const ROCK_RIDGE: &[u8] = include_bytes!("../../tests/corpus/iso9660/rr.iso");
const JOLIET: &[u8] = include_bytes!("../../tests/corpus/iso9660/joliet.iso");

fn machine() -> (tempfile::TempDir, Places) {
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places { sys: folder.path().join("sys"), dev: folder.path().join("dev"), ..Places::default() };
    std::fs::create_dir_all(&places.dev).expect("a folder");
    std::fs::create_dir_all(&places.sys).expect("a folder");
    (folder, places)
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn fw_cfg_says_what_is_missing() {
    let (_folder, places) = machine();
    assert!(ask(Provider::FwCfg, &places).expect_err("nothing").contains("no fw_cfg, or the module"));
    write(&places.sys, "firmware/qemu_fw_cfg/rev", b"3");
    assert!(ask(Provider::FwCfg, &places).expect_err("nothing").contains("no item opt/orlop/config"));
    let item = "firmware/qemu_fw_cfg/by_name/opt/orlop/config/raw";
    write(&places.sys, item, DOCUMENT);
    assert_eq!(ask(Provider::FwCfg, &places), Ok(DOCUMENT.into()));
    write(&places.sys, item, &vec![b'a'; LARGEST + 1]);
    assert_eq!(ask(Provider::FwCfg, &places), Err("the document has more than 65536 bytes; shorten it".into()));
    write(&places.sys, item, b"");
    assert_eq!(ask(Provider::FwCfg, &places), Err("the document is empty".into()));
}

#[test]
fn smbios_strings_are_joined_and_no_table_is_a_panic() {
    // A system's information (type 1) with two strings, then two tables of OEM strings, then the end.
    let table = [
        &b"\x01\x06\x00\x01\x01\x02Maker\0Product\0\0"[..],
        b"\x0b\x05\x01\x01\x02other=1\0orlop.config=dmVyc2lv\0\0",
        b"\x04\x06\x09\x01\x01\x02\0\0",
        b"\x0b\x05\x02\x01\x01orlop.config=biA9IDEK\0\0",
        b"\x7f\x04\x03\x01\0\0",
    ]
    .concat();
    let (_folder, places) = machine();
    assert!(ask(Provider::Smbios, &places).is_err());
    write(&places.sys, "firmware/dmi/tables/DMI", &table);
    assert_eq!(ask(Provider::Smbios, &places), Ok(DOCUMENT.into()));
    for end in 0..table.len() {
        smbios::oem_strings(&table[..end]);
    }
    write(&places.sys, "firmware/dmi/tables/DMI", b"\x0b\x05\x01\x01\x01orlop.config=!!\0\0");
    assert_eq!(ask(Provider::Smbios, &places), Err("the document is not in base64".into()));
}

#[test]
fn nocloud_is_found_by_its_label_whatever_the_filesystem() {
    for volume in [fat("CIDATA", &[("user-data", DOCUMENT)]), ROCK_RIDGE.to_vec(), JOLIET.to_vec()] {
        let (_folder, places) = machine();
        assert!(ask(Provider::Nocloud, &places).is_err());
        for (name, bytes) in [("vda", &fat("OTHER", &[("user-data", b"no")])), ("sr0", &volume)] {
            write(&places.sys, &format!("class/block/{name}/size"), b"1");
            write(&places.dev, name, bytes);
        }
        assert_eq!(ask(Provider::Nocloud, &places), Ok(DOCUMENT.into()));
    }
}

#[test]
fn the_esp_is_found_by_the_partition_table() {
    let (_folder, places) = machine();
    write(&places.sys, "class/block/vda/queue/logical_block_size", b"512\n");
    write(&places.dev, "vda", &disk(&fat("ESP", &[("EFI/orlop/config.toml", DOCUMENT)])));
    assert_eq!(ask(Provider::Esp, &places), Ok(DOCUMENT.into()));
    write(&places.dev, "vda", &disk(&fat("ESP", &[("EFI/BOOT/BOOTX64.EFI", b"MZ")])));
    assert!(ask(Provider::Esp, &places).expect_err("nothing").contains("no EFI system partition with a file"));
}

#[test]
fn ec2_asks_for_a_token_first() {
    let (address, thread) = server(vec![http("200 OK", "", b"TOKEN=="), http("200 OK", "", DOCUMENT)]);
    assert_eq!(ec2::config(address), Ok(DOCUMENT.into()));
    let requests = thread.join().expect("a server");
    assert!(requests[0].starts_with("PUT /latest/api/token") && requests[0].contains("token-ttl-seconds: 60"));
    assert!(requests[0].contains("Content-Length: 0"));
    assert!(
        requests[1].starts_with("GET /latest/user-data") && requests[1].contains("aws-ec2-metadata-token: TOKEN==")
    );
}

#[test]
fn ec2_answers_that_are_wrong_are_refused() {
    let (address, _thread) = server(vec![http("403 Forbidden", "", b"")]);
    assert_eq!(ec2::config(address), Err("/latest/api/token: status 403".into()));
    let (address, _thread) = server(vec![http("200 OK", "", b"a\r\nX-Evil: b")]);
    assert_eq!(ec2::config(address), Err("the token is no word".into()));
    let (address, _thread) = server(vec![http("200 OK", "", b"TOKEN"), http("404 Not Found", "", b"")]);
    assert_eq!(ec2::config(address), Err("/latest/user-data is not there (404)".into()));
    let (address, _thread) = server(vec![http("200 OK", "", b"TOKEN"), http("200 OK", "", &vec![b'a'; LARGEST + 1])]);
    assert!(ec2::config(address).expect_err("too much").contains("more than 65536 bytes"));
}

#[test]
fn gce_has_to_say_that_it_is_google() {
    let (address, thread) = server(vec![http("200 OK", "Metadata-Flavor: Google\r\n", DOCUMENT)]);
    assert_eq!(gce::config(address), Ok(DOCUMENT.into()));
    assert!(thread.join().expect("a server")[0].contains("Metadata-Flavor: Google"));
    let (address, _thread) = server(vec![http("200 OK", "", DOCUMENT)]);
    assert!(gce::config(address).expect_err("another").contains("does not say Metadata-Flavor"));
}

#[test]
fn azure_gives_base64_and_hears_that_the_machine_is_ready() {
    let (address, thread) = server(vec![http("200 OK", "", BASE64.as_bytes())]);
    assert_eq!(azure::config(address), Ok(DOCUMENT.into()));
    assert!(thread.join().expect("a server")[0].contains("Metadata: true"));
    let goal =
        b"<?xml version=\"1.0\"?><GoalState><Version>2012-11-30</Version><Incarnation>1</Incarnation><Container>\
        <ContainerId>c-1</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i.2</InstanceId></RoleInstance>\
        </RoleInstanceList></Container></GoalState>";
    let (address, thread) = server(vec![http("200 OK", "", goal), http("200 OK", "", b"")]);
    assert_eq!(azure::ready(address), Ok(()));
    let requests = thread.join().expect("a server");
    assert!(requests[1].starts_with("POST /machine?comp=health"), "{requests:?}");
    let report = azure::report(&String::from_utf8_lossy(goal)).expect("a report");
    assert!(report.contains("<GoalStateIncarnation>1<") && report.contains("<ContainerId>c-1<"), "{report}");
    assert!(report.contains("<InstanceId>i.2</InstanceId><Health><State>Ready</State></Health>"), "{report}");
    assert!(azure::report("<Incarnation>1</Incarnation><ContainerId>a&b</ContainerId>").is_err());
}

proptest! {
    #[test]
    fn no_smbios_table_is_a_panic(table in proptest::collection::vec(any::<u8>(), 0..400)) {
        smbios::oem_strings(&table);
    }

    #[test]
    fn no_goal_state_is_a_panic(text in ".{0,200}") {
        let _ = azure::report(&text);
    }

    #[test]
    fn no_iso_is_a_panic(at in 0x8000usize..JOLIET.len() - 4, with: [u8; 4], end in 0x8000usize..JOLIET.len()) {
        for image in [ROCK_RIDGE, JOLIET] {
            let mut image = image.to_vec();
            let at = at.min(image.len() - 4);
            image[at..at + 4].copy_from_slice(&with);
            image.truncate(end);
            let _ = iso9660::file(Cursor::new(&image), "cidata", "user-data");
        }
    }

    #[test]
    fn no_table_of_partitions_is_a_panic(at in 512usize..1280, with: [u8; 8]) {
        let mut disk = disk(&[]);
        disk[at..at + 8].copy_from_slice(&with);
        let _ = gpt::system_partitions(Cursor::new(&disk), 512);
        let _ = gpt::system_partitions(Cursor::new(&disk), u64::from_le_bytes(with));
    }

    #[test]
    fn no_fat_is_a_panic(changes in proptest::collection::vec((0usize..4096, any::<u8>()), 1..6)) {
        let mut volume = fat("CIDATA", &[("user-data", DOCUMENT)]);
        for (at, with) in changes {
            volume[at] = with;
        }
        let _ = super::fat::file(Cursor::new(&volume), Some("cidata"), &["user-data"]);
    }
}
