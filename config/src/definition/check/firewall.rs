//! What the host's firewall lets in.

use super::super::Definition;
use super::Report;
use crate::firewall::{KUBELET, Ports};

const MOST: usize = 64;

pub(super) fn check(definition: &Definition, report: &mut Report) {
    let Some(table) = &definition.node_config else { return };
    let mut seen: Vec<Ports> = Vec::new();
    for (key, list) in [("open", &table.firewall.open), ("open_to_cluster", &table.firewall.open_to_cluster)] {
        let at = ["node_config", "firewall", key];
        let message = format!("{} entries are too many", list.len());
        report.expect(list.len() <= MOST, &at, message, &format!("write {MOST} at most; an entry may be a range"));
        for (index, ports) in list.iter().enumerate() {
            let path = [at[0], at[1], at[2], &index.to_string()];
            let message = format!("`{ports}` would open kubelet to others than the cluster's networks");
            let next = "leave 10250 out: it is open, to the networks that the node config names as `cluster.networks`";
            report.expect(!ports.overlap(&KUBELET), &path, message, next);
            let first = seen.iter().find(|other| other.overlap(ports));
            let message = format!("`{ports}` is open already, by `{}`", first.unwrap_or(ports));
            report.expect(first.is_none(), &path, message, "name each port once");
            seen.push(*ports);
        }
    }
}
