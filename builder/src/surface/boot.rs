//! What a boot showed: `boot.json`, as the boot test writes it (docs/testing.md). Beside the node's own boot report it has what
//! listens on the host and what runs there, read from `/proc` by a pod that may look.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::number::{Number, Surface, What};
use crate::bounded::read_at_most;
use crate::text::shown;

/// No document is longer.
const MOST: u64 = 16 << 20;
/// Half of it is of no use.
const HALF: &str = "it does not say both `listeners` and `processes`; name the boot.json that the boot test writes";
/// The cgroup below which pods are.
const PODS: &str = "/kubepods";

/// What of it is looked at. The boot report has more, and every version of it something else.
#[derive(Deserialize)]
struct Boot {
    root_hash: Option<String>,
    listeners: Option<Vec<Listener>>,
    processes: Option<Vec<Process>>,
}

/// What a boot showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The root hash of the image that was booted.
    root_hash: String,
    numbers: BTreeMap<What, Number>,
}

#[derive(Deserialize)]
struct Listener {
    /// `tcp`, `tcp6`, `udp`, `udp6`.
    protocol: String,
    address: String,
    port: u16,
    /// The program that holds it; `null` where none was found: the kernel's own.
    comm: Option<String>,
}

#[derive(Deserialize)]
struct Process {
    /// `null` for one that ended while it was looked at.
    comm: Option<String>,
    /// `null` for a thread of the kernel.
    exe: Option<String>,
    /// As `/proc/PID/cgroup` has it.
    cgroup: Option<String>,
}

/// What a boot showed, from its file.
pub fn read(path: &Path) -> anyhow::Result<Shown> {
    let shown = parse(&read_at_most(path, MOST)?).with_context(|| path.display().to_string())?;
    shown.with_context(|| format!("{}: {HALF}", path.display()))
}

/// The same from its bytes; `None` where it speaks neither of what listens nor of what runs, as the node's own report.
pub fn parse(bytes: &[u8]) -> anyhow::Result<Option<Shown>> {
    let boot: Boot = serde_json::from_slice(bytes).context("no document of a boot")?;
    let (listeners, processes) = match (boot.listeners, boot.processes) {
        (Some(listeners), Some(processes)) => (listeners, processes),
        (None, None) => return Ok(None),
        _ => bail!(HALF),
    };
    let root_hash = boot.root_hash.context("it does not say which image was booted (`root_hash`)")?;
    let sockets = listeners.into_iter().map(|Listener { protocol, address, port, comm }| {
        format!("{} {protocol} {}", comm.as_deref().unwrap_or("(kernel)"), at(&address, port))
    });
    // Pods bring their own programs, which are another matter; a thread of the kernel has none.
    let of_host = |process: &Process| {
        let pods = process.cgroup.iter().any(|cgroup| cgroup.lines().any(|line| below(line, PODS)));
        process.exe.is_some() && !pods
    };
    let programs = processes.into_iter().filter(of_host).filter_map(|process| process.comm);
    let (listeners, processes) = (counted(sockets), counted(programs));
    let numbers = BTreeMap::from([
        (What::Listeners, Number { is: listeners.values().sum(), of: listeners }),
        // However many pods there are: each has a shim.
        (What::Processes, Number { is: processes.len() as u64, of: processes }),
    ]);
    Ok(Some(Shown { root_hash, numbers }))
}

impl Shown {
    /// Adds the numbers to those of the image, which must be the one that was booted.
    pub fn add_to(&self, surface: &mut Surface) -> anyhow::Result<()> {
        let (booted, image) = (shown(&self.root_hash), &surface.root_hash);
        ensure!(
            self.root_hash == *image,
            "it tells of a boot of the root hash {booted}, and the image has {image}; boot this one"
        );
        surface.numbers.extend(self.numbers.clone());
        Ok(())
    }
}

/// Address and port, as they are written together.
fn at(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// Whether a line of `/proc/PID/cgroup` (`0::/kubepods/…`) names a group at or below this one.
fn below(line: &str, group: &str) -> bool {
    let path = line.splitn(3, ':').nth(2).unwrap_or_default();
    path.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn counted(names: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for name in names {
        *counted.entry(name).or_default() += 1;
    }
    counted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::surface;
    use super::*;

    fn boot() -> serde_json::Value {
        let process =
            |comm: &str, exe: Option<&str>, cgroup: &str| json!({"comm": comm, "exe": exe, "cgroup": cgroup, "pid": 1});
        json!({
            "image": "standalone", "phases": [], "root_hash": surface().root_hash,
            "listeners": [
                {"protocol": "tcp", "address": "127.0.0.1", "port": 10248, "pid": 7, "comm": "kubelet"},
                {"protocol": "tcp6", "address": "::", "port": 10250, "pid": 7, "comm": "kubelet"},
                {"protocol": "udp", "address": "0.0.0.0", "port": 8472, "pid": null, "comm": null},
            ],
            "processes": [
                process("init", Some("/usr/libexec/orlop/init"), "0::/init"),
                process("containerd-shim", Some("/usr/bin/shim"), "0::/podruntime/shim"),
                process("containerd-shim", Some("/usr/bin/shim"), "0::/podruntime/shim"),
                process("pause", Some("/pause"), "0::/kubepods/besteffort/pod1/x"),
                process("odd", Some("/odd"), "0::/kubepods-of-mine"),
                process("kthreadd", None, "0::/"),
                {"pid": 9, "comm": null, "exe": null, "cgroup": null},
            ],
        })
    }

    #[test]
    fn listeners_and_programs_of_the_host_are_counted() {
        let numbers = parse(boot().to_string().as_bytes()).unwrap().unwrap().numbers;
        let of = |what: What| -> Vec<(String, u64)> { numbers[&what].of.clone().into_iter().collect() };
        let row = |name: &str, count: u64| (name.to_owned(), count);
        let listeners = [
            row("(kernel) udp 0.0.0.0:8472", 1),
            row("kubelet tcp 127.0.0.1:10248", 1),
            row("kubelet tcp6 [::]:10250", 1),
        ];
        assert_eq!((of(What::Listeners), numbers[&What::Listeners].is), (listeners.into(), 3));
        let processes = [row("containerd-shim", 2), row("init", 1), row("odd", 1)];
        assert_eq!((of(What::Processes), numbers[&What::Processes].is), (processes.into(), 3));
    }

    #[test]
    fn a_document_that_does_not_say_it_is_refused() {
        for (key, says) in [
            ("listeners", "boot.json that the boot test writes"),
            ("processes", "boot.json that the boot test writes"),
            ("root_hash", "which image was booted"),
        ] {
            let mut boot = boot();
            boot.as_object_mut().unwrap().remove(key);
            let error = parse(boot.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let mut wrong = boot();
        wrong["listeners"][0]["port"] = 70_000.into();
        for bytes in [b"".to_vec(), b"[]".to_vec(), b"{\"listeners\": 3}".to_vec(), wrong.to_string().into_bytes()] {
            let error = format!("{:#}", parse(&bytes).unwrap_err());
            assert!(error.starts_with("no document of a boot: "), "{error}");
        }
        assert_eq!(parse(b"{\"accelerator\": \"TCG\"}").unwrap(), None, "as `orlop run --json` prints it");
    }

    #[test]
    fn the_boot_of_another_image_adds_nothing() {
        let shown = parse(boot().to_string().as_bytes()).unwrap().unwrap();
        let mut image = surface();
        shown.add_to(&mut image).unwrap();
        assert_eq!((image.get(What::Listeners), image.get(What::Processes)), (Some(3), Some(3)));
        let mut other = Surface { root_hash: "77".repeat(32), ..surface() };
        let error = shown.add_to(&mut other).unwrap_err().to_string();
        assert!(error.contains(&surface().root_hash) && error.contains(&other.root_hash), "{error}");
        assert_eq!(other.get(What::Listeners), None);
    }
}
