//! What in a sound document has run out. It is no mistake: whose clock is right is not for the document's reader to say.

use super::{NodeConfig, pem};

impl NodeConfig {
    /// Each certificate that has run out at this time (seconds since 1970), with its key and the day.
    pub fn ended_certificates(&self, now: u64) -> Vec<String> {
        let cluster = [
            ("cluster.ca", Some(&self.cluster.ca)),
            ("cluster.client_certificate", self.cluster.client_certificate.as_ref()),
        ];
        let cluster = cluster.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?)));
        let extra = self.extra_cas.iter().enumerate().map(|(index, text)| (format!("extra_cas[{index}]"), text));
        let registries = self
            .registries
            .iter()
            .filter_map(|(name, it)| Some((format!("registries.\"{name}\".ca"), it.ca.as_ref()?)));
        let mirrors = self.registries.iter().flat_map(|(name, it)| {
            let each = it.mirrors.iter().enumerate();
            each.filter_map(move |(index, mirror)| {
                Some((format!("registries.\"{name}\".mirrors[{index}].ca"), mirror.ca.as_ref()?))
            })
        });
        let ended = cluster.chain(extra).chain(registries).chain(mirrors).filter_map(|(key, text)| {
            let day = pem::ended(text, now)?;
            Some(format!("{key}: a certificate ran out on {day}; give its successor, or set the clock right"))
        });
        ended.collect()
    }
}
