//! `import`: a carried image becomes one of containerd's, unpacked, and pinned, so that neither kubelet's image collection
//! nor containerd's garbage collection takes it away.
//!
//! What an earlier boot left of it lies on the state partition, which somebody may have written to while the power was
//! off. So all that a container would be started from is compared with the archive in the verified root: the name, the
//! blobs' bytes, and every file of the unpacked layers. What differs is taken away and made anew. containerd listens,
//! and nothing runs yet: nobody changes these files in between.

use crate::archive::{Archive, Descriptor, Image};
use crate::channel::Channel;
use crate::lease::Lease;
use crate::snapshots::Snapshots;
use crate::store::Store;
use crate::{Error, Result, compare, layer};
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// Where containerd's snapshotter keeps its folders, under containerd's root.
const SNAPSHOTTER_ROOT: &str = "io.containerd.snapshotter.v1.overlayfs";

/// What an import found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The image was there already, whole and with its labels.
    Present,
    /// It was made, made whole, or made anew.
    Imported,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Present => "present",
            Self::Imported => "imported",
        })
    }
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Something is not there (yet).
    pub is_missing: bool,
    differences: Vec<String>,
}

impl Findings {
    /// Something is not what it should be.
    pub fn differs(&mut self, what: impl Into<String>) {
        self.differences.push(what.into());
    }

    /// What differs, in one line.
    fn told(&self) -> Option<String> {
        (!self.differences.is_empty()).then(|| self.differences.join("; "))
    }
}

/// For the removal of what cannot be imported.
const REMOVAL: Duration = Duration::from_secs(60);

/// What is to be imported.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// containerd's root.
    pub root: &'a Path,
    /// The OCI archive.
    pub file: &'a Path,
    /// The name that the image gets.
    pub reference: &'a str,
    /// How long it may take.
    pub within: Duration,
}

/// Imports an archive's image. What differed is told before it is made anew: whatever comes of that.
///
/// An image that cannot be compared or made does not stay: a boot that goes on without it must not run another. Only
/// [`Error::Forgotten`] says that it is gone.
pub async fn import(channel: &Channel, order: &Order<'_>, tell: impl FnOnce(&str)) -> Result<Outcome> {
    let mut image = None;
    let tried = in_time(order.within, "import", attempt(channel, order, &mut image, tell)).await;
    let source = match tried {
        Ok(outcome) => return Ok(outcome),
        Err(error) => Box::new(error),
    };
    let reference = order.reference.to_owned();
    let store = Store::new(channel, order.root);
    Err(match in_time(REMOVAL, "removing an image", store.forget(&reference, image.as_ref())).await {
        Ok(()) => Error::Forgotten { reference, source },
        Err(removal) => Error::Left { reference, source, removal: Box::new(removal) },
    })
}

async fn in_time<T>(within: Duration, what: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(within, work).await.unwrap_or(Err(Error::Silent { what }))
}

/// Imports it; `image` is what was to be imported, once that is known.
async fn attempt(
    channel: &Channel,
    order: &Order<'_>,
    image: &mut Option<Image>,
    tell: impl FnOnce(&str),
) -> Result<Outcome> {
    let mut archive = Archive::open(order.file)?;
    let image = image.insert(archive.image(order.reference)?);
    Import { channel, order, image, archive: &mut archive }.run(tell).await
}

struct Import<'a> {
    channel: &'a Channel,
    order: &'a Order<'a>,
    image: &'a Image,
    archive: &'a mut Archive<File>,
}

impl Import<'_> {
    async fn run(&mut self, tell: impl FnOnce(&str)) -> Result<Outcome> {
        let found = self.compare().await?;
        let told = found.told();
        if told.is_none() && !found.is_missing {
            return Ok(Outcome::Present);
        }
        if let Some(what) = &told {
            tell(what);
            self.forget().await?;
        }
        self.make(told.is_some()).await?;
        let again = self.compare().await?;
        let missing = again.is_missing.then(|| "something is missing".to_owned());
        match again.told().or(missing) {
            Some(what) => Err(Error::Differs { reference: self.order.reference.to_owned(), what }),
            None => Ok(Outcome::Imported),
        }
    }

    async fn compare(&mut self) -> Result<Findings> {
        let mut found = self.store(self.channel).compare(self.archive, self.image, self.order.reference).await?;
        let folders = match Snapshots::new(self.channel, self.image).folders().await {
            Ok(Some(folders)) => folders,
            Ok(None) => {
                found.is_missing = true;
                return Ok(found);
            }
            // containerd's book of snapshots lies on the state partition too.
            Err(error) => {
                found.differs(error.to_string());
                return Ok(found);
            }
        };
        if folders.len() != self.image.layers.len() {
            found.differs(format!("{} layers are unpacked", folders.len()));
            return Ok(found);
        }
        for (folder, blob) in folders.iter().zip(&self.image.layers) {
            match self.compare_layer(folder, blob)? {
                Ok(differences) => differences.into_iter().for_each(|what| found.differs(what)),
                Err(reason) => found.differs(format!("{}: {reason}", folder.display())),
            }
        }
        Ok(found)
    }

    /// What differs in an unpacked layer, or why its folder is not one of the snapshotter's.
    fn compare_layer(&mut self, folder: &Path, blob: &Descriptor) -> Result<std::result::Result<Vec<String>, String>> {
        let root = self.order.root.join(SNAPSHOTTER_ROOT);
        let Ok(below) = folder.strip_prefix(&root) else { return Ok(Err("not the snapshotter's".to_owned())) };
        let opened = compare::open_folder(&root)
            .and_then(|root| compare::open_below(root.as_fd(), below, compare::FOLDER).map_err(Into::into));
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut tar = self.archive.section(blob)?;
        let compared = layer::read(&mut tar).and_then(|layer| compare::compare(opened.as_fd(), &layer, &mut tar));
        compared.map(Ok).map_err(|source| self.archive.failed(source))
    }

    /// Takes its names and blobs away.
    async fn forget(&self) -> Result<()> {
        let store = self.store(self.channel);
        store.forget(self.order.reference, Some(self.image)).await?;
        store.clear(self.image).await
    }

    fn store(&self, channel: &Channel) -> Store {
        Store::new(channel, self.order.root)
    }

    /// Makes what is missing. Under a lease the garbage collector leaves alone what no image refers to yet. Its id is the
    /// image's, so that an import that was cut off is taken up, and its lease ended, by the next boot's.
    async fn make(&mut self, collect: bool) -> Result<()> {
        let id = format!("orlop-import-{}", self.image.manifest.digest.replace(':', "-"));
        let lease = Lease::new(self.channel, &id);
        lease.begin().await?;
        let leased = self.channel.with_lease(&id);
        let snapshots = Snapshots::new(&leased, self.image);
        if !snapshots.clear().await? {
            // Nothing refers to them any more.
            Lease::new(self.channel, "orlop-collect").collect().await?;
        }
        let store = self.store(&leased);
        for blob in self.image.blobs() {
            lease.keep(&blob.digest).await?;
            store.write_missing(self.archive, self.image, blob).await?;
        }
        snapshots.unpack().await?;
        store.record(self.image, self.order.reference).await?;
        store.await_known(self.image, self.order.reference).await?;
        lease.end(collect).await
    }
}
