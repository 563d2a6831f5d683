//! What the booted node is, read from inside (docs/architecture.md, "Promises"; docs/node.md).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use orlop::report::{boot, surface};
use orlop::sources::Project;
use orlop::surface::{What, check_budgets, read_boot, unchecked_budgets};
use orlop_machine::within;
use serde_json::{Value, json};

use crate::bench::{Bench, Built, HEALTHY, left};
use crate::healthy::PHASES;
use crate::probe::Probed;

const SIGKILL: i32 = 9;
/// CAP_SYS_MODULE and CAP_MAC_ADMIN, which PID 1 gives up once the modules are closed.
const GIVEN_UP: u64 = 1 << 16 | 1 << 33;
/// CAP_SYS_BOOT, which PID 1 keeps, to power off.
const SYS_BOOT: u64 = 1 << 22;
/// What nobody else gets.
const CLOSED: u64 = GIVEN_UP | SYS_BOOT;

#[test]
fn the_booted_node_is_what_was_promised() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let node = Probed::boot(bench.firmware(bench.throw_away()))?;
    node.0.healthy_with_pod("hello")?;
    node.0.ready()?;
    let kernel = node.topic("kernel")?;
    pid_1_is_small(&node.topic("pid1")?);
    let (processes, listeners) = (node.topic("processes")?, node.topic("listeners")?);
    let seen = leave_what_was_seen(&node.topic("boot")?, &processes, &listeners)?;
    processes_are_the_promised_ones(&processes)?;
    nothing_listens_beyond_loopback(&listeners);
    what_was_seen_is_within_the_budgets(&bench.image, &seen)?;
    mounts_have_their_flags(&node.topic("mounts")?)?;
    kubelet_mounts_volumes(&node.topic("mounts")?, &node.topic("volumes")?)?;
    kernel_is_closed(&kernel);
    no_interface_has_hardware(&kernel["interfaces"])?;
    the_machine_has_one_name(&kernel, &node.topic("state")?["record"], &node.topic("boot")?);
    the_report_is_whole(&node.topic("boot")?)?;
    sysctls_are_set(&node.topic("sysctls")?);
    root_is_under_verity(&node.topic("verity")?);
    a_pod_answers_on_its_network(&node)?;
    orphans_of_a_shim_are_reaped(&node)?;
    the_control_socket_ends_the_node(&node)
}

/// The boot report with what listens and what runs, for `orlop surface --boot` and `orlop report --boot`.
fn leave_what_was_seen(boot: &Value, processes: &Value, listeners: &Value) -> Result<PathBuf> {
    let mut document = boot.as_object().context("a boot report")?.clone();
    document.extend([("processes".to_owned(), processes.clone()), ("listeners".to_owned(), listeners.clone())]);
    let file = left("boot.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&document)?).with_context(|| file.display().to_string())?;
    Ok(file)
}

/// Both verbs read the file that was left as one of this image's boots, and the numbers that only a boot can tell are within the
/// shipped definition's budgets.
fn what_was_seen_is_within_the_budgets(image: &Path, seen: &Path) -> Result<()> {
    let mut surface = surface::read(image)?;
    read_boot(seen)?.add_to(&mut surface)?;
    let told = boot::parse(&std::fs::read(seen)?)?;
    assert_eq!(told.root_hash.as_ref(), Some(&surface.root_hash));
    let (phases, healthy) = (told.phases.len(), told.reached.iter().any(|moment| moment.name == "kubelet healthy"));
    assert!(phases > 0 && healthy, "{told:?}");
    let project = Project::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/standalone.toml"))?;
    let budgets = &project.definition().budgets;
    ensure!(budgets.listeners.is_some() && budgets.processes.is_some(), "images/standalone.toml has no such budgets");
    assert_eq!(unchecked_budgets(&surface, budgets), Vec::<What>::new());
    check_budgets(&surface, None, budgets).map_err(anyhow::Error::msg)?;
    // They are looked at: one that is passed is named with what passes it.
    let mut none = budgets.clone();
    (none.listeners, none.processes) = (Some(0), Some(0));
    let error = check_budgets(&surface, None, &none).err().context("a node on which nothing runs")?;
    for says in ["budgets.listeners = 0", "kubelet tcp 127.0.0.1:10248", "budgets.processes = 0", "containerd-shim"] {
        assert!(error.contains(says), "`{says}` is not in: {error}");
    }
    Ok(())
}

fn pid_1_is_small(pid1: &Value) {
    let rss = pid1["rss_kib"].as_u64().unwrap_or(u64::MAX);
    assert!(rss <= 3 * 1024, "PID 1 holds {rss} KiB");
    assert_eq!(pid1["comm"], "init");
    assert_eq!(pid1["threads"], 1, "{pid1}");
    // The kernel hands init what is appended to its command line.
    assert_eq!((&pid1["command"], &pid1["environment"]), (&json!(["orlop-init"]), &json!([])));
    for (set, kept) in [("cap_eff", SYS_BOOT), ("cap_prm", SYS_BOOT), ("cap_bnd", 0)] {
        assert_eq!(capabilities(&pid1[set]) & CLOSED, kept, "{set} of PID 1: {}", pid1[set]);
    }
}

fn capabilities(mask: &Value) -> u64 {
    mask.as_str().and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(u64::MAX)
}

fn processes_are_the_promised_ones(processes: &Value) -> Result<()> {
    let programs = processes.as_array().into_iter().flatten().filter(|process| process["exe"].is_string());
    let names: BTreeSet<&str> = programs.clone().filter_map(|process| process["comm"].as_str()).collect();
    let promised = ["init", "containerd", "kubelet", "containerd-shim", "pause", "hello", "probe"];
    let stranger = names.iter().find(|name| !promised.contains(name));
    assert!(stranger.is_none(), "{stranger:?} runs; promised are {promised:?}");
    let all = |name: &'static str| programs.clone().filter(move |process| process["comm"] == name);
    let groups = [
        ("init", "/init"),
        ("containerd", "/podruntime/runtime"),
        ("kubelet", "/podruntime/kubelet"),
        ("containerd-shim", "/podruntime/shim"),
    ];
    for (name, group) in groups {
        assert!(all(name).count() > 0, "{name}");
        all(name).for_each(|process| assert_eq!(process["cgroup"], format!("0::{group}"), "{name}"));
    }
    for name in ["containerd", "kubelet", "containerd-shim"] {
        all(name).for_each(|process| assert_eq!(capabilities(&process["cap_bnd"]) & CLOSED, 0, "{process}"));
    }
    let common = ["PATH=/usr/bin", "HOME=/root", "NOTIFY_SOCKET=/run/orlop/notify"];
    for (name, own) in [("containerd", &[][..]), ("kubelet", &["WATCHDOG_USEC=30000000"])] {
        let process = all(name).next().context(name)?;
        assert_eq!(process["oom_score_adj"], -999, "{name}");
        assert_eq!(process["environment"], json!([&common[..], own].concat()), "{name}");
    }
    // Go's runtime raises the soft limit of its own process, and kubelet sets its own two; what containerd starts has
    // what containerd was started with.
    assert_eq!(all("containerd").next().context("containerd")?["open_files"][1], 1_048_576);
    let pod = all("hello").next().context("hello")?;
    assert_eq!(pod["open_files"], json!([1024, 1_048_576]), "{pod}");
    // A privileged pod has what containerd can give.
    let privileged = all("probe").next().context("probe")?;
    assert_eq!(capabilities(&privileged["cap_bnd"]) & CLOSED, 0, "{privileged}");
    Ok(())
}

/// Pods have addresses of their own; the host has none that a network could reach, and on loopback only services.
fn nothing_listens_beyond_loopback(listeners: &Value) {
    let listeners = listeners.as_array().map(Vec::as_slice).unwrap_or_default();
    for one in listeners {
        let address = one["address"].as_str().and_then(|address| address.parse::<IpAddr>().ok());
        assert!(address.is_some_and(|address| address.is_loopback()), "{one}");
        assert!(["kubelet", "containerd"].iter().any(|service| one["comm"] == *service), "{one}");
    }
    let healthz = |one: &&Value| one["port"] == 10248 && one["address"] == "127.0.0.1" && one["comm"] == "kubelet";
    assert!(listeners.iter().any(|one| healthz(&one)), "kubelet's health check in {listeners:?}");
}

/// The table of `docs/node.md`, and nothing else that could be written.
const MOUNTS: [(&str, &str, &[&str]); 17] = [
    ("/", "erofs", &["ro", "nosuid", "nodev"]),
    ("/var", "ext4", &["nosuid", "nodev"]),
    ("/run", "tmpfs", &["nosuid", "nodev", "noexec"]),
    ("/tmp", "tmpfs", &["nosuid", "nodev", "noexec"]),
    ("/proc", "proc", &["nosuid", "nodev", "noexec"]),
    ("/sys", "sysfs", &["nosuid", "nodev", "noexec"]),
    ("/dev", "devtmpfs", &["nosuid", "noexec"]),
    ("/dev/shm", "tmpfs", &["nosuid", "nodev", "noexec"]),
    ("/etc/cni/net.d", "tmpfs", &["nosuid", "nodev", "noexec"]),
    ("/opt/cni/bin", "tmpfs", &["nosuid", "nodev"]),
    ("/sys/fs/cgroup", "cgroup2", &["nosuid", "nodev", "noexec"]),
    ("/dev/pts", "devpts", &["nosuid", "noexec"]),
    ("/dev/mqueue", "mqueue", &["nosuid", "noexec"]),
    ("/sys/fs/bpf", "bpf", &["nosuid", "noexec"]),
    ("/sys/kernel/security", "securityfs", &["nosuid", "noexec"]),
    ("/sys/fs/pstore", "pstore", &["nosuid", "nodev", "noexec"]),
    ("/sys/firmware/efi/efivars", "efivarfs", &["nosuid", "noexec", "ro"]),
];

fn mounts_have_their_flags(mounts: &Value) -> Result<()> {
    let all = mounts.as_array().context("mounts")?;
    for (target, kind, options) in MOUNTS {
        let mount = mounted(mounts, target)?;
        assert_eq!(mount["fstype"], kind, "{mount}");
        for option in options {
            assert!(has(mount, "options", option), "{target} lacks {option}: {mount}");
        }
    }
    let root = mounted(mounts, "/")?;
    assert!(root["propagation"].to_string().contains("shared:"), "{root}");
    // Pods' own mounts lie below the two.
    let is_promised = |target: &str| {
        let below = ["/var/", "/run/"].iter().any(|folder| target.starts_with(folder));
        below || MOUNTS.iter().any(|(promised, ..)| *promised == target)
    };
    let strangers = all.iter().filter(|mount| !mount["target"].as_str().is_some_and(is_promised));
    assert_eq!(strangers.collect::<Vec<_>>(), Vec::<&Value>::new());
    Ok(())
}

/// The last mount on a place is the one that is seen.
fn mounted<'a>(mounts: &'a Value, target: &str) -> Result<&'a Value> {
    let found = mounts.as_array().into_iter().flatten().rev().find(|mount| mount["target"] == target);
    found.with_context(|| format!("{target} in {mounts}"))
}

fn has(mount: &Value, key: &str, option: &str) -> bool {
    mount[key].as_array().into_iter().flatten().any(|found| found == option)
}

/// kubelet runs `mount` for a volume in memory and for a part of another: both in the pod and on the host.
fn kubelet_mounts_volumes(host: &Value, pod: &Value) -> Result<()> {
    let memory = mounted(pod, "/memory")?;
    assert_eq!(memory["fstype"], "tmpfs", "{memory}");
    assert!(has(memory, "super_options", "size=1024k"), "{memory}");
    let part = mounted(pod, "/part")?;
    assert_eq!(part["fstype"], "ext4", "{part}");
    let is_part = |root: &str| root.starts_with("/lib/kubelet/pods/") && root.ends_with("empty-dir/disk/part");
    assert!(part["root"].as_str().is_some_and(is_part), "{part}");
    let targets = host.as_array().into_iter().flatten().filter_map(|mount| mount["target"].as_str());
    for place in ["/volumes/kubernetes.io~empty-dir/memory", "/volume-subpaths/disk/probe/"] {
        let mut ours = targets.clone().filter(|target| target.starts_with("/var/lib/kubelet/pods/"));
        assert!(ours.any(|target| target.contains(place)), "{place} in {host}");
    }
    Ok(())
}

/// No network card: what pods need is made of nothing.
fn no_interface_has_hardware(interfaces: &Value) -> Result<()> {
    let interfaces = interfaces.as_object().context("interfaces")?;
    assert!(["lo", "cni0"].iter().all(|name| interfaces.contains_key(*name)), "{interfaces:?}");
    assert!(interfaces.values().all(Value::is_null), "{interfaces:?}");
    Ok(())
}

fn the_machine_has_one_name(kernel: &Value, record: &Value, report: &Value) {
    let id = kernel["machine_id"].as_str().unwrap_or_default();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!((&record["machine_id"], &report["machine_id"]), (&json!(id), &json!(id)));
    let name = format!("orlop-{}", &id[..8]);
    assert_eq!((&kernel["hostname"], &report["hostname"]), (&json!(name), &json!(name)));
    let hosts = kernel["hosts"].as_str().unwrap_or_default();
    let own = hosts.lines().find(|line| line.split_whitespace().any(|word| word == name));
    assert!(own.is_some_and(|line| line.starts_with("127.0.0.1 ")), "{name} in {hosts}");
}

/// `/run/orlop/boot.json`.
fn the_report_is_whole(report: &Value) -> Result<()> {
    assert_eq!((&report["image"], &report["image_version"]), (&json!("standalone"), &json!("0.1.0")));
    assert_eq!((&report["class"], &report["development"]), (&json!("public"), &json!(true)));
    assert_eq!((&report["disk"], &report["first_error"]), (&json!("vda"), &Value::Null));
    assert!(report["trust"].is_string(), "the rung that was reached: {}", report["trust"]);
    let hash = report["root_hash"].as_str().context("a root hash")?;
    assert!(hash.len() == 64, "{hash}");
    let phases = report["phases"].as_array().context("phases")?;
    let names: Vec<&str> = phases.iter().filter_map(|phase| phase["name"].as_str()).collect();
    assert_eq!(names, PHASES[..PHASES.len() - 1]);
    Ok(())
}

fn a_pod_answers_on_its_network(node: &Probed) -> Result<()> {
    let leases = node.ask(json!({ "do": "list", "path": "/host/run/cni/networks/orlop" }))?;
    let names = leases["names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // Beside the leases lie the last one given and a lock.
    let addresses: Vec<Ipv4Addr> = names.filter_map(|name| name.parse().ok()).collect();
    ensure!(addresses.len() == 1, "one pod has a network of its own: {leases}");
    let answer = node.ask(json!({ "do": "fetch", "address": format!("{}:8080", addresses[0]) }))?;
    assert!(answer["head"].as_str().is_some_and(|head| head.starts_with("HTTP/1.1 200 OK")), "{answer}");
    assert!(answer["body"].as_str().is_some_and(|body| body.starts_with("hello n=")), "{answer}");
    Ok(())
}

/// A shim is the parent of its pod's processes. Without it they are PID 1's, which takes their status.
fn orphans_of_a_shim_are_reaped(node: &Probed) -> Result<()> {
    let processes = node.topic("processes")?;
    let all = processes.as_array().context("processes")?;
    let shim = &all.iter().find(|process| process["comm"] == "hello").context("hello")?["ppid"];
    let parent = all.iter().find(|process| process["pid"] == *shim).map(|process| &process["comm"]);
    assert_eq!(parent, Some(&json!("containerd-shim")));
    let orphans = all.iter().filter(|process| process["ppid"] == *shim).map(|process| &process["pid"]);
    let family: Vec<&Value> = std::iter::once(shim).chain(orphans).collect();
    assert!(family.len() >= 3, "shim, pause, hello: {family:?}");
    for pid in &family {
        // containerd, which misses the shim, may have been faster.
        node.ask_for_any(&json!({ "do": "signal", "pid": pid, "signal": SIGKILL }))?;
    }
    for pid in &family {
        node.ask(json!({ "do": "await-end", "pid": pid, "seconds": within(60).as_secs() }))?;
    }
    Ok(())
}

fn the_control_socket_ends_the_node(node: &Probed) -> Result<()> {
    node.ask(json!({ "do": "datagram", "path": "/host/run/orlop/control", "text": "poweroff" }))?;
    node.0.wait_line("orlop: shutdown: asked by control socket", within(HEALTHY))?;
    node.0.stops_with("guest-shutdown")
}

fn kernel_is_closed(kernel: &Value) {
    assert_eq!(kernel["modules_disabled"], "1");
    let lockdown = kernel["lockdown"].as_str().unwrap_or_default();
    assert!(lockdown.contains("[integrity]") || lockdown.contains("[confidentiality]"), "{lockdown}");
    assert_eq!(kernel["tainted"], "0");
    let command_line = kernel["cmdline"].as_str().unwrap_or_default();
    assert!(command_line.ends_with(" --"), "{command_line}");
}

fn sysctls_are_set(sysctls: &Value) {
    let rows = sysctls.as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(!rows.is_empty());
    for row in rows {
        let name = row[0].as_str().unwrap_or_default();
        // AppArmor's are shown to CAP_MAC_ADMIN only, which no pod gets; PID 1 had it when it read them back.
        if !(name.starts_with("kernel.apparmor_") && row[2].is_null()) {
            let words =
                |value: &Value| value.as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            assert_eq!(words(&row[1]), words(&row[2]), "{name}");
        }
    }
}

fn root_is_under_verity(devices: &Value) {
    let device = &devices[0];
    assert_eq!(device["table"]["type"], "verity", "{devices}");
    assert_eq!(device["read_only"], "1");
    let parameters = device["table"]["parameters"].as_str().unwrap_or_default();
    assert!(parameters.contains("panic_on_corruption"), "{parameters}");
}
