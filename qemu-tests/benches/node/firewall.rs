//! What the host's firewall costs. Its table belongs to `orlop-net`, and nobody can take it away for a comparison: so a copy of it is
//! put into the network of a pod, and taken out again, in turns.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use orlop_machine::within;

use crate::node::{Measurable, TAKES};
use crate::row::Row;
use crate::{said, samples, seconds, stream};

/// Turns with and without, after one that is not counted.
const TURNS: usize = 5;
/// Connections of a turn.
const CONNECTIONS: usize = 500;
/// A node port where nobody listens: the kernel answers by itself.
const CLOSED: u16 = 30_499;
const NFT: &str = "/usr/sbin/nft";

/// What a turn took.
struct Turn {
    stream: f64,
    connections: f64,
}

/// Both rows.
pub fn measure(node: &Measurable, rows: &mut Vec<Row>) {
    let turns = said(turns(node));
    let column = |with: bool, pick: fn(&Turn) -> f64| {
        let all = turns.as_ref().map_err(|why| anyhow::Error::msg(why.clone()));
        samples(all.map(|all| all.iter().map(|(one, other)| pick(if with { one } else { other })).collect()))
    };
    let mut row = |what, pick: fn(&Turn) -> f64| {
        rows.push(seconds(what, column(true, pick), Some(("without the firewall's table", column(false, pick)))));
    };
    row("100 MB into a pod by TCP", |turn| turn.stream);
    row("500 connections that a pod's kernel refuses", |turn| turn.connections);
}

fn turns(node: &Measurable) -> Result<Vec<(Turn, Turn)>> {
    let rules = rules(&node.look(&format!("{NFT} list table inet orlop"))?)?;
    let mut all = Vec::new();
    for turn in 0..=TURNS {
        node.kubectl().feed(&["exec", "--stdin", TAKES, "--", NFT, "-f", "-"], &rules)?;
        let with = one(node)?;
        node.kubectl().run(&["exec", TAKES, "--", NFT, "delete", "table", "inet", "orlop"])?;
        let without = one(node)?;
        if turn > 0 {
            all.push((with, without));
        }
    }
    Ok(all)
}

/// The table as `nft` lists it, without who owns it: a table is owned until its program ends.
fn rules(listed: &str) -> Result<String> {
    let lines = listed.lines().filter(|line| !line.trim_start().starts_with("flags owner"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    ensure!(text.contains("30000-32767"), "the node ports are not open: {listed}");
    Ok(text)
}

fn one(node: &Measurable) -> Result<Turn> {
    let stream = stream::seconds(node)?;
    let address = (node.address, CLOSED).into();
    let start = Instant::now();
    for _ in 0..CONNECTIONS {
        let connected = node.segment.lab.namespace.connect(address, Duration::from_secs(30))?;
        let error = connected.err().context("somebody listens there")?;
        ensure!(error.kind() == std::io::ErrorKind::ConnectionRefused, "{error}");
    }
    let connections = start.elapsed().as_secs_f64();
    ensure!(start.elapsed() < within(300), "{CONNECTIONS} connections took {connections} s");
    Ok(Turn { stream, connections })
}
