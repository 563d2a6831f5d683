//! Labels and taints: those that kubelet or the API refuse from a node are refused here, by name.

use super::super::NodeConfig;
use super::names::{is_label_value, is_qualified_name};
use super::{Report, excerpt};

const KEY_RULE: &str = "it takes `NAME` or `PREFIX/NAME`: 63 letters, digits, `-`, `_`, `.` behind a DNS name";
const VALUE_RULE: &str = "it takes at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at each end";

/// What a node may say of itself below kubernetes.io and k8s.io (`k8s.io/kubelet/pkg/apis/well_known_labels.go`).
const OPEN: [&str; 6] = [
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
];
/// The same, with all that is below them.
const OPEN_PREFIXES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];
/// What kubelet says by itself.
const KUBELETS: [&str; 5] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];

pub(super) fn check_labels(config: &NodeConfig, report: &mut Report) {
    for (key, value) in &config.labels {
        let path = ["labels", key.as_str()];
        let shown = excerpt(key);
        report.expect(is_qualified_name(key), &path, format!("`{shown}` is not the key of a label"), KEY_RULE);
        let message = format!("`{}` is not the value of a label", excerpt(value));
        report.expect(is_label_value(value), &path, message, VALUE_RULE);
        let next = "leave it out: kubelet says it itself";
        report.expect(!KUBELETS.contains(&key.as_str()), &path, format!("`{shown}` is kubelet's own label"), next);
        let message = format!("`{shown}` is a label that the API takes from no node");
        let next = "have the cluster's administrator set it, or use a prefix of your own; a node may set \
                    topology.kubernetes.io/zone and region, and what is below node.kubernetes.io and \
                    kubelet.kubernetes.io";
        report.expect(!is_refused(key), &path, message, next);
    }
}

fn is_refused(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else { return false };
    let below = |domain: &str| prefix == domain || prefix.strip_suffix(domain).is_some_and(|head| head.ends_with('.'));
    let reserved = below("kubernetes.io") || below("k8s.io");
    reserved && !OPEN.contains(&key) && !KUBELETS.contains(&key) && !OPEN_PREFIXES.iter().any(|open| below(open))
}

pub(super) fn check_taints(config: &NodeConfig, report: &mut Report) {
    for (index, taint) in config.taints.iter().enumerate() {
        let at = index.to_string();
        let path = |key| ["taints", at.as_str(), key];
        let message = format!("`{}` is not the key of a taint", excerpt(&taint.key));
        report.expect(is_qualified_name(&taint.key), &path("key"), message, KEY_RULE);
        let message = format!("`{}` is not the value of a taint", excerpt(&taint.value));
        report.expect(is_label_value(&taint.value), &path("value"), message, VALUE_RULE);
        let same = |other: &super::super::Taint| other.key == taint.key && other.effect == taint.effect;
        let message = format!("`{}` with effect {} is there already", excerpt(&taint.key), taint.effect.name());
        let first = !config.taints[..index].iter().any(same);
        report.expect(first, &path("key"), message, "the API takes each key and effect once");
    }
}
