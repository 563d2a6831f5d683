//! Texts of a form of their own, which their types read by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::firewall::Ports;
use crate::node_config::{Cidr, Mac, Secret, SysctlValue};

macro_rules! scalar {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

scalar!(Ports, "Ports", {
    "type": "string",
    "description": "One port, or those from a first to a last: `udp/8472`, `tcp/4000-4010`.",
    "pattern": "^(tcp|udp)/[0-9]{1,5}(-[0-9]{1,5})?$"
});

scalar!(Cidr, "Cidr", {
    "type": "string",
    "description": "An address with the length of its network's prefix: `192.0.2.10/24`, `2001:db8::10/64`.",
    "pattern": "^[0-9A-Fa-f.:]+/[0-9]{1,3}$"
});

scalar!(Mac, "Mac", {
    "type": "string",
    "description": "A hardware address: `52:54:00:12:34:56`.",
    "pattern": "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$"
});

scalar!(Secret, "Secret", {
    "type": "string",
    "description": "A text that no error, log or console repeats."
});

scalar!(SysctlValue, "SysctlValue", {
    "type": ["integer", "string"],
    "description": "An integer, or text."
});
