//! One changed bit of an image or its release manifest: `verify` refuses it, with status 3, at the stage that reads it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop::keys::KeySet;
use orlop_chain::Guid;
use orlop_chain::device::{ReadAt, apply};
use orlop_chain::gpt::{Change, read, rewrite, types};
use orlop_config::manifest::{RELEASE_DOMAIN, ReleaseManifest, parse_release, render_release};
use orlop_machine::image::Image;

use crate::support::{Desk, image, image_certificate, image_key, orlop, run, verify_as_built, verify_by, workspace};

const SECTOR: u64 = 512;
const BLOCK: u64 = 4096;

/// A copy of the built image with what lies beside it; holes stay holes.
struct Copy {
    desk: Desk,
    raw: PathBuf,
}

impl Copy {
    fn new() -> Copy {
        let desk = Desk::new();
        let raw = desk.path("copy.raw");
        let copied = Command::new("cp").arg("--sparse=always").arg(image()).arg(&raw).status().unwrap();
        assert!(copied.success());
        for end in ["release.json", "release.json.sig", "provenance.json"] {
            fs::copy(image().with_extension(end), raw.with_extension(end)).unwrap();
        }
        Copy { desk, raw }
    }

    fn verify(&self, arguments: &[&str]) -> Command {
        let mut command = verify_as_built(&self.raw);
        command.args(arguments);
        command
    }

    fn file(&self) -> File {
        File::options().read(true).write(true).open(&self.raw).unwrap()
    }

    fn flip(&self, at: u64, mask: u8) {
        let byte = self.file().bytes_at(at, 1).unwrap();
        self.file().write_all_at(&[byte[0] ^ mask], at).unwrap();
    }

    /// Where a partition begins, and how long it is.
    fn partition(&self, name: &str) -> (u64, u64) {
        let image = Image::open(image()).unwrap();
        let partition = image.partition(name).unwrap();
        (partition.offset, partition.length)
    }

    /// Where in a partition some text stands, behind it.
    fn after(&self, partition: &str, text: &[u8]) -> u64 {
        let (offset, length) = self.partition(partition);
        let bytes = self.file().bytes_at(offset, length.min(64 << 20) as usize).unwrap();
        let found = bytes.windows(text.len()).position(|window| window == text).expect("the text is there");
        offset + (found + text.len()) as u64
    }

    /// The first byte from here on that stays a letter of base64 with its lowest bit flipped: what is no base64 is refused
    /// before anybody looks at the signature.
    fn base64(&self, offset: u64) -> u64 {
        let bytes = self.file().bytes_at(offset, 64).unwrap();
        let found = bytes.iter().position(|byte| byte.is_ascii_alphanumeric() && (byte ^ 1).is_ascii_alphanumeric());
        offset + found.expect("a letter") as u64
    }

    fn size(&self) -> u64 {
        fs::metadata(&self.raw).unwrap().len()
    }

    /// Refused with one bit flipped, and accepted with it flipped back.
    #[track_caller]
    fn refused(&self, what: &str, (at, mask): (u64, u8), arguments: &[&str], stage: &str) {
        println!("{what}: byte {at}");
        self.flip(at, mask);
        run(&mut self.verify(arguments)).fails(3, &[&format!("stage={stage} ")]);
        self.flip(at, mask);
    }
}

const WITH_RELEASE: &[&str] = &[];
const WITH_PROVENANCE: &[&str] = &["--provenance"];
const IMAGE_ONLY: &[&str] = &["--image-only"];

#[test]
fn a_flipped_bit_is_refused_at_the_stage_that_reads_it() {
    let copy = Copy::new();
    let start = |name: &str| copy.partition(name).0;
    let end = copy.size();
    let line = copy.after("esp", b"module.sig_enforce=");
    let rows: Vec<(&str, u64, &[&str], &str)> = vec![
        ("the primary GPT header", SECTOR + 56, WITH_RELEASE, "gpt"),
        ("an entry of the primary GPT", 2 * SECTOR + 20, WITH_RELEASE, "gpt"),
        ("the backup GPT header", end - SECTOR + 56, WITH_RELEASE, "gpt"),
        ("an entry of the backup GPT", end - 33 * SECTOR + 20, WITH_RELEASE, "gpt"),
        ("the root's superblock", start("root-a") + 1024, WITH_RELEASE, "tree"),
        ("the root's data", start("root-a") + 20 * 1024 * 1024, IMAGE_ONLY, "tree"),
        ("the tree's top", start("root-a-verity") + BLOCK, WITH_RELEASE, "tree"),
        ("the tree's leaves", start("root-a-verity") + 40 * BLOCK, WITH_RELEASE, "tree"),
        ("the superblock's number of blocks", start("root-a-verity") + 72, WITH_RELEASE, "superblock"),
        ("the superblock's salt", start("root-a-verity") + 88, WITH_RELEASE, "superblock"),
        (
            "the signature",
            copy.base64(copy.after("root-a-verity-sig", b"\"orlopBootSignature\":\"")),
            WITH_RELEASE,
            "manifest-signature",
        ),
        (
            "the signature's root hash",
            copy.after("root-a-verity-sig", b"\"rootHash\":\""),
            WITH_RELEASE,
            "signature-partition",
        ),
        (
            "the root hash's signature",
            copy.base64(copy.after("root-a-verity-sig", b"\"signature\":\"") + 600),
            IMAGE_ONLY,
            "root-signature",
        ),
        ("the manifest's text", copy.after("esp", b"\"class\": \""), IMAGE_ONLY, "uki-signature"),
        ("the UKI's command line", line, IMAGE_ONLY, "uki-signature"),
        ("the UKI's stub", copy.after("esp", b"MZ") + 0x60, WITH_RELEASE, "uki-signature"),
    ];
    for (what, at, arguments, stage) in rows {
        copy.refused(what, (at, 1), arguments, stage);
    }
    // A provenance that is as it was made vouches for nothing else.
    copy.refused("the root's data", (start("root-a") + 20 * 1024 * 1024, 1), WITH_PROVENANCE, "tree");
    run(&mut copy.verify(WITH_PROVENANCE)).done();
}

#[test]
fn an_esp_that_contradicts_itself_is_refused_by_every_reader() {
    let copy = Copy::new();
    let esp = copy.partition("esp").0;
    let rows = [("sectors a table", 39, 0x80), ("the root folder's cluster", 44, 2), ("sectors in all", 35, 0x80)];
    for (what, at, mask) in rows {
        copy.refused(what, (esp + at, mask), IMAGE_ONLY, "uki");
        copy.flip(esp + at, mask);
        run(orlop().arg("inspect").arg(&copy.raw)).fails(1, &["the ESP is no FAT"]);
        run(orlop().args(["run", "--direct", "--timeout", "1"]).arg(&copy.raw)).fails(1, &["the ESP is no FAT"]);
        copy.flip(esp + at, mask);
    }
}

#[test]
fn inspect_says_what_it_cannot_read() {
    let copy = Copy::new();
    let (offset, length) = copy.partition("root-a-verity-sig");
    copy.file().write_all_at(&vec![0; length as usize], offset).unwrap();
    fs::write(copy.raw.with_extension("release.json"), "{}").unwrap();
    let inspection = run(orlop().args(["inspect", "--json"]).arg(&copy.raw)).json();
    let unreadable: Vec<&str> =
        inspection["unreadable"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert!(unreadable[0].starts_with("signature partition: ") && unreadable[1].contains("copy.release.json: "));
    assert_eq!((unreadable.len(), inspection["release_manifest"].is_null()), (2, true), "{unreadable:?}");
    let text = run(orlop().arg("inspect").arg(&copy.raw));
    for what in unreadable {
        assert!(text.done().contains(&format!("cannot be read: {what}")), "{}", text.stdout);
    }
    fs::remove_file(copy.raw.with_extension("release.json")).unwrap();
    let inspection = run(orlop().args(["inspect", "--json"]).arg(&copy.raw)).json();
    assert_eq!(inspection["unreadable"].as_array().unwrap().len(), 1, "a manifest that is not there is none");
}

/// A release manifest that the right key signed, over a boot manifest that it does not fit.
#[test]
fn a_signed_release_manifest_that_speaks_of_something_else_is_refused() {
    let desk = Desk::new();
    run(&mut desk.warm_build(&workspace().join("images/standalone.toml"))).done();
    let raw = desk.path("out/standalone.raw");
    let path = raw.with_extension("release.json");
    let good = parse_release(&fs::read(&path).unwrap()).unwrap();
    let keys = KeySet::open(&desk.keys()).unwrap();
    let verify = |release: &ReleaseManifest| {
        let bytes = render_release(release);
        fs::write(&path, &bytes).unwrap();
        let signature = STANDARD.encode(keys.release.sign(RELEASE_DOMAIN, &bytes).unwrap());
        fs::write(raw.with_extension("release.json.sig"), signature).unwrap();
        run(&mut desk.verify(&raw))
    };
    let other = || "another".to_owned();
    let digest = || "0".repeat(64);
    let rows = [
        ("image is", ReleaseManifest { image: other(), ..good.clone() }),
        ("image_version is", ReleaseManifest { image_version: "9.9.9".to_owned(), ..good.clone() }),
        ("class is", ReleaseManifest { class: other(), ..good.clone() }),
        ("root_bytes is", ReleaseManifest { root_bytes: good.root_bytes + 4096, ..good.clone() }),
        ("root_sha256: ", ReleaseManifest { root_sha256: digest(), ..good.clone() }),
        ("verity_sha256: ", ReleaseManifest { verity_sha256: digest(), ..good.clone() }),
        ("verity_sha256: ", ReleaseManifest { verity_bytes: good.verity_bytes - 4096, ..good.clone() }),
        ("verity_sha256: ", ReleaseManifest { verity_bytes: 1 << 40, ..good.clone() }),
    ];
    for (says, release) in rows {
        verify(&release).fails(3, &["stage=release-manifest ", &format!("its {says}")]);
    }
    verify(&good).done();
}

#[test]
fn a_table_that_names_other_partitions_is_refused() {
    let copy = Copy::new();
    let file = copy.file();
    let table = read(&file, SECTOR).unwrap();
    let root = table.gpt.of_type(types::ROOT_X86_64).next().unwrap().number;
    let change = Change {
        total_sectors: table.gpt.total_sectors,
        disk_guid: table.gpt.disk_guid,
        partition_guids: vec![(root, Guid::from_random([7; 16]))],
    };
    apply(&file, &rewrite(&table, SECTOR, &change).unwrap().steps).unwrap();
    run(&mut copy.verify(IMAGE_ONLY)).fails(3, &["stage=disk "]);
}

#[test]
fn an_emptied_signature_partition_is_refused() {
    let copy = Copy::new();
    let (offset, length) = copy.partition("root-a-verity-sig");
    copy.file().write_all_at(&vec![0; length as usize], offset).unwrap();
    run(&mut copy.verify(IMAGE_ONLY)).fails(3, &["stage=signature-partition "]);
}

#[test]
fn an_image_that_was_cut_short_is_refused_everywhere() {
    let copy = Copy::new();
    let whole = copy.size();
    for size in [whole - 1, whole - SECTOR, whole / 2, 300 << 20, 1 << 20, 1024, 513] {
        copy.file().set_len(size).unwrap();
        run(&mut copy.verify(WITH_RELEASE)).fails(3, &["stage=gpt ", "copy.raw"]);
        run(orlop().arg("inspect").arg(&copy.raw)).fails(1, &["copy.raw"]);
        run(orlop().args(["run", "--direct", "--timeout", "1"]).arg(&copy.raw)).fails(1, &["copy.raw"]);
    }
}

#[test]
fn a_release_manifest_that_is_missing_or_changed_is_refused() {
    let copy = Copy::new();
    let release = copy.raw.with_extension("release.json");
    let signature = copy.raw.with_extension("release.json.sig");
    let flip = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    for (path, at) in [(&release, 100), (&release, 0), (&signature, 10)] {
        flip(path, at);
        run(&mut copy.verify(WITH_RELEASE)).fails(3, &["stage=release-signature "]);
        flip(path, at);
    }
    run(&mut copy.verify(WITH_RELEASE)).done();
    for path in [&signature, &release] {
        fs::remove_file(path).unwrap();
        run(&mut copy.verify(WITH_RELEASE)).fails(3, &["stage=release-manifest ", "--manifest", "--image-only"]);
    }
    run(copy.verify(WITH_RELEASE).args(["--manifest", "/dev/zero"]))
        .fails(3, &["stage=release-manifest ", "/dev/zero: more than 65536 bytes"]);
    assert!(run(&mut copy.verify(IMAGE_ONLY)).done().contains("the image only: no release manifest"));
    let (file, beside) = (image().with_extension("release.json"), "--manifest");
    run(copy.verify(WITH_RELEASE).arg(beside).arg(file)).done();
}

#[test]
fn another_key_verifies_nothing() {
    let copy = Copy::new();
    let verify = |key: &Path, certificate: &Path, arguments: &[&str]| {
        run(verify_by(&copy.raw, key, certificate).args(arguments))
    };
    let (own, foreign) = ((image_key(), image_certificate()), (copy.desk.public_key(), copy.desk.certificate()));
    verify(&foreign.0, &own.1, WITH_RELEASE).fails(3, &["stage=release-signature ", "not by a trusted release key"]);
    verify(&foreign.0, &own.1, IMAGE_ONLY).fails(3, &["stage=uki ", "it trusts a release key that was not given"]);
    verify(&own.0, &foreign.1, WITH_RELEASE)
        .fails(3, &["stage=uki-signature ", "a certificate that is not trusted here"]);
    // One more that is trusted harms nothing.
    let more = [foreign.0.as_os_str(), foreign.1.as_os_str()];
    run(verify_as_built(&copy.raw).arg("--key").arg(more[0]).arg("--cert").arg(more[1])).done();
}
