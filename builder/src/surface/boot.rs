//! What a boot showed: `boot.json`, as the boot test writes it (docs/testing.md). Beside the node's own boot report it has what
//! listens on the host and what runs there, read from `/proc` by a pod that may look.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::number::{Number, What};

/// No document is longer.
const MOST: u64 = 16 << 20;
/// The cgroup below which pods are.
const PODS: &str = "/kubepods";

/// What of it is looked at. The boot report has more, and every version of it something else.
#[derive(Deserialize)]
struct Boot {
    listeners: Option<Vec<Listener>>,
    processes: Option<Vec<Process>>,
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

/// The numbers of a boot, from its file.
pub fn read(path: &Path) -> anyhow::Result<BTreeMap<What, Number>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
    file.take(MOST + 1).read_to_end(&mut bytes).with_context(|| format!("{}: cannot be read", path.display()))?;
    parse(&bytes).with_context(|| path.display().to_string())
}

/// The same from its bytes.
pub fn parse(bytes: &[u8]) -> anyhow::Result<BTreeMap<What, Number>> {
    if bytes.len() as u64 > MOST {
        bail!("longer than {MOST} bytes; no boot has that much to say");
    }
    let boot: Boot = serde_json::from_slice(bytes).context("no document of a boot")?;
    let Boot { listeners: Some(listeners), processes: Some(processes) } = boot else {
        bail!("it does not say both `listeners` and `processes`; name the boot.json that the boot test writes");
    };
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
    Ok(BTreeMap::from([
        (What::Listeners, Number { is: listeners.values().sum(), of: listeners }),
        // However many pods there are: each has a shim.
        (What::Processes, Number { is: processes.len() as u64, of: processes }),
    ]))
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

    use super::*;

    fn boot() -> serde_json::Value {
        let process =
            |comm: &str, exe: Option<&str>, cgroup: &str| json!({"comm": comm, "exe": exe, "cgroup": cgroup, "pid": 1});
        json!({
            "image": "standalone", "phases": [],
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
        let numbers = parse(boot().to_string().as_bytes()).unwrap();
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
        for key in ["listeners", "processes"] {
            let mut boot = boot();
            boot.as_object_mut().unwrap().remove(key);
            let error = parse(boot.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.contains("boot.json that the boot test writes"), "{error}");
        }
        let mut wrong = boot();
        wrong["listeners"][0]["port"] = 70_000.into();
        for bytes in [b"".to_vec(), b"[]".to_vec(), b"{\"listeners\": 3}".to_vec(), wrong.to_string().into_bytes()] {
            let error = format!("{:#}", parse(&bytes).unwrap_err());
            assert!(error.starts_with("no document of a boot: "), "{error}");
        }
        assert!(parse(&vec![b' '; MOST as usize + 1]).unwrap_err().to_string().contains("longer than"));
    }
}
