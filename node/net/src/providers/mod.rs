//! Who gives the node config: each provider is one function that gives the document's bytes or says why not. They block,
//! each within its own bounds, and so they run on a thread of their own ([`fetch`]).

pub mod azure;
pub mod disk;
pub mod ec2;
pub mod fat;
pub mod fetch;
pub mod files;
pub mod gce;
pub mod gpt;
pub mod http;
pub mod iso9660;
pub mod smbios;

use orlop_config::node::Provider;
use orlop_config::node_config::LARGEST;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Why there is no document: a line without what the provider sent.
pub type Fetched = Result<Vec<u8>, String>;

/// Where the providers are: the machine's own places, others in tests.
#[derive(Debug, Clone)]
pub struct Places {
    /// `/sys`
    pub sys: PathBuf,
    /// `/dev`
    pub dev: PathBuf,
    /// The clouds' metadata.
    pub metadata: SocketAddr,
    /// Azure's wireserver.
    pub wireserver: SocketAddr,
}

impl Default for Places {
    fn default() -> Self {
        Places {
            sys: "/sys".into(),
            dev: "/dev".into(),
            metadata: (Ipv4Addr::new(169, 254, 169, 254), 80).into(),
            wireserver: (Ipv4Addr::new(168, 63, 129, 16), 80).into(),
        }
    }
}

/// Asks one provider.
pub fn ask(provider: Provider, places: &Places) -> Fetched {
    let document = match provider {
        Provider::FwCfg => files::fw_cfg(&places.sys),
        Provider::Smbios => smbios::config(&places.sys),
        Provider::Nocloud => disk::nocloud(places),
        Provider::Esp => disk::esp(places),
        Provider::Ec2 => ec2::config(places.metadata),
        Provider::Gce => gce::config(places.metadata),
        Provider::Azure => azure::config(places.metadata),
    }?;
    if document.is_empty() { Err("the document is empty".into()) } else { Ok(document) }
}

/// Reads a document, and no more of it than one may have.
fn read(source: impl Read) -> Fetched {
    let mut document = Vec::new();
    source.take(LARGEST as u64 + 1).read_to_end(&mut document).map_err(|error| error.to_string())?;
    if document.len() > LARGEST { Err(too_large()) } else { Ok(document) }
}

fn too_large() -> String {
    format!("the document has more than {LARGEST} bytes; shorten it")
}

/// Text of base64, white space aside, as bytes.
fn base64(text: &[u8]) -> Fetched {
    use base64::Engine as _;
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    read(decoded.map_err(|_| "the document is not in base64")?.as_slice())
}

#[cfg(test)]
mod tests;
