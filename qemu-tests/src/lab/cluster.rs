//! The lab for people (`make cluster`): a control plane and nodes, a kubeconfig, until Ctrl-C.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::{SigSet, Signal};
use serde_json::json;

use super::network::{API_PORT, host};
use super::{
    Approver, ControlPlane, Dhcp, Dns, Forward, Lab, Lease, NodeConfig, Pair, Registry, TimeServer, cni, services,
};
use crate::image::Image;
use crate::{Disk, Error, Format, Machine, Result, Running, overlay, program, within};

/// Bytes of a node's disk. The image's own state partition holds 512 MiB, too few for what people pull; the file is sparse.
const DISK: u64 = 8 << 30;

/// How long the nodes may take for their orderly end: all at once, on emulated processors that they share.
const POWER_OFF: Duration = Duration::from_secs(180);

/// What is brought up.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The nodes' image.
    pub image: PathBuf,
    /// How many nodes.
    pub nodes: u8,
    /// Where kubeconfig, disks and logs go; emptied first.
    pub folder: PathBuf,
    /// The program `orlop-lab`.
    pub helper: PathBuf,
}

/// All of it, while it runs. What is above goes before what it needs.
struct Up {
    nodes: Vec<Running>,
    _approver: Approver,
    _outside: Forward,
    _servers: (Dhcp, Dns, TimeServer, Registry),
    _plane: ControlPlane,
    _lab: Lab,
}

impl Cluster {
    /// Brings it up, says how to use it, and takes it down at Ctrl-C.
    pub fn run(&self) -> Result<()> {
        if self.nodes > 0 && !self.image.is_file() {
            let image = self.image.display();
            return Err(Error::Lab(format!("{image} is missing: `make cluster` builds it, or give --nodes 0")));
        }
        // They are needed when all else is up.
        for program in [program::QEMU, program::QEMU_IMG].into_iter().filter(|_| self.nodes > 0) {
            program::find(program)?;
        }
        let (sender, events) = channel();
        catch_signals(sender)?;
        let cluster = self.clone();
        // A machine dies with the thread that started it; this one lives until the end.
        let work = std::thread::spawn(move || cluster.work(&events));
        work.join().unwrap_or_else(|_| Err(Error::Lab("it panicked".into())))
    }

    fn work(&self, stop: &Receiver<()>) -> Result<()> {
        let up = self.start(stop)?;
        say(&format!("\nCtrl-C ends it.\n\n  export KUBECONFIG={}\n", absolute(&self.kubeconfig()).display()));
        // An error: nobody looks for signals any more, and Ctrl-C would end nothing.
        let _ = stop.recv();
        say("powering the nodes off; Ctrl-C again: at once");
        for node in &up.nodes {
            node.power_key()?;
        }
        let deadline = Instant::now() + POWER_OFF;
        for node in &up.nodes {
            while Instant::now() < deadline && node.wait_exit(Duration::from_millis(200)).is_err() {
                if stop.try_recv().is_ok() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn start(&self, stop: &Receiver<()>) -> Result<Up> {
        let began = Instant::now();
        let told = |what: &str| {
            say(&format!("{:5.1} s  {what}", began.elapsed().as_secs_f32()));
            // Asked to end meanwhile: everything so far is dropped on the way out.
            stop.try_recv().map_or(Ok(()), |()| Err(Error::Stopped { awaited: what.into() }))
        };
        let lab = Lab::start(&self.folder, &self.helper)?;
        told("network")?;
        let dhcp = Dhcp::start(&lab, &Lease::default())?;
        let servers = (dhcp, Dns::start(&lab, &[])?, TimeServer::start(&lab)?, Registry::start(&lab)?);
        told("DHCP, DNS, time, registry")?;
        let plane = ControlPlane::start(&lab)?;
        told("control plane")?;
        let approver = Approver::start(&lab, &plane.kubectl)?;
        cni::start(&lab, &plane, &servers.3)?;
        services::start(&lab, &plane, &servers.3)?;
        told("images, the pods' network, Services, DNS")?;
        let outside = self.let_in(&lab, &plane)?;
        let mut nodes = Vec::new();
        for number in 1..=self.nodes {
            nodes.push(self.node(&lab, &plane.node_config(&format!("node-{number}"), &servers.3)?, number)?);
        }
        for number in 1..=self.nodes {
            let node = format!("node-{number}");
            self.ready(&plane, &node, stop)?;
            cni::route(&lab, &plane, &node)?;
            told(&format!("{node} Ready"))?;
        }
        Ok(Up { nodes, _approver: approver, _outside: outside, _servers: servers, _plane: plane, _lab: lab })
    }

    /// Waits until the cluster calls a node Ready; Ctrl-C is looked for meanwhile.
    fn ready(&self, plane: &ControlPlane, node: &str, stop: &Receiver<()>) -> Result<()> {
        let mut tries = 0;
        loop {
            let waited = plane.kubectl.wait(&format!("node/{node}"), "condition=Ready", within(5));
            tries += 1;
            match waited {
                Ok(()) => return Ok(()),
                Err(_) if stop.try_recv().is_ok() => return Err(Error::Stopped { awaited: format!("node {node}") }),
                Err(error) if tries == 60 => {
                    let console = self.folder.join(format!("{node}.console.log"));
                    return Err(Error::Lab(format!("{error}\nits console: {}", console.display())));
                }
                Err(_) => {}
            }
        }
    }

    fn node(&self, lab: &Lab, config: &NodeConfig, number: u8) -> Result<Running> {
        let name = &config.hostname;
        let disk = self.folder.join(format!("{name}.qcow2"));
        overlay::create(&self.image, &disk, Some(DISK))?;
        let boot = self.folder.join(name);
        std::fs::create_dir_all(&boot).map_err(Error::file("making", &boot))?;
        let boot = Image::open(&self.image)?.direct_boot(&boot)?;
        let machine = Machine::with_disk(Disk::kept(disk, Format::Qcow2))
            .direct(boot)
            .card(lab.card(number)?)
            .node_config(&config.text())
            .serial_log(self.folder.join(format!("{name}.console.log")));
        Machine { memory_mib: 2048, ..machine }.start_to_init()
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The API server at a port of this machine, and a kubeconfig that holds all that it needs.
    fn let_in(&self, lab: &Lab, plane: &ControlPlane) -> Result<Forward> {
        let failed = |error: std::io::Error| Error::Lab(format!("a port of this machine: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let text = kubeconfig(&format!("https://127.0.0.1:{port}"), &plane.authority.pair, &plane.admin())?;
        let path = self.kubeconfig();
        std::fs::write(&path, text).map_err(Error::file("writing", &path))?;
        Forward::start(listener, &lab.namespace, SocketAddr::new(host(), API_PORT))
    }
}

fn kubeconfig(server: &str, ca: &Pair, admin: &Pair) -> Result<String> {
    let data =
        |path: &Path| std::fs::read(path).map(|bytes| STANDARD.encode(bytes)).map_err(Error::file("reading", path));
    let cluster = json!({"server": server, "certificate-authority-data": data(&ca.certificate)?});
    let certificate = data(&admin.certificate)?;
    let user = json!({"client-certificate-data": certificate, "client-key-data": data(&admin.key)?});
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    })
    .to_string())
}

/// From now on these signals end nothing by themselves, and are told instead.
fn catch_signals(stop: Sender<()>) -> Result<()> {
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block().map_err(|error| Error::Lab(format!("blocking signals: {error}")))?;
    std::thread::spawn(move || while signals.wait().is_ok() && stop.send(()).is_ok() {});
    Ok(())
}

fn say(line: &str) {
    // Nobody may be reading any more, which is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
