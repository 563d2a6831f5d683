//! Values that need more than their type: secrets that no message shows, numbers that may be written as text.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::NodeConfig;

/// A text that no error, log or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself: for what is rendered, and for checks that do not repeat it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn mask(&mut self) {
        self.0 = MASK.to_owned();
    }

    /// Of a URL only who logs in is secret.
    fn mask_user(&mut self) {
        let shown = match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{MASK}@{host}"),
            _ => return,
        };
        self.0 = shown;
    }
}

const MASK: &str = "********";

/// Puts a mask over every secret of a document.
pub(super) fn mask(config: &mut NodeConfig) {
    let NodeConfig { proxy, cluster, registries, .. } = config;
    [&mut proxy.http, &mut proxy.https].into_iter().flatten().for_each(Secret::mask_user);
    let mut secrets = vec![&mut cluster.token, &mut cluster.client_key];
    for registry in registries.values_mut() {
        secrets.push(&mut registry.password);
        secrets.extend(registry.mirrors.iter_mut().map(|mirror| &mut mirror.password));
    }
    secrets.into_iter().flatten().for_each(Secret::mask);
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text { secret: true }).map(Secret)
    }
}

/// A sysctl's value: an integer, or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlValue(pub String);

impl<'de> Deserialize<'de> for SysctlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text { secret: false }).map(SysctlValue)
    }
}

/// Takes text. Serde's own error for another type would repeat the value.
struct Text {
    secret: bool,
}

impl Text {
    fn number<E: Error>(&self, number: impl fmt::Display) -> Result<String, E> {
        if self.secret { Err(E::custom("not a string; write it in quotes")) } else { Ok(number.to_string()) }
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        self.number(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        self.number(number)
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<String, E> {
        self.number(number)
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<String, E> {
        self.number(number)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<String, E> {
        Err(E::custom("not a string; write it in quotes"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<String, E> {
        Err(E::custom("not a string; write it in quotes"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(A::Error::custom("a list, not a string"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(A::Error::custom("a table, not a string; a name with dots is written in quotes"))
    }
}
