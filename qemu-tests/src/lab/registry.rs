//! A container registry: `crane registry serve` at the lab's host, and TLS before it: open to everybody on one port, and to
//! who says a name and a password on another.

use std::net::SocketAddr;

use super::guard::{Guard, Who};
use super::network::{HOST, host};
use super::oci::Image;
use super::pki::{Authority, Subject};
use super::tls::Tls;
use super::{Lab, Service};
use crate::{Error, Result, within};

/// Where it speaks plain HTTP, at the lab's host.
pub const PORT: u16 = 5000;
/// The registry that images of the lab are named after, over HTTPS.
pub const NAME: &str = "registry.lab.test";

/// The same registry for those who say who they are: [`WHO`], which the lab's image has a credential provider for.
pub const GUARDED: &str = "registry.lab.test:8443";
/// Between TLS and the registry, where those are asked.
const GUARD_PORT: u16 = 5001;
const WHO: Who = Who { name: "lab", password: "open sesame" };

/// A registry. It is gone when this is dropped, with what was pushed.
#[derive(Debug)]
pub struct Registry {
    /// Its process: each request is a line.
    pub service: Service,
    /// The authority of its certificate, which is not the cluster's.
    pub authority: Authority,
    _tls: [Tls; 2],
    _guard: Guard,
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
        let at = |port: u16| SocketAddr::new(host(), port);
        let tls = |port: u16, to: u16| Tls::start(lab.namespace.listen(at(port))?, &pair, &lab.namespace, at(to));
        let guard = Guard::start(lab.namespace.listen(at(GUARD_PORT))?, &WHO, &lab.namespace, at(PORT))?;
        let tls = [tls(443, PORT)?, tls(8443, GUARD_PORT)?];
        Ok(Registry { service, authority, _tls: tls, _guard: guard })
    }

    /// Pushes an image as `NAME:TAG`; how pods call it by that tag, and by its digest.
    pub fn push(&self, lab: &Lab, name: &str, image: &Image) -> Result<Pushed> {
        let layout = lab.folder.join("images").join(name.replace(['/', ':'], "-"));
        let digest = image.write(&layout)?;
        let crane = lab.tools.program("crane")?;
        let words = ["push", "--insecure", &layout.to_string_lossy(), &format!("{HOST}:{PORT}/{name}")];
        lab.namespace.run(&crane.to_string_lossy(), &words)?;
        let bare = name.split_once(':').map_or(name, |(bare, _)| bare);
        let guarded = format!("{GUARDED}/{name}");
        Ok(Pushed { tag: format!("{NAME}/{name}"), digest: format!("{NAME}/{bare}@{digest}"), guarded })
    }
}

/// What a pushed image is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// By its tag.
    pub tag: String,
    /// By its digest.
    pub digest: String,
    /// By its tag, where it is asked who pulls.
    pub guarded: String,
}
