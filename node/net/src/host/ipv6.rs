//! The kernel's own part of IPv6: whether it listens to routers on a card.

use super::nics::Nic;
use orlop_config::node_config::Ipv6Method;
use std::io;
use std::path::Path;

/// The kernel's own metric of a router's default route.
const METRIC: usize = 1024;

/// Makes a card's settings what its plan says, before it is switched on. `settings`: `/proc/sys/net`.
pub fn apply(settings: &Path, nic: &Nic) -> io::Result<()> {
    let folder = settings.join("ipv6/conf").join(&nic.link.name);
    if !folder.exists() {
        // A kernel without IPv6.
        return Ok(());
    }
    let automatic = nic.interface.ipv6 == Ipv6Method::Auto;
    set(&folder, "accept_ra_defrtr", if nic.interface.default_route { "1" } else { "0" })?;
    // Every card's router gives a default route: that of the first card in the plan's order is taken. Since Linux 5.12.
    if folder.join("ra_defrtr_metric").exists() {
        let metric = METRIC + 1000 * nic.order.min(1000) + nic.link.index.min(999) as usize;
        set(&folder, "ra_defrtr_metric", &metric.to_string())?;
    }
    // 2: although this machine forwards packets.
    let changed = set(&folder, "accept_ra", if automatic { "2" } else { "0" })?;
    if changed && automatic && nic.link.up {
        // It has asked for routers already and did not listen: it starts over.
        set(&folder, "disable_ipv6", "1")?;
        set(&folder, "disable_ipv6", "0")?;
    }
    Ok(())
}

/// `true`: it was another.
fn set(folder: &Path, name: &str, value: &str) -> io::Result<bool> {
    let path = folder.join(name);
    if std::fs::read_to_string(&path)?.trim() == value {
        return Ok(false);
    }
    std::fs::write(&path, value)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Link;
    use crate::plan::{Plan, Select};
    use std::collections::BTreeMap;

    #[test]
    fn a_card_that_is_up_starts_over_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let conf = folder.path().join("ipv6/conf/eth0");
        std::fs::create_dir_all(&conf).expect("a folder");
        for name in ["accept_ra", "accept_ra_defrtr", "disable_ipv6"] {
            std::fs::write(conf.join(name), "0\n").expect("written");
        }
        let mut plan = Plan::automatic(&["eth0".into()]);
        let link = Link { index: 2, name: "eth0".into(), mac: Some([2; 6]), up: true, ..Link::default() };
        let tick = crate::time::Tick { now: crate::time::Millis(0), random: 1 };
        let mut nics = super::super::nics::Nics::new(plan.clone(), BTreeMap::new());
        nics.link(link.clone(), tick);
        apply(folder.path(), nics.get(2).expect("a card")).expect("applied");
        let read = |name: &str| std::fs::read_to_string(conf.join(name)).expect("read");
        assert_eq!(
            (read("accept_ra"), read("accept_ra_defrtr"), read("disable_ipv6")),
            ("2".into(), "1".into(), "0".into())
        );
        plan.interfaces[0].ipv6 = Ipv6Method::Off;
        plan.interfaces[0].default_route = false;
        assert_eq!(plan.interfaces[0].select, Select::Name("eth0".into()));
        nics.set_plan(plan, tick);
        apply(folder.path(), nics.get(2).expect("a card")).expect("applied");
        assert_eq!((read("accept_ra"), read("accept_ra_defrtr")), ("0".into(), "0".into()));
        // A kernel without IPv6.
        apply(&folder.path().join("none"), nics.get(2).expect("a card")).expect("nothing to do");
    }
}
