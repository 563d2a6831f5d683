//! Machines that are told who they are by a cloud's metadata, which are not always what they should be.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use orlop_machine::feed::Mark;
use orlop_machine::lab::network::{HOST, METADATA};
use orlop_machine::lab::{Cloud, Metadata, Mood, TimeServer};
use orlop_machine::{Event, Happening, Running, within};

use crate::segment::{Node, Segment, segment};

/// There is one metadata address, and one test at a time that serves there.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A machine that finds no node config in `fw_cfg`.
fn machine(segment: &'static Segment, name: &str) -> Result<Node> {
    let mut node = segment.machine(name)?;
    node.machine.fw_cfg.clear();
    Ok(node)
}

/// What the machine is to be told.
#[cfg(feature = "slow")]
fn document(segment: &Segment, name: &str) -> Result<String> {
    Ok(segment.node_config(name)?.text())
}

/// The console's line of a provider, of the document that it gave, or of whom is asked.
fn says(running: &Running, text: &str) -> Result<String> {
    Ok(running.wait_line(text, within(180))?)
}

/// What may come only when the clock is right: what it leads to speaks TLS.
fn needs_the_time(event: &Event) -> bool {
    match event {
        Event::Phase { name, .. } => name == "network",
        Event::Service { name, what, .. } => ["containerd", "kubelet"].contains(&name.as_str()) && what == "started",
        _ => false,
    }
}

/// kubelet's.
const KUBELET: u16 = 10250;
/// What a node has open, or its image (images/lab.toml), or a Service.
const PORTS: [u16; 4] = [KUBELET, 8443, 9100, 30080];

/// Mistakes that a document with the right types can have: the line before it, the line itself, and what is said of it.
const MISTAKES: [[&str; 3]; 3] = [
    [
        "[labels]\n",
        "\"node-role.kubernetes.io/worker\" = \"yes\"\n",
        "labels.\"node-role.kubernetes.io/worker\": `node-role.kubernetes.io/worker` is a label that the API takes from no \
         node; have the cluster's administrator set it, or use a prefix of your own",
    ],
    [
        "[registries.\"plain.example\"]\n",
        "mirrors = [{ url = \"http://192.0.2.1:5000\" }]\n",
        "registries.\"plain.example\".mirrors[0].url: `http://192.0.2.1:5000` is plain HTTP: anybody on the way can read \
         and change what is pulled; write https, or add `insecure = true`",
    ],
    [
        "[sysctls]\n",
        "\"kernel.kptr_restrict\" = 0\n",
        "sysctls.\"kernel.kptr_restrict\": `kernel.kptr_restrict` is not a sysctl that a node config may set; \
         docs/node-config.md lists those that it may",
    ],
];

/// This document with all of [`MISTAKES`].
fn mistaken(right: &str) -> String {
    MISTAKES.iter().fold(right.to_owned(), |document, [before, line, _]| match document.contains(before) {
        true => document.replacen(before, &format!("{before}{line}"), 1),
        false => format!("{document}\n{before}{line}"),
    })
}

/// The console names all of [`MISTAKES`], each with its line of the document, key, value and remedy.
fn names_its_mistakes(running: &Running, document: &str) -> Result<()> {
    for [_, line, why] in MISTAKES {
        let (before, _) = document.split_once(line).context("the document has each of them")?;
        let said = says(running, why)?;
        let place = format!("net: config: ec2:{}:", before.lines().count() + 1);
        ensure!(said.contains(&place), "no `{place}` in {said}");
    }
    Ok(())
}

/// Nobody reaches a machine that knows no cluster yet, though it is there. Nobody listens there either: what the firewall
/// let in would be refused, and be seen at once.
fn opens_nothing(segment: &Segment, address: IpAddr) -> Result<()> {
    let said = segment.lab.busybox(&["ping", "-c", "1", "-W", "20", &address.to_string()])?;
    ensure!(said.contains(" 0% packet loss"), "{address}: {said}");
    for port in PORTS {
        let asked = SocketAddr::new(address, port);
        let answer = segment.lab.namespace.connect_from(Some(HOST.parse()?), asked, within(3))?;
        let silent = |error: &std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        ensure!(answer.as_ref().is_err_and(silent), "{asked} answers: {answer:?}");
    }
    Ok(())
}

/// A machine whose clock shows 2020, and whose cloud is not ready for it: it says why it waits, opens nothing, and joins
/// when it has the time and a document that is right.
#[test]
fn a_machine_joins_once_its_document_is_right_and_its_clock_too() -> Result<()> {
    let segment = segment()?;
    let alone = alone();
    let metadata = Metadata::start(&segment.lab, Cloud::Ec2, "")?;
    metadata.mood(Mood::NotFound);
    let mut node = machine(segment, "told-by-ec2")?;
    metadata.only(&node.machine.cards[0]);
    node.machine.clock = Some("2020-01-01T00:00:00".into());
    // The time comes last: the server that DHCP names says nothing, and the document names another.
    segment.time.deaf_to(node.machine.cards[0].address.into());
    let time = TimeServer::start_at(&segment.lab, SocketAddr::new(METADATA.parse()?, 123))?;
    time.silent(true);
    let running = node.start()?;
    says(&running, "net: ec2: /latest/api/token is not there (404)")?;
    // Whom the image's definition (images/lab.toml) lets be asked: for who waits for one that it does not name.
    let asked = "fw_cfg, smbios, nocloud, esp, ec2, gce, azure (node_config.providers)";
    says(&running, &format!("orlop: config: asked of: {asked}"))?;
    let mut right = segment.node_config("told-by-ec2")?;
    right.tables += &format!("\n[time]\nservers = [\"{}\"]\n", METADATA);
    let right = right.text();
    metadata.document(right.replacen("hostname", "hostnam", 1).as_bytes());
    metadata.mood(Mood::Normal);
    says(&running, "net: config: ec2:2:1: unknown key `hostnam`; did you mean `hostname`?")?;
    // Somebody else's kind of document, and one whose values are wrong. Each is asked for within 15 s.
    metadata.document(b"#cloud-config\nhostname: told-by-ec2\n");
    let said = says(&running, "; this is cloud-config, and a node config is TOML of its own: docs/node-config.md")?;
    ensure!(said.contains("net: config: ec2:2:"), "{said}");
    let wrong = mistaken(&right);
    metadata.document(wrong.as_bytes());
    let address: IpAddr = node.machine.cards.first().context("a card")?.address.into();
    opens_nothing(segment, address)?;
    names_its_mistakes(&running, &wrong)?;
    metadata.document(right.as_bytes());
    running.wait_phase("config", within(180))?;
    drop((metadata, alone));

    // No TLS before there is a clock that can be believed. The document's server is asked as soon as all else is there, and
    // again some seconds later, twice.
    says(&running, "net: clock: it showed a time before the image was built")?;
    let mut asked = Mark::default();
    for _ in 0..3 {
        asked = time.wait_asked(asked, within(60))?;
    }
    let early = |happening: &Happening| happening.event().filter(|event| needs_the_time(event)).cloned();
    let early = running.feed().collect(Mark::default(), early);
    ensure!(early.is_empty(), "the clock shows 2020, and there are {early:?}");
    time.silent(false);
    running.wait_phase("network", within(180))?;
    node.ready(&running)?;
    let log = segment.kubectl.run(&["get", "--raw", "/api/v1/nodes/told-by-ec2/proxy/logs/net.log"])?;
    ensure!(log.contains("net: clock: the clock was off by"), "{log}");
    let kubelet = SocketAddr::new(address, KUBELET);
    let namespace = &segment.lab.namespace;
    namespace.connect_from(Some(HOST.parse()?), kubelet, within(20))?.context("kubelet, once it has joined")?;
    running.power_off(within(180))?;
    segment.kubectl.run(&["delete", "node", "told-by-ec2"])?;
    Ok(())
}

/// Every way in which metadata can be wrong; and the other two clouds.
#[cfg(feature = "slow")]
#[test]
fn whatever_the_metadata_are_the_machine_says_so_and_each_cloud_can_tell_it() -> Result<()> {
    use std::time::Duration;
    let segment = segment()?;
    let _alone = alone();
    // Azure's, so that its host agent's address is served.
    let metadata = Metadata::start(&segment.lab, Cloud::Azure, "")?;
    metadata.becomes(Cloud::Gce, b"");
    metadata.mood(Mood::Silent);
    let node = machine(segment, "told-by-gce")?;
    metadata.only(&node.machine.cards[0]);
    let running = node.start()?;
    let attribute = "169.254.169.254 /computeMetadata/v1/instance/attributes/orlop-config";
    says(&running, &format!("net: gce: {attribute}: no answer in time"))?;
    for (mood, why) in [
        (Mood::Garbage, format!("net: gce: {attribute}: the answer is not HTTP")),
        (Mood::Huge, format!("net: gce: {attribute}: the answer has more than 65536 bytes")),
        (Mood::Failing, "net: gce: /computeMetadata/v1/instance/attributes/orlop-config: status 500".into()),
        (Mood::NotText, "net: config: gce:1:1: the document is not UTF-8 text".into()),
        // The last byte came in time, or the last wait was too short for one.
        (Mood::Dripping(Duration::from_millis(200)), format!("net: gce: {attribute}: no ")),
    ] {
        let mark = running.mark();
        metadata.mood(mood);
        running.wait_line_since(mark, &why, within(180))?;
    }
    metadata.becomes(Cloud::Gce, document(segment, "told-by-gce")?.as_bytes());
    metadata.mood(Mood::Slow(Duration::from_secs(3)));
    node.ready(&running)?;
    running.power_off(within(180))?;
    drop(node);

    metadata.becomes(Cloud::Azure, document(segment, "told-by-azure")?.as_bytes());
    let node = machine(segment, "told-by-azure")?;
    metadata.only(&node.machine.cards[0]);
    let mark = metadata.mark();
    let running = node.join()?;
    metadata.wait_for(mark, "POST /machine?comp=health", within(60))?;
    running.power_off(within(180))?;
    segment.kubectl.run(&["delete", "node", "told-by-gce", "told-by-azure"])?;
    Ok(())
}
