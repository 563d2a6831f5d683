//! The API server away, as one node sees it: refused, and its connections reset. The others go on.

use anyhow::{Result, ensure};
use orlop_machine::lab::{Lab, network};
use orlop_machine::{program, within};

use super::steady::Steady;
use crate::segment::{Node, Segment};

/// Takes the API server from the node until the cluster has lost sight of it, and gives it back: Ready again, and no pod
/// noticed.
pub fn away_for_one_node(segment: &Segment, node: &Node, steady: &Steady) -> Result<()> {
    let object = format!("node/{}", node.name);
    let before = steady.ticks()?;
    {
        let _refused = Refused::start(&segment.lab, &node.machine.cards[0].address.to_string())?;
        segment.kubectl.wait(&object, "condition=Ready=Unknown", within(180))?;
        let ticks = steady.ticks()?;
        // The cluster waits for 50 s; a busy node's seconds are longer.
        ensure!(ticks > before + 10, "the pod counted from {before} to {ticks}");
    }
    segment.kubectl.wait(&object, "condition=Ready", within(120))?;
    steady.untouched()
}

/// Connections from an address to the API server are refused while this is there.
struct Refused<'a>(&'a Lab);

impl Refused<'_> {
    fn start<'a>(lab: &'a Lab, address: &str) -> Result<Refused<'a>> {
        let port = network::API_PORT;
        let chain = "type filter hook input priority 0";
        let rule = format!("ip saddr {address} tcp dport {port} reject with tcp reset");
        nft(lab, &format!("table inet refused {{ chain input {{ {chain}; {rule}; }}; }}"))?;
        Ok(Refused(lab))
    }
}

impl Drop for Refused<'_> {
    fn drop(&mut self) {
        // A test that failed already is told of by its own error.
        let _ = nft(self.0, "delete table inet refused");
    }
}

fn nft(lab: &Lab, command: &str) -> Result<()> {
    let nft = program::find(("nft", "nftables"))?;
    lab.namespace.run(&nft.to_string_lossy(), &[command])?;
    Ok(())
}
