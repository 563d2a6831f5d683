//! The conversation with the probe pod (`node/probe`): what it reads on the node, what it does for a test.

use anyhow::{Context, Result, ensure};
use orlop_machine::feed::Mark;
use orlop_machine::{Machine, within};
use serde_json::{Value, json};

use crate::bench::{Booted, HEALTHY, boot};

/// The pod's port.
pub const PORT: &str = "orlop.probe";

/// A machine with the probe pod in it.
pub struct Probed(pub Booted);

impl Probed {
    /// Boots a machine with the probe image's disk and waits until the pod has told everything once.
    pub fn boot(machine: Machine) -> Result<Probed> {
        let machine = boot(&machine.port(PORT))?;
        machine.healthy_with_pod("probe")?;
        let probed = Probed(machine);
        probed.topic_since(Mark::default(), "end")?;
        Ok(probed)
    }

    /// What the pod tells about a topic now.
    pub fn topic(&self, topic: &str) -> Result<Value> {
        let mark = self.0.mark();
        self.0.write_port(PORT, &json!({ "do": "report" }).to_string())?;
        let value = self.topic_since(mark, topic)?;
        self.topic_since(mark, "end")?;
        Ok(value)
    }

    fn topic_since(&self, mark: Mark, topic: &str) -> Result<Value> {
        self.line(mark, &format!("topic {topic}"), |line| line["topic"] == topic).map(|mut line| line["value"].take())
    }

    /// Has the pod do something, and gives its answer.
    pub fn ask(&self, command: Value) -> Result<Value> {
        let answer = self.ask_for_any(&command)?;
        ensure!(answer["ok"] == true, "{command}: {answer}");
        Ok(answer)
    }

    /// The same, whether it succeeds or not.
    pub fn ask_for_any(&self, command: &Value) -> Result<Value> {
        let mark = self.0.mark();
        self.0.write_port(PORT, &command.to_string())?;
        self.line(mark, &format!("reply to {command}"), |line| line["reply"] == command["do"])
    }

    /// Gives the pod a command that is to end the machine, or that comes after one: the answer is not awaited, and the
    /// machine may be gone already.
    pub fn tell(&self, command: &Value) {
        let _ = self.0.write_port(PORT, &command.to_string());
    }

    /// Has the machine read the root's blocks anew from its disk. Whoever reads an altered one first, a running program or
    /// the pod, ends the machine.
    pub fn read_the_root_anew(&self) {
        self.tell(&json!({ "do": "drop-caches" }));
        self.read_the_root();
    }

    /// Has the pod read all of the root's device. Not files: what a process has mapped stays in memory.
    pub fn read_the_root(&self) {
        self.tell(&json!({ "do": "read", "path": "/host/dev/dm-0" }));
    }

    /// The one process of this name.
    pub fn pid(&self, comm: &str) -> Result<i64> {
        let answer = self.ask(json!({ "do": "pids", "comm": comm }))?;
        let pids: Vec<i64> = answer["pids"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        ensure!(pids.len() == 1, "{comm} has the processes {pids:?}");
        Ok(pids[0])
    }

    fn line(&self, mark: Mark, awaited: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let found = self.0.wait_since(mark, awaited, within(HEALTHY), |happening| {
            let line: Value = serde_json::from_str(happening.port(PORT)?).ok()?;
            wanted(&line).then_some(line)
        });
        found.with_context(|| format!("the probe pod's {awaited}"))
    }
}
