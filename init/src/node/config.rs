//! The node config: what one machine is told at boot. `orlop-net` fetches it and hands it over through a pipe; here it
//! is checked, by the same code as everywhere, and rendered onto tmpfs. All of it or nothing.

use super::{CONTAINERD, KUBELET, LOGIND, NET, Node, addresses, grace, identity, join, mounts, sysctls};
use crate::report::{Refusal, or_refuse};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;
use orlop_config::node::{HAS_CERTIFICATE, NodeConfigPolicy, Provider, STATIC_PODS};
use orlop_config::node_config::{LARGEST, NodeConfig};
use orlop_config::render::{self, Facts, RenderedFile, TMPFS_FOLDERS};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Its name in problems: the document has no path.
const NAME: &str = "node config";
/// Bytes of the length that stands before the document, so that a part of one is never taken for the whole.
const LENGTH: usize = 4;

/// Lines of `orlop-net` that the consoles show: whoever answers it on the segment could make it say ever new ones.
const MOST_QUOTED: usize = 500;

/// The document on its way, as far as it has come.
#[derive(Debug)]
pub struct Intake {
    pipe: File,
    bytes: Vec<u8>,
    quoted: usize,
}

impl Intake {
    /// A pipe: its reader, and the end for `orlop-net`.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Intake { pipe: read.into(), bytes: Vec::new(), quoted: 0 }, write))
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Reads what is there: the document, once it is whole; `None` as long as more may come.
    fn read(&mut self) -> Option<Result<&[u8], String>> {
        let limit = (LENGTH + LARGEST + 1 - self.bytes.len()) as u64;
        match (&self.pipe).take(limit).read_to_end(&mut self.bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => return Some(Err(error.to_string())),
            Ok(_) => {}
        }
        let Some((length, document)) = self.bytes.split_first_chunk::<LENGTH>() else {
            return Some(Err("orlop-net ended without one; its log says why".to_owned()));
        };
        let want = u32::from_be_bytes(*length) as usize;
        Some(match document.len() == want {
            true => Ok(document),
            false => Err(format!("orlop-net ended after {} of its {want} bytes", document.len())),
        })
    }
}

/// Starts `orlop-net`. The phase is one of clusters' images only: they ask for a node config.
pub fn start(node: &mut Node) -> Result<(), Refusal> {
    if let Some(policy) = &node.settings.node_config {
        node.report.note("config", asked(&policy.providers));
    }
    ask(node)?;
    if join::has_certificate() {
        // It judges the document before it hands it over, and takes one without a right to join only then.
        let told = node.services[NET].configure(&["net".to_owned()], &[(HAS_CERTIFICATE.to_owned(), "1".to_owned())]);
        or_refuse(told, "config", "the environment of orlop-net")?;
    }
    node.start_service(NET);
    Ok(())
}

/// Whom the image lets give the document: of a machine that waits for one in vain, this says who is never asked.
fn asked(providers: &[Provider]) -> String {
    let names: Vec<&str> = providers.iter().map(|provider| provider.name()).collect();
    format!("asked of: {} (node_config.providers)", names.join(", "))
}

/// The next start of `orlop-net` is to hand over a document.
fn ask(node: &mut Node) -> Result<(), Refusal> {
    let (intake, write) = or_refuse(Intake::new(), "config", "the pipe for the node config")?;
    node.intake = Some(intake);
    node.services[NET].give(write);
    Ok(())
}

/// Whether the document is there. What is wrong with one is said, and another is asked for: whoever gives it may mend it.
pub fn done(node: &mut Node) -> Result<bool, Refusal> {
    let read = match node.intake.as_mut().map(Intake::read) {
        None => return Ok(node.config.is_some()),
        Some(None) => return Ok(false),
        Some(Some(read)) => read.map(<[u8]>::to_vec),
    };
    let Some(mut policy) = node.settings.node_config.clone() else { return Ok(true) };
    policy.has_certificate = join::has_certificate();
    match read.map_err(|error| vec![error]).and_then(|bytes| parse(&bytes, &policy)) {
        Ok(config) => {
            node.intake = None;
            node.config = Some(config);
            Ok(true)
        }
        Err(problems) => {
            problems.into_iter().for_each(|problem| node.report.error("config", problem));
            let last = node.services[NET].tail().last().map(str::to_owned);
            last.iter().for_each(|line| node.report.quote(line));
            ask(node)?;
            node.services[NET].restart();
            Ok(false)
        }
    }
}

/// As long as the document is not there, the consoles have what `orlop-net` says: who was asked, and what is wrong with
/// what came. It says what happens again and again once.
pub fn quote(node: &mut Node, lines: &[String]) {
    for line in lines {
        let Some(intake) = node.intake.as_mut().filter(|intake| intake.quoted < MOST_QUOTED) else { return };
        intake.quoted += 1;
        node.report.quote(line);
    }
}

fn parse(bytes: &[u8], policy: &NodeConfigPolicy) -> Result<NodeConfig, Vec<String>> {
    NodeConfig::parse(bytes, NAME, policy).map_err(|problems| problems.to_string().lines().map(str::to_owned).collect())
}

/// Whether the network is there; then the node config is rendered, and is in force.
pub fn in_force(node: &mut Node) -> Result<bool, Refusal> {
    if !node.services[NET].healthy() {
        return Ok(false);
    }
    if let Some(config) = node.config.take() {
        apply(node, &config)?;
    }
    Ok(true)
}

fn apply(node: &mut Node, config: &NodeConfig) -> Result<(), Refusal> {
    let rendered = render::cluster(&node.settings, config, &facts()?);
    identity::set_name(node, &rendered.hostname)?;
    // The clock is right by now. What has run out is kubelet's and containerd's to refuse; here it is said.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    config
        .ended_certificates(now)
        .into_iter()
        .for_each(|ended| node.report.error("config", format!("{NAME}: {ended}")));
    for folder in TMPFS_FOLDERS {
        or_refuse(mounts::cover(Path::new(folder)), "config", format!("a tmpfs on {folder}"))?;
    }
    // Without it kubelet looks for it, and logs that it is not there, every second.
    or_refuse(make_folder(Path::new(STATIC_PODS)), "config", STATIC_PODS)?;
    for RenderedFile { path, mode, bytes } in &rendered.files {
        or_refuse(write(Path::new(path), *mode, bytes), "config", path)?;
    }
    for (name, value) in &rendered.sysctls {
        match sysctls::set(name, value) {
            // A refusal would come again at every boot, and the node would be nobody's to look into.
            Err(error) if config.sysctls.contains_key(name) => {
                node.report.error("config", not_held(name, value, &error));
            }
            set => or_refuse(set, "config", format!("sysctl {name}={value}"))?,
        }
    }
    for (index, arguments) in [(CONTAINERD, node.settings.containerd.clone()), (KUBELET, rendered.kubelet)] {
        let configured = node.services[index].configure(&arguments, &rendered.environment);
        or_refuse(configured, "config", "a service's arguments")?;
    }
    node.pods_limit = grace::limit(config.kubelet.shutdown_grace_period_seconds);
    let logind = ["logind", "--delay", &node.pods_limit.as_secs().to_string()].map(str::to_owned);
    or_refuse(node.services[LOGIND].configure(&logind, &[]), "config", "a service's arguments")
}

/// What is said of a sysctl of the document that the kernel does not take.
fn not_held(name: &str, value: &str, error: &io::Error) -> String {
    let next = "the node goes on without it; give another value, or leave the key out";
    format!("{NAME}: sysctls.\"{name}\": `{value}` does not hold ({error}); {next}")
}

/// What only the running machine knows.
fn facts() -> Result<Facts, Refusal> {
    let hostname = or_refuse(nix::unistd::gethostname(), "config", "the host name")?;
    let addresses = or_refuse(addresses::unrouted(), "config", "the machine's addresses")?;
    Ok(Facts { hostname: hostname.to_string_lossy().into_owned(), addresses })
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Writes a file on tmpfs, with its folders.
fn write(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), make_folder)?;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    io::Write::write_all(&mut file, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn intake() -> (Intake, File) {
        let (intake, write) = Intake::new().expect("a pipe");
        (intake, write.into())
    }

    /// A document as `orlop-net` hands it over: its length, then its bytes.
    fn frame(length: usize, document: &[u8]) -> Vec<u8> {
        [&u32::try_from(length).expect("a length").to_be_bytes()[..], document].concat()
    }

    /// What is said of pieces, between which PID 1 looks, once the other end is closed.
    fn read(pieces: &[&[u8]]) -> Result<Vec<u8>, String> {
        let (mut intake, mut write) = intake();
        for piece in pieces {
            write.write_all(piece).expect("room in the pipe");
            assert_eq!(intake.read(), None, "more may come");
        }
        drop(write);
        intake.read().expect("the end").map(<[u8]>::to_vec)
    }

    #[test]
    fn a_document_is_whole_once_its_end_is_there() {
        let document = b"version = 1\n";
        let bytes = frame(document.len(), document);
        assert_eq!(read(&[&bytes]), Ok(document.to_vec()));
        let (length, rest) = bytes.split_at(2);
        let (middle, end) = rest.split_at(7);
        assert_eq!(read(&[length, middle, end]), Ok(document.to_vec()));
        assert_eq!(read(&[&frame(0, b"")]), Ok(Vec::new()));
    }

    #[test]
    fn less_or_more_than_was_announced_is_no_document() {
        let nothing = Err("orlop-net ended without one; its log says why".to_owned());
        assert_eq!(read(&[]), nothing);
        assert_eq!(read(&[&[0, 0, 1]]), nothing, "not even a length");
        assert_eq!(read(&[&frame(10, b"four")]), Err("orlop-net ended after 4 of its 10 bytes".to_owned()));
        assert_eq!(read(&[&frame(4, b"four"), b"more"]), Err("orlop-net ended after 8 of its 4 bytes".to_owned()));
        assert_eq!(read(&[b"version = 1\n"]), Err("orlop-net ended after 8 of its 1986359923 bytes".to_owned()));
    }

    /// PID 1 takes no more of it than a document may have, and one byte.
    #[test]
    fn a_flood_ends_where_no_document_goes_on() {
        let (mut intake, mut write) = intake();
        let flood = frame(LARGEST, &[b'#'; 3 * LARGEST]);
        let writer = std::thread::spawn(move || write.write_all(&flood));
        let mut read = || loop {
            match intake.read() {
                Some(read) => break read.map(<[u8]>::to_vec),
                None => std::thread::yield_now(),
            }
        };
        let says = Err(format!("orlop-net ended after {} of its {LARGEST} bytes", LARGEST + 1));
        assert_eq!(read(), says);
        assert_eq!(read(), says, "and it stays that");
        assert_eq!(intake.bytes.len(), LENGTH + LARGEST + 1);
        drop(intake);
        writer.join().expect("an end").expect_err("nobody took the rest");
    }

    #[test]
    fn who_is_asked_is_said_as_the_definition_has_it() {
        assert_eq!(asked(&[Provider::Ec2]), "asked of: ec2 (node_config.providers)");
        assert_eq!(asked(&[Provider::FwCfg, Provider::Esp]), "asked of: fw_cfg, esp (node_config.providers)");
    }

    #[test]
    fn a_sysctl_that_does_not_hold_is_said_with_key_value_and_remedy() {
        let error = io::Error::from_raw_os_error(22);
        assert_eq!(
            not_held("net.core.wmem_max", "4100", &error),
            "node config: sysctls.\"net.core.wmem_max\": `4100` does not hold (Invalid argument (os error 22)); the node \
             goes on without it; give another value, or leave the key out"
        );
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(document in prop::collection::vec(any::<u8>(), 0..60), cuts in prop::collection::vec(1_usize..9, 1..20)) {
            let bytes = frame(document.len(), &document);
            let (mut pieces, mut rest) = (Vec::new(), &bytes[..]);
            for cut in cuts {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = more;
            }
            pieces.push(rest);
            prop_assert_eq!(read(&pieces), Ok(document));
        }
    }
}
