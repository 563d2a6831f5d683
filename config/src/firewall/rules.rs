//! All rules of a node, in order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Chain, Match, Network, Openings, Ports, Protocol, Rule, Verdict};

/// kubelet's.
pub const KUBELET: Ports = Ports::one(Protocol::Tcp, 10250);
/// `--service-node-port-range` of the API server, its default.
const NODE_PORTS: (u16, u16) = (30000, 32767);
/// ICMP, and that of IPv6, without which there is no IPv6.
const ICMP: [u8; 2] = [1, 58];
/// The clouds' metadata, and over IPv6 EC2's and GCE's.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];
/// Azure's wireserver gives out the machine's settings and certificates on these ports; on 53 it is the name server.
const WIRESERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));
const WIRESERVER_PORTS: [u16; 2] = [80, 32526];

/// What holds as long as nobody said which cluster the machine joins: nothing is open.
pub fn closed() -> Vec<Rule> {
    [always(), cut_off()].concat()
}

/// What holds on a node of a cluster that comes from these networks; where none are named, kubelet is open to all, and
/// what is open to the cluster's networks alone to nobody.
pub fn joined(openings: &Openings, cluster: &[Network]) -> Vec<Rule> {
    let accepted = |ports: Ports| input(vec![Match::Port(ports)], Verdict::Accept);
    let to_cluster = |ports: Ports| input(vec![Match::Port(ports)], Verdict::Jump(Chain::Cluster));
    let mut rules = always();
    rules.push(input(vec![Match::LedHere], Verdict::Accept));
    rules.push(if cluster.is_empty() { accepted(KUBELET) } else { to_cluster(KUBELET) });
    let (first, last) = NODE_PORTS;
    rules.extend([Protocol::Tcp, Protocol::Udp].map(|protocol| accepted(Ports { protocol, first, last })));
    rules.extend(openings.open.iter().copied().map(accepted));
    rules.extend(openings.open_to_cluster.iter().copied().map(to_cluster));
    let from = |network: &Network| vec![Match::From(*network)];
    let chain = Chain::Cluster;
    rules.extend(cluster.iter().map(|one| Rule { chain, matches: from(one), verdict: Verdict::Accept }));
    if !openings.pods_reach_metadata {
        rules.extend(cut_off());
    }
    rules
}

fn input(matches: Vec<Match>, verdict: Verdict) -> Rule {
    Rule { chain: Chain::Input, matches, verdict }
}

/// What no node can be without.
fn always() -> Vec<Rule> {
    let udp = |port| Match::Port(Ports::one(Protocol::Udp, port));
    let link_local = (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10);
    let mut matches = vec![vec![Match::Established], vec![Match::Loopback]];
    matches.extend(ICMP.map(|protocol| vec![Match::Icmp(protocol)]));
    // Answers to broadcasts belong to no connection.
    matches.push(vec![Match::UdpFrom(67), udp(68)]);
    // A server or relay sends from whatever port it likes (RFC 8415 §7.2).
    matches.push(vec![Match::From(link_local), udp(546)]);
    matches.into_iter().map(|matches| input(matches, Verdict::Accept)).collect()
}

/// Pods do not reach what gives out the machine's own secrets.
fn cut_off() -> Vec<Rule> {
    let drop = |matches: Vec<Match>| Rule { chain: Chain::Forward, matches, verdict: Verdict::Drop };
    let wireserver = |port| vec![Match::To(WIRESERVER), Match::Port(Ports::one(Protocol::Tcp, port))];
    let mut rules: Vec<Rule> = METADATA.iter().map(|address| drop(vec![Match::To(*address)])).collect();
    rules.extend(WIRESERVER_PORTS.map(|port| drop(wireserver(port))));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(rules: &[Rule]) -> Vec<String> {
        rules.iter().map(|rule| format!("{}: {rule}", rule.chain.name())).collect()
    }

    const CLOSED: [&str; 11] = [
        "input: ct state established,related accept",
        "input: iifname \"lo\" accept",
        "input: meta l4proto icmp accept",
        "input: meta l4proto ipv6-icmp accept",
        "input: udp sport 67 udp dport 68 accept",
        "input: ip6 saddr fe80::/10 udp dport 546 accept",
        "forward: ip daddr 169.254.169.254 drop",
        "forward: ip6 daddr fd00:ec2::254 drop",
        "forward: ip6 daddr fd20:ce::254 drop",
        "forward: ip daddr 168.63.129.16 tcp dport 80 drop",
        "forward: ip daddr 168.63.129.16 tcp dport 32526 drop",
    ];

    #[test]
    fn without_a_cluster_nothing_is_open() {
        assert_eq!(text(&closed()), CLOSED);
    }

    #[test]
    fn the_rules_read_as_nft_writes_them() {
        let openings = Openings {
            open: vec!["tcp/443".parse().expect("ports")],
            open_to_cluster: vec!["udp/8472".parse().expect("ports"), "tcp/4000-4010".parse().expect("ports")],
            pods_reach_metadata: false,
        };
        let cluster = [([10, 0, 0, 0].into(), 8), ("2001:db8::".parse().expect("an address"), 32)];
        let rules = joined(&openings, &cluster);
        let expected = [
            "input: ct status dnat accept",
            "input: tcp dport 10250 jump cluster",
            "input: tcp dport 30000-32767 accept",
            "input: udp dport 30000-32767 accept",
            "input: tcp dport 443 accept",
            "input: udp dport 8472 jump cluster",
            "input: tcp dport 4000-4010 jump cluster",
            "cluster: ip saddr 10.0.0.0/8 accept",
            "cluster: ip6 saddr 2001:db8::/32 accept",
        ];
        assert_eq!(text(&rules), [&CLOSED[..6], &expected, &CLOSED[6..]].concat());
    }

    #[test]
    fn without_networks_kubelet_is_open_to_all_and_what_is_the_clusters_to_nobody() {
        let openings = Openings { open_to_cluster: vec!["udp/8472".parse().expect("ports")], ..Openings::default() };
        let rules = text(&joined(&openings, &[]));
        assert!(rules.contains(&"input: tcp dport 10250 accept".to_owned()), "{rules:?}");
        assert!(rules.contains(&"input: udp dport 8472 jump cluster".to_owned()), "{rules:?}");
        assert!(!rules.iter().any(|rule| rule.starts_with("cluster:")), "{rules:?}");
        let reached = Openings { pods_reach_metadata: true, ..Openings::default() };
        assert!(text(&joined(&reached, &[])).iter().all(|rule| rule.starts_with("input:")));
    }

    proptest! {
        /// The node config, which nobody signs, decides who is the cluster, and on no account what is open to others.
        #[test]
        fn networks_open_no_port_that_the_definition_does_not_open(
            networks in proptest::collection::vec((any::<IpAddr>(), 0u8..=32), 0..8),
            open in proptest::collection::vec((any::<bool>(), 1u16..), 0..8),
            to_cluster in proptest::collection::vec((any::<bool>(), 1u16..), 0..8),
        ) {
            let ports = |list: &[(bool, u16)]| list.iter().map(|(tcp, port)| {
                Ports::one(if *tcp { Protocol::Tcp } else { Protocol::Udp }, *port)
            }).collect::<Vec<_>>();
            let openings = Openings { open: ports(&open), open_to_cluster: ports(&to_cluster), ..Openings::default() };
            let told = |networks: &[Network]| {
                let of = |chain: Chain, rules: Vec<Rule>| rules.into_iter().filter(|rule| rule.chain == chain).collect::<Vec<_>>();
                (of(Chain::Input, joined(&openings, networks)), of(Chain::Cluster, joined(&openings, networks)))
            };
            let (with, cluster) = told(&networks);
            let (without, _) = told(&[]);
            prop_assert_eq!(cluster.len(), networks.len());
            // The same rules, but that kubelet is behind the networks where there are some.
            for (with, without) in with.iter().zip(&without) {
                let narrower = with.matches == [Match::Port(KUBELET)] && !networks.is_empty();
                prop_assert!(with == without || (narrower && with.verdict == Verdict::Jump(Chain::Cluster)));
            }
            prop_assert_eq!(with.len(), without.len());
        }
    }
}
