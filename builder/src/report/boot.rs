//! What a machine said of its boot: the document of `orlop run --json`, or the node's own `/run/orlop/boot.json`.

use std::collections::BTreeMap;

use orlop_machine::Event;
use serde::Deserialize;
use serde_json::Value;

use crate::inventory::ImageFacts;

/// No boot report is longer: init keeps 200 events.
pub const MOST: u64 = 4 << 20;

/// A boot, as its machine told it. Times are milliseconds since the kernel started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// The image that was booted, as it names itself; `None` where the machine ended before it did.
    pub image: Option<Booted>,
    /// The root hash of the image that was booted, hex; `None` where the document does not say which build it is of.
    pub root_hash: Option<String>,
    /// How far the chain of trust reached: `root-hash`, `secure-boot`, `secure-boot+ipe`.
    pub trust: Option<String>,
    /// How the machine ran (`KVM`, `TCG`), where that is known.
    pub accelerator: Option<String>,
    /// The phases, in the order in which they ended.
    pub phases: Vec<Moment>,
    /// What else was reached: a healthy kubelet, running pods. The earliest first.
    pub reached: Vec<Moment>,
    /// The refusal, or the first thing that went wrong.
    pub trouble: Option<String>,
}

/// The image of a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booted {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Something that was reached at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// What.
    pub name: String,
    /// When.
    pub ms: u64,
}

/// Why a document says nothing of a boot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// Not JSON, or not in this shape.
    #[error("no boot report: {0}; `orlop run IMAGE --until healthy --json` prints one")]
    Broken(String),
    /// Another document.
    #[error(
        "no boot report: it has neither `accelerator`, as the document of `orlop run --json`, nor `events`, as a node's \
         /run/orlop/boot.json"
    )]
    Unknown,
    /// The boot of another image.
    #[error("it tells of a boot of {booted}, and the image is {image}; boot this one")]
    Other {
        /// What was booted.
        booted: String,
        /// What it was to be.
        image: String,
    },
}

/// The document of `orlop run --json`. What it has beside this is not about the boot.
#[derive(Deserialize)]
struct Run {
    name: Option<String>,
    version: Option<String>,
    root_hash: Option<String>,
    accelerator: String,
    trust: Option<String>,
    phases: Vec<Phase>,
    healthy_ms: Option<u64>,
    ready_ms: Option<u64>,
    joined_ms: Option<u64>,
    pods: BTreeMap<String, Pod>,
    refused: Option<Refused>,
}

/// `/run/orlop/boot.json` (docs/node.md). A newer init may say more.
#[derive(Deserialize)]
struct Node {
    image: Option<String>,
    image_version: Option<String>,
    root_hash: Option<String>,
    trust: Option<String>,
    phases: Vec<Phase>,
    events: Vec<Event>,
    first_error: Option<String>,
}

#[derive(Deserialize)]
struct Phase {
    name: String,
    ms: u64,
}

#[derive(Deserialize)]
struct Pod {
    state: String,
    ms: u64,
}

#[derive(Deserialize)]
struct Refused {
    stage: String,
    reason: String,
}

/// Reads a document of either kind, of [`MOST`] bytes at most.
pub fn parse(document: &[u8]) -> Result<Boot, BootError> {
    let broken = |error: serde_json::Error| BootError::Broken(error.to_string());
    let document: Value = serde_json::from_slice(document).map_err(broken)?;
    if document.get("events").is_some() {
        Ok(of_node(serde_json::from_value(document).map_err(broken)?))
    } else if document.get("accelerator").is_some() {
        Ok(of_run(serde_json::from_value(document).map_err(broken)?))
    } else {
        Err(BootError::Unknown)
    }
}

fn of_run(run: Run) -> Boot {
    let reached = [("kubelet healthy", run.healthy_ms), ("ready", run.ready_ms), ("joined", run.joined_ms)];
    let reached = reached.into_iter().filter_map(|(name, ms)| Some(moment(name, ms?)));
    let pods = run.pods.iter().map(|(name, pod)| moment(&format!("pod {name} {}", pod.state), pod.ms));
    Boot {
        image: run.name.zip(run.version).map(Booted::new),
        root_hash: run.root_hash,
        trust: run.trust,
        accelerator: Some(run.accelerator),
        phases: phases(run.phases),
        reached: sorted(reached.chain(pods).collect()),
        trouble: run.refused.map(|refused| refusal(&refused.stage, &refused.reason)),
    }
}

fn of_node(node: Node) -> Boot {
    let reached = node.events.iter().filter_map(|event| match event {
        Event::Healthy { ms } => Some(moment("kubelet healthy", *ms)),
        Event::Ready { ms } => Some(moment("ready", *ms)),
        Event::Joined { node, ms } => Some(moment(&format!("joined as {node}"), *ms)),
        Event::Pod { name, state, ms } => Some(moment(&format!("pod {name} {state}"), *ms)),
        _ => None,
    });
    let refused = node.events.iter().find_map(|event| match event {
        Event::Refused { stage, reason } => Some(refusal(stage, reason)),
        _ => None,
    });
    Boot {
        reached: sorted(reached.collect()),
        image: node.image.zip(node.image_version).map(Booted::new),
        root_hash: node.root_hash,
        trust: node.trust,
        accelerator: None,
        phases: phases(node.phases),
        trouble: refused.or(node.first_error),
    }
}

fn refusal(stage: &str, reason: &str) -> String {
    format!("refused stage={stage} reason={reason}")
}

fn moment(name: &str, ms: u64) -> Moment {
    Moment { name: name.into(), ms }
}

fn phases(phases: Vec<Phase>) -> Vec<Moment> {
    sorted(phases.into_iter().map(|Phase { name, ms }| Moment { name, ms }).collect())
}

/// By time; of one time, in the document's order.
fn sorted(mut moments: Vec<Moment>) -> Vec<Moment> {
    moments.sort_by_key(|moment| moment.ms);
    moments
}

impl Booted {
    fn new((name, version): (String, String)) -> Booted {
        Booted { name, version }
    }
}

impl Boot {
    /// Checks that it is this image that was booted, as far as the document tells: by its name, and by its root hash, which
    /// a machine's document has before the image could say its name.
    pub fn check(&self, image: &ImageFacts) -> Result<(), BootError> {
        let is_named = |booted: &Booted| booted.name == image.name && booted.version == image.version;
        if self.image.as_ref().is_none_or(is_named)
            && self.root_hash.as_ref().is_none_or(|hash| *hash == image.root_hash)
        {
            return Ok(());
        }
        let of = |named: String, hash: Option<&str>| match hash {
            Some(hash) => format!("{named} with the root hash {hash}"),
            None => named,
        };
        let booted = self.image.as_ref();
        let booted = booted.map_or("an image".into(), |booted| format!("{} {}", booted.name, booted.version));
        let hash = self.root_hash.as_deref();
        Err(BootError::Other {
            booted: of(booted, hash),
            image: of(format!("{} {}", image.name, image.version), hash.map(|_| &*image.root_hash)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::sample::inventory;

    /// As `orlop run --json` prints it.
    const RUN: &str = r#"{"image": "out/sample.raw", "name": "sample", "version": "1.2.3", "class": "public",
        "development": true, "boot": "firmware", "accelerator": "TCG", "outcome": "healthy", "trust": "root-hash",
        "phases": [{"name": "root", "ms": 1204}, {"name": "state", "ms": 2100}], "healthy_ms": 9400, "ready_ms": 9300,
        "joined_ms": null, "pods": {"hello": {"state": "running", "ms": 9900}}, "refused": null, "serial_log": null}"#;

    /// As a node writes it.
    const NODE: &str = r#"{"image": "sample", "image_version": "1.2.3", "class": "public", "development": true,
        "root_hash": "HASH", "trust": "secure-boot+ipe", "disk": "vda", "appended": null, "first_boot": true,
        "phases": [{"name": "root", "ms": 1204}],
        "events": [{"event": "trust", "rung": "secure-boot+ipe"}, {"event": "healthy", "ms": 9400},
            {"event": "service", "name": "kubelet", "what": "exited", "status": 9}, {"event": "of tomorrow", "x": 1},
            {"event": "pod", "name": "hello", "state": "running", "ms": 9000}],
        "events_left_out": 0, "first_error": "kubelet: late"}"#;

    fn reached(boot: &Boot) -> Vec<(&str, u64)> {
        boot.reached.iter().map(|moment| (&*moment.name, moment.ms)).collect()
    }

    #[test]
    fn both_documents_are_read() {
        let run = parse(RUN.as_bytes()).unwrap();
        assert_eq!(run.phases.iter().map(|phase| phase.ms).collect::<Vec<_>>(), [1204, 2100]);
        assert_eq!(reached(&run), [("ready", 9300), ("kubelet healthy", 9400), ("pod hello running", 9900)]);
        assert_eq!((run.trust.as_deref(), run.accelerator.as_deref()), (Some("root-hash"), Some("TCG")));
        assert_eq!(run.trouble, None);
        let node = parse(NODE.as_bytes()).unwrap();
        assert_eq!(reached(&node), [("pod hello running", 9000), ("kubelet healthy", 9400)]);
        assert_eq!((node.trust.as_deref(), node.trouble.as_deref()), (Some("secure-boot+ipe"), Some("kubelet: late")));
    }

    #[test]
    fn what_is_no_boot_report_is_an_error() {
        for (text, says) in [
            ("", "no boot report: EOF"),
            ("[]", "neither `accelerator`"),
            ("{\"phases\": []}", "nor `events`"),
            ("{\"accelerator\": 1}", "invalid type: integer `1`"),
            ("{\"events\": [{\"event\": \"healthy\"}], \"phases\": []}", "missing field `ms`"),
            ("{\"events\": [], \"phases\": [{\"name\": \"x\", \"ms\": -1}]}", "invalid value: integer `-1`"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn the_boot_of_another_image_is_an_error() {
        let image = inventory().image;
        assert_eq!(parse(RUN.as_bytes()).unwrap().check(&image), Ok(()));
        let other = parse(RUN.replace("1.2.3", "1.2.4").as_bytes()).unwrap().check(&image).unwrap_err().to_string();
        assert_eq!(other, "it tells of a boot of sample 1.2.4, and the image is sample 1.2.3; boot this one");
        let same = NODE.replace("HASH", &image.root_hash);
        assert_eq!(parse(same.as_bytes()).unwrap().check(&image), Ok(()));
        let other = parse(NODE.as_bytes()).unwrap().check(&image).unwrap_err().to_string();
        assert!(other.contains("sample 1.2.3 with the root hash HASH"), "{other}");
        // Another build has the same name and version; a node that does not know them knows its root.
        let run = |hash: &str| RUN.replace("\"class\"", &format!("\"root_hash\": \"{hash}\", \"class\""));
        assert_eq!(parse(run(&image.root_hash).as_bytes()).unwrap().check(&image), Ok(()));
        let other = parse(run("00").as_bytes()).unwrap().check(&image).unwrap_err().to_string();
        assert!(other.contains("a boot of sample 1.2.3 with the root hash 00"), "{other}");
        let nameless = NODE.replace("\"image\": \"sample\"", "\"image\": null");
        let other = parse(nameless.as_bytes()).unwrap().check(&image).unwrap_err().to_string();
        assert!(other.contains("a boot of an image with the root hash HASH"), "{other}");
        // It ended before it could say what it is.
        let early = r#"{"accelerator": "TCG", "phases": [], "pods": {},
            "refused": {"stage": "disk", "reason": "none"}}"#;
        let early = parse(early.as_bytes()).unwrap();
        assert_eq!((early.check(&image), early.trouble.as_deref()), (Ok(()), Some("refused stage=disk reason=none")));
    }
}
