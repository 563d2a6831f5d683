//! Packs what an installed `orlop` carries of this repository, so that it builds images far from it.

#[path = "src/sources/workspace/pack.rs"]
mod pack;

use std::path::Path;

/// The archive of the node's crates stays small enough to be carried in the program.
const MOST_BYTES: usize = 2 << 20;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository");
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    let write = |name: &str, files: &pack::Files| {
        let tar = pack::tar(files);
        assert!(tar.len() <= MOST_BYTES, "{name} has {} bytes; at most {MOST_BYTES} are carried", tar.len());
        std::fs::write(Path::new(&out).join(name), tar).expect("the out folder is writable");
    };
    write("workspace.tar", &pack::workspace(root).expect("the node's crates can be read"));
    write("images.tar", &pack::images(root).expect("the shipped definitions can be read"));
    println!("cargo::rerun-if-changed={}", root.join("qemu-tests/Cargo.toml").display());
    println!("cargo::rerun-if-changed=Cargo.toml");
    let watched = ["chain", "config", "images", "init", "node", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];
    for name in watched {
        println!("cargo::rerun-if-changed={}", root.join(name).display());
    }
    println!("cargo::rerun-if-changed=src/sources/workspace/pack.rs");
}
