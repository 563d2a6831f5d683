//! The kernel's own part of IPv6: whether it listens to routers on a card, and what it believes them.

use super::nics::Nic;
use crate::netlink::Link;
use orlop_config::node_config::Ipv6Method;
use std::io;
use std::path::{Path, PathBuf};

/// The kernel's own metric of a router's default route.
const METRIC: usize = 1024;
/// What hosts begin with (RFC 4861 §6.3.2, IANA's default), and the least that a router may make of it: with 1 packets
/// would not get past the first one.
const HOP_LIMIT: &str = "64";
/// `accept_ra`: although this machine forwards packets.
const LISTENS: &str = "2";
const OFF: &str = "disable_ipv6";

/// Makes a card's settings what its plan says, before it is switched on. `settings`: `/proc/sys/net`.
pub fn apply(settings: &Path, nic: &Nic) -> io::Result<()> {
    let folder = folder(settings, &nic.link);
    if !folder.exists() {
        // A kernel without IPv6.
        return Ok(());
    }
    let automatic = nic.interface.ipv6 == Ipv6Method::Auto;
    let listens = ("accept_ra", if automatic { LISTENS } else { "0" });
    let route = ("accept_ra_defrtr", if nic.interface.default_route { "1" } else { "0" });
    // A router's route would be taken until its lifetime ends, although the card has no carrier and another has.
    set(&folder, "ignore_routes_with_linkdown", "1")?;
    set(&folder, "accept_ra_min_hop_limit", HOP_LIMIT)?;
    // Every card's router gives a default route: that of the first card in the plan's order is taken. Since Linux 5.12.
    if folder.join("ra_defrtr_metric").exists() {
        let metric = METRIC + 1000 * nic.order.min(1000) + nic.link.index.min(999) as usize;
        set(&folder, "ra_defrtr_metric", &metric.to_string())?;
    }
    if automatic {
        return start_over(&folder, nic.link.up, &[route, listens]);
    }
    start_over(&folder, nic.link.up, &[listens])?;
    // Of no meaning meanwhile.
    set(&folder, route.0, route.1)
}

/// Has the kernel listen to no router on a card that is not the plan's any more. If the program is killed meanwhile, the next
/// run does not know this one, and IPv6 may be off there until a plan names it.
pub fn leave(settings: &Path, link: &Link) -> io::Result<()> {
    let folder = folder(settings, link);
    if folder.exists() { start_over(&folder, link.up, &[("accept_ra", "0")]) } else { Ok(()) }
}

/// Writes settings; if one of them was another, and the card is up, what routers said before goes: the kernel keeps addresses
/// and routes of theirs when it listens no more. And it asks for routers, which it did already while it did not listen.
///
/// IPv6 is off while they are written, so that each end before the last write, that of the program too, is one that the next
/// call goes on from: what is not written yet differs, and what is off is switched on.
fn start_over(folder: &Path, up: bool, wanted: &[(&str, &str)]) -> io::Result<()> {
    let mut differs = false;
    for (name, value) in wanted {
        differs |= get(folder, name)? != *value;
    }
    let restart = differs && up && get(folder, OFF)? != "1";
    if restart {
        set(folder, OFF, "1")?;
    }
    for (name, value) in wanted {
        set(folder, name, value)?;
    }
    // The kernel's command line can have it off on all cards (`ipv6.disable_ipv6=1`); of one alone nobody else says so.
    if restart || get(&folder.with_file_name("default"), OFF)? != "1" {
        set(folder, OFF, "0")?;
    }
    Ok(())
}

fn folder(settings: &Path, link: &Link) -> PathBuf {
    settings.join("ipv6/conf").join(&link.name)
}

fn get(folder: &Path, name: &str) -> io::Result<String> {
    Ok(std::fs::read_to_string(folder.join(name))?.trim().to_owned())
}

/// Writes what is another.
fn set(folder: &Path, name: &str, value: &str) -> io::Result<()> {
    if get(folder, name)? == value { Ok(()) } else { std::fs::write(folder.join(name), value) }
}

#[cfg(test)]
mod tests {
    use super::super::nics::Nics;
    use super::*;
    use crate::plan::Plan;
    use crate::time::{Millis, Tick};
    use std::collections::BTreeMap;

    const TICK: Tick = Tick { now: Millis(0), random: 1 };

    /// The settings of a card as a node's kernel has them.
    struct Settings(tempfile::TempDir);

    impl Settings {
        fn new() -> Self {
            let settings = Settings(tempfile::tempdir().expect("a folder"));
            for folder in ["eth0", "default"] {
                std::fs::create_dir_all(settings.0.path().join("ipv6/conf").join(folder)).expect("a folder");
            }
            for (name, value) in [
                ("accept_ra", "0\n"),
                ("accept_ra_defrtr", "1\n"),
                ("accept_ra_min_hop_limit", "1\n"),
                ("disable_ipv6", "0\n"),
                ("ignore_routes_with_linkdown", "0\n"),
            ] {
                settings.write(name, value);
            }
            settings.write("../default/disable_ipv6", "0\n");
            settings
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join("ipv6/conf/eth0").join(name)
        }

        fn write(&self, name: &str, value: &str) {
            std::fs::write(self.path(name), value).expect("written");
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.path(name)).expect("read")
        }

        /// The card has started over since the last time that this was asked: both was written, without the kernel's newline.
        fn started_over(&self) -> bool {
            let started = self.read("disable_ipv6") == "0";
            self.write("disable_ipv6", "0\n");
            started
        }
    }

    fn card(up: bool) -> Link {
        Link { index: 2, name: "eth0".into(), mac: Some([2; 6]), up, ..Link::default() }
    }

    #[test]
    fn a_card_that_is_up_starts_over_at_each_change() {
        let settings = Settings::new();
        let mut plan = Plan::automatic(&["eth0".into()]);
        let mut nics = Nics::new(plan.clone(), BTreeMap::new());
        nics.link(card(true), TICK);
        let apply = |nics: &Nics| apply(settings.0.path(), nics.get(2).expect("a card")).expect("applied");
        apply(&nics);
        assert_eq!((settings.read("accept_ra"), settings.read("accept_ra_defrtr")), ("2".into(), "1\n".into()));
        assert_eq!(settings.read("accept_ra_min_hop_limit"), "64");
        assert_eq!(settings.read("ignore_routes_with_linkdown"), "1");
        assert!(settings.started_over(), "it has asked for routers and did not listen");
        apply(&nics);
        assert!(!settings.started_over(), "nothing is another than before");
        plan.interfaces[0].default_route = false;
        nics.set_plan(plan.clone(), TICK);
        apply(&nics);
        assert_eq!(settings.read("accept_ra_defrtr"), "0");
        assert!(settings.started_over(), "the router's default route goes");
        plan.interfaces[0].ipv6 = Ipv6Method::Off;
        nics.set_plan(plan.clone(), TICK);
        apply(&nics);
        assert_eq!(settings.read("accept_ra"), "0");
        assert!(settings.started_over(), "the router's addresses go");
        plan.interfaces[0].default_route = true;
        nics.set_plan(plan, TICK);
        apply(&nics);
        assert!(!settings.started_over(), "it listens to no router, whatever it would take");
    }

    /// The program is killed behind each of the writes of a pass; where it was the last one, nothing is left to do.
    #[test]
    fn the_next_run_goes_on_where_the_last_one_was_killed() {
        let cases = [
            (Ipv6Method::Auto, true, "0", "1"),
            (Ipv6Method::Auto, true, "0", "0"),
            (Ipv6Method::Auto, true, "2", "0"),
            (Ipv6Method::Auto, false, "2", "0"),
            (Ipv6Method::Off, true, "2", "1"),
            (Ipv6Method::Off, true, "0", "1"),
        ];
        for (ipv6, default_route, accept_ra, accept_ra_defrtr) in cases {
            let settings = Settings::new();
            let mut plan = Plan::automatic(&["eth0".into()]);
            plan.interfaces[0].ipv6 = ipv6;
            plan.interfaces[0].default_route = default_route;
            let mut nics = Nics::new(plan, BTreeMap::new());
            nics.link(card(true), TICK);
            settings.write("accept_ra", accept_ra);
            settings.write("accept_ra_defrtr", accept_ra_defrtr);
            settings.write("disable_ipv6", "1\n");
            for _ in 0..2 {
                apply(settings.0.path(), nics.get(2).expect("a card")).expect("applied");
                let found = ["disable_ipv6", "accept_ra", "accept_ra_defrtr"].map(|name| settings.read(name));
                let listens = if ipv6 == Ipv6Method::Auto { "2" } else { "0" };
                assert_eq!(
                    found,
                    ["0", listens, if default_route { "1" } else { "0" }],
                    "{accept_ra} {accept_ra_defrtr}"
                );
            }
        }
        let settings = Settings::new();
        settings.write("disable_ipv6", "1\n");
        leave(settings.0.path(), &card(true)).expect("left");
        assert_eq!(settings.read("disable_ipv6"), "0");
    }

    #[test]
    fn ipv6_that_is_off_on_all_cards_stays_off() {
        let settings = Settings::new();
        settings.write("../default/disable_ipv6", "1\n");
        settings.write("disable_ipv6", "1\n");
        let mut nics = Nics::new(Plan::automatic(&["eth0".into()]), BTreeMap::new());
        nics.link(card(true), TICK);
        apply(settings.0.path(), nics.get(2).expect("a card")).expect("applied");
        leave(settings.0.path(), &card(true)).expect("left");
        assert_eq!((settings.read("disable_ipv6"), settings.read("accept_ra")), ("1\n".into(), "0".into()));
    }

    #[test]
    fn a_card_that_is_not_up_or_has_no_ipv6_does_not_start_over() {
        let settings = Settings::new();
        let mut nics = Nics::new(Plan::automatic(&["eth0".into()]), BTreeMap::new());
        nics.link(card(false), TICK);
        apply(settings.0.path(), nics.get(2).expect("a card")).expect("applied");
        assert_eq!(settings.read("accept_ra"), "2");
        assert!(!settings.started_over());
        apply(&settings.0.path().join("none"), nics.get(2).expect("a card")).expect("a kernel without IPv6");
        leave(&settings.0.path().join("none"), &card(true)).expect("a kernel without IPv6");
    }

    #[test]
    fn a_card_that_is_left_listens_no_more_and_starts_over_once_if_it_listened() {
        let settings = Settings::new();
        leave(settings.0.path(), &card(true)).expect("left");
        assert!(!settings.started_over(), "it did not listen");
        settings.write("accept_ra", "2\n");
        leave(settings.0.path(), &card(true)).expect("left");
        assert_eq!(settings.read("accept_ra"), "0");
        assert!(settings.started_over());
        settings.write("accept_ra", "2\n");
        leave(settings.0.path(), &card(false)).expect("left");
        assert!(!settings.started_over(), "it is not up");
    }
}
