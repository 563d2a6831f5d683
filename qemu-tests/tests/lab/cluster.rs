//! `make cluster`, as people have it: what is printed is what they need, and Ctrl-C is the end.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use orlop_machine::lab::{Service, Tools};
use orlop_machine::{Error, turn, until, within};

use crate::segment::image;

/// How people call them without a word about how many.
const NODES: [&str; 2] = ["node-1", "node-2"];

#[test]
fn the_lab_for_people_has_two_nodes_and_a_kubeconfig_and_ends_by_ctrl_c() -> Result<()> {
    let _turn = turn::take()?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab-cluster");
    let log = folder.with_extension("log");
    std::fs::write(&log, "")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_orlop-lab"));
    // As the Makefile has it, but for where things are: nobody says how many nodes.
    command.args(["cluster", "--image"]).arg(image()?).arg("--folder").arg(&folder);
    // In a group of its own, as a shell starts it: Ctrl-C is for all of the group.
    command.stdin(Stdio::null()).process_group(0);
    let mut cluster = Service::start("orlop-lab", command, &log)?;
    cluster.wait_line("Ctrl-C ends it.", within(600))?;
    let line = cluster.wait_line("export KUBECONFIG=", within(10))?;
    let (_, kubeconfig) = line.split_once("KUBECONFIG=").context("a path")?;

    // From outside of the lab's network: its own clients ask otherwise.
    let program = Tools::find().program("kubectl")?;
    let kubectl = |words: &[&str]| -> orlop_machine::Result<String> {
        let mut command = Command::new(&program);
        command.args(["--kubeconfig", kubeconfig, "--request-timeout=60s", "--cache-dir"]).arg(folder.join("kubectl"));
        let output = command.args(words).output().map_err(|error| Error::Lab(format!("kubectl: {error}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Lab(format!("kubectl {words:?}: {}", String::from_utf8_lossy(&output.stderr))))
    };
    let ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    for node in NODES {
        ensure!(kubectl(&["get", "node", node, "-o", ready])? == "True", "{node} is not Ready");
    }
    // Its serving certificate is approved a moment later than it is Ready.
    let logs = ["logs", "--namespace=kube-system", "daemonset/lab-cni"];
    until("logs of the pods' network", within(120), || Ok(kubectl(&logs)?.contains("pods 10.244.").then_some(())))?;

    killpg(Pid::from_raw(i32::try_from(cluster.pid())?), Signal::SIGINT)?;
    let status = cluster.ended(within(240))?;
    ensure!(status.success(), "{status}");
    for node in NODES {
        let console = std::fs::read(folder.join(format!("{node}.console.log")))?;
        let console = String::from_utf8_lossy(&console);
        let grows = "orlop: state: partition table moves to the end of the disk";
        ensure!(console.contains(grows), "{node} has no more room than the image: {console}");
        ensure!(console.contains("orlop: state: unmounted clean=true"), "{node} was not powered off: {console}");
    }
    Ok(())
}
