//! Values that need more than their type: secrets that no message shows, numbers that may be written as text.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::NodeConfig;
use crate::text::MASK;

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
        String::deserialize(deserializer).map(Secret)
    }
}

/// A sysctl's value: an integer, or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlValue(pub String);

impl<'de> Deserialize<'de> for SysctlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrNumber).map(SysctlValue)
    }
}

struct TextOrNumber;

impl Visitor<'_> for TextOrNumber {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an integer")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}
