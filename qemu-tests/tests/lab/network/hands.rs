//! A pod that can do on the node what root can, and listens in the host's network; and a pod of the cluster's own network.

use orlop_machine::{Result, within};

use super::Target;

/// Where the pod in the host's network listens.
const LISTENS: [u16; 4] = [8080, 8443, 9100, 30999];
/// The NodePort of the Service before the pod of the cluster's own network.
pub const NODE_PORT: u16 = 30080;

pub struct Hands<'g> {
    target: &'g Target,
}

impl<'g> Hands<'g> {
    pub fn start(target: &'g Target) -> Result<Hands<'g>> {
        let (image, name) = (&target.segment.busybox.digest, target.name);
        let kubectl = &target.segment.kubectl;
        let ports = LISTENS.map(|port| port.to_string()).join(" ");
        kubectl.apply(&format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: hands}}
spec:
  nodeName: {name}
  hostNetwork: true
  hostPID: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: hands
    image: {image}
    command: [/bin/sh, -ec, "mkdir -p /tmp/www; for port in {ports}; do httpd -p $port -h /tmp/www; done; exec sleep 1000000"]
    securityContext: {{privileged: true}}
    readinessProbe: {{tcpSocket: {{port: 30999, host: 127.0.0.1}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Pod
metadata: {{name: inside, labels: {{app: inside}}}}
spec:
  nodeName: {name}
  terminationGracePeriodSeconds: 1
  containers:
  - name: inside
    image: {image}
    command: [/bin/sh, -ec, "mkdir -p /tmp/www; echo inside >/tmp/www/index.html; exec httpd -f -p 8000 -h /tmp/www"]
    readinessProbe: {{tcpSocket: {{port: 8000}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: inside}}
spec:
  type: NodePort
  selector: {{app: inside}}
  ports: [{{port: 80, targetPort: 8000, nodePort: {NODE_PORT}}}]
"#
        ))?;
        for pod in ["pod/hands", "pod/inside"] {
            kubectl.wait(pod, "condition=Ready", within(180))?;
        }
        Ok(Hands { target })
    }

    /// Takes the pods and the Service away.
    pub fn stop(self) -> anyhow::Result<()> {
        let words = ["delete", "pod/hands", "pod/inside", "service/inside"];
        self.target.segment.kubectl.run_within(&words, within(120))?;
        Ok(())
    }

    /// Runs a line of shell in the host's network and among its processes; what it wrote.
    #[cfg(feature = "slow")]
    pub fn run(&self, line: &str) -> Result<String> {
        self.target.segment.kubectl.run(&["exec", "hands", "--", "/bin/sh", "-c", line])
    }

    /// The same in the pods' network.
    #[cfg(feature = "slow")]
    pub fn run_inside(&self, line: &str) -> Result<String> {
        self.target.segment.kubectl.run(&["exec", "inside", "--", "/bin/sh", "-c", line])
    }
}
