//! A time server that is wrong by a day while a node runs, and right again.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use orlop_machine::lab::{TimeServer, network};
use orlop_machine::within;

use crate::segment::segment;

const NAME: &str = "late";
const DAY: i64 = 86_400;
/// Rounds come 64 s apart at first, and one that would set a clock that was well must be followed by another.
const TWO_ROUNDS: u64 = 600;
/// Less than the kernel turns a clock at most, as it counts: 65536 are one part in a million, of which it takes 500.
const MUCH: i64 = 490 << 16;

#[test]
fn a_node_follows_its_one_time_server_by_a_day_and_back_and_stays_ready() -> Result<()> {
    let segment = segment()?;
    // An address that no other test's time server has.
    let time = TimeServer::start_at(&segment.lab, SocketAddr::new(network::WIRESERVER.parse()?, 123))?;
    let servers = format!("\n[time]\nservers = [\"{}\"]\n", network::WIRESERVER);
    let node = segment.machine_told(NAME, |config| config.tables += &servers)?;
    let running = node.join()?;
    let (kubectl, image) = (&segment.kubectl, &segment.busybox.digest);
    kubectl.apply(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: clock}}, spec: {{nodeName: {NAME}, terminationGracePeriodSeconds: 1, \
         containers: [{{name: it, image: \"{image}\", command: [/bin/sleep, \"1000000\"], \
         securityContext: {{privileged: true}}}}]}}}}"
    ))?;
    kubectl.wait("pod/clock", "condition=Ready", within(180))?;
    // A clock that was set, as at most boots, is turned from the next round on: then the kernel calls it synchronised. The
    // pod is privileged for this: the usual profile of system calls keeps the kernel's word from pods.
    kubectl.until("kernel's word that its clock is synchronised", within(TWO_ROUNDS), |kubectl| {
        let said = kubectl.run(&["exec", "clock", "--", "/bin/busybox", "adjtimex"])?;
        Ok(said.contains("(clock synchronized)").then_some(()))
    })?;
    let since = segment.ready_since(NAME)?;
    for wrong_by in [DAY, 0] {
        time.wrong_by(wrong_by);
        kubectl.until("clock as its server says", within(TWO_ROUNDS), |kubectl| {
            let shown = kubectl.run(&["exec", "clock", "--", "date", "+%s"])?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
            let off = shown.trim().parse().unwrap_or(0) - now - wrong_by;
            Ok((off.abs() < 60).then_some(()))
        })?;
        ensure!(segment.ready_since(NAME)? == since, "it was Ready all along");
    }
    // The clock went back by a day: a kernel that took that for the time since its last correction would turn it as much as it
    // can from the next one on.
    let said = kubectl.until("kernel's word that its clock is synchronised again", within(TWO_ROUNDS), |kubectl| {
        let said = kubectl.run(&["exec", "clock", "--", "/bin/busybox", "adjtimex"])?;
        Ok(said.contains("(clock synchronized)").then_some(said))
    })?;
    let turn = said.split_once("freq.adjust:").and_then(|(_, rest)| rest.split_whitespace().next());
    let turn: i64 = turn.with_context(|| said.clone())?.parse()?;
    ensure!(turn.abs() < MUCH, "{said}");
    let log = kubectl.run(&["get", "--raw", &format!("/api/v1/nodes/{NAME}/proxy/logs/net.log")])?;
    ensure!(log.contains("net: clock: ") && !log.contains("cannot be set"), "{log}");
    running.power_off(within(180))?;
    kubectl.run(&["delete", "node", NAME])?;
    Ok(())
}
