//! Other people's programs over the image as it was built: each reads with its own eyes what we wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop::formats::{cpio, elf, pe};
use orlop::image::inputs::Inputs;
use orlop::image::open::Image;
use orlop::sources::{Bench, Cache, Produced, Silent, produce_all, tools};
use orlop_chain::manifest::signed_message;
use orlop_config::manifest::{BOOT_DOMAIN, RELEASE_DOMAIN};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{image, image_certificate, image_key, names, orlop, run, workspace};
use crate::tools::{says, tool};

/// An image taken apart.
pub struct Parts {
    image: PathBuf,
    inspection: Value,
    folder: TempDir,
}

impl Parts {
    pub fn new() -> Parts {
        Parts::of(&image())
    }

    pub fn of(image: &Path) -> Parts {
        let inspection = run(orlop().args(["inspect", "--json"]).arg(image)).json();
        Parts { image: image.into(), inspection, folder: tempfile::tempdir().unwrap() }
    }

    /// The root's files, unpacked by `fsck.erofs`.
    pub fn root(&self) -> PathBuf {
        let (root, extracted) = (self.partition("root-a"), self.path("extracted"));
        let tools = locked(|bench, inputs| tools(bench, &inputs.lockfile).unwrap());
        says(tools.erofs.command("fsck.erofs").arg(format!("--extract={}", extracted.display())).arg(&root));
        extracted
    }

    /// A file of one's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What `ukify` reads of a UKI: section → size, SHA-256, and text where it is text.
    pub fn ukify(&self, uki: &Path) -> BTreeMap<String, Value> {
        let folder = self.path("ukify");
        locked(|bench, inputs| {
            let produced = produce_all(bench, &inputs.project, &inputs.lockfile).unwrap();
            for name in ["ukify", "pefile"] {
                lay_out(&produced[name], &folder);
            }
        });
        let mut ukify = Command::new("python3");
        ukify.env("PYTHONPATH", folder.join("usr/lib/python3/dist-packages"));
        ukify.arg("-B").arg(folder.join("usr/lib/systemd/ukify")).arg("inspect").arg(uki);
        // Some versions of Python take no files behind options.
        ukify.args(["--all", "--json=short"]);
        serde_json::from_str(&says(&mut ukify)).unwrap()
    }

    /// A partition as a file of its own.
    fn partition(&self, name: &str) -> PathBuf {
        let rows = self.inspection["partitions"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}"));
        let mut disk = File::open(&self.image).unwrap();
        disk.seek(SeekFrom::Start(row["offset"].as_u64().unwrap())).unwrap();
        let path = self.path(name);
        let mut part = disk.take(row["bytes"].as_u64().unwrap());
        std::io::copy(&mut part, &mut File::create(&path).unwrap()).unwrap();
        path
    }
}

/// What the probe definition locks, witnesses among it; `make test-images` has fetched it.
pub fn locked<T>(take: impl FnOnce(&Bench<'_>, &Inputs) -> T) -> T {
    let cache = Cache::open().unwrap();
    let bench = Bench { cache: &cache, report: &Silent, offline: true, jobs: 1 };
    let inputs = Inputs::load(&workspace().join("qemu-tests/images/probe.toml")).unwrap();
    take(&bench, &inputs)
}

#[test]
fn partition_tools_accept_the_disk() {
    let parts = Parts::new();
    let verdict = says(tool("sgdisk").arg("-v").arg(image()));
    assert!(verdict.contains("No problems found"), "{verdict}");
    says(tool("fsck.vfat").args(["-n", "-v"]).arg(parts.partition("esp")));
    let hash = parts.inspection["boot_manifest"]["verity"]["root_hash"].as_str().unwrap();
    let (root, tree) = (parts.partition("root-a"), parts.partition("root-a-verity"));
    says(tool("veritysetup").arg("verify").arg(&root).arg(&tree).arg(hash));
}

/// What firmware and kernel are to check, checked by other people's programs.
#[test]
fn sbverify_and_openssl_accept_what_the_db_key_signed() {
    let parts = Parts::new();
    let uki = image().with_extension("efi");
    says(tool("sbverify").arg("--cert").arg(image_certificate()).arg(&uki));
    let document = &parts.inspection["signature"];
    fs::write(parts.path("root.der"), STANDARD.decode(document["signature"].as_str().unwrap()).unwrap()).unwrap();
    let accepted = |hash: &str| {
        fs::write(parts.path("hash"), hash).unwrap();
        let mut openssl = tool("openssl");
        openssl.args(["smime", "-verify", "-inform", "DER", "-binary", "-nointern", "-noverify", "-certfile"]);
        openssl.arg(image_certificate()).arg("-in").arg(parts.path("root.der"));
        openssl.arg("-content").arg(parts.path("hash")).output().unwrap().status.success()
    };
    let hash = document["rootHash"].as_str().unwrap();
    assert!(accepted(hash));
    let altered: String = hash.chars().rev().collect();
    assert_ne!(altered, hash);
    assert!(!accepted(&altered), "a signature over anything is none");
}

#[test]
fn openssl_accepts_both_signatures() {
    let parts = Parts::new();
    let uki = Image::open(&image()).unwrap().uki().unwrap();
    let boot = parts.inspection["signature"]["orlopBootSignature"].as_str().unwrap().to_owned();
    let release = fs::read_to_string(image().with_extension("release.json.sig")).unwrap();
    let manifests = [
        (BOOT_DOMAIN, uki.boot_manifest().unwrap(), boot),
        (RELEASE_DOMAIN, fs::read(image().with_extension("release.json")).unwrap(), release),
    ];
    for (domain, manifest, signature) in manifests {
        let accepted = |bytes: &[u8]| {
            fs::write(parts.path("message"), signed_message(domain, bytes)).unwrap();
            fs::write(parts.path("signature"), STANDARD.decode(signature.trim()).unwrap()).unwrap();
            let mut openssl = tool("openssl");
            openssl.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(image_key());
            openssl.arg("-in").arg(parts.path("message")).arg("-sigfile").arg(parts.path("signature"));
            openssl.output().unwrap().status.success()
        };
        assert!(accepted(&manifest));
        let mut altered = manifest.clone();
        altered[manifest.len() / 2] ^= 1;
        assert!(!accepted(&altered), "a signature over anything is none");
    }
}

#[test]
fn fsck_erofs_reads_every_file_that_we_list() {
    let parts = Parts::new();
    let extracted = parts.root();
    let files = parts.inspection["files"].as_array().unwrap();
    for file in files.iter().filter(|file| file["kind"] == "file") {
        let path = file["path"].as_str().unwrap();
        let found = fs::symlink_metadata(extracted.join(&path[1..])).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(file["size"], found.len(), "{path}");
    }
    let components = fs::read(extracted.join("usr/share/orlop/components.json")).unwrap();
    let components: Value = serde_json::from_slice(&components).unwrap();
    assert_eq!(components["components"], parts.inspection["components"], "our reader and theirs");
    for (path, component) in [
        ("/usr/share/orlop/preload/localhost+hello:1.tar", "hello"),
        ("/usr/bin/kubelet", "kubelet"),
        ("/etc/os-release", "image"),
    ] {
        assert_eq!(components["paths"][path], component, "{path}");
    }
    nothing_of_the_host(&extracted);
}

/// The boot tests look at the shipped image through a pod that they add; all else must be the shipped one.
#[test]
fn the_probe_image_differs_from_the_shipped_one_in_its_pod_only() {
    let named = std::env::var_os("ORLOP_TEST_PROBE_IMAGE").map(PathBuf::from);
    let probe = named.unwrap_or_else(|| workspace().join("out/probe/standalone.raw"));
    assert!(probe.is_file(), "{}: missing; `make test-images` builds it", probe.display());
    let (shipped, probe) = (Parts::new(), Parts::of(&probe));
    let rows = |parts: &Parts| -> BTreeMap<String, Value> {
        let root = parts.root();
        let files = parts.inspection["files"].as_array().unwrap().iter().cloned();
        let with_content = |mut row: Value| {
            let path = row["path"].as_str().unwrap().to_owned();
            if row["kind"] == "file" {
                row["sha256"] = hex::encode(Sha256::digest(fs::read(root.join(&path[1..])).unwrap())).into();
            }
            if row["kind"] == "folder" {
                row["size"] = Value::Null;
            }
            (path, row)
        };
        files.map(with_content).collect()
    };
    let (shipped, probe) = (rows(&shipped), rows(&probe));
    let paths: BTreeSet<&String> = shipped.keys().chain(probe.keys()).collect();
    let different: Vec<&String> = paths.into_iter().filter(|path| shipped.get(*path) != probe.get(*path)).collect();
    let promised = [
        "/etc/kubernetes/manifests/probe.yaml",
        "/usr/share/orlop/components.json",
        "/usr/share/orlop/preload/localhost+probe:1.tar",
    ];
    assert_eq!(different, promised);
}

/// What a build machine's programs are full of: the folders in which they were made.
fn nothing_of_the_host(root: &Path) {
    let home = std::env::var("HOME").unwrap();
    let folders = [
        workspace(),
        Path::new(&home).join(".cargo"),
        Path::new(&home).join(".cache"),
        super::shared_cache::user_cache(),
    ];
    let hosts: Vec<String> = folders.iter().map(|folder| format!("{}/", folder.display())).collect();
    let mut programs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let initramfs = Image::open(&image()).unwrap().uki().unwrap().initramfs;
    let init = cpio::read(&initramfs).unwrap().into_iter().find(|member| member.path == "init").unwrap();
    programs.insert("initramfs/init".into(), init.bytes.to_vec());
    for archive in names(&root.join("usr/share/orlop/preload")) {
        let files = preloaded(&root.join("usr/share/orlop/preload").join(archive));
        assert!(!files.is_empty());
        programs.extend(files.into_iter().map(|(name, bytes)| (format!("preload/{name}"), bytes)));
    }
    for folder in ["usr/bin", "usr/libexec/orlop", "usr/libexec/cni"] {
        for name in names(&root.join(folder)) {
            let path = root.join(folder).join(&name);
            if path.is_symlink() || !path.is_file() {
                continue;
            }
            programs.insert(format!("{folder}/{name}"), fs::read(&path).unwrap());
        }
    }
    assert!(programs.len() >= 8, "{:?}", programs.keys());
    for (name, bytes) in &programs {
        let holds = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
        let found: Vec<&String> = hosts.iter().filter(|text| holds(text)).collect();
        assert!(found.is_empty(), "{name} names {found:?}");
        if ["usr/libexec/orlop/", "initramfs/", "preload/"].iter().any(|ours| name.starts_with(ours)) {
            // In our own programs no folder of any builder: Go's name such folders for reasons of their own. Of `registry` the
            // crates' sources: the node config has registries, too.
            let found: Vec<&&str> =
                ["/home/", concat!("/root", "/"), "registry/src"].iter().filter(|text| holds(text)).collect();
            assert!(found.is_empty(), "{name} names {found:?}");
        }
    }
    for (name, most) in [("initramfs/init", 1_500_000), ("preload/pause", 16 << 10)] {
        let bytes = &programs[name];
        assert!(bytes.len() <= most, "{name}: {} bytes", bytes.len());
        assert_eq!(elf::interpreter(bytes), None, "{name}");
    }
    assert!(programs.contains_key("preload/hello"), "{:?}", programs.keys());
}

/// What the images that wait for kubelet run: the files of each one's layer.
pub fn preloaded(archive: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for blob in contents(File::open(archive).unwrap()) {
        // The layer is the blob that is a tar itself.
        if blob.1.get(257..262) == Some(b"ustar") {
            found.extend(contents(blob.1.as_slice()));
        }
    }
    found
}

fn contents(archive: impl Read) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let files = archive.entries().unwrap().map(Result::unwrap).filter(|entry| entry.header().entry_type().is_file());
    let read = |mut entry: tar::Entry<'_, _>| {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().display().to_string(), bytes)
    };
    files.map(read).collect()
}

#[test]
fn ukify_reads_the_sections_that_we_wrote() {
    let parts = Parts::new();
    let uki = Image::open(&image()).unwrap().uki().unwrap();
    let path = parts.path("image.efi");
    fs::write(&path, &uki.bytes).unwrap();
    let theirs = parts.ukify(&path);
    for (name, bytes) in [(".linux", &uki.linux), (".initrd", &uki.initramfs)] {
        assert_eq!(theirs[name]["size"], bytes.len(), "{name}");
        assert_eq!(theirs[name]["sha256"], hex::encode(Sha256::digest(bytes)), "{name}");
    }
    assert_eq!(theirs[".cmdline"]["text"].as_str().map(|text| text.trim_end_matches('\0')), Some(&*uki.command_line));
    let sections = pe::Image::parse(&uki.bytes).unwrap();
    for name in [".osrel", ".uname", ".sbat"] {
        let bytes = sections.section(name).unwrap();
        let ours = std::str::from_utf8(bytes).unwrap().trim_end_matches('\0');
        assert_eq!(theirs[name]["size"], bytes.len(), "{name}");
        assert_eq!(theirs[name]["sha256"], hex::encode(Sha256::digest(bytes)), "{name}");
        assert_eq!(theirs[name]["text"].as_str().map(|text| text.trim_end_matches('\0')), Some(ours), "{name}");
    }
    assert_eq!(theirs[".sbat"]["text"].as_str().unwrap().matches("SBAT Version").count(), 1, "one head line");
    let ours: Vec<&str> =
        parts.inspection["uki"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
    assert!(theirs.keys().all(|name| ours.contains(&name.as_str())), "{:?} and {ours:?}", theirs.keys());
    assert_eq!(theirs.len(), ours.len());
}

/// Puts a package's files into a folder.
fn lay_out(produced: &Produced, folder: &Path) {
    for (path, file) in &produced.files {
        let to = folder.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        if file.path.is_file() {
            fs::copy(&file.path, to).unwrap();
        }
    }
}

/// The UKI as it is, cut where each of its parts begins and ends.
#[test]
fn a_uki_that_was_cut_at_any_edge_is_none() {
    let bytes = Image::open(&image()).unwrap().uki().unwrap().bytes;
    let parsed = pe::Image::parse(&bytes).unwrap();
    let edges = parsed.sections.iter().flat_map(|section| {
        let (start, end) = (section.raw_offset as usize, (section.raw_offset + section.raw_size) as usize);
        [start, start + (section.virtual_size as usize).min(end - start), end]
    });
    for edge in edges.chain([0, 64, 1024]) {
        for cut in [edge.saturating_sub(1), edge, edge + 1] {
            if cut < bytes.len() {
                // Behind the last section lies the signature.
                let cut_off = pe::Image::parse(&bytes[..cut]).is_err() || pe::certificates(&bytes[..cut]).is_err();
                assert!(cut_off, "cut at {cut} of {}", bytes.len());
                let _ = (pe::authenticode_digest(&bytes[..cut]), pe::kernel_release(&bytes[..cut]));
            }
        }
    }
    assert!(parsed.sections.len() > 6);
}
