//! What a privileged pod attempts, and what comes of each attempt: `privileged.rs` tries them, `docs/security.md` lists them.

use serde_json::{Value, json};

pub const EPERM: i64 = 1;
const EACCES: i64 = 13;
const EBUSY: i64 = 16;
const EINVAL: i64 = 22;
const ENOKEY: i64 = 126;
const MS_REMOUNT: u64 = 32;
/// System calls of x86-64.
const WRITE: i64 = 1;
const OPEN: i64 = 2;
const KEXEC_LOAD: i64 = 246;
const FINIT_MODULE: i64 = 313;
const CAPSET: i64 = 126;

/// One attempt.
pub struct Attempt {
    /// In words.
    pub what: &'static str,
    /// What the probe pod is asked to do.
    pub command: fn(&Target) -> Value,
    /// What comes of it.
    pub outcome: Outcome,
    /// What comes of it where there is no Secure Boot, and why, if that is something else.
    pub without_secure_boot: Option<(Outcome, &'static str)>,
    /// Who refuses, or what it leads to.
    pub who: &'static str,
}

/// What comes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Refused(i64),
    Done,
}
use Outcome::{Done, Refused};

impl Outcome {
    /// The error's name.
    pub fn name(self) -> &'static str {
        match self {
            Done => "done",
            Refused(EPERM) => "EPERM",
            Refused(EACCES) => "EACCES",
            Refused(EBUSY) => "EBUSY",
            Refused(EINVAL) => "EINVAL",
            Refused(ENOKEY) => "ENOKEY",
            Refused(_) => "an error",
        }
    }
}

/// What is attacked on the node that runs.
pub struct Target {
    /// Some module's path, as the pod sees it.
    pub module: String,
    /// The root's partition.
    pub root: String,
    /// The partition of its hash tree.
    pub verity: String,
    /// The name of its mapped device.
    pub name: String,
    /// Its table's parameters.
    pub parameters: String,
}

impl Target {
    fn word(&self, number: usize) -> &str {
        self.parameters.split(' ').nth(number).unwrap_or_default()
    }

    /// The parameters with another root hash.
    fn other_root(&self) -> String {
        let hash = self.word(8);
        self.parameters.replace(hash, &hash.chars().rev().collect::<String>())
    }

    fn table(&self, target: &str, parameters: &str) -> Value {
        attack(json!({ "by": "table", "name": self.name, "target": target, "parameters": parameters }))
    }
}

pub fn attack(attack: Value) -> Value {
    json!({ "do": "attack", "attack": attack })
}

pub fn on_host(attack: Value) -> Value {
    json!({ "do": "attack", "attack": attack, "on_host": true })
}

pub fn write(path: &str, text: &str) -> Value {
    json!({ "do": "write", "path": path, "text": text })
}

fn open(path: &str) -> Value {
    attack(json!({ "by": "open", "path": path }))
}

const fn refused(what: &'static str, command: fn(&Target) -> Value, errno: i64, who: &'static str) -> Attempt {
    Attempt { what, command, outcome: Refused(errno), without_secure_boot: None, who }
}

const fn done(what: &'static str, command: fn(&Target) -> Value, leads_to: &'static str) -> Attempt {
    Attempt { what, command, outcome: Done, without_secure_boot: None, who: leads_to }
}

const CAPABILITY: &str = "kernel (no pod gets the capability)";
const GIVEN_UP: &str = "kernel (PID 1 gave the capability up)";
const ONE_WAY: &str = "kernel (a switch that goes one way)";

pub const ATTEMPTS: &[Attempt] = &[
    refused(
        "a module of the root, signed by Debian, is loaded",
        |node| attack(json!({ "by": "module", "path": node.module })),
        EPERM,
        CAPABILITY,
    ),
    refused("an unsigned module is loaded", |_| attack(json!({ "by": "module-bytes" })), EPERM, CAPABILITY),
    refused("`modules_disabled` is cleared", |_| write("/proc/sys/kernel/modules_disabled", "0"), EINVAL, ONE_WAY),
    refused("IPE is switched off", |_| write("/host/sys/kernel/security/ipe/enforce", "0"), EPERM, CAPABILITY),
    refused(
        "another IPE policy is loaded",
        |_| write("/host/sys/kernel/security/ipe/new_policy", "x"),
        EPERM,
        CAPABILITY,
    ),
    refused("another kernel is started, from memory", |_| attack(json!({ "by": "kexec" })), EPERM, CAPABILITY),
    refused(
        "another kernel is started, from a file",
        |node| attack(json!({ "by": "kexec-file", "path": node.module })),
        EPERM,
        CAPABILITY,
    ),
    refused(
        "`kexec_load_disabled` is cleared",
        |_| write("/proc/sys/kernel/kexec_load_disabled", "0"),
        EINVAL,
        ONE_WAY,
    ),
    refused(
        "`unprivileged_bpf_disabled` is cleared",
        |_| write("/proc/sys/kernel/unprivileged_bpf_disabled", "0"),
        EPERM,
        ONE_WAY,
    ),
    done(
        "`yama.ptrace_scope` is lowered",
        |_| write("/proc/sys/kernel/yama/ptrace_scope", "0"),
        "nobody: the pod, which may trace every process, may set it",
    ),
    done(
        "`core_pattern` names a program",
        |_| write("/proc/sys/kernel/core_pattern", "|/no/such/program"),
        "nobody: such a program would be started outside of the pod, as root without capabilities",
    ),
    refused(
        "the kernel's helper programs get their capabilities back",
        |_| write("/proc/sys/kernel/usermodehelper/bset", "4294967295 4294967295"),
        EPERM,
        CAPABILITY,
    ),
    refused("`reboot(2)`", |_| attack(json!({ "by": "reboot" })), EPERM, CAPABILITY),
    refused("`/dev/mem` is opened", |_| open("/host/dev/mem"), EPERM, "kernel (lockdown)"),
    refused(
        "the root is remounted for writing",
        |_| on_host(json!({ "by": "mount", "target": "/", "flags": MS_REMOUNT })),
        EACCES,
        "kernel (a device that cannot be written)",
    ),
    refused(
        "the root's mapped device is opened for writing",
        |_| open("/host/dev/dm-0"),
        EBUSY,
        "kernel (it is mounted)",
    ),
    // Nothing but dm-verity guards what lies below the mapped device.
    done(
        "the root's partition is opened for writing",
        |node| open(&node.root),
        "nobody: the kernel panics when it reads what was written there",
    ),
    done("the partition of its hash tree is opened for writing", |node| open(&node.verity), "nobody: the same"),
    refused(
        "a table without verity is loaded for the root",
        |node| node.table("linear", &format!("{} 0", node.word(1))),
        EINVAL,
        "kernel (a verity device takes no other kind of table)",
    ),
    done(
        "the root's mapped device is suspended",
        |node| attack(json!({ "by": "suspend", "name": node.name })),
        "nobody: whatever reads the root then waits until it is resumed",
    ),
    Attempt {
        what: "a table with another root hash is loaded for the root",
        command: |node| node.table("verity", &node.other_root()),
        outcome: Refused(ENOKEY),
        without_secure_boot: Some((Done, "nobody: without Secure Boot the kernel asks for no signature")),
        who: "kernel (dm-verity asks for a signature)",
    },
];

/// What PID 1 is made to call by whoever traces it; the last call of each is refused.
pub struct Made {
    /// In words.
    pub what: &'static str,
    /// Its calls.
    pub calls: fn(&Target) -> Value,
    /// Who refuses the last one.
    pub who: &'static str,
}

pub const MADE_OF_PID_1: &[Made] = &[
    Made {
        what: "load a module",
        calls: |node| {
            let module = node.module.trim_start_matches("/host");
            json!([[OPEN, [module, 0]], [FINIT_MODULE, [{ "result": 0 }, "", 4]]])
        },
        who: GIVEN_UP,
    },
    Made {
        what: "switch IPE off",
        calls: |_| json!([[OPEN, ["/sys/kernel/security/ipe/enforce", 1]], [WRITE, [{ "result": 0 }, "0", 1]]]),
        who: GIVEN_UP,
    },
    Made { what: "start another kernel", calls: |_| json!([[KEXEC_LOAD, [0, 0, 0, 0]]]), who: ONE_WAY },
    Made {
        what: "take its capabilities back",
        // All of them: version 3 of the header, then effective, permitted and inheritable, twice.
        calls: |_| json!([[CAPSET, ["\u{22}\u{5}\u{8}\u{20}", "\u{7f}".repeat(24)]]]),
        who: GIVEN_UP,
    },
];
