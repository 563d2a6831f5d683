//! A container registry: `crane registry serve` at the lab's host, and TLS before it.

use std::net::SocketAddr;

use super::network::{HOST, host};
use super::oci::Image;
use super::pki::{Authority, Subject};
use super::tls::Tls;
use super::{Lab, Service};
use crate::{Error, Result, within};

/// Where it speaks plain HTTP.
const PORT: u16 = 5000;
/// The registry that images of the lab are named after, over HTTPS.
pub const NAME: &str = "registry.lab.test";

/// A registry. It is gone when this is dropped, with what was pushed.
#[derive(Debug)]
pub struct Registry {
    /// Its process: each request is a line.
    pub service: Service,
    /// The authority of its certificate, which is not the cluster's.
    pub authority: Authority,
    _tls: Tls,
}

impl Registry {
    /// Starts it, empty.
    pub fn start(lab: &Lab) -> Result<Registry> {
        let folder = lab.folder.join("registry");
        let blobs = folder.join("blobs");
        std::fs::create_dir_all(&blobs).map_err(Error::file("making", &blobs))?;
        let mut command = lab.namespace.command(lab.tools.program("crane")?);
        command.args(["registry", "serve", "--address"]).arg(format!("{HOST}:{PORT}")).arg("--disk").arg(&blobs);
        let service = lab.serve("registry", command)?;
        let authority = Authority::new(&folder, "registry-ca")?;
        let subject = Subject { name: NAME, names: &[NAME, HOST], ..Subject::default() };
        let pair = authority.issue(&folder, "registry", &subject)?;
        service.wait_line("serving on port", within(30))?;
        let listener = lab.namespace.listen(SocketAddr::new(host(), 443))?;
        let tls = Tls::start(listener, &pair, &lab.namespace, SocketAddr::new(host(), PORT))?;
        Ok(Registry { service, authority, _tls: tls })
    }

    /// Pushes an image as `NAME:TAG`; how pods call it by that tag, and by its digest.
    pub fn push(&self, lab: &Lab, name: &str, image: &Image) -> Result<Pushed> {
        let layout = lab.folder.join("images").join(name.replace(['/', ':'], "-"));
        let digest = image.write(&layout)?;
        let crane = lab.tools.program("crane")?;
        let words = ["push", "--insecure", &layout.to_string_lossy(), &format!("{HOST}:{PORT}/{name}")];
        lab.namespace.run(&crane.to_string_lossy(), &words)?;
        let bare = name.split_once(':').map_or(name, |(bare, _)| bare);
        Ok(Pushed { tag: format!("{NAME}/{name}"), digest: format!("{NAME}/{bare}@{digest}") })
    }
}

/// What a pushed image is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// By its tag.
    pub tag: String,
    /// By its digest.
    pub digest: String,
}
