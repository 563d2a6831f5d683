//! What the tests here stand on: the network with its servers and control plane, made once for all of them, and nodes.

use std::fs::File;
#[cfg(feature = "slow")]
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};

use anyhow::{Context, Result, anyhow, ensure};
use orlop_machine::image::Image;
#[cfg(feature = "slow")]
use orlop_machine::lab::condition;
use orlop_machine::lab::network::HOST;
use orlop_machine::lab::{
    Approver, ControlPlane, Dhcp, Dns, Kubectl, Lab, Lease, NodeConfig, Pushed, REGISTRY_PORT, Registry, TimeServer,
    cni, services, subject,
};
use orlop_machine::turn::{self, Turn};
use orlop_machine::{Disk, Format, Machine, Running, overlay, within};
use tempfile::TempDir;

/// Seconds until a node has joined under emulation, with another machine beside it.
const JOINED: u64 = 240;

/// The node `one`'s address of IPv6.
pub const ONE_IPV6: &str = "2001:db8::11";

/// A registry that there is not: the node `one` asks [`mirrors`] in its place.
pub const ELSEWHERE: &str = "elsewhere.example";

/// The lab's registry by its address, of which the node `one` is told a wrong authority.
pub const MISTAKEN: &str = "192.0.2.1:8443";

/// Bytes of the empty disk that the node `one` has beside its own.
pub const SPARE_DISK: u64 = 32 << 20;

/// A state partition that begins with so many zeros is taken for blank (docs/node.md).
#[cfg(feature = "slow")]
const BLANK: usize = 64 << 10;

/// What the node `one` is told of [`ELSEWHERE`]: nobody is at the first mirror; the second is the lab's registry.
fn mirrors() -> String {
    format!("\n[registries.{ELSEWHERE:?}]\nmirrors = [{{ url = \"https://{HOST}:6444\" }}, {}]\n", mirror())
}

/// The lab's registry as a mirror of others, in a node config.
pub fn mirror() -> String {
    format!("{{ url = \"http://{HOST}:{REGISTRY_PORT}\", insecure = true }}")
}

/// The network, its servers, its control plane.
pub struct Segment {
    pub lab: Lab,
    pub plane: Mutex<ControlPlane>,
    pub kubectl: Kubectl,
    pub approver: Approver,
    pub registry: Registry,
    /// The image that pods run.
    pub busybox: Pushed,
    pub time: TimeServer,
    /// Held by all tests, and asked by the long part's.
    #[cfg_attr(not(feature = "slow"), allow(dead_code))]
    pub dhcp: Dhcp,
    _dns: Dns,
    /// The number of the next machine. The first one is the node `one`'s.
    next: AtomicU8,
}

/// The one segment of this test process. Nobody drops it: it ends with the process, by its first process' end.
pub fn segment() -> Result<&'static Segment> {
    static SEGMENT: OnceLock<Result<Segment, String>> = OnceLock::new();
    let start = || Segment::start("lab", &Lease::default(), ControlPlane::start);
    let made = SEGMENT.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow!("{error}"))
}

/// A segment for one test alone, with nodes of its own, whose control plane it may take away. It too ends with the process.
#[cfg(feature = "slow")]
pub fn alone(name: &str) -> Result<&'static Segment> {
    alone_on(name, &Lease::default())
}

/// The same on a network that gives out something else than the usual.
#[cfg(feature = "slow")]
pub fn alone_on(name: &str, lease: &Lease) -> Result<&'static Segment> {
    Ok(Box::leak(Box::new(Segment::start(&format!("lab-{name}"), lease, ControlPlane::start)?)))
}

/// The same with another control plane than the usual one.
#[cfg(feature = "slow")]
pub fn alone_with(
    name: &str,
    plane: impl FnOnce(&Lab) -> orlop_machine::Result<ControlPlane>,
) -> Result<&'static Segment> {
    Ok(Box::leak(Box::new(Segment::start(&format!("lab-{name}"), &Lease::default(), plane)?)))
}

/// The node `one`, which most tests share: it has joined.
pub fn one() -> Result<&'static Joined> {
    static ONE: OnceLock<Result<Joined, String>> = OnceLock::new();
    let joined = ONE.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        // A machine ends with the thread that started it, and this one must outlive the test that came first.
        std::thread::spawn(move || {
            let _ = sender.send(Joined::start().map_err(|error| format!("{error:#}")));
            loop {
                std::thread::park();
            }
        });
        receiver.recv().unwrap_or_else(|_| Err("the thread of the node `one` panicked".into()))
    });
    joined.as_ref().map_err(|error| anyhow!("{error}"))
}

/// A node that runs.
pub struct Joined {
    pub segment: &'static Segment,
    /// The requests that it joined by: the cluster forgets them after an hour.
    pub requests: Vec<String>,
    node: Node,
    _running: Running,
}

impl Joined {
    fn start() -> Result<Joined> {
        let segment = segment()?;
        let mut node = segment.numbered(1, "one", &Arc::new(turn::take()?), |config| {
            config.labels.clear();
            config.tables += &mirrors();
            // The cluster's, which signed nothing of the registry's.
            config.tables += &format!("\n[registries.{MISTAKEN:?}]\nca = '''\n{}'''\n", config.ca);
        })?;
        // Other machines come and go beside it.
        node.machine.cpus = 2;
        node.add_disk(SPARE_DISK)?;
        node.also_has(ONE_IPV6)?;
        let running = node.join()?;
        Ok(Joined { segment, requests: segment.requests("one")?, node, _running: running })
    }

    /// The device of a disk that is there for raw block volumes.
    pub fn spare_disk(&self) -> Result<String> {
        self.node.last_disk()
    }
}

impl Segment {
    /// Starts all of it. Logs and consoles are kept in this folder of `target/tmp`.
    fn start(
        folder: &str,
        lease: &Lease,
        plane: impl FnOnce(&Lab) -> orlop_machine::Result<ControlPlane>,
    ) -> Result<Segment> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let lab = Lab::start(&folder, Path::new(env!("CARGO_BIN_EXE_orlop-lab")))?;
        let dhcp = Dhcp::start(&lab, lease)?;
        let (dns, time, registry) = (Dns::start(&lab, &[])?, TimeServer::start(&lab)?, Registry::start(&lab)?);
        let plane = plane(&lab)?;
        let kubectl = plane.kubectl.clone();
        let approver = Approver::start(&lab, &kubectl)?;
        let busybox = cni::start(&lab, &plane, &registry)?;
        Ok(Segment {
            lab,
            plane: Mutex::new(plane),
            kubectl,
            approver,
            registry,
            busybox,
            time,
            dhcp,
            _dns: dns,
            next: AtomicU8::new(2),
        })
    }

    /// The control plane, for this test alone.
    pub fn plane(&self) -> MutexGuard<'_, ControlPlane> {
        self.plane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page that the lab's host reads over the network: of a pod, without API server and kubelet.
    #[cfg(feature = "slow")]
    pub fn page(&self, url: &str) -> Result<String> {
        Ok(self.lab.busybox(&["wget", "-qO-", "-T", "20", url])?)
    }

    /// When a node that is Ready became so, as the cluster writes it.
    #[cfg(feature = "slow")]
    pub fn ready_since(&self, node: &str) -> Result<String> {
        let node = self.kubectl.get(&["node", node])?;
        let ready = condition(&node, "Ready").context("Ready")?;
        ensure!(ready["status"] == "True", "{ready}");
        Ok(ready["lastTransitionTime"].as_str().context("a time")?.to_owned())
    }

    /// The requests for a client certificate of this node, and no other, that came by the lab's token and were granted.
    pub fn requests(&self, node: &str) -> Result<Vec<String>> {
        self.requests_by("system:bootstrap:lab001", node)
    }

    /// The same, that came by this user.
    pub fn requests_by(&self, user: &str, node: &str) -> Result<Vec<String>> {
        let name = format!("system:node:{node}");
        let all = self.kubectl.get(&["csr"])?;
        let ours = all["items"].as_array().context("requests")?.iter().filter(|request| {
            let spec = &request["spec"];
            spec["username"] == user
                && spec["signerName"] == "kubernetes.io/kube-apiserver-client-kubelet"
                && subject(request).is_ok_and(|found| found == name)
                && request["status"]["certificate"].is_string()
        });
        Ok(ours.filter_map(|request| request["metadata"]["name"].as_str().map(str::to_owned)).collect())
    }

    /// The pod of a DaemonSet on a node, once it is ready. One that is going away is none.
    pub fn daemon(&self, app: &str, node: &str) -> Result<String> {
        let (label, node) = (format!("--selector=app={app}"), format!("--field-selector=spec.nodeName={node}"));
        let found = self.kubectl.until("pod of the DaemonSet", within(120), |kubectl| {
            let pods = kubectl.get(&["pods", "--namespace=kube-system", &label, &node])?;
            let name = |pod: &serde_json::Value| pod["metadata"]["name"].as_str().map(str::to_owned);
            let pods = pods["items"].as_array().cloned().unwrap_or_default();
            Ok(pods.iter().find(|pod| pod["metadata"]["deletionTimestamp"].is_null()).and_then(name))
        })?;
        let ready = format!("pod/{found}");
        let words = ["wait", "--namespace=kube-system", "--for=condition=Ready", "--timeout=480s", &ready];
        self.kubectl.run_within(&words, within(500))?;
        Ok(found)
    }

    /// What a machine is told by itself: a node without Services, which few tests ask.
    pub fn node_config(&self, name: &str) -> Result<NodeConfig> {
        let mut config = self.plane().node_config(name, &self.registry)?;
        config.labels.insert(services::WITHOUT.into(), "yes".into());
        Ok(config)
    }

    /// A machine that is to be the node of this name.
    pub fn machine(&'static self, name: &str) -> Result<Node> {
        self.machine_told(name, |_| ())
    }

    /// The same, told something else.
    pub fn machine_told(&'static self, name: &str, change: impl FnOnce(&mut NodeConfig)) -> Result<Node> {
        self.told(name, &Arc::new(turn::take()?), change)
    }

    /// The same, of machines that share a turn: they run at once.
    pub fn told(&'static self, name: &str, turn: &Arc<Turn>, change: impl FnOnce(&mut NodeConfig)) -> Result<Node> {
        self.numbered(self.next.fetch_add(1, Ordering::Relaxed), name, turn, change)
    }

    /// The machine of this number, which nobody else has: card, addresses and name follow from it.
    fn numbered(
        &'static self,
        number: u8,
        name: &str,
        turn: &Arc<Turn>,
        change: impl FnOnce(&mut NodeConfig),
    ) -> Result<Node> {
        let image = image()?;
        let files = tempfile::tempdir()?;
        let boot = Image::open(&image)?.direct_boot(files.path())?;
        let disk = files.path().join("disk.qcow2");
        overlay::create(&image, &disk, Some(4 << 30))?;
        let mut config = self.node_config(name)?;
        change(&mut config);
        let mut machine = Machine::with_disk(Disk::kept(disk, Format::Qcow2))
            .direct(boot)
            .card(self.lab.card(number)?)
            .node_config(&config.text())
            .serial_log(self.lab.folder.join(format!("{name}.console.log")));
        machine.memory_mib = 2048;
        machine.cpus = turn::processors();
        machine.echo = std::env::var_os("ORLOP_TEST_CONSOLE").is_some();
        Ok(Node { segment: self, name: name.into(), machine, config, files, _turn: Arc::clone(turn) })
    }
}

/// The image that joins clusters. A missing one is a failure that says how to make it.
pub fn image() -> Result<PathBuf> {
    const VARIABLE: &str = "ORLOP_TEST_CLUSTER_IMAGE";
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in a workspace")?;
    let path = std::env::var_os(VARIABLE).map_or_else(|| workspace.join("out/cluster/cluster.raw"), PathBuf::from);
    ensure!(path.is_file(), "{} is missing: make it by `make test-images`, or set {VARIABLE}", path.display());
    Ok(path)
}

/// A machine that is to be a node.
pub struct Node {
    pub segment: &'static Segment,
    pub name: String,
    pub machine: Machine,
    /// What the machine is told.
    config: NodeConfig,
    files: TempDir,
    _turn: Arc<Turn>,
}

impl Node {
    /// Its card has this address of IPv6, beside the one of IPv4 that it is given.
    pub fn also_has(&mut self, address: &str) -> Result<()> {
        let mac = &self.machine.cards.first().context("a card")?.mac;
        let table =
            format!("\n[[network.interfaces]]\nmac = \"{mac}\"\nipv4 = \"dhcp\"\naddresses = [\"{address}/64\"]\n");
        self.tell(|config| config.tables += &table);
        Ok(())
    }

    /// One more card, in the same network.
    #[cfg(feature = "slow")]
    pub fn add_card(&mut self) -> Result<orlop_machine::Card> {
        let card = self.segment.lab.card(self.segment.next.fetch_add(1, Ordering::Relaxed))?;
        self.machine.cards.push(card.clone());
        Ok(card)
    }

    /// One more disk, empty.
    pub fn add_disk(&mut self, bytes: u64) -> Result<()> {
        let path = self.files.path().join(format!("disk{}.raw", self.machine.disks.len()));
        File::create(&path)?.set_len(bytes)?;
        self.machine.disks.push(Disk::kept(path, Format::Raw));
        Ok(())
    }

    /// The device of its last disk.
    pub fn last_disk(&self) -> Result<String> {
        let number = u8::try_from(self.machine.disks.len())?;
        Ok(format!("/dev/vd{}", char::from(b'a' + number - 1)))
    }

    /// Zeroes the beginning of the state partition, which gives up all of it. The machine is off.
    #[cfg(feature = "slow")]
    pub fn wipe(&mut self) -> Result<()> {
        let disk = self.machine.disks.first_mut().context("a disk")?;
        let raw = self.files.path().join("wiped.raw");
        overlay::flatten(&disk.file, &raw)?;
        std::fs::remove_file(&disk.file)?;
        // By the disk's own table, which the node has written anew.
        let state = Image::open(&raw)?.partition("state")?.offset;
        File::options().write(true).open(&raw)?.write_all_at(&[0; BLANK], state)?;
        *disk = Disk::kept(raw, Format::Raw);
        Ok(())
    }

    /// Starts the machine.
    pub fn start(&self) -> Result<Running> {
        Ok(self.machine.start_to_init()?)
    }

    /// From its next start on the machine is told something else.
    pub fn tell(&mut self, change: impl FnOnce(&mut NodeConfig)) {
        change(&mut self.config);
        self.machine.fw_cfg.clear();
        self.machine = self.machine.clone().node_config(&self.config.text());
    }

    /// Starts it, and waits until the cluster calls the node Ready.
    pub fn join(&self) -> Result<Running> {
        let running = self.start()?;
        self.ready(&running)?;
        Ok(running)
    }

    /// Waits until the cluster calls the node Ready.
    pub fn ready(&self, running: &Running) -> Result<()> {
        let object = format!("node/{}", self.name);
        let ready = self.segment.kubectl.wait(&object, "condition=Ready", within(JOINED));
        ready.map_err(|error| anyhow!("{error}\n{}", running.kept_log()))?;
        cni::route(&self.segment.lab, &self.segment.plane(), &self.name)?;
        Ok(())
    }
}
