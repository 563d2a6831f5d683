//! What the boot report says: each event as a line for people and tests, and as JSON for a port.

use serde_json::{Value, json};

/// Something that happened, with its time since the kernel started where one is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A phase ended well.
    Phase {
        /// Its name.
        name: String,
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// The node is all that it promises.
    Ready {
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// kubelet answers its health check.
    Healthy {
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// All containers of a static pod run.
    Pod {
        /// `metadata.name`.
        name: String,
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// The boot ends here.
    Refused {
        /// The stage's name.
        stage: String,
        /// Why, on one line.
        reason: String,
    },
    /// How far the chain of trust reaches.
    Trust {
        /// `root-hash`, `secure-boot`, `secure-boot+ipe`.
        rung: &'static str,
    },
    /// Something about a service.
    Service {
        /// `containerd`, `kubelet`, `net`, `logind`.
        name: String,
        /// `started`, `exited`, `healthy`, `log-recovered`, …
        what: String,
        /// Further facts.
        facts: Vec<(&'static str, String)>,
    },
    /// The node has joined its cluster.
    Joined {
        /// Its name there.
        node: String,
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// The node has not joined its cluster, because this step does not work.
    Join {
        /// The step's name.
        step: &'static str,
        /// Why, in kubelet's words.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A step of the way to power off; the last one has no phase.
    Poweroff {
        /// The step's name.
        phase: Option<String>,
        /// Milliseconds since the kernel started.
        ms: u64,
    },
    /// Anything else that who reads the report should know.
    Note {
        /// What it is about.
        about: String,
        /// What is to be said, on one line.
        text: String,
    },
}

impl Event {
    /// The console line.
    pub fn line(&self) -> String {
        let text = match self {
            Event::Phase { name, ms } => format!("phase={name} ms={ms}"),
            Event::Ready { ms } => format!("ready ms={ms}"),
            Event::Healthy { ms } => format!("kubelet healthy ms={ms}"),
            Event::Pod { name, ms } => format!("pod={name} state=running ms={ms}"),
            Event::Refused { stage, reason } => format!("refused stage={stage} reason={reason}"),
            Event::Trust { rung } => format!("trust rung={rung}"),
            Event::Service { name, what, facts } => {
                let facts: String = facts.iter().map(|(key, value)| format!(" {key}={value}")).collect();
                format!("service={name} event={what}{facts}")
            }
            Event::Joined { node, ms } => format!("joined node={node} ms={ms}"),
            Event::Join { step, reason, remedy } => format!("join step={step} reason={reason}; {remedy}"),
            Event::Poweroff { phase: Some(phase), ms } => format!("poweroff phase={phase} ms={ms}"),
            Event::Poweroff { phase: None, .. } => "poweroff".to_owned(),
            Event::Note { about, text } => format!("{about}: {text}"),
        };
        format!("orlop: {}", one_line(&text))
    }

    /// The JSON object.
    pub fn json(&self) -> Value {
        match self {
            Event::Phase { name, ms } => json!({"event": "phase", "name": name, "ms": ms}),
            Event::Ready { ms } => json!({"event": "ready", "ms": ms}),
            Event::Healthy { ms } => json!({"event": "healthy", "ms": ms}),
            Event::Pod { name, ms } => json!({"event": "pod", "name": name, "state": "running", "ms": ms}),
            Event::Refused { stage, reason } => json!({"event": "refused", "stage": stage, "reason": reason}),
            Event::Trust { rung } => json!({"event": "trust", "rung": rung}),
            Event::Service { name, what, facts } => {
                let mut object = json!({"event": "service", "name": name, "what": what});
                for (key, value) in facts {
                    object[*key] = value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number));
                }
                object
            }
            Event::Joined { node, ms } => json!({"event": "joined", "node": node, "ms": ms}),
            Event::Join { step, reason, remedy } => {
                json!({"event": "join", "step": step, "reason": reason, "remedy": remedy})
            }
            Event::Poweroff { phase, ms } => match phase {
                Some(phase) => json!({"event": "poweroff-phase", "phase": phase, "ms": ms}),
                None => json!({"event": "poweroff", "ms": ms}),
            },
            Event::Note { about, text } => json!({"event": "note", "about": about, "text": text}),
        }
    }
}

/// Makes text fit for one line of a console: whatever a disk or a command line holds must not be
/// able to write a second line, or to steer a terminal.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_tests_await() {
        let phase = Event::Phase { name: "root".into(), ms: 12 };
        assert_eq!(phase.line(), "orlop: phase=root ms=12");
        let service =
            Event::Service { name: "kubelet".into(), what: "exited".into(), facts: vec![("pid", "7".into())] };
        assert_eq!(service.line(), "orlop: service=kubelet event=exited pid=7");
        assert_eq!(service.json()["pid"], 7);
        let join = Event::Join { step: "token", reason: "Unauthorized".into(), remedy: "give another" };
        assert_eq!(join.line(), "orlop: join step=token reason=Unauthorized; give another");
        assert_eq!(join.json()["step"], "token");
        let joined = Event::Joined { node: "one".into(), ms: 7 };
        assert_eq!(joined.line(), "orlop: joined node=one ms=7");
        let trust = Event::Trust { rung: "secure-boot+ipe" };
        assert_eq!(trust.line(), "orlop: trust rung=secure-boot+ipe");
        assert_eq!(trust.json(), json!({"event": "trust", "rung": "secure-boot+ipe"}));
    }

    #[test]
    fn foreign_text_cannot_forge_a_line() {
        let refused = Event::Refused { stage: "cmdline".into(), reason: "x\norlop: ready ms=1\u{1b}[2J".into() };
        assert_eq!(refused.line(), "orlop: refused stage=cmdline reason=x orlop: ready ms=1 [2J");
    }
}
