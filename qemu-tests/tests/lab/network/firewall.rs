//! The firewall, by connecting from the lab's host: from an address of the cluster's networks and from one of none.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use orlop_machine::{Error, within};

use super::hands::NODE_PORT;
use super::{Target, hosts};

/// kubelet's, what the image opens to the cluster and to all, what nobody opens, a NodePort's number in the host, and a
/// NodePort of a Service, which is of IPv4.
const PORTS: [u16; 6] = [10250, 9100, 8443, 8080, 30999, NODE_PORT];
const CLUSTER: [u16; 5] = [10250, 9100, 8443, 30999, NODE_PORT];
const STRANGER: [u16; 3] = [8443, 30999, NODE_PORT];

/// The table that a cluster's CNI makes beside its interfaces, as the lab's does not: pods' way out, and a host's firewall
/// that takes and forwards everything. Made as a reload makes it: in place of the one of before, at once.
#[cfg(feature = "slow")]
const CNI: &str = "add table inet cni_lab; delete table inet cni_lab; table inet cni_lab { \
    chain input { type filter hook input priority -20; policy accept; accept; }; \
    chain forward { type filter hook forward priority -20; policy accept; accept; }; \
    chain postrouting { type nat hook postrouting priority 100; policy accept; \
    ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade; }; }";

/// What the node is open for, and that it answers pings.
pub fn is_as_said(target: &Target) -> Result<()> {
    // A NodePort is somebody's only when kube-proxy is there.
    target.segment.daemon("kube-proxy", target.name)?;
    open_and_closed(target)?;
    for [host, stranger] in hosts()? {
        let node = if host.is_ipv4() { target.address()?.to_string() } else { target.ipv6.to_owned() };
        for from in [host, stranger] {
            let said = target.segment.lab.busybox(&["ping", "-c", "1", "-W", "20", "-I", &from.to_string(), &node])?;
            ensure!(said.contains(" 0% packet loss"), "ICMP from {from}: {said}");
        }
    }
    Ok(())
}

/// The CNI's table then stays; what it is, if nobody changes it.
#[cfg(feature = "slow")]
pub fn holds_whatever_others_do_to_their_rules(target: &Target) -> Result<String> {
    // What is asked by `exec` needs kubelet's certificate.
    target.segment.approver.approved(target.name, within(120))?;
    nft(target, &[CNI])?;
    let made = table_of_the_cni(target)?;
    ensure!(made.contains("hook input") && made.contains("masquerade"), "{made}");
    is_as_said(target).context("as it joined, with a CNI's table")?;
    renew(target, "kube-proxy")?;
    renew(target, "lab-cni")?;
    let has = table_of_the_cni(target)?;
    ensure!(has == made, "made {made}\nnow {has}");
    nft(target, &[CNI])?;
    open_and_closed(target).context("after kube-proxy's and the CNI's pods and rules came anew")?;
    let before = nft(target, &["list", "tables"])?;
    ensure!(before.contains("kube-proxy") && before.contains("inet orlop"), "{before}");
    nft(target, &["flush", "ruleset"])?;
    let after = nft(target, &["list", "tables"])?;
    let others = after.contains("kube-proxy") || after.contains("cni_lab");
    ensure!(!others && after.contains("inet orlop"), "{after}");
    // Without kube-proxy's rules there is no Service.
    reaches(target, [&CLUSTER[..4], &STRANGER[..2]]).context("after all rules were flushed")?;
    renew(target, "kube-proxy")?;
    nft(target, &[CNI])?;
    is_as_said(target).context("after kube-proxy and the CNI made their rules again")?;
    Ok(made)
}

/// The CNI's table, as the node has it.
#[cfg(feature = "slow")]
pub fn table_of_the_cni(target: &Target) -> Result<String> {
    nft(target, &["list", "table", "inet", "cni_lab"])
}

/// `nft` on the node, of kube-proxy's pod; what it wrote.
#[cfg(feature = "slow")]
fn nft(target: &Target, words: &[&str]) -> Result<String> {
    let proxy = target.segment.daemon("kube-proxy", target.name)?;
    let run = ["exec", "--namespace=kube-system", &proxy, "--", "/usr/sbin/nft"];
    Ok(target.segment.kubectl.run(&[&run[..], words].concat())?)
}

/// What the node is open for, from the cluster and from elsewhere.
pub fn open_and_closed(target: &Target) -> Result<()> {
    reaches(target, [&CLUSTER, &STRANGER])
}

fn reaches(target: &Target, [cluster, stranger]: [&[u16]; 2]) -> Result<()> {
    for [host, other] in hosts()? {
        let node: IpAddr = if host.is_ipv4() { target.address()? } else { target.ipv6.parse()? };
        for (from, ports) in [(host, cluster), (other, stranger)] {
            // Where there is no Service, the kernel itself answers that nobody listens.
            let asked = |port: &u16| *port != NODE_PORT || (node.is_ipv4() && cluster.contains(&NODE_PORT));
            let wanted: Vec<u16> = ports.iter().copied().filter(asked).collect();
            // kube-proxy makes its rules a moment after its pod is there.
            let open = target.segment.kubectl.until("open ports", within(60), |_| {
                open(target, (from, node), &wanted).map(|open| (open == wanted).then_some(()))
            });
            open.with_context(|| format!("{from} to {node}: {wanted:?} are to be open\n{}", proxy_says(target)))?;
            let closed: Vec<u16> = PORTS.into_iter().filter(|port| asked(port) && !wanted.contains(port)).collect();
            let open = self::open(target, (from, node), &closed)?;
            ensure!(open.is_empty(), "{from} reaches {open:?} of {node}");
        }
    }
    Ok(())
}

/// Which of these ports a host reaches, all asked at once. Where nobody listens is an error: that is no firewall's work.
fn open(target: &Target, (from, node): (IpAddr, IpAddr), ports: &[u16]) -> orlop_machine::Result<Vec<u16>> {
    let namespace = &target.segment.lab.namespace;
    let connect = |port: u16| match namespace.connect_from(Some(from), SocketAddr::new(node, port), within(4))? {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
        Err(error) => Err(Error::Lab(format!("{from} to {node}, port {port}: {error}"))),
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = ports.iter().map(|port| (*port, scope.spawn(move || connect(*port)))).collect();
        let mut open = Vec::new();
        for (port, answer) in asked {
            let answer = answer.join().map_err(|_| Error::Lab(format!("the thread of port {port} panicked")))??;
            open.extend(answer.then_some(port));
        }
        Ok(open)
    })
}

/// What kube-proxy has done, for who reads of a failure.
fn proxy_says(target: &Target) -> String {
    let kubectl = &target.segment.kubectl;
    let Ok(pod) = target.segment.daemon("kube-proxy", target.name) else { return "no kube-proxy".into() };
    let rules = ["exec", "--namespace=kube-system", &pod, "--", "/usr/sbin/nft", "list", "table", "ip", "kube-proxy"];
    let log = ["logs", "--namespace=kube-system", "--tail=80", &pod];
    [&log[..], &rules].map(|words| kubectl.run(words).unwrap_or_else(|error| error.to_string())).join("\n")
}

/// Deletes the pod of a DaemonSet on the node, and waits for the next one.
#[cfg(feature = "slow")]
fn renew(target: &Target, app: &str) -> Result<()> {
    let old = format!("pod/{}", target.segment.daemon(app, target.name)?);
    target.segment.kubectl.run_within(&["delete", "--namespace=kube-system", &old], within(120))?;
    target.segment.daemon(app, target.name).map(drop)
}
