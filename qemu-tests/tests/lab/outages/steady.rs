//! Pods that go on: what an outage must not touch, and the load that there is meanwhile.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use orlop_machine::lab::{LayerFile, Pushed, cni};
use orlop_machine::within;
use serde_json::Value;

use crate::segment::Segment;

/// The repository of their image, which nobody else pulls.
pub const REPOSITORY: &str = "steady";
/// One counts seconds and serves them, one keeps a processor half busy, one writes its log all the time.
const PODS: [(&str, &str); 3] = [
    (
        "ticks",
        "mkdir -p /tmp/www; i=0; while :; do i=$((i + 1)); echo $i >/tmp/now; mv /tmp/now /tmp/www/ticks; sleep 1; done & \
         exec httpd -f -p 8080 -h /tmp/www",
    ),
    ("burns", "while :; do for i in $(seq 20); do md5sum /bin/busybox; done >/dev/null; sleep 1; done"),
    ("talks", "while :; do seq 1 500; sleep 1; done"),
];

/// The pods, all of them on one node.
pub struct Steady {
    segment: &'static Segment,
    pub image: Pushed,
    pub node: String,
    address: IpAddr,
    containers: Vec<Container>,
}

/// What must stay as it is.
#[derive(Debug, PartialEq, Eq)]
struct Container {
    pod: String,
    id: String,
    restarts: u64,
}

impl Steady {
    /// Starts them, and waits until all run.
    pub fn start(segment: &'static Segment, node: &str) -> Result<Steady> {
        let mut image = cni::busybox(&segment.lab)?;
        image.files.push(LayerFile::File("/steady".into(), 0o644, Vec::new()));
        let image = segment.registry.push(&segment.lab, &format!("{REPOSITORY}:1"), &image)?;
        let kubectl = &segment.kubectl;
        for (name, script) in PODS {
            kubectl.apply(&pod(name, node, &image, &["/bin/sh", "-c", script], "Always"))?;
        }
        for (name, _) in PODS {
            kubectl.wait(&format!("pod/{name}"), "condition=Ready", within(240))?;
        }
        let address = kubectl.pod_address("ticks")?;
        let mut steady = Steady { segment, image, node: node.into(), address, containers: Vec::new() };
        steady.containers = steady.look()?;
        Ok(steady)
    }

    fn look(&self) -> Result<Vec<Container>> {
        let one = |(name, _): &(&str, &str)| {
            let pod = self.segment.kubectl.get(&["pod", name])?;
            let status = &pod["status"]["containerStatuses"][0];
            let id = status["containerID"].as_str().with_context(|| format!("no container of {name}: {status}"))?;
            let restarts = status["restartCount"].as_u64().context("a count")?;
            Ok(Container { pod: pod["metadata"]["uid"].to_string(), id: id.into(), restarts })
        };
        PODS.iter().map(one).collect()
    }

    /// None was restarted: the same pods, the same containers.
    pub fn untouched(&self) -> Result<()> {
        let now = self.look()?;
        ensure!(now == self.containers, "pods were restarted: {now:?}, and before: {:?}", self.containers);
        ensure!(now.iter().all(|container| container.restarts == 0), "{now:?}");
        Ok(())
    }

    /// Waits until all run again in new containers of the same pods.
    pub fn restarted_once(&self) -> Result<()> {
        for (name, _) in PODS {
            self.segment.kubectl.watch_one("pods", name, within(240), |pod| {
                let status = &pod["status"]["containerStatuses"][0];
                (status["restartCount"] == 1 && status["ready"] == true).then_some(())
            })?;
        }
        let now = self.look()?;
        let same = |(now, before): (&Container, &Container)| now.pod == before.pod && now.id != before.id;
        ensure!(now.iter().zip(&self.containers).all(same), "{now:?}, and before: {:?}", self.containers);
        Ok(())
    }

    /// How many seconds the pod has counted, asked over the pods' network: without API server and kubelet.
    pub fn ticks(&self) -> Result<u64> {
        Ok(self.segment.page(&format!("http://{}:8080/ticks", self.address))?.trim().parse()?)
    }

    /// A pod that runs something to its end, on the same node.
    pub fn short(&self, name: &str) -> Result<()> {
        self.segment.kubectl.apply(&pod(name, &self.node, &self.image, &["/bin/true"], "OnFailure"))?;
        Ok(())
    }

    /// Takes them away, in good order.
    pub fn stop(&self) -> Result<()> {
        let names = PODS.map(|(name, _)| name);
        self.segment.kubectl.run_within(&[&["delete", "pod"], &names[..]].concat(), within(180))?;
        Ok(())
    }
}

fn pod(name: &str, node: &str, image: &Pushed, command: &[&str], restart: &str) -> String {
    let container = serde_json::json!({"name": "it", "image": image.tag, "command": command});
    let spec = serde_json::json!({
        "nodeName": node,
        "terminationGracePeriodSeconds": 1,
        "restartPolicy": restart,
        "containers": [container],
    });
    let pod: Value = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    pod.to_string()
}
