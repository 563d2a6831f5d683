//! Objects of the cluster as they are and as they change: `kubectl get --watch`.

use std::io::BufReader;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Kubectl;
use crate::spawn::Reaped;
use crate::{Error, Result};

/// Between the end of a watch and the next one: the API server is away, or ended the watch at its time.
const AGAIN: Duration = Duration::from_millis(500);

/// An object at a moment.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it was told.
    pub at: Instant,
    /// What it was.
    pub object: Value,
}

/// A watch that runs; its process ends with it.
#[derive(Debug)]
pub struct Watch {
    objects: Receiver<Seen>,
    _child: Reaped,
}

impl Watch {
    /// The next state of an object that matches; `None` when the watch has ended, or at the deadline.
    pub fn next(&self, deadline: Instant) -> Option<Seen> {
        self.objects.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }
}

impl Kubectl {
    /// Watches what `kubectl get` would list: `watch(&["pods", "--selector=app=web"])`. What is there already comes first.
    pub fn watch(&self, what: &[&str]) -> Result<Watch> {
        let mut command = self.command(&[&["get", "--watch", "--output=json"], what].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let failed = |error: std::io::Error| Error::Lab(format!("kubectl get --watch {what:?}: {error}"));
        let mut child = Reaped(command.spawn().map_err(failed)?);
        let stream = child.0.stdout.take().ok_or_else(|| failed(std::io::Error::other("no output")))?;
        let (sender, objects) = channel();
        std::thread::spawn(move || {
            let stream = serde_json::Deserializer::from_reader(BufReader::new(stream)).into_iter::<Value>();
            for object in stream.map_while(Result::ok) {
                if sender.send(Seen { at: Instant::now(), object }).is_err() {
                    return;
                }
            }
        });
        Ok(Watch { objects, _child: child })
    }

    /// Waits until `pick` takes a state of one object, which need not exist yet, for what [`Kubectl::wait`] has no words
    /// for: `watch_one("pods", "web", …)`. An API server that goes away meanwhile is waited for.
    pub fn watch_one<R>(
        &self,
        kind: &str,
        name: &str,
        limit: Duration,
        mut pick: impl FnMut(&Value) -> Option<R>,
    ) -> Result<R> {
        let deadline = Instant::now() + limit;
        let selector = format!("--field-selector=metadata.name={name}");
        let mut last = Value::Null;
        while Instant::now() < deadline {
            let watch = self.watch(&[kind, &selector])?;
            while let Some(seen) = watch.next(deadline) {
                if let Some(found) = pick(&seen.object) {
                    return Ok(found);
                }
                last = seen.object;
            }
            std::thread::sleep(AGAIN.min(deadline.saturating_duration_since(Instant::now())));
        }
        let (status, seconds) = (&last["status"], limit.as_secs_f32());
        Err(Error::Lab(format!("{kind}/{name} is not as awaited within {seconds} s; its last status: {status}")))
    }
}
