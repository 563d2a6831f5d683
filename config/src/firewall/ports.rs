//! Ports, as definitions write them: `udp/8472`, `tcp/4000-4010`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Of ports; its number in IP's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// TCP
    Tcp = 6,
    /// UDP
    Udp = 17,
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if *self == Protocol::Tcp { "tcp" } else { "udp" })
    }
}

/// One port, or those from a first to a last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ports {
    /// Their protocol.
    pub protocol: Protocol,
    /// The first.
    pub first: u16,
    /// The last; the same where there is one.
    pub last: u16,
}

impl Ports {
    /// One port.
    pub const fn one(protocol: Protocol, port: u16) -> Self {
        Ports { protocol, first: port, last: port }
    }

    /// Whether a port is in both.
    pub fn overlap(&self, other: &Ports) -> bool {
        self.protocol == other.protocol && self.first <= other.last && other.first <= self.last
    }

    /// The number, or both with `-` between them.
    pub(super) fn numbers(&self) -> String {
        let Ports { first, last, .. } = self;
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.protocol, self.numbers())
    }
}

impl From<Ports> for String {
    fn from(ports: Ports) -> String {
        ports.to_string()
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` names no ports; write them as `udp/8472` or `tcp/4000-4010`");
        let (protocol, numbers) = text.split_once('/').ok_or_else(wrong)?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(wrong()),
        };
        let number = |text: &str| {
            let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number: &u16| digits && *number > 0)
        };
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Ports { protocol, first, last }),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Ports {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_names_no_ports_is_refused() {
        for text in [
            "",
            "8472",
            "udp",
            "udp/",
            "udp/0",
            "udp/65536",
            "udp/+1",
            "icmp/1",
            "UDP/1",
            "tcp/2-1",
            "tcp/1-",
            "tcp/-1",
            "tcp/1-2-3",
            "tcp/ 1",
            "tcp/000001",
        ] {
            let error = text.parse::<Ports>().expect_err(text);
            assert_eq!(error, format!("`{text}` names no ports; write them as `udp/8472` or `tcp/4000-4010`"));
        }
    }

    #[test]
    fn overlaps_are_of_one_protocol() {
        let ports = |text: &str| text.parse::<Ports>().expect(text);
        assert!(ports("tcp/80").overlap(&ports("tcp/70-80")) && ports("tcp/70-80").overlap(&ports("tcp/80")));
        assert!(!ports("tcp/80").overlap(&ports("udp/80")) && !ports("tcp/80").overlap(&ports("tcp/81-90")));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tcp: bool, first in 1u16.., more: u16) {
            let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
            let ports = Ports { protocol, first, last: first.saturating_add(more) };
            prop_assert_eq!(ports.to_string().parse(), Ok(ports));
            prop_assert_eq!(serde_json::from_value::<Ports>(serde_json::json!(ports)).ok(), Some(ports));
        }

        #[test]
        fn no_text_is_a_panic(text in "(tcp|udp)?/?[-0-9+ ]{0,12}.{0,3}") {
            if let Ok(ports) = text.parse::<Ports>() {
                prop_assert!(ports.first > 0 && ports.first <= ports.last);
            }
        }
    }
}
