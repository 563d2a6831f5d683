//! What a node config may bring only if the image allows it: certificates, static pods.

use super::super::{NodeConfig, pem};
use super::{Report, excerpt, expect_allowed};
use crate::definition::{check_static_pod, is_pod_name};
use crate::node::{Allowance, NodeConfigPolicy};

/// Each takes a page at least of the 4 MiB of `/etc/kubernetes`, and all of them are one node's.
const MOST_STATIC_PODS: usize = 64;

pub(super) fn check_cas(config: &NodeConfig, policy: &NodeConfigPolicy, report: &mut Report) {
    if !config.extra_cas.is_empty() {
        expect_allowed(Allowance::ExtraCas, &["extra_cas"], policy, report);
    }
    for (index, ca) in config.extra_cas.iter().enumerate() {
        if let Err(why) = pem::certificates(ca) {
            let next = "give certificates as PEM, from `-----BEGIN CERTIFICATE-----` to its end";
            report.expect(false, &["extra_cas", &index.to_string()], format!("not a CA: {why}"), next);
        }
    }
}

pub(super) fn check_static_pods(config: &NodeConfig, policy: &NodeConfigPolicy, report: &mut Report) {
    if !config.static_pods.is_empty() {
        expect_allowed(Allowance::StaticPods, &["static_pods"], policy, report);
    }
    let count = config.static_pods.len();
    let next = format!("give {MOST_STATIC_PODS} at most, and the others to the cluster");
    report.expect(count <= MOST_STATIC_PODS, &["static_pods"], format!("there are {count} static pods"), &next);
    for (name, manifest) in &config.static_pods {
        let path = ["static_pods", name.as_str()];
        let next = "it takes lowercase letters, digits and `-`, no `-` at the ends, and at most 63 characters";
        let shown = excerpt(name);
        report.expect(is_pod_name(name), &path, format!("`{shown}` is not a pod's name"), next);
        let message = format!("the image has a static pod `{shown}` of its own");
        report.expect(!policy.static_pods.contains(name), &path, message, "name this one otherwise");
        if let Err(mistake) = check_static_pod(name, "", manifest) {
            let said = mistake.message.replace("the definition calls it", "its key calls it");
            let message = format!("line {} of the manifest: {said}", mistake.line);
            report.expect(false, &path, message, mistake.next.as_deref().unwrap_or_default());
        }
    }
}
