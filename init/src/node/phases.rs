//! The phases of a node, as a table.

use super::door::Door;
use super::{
    CONTAINERD, KUBELET, LOGIND, NET, Node, cgroups, close, config, grace, guard, identity, ipe, mounts, pods, state,
    sysctls,
};
use crate::report::{Event, Refusal, now_ms, or_refuse};
use crate::services::{Endpoint, OOM_SCORE, Recipe, Service};
use crate::sys::capability;
use orlop_config::node::{CONTAINERD_SOCKET, CRI_SOCKET};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a phase that is not done at its deadline means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    /// The boot is refused.
    Refuse,
    /// It is said, with the end of this service's log, and the wait goes on.
    Wait(usize),
    /// It is said, and the boot goes on without.
    GoOn,
}

/// One phase.
struct Phase {
    /// Its name in the report.
    name: &'static str,
    /// Begins it; an error is a refusal.
    start: fn(&mut Node) -> Result<(), Refusal>,
    /// Whether it is done.
    done: fn(&mut Node) -> Result<bool, Refusal>,
    /// When it should be.
    deadline: Duration,
    /// What it means when it is not.
    late: Late,
    /// Only of an image that asks for a node config.
    of_clusters: bool,
}

const fn now(name: &'static str, start: fn(&mut Node) -> Result<(), Refusal>) -> Phase {
    Phase { name, start, done: |_| Ok(true), deadline: guard::PATIENCE, late: Late::Refuse, of_clusters: false }
}

/// In order. What each of the first ones does is done when it returns; the others wait for programs.
const PHASES: &[Phase] = &[
    now("mounts", mounts::start),
    now("ipe", ipe::start),
    now("identity", identity::start),
    now("loopback", |_| or_refuse(crate::sys::loopback::up(), "loopback", "lo")),
    now("sysctls", sysctls::start),
    now("cgroups", cgroups::start),
    now("state", state::start),
    now("modules", close::load_first),
    now("services", prepare_services),
    Phase {
        name: "config",
        start: config::start,
        done: config::done,
        deadline: Duration::from_secs(120),
        late: Late::Wait(NET),
        of_clusters: true,
    },
    Phase {
        name: "network",
        start: |_| Ok(()),
        done: config::in_force,
        deadline: Duration::from_secs(120),
        late: Late::Wait(NET),
        of_clusters: true,
    },
    Phase {
        name: "logind",
        start: grace::start,
        done: grace::ready,
        deadline: Duration::from_secs(60),
        late: Late::GoOn,
        of_clusters: true,
    },
    Phase {
        name: "containerd",
        start: start_services,
        done: |node| Ok(node.services[CONTAINERD].healthy()),
        deadline: Duration::from_secs(120),
        late: Late::Wait(CONTAINERD),
        of_clusters: false,
    },
    Phase {
        name: "preload",
        start: pods::start_preload,
        done: preload_done,
        deadline: Duration::from_secs(180),
        late: Late::Wait(CONTAINERD),
        of_clusters: false,
    },
    Phase {
        name: "kubelet",
        start: |_| Ok(()),
        done: kubelet_done,
        deadline: Duration::from_secs(180),
        late: Late::Wait(KUBELET),
        of_clusters: false,
    },
    Phase {
        name: "pods",
        start: pods::start,
        done: pods::done,
        deadline: Duration::from_secs(300),
        late: Late::GoOn,
        of_clusters: false,
    },
    Phase {
        name: "modules-closed",
        start: close::start_rest,
        done: close::done,
        deadline: Duration::from_secs(300),
        late: Late::Refuse,
        of_clusters: false,
    },
];

/// The services' names, by their indices. The two of clusters' images come last.
const NAMES: [&str; 4] = ["containerd", "kubelet", "net", "logind"];

/// A kubelet that is silent for so long hangs. It speaks four times in it, so that a slow machine is not taken for one.
const KUBELET_SILENT: Duration = Duration::from_secs(60);

/// How far the boot is.
#[derive(Debug, Default)]
pub struct Progress {
    index: usize,
    deadline: Option<Instant>,
    ready: bool,
}

impl Progress {
    /// The current phase's deadline.
    pub fn wake(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the current phase's deadline is past.
    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// Goes on with the boot as far as it goes without waiting.
pub fn step(node: &mut Node) -> Result<(), Refusal> {
    close::step(node)?;
    while let Some(phase) = PHASES.get(node.progress.index) {
        if phase.of_clusters && node.settings.node_config.is_none() {
            node.progress.index += 1;
            continue;
        }
        if node.progress.deadline.is_none() {
            node.progress.deadline = Some(Instant::now() + phase.deadline);
            node.guard.iter_mut().for_each(|guard| guard.begin(phase.name));
            (phase.start)(node)?;
        }
        if (phase.done)(node)? {
            node.report.phase(phase.name);
        } else if !late(node, phase)? {
            return Ok(());
        }
        node.progress.index += 1;
        node.progress.deadline = None;
    }
    if !node.progress.ready {
        node.progress.ready = true;
        if let Some(kib) = resident_kib() {
            node.report.note("init", format!("resident_kib={kib}"));
        }
        node.report.tell(&Event::Ready { ms: now_ms() });
        node.report.send_document();
    }
    Ok(())
}

/// Whether the boot goes on without an unfinished phase.
fn late(node: &mut Node, phase: &Phase) -> Result<bool, Refusal> {
    if node.progress.deadline.is_some_and(|deadline| Instant::now() < deadline) {
        return Ok(false);
    }
    let text = format!("phase {} is not done after {} s", phase.name, phase.deadline.as_secs());
    match phase.late {
        Late::Refuse => return Err(Refusal::new(phase.name, text)),
        Late::GoOn => node.report.error(phase.name, text),
        Late::Wait(service) => {
            node.report.error(phase.name, text);
            let tail: Vec<String> = node.services[service].tail().map(str::to_owned).collect();
            tail.iter().for_each(|line| node.report.quote(line));
            node.progress.deadline = Some(Instant::now() + phase.deadline);
        }
    }
    Ok(phase.late == Late::GoOn)
}

/// What PID 1 takes of the memory, in KiB.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// From here on PID 1 only waits in its loop.
fn prepare_services(node: &mut Node) -> Result<(), Refusal> {
    node.guard = None;
    let given_up = capability::give_up(capability::GIVEN_UP_BEFORE_SERVICES);
    or_refuse(given_up, "services", "giving up CAP_MAC_ADMIN")?;
    for recipe in recipes(node)? {
        let name = recipe.name;
        node.services.push(or_refuse(Service::new(recipe), name, format!("/var/log/{name}.log"))?);
    }
    close::start_devices(node)
}

/// In the order of their indices.
fn recipes(node: &Node) -> Result<Vec<Recipe>, Refusal> {
    let program = |program: &OwnedFd| or_refuse(program.try_clone(), "services", "a program's descriptor");
    let containerd = Recipe {
        name: NAMES[CONTAINERD],
        arguments: node.settings.containerd.clone(),
        program: program(&node.programs.containerd)?,
        cgroup: "/podruntime/runtime",
        oom_score: OOM_SCORE,
        endpoint: Some(Endpoint::Grpc(CONTAINERD_SOCKET)),
        silent_for: None,
    };
    let kubelet = Recipe {
        name: NAMES[KUBELET],
        arguments: node.settings.kubelet.clone(),
        program: program(&node.programs.kubelet)?,
        cgroup: "/podruntime/kubelet",
        oom_score: OOM_SCORE,
        endpoint: Some(Endpoint::Healthz(10248)),
        silent_for: Some(KUBELET_SILENT),
    };
    let mut recipes = vec![containerd, kubelet];
    let of_clusters = [(NET, "/net", &node.programs.net), (LOGIND, "/logind", &node.programs.logind)];
    for (index, cgroup, file) in of_clusters {
        let Some(file) = file else { continue };
        recipes.push(Recipe {
            name: NAMES[index],
            arguments: vec![NAMES[index].to_owned()],
            program: program(file)?,
            cgroup,
            oom_score: OOM_SCORE,
            endpoint: None,
            silent_for: None,
        });
    }
    Ok(recipes)
}

/// Starts both: kubelet needs seconds until it asks for its runtime, and then waits at the door.
fn start_services(node: &mut Node) -> Result<(), Refusal> {
    node.door = Some(or_refuse(Door::keep(Path::new(CRI_SOCKET)), "containerd", CRI_SOCKET)?);
    node.start_service(CONTAINERD);
    node.start_service(KUBELET);
    Ok(())
}

/// Opens the door when the images are there: a pod that kubelet starts before would miss them, and be tried again
/// only much later.
fn preload_done(node: &mut Node) -> Result<bool, Refusal> {
    let done = pods::preload_done(node)?;
    if done && let Some(door) = &mut node.door {
        or_refuse(door.open(Path::new(CONTAINERD_SOCKET)), "preload", CRI_SOCKET)?;
    }
    Ok(done)
}

fn kubelet_done(node: &mut Node) -> Result<bool, Refusal> {
    let healthy = node.services[KUBELET].healthy();
    if healthy {
        node.door = None;
        node.report.tell(&Event::Healthy { ms: now_ms() });
        if node.settings.node_config.is_some() {
            close::start_rest(node)?;
        }
    }
    Ok(healthy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    #[test]
    fn names_and_order_are_an_interface() {
        let names: Vec<&str> = PHASES.iter().map(|phase| phase.name).collect();
        let want = "mounts ipe identity loopback sysctls cgroups state modules services config network logind \
                    containerd preload kubelet pods modules-closed";
        assert_eq!(names.join(" "), want);
        assert_eq!((NAMES[CONTAINERD], NAMES[KUBELET]), ("containerd", "kubelet"));
        assert_eq!((NAMES[NET], NAMES[LOGIND]), ("net", "logind"));
    }

    /// Who reads the last phase on a console learns what the next one waits for.
    #[test]
    fn each_phase_that_others_wait_behind_has_its_row_in_the_documents() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operate.md");
        let text = std::fs::read_to_string(path).expect("the manual");
        let (_, behind) = text.split_once("\n## When a node does not join\n").expect("the table's title");
        let table = behind.split("\n## ").next().unwrap_or_default();
        let first = |row: &str| row.strip_prefix("| ")?.split('|').next()?.split('`').nth(1).map(str::to_owned);
        let rows: Vec<String> = table.lines().filter_map(first).collect();
        let mut want: Vec<&str> =
            PHASES.iter().map(|phase| phase.name).skip_while(|name| *name != "services").collect();
        want.truncate(want.iter().position(|name| *name == "pods").expect("pods"));
        assert_eq!(rows, want);
    }

    /// Every file of the program's source.
    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries =
            std::fs::read_dir(folder).expect("a folder of the source").map(|entry| entry.expect("a file").path());
        let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
        files.into_iter().chain(folders.iter().flat_map(|folder| sources(folder))).collect()
    }

    /// An error that the boot goes on after is looked up by what it is about: a word in the source, or a service's name.
    #[test]
    fn each_error_that_is_no_refusal_has_its_remedy_in_the_documents() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join("../docs/operate.md")).expect("the manual");
        let (_, table) = text.split_once("\n| about | says | remedy |\n").expect("the table's title");
        let mut want: Vec<String> = NAMES.map(str::to_owned).to_vec();
        for path in sources(&root.join("src")) {
            let source = std::fs::read_to_string(&path).expect("a source file");
            let said = source.split("report.error(\"").skip(1).filter_map(|rest| rest.split('"').next());
            want.extend(said.map(str::to_owned));
        }
        assert!(want.iter().any(|about| about == "watchdog"), "{want:?}");
        for about in want {
            let name = format!("`{about}`");
            let first = |row: &str| row.split('|').nth(1).is_some_and(|cell| cell.contains(&name));
            assert!(table.lines().any(first), "no row for {name} in docs/operate.md");
        }
    }

    /// Who sees a refusal on a console looks its stage up there. Those of the chain are looked up where they are named.
    #[test]
    fn each_stage_that_may_refuse_has_its_remedy_in_the_documents() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operate.md");
        let text = std::fs::read_to_string(path).expect("the manual");
        let (_, behind) = text.split_once("\n## Every boot error, by name\n").expect("the table's title");
        let table = behind.split("\n## ").next().unwrap_or_default();
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).collect();
        for stage in PHASES.iter().map(|phase| phase.name).chain(NAMES).chain(["ready", "panic"]) {
            let name = format!("`{stage}`");
            let first = |row: &&str| row.split('|').nth(1).is_some_and(|cell| cell.contains(&name));
            assert!(rows.iter().any(first), "no row for {name} in docs/operate.md");
        }
    }
}
