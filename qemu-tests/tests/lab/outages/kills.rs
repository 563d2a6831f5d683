//! kubelet and containerd killed again and again, while pods run and others are being started.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use orlop_machine::feed::Mark;
use orlop_machine::{Event, Running, within};

use super::steady::Steady;
use crate::segment::Segment;

/// How often each is killed.
const ROUNDS: u32 = 20;
/// Seconds until a killed program is healthy: it is started anew after 30 s at most.
const BACK: u64 = 150;

/// Kills each of them so often: in one round one after the other, in the next both at once. After each round CRI answers,
/// and the pod that was being started meanwhile has run.
pub fn rounds(segment: &Segment, running: &Running, steady: &Steady) -> Result<()> {
    let kubectl = &segment.kubectl;
    kubectl.apply(&killer(&steady.node, &steady.image.tag))?;
    kubectl.wait("pod/kills", "condition=Ready", within(180))?;
    let killer = kubectl.pod_address("kills")?;
    let kill = |programs: &[&str]| kill(segment, running, killer, programs);
    for round in 0..ROUNDS {
        let short = format!("in-flight-{round}");
        steady.short(&short)?;
        if round % 2 == 0 {
            kill(&["kubelet"])?;
            kill(&["containerd"])?;
        } else {
            kill(&["kubelet", "containerd"])?;
        }
        kubectl.wait(&format!("pod/{short}"), "jsonpath={.status.phase}=Succeeded", within(240))?;
        let exec = ["exec", "ticks", "--", "/bin/true"];
        kubectl.until("answer of CRI", within(60), |kubectl| kubectl.run(&exec).map(Some))?;
        steady.untouched().with_context(|| format!("after round {round}"))?;
    }
    let all: Vec<String> = (0..ROUNDS).map(|round| format!("in-flight-{round}")).collect();
    let mut words = vec!["delete", "pod", "kills"];
    words.extend(all.iter().map(String::as_str));
    kubectl.run_within(&words, within(180))?;
    Ok(())
}

/// Kills these programs of the node, and waits until they are healthy again. The order goes to the pod over the pods'
/// network: `kubectl exec` would be carried by what is killed.
fn kill(segment: &Segment, running: &Running, killer: IpAddr, programs: &[&str]) -> Result<()> {
    let pids = programs.iter().map(|program| pid(running, program)).collect::<Result<Vec<_>>>()?;
    let mark = running.mark();
    let said = segment.page(&format!("http://{killer}:8080/cgi-bin/kill?{}", pids.join("+")))?;
    ensure!(said.trim() == "killed", "{said}");
    for wanted in ["exited", "healthy"] {
        for program in programs {
            running.wait_service_since(mark, program, wanted, within(BACK))?;
        }
    }
    Ok(())
}

/// The program's process, as the node said when it started it last.
pub fn pid(running: &Running, program: &str) -> Result<String> {
    let pids = running.feed().collect(Mark::default(), |happening| match happening.event() {
        Some(Event::Service { name, what, pid: Some(pid) }) if name == program && what == "started" => Some(*pid),
        _ => None,
    });
    Ok(pids.last().with_context(|| format!("no start of {program}"))?.to_string())
}

/// A pod that sees the node's processes, and kills those that a page of it is asked for.
fn killer(node: &str, image: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: kills}}
spec:
  nodeName: {node}
  hostPID: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: it
    image: {image}
    command:
    - /bin/sh
    - -ec
    - |
      mkdir -p /tmp/www/cgi-bin
      printf '%s\n' '#!/bin/sh' 'kill -9 $(echo $QUERY_STRING | tr + " ")' 'printf "\n\nkilled\n"' >/tmp/www/cgi-bin/kill
      chmod +x /tmp/www/cgi-bin/kill
      exec httpd -f -p 8080 -h /tmp/www
    readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}
    securityContext: {{privileged: true}}
"#
    )
}
