//! kubectl as a process in the lab's network: the client that tests ask the cluster by.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::service::{finish, succeeded};
use super::{Lab, Namespace};
use crate::{Error, Result, until};

/// How long one call may take that waits for nothing.
const LIMIT: Duration = Duration::from_secs(60);

/// A client with a kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    namespace: Namespace,
    /// Its kubeconfig.
    pub kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kubectl {
    /// A client with this kubeconfig.
    pub fn new(lab: &Lab, kubeconfig: &Path) -> Result<Kubectl> {
        Ok(Kubectl {
            program: lab.tools.program("kubectl")?,
            namespace: lab.namespace.clone(),
            kubeconfig: kubeconfig.to_owned(),
            cache: lab.folder.join("kubectl"),
        })
    }

    /// The command, for whoever talks to it while it runs (`get --watch`, `port-forward`).
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.namespace.command(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(&self.cache);
        command.args(arguments).env_remove("KUBECONFIG");
        command
    }

    /// Runs it to its end; what it wrote.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_within(arguments, LIMIT)
    }

    /// The same with a deadline of its own.
    pub fn run_within(&self, arguments: &[&str], limit: Duration) -> Result<String> {
        let name = format!("kubectl {}", arguments.join(" "));
        succeeded(&name, finish(self.command(arguments), None, limit)?)
    }

    /// Runs it with something to read.
    pub fn feed(&self, arguments: &[&str], input: &str) -> Result<String> {
        let name = format!("kubectl {}", arguments.join(" "));
        succeeded(&name, finish(self.command(arguments), Some(input.as_bytes()), LIMIT)?)
    }

    /// Creates or changes objects, YAML or JSON.
    pub fn apply(&self, objects: &str) -> Result<()> {
        self.feed(&["apply", "-f", "-"], objects).map(drop)
    }

    /// Objects as JSON: `get(&["node", "one"])`.
    pub fn get(&self, what: &[&str]) -> Result<Value> {
        let text = self.run(&[&["get", "-o", "json"], what].concat())?;
        serde_json::from_str(&text).map_err(|error| Error::Lab(format!("kubectl get {what:?}: {error}: {text}")))
    }

    /// Waits for a condition of an object that exists or is made meanwhile: `wait("node/one", "condition=Ready", …)`.
    pub fn wait(&self, object: &str, condition: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        // Since 1.31 kubectl waits for what does not exist yet only when told to wait for its creation.
        for condition in ["create", condition] {
            let left = deadline.saturating_duration_since(Instant::now()).as_secs().max(1);
            let (wanted, timeout) = (format!("--for={condition}"), format!("--timeout={left}s"));
            let words = ["wait", object, &wanted, &timeout];
            let waited = self.run_within(&words, Duration::from_secs(left) + LIMIT);
            waited.map_err(|error| {
                let seen = self.run(&["describe", object]).unwrap_or_default();
                Error::Lab(format!("{object} has no {condition} within {} s: {error}\n{seen}", limit.as_secs()))
            })?;
        }
        Ok(())
    }

    /// Asks again and again until `ask` has an answer, for what is no state of an object: what a pod, a kubelet or a
    /// server of the lab says. Objects are awaited by [`Kubectl::wait`] and [`Kubectl::watch_one`].
    pub fn until<R>(
        &self,
        awaited: &str,
        limit: Duration,
        mut ask: impl FnMut(&Kubectl) -> Result<Option<R>>,
    ) -> Result<R> {
        until(awaited, limit, || ask(self))
    }
}
