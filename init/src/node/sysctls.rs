//! Sysctls: set, and read back. One that does not hold fails the boot: what the image promises is
//! what the kernel says.

use super::Node;
use crate::report::{Refusal, or_refuse};
use std::io;
use std::path::{Path, PathBuf};

/// Where sysctls live.
const FOLDER: &str = "/proc/sys";
/// Set at the very end, by the phase that closes the modules.
const MODULES_DISABLED: &str = "kernel.modules_disabled";

/// Sets all of them, in order.
pub fn start(node: &mut Node) -> Result<(), Refusal> {
    let wanted = node.settings.sysctls.iter().filter(|(name, _)| name != MODULES_DISABLED);
    for (name, value) in wanted {
        or_refuse(set(name, value), "sysctls", format!("{name}={value}"))?;
    }
    Ok(())
}

/// Closes the kernel for modules until the next boot.
pub fn close_modules() -> io::Result<()> {
    set(MODULES_DISABLED, "1")
}

/// Sets one.
pub fn set(name: &str, value: &str) -> io::Result<()> {
    set_below(Path::new(FOLDER), name, value)
}

fn set_below(folder: &Path, name: &str, value: &str) -> io::Result<()> {
    let path = path(folder, name);
    // A line break, because an empty write sets nothing (kernel.modprobe is to be empty).
    let written = std::fs::write(&path, format!("{value}\n"));
    let found = std::fs::read_to_string(&path)?;
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    if words(&found) == words(value) {
        return Ok(());
    }
    written?;
    Err(io::Error::other(format!("{} reads back `{}`", path.display(), found.trim())))
}

/// The file of a sysctl. As in `sysctl(8)`: a name with slashes keeps its dots.
fn path(folder: &Path, name: &str) -> PathBuf {
    if name.contains('/') { folder.join(name) } else { folder.join(name.replace('.', "/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths() {
        let folder = Path::new("/proc/sys");
        assert_eq!(path(folder, "net.ipv4.ip_forward"), Path::new("/proc/sys/net/ipv4/ip_forward"));
        assert_eq!(path(folder, "net/ipv4/conf/eth0.1/x"), Path::new("/proc/sys/net/ipv4/conf/eth0.1/x"));
    }

    #[test]
    fn a_value_must_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("vm")).expect("a folder");
        std::fs::write(folder.path().join("vm/a"), "0\t0\n").expect("written");
        set_below(folder.path(), "vm.a", "0 0").expect("the kernel's own white space does not matter");
        assert!(set_below(folder.path(), "vm.b/c", "1").is_err());
        let missing = set_below(folder.path(), "kernel.missing", "1").expect_err("missing");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
