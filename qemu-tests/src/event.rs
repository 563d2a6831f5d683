//! The boot report's events. They come twice: as lines on the console, which every machine has, and as JSON
//! from the virtio-serial port `orlop.report`, which needs a module that is loaded later.

use serde::{Deserialize, Serialize};

/// One event of the boot report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A phase is done.
    Phase {
        /// Its name.
        name: String,
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// Kubelet's health check passes.
    Healthy {
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// All phases are done, and no module can be loaded any more.
    Ready {
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// A static pod changed its state.
    Pod {
        /// Its name.
        name: String,
        /// `running`.
        state: String,
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// The boot was refused.
    Refused {
        /// At which stage.
        stage: String,
        /// Why.
        reason: String,
    },
    /// How far the chain of trust reaches.
    Trust {
        /// `root-hash`, `secure-boot`, `secure-boot+ipe`.
        rung: String,
    },
    /// Something happened to a service.
    Service {
        /// Its name.
        name: String,
        /// `started`, `exited`, `healthy`.
        what: String,
        /// Its process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// The node has joined its cluster.
    Joined {
        /// Its name there.
        node: String,
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// The node has not joined its cluster, because a step does not work.
    Join {
        /// The step's name.
        step: String,
        /// Why, and on the console what to do, too.
        reason: String,
    },
    /// A step of the orderly shutdown is done.
    #[serde(rename = "poweroff-phase")]
    Stopped {
        /// Its name.
        phase: String,
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// The node is about to power off; everything is unmounted.
    Poweroff,
    /// Anything else that the report says.
    Note {
        /// What it is about.
        about: String,
        /// What it says.
        text: String,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// What every line of init's begins with; a kernel's time stamp or a firmware's escape may stand before it.
const PREFIX: &str = "orlop: ";

impl Event {
    /// Reads a console line; `None` if it is no event.
    #[must_use]
    pub fn of_console_line(line: &str) -> Option<Event> {
        let text = without_kernel(line.split_once(PREFIX)?.1).trim_end();
        let value = |key: &str| value_of(text, key);
        let ms = || value("ms")?.parse().ok();
        let first = text.split([' ', '=']).next()?;
        match first {
            "phase" => Some(Event::Phase { name: value("phase")?, ms: ms()? }),
            "ready" => Some(Event::Ready { ms: ms()? }),
            "kubelet" if text.starts_with("kubelet healthy ") => Some(Event::Healthy { ms: ms()? }),
            "pod" => Some(Event::Pod { name: value("pod")?, state: value("state")?, ms: ms()? }),
            "trust" => Some(Event::Trust { rung: value("rung")? }),
            "refused" => Some(Event::Refused { stage: value("stage")?, reason: rest_of(text, "reason=")? }),
            "service" => Some(Event::Service {
                name: value("service")?,
                what: value("event")?,
                pid: value("pid").and_then(|pid| pid.parse().ok()),
            }),
            "joined" => Some(Event::Joined { node: value("node")?, ms: ms()? }),
            "join" if text.starts_with("join step=") => {
                Some(Event::Join { step: value("step")?, reason: rest_of(text, "reason=")? })
            }
            "poweroff" if text == "poweroff" => Some(Event::Poweroff),
            "poweroff" => Some(Event::Stopped { phase: value("phase")?, ms: ms()? }),
            _ => note(text),
        }
    }

    /// Reads a line of the report port.
    #[must_use]
    pub fn of_report_line(line: &str) -> Option<Event> {
        serde_json::from_str(line).ok()
    }
}

/// The kernel writes to the same console whenever it likes: its line (`[    5.301000] …`) may begin where
/// init's has not ended yet.
fn without_kernel(text: &str) -> &str {
    let stamps = text.match_indices('[').find(|(at, _)| {
        let stamp = text[at + 1..].split_once(']').map_or("", |(stamp, _)| stamp.trim_start());
        stamp.contains('.') && stamp.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    stamps.map_or(text, |(at, _)| &text[..at])
}

fn note(text: &str) -> Option<Event> {
    let (about, text) = text.split_once(": ").filter(|(about, _)| !about.contains(' '))?;
    Some(Event::Note { about: about.to_owned(), text: text.to_owned() })
}

fn value_of(text: &str, key: &str) -> Option<String> {
    let mut words = text.split(' ').filter_map(|word| word.split_once('='));
    words.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
}

fn rest_of(text: &str, marker: &str) -> Option<String> {
    text.split_once(marker).map(|(_, rest)| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn console_lines_become_events() {
        let read = Event::of_console_line;
        let phase = Event::Phase { name: "state".into(), ms: 5301 };
        assert_eq!(read("orlop: phase=state ms=5301"), Some(phase.clone()));
        assert_eq!(read("[    5.301] orlop: phase=state ms=5301\r"), Some(phase));
        assert_eq!(read("orlop: kubelet healthy ms=9400"), Some(Event::Healthy { ms: 9400 }));
        assert_eq!(read("orlop: ready ms=9500"), Some(Event::Ready { ms: 9500 }));
        let pod = Event::Pod { name: "hello".into(), state: "running".into(), ms: 1 };
        assert_eq!(read("orlop: pod=hello state=running ms=1"), Some(pod));
        assert_eq!(read("orlop: trust rung=root-hash"), Some(Event::Trust { rung: "root-hash".into() }));
        let reason = "block 7 of /dev/vda2 says stage=none";
        let refused = Event::Refused { stage: "verity".into(), reason: reason.into() };
        assert_eq!(read(&format!("orlop: refused stage=verity reason={reason}")), Some(refused));
        let service = Event::Service { name: "kubelet".into(), what: "exited".into(), pid: Some(77) };
        assert_eq!(read("orlop: service=kubelet event=exited status=9 pid=77"), Some(service));
        assert_eq!(read("orlop: joined node=one ms=7"), Some(Event::Joined { node: "one".into(), ms: 7 }));
        let join = Event::Join { step: "token".into(), reason: "Unauthorized; give another".into() };
        assert_eq!(read("orlop: join step=token reason=Unauthorized; give another"), Some(join));
        assert_eq!(read("orlop: poweroff"), Some(Event::Poweroff));
        assert_eq!(read("orlop: poweroff phase=kubelet ms=7"), Some(Event::Stopped { phase: "kubelet".into(), ms: 7 }));
        let note = Event::Note { about: "state".into(), text: "unmounted clean=true".into() };
        assert_eq!(read("orlop: state: unmounted clean=true"), Some(note));
        assert_eq!(read("orlop: something else"), None);
        let healthy = Event::Service { name: "kubelet".into(), what: "healthy".into(), pid: None };
        assert_eq!(read("orlop: service=kubelet event=healthy[   50.086043] tun: Universal driver"), Some(healthy));
        assert_eq!(read("kubelet healthy ms=1"), None);
    }

    #[test]
    fn report_lines_become_events() {
        assert_eq!(Event::of_report_line(r#"{"event":"ready","ms":7}"#), Some(Event::Ready { ms: 7 }));
        assert_eq!(Event::of_report_line(r#"{"event":"from-the-future","x":1}"#), Some(Event::Other));
        let service = Event::Service { name: "kubelet".into(), what: "started".into(), pid: Some(3) };
        let line = r#"{"event":"service","name":"kubelet","what":"started","pid":3,"cgroup":"/x"}"#;
        assert_eq!(Event::of_report_line(line), Some(service));
        assert_eq!(Event::of_report_line(r#"{"event":"poweroff","ms":9}"#), Some(Event::Poweroff));
        let trust = Event::Trust { rung: "secure-boot+ipe".into() };
        assert_eq!(Event::of_report_line(r#"{"event":"trust","rung":"secure-boot+ipe"}"#), Some(trust));
        let line = r#"{"event":"join","step":"token","reason":"Unauthorized","remedy":"x"}"#;
        let join = Event::Join { step: "token".into(), reason: "Unauthorized".into() };
        assert_eq!(Event::of_report_line(line), Some(join));
        assert_eq!(Event::of_report_line("no json"), None);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "\\PC*") {
            let _ = Event::of_console_line(&line);
            let _ = Event::of_console_line(&format!("orlop: {line}"));
            let _ = Event::of_report_line(&line);
        }
    }
}
