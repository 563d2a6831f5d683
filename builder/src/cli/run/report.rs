//! The boot report: what a machine said of its boot, for people line by line, for programs as one document.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use orlop_machine::{Event, Running};
use serde::Serialize;

use super::{RunArgs, Until};
use crate::sources::Report;

/// The boot report, as the verb's JSON document.
#[derive(Debug, Default, Serialize)]
pub struct BootReport {
    image: PathBuf,
    /// What the image says of itself once its init runs; absent before.
    #[serde(flatten)]
    identity: Option<Identity>,
    /// The root hash of the image that was given, hex: which build of that name and version it is. `None` where the image
    /// does not tell.
    pub root_hash: Option<String>,
    boot: &'static str,
    accelerator: &'static str,
    /// What happened in the end, in words.
    pub outcome: String,
    /// How far the chain of trust reached.
    trust: Option<String>,
    phases: Vec<Phase>,
    healthy_ms: Option<u64>,
    ready_ms: Option<u64>,
    joined_ms: Option<u64>,
    pods: BTreeMap<String, Pod>,
    refused: Option<Refused>,
    serial_log: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Identity {
    name: String,
    version: String,
    class: String,
    development: bool,
}

#[derive(Debug, Serialize)]
struct Phase {
    name: String,
    ms: u64,
}

#[derive(Debug, Serialize)]
struct Pod {
    state: String,
    ms: u64,
}

#[derive(Debug, Serialize)]
struct Refused {
    stage: String,
    reason: String,
}

impl BootReport {
    /// Nothing has happened yet.
    pub fn new(args: &RunArgs, running: &Running) -> BootReport {
        BootReport {
            image: args.image.clone(),
            boot: if args.direct { "direct" } else { "firmware" },
            accelerator: running.accelerator().name(),
            serial_log: args.serial_log.clone(),
            ..BootReport::default()
        }
    }

    /// Takes an event in. Each comes by two channels, the console and the report port: the second time it is
    /// known already.
    pub fn take(&mut self, event: &Event, progress: &dyn Report) {
        let row = |name: &str, ms: u64, note: &str| progress.end(name, note, Duration::from_millis(ms));
        match event {
            Event::Phase { name, ms } if !self.phases.iter().any(|phase| phase.name == *name && phase.ms == *ms) => {
                let since = self.phases.last().map_or(0, |phase| phase.ms);
                row(name, *ms, &format!("+{:.2}", ms.saturating_sub(since) as f64 / 1000.0));
                self.phases.push(Phase { name: name.clone(), ms: *ms });
            }
            Event::Trust { rung } if self.trust.is_none() => {
                progress.note(&format!("trust: {rung}"));
                self.trust = Some(rung.clone());
            }
            Event::Healthy { ms } if self.healthy_ms.is_none() => {
                row("kubelet healthy", *ms, "");
                self.healthy_ms = Some(*ms);
            }
            Event::Ready { ms } if self.ready_ms.is_none() => {
                row("ready", *ms, "");
                self.ready_ms = Some(*ms);
            }
            Event::Joined { node, ms } if self.joined_ms.is_none() => {
                row(&format!("joined as {node}"), *ms, "");
                self.joined_ms = Some(*ms);
            }
            Event::Pod { name, state, ms } if self.pods.get(name).is_none_or(|pod| pod.state != *state) => {
                row(&format!("pod {name} {state}"), *ms, "");
                self.pods.insert(name.clone(), Pod { state: state.clone(), ms: *ms });
            }
            Event::Refused { stage, reason } => {
                self.refused = Some(Refused { stage: stage.clone(), reason: reason.clone() });
            }
            Event::Note { about, text } if about == "image" && self.identity.is_none() => {
                self.identity = Identity::parse(text);
            }
            _ => {}
        }
    }

    /// Whether what is awaited has happened.
    pub fn reached(&self, until: &Until, gone: bool) -> bool {
        match until {
            Until::Healthy => self.healthy_ms.is_some(),
            Until::Pod(name) => self.pods.get(name).is_some_and(|pod| pod.state == "running"),
            Until::Poweroff => gone && self.refused.is_none(),
        }
    }

    /// One line for people.
    pub fn verdict(&self) -> String {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let healthy = self.healthy_ms.map(|ms| format!("kubelet is healthy after {:.1} s", seconds(ms)));
        let running = self.pods.iter().filter(|(_, pod)| pod.state == "running");
        let pods = running.map(|(name, pod)| format!("pod {name} runs after {:.1} s", seconds(pod.ms)));
        let parts: Vec<String> = healthy.into_iter().chain(pods).collect();
        let parts = parts.into_iter().chain(self.trust.as_ref().map(|rung| format!("trust {rung}")));
        let text = parts.collect::<Vec<_>>().join(", ");
        if text.is_empty() { "the machine has ended".into() } else { text }
    }
}

impl Identity {
    /// `standalone 0.1.0 class=public (development keys)`.
    fn parse(text: &str) -> Option<Identity> {
        let (text, development) = match text.strip_suffix(" (development keys)") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (named, class) = text.split_once(" class=")?;
        let (name, version) = named.split_once(' ')?;
        Some(Identity { name: name.into(), version: version.into(), class: class.into(), development })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Silent;

    #[test]
    fn an_event_that_comes_twice_counts_once() {
        let mut report = BootReport::default();
        let phase = Event::Phase { name: "state".into(), ms: 5000 };
        let pod = Event::Pod { name: "hello".into(), state: "running".into(), ms: 9000 };
        for event in [&phase, &pod, &phase, &pod, &Event::Healthy { ms: 8000 }] {
            report.take(event, &Silent);
        }
        assert_eq!(report.phases.len(), 1);
        assert!(report.reached(&Until::Pod("hello".into()), false) && report.reached(&Until::Healthy, false));
        assert!(!report.reached(&Until::Pod("other".into()), false));
        assert_eq!(report.verdict(), "kubelet is healthy after 8.0 s, pod hello runs after 9.0 s");
        report.take(&Event::Trust { rung: "root-hash".into() }, &Silent);
        assert!(report.verdict().ends_with(", trust root-hash"), "{}", report.verdict());
    }

    #[test]
    fn recorded_lines_become_the_document() {
        let mut report = BootReport::default();
        for line in [
            "[    1.204] orlop: phase=root ms=1204",
            "orlop: image: standalone 0.1.0 class=public (development keys)\r",
            "orlop: kubelet healthy ms=9400",
        ] {
            report.take(&Event::of_console_line(line).unwrap(), &Silent);
        }
        for line in [
            r#"{"event":"note","about":"image","text":"another 9 class=other"}"#,
            r#"{"event":"phase","name":"root","ms":1204}"#,
            r#"{"event":"pod","name":"hello","state":"running","ms":9000}"#,
        ] {
            report.take(&Event::of_report_line(line).unwrap(), &Silent);
        }
        let document = serde_json::to_value(&report).unwrap();
        let said = |key: &str| document[key].clone();
        assert_eq!(
            ["name", "version", "class", "development"].map(said),
            ["standalone".into(), "0.1.0".into(), "public".into(), serde_json::json!(true)]
        );
        assert_eq!(document["phases"], serde_json::json!([{ "name": "root", "ms": 1204 }]));
        assert_eq!((&document["healthy_ms"], &document["pods"]["hello"]["ms"]), (&9400.into(), &9000.into()));
    }

    #[test]
    fn an_image_without_the_mark_has_no_development_keys() {
        let released = Identity::parse("node 1.2.0 class=confidential x").unwrap();
        assert_eq!((released.class.as_str(), released.development), ("confidential x", false));
        assert_eq!(Identity::parse("standalone 0.1.0"), None);
        assert_eq!(Identity::parse("standalone class=public"), None);
    }

    #[test]
    fn a_refused_boot_is_no_power_off() {
        let mut report = BootReport::default();
        assert!(report.reached(&Until::Poweroff, true) && !report.reached(&Until::Poweroff, false));
        report.take(&Event::Refused { stage: "disk".into(), reason: "none".into() }, &Silent);
        assert!(!report.reached(&Until::Poweroff, true));
    }
}
