//! `orlop-net` is killed: what it made stays, the next one goes on, and the cluster hears nothing of it.

use anyhow::{Context, Result, ensure};
use orlop_machine::within;

use super::Guarded;
use crate::network::firewall::open_and_closed;
use crate::network::hands::Hands;

/// Times in a row.
const KILLED: u32 = 3;

pub fn is_killed_and_nothing_is_lost(guarded: &Guarded, hands: &Hands<'_>) -> Result<()> {
    let since = guarded.ready_since()?;
    let has = || {
        hands.run("ip address show | grep -w inet | grep -v ' lo$'; ip route | grep -v ^10.244; cat /proc/net/if_inet6 | sort")
    };
    let before = without_lifetimes(&has()?);
    for round in 0..KILLED {
        let mark = guarded.running.mark();
        hands.run("kill -9 $(busybox pidof net)")?;
        guarded.running.wait_service_since(mark, "net", "exited", within(60))?;
        open_and_closed(guarded).with_context(|| format!("{round}: while it starts anew"))?;
        guarded.running.wait_service_since(mark, "net", "healthy", within(120))?;
        let after = without_lifetimes(&has()?);
        ensure!(before == after, "{round}: before {before}\nafter {after}");
    }
    open_and_closed(guarded)?;
    // The lease is renewed by the new one, too.
    guarded.segment.dhcp.acknowledged(&guarded.card, guarded.address()?, within(60))?;
    ensure!(guarded.ready_since()? == since, "{} was Ready all along", guarded.name);
    Ok(())
}

fn without_lifetimes(text: &str) -> String {
    text.lines().filter(|line| !line.contains("valid_lft")).collect::<Vec<_>>().join("\n")
}
