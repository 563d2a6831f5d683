//! `orlop-net` is killed: what it made stays, the next one goes on, and the cluster hears nothing of it.

use anyhow::{Context, Result, ensure};
use orlop_machine::{Event, within};

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
        guarded.running.wait_event_since(mark, "end of orlop-net", within(60), |event| is(event, "exited"))?;
        open_and_closed(guarded).with_context(|| format!("{round}: while it starts anew"))?;
        guarded.running.wait_event_since(mark, "new orlop-net", within(120), |event| is(event, "healthy"))?;
        let after = without_lifetimes(&has()?);
        ensure!(before == after, "{round}: before {before}\nafter {after}");
    }
    open_and_closed(guarded)?;
    // The lease is renewed by the new one, too.
    let mark = guarded.segment.dhcp.service.mark();
    let renewed = format!("DHCPACK(br0) {} {}", guarded.address()?, guarded.card.mac);
    guarded.segment.dhcp.service.wait_line_since(mark, &renewed, within(60))?;
    ensure!(guarded.ready_since()? == since, "{} was Ready all along", guarded.name);
    Ok(())
}

fn is(event: &Event, wanted: &str) -> bool {
    matches!(event, Event::Service { name, what, .. } if name == "net" && what == wanted)
}

fn without_lifetimes(text: &str) -> String {
    text.lines().filter(|line| !line.contains("valid_lft")).collect::<Vec<_>>().join("\n")
}
