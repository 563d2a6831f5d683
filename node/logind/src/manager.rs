//! What a client may ask, and what it is answered. Pure: [`crate::client`] does it.

use crate::message::{Body, Message};

/// The object and interface that kubelet talks to.
pub const LOGIN: [&str; 2] = ["/org/freedesktop/login1", "org.freedesktop.login1.Manager"];
/// The signal that the machine is about to stop.
pub const PREPARE: &str = "PrepareForShutdown";
const BUS: &str = "org.freedesktop.DBus";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// kubelet's is 110 bytes long.
const LONGEST_RULE: usize = 1024;

/// What is to be done for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Give the client its name.
    Name,
    /// From now on tell it the signal, if this says so: its rule matches. Its answer is empty.
    Listen(bool),
    /// Say how long an inhibitor holds up the end.
    Delay,
    /// Give it an inhibitor; this is who it says that it is.
    Inhibit(String),
    /// Nothing: an error's name and text.
    Refuse(&'static str, String),
}

/// What a call asks for.
#[must_use]
pub fn action(call: &Message<'_>) -> Action {
    match (call.interface, call.member) {
        (BUS, "Hello") => Action::Name,
        (BUS, "AddMatch") => with(call, "s", |[rule]| match rule.len() <= LONGEST_RULE {
            true => Action::Listen(matches(rule)),
            false => refuse("LimitsExceeded", "the rule is too long"),
        }),
        (PROPERTIES, "Get") => {
            with(call, "ss", |[interface, name]| match call.path == LOGIN[0] && interface == LOGIN[1] {
                true if name == "InhibitDelayMaxUSec" => Action::Delay,
                _ => refuse("UnknownProperty", &format!("{interface}.{name} is no property here")),
            })
        }
        (interface, "Inhibit") if [call.path, interface] == LOGIN => {
            with(call, "ssss", |[what, who, _, mode]| match (what, mode) {
                ("shutdown", "delay") => Action::Inhibit(who.chars().take(40).collect()),
                _ => {
                    refuse("NotSupported", &format!("{mode} of {what}: shutdown can be delayed here, and nothing else"))
                }
            })
        }
        (interface, member) => {
            let what = format!("{interface}.{member} at {}", call.path);
            refuse("UnknownMethod", &format!("{what}: kubelet's shutdown manager is served here, and nothing else"))
        }
    }
}

fn refuse(name: &'static str, text: &str) -> Action {
    Action::Refuse(name, text.chars().take(400).collect())
}

/// Reads a body of so many texts.
fn with<const N: usize>(call: &Message<'_>, signature: &str, act: impl FnOnce([&str; N]) -> Action) -> Action {
    let mut body = Body::new(call.body);
    let mut texts = [""; N];
    let read = texts.iter_mut().try_for_each(|text| body.text().map(|read| *text = read));
    match call.signature == signature && read.is_ok() {
        true => act(texts),
        false => refuse("InvalidArgs", &format!("{} takes arguments of the types {signature}", call.member)),
    }
}

/// Whether a rule (`type='signal',member='…'`) takes the one signal that there is.
fn matches(rule: &str) -> bool {
    rule.split(',').all(|one| {
        let (key, value) = one.split_once('=').unwrap_or((one, ""));
        let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
        match key {
            "type" => value == "signal",
            "sender" => value == "org.freedesktop.login1",
            "path" => value == LOGIN[0],
            "interface" => value == LOGIN[1],
            "member" => value == PREPARE,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Kind;
    use proptest::prelude::*;

    fn body(texts: &[&str]) -> Vec<u8> {
        let mut body: Vec<u8> = Vec::new();
        for text in texts {
            body.resize(body.len().next_multiple_of(4), 0);
            body.extend((text.len() as u32).to_le_bytes());
            body.extend(text.bytes());
            body.push(0);
        }
        body
    }

    fn asked(path: &str, interface: &str, member: &str, texts: &[&str]) -> Action {
        let (body, signature) = (body(texts), "s".repeat(texts.len()));
        action(&Message {
            kind: Kind::Call,
            wants_reply: true,
            serial: 1,
            path,
            interface,
            member,
            signature: &signature,
            body: &body,
        })
    }

    const RULE: &str = "type='signal',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown',path='/org/freedesktop/login1'";

    #[test]
    fn kubelets_calls_are_known() {
        let [path, interface] = LOGIN;
        assert_eq!(asked("/org/freedesktop/DBus", BUS, "Hello", &[]), Action::Name);
        assert_eq!(asked(path, PROPERTIES, "Get", &[interface, "InhibitDelayMaxUSec"]), Action::Delay);
        let inhibit = ["shutdown", "kubelet", "Kubelet needs time to handle node shutdown", "delay"];
        assert_eq!(asked(path, interface, "Inhibit", &inhibit), Action::Inhibit("kubelet".into()));
        assert_eq!(asked("/org/freedesktop/DBus", BUS, "AddMatch", &[RULE]), Action::Listen(true));
    }

    #[test]
    fn a_rule_for_something_else_hears_nothing() {
        for rule in ["type='method_call'", "type='signal',member='PrepareForSleep'", "eavesdrop='true'", "", "a,b"] {
            assert_eq!(asked("/org/freedesktop/DBus", BUS, "AddMatch", &[rule]), Action::Listen(false), "{rule}");
        }
    }

    #[test]
    fn all_else_is_refused_by_its_name() {
        let [path, interface] = LOGIN;
        let long = "x".repeat(LONGEST_RULE + 1);
        let systemd = "org.freedesktop.systemd1.Manager";
        for (action, name, text) in [
            (asked(path, interface, "Inhibit", &["sleep", "x", "y", "delay"]), "NotSupported", "delay of sleep"),
            (asked(path, interface, "Inhibit", &["shutdown", "x", "y", "block"]), "NotSupported", "block of shutdown"),
            (asked(path, interface, "Inhibit", &["shutdown"]), "InvalidArgs", "ssss"),
            (asked("/", interface, "Inhibit", &["shutdown", "x", "y", "delay"]), "UnknownMethod", "Inhibit at /"),
            (asked(path, interface, "PowerOff", &["x"]), "UnknownMethod", "PowerOff"),
            (asked("/", systemd, "KillUnit", &[]), "UnknownMethod", "KillUnit"),
            (asked(path, PROPERTIES, "Get", &[interface, "Docked"]), "UnknownProperty", "Docked"),
            (asked("/", BUS, "AddMatch", &[&long]), "LimitsExceeded", "too long"),
        ] {
            let Action::Refuse(found, said) = &action else { panic!("{action:?}") };
            assert_eq!(*found, name);
            assert!(said.contains(text), "{said}");
        }
    }

    proptest! {
        #[test]
        fn any_arguments_are_read(signature in "[sauv]{0,5}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            for (path, interface, member) in [
                (LOGIN[0], LOGIN[1], "Inhibit"), (LOGIN[0], PROPERTIES, "Get"), (LOGIN[0], BUS, "AddMatch"),
            ] {
                let _ = action(&Message {
                    kind: Kind::Call, wants_reply: true, serial: 1, path, interface, member,
                    signature: &signature, body: &bytes,
                });
            }
        }
    }
}
